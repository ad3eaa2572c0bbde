/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One VM from its start to its end: puts the parts of a sandbox together in the order in which they need each other,
 * and carries between them what one says and another has to know. See sandbox.h. What makes the VM itself is each
 * system's own: sandbox_internal.h.
 */
#include "vm/sandbox_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "base/log.h"
#include "base/process.h"

void sk_sandbox_lost(struct sk_sandbox *s, const char *why)
{
	s->events->lost(s->arg, why);
}

void sk_sandbox_lost_see_console(struct sk_sandbox *s, const char *why)
{
	char text[400];

	snprintf(text, sizeof(text), "%s: see %s", why, s->config.console_name);
	sk_sandbox_lost(s, text);
}

/* ---- the agent */

static void on_setup(void *arg, const struct sk_reply *reply)
{
	struct sk_sandbox *s = arg;

	if (!reply)
		return;
	if (!reply->ok) {
		sk_sandbox_lost(s, reply->message);
		return;
	}
	sk_loop_remove(SK_TAKE_PTR(s->boot_timer));
	if (s->halt_wanted)
		return;
	sk_clock_begin(s->clock);
	s->events->ready(s->arg);
}

/* Tells the agent about its VM: once, after hello. */
static void set_up(struct sk_sandbox *s)
{
	struct sk_msg msg = { .op = SK_OP_SETUP };
	struct timespec ts;
	char seed[65];
	int r;

	s->set_up = true;
	clock_gettime(CLOCK_REALTIME, &ts);
	sk_random_hex(seed, 32);
	msg.setup.time = (struct sk_time){ .set = true, .sec = ts.tv_sec, .nsec = ts.tv_nsec };
	msg.setup.seed = seed;
	msg.setup.hostname = s->config.hostname;
	msg.setup.sysctl = (json_t *)(uintptr_t)s->config.sysctl;
	msg.setup.idle_reclaim = s->config.idle_reclaim;
	r = sk_network_describe(s->network, &msg.setup.network);
	if (r == 0)
		r = sk_session_request(s->session, &msg, on_setup, s);
	sk_network_spec_drop(&msg.setup.network);
	if (r < 0)
		sk_sandbox_lost(s, "the guest cannot be set up: its request is out of the protocol's bounds");
}

static void on_hello(void *arg, const char *kernel)
{
	struct sk_sandbox *s = arg;

	s->hello = true;
	snprintf(s->kernel, sizeof(s->kernel), "%s", kernel);
	s->events->hello(s->arg, s->kernel);
	if (!s->held)
		set_up(s);
}

static void on_event(void *arg, const struct sk_msg *event)
{
	struct sk_sandbox *s = arg;

	if (event->op != SK_AGENT_HALTED)
		s->events->event(s->arg, event);
	else if (s->halt_wanted)
		sk_sandbox_lost(s, ""); /* all is written: no need to wait for the kernel to power off */
}

static void on_session_lost(void *arg, const char *why)
{
	sk_sandbox_lost(arg, why);
}

static const struct sk_session_events session_events = {
	.hello = on_hello,
	.event = on_event,
	.lost = on_session_lost,
};

static ssize_t on_stream(void *arg, const struct sk_token *token, struct sk_stream *stream, const uint8_t *data,
			 size_t n)
{
	const struct sk_sandbox *s = arg;
	ssize_t taken = s->events->stream(s->arg, token, stream, data, n);

	if (taken < 0)
		taken = sk_shares_claim(s->shares, token, stream, data, n);
	return taken >= 0 ? taken : sk_network_claim(s->network, token, stream, data, n);
}

int sk_sandbox_request(struct sk_sandbox *s, const struct sk_msg *request, sk_reply_cb cb, void *arg)
{
	return s && s->session ? sk_session_request(s->session, request, cb, arg) : -ENOTCONN;
}

int sk_sandbox_listen(struct sk_sandbox *s, uint32_t port, sk_stream_accept_cb accept, void *arg)
{
	return s ? sk_carrier_listen(s->carrier, port, accept, arg) : -ENOTCONN;
}

int sk_sandbox_publish(struct sk_sandbox *s, const struct sk_slirp_forward *forward)
{
	return s ? sk_network_publish(s->network, forward) : -ENOTCONN;
}

void sk_sandbox_withdraw(struct sk_sandbox *s, const struct sk_slirp_forward *forward)
{
	if (s)
		sk_network_withdraw(s->network, forward);
}

void sk_sandbox_go_on(struct sk_sandbox *s)
{
	if (!s)
		return;
	sk_shares_begin(s->shares);
	s->held = false;
	if (s->hello && !s->set_up)
		set_up(s);
}

void sk_sandbox_update_network(struct sk_sandbox *s)
{
	struct sk_msg msg = { .op = SK_OP_NETWORK };

	if (!s || !s->session || !s->set_up || s->halt_wanted || !sk_network_backend(s->config.network.mode)->changes)
		return;
	if (sk_network_describe(s->network, &msg.network.network) == 0)
		sk_session_request(s->session, &msg, NULL, NULL);
	sk_network_spec_drop(&msg.network.network);
}

static void on_network_changed(void *arg)
{
	sk_sandbox_update_network(arg);
}

int sk_sandbox_shut_down(struct sk_sandbox *s)
{
	if (!s || !s->session)
		return -ENOTCONN;
	s->halt_wanted = true;
	sk_clock_free(SK_TAKE_PTR(s->clock));
	return sk_session_request(s->session, &(const struct sk_msg){ .op = SK_OP_SHUTDOWN }, NULL, NULL);
}

const char *sk_sandbox_kernel(const struct sk_sandbox *s)
{
	return s ? s->kernel : "";
}

const char *sk_sandbox_shares_device(const struct sk_sandbox *s)
{
	return s ? sk_shares_device(s->shares) : NULL;
}

const struct sk_token *sk_sandbox_shares_token(const struct sk_sandbox *s)
{
	return s ? sk_shares_token(s->shares) : NULL;
}

/* ---- the start */

static void on_panic(void *arg)
{
	sk_sandbox_lost_see_console(arg, "the guest kernel panicked");
}

static void on_bad_layer(void *arg)
{
	const struct sk_sandbox *s = arg;

	s->events->layers_damaged(s->arg);
}

static const struct sk_console_events console_events = { .panic = on_panic, .bad_layer = on_bad_layer };

/* On a host whose processors have more to do than they can the guest gets its share of them, and so many times the time. */
static void on_boot_timeout(void *arg)
{
	struct sk_sandbox *s = arg;
	const char *hint = s->config.start_timeout_hint;
	char why[400];

	if (++s->boot_waits < sk_host_load()) {
		sk_log(SK_LOG_INFO, "the guest is not up yet, on a busy host: waiting on");
		sk_loop_set_timer(s->boot_timer, s->config.start_timeout_ms);
		return;
	}
	snprintf(why, sizeof(why), "the guest did not come up within %u s: see %s%s%s%s",
		 s->boot_waits * s->config.start_timeout_ms / 1000, s->config.console_name, hint ? " (" : "",
		 hint ? hint : "", hint ? ")" : "");
	sk_sandbox_lost(s, why);
}

static void on_shares_lost(void *arg, const char *why)
{
	sk_sandbox_lost(arg, why);
}

int sk_sandbox_agent_up(struct sk_sandbox *s, struct sk_error *err)
{
	int r = sk_session_new(s->loop, s->carrier, &session_events, s, &s->session);

	if (r == 0)
		r = sk_streams_new(s->carrier, on_stream, s, &s->streams);
	if (r < 0)
		return sk_error_errno(err, r, "cannot listen for the agent");
	r = sk_clock_new(s->loop, s->session, &s->clock);
	return r < 0 ? sk_error_errno(err, r, "cannot watch the host's clock") : 0;
}

int sk_sandbox_network_up(struct sk_sandbox *s, struct sk_error *err)
{
	const struct sk_network_host host = { .loop = s->loop,
					      .run_dir = s->config.run_dir,
					      .carrier = s->carrier,
					      .session = s->session,
					      .changed = on_network_changed,
					      .arg = s };

	s->held = s->config.network.wait;
	return sk_network_up(&host, &s->config.network, &s->network, err);
}

int sk_sandbox_shares_up(struct sk_sandbox *s, struct sk_error *err)
{
	const struct sk_shares_config c = { .loop = s->loop,
					    .run_dir = s->config.run_dir,
					    .log_fd = s->config.log_fd,
					    .shares = s->config.shares,
					    .n_shares = s->config.n_shares,
					    .wait = s->config.shares_wait,
					    .lost = on_shares_lost,
					    .arg = s };

	return sk_shares_new(&c, &s->shares, err);
}

int sk_sandbox_console_up(struct sk_sandbox *s, int *ret_write_fd, struct sk_error *err)
{
	return sk_console_new(s->loop, SK_TAKE_FD(s->config.take_console_fd), &console_events, s, &s->console,
			      ret_write_fd, err);
}

int sk_sandbox_await_boot(struct sk_sandbox *s, struct sk_error *err)
{
	sk_host_load(); /* which the monitor, once it is confined, could not ask for the first time */
	s->boot_timer = sk_loop_add_timer(s->loop, s->config.start_timeout_ms, on_boot_timeout, s);
	return s->boot_timer ? 0 : sk_error_errno(err, ENOMEM, "cannot watch the VM");
}

void sk_sandbox_close_taken(struct sk_sandbox_config *config)
{
	unsigned i;

	sk_close_fd(&config->take_console_fd);
	for (i = 0; i < config->n_disks; i++)
		close(config->disks[i].take_fd);
	config->n_disks = 0;
}

int sk_sandbox_new(struct sk_loop *loop, const struct sk_sandbox_config *config, const struct sk_sandbox_events *events,
		   void *arg, struct sk_sandbox **ret_sandbox, struct sk_error *err)
{
	struct sk_sandbox *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		struct sk_sandbox_config taken = *config;

		sk_sandbox_close_taken(&taken);
		return sk_error_errno(err, ENOMEM, "cannot start the VM");
	}
	s->loop = loop;
	s->config = *config;
	s->events = events;
	s->arg = arg;
	r = sk_sandbox_vm_up(s, err);
	if (r < 0)
		sk_sandbox_free(s);
	else
		*ret_sandbox = s;
	return r;
}

/* ---- the end */

void sk_sandbox_free(struct sk_sandbox *s)
{
	if (!s)
		return;
	sk_loop_remove(SK_TAKE_PTR(s->boot_timer));
	sk_sandbox_vm_down(s);
	sk_clock_free(s->clock);
	sk_session_free(SK_TAKE_PTR(s->session));
	sk_shares_free(s->shares);
	sk_network_down(s->network);
	sk_streams_free(s->streams);
	sk_sandbox_vm_free(s);
	sk_sandbox_close_taken(&s->config);
	free(s);
}
