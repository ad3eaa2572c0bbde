/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One VM from its start to its end: puts the parts of a sandbox together in the order in which they need each other,
 * and carries between them what one says and another has to know. See sandbox.h.
 */
#include "vm/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "virtio/device.h"
#include "vm/clock.h"
#include "vm/console.h"
#include "vm/device_socket.h"

#define SK_GUEST_CID 3u
#define SK_VSOCK_SOCKET "vsock"
#define SK_DEVICES_MAX 64u

struct sk_sandbox {
	struct sk_loop *loop;
	struct sk_sandbox_config config;
	const struct sk_sandbox_events *events;
	void *arg;
	struct sk_engine_process process;
	struct sk_source *process_source, *boot_timer;
	struct sk_device *vsock;
	struct sk_carrier *carrier; /* the vsock device's */
	struct sk_session *session;
	struct sk_streams *streams;
	struct sk_network *network;
	struct sk_shares *shares;
	struct sk_storage *storage;
	struct sk_console *console;
	struct sk_clock *clock;
	char kernel[64];
	bool held;	  /* not to be set up yet: sk_sandbox_go_on() */
	bool hello;	  /* the agent is there */
	bool set_up;	  /* the agent has been told to set up the guest */
	bool halt_wanted; /* it has been asked to halt */
};

static void lost(const struct sk_sandbox *s, const char *why)
{
	s->events->lost(s->arg, why);
}

/* What the guest's kernel has said tells more. */
static void lost_see_console(const struct sk_sandbox *s, const char *why)
{
	char text[400];

	snprintf(text, sizeof(text), "%s: see %s", why, s->config.console_name);
	lost(s, text);
}

/* ---- the agent */

static void on_setup(void *arg, const struct sk_reply *reply)
{
	struct sk_sandbox *s = arg;

	if (!reply)
		return;
	if (!reply->ok) {
		lost(s, reply->message);
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
		lost(s, "the guest cannot be set up: its request is out of the protocol's bounds");
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
	const struct sk_sandbox *s = arg;

	if (event->op != SK_AGENT_HALTED)
		s->events->event(s->arg, event);
	else if (s->halt_wanted)
		lost(s, ""); /* all is written: no need to wait for the kernel to power off */
}

static void on_session_lost(void *arg, const char *why)
{
	lost(arg, why);
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

pid_t sk_sandbox_engine_pid(const struct sk_sandbox *s)
{
	return s ? s->process.pid : 0;
}

const char *sk_sandbox_shares_device(const struct sk_sandbox *s)
{
	return s ? sk_shares_device(s->shares) : NULL;
}

/* ---- the start */

static void on_panic(void *arg)
{
	lost_see_console(arg, "the guest kernel panicked");
}

static void on_bad_layer(void *arg)
{
	const struct sk_sandbox *s = arg;

	s->events->layers_damaged(s->arg);
}

static const struct sk_console_events console_events = { .panic = on_panic, .bad_layer = on_bad_layer };

static void on_vsock_lost(void *arg)
{
	const struct sk_sandbox *s = arg;

	sk_console_drain(s->console);
	lost(s, "the guest kernel has closed its devices");
}

static void on_process(void *arg, int fd, unsigned events)
{
	const struct sk_sandbox *s = arg;

	(void)fd;
	(void)events;
	sk_console_drain(s->console);
	lost_see_console(s, "the VM ended unexpectedly");
}

static void on_boot_timeout(void *arg)
{
	const struct sk_sandbox *s = arg;
	const char *hint = s->config.start_timeout_hint;
	char why[400];

	snprintf(why, sizeof(why), "the guest did not come up within %u s: see %s%s%s%s",
		 s->config.start_timeout_ms / 1000, s->config.console_name, hint ? " (" : "", hint ? hint : "",
		 hint ? ")" : "");
	lost(s, why);
}

static void on_shares_lost(void *arg, const char *why)
{
	lost(arg, why);
}

static void on_disk_trouble(void *arg, bool full, int failed)
{
	const struct sk_sandbox *s = arg;

	s->events->disk_trouble(s->arg, full, failed);
}

static int agent_up(struct sk_sandbox *s, struct sk_error *err)
{
	int sock, r = sk_device_socket(s->config.run_dir, SK_VSOCK_SOCKET, &sock, err);

	if (r == 0)
		r = sk_vsock_new(s->loop, sock, SK_GUEST_CID, on_vsock_lost, s, &s->vsock, &s->carrier, err);
	if (r < 0)
		return r;
	r = sk_session_new(s->loop, s->carrier, &session_events, s, &s->session);
	if (r == 0)
		r = sk_streams_new(s->carrier, on_stream, s, &s->streams);
	if (r < 0)
		return sk_error_errno(err, r, "cannot listen for the agent");
	r = sk_clock_new(s->loop, s->session, &s->clock);
	return r < 0 ? sk_error_errno(err, r, "cannot watch the host's clock") : 0;
}

static int network_up(struct sk_sandbox *s, struct sk_error *err)
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

static int shares_up(struct sk_sandbox *s, struct sk_error *err)
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

static int storage_up(struct sk_sandbox *s, struct sk_error *err)
{
	const struct sk_storage_config c = { .loop = s->loop,
					     .run_dir = s->config.run_dir,
					     .layers = s->config.layers,
					     .n_layers = s->config.n_layers,
					     .disks = s->config.disks,
					     .n_disks = s->config.n_disks,
					     .trouble = on_disk_trouble,
					     .arg = s };

	s->config.n_disks = 0; /* taken */
	return sk_storage_new(&c, &s->storage, err);
}

static int engine_up(struct sk_sandbox *s, struct sk_error *err)
{
	struct sk_engine_device devices[SK_DEVICES_MAX];
	_cleanup_fd_ int console = -1;
	struct sk_engine_config c = {
		.name = s->config.name,
		.run_dir = s->config.run_dir,
		.memory = s->config.memory,
		.cpus = s->config.cpus,
		.devices = devices,
		.settings = s->config.engine_settings,
	};
	size_t n = 0;
	int r = sk_console_new(s->loop, SK_TAKE_FD(s->config.take_console_fd), &console_events, s, &s->console,
			       &console, err);

	if (r < 0)
		return r;
	c.console_fd = console;
	devices[n++] = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_VSOCK, .socket = SK_VSOCK_SOCKET };
	n += sk_storage_engine_devices(s->storage, devices + n, SK_DEVICES_MAX - n);
	n += sk_network_engine_devices(s->network, devices + n, SK_DEVICES_MAX - n);
	n += sk_shares_engine_devices(s->shares, devices + n, SK_DEVICES_MAX - n);
	c.n_devices = n;
	r = s->config.engine->start(&c, &s->process, err);
	if (r < 0)
		return r;
	sk_shares_place(s->shares, &s->process);
	s->process_source = sk_loop_add_fd(s->loop, s->process.pidfd, SK_LOOP_READ, on_process, s);
	s->boot_timer = sk_loop_add_timer(s->loop, s->config.start_timeout_ms, on_boot_timeout, s);
	return s->process_source && s->boot_timer ? 0 : sk_error_errno(err, ENOMEM, "cannot watch the VM");
}

static int up(struct sk_sandbox *s, struct sk_error *err)
{
	int r = sk_device_socket_dir(s->config.run_dir, err);

	if (r == 0)
		r = agent_up(s, err);
	if (r == 0)
		r = network_up(s, err);
	if (r == 0)
		r = shares_up(s, err);
	if (r == 0)
		r = storage_up(s, err);
	if (r == 0)
		r = engine_up(s, err);
	if (r < 0)
		return r;
	if (s->events->confine)
		s->events->confine(s->arg);
	/* Threads from here on: what was given up is given up for them too. */
	return sk_storage_run(s->storage, err);
}

static void close_taken(struct sk_sandbox_config *config)
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

		close_taken(&taken);
		return sk_error_errno(err, ENOMEM, "cannot start the VM");
	}
	s->loop = loop;
	s->config = *config;
	s->events = events;
	s->arg = arg;
	s->process = (struct sk_engine_process){ .pidfd = -1, .claim_fd = -1 };
	r = up(s, err);
	if (r < 0)
		sk_sandbox_free(s);
	else
		*ret_sandbox = s;
	return r;
}

/* ---- the end */

static void engine_down(struct sk_sandbox *s)
{
	sk_loop_remove(s->process_source);
	sk_loop_remove(s->boot_timer);
	if (s->process.pid > 0) {
		if (s->process.pidfd < 0 || syscall(SYS_pidfd_send_signal, s->process.pidfd, SIGKILL, NULL, 0) < 0)
			kill(s->process.pid, SIGKILL);
		waitpid(s->process.pid, NULL, 0);
	}
	s->process.pid = 0;
	sk_console_free(SK_TAKE_PTR(s->console)); /* its last words */
	sk_close_fd(&s->process.pidfd);
	sk_close_fd(&s->process.claim_fd);
}

void sk_sandbox_free(struct sk_sandbox *s)
{
	if (!s)
		return;
	engine_down(s);
	sk_clock_free(s->clock);
	sk_session_free(SK_TAKE_PTR(s->session));
	sk_shares_free(s->shares);
	sk_network_down(s->network);
	sk_streams_free(s->streams);
	sk_device_free(s->vsock);
	sk_storage_free(s->storage);
	close_taken(&s->config);
	free(s);
}
