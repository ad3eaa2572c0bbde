/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy of a managed container's descriptors, with a reader that does not read. */
#include "../sk_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "vm/proxy.h"

struct fixture {
	struct sk_loop *loop;
	struct sk_proxy *proxy;
	int monitor; /* the other end of its connection */
	bool is_done;
	int code;
};

static void on_done(void *arg, int code, bool oom)
{
	struct fixture *f = arg;

	(void)oom;
	f->is_done = true;
	f->code = code;
}

static void start(struct fixture *f, int take_out)
{
	struct sk_proxy_config c = {
		.in_fd = -1, .out_fd = take_out, .err_fd = -1, .size_fd = -1, .done = on_done, .arg = f
	};
	int pair[2];

	*f = (struct fixture){ .code = -1 };
	assert_int_equal(sk_loop_new(&f->loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	c.loop = f->loop;
	c.take_conn_fd = pair[0];
	f->monitor = pair[1];
	assert_int_equal(sk_proxy_new(&c, &f->proxy), 0);
}

static void stop(struct fixture *f)
{
	sk_proxy_free(f->proxy);
	sk_loop_free(f->loop);
	close(f->monitor);
}

static void run(struct fixture *f, uint64_t ms)
{
	uint64_t end = sk_now_ms() + ms;

	while (sk_now_ms() < end && !f->is_done)
		sk_loop_once(f->loop, 10);
}

/* As much output as the connection takes, with the proxy reading. */
static void pour(struct fixture *f)
{
	static char block[32768];
	struct sk_buf buf;
	int i;

	sk_buf_init(&buf, 65536);
	assert_int_equal(sk_frame_put(&buf, SK_FRAME_STDOUT, block, sizeof(block)), 0);
	for (i = 0; i < 100; i++) {
		if (send(f->monitor, sk_buf_data(&buf), buf.len, MSG_DONTWAIT) != (ssize_t)buf.len)
			break;
		run(f, 2);
	}
	assert_true(i < 100); /* nothing grows for ever */
	sk_buf_fini(&buf);
}

/* Nobody reads: neither a socket nor a pipe blocks us, and the end does not wait for ever. */
static void nobody_reads(int take_out)
{
	struct fixture f;
	uint64_t begun;

	alarm(20);
	start(&f, take_out);
	pour(&f);
	begun = sk_now_ms();
	sk_proxy_ended(f.proxy, 300);
	close(f.monitor);
	f.monitor = -1;
	run(&f, 5000);
	assert_true(f.is_done);
	assert_true(sk_now_ms() - begun < 3000);
	stop(&f);
	alarm(0);
}

static void test_socket(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	nobody_reads(pair[0]);
	close(pair[1]);
}

static void test_pipe(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	nobody_reads(fds[1]);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_socket), cmocka_unit_test(test_pipe) };

	return cmocka_run_group_tests_name("vm-proxy", tests, NULL, NULL);
}
