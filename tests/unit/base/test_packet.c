/* SPDX-License-Identifier: Apache-2.0 */
/* Frames with their length in front: whole and in pieces, the bounds of a length, a buffer that is full. */
#include "../sk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/packet.h"

static struct sk_packet_reader reader;

struct seen {
	unsigned n;
	size_t bytes, last;
	uint8_t first, sum;
};

static void on_frame(void *arg, uint8_t *frame, size_t len)
{
	struct seen *s = arg;
	size_t i;

	s->n++;
	s->bytes += len;
	s->last = len;
	s->first = frame[0];
	for (i = 0; i < len; i++)
		s->sum = (uint8_t)(s->sum + frame[i]);
	memset(frame, 0xee, len); /* it is ours to write to */
}

static int begin(void **state)
{
	(void)state;
	memset(&reader, 0, sizeof(reader));
	return 0;
}

static void test_pieces(void **state)
{
	static const size_t sizes[] = { SK_PACKET_MIN, 60, 1514, 65534, SK_PACKET_MAX };
	static uint8_t frame[SK_PACKET_MAX];
	size_t step, i, bytes = 0;
	struct sk_buf out;
	uint8_t sum = 0;

	(void)state;
	sk_buf_init(&out, 1u << 20);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(frame, (int)i + 1, sizes[i]);
		assert_int_equal(sk_packet_put(&out, frame, sizes[i]), 0);
		bytes += sizes[i];
		sum = (uint8_t)(sum + sizes[i] * (i + 1));
	}
	assert_int_equal(out.len, bytes + 5 * SK_PACKET_HEADER);
	for (step = 1; step < 200000; step = step * 3 + 1) {
		struct seen seen = { 0 };
		size_t at, n;

		for (at = 0; at < out.len; at += n) {
			n = out.len - at < step ? out.len - at : step;
			assert_int_equal(sk_packet_read(&reader, sk_buf_data(&out) + at, n, on_frame, &seen), 0);
		}
		assert_int_equal(seen.n, 5);
		assert_int_equal(seen.bytes, bytes);
		assert_int_equal(seen.last, SK_PACKET_MAX);
		assert_int_equal(seen.sum, sum);
	}
	sk_buf_fini(&out);
}

static void test_order_of_bytes(void **state)
{
	static const uint8_t stream[] = { 0, 0, 0, 14, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 };
	struct seen seen = { 0 };
	struct sk_buf out;

	(void)state;
	assert_int_equal(sk_packet_read(&reader, stream, sizeof(stream) - 1, on_frame, &seen), 0);
	assert_int_equal(seen.n, 0);
	assert_int_equal(sk_packet_read(&reader, stream + sizeof(stream) - 1, 1, on_frame, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.first, 9);
	sk_buf_init(&out, 100);
	assert_int_equal(sk_packet_put(&out, stream + 4, 14), 0);
	assert_memory_equal(sk_buf_data(&out), stream, sizeof(stream));
	sk_buf_fini(&out);
}

static void test_bounds(void **state)
{
	static const uint8_t bad[][4] = { { 0, 0, 0, 0 },	 { 0, 0, 0, SK_PACKET_MIN - 1 },
					  { 0, 1, 0, 0x12 },	 { 0, 0xff, 0, 0 },
					  { 1, 0, 0, 20 },	 { 0x80, 0, 0, 20 },
					  { 255, 255, 255, 255 } };
	static uint8_t frame[SK_PACKET_MAX + 1], good[4 + 14] = { 0, 0, 0, 14 };
	struct seen seen = { 0 };
	struct sk_buf out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&reader, 0, sizeof(reader));
		assert_int_equal(sk_packet_read(&reader, good, sizeof(good), on_frame, &seen), 0);
		assert_int_equal(sk_packet_read(&reader, bad[i], 4, on_frame, &seen), -EPROTO);
		/* For good. */
		assert_int_equal(sk_packet_read(&reader, good, sizeof(good), on_frame, &seen), -EPROTO);
	}
	assert_int_equal(seen.n, sizeof(bad) / sizeof(bad[0]));
	sk_buf_init(&out, SK_PACKET_HEADER + SK_PACKET_MAX);
	assert_int_equal(sk_packet_put(&out, frame, SK_PACKET_MIN - 1), -EMSGSIZE);
	assert_int_equal(sk_packet_put(&out, frame, SK_PACKET_MAX + 1), -EMSGSIZE);
	assert_int_equal(out.len, 0);
	assert_int_equal(sk_packet_put(&out, frame, SK_PACKET_MAX), 0);
	assert_int_equal(sk_packet_put(&out, frame, SK_PACKET_MIN), -ENOBUFS);
	assert_int_equal(out.len, SK_PACKET_HEADER + SK_PACKET_MAX);
	sk_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pieces, begin),
		cmocka_unit_test_setup(test_order_of_bytes, begin),
		cmocka_unit_test_setup(test_bounds, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
