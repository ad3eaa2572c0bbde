/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Streams as their users see them (stream.h). Packets are vsock_dev.c's business.
 *
 * Callbacks come from the loop only: `data` and `accept` while a packet of the guest is handled, all others from the
 * deferred call on_work(); never from inside a call of stream.h. So a user need not fear that its object is gone when
 * sk_stream_shutdown() returns.
 *
 * Lifetime: a stream is in the table (found by packets) while CONNECTING, ACCEPTING or OPEN; GONE streams are only on
 * the list `all` and, when there is something to tell, on `work`. `busy` counts callbacks on the stack; a stream that
 * dies meanwhile is freed by whoever brings it back to 0. The device must not be freed from inside a callback of its
 * streams; freeing it ends them without `closed`.
 *
 * Bounds: VSOCK_STREAMS_MAX streams, SK_STREAM_BUF bytes in each direction of each.
 */
#include "virtio/vsock_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Host ports of our own connections count up from here. */
#define FIRST_PORT 0x40000000u
/* `writable` is called when this much room is there. */
#define WRITABLE_ROOM (SK_STREAM_BUF / 2)

static struct sk_stream **bucket(struct sk_carrier *c, uint32_t guest_port, uint32_t host_port)
{
	uint32_t h = (guest_port * 2654435761u) ^ (host_port * 40503u);

	return &c->hash[(h >> 8 ^ h) % VSOCK_HASH];
}

struct sk_stream *vsock_find(struct sk_carrier *c, uint32_t guest_port, uint32_t host_port)
{
	struct sk_stream *s;

	for (s = *bucket(c, guest_port, host_port); s; s = s->hash_next)
		if (s->guest_port == guest_port && s->host_port == host_port)
			return s;
	return NULL;
}

struct vsock_listener *vsock_find_listener(struct sk_carrier *c, uint32_t port)
{
	struct vsock_listener *l;

	for (l = c->listeners; l && l->port != port; l = l->next)
		;
	return l;
}

struct sk_stream *vsock_stream_new(struct sk_carrier *c, uint32_t guest_port, uint32_t host_port)
{
	struct sk_stream **head = bucket(c, guest_port, host_port), *s;

	if (c->n_streams == VSOCK_STREAMS_MAX)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->carrier = c;
	s->guest_port = guest_port;
	s->host_port = host_port;
	sk_buf_init(&s->tx, SK_STREAM_BUF);
	sk_buf_init(&s->rx, SK_STREAM_BUF);
	s->hash_next = *head;
	*head = s;
	TAILQ_INSERT_TAIL(&c->all, s, all);
	c->n_streams++;
	return s;
}

void vsock_stream_work(struct sk_stream *s)
{
	struct sk_carrier *c = s->carrier;

	if (s->on_work || s->state == VSOCK_DEAD)
		return;
	TAILQ_INSERT_TAIL(&c->work, s, work);
	s->on_work = true;
	c->n_work++;
	sk_loop_trigger(c->deferred);
}

static void off_work(struct sk_stream *s)
{
	if (!s->on_work)
		return;
	TAILQ_REMOVE(&s->carrier->work, s, work);
	s->on_work = false;
	s->carrier->n_work--;
}

/* Takes the stream out of the table and off the ready list; a second time does nothing. */
static void detach(struct sk_stream *s)
{
	struct sk_stream **p = bucket(s->carrier, s->guest_port, s->host_port);

	while (*p && *p != s)
		p = &(*p)->hash_next;
	if (*p)
		*p = s->hash_next;
	s->hash_next = NULL;
	if (s->on_ready)
		TAILQ_REMOVE(&s->carrier->ready, s, ready);
	s->on_ready = false;
}

void vsock_stream_gone(struct sk_stream *s, int error)
{
	if (s->state == VSOCK_GONE || s->state == VSOCK_DEAD)
		return;
	detach(s);
	sk_buf_fini(&s->tx);
	s->state = VSOCK_GONE;
	s->error = error;
	vsock_stream_work(s);
}

void vsock_stream_die(struct sk_stream *s)
{
	struct sk_carrier *c = s->carrier;

	if (s->state != VSOCK_DEAD) {
		detach(s);
		off_work(s);
		sk_buf_fini(&s->tx);
		s->state = VSOCK_DEAD;
	}
	if (s->busy)
		return;
	TAILQ_REMOVE(&c->all, s, all);
	c->n_streams--;
	sk_buf_fini(&s->tx);
	sk_buf_fini(&s->rx);
	free(s);
}

/* Counts `n` bytes as consumed and sends a credit update once half of the guest's credit is used. */
static void taken(struct sk_stream *s, size_t n)
{
	uint32_t window = s->peer_alloc < SK_STREAM_BUF ? s->peer_alloc : SK_STREAM_BUF;

	s->fwd_cnt += (uint32_t)n;
	if (s->fwd_cnt - s->fwd_sent >= window / 2)
		s->send_credit = true;
}

/* One call of `data`, when the user may be offered something. */
static size_t offer(struct sk_stream *s, const uint8_t *p, size_t n)
{
	size_t took;

	if (!s->events->data)
		return n;
	s->busy++;
	s->paused = true; /* sk_stream_resume() from inside the callback undoes this */
	took = s->events->data(s->arg, p, n);
	s->busy--;
	if (took >= n) {
		took = n;
		s->paused = false;
	}
	return took;
}

int vsock_stream_input(struct sk_stream *s, const struct sk_vq_chain *chain, size_t off, size_t len)
{
	struct sk_carrier *c = s->carrier;

	while (len && !s->rx.len && !s->paused && s->state == VSOCK_OPEN && !s->connected_due) {
		size_t n = len < sizeof(c->stage) ? len : sizeof(c->stage), took;

		sk_iovec_read(chain->iov, chain->n_out, off, c->stage, n);
		took = offer(s, c->stage, n);
		if (s->state == VSOCK_DEAD)
			return 0;
		taken(s, took);
		if (took < n && sk_buf_append(&s->rx, c->stage + took, n - took) < 0)
			return -ENOMEM;
		off += n;
		len -= n;
	}
	if (len && s->state == VSOCK_OPEN) {
		uint8_t *to = sk_buf_reserve(&s->rx, len);

		if (!to)
			return -ENOMEM;
		sk_iovec_read(chain->iov, chain->n_out, off, to, len);
		sk_buf_commit(&s->rx, len);
	}
	if (s->rx.len && !s->paused)
		vsock_stream_work(s);
	return 0;
}

/* Calls the user's callbacks that are due, in order. May leave `s` dead. */
static void run_work(struct sk_stream *s)
{
	if (s->connected_due) {
		s->connected_due = false;
		if (s->events->connected)
			s->events->connected(s->arg);
	}
	if (s->state != VSOCK_DEAD && s->rx.len && !s->paused) {
		size_t took = offer(s, sk_buf_data(&s->rx), s->rx.len);

		taken(s, took);
		sk_buf_consume(&s->rx, took);
		if (s->rx.len && !s->paused)
			vsock_stream_work(s);
	}
	if (s->state != VSOCK_DEAD && s->peer_shut && !s->rx.len && !s->eof_done) {
		s->eof_done = true;
		if (s->events->eof)
			s->events->eof(s->arg);
	}
	if (s->state == VSOCK_OPEN && s->want_write && sk_buf_room(&s->tx) >= WRITABLE_ROOM) {
		s->want_write = false;
		if (s->events->writable)
			s->events->writable(s->arg);
	}
	if (s->state == VSOCK_GONE && !s->rx.len) {
		if (s->events->closed)
			s->events->closed(s->arg, s->error);
		vsock_stream_die(s);
	}
}

static void on_work(void *arg)
{
	struct sk_carrier *c = arg;
	struct sk_stream *s;
	unsigned n;

	/* About as many as there are now: what the callbacks add has its turn when the loop comes round. */
	for (n = c->n_work; n > 0 && (s = TAILQ_FIRST(&c->work)); n--) {
		off_work(s);
		s->busy++;
		run_work(s);
		if (s->state != VSOCK_DEAD)
			vsock_output(s);
		s->busy--;
		if (s->state == VSOCK_DEAD)
			vsock_stream_die(s);
	}
	vsock_flush(c);
}

static void arm_timer(struct sk_carrier *c)
{
	uint64_t now = sk_now_ms(), due = UINT64_MAX;
	struct sk_stream *s;

	TAILQ_FOREACH(s, &c->all, all)
	if (s->state == VSOCK_CONNECTING && s->deadline_ms < due)
		due = s->deadline_ms;
	if (due != UINT64_MAX)
		due = due > now ? due - now : 0;
	sk_loop_set_timer(c->timer, due);
}

static void on_timer(void *arg)
{
	struct sk_carrier *c = arg;
	uint64_t now = sk_now_ms();
	struct sk_stream *s;

	TAILQ_FOREACH(s, &c->all, all)
	{
		if (s->state != VSOCK_CONNECTING || s->deadline_ms > now)
			continue;
		if (!s->send_request)
			vsock_reply(c, s->guest_port, s->host_port, VIRTIO_VSOCK_TYPE_STREAM, true);
		vsock_stream_gone(s, ETIMEDOUT);
	}
	arm_timer(c);
}

void vsock_streams_lost(struct sk_carrier *c)
{
	struct sk_stream *s;

	TAILQ_FOREACH(s, &c->all, all)
	vsock_stream_gone(s, ECONNRESET);
}

int vsock_streams_init(struct sk_carrier *c)
{
	TAILQ_INIT(&c->all);
	TAILQ_INIT(&c->ready);
	TAILQ_INIT(&c->work);
	c->next_port = FIRST_PORT;
	c->deferred = sk_loop_add_deferred(c->dev.loop, on_work, c);
	c->timer = sk_loop_add_timer(c->dev.loop, UINT64_MAX, on_timer, c);
	return c->deferred && c->timer ? 0 : -ENOMEM;
}

void vsock_streams_fini(struct sk_carrier *c)
{
	struct vsock_listener *l;
	struct sk_stream *s;

	while ((s = TAILQ_FIRST(&c->all))) {
		assert(!s->busy);
		vsock_stream_die(s);
	}
	while ((l = c->listeners)) {
		c->listeners = l->next;
		free(l);
	}
	sk_loop_remove(c->deferred);
	sk_loop_remove(c->timer);
}

/* --- stream.h --- */

int sk_carrier_listen(struct sk_carrier *c, uint32_t port, sk_stream_accept_cb accept, void *arg)
{
	struct vsock_listener *l;

	if (vsock_find_listener(c, port))
		return -EADDRINUSE;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	*l = (struct vsock_listener){ c->listeners, port, accept, arg };
	c->listeners = l;
	return 0;
}

int sk_carrier_connect(struct sk_carrier *c, uint32_t port, const struct sk_stream_events *events, void *arg,
		       struct sk_stream **ret_stream)
{
	struct sk_stream *s;

	if (!vsock_running(c))
		return -ENOTCONN;
	if (c->n_streams == VSOCK_STREAMS_MAX)
		return -EMFILE;
	/* Ends: there are fewer streams than ports. */
	do {
		if (++c->next_port < FIRST_PORT)
			c->next_port = FIRST_PORT;
	} while (vsock_find(c, port, c->next_port) || vsock_find_listener(c, c->next_port));
	s = vsock_stream_new(c, port, c->next_port);
	if (!s)
		return -ENOMEM;
	s->state = VSOCK_CONNECTING;
	s->send_request = true;
	s->events = events;
	s->arg = arg;
	s->deadline_ms = sk_now_ms() + VSOCK_CONNECT_MS;
	arm_timer(c);
	vsock_output(s);
	vsock_flush(c);
	*ret_stream = s;
	return 0;
}

void sk_stream_set_events(struct sk_stream *s, const struct sk_stream_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
}

size_t sk_stream_write(struct sk_stream *s, const void *p, size_t n)
{
	size_t done = 0, room;

	if (s->shut || s->state == VSOCK_GONE || s->state == VSOCK_DEAD || s->peer_deaf)
		return n; /* nobody will read it */
	if (s->state == VSOCK_OPEN && !s->tx.len && !s->on_ready && !s->send_response && vsock_running(s->carrier)) {
		done = vsock_send_data(s, p, n);
		vsock_flush(s->carrier);
		if (done == n)
			return n;
	}
	room = sk_buf_room(&s->tx);
	if (room > n - done)
		room = n - done;
	if (room && sk_buf_append(&s->tx, (const uint8_t *)p + done, room) == 0)
		done += room;
	if (done < n)
		s->want_write = true;
	vsock_output(s);
	vsock_flush(s->carrier);
	return done;
}

void sk_stream_shutdown(struct sk_stream *s)
{
	if (s->shut)
		return;
	s->shut = true;
	vsock_output(s);
	vsock_flush(s->carrier);
}

void sk_stream_resume(struct sk_stream *s)
{
	s->paused = false;
	vsock_stream_work(s);
}

void sk_stream_close(struct sk_stream *s)
{
	if (!s || s->state == VSOCK_DEAD)
		return;
	/* A connection that the guest does not know of yet, or any more, needs no end. */
	if (s->state == VSOCK_OPEN || s->state == VSOCK_ACCEPTING ||
	    (s->state == VSOCK_CONNECTING && !s->send_request)) {
		vsock_reply(s->carrier, s->guest_port, s->host_port, VIRTIO_VSOCK_TYPE_STREAM, true);
		vsock_send_replies(s->carrier);
	}
	vsock_stream_die(s);
}
