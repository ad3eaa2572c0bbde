/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NET_INTERNAL_H
#define SK_VIRTIO_NET_INTERNAL_H

#include <linux/virtio_net.h>

#include "base/buf.h"
#include "virtio/device.h"
#include "virtio/virtio_internal.h"

/*
 * The virtio-net device (net_dev.c) and its back ends (net_slirp.c; a tap would be another). Frames are Ethernet frames
 * with a virtio_net_hdr_v1 in front.
 */

/* Largest frame: an IP packet of 64 KiB (guest's TSO) with an Ethernet and VLAN header. */
#define NET_FRAME_MAX (65535u + 18u)
/* Receive buffers that one frame may fill, and bytes of frames kept while the guest has none. */
#define NET_MERGE_MAX 128u
#define NET_BACKLOG_MAX (2u << 20)

struct net_dev;

struct net_backend {
	/* A frame from the guest: header (copied, still the guest's word) and `len` bytes in private memory. */
	void (*transmit)(void *arg, const struct virtio_net_hdr_v1 *h, uint8_t *frame, size_t len);
	/* The guest's transmissions of this round have all been handed over. */
	void (*transmitted)(void *arg);
	void (*free)(void *arg);
};

struct net_dev {
	struct sk_device dev;
	uint8_t mac[6];
	uint16_t mtu;
	const struct net_backend *backend;
	void *arg;	       /* the backend's */
	struct sk_buf backlog; /* struct net_waiting, frame, … */
	struct sk_vq_chain tx, rx_first, rx_more;
	uint8_t frame[NET_FRAME_MAX + 1];
};

/* Sets the device up over a back end; `n` is zeroed but for mac, mtu, backend and arg. On failure nothing of the back
 * end is freed. `features`: offloads that the back end takes. */
int net_dev_init(struct net_dev *n, struct sk_loop *loop, int take_listen_fd, uint64_t features, struct sk_error *err);
/* Gives the guest a frame with complete checksums. Kept, or dropped when too much is kept, while it has no buffers. */
void net_deliver(struct net_dev *n, const uint8_t *frame, size_t len);
/* The same with an offload header: only what the guest has agreed to take may be in it (the features offered decide).
 */
void net_deliver_offload(struct net_dev *n, const struct virtio_net_hdr *h, const uint8_t *frame, size_t len);
/* Publishes the delivered frames to the guest. */
void net_flush(struct net_dev *n);
/* Puts in the checksum that the guest left to us (VIRTIO_NET_HDR_F_NEEDS_CSUM). False: the header points outside the
 * frame. */
bool net_complete_checksum(const struct virtio_net_hdr_v1 *h, uint8_t *frame, size_t len);

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

/* Published UDP ports, see net_forward_udp.c. `n` is the guest's device. NULL: no memory. */
struct net_forward_udp;
struct net_forward_udp *net_forward_udp_new(struct sk_loop *loop, struct net_dev *n);
/* Accepts NULL. */
void net_forward_udp_free(struct net_forward_udp *u);
/* Negative errno where the address cannot be had. */
int net_forward_udp_add(struct net_forward_udp *u, const struct sk_slirp_forward *forward);
/* Closes the port and forgets its clients; nothing when there is none. */
void net_forward_udp_remove(struct net_forward_udp *u, const struct sk_slirp_forward *forward);
/* A frame of the guest, with its checksum. True: it was an answer, and is on its way. */
bool net_forward_udp_take(struct net_forward_udp *u, const uint8_t *frame, size_t len);

/* " by process 4711 (nginx)", " by a process of user 33", or "" where it cannot be told. */
void net_port_holder(uint16_t port, bool udp, char *buf, size_t size);

#endif
