/* SPDX-License-Identifier: Apache-2.0 */
#include "base/packet.h"

#include <errno.h>
#include <string.h>

/* The header is whole. False: no frame has that length. */
static bool begin_frame(struct sk_packet_reader *r)
{
	const uint8_t *h = r->header;

	r->len = (size_t)h[0] << 24 | (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
	r->have = 0;
	return r->len >= SK_PACKET_MIN && r->len <= SK_PACKET_MAX;
}

int sk_packet_read(struct sk_packet_reader *r, const uint8_t *p, size_t n, sk_packet_cb cb, void *arg)
{
	while (n && !r->broken) {
		size_t part;

		if (r->n_header < SK_PACKET_HEADER) {
			r->header[r->n_header++] = *p++;
			n--;
			if (r->n_header == SK_PACKET_HEADER)
				r->broken = !begin_frame(r);
			continue;
		}
		part = r->len - r->have < n ? r->len - r->have : n;
		memcpy(r->frame + r->have, p, part);
		r->have += part;
		p += part;
		n -= part;
		if (r->have == r->len) {
			r->n_header = 0;
			cb(arg, r->frame, r->len);
		}
	}
	return r->broken ? -EPROTO : 0;
}

int sk_packet_put(struct sk_buf *out, const uint8_t *frame, size_t len)
{
	uint8_t *to;

	if (len < SK_PACKET_MIN || len > SK_PACKET_MAX)
		return -EMSGSIZE;
	if (SK_PACKET_HEADER + len > sk_buf_room(out))
		return -ENOBUFS;
	to = sk_buf_reserve(out, SK_PACKET_HEADER + len);
	if (!to)
		return -ENOMEM;
	to[0] = 0;
	to[1] = (uint8_t)(len >> 16);
	to[2] = (uint8_t)(len >> 8);
	to[3] = (uint8_t)len;
	memcpy(to + SK_PACKET_HEADER, frame, len);
	sk_buf_commit(out, SK_PACKET_HEADER + len);
	return 0;
}
