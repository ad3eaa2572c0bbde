/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of unix sockets with long paths, and descriptors in messages. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/socket.h"

/* A directory whose path is longer than a socket address has room for. */
static void test_long_path(void **state)
{
	_cleanup_fd_ int a = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_fd_ int b = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), dir = -1, link = -1;
	char top[] = "/tmp/skerry-socket-XXXXXX", path[300], name[120];
	struct sockaddr_un addr;

	(void)state;
	assert_non_null(mkdtemp(top));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/%s", top, name);
	assert_int_equal(mkdir(path, 0700), 0);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(sk_socket_address(dir, "s", &addr), 0);
	assert_int_equal(bind(a, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(a, 1), 0);
	assert_int_equal(faccessat(dir, "s", F_OK, 0), 0);
	link = openat(dir, "s", O_PATH | O_CLOEXEC);
	assert_int_equal(sk_socket_address(link, NULL, &addr), 0);
	assert_int_equal(connect(b, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, top), 0);
}

static void test_refused(void **state)
{
	struct sockaddr_un addr;
	char name[120];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(sk_socket_address(-1, "s", &addr), -EBADF);
	assert_int_equal(sk_socket_address(0, name, &addr), -ENAMETOOLONG);
}

static int open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_descriptors(void **state)
{
	const int two[2] = { STDIN_FILENO, STDOUT_FILENO };
	int sv[2], fds[2], before;
	char text[8];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(sk_socket_receive(sv[1], false, text, sizeof(text), fds, 2), -EAGAIN);
	assert_int_equal(sk_socket_send(sv[0], "ab", 3, two, 2), 0);
	assert_int_equal(sk_socket_receive(sv[1], true, text, sizeof(text), fds, 2), 3);
	assert_string_equal(text, "ab");
	assert_int_equal(fcntl(fds[0], F_GETFD) & fcntl(fds[1], F_GETFD), FD_CLOEXEC);
	close(fds[0]);
	close(fds[1]);
	before = open_fds();
	/* Others than were expected, none, and without room for them: nothing stays open. */
	assert_int_equal(sk_socket_send(sv[0], "c", 1, two, 2), 0);
	assert_int_equal(sk_socket_receive(sv[1], true, text, sizeof(text), fds, 1), 1);
	assert_int_equal(fds[0], -1);
	assert_int_equal(sk_socket_send(sv[0], "c", 1, two, 1), 0);
	assert_int_equal(sk_socket_receive(sv[1], true, text, sizeof(text), fds, 2), 1);
	assert_true(fds[0] == -1 && fds[1] == -1);
	assert_int_equal(sk_socket_send(sv[0], "c", 1, NULL, 0), 0);
	assert_int_equal(sk_socket_receive(sv[1], true, text, sizeof(text), fds, 1), 1);
	assert_int_equal(fds[0], -1);
	assert_int_equal(sk_socket_send(sv[0], "c", 1, two, 1), 0);
	assert_int_equal(sk_socket_receive(sv[1], true, text, sizeof(text), NULL, 0), 1);
	assert_int_equal(open_fds(), before);
	close(sv[0]);
	assert_int_equal(sk_socket_receive(sv[1], true, text, sizeof(text), fds, 1), 0);
	assert_int_equal(sk_socket_send(sv[1], "c", 1, NULL, 0), -EPIPE);
	close(sv[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_long_path), cmocka_unit_test(test_refused),
					    cmocka_unit_test(test_descriptors) };

	return cmocka_run_group_tests_name("base-socket", tests, NULL, NULL);
}
