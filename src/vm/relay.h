/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_RELAY_H
#define SK_VM_RELAY_H

#include "base/loop.h"
#include "virtio/stream.h"

/*
 * Joins a connected socket of the host with a stream of the guest: bytes go both ways, the end of one direction is
 * passed on as the end of that direction only.
 *
 * Lifecycle: a relay lives until both sides have ended, or the guest's has gone. Then it frees itself, with both, and
 * calls `done` as its last act. After sk_relay_free() there is no `done`.
 */
struct sk_relay;

/* Takes both, also on failure (NULL: no memory). The socket becomes non-blocking. What the stream has kept for its user
 * comes with sk_stream_resume(), which the caller calls if need be. */
struct sk_relay *sk_relay_new(struct sk_loop *loop, int take_fd, struct sk_stream *take_stream, void (*done)(void *arg),
			      void *arg);
/* Ends both at once. NULL is allowed. */
void sk_relay_free(struct sk_relay *relay);

#endif
