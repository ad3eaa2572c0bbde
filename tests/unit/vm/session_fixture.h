/* SPDX-License-Identifier: Apache-2.0 */
/*
 * src/vm/session.c alone: what it calls of the rest of the monitor and of the carrier are stubs that look at what they
 * are given. For its unit test and its fuzz target; each is one program.
 */
#ifndef SK_TEST_SESSION_FIXTURE_H
#define SK_TEST_SESSION_FIXTURE_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "vm/monitor.h"

static struct sk_stream_events events;
static void *events_arg;
static bool (*accept_cb)(void *arg, struct sk_stream *stream, uint32_t port);
static struct sk_proc init_proc;
static bool lost;
static char why_lost[SK_ERROR_MAX + 256];
/* What the session has sent, as frames. */
static struct sk_buf sent;

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
	assert(p && sk_buf_append(&sent, p, n) == 0);
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
	snprintf(why_lost, sizeof(why_lost), "%s", why);
	lost = true;
}

void sk_monitor_ready(struct sk_monitor *m)
{
	m->life.phase = SK_PHASE_RUNNING;
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

void sk_managed_network(struct sk_monitor *m, struct sk_network_spec *ret)
{
	(void)m;
	(void)ret;
}

void sk_managed_network_fini(struct sk_network_spec *network)
{
	(void)network;
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
	assert(!p->exited && code >= 0 && code < 256);
	p->exited = true;
	p->code = code;
	p->oom = oom;
}

/* A monitor with a session whose agent has just connected. */
static void fixture_up(struct sk_monitor *m)
{
	static int stream;
	int r = sk_loop_new(&m->loop);

	assert(r == 0);
	m->life.phase = SK_PHASE_BOOTING;
	m->config.hostname = "fuzz";
	m->config.network = true;
	m->state = json_object();
	lost = false;
	why_lost[0] = '\0';
	init_proc = (struct sk_proc){ 0 };
	sk_buf_init(&sent, 64u << 20);
	sk_session_listen(m);
	assert(accept_cb(m, (struct sk_stream *)(void *)&stream, 1));
	assert(!accept_cb(m, (struct sk_stream *)(void *)&stream, 2)); /* there is one agent */
}

static void fixture_down(struct sk_monitor *m)
{
	sk_session_end(m);
	json_decref(m->state);
	sk_loop_free(m->loop);
	sk_buf_fini(&sent);
}

#endif
