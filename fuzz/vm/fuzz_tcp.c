/* SPDX-License-Identifier: Apache-2.0 */
/* A peer that sends any segments, near to what is expected or not, a user that reads and writes, and time that passes. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../virtio/numbers.h"
#include "vm/tcp.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void on_send(void *arg, const struct sk_tcp_segment *s)
{
	const struct sk_tcp *t = arg;
	static uint8_t copy[SK_TCP_BUF];

	check(s->len <= t->out.len && s->len <= sizeof(copy) && s->window <= SK_TCP_BUF - t->in.len);
	check(!(s->flags & SK_TCP_FIN) || t->ended);
	if (s->len)
		memcpy(copy, s->data, s->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[SK_TCP_BUF];
	struct input in = { data, size };
	struct sk_tcp_segment s = {
		.seq = in_u32(&in), .flags = SK_TCP_SYN, .window = in_u16(&in), .mss = in_u16(&in)
	};
	uint64_t now = 1;
	struct sk_tcp t;

	sk_tcp_init(&t, &s, in_u32(&in), on_send, &t);
	while (in.n > 0) {
		uint8_t what = in_u8(&in);

		switch (what & 7) {
		case 0:
			sk_tcp_accept(&t, now);
			break;
		case 1:
			check(sk_tcp_write(&t, bytes, in_u16(&in), now) <= SK_TCP_BUF);
			break;
		case 2:
			sk_tcp_consume(&t, in_u16(&in) % (t.in.len + 1));
			break;
		case 3:
			if (what & 8)
				sk_tcp_end(&t, now);
			else if (t.due_ms != UINT64_MAX)
				sk_tcp_timer(&t, now = t.due_ms > now ? t.due_ms : now);
			break;
		default:
			s = (struct sk_tcp_segment){ .seq = t.peer_next + (uint32_t)(int8_t)in_u8(&in),
						     .ack = t.unacked + (uint32_t)(int8_t)in_u8(&in),
						     .flags = in_u8(&in) & 0x1f,
						     .window = in_u16(&in),
						     .data = bytes,
						     .len = what & 8 ? in_u16(&in) : what >> 4 };
			if (what & 16)
				s.ack = t.highest;
			sk_tcp_input(&t, &s, now);
			break;
		}
		check(t.in.len <= SK_TCP_BUF && t.out.len <= SK_TCP_BUF);
		check((int32_t)(t.highest - t.next) >= 0 && (int32_t)(t.next - t.unacked) >= 0);
	}
	sk_tcp_fini(&t);
	return 0;
}
