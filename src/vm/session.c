/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control channel to the agent (docs/protocols.md, "Monitor and agent"). One connection from the guest, the first
 * one; it is made before any container runs. What it says is believed only about the guest itself; a malformed frame
 * ends the session and with it the VM.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/id.h"
#include "base/log.h"
#include "vm/monitor.h"

#define SK_SESSION_PENDING 4096u
#define SK_OVERDUE_MS 5000u /* between looks */
#define SK_OOM_EVENTS_MS 1000u

struct pending {
	struct pending *next;
	enum sk_op op;
	uint64_t id;
	uint64_t due_ms;
	sk_reply_cb cb;
	void *arg;
};

struct sk_session {
	struct sk_stream *stream;
	struct sk_buf in, out;
	struct pending *pending;
	unsigned n_pending;
	uint64_t next_id;
	bool hello;
	struct sk_source *timer; /* looks for answers that are overdue; while there are requests */
	uint64_t oom_ms;	 /* of the last OOM kill that was noted */
};

static void on_overdue(void *arg)
{
	struct sk_monitor *m = arg;
	struct sk_session *s = m->session;
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
			p->cb(m, p->arg, &late);
		free(p);
		if (m->session != s)
			break;
		link = &s->pending; /* the callback may have asked for more */
	}
	if (m->session == s)
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

int sk_session_request(struct sk_monitor *m, const struct sk_msg *request, sk_reply_cb cb, void *arg)
{
	struct sk_session *s = m->session;
	unsigned timeout = sk_msg_timeout_ms(request);
	struct pending *p;
	int r;

	if (!s || !s->stream || s->n_pending >= SK_SESSION_PENDING)
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

static void on_setup(struct sk_monitor *m, void *arg, const struct sk_reply *reply)
{
	(void)arg;
	if (!reply)
		return;
	if (reply->ok)
		sk_monitor_ready(m);
	else
		sk_monitor_lost(m, reply->message);
}

/* libslirp's network, as the guest sees it. */
static int slirp_network(const struct sk_monitor *m, struct sk_network_spec *ret)
{
	*ret = (struct sk_network_spec){ .set = true, .mtu = m->config.mtu };
	if (sk_address_parse(SK_SLIRP_ADDRESS "/24", AF_INET, &ret->address) < 0 ||
	    sk_address_parse(SK_SLIRP_GATEWAY, AF_INET, &ret->gateway) < 0)
		return -EINVAL;
	if (!sk_net_host_has_ipv6())
		return 0;
	if (sk_address_parse(SK_SLIRP_ADDRESS6 "/64", AF_INET6, &ret->address6) < 0)
		return -EINVAL;
	return sk_address_parse(SK_SLIRP_GATEWAY6, AF_INET6, &ret->gateway6);
}

void sk_session_setup(struct sk_monitor *m)
{
	struct sk_msg msg = { .op = SK_OP_SETUP };
	struct timespec ts;
	char seed[65];
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &ts);
	sk_random_hex(seed, 32);
	msg.setup.time = (struct sk_time){ .set = true, .sec = ts.tv_sec, .nsec = ts.tv_nsec };
	msg.setup.seed = seed;
	msg.setup.hostname = m->config.hostname;
	msg.setup.sysctl = json_object_get(json_object_get(m->config.spec, "linux"), "sysctl");
	msg.setup.idle_reclaim = m->settings.idle_reclaim;
	if (m->managed && m->config.netns)
		sk_managed_network(m, &msg.setup.network);
	else if (m->config.network)
		r = slirp_network(m, &msg.setup.network);
	if (r == 0)
		r = sk_session_request(m, &msg, on_setup, NULL);
	if (m->managed && m->config.netns)
		sk_managed_network_fini(&msg.setup.network);
	if (r < 0)
		sk_monitor_lost(m, "the guest cannot be set up: see log/monitor.log in the container's directory");
}

static void on_hello(struct sk_monitor *m, const struct sk_msg *hello)
{
	struct sk_error err = SK_ERROR_INIT;

	if (sk_proto_check_agent(hello, &err) < 0) {
		sk_monitor_lost(m, err.message);
		return;
	}
	m->session->hello = true;
	snprintf(m->kernel, sizeof(m->kernel), "%s", hello->hello.kernel ? hello->hello.kernel : "");
	json_object_set_new(m->state, "kernel", json_string(m->kernel));
	if (!sk_managed_hold_setup(m))
		sk_session_setup(m);
}

static void on_oom(struct sk_monitor *m)
{
	m->life.oom = true;
	json_object_set_new(m->state, "oom_killed", json_true());
	/* Each is a line in the event log of all containers: not as many as a guest likes. */
	if (m->session->oom_ms && sk_now_ms() - m->session->oom_ms < SK_OOM_EVENTS_MS)
		return;
	m->session->oom_ms = sk_now_ms();
	json_object_set_new(m->state, "ooms", json_integer(json_integer_value(json_object_get(m->state, "ooms")) + 1));
	if (m->managed)
		sk_monitor_save(m);
	sk_monitor_event(m, "oom");
}

static void on_event(struct sk_monitor *m, const struct sk_msg *event)
{
	struct sk_proc *p;

	switch (event->op) {
	case SK_AGENT_HELLO:
		if (!m->session->hello)
			on_hello(m, event);
		break;
	case SK_AGENT_EXIT:
		p = sk_proc_find(m, event->container, event->key);
		if (p && !p->exited)
			sk_proc_exited(p, event->exit.code, event->exit.oom);
		break;
	case SK_AGENT_HALTED:
		if (m->life.phase == SK_PHASE_STOPPING)
			sk_monitor_lost(m, ""); /* all is written: no need to wait for the kernel to power off */
		break;
	case SK_AGENT_OOM:
		if (strcmp(event->container, SK_CONTAINER) == 0)
			on_oom(m);
		else
			sk_pod_oom(m, event->container);
		break;
	default:
		break;
	}
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
static void on_reply(struct sk_monitor *m, json_t *take_json)
{
	struct sk_error err = SK_ERROR_INIT;
	struct pending **link, *p = NULL;
	struct sk_reply reply;
	uint64_t id = 0;

	if (sk_reply_id(take_json, &id) == 0)
		for (link = &m->session->pending; (p = *link) && p->id != id; link = &p->next)
			;
	if (!p) {
		sk_log(SK_LOG_WARN, "the agent answered a request that nobody made");
		json_decref(take_json);
		return;
	}
	*link = p->next;
	m->session->n_pending--;
	if (sk_reply_decode(p->op, take_json, &reply, &err) < 0)
		reply = (struct sk_reply){ .error = EPROTO, .message = err.message };
	if (p->cb)
		p->cb(m, p->arg, &reply);
	sk_reply_fini(&reply);
	free(p);
}

/* Takes `take_json`. Events of a newer agent are not for us. */
static int on_message(struct sk_monitor *m, json_t *take_json)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg event;
	int r;

	make_plain(take_json, "message");
	make_plain(take_json, "kernel");
	make_plain(take_json, "agent");
	if (!json_object_get(take_json, "event")) {
		on_reply(m, take_json);
		return 0;
	}
	r = sk_msg_decode(SK_WIRE_FROM_AGENT, take_json, &event, &err);
	if (r == -EOPNOTSUPP)
		return 0;
	if (r < 0) {
		sk_log(SK_LOG_WARN, "the agent's event: %s", err.message);
		return r;
	}
	on_event(m, &event);
	sk_msg_fini(&event);
	return 0;
}

static size_t on_data(void *arg, const uint8_t *p, size_t n)
{
	struct sk_monitor *m = arg;
	struct sk_frame frame;
	int r;

	if (sk_buf_append(&m->session->in, p, n) < 0) {
		sk_monitor_lost(m, "the agent said too much at once");
		return n;
	}
	while (m->session && (r = sk_frame_peek(&m->session->in, &frame)) != 0) {
		json_t *o = r > 0 ? sk_frame_json(&frame) : NULL;

		if (o)
			sk_frame_consume(&m->session->in, &frame);
		if (!o || on_message(m, o) < 0) {
			sk_monitor_lost(m, "the agent sent something that is not of the protocol");
			return n;
		}
	}
	return n;
}

static void on_eof(void *arg)
{
	sk_monitor_lost(arg, "the agent in the guest has gone");
}

static void on_writable(void *arg)
{
	struct sk_monitor *m = arg;

	if (m->session)
		flush_out(m->session);
}

static void on_closed(void *arg, int error)
{
	struct sk_monitor *m = arg;

	(void)error;
	if (m->session)
		m->session->stream = NULL;
	sk_monitor_lost(m, "the agent in the guest has gone");
}

static const struct sk_stream_events session_events = {
	.data = on_data,
	.eof = on_eof,
	.writable = on_writable,
	.closed = on_closed,
};

static bool on_accept(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	struct sk_monitor *m = arg;

	(void)guest_port;
	if (m->session)
		return false; /* the agent was first; this is something else in the guest */
	m->session = calloc(1, sizeof(*m->session));
	if (!m->session)
		return false;
	m->session->timer = sk_loop_add_timer(m->loop, UINT64_MAX, on_overdue, m);
	if (!m->session->timer) {
		free(m->session);
		m->session = NULL;
		return false;
	}
	m->session->stream = stream;
	sk_buf_init(&m->session->in, 2 * (SK_FRAME_MAX + SK_FRAME_HEADER));
	sk_buf_init(&m->session->out, 8 * (SK_FRAME_MAX + SK_FRAME_HEADER));
	sk_stream_set_events(stream, &session_events, m);
	return true;
}

int sk_session_listen(struct sk_monitor *m)
{
	return sk_carrier_listen(m->carrier, SK_PORT_CONTROL, on_accept, m);
}

void sk_session_end(struct sk_monitor *m)
{
	struct sk_session *s = m->session;
	struct pending *p;

	if (!s)
		return;
	m->session = NULL;
	sk_stream_close(s->stream);
	sk_loop_remove(s->timer);
	while ((p = s->pending)) {
		s->pending = p->next;
		if (p->cb)
			p->cb(m, p->arg, NULL);
		free(p);
	}
	sk_buf_fini(&s->in);
	sk_buf_fini(&s->out);
	free(s);
}
