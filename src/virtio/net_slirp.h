/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NET_SLIRP_H
#define SK_VIRTIO_NET_SLIRP_H

#include "virtio/net_internal.h"

/* libslirp behind a link, see net_slirp.c. */
struct net_slirp;

/* Frames for the guest go to `link`, which outlives it, from the time of this call on; its mac and mtu are set from the
 * configuration. Nothing of that is kept but what sk_slirp_config says. */
int net_slirp_new(struct sk_loop *loop, struct net_link *link, const struct sk_slirp_config *config,
		  struct net_slirp **ret_slirp, struct sk_error *err);
/* Accepts NULL. Not from inside a call of it. */
void net_slirp_free(struct net_slirp *s);

/* A frame of the guest, at least an Ethernet header, in private memory that is written to. `h`: what it leaves to us;
 * NULL: nothing, its checksums are complete. */
void net_slirp_transmit(struct net_slirp *s, const struct net_offload *h, uint8_t *frame, size_t len);
/* The guest's transmissions of this round have all been handed over. */
void net_slirp_transmitted(struct net_slirp *s);

/* See sk_net_slirp_publish(). */
int net_slirp_publish(struct net_slirp *s, const struct sk_slirp_forward *forward);
void net_slirp_withdraw(struct net_slirp *s, const struct sk_slirp_forward *forward);

/* Has libslirp's messages go to our log: once for the process. net_log_linux.c, net_log_windows.c. */
void net_slirp_log(void);

#endif
