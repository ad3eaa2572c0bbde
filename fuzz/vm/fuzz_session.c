/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's end of the control channel: what a guest, whose agent may be anybody, says as frames. The first byte is
 * the size of the pieces that it comes in, the second the number of requests that wait for an answer. No I/O: streams
 * and the rest of the monitor are stubs that look at what they are given.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "vm/monitor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sk_stream_events events;
static void *events_arg;
static bool (*accept_cb)(void *arg, struct sk_stream *stream, uint32_t port);
static struct sk_proc init_proc;
static bool lost;
static unsigned answers;

int sk_carrier_listen(struct sk_carrier *carrier, uint32_t port,
		      bool (*cb)(void *arg, struct sk_stream *stream, uint32_t guest_port), void *arg)
{
	(void)carrier;
	(void)port;
	(void)arg;
	accept_cb = cb;
	return 0;
}

void sk_stream_set_events(struct sk_stream *stream, const struct sk_stream_events *e, void *arg)
{
	(void)stream;
	events = *e;
	events_arg = arg;
}

size_t sk_stream_write(struct sk_stream *stream, const void *p, size_t n)
{
	(void)stream;
	assert(p);
	return n;
}

void sk_stream_close(struct sk_stream *stream)
{
	(void)stream;
}

bool sk_net_host_has_ipv6(void)
{
	return true;
}

void sk_monitor_lost(struct sk_monitor *m, const char *why)
{
	(void)m;
	assert(why);
	lost = true;
}

void sk_monitor_ready(struct sk_monitor *m)
{
	m->phase = SK_PHASE_RUNNING;
}

void sk_monitor_save(struct sk_monitor *m)
{
	(void)m;
}

void sk_monitor_event(struct sk_monitor *m, const char *action)
{
	(void)m;
	assert(strcmp(action, "oom") == 0);
}

bool sk_managed_hold_setup(struct sk_monitor *m)
{
	(void)m;
	return false;
}

json_t *sk_managed_network(struct sk_monitor *m)
{
	(void)m;
	return json_null();
}

struct sk_proc *sk_proc_find(struct sk_monitor *m, const char *container, const char *key)
{
	(void)m;
	return strcmp(container, SK_CONTAINER) == 0 && strcmp(key, SK_INIT_KEY) == 0 ? &init_proc : NULL;
}

void sk_pod_oom(struct sk_monitor *m, const char *container)
{
	(void)m;
	assert(container);
}

void sk_proc_exited(struct sk_proc *p, int code, bool oom)
{
	(void)oom;
	assert(!p->exited && code >= 0 && code < 256);
	p->exited = true;
}

static void on_answer(struct sk_monitor *m, void *arg, const json_t *reply)
{
	const char *p = json_string_value(json_object_get(reply, "message"));

	(void)m;
	(void)arg;
	for (; p && *p; p++)
		assert((unsigned char)*p >= ' ' && *p != 0x7f); /* it goes to people's terminals */
	answers++;
}

static void feed(struct sk_monitor *m, const uint8_t *data, size_t size)
{
	size_t piece = size ? (size_t)data[0] + 1 : 1, waiting = size > 1 ? data[1] % 8 : 0, at, i;

	/* accept() has been called: the session is there. */
	for (i = 0; i < waiting; i++)
		sk_session_request(m, json_pack("{s:s}", "op", "stats"), on_answer, NULL);
	for (at = 2; at < size && !lost; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		assert(events.data(events_arg, data + at, n) == n);
	}
	if (!lost && size % 2)
		events.eof(events_arg);
	sk_session_end(m);
	assert(answers == waiting || lost); /* each is answered once, at the latest at the end */
	assert(answers <= waiting);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sk_monitor m = { .phase = SK_PHASE_BOOTING };
	int stream, r;

	r = sk_loop_new(&m.loop);
	assert(r == 0);
	m.config.hostname = "fuzz";
	m.config.network = true;
	m.state = json_object();
	lost = false;
	answers = 0;
	init_proc.exited = false;
	sk_session_listen(&m);
	assert(accept_cb(&m, (struct sk_stream *)(void *)&stream, 1));
	assert(!accept_cb(&m, (struct sk_stream *)(void *)&stream, 2)); /* there is one agent */
	feed(&m, data, size);
	json_decref(m.state);
	sk_loop_free(m.loop);
	return 0;
}
