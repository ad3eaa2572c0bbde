/* SPDX-License-Identifier: Apache-2.0 */
/* The network device with a guest made of hand-made frames: offloads, buffers, frames that make no sense. */
#include "../sk_test.h"

#include <netinet/ip.h>
#include <unistd.h>

#include "net_guest.h"

static void test_arp_and_config(void **state)
{
	struct virtio_net_config c;

	(void)state;
	ng_start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 8, 2048);
	fe_get_config(&ng.fe, &c, sizeof(c));
	assert_memory_equal(c.mac, ng_mac, 6);
	assert_int_equal(c.mtu, SK_SLIRP_MTU);
	ng_learn_gateway();
	assert_int_equal(ng.merged, 1);
	ng_stop();
}

static void test_udp(void **state)
{
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t got[100];
	ssize_t n = -1;
	uint16_t port;
	int s = ng_server(SOCK_DGRAM, &port), i;

	(void)state;
	ng_start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_GUEST_CSUM), 8, 2048);
	ng_learn_gateway();
	ng_send_udp(port, "question", 8);
	for (i = 0; i < 500 && n < 0; i++) {
		sk_loop_once(ng.loop, 1);
		n = recvfrom(s, got, sizeof(got), 0, (struct sockaddr *)&from, &from_len);
	}
	assert_int_equal(n, 8);
	assert_memory_equal(got, "question", 8);
	assert_int_equal(sendto(s, "answer", 6, 0, (struct sockaddr *)&from, from_len), 6);
	assert_int_equal(ng_receive(500), 14 + 20 + 8 + 6);
	assert_memory_equal(ng.frame + 42, "answer", 6);
	assert_int_equal(ng.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	close(s);
	ng_stop();
}

/* Guest to host with checksum and segmentation left to the device; host to guest in frames that need many buffers. */
static void tcp_exchange(uint64_t features, unsigned buffers, uint32_t size, bool merges)
{
	static uint8_t big[60000], got[60000];
	uint16_t port;
	int listener = ng_server(SOCK_STREAM, &port), s, i;
	size_t have = 0, n, k;
	bool merged = false;
	struct tcphdr t;

	ng_start(NULL, features, buffers, size);
	ng_learn_gateway();
	s = ng_connect(listener, port);
	for (k = 0; k < sizeof(big); k++)
		big[k] = ng_pattern(k);
	ng_send_tcp(5000, port, TH_ACK, big, sizeof(big), features & BIT(VIRTIO_NET_F_CSUM));
	for (i = 0; i < 500 && have < sizeof(got); i++) {
		ssize_t r = recv(s, got + have, sizeof(got) - have, 0);

		if (r > 0)
			have += (size_t)r;
		sk_loop_once(ng.loop, 1);
	}
	assert_int_equal(have, sizeof(big));
	assert_memory_equal(got, big, sizeof(big));
	assert_int_equal(send(s, big, sizeof(big), 0), sizeof(big));
	have = 0;
	while (have < sizeof(big)) {
		const uint8_t *p = ng_receive_tcp(&t, &n);

		assert_non_null(p);
		if (n == 0)
			continue;
		merged |= ng.merged > 1;
		assert_int_equal(ntohl(t.seq), ng.ack);
		assert_true(n <= sizeof(big) - have);
		assert_memory_equal(p, big + have, n);
		have += n;
		ng.ack += (uint32_t)n;
		ng_give_buffers(ng.merged);
		ng_send_tcp(5000, port, TH_ACK, "", 0, false);
	}
	assert_int_equal(merged, merges);
	/* the host closes: FIN */
	close(s);
	do {
		assert_non_null(ng_receive_tcp(&t, &n));
	} while (!t.fin);
	close(listener);
	ng_stop();
}

static void test_tcp_offload(void **state)
{
	(void)state;
	tcp_exchange(BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4), 60, 2048,
		     true);
}

/* A guest without offloads and merging, with buffers for the largest frame. */
static void test_tcp_plain(void **state)
{
	(void)state;
	tcp_exchange(0, 40, 66000, false);
}

/* No buffers for a while: what comes meanwhile is kept. */
static void test_backlog(void **state)
{
	uint16_t port;
	int listener = ng_server(SOCK_STREAM, &port), s;
	struct tcphdr t;
	unsigned i;
	size_t n;

	(void)state;
	ng_start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 3, 2048);
	ng_learn_gateway();
	s = ng_connect(listener, port);
	/* Use the buffers up: the last answer waits. */
	for (i = 0; i < 5; i++)
		ng_send_arp();
	while (ng_receive(10) > 0)
		;
	assert_int_equal(send(s, "kept", 4, 0), 4);
	assert_int_equal(ng_receive(50), 0);
	ng_give_buffers(12);
	do {
		assert_non_null(ng_receive_tcp(&t, &n));
	} while (n == 0);
	assert_int_equal(n, 4);
	close(s);
	close(listener);
	ng_stop();
}

/* Frames and headers that make no sense are dropped, the device lives. */
static void test_nonsense(void **state)
{
	struct virtio_net_hdr_v1 h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
	uint8_t junk[200];
	unsigned i;

	(void)state;
	ng_start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CSUM), 8, 2048);
	for (i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)(i * 37);
	ng_send_frame(NULL, junk, 1);
	ng_send_frame(NULL, junk, 13);
	for (i = 14; i < sizeof(junk); i++) {
		ng_put_eth(junk, i & 1 ? ETH_P_IP : ETH_P_IPV6);
		ng_send_frame(NULL, junk, i);
	}
	h.csum_start = 65535;
	h.csum_offset = 65535;
	ng_send_frame(&h, junk, sizeof(junk));
	h.csum_start = 199;
	h.csum_offset = 0;
	ng_send_frame(&h, junk, sizeof(junk));
	h.csum_start = 10;
	h.csum_offset = 189;
	ng_send_frame(&h, junk, sizeof(junk));
	ng_learn_gateway();
	ng_stop();
}

static void test_checksum_bounds(void **state)
{
	struct net_offload h = { .flags = 0, .csum_start = 9999 };
	uint8_t frame[60] = { 0 };

	(void)state;
	assert_true(net_complete_checksum(&h, frame, 60)); /* nothing asked for */
	h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	assert_false(net_complete_checksum(&h, frame, 60));
	h.csum_start = 60;
	assert_false(net_complete_checksum(&h, frame, 60));
	h.csum_start = 34;
	h.csum_offset = 25;
	assert_false(net_complete_checksum(&h, frame, 60));
	h.csum_offset = 65535;
	assert_false(net_complete_checksum(&h, frame, 60));
	h.csum_offset = 24;
	assert_true(net_complete_checksum(&h, frame, 60));
	assert_int_equal(frame[58] + frame[59], 0xff + 0xff); /* the sum of nothing */
}

/* Buffers that are not shared: that frame is lost, the next one is not. */
static void test_unmapped(void **state)
{
	struct fe_seg tx[2], rx = { NULL, 2048, true };
	uint32_t len;

	(void)state;
	ng_start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 0, 2048);
	tx[0] = (struct fe_seg){ fe_alloc(&ng.fe, HDR), HDR, false };
	tx[1] = (struct fe_seg){ NULL, 60, false };
	fe_add(&ng.fe, TX, tx, 2);
	fe_add(&ng.fe, TX, &tx[1], 1);
	fe_kick(&ng.fe, TX);
	assert_true(fe_used(&ng.fe, TX, NULL) >= 0);
	assert_true(fe_used(&ng.fe, TX, NULL) >= 0);
	fe_add(&ng.fe, RX, &rx, 1);
	ng_give_buffers(1);
	ng_send_arp();
	assert_true(fe_used(&ng.fe, RX, &len) >= 0);
	assert_int_equal(len, 0);
	assert_true(ng_receive(1000) > 0);
	ng_stop();
}

static void test_broken_queues(void **state)
{
	struct fe_seg seg;

	(void)state;
	ng_start(NULL, 0, 0, 2048);
	seg = (struct fe_seg){ fe_alloc(&ng.fe, 8), 8, false }; /* less than a header */
	fe_add(&ng.fe, TX, &seg, 1);
	fe_kick(&ng.fe, TX);
	assert_true(fe_closed(&ng.fe));
	ng_stop();
}

/* The back end over a packet socket, here one end of a pair: frames pass both ways with their offload header. */
static void test_packet_socket(void **state)
{
	struct virtio_net_hdr_v1 h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				       .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				       .gso_size = 1448,
				       .hdr_len = 54,
				       .csum_start = 34,
				       .csum_offset = 16 };
	static uint8_t out[40000], in[40010 + sizeof(struct virtio_net_hdr)];
	struct virtio_net_hdr ph;
	struct sk_error err = SK_ERROR_INIT;
	struct sockaddr_un addr;
	unsigned addr_len, i;
	int sv[2], fd;

	(void)state;
	memset(&ng, 0, sizeof(ng));
	assert_int_equal(sk_loop_new(&ng.loop), 0);
	fd = fe_listen(&addr, &addr_len);
	assert_int_equal(sk_net_packet_new(ng.loop, fd, ng_mac, 1500, &ng.dev, &err), 0);
	fe_connect(&ng.fe, ng.loop, &addr, addr_len);
	fe_start(&ng.fe,
		 BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |
			 BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4),
		 2);
	ng.rx_size = 2048;
	ng_give_buffers(40);
	for (i = 0; i < sizeof(out); i++)
		out[i] = ng_pattern(i);
	ng_send_frame(NULL, out, 100); /* no interface yet: dropped */
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	assert_int_equal(sk_net_packet_attach(ng.dev, sv[0]), 0);
	ng_send_frame(&h, out, sizeof(out));
	assert_int_equal(recv(sv[1], in, sizeof(in), 0), sizeof(ph) + sizeof(out));
	memcpy(&ph, in, sizeof(ph));
	assert_int_equal(ph.gso_size, 1448);
	assert_int_equal(ph.csum_start, 34);
	assert_memory_equal(in + sizeof(ph), out, sizeof(out));
	assert_true(recv(sv[1], in, sizeof(in), 0) < 0);
	/* and back */
	memcpy(in, &ph, sizeof(ph));
	memcpy(in + sizeof(ph), out, sizeof(out));
	assert_int_equal(send(sv[1], in, sizeof(ph) + sizeof(out), 0), sizeof(ph) + sizeof(out));
	assert_int_equal(ng_receive(500), sizeof(out));
	assert_memory_equal(ng.frame, out, sizeof(out));
	assert_true(ng.merged > 10);
	assert_int_equal(ng.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	/* the interface goes away */
	assert_int_equal(sk_net_packet_attach(ng.dev, -1), 0);
	ng_send_frame(NULL, out, 100);
	assert_int_equal(recv(sv[1], in, sizeof(in), 0), -1);
	close(sv[1]);
	ng_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp_and_config), cmocka_unit_test(test_udp),
		cmocka_unit_test(test_tcp_offload),    cmocka_unit_test(test_tcp_plain),
		cmocka_unit_test(test_backlog),	       cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_unmapped),       cmocka_unit_test(test_broken_queues),
		cmocka_unit_test(test_packet_socket),  cmocka_unit_test(test_checksum_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
