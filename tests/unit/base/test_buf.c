/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

static void test_bounds(void **state)
{
	struct sk_buf b;

	(void)state;
	sk_buf_init(&b, 8);
	assert_int_equal(sk_buf_append(&b, "12345", 5), 0);
	assert_int_equal(sk_buf_append(&b, "6789", 4), -ENOBUFS);
	assert_int_equal(b.len, 5);
	sk_buf_consume(&b, 3);
	assert_int_equal(sk_buf_append(&b, "abcdef", 6), 0);
	assert_memory_equal(sk_buf_data(&b), "45abcdef", 8);
	assert_null(sk_buf_reserve(&b, 1));
	sk_buf_consume(&b, 8);
	assert_null(sk_buf_data(&b));
	sk_buf_fini(&b);
	sk_buf_fini(&b);
}

/* Bytes come out as they went in, over many wraps and growths. */
static void test_stream(void **state)
{
	struct sk_buf b;
	uint8_t in = 0, out = 0;
	unsigned round;

	(void)state;
	sk_buf_init(&b, 100000);
	for (round = 0; round < 3000; round++) {
		size_t n = round * 37 % 300, i;
		uint8_t *p = sk_buf_reserve(&b, n);

		if (p) {
			for (i = 0; i < n; i++)
				p[i] = in++;
			sk_buf_commit(&b, n);
		}
		n = round * 53 % 280;
		if (n > b.len)
			n = b.len;
		for (i = 0; i < n; i++)
			assert_int_equal(sk_buf_data(&b)[i], out++);
		sk_buf_consume(&b, n);
	}
	sk_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_bounds), cmocka_unit_test(test_stream) };

	return cmocka_run_group_tests_name("base-buf", tests, NULL, NULL);
}
