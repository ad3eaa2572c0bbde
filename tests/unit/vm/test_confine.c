/* SPDX-License-Identifier: Apache-2.0 */
/* Tries what a monitor can still do once its VM runs: each try in a process of its own, which is confined first. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "vm/monitor.h"

static char dir[] = "/tmp/sk-test-monitor-confine-XXXXXX";
static struct sockaddr_un bus = { .sun_family = AF_UNIX };

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(bus.sun_path, sizeof(bus.sun_path), "%s/bus", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

/* The exit code of `what`, done by a confined process. */
static int confined(int (*what)(int fd), int fd)
{
	struct sk_monitor m = { .paths = { .root = dir, .run = dir }, .id = "0123456789ab" };
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(m.run_dir, sizeof(m.run_dir), "%s", dir);
		sk_monitor_confine(&m);
		_exit(what(fd));
	}
	return sk_wait(pid);
}

static bool reaches_bus(int fd)
{
	return fd >= 0 && connect(fd, (struct sockaddr *)&bus, sizeof(bus)) == 0;
}

static int by_new_socket(int fd)
{
	(void)fd;
	return reaches_bus(socket(AF_UNIX, SOCK_STREAM, 0)) || reaches_bus(socket(AF_UNIX, SOCK_SEQPACKET, 0)) ||
	       reaches_bus(socket(AF_UNIX, SOCK_DGRAM, 0));
}

static int by_old_socket(int fd)
{
	return reaches_bus(fd);
}

static int by_pair(int fd)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int pair[2], i;

	(void)fd;
	for (i = 0; i < 3; i++)
		if (socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, pair) == 0 && reaches_bus(pair[0]))
			return 1;
	return 0;
}

static int pairs_and_internet(int fd)
{
	int pair[2];

	(void)fd;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
	       socket(AF_INET, SOCK_STREAM, 0) < 0 || socket(AF_INET, SOCK_DGRAM, 0) < 0;
}

/* A docker.sock, a bus: a connection to it has the user's rights. */
static void test_local_sockets(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	int i, pair[2], listener;

	(void)state;
	for (i = 0; i < 2; i++) {
		listener = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
		unlink(bus.sun_path);
		assert_int_equal(bind(listener, (struct sockaddr *)&bus, sizeof(bus)), 0);
		if (types[i] == SOCK_STREAM) {
			assert_int_equal(listen(listener, 4), 0);
			assert_int_equal(confined(by_old_socket, listener), 0);
		}
		assert_int_equal(confined(by_new_socket, -1), 0);
		assert_int_equal(confined(by_pair, -1), 0);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(confined(by_old_socket, pair[0]), 0);
		close(pair[0]);
		close(pair[1]);
		close(listener);
	}
	assert_int_equal(confined(pairs_and_internet, -1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_local_sockets) };

	return cmocka_run_group_tests_name("vm-confine", tests, setup, teardown);
}
