/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"

static void test_round_trip(void **state)
{
	json_t *o = json_pack("{s:s,s:i}", "op", "start", "id", 7), *back;
	struct sk_frame f;
	struct sk_buf b;

	(void)state;
	sk_buf_init(&b, 4096);
	assert_int_equal(sk_frame_put_json(&b, o), 0);
	assert_int_equal(sk_frame_put(&b, SK_FRAME_STDOUT, "hello", 5), 0);
	assert_int_equal(sk_frame_put(&b, SK_FRAME_STDIN, NULL, 0), 0);
	assert_int_equal(sk_frame_peek(&b, &f), 1);
	back = sk_frame_json(&f);
	assert_true(json_equal(o, back));
	sk_frame_consume(&b, &f);
	assert_int_equal(sk_frame_peek(&b, &f), 1);
	assert_int_equal(f.type, SK_FRAME_STDOUT);
	assert_int_equal(f.len, 5);
	assert_memory_equal(f.payload, "hello", 5);
	assert_null(sk_frame_json(&f));
	sk_frame_consume(&b, &f);
	assert_int_equal(sk_frame_peek(&b, &f), 1);
	assert_int_equal(f.len, 0);
	sk_frame_consume(&b, &f);
	assert_int_equal(sk_frame_peek(&b, &f), 0);
	json_decref(o);
	json_decref(back);
	sk_buf_fini(&b);
}

/* Every prefix of a frame asks for more; broken lengths are refused. */
static void test_partial_and_broken(void **state)
{
	struct sk_buf whole, part;
	struct sk_frame f;
	size_t n;

	(void)state;
	sk_buf_init(&whole, 4096);
	assert_int_equal(sk_frame_put(&whole, SK_FRAME_STDERR, "0123456789", 10), 0);
	for (n = 0; n < whole.len; n++) {
		sk_buf_init(&part, 4096);
		sk_buf_append(&part, sk_buf_data(&whole), n);
		assert_int_equal(sk_frame_peek(&part, &f), 0);
		sk_buf_fini(&part);
	}
	sk_buf_init(&part, 4096);
	sk_buf_append(&part, "\0\0\0\0", 4);
	assert_int_equal(sk_frame_peek(&part, &f), -EPROTO);
	sk_buf_consume(&part, part.len);
	sk_buf_append(&part, "\xff\xff\xff\xff", 4);
	assert_int_equal(sk_frame_peek(&part, &f), -EPROTO);
	sk_buf_fini(&part);
	assert_int_equal(sk_frame_put(&whole, SK_FRAME_STDIN, "", SK_FRAME_MAX), -EMSGSIZE);
	sk_buf_fini(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip),
					    cmocka_unit_test(test_partial_and_broken) };

	return cmocka_run_group_tests_name("base-frame", tests, NULL, NULL);
}
