/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream connections: sockets in front of ninep/stream.h.
 *
 * Where there is a secret, everybody may connect, and shall not keep those out who know it: a connection has ten seconds
 * to prove that it does; of those that have not yet, eight may come from one address, and when there are too many
 * connections, one of them goes. It is the oldest: who knows the secret needs some milliseconds.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "ninep/stream.h"
#include "ninepd/ninepd.h"

/* Requests of one connection are served for so many bytes read before others get their turn. */
#define READ_MAX (1u << 20)

#define PROOF_MS 10000u
#define STRANGERS_MAX 8u /* of one address */

/* An address, of IPv6 the half that is a network's: of the other, one host has as many as it likes. Other sockets: none. */
struct stranger {
	size_t len;
	uint8_t bytes[8];
};

struct ninepd_conn {
	struct ninepd_conn *next; /* an older one */
	struct ninepd *d;
	int fd;
	bool counted; /* one of --fd's */
	struct sk_source *source;
	struct sk_source *deadline; /* of the proof; NULL: there is none to be given, or it has been */
	struct ninepd_proof proof;
	struct stranger peer;
	struct sk_9p_stream stream;
};

static void conn_free(struct ninepd_conn *c)
{
	struct ninepd *d = c->d;
	struct ninepd_conn **at;
	bool last = c->counted && --d->n_connected_open == 0;

	for (at = &d->conns; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	d->n_conns--;
	sk_loop_remove(c->source);
	sk_loop_remove(c->deadline);
	sk_9p_stream_fini(&c->stream);
	close(c->fd);
	free(c);
	if (last)
		sk_loop_quit(d->loop);
}

/* Sends what waits. 0 or negative errno. */
static int flush(struct ninepd_conn *c)
{
	for (;;) {
		size_t n;
		const uint8_t *p = sk_9p_stream_output(&c->stream, &n);
		ssize_t sent;

		if (!n)
			return 0;
		sent = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? 0 : -errno;
		sk_9p_stream_sent(&c->stream, (size_t)sent);
	}
}

static int receive(struct ninepd_conn *c)
{
	size_t room, total = 0;

	while (total < READ_MAX) {
		uint8_t *to = sk_9p_stream_room(&c->stream, &room);
		ssize_t n;

		if (!room)
			return 0;
		n = recv(c->fd, to, room, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return -ECONNRESET;
		total += (size_t)n;
		sk_9p_stream_commit(&c->stream, (size_t)n);
		/* A short read has emptied the socket: answer at once. */
		if ((size_t)n < room)
			return 0;
	}
	return 0;
}

static void on_conn(void *arg, int fd, unsigned events)
{
	struct ninepd_conn *c = arg;
	unsigned want = SK_LOOP_READ;
	size_t out, room;
	int r = 0;

	(void)fd;
	if (events & SK_LOOP_READ)
		r = receive(c);
	else if (events & SK_LOOP_HANGUP)
		r = -ECONNRESET;
	/* Serve and send until nothing moves. */
	do {
		if (r == 0)
			r = sk_9p_stream_run(&c->stream);
		sk_9p_stream_output(&c->stream, &out);
		if (r == 0 && out)
			r = flush(c);
		sk_9p_stream_output(&c->stream, &room);
	} while (r == 0 && out && !room);
	if (r < 0) {
		conn_free(c);
		return;
	}
	if (c->proof.given)
		sk_loop_remove(SK_TAKE_PTR(c->deadline));
	if (room)
		want |= SK_LOOP_WRITE;
	sk_9p_stream_room(&c->stream, &room);
	if (!room)
		want &= ~SK_LOOP_READ;
	sk_loop_set_events(c->source, want);
}

/* A lock was granted by a timer or by another connection: send it. */
static void wake_all(void *arg)
{
	struct ninepd *d = arg;
	struct ninepd_conn *c;
	size_t n;

	for (c = d->conns; c; c = c->next) {
		sk_9p_stream_output(&c->stream, &n);
		if (n)
			sk_loop_set_events(c->source, SK_LOOP_READ | SK_LOOP_WRITE);
	}
}

/* ---- strangers: who has not proved yet that he knows the secret */

static struct stranger peer_of(int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	struct stranger p = { 0 };

	if (getpeername(fd, (struct sockaddr *)&ss, &len) < 0)
		return p;
	if (ss.ss_family == AF_INET) {
		p.len = 4;
		memcpy(p.bytes, &((const struct sockaddr_in *)(const void *)&ss)->sin_addr, p.len);
	} else if (ss.ss_family == AF_INET6) {
		p.len = sizeof(p.bytes);
		memcpy(p.bytes, &((const struct sockaddr_in6 *)(const void *)&ss)->sin6_addr, p.len);
	}
	return p;
}

/* The oldest stranger, from `peer` where that is one; how many there are. */
static struct ninepd_conn *oldest_stranger(const struct ninepd *d, const struct stranger *peer, unsigned *ret_n)
{
	struct ninepd_conn *c, *oldest = NULL;

	*ret_n = 0;
	for (c = d->conns; c; c = c->next) {
		if (!c->deadline ||
		    (peer && (c->peer.len != peer->len || memcmp(c->peer.bytes, peer->bytes, peer->len) != 0)))
			continue;
		oldest = c;
		++*ret_n;
	}
	return oldest;
}

/* Ends a stranger's connection where the new one from `peer` would be one too many. */
static void make_room(struct ninepd *d, const struct stranger *peer)
{
	struct ninepd_conn *oldest = NULL;
	unsigned n = 0;

	if (peer->len)
		oldest = oldest_stranger(d, peer, &n);
	if (n < STRANGERS_MAX)
		oldest = d->n_conns >= NINEPD_CONNECTIONS ? oldest_stranger(d, NULL, &n) : NULL;
	if (oldest)
		conn_free(oldest);
}

static void on_no_proof(void *arg)
{
	sk_log(SK_LOG_WARN, "a connection is closed: no proof of the secret in %u seconds", PROOF_MS / 1000);
	conn_free(arg);
}

static int conn_new(struct ninepd *d, int take_fd, bool counted)
{
	_cleanup_fd_ int fd = take_fd;
	struct sk_9p_session_config config = {
		.exports = d->served, .n_exports = d->n_exports, .ext = true, .by_name = counted && d->by_name
	};
	struct stranger peer = peer_of(fd);
	struct ninepd_conn *c;

	if (d->secret && !counted)
		make_room(d, &peer);
	if (d->n_conns >= NINEPD_CONNECTIONS)
		return -EMFILE;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->d = d;
	c->peer = peer;
	c->proof.d = d;
	if (d->secret) {
		config.auth = &ninepd_auth;
		config.auth_arg = &c->proof;
	}
	if (sk_9p_stream_init(&c->stream, d->server, &config) < 0) {
		free(c);
		return -ENOMEM;
	}
	c->source = sk_loop_add_fd(d->loop, fd, SK_LOOP_READ, on_conn, c);
	if (c->source && d->secret && !counted)
		c->deadline = sk_loop_add_timer(d->loop, PROOF_MS, on_no_proof, c);
	if (!c->source || (d->secret && !counted && !c->deadline)) {
		sk_loop_remove(c->source);
		sk_9p_stream_fini(&c->stream);
		free(c);
		return -ENOMEM;
	}
	c->fd = SK_TAKE_FD(fd);
	c->counted = counted;
	d->n_connected_open += counted;
	c->next = d->conns;
	d->conns = c;
	d->n_conns++;
	return 0;
}

static void on_connection(void *arg, int take_fd)
{
	if (conn_new(arg, take_fd, false) < 0)
		sk_log(SK_LOG_WARN, "a connection is refused: there are too many");
}

void ninepd_event(struct ninepd *d, const struct sk_9p_event *event)
{
	struct ninepd_conn *c;

	for (c = d->conns; c; c = c->next) {
		if (event)
			sk_9p_session_event(c->stream.session, event);
		else
			sk_9p_session_events_done(c->stream.session);
	}
	if (!event)
		wake_all(d);
}

/* Runs after each round: sends what other connections' requests have brought about. */
static void after_round(void *arg)
{
	wake_all(arg);
}

static void on_lock_timer(void *arg)
{
	struct ninepd *d = arg;

	sk_9p_server_timer(d->server);
	after_round(d);
}

static uint64_t now_ms(void *arg)
{
	(void)arg;
	return sk_now_ms();
}

static void set_timer(void *arg, uint64_t ms)
{
	struct ninepd *d = arg;

	sk_loop_set_timer(d->lock_timer, ms);
	after_round(d);
}

/* ---- sockets in the shares */

struct socket_watch {
	struct ninepd *d;
	struct sk_source *source; /* NULL: nothing is waited for: a hangup would be told at once and for ever */
	int fd;
	unsigned want;
	void (*ready)(void *arg, unsigned events);
	void *arg;
};

static unsigned loop_events(unsigned want)
{
	return (want & P9_READABLE ? SK_LOOP_READ : 0) | (want & P9_WRITABLE ? SK_LOOP_WRITE : 0);
}

static void on_socket(void *arg, int fd, unsigned events)
{
	struct socket_watch *w = arg;
	unsigned is = (events & SK_LOOP_READ ? P9_READABLE : 0) | (events & SK_LOOP_WRITE ? P9_WRITABLE : 0);

	(void)fd;
	is = events & SK_LOOP_HANGUP ? w->want : is & w->want;
	w->want &= ~is;
	if (w->want)
		sk_loop_set_events(w->source, loop_events(w->want));
	else
		sk_loop_remove(SK_TAKE_PTR(w->source));
	w->ready(w->arg, is);
	after_round(w->d);
}

static void *watch_socket(void *arg, int fd, void (*ready)(void *ready_arg, unsigned events), void *ready_arg)
{
	struct socket_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct socket_watch){ .d = arg, .fd = fd, .ready = ready, .arg = ready_arg };
	return w;
}

static int want_socket(void *watch, unsigned events)
{
	struct socket_watch *w = watch;

	w->want |= events;
	if (w->source)
		sk_loop_set_events(w->source, loop_events(w->want));
	else
		w->source = sk_loop_add_fd(w->d->loop, w->fd, loop_events(w->want), on_socket, w);
	return w->source ? 0 : -ENOMEM;
}

static void unwatch_socket(void *watch)
{
	struct socket_watch *w = watch;

	sk_loop_remove(w->source);
	free(w);
}

int ninepd_listen(struct ninepd *d, struct sk_error *err)
{
	struct sk_9p_server_config config = {
		.now_ms = now_ms, .set_timer = set_timer, .settled = d->settled, .arg = d
	};
	unsigned i;

	if (d->isolated || d->no_sandbox) {
		config.watch = watch_socket;
		config.want = want_socket;
		config.unwatch = unwatch_socket;
	}
	d->lock_timer = sk_loop_add_timer(d->loop, UINT64_MAX, on_lock_timer, d);
	if (!d->lock_timer || sk_9p_server_new(&config, &d->server) < 0)
		return sk_error_errno(err, ENOMEM, "cannot start");
	for (i = 0; i < d->n_listeners; i++) {
		d->listeners[i].acceptor = sk_acceptor_new(d->loop, d->listeners[i].fd, on_connection, d);
		if (!d->listeners[i].acceptor)
			return sk_error_errno(err, errno, "cannot listen");
	}
	for (i = 0; i < d->n_connected; i++)
		if (conn_new(d, d->connected[i], true) < 0)
			return sk_error_errno(err, ENOMEM, "cannot serve the connection");
	return 0;
}

void ninepd_close_all(struct ninepd *d)
{
	unsigned i;

	for (i = 0; i < d->n_listeners; i++)
		sk_acceptor_free(SK_TAKE_PTR(d->listeners[i].acceptor));
	while (d->conns)
		conn_free(d->conns);
}
