/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world around a monitor under a simulated clock: what it would reach by sandbox, streams and keeper is stubs here
 * that a test's script directs. See world.h.
 */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/fs.h"
#include "vm/keeper.h"
#include "vm/monitor.h"
#include "vm/vm.h"

int sk_monitor_main(int argc, char **argv);

#define REQUESTS 2048
#define CLIENT_BUF (16u << 20)

static struct world {
	const struct fx_store *store;
	struct w_life *life; /* shared with the test's process */
	struct sk_loop *loop;
	const struct sk_sandbox_events *events;
	void *arg;
	bool vm, agent, shutting_down, refuses_shut_down;
	struct w_request requests[REQUESTS];
	uint64_t asked, seen;
	struct w_client owner;
} w;

static struct fx_store the_store;

int w_setup(void **state)
{
	(void)state;
	if (fx_store_init(&the_store) < 0)
		return -1;
	fx_engine_script(the_store.root, "#!/bin/sh\nexit 0\n");
	return 0;
}

int w_teardown(void **state)
{
	(void)state;
	return fx_store_fini(&the_store);
}

struct fx_store *w_store(void)
{
	return &the_store;
}

struct sk_sandbox {
	char kernel[16];
};
static struct sk_sandbox the_sandbox;

/* ---- the container's lock */

bool w_is_locked(void)
{
	_cleanup_free_ char *path = fx_path(w.store, "lock");
	_cleanup_fd_ int fd = open(path, O_RDWR | O_CLOEXEC);

	/* A lock belongs to the open file: this one is another than the monitor's. */
	return fd >= 0 && sk_fs_lock(fd, true, false) == -EWOULDBLOCK;
}

/* What only the lock's holder may do. The linker puts these in the place of what they are named for (meson.build). */
int __real_sk_vm_state_save(int dirfd, const json_t *state, struct sk_error *err);
int __wrap_sk_vm_state_save(int dirfd, const json_t *state, struct sk_error *err);
int __real_sk_fs_remove_tree(int dirfd, const char *path);
int __wrap_sk_fs_remove_tree(int dirfd, const char *path);

int __wrap_sk_vm_state_save(int dirfd, const json_t *state, struct sk_error *err)
{
	assert_true(!w.life || w_is_locked());
	return __real_sk_vm_state_save(dirfd, state, err);
}

int __wrap_sk_fs_remove_tree(int dirfd, const char *path)
{
	assert_true(!w.life || w_is_locked());
	return __real_sk_fs_remove_tree(dirfd, path);
}

/* ---- the sandbox */

int sk_sandbox_new(struct sk_loop *loop, const struct sk_sandbox_config *config, const struct sk_sandbox_events *events,
		   void *arg, struct sk_sandbox **ret, struct sk_error *err)
{
	unsigned i;

	close(config->take_console_fd);
	for (i = 0; i < config->n_disks; i++)
		close(config->disks[i].take_fd);
	if (w.life->boot_fails)
		return sk_error_set(err, EIO, "the engine does not start");
	w.loop = loop;
	w.events = events;
	w.arg = arg;
	w.vm = true;
	*ret = &the_sandbox;
	return 0;
}

void sk_sandbox_free(struct sk_sandbox *sandbox)
{
	int i;

	if (!sandbox)
		return;
	w.vm = w.agent = false;
	for (i = 0; i < REQUESTS; i++) {
		struct w_request *r = &w.requests[i];

		if (!r->used)
			continue;
		r->used = false;
		w.life->lost_tells++;
		if (r->cb)
			r->cb(r->arg, NULL);
	}
}

static void copy_name(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

int sk_sandbox_request(struct sk_sandbox *sandbox, const struct sk_msg *request, sk_reply_cb cb, void *arg)
{
	struct sk_error err = SK_ERROR_INIT;
	struct w_request *r = NULL;
	json_t *json;
	int i;

	if (!sandbox || !w.agent)
		return -ENOTCONN;
	json = sk_msg_encode(request, &err); /* it has to be one that the table allows */
	if (!json)
		fail_msg("%s", err.message);
	json_decref(json);
	for (i = 0; i < REQUESTS && !r; i++)
		if (!w.requests[i].used)
			r = &w.requests[i];
	assert_non_null(r);
	*r = (struct w_request){ .used = true, .number = ++w.asked, .msg = *request, .cb = cb, .arg = arg };
	copy_name(r->container, sizeof(r->container), request->container);
	copy_name(r->key, sizeof(r->key), request->key);
	return 0;
}

int sk_sandbox_shut_down(struct sk_sandbox *sandbox)
{
	if (!sandbox || !w.agent || w.refuses_shut_down)
		return -ENOTCONN;
	w.shutting_down = true;
	return 0;
}

void sk_sandbox_go_on(struct sk_sandbox *sandbox)
{
	(void)sandbox;
}

void sk_sandbox_update_network(struct sk_sandbox *sandbox)
{
	(void)sandbox;
}

const char *sk_sandbox_kernel(const struct sk_sandbox *sandbox)
{
	return sandbox ? sandbox->kernel : "";
}

pid_t sk_sandbox_engine_pid(const struct sk_sandbox *sandbox)
{
	return sandbox ? 4242 : 0;
}

const char *sk_sandbox_shares_device(const struct sk_sandbox *sandbox)
{
	return sandbox ? "shares" : NULL;
}

const struct sk_token *sk_sandbox_shares_token(const struct sk_sandbox *sandbox)
{
	(void)sandbox;
	return NULL;
}

void sk_sandbox_find_disks(const struct sk_sandbox *sandbox, unsigned n_layers, struct sk_disk_addresses *ret)
{
	(void)sandbox;
	(void)n_layers;
	*ret = (struct sk_disk_addresses){ .layers = "serial:" SK_BLK_ID_READONLY,
					   .disk = "serial:" SK_BLK_ID_WRITABLE };
}

int sk_sandbox_listen(struct sk_sandbox *sandbox, uint32_t port, sk_stream_accept_cb accept, void *arg)
{
	(void)sandbox;
	(void)port;
	(void)accept;
	(void)arg;
	return 0;
}

int sk_sandbox_publish(struct sk_sandbox *sandbox, const struct sk_slirp_forward *forward)
{
	(void)sandbox;
	(void)forward;
	return -ENOTCONN;
}

void sk_sandbox_withdraw(struct sk_sandbox *sandbox, const struct sk_slirp_forward *forward)
{
	(void)sandbox;
	(void)forward;
}

/* ---- its streams */

/* What is linked for the table of network back ends, and not called. */
int sk_carrier_listen(struct sk_carrier *carrier, uint32_t port, sk_stream_accept_cb accept, void *arg)
{
	(void)carrier;
	(void)port;
	(void)accept;
	(void)arg;
	return -EADDRINUSE;
}

int sk_carrier_connect(struct sk_carrier *carrier, uint32_t port, const struct sk_stream_events *events, void *arg,
		       struct sk_stream **ret)
{
	(void)carrier;
	(void)port;
	(void)events;
	(void)arg;
	(void)ret;
	return -ENOTCONN;
}

void sk_stream_set_events(struct sk_stream *s, const struct sk_stream_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
}

size_t sk_stream_write(struct sk_stream *s, const void *p, size_t n)
{
	assert_false(s->closed || s->shut);
	if (n > s->room)
		n = s->room;
	assert_int_equal(sk_buf_append(&s->in, p, n), 0);
	s->room -= n;
	return n;
}

void sk_stream_shutdown(struct sk_stream *s)
{
	assert_false(s->closed);
	s->shut = true;
}

void sk_stream_resume(struct sk_stream *s)
{
	assert_false(s->closed);
	s->resumed++;
}

void sk_stream_close(struct sk_stream *s)
{
	if (!s)
		return;
	assert_false(s->closed);
	s->closed = true;
}

struct sk_stream *w_stream(const struct sk_token *token, const char *data)
{
	struct sk_stream *s = calloc(1, sizeof(*s));
	size_t n = strlen(data);
	ssize_t taken;

	assert_true(token->set && s);
	sk_buf_init(&s->in, CLIENT_BUF);
	s->room = SK_STREAM_BUF;
	taken = w.events->stream(w.arg, token, s, (const uint8_t *)data, n);
	w_settle();
	if (taken < 0)
		return NULL;
	assert_int_equal(taken, n);
	return s;
}

size_t w_data(struct sk_stream *s, const void *p, size_t n)
{
	size_t taken = s->closed ? n : s->events->data(s->arg, p, n);

	w_settle();
	return taken;
}

void w_eof(struct sk_stream *s)
{
	if (!s->closed)
		s->events->eof(s->arg);
	w_settle();
}

void w_closed(struct sk_stream *s)
{
	if (!s->closed)
		s->events->closed(s->arg, 0);
	s->closed = true;
	w_settle();
}

void w_room(struct sk_stream *s, size_t room)
{
	s->room += room;
	if (!s->closed && s->events->writable)
		s->events->writable(s->arg);
	w_settle();
}

/* ---- the keeper, and what else is not this test's */

int sk_keeper_start(struct sk_keeper *k, const char *self, const struct sk_paths *paths, const char *id,
		    struct sk_error *err)
{
	(void)self;
	(void)paths;
	(void)id;
	(void)err;
	k->fd = -1;
	return 0;
}

int sk_keeper_restart(struct sk_keeper *k, const struct sk_next_life *next)
{
	(void)k;
	assert_true(next->lock_fd >= 0 && next->listen_fd >= 0);
	w.life->handed_over = true;
	w.life->restarts = next->restarts;
	w.life->backoff_ms = next->backoff_ms;
	return 0;
}

int sk_keeper_remove(struct sk_keeper *k)
{
	(void)k;
	assert_true(w_is_locked());
	w.life->removed = true;
	return 0;
}

int sk_keeper_resolv_conf(struct sk_keeper *k, char *ret, size_t size)
{
	(void)k;
	(void)ret;
	(void)size;
	return -ESRCH;
}

void sk_keeper_end(struct sk_keeper *k)
{
	(void)k;
}

void sk_monitor_confine(struct sk_monitor *m)
{
	(void)m;
}

/* A managed container has no streams of this process's here. */
int sk_managed_begin(struct sk_monitor *m, struct sk_error *err)
{
	(void)m;
	(void)err;
	return 0;
}

void sk_managed_down(struct sk_monitor *m)
{
	(void)m;
}

void sk_managed_ended(struct sk_monitor *m)
{
	(void)m;
}

bool sk_managed_output_is_out(const struct sk_monitor *m)
{
	(void)m;
	return true;
}

void sk_managed_fini(struct sk_monitor *m)
{
	(void)m;
}

/* ---- running a life */

static void on_run(struct sk_loop *loop)
{
	w.loop = loop;
	if (w.life->script)
		w.life->script();
}

static void client_init(struct w_client *c, int fd)
{
	*c = (struct w_client){ .fd = fd };
	sk_buf_init(&c->in, CLIENT_BUF);
}

static int child(const struct fx_store *store, struct w_life *life)
{
	char owner[16], restarts[16], backoff[24];
	const char *argv[16] = { "skerry-monitor", "--root", store->paths.root, "--run",
				 store->paths.run, "--id",   store->id };
	int pair[2] = { -1, -1 }, n = 7, r;

	setenv("CMOCKA_TEST_ABORT", "1", 1); /* a failed assertion ends this process */
	w.store = store;
	w.life = life;
	sim_set_now(life->now_ms);
	sim_set_script(on_run);
	if (!life->no_owner) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
		client_init(&w.owner, pair[0]);
		snprintf(owner, sizeof(owner), "%d", pair[1]);
		argv[n++] = "--owner-fd";
		argv[n++] = owner;
	}
	if (life->restarts) {
		snprintf(restarts, sizeof(restarts), "%u", life->restarts);
		snprintf(backoff, sizeof(backoff), "%llu", (unsigned long long)life->backoff_ms);
		argv[n++] = "--restarts";
		argv[n++] = restarts;
		argv[n++] = "--backoff-ms";
		argv[n++] = backoff;
	}
	life->handed_over = life->removed = false;
	r = sk_monitor_main(n, (char **)(uintptr_t)argv);
	life->now_ms = sk_now_ms();
	return r;
}

void w_run(const struct fx_store *store, struct w_life *life)
{
	struct w_life *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	assert_true(shared != MAP_FAILED);
	*shared = *life;
	if (shared->now_ms == 0)
		shared->now_ms = 1000000;
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child(store, shared));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*life = *shared;
	munmap(shared, sizeof(*shared));
	if (!WIFEXITED(status))
		fail_msg("the script has failed: see above");
	life->status = WEXITSTATUS(status);
}

const void *w_arg(void)
{
	return w.life->arg;
}

uint64_t w_now(void)
{
	return sk_now_ms();
}

void w_settle(void)
{
	sim_settle(w.loop);
}

void w_pass(uint64_t ms)
{
	sim_pass(w.loop, ms);
}

/* ---- the guest */

void w_hello(void)
{
	w.agent = true;
	snprintf(the_sandbox.kernel, sizeof(the_sandbox.kernel), "7.3");
	w.events->hello(w.arg, "7.3");
	w_settle();
}

void w_ready(void)
{
	w.events->ready(w.arg);
	w_settle();
}

void w_lost(const char *why)
{
	w.events->lost(w.arg, why);
	w_settle();
}

void w_exit(const char *container, const char *key, int code)
{
	w.events->event(w.arg,
			&(const struct sk_msg){
				.op = SK_AGENT_EXIT, .container = container, .key = key, .exit = { .code = code } });
	w_settle();
}

void w_oom(const char *container)
{
	w.events->event(w.arg, &(const struct sk_msg){ .op = SK_AGENT_OOM, .container = container });
	w_settle();
}

void w_disk_trouble(bool full, int failed)
{
	w.events->disk_trouble(w.arg, full, failed);
	w_settle();
}

void w_layers_damaged(void)
{
	w.events->layers_damaged(w.arg);
	w_settle();
}

bool w_is_shutting_down(void)
{
	return w.shutting_down;
}

void w_refuse_shut_down(void)
{
	w.refuses_shut_down = true;
}

bool w_has_vm(void)
{
	return w.vm;
}

static struct w_request *next_request(void)
{
	struct w_request *found = NULL;
	int i;

	w_settle();
	for (i = 0; i < REQUESTS; i++) {
		struct w_request *r = &w.requests[i];

		if (r->used && r->number > w.seen && (!found || r->number < found->number))
			found = r;
	}
	return found;
}

struct w_request w_expect(enum sk_op op)
{
	const struct w_request *r = next_request();

	if (!r)
		fail_msg("nothing was asked of the agent, \"%s\" should have been", sk_op_name(op));
	if (r->msg.op != op)
		fail_msg("the agent was asked for \"%s\", not for \"%s\"", sk_op_name(r->msg.op), sk_op_name(op));
	w.seen = r->number;
	return *r;
}

void w_expect_nothing(void)
{
	const struct w_request *r = next_request();

	if (r)
		fail_msg("the agent was asked for \"%s\"", sk_op_name(r->msg.op));
}

void w_reply(const struct w_request *request, const struct sk_reply *answer)
{
	int i;

	for (i = 0; i < REQUESTS; i++) {
		if (!w.requests[i].used || w.requests[i].number != request->number)
			continue;
		w.requests[i].used = false;
		if (request->cb)
			request->cb(request->arg, answer);
		w_settle();
		return;
	}
	fail_msg("\"%s\" has been answered", sk_op_name(request->msg.op));
}

void w_ok(const struct w_request *request)
{
	w_reply(request, &(const struct sk_reply){ .ok = true });
}

void w_refuse(const struct w_request *request, int error, int exit_code, const char *message)
{
	w_reply(request, &(const struct sk_reply){ .error = error, .exit_code = exit_code, .message = message });
}

struct w_request w_answer(enum sk_op op)
{
	struct w_request r = w_expect(op);

	w_ok(&r);
	return r;
}

/* ---- clients */

struct w_client *w_owner(void)
{
	return &w.owner;
}

struct w_client *w_connect(void)
{
	struct w_client *c = calloc(1, sizeof(*c));
	struct sk_error err = SK_ERROR_INIT;
	int fd = sk_vm_connect(&w.store->paths, w.store->id, &err);

	assert_non_null(c);
	if (fd < 0)
		fail_msg("%s", err.message);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	client_init(c, fd);
	w_settle();
	return c;
}

void w_close(struct w_client *c)
{
	close(c->fd);
	c->fd = -1;
	sk_buf_fini(&c->in);
	w_settle();
}

static void send_frame(struct w_client *c, uint8_t type, const void *p, size_t n)
{
	struct sk_buf buf;

	sk_buf_init(&buf, SK_FRAME_MAX + SK_FRAME_HEADER);
	assert_int_equal(sk_frame_put(&buf, type, p, n), 0);
	while (buf.len) {
		ssize_t k = send(c->fd, sk_buf_data(&buf), buf.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		assert_true(k > 0 || errno == EAGAIN);
		if (k > 0)
			sk_buf_consume(&buf, (size_t)k);
		w_settle();
	}
	sk_buf_fini(&buf);
}

void w_send(struct w_client *c, const char *text)
{
	send_frame(c, SK_FRAME_JSON, text, strlen(text));
}

void w_send_input(struct w_client *c, const void *p, size_t n)
{
	send_frame(c, SK_FRAME_STDIN, p, n);
}

/* True: the connection is at its end. */
static bool fill(struct w_client *c)
{
	ssize_t n;

	do {
		uint8_t *to;

		w_settle();
		to = sk_buf_reserve(&c->in, 65536);
		assert_non_null(to);
		n = recv(c->fd, to, 65536, MSG_DONTWAIT);
		if (n > 0)
			sk_buf_commit(&c->in, (size_t)n);
	} while (n > 0);
	return n == 0 || errno == ECONNRESET;
}

/* Takes output from the front of what has come. True: a message is there. */
static bool skip_output(struct w_client *c, struct sk_frame *frame)
{
	while (sk_frame_peek(&c->in, frame) == 1) {
		int k = frame->type == SK_FRAME_STDERR;

		if (frame->type == SK_FRAME_JSON)
			return true;
		c->out[k] += frame->len;
		c->ends[k] += frame->len == 0;
		if (frame->len)
			c->last = frame->payload[frame->len - 1];
		sk_frame_consume(&c->in, frame);
	}
	return false;
}

json_t *w_receive(struct w_client *c)
{
	bool ended = fill(c);
	struct sk_frame frame;
	json_t *o;

	if (!skip_output(c, &frame)) {
		if (!ended)
			fail_msg("a client hears nothing");
		return NULL;
	}
	o = sk_frame_json(&frame);
	sk_frame_consume(&c->in, &frame);
	return o;
}

void w_read(struct w_client *c)
{
	struct sk_frame frame;

	fill(c);
	(void)skip_output(c, &frame);
}

void w_expect_silence(struct w_client *c)
{
	struct sk_frame frame;

	assert_false(fill(c));
	assert_false(skip_output(c, &frame));
}

void w_expect_closed(struct w_client *c)
{
	struct sk_frame frame;

	assert_true(fill(c));
	assert_false(skip_output(c, &frame));
}

void w_expect_ok(struct w_client *c)
{
	json_t *o = w_receive(c);

	if (!json_is_true(json_object_get(o, "ok")))
		fail_msg("a client was told: %s", json_string_value(json_object_get(o, "message")));
	json_decref(o);
}

void w_expect_error(struct w_client *c, int error, const char *words)
{
	json_t *o = w_receive(c);
	const char *message = json_string_value(json_object_get(o, "message"));

	assert_true(json_is_false(json_object_get(o, "ok")));
	assert_int_equal(json_integer_value(json_object_get(o, "errno")), error);
	if (!message || !strstr(message, words))
		fail_msg("a client was told: %s", message);
	json_decref(o);
	w_expect_closed(c);
}

void w_expect_end(struct w_client *c, int code)
{
	json_t *o = w_receive(c);

	assert_string_equal(json_string_value(json_object_get(o, "event")), "exit");
	assert_int_equal(json_integer_value(json_object_get(o, "code")), code);
	json_decref(o);
	w_expect_closed(c);
}

/* ---- what most lives have in common */

struct w_request w_up(void)
{
	w_hello();
	w_ready();
	return w_answer(SK_OP_CREATE);
}

void w_process_ends(const struct w_request *created, int code)
{
	int i;

	w_exit(created->container, created->key[0] ? created->key : "init", code);
	for (i = 1; i < 3; i++)
		if (created->msg.create.stdio.token[i].set)
			w_eof(w_stream(&created->msg.create.stdio.token[i], ""));
}

void w_expect_status(const char *status)
{
	char buf[32];

	w_settle();
	assert_string_equal(fx_status(w.store, buf), status);
}
