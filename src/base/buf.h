/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_BUF_H
#define SK_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A byte queue with a stated maximum: append at the end, consume at the front. Used for streams between
 * peers that do not keep the same pace. Memory is given back when it runs empty.
 */
struct sk_buf {
	uint8_t *data;
	size_t head; /* offset of the first unread byte */
	size_t len;  /* unread bytes */
	size_t cap;  /* allocated bytes */
	size_t max;  /* never holds more unread bytes than this */
};

/* Caller's memory; `max` in bytes. Nothing is allocated yet. */
void sk_buf_init(struct sk_buf *b, size_t max);
/* Frees the bytes; accepts a zeroed or finished buffer. */
void sk_buf_fini(struct sk_buf *b);
/* First unread byte (len of them); NULL when empty. Valid until the next change. */
static inline const uint8_t *sk_buf_data(const struct sk_buf *b)
{
	return b->len ? b->data + b->head : NULL;
}
static inline size_t sk_buf_room(const struct sk_buf *b)
{
	return b->max - b->len;
}
/* Appends all `n` bytes. -ENOBUFS: they would pass the maximum (nothing appended); -ENOMEM. */
int sk_buf_append(struct sk_buf *b, const void *p, size_t n);
/* Makes room for `n` more bytes and returns where they go; NULL: past the maximum or no memory. Then sk_buf_commit().
 */
uint8_t *sk_buf_reserve(struct sk_buf *b, size_t n);
void sk_buf_commit(struct sk_buf *b, size_t n);
/* Drops `n` <= len bytes from the front. */
void sk_buf_consume(struct sk_buf *b, size_t n);

#endif
