/* SPDX-License-Identifier: Apache-2.0 */
/*
 * At any time a pump watches at most one side: `from` for reading while its buffer is empty, `to` for writing while it
 * is not. A side that is not waited for has no source in the loop at all, because epoll reports hang-ups of whatever it
 * holds.
 */
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define PUMP_CHUNK (128u * 1024u)
/* Chunks moved before other sources of the loop get their turn. */
#define PUMP_ROUNDS 8
/* How long an exited program's pipe may stay silent while some child of it still holds it. */
#define PUMP_GRACE_MS 100

struct sk_pump {
	struct sk_loop *loop;
	enum sk_pump_kind kind;
	int from, to;
	struct sk_source *from_source, *to_source, *grace;
	struct sk_buf buf; /* what `to` did not take yet */
	bool ended;	   /* `from` is at its end */
	bool broken;	   /* `to` is */
	bool draining;
	void (*done)(void *arg, struct sk_pump *pump);
	void *arg;
};

/* One for all: bytes stay here only within one call. */
static uint8_t chunk[PUMP_CHUNK];

static void pump_free(struct sk_pump *p)
{
	sk_loop_remove(p->from_source);
	sk_loop_remove(p->to_source);
	sk_loop_remove(p->grace);
	sk_close_fd(&p->from);
	sk_close_fd(&p->to);
	sk_buf_fini(&p->buf);
	free(p);
}

static void pump_finish(struct sk_pump *p)
{
	/* A forked child may still hold a copy: close() alone would not tell the peer. */
	if (p->kind == SK_PUMP_OUTPUT)
		shutdown(p->to, SHUT_WR);
	if (p->done)
		p->done(p->arg, p);
	pump_free(p);
}

static void pump_ready(void *arg, int fd, unsigned events);

static void watch(struct sk_pump *p, bool from, bool to)
{
	if (from && !p->from_source)
		p->from_source = sk_loop_add_fd(p->loop, p->from, SK_LOOP_READ, pump_ready, p);
	if (!from && p->from_source) {
		sk_loop_remove(p->from_source);
		p->from_source = NULL;
	}
	if (to && !p->to_source)
		p->to_source = sk_loop_add_fd(p->loop, p->to, SK_LOOP_WRITE, pump_ready, p);
	if (!to && p->to_source) {
		sk_loop_remove(p->to_source);
		p->to_source = NULL;
	}
}

/* Writes what `to` takes now; the number of bytes that are dealt with. */
static size_t put(struct sk_pump *p, const uint8_t *data, size_t n)
{
	size_t sent = 0;

	while (sent < n && !p->broken) {
		ssize_t w = write(p->to, data + sent, n - sent);

		if (w >= 0)
			sent += (size_t)w;
		else if (errno == EAGAIN)
			return sent;
		else if (errno != EINTR)
			p->broken = true;
	}
	return p->broken ? n : sent;
}

/* Reads one chunk and passes it on. 1: something was moved, 0: nothing there now. */
static int move(struct sk_pump *p)
{
	ssize_t n = read(p->from, chunk, sizeof(chunk));
	size_t sent;

	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		p->ended = true;
		return 1;
	}
	sent = put(p, chunk, (size_t)n);
	if (sk_buf_append(&p->buf, chunk + sent, (size_t)n - sent) < 0)
		p->broken = true; /* out of memory: end the stream, rather than lose bytes in the middle */
	return 1;
}

static void pump_work(struct sk_pump *p)
{
	int round;

	for (round = 0; round < PUMP_ROUNDS; round++) {
		if (p->buf.len)
			sk_buf_consume(&p->buf, put(p, sk_buf_data(&p->buf), p->buf.len));
		if (p->buf.len) {
			watch(p, false, true);
			return;
		}
		if (p->ended || (p->broken && p->kind == SK_PUMP_INPUT)) {
			pump_finish(p);
			return;
		}
		if (move(p) == 0)
			break;
		if (p->draining)
			sk_loop_set_timer(p->grace, PUMP_GRACE_MS);
	}
	watch(p, !p->buf.len, p->buf.len != 0);
}

static void pump_ready(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	pump_work(arg);
}

static void grace_over(void *arg)
{
	struct sk_pump *p = arg;

	if (p->buf.len) {
		sk_loop_set_timer(p->grace, PUMP_GRACE_MS);
		return;
	}
	if (move(p) == 1) { /* data has arrived in the meantime */
		sk_loop_set_timer(p->grace, PUMP_GRACE_MS);
		pump_work(p);
		return;
	}
	pump_finish(p);
}

static int set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

struct sk_pump *sk_pump_new(struct sk_loop *loop, enum sk_pump_kind kind, int take_from, int take_to,
			    void (*done)(void *arg, struct sk_pump *pump), void *arg)
{
	struct sk_pump *p = calloc(1, sizeof(*p));

	if (!p) {
		sk_close_fd(&take_from);
		sk_close_fd(&take_to);
		return NULL;
	}
	*p = (struct sk_pump){ .loop = loop, .kind = kind, .from = take_from, .to = take_to, .done = done, .arg = arg };
	sk_buf_init(&p->buf, PUMP_CHUNK);
	if (set_nonblock(p->from) < 0 || set_nonblock(p->to) < 0)
		goto fail;
	watch(p, true, false);
	if (!p->from_source)
		goto fail;
	return p;
fail:
	pump_free(p);
	return NULL;
}

void sk_pump_drain(struct sk_pump *p)
{
	if (p->draining)
		return;
	p->draining = true;
	p->grace = sk_loop_add_timer(p->loop, PUMP_GRACE_MS, grace_over, p);
}

void sk_pump_detach(struct sk_pump *p)
{
	if (!p)
		return;
	p->done = NULL;
	sk_pump_drain(p);
}

void sk_pump_stop(struct sk_pump *p)
{
	if (!p)
		return;
	if (p->kind == SK_PUMP_INPUT)
		shutdown(p->from, SHUT_RD); /* a terminal's output still uses the other half */
	pump_finish(p);
}
