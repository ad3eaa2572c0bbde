/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_LOOPBACK_H
#define SK_VM_LOOPBACK_H

#include <sys/types.h>

#include "base/loop.h"
#include "proto/message.h"
#include "virtio/stream.h"
#include "vm/netns.h"
#include "vm/session.h"

/* Connections that processes of the host make inside the guest's network namespace, see loopback.c. */
struct sk_loopback;

/* Makes the sockets. NULL: not to be had here, which is logged. */
struct sk_loopback *sk_loopback_new(struct sk_loop *loop, struct sk_session *session);
/* Diverts what goes to the addresses of `ns`, now and when they have changed. Accepts NULL. */
void sk_loopback_update(struct sk_loopback *lb, const struct sk_netns *ns);
/* A stream of the guest's with `token`, whose first `n` bytes after that are at `data`; returns how many were taken, or
 * -1: it is not one of ours. Accepts NULL. */
ssize_t sk_loopback_claim(struct sk_loopback *lb, const struct sk_token *token, struct sk_stream *stream,
			  const uint8_t *data, size_t n);
/* The guest is gone, or going: resets all connections. Accepts NULL. */
void sk_loopback_free(struct sk_loopback *lb);

#endif
