/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TEST_NET_GUEST_H
#define SK_TEST_NET_GUEST_H

#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "frontend.h"
#include "virtio/device.h"
#include <linux/virtio_net.h>

#include "virtio/net_internal.h"

/* A guest for the network device: a few hand-made frames, no address configuration: ARP, UDP, one TCP connection. */
#define RX 0u
#define TX 1u
#define GUEST 0x0a00020fu
#define GATEWAY 0x0a000202u
#define HDR sizeof(struct virtio_net_hdr_v1)
#define BIT(n) (UINT64_C(1) << (n))

struct net_guest {
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

extern struct net_guest ng;
extern const uint8_t ng_mac[6];

/* Byte `i` of a stream that is recognized at any place. */
uint8_t ng_pattern(size_t i);

void ng_give_buffers(unsigned n);
int ng_new_device(const struct sk_slirp_config *config, struct sockaddr_un *addr, unsigned *addr_len,
		  struct sk_error *err);
void ng_start(const struct sk_slirp_config *config, uint64_t features, unsigned buffers, uint32_t size);
void ng_stop(void);
void ng_send_frame(const struct virtio_net_hdr_v1 *h, const void *frame, size_t len);
/* The next frame for the guest, put together; its length, 0 when none comes within `rounds` milliseconds. */
size_t ng_receive(unsigned rounds);
uint32_t ng_sum16(const void *p, size_t n, uint32_t sum);
uint16_t ng_fold(uint32_t sum);
size_t ng_put_eth(uint8_t *f, uint16_t type);
/* Headers of Ethernet and IPv4 for `payload` bytes to the gateway; returns their length. */
size_t ng_put_ip(uint8_t *f, uint8_t protocol, size_t payload);
void ng_send_arp(void);
void ng_learn_gateway(void);
int ng_server(int type, uint16_t *ret_port);
void ng_send_udp(uint16_t port, const void *p, size_t n);
/* Sends a TCP segment. `offload`: its checksum is left to the device. */
void ng_send_tcp(uint16_t from, uint16_t port, uint8_t flags, const void *p, size_t n, bool offload);
/* The next TCP frame; checks its checksum; NULL when none comes. `*ret_n` bytes of payload at the result. */
const uint8_t *ng_receive_tcp(struct tcphdr *t, size_t *ret_n);
/* Connects to host port `port`; returns the accepted socket. */
int ng_connect(int listener, uint16_t port);

#endif
