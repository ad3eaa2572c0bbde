/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Where no device of ours is in the guest (Hyper-V's VMs), its Ethernet is a stream of frames: in the guest a tap, which
 * the agent pumps (guest/agent/tap.c), here libslirp, as behind the network device. There are no offloads: the guest
 * computes checksums, and cuts segments by its MTU, which is nearly 64 KiB.
 *
 * Frames for the guest wait in `out` until the stream takes them, NET_BACKLOG_MAX bytes at most; what is more is dropped,
 * as a network does. Frames of the guest are handled as they come: libslirp takes each at once, so nothing is kept of them
 * but the one that is not whole yet. A guest that sends faster than this loop reads is held up by the stream.
 *
 * Not trusted: the stream. A length that is out of bounds, and any end of the stream, ends the network of this VM until
 * its next life: nobody knows where the next frame begins, and a guest has no reason to begin anew.
 */
#include "virtio/net_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "virtio/net_slirp.h"

/* Bytes that are collected before they are written in the middle of a round. */
#define WRITE_AT (128u * 1024u)

struct sk_net_stream {
	struct net_link link; /* first */
	struct net_slirp *slirp;
	struct sk_stream *stream; /* NULL: not there yet, or gone */
	bool joined, full;	  /* full: the stream says when it has room */
	struct sk_buf out;
	struct sk_packet_reader reader;
};

static void end_stream(struct sk_net_stream *n, const char *why)
{
	sk_log(SK_LOG_WARN, "network: %s: the guest has no network any more", why);
	sk_stream_close(SK_TAKE_PTR(n->stream));
	sk_buf_fini(&n->out);
}

/* ---- to the guest */

static void write_out(struct sk_net_stream *n)
{
	while (n->stream && n->out.len && !n->full) {
		size_t want = n->out.len, done = sk_stream_write(n->stream, sk_buf_data(&n->out), want);

		sk_buf_consume(&n->out, done);
		n->full = done < want;
	}
}

static void link_deliver(struct net_link *link, const struct net_offload *h, const uint8_t *frame, size_t len)
{
	struct sk_net_stream *n = (struct sk_net_stream *)link;

	(void)h; /* complete checksums are all that libslirp has */
	if (!n->stream)
		return;
	(void)sk_packet_put(&n->out, frame, len);
	if (n->out.len >= WRITE_AT)
		write_out(n);
}

static void link_flush(struct net_link *link)
{
	write_out((struct sk_net_stream *)link);
}

static const struct net_link_ops link_ops = { link_deliver, link_flush };

static void on_writable(void *arg)
{
	struct sk_net_stream *n = arg;

	n->full = false;
	write_out(n);
}

/* ---- from the guest */

static void on_frame(void *arg, uint8_t *frame, size_t len)
{
	const struct sk_net_stream *n = arg;

	net_slirp_transmit(n->slirp, NULL, frame, len);
}

static size_t on_data(void *arg, const uint8_t *p, size_t len)
{
	struct sk_net_stream *n = arg;
	int r = sk_packet_read(&n->reader, p, len, on_frame, n);

	net_slirp_transmitted(n->slirp);
	if (r < 0)
		end_stream(n, "a frame of the guest has no possible length");
	return len;
}

static void on_eof(void *arg)
{
	end_stream(arg, "the guest has ended its stream");
}

static void on_closed(void *arg, int error)
{
	struct sk_net_stream *n = arg;

	(void)error;
	n->stream = NULL; /* which is dead */
	end_stream(n, "the guest's stream is gone");
}

static const struct sk_stream_events stream_events = {
	.data = on_data,
	.eof = on_eof,
	.writable = on_writable,
	.closed = on_closed,
};

size_t sk_net_stream_join(struct sk_net_stream *n, struct sk_stream *take_stream, const uint8_t *data, size_t len)
{
	n->joined = true;
	n->stream = take_stream;
	sk_stream_set_events(take_stream, &stream_events, n);
	return len ? on_data(n, data, len) : 0;
}

bool sk_net_stream_is_free(const struct sk_net_stream *n)
{
	return !n->joined;
}

/* ---- life */

int sk_net_stream_publish(struct sk_net_stream *n, const struct sk_slirp_forward *forward)
{
	return net_slirp_publish(n->slirp, forward);
}

void sk_net_stream_withdraw(struct sk_net_stream *n, const struct sk_slirp_forward *forward)
{
	net_slirp_withdraw(n->slirp, forward);
}

int sk_net_stream_new(struct sk_loop *loop, const struct sk_slirp_config *config, struct sk_net_stream **ret_net,
		      struct sk_error *err)
{
	struct sk_net_stream *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return sk_error_errno(err, ENOMEM, "cannot set up the network");
	n->link.ops = &link_ops;
	sk_buf_init(&n->out, NET_BACKLOG_MAX);
	r = net_slirp_new(loop, &n->link, config, &n->slirp, err);
	if (r < 0)
		free(n);
	else
		*ret_net = n;
	return r;
}

void sk_net_stream_free(struct sk_net_stream *n)
{
	if (!n)
		return;
	sk_stream_close(SK_TAKE_PTR(n->stream)); /* nothing of what libslirp says at its end goes there */
	net_slirp_free(n->slirp);
	sk_buf_fini(&n->out);
	free(n);
}
