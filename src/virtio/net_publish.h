/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NET_PUBLISH_H
#define SK_VIRTIO_NET_PUBLISH_H

#include <slirp/libslirp.h>

#include "virtio/net_internal.h"

/* The published ports of a libslirp network, see net_publish.c. */
struct net_publish;

/* `slirp` and `udp` are borrowed; freed before them. At most `max` connections at a time come by IPv6. NULL: no
 * memory. */
struct net_publish *net_publish_new(struct sk_loop *loop, Slirp *slirp, struct net_forward_udp *udp, unsigned max);
/* Accepts NULL. libslirp's own sockets go with it, not here. */
void net_publish_free(struct net_publish *p);
/* All that a network has from the start. "cannot publish port 0.0.0.0:8080/tcp: Address already in use" and the like. */
int net_publish_all(struct net_publish *p, const struct sk_slirp_forward *forwards, unsigned n, struct sk_error *err);
/* See sk_net_slirp_publish(). */
int net_publish_add(struct net_publish *p, const struct sk_slirp_forward *forward);
void net_publish_remove(struct net_publish *p, const struct sk_slirp_forward *forward);

#endif
