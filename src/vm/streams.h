/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_STREAMS_H
#define SK_VM_STREAMS_H

#include <sys/types.h>

#include "proto/message.h"
#include "virtio/stream.h"

/*
 * Streams from the guest that are somebody's on the host: each begins with the random token that the host has given to
 * the agent with a request.
 */
struct sk_streams;

/* A stream has given its token; `n` bytes that have come with it are at `data`. Who knows the token sets the stream's
 * events and returns how many of the bytes it has taken; -1: nobody does, the stream is closed. */
typedef ssize_t (*sk_stream_claim_cb)(void *arg, const struct sk_token *token, struct sk_stream *stream,
				      const uint8_t *data, size_t n);

/* -ENOMEM, -EADDRINUSE. */
int sk_streams_new(struct sk_carrier *carrier, sk_stream_claim_cb claim, void *arg, struct sk_streams **ret_streams);
/* Closes those that have not given their token yet. Accepts NULL. */
void sk_streams_free(struct sk_streams *streams);

#endif
