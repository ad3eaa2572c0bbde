/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of a guest and of libslirp in any order, most of them TCP segments of a few connections that meet, some of
 * them anything at all; sockets come and go. Each frame lies in memory of exactly its size.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "numbers.h"
#include "virtio/net_tcp.h"

#define SOCKETS 8u /* numbers that are no open descriptors */
#define FIRST_SOCKET 5000

static struct input *in;
static volatile uint8_t sum;

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void touch(const uint8_t *frame, size_t len)
{
	size_t i;

	check(len >= 14 && len <= 65549);
	for (i = 0; i < len; i++)
		sum ^= frame[i];
}

static void on_input(void *arg, uint8_t *frame, size_t len)
{
	(void)arg;
	touch(frame, len);
}

static void on_deliver(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	touch(frame, len);
}

static bool has_unwritten(void *arg, int fd)
{
	(void)arg;
	return (in_u8(in) + fd) & 1;
}

/* A segment between the guest and one of four others; `what` says how it is wrong, if at all. */
static size_t make_segment(uint8_t *f, bool outward)
{
	uint8_t what = in_u8(in), ends = in_u8(in);
	bool v6 = what & 1;
	size_t at = v6 ? 40 : 20, data = what & 2 ? in_u8(in) : 0, addr = v6 ? 16 : 4, len = at + 20 + data;
	uint8_t *ip = f + 14, *tcp = ip + at;

	memset(f, 0, 14 + len);
	f[12] = v6 ? 0x86 : 8;
	f[13] = v6 ? 0xdd : 0;
	ip[0] = v6 ? 0x60 : 0x45;
	ip[v6 ? 6 : 9] = 6;
	ip[v6 ? 5 : 3] = (uint8_t)(v6 ? 20 + data : len);
	ip[v6 ? 4 : 2] = (uint8_t)((v6 ? 20 + data : len) >> 8);
	ip[(v6 ? 8 : 12) + (outward ? addr : 0)] = ends & 3;
	tcp[outward ? 3 : 1] = ends >> 2 & 3;
	tcp[outward ? 1 : 3] = ends >> 4 & 1;
	tcp[7] = in_u8(in);
	tcp[11] = in_u8(in);
	tcp[12] = (uint8_t)((what & 4 ? in_u8(in) : 5) << 4);
	tcp[13] = in_u8(in);
	len += 14;
	if (what & 8)
		f[in_u8(in) % len] = in_u8(in);
	if (what & 16)
		len = in_u8(in) % len;
	return len;
}

static void one_frame(struct net_tcp *t, bool outward)
{
	static uint8_t made[14 + 40 + 20 + 256];
	size_t len = in_u8(in) & 7 ? make_segment(made, outward) : in_bytes(in, made, in_u8(in));
	uint8_t *frame = malloc(len ? len : 1);

	check(frame != NULL);
	memcpy(frame, made, len);
	if (!outward) {
		net_tcp_output(t, frame, len);
	} else {
		net_tcp_begin_input(t, frame, len);
		if (in_u8(in) & 1)
			net_tcp_registered(t, FIRST_SOCKET + in_u8(in) % SOCKETS);
		net_tcp_end_input(t);
	}
	free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct net_tcp_ops ops = {
		.input = on_input,
		.deliver = on_deliver,
		.has_unwritten = has_unwritten,
	};
	struct input input = { data, size };
	struct net_tcp *t = net_tcp_new(&ops, NULL, 12);

	check(t != NULL);
	in = &input;
	while (input.n > 0) {
		uint8_t what = in_u8(in);
		int fd = FIRST_SOCKET + (what >> 3) % (int)SOCKETS;

		switch (what & 7) {
		case 0:
			net_tcp_polled(t, fd);
			break;
		case 1:
			net_tcp_unregistered(t, fd);
			break;
		case 2:
			net_tcp_is_reset(t, fd);
			break;
		case 3:
			net_tcp_run_resets(t);
			net_tcp_run_fins(t);
			if (what & 8)
				net_tcp_keep(t);
			break;
		default:
			one_frame(t, what & 1);
			break;
		}
	}
	net_tcp_free(t);
	return 0;
}
