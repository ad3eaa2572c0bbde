/* SPDX-License-Identifier: Apache-2.0 */
/* The guest of the network tests: its frames, its checksums, its side of a TCP connection. */
#include "../sk_test.h"

#include <linux/if_arp.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

#include "net_guest.h"

const uint8_t ng_mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };

struct net_guest ng;

void ng_give_buffers(unsigned n)
{
	while (n--) {
		uint8_t *p = fe_alloc(&ng.fe, ng.rx_size);
		struct fe_seg seg = { p, ng.rx_size, true };

		ng.rx[fe_add(&ng.fe, RX, &seg, 1)] = p;
	}
	fe_kick(&ng.fe, RX);
}

int ng_new_device(const struct sk_slirp_config *config, struct sockaddr_un *addr, unsigned *addr_len,
		  struct sk_error *err)
{
	return sk_net_slirp_new(ng.loop, fe_listen(addr, addr_len), config, &ng.dev, err);
}

void ng_start(const struct sk_slirp_config *config, uint64_t features, unsigned buffers, uint32_t size)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_slirp_config def = { .mtu = SK_SLIRP_MTU };
	struct sockaddr_un addr;
	unsigned addr_len;

	memset(&ng, 0, sizeof(ng));
	assert_int_equal(sk_loop_new(&ng.loop), 0);
	if (config)
		def = *config;
	memcpy(def.mac, ng_mac, 6);
	if (ng_new_device(&def, &addr, &addr_len, &err) < 0)
		fail_msg("%s", err.message);
	fe_connect(&ng.fe, ng.loop, &addr, addr_len);
	fe_start(&ng.fe, BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_NET_F_MAC) | features, 2);
	ng.rx_size = size;
	ng_give_buffers(buffers);
}

void ng_stop(void)
{
	fe_close(&ng.fe);
	sk_device_free(ng.dev);
	sk_loop_free(ng.loop);
}

void ng_send_frame(const struct virtio_net_hdr_v1 *h, const void *frame, size_t len)
{
	uint8_t *p = ng.fe.mem + FE_HALF; /* the second half of guest memory is for frames */
	struct fe_seg segs[2] = { { p, HDR, false }, { p + HDR, (uint32_t)len, false } };

	memset(p, 0, HDR);
	if (h)
		memcpy(p, h, HDR);
	memcpy(p + HDR, frame, len);
	fe_add(&ng.fe, TX, segs, 2);
	fe_kick(&ng.fe, TX);
	assert_true(fe_used(&ng.fe, TX, NULL) >= 0);
}

size_t ng_receive(unsigned rounds)
{
	struct virtio_net_hdr_v1 h;
	uint32_t len;
	size_t total;
	unsigned i;
	int head;

	while ((head = fe_used_now(&ng.fe, RX, &len)) < 0) {
		if (rounds-- == 0)
			return 0;
		sk_loop_once(ng.loop, 1);
	}
	memcpy(&h, ng.rx[head], HDR);
	ng.merged = h.num_buffers;
	ng.flags = h.flags;
	assert_true(ng.merged >= 1);
	total = len - HDR;
	memcpy(ng.frame, ng.rx[head] + HDR, total);
	for (i = 1; i < ng.merged; i++) {
		head = fe_used_now(&ng.fe, RX, &len); /* all of a frame come at once */
		assert_true(head >= 0);
		memcpy(ng.frame + total, ng.rx[head], len);
		total += len;
	}
	return total;
}

uint32_t ng_sum16(const void *p, size_t n, uint32_t sum)
{
	const uint8_t *b = p;
	size_t i;

	for (i = 0; i < n; i++)
		sum += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	return sum;
}

uint16_t ng_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

size_t ng_put_eth(uint8_t *f, uint16_t type)
{
	memcpy(f, ng.gw_mac, 6);
	memcpy(f + 6, ng_mac, 6);
	f[12] = (uint8_t)(type >> 8);
	f[13] = (uint8_t)type;
	return 14;
}

size_t ng_put_ip(uint8_t *f, uint8_t proto, size_t payload)
{
	struct iphdr ip = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = proto, .saddr = htonl(GUEST), .daddr = htonl(GATEWAY)
	};

	ip.tot_len = htons((uint16_t)(20 + payload));
	ip.check = htons((uint16_t)~ng_fold(ng_sum16(&ip, 20, 0)));
	memcpy(f + ng_put_eth(f, ETH_P_IP), &ip, 20);
	return 34;
}

/* Sum of the pseudo header. */
static uint32_t ng_pseudo(uint8_t proto, size_t len)
{
	uint32_t a[2] = { htonl(GUEST), htonl(GATEWAY) };

	return ng_sum16(a, 8, proto + (uint32_t)len);
}

void ng_send_arp(void)
{
	uint8_t f[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };
	uint32_t ip;

	memcpy(f + 6, ng_mac, 6);
	memcpy(f + 22, ng_mac, 6);
	ip = htonl(GUEST);
	memcpy(f + 28, &ip, 4);
	ip = htonl(GATEWAY);
	memcpy(f + 38, &ip, 4);
	ng_send_frame(NULL, f, sizeof(f));
}

void ng_learn_gateway(void)
{
	uint32_t ip = htonl(GATEWAY);

	ng_send_arp();
	do {
		assert_true(ng_receive(500) > 0);
	} while (ng.frame[12] != 8 || ng.frame[13] != 6);
	assert_int_equal(ng.frame[21], ARPOP_REPLY);
	assert_memory_equal(ng.frame + 28, &ip, 4);
	memcpy(ng.gw_mac, ng.frame + 22, 6);
}

int ng_server(int type, uint16_t *ret_port)
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

void ng_send_udp(uint16_t port, const void *p, size_t n)
{
	uint8_t f[2000];
	struct udphdr u = { .source = htons(4000), .dest = htons(port), .len = htons((uint16_t)(8 + n)) };
	size_t at = ng_put_ip(f, IPPROTO_UDP, 8 + n);

	memcpy(f + at, &u, 8);
	memcpy(f + at + 8, p, n);
	ng_send_frame(NULL, f, at + 8 + n);
}

void ng_send_tcp(uint16_t from, uint16_t port, uint8_t flags, const void *p, size_t n, bool offload)
{
	static uint8_t f[70000];
	struct virtio_net_hdr_v1 h = { .num_buffers = 0 };
	size_t at = ng_put_ip(f, IPPROTO_TCP, 20 + n);
	struct tcphdr t = { .source = htons(from),
			    .dest = htons(port),
			    .seq = htonl(ng.seq),
			    .ack_seq = htonl(ng.ack),
			    .doff = 5,
			    .window = htons(65000) };
	uint32_t sum;

	((uint8_t *)&t)[13] = flags;
	memcpy(f + at, &t, 20);
	memcpy(f + at + 20, p, n);
	sum = ng_pseudo(IPPROTO_TCP, 20 + n);
	if (offload) {
		t.check = htons(ng_fold(sum));
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = 34;
		h.csum_offset = 16;
		if (n > 1460) {
			h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
			h.gso_size = 1460;
			h.hdr_len = 54;
		}
	} else {
		t.check = htons((uint16_t)~ng_fold(ng_sum16(f + at, 20 + n, sum)));
	}
	memcpy(f + at, &t, 20);
	ng_send_frame(&h, f, at + 20 + n);
	ng.seq += (uint32_t)n + ((flags & (TH_SYN | TH_FIN)) ? 1 : 0);
}

const uint8_t *ng_receive_tcp(struct tcphdr *t, size_t *ret_n)
{
	struct iphdr ip;
	size_t hl;

	for (;;) {
		if (ng_receive(1000) == 0)
			return NULL;
		if (ng.frame[12] == 8 && ng.frame[13] == 0 && ng.frame[23] == IPPROTO_TCP)
			break;
	}
	memcpy(&ip, ng.frame + 14, 20);
	memcpy(t, ng.frame + 34, 20);
	hl = t->doff * 4u;
	*ret_n = (size_t)ntohs(ip.tot_len) - 20 - hl;
	assert_int_equal(ng_fold(ng_sum16(ng.frame + 34, hl + *ret_n, ng_pseudo(IPPROTO_TCP, hl + *ret_n))), 0xffff);
	return ng.frame + 34 + hl;
}

int ng_connect(int listener, uint16_t port)
{
	struct tcphdr t;
	size_t n;
	int i, s = -1;

	ng.seq = 1000;
	ng.ack = 0;
	ng_send_tcp(5000, port, TH_SYN, "", 0, false);
	assert_non_null(ng_receive_tcp(&t, &n));
	assert_true(t.syn && t.ack);
	assert_int_equal(ntohl(t.ack_seq), ng.seq);
	ng.ack = ntohl(t.seq) + 1;
	ng_send_tcp(5000, port, TH_ACK, "", 0, false);
	for (i = 0; i < 500 && s < 0; i++) {
		sk_loop_once(ng.loop, 1);
		s = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	assert_true(s >= 0);
	return s;
}

uint8_t ng_pattern(size_t i)
{
	return (uint8_t)(i * 31 + i / 255);
}
