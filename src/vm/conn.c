/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's connection: bytes and frames both ways, replies, and requests that go on to the agent and whose answer
 * comes back here. What a client may ask for is not known here: control.c handles what comes in (m->clients).
 *
 * A connection is freed only by the deferred step (monitor.c), never inside a callback, and never while a reply of the
 * agent that names it is still to come (`refs`). `dead` means: the peer is gone or broken, do nothing more with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/log.h"
#include "vm/monitor.h"

/* Unsent bytes of a connection: output stops at SK_CONN_HIGH, replies come on top. */
#define SK_CONN_OUT_MAX (8u << 20)

void sk_conn_dead(struct sk_conn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	sk_loop_remove(SK_TAKE_PTR(c->source));
	c->m->clients->gone(c);
	if ((c->kind == SK_CONN_COPY || c->kind == SK_CONN_SHARE) && c->copy.stream) {
		sk_stream_close(SK_TAKE_PTR(c->copy.stream));
		c->copy.done = true;
	}
	sk_loop_trigger(c->m->reap);
}

void sk_conn_flush(struct sk_conn *c)
{
	bool was_high = c->out.len >= SK_CONN_HIGH / 2;

	while (c->out.len) {
		ssize_t n = send(c->fd, sk_buf_data(&c->out), c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			sk_conn_dead(c);
			return;
		}
		sk_buf_consume(&c->out, (size_t)n);
	}
	if (!c->out.len && c->kind == SK_CONN_CLOSING) {
		shutdown(c->fd, SHUT_WR);
		sk_conn_dead(c);
		return;
	}
	if (c->source)
		sk_loop_set_events(c->source, (c->in_closed ? 0 : SK_LOOP_READ) | (c->out.len ? SK_LOOP_WRITE : 0));
	if (was_high && c->out.len < SK_CONN_HIGH / 2) {
		if (c->proc)
			c->m->clients->room(c);
		if (c->copy.stalled && c->copy.stream) {
			c->copy.stalled = false;
			sk_stream_resume(c->copy.stream);
		}
	}
}

bool sk_conn_output(struct sk_conn *c, uint8_t type, const void *p, size_t n)
{
	if (c->dead)
		return false;
	if (sk_frame_put(&c->out, type, p, n) < 0) {
		sk_conn_dead(c);
		return false;
	}
	sk_conn_flush(c);
	return !c->dead;
}

void sk_conn_raw(struct sk_conn *c, const void *p, size_t n)
{
	if (c->dead)
		return;
	if (sk_buf_append(&c->out, p, n) < 0)
		sk_conn_dead(c);
	else
		sk_conn_flush(c);
}

/* Takes `take_json`; NULL: it could not be encoded. */
static void send_json(struct sk_conn *c, json_t *take_json, const struct sk_error *err)
{
	if (!take_json)
		sk_log(SK_LOG_ERROR, "message to a client: %s", err->message);
	if (!c->dead) {
		if (!take_json || sk_frame_put_json(&c->out, take_json) < 0)
			sk_conn_dead(c);
		else
			sk_conn_flush(c);
	}
	json_decref(take_json);
}

void sk_conn_event(struct sk_conn *c, const struct sk_msg *event)
{
	struct sk_error err = SK_ERROR_INIT;

	send_json(c, sk_msg_encode(event, &err), &err);
}

void sk_conn_reply(struct sk_conn *c, const struct sk_reply *reply)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_reply good = *reply;

	good.ok = true;
	send_json(c, sk_reply_encode(c->op, &good, &err), &err);
}

void sk_conn_reply_ok(struct sk_conn *c)
{
	sk_conn_reply(c, &(const struct sk_reply){ 0 });
}

void sk_conn_reply_error(struct sk_conn *c, int code, int exit_code, const char *message)
{
	const struct sk_reply reply = { .error = abs(code), .exit_code = exit_code, .message = message };
	struct sk_error err = SK_ERROR_INIT;

	send_json(c, sk_reply_encode(c->op, &reply, &err), &err);
}

void sk_conn_finish(struct sk_conn *c)
{
	if (c->dead)
		return;
	c->owner = false;
	c->kind = SK_CONN_CLOSING;
	sk_conn_flush(c);
}

/* ---- replies of the agent that go on to a client */

static struct sk_conn *conn_ref(struct sk_conn *c)
{
	c->refs++;
	c->kind = SK_CONN_WAITING;
	return c;
}

void sk_conn_pass_error(struct sk_conn *c, const struct sk_reply *reply)
{
	if (reply)
		sk_conn_reply_error(c, reply->error, reply->exit_code, reply->message);
	else
		sk_conn_reply_error(c, ECONNRESET, 0, "the container has stopped");
}

void sk_conn_on_passed(void *arg, const struct sk_reply *reply)
{
	struct sk_conn *c = arg;
	const struct sk_monitor *m = c->m;

	c->refs--;
	if (!reply || !reply->ok) {
		sk_conn_pass_error(c, reply);
	} else {
		struct sk_reply answer = *reply;

		answer.pid = (int)getpid();
		answer.engine = m->engine ? m->engine->name : NULL;
		sk_conn_reply(c, &answer);
	}
	sk_conn_finish(c);
	sk_loop_trigger(m->reap);
}

void sk_conn_ask(struct sk_conn *c, const struct sk_msg *request, sk_reply_cb cb)
{
	if (sk_sandbox_request(c->m->sandbox, request, cb, conn_ref(c)) < 0) {
		c->refs--;
		sk_conn_reply_error(c, ENOTCONN, 0, "the container is not running");
		sk_conn_finish(c);
	}
}

static void on_conn(void *arg, int fd, unsigned events)
{
	struct sk_conn *c = arg;
	size_t room = sk_buf_room(&c->in), want = room < 65536 ? room : 65536;
	uint8_t *to;
	ssize_t n;

	if (events & SK_LOOP_WRITE)
		sk_conn_flush(c);
	if (c->dead || !(events & (SK_LOOP_READ | SK_LOOP_HANGUP)))
		return;
	to = want ? sk_buf_reserve(&c->in, want) : NULL;
	if (!to) {
		/* A put that the guest does not take: read on when there is room. */
		sk_loop_set_events(c->source, c->out.len ? SK_LOOP_WRITE : 0);
		c->in_closed = true;
		if (events & SK_LOOP_HANGUP)
			sk_conn_dead(c);
		return;
	}
	n = recv(fd, to, want, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		sk_conn_dead(c);
		return;
	}
	sk_buf_commit(&c->in, (size_t)n);
	c->m->clients->input(c);
}

struct sk_conn *sk_conn_new(struct sk_monitor *m, int take_fd)
{
	struct sk_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		close(take_fd);
		return NULL;
	}
	c->m = m;
	c->fd = take_fd;
	c->op = SK_REQUEST_INFO; /* an error may precede the request; its form is the same for all operations */
	sk_buf_init(&c->in, 2 * (SK_FRAME_MAX + SK_FRAME_HEADER));
	sk_buf_init(&c->out, SK_CONN_OUT_MAX);
	c->source = sk_loop_add_fd(m->loop, take_fd, SK_LOOP_READ, on_conn, c);
	if (!c->source) {
		close(take_fd);
		free(c);
		return NULL;
	}
	c->next = m->conns;
	m->conns = c;
	m->n_conns++;
	return c;
}

void sk_conn_free(struct sk_conn *c)
{
	struct sk_conn **link;

	for (link = &c->m->conns; *link; link = &(*link)->next) {
		if (*link == c) {
			*link = c->next;
			c->m->n_conns--;
			break;
		}
	}
	c->m->clients->freed(c);
	sk_stream_close(c->copy.stream);
	sk_loop_remove(c->source);
	close(c->fd);
	sk_buf_fini(&c->in);
	sk_buf_fini(&c->out);
	sk_msg_fini(c->deferred);
	free(c->deferred);
	free(c);
}
