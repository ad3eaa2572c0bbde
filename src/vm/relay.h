/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_RELAY_H
#define SK_VM_RELAY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "virtio/stream.h"

/*
 * Carries bytes both ways between a connected socket of the host and a stream of the guest, each at the pace of its
 * reader: what the socket has no room for stays with the stream, what the stream has no room for stays in the relay
 * (RELAY_CHUNK bytes). The end of one direction is passed on as the end of that direction only; an error of either side
 * ends both.
 *
 * Lifecycle: new with the socket, from which nothing is read before join; join with the stream; then `done` is called
 * once, from the loop, after which the owner frees the relay. Freeing it earlier closes both sides.
 */
struct sk_relay;
typedef void (*sk_relay_done_cb)(void *arg, struct sk_relay *relay);

/* `take_fd` is the relay's, O_NONBLOCK and CLOEXEC, also on failure. NULL: no memory. */
struct sk_relay *sk_relay_new(struct sk_loop *loop, int take_fd, sk_relay_done_cb done, void *arg);
/* The stream, whose first `n` bytes are at `data`; returns how many were taken. */
size_t sk_relay_join(struct sk_relay *relay, struct sk_stream *take_stream, const uint8_t *data, size_t n);
/* Accepts NULL. */
void sk_relay_free(struct sk_relay *relay);

#endif
