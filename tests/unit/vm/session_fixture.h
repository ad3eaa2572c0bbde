/* SPDX-License-Identifier: Apache-2.0 */
/*
 * src/vm/session.c alone: what it calls of the carrier are stubs that look at what they are given, and its owner notes
 * what it is told. For its unit test and its fuzz target; each is one program.
 */
#ifndef SK_TEST_SESSION_FIXTURE_H
#define SK_TEST_SESSION_FIXTURE_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "vm/session.h"

struct owner {
	struct sk_loop *loop;
	struct sk_session *session;
	unsigned hellos, exits, ooms, halted;
	char kernel[64], container[64];
	int code;
	bool oom, lost;
	char why_lost[SK_ERROR_MAX + 256];
};

static struct sk_stream_events events;
static void *events_arg, *accept_arg;
static bool (*accept_cb)(void *arg, struct sk_stream *stream, uint32_t port);
/* What the session has sent, as frames. */
static struct sk_buf sent;

int sk_carrier_listen(struct sk_carrier *carrier, uint32_t port,
		      bool (*cb)(void *arg, struct sk_stream *stream, uint32_t guest_port), void *arg)
{
	(void)carrier;
	assert(port == SK_PORT_CONTROL);
	accept_cb = cb;
	accept_arg = arg;
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

static void note_hello(void *arg, const char *kernel)
{
	struct owner *o = arg;

	o->hellos++;
	snprintf(o->kernel, sizeof(o->kernel), "%s", kernel);
}

static void note_event(void *arg, const struct sk_msg *event)
{
	struct owner *o = arg;

	switch (event->op) {
	case SK_AGENT_EXIT:
		assert(event->container && event->key && event->exit.code >= 0 && event->exit.code < 256);
		o->exits++;
		o->code = event->exit.code;
		o->oom = event->exit.oom;
		break;
	case SK_AGENT_OOM:
		assert(event->container);
		o->ooms++;
		break;
	case SK_AGENT_HALTED:
		o->halted++;
		return;
	default:
		assert(false);
	}
	snprintf(o->container, sizeof(o->container), "%s", event->container);
}

static void note_lost(void *arg, const char *why)
{
	struct owner *o = arg;

	assert(why);
	snprintf(o->why_lost, sizeof(o->why_lost), "%s", why);
	o->lost = true;
}

static const struct sk_session_events owner_events = { note_hello, note_event, note_lost };

/* A session whose agent has just connected. */
static void fixture_up(struct owner *o)
{
	static int stream;
	int r = sk_loop_new(&o->loop);

	assert(r == 0);
	sk_buf_init(&sent, 64u << 20);
	r = sk_session_new(o->loop, NULL, &owner_events, o, &o->session);
	assert(r == 0);
	assert(accept_cb(accept_arg, (struct sk_stream *)(void *)&stream, 1));
	assert(!accept_cb(accept_arg, (struct sk_stream *)(void *)&stream, 2)); /* there is one agent */
}

static void fixture_down(struct owner *o)
{
	sk_session_free(o->session);
	sk_loop_free(o->loop);
	sk_buf_fini(&sent);
}

#endif
