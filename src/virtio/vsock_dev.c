/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * virtio-vsock (virtio 1.2, section 5.10) whose host side is in this process: a packet from the guest ends in a
 * callback of a stream (vsock_stream.c), a write to a stream becomes a packet in a buffer that the guest has put up.
 * There is no queue of packets in between:
 *
 * - guest to host (queue TX): always drained, whatever the other direction does, or two full directions would wait for
 *   each other. Payload goes through one private staging buffer to the user (who may parse it; the guest could rewrite
 *   its own memory meanwhile). What the user does not take is kept, up to SK_STREAM_BUF, and the guest gets no credit
 *   for it.
 * - host to guest (queue RX): written straight into the guest's buffer. A stream that has something to send but no
 *   buffer waits on the ready list, in turn, at most one packet burst each; resets for connections that do not exist
 *   wait in a ring of fixed size.
 *
 * Credit. The guest may have min(our buf_alloc, its own) bytes under way, so it is told about half of that at the
 * latest; every packet carries our count anyway. Bytes beyond the credit break the stream (RST), not the device.
 *
 * Ends of a connection:
 *   guest shuts its side   SHUTDOWN(SEND): `eof` when all was taken.
 *   guest closes           SHUTDOWN(both): answered with RST at once (the guest waits for it); the user gets the rest,
 *                          eof, closed(0).
 *   user shuts its side    SHUTDOWN(SEND) behind the last byte.
 *   both have shut         SHUTDOWN(both), closed(0).
 *   user closes            RST.
 *   same ports again       a REQUEST for a pair that we still have: the guest has dropped the old connection; it is
 *                          GONE.
 *
 * Not trusted: every header (copied once) and the credit in it; lengths are checked against the chain. A packet that
 * does not fit its chain, or a receive buffer too small for a header, ends the connection of the device. One whose data
 * are in memory that is not mapped breaks its stream (RST).
 */
#include "virtio/vsock_internal.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Of one stream before the next on the ready list has its turn. */
#define BURST VSOCK_PACKET_MAX

static struct sk_carrier *carrier_of(struct sk_device *dev)
{
	return (struct sk_carrier *)dev;
}

bool vsock_running(const struct sk_carrier *c)
{
	return c->dev.vq[VSOCK_RX].running && c->dev.vq[VSOCK_TX].running && !c->dev.failed;
}

void vsock_flush(struct sk_carrier *c)
{
	sk_vq_flush(&c->dev.vq[VSOCK_RX]);
}

/* --- host to guest --- */

/* Puts one packet into a buffer of the guest: `h` with up to `n` bytes of payload. Returns the payload that fitted, or
 * -EAGAIN: no buffer (the guest will kick). */
static ssize_t put_packet(struct sk_carrier *c, struct virtio_vsock_hdr *h, const uint8_t *p, size_t n)
{
	struct sk_virtqueue *vq = &c->dev.vq[VSOCK_RX];
	struct sk_vq_chain *chain = &c->rx_chain;
	unsigned unmapped = 0;
	int r;

	if (c->dev.failed)
		return -EAGAIN;
	r = sk_vq_next(vq, chain);
	/* Of a buffer that is not mapped, the guest learns that nothing came. */
	while (r > 0 && sk_vq_unmapped(chain) && unmapped++ < vq->num) {
		sk_vq_push(vq, chain->head, 0);
		r = sk_vq_next(vq, chain);
	}
	if (r == 0)
		return -EAGAIN;
	if (r < 0 || chain->in_len < sizeof(*h) || (n > 0 && chain->in_len == sizeof(*h))) {
		sk_virtio_fail(&c->dev, "the guest broke the receive queue");
		return -EAGAIN;
	}
	if (n > chain->in_len - sizeof(*h))
		n = chain->in_len - sizeof(*h);
	h->src_cid = htole64(VSOCK_HOST_CID);
	h->dst_cid = htole64(c->guest_cid);
	h->len = htole32((uint32_t)n);
	sk_iovec_write(chain->iov + chain->n_out, chain->n_in, 0, h, sizeof(*h));
	if (n)
		sk_iovec_write(chain->iov + chain->n_out, chain->n_in, sizeof(*h), p, n);
	sk_vq_push(vq, chain->head, (uint32_t)(sizeof(*h) + n));
	return (ssize_t)n;
}

/* A packet of stream `s`, with our credit. */
static ssize_t put_stream_packet(struct sk_stream *s, uint16_t op, uint32_t flags, const uint8_t *p, size_t n)
{
	struct virtio_vsock_hdr h = {
		.src_port = htole32(s->host_port),
		.dst_port = htole32(s->guest_port),
		.type = htole16(VIRTIO_VSOCK_TYPE_STREAM),
		.op = htole16(op),
		.flags = htole32(flags),
		.buf_alloc = htole32(SK_STREAM_BUF),
		.fwd_cnt = htole32(s->fwd_cnt),
	};
	ssize_t r = put_packet(s->carrier, &h, p, n);

	if (r >= 0) {
		s->fwd_sent = s->fwd_cnt;
		s->send_credit = false;
	}
	return r;
}

/* Bytes that the guest has room for. What it claims may be nonsense: then it is none. */
static uint32_t credit(const struct sk_stream *s)
{
	uint32_t out = s->tx_cnt - s->peer_fwd;

	return out >= s->peer_alloc ? 0 : s->peer_alloc - out;
}

size_t vsock_send_data(struct sk_stream *s, const uint8_t *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t now = n - done, room = credit(s);
		ssize_t r;

		if (now > room)
			now = room;
		if (now > VSOCK_PACKET_MAX)
			now = VSOCK_PACKET_MAX;
		if (now == 0)
			break;
		r = put_stream_packet(s, VIRTIO_VSOCK_OP_RW, 0, p + done, now);
		if (r < 0)
			break;
		s->tx_cnt += (uint32_t)r;
		done += (size_t)r;
	}
	return done;
}

enum output {
	OUTPUT_DONE,  /* nothing is due, or it waits for credit */
	OUTPUT_MORE,  /* used up its burst */
	OUTPUT_BLOCK, /* no buffer */
};

static bool send_op(struct sk_stream *s, uint16_t op, uint32_t flags)
{
	return put_stream_packet(s, op, flags, NULL, 0) >= 0;
}

/* Sends data, and a SHUTDOWN behind the last byte if that is due. */
static enum output output_data(struct sk_stream *s)
{
	uint32_t flags = VIRTIO_VSOCK_SHUTDOWN_SEND;

	if (s->tx.len && credit(s)) {
		size_t n = s->tx.len < BURST ? s->tx.len : BURST;
		size_t sent = vsock_send_data(s, sk_buf_data(&s->tx), n);

		sk_buf_consume(&s->tx, sent);
		if (s->want_write)
			vsock_stream_work(s);
		if (s->tx.len && credit(s))
			return sent == n ? OUTPUT_MORE : OUTPUT_BLOCK;
	}
	if (s->tx.len || !s->shut || s->final_sent)
		return OUTPUT_DONE;
	if (s->eof_done)
		flags |= VIRTIO_VSOCK_SHUTDOWN_RCV;
	else if (s->shut_sent)
		return OUTPUT_DONE;
	if (!send_op(s, VIRTIO_VSOCK_OP_SHUTDOWN, flags))
		return OUTPUT_BLOCK;
	s->shut_sent = true;
	if (flags == VSOCK_SHUT_BOTH) {
		s->final_sent = true;
		vsock_stream_gone(s, 0);
	}
	return OUTPUT_DONE;
}

static enum output output(struct sk_stream *s)
{
	enum output r;

	if (s->state == VSOCK_CONNECTING) {
		if (s->send_request && !send_op(s, VIRTIO_VSOCK_OP_REQUEST, 0))
			return OUTPUT_BLOCK;
		s->send_request = false;
		return OUTPUT_DONE;
	}
	if (s->state != VSOCK_OPEN)
		return OUTPUT_DONE;
	if (s->send_response) {
		if (!send_op(s, VIRTIO_VSOCK_OP_RESPONSE, 0))
			return OUTPUT_BLOCK;
		s->send_response = false;
	}
	r = output_data(s);
	if (r == OUTPUT_DONE && s->state == VSOCK_OPEN && s->send_credit &&
	    !send_op(s, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0))
		return OUTPUT_BLOCK;
	return r;
}

void vsock_reply(struct sk_carrier *c, uint32_t guest_port, uint32_t host_port, uint16_t type, bool known)
{
	if (c->n_replies == VSOCK_REPLIES || (!known && c->n_replies >= VSOCK_UNKNOWN_MAX) || !vsock_running(c))
		return;
	c->replies[(c->reply_head + c->n_replies++) % VSOCK_REPLIES] = (struct vsock_reply){
		.guest_port = guest_port,
		.host_port = host_port,
		.type = type,
		.op = VIRTIO_VSOCK_OP_RST,
	};
}

static bool send_replies(struct sk_carrier *c)
{
	while (c->n_replies) {
		const struct vsock_reply *r = &c->replies[c->reply_head];
		struct virtio_vsock_hdr h = {
			.src_port = htole32(r->host_port),
			.dst_port = htole32(r->guest_port),
			.type = htole16(r->type),
			.op = htole16(r->op),
		};

		if (put_packet(c, &h, NULL, 0) < 0)
			return false;
		c->reply_head = (c->reply_head + 1) % VSOCK_REPLIES;
		c->n_replies--;
	}
	return true;
}

void vsock_output(struct sk_stream *s)
{
	struct sk_carrier *c = s->carrier;

	if (s->on_ready || !vsock_running(c))
		return; /* in turn; or at the next queue_ready */
	/* Replies first: one may be the reset of an earlier connection with the same ports. */
	if ((!send_replies(c) || output(s) != OUTPUT_DONE) && s->state != VSOCK_GONE && s->state != VSOCK_DEAD) {
		TAILQ_INSERT_TAIL(&c->ready, s, ready);
		s->on_ready = true;
	}
}

void vsock_send_replies(struct sk_carrier *c)
{
	if (vsock_running(c))
		send_replies(c);
	vsock_flush(c);
}

/* Sends for all waiting streams, until the guest's buffers are used up. */
static void send_waiting(struct sk_carrier *c)
{
	struct sk_stream *s;

	if (!vsock_running(c))
		return;
	if (send_replies(c)) {
		while ((s = TAILQ_FIRST(&c->ready))) {
			uint32_t sent = s->tx_cnt;
			enum output r;

			TAILQ_REMOVE(&c->ready, s, ready);
			s->on_ready = false;
			r = output(s);
			if (r == OUTPUT_DONE || s->state == VSOCK_GONE || s->state == VSOCK_DEAD)
				continue;
			s->on_ready = true;
			/* A stream that has sent something has had its turn. */
			if (r == OUTPUT_BLOCK && s->tx_cnt == sent)
				TAILQ_INSERT_HEAD(&c->ready, s, ready);
			else
				TAILQ_INSERT_TAIL(&c->ready, s, ready);
			if (r == OUTPUT_BLOCK)
				break;
		}
	}
	vsock_flush(c);
}

/* --- guest to host --- */

/* Breaks a connection from our side. */
static void reset(struct sk_stream *s)
{
	vsock_reply(s->carrier, s->guest_port, s->host_port, VIRTIO_VSOCK_TYPE_STREAM, true);
	vsock_stream_gone(s, ECONNRESET);
}

static void on_request(struct sk_carrier *c, const struct virtio_vsock_hdr *h, uint32_t guest_port, uint32_t host_port)
{
	struct sk_stream *s = vsock_find(c, guest_port, host_port);
	struct vsock_listener *l = vsock_find_listener(c, host_port);
	bool ok;

	if (s)
		vsock_stream_gone(s, s->peer_shut ? 0 : ECONNRESET);
	s = l ? vsock_stream_new(c, guest_port, host_port) : NULL;
	if (!s) {
		vsock_reply(c, guest_port, host_port, VIRTIO_VSOCK_TYPE_STREAM, false);
		return;
	}
	s->state = VSOCK_ACCEPTING;
	s->peer_alloc = le32toh(h->buf_alloc);
	s->peer_fwd = le32toh(h->fwd_cnt);
	s->busy++;
	ok = l->accept(l->arg, s, guest_port);
	s->busy--;
	if (s->state == VSOCK_DEAD || !ok) {
		if (s->state != VSOCK_DEAD)
			vsock_reply(c, guest_port, host_port, VIRTIO_VSOCK_TYPE_STREAM, true);
		vsock_stream_die(s);
		return;
	}
	assert(s->events);
	s->state = VSOCK_OPEN;
	s->send_response = true;
	vsock_output(s);
}

static void on_shutdown(struct sk_stream *s, uint32_t flags)
{
	if (flags & VIRTIO_VSOCK_SHUTDOWN_SEND)
		s->peer_shut = true;
	if (flags & VIRTIO_VSOCK_SHUTDOWN_RCV)
		s->peer_deaf = true;
	if (s->peer_shut && s->peer_deaf) {
		/* The guest has closed its socket and waits for the RST to forget it. */
		vsock_reply(s->carrier, s->guest_port, s->host_port, VIRTIO_VSOCK_TYPE_STREAM, true);
		vsock_stream_gone(s, s->tx.len ? ECONNRESET : 0);
		return;
	}
	if (s->peer_deaf)
		sk_buf_fini(&s->tx);
	vsock_stream_work(s);
}

/* A packet of an existing stream. */
static void on_stream_packet(struct sk_stream *s, const struct virtio_vsock_hdr *h, uint16_t op, size_t len)
{
	struct sk_carrier *c = s->carrier;

	s->peer_alloc = le32toh(h->buf_alloc);
	s->peer_fwd = le32toh(h->fwd_cnt);
	if (op == VIRTIO_VSOCK_OP_RST) {
		vsock_stream_gone(s, s->state == VSOCK_CONNECTING ? ECONNREFUSED : s->peer_shut ? 0 : ECONNRESET);
		return;
	}
	if (s->state == VSOCK_CONNECTING) {
		if (op != VIRTIO_VSOCK_OP_RESPONSE) {
			reset(s);
			return;
		}
		s->state = VSOCK_OPEN;
		s->connected_due = true;
		vsock_stream_work(s);
		vsock_output(s);
		return;
	}
	switch (op) {
	case VIRTIO_VSOCK_OP_RW:
		/* More than it has credit for, or after its end of file. */
		if (s->peer_shut || len > SK_STREAM_BUF - s->rx.len ||
		    vsock_stream_input(s, &c->tx_chain, sizeof(*h), len) < 0) {
			reset(s);
			return;
		}
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		on_shutdown(s, le32toh(h->flags));
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		s->send_credit = true;
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	default:
		reset(s);
		return;
	}
	vsock_output(s);
}

/* One packet, in c->tx_chain. -EPROTO: it is not even one. */
static int on_packet(struct sk_carrier *c)
{
	struct sk_vq_chain *chain = &c->tx_chain;
	struct virtio_vsock_hdr h;
	uint32_t guest_port, host_port;
	struct sk_stream *s;
	uint16_t op;
	size_t len;

	if (sk_iovec_read(chain->iov, chain->n_out, 0, &h, sizeof(h)) != sizeof(h))
		return -EPROTO;
	len = le32toh(h.len);
	op = le16toh(h.op);
	guest_port = le32toh(h.src_port);
	host_port = le32toh(h.dst_port);
	if (len > chain->out_len - sizeof(h) && !chain->out_hole)
		return -EPROTO;
	if (le64toh(h.src_cid) != c->guest_cid)
		return 0;
	s = NULL;
	if (le16toh(h.type) == VIRTIO_VSOCK_TYPE_STREAM && le64toh(h.dst_cid) == VSOCK_HOST_CID) {
		if (op == VIRTIO_VSOCK_OP_REQUEST) {
			on_request(c, &h, guest_port, host_port);
			return 0;
		}
		s = vsock_find(c, guest_port, host_port);
	}
	if (s) {
		s->busy++;
		if (chain->out_hole)
			reset(s);
		else
			on_stream_packet(s, &h, op, len);
		s->busy--;
		if (s->state == VSOCK_DEAD)
			vsock_stream_die(s);
	} else if (op != VIRTIO_VSOCK_OP_RST) {
		vsock_reply(c, guest_port, host_port, le16toh(h.type), false);
	}
	return 0;
}

static bool drain_tx(struct sk_carrier *c)
{
	struct sk_virtqueue *vq = &c->dev.vq[VSOCK_TX];
	unsigned budget;
	int r = 0;

	for (budget = SK_VIRTIO_BUDGET; budget > 0; budget--) {
		r = sk_vq_next(vq, &c->tx_chain);
		if (r <= 0)
			break;
		r = on_packet(c);
		/* The buffer is free as soon as the bytes are copied. */
		sk_vq_push(vq, c->tx_chain.head, 0);
		sk_vq_publish(vq);
		if (r < 0)
			break;
		if (c->n_replies && TAILQ_EMPTY(&c->ready))
			send_replies(c);
		vsock_flush(c);
		r = 1;
	}
	sk_vq_flush(vq);
	if (r < 0)
		sk_virtio_fail(&c->dev, "the guest broke the transmit queue");
	return r > 0;
}

/* --- the device --- */

static bool vsock_kick(struct sk_device *dev, unsigned q)
{
	struct sk_carrier *c = carrier_of(dev);
	bool more = false;

	if (q == VSOCK_TX)
		more = drain_tx(c);
	send_waiting(c);
	return more;
}

static void vsock_queue_ready(struct sk_device *dev, unsigned q)
{
	struct sk_carrier *c = carrier_of(dev);
	struct sk_stream *s;

	(void)q;
	if (!vsock_running(c))
		return;
	/* Packets that were written before, or while the queues were suspended. */
	TAILQ_FOREACH(s, &c->all, all)
	vsock_output(s);
	vsock_flush(c);
}

static size_t vsock_config(struct sk_device *dev, uint8_t buf[SK_VIRTIO_CONFIG])
{
	struct virtio_vsock_config config = { .guest_cid = htole64(carrier_of(dev)->guest_cid) };

	memcpy(buf, &config, sizeof(config));
	return sizeof(config);
}

static void vsock_disconnected(struct sk_device *dev)
{
	struct sk_carrier *c = carrier_of(dev);

	c->n_replies = 0;
	vsock_streams_lost(c);
	if (c->lost)
		c->lost(c->lost_arg);
}

static void vsock_free(struct sk_device *dev)
{
	struct sk_carrier *c = carrier_of(dev);

	c->lost = NULL;
	sk_virtio_fini(dev);
	vsock_streams_fini(c);
	free(c);
}

static const struct sk_virtio_ops vsock_ops = {
	.n_queues = VSOCK_QUEUES,
	.config = vsock_config,
	.queue_ready = vsock_queue_ready,
	.queue_kick = vsock_kick,
	.disconnected = vsock_disconnected,
	.free = vsock_free,
};

int sk_vsock_new(struct sk_loop *loop, int take_listen_fd, uint64_t guest_cid, void (*lost)(void *arg), void *arg,
		 struct sk_device **ret_device, struct sk_carrier **ret_carrier, struct sk_error *err)
{
	_cleanup_fd_ int listen_fd = take_listen_fd;
	struct sk_carrier *c;
	int r;

	if (guest_cid <= VSOCK_HOST_CID || guest_cid >= UINT32_MAX)
		return sk_error_set(err, EINVAL, "%llu cannot be a guest's vsock address",
				    (unsigned long long)guest_cid);
	c = calloc(1, sizeof(*c));
	if (!c)
		return sk_error_errno(err, ENOMEM, "cannot set up the vsock device");
	c->dev.ops = &vsock_ops;
	c->dev.id = SK_VIRTIO_VSOCK;
	c->dev.name = "vsock";
	c->guest_cid = guest_cid;
	c->lost = lost;
	c->lost_arg = arg;
	c->dev.loop = loop;
	r = vsock_streams_init(c);
	if (r < 0)
		sk_error_errno(err, -r, "cannot set up the vsock device");
	else
		r = sk_virtio_init(&c->dev, loop, SK_TAKE_FD(listen_fd), err);
	if (r < 0) {
		vsock_streams_fini(c);
		free(c);
		return r;
	}
	*ret_device = &c->dev;
	*ret_carrier = c;
	return 0;
}
