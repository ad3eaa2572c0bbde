/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's end of the control connection: frames in, replies and events out. Output that the monitor does not read
 * is bounded; beyond that, or at a broken frame, the session ends.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/log.h"
#include "skerry_config.h"

#define SESSION_READ 65536u

struct sk_agent_session {
	int fd;
	bool gone;
	struct sk_source *source;
	struct sk_buf in, out;
	const struct sk_session_ops *ops;
	void *arg;
};

static void session_gone(struct sk_agent_session *s)
{
	if (s->gone)
		return;
	s->gone = true;
	sk_loop_remove(s->source);
	s->source = NULL;
	s->ops->gone(s->arg);
}

static void flush(struct sk_agent_session *s)
{
	while (s->out.len && !s->gone) {
		ssize_t n = send(s->fd, sk_buf_data(&s->out), s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			sk_buf_consume(&s->out, (size_t)n);
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			session_gone(s);
			return;
		}
	}
	if (s->source)
		sk_loop_set_events(s->source, SK_LOOP_READ | (s->out.len ? SK_LOOP_WRITE : 0u));
}

static void send_json(struct sk_agent_session *s, json_t *take_object, const struct sk_error *err)
{
	int r;

	if (s->gone) {
		json_decref(take_object);
		return;
	}
	if (!take_object) {
		sk_log(SK_LOG_ERROR, "control channel: cannot say something: %s", err->message);
		return;
	}
	r = sk_frame_put_json(&s->out, take_object);
	json_decref(take_object);
	if (r < 0) {
		sk_log(SK_LOG_ERROR, "control channel: cannot send (%d)", r);
		session_gone(s);
		return;
	}
	flush(s);
}

void sk_session_reply(struct sk_agent_session *s, const struct sk_msg *req, struct sk_reply *reply)
{
	struct sk_reply empty = { 0 }, *r = reply ? reply : &empty;
	struct sk_error err = SK_ERROR_INIT;

	r->id = req->id;
	r->ok = true;
	send_json(s, sk_reply_encode(req->op, r, &err), &err);
}

void sk_session_fail(struct sk_agent_session *s, uint64_t id, const struct sk_error *err, int exit_code)
{
	const struct sk_reply reply = { .id = id, .error = err->code, .message = err->message, .exit_code = exit_code };

	send_json(s, sk_reply_encode(SK_OP_SYNC, &reply, NULL), NULL); /* a failure has the same form for all */
}

void sk_session_event(struct sk_agent_session *s, const struct sk_msg *event)
{
	struct sk_error err = SK_ERROR_INIT;

	send_json(s, sk_msg_encode(event, &err), &err);
}

/* 1: one frame was dealt with, 0: more bytes needed, negative: the stream is broken. */
static int one_frame(struct sk_agent_session *s)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg req;
	struct sk_frame frame;
	json_t *json;
	int r = sk_frame_peek(&s->in, &frame);

	if (r <= 0)
		return r;
	json = sk_frame_json(&frame);
	sk_frame_consume(&s->in, &frame);
	if (!json)
		return -EPROTO;
	r = sk_msg_decode(SK_WIRE_TO_AGENT, json, &req, &err);
	if (r == -EOPNOTSUPP)
		sk_error_wrap(&err, "the guest's agent (skerry " SK_VERSION ") is older than the monitor");
	if (r < 0) {
		sk_session_fail(s, req.id, &err, 0);
		return 1;
	}
	s->ops->handle(s->arg, &req);
	return 1;
}

static void session_ready(void *arg, int fd, unsigned events)
{
	struct sk_agent_session *s = arg;
	uint8_t *to;
	ssize_t n;
	int r = 1;

	if (events & SK_LOOP_WRITE)
		flush(s);
	if (!(events & (SK_LOOP_READ | SK_LOOP_HANGUP)) || s->gone)
		return;
	to = sk_buf_reserve(&s->in, sk_buf_room(&s->in) < SESSION_READ ? sk_buf_room(&s->in) : SESSION_READ);
	if (!to) {
		session_gone(s);
		return;
	}
	n = recv(fd, to, sk_buf_room(&s->in) < SESSION_READ ? sk_buf_room(&s->in) : SESSION_READ, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		session_gone(s);
		return;
	}
	sk_buf_commit(&s->in, (size_t)n);
	while (r == 1 && !s->gone)
		r = one_frame(s);
	if (r < 0)
		session_gone(s);
}

int sk_session_new(struct sk_loop *loop, int take_fd, const struct sk_session_ops *ops, void *arg,
		   struct sk_agent_session **ret_session)
{
	struct sk_agent_session *s = calloc(1, sizeof(*s));

	if (!s) {
		close(take_fd);
		return -ENOMEM;
	}
	*s = (struct sk_agent_session){ .fd = take_fd, .ops = ops, .arg = arg };
	/* One frame of the largest size and what was read together with its end. */
	sk_buf_init(&s->in, SK_FRAME_MAX + SK_FRAME_HEADER + SESSION_READ);
	sk_buf_init(&s->out, SK_SESSION_OUT_MAX);
	s->source = sk_loop_add_fd(loop, s->fd, SK_LOOP_READ, session_ready, s);
	if (!s->source) {
		int r = -errno;

		sk_session_free(s);
		return r;
	}
	*ret_session = s;
	return 0;
}

void sk_session_free(struct sk_agent_session *s)
{
	if (!s)
		return;
	sk_loop_remove(s->source);
	sk_close_fd(&s->fd);
	sk_buf_fini(&s->in);
	sk_buf_fini(&s->out);
	free(s);
}

void sk_session_flush(struct sk_agent_session *s, int ms)
{
	uint64_t end = sk_now_ms() + (uint64_t)ms;

	for (flush(s); s->out.len && !s->gone && sk_now_ms() < end; flush(s)) {
		struct pollfd p = { .fd = s->fd, .events = POLLOUT };

		poll(&p, 1, 50);
	}
}
