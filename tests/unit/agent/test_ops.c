/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's dispatcher: requests for a container that is busy wait, in their order, also beyond its end. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "base/buf.h"
#include "base/frame.h"
#include "base/fs.h"

static struct sk_agent a;
static struct sk_buf in;
static char dir[] = "/tmp/sk-ops-XXXXXX";
static int peer;

static void on_gone(void *arg)
{
	(void)arg;
}

static int setup(void **state)
{
	static const struct sk_session_ops ops = { .handle = sk_ops_handle, .gone = on_gone };
	int sv[2];

	(void)state;
	a = (struct sk_agent){ .run_dir = mkdtemp(dir), .crun = "/bin/false", .self = "/init", .test = true };
	a.inotify = -1;
	sk_buf_init(&in, 1u << 20);
	if (!a.run_dir || sk_loop_new(&a.loop) < 0 || sk_ops_init(&a) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		return -1;
	a.jobs.loop = a.loop;
	peer = sv[1];
	return sk_session_new(a.loop, sv[0], &ops, &a, &a.session);
}

static int teardown(void **state)
{
	(void)state;
	sk_session_free(a.session);
	sk_loop_remove(a.retry);
	sk_loop_free(a.loop);
	sk_buf_fini(&in);
	close(peer);
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

static void request(const char *text)
{
	struct sk_buf b;

	sk_buf_init(&b, 1u << 16);
	assert_int_equal(sk_frame_put(&b, SK_FRAME_JSON, text, strlen(text)), 0);
	assert_int_equal(write(peer, sk_buf_data(&b), b.len), (ssize_t)b.len);
	sk_buf_fini(&b);
}

/* Its root file system cannot be mounted: the device does not exist. */
static void request_create(int id)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "{\"id\":%d,\"op\":\"create\",\"container\":\"c1\",\"rootfs\":{\"type\":\"9p\",\"tag\":\"none\"},"
		 "\"spec\":{}}",
		 id);
	request(text);
}

static void request_start(int id)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"id\":%d,\"op\":\"start\",\"container\":\"c1\"}", id);
	request(text);
}

/* Runs the agent, reaper included, until it has answered request `id`: true if that was its next answer, and an error
 * with `words` in it. */
static bool fails_next(int id, const char *words)
{
	struct sk_frame f;
	json_t *reply;
	uint8_t tmp[4096];
	bool good;
	int i, status;
	pid_t pid;

	for (i = 0; i < 2000 && sk_frame_peek(&in, &f) == 0; i++) {
		ssize_t n;

		assert_true(sk_loop_once(a.loop, 5) >= 0);
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			sk_job_reaped(&a.jobs, pid, WEXITSTATUS(status));
		n = recv(peer, tmp, sizeof(tmp), MSG_DONTWAIT);
		if (n > 0)
			assert_int_equal(sk_buf_append(&in, tmp, (size_t)n), 0);
	}
	assert_int_equal(sk_frame_peek(&in, &f), 1);
	reply = sk_frame_json(&f);
	sk_frame_consume(&in, &f);
	good = json_integer_value(json_object_get(reply, "id")) == id &&
	       strstr(json_string_value(json_object_get(reply, "message")), words);
	if (!good)
		json_dumpf(reply, stderr, 0);
	json_decref(reply);
	return good;
}

static void test_order(void **state)
{
	(void)state;
	request_create(1);
	request_start(2);
	/* The container is busy, and there: a second one of its name is refused at once. */
	request_create(3);
	assert_true(fails_next(3, "exists"));
	assert_true(fails_next(1, ""));
	/* It is being removed. What comes now waits behind 2 until it is gone. */
	request_create(4);
	request_start(5);
	assert_true(fails_next(2, "no container c1"));
	assert_true(fails_next(4, ""));
	assert_true(fails_next(5, "no container c1"));
	assert_null(a.containers);
	assert_null(a.waiting);
}

static void test_too_many(void **state)
{
	int i;

	(void)state;
	request_create(1);
	for (i = 0; i < 65; i++)
		request_start(2 + i);
	assert_true(fails_next(66, "is busy"));
	assert_true(fails_next(1, ""));
	for (i = 0; i < 64; i++)
		assert_true(fails_next(2 + i, "no container c1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
