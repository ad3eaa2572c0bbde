/* SPDX-License-Identifier: Apache-2.0 */
#include "base/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sk_frame_peek(const struct sk_buf *in, struct sk_frame *ret_frame)
{
	const uint8_t *p = sk_buf_data(in);
	uint32_t len;

	if (in->len < 4)
		return 0;
	len = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	if (len == 0 || len > SK_FRAME_MAX)
		return -EPROTO;
	if (in->len - 4 < len)
		return 0;
	*ret_frame = (struct sk_frame){ .type = p[4], .payload = p + SK_FRAME_HEADER, .len = len - 1 };
	return 1;
}

void sk_frame_consume(struct sk_buf *in, const struct sk_frame *frame)
{
	sk_buf_consume(in, SK_FRAME_HEADER + frame->len);
}

int sk_frame_put(struct sk_buf *out, uint8_t type, const void *payload, size_t len)
{
	uint32_t n;
	uint8_t *p;

	if (len > SK_FRAME_MAX - 1)
		return -EMSGSIZE;
	if (SK_FRAME_HEADER + len > sk_buf_room(out))
		return -ENOBUFS;
	p = sk_buf_reserve(out, SK_FRAME_HEADER + len);
	if (!p)
		return -ENOMEM;
	n = (uint32_t)len + 1;
	p[0] = (uint8_t)n;
	p[1] = (uint8_t)(n >> 8);
	p[2] = (uint8_t)(n >> 16);
	p[3] = (uint8_t)(n >> 24);
	p[4] = type;
	if (len)
		memcpy(p + SK_FRAME_HEADER, payload, len);
	sk_buf_commit(out, SK_FRAME_HEADER + len);
	return 0;
}

int sk_frame_put_json(struct sk_buf *out, const json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	int r;

	if (!text)
		return -ENOMEM;
	r = sk_frame_put(out, SK_FRAME_JSON, text, strlen(text));
	free(text);
	return r;
}

json_t *sk_frame_json(const struct sk_frame *frame)
{
	json_t *object;

	if (frame->type != SK_FRAME_JSON)
		return NULL;
	object = json_loadb((const char *)frame->payload, frame->len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(object))
		return object;
	json_decref(object);
	return NULL;
}
