/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes between a socket of the host and a stream of the guest (relay.h). Towards the socket nothing is kept here: what it
 * does not take stays with the stream, and the guest gets no credit for it. Towards the guest at most RELAY_BUF bytes are
 * kept, and the socket is not read meanwhile.
 *
 * The socket is watched for what is wanted of it, and not at all while nothing is: a hang-up is reported always.
 *
 * Not trusted: either side's pace, and when it ends. A socket whose reader has gone is written to no more; what the guest
 * still sends is dropped.
 */
#include "vm/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define RELAY_BUF 65536u

struct sk_relay {
	struct sk_loop *loop;
	struct sk_source *source;
	unsigned watched; /* 0: no source */
	int fd;
	struct sk_stream *stream;
	struct sk_buf in; /* read from the socket, not yet taken by the stream */
	bool in_ended;	  /* the socket's data have ended */
	bool told;	  /* the stream was told so */
	bool stalled;	  /* the socket takes no more for now */
	bool deaf;	  /* the socket's reader has gone */
	void (*done)(void *arg);
	void *arg;
};

static void on_socket(void *arg, int fd, unsigned events);

static void watch(struct sk_relay *r)
{
	unsigned want = (r->stalled ? SK_LOOP_WRITE : 0u) | (!r->in_ended && !r->in.len ? SK_LOOP_READ : 0u);

	if (want == r->watched)
		return;
	if (!want || !r->watched)
		sk_loop_remove(SK_TAKE_PTR(r->source));
	if (want && !r->watched)
		r->source = sk_loop_add_fd(r->loop, r->fd, want, on_socket, r);
	else if (want)
		sk_loop_set_events(r->source, want);
	r->watched = r->source ? want : 0;
}

static void finish(struct sk_relay *r)
{
	void (*done)(void *arg) = r->done;
	void *arg = r->arg;

	sk_relay_free(r);
	done(arg);
}

/* Towards the guest. */
static void flush_in(struct sk_relay *r)
{
	while (r->in.len) {
		size_t n = sk_stream_write(r->stream, sk_buf_data(&r->in), r->in.len);

		if (!n)
			return;
		sk_buf_consume(&r->in, n);
	}
	if (r->in_ended && !r->told) {
		r->told = true;
		sk_stream_shutdown(r->stream);
	}
}

static void read_socket(struct sk_relay *r)
{
	uint8_t buf[RELAY_BUF];
	ssize_t n = recv(r->fd, buf, sizeof(buf), MSG_DONTWAIT);
	size_t taken;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		r->in_ended = true;
	} else {
		taken = sk_stream_write(r->stream, buf, (size_t)n);
		if (taken < (size_t)n && sk_buf_append(&r->in, buf + taken, (size_t)n - taken) < 0)
			r->in_ended = true; /* no memory: cut off, which the guest sees */
	}
	flush_in(r);
}

static void on_socket(void *arg, int fd, unsigned events)
{
	struct sk_relay *r = arg;

	(void)fd;
	if (r->stalled && events & (SK_LOOP_WRITE | SK_LOOP_HANGUP)) {
		r->stalled = false;
		sk_stream_resume(r->stream);
	}
	if (!r->in_ended && !r->in.len && events & (SK_LOOP_READ | SK_LOOP_HANGUP))
		read_socket(r);
	watch(r);
}

static size_t on_data(void *arg, const uint8_t *p, size_t n)
{
	struct sk_relay *r = arg;
	ssize_t sent = 0;
	size_t done = 0;

	while (done < n && !r->deaf && !r->stalled) {
		sent = send(r->fd, p + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent >= 0)
			done += (size_t)sent;
		else if (errno == EAGAIN)
			r->stalled = true;
		else if (errno != EINTR)
			r->deaf = true;
	}
	watch(r);
	return r->deaf ? n : done;
}

static void on_eof(void *arg)
{
	struct sk_relay *r = arg;

	shutdown(r->fd, SHUT_WR);
}

static void on_writable(void *arg)
{
	struct sk_relay *r = arg;

	flush_in(r);
	watch(r);
}

static void on_closed(void *arg, int error)
{
	struct sk_relay *r = arg;

	(void)error;
	r->stream = NULL;
	finish(r);
}

static const struct sk_stream_events relay_events = {
	.data = on_data,
	.eof = on_eof,
	.writable = on_writable,
	.closed = on_closed,
};

struct sk_relay *sk_relay_new(struct sk_loop *loop, int take_fd, struct sk_stream *take_stream, void (*done)(void *arg),
			      void *arg)
{
	struct sk_relay *r = calloc(1, sizeof(*r));

	if (!r) {
		close(take_fd);
		sk_stream_close(take_stream);
		return NULL;
	}
	*r = (struct sk_relay){ .loop = loop, .fd = take_fd, .stream = take_stream, .done = done, .arg = arg };
	sk_buf_init(&r->in, RELAY_BUF);
	(void)fcntl(take_fd, F_SETFL, O_NONBLOCK);
	sk_stream_set_events(take_stream, &relay_events, r);
	watch(r);
	if (!r->source) {
		sk_relay_free(r);
		return NULL;
	}
	return r;
}

void sk_relay_free(struct sk_relay *r)
{
	if (!r)
		return;
	sk_loop_remove(r->source);
	sk_stream_close(r->stream);
	close(r->fd);
	sk_buf_fini(&r->in);
	free(r);
}
