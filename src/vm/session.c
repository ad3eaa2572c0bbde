/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control channel to the agent (docs/protocols.md, "Monitor and agent"). One connection from the guest, the first
 * one; it is made before any other program runs. What it says is believed only about the guest itself; a malformed frame
 * ends the session and with it the VM.
 */
#include "vm/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/buf.h"
#include "base/frame.h"
#include "base/log.h"

#define SK_SESSION_PENDING 4096u
#define SK_OVERDUE_MS 5000u /* between looks */

struct pending {
	struct pending *next;
	enum sk_op op;
	uint64_t id;
	uint64_t due_ms;
	sk_reply_cb cb;
	void *arg;
};

struct sk_session {
	const struct sk_session_events *events;
	void *arg;
	struct sk_stream *stream; /* NULL: the agent has not come yet, or is gone */
	struct sk_buf in, out;
	struct pending *pending;
	unsigned n_pending;
	uint64_t next_id;
	bool accepted, hello;
	struct sk_source *timer; /* looks for answers that are overdue; while there are requests */
};

static void on_overdue(void *arg)
{
	struct sk_session *s = arg;
	uint64_t now = sk_now_ms();
	const struct sk_reply late = { .error = ETIMEDOUT, .message = "the guest does not answer" };
	struct pending **link = &s->pending, *p;

	while ((p = *link)) {
		if (!p->due_ms || p->due_ms > now) {
			link = &p->next;
			continue;
		}
		*link = p->next;
		s->n_pending--;
		if (p->cb)
			p->cb(p->arg, &late);
		free(p);
		link = &s->pending; /* the callback may have asked for more */
	}
	sk_loop_set_timer(s->timer, s->pending ? SK_OVERDUE_MS : UINT64_MAX);
}

static void flush_out(struct sk_session *s)
{
	while (s->out.len && s->stream) {
		size_t n = sk_stream_write(s->stream, sk_buf_data(&s->out), s->out.len);

		if (n == 0)
			return;
		sk_buf_consume(&s->out, n);
	}
}

static int send_request(struct sk_session *s, const struct sk_msg *request, uint64_t id)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg msg = *request;
	json_t *json;
	int r;

	msg.id = id;
	json = sk_msg_encode(&msg, &err);
	if (!json) {
		sk_log(SK_LOG_ERROR, "request to the guest: %s", err.message);
		return -err.code;
	}
	r = sk_frame_put_json(&s->out, json);
	json_decref(json);
	return r;
}

int sk_session_request(struct sk_session *s, const struct sk_msg *request, sk_reply_cb cb, void *arg)
{
	unsigned timeout = sk_msg_timeout_ms(request);
	struct pending *p;
	int r;

	if (!s->stream || s->n_pending >= SK_SESSION_PENDING)
		return -ENOTCONN;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	*p = (struct pending){ .op = request->op, .id = ++s->next_id, .cb = cb, .arg = arg };
	p->due_ms = timeout ? sk_now_ms() + timeout : 0;
	r = send_request(s, request, p->id);
	if (r < 0) {
		free(p);
		return r;
	}
	if (!s->pending)
		sk_loop_set_timer(s->timer, SK_OVERDUE_MS);
	p->next = s->pending;
	s->pending = p;
	s->n_pending++;
	flush_out(s);
	return 0;
}

static void lost(const struct sk_session *s, const char *why)
{
	s->events->lost(s->arg, why);
}

static void on_hello(struct sk_session *s, const struct sk_msg *hello)
{
	struct sk_error err = SK_ERROR_INIT;

	if (s->hello)
		return;
	if (sk_proto_check_agent(hello, &err) < 0) {
		lost(s, err.message);
		return;
	}
	s->hello = true;
	s->events->hello(s->arg, hello->hello.kernel ? hello->hello.kernel : "");
}

/* What the guest says is printed on people's terminals and written to logs: no control characters. */
static void make_plain(json_t *o, const char *key)
{
	const char *given = json_string_value(json_object_get(o, key));
	_cleanup_free_ char *plain = given ? strdup(given) : NULL;
	char *p;

	if (!plain)
		return;
	for (p = plain; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
		else if ((unsigned char)p[0] == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0)
			p[0] = p[1] = ' '; /* C1, in UTF-8 */
	}
	json_object_set_new(o, key, json_string(plain));
}

/* Takes `take_json`. An answer that breaks the protocol is a failure of its request. */
static void on_reply(struct sk_session *s, json_t *take_json)
{
	struct sk_error err = SK_ERROR_INIT;
	struct pending **link, *p = NULL;
	struct sk_reply reply;
	uint64_t id = 0;

	if (sk_reply_id(take_json, &id) == 0)
		for (link = &s->pending; (p = *link) && p->id != id; link = &p->next)
			;
	if (!p) {
		sk_log(SK_LOG_WARN, "the agent answered a request that nobody made");
		json_decref(take_json);
		return;
	}
	*link = p->next;
	s->n_pending--;
	if (sk_reply_decode(p->op, take_json, &reply, &err) < 0)
		reply = (struct sk_reply){ .error = EPROTO, .message = err.message };
	if (p->cb)
		p->cb(p->arg, &reply);
	sk_reply_fini(&reply);
	free(p);
}

/* Takes `take_json`. Events of a newer agent are not for us. */
static int on_message(struct sk_session *s, json_t *take_json)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg event;
	int r;

	make_plain(take_json, "message");
	make_plain(take_json, "kernel");
	make_plain(take_json, "agent");
	if (!json_object_get(take_json, "event")) {
		on_reply(s, take_json);
		return 0;
	}
	r = sk_msg_decode(SK_WIRE_FROM_AGENT, take_json, &event, &err);
	if (r == -EOPNOTSUPP)
		return 0;
	if (r < 0) {
		sk_log(SK_LOG_WARN, "the agent's event: %s", err.message);
		return r;
	}
	if (event.op == SK_AGENT_HELLO)
		on_hello(s, &event);
	else
		s->events->event(s->arg, &event);
	sk_msg_fini(&event);
	return 0;
}

static size_t on_data(void *arg, const uint8_t *p, size_t n)
{
	struct sk_session *s = arg;
	struct sk_frame frame;
	int r;

	if (sk_buf_append(&s->in, p, n) < 0) {
		lost(s, "the agent said too much at once");
		return n;
	}
	while ((r = sk_frame_peek(&s->in, &frame)) != 0) {
		json_t *o = r > 0 ? sk_frame_json(&frame) : NULL;

		if (o)
			sk_frame_consume(&s->in, &frame);
		if (!o || on_message(s, o) < 0) {
			lost(s, "the agent sent something that is not of the protocol");
			return n;
		}
	}
	return n;
}

static void on_eof(void *arg)
{
	lost(arg, "the agent in the guest has gone");
}

static void on_writable(void *arg)
{
	flush_out(arg);
}

static void on_closed(void *arg, int error)
{
	struct sk_session *s = arg;

	(void)error;
	s->stream = NULL;
	lost(s, "the agent in the guest has gone");
}

static const struct sk_stream_events session_events = {
	.data = on_data,
	.eof = on_eof,
	.writable = on_writable,
	.closed = on_closed,
};

static bool on_accept(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	struct sk_session *s = arg;

	(void)guest_port;
	if (s->accepted)
		return false; /* the agent was first; this is something else in the guest */
	s->accepted = true;
	s->stream = stream;
	sk_stream_set_events(stream, &session_events, s);
	return true;
}

int sk_session_new(struct sk_loop *loop, struct sk_carrier *carrier, const struct sk_session_events *events, void *arg,
		   struct sk_session **ret_session)
{
	struct sk_session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->events = events;
	s->arg = arg;
	sk_buf_init(&s->in, 2 * (SK_FRAME_MAX + SK_FRAME_HEADER));
	sk_buf_init(&s->out, 8 * (SK_FRAME_MAX + SK_FRAME_HEADER));
	s->timer = sk_loop_add_timer(loop, UINT64_MAX, on_overdue, s);
	r = s->timer ? sk_carrier_listen(carrier, SK_PORT_CONTROL, on_accept, s) : -ENOMEM;
	if (r < 0) {
		sk_session_free(s);
		return r;
	}
	*ret_session = s;
	return 0;
}

void sk_session_free(struct sk_session *s)
{
	struct pending *p;

	if (!s)
		return;
	sk_stream_close(SK_TAKE_PTR(s->stream));
	sk_loop_remove(s->timer);
	while ((p = s->pending)) {
		s->pending = p->next;
		if (p->cb)
			p->cb(p->arg, NULL);
		free(p);
	}
	sk_buf_fini(&s->in);
	sk_buf_fini(&s->out);
	free(s);
}
