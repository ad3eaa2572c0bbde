/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox with an owner that has no container, no state and no policy: this program. The engine is the fake one, the
 * guest is fake_agent.c.
 */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fake_agent.h"
#include "fixture.h"
#include "vm/sandbox.h"

static char dir[] = "/tmp/sk-test-sandbox-XXXXXX";

static struct owner {
	struct sk_loop *loop;
	struct sk_sandbox *sandbox;
	struct sk_sandbox_config config;
	struct sk_engine_settings settings;
	struct fake_agent agent;
	unsigned confined, hellos, ready, damaged, events, streams, answers;
	bool lost, ok;
	char why[512];
	enum sk_op event;
	struct sk_token token; /* of the stream that it waits for */
	size_t stream_bytes;
	struct sk_stream *stream, *listened;
} o;

static void on_confine(void *arg)
{
	((struct owner *)arg)->confined++;
}

static void on_hello(void *arg, const char *kernel)
{
	assert_string_equal(kernel, "7.3");
	((struct owner *)arg)->hellos++;
}

static void on_ready(void *arg)
{
	((struct owner *)arg)->ready++;
}

static void on_lost(void *arg, const char *why)
{
	struct owner *owner = arg;

	if (!owner->lost)
		snprintf(owner->why, sizeof(owner->why), "%s", why);
	owner->lost = true;
}

static void on_event(void *arg, const struct sk_msg *event)
{
	struct owner *owner = arg;

	owner->events++;
	owner->event = event->op;
}

static size_t on_stream_data(void *arg, const uint8_t *p, size_t n)
{
	(void)p;
	((struct owner *)arg)->stream_bytes += n;
	return n;
}

static void on_stream_closed(void *arg, int error)
{
	struct owner *owner = arg;

	(void)error;
	owner->stream = owner->listened = NULL;
}

static const struct sk_stream_events stream_events = { .data = on_stream_data, .closed = on_stream_closed };

static ssize_t on_stream(void *arg, const struct sk_token *token, struct sk_stream *stream, const uint8_t *data,
			 size_t n)
{
	struct owner *owner = arg;

	(void)data;
	owner->streams++;
	if (!sk_token_equal(&owner->token, token))
		return -1;
	owner->stream = stream;
	sk_stream_set_events(stream, &stream_events, owner);
	return (ssize_t)n;
}

static void on_disk_trouble(void *arg, bool full, int failed)
{
	(void)arg;
	(void)full;
	(void)failed;
}

static void on_layers_damaged(void *arg)
{
	((struct owner *)arg)->damaged++;
}

static const struct sk_sandbox_events events = { on_confine, on_hello,	on_ready,	 on_lost,
						 on_event,   on_stream, on_disk_trouble, on_layers_damaged };

static void engine_script(const char *text)
{
	fx_engine_script(dir, text);
}

static int setup_group(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown_group(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

static int setup(void **state)
{
	(void)state;
	memset(&o, 0, sizeof(o));
	engine_script("#!/bin/sh\nexec sleep 100\n");
	assert_int_equal(sk_loop_new(&o.loop), 0);
	o.config = (struct sk_sandbox_config){
		.name = "test",
		.run_dir = dir,
		.memory = 128 << 20,
		.cpus = 1,
		.start_timeout_ms = 20000,
		.take_console_fd = -1,
		.console_name = "the console",
		.log_fd = 2,
		.network = { .mode = SK_NETWORK_SLIRP, .mtu = 1500, .mac = { 2, 0, 0, 0, 0, 1 } },
		.hostname = "lone",
		.idle_reclaim = 7,
	};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fa_stop(&o.agent);
	sk_sandbox_free(o.sandbox);
	sk_loop_free(o.loop);
	return 0;
}

static int start(struct sk_error *err)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/console", dir);
	o.config.take_console_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	o.config.engine_settings = &o.settings;
	assert_int_equal(sk_engine_find("fake", &o.settings, &o.config.engine, err), 0);
	return sk_sandbox_new(o.loop, &o.config, &events, &o, &o.sandbox, err);
}

static void start_well(void)
{
	struct sk_error err = SK_ERROR_INIT;

	if (start(&err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(o.confined, 1);
}

static void come_up(void)
{
	start_well();
	fa_start(&o.agent, o.loop, dir);
	fa_come_up(&o.agent);
	assert_true(o.hellos == 1 && o.ready == 1 && !o.lost);
}

static void turn_until(const bool *flag)
{
	int i;

	for (i = 0; i < 1000 && !*flag; i++)
		sk_loop_once(o.loop, 10);
	assert_true(*flag);
}

static void on_answer(void *arg, const struct sk_reply *reply)
{
	struct owner *owner = arg;

	owner->answers++;
	owner->ok = reply && reply->ok;
	/* One that asks again when the sandbox is going gets no answer. */
	if (!reply)
		assert_int_equal(sk_sandbox_request(owner->sandbox, &(const struct sk_msg){ .op = SK_OP_SYNC },
						    on_answer, owner),
				 -ENOTCONN);
}

static void ask(enum sk_op op)
{
	const struct sk_msg msg = { .op = op, .container = "any" };

	assert_int_equal(sk_sandbox_request(o.sandbox, &msg, on_answer, &o), 0);
}

/* From the start to an orderly end, without a word of a container. */
static void test_whole_life(void **state)
{
	struct sk_msg msg;

	(void)state;
	start_well();
	assert_string_equal(sk_sandbox_kernel(o.sandbox), "");
	assert_true(sk_sandbox_engine_pid(o.sandbox) > 1);
	assert_int_equal(sk_sandbox_request(o.sandbox, &(const struct sk_msg){ .op = SK_OP_SYNC }, NULL, NULL),
			 -ENOTCONN); /* nobody is there yet */
	fa_start(&o.agent, o.loop, dir);
	fa_agent_up(&o.agent);
	fa_say(&o.agent, "{\"event\":\"hello\",\"version\":1,\"kernel\":\"7.3\",\"agent\":\"0.2\"}");
	msg = fa_expect(&o.agent, SK_OP_SETUP);
	assert_string_equal(msg.setup.hostname, "lone");
	assert_int_equal(msg.setup.idle_reclaim, 7);
	assert_true(msg.setup.time.set && msg.setup.network.set && msg.setup.network.address.prefix == 24);
	assert_int_equal(o.ready, 0);
	fa_answer(&o.agent, &msg);
	sk_msg_fini(&msg);
	assert_true(o.ready == 1 && o.hellos == 1);
	assert_string_equal(sk_sandbox_kernel(o.sandbox), "7.3");
	ask(SK_OP_SYNC);
	msg = fa_expect(&o.agent, SK_OP_SYNC);
	fa_answer(&o.agent, &msg);
	sk_msg_fini(&msg);
	assert_true(o.answers == 1 && o.ok);
	fa_say(&o.agent, "{\"event\":\"exit\",\"container\":\"c9\",\"key\":\"init\",\"code\":1}");
	assert_true(o.events == 1 && o.event == SK_AGENT_EXIT);
	fa_say(&o.agent, "{\"event\":\"halted\"}"); /* nobody has asked it to */
	assert_false(o.lost);
	assert_int_equal(sk_sandbox_shut_down(o.sandbox), 0);
	msg = fa_expect(&o.agent, SK_OP_SHUTDOWN);
	sk_msg_fini(&msg);
	fa_say(&o.agent, "{\"event\":\"halted\"}");
	assert_true(o.lost);
	assert_string_equal(o.why, "");
}

static void test_engine_dies(void **state)
{
	(void)state;
	engine_script("#!/bin/sh\nexit 3\n");
	start_well();
	turn_until(&o.lost);
	assert_non_null(strstr(o.why, "ended unexpectedly: see the console"));
	assert_int_equal(o.ready, 0);
}

static void test_agent_goes(void **state)
{
	(void)state;
	come_up();
	ask(SK_OP_SYNC);
	fa_reset(&o.agent, 1, SK_PORT_CONTROL);
	turn_until(&o.lost);
	assert_non_null(strstr(o.why, "agent in the guest has gone"));
	assert_int_equal(sk_sandbox_request(o.sandbox, &(const struct sk_msg){ .op = SK_OP_SYNC }, NULL, NULL),
			 -ENOTCONN);
	assert_int_equal(o.answers, 0); /* until it is freed */
	sk_sandbox_free(o.sandbox);
	o.sandbox = NULL;
	assert_true(o.answers == 1 && !o.ok);
}

static void test_devices_close(void **state)
{
	(void)state;
	come_up();
	fe_close(&o.agent.fe);
	o.agent.fe.loop = NULL;
	turn_until(&o.lost);
	assert_true(strstr(o.why, "closed its devices") || strstr(o.why, "agent in the guest has gone"));
}

static unsigned load = 1;

unsigned __wrap_sk_host_load(void);
unsigned __wrap_sk_host_load(void)
{
	return load;
}

/* A guest that has to share its processor may take so many times as long. */
static void test_comes_up_late(void **state)
{
	uint64_t from = sk_now_ms();

	(void)state;
	load = 4;
	o.config.start_timeout_ms = 500;
	start_well();
	turn_until(&o.lost);
	load = 1;
	assert_true(sk_now_ms() - from >= 1950);
	assert_string_equal(o.why, "the guest did not come up within 2 s: see the console");
}

static void test_never_comes_up(void **state)
{
	(void)state;
	o.config.start_timeout_ms = 50;
	start_well();
	turn_until(&o.lost);
	assert_string_equal(o.why, "the guest did not come up within 0 s: see the console");
	sk_sandbox_free(o.sandbox);
	o.lost = false;
	o.confined = 0;
	o.config.start_timeout_hint = "\"patience\" is too short";
	start_well();
	turn_until(&o.lost);
	assert_string_equal(o.why, "the guest did not come up within 0 s: see the console (\"patience\" is too short)");
}

static void test_setup_is_refused(void **state)
{
	struct sk_msg msg;

	(void)state;
	start_well();
	fa_start(&o.agent, o.loop, dir);
	fa_agent_up(&o.agent);
	fa_say(&o.agent, "{\"event\":\"hello\",\"version\":1,\"kernel\":\"7.3\",\"agent\":\"0.2\"}");
	msg = fa_expect(&o.agent, SK_OP_SETUP);
	fa_refuse(&o.agent, &msg, EIO, "no clock");
	sk_msg_fini(&msg);
	assert_true(o.lost && o.ready == 0);
	assert_string_equal(o.why, "no clock");
}

/* Its words go to the log, and say why the VM is gone. */
static void test_console(void **state)
{
	_cleanup_free_ char *text = NULL;
	char path[128];

	(void)state;
	engine_script(
		"#!/bin/sh\necho 'SQUASHFS error: xz'\nprintf 'Kernel panic - not '\nsleep 0.1\necho 'syncing: x'\n");
	start_well();
	turn_until(&o.lost);
	assert_non_null(strstr(o.why, "guest kernel panicked"));
	assert_true(o.damaged > 0);
	sk_sandbox_free(o.sandbox);
	o.sandbox = NULL;
	snprintf(path, sizeof(path), "%s/console", dir);
	assert_int_equal(sk_fs_read(AT_FDCWD, path, 4096, &text, NULL), 0);
	assert_string_equal(text, "SQUASHFS error: xz\nKernel panic - not syncing: x\n");
}

/* The owner says when the network is there; the guest boots meanwhile. */
static void test_wait(void **state)
{
	struct sk_msg msg;

	(void)state;
	o.config.network.wait = true;
	start_well();
	fa_start(&o.agent, o.loop, dir);
	fa_agent_up(&o.agent);
	fa_say(&o.agent, "{\"event\":\"hello\",\"version\":1,\"kernel\":\"7.3\",\"agent\":\"0.2\"}");
	assert_int_equal(o.hellos, 1);
	fa_expect_nothing(&o.agent);
	sk_sandbox_go_on(o.sandbox);
	msg = fa_expect(&o.agent, SK_OP_SETUP);
	sk_sandbox_go_on(o.sandbox); /* once is enough */
	fa_expect_nothing(&o.agent);
	fa_answer(&o.agent, &msg);
	sk_msg_fini(&msg);
	assert_int_equal(o.ready, 1);
}

static bool on_accept(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	struct owner *owner = arg;

	assert_int_equal(guest_port, 77);
	owner->listened = stream;
	sk_stream_set_events(stream, &stream_events, owner);
	return true;
}

static void test_streams(void **state)
{
	const struct sk_token unknown = { .set = true, .bytes = { 1, 2, 3 } };

	(void)state;
	come_up();
	o.token = (struct sk_token){ .set = true, .bytes = { 9, 8, 7 } };
	fa_stream(&o.agent, 70, &o.token);
	assert_true(o.streams == 1 && o.stream);
	fa_send(&o.agent, 70, SK_PORT_STREAM, "abc", 3);
	assert_int_equal(o.stream_bytes, 3);
	assert_int_equal(sk_stream_write(o.stream, "de", 2), 2);
	fa_stream(&o.agent, 71, &unknown);
	assert_int_equal(o.streams, 2);
	fa_expect_nothing(&o.agent);
	assert_true(o.agent.refused + o.agent.ended > 0);
	assert_int_equal(o.agent.other.len, 2);
	/* A port of the owner's own. */
	fa_connect(&o.agent, 77, 3000);
	assert_null(o.listened);
	assert_int_equal(sk_sandbox_listen(o.sandbox, 3000, on_accept, &o), 0);
	assert_int_equal(sk_sandbox_listen(o.sandbox, 3000, on_accept, &o), -EADDRINUSE);
	fa_connect(&o.agent, 77, 3000);
	assert_non_null(o.listened);
	assert_false(o.lost);
}

/* Each back end by its row of the table: what the guest and the engine are told of it. */
static void test_networks(void **state)
{
	struct sk_msg msg;
	char path[128];

	(void)state;
	assert_string_equal(sk_network_backend(SK_NETWORK_NONE)->name, "none");
	assert_string_equal(sk_network_backend(SK_NETWORK_SLIRP)->name, "slirp");
	assert_string_equal(sk_network_backend(SK_NETWORK_SLIRP)->address, SK_SLIRP_ADDRESS);
	assert_string_equal(sk_network_backend(SK_NETWORK_NETNS)->name, "netns");
	assert_true(sk_network_backend(SK_NETWORK_NETNS)->administers);
	o.config.network.mode = SK_NETWORK_NONE;
	snprintf(path, sizeof(path), "%s/vu/net", dir);
	unlink(path);
	start_well();
	assert_int_equal(access(path, F_OK), -1);
	fa_start(&o.agent, o.loop, dir);
	fa_agent_up(&o.agent);
	fa_say(&o.agent, "{\"event\":\"hello\",\"version\":1,\"kernel\":\"7.3\",\"agent\":\"0.2\"}");
	msg = fa_expect(&o.agent, SK_OP_SETUP);
	assert_false(msg.setup.network.set);
	fa_answer(&o.agent, &msg);
	sk_msg_fini(&msg);
	sk_sandbox_update_network(o.sandbox); /* it never changes */
	fa_expect_nothing(&o.agent);
}

/* What cannot be started leaves nothing behind: no process, no descriptor. */
static void test_start_fails(void **state)
{
	const struct sk_sandbox_layer layer = { "/nonexistent/layer", 4096 };
	struct sk_sandbox_disk disk = { .take_fd = open("/dev/null", O_RDWR | O_CLOEXEC) };
	struct sk_error err = SK_ERROR_INIT;
	struct stat st;

	(void)state;
	o.config.layers = &layer;
	o.config.n_layers = 1;
	o.config.disks = &disk;
	o.config.n_disks = 1;
	assert_true(start(&err) < 0);
	assert_null(o.sandbox);
	assert_non_null(strstr(err.message, "cannot open image layer /nonexistent/layer"));
	assert_int_equal(o.confined, 0);
	assert_int_equal(fstat(disk.take_fd, &st), -1);
	assert_int_equal(fcntl(o.config.take_console_fd, F_GETFD), -1);
}

/* Layers are one device, each disk is one: the engine finds all their sockets. */
static void test_disks(void **state)
{
	struct sk_sandbox_disk disks[2] = { { .take_fd = -1 }, { .take_fd = -1 } };
	char path[128], layer_path[128];
	const struct sk_sandbox_layer layer = { layer_path, 4096 };
	static const char *const sockets[] = { "vsock", "layers", "disk", "disk1", "balloon" };
	size_t i;
	int fd;

	(void)state;
	snprintf(layer_path, sizeof(layer_path), "%s/layer", dir);
	fd = open(layer_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 4096), 0);
	close(fd);
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/disk%zu", dir, i);
		disks[i].take_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_int_equal(ftruncate(disks[i].take_fd, 1 << 20), 0);
	}
	o.config.layers = &layer;
	o.config.n_layers = 1;
	o.config.disks = disks;
	o.config.n_disks = 2;
	start_well();
	for (i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		snprintf(path, sizeof(path), "%s/vu/%s", dir, sockets[i]);
		if (access(path, F_OK) < 0)
			fail_msg("there is no socket %s", sockets[i]);
		unlink(path);
	}
}

/* Without a sandbox the functions say so. */
static void test_no_sandbox(void **state)
{
	(void)state;
	assert_int_equal(sk_sandbox_request(NULL, &(const struct sk_msg){ .op = SK_OP_SYNC }, NULL, NULL), -ENOTCONN);
	assert_int_equal(sk_sandbox_shut_down(NULL), -ENOTCONN);
	assert_int_equal(sk_sandbox_listen(NULL, 1, on_accept, NULL), -ENOTCONN);
	assert_string_equal(sk_sandbox_kernel(NULL), "");
	assert_int_equal(sk_sandbox_engine_pid(NULL), 0);
	assert_null(sk_sandbox_shares_device(NULL));
	sk_sandbox_go_on(NULL);
	sk_sandbox_update_network(NULL);
	sk_sandbox_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_engine_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_agent_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_devices_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_comes_up_late, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never_comes_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_setup_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_console, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_streams, setup, teardown),
		cmocka_unit_test_setup_teardown(test_networks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_sandbox, setup, teardown),
	};

	return cmocka_run_group_tests_name("vm-sandbox", tests, setup_group, teardown_group);
}
