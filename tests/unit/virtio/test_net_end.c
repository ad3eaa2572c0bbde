/* SPDX-License-Identifier: Apache-2.0 */
/* Ends of TCP connections: halves that close, resets, readers that are late. */
#include "../sk_test.h"

#include <errno.h>
#include <netinet/ip.h>
#include <unistd.h>

#include "net_guest.h"

/* The guest ends its half of a connection, then the host answers with more than fits its buffers and closes. */
static void test_half_close(void **state)
{
	static uint8_t big[400000];
	size_t sent = 0, have = 0, n, k;
	uint16_t port;
	int listener = ng_server(SOCK_STREAM, &port), s, i;
	struct tcphdr t = { .fin = 0 };
	char got[10];
	ssize_t r = -1;

	(void)state;
	ng_start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 60, 2048);
	ng_learn_gateway();
	s = ng_connect(listener, port);
	ng_send_tcp(5000, port, TH_ACK | TH_FIN, "ask", 3, false);
	for (i = 0; i < 500 && r != 0; i++) {
		sk_loop_once(ng.loop, 1);
		r = recv(s, got, sizeof(got), 0);
	}
	assert_int_equal(r, 0);
	for (k = 0; k < sizeof(big); k++)
		big[k] = ng_pattern(k);
	for (i = 0; i < 20000 && !t.fin; i++) {
		const uint8_t *p;

		if (s >= 0) {
			r = send(s, big + sent, sizeof(big) - sent, MSG_NOSIGNAL);
			sent += r > 0 ? (size_t)r : 0;
			if (sent == sizeof(big)) {
				close(s);
				s = -1;
			}
		}
		p = ng_receive_tcp(&t, &n);
		assert_non_null(p);
		ng_give_buffers(ng.merged);
		if (ntohl(t.seq) != ng.ack || n > sizeof(big) - have)
			continue;
		assert_memory_equal(p, big + have, n);
		have += n;
		ng.ack += (uint32_t)n;
		ng_send_tcp(5000, port, TH_ACK, "", 0, false);
	}
	assert_int_equal(have, sizeof(big));
	close(listener);
	ng_stop();
}

/* A reset arrives as a reset, in both directions; an end of file does not. */
static void test_reset(void **state)
{
	struct linger reset = { 1, 0 };
	uint16_t port;
	int listener = ng_server(SOCK_STREAM, &port), s, i;
	struct tcphdr t;
	char got[10];
	size_t n;

	(void)state;
	ng_start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 60, 2048);
	ng_learn_gateway();
	s = ng_connect(listener, port);
	ng_send_tcp(5000, port, TH_RST | TH_ACK, "", 0, false);
	for (i = 0; i < 100; i++) {
		sk_loop_once(ng.loop, 1);
		if (recv(s, got, sizeof(got), 0) >= 0 || errno != EAGAIN)
			break;
	}
	assert_true(i < 100);
	assert_int_equal(errno, ECONNRESET);
	close(s);
	s = ng_connect(listener, port);
	setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(s);
	do {
		assert_non_null(ng_receive_tcp(&t, &n));
		assert_false(t.fin);
	} while (!t.rst);
	close(listener);
	ng_stop();
}

/* Fills all buffers on the way to a host that does not read; how many bytes libslirp has acknowledged. */
static size_t fill_connection(int s, uint16_t port)
{
	static uint8_t block[20000];
	uint32_t first = ng.seq, acked = ng.seq;
	struct tcphdr t;
	size_t n, k;

	(void)s;
	for (;;) {
		for (k = 0; k < sizeof(block); k++)
			block[k] = ng_pattern(ng.seq - first + k);
		ng_send_tcp(5000, port, TH_ACK, block, sizeof(block), true);
		while (acked != ng.seq && ng_receive_tcp(&t, &n)) {
			ng_give_buffers(ng.merged);
			acked = ntohl(t.ack_seq);
			if (ntohs(t.window) < sizeof(block))
				break;
		}
		if (acked != ng.seq || ntohs(t.window) < sizeof(block))
			break;
	}
	assert_int_equal(acked, ng.seq);
	return ng.seq - first;
}

/* Reads `size` bytes to the end while the guest acknowledges what it gets. */
static void read_all(int s, uint16_t port, size_t size)
{
	static uint8_t got[100000];
	size_t have = 0, n, k;
	struct tcphdr t;
	ssize_t r = -1;
	unsigned i;

	for (i = 0; i < 20000 && r != 0; i++) {
		r = recv(s, got, sizeof(got), 0);
		assert_true(r >= 0 || errno == EAGAIN);
		for (k = 0; r > 0 && k < (size_t)r; k++)
			assert_int_equal(got[k], ng_pattern(have + k));
		have += r > 0 ? (size_t)r : 0;
		if (ng_receive(1) == 0 || ng.frame[23] != IPPROTO_TCP)
			continue;
		memcpy(&t, ng.frame + 34, 20);
		n = (size_t)(ng.frame[16] << 8 | ng.frame[17]) - 20 - t.doff * 4u;
		ng_give_buffers(ng.merged);
		if (ntohl(t.seq) == ng.ack && (n || t.fin)) {
			ng.ack += (uint32_t)n + (t.fin ? 1 : 0);
			ng_send_tcp(5000, port, TH_ACK, "", 0, false);
		}
	}
	assert_int_equal(r, 0);
	assert_int_equal(have, size);
}

#define OFFLOADS (BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4))

/* Both halves end while the host has much left to read: what was acknowledged arrives. */
static void check_late_reader(bool host_first)
{
	uint16_t port;
	int listener = ng_server(SOCK_STREAM, &port), s, small = 4096;
	struct tcphdr t;
	size_t size, n;

	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ng_start(NULL, OFFLOADS, 60, 2048);
	ng_learn_gateway();
	s = ng_connect(listener, port);
	size = fill_connection(s, port);
	if (!host_first)
		ng_send_tcp(5000, port, TH_ACK | TH_FIN, "", 0, false);
	shutdown(s, SHUT_WR);
	do {
		assert_non_null(ng_receive_tcp(&t, &n));
		ng_give_buffers(ng.merged);
	} while (!t.fin);
	ng.ack = ntohl(t.seq) + 1;
	ng_send_tcp(5000, port, host_first ? TH_ACK | TH_FIN : TH_ACK, "", 0, false);
	while (ng_receive(100) > 0)
		ng_give_buffers(ng.merged);
	read_all(s, port, size);
	/* the guest's FIN is acknowledged now */
	ng_send_tcp(5000, port, TH_ACK, "", 0, false);
	close(s);
	close(listener);
	ng_stop();
}

static void test_late_reader(void **state)
{
	(void)state;
	check_late_reader(false);
	check_late_reader(true);
}

/* The host resets while libslirp waits only to write: the guest gets a reset. */
static void test_reset_of_writer(void **state)
{
	struct linger reset = { 1, 0 };
	uint16_t port;
	int listener = ng_server(SOCK_STREAM, &port), s, small = 4096;
	struct tcphdr t;
	size_t n;

	(void)state;
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ng_start(NULL, OFFLOADS, 60, 2048);
	ng_learn_gateway();
	s = ng_connect(listener, port);
	fill_connection(s, port);
	shutdown(s, SHUT_WR);
	do {
		assert_non_null(ng_receive_tcp(&t, &n));
		ng_give_buffers(ng.merged);
	} while (!t.fin);
	ng.ack = ntohl(t.seq) + 1;
	ng_send_tcp(5000, port, TH_ACK, "", 0, false);
	setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(s);
	do {
		assert_non_null(ng_receive_tcp(&t, &n));
		ng_give_buffers(ng.merged);
	} while (!t.rst);
	assert_int_equal(ntohl(t.seq), ng.ack);
	close(listener);
	ng_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_late_reader),
		cmocka_unit_test(test_reset_of_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
