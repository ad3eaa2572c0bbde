/* SPDX-License-Identifier: Apache-2.0 */
/*
 * src/vm/services.c with its relay and dialler, without a guest: streams and the network's ports are stubs that look at
 * what they are given. For its unit test and its fuzz target; each is one program.
 */
#ifndef SK_TEST_SERVICES_FIXTURE_H
#define SK_TEST_SERVICES_FIXTURE_H

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/frame.h"
#include "proto/message.h"
#include "virtio/device.h"
#include "vm/services.h"

#define PORTS_MAX 8192u

/* The guest's end of a stream. */
struct sk_stream {
	const struct sk_stream_events *events;
	void *arg;
	struct sk_buf got;     /* by the guest */
	struct sk_buf untaken; /* of the guest's */
	bool shut, closed;     /* by the host */
	size_t room;	       /* bytes that it takes */
};

static sk_stream_accept_cb accept_cb;
static void *accept_arg;
static struct sk_slirp_forward ports[PORTS_MAX];
static unsigned n_ports;
static int publish_result;
static uint8_t token[SK_TOKEN_BYTES];

int sk_sandbox_listen(struct sk_sandbox *sandbox, uint32_t port, sk_stream_accept_cb accept, void *arg)
{
	(void)sandbox;
	assert(port == SK_PORT_SERVICES);
	accept_cb = accept;
	accept_arg = arg;
	return 0;
}

void sk_stream_set_events(struct sk_stream *s, const struct sk_stream_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
}

size_t sk_stream_write(struct sk_stream *s, const void *p, size_t n)
{
	assert(!s->closed && !s->shut);
	n = n < s->room ? n : s->room;
	assert(sk_buf_append(&s->got, p, n) == 0);
	s->room -= n;
	return n;
}

void sk_stream_shutdown(struct sk_stream *s)
{
	assert(!s->closed);
	s->shut = true;
}

void sk_stream_resume(struct sk_stream *s)
{
	assert(!s->closed);
}

void sk_stream_close(struct sk_stream *s)
{
	if (!s)
		return;
	assert(!s->closed);
	s->closed = true;
}

int sk_sandbox_publish(struct sk_sandbox *sandbox, const struct sk_slirp_forward *forward)
{
	unsigned i;

	(void)sandbox;
	if (publish_result < 0)
		return publish_result;
	assert(forward->guest_port >= SK_SERVICES_PORT_FIRST && n_ports < PORTS_MAX);
	for (i = 0; i < n_ports; i++)
		assert(ports[i].udp != forward->udp || ports[i].guest_port != forward->guest_port);
	ports[n_ports++] = *forward;
	return 0;
}

void sk_sandbox_withdraw(struct sk_sandbox *sandbox, const struct sk_slirp_forward *forward)
{
	unsigned i;

	(void)sandbox;
	for (i = 0; i < n_ports; i++)
		if (memcmp(&ports[i], forward, sizeof(*forward)) == 0)
			break;
	assert(i < n_ports);
	ports[i] = ports[--n_ports];
}

/* --- the guest --- */

/* NULL: refused. */
static struct sk_stream *guest_connect(void)
{
	struct sk_stream *s = calloc(1, sizeof(*s));

	s->room = 65536;
	sk_buf_init(&s->got, 1u << 20);
	sk_buf_init(&s->untaken, 1u << 20);
	if (accept_cb(accept_arg, s, 1))
		return s;
	free(s);
	return NULL;
}

static void guest_offer(struct sk_stream *s)
{
	while (!s->closed && s->untaken.len) {
		size_t n = s->events->data(s->arg, sk_buf_data(&s->untaken), s->untaken.len);

		assert(n <= s->untaken.len);
		sk_buf_consume(&s->untaken, n);
		if (!n)
			break;
	}
}

static void guest_send(struct sk_stream *s, const void *p, size_t n)
{
	if (!n || sk_buf_append(&s->untaken, p, n) < 0)
		return;
	guest_offer(s);
}

static void guest_shut(struct sk_stream *s)
{
	if (!s->closed && !s->untaken.len && s->events->eof)
		s->events->eof(s->arg);
}

/* The connection is no more. */
static void guest_drop(struct sk_stream *s)
{
	if (!s->closed)
		s->events->closed(s->arg, 0);
	sk_buf_fini(&s->got);
	sk_buf_fini(&s->untaken);
	free(s);
}

/* --- the host --- */

static struct sk_services *services_start(struct sk_loop *loop, bool publish, const char *ssh_auth)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_services *s = NULL;
	struct sk_token t;
	json_t *mounts;

	n_ports = 0;
	publish_result = 0;
	if (sk_services_new(loop, publish, ssh_auth, &s, &err) < 0 || sk_services_serve(s, NULL, &err) < 0)
		abort();
	mounts = sk_services_add_mount(s, NULL);
	if (sk_token_parse(json_string_value(json_object_get(json_array_get(mounts, 0), "token")), &t) < 0)
		abort();
	memcpy(token, t.bytes, sizeof(token));
	json_decref(mounts);
	return s;
}

#endif
