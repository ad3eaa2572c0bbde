/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor with the fake engine: what happens when the VM dies, never speaks, or its owner goes. No privileges, no
 * guest. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vm/vm.h"

static struct fx_store store;

static int setup(void **state)
{
	(void)state;
	return fx_store_init(&store);
}

static int teardown(void **state)
{
	(void)state;
	return fx_store_fini(&store);
}

static void engine_script(const char *text)
{
	fx_engine_script(store.root, text);
}

static void new_container(bool auto_remove)
{
	fx_new_container(&store, json_pack("{s:b}", "auto_remove", auto_remove));
}

static int start(int fd, struct sk_error *err)
{
	return sk_vm_request(&store.paths, store.id, fd, &(const struct sk_msg){ .op = SK_REQUEST_START }, NULL, NULL,
			     err);
}

static void send_start(int fd)
{
	fx_send(fd, "{\"op\":\"start\"}");
}

/* What the monitor answers to a request that our own client would not send. */
static void refused(const char *text, int code, const char *words)
{
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_fd_ int fd = sk_vm_connect(&store.paths, store.id, &err);
	struct sk_reply reply;

	assert_true(fd >= 0);
	fx_send(fd, text);
	assert_int_equal(sk_reply_decode(SK_REQUEST_INFO, fx_receive(fd), &reply, &err), 0);
	assert_false(reply.ok);
	assert_int_equal(reply.error, code);
	if (!strstr(reply.message, words))
		fail_msg("%s", reply.message);
	sk_reply_fini(&reply);
}

static void stop(void)
{
	assert_int_equal(
		sk_vm_call(&store.paths, store.id, &(const struct sk_msg){ .op = SK_REQUEST_STOP }, NULL, NULL), 0);
}

static void wait_status(const char *wanted)
{
	fx_wait_status(&store, wanted);
}

static void test_engine_dies(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_fd_ int fd = -1;

	(void)state;
	engine_script("#!/bin/sh\necho panic\nexit 3\n");
	new_container(false);
	fd = sk_vm_launch(&store.paths, store.id, &err);
	assert_true(fd >= 0);
	assert_true(start(fd, &err) < 0);
	assert_non_null(strstr(err.message, "ended unexpectedly"));
	wait_status("created");
	assert_int_equal(sk_vm_remove(&store.paths, store.id, &err), 0);
}

static void test_auto_remove(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_fd_ int fd = -1;

	(void)state;
	engine_script("#!/bin/sh\nexit 0\n");
	new_container(true);
	fd = sk_vm_launch(&store.paths, store.id, &err);
	assert_true(start(fd, &err) < 0);
	wait_status("gone");
}

/* One monitor a container; a second one is refused. */
static void test_busy(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_fd_ int a = -1, b = -1;

	(void)state;
	engine_script("#!/bin/sh\nexec sleep 100\n");
	new_container(false);
	a = sk_vm_launch(&store.paths, store.id, &err);
	send_start(a);
	wait_status("starting");
	b = sk_vm_launch(&store.paths, store.id, &err);
	assert_int_equal(start(b, &err), -EBUSY);
	assert_int_equal(sk_vm_remove(&store.paths, store.id, &err), -EBUSY);
	stop();
	wait_status("created");
}

static pid_t engine_pid(void)
{
	_cleanup_free_ char *text = NULL;
	char path[256];

	snprintf(path, sizeof(path), "%s/run/%s/pid", store.root, store.id);
	for (int i = 0; i < 3000; i++) {
		if (sk_fs_read(AT_FDCWD, path, 100, &text, NULL) == 0 && text[0])
			return atoi(text);
		free(SK_TAKE_PTR(text));
		usleep(10000);
	}
	return -1;
}

/* kill -9 of the monitor takes the engine along, and the state is not "starting" any more. */
static void test_monitor_killed(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_fd_ int fd = -1;
	pid_t monitor, engine;
	json_t *s;
	int i;

	(void)state;
	engine_script("#!/bin/sh\necho $$ > $1/pid\nexec sleep 100\n");
	new_container(false);
	fd = sk_vm_launch(&store.paths, store.id, &err);
	send_start(fd);
	engine = engine_pid();
	assert_true(engine > 0);
	wait_status("starting");
	assert_int_equal(sk_vm_state_load(&store.paths, store.id, &s, NULL), 0);
	monitor = (pid_t)json_integer_value(json_object_get(s, "pid"));
	json_decref(s);
	assert_true(monitor > 1);
	assert_int_equal(kill(monitor, SIGKILL), 0);
	wait_status("exited");
	for (i = 0; i < 3000 && kill(engine, 0) == 0; i++)
		usleep(10000);
	assert_int_equal(kill(engine, 0), -1);
	assert_int_equal(sk_vm_remove(&store.paths, store.id, &err), 0);
}

/* Booted, but nobody is left who could start it: it goes, and the container is what it was. */
static void test_left_alone(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	int fd, i, probe = -1;

	(void)state;
	engine_script("#!/bin/sh\nexec sleep 100\n");
	new_container(false);
	fd = sk_vm_launch(&store.paths, store.id, &err);
	for (i = 0; i < 3000 && (probe = sk_vm_connect(&store.paths, store.id, NULL)) < 0; i++)
		usleep(10000);
	close(probe);
	close(fd);
	assert_int_equal(sk_vm_remove(&store.paths, store.id, &err), 0); /* waits for it */
}

/* Garbage and silence on the control socket end that connection, not the monitor. */
static void test_bad_clients(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_fd_ int owner = -1;
	struct sk_reply reply;
	char byte;
	int i;

	(void)state;
	engine_script("#!/bin/sh\nexec sleep 100\n");
	new_container(false);
	owner = sk_vm_launch(&store.paths, store.id, &err);
	send_start(owner);
	wait_status("starting");
	for (i = 0; i < 300; i++) {
		int fd = sk_vm_connect(&store.paths, store.id, NULL);

		if (fd < 0) {
			usleep(10000);
			continue;
		}
		assert_int_equal(write(fd, "\xff\xff\xff\xff garbage", 12), 12);
		assert_int_equal(read(fd, &byte, 1) > 0, 0);
		close(fd);
	}
	/* A newer program's request to a monitor from before an update. */
	refused("{\"op\":\"nonsense\"}", ENOSYS, "restart the container");
	refused("{\"op\":\"join\",\"create\":{\"spec\":{},\"rootfs\":{\"type\":\"9p\",\"tag\":\"r\"}}}", ENOSYS,
		"OCI runtime");
	refused("{\"op\":\"kill\",\"signal\":65}", EINVAL, "\"signal\"");
	refused("{\"op\":\"exec\",\"process\":[]}", EINVAL, "\"process\"");
	refused("{}", EINVAL, "\"op\"");
	assert_int_equal(
		sk_vm_call(&store.paths, store.id, &(const struct sk_msg){ .op = SK_REQUEST_INFO }, &reply, &err), 0);
	assert_string_equal(reply.engine, "fake");
	assert_true(reply.pid > 1 && reply.memory == 128 << 20);
	sk_reply_fini(&reply);
	stop();
	wait_status("created");
}

/* A monitor that is stopped, or hangs, is ended all the same, and only it: not the process that its state names. */
static void test_frozen(void **state)
{
	const struct sk_msg request = { .op = SK_REQUEST_KILL, .signal = { .number = 9, .all = false } };
	json_t *s;
	_cleanup_fd_ int owner = -1, dirfd = -1;
	struct sk_error err = SK_ERROR_INIT;
	pid_t monitor, other;
	_cleanup_free_ char *dir = NULL;

	(void)state;
	engine_script("#!/bin/sh\nexec sleep 100\n");
	new_container(false);
	owner = sk_vm_launch(&store.paths, store.id, &err);
	send_start(owner);
	wait_status("starting");
	other = fork();
	if (other == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(sk_vm_state_load(&store.paths, store.id, &s, NULL), 0);
	monitor = (pid_t)json_integer_value(json_object_get(s, "pid"));
	json_object_set_new(s, "pid", json_integer(other));
	dir = fx_path(&store, "");
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(sk_vm_state_save(dirfd, s, NULL), 0);
	json_decref(s);
	assert_int_equal(kill(monitor, SIGSTOP), 0);
	assert_int_equal(sk_vm_call_to_end(&store.paths, store.id, &request, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.message, "does not answer"));
	assert_int_equal(sk_vm_end(&store.paths, store.id, &err), 0);
	wait_status("exited");
	assert_int_equal(kill(other, SIGKILL), 0);
	assert_int_equal(waitpid(other, NULL, 0), other);
	assert_int_equal(sk_vm_remove(&store.paths, store.id, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_engine_dies), cmocka_unit_test(test_auto_remove),
		cmocka_unit_test(test_busy),	    cmocka_unit_test(test_bad_clients),
		cmocka_unit_test(test_left_alone),  cmocka_unit_test(test_monitor_killed),
		cmocka_unit_test(test_frozen),
	};

	return cmocka_run_group_tests_name("vm-monitor", tests, setup, teardown);
}
