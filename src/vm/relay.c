/* SPDX-License-Identifier: Apache-2.0 */
/* A socket of the host joined to a stream of the guest: see vm/relay.h. */
#include "vm/relay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define RELAY_CHUNK 65536u
#define RELAY_LINGER_MS 1000u /* for what a peer that is gone has sent to reach the guest */

struct sk_relay {
	struct sk_loop *loop;
	sk_relay_done_cb done;
	void *arg;
	int fd;
	struct sk_stream *stream;
	struct sk_source *source, *finish, *linger;
	struct sk_buf rest; /* read from the socket; the stream had no room for it */
	bool stream_full;   /* the stream says when it has room */
	bool socket_full;   /* the socket is watched for room */
	bool socket_ended;  /* no more to read from it */
	bool stream_ended;  /* and none of this */
	bool hung_up;	    /* the socket's peer neither writes nor reads any more: it is not watched */
};

static void on_finish(void *arg)
{
	struct sk_relay *r = arg;

	r->done(r->arg, r);
}

/* Both directions are over, or one side is gone. Once, from the loop: no callback of the stream may free it. */
static void finish(struct sk_relay *r)
{
	sk_loop_remove(SK_TAKE_PTR(r->source));
	sk_loop_trigger(r->finish);
}

static void watch(struct sk_relay *r)
{
	unsigned events = 0;

	if (!r->source)
		return;
	if (r->stream && !r->socket_ended && !r->rest.len && !r->stream_full)
		events |= SK_LOOP_READ;
	if (r->socket_full)
		events |= SK_LOOP_WRITE;
	sk_loop_set_events(r->source, events);
}

/* Writes the rest first. True: there is room for more. */
static bool flush(struct sk_relay *r)
{
	while (r->rest.len) {
		size_t n = sk_stream_write(r->stream, sk_buf_data(&r->rest), r->rest.len);

		sk_buf_consume(&r->rest, n);
		r->stream_full = !n;
		if (!n)
			return false;
	}
	return true;
}

static void on_linger(void *arg)
{
	finish(arg);
}

/* All that the socket had is with the stream. */
static void end_socket(struct sk_relay *r)
{
	r->socket_ended = true;
	sk_stream_shutdown(r->stream);
	if (r->stream_ended)
		finish(r);
	else if (r->hung_up)
		sk_loop_set_timer(r->linger, RELAY_LINGER_MS);
}

static void read_socket(struct sk_relay *r)
{
	uint8_t chunk[RELAY_CHUNK];
	size_t written;
	ssize_t n;

	while (r->stream && !r->socket_ended && !r->stream_full && flush(r)) {
		n = recv(r->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			finish(r);
			return;
		}
		if (n == 0) {
			end_socket(r);
			break;
		}
		written = sk_stream_write(r->stream, chunk, (size_t)n);
		r->stream_full = written < (size_t)n;
		if (r->stream_full && sk_buf_append(&r->rest, chunk + written, (size_t)n - written) < 0) {
			finish(r);
			return;
		}
		if (n < (ssize_t)sizeof(chunk) && !r->hung_up)
			break; /* most likely there is no more yet; without a source nobody would tell of it */
	}
	watch(r);
}

static void on_socket(void *arg, int fd, unsigned events)
{
	struct sk_relay *r = arg;

	(void)fd;
	if (events & SK_LOOP_ERROR) {
		finish(r);
		return;
	}
	if (events & (SK_LOOP_WRITE | SK_LOOP_HANGUP) && r->socket_full && r->stream) {
		r->socket_full = false;
		sk_stream_resume(r->stream);
	}
	if (events & SK_LOOP_HANGUP) {
		/* Reported again and again: what is left is read as the stream has room. */
		r->hung_up = true;
		sk_loop_remove(SK_TAKE_PTR(r->source));
		if (!r->stream || r->socket_ended) {
			finish(r);
			return;
		}
	}
	read_socket(r);
}

static size_t on_data(void *arg, const uint8_t *data, size_t n)
{
	struct sk_relay *r = arg;
	size_t sent = 0;

	while (sent < n) {
		ssize_t k = send(r->fd, data + sent, n - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (k >= 0) {
			sent += (size_t)k;
		} else if (errno == EAGAIN) {
			r->socket_full = true;
			break;
		} else if (errno != EINTR) {
			finish(r);
			return n; /* nobody reads it any more */
		}
	}
	watch(r);
	return sent;
}

static void on_eof(void *arg)
{
	struct sk_relay *r = arg;

	r->stream_ended = true;
	shutdown(r->fd, SHUT_WR);
	if (r->socket_ended)
		finish(r);
}

static void on_writable(void *arg)
{
	struct sk_relay *r = arg;

	r->stream_full = false;
	read_socket(r);
}

static void on_closed(void *arg, int error)
{
	struct sk_relay *r = arg;

	(void)error;
	r->stream = NULL;
	finish(r);
}

static const struct sk_stream_events events = {
	.data = on_data,
	.eof = on_eof,
	.writable = on_writable,
	.closed = on_closed,
};

struct sk_relay *sk_relay_new(struct sk_loop *loop, int take_fd, sk_relay_done_cb done, void *arg)
{
	struct sk_relay *r = calloc(1, sizeof(*r));

	if (!r) {
		sk_close_fd(&take_fd);
		return NULL;
	}
	*r = (struct sk_relay){ .loop = loop, .done = done, .arg = arg, .fd = take_fd };
	sk_buf_init(&r->rest, RELAY_CHUNK);
	r->source = sk_loop_add_fd(loop, r->fd, 0, on_socket, r);
	r->finish = sk_loop_add_deferred(loop, on_finish, r);
	r->linger = sk_loop_add_timer(loop, UINT64_MAX, on_linger, r);
	if (!r->source || !r->finish || !r->linger) {
		sk_relay_free(r);
		return NULL;
	}
	return r;
}

size_t sk_relay_join(struct sk_relay *r, struct sk_stream *take_stream, const uint8_t *data, size_t n)
{
	r->stream = take_stream;
	sk_stream_set_events(r->stream, &events, r);
	n = n ? on_data(r, data, n) : 0;
	read_socket(r);
	return n;
}

void sk_relay_free(struct sk_relay *r)
{
	if (!r)
		return;
	sk_loop_remove(r->source);
	sk_loop_remove(r->finish);
	sk_loop_remove(r->linger);
	sk_stream_close(r->stream);
	sk_close_fd(&r->fd);
	sk_buf_fini(&r->rest);
	free(r);
}
