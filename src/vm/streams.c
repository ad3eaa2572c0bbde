/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of the guest until they have given their token. Every program in the guest can open some: beyond
 * SK_NAMELESS_MAX without a token the oldest has to go, so that there is room for the agent's, whose tokens follow at
 * once.
 */
#include "vm/streams.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define SK_NAMELESS_MAX 64u

struct nameless {
	struct nameless *next;
	struct sk_streams *all;
	struct sk_stream *stream;
	struct sk_token token;
	size_t len; /* of the token, so far */
};

struct sk_streams {
	sk_stream_claim_cb claim;
	void *arg;
	struct nameless *nameless; /* the last one first */
	unsigned n;
};

static void nameless_free(struct nameless *u)
{
	struct nameless **link = &u->all->nameless;

	while (*link != u)
		link = &(*link)->next;
	*link = u->next;
	u->all->n--;
	free(u);
}

static void nameless_close(struct nameless *u)
{
	sk_stream_close(u->stream);
	nameless_free(u);
}

static size_t on_data(void *arg, const uint8_t *data, size_t n)
{
	struct nameless *u = arg;
	size_t take = SK_TOKEN_BYTES - u->len < n ? SK_TOKEN_BYTES - u->len : n;
	const struct sk_streams *all = u->all;
	struct sk_stream *stream = u->stream;
	struct sk_token token;
	ssize_t taken;

	memcpy(u->token.bytes + u->len, data, take);
	u->len += take;
	if (u->len < SK_TOKEN_BYTES)
		return take;
	u->token.set = true;
	token = u->token;
	nameless_free(u);
	taken = all->claim(all->arg, &token, stream, data + take, n - take);
	if (taken >= 0)
		return take + (size_t)taken;
	sk_log(SK_LOG_WARN, "a stream from the guest has an unknown token");
	sk_stream_close(stream);
	return take;
}

static void on_eof(void *arg)
{
	nameless_close(arg);
}

static void on_closed(void *arg, int error)
{
	(void)error;
	nameless_free(arg);
}

static const struct sk_stream_events nameless_events = {
	.data = on_data,
	.eof = on_eof,
	.closed = on_closed,
};

static void drop_oldest(const struct sk_streams *all)
{
	struct nameless *u = all->nameless;

	while (u->next)
		u = u->next;
	nameless_close(u);
}

static bool on_accept(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	struct nameless *u = calloc(1, sizeof(*u));
	struct sk_streams *all = arg;

	(void)guest_port;
	if (!u)
		return false;
	if (all->n >= SK_NAMELESS_MAX)
		drop_oldest(all);
	*u = (struct nameless){ .next = all->nameless, .all = all, .stream = stream };
	all->nameless = u;
	all->n++;
	sk_stream_set_events(stream, &nameless_events, u);
	return true;
}

int sk_streams_new(struct sk_carrier *carrier, sk_stream_claim_cb claim, void *arg, struct sk_streams **ret_streams)
{
	struct sk_streams *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return -ENOMEM;
	all->claim = claim;
	all->arg = arg;
	r = sk_carrier_listen(carrier, SK_PORT_STREAM, on_accept, all);
	if (r < 0)
		free(all);
	else
		*ret_streams = all;
	return r;
}

void sk_streams_free(struct sk_streams *all)
{
	while (all && all->nameless)
		nameless_close(all->nameless);
	free(all);
}
