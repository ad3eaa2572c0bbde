/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting connections with a full descriptor table. */
#include "../sk_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/acceptor.h"

static struct sockaddr_un addr = { .sun_family = AF_UNIX };
static socklen_t addr_len = sizeof(addr);
static unsigned n_taken;
static int taken[16];

static void on_connection(void *arg, int take_fd)
{
	assert_ptr_equal(arg, &addr);
	assert_true(fcntl(take_fd, F_GETFL) & O_NONBLOCK);
	assert_true(n_taken < 16);
	taken[n_taken++] = take_fd;
}

static int listen_somewhere(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr.sun_family)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &addr_len), 0);
	return fd;
}

static unsigned rounds_in(struct sk_loop *loop, uint64_t ms)
{
	uint64_t end = sk_now_ms() + ms;
	unsigned n = 0;

	while (sk_now_ms() < end) {
		sk_loop_once(loop, 10);
		n++;
	}
	return n;
}

/* With no descriptor left, a client is closed, the loop sleeps, and the next one is served once there are some. */
static void test_full_table(void **state)
{
	int listen_fd = listen_somewhere(), peers[3], i, last = -1, fd;
	struct rlimit limit, small;
	struct sk_acceptor *a;
	struct sk_loop *loop;
	char byte;

	(void)state;
	assert_int_equal(sk_loop_new(&loop), 0);
	a = sk_acceptor_new(loop, listen_fd, on_connection, &addr);
	assert_non_null(a);
	for (i = 0; i < 3; i++) {
		peers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert_true(peers[i] >= 0);
	}
	assert_int_equal(connect(peers[0], (struct sockaddr *)&addr, addr_len), 0);
	rounds_in(loop, 20);
	assert_int_equal(n_taken, 1);
	/* The table is full: every number below the limit is taken. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	small = (struct rlimit){ 64, limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	while ((fd = dup(0)) >= 0)
		last = fd;
	assert_int_equal(connect(peers[1], (struct sockaddr *)&addr, addr_len), 0);
	assert_true(rounds_in(loop, 50) < 20);
	assert_int_equal(n_taken, 1);
	assert_int_equal(recv(peers[1], &byte, 1, 0), 0);
	assert_int_equal(connect(peers[2], (struct sockaddr *)&addr, addr_len), 0);
	close(last);
	rounds_in(loop, 200);
	assert_int_equal(n_taken, 2);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	sk_acceptor_free(a);
	sk_loop_free(loop);
	close(listen_fd);
}

static void test_raise(void **state)
{
	struct rlimit l = { 0, 0 };

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	l.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
	assert_int_equal(sk_raise_fd_limit(200), 200);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	assert_int_equal(l.rlim_cur, 200);
	assert_int_equal(sk_raise_fd_limit(150), 150); /* never lowered, but the result is at most what was asked for */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	assert_int_equal(l.rlim_cur, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_full_table), cmocka_unit_test(test_raise) };

	return cmocka_run_group_tests_name("base-acceptor", tests, NULL, NULL);
}
