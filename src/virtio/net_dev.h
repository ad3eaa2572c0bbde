/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NET_DEV_H
#define SK_VIRTIO_NET_DEV_H

#include "base/buf.h"
#include "virtio/net_internal.h"
#include "virtio/virtio_internal.h"

/* The virtio-net device (net_dev.c) and its back ends: net_slirp_dev.c, net_packet_dev.c. */

/* Receive buffers that one frame may fill. */
#define NET_MERGE_MAX 128u

struct net_backend {
	/* A frame from the guest: header (copied, still the guest's word) and `len` bytes in private memory. */
	void (*transmit)(void *arg, const struct net_offload *h, uint8_t *frame, size_t len);
	/* The guest's transmissions of this round have all been handed over. */
	void (*transmitted)(void *arg);
	/* Frees the back end, and the device's memory. */
	void (*free)(void *arg);
};

struct net_dev {
	struct sk_device dev;
	struct net_link link;
	const struct net_backend *backend;
	void *arg;	       /* the backend's */
	struct sk_buf backlog; /* struct net_waiting, frame, … */
	struct sk_vq_chain tx, rx_first, rx_more;
	uint8_t frame[NET_FRAME_MAX + 1];
};

/* Of the link of a device; before net_dev_init() it drops what it is given. */
extern const struct net_link_ops net_dev_link_ops;

/* Sets the device up over a back end; `n` is zeroed but for backend, arg, and of its link mac and mtu. On failure nothing of
 * the back end is freed. `features`: offloads that the back end takes. */
int net_dev_init(struct net_dev *n, struct sk_loop *loop, int take_listen_fd, uint64_t features, struct sk_error *err);
/* As net_deliver(), with an offload header: only what the guest has agreed to take may be in it (the features offered
 * decide). */
void net_deliver_offload(struct net_dev *n, const struct net_offload *h, const uint8_t *frame, size_t len);

#endif
