/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SK_BUF_MIN 1024
/* A buffer that grew past this is freed, not kept, when it runs empty. */
#define SK_BUF_KEEP 16384

void sk_buf_init(struct sk_buf *b, size_t max)
{
	*b = (struct sk_buf){ .max = max };
}

void sk_buf_fini(struct sk_buf *b)
{
	size_t max = b->max;

	free(b->data);
	*b = (struct sk_buf){ .max = max };
}

uint8_t *sk_buf_reserve(struct sk_buf *b, size_t n)
{
	size_t cap;
	uint8_t *p;

	if (n > sk_buf_room(b))
		return NULL;
	if (b->data && n <= b->cap - b->head - b->len)
		return b->data + b->head + b->len;
	if (b->data && n <= b->cap - b->len) {
		memmove(b->data, b->data + b->head, b->len);
		b->head = 0;
		return b->data + b->len;
	}
	cap = b->cap ? b->cap : SK_BUF_MIN;
	while (cap - b->len < n)
		cap *= 2;
	p = malloc(cap);
	if (!p)
		return NULL;
	if (b->len)
		memcpy(p, b->data + b->head, b->len);
	free(b->data);
	b->data = p;
	b->head = 0;
	b->cap = cap;
	return b->data + b->len;
}

void sk_buf_commit(struct sk_buf *b, size_t n)
{
	assert(n <= b->cap - b->head - b->len);
	b->len += n;
}

int sk_buf_append(struct sk_buf *b, const void *p, size_t n)
{
	uint8_t *to;

	if (n == 0)
		return 0;
	if (n > sk_buf_room(b))
		return -ENOBUFS;
	to = sk_buf_reserve(b, n);
	if (!to)
		return -ENOMEM;
	memcpy(to, p, n);
	b->len += n;
	return 0;
}

void sk_buf_consume(struct sk_buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	b->head += n;
	if (b->len)
		return;
	b->head = 0;
	if (b->cap > SK_BUF_KEEP) {
		free(b->data);
		b->data = NULL;
		b->cap = 0;
	}
}
