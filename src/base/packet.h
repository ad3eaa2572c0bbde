/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_PACKET_H
#define SK_BASE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Ethernet frames on a byte stream: u32 length (big-endian, of what follows), then the frame, as QEMU ("-netdev stream")
 * and passt have it. Each side bounds the length; one that is out of bounds breaks the stream for good, as there is no
 * place to go on from.
 */
#define SK_PACKET_HEADER 4u
#define SK_PACKET_MIN 14u	     /* an Ethernet header */
#define SK_PACKET_MAX (65535u + 18u) /* an IP packet of 64 KiB with an Ethernet and VLAN header */

/* Puts the frames of a stream together. Zeroed: at the start of one. About 64 KiB: not for a stack. */
struct sk_packet_reader {
	bool broken;
	uint8_t header[SK_PACKET_HEADER];
	size_t n_header;
	size_t len, have; /* of the frame */
	uint8_t frame[SK_PACKET_MAX];
};

/* A whole frame: the reader's memory, which the callee may write to, until it returns. It must not free the reader. */
typedef void (*sk_packet_cb)(void *arg, uint8_t *frame, size_t len);

/* Takes `n` bytes of the stream, and calls `cb` for each frame that is whole by then. 0; -EPROTO: the stream is broken,
 * now or since an earlier call, and nothing after that is read. */
int sk_packet_read(struct sk_packet_reader *r, const uint8_t *p, size_t n, sk_packet_cb cb, void *arg);

/* Appends a frame of SK_PACKET_MIN to SK_PACKET_MAX bytes. -EMSGSIZE: it has another size; -ENOBUFS: the buffer's maximum
 * has no room for all of it, -ENOMEM; then nothing is appended. */
int sk_packet_put(struct sk_buf *out, const uint8_t *frame, size_t len);

#endif
