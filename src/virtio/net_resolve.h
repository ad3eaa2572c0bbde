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
struct net_resolve *net_resolve_new(struct sk_loop *loop, struct net_link *net, const struct sk_slirp_config *config);
/* Accepts NULL. */
void net_resolve_free(struct net_resolve *r);
/* A frame of the guest. True: it is a question that has been taken care of. `r` may be NULL. */
bool net_resolve_take(struct net_resolve *r, const uint8_t *frame, size_t len);
/* A frame of the guest that goes to libslirp, with its checksum. One of TCP to the name server gets, in place, the address
 * of the server that is to be asked. `r` may be NULL. */
void net_resolve_turn(struct net_resolve *r, uint8_t *frame, size_t len);
/* A frame for the guest. Returns it, or a copy with the name server's address that lasts until the next call. */
const uint8_t *net_resolve_turn_back(struct net_resolve *r, const uint8_t *frame, size_t len);
/* The name servers of a resolv.conf, at `port`. How many. */
unsigned net_resolve_parse(const char *text, uint16_t port, struct sockaddr_storage ret[NET_RESOLVE_SERVERS]);

/* Questions over TCP, see net_resolve_tcp.c. NULL: no memory; free() frees it. */
struct net_resolve_tcp;
struct net_resolve_tcp *net_resolve_tcp_new(void);
/* There are other servers now: the first one is next. */
void net_resolve_tcp_restart(struct net_resolve_tcp *t);
/* Whether a frame is a segment of TCP to the name server; `*ret_begins`: a connection's first one. */
bool net_resolve_tcp_find(const uint8_t *frame, size_t len, bool *ret_begins);
/* Turns such a frame, in place, to one of the `n` servers, or to the one that its connection began with. */
void net_resolve_tcp_turn(struct net_resolve_tcp *t, uint8_t *frame, size_t len, const struct sockaddr_storage *servers,
			  unsigned n);
const uint8_t *net_resolve_tcp_turn_back(struct net_resolve_tcp *t, const uint8_t *frame, size_t len);

#endif
