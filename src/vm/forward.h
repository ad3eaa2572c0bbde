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

/* Listens, mode 0600. Before the monitor is confined. `*ret`: NULL when there is nothing to forward. */
int sk_forwards_new(struct sk_monitor *m, struct sk_forwards **ret, struct sk_error *err);
/* A stream of the guest's with `token`, whose first `n` bytes after that are at `data`; returns how many were taken, or
 * -1: it is not one of ours. Accepts NULL. */
ssize_t sk_forwards_claim(struct sk_forwards *f, const struct sk_token *token, struct sk_stream *stream,
			  const uint8_t *data, size_t n);
/* Ends all connections and removes the sockets. Accepts NULL. */
void sk_forwards_free(struct sk_forwards *f);

#endif
