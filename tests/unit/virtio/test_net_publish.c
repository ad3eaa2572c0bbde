/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports, and what a guest reaches of the host. */
#include "../sk_test.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <unistd.h>

#include "net_guest.h"

/* A published port: the host connects, the device sends an ARP request and then a SYN. */
static void test_publish(void **state)
{
	struct sk_slirp_forward fw = { .host_addr = { 127, 0, 0, 1 }, .guest_port = 80 };
	struct sk_slirp_config config = { .forwards = &fw, .n_forwards = 1, .mtu = 1500 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = ng_server(SOCK_STREAM, &fw.host_port);
	uint8_t arp[42];
	struct tcphdr t;
	uint16_t peer;
	char got[10];
	size_t n;
	int i;

	(void)state;
	close(s); /* the port is free, most likely */
	ng_start(&config, BIT(VIRTIO_NET_F_MRG_RXBUF), 16, 2048);
	ng_learn_gateway();
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	to.sin_port = htons(fw.host_port);
	assert_true(connect(s, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
	for (i = 0; i < 20; i++) {
		if (ng_receive(1000) == 0)
			fail_msg("no SYN");
		if (ng.frame[13] == 6 && ng.frame[21] == ARPOP_REQUEST) {
			memcpy(arp, ng.frame, 42);
			memcpy(arp, ng.gw_mac, 6);
			memcpy(arp + 6, ng_mac, 6);
			arp[21] = ARPOP_REPLY;
			memcpy(arp + 32, ng.frame + 22, 10);
			memcpy(arp + 22, ng_mac, 6);
			memcpy(arp + 28, ng.frame + 38, 4);
			ng_send_frame(NULL, arp, 42);
			continue;
		}
		if (ng.frame[23] == IPPROTO_TCP)
			break;
	}
	memcpy(&t, ng.frame + 34, 20);
	assert_true(t.syn);
	assert_int_equal(ntohs(t.dest), 80);
	peer = ntohs(t.source);
	ng.ack = ntohl(t.seq) + 1;
	ng.seq = 7000;
	ng_send_tcp(80, peer, TH_SYN | TH_ACK, "", 0, false);
	assert_non_null(ng_receive_tcp(&t, &n));
	ng_send_tcp(80, peer, TH_ACK | TH_PUSH, "web", 3, false);
	for (i = 0; i < 500; i++) {
		if (recv(s, got, sizeof(got), 0) == 3)
			break;
		sk_loop_once(ng.loop, 1);
	}
	assert_memory_equal(got, "web", 3);
	close(s);
	ng_stop();
}

/* A port of the host's ::1: the guest gets it on IPv4, as docker's containers do; both ends of data pass. */
static void test_publish_tcp6(void **state)
{
	struct sk_slirp_forward fw = { .v6 = true, .host_addr = { [15] = 1 }, .guest_port = 80 };
	struct sk_slirp_config config = { .forwards = &fw, .n_forwards = 1, .mtu = 1500 };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int s = ng_server(SOCK_STREAM, &fw.host_port), i;
	struct tcphdr t;
	uint16_t peer;
	char got[10];
	ssize_t r = -1;
	size_t n;

	(void)state;
	close(s); /* the port is free, most likely */
	ng_start(&config, BIT(VIRTIO_NET_F_MRG_RXBUF), 60, 2048);
	ng_learn_gateway();
	to.sin6_port = htons(fw.host_port);
	s = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0 || (connect(s, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)) {
		ng_stop();
		skip();
	}
	assert_int_equal(send(s, "ask", 3, MSG_NOSIGNAL), 3);
	shutdown(s, SHUT_WR);
	do {
		assert_non_null(ng_receive_tcp(&t, &n));
	} while (!t.syn);
	assert_int_equal(ntohs(t.dest), 80);
	peer = ntohs(t.source);
	ng.ack = ntohl(t.seq) + 1;
	ng.seq = 7000;
	ng_send_tcp(80, peer, TH_SYN | TH_ACK, "", 0, false);
	for (i = 0; i < 20; i++) {
		assert_non_null(ng_receive_tcp(&t, &n));
		if (ntohl(t.seq) == ng.ack)
			ng.ack += (uint32_t)n + (t.fin ? 1 : 0);
		ng_send_tcp(80, peer, TH_ACK, "", 0, false);
		if (t.fin)
			break;
	}
	assert_true(t.fin);
	ng_send_tcp(80, peer, TH_ACK | TH_PUSH, "web", 3, false);
	ng_send_tcp(80, peer, TH_ACK | TH_FIN, "", 0, false);
	for (i = 0; i < 500 && r < 0; i++) {
		sk_loop_once(ng.loop, 1);
		r = recv(s, got, sizeof(got), 0);
	}
	assert_int_equal(r, 3);
	assert_memory_equal(got, "web", 3);
	for (i = 0, r = -1; i < 500 && r < 0; i++) {
		sk_loop_once(ng.loop, 1);
		r = recv(s, got, sizeof(got), 0);
	}
	assert_int_equal(r, 0);
	close(s);
	ng_stop();
}

static void test_port_taken(void **state)
{
	struct sk_slirp_forward fw = { .host_addr = { 127, 0, 0, 1 }, .guest_port = 80 };
	struct sk_slirp_config config = { .forwards = &fw, .n_forwards = 1 };
	struct sk_error err = SK_ERROR_INIT;
	struct sockaddr_un addr;
	unsigned addr_len;
	char want[100];
	int s;

	(void)state;
	memset(&ng, 0, sizeof(ng));
	assert_int_equal(sk_loop_new(&ng.loop), 0);
	s = ng_server(SOCK_STREAM, &fw.host_port);
	assert_int_equal(ng_new_device(&config, &addr, &addr_len, &err), -EADDRINUSE);
	snprintf(want, sizeof(want), "cannot publish port 127.0.0.1:%u/tcp: Address already in use by process %d (%s)",
		 fw.host_port, (int)getpid(), "test_virtio_net");
	assert_string_equal(err.message, want);
	close(s);
	s = ng_server(SOCK_DGRAM, &fw.host_port);
	fw.udp = true;
	assert_int_equal(ng_new_device(&config, &addr, &addr_len, &err), -EADDRINUSE);
	snprintf(want, sizeof(want), "cannot publish port 127.0.0.1:%u/udp: Address already in use by process %d (%s)",
		 fw.host_port, (int)getpid(), "test_virtio_net");
	assert_string_equal(err.message, want);
	close(s);
	/* an address that is not ours, IPv6 too */
	fw = (struct sk_slirp_forward){ .host_addr = { 192, 0, 2, 1 }, .guest_port = 80, .host_port = 8099 };
	assert_true(ng_new_device(&config, &addr, &addr_len, &err) < 0);
	assert_non_null(strstr(err.message, "cannot publish port 192.0.2.1:8099/tcp: "));
	fw = (struct sk_slirp_forward){
		.host_addr = { 0x20, 1, 0xd, 0xb8 }, .v6 = true, .guest_port = 80, .host_port = 8099
	};
	assert_true(ng_new_device(&config, &addr, &addr_len, &err) < 0);
	assert_non_null(strstr(err.message, "cannot publish port [2001:db8::]:8099/tcp: "));
	sk_loop_free(ng.loop);
}

/* no_host_loopback: the gateway address is not a way to the host's own servers; isolated: nothing is. */
static void reach(const struct sk_slirp_config *config)
{
	uint16_t port;
	int listener = ng_server(SOCK_STREAM, &port), i;
	struct tcphdr t;

	ng_start(config, BIT(VIRTIO_NET_F_MRG_RXBUF), 16, 2048);
	ng_learn_gateway();
	ng.seq = 1;
	ng_send_tcp(5000, port, TH_SYN, "", 0, false);
	for (i = 0; i < 100; i++)
		sk_loop_once(ng.loop, 1);
	assert_true(accept(listener, NULL, NULL) < 0);
	if (ng_receive(0) > 0) {
		memcpy(&t, ng.frame + 34, 20);
		assert_false(t.syn && t.ack);
	}
	close(listener);
	ng_stop();
}

static void test_no_host_loopback(void **state)
{
	struct sk_slirp_config config = { .no_host_loopback = true };

	(void)state;
	reach(&config);
	config = (struct sk_slirp_config){ .isolated = true };
	reach(&config);
}

/* A frame of TCP or UDP to an address of the host itself, which a guest's own kernel would not send that way. */
static void send_to_own(const uint8_t address[4], uint8_t protocol, uint16_t port)
{
	uint8_t f[100] = { 0 };
	size_t n = protocol == IPPROTO_TCP ? 20 : 12, at = ng_put_ip(f, protocol, n);
	uint16_t sum;

	memcpy(f + 30, address, 4);
	memset(f + 24, 0, 2);
	sum = htons((uint16_t)~ng_fold(ng_sum16(f + 14, 20, 0)));
	memcpy(f + 24, &sum, 2);
	memcpy(f + at, (const uint8_t[]){ 0x17, 0x70, (uint8_t)(port >> 8), (uint8_t)port }, 4);
	if (protocol == IPPROTO_TCP) {
		memcpy(f + at + 12, "\x50\x02\xff\xff", 4);
		sum = htons((uint16_t)~ng_fold(ng_sum16(f + at, n, ng_sum16(f + 26, 8, protocol + (uint32_t)n))));
		memcpy(f + at + 16, &sum, 2);
	} else {
		f[at + 5] = (uint8_t)n; /* no checksum */
	}
	ng_send_frame(NULL, f, at + n);
}

/* Nor are frames that name the host's own addresses, as programs that make packets by themselves can. */
static void test_no_own_addresses(void **state)
{
	static const uint8_t addresses[][4] = { { 127, 0, 0, 1 }, { 127, 0, 0, 53 }, { 0, 0, 0, 0 } };
	struct sk_slirp_config config = { .no_host_loopback = true };
	uint16_t tcp_port, udp_port;
	int tcp = ng_server(SOCK_STREAM, &tcp_port), udp = ng_server(SOCK_DGRAM, &udp_port);
	uint8_t byte;
	unsigned i, k;

	(void)state;
	ng_start(&config, BIT(VIRTIO_NET_F_MRG_RXBUF), 16, 2048);
	ng_learn_gateway();
	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		send_to_own(addresses[i], IPPROTO_TCP, tcp_port);
		send_to_own(addresses[i], IPPROTO_UDP, udp_port);
		for (k = 0; k < 50; k++)
			sk_loop_once(ng.loop, 1);
		assert_true(accept(tcp, NULL, NULL) < 0);
		assert_true(recv(udp, &byte, 1, MSG_DONTWAIT) < 0);
	}
	close(tcp);
	close(udp);
	ng_stop();
}

/* No listener on the host's port: the guest gets an ICMP error from an address that it accepts it from. */
static void test_udp_refused(void **state)
{
	uint32_t gateway = htonl(GATEWAY);
	uint16_t port;
	unsigned i;

	(void)state;
	close(ng_server(SOCK_DGRAM, &port)); /* the port is free, most likely */
	ng_start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 8, 2048);
	ng_learn_gateway();
	ng_send_udp(port, "anybody", 7);
	for (i = 0; i < 10; i++) {
		assert_true(ng_receive(500) > 0);
		if (ng.frame[13] == 0 && ng.frame[23] == IPPROTO_ICMP)
			break;
	}
	assert_true(i < 10);
	assert_memory_equal(ng.frame + 26, &gateway, 4);
	assert_int_equal(ng.frame[34], 3); /* unreachable */
	assert_int_equal(ng.frame[35], 3); /* port */
	assert_int_equal(ng_fold(ng_sum16(ng.frame + 14, 20, 0)), 0xffff);
	ng_stop();
}

/* The first datagram to a published port arrives, before the guest has said a word. */
static void test_publish_udp_first(void **state)
{
	struct sk_slirp_forward fw = { .host_addr = { 127, 0, 0, 1 }, .guest_port = 53, .udp = true };
	struct sk_slirp_config config = { .forwards = &fw, .n_forwards = 1, .mtu = 1500 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = ng_server(SOCK_DGRAM, &fw.host_port);
	unsigned i;

	(void)state;
	close(s); /* the port is free, most likely */
	ng_start(&config, BIT(VIRTIO_NET_F_MRG_RXBUF), 16, 2048);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	to.sin_port = htons(fw.host_port);
	assert_int_equal(sendto(s, "first", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	for (i = 0; i < 5 && ng_receive(500) > 0; i++)
		if (ng.frame[13] == 0 && ng.frame[23] == IPPROTO_UDP)
			break;
	assert_int_equal(ng.frame[23], IPPROTO_UDP);
	assert_memory_equal(ng.frame + 42, "first", 5);
	close(s);
	ng_stop();
}

/* The guest's answer, `udp` of `n` bytes, from the `at`th on: a fragment of `part` bytes. */
static void send_fragment(const uint8_t *udp, size_t n, size_t at, size_t part)
{
	uint8_t f[2000];
	size_t head = ng_put_ip(f, IPPROTO_UDP, part);
	unsigned word = (unsigned)(at / 8) | (at + part < n ? 0x2000 : 0);

	f[18] = 0x12;
	f[19] = 0x34;
	f[20] = (uint8_t)(word >> 8);
	f[21] = (uint8_t)word;
	memcpy(f + head, at + part <= n && n <= 1008 ? udp + at : udp, part);
	ng_send_frame(NULL, f, head + part);
}

/* An answer in fragments comes from the port that was asked, whole or not at all. */
static void test_publish_udp_fragments(void **state)
{
	struct sk_slirp_forward fw = { .host_addr = { 127, 0, 0, 1 }, .guest_port = 53, .udp = true };
	struct sk_slirp_config config = { .forwards = &fw, .n_forwards = 1, .mtu = 1500 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = 2 }, little = { .tv_usec = 200000 };
	int s = ng_server(SOCK_DGRAM, &fw.host_port);
	uint8_t udp[1008], got[2000];
	unsigned i;

	(void)state;
	close(s);
	ng_start(&config, BIT(VIRTIO_NET_F_MRG_RXBUF), 16, 2048);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	to.sin_port = htons(fw.host_port);
	assert_int_equal(connect(s, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(s, "ask", 3, 0), 3);
	for (i = 0; i < 5 && ng_receive(500) > 0; i++)
		if (ng.frame[13] == 0 && ng.frame[23] == IPPROTO_UDP)
			break;
	assert_int_equal(ng.frame[23], IPPROTO_UDP);
	for (i = 0; i < sizeof(udp); i++)
		udp[i] = (uint8_t)(i * 7);
	memcpy(udp, ng.frame + 36, 2); /* from the port that was asked, to the one that has asked */
	memcpy(udp + 2, ng.frame + 34, 2);
	memcpy(udp + 4, (uint8_t[]){ 1008 >> 8, 1008 & 255, 0, 0 }, 4);
	send_fragment(udp, sizeof(udp), 0, 512);
	send_fragment(udp, sizeof(udp), 512, 496);
	assert_int_equal(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(recv(s, got, sizeof(got), 0), 1000);
	assert_memory_equal(got, udp + 8, 1000);
	/* One is missing; the end without a beginning; more than a packet can be. */
	send_fragment(udp, sizeof(udp), 0, 256);
	send_fragment(udp, sizeof(udp), 512, 496);
	send_fragment(udp, sizeof(udp), 256, 752);
	send_fragment(udp, sizeof(udp), 0, 512);
	send_fragment(udp, 70000, 65528, 400);
	assert_int_equal(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &little, sizeof(little)), 0);
	assert_int_equal(recv(s, got, sizeof(got), 0), -1);
	close(s);
	ng_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_port_taken),
		cmocka_unit_test(test_no_host_loopback),
		cmocka_unit_test(test_no_own_addresses),
		cmocka_unit_test(test_udp_refused),
		cmocka_unit_test(test_publish_udp_first),
		cmocka_unit_test(test_publish_udp_fragments),
		cmocka_unit_test(test_publish_tcp6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
