/* SPDX-License-Identifier: Apache-2.0 */
/* The network device with a guest made of hand-made frames: offloads, published ports, ends of connections. */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "frontend.h"
#include "virtio/device.h"
#include "virtio/net_internal.h"

/* The guest is a few hand-made frames, no address configuration: ARP, UDP, one TCP connection. */
#define RX 0u
#define TX 1u
#define GUEST 0x0a00020fu
#define GATEWAY 0x0a000202u
#define HDR sizeof(struct virtio_net_hdr_v1)
#define BIT(n) (UINT64_C(1) << (n))

static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };

struct fixture {
	struct sk_loop *loop;
	struct sk_device *dev;
	struct fe fe;
	uint32_t rx_size;
	uint8_t *rx[FE_QUEUE_SIZE];
	uint8_t gw_mac[6];
	uint8_t frame[70000]; /* the last one received, without virtio header */
	unsigned merged;      /* buffers that it took */
	uint8_t flags;
	uint32_t seq, ack;
};

static struct fixture fx;

static void give_buffers(unsigned n)
{
	while (n--) {
		uint8_t *p = fe_alloc(&fx.fe, fx.rx_size);
		struct fe_seg seg = { p, fx.rx_size, true };

		fx.rx[fe_add(&fx.fe, RX, &seg, 1)] = p;
	}
	fe_kick(&fx.fe, RX);
}

static int new_device(const struct sk_slirp_config *config, struct sockaddr_un *addr, unsigned *addr_len,
		      struct sk_error *err)
{
	return sk_net_slirp_new(fx.loop, fe_listen(addr, addr_len), config, &fx.dev, err);
}

static void start(const struct sk_slirp_config *config, uint64_t features, unsigned buffers, uint32_t size)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_slirp_config def = { .mtu = SK_SLIRP_MTU };
	struct sockaddr_un addr;
	unsigned addr_len;

	memset(&fx, 0, sizeof(fx));
	assert_int_equal(sk_loop_new(&fx.loop), 0);
	if (config)
		def = *config;
	memcpy(def.mac, guest_mac, 6);
	if (new_device(&def, &addr, &addr_len, &err) < 0)
		fail_msg("%s", err.message);
	fe_connect(&fx.fe, fx.loop, &addr, addr_len);
	fe_start(&fx.fe, BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_NET_F_MAC) | features, 2);
	fx.rx_size = size;
	give_buffers(buffers);
}

static void stop(void)
{
	fe_close(&fx.fe);
	sk_device_free(fx.dev);
	sk_loop_free(fx.loop);
}

static void send_frame(const struct virtio_net_hdr_v1 *h, const void *frame, size_t len)
{
	uint8_t *p = fx.fe.mem + FE_HALF; /* the second half of guest memory is for frames */
	struct fe_seg segs[2] = { { p, HDR, false }, { p + HDR, (uint32_t)len, false } };

	memset(p, 0, HDR);
	if (h)
		memcpy(p, h, HDR);
	memcpy(p + HDR, frame, len);
	fe_add(&fx.fe, TX, segs, 2);
	fe_kick(&fx.fe, TX);
	assert_true(fe_used(&fx.fe, TX, NULL) >= 0);
}

/* The next frame for the guest, put together; its length, 0 when none comes within `rounds` milliseconds. */
static size_t receive(unsigned rounds)
{
	struct virtio_net_hdr_v1 h;
	uint32_t len;
	size_t total;
	unsigned i;
	int head;

	while ((head = fe_used_now(&fx.fe, RX, &len)) < 0) {
		if (rounds-- == 0)
			return 0;
		sk_loop_once(fx.loop, 1);
	}
	memcpy(&h, fx.rx[head], HDR);
	fx.merged = h.num_buffers;
	fx.flags = h.flags;
	assert_true(fx.merged >= 1);
	total = len - HDR;
	memcpy(fx.frame, fx.rx[head] + HDR, total);
	for (i = 1; i < fx.merged; i++) {
		head = fe_used_now(&fx.fe, RX, &len); /* all of a frame come at once */
		assert_true(head >= 0);
		memcpy(fx.frame + total, fx.rx[head], len);
		total += len;
	}
	return total;
}

static uint32_t sum16(const void *p, size_t n, uint32_t sum)
{
	const uint8_t *b = p;
	size_t i;

	for (i = 0; i < n; i++)
		sum += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static size_t put_eth(uint8_t *f, uint16_t type)
{
	memcpy(f, fx.gw_mac, 6);
	memcpy(f + 6, guest_mac, 6);
	f[12] = (uint8_t)(type >> 8);
	f[13] = (uint8_t)type;
	return 14;
}

static size_t put_ip(uint8_t *f, uint8_t proto, size_t payload)
{
	struct iphdr ip = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = proto, .saddr = htonl(GUEST), .daddr = htonl(GATEWAY)
	};

	ip.tot_len = htons((uint16_t)(20 + payload));
	ip.check = htons((uint16_t)~fold(sum16(&ip, 20, 0)));
	memcpy(f + put_eth(f, ETH_P_IP), &ip, 20);
	return 34;
}

/* Sum of the pseudo header. */
static uint32_t pseudo(uint8_t proto, size_t len)
{
	uint32_t a[2] = { htonl(GUEST), htonl(GATEWAY) };

	return sum16(a, 8, proto + (uint32_t)len);
}

static void send_arp(void)
{
	uint8_t f[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	uint32_t ip;

	memcpy(f + 6, guest_mac, 6);
	memcpy(f + 22, guest_mac, 6);
	ip = htonl(GUEST);
	memcpy(f + 28, &ip, 4);
	ip = htonl(GATEWAY);
	memcpy(f + 38, &ip, 4);
	send_frame(NULL, f, sizeof(f));
}

static void learn_gateway(void)
{
	uint32_t ip = htonl(GATEWAY);

	send_arp();
	do {
		assert_true(receive(500) > 0);
	} while (fx.frame[12] != 8 || fx.frame[13] != 6);
	assert_int_equal(fx.frame[21], ARPOP_REPLY);
	assert_memory_equal(fx.frame + 28, &ip, 4);
	memcpy(fx.gw_mac, fx.frame + 22, 6);
}

static int server(int type, uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static void test_arp_and_config(void **state)
{
	struct virtio_net_config c;

	(void)state;
	start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 8, 2048);
	fe_get_config(&fx.fe, &c, sizeof(c));
	assert_memory_equal(c.mac, guest_mac, 6);
	assert_int_equal(c.mtu, SK_SLIRP_MTU);
	learn_gateway();
	assert_int_equal(fx.merged, 1);
	stop();
}

static void send_udp(uint16_t port, const void *p, size_t n)
{
	uint8_t f[2000];
	struct udphdr u = { .source = htons(4000), .dest = htons(port), .len = htons((uint16_t)(8 + n)) };
	size_t at = put_ip(f, IPPROTO_UDP, 8 + n);

	memcpy(f + at, &u, 8);
	memcpy(f + at + 8, p, n);
	send_frame(NULL, f, at + 8 + n);
}

static void test_udp(void **state)
{
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t got[100];
	ssize_t n = -1;
	uint16_t port;
	int s = server(SOCK_DGRAM, &port), i;

	(void)state;
	start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_GUEST_CSUM), 8, 2048);
	learn_gateway();
	send_udp(port, "question", 8);
	for (i = 0; i < 500 && n < 0; i++) {
		sk_loop_once(fx.loop, 1);
		n = recvfrom(s, got, sizeof(got), 0, (struct sockaddr *)&from, &from_len);
	}
	assert_int_equal(n, 8);
	assert_memory_equal(got, "question", 8);
	assert_int_equal(sendto(s, "answer", 6, 0, (struct sockaddr *)&from, from_len), 6);
	assert_int_equal(receive(500), 14 + 20 + 8 + 6);
	assert_memory_equal(fx.frame + 42, "answer", 6);
	assert_int_equal(fx.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	close(s);
	stop();
}

/* Sends a TCP segment. `offload`: its checksum is left to the device. */
static void send_tcp(uint16_t from, uint16_t port, uint8_t flags, const void *p, size_t n, bool offload)
{
	static uint8_t f[70000];
	struct virtio_net_hdr_v1 h = { .num_buffers = 0 };
	size_t at = put_ip(f, IPPROTO_TCP, 20 + n);
	struct tcphdr t = { .source = htons(from),
			    .dest = htons(port),
			    .seq = htonl(fx.seq),
			    .ack_seq = htonl(fx.ack),
			    .doff = 5,
			    .window = htons(65000) };
	uint32_t sum;

	((uint8_t *)&t)[13] = flags;
	memcpy(f + at, &t, 20);
	memcpy(f + at + 20, p, n);
	sum = pseudo(IPPROTO_TCP, 20 + n);
	if (offload) {
		t.check = htons(fold(sum));
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = 34;
		h.csum_offset = 16;
		if (n > 1460) {
			h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
			h.gso_size = 1460;
			h.hdr_len = 54;
		}
	} else {
		t.check = htons((uint16_t)~fold(sum16(f + at, 20 + n, sum)));
	}
	memcpy(f + at, &t, 20);
	send_frame(&h, f, at + 20 + n);
	fx.seq += (uint32_t)n + ((flags & (TH_SYN | TH_FIN)) ? 1 : 0);
}

/* The next TCP frame; checks its checksum; NULL when none comes. `*ret_n` bytes of payload at the result. */
static const uint8_t *receive_tcp(struct tcphdr *t, size_t *ret_n)
{
	struct iphdr ip;
	size_t hl;

	for (;;) {
		if (receive(1000) == 0)
			return NULL;
		if (fx.frame[12] == 8 && fx.frame[13] == 0 && fx.frame[23] == IPPROTO_TCP)
			break;
	}
	memcpy(&ip, fx.frame + 14, 20);
	memcpy(t, fx.frame + 34, 20);
	hl = t->doff * 4u;
	*ret_n = (size_t)ntohs(ip.tot_len) - 20 - hl;
	assert_int_equal(fold(sum16(fx.frame + 34, hl + *ret_n, pseudo(IPPROTO_TCP, hl + *ret_n))), 0xffff);
	return fx.frame + 34 + hl;
}

/* Connects to host port `port`; returns the accepted socket. */
static int tcp_connect(int listener, uint16_t port)
{
	struct tcphdr t;
	size_t n;
	int i, s = -1;

	fx.seq = 1000;
	fx.ack = 0;
	send_tcp(5000, port, TH_SYN, "", 0, false);
	assert_non_null(receive_tcp(&t, &n));
	assert_true(t.syn && t.ack);
	assert_int_equal(ntohl(t.ack_seq), fx.seq);
	fx.ack = ntohl(t.seq) + 1;
	send_tcp(5000, port, TH_ACK, "", 0, false);
	for (i = 0; i < 500 && s < 0; i++) {
		sk_loop_once(fx.loop, 1);
		s = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	assert_true(s >= 0);
	return s;
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 31 + i / 255);
}

/* Guest to host with checksum and segmentation left to the device; host to guest in frames that need many buffers. */
static void tcp_exchange(uint64_t features, unsigned buffers, uint32_t size, bool merges)
{
	static uint8_t big[60000], got[60000];
	uint16_t port;
	int listener = server(SOCK_STREAM, &port), s, i;
	size_t have = 0, n, k;
	bool merged = false;
	struct tcphdr t;

	start(NULL, features, buffers, size);
	learn_gateway();
	s = tcp_connect(listener, port);
	for (k = 0; k < sizeof(big); k++)
		big[k] = pattern(k);
	send_tcp(5000, port, TH_ACK, big, sizeof(big), features & BIT(VIRTIO_NET_F_CSUM));
	for (i = 0; i < 500 && have < sizeof(got); i++) {
		ssize_t r = recv(s, got + have, sizeof(got) - have, 0);

		if (r > 0)
			have += (size_t)r;
		sk_loop_once(fx.loop, 1);
	}
	assert_int_equal(have, sizeof(big));
	assert_memory_equal(got, big, sizeof(big));
	assert_int_equal(send(s, big, sizeof(big), 0), sizeof(big));
	have = 0;
	while (have < sizeof(big)) {
		const uint8_t *p = receive_tcp(&t, &n);

		assert_non_null(p);
		if (n == 0)
			continue;
		merged |= fx.merged > 1;
		assert_int_equal(ntohl(t.seq), fx.ack);
		assert_true(n <= sizeof(big) - have);
		assert_memory_equal(p, big + have, n);
		have += n;
		fx.ack += (uint32_t)n;
		give_buffers(fx.merged);
		send_tcp(5000, port, TH_ACK, "", 0, false);
	}
	assert_int_equal(merged, merges);
	/* the host closes: FIN */
	close(s);
	do {
		assert_non_null(receive_tcp(&t, &n));
	} while (!t.fin);
	close(listener);
	stop();
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
	int listener = server(SOCK_STREAM, &port), s;
	struct tcphdr t;
	unsigned i;
	size_t n;

	(void)state;
	start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 3, 2048);
	learn_gateway();
	s = tcp_connect(listener, port);
	/* Use the buffers up: the last answer waits. */
	for (i = 0; i < 5; i++)
		send_arp();
	while (receive(10) > 0)
		;
	assert_int_equal(send(s, "kept", 4, 0), 4);
	assert_int_equal(receive(50), 0);
	give_buffers(12);
	do {
		assert_non_null(receive_tcp(&t, &n));
	} while (n == 0);
	assert_int_equal(n, 4);
	close(s);
	close(listener);
	stop();
}

/* Frames and headers that make no sense are dropped, the device lives. */
static void test_nonsense(void **state)
{
	struct virtio_net_hdr_v1 h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
	uint8_t junk[200];
	unsigned i;

	(void)state;
	start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CSUM), 8, 2048);
	for (i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)(i * 37);
	send_frame(NULL, junk, 1);
	send_frame(NULL, junk, 13);
	for (i = 14; i < sizeof(junk); i++) {
		put_eth(junk, i & 1 ? ETH_P_IP : ETH_P_IPV6);
		send_frame(NULL, junk, i);
	}
	h.csum_start = 65535;
	h.csum_offset = 65535;
	send_frame(&h, junk, sizeof(junk));
	h.csum_start = 199;
	h.csum_offset = 0;
	send_frame(&h, junk, sizeof(junk));
	h.csum_start = 10;
	h.csum_offset = 189;
	send_frame(&h, junk, sizeof(junk));
	learn_gateway();
	stop();
}

static void test_checksum_bounds(void **state)
{
	struct virtio_net_hdr_v1 h = { .flags = 0, .csum_start = 9999 };
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
	start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 0, 2048);
	tx[0] = (struct fe_seg){ fe_alloc(&fx.fe, HDR), HDR, false };
	tx[1] = (struct fe_seg){ NULL, 60, false };
	fe_add(&fx.fe, TX, tx, 2);
	fe_add(&fx.fe, TX, &tx[1], 1);
	fe_kick(&fx.fe, TX);
	assert_true(fe_used(&fx.fe, TX, NULL) >= 0);
	assert_true(fe_used(&fx.fe, TX, NULL) >= 0);
	fe_add(&fx.fe, RX, &rx, 1);
	give_buffers(1);
	send_arp();
	assert_true(fe_used(&fx.fe, RX, &len) >= 0);
	assert_int_equal(len, 0);
	assert_true(receive(1000) > 0);
	stop();
}

static void test_broken_queues(void **state)
{
	struct fe_seg seg;

	(void)state;
	start(NULL, 0, 0, 2048);
	seg = (struct fe_seg){ fe_alloc(&fx.fe, 8), 8, false }; /* less than a header */
	fe_add(&fx.fe, TX, &seg, 1);
	fe_kick(&fx.fe, TX);
	assert_true(fe_closed(&fx.fe));
	stop();
}

/* A published port: the host connects, the device sends an ARP request and then a SYN. */
static void test_publish(void **state)
{
	struct sk_slirp_forward fw = { .host_addr = { 127, 0, 0, 1 }, .guest_port = 80 };
	struct sk_slirp_config config = { .forwards = &fw, .n_forwards = 1, .mtu = 1500 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = server(SOCK_STREAM, &fw.host_port);
	uint8_t arp[42];
	struct tcphdr t;
	uint16_t peer;
	char got[10];
	size_t n;
	int i;

	(void)state;
	close(s); /* the port is free, most likely */
	start(&config, BIT(VIRTIO_NET_F_MRG_RXBUF), 16, 2048);
	learn_gateway();
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	to.sin_port = htons(fw.host_port);
	assert_true(connect(s, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
	for (i = 0; i < 20; i++) {
		if (receive(1000) == 0)
			fail_msg("no SYN");
		if (fx.frame[13] == 6 && fx.frame[21] == ARPOP_REQUEST) {
			memcpy(arp, fx.frame, 42);
			memcpy(arp, fx.gw_mac, 6);
			memcpy(arp + 6, guest_mac, 6);
			arp[21] = ARPOP_REPLY;
			memcpy(arp + 32, fx.frame + 22, 10);
			memcpy(arp + 22, guest_mac, 6);
			memcpy(arp + 28, fx.frame + 38, 4);
			send_frame(NULL, arp, 42);
			continue;
		}
		if (fx.frame[23] == IPPROTO_TCP)
			break;
	}
	memcpy(&t, fx.frame + 34, 20);
	assert_true(t.syn);
	assert_int_equal(ntohs(t.dest), 80);
	peer = ntohs(t.source);
	fx.ack = ntohl(t.seq) + 1;
	fx.seq = 7000;
	send_tcp(80, peer, TH_SYN | TH_ACK, "", 0, false);
	assert_non_null(receive_tcp(&t, &n));
	send_tcp(80, peer, TH_ACK | TH_PUSH, "web", 3, false);
	for (i = 0; i < 500; i++) {
		if (recv(s, got, sizeof(got), 0) == 3)
			break;
		sk_loop_once(fx.loop, 1);
	}
	assert_memory_equal(got, "web", 3);
	close(s);
	stop();
}

/* A port of the host's ::1: the guest gets it on IPv4, as docker's containers do; both ends of data pass. */
static void test_publish_tcp6(void **state)
{
	struct sk_slirp_forward fw = { .v6 = true, .host_addr = { [15] = 1 }, .guest_port = 80 };
	struct sk_slirp_config config = { .forwards = &fw, .n_forwards = 1, .mtu = 1500 };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int s = server(SOCK_STREAM, &fw.host_port), i;
	struct tcphdr t;
	uint16_t peer;
	char got[10];
	ssize_t r = -1;
	size_t n;

	(void)state;
	close(s); /* the port is free, most likely */
	start(&config, BIT(VIRTIO_NET_F_MRG_RXBUF), 60, 2048);
	learn_gateway();
	to.sin6_port = htons(fw.host_port);
	s = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0 || (connect(s, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)) {
		stop();
		skip();
	}
	assert_int_equal(send(s, "ask", 3, MSG_NOSIGNAL), 3);
	shutdown(s, SHUT_WR);
	do {
		assert_non_null(receive_tcp(&t, &n));
	} while (!t.syn);
	assert_int_equal(ntohs(t.dest), 80);
	peer = ntohs(t.source);
	fx.ack = ntohl(t.seq) + 1;
	fx.seq = 7000;
	send_tcp(80, peer, TH_SYN | TH_ACK, "", 0, false);
	for (i = 0; i < 20; i++) {
		assert_non_null(receive_tcp(&t, &n));
		if (ntohl(t.seq) == fx.ack)
			fx.ack += (uint32_t)n + (t.fin ? 1 : 0);
		send_tcp(80, peer, TH_ACK, "", 0, false);
		if (t.fin)
			break;
	}
	assert_true(t.fin);
	send_tcp(80, peer, TH_ACK | TH_PUSH, "web", 3, false);
	send_tcp(80, peer, TH_ACK | TH_FIN, "", 0, false);
	for (i = 0; i < 500 && r < 0; i++) {
		sk_loop_once(fx.loop, 1);
		r = recv(s, got, sizeof(got), 0);
	}
	assert_int_equal(r, 3);
	assert_memory_equal(got, "web", 3);
	for (i = 0, r = -1; i < 500 && r < 0; i++) {
		sk_loop_once(fx.loop, 1);
		r = recv(s, got, sizeof(got), 0);
	}
	assert_int_equal(r, 0);
	close(s);
	stop();
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
	memset(&fx, 0, sizeof(fx));
	assert_int_equal(sk_loop_new(&fx.loop), 0);
	s = server(SOCK_STREAM, &fw.host_port);
	assert_int_equal(new_device(&config, &addr, &addr_len, &err), -EADDRINUSE);
	snprintf(want, sizeof(want), "cannot publish port 127.0.0.1:%u/tcp: Address already in use by process %d (%s)",
		 fw.host_port, (int)getpid(), "test_virtio_net");
	assert_string_equal(err.message, want);
	close(s);
	s = server(SOCK_DGRAM, &fw.host_port);
	fw.udp = true;
	assert_int_equal(new_device(&config, &addr, &addr_len, &err), -EADDRINUSE);
	snprintf(want, sizeof(want), "cannot publish port 127.0.0.1:%u/udp: Address already in use by process %d (%s)",
		 fw.host_port, (int)getpid(), "test_virtio_net");
	assert_string_equal(err.message, want);
	close(s);
	/* an address that is not ours, IPv6 too */
	fw = (struct sk_slirp_forward){ .host_addr = { 192, 0, 2, 1 }, .guest_port = 80, .host_port = 8099 };
	assert_true(new_device(&config, &addr, &addr_len, &err) < 0);
	assert_non_null(strstr(err.message, "cannot publish port 192.0.2.1:8099/tcp: "));
	fw = (struct sk_slirp_forward){
		.host_addr = { 0x20, 1, 0xd, 0xb8 }, .v6 = true, .guest_port = 80, .host_port = 8099
	};
	assert_true(new_device(&config, &addr, &addr_len, &err) < 0);
	assert_non_null(strstr(err.message, "cannot publish port [2001:db8::]:8099/tcp: "));
	sk_loop_free(fx.loop);
}

/* no_host_loopback: the gateway address is not a way to the host's own servers; isolated: nothing is. */
static void reach(const struct sk_slirp_config *config)
{
	uint16_t port;
	int listener = server(SOCK_STREAM, &port), i;
	struct tcphdr t;

	start(config, BIT(VIRTIO_NET_F_MRG_RXBUF), 16, 2048);
	learn_gateway();
	fx.seq = 1;
	send_tcp(5000, port, TH_SYN, "", 0, false);
	for (i = 0; i < 100; i++)
		sk_loop_once(fx.loop, 1);
	assert_true(accept(listener, NULL, NULL) < 0);
	if (receive(0) > 0) {
		memcpy(&t, fx.frame + 34, 20);
		assert_false(t.syn && t.ack);
	}
	close(listener);
	stop();
}

static void test_no_host_loopback(void **state)
{
	struct sk_slirp_config config = { .no_host_loopback = true };

	(void)state;
	reach(&config);
	config = (struct sk_slirp_config){ .isolated = true };
	reach(&config);
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
	memset(&fx, 0, sizeof(fx));
	assert_int_equal(sk_loop_new(&fx.loop), 0);
	fd = fe_listen(&addr, &addr_len);
	assert_int_equal(sk_net_packet_new(fx.loop, fd, guest_mac, 1500, &fx.dev, &err), 0);
	fe_connect(&fx.fe, fx.loop, &addr, addr_len);
	fe_start(&fx.fe,
		 BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |
			 BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4),
		 2);
	fx.rx_size = 2048;
	give_buffers(40);
	for (i = 0; i < sizeof(out); i++)
		out[i] = pattern(i);
	send_frame(NULL, out, 100); /* no interface yet: dropped */
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	assert_int_equal(sk_net_packet_attach(fx.dev, sv[0]), 0);
	send_frame(&h, out, sizeof(out));
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
	assert_int_equal(receive(500), sizeof(out));
	assert_memory_equal(fx.frame, out, sizeof(out));
	assert_true(fx.merged > 10);
	assert_int_equal(fx.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	/* the interface goes away */
	assert_int_equal(sk_net_packet_attach(fx.dev, -1), 0);
	send_frame(NULL, out, 100);
	assert_int_equal(recv(sv[1], in, sizeof(in), 0), -1);
	close(sv[1]);
	stop();
}

/* The guest ends its half of a connection, then the host answers with more than fits its buffers and closes. */
static void test_half_close(void **state)
{
	static uint8_t big[400000];
	size_t sent = 0, have = 0, n, k;
	uint16_t port;
	int listener = server(SOCK_STREAM, &port), s, i;
	struct tcphdr t = { .fin = 0 };
	char got[10];
	ssize_t r = -1;

	(void)state;
	start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 60, 2048);
	learn_gateway();
	s = tcp_connect(listener, port);
	send_tcp(5000, port, TH_ACK | TH_FIN, "ask", 3, false);
	for (i = 0; i < 500 && r != 0; i++) {
		sk_loop_once(fx.loop, 1);
		r = recv(s, got, sizeof(got), 0);
	}
	assert_int_equal(r, 0);
	for (k = 0; k < sizeof(big); k++)
		big[k] = pattern(k);
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
		p = receive_tcp(&t, &n);
		assert_non_null(p);
		give_buffers(fx.merged);
		if (ntohl(t.seq) != fx.ack || n > sizeof(big) - have)
			continue;
		assert_memory_equal(p, big + have, n);
		have += n;
		fx.ack += (uint32_t)n;
		send_tcp(5000, port, TH_ACK, "", 0, false);
	}
	assert_int_equal(have, sizeof(big));
	close(listener);
	stop();
}

/* A reset arrives as a reset, in both directions; an end of file does not. */
static void test_reset(void **state)
{
	struct linger reset = { 1, 0 };
	uint16_t port;
	int listener = server(SOCK_STREAM, &port), s, i;
	struct tcphdr t;
	char got[10];
	size_t n;

	(void)state;
	start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 60, 2048);
	learn_gateway();
	s = tcp_connect(listener, port);
	send_tcp(5000, port, TH_RST | TH_ACK, "", 0, false);
	for (i = 0; i < 100; i++) {
		sk_loop_once(fx.loop, 1);
		if (recv(s, got, sizeof(got), 0) >= 0 || errno != EAGAIN)
			break;
	}
	assert_true(i < 100);
	assert_int_equal(errno, ECONNRESET);
	close(s);
	s = tcp_connect(listener, port);
	setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(s);
	do {
		assert_non_null(receive_tcp(&t, &n));
		assert_false(t.fin);
	} while (!t.rst);
	close(listener);
	stop();
}

/* Fills all buffers on the way to a host that does not read; how many bytes libslirp has acknowledged. */
static size_t fill_connection(int s, uint16_t port)
{
	static uint8_t block[20000];
	uint32_t first = fx.seq, acked = fx.seq;
	struct tcphdr t;
	size_t n, k;

	(void)s;
	for (;;) {
		for (k = 0; k < sizeof(block); k++)
			block[k] = pattern(fx.seq - first + k);
		send_tcp(5000, port, TH_ACK, block, sizeof(block), true);
		while (acked != fx.seq && receive_tcp(&t, &n)) {
			give_buffers(fx.merged);
			acked = ntohl(t.ack_seq);
			if (ntohs(t.window) < sizeof(block))
				break;
		}
		if (acked != fx.seq || ntohs(t.window) < sizeof(block))
			break;
	}
	assert_int_equal(acked, fx.seq);
	return fx.seq - first;
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
			assert_int_equal(got[k], pattern(have + k));
		have += r > 0 ? (size_t)r : 0;
		if (receive(1) == 0 || fx.frame[23] != IPPROTO_TCP)
			continue;
		memcpy(&t, fx.frame + 34, 20);
		n = (size_t)(fx.frame[16] << 8 | fx.frame[17]) - 20 - t.doff * 4u;
		give_buffers(fx.merged);
		if (ntohl(t.seq) == fx.ack && (n || t.fin)) {
			fx.ack += (uint32_t)n + (t.fin ? 1 : 0);
			send_tcp(5000, port, TH_ACK, "", 0, false);
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
	int listener = server(SOCK_STREAM, &port), s, small = 4096;
	struct tcphdr t;
	size_t size, n;

	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	start(NULL, OFFLOADS, 60, 2048);
	learn_gateway();
	s = tcp_connect(listener, port);
	size = fill_connection(s, port);
	if (!host_first)
		send_tcp(5000, port, TH_ACK | TH_FIN, "", 0, false);
	shutdown(s, SHUT_WR);
	do {
		assert_non_null(receive_tcp(&t, &n));
		give_buffers(fx.merged);
	} while (!t.fin);
	fx.ack = ntohl(t.seq) + 1;
	send_tcp(5000, port, host_first ? TH_ACK | TH_FIN : TH_ACK, "", 0, false);
	while (receive(100) > 0)
		give_buffers(fx.merged);
	read_all(s, port, size);
	/* the guest's FIN is acknowledged now */
	send_tcp(5000, port, TH_ACK, "", 0, false);
	close(s);
	close(listener);
	stop();
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
	int listener = server(SOCK_STREAM, &port), s, small = 4096;
	struct tcphdr t;
	size_t n;

	(void)state;
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	start(NULL, OFFLOADS, 60, 2048);
	learn_gateway();
	s = tcp_connect(listener, port);
	fill_connection(s, port);
	shutdown(s, SHUT_WR);
	do {
		assert_non_null(receive_tcp(&t, &n));
		give_buffers(fx.merged);
	} while (!t.fin);
	fx.ack = ntohl(t.seq) + 1;
	send_tcp(5000, port, TH_ACK, "", 0, false);
	setsockopt(s, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(s);
	do {
		assert_non_null(receive_tcp(&t, &n));
		give_buffers(fx.merged);
	} while (!t.rst);
	assert_int_equal(ntohl(t.seq), fx.ack);
	close(listener);
	stop();
}

/* No listener on the host's port: the guest gets an ICMP error from an address that it accepts it from. */
static void test_udp_refused(void **state)
{
	uint32_t gateway = htonl(GATEWAY);
	uint16_t port;
	unsigned i;

	(void)state;
	close(server(SOCK_DGRAM, &port)); /* the port is free, most likely */
	start(NULL, BIT(VIRTIO_NET_F_MRG_RXBUF), 8, 2048);
	learn_gateway();
	send_udp(port, "anybody", 7);
	for (i = 0; i < 10; i++) {
		assert_true(receive(500) > 0);
		if (fx.frame[13] == 0 && fx.frame[23] == IPPROTO_ICMP)
			break;
	}
	assert_true(i < 10);
	assert_memory_equal(fx.frame + 26, &gateway, 4);
	assert_int_equal(fx.frame[34], 3); /* unreachable */
	assert_int_equal(fx.frame[35], 3); /* port */
	assert_int_equal(fold(sum16(fx.frame + 14, 20, 0)), 0xffff);
	stop();
}

/* The first datagram to a published port arrives, before the guest has said a word. */
static void test_publish_udp_first(void **state)
{
	struct sk_slirp_forward fw = { .host_addr = { 127, 0, 0, 1 }, .guest_port = 53, .udp = true };
	struct sk_slirp_config config = { .forwards = &fw, .n_forwards = 1, .mtu = 1500 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = server(SOCK_DGRAM, &fw.host_port);
	unsigned i;

	(void)state;
	close(s); /* the port is free, most likely */
	start(&config, BIT(VIRTIO_NET_F_MRG_RXBUF), 16, 2048);
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	to.sin_port = htons(fw.host_port);
	assert_int_equal(sendto(s, "first", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	for (i = 0; i < 5 && receive(500) > 0; i++)
		if (fx.frame[13] == 0 && fx.frame[23] == IPPROTO_UDP)
			break;
	assert_int_equal(fx.frame[23], IPPROTO_UDP);
	assert_memory_equal(fx.frame + 42, "first", 5);
	close(s);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arp_and_config),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_tcp_offload),
		cmocka_unit_test(test_tcp_plain),
		cmocka_unit_test(test_backlog),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_unmapped),
		cmocka_unit_test(test_broken_queues),
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_port_taken),
		cmocka_unit_test(test_no_host_loopback),
		cmocka_unit_test(test_packet_socket),
		cmocka_unit_test(test_checksum_bounds),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_late_reader),
		cmocka_unit_test(test_reset_of_writer),
		cmocka_unit_test(test_udp_refused),
		cmocka_unit_test(test_publish_udp_first),
		cmocka_unit_test(test_publish_tcp6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
