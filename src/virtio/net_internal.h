/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NET_INTERNAL_H
#define SK_VIRTIO_NET_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/packet.h"
#include "virtio/device.h"

/*
 * The parts of the guest's network that know no device and no system. Frames are Ethernet frames. What carries them to the
 * guest is a link: the virtio-net device (net_dev.h) or a stream (net_stream.c).
 */

/* Largest frame: an IP packet of 64 KiB (guest's TSO) with an Ethernet and VLAN header. */
#define NET_FRAME_MAX SK_PACKET_MAX
/* Bytes of frames kept for a guest that takes none now. */
#define NET_BACKLOG_MAX (2u << 20)

/* What a frame's checksum and segmentation have been left to: laid out like struct virtio_net_hdr, little-endian. */
struct net_offload {
	uint8_t flags; /* NET_OFFLOAD_* */
	uint8_t gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};
#define NET_OFFLOAD_NEEDS_CSUM 1u /* VIRTIO_NET_HDR_F_NEEDS_CSUM */
#define NET_OFFLOAD_DATA_VALID 2u

struct net_link;
struct net_link_ops {
	/* Gives the guest a frame, or drops it. `h`: only what the guest has agreed to take. */
	void (*deliver)(struct net_link *link, const struct net_offload *h, const uint8_t *frame, size_t len);
	/* The frames of this round have all been delivered. */
	void (*flush)(struct net_link *link);
};
struct net_link {
	const struct net_link_ops *ops;
	uint8_t mac[6]; /* the guest's */
	uint16_t mtu;
};

/* Gives the guest a frame with complete checksums. Kept, or dropped when too much is kept, while it takes none. */
void net_deliver(struct net_link *link, const uint8_t *frame, size_t len);
/* Publishes the delivered frames to the guest. */
void net_flush(struct net_link *link);
/* Puts in the checksum that the guest left to us (NET_OFFLOAD_NEEDS_CSUM). False: the header points outside the frame. */
bool net_complete_checksum(const struct net_offload *h, uint8_t *frame, size_t len);

/* The internet checksum: adds `n` bytes to `sum` (an odd last byte counts as if a zero followed); folds and inverts a
 * sum (host order). */
uint32_t net_sum(const uint8_t *p, size_t n, uint32_t sum);
uint16_t net_fold(uint32_t sum);

/* Passes TCP connections to `port` of an IPv6 address on to 127.0.0.1:`inner_port`, while the budget, which outlives it,
 * has room. Negative errno where the address cannot be had. */
struct net_forward_budget {
	unsigned n, max; /* connections of all that share it */
};
struct net_forward;
int net_forward_new(struct sk_loop *loop, const uint8_t addr[16], uint16_t port, uint16_t inner_port,
		    struct net_forward_budget *budget, struct net_forward **ret);
/* Accepts NULL. */
void net_forward_free(struct net_forward *f);

/* Whether both are the same port of the host and of the guest. */
bool net_forward_equal(const struct sk_slirp_forward *a, const struct sk_slirp_forward *b);

/* Published UDP ports, see net_forward_udp.c. `link` is the guest's. NULL: no memory. */
struct net_forward_udp;
struct net_forward_udp *net_forward_udp_new(struct sk_loop *loop, struct net_link *link);
/* Accepts NULL. */
void net_forward_udp_free(struct net_forward_udp *u);
/* Negative errno where the address cannot be had. */
int net_forward_udp_add(struct net_forward_udp *u, const struct sk_slirp_forward *forward);
/* Closes the port and forgets its clients; nothing when there is none. */
void net_forward_udp_remove(struct net_forward_udp *u, const struct sk_slirp_forward *forward);
/* A frame of the guest, with its checksum. True: it was an answer, and is on its way. */
bool net_forward_udp_take(struct net_forward_udp *u, const uint8_t *frame, size_t len);

/* Why a port cannot be had, as far as the system tells, and what to do about it: " by process 4711 (nginx)", or "". `error`
 * is bind()'s, positive. The system's own: net_holder_linux.c, net_holder_windows.c. */
void net_port_hint(int error, uint16_t port, bool udp, char *buf, size_t size);

#endif
