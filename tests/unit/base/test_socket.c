/* SPDX-License-Identifier: Apache-2.0 */
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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_long_path), cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests_name("base-socket", tests, NULL, NULL);
}
