/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NET_RESOLVE_H
#define SK_VIRTIO_NET_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "virtio/net_internal.h"

/* Questions of the guest to the host's name servers where libslirp cannot find these out any more, see net_resolve.c. */
#define NET_RESOLVE_SERVERS 3u /* of resolv.conf, as the C library has it */

struct net_resolve;

/* The answers go to `net`. NULL: no memory. */
struct net_resolve *net_resolve_new(struct sk_loop *loop, struct net_dev *net, const struct sk_slirp_config *config);
/* Accepts NULL. */
void net_resolve_free(struct net_resolve *r);
/* A frame of the guest. True: it is a question that has been taken care of. `r` may be NULL. */
bool net_resolve_take(struct net_resolve *r, const uint8_t *frame, size_t len);
/* The name servers of a resolv.conf, at `port`. How many. */
unsigned net_resolve_parse(const char *text, uint16_t port, struct sockaddr_storage ret[NET_RESOLVE_SERVERS]);

#endif
