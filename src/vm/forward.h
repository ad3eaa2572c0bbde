/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_FORWARD_H
#define SK_VM_FORWARD_H

#include <jansson.h>

#include "vm/monitor.h"

/*
 * Unix sockets of the host that lead into the guest: vm.json's "sockets". The monitor listens on them in the container's
 * runtime directory; each connection is carried to a Unix socket in the container, see forward.c.
 */
struct sk_forwards;

#define SK_FORWARDS_MAX 4u /* sockets */

/* Listens, mode 0600, or goes on with the sockets that the last life has left (m->sockets). Before the monitor is
 * confined. `*ret`: NULL when there is nothing to forward. */
int sk_forwards_new(struct sk_monitor *m, struct sk_forwards **ret, struct sk_error *err);
/* A stream of the guest's with `token`, whose first `n` bytes after that are at `data`; returns how many were taken, or
 * -1: it is not one of ours. Accepts NULL. */
ssize_t sk_forwards_claim(struct sk_forwards *f, const struct sk_token *token, struct sk_stream *stream,
			  const uint8_t *data, size_t n);
/* No connection is taken any more, they wait in the sockets' queues: -EBUSY when one is open, or was until less than
 * `idle_ms` ago. */
int sk_forwards_hold(struct sk_forwards *f, uint64_t idle_ms);
/* Takes connections again. Accepts NULL, and what was not held. */
void sk_forwards_release(struct sk_forwards *f);
/* Connections wait until sk_forwards_release(), or for the next life. Accepts NULL. */
bool sk_forwards_held(const struct sk_forwards *f);
/* Held: `knock` is called once when a connection waits, at once if one does. */
int sk_forwards_watch(struct sk_forwards *f, void (*knock)(void *arg), void *arg);
/* The listening sockets, borrowed, in the order of vm.json: their number. At most SK_FORWARDS_MAX. */
unsigned sk_forwards_sockets(const struct sk_forwards *f, int ret_fds[SK_FORWARDS_MAX]);
/* The sockets are another process's now: frees without removing them. Accepts NULL. */
void sk_forwards_abandon(struct sk_forwards *f);
/* Ends all connections and removes the sockets. Accepts NULL. */
void sk_forwards_free(struct sk_forwards *f);

#endif
