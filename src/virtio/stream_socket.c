/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Each stream is a socket, each listened port a listening one. The system's buffers do the flow control; on top of them a
 * stream keeps what its user has not taken yet (`rx`, one read at most) and what the socket had no room for (`tx`).
 *
 * A socket is watched only for what there is to do: some systems report a hang-up again and again as soon as the peer has
 * ended its side, and a stream whose user does not read would keep the loop busy.
 *
 * Callbacks come from the loop: when a socket is ready, or from the deferred call on_work(), for what a call of the user's
 * has brought about. `busy` counts callbacks on the stack; a stream that is closed meanwhile is freed when it is back at 0.
 *
 * Bounds: SK_SOCKET_STREAMS_MAX streams, SK_STREAM_BUF bytes in each direction of each, SK_SOCKET_CONNECT_MS to connect.
 */
#include "virtio/stream_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/acceptor.h"
#include "base/buf.h"
#include "base/cleanup.h"

#define READ_CHUNK (64u * 1024u)
#define WRITABLE_ROOM (SK_STREAM_BUF / 2)

enum state { CONNECTING, OPEN, GONE, DEAD };

struct sk_stream {
	struct sk_carrier *carrier;
	struct sk_stream *next;
	enum state state;
	int fd;
	struct sk_source *source; /* NULL: not watched */
	unsigned watched;
	const struct sk_stream_events *events;
	void *arg;
	unsigned busy;
	struct sk_buf rx, tx;
	uint64_t deadline_ms; /* CONNECTING */
	bool paused;	      /* the user took less than it was offered */
	bool peer_shut;	      /* no more bytes will come */
	bool eof_done;	      /* the user knows */
	bool shut, shut_sent; /* the user's shutdown */
	bool want_write;      /* `writable` is due when there is room */
	bool due;	      /* on_work() looks at it */
	int error;	      /* for `closed`, in state GONE */
};

struct port_listener {
	struct port_listener *next;
	struct sk_carrier *carrier;
	uint32_t port;
	int fd;
	struct sk_acceptor *acceptor;
	sk_stream_accept_cb accept;
	void *arg;
};

struct sk_carrier {
	struct sk_loop *loop;
	const struct sk_socket_kind *kind;
	void *arg;
	struct port_listener *listeners;
	struct sk_stream *streams;
	unsigned n_streams;
	struct sk_source *deferred, *timer;
	uint8_t chunk[READ_CHUNK];
};

static void watch(struct sk_stream *s);

/* ---- life */

static void free_stream(struct sk_stream *s)
{
	struct sk_carrier *c = s->carrier;
	struct sk_stream **link = &c->streams;

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	c->n_streams--;
	sk_buf_fini(&s->rx);
	sk_buf_fini(&s->tx);
	free(s);
}

static void close_socket(struct sk_stream *s)
{
	sk_loop_remove(SK_TAKE_PTR(s->source));
	sk_close_fd(&s->fd);
}

/* Frees it when no callback of it is on the stack. */
static void die(struct sk_stream *s)
{
	close_socket(s);
	s->state = DEAD;
	if (!s->busy)
		free_stream(s);
}

static void work(struct sk_stream *s)
{
	s->due = true;
	sk_loop_trigger(s->carrier->deferred);
}

static void gone(struct sk_stream *s, int error)
{
	if (s->state == GONE || s->state == DEAD)
		return;
	close_socket(s);
	sk_buf_consume(&s->tx, s->tx.len);
	s->state = GONE;
	s->error = error;
	work(s);
}

/* Takes `take_fd`, on failure too. */
static struct sk_stream *new_stream(struct sk_carrier *c, int take_fd, enum state state)
{
	struct sk_stream *s = c->n_streams < SK_SOCKET_STREAMS_MAX ? calloc(1, sizeof(*s)) : NULL;

	if (!s) {
		close(take_fd);
		return NULL;
	}
	*s = (struct sk_stream){ .carrier = c, .next = c->streams, .state = state, .fd = take_fd };
	sk_buf_init(&s->rx, SK_STREAM_BUF);
	sk_buf_init(&s->tx, SK_STREAM_BUF);
	c->streams = s;
	c->n_streams++;
	return s;
}

/* ---- bytes */

/* What the user has not taken is offered. */
static void offer(struct sk_stream *s)
{
	size_t n = s->rx.len, took = n;

	if (s->events->data) {
		s->paused = true; /* sk_stream_resume() from inside the callback undoes this */
		took = s->events->data(s->arg, sk_buf_data(&s->rx), n);
		if (took >= n) {
			took = n;
			s->paused = false;
		}
	}
	if (s->state != DEAD)
		sk_buf_consume(&s->rx, took);
}

static void receive(struct sk_stream *s)
{
	uint8_t *chunk = s->carrier->chunk;
	ssize_t n = recv(s->fd, chunk, READ_CHUNK, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		gone(s, errno);
	else if (n == 0)
		s->peer_shut = true;
	else if (sk_buf_append(&s->rx, chunk, (size_t)n) < 0)
		gone(s, ENOMEM);
}

/* Sends what is there, then the user's shutdown. */
static void flush(struct sk_stream *s)
{
	while (s->state == OPEN && s->tx.len) {
		ssize_t n = send(s->fd, sk_buf_data(&s->tx), s->tx.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN))
			return;
		if (n < 0) {
			gone(s, errno);
			return;
		}
		sk_buf_consume(&s->tx, (size_t)n);
	}
	if (s->state == OPEN && s->shut && !s->shut_sent) {
		s->shut_sent = true;
		shutdown(s->fd, SHUT_WR);
	}
}

static void finish_connecting(struct sk_stream *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, (void *)&error, &len) < 0 || error) {
		gone(s, ECONNREFUSED);
		return;
	}
	s->state = OPEN;
	if (s->events->connected)
		s->events->connected(s->arg);
}

/* Calls what is due, in order. May leave it DEAD; the caller holds `busy`. */
static void run(struct sk_stream *s)
{
	if (s->state == OPEN)
		flush(s);
	if (s->state != DEAD && s->state != CONNECTING && s->rx.len && !s->paused)
		offer(s);
	if (s->state != DEAD && s->peer_shut && !s->rx.len && !s->eof_done) {
		s->eof_done = true;
		if (s->events->eof)
			s->events->eof(s->arg);
	}
	if (s->state == OPEN && s->want_write && sk_buf_room(&s->tx) >= WRITABLE_ROOM) {
		s->want_write = false;
		if (s->events->writable)
			s->events->writable(s->arg);
	}
	/* Both sides have ended. */
	if (s->state == OPEN && s->eof_done && s->shut_sent)
		gone(s, 0);
	if (s->state == GONE && !s->rx.len) {
		if (s->events->closed)
			s->events->closed(s->arg, s->error);
		die(s);
	}
}

static void step(struct sk_stream *s)
{
	s->busy++;
	s->due = false;
	run(s);
	s->busy--;
	if (s->state == DEAD)
		free_stream(s);
	else
		watch(s);
}

static void on_socket(void *arg, int fd, unsigned events)
{
	struct sk_stream *s = arg;

	(void)fd;
	s->busy++;
	if (s->state == CONNECTING && (events & (SK_LOOP_WRITE | SK_LOOP_HANGUP)))
		finish_connecting(s);
	/* Bytes may be there although the peer has hung up. */
	if (s->state == OPEN && (events & (SK_LOOP_READ | SK_LOOP_HANGUP)) && !s->rx.len && !s->peer_shut)
		receive(s);
	s->busy--;
	if (s->state == DEAD)
		free_stream(s);
	else
		step(s);
}

static void watch(struct sk_stream *s)
{
	unsigned events = 0;

	if (s->fd < 0)
		return;
	if (s->state == CONNECTING)
		events = SK_LOOP_WRITE;
	else if (!s->rx.len && !s->peer_shut)
		events = SK_LOOP_READ;
	if (s->tx.len)
		events |= SK_LOOP_WRITE;
	if (s->source && events && events == s->watched)
		return;
	s->watched = events;
	if (!events)
		sk_loop_remove(SK_TAKE_PTR(s->source));
	else if (s->source)
		sk_loop_set_events(s->source, events);
	else
		s->source = sk_loop_add_fd(s->carrier->loop, s->fd, events, on_socket, s);
	if (events && !s->source)
		gone(s, ENOMEM);
}

/* Callbacks may close any stream: the list is begun anew after each. */
static void on_work(void *arg)
{
	struct sk_carrier *c = arg;
	struct sk_stream *s;

	do {
		for (s = c->streams; s && !s->due; s = s->next)
			;
		if (s)
			step(s);
	} while (s);
}

static void arm_timer(struct sk_carrier *c)
{
	uint64_t now = sk_now_ms(), due = UINT64_MAX;
	const struct sk_stream *s;

	for (s = c->streams; s; s = s->next)
		if (s->state == CONNECTING && s->deadline_ms < due)
			due = s->deadline_ms;
	if (due != UINT64_MAX)
		due = due > now ? due - now : 0;
	sk_loop_set_timer(c->timer, due);
}

static void on_timer(void *arg)
{
	struct sk_carrier *c = arg;
	struct sk_stream *s;

	for (s = c->streams; s; s = s->next)
		if (s->state == CONNECTING && s->deadline_ms <= sk_now_ms())
			gone(s, ETIMEDOUT);
	arm_timer(c);
}

/* ---- the carrier */

int sk_socket_carrier_new(struct sk_loop *loop, const struct sk_socket_kind *kind, void *arg,
			  struct sk_carrier **ret_carrier)
{
	struct sk_carrier *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->kind = kind;
	c->arg = arg;
	c->deferred = sk_loop_add_deferred(loop, on_work, c);
	c->timer = sk_loop_add_timer(loop, UINT64_MAX, on_timer, c);
	if (!c->deferred || !c->timer) {
		sk_socket_carrier_free(c);
		return -ENOMEM;
	}
	*ret_carrier = c;
	return 0;
}

void sk_socket_carrier_free(struct sk_carrier *c)
{
	struct port_listener *l;

	if (!c)
		return;
	while (c->streams)
		die(c->streams);
	while ((l = c->listeners)) {
		c->listeners = l->next;
		sk_acceptor_free(l->acceptor);
		sk_close_fd(&l->fd);
		free(l);
	}
	sk_loop_remove(c->deferred);
	sk_loop_remove(c->timer);
	free(c);
}

/* ---- stream.h */

static void on_connection(void *arg, int take_fd)
{
	struct port_listener *l = arg;
	struct sk_stream *s = new_stream(l->carrier, take_fd, OPEN);
	bool taken;

	if (!s)
		return;
	s->busy++;
	taken = l->accept(l->arg, s, 0);
	s->busy--;
	if (s->state == DEAD)
		free_stream(s);
	else if (!taken)
		die(s);
	else
		watch(s);
}

int sk_carrier_listen(struct sk_carrier *c, uint32_t port, sk_stream_accept_cb accept, void *arg)
{
	struct port_listener *l;
	int fd;

	for (l = c->listeners; l; l = l->next)
		if (l->port == port)
			return -EADDRINUSE;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	fd = c->kind->listener(c->arg, port);
	if (fd < 0) {
		free(l);
		return fd;
	}
	*l = (struct port_listener){
		.next = c->listeners, .carrier = c, .port = port, .fd = fd, .accept = accept, .arg = arg
	};
	l->acceptor = sk_acceptor_new(c->loop, fd, on_connection, l);
	if (!l->acceptor) {
		close(fd);
		free(l);
		return -ENOMEM;
	}
	c->listeners = l;
	return 0;
}

int sk_carrier_connect(struct sk_carrier *c, uint32_t port, const struct sk_stream_events *events, void *arg,
		       struct sk_stream **ret_stream)
{
	struct sk_stream *s;
	int fd;

	if (c->n_streams >= SK_SOCKET_STREAMS_MAX)
		return -EMFILE;
	fd = c->kind->dial(c->arg, port);
	if (fd < 0)
		return fd;
	s = new_stream(c, fd, CONNECTING);
	if (!s)
		return -ENOMEM;
	s->events = events;
	s->arg = arg;
	s->deadline_ms = sk_now_ms() + SK_SOCKET_CONNECT_MS;
	watch(s);
	arm_timer(c);
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

	if (s->shut || s->state == GONE || s->state == DEAD)
		return n; /* nobody will read it */
	while (s->state == OPEN && !s->tx.len && done < n) {
		ssize_t k = send(s->fd, (const uint8_t *)p + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno != EAGAIN) {
			gone(s, errno);
			return n;
		}
		if (k <= 0)
			break;
		done += (size_t)k;
	}
	room = sk_buf_room(&s->tx);
	if (room > n - done)
		room = n - done;
	if (room && sk_buf_append(&s->tx, (const uint8_t *)p + done, room) == 0)
		done += room;
	if (done < n)
		s->want_write = true;
	watch(s);
	return done;
}

void sk_stream_shutdown(struct sk_stream *s)
{
	if (s->shut)
		return;
	s->shut = true;
	work(s);
}

void sk_stream_resume(struct sk_stream *s)
{
	s->paused = false;
	if (s->state != DEAD)
		work(s);
}

void sk_stream_close(struct sk_stream *s)
{
	if (s && s->state != DEAD)
		die(s);
}
