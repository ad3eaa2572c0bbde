/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 9P over a byte stream: cuts requests out of what arrives, bounds what waits to be sent, and leaves room for replies
 * that come later.
 */
#include "ninep/stream.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/codec.h"

/* Space behind a reply of full size for the replies of parked requests, which may come at any time: at most
 * max_parked locks, and a Tnotify. */
#define EXTRA (4096u + 32768u + P9_RREAD_HEADER)

static void complete(void *arg, uint64_t token, const void *reply, size_t len)
{
	struct sk_9p_stream *st = arg;

	(void)token;
	/* There is always room: a request is taken only with a whole reply's room and EXTRA free, and few are parked.
	 */
	if (len == 0 || len > st->cap - st->out_head - st->out_len)
		return;
	memcpy(st->out + st->out_head + st->out_len, reply, len);
	st->out_len += len;
}

int sk_9p_stream_init(struct sk_9p_stream *st, struct sk_9p_server *server, const struct sk_9p_session_config *config)
{
	struct sk_9p_session_config c = *config;
	int r;

	memset(st, 0, sizeof(*st));
	c.complete = complete;
	c.arg = st;
	r = sk_9p_session_new(server, &c, &st->session);
	if (r < 0)
		return r;
	st->cap = 2 * (size_t)sk_9p_session_msize(st->session) + 2 * (P9_REPLY_MAX + EXTRA);
	st->in = malloc(st->cap);
	st->out = malloc(st->cap);
	if (!st->in || !st->out) {
		sk_9p_stream_fini(st);
		return -P9_ENOMEM;
	}
	return 0;
}

void sk_9p_stream_fini(struct sk_9p_stream *st)
{
	sk_9p_session_free(st->session);
	free(st->in);
	free(st->out);
	memset(st, 0, sizeof(*st));
}

uint8_t *sk_9p_stream_room(struct sk_9p_stream *st, size_t *ret_n)
{
	if (st->in_head && st->in_len < 4096) {
		memmove(st->in, st->in + st->in_head, st->in_len);
		st->in_head = 0;
	}
	*ret_n = st->cap - st->in_head - st->in_len;
	return st->in + st->in_head + st->in_len;
}

void sk_9p_stream_commit(struct sk_9p_stream *st, size_t n)
{
	st->in_len += n;
}

/* Where a request says how many bytes its reply may have; 0: it does not. */
static size_t count_at(const uint8_t *request, size_t size)
{
	size_t at = 0;

	switch (request[4]) {
	case P9_TREAD:
	case P9_TREADDIR:
		at = P9_TWRITE_HEADER - 4;
		break;
	case P9_TREADDIRX:
		at = P9_TWRITE_HEADER;
		break;
	case P9_TNOTIFY:
		at = P9_HEADER;
		break;
	default:
		return 0;
	}
	return size >= at + 4 ? at : 0;
}

/* Room for the reply to this request, behind what waits to be sent. 0: not now. */
static size_t reply_room(struct sk_9p_stream *st, const uint8_t *request, size_t size)
{
	size_t want = P9_REPLY_MAX, room, at = count_at(request, size);

	if (at) {
		want = (size_t)p9_get32(request + at) + P9_RREAD_HEADER;
		if (want > sk_9p_session_msize(st->session))
			want = sk_9p_session_msize(st->session);
		if (want < P9_REPLY_MAX)
			want = P9_REPLY_MAX;
	}
	if (st->out_head && want + EXTRA > st->cap - st->out_head - st->out_len) {
		memmove(st->out, st->out + st->out_head, st->out_len);
		st->out_head = 0;
	}
	room = st->cap - st->out_head - st->out_len;
	return want + EXTRA <= room ? want : 0;
}

int sk_9p_stream_run(struct sk_9p_stream *st)
{
	while (st->in_len >= P9_HEADER) {
		uint8_t *request = st->in + st->in_head, *at, small[P9_REPLY_MAX];
		size_t size = p9_get32(request), room;
		bool data = count_at(request, size < st->in_len ? size : st->in_len) != 0;
		struct sk_iov out = { request, size }, in;
		int64_t n;

		if (size < P9_HEADER || size > sk_9p_session_msize(st->session))
			return -P9_EPROTO;
		if (st->in_len < size) {
			/* The rest needs to fit behind. */
			if (st->in_head && size > st->cap - st->in_head) {
				memmove(st->in, request, st->in_len);
				st->in_head = 0;
			}
			break;
		}
		room = reply_room(st, request, size);
		if (!room)
			break;
		/* Replies of parked requests may be put into the output meanwhile: only data is written there in place,
		 * and a read completes nothing. */
		at = st->out + st->out_head + st->out_len;
		in = (struct sk_iov){ data ? at : small, data ? room : sizeof(small) };
		n = sk_9p_request(st->session, &out, 1, &in, 1, 0);
		if (n < 0)
			return (int)n;
		if (!data && n) {
			memcpy(st->out + st->out_head + st->out_len, small, (size_t)n);
		}
		st->out_len += (size_t)n;
		st->in_head += size;
		st->in_len -= size;
		if (!st->in_len)
			st->in_head = 0;
	}
	return 0;
}

const uint8_t *sk_9p_stream_output(const struct sk_9p_stream *st, size_t *ret_n)
{
	*ret_n = st->out_len;
	return st->out + st->out_head;
}

void sk_9p_stream_sent(struct sk_9p_stream *st, size_t n)
{
	st->out_head += n;
	st->out_len -= n;
	if (!st->out_len)
		st->out_head = 0;
}
