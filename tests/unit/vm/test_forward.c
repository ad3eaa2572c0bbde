/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of the host that lead into the guest, and what the guest is told of its disks, layers and shares: vm.json as
 * the monitor carries it out, under a simulated clock.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "world.h"

static void run(void (*script)(void), json_t *take_more)
{
	struct w_life life = { .script = script };

	fx_new_container(w_store(), take_more);
	w_run(w_store(), &life);
}

/* ---- sockets */

static struct sockaddr_un address_of(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%.64s/%s", w_store()->paths.run, w_store()->id,
			 name);

	assert_in_range(n, 1, sizeof(addr.sun_path) - 1);
	return addr;
}

/* A program of the host connects. */
static int knock(void)
{
	const struct sockaddr_un addr = address_of("d.sock");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	w_settle();
	return fd;
}

static bool is_closed(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void up(void)
{
	w_send(w_owner(), "{\"op\":\"start\"}");
	w_up();
	w_expect_ok(w_owner());
}

static void down(void)
{
	w_lost("the engine ended unexpectedly");
}

static void carries_script(void)
{
	const struct sockaddr_un addr = address_of("d.sock");
	struct sk_stream *s;
	struct w_request r;
	struct stat st;
	char buf[16];
	int fd;

	up();
	assert_int_equal(stat(addr.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	fd = knock();
	assert_int_equal(write(fd, "GET", 3), 3);
	r = w_expect(SK_OP_CONNECT_UNIX);
	assert_string_equal(r.container, "c0");
	s = w_stream(&r.msg.connect.token, ""); /* the stream may come before the answer */
	w_settle();
	assert_int_equal(s->in.len, 3);
	w_ok(&r);
	assert_int_equal(w_data(s, "200", 3), 3);
	assert_int_equal(read(fd, buf, sizeof(buf)), 3);
	assert_null(w_stream(&r.msg.connect.token, "")); /* a token is good once */
	w_eof(s);
	assert_true(is_closed(fd)); /* its half */
	close(fd);
	w_settle();
	w_pass(1000);
	assert_true(s->closed);
	down();
	assert_int_equal(stat(addr.sun_path, &st), -1);
}

/* Nobody listens in the guest yet: it is asked again, for a minute. */
static void patience_script(void)
{
	static const int soon[] = { ENOENT, ECONNREFUSED, ENOTCONN, EAGAIN };
	struct w_request r;
	unsigned i, asked = 0;
	uint64_t since;
	int fd = knock();

	w_settle(); /* the agent is not there: nothing can be asked */
	w_expect_nothing();
	assert_false(is_closed(fd));
	up();
	since = w_now();
	w_pass(25);
	for (i = 0; i < 4; i++) {
		r = w_expect(SK_OP_CONNECT_UNIX);
		w_refuse(&r, soon[i], 0, "not yet");
		w_expect_nothing();
		w_pass(25);
	}
	while (!is_closed(fd)) {
		r = w_expect(SK_OP_CONNECT_UNIX);
		w_refuse(&r, ECONNREFUSED, 0, "not yet");
		w_pass(25);
		asked++;
	}
	assert_in_range(w_now() - since, 59900, 60100);
	assert_in_range(asked, 2000, 2500); /* not in a busy loop */
	close(fd);
	/* What will not change by waiting. */
	fd = knock();
	r = w_expect(SK_OP_CONNECT_UNIX);
	w_refuse(&r, EACCES, 0, "not allowed");
	assert_true(is_closed(fd));
	close(fd);
	/* Connected, says the agent, and no stream comes. */
	fd = knock();
	w_answer(SK_OP_CONNECT_UNIX);
	w_pass(59000);
	assert_false(is_closed(fd));
	w_pass(2000);
	assert_true(is_closed(fd));
	close(fd);
	down();
}

/* Both ends go while the agent's answer is outstanding. */
static void gone_script(void)
{
	struct w_request r;
	struct sk_stream *s;
	int fd;

	up();
	fd = knock();
	r = w_expect(SK_OP_CONNECT_UNIX);
	close(fd);
	w_settle();
	w_refuse(&r, ECONNREFUSED, 0, "not yet"); /* nobody is left to ask again for */
	w_pass(1000);
	w_expect_nothing();
	fd = knock();
	r = w_expect(SK_OP_CONNECT_UNIX);
	w_pass(61000);
	assert_true(is_closed(fd));
	assert_null(w_stream(&r.msg.connect.token, "late"));
	w_ok(&r);
	close(fd);
	fd = knock();
	r = w_answer(SK_OP_CONNECT_UNIX);
	s = w_stream(&r.msg.connect.token, "bye");
	w_closed(s);
	w_settle();
	assert_int_equal(write(fd, "x", 1), -1);
	close(fd);
	/* The VM goes with a connection that waits and one that works. */
	fd = knock();
	w_expect(SK_OP_CONNECT_UNIX);
	down();
	assert_true(is_closed(fd));
}

/* More than there is room for are closed, the others stay. */
static void many_script(void)
{
	static int fds[300];
	unsigned i, closed = 0;

	up();
	for (i = 0; i < 300; i++) {
		fds[i] = knock();
		w_answer(SK_OP_CONNECT_UNIX);
	}
	for (i = 0; i < 300; i++)
		closed += is_closed(fds[i]);
	assert_int_equal(closed, 0);
	down();
	for (i = 0; i < 300; i++)
		closed += is_closed(fds[i]);
	assert_int_equal(closed, 300);
}

static json_t *sockets(void)
{
	return json_pack("{s:[{s:s,s:s}]}", "sockets", "name", "d.sock", "guest", "/run/d.sock");
}

static void test_carries(void **state)
{
	(void)state;
	run(carries_script, sockets());
}

static void test_patience(void **state)
{
	(void)state;
	run(patience_script, sockets());
}

static void test_gone(void **state)
{
	(void)state;
	run(gone_script, sockets());
}

static void test_many(void **state)
{
	(void)state;
	run(many_script, sockets());
}

/* ---- what is wrong in vm.json ends the start, and says what it is */

static const char *expected; /* words of the error */

static void fails_script(void)
{
	json_t *o;
	const char *message;

	w_send(w_owner(), "{\"op\":\"start\"}");
	o = w_receive(w_owner());
	message = json_string_value(json_object_get(o, "message"));
	assert_true(json_is_false(json_object_get(o, "ok")));
	if (!strstr(message, expected))
		fail_msg("told: %s", message);
	json_decref(o);
	assert_false(w_has_vm());
}

static void fails(json_t *take_more, const char *words)
{
	json_t *s;

	expected = words;
	run(fails_script, take_more);
	s = fx_state(w_store());
	assert_string_equal(json_string_value(json_object_get(s, "status")), "created");
	assert_non_null(strstr(json_string_value(json_object_get(s, "error")), words));
	json_decref(s);
}

static void test_wrong_sockets(void **state)
{
	json_t *five = json_array();
	char name[8];
	int i;

	(void)state;
	fails(json_pack("{s:[{s:s,s:s}]}", "sockets", "name", "a/b", "guest", "/x"), "\"sockets\" is wrong");
	fails(json_pack("{s:[{s:s,s:s}]}", "sockets", "name", "a", "guest", "relative"), "\"sockets\" is wrong");
	fails(json_pack("{s:[{s:s}]}", "sockets", "name", "a"), "\"sockets\" is wrong");
	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		json_array_append_new(five, json_pack("{s:s,s:s}", "name", name, "guest", "/x"));
	}
	fails(json_pack("{s:o}", "sockets", five), "more than 4");
}

static json_t *disk(const char *path, const char *serial, bool readonly)
{
	return json_pack("{s:[{s:s,s:s,s:b}]}", "disks", "path", path, "serial", serial, "readonly", readonly);
}

static void ends_script(void)
{
	up();
	down();
}

/* Two VMs that write to one disk would destroy it. */
static void test_disks(void **state)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = -1;

	(void)state;
	path = sk_asprintf("%s/data.img", w_store()->root);
	fails(disk(path, "data", false), "cannot open disk");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	fails(disk(path, "data", false), "in use by another VM");
	run(ends_script, disk(path, "data", true)); /* read only: by any number */
	assert_int_equal(flock(fd, LOCK_UN), 0);
	run(ends_script, disk(path, "data", false));
	fails(disk(path, "a serial number of more than twenty bytes", false), "without path or serial");
	fails(disk(path, "", false), "without path or serial");
	fails(json_pack("{s:{s:[],s:s}}", "rootfs", "layers", "disk", "none.img"), "cannot open the container's disk");
}

static void wrong_engine_script(void)
{
	w_send(w_owner(), "{\"op\":\"start\"}");
	json_decref(w_receive(w_owner()));
}

static void test_no_engine(void **state)
{
	json_t *s;

	(void)state;
	unsetenv("SKERRY_FAKE_ENGINE");
	run(wrong_engine_script, NULL);
	s = fx_state(w_store());
	assert_true(strlen(json_string_value(json_object_get(s, "error"))) > 0);
	assert_int_equal(json_integer_value(json_object_get(s, "exit_code")), 125);
	json_decref(s);
	fx_engine_script(w_store()->root, "#!/bin/sh\nexit 0\n");
}

/* Layers lie end to end, each from a page's border on. */
static void layers_script(void)
{
	const struct sk_rootfs_spec *rootfs;
	struct w_request r;

	w_send(w_owner(), "{\"op\":\"start\"}");
	r = w_up();
	rootfs = &r.msg.create.rootfs;
	assert_int_equal(rootfs->type, SK_ROOTFS_LAYERS);
	assert_int_equal(rootfs->n_layers, 3);
	assert_true(rootfs->layers[0].offset == 0 && rootfs->layers[0].size == 4096);
	assert_true(rootfs->layers[1].offset == 4096 && rootfs->layers[1].size == 512);
	assert_true(rootfs->layers[2].offset == 8192 && rootfs->layers[2].size == 8192);
	assert_null(rootfs->upper);
	assert_true(rootfs->readonly);
	down();
}

static void test_layers(void **state)
{
	(void)state;
	run(layers_script,
	    json_pack("{s:{s:[{s:s,s:i},{s:s,s:i},{s:s,s:i}],s:b}}", "rootfs", "layers", "path", "/a", "size", 4096,
		      "path", "/b", "size", 512, "path", "/c", "size", 8192, "readonly", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_carries),	  cmocka_unit_test(test_patience),	cmocka_unit_test(test_gone),
		cmocka_unit_test(test_many),	  cmocka_unit_test(test_wrong_sockets), cmocka_unit_test(test_disks),
		cmocka_unit_test(test_no_engine), cmocka_unit_test(test_layers),
	};

	return cmocka_run_group_tests_name("vm-forward", tests, w_setup, w_teardown);
}
