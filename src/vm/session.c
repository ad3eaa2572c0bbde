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
#include <time.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/id.h"
#include "base/log.h"
#include "vm/monitor.h"

#define SK_AGENT_PORT 1024u
#define SK_AGENT_VERSION 1
#define SK_SESSION_PENDING 4096u
#define SK_ANSWER_MS 60000u
#define SK_OVERDUE_MS 5000u /* between looks */
#define SK_OOM_EVENTS_MS 1000u

struct pending {
	struct pending *next;
	json_int_t id;
	uint64_t due_ms;
	sk_reply_cb cb;
	void *arg;
};

struct sk_session {
	struct sk_stream *stream;
	struct sk_buf in, out;
	struct pending *pending;
	unsigned n_pending;
	json_int_t next_id;
	bool hello;
	struct sk_source *timer; /* looks for answers that are overdue; while there are requests */
	uint64_t oom_ms;	 /* of the last OOM kill that was noted */
};

/* How long the guest may take for an answer. What moves data, or boots and ends a container, takes as long as it takes:
 * clients can go away, and a stop has deadlines of its own. */
static unsigned patience_ms(const json_t *request)
{
	static const char *const unbounded[] = {
		"setup", "create", "start", "delete", "get", "put", "sync", "shutdown"
	};
	const char *op = json_string_value(json_object_get(request, "op"));
	size_t i;

	for (i = 0; op && i < SK_ARRAY_SIZE(unbounded); i++)
		if (strcmp(op, unbounded[i]) == 0)
			return 0;
	if (json_is_true(json_object_get(request, "ignore_paused"))) /* it begins when the container is resumed */
		return 0;
	return op && strcmp(op, "exec") == 0 ? 2 * SK_ANSWER_MS : SK_ANSWER_MS;
}

static void on_overdue(void *arg)
{
	struct sk_monitor *m = arg;
	struct sk_session *s = m->session;
	uint64_t now = sk_now_ms();
	struct pending **link = &s->pending, *p;
	json_t *late = NULL;

	while ((p = *link)) {
		if (!p->due_ms || p->due_ms > now) {
			link = &p->next;
			continue;
		}
		*link = p->next;
		s->n_pending--;
		if (!late)
			late = json_pack("{s:b,s:i,s:s}", "ok", 0, "errno", ETIMEDOUT, "message",
					 "the guest does not answer");
		if (p->cb)
			p->cb(m, p->arg, late);
		free(p);
		if (m->session != s)
			break;
		link = &s->pending; /* the callback may have asked for more */
	}
	json_decref(late);
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

int sk_session_request(struct sk_monitor *m, json_t *take_request, sk_reply_cb cb, void *arg)
{
	struct sk_session *s = m->session;
	struct pending *p;
	int r;

	if (!s || !s->stream || s->n_pending >= SK_SESSION_PENDING) {
		json_decref(take_request);
		return -ENOTCONN;
	}
	p = calloc(1, sizeof(*p));
	if (!p) {
		json_decref(take_request);
		return -ENOMEM;
	}
	p->id = ++s->next_id;
	p->cb = cb;
	p->arg = arg;
	p->due_ms = patience_ms(take_request);
	if (p->due_ms)
		p->due_ms += sk_now_ms();
	json_object_set_new(take_request, "id", json_integer(p->id));
	r = sk_frame_put_json(&s->out, take_request);
	json_decref(take_request);
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

static void on_setup(struct sk_monitor *m, void *arg, const json_t *reply)
{
	(void)arg;
	if (!reply)
		return;
	if (!json_is_true(json_object_get(reply, "ok"))) {
		const char *message = json_string_value(json_object_get(reply, "message"));

		sk_monitor_lost(m, message ? message : "the guest could not be set up");
		return;
	}
	sk_monitor_ready(m);
}

static json_t *setup_network(struct sk_monitor *m)
{
	json_t *net;

	if (m->managed && m->config.netns)
		return sk_managed_network(m);
	if (!m->config.network)
		return json_null();
	net = json_pack("{s:s,s:s,s:i}", "address", SK_SLIRP_ADDRESS "/24", "gateway", SK_SLIRP_GATEWAY, "mtu",
			(int)m->config.mtu);
	if (net && sk_net_host_has_ipv6()) {
		json_object_set_new(net, "address6", json_string(SK_SLIRP_ADDRESS6 "/64"));
		json_object_set_new(net, "gateway6", json_string(SK_SLIRP_GATEWAY6));
	}
	return net;
}

void sk_session_setup(struct sk_monitor *m)
{
	const json_t *sysctl = json_object_get(json_object_get(m->config.spec, "linux"), "sysctl");
	struct timespec ts;
	char seed[65];

	clock_gettime(CLOCK_REALTIME, &ts);
	sk_random_hex(seed, 32);
	sk_session_request(m,
			   json_pack("{s:s,s:[I,I],s:s,s:o,s:s,s:O?,s:i}", "op", "setup", "time", (json_int_t)ts.tv_sec,
				     (json_int_t)ts.tv_nsec, "hostname", m->config.hostname, "network",
				     setup_network(m), "seed", seed, "sysctl", sysctl, "idle_reclaim",
				     (int)m->settings.idle_reclaim),
			   on_setup, NULL);
}

static void on_hello(struct sk_monitor *m, const json_t *o)
{
	const char *kernel = json_string_value(json_object_get(o, "kernel"));
	json_int_t version = json_integer_value(json_object_get(o, "version"));
	char why[128];

	if (version != SK_AGENT_VERSION) {
		snprintf(why, sizeof(why), "the agent in the guest speaks version %lld, not %d: run `make build` again",
			 (long long)version, SK_AGENT_VERSION);
		sk_monitor_lost(m, why);
		return;
	}
	m->session->hello = true;
	snprintf(m->kernel, sizeof(m->kernel), "%s", kernel ? kernel : "");
	json_object_set_new(m->state, "kernel", json_string(m->kernel));
	if (!sk_managed_hold_setup(m))
		sk_session_setup(m);
}

static void on_event(struct sk_monitor *m, const json_t *o)
{
	const char *event = json_string_value(json_object_get(o, "event"));
	const char *key = json_string_value(json_object_get(o, "key"));
	const char *container = json_string_value(json_object_get(o, "container"));
	struct sk_proc *p;

	if (!event)
		return;
	if (strcmp(event, "hello") == 0 && !m->session->hello) {
		on_hello(m, o);
	} else if (strcmp(event, "exit") == 0 && key) {
		p = sk_proc_find(m, container ? container : SK_CONTAINER, key);
		if (p && !p->exited)
			sk_proc_exited(p, (int)json_integer_value(json_object_get(o, "code")) & 255,
				       json_is_true(json_object_get(o, "oom")));
	} else if (strcmp(event, "halted") == 0 && m->phase == SK_PHASE_STOPPING) {
		sk_monitor_lost(m, ""); /* all is written: no need to wait for the kernel to power off */
	} else if (strcmp(event, "oom") == 0 && (!container || strcmp(container, SK_CONTAINER) == 0)) {
		m->oom = true;
		json_object_set_new(m->state, "oom_killed", json_true());
		/* Each is a line in the event log of all containers: not as many as a guest likes. */
		if (m->session->oom_ms && sk_now_ms() - m->session->oom_ms < SK_OOM_EVENTS_MS)
			return;
		m->session->oom_ms = sk_now_ms();
		json_object_set_new(m->state, "ooms",
				    json_integer(json_integer_value(json_object_get(m->state, "ooms")) + 1));
		if (m->managed)
			sk_monitor_save(m);
		sk_monitor_event(m, "oom");
	} else if (strcmp(event, "oom") == 0) {
		sk_pod_oom(m, container);
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

static void on_reply(struct sk_monitor *m, const json_t *o)
{
	json_int_t id = json_integer_value(json_object_get(o, "id"));
	struct pending **link, *p;

	for (link = &m->session->pending; (p = *link); link = &p->next) {
		if (p->id != id)
			continue;
		*link = p->next;
		m->session->n_pending--;
		if (p->cb)
			p->cb(m, p->arg, o);
		free(p);
		return;
	}
	sk_log(SK_LOG_WARN, "the agent answered a request that nobody made");
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

		if (!o) {
			sk_monitor_lost(m, "the agent sent something that is not of the protocol");
			return n;
		}
		sk_frame_consume(&m->session->in, &frame);
		make_plain(o, "message");
		make_plain(o, "kernel");
		if (json_object_get(o, "event"))
			on_event(m, o);
		else
			on_reply(m, o);
		json_decref(o);
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
	return sk_carrier_listen(m->carrier, SK_AGENT_PORT, on_accept, m);
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
