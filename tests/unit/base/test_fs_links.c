/* SPDX-License-Identifier: Apache-2.0 */
/* Symbolic links in trees that are removed, and on paths that are opened below a directory. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static char dir[] = "/tmp/sk-test-links-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return chdir("/") < 0 ? -1 : sk_fs_remove_tree(AT_FDCWD, dir);
}

/* A link is removed, not followed. */
static void test_remove_tree(void **state)
{
	(void)state;
	assert_int_equal(sk_fs_mkdir_p("t/a/b/c", 0700), 0);
	assert_int_equal(sk_fs_mkdir_p("keep", 0700), 0);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "keep/file", "x", 1, 0600, false), 0);
	assert_int_equal(symlink("../../keep", "t/a/link"), 0);
	assert_int_equal(chmod("t/a/b", 0), 0);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "t"), 0);
	assert_int_equal(access("t", F_OK), -1);
	assert_int_equal(access("keep/file", F_OK), 0);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "t"), 0);
}

static void test_beneath(void **state)
{
	_cleanup_fd_ int top = -1, fd = -1;

	(void)state;
	assert_int_equal(sk_fs_mkdir_p("beneath/d", 0755), 0);
	top = open("beneath", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(top >= 0);
	assert_int_equal(symlinkat("d", top, "in"), 0);
	assert_int_equal(symlinkat("/etc", top, "out"), 0);
	assert_int_equal(symlinkat("../..", top, "up"), 0);
	fd = sk_fs_open_beneath(top, "in/../d");
	assert_true(fd >= 0);
	assert_int_equal(sk_fs_open_beneath(top, "out"), -EXDEV);
	assert_int_equal(sk_fs_open_beneath(top, "up"), -EXDEV);
	assert_int_equal(sk_fs_open_beneath(top, "d/../.."), -EXDEV);
	assert_int_equal(sk_fs_open_beneath(top, "/etc"), -EXDEV);
	assert_int_equal(sk_fs_open_beneath(top, "none"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remove_tree),
		cmocka_unit_test(test_beneath),
	};

	return cmocka_run_group_tests_name("base-fs_links", tests, setup, teardown);
}
