/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_FRAME_H
#define SK_BASE_FRAME_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Frames on a byte stream: u32 length (little-endian, of what follows), u8 type, payload of length - 1 bytes.
 * Used between CLI and monitor, and between monitor and agent. Both sides bound the length at SK_FRAME_MAX.
 */
#define SK_FRAME_MAX (1024u * 1024u)
#define SK_FRAME_HEADER 5u

enum sk_frame_type {
	SK_FRAME_JSON = 1,   /* one JSON object */
	SK_FRAME_STDIN = 2,  /* bytes; an empty one is end of file */
	SK_FRAME_STDOUT = 3, /* bytes; with a terminal everything comes here */
	SK_FRAME_STDERR = 4, /* bytes */
	SK_FRAME_SECRET = 5, /* the first one of a client, where the monitor wants it (vm/endpoint.h) */
};

struct sk_frame {
	uint8_t type;
	const uint8_t *payload; /* in the buffer, valid until it changes */
	size_t len;
};

/* Looks at the front of `in`. 1: `*ret_frame` is whole (then sk_frame_consume()); 0: more bytes needed; -EPROTO: length
 * 0 or over the bound: the stream is broken. */
int sk_frame_peek(const struct sk_buf *in, struct sk_frame *ret_frame);
void sk_frame_consume(struct sk_buf *in, const struct sk_frame *frame);
/* Appends a frame. -EMSGSIZE, -ENOBUFS, -ENOMEM. */
int sk_frame_put(struct sk_buf *out, uint8_t type, const void *payload, size_t len);
/* Appends `object` (borrowed) as a JSON frame. */
int sk_frame_put_json(struct sk_buf *out, const json_t *object);
/* The frame's JSON object, a new reference; NULL: not one object, or duplicates keys. */
json_t *sk_frame_json(const struct sk_frame *frame);

#endif
