/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to libslirp in the guest's name. */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <string.h>

#include "virtio/net_tcp.h"

#define SYN 2u
#define FIN 1u
#define ACK 16u
#define SOCKET 100
#define FRAME 54u /* headers of Ethernet, IPv4 and TCP */
#define GUEST_SEQ 1000u
#define HOST_SEQ 5000u

static uint8_t last[128];
static unsigned n_input;

static void on_input(void *arg, uint8_t *frame, size_t len)
{
	(void)arg;
	assert_true(len <= sizeof(last));
	memcpy(last, frame, len);
	n_input++;
}

static void on_deliver(void *arg, const uint8_t *frame, size_t len)
{
	(void)arg;
	(void)frame;
	(void)len;
}

static bool has_unwritten(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	return false;
}

static const struct net_tcp_ops ops = { .input = on_input, .deliver = on_deliver, .has_unwritten = has_unwritten };

static void put(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, 4);
}

static uint32_t get(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return ntohl(v);
}

static void make(uint8_t f[FRAME], bool outward, uint32_t seq, uint32_t ack, unsigned flags)
{
	memset(f, 0, FRAME);
	f[12] = 8;
	f[14] = 0x45;
	f[17] = 40;
	f[23] = 6;
	put(f + 26, outward ? 0x0a00020f : 0x0a000202);
	put(f + 30, outward ? 0x0a000202 : 0x0a00020f);
	f[outward ? 35 : 37] = 1;
	f[outward ? 37 : 35] = 2;
	put(f + 38, seq);
	put(f + 42, ack);
	f[46] = 5 << 4;
	f[47] = (uint8_t)flags;
}

static void from_guest(struct net_tcp *t, uint32_t seq, uint32_t ack, unsigned flags)
{
	uint8_t f[FRAME];

	make(f, true, seq, ack, flags);
	net_tcp_begin_input(t, f, FRAME);
	if (flags == SYN)
		net_tcp_registered(t, SOCKET);
	net_tcp_end_input(t);
}

static void to_guest(struct net_tcp *t, uint32_t seq, uint32_t ack, unsigned flags)
{
	uint8_t f[FRAME];

	make(f, false, seq, ack, flags);
	net_tcp_output(t, f, FRAME);
}

static void keeps_half_open_connections(void **state)
{
	struct net_tcp *t = net_tcp_new(&ops, NULL, 10);

	(void)state;
	from_guest(t, GUEST_SEQ, 0, SYN);
	to_guest(t, HOST_SEQ, GUEST_SEQ + 1, SYN | ACK);
	from_guest(t, GUEST_SEQ + 1, HOST_SEQ + 1, ACK);
	net_tcp_keep(t); /* open both ways: nothing to keep */
	assert_int_equal(n_input, 0);
	to_guest(t, HOST_SEQ + 1, GUEST_SEQ + 1, FIN | ACK);
	from_guest(t, GUEST_SEQ + 1, HOST_SEQ + 2, ACK);
	net_tcp_keep(t);
	net_tcp_keep(t);
	assert_int_equal(n_input, 2);
	assert_int_equal(last[47], ACK);
	assert_int_equal(get(last + 38), GUEST_SEQ + 1);
	assert_int_equal(get(last + 42), HOST_SEQ + 2);
	/* the guest ends, too: libslirp may forget it in its own time */
	from_guest(t, GUEST_SEQ + 1, HOST_SEQ + 2, FIN | ACK);
	net_tcp_keep(t);
	assert_int_equal(n_input, 2);
	assert_true(net_tcp_run_fins(t));
	assert_int_equal(n_input, 3);
	net_tcp_keep(t);
	assert_int_equal(n_input, 3);
	net_tcp_unregistered(t, SOCKET);
	net_tcp_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keeps_half_open_connections) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
