/* SPDX-License-Identifier: Apache-2.0 */
/* Directories that must be ours alone: made, found open to others, behind links, owned by strangers. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/private.h"

#define STRANGER 54321

static char dir[] = "/tmp/sk-test-private-XXXXXX";

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

static int try(const char *path, const char *words)
{
	struct sk_error err = SK_ERROR_INIT;
	int fd = sk_private_dir(path, 0700, NULL, &err);

	if (fd < 0)
		assert_non_null(strstr(err.message, words));
	else
		close(fd);
	return fd < 0 ? fd : 0;
}

static void test_make(void **state)
{
	_cleanup_free_ char *real = NULL, *want = sk_asprintf("%s/a/b/c", dir);
	struct stat st;
	int fd;

	(void)state;
	fd = sk_private_dir("a/./b/../b/c/", 0711, &real, NULL);
	assert_true(fd >= 0);
	assert_string_equal(real, want);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	close(fd);
	assert_int_equal(try("a/b/c", ""), 0);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "file", "x", 1, 0600, false), 0);
	assert_int_equal(try("file", "file"), -ENOTDIR);
	assert_int_equal(try("file/in", "file"), -ENOTDIR);
	assert_int_equal(try("/proc/nowhere", "/proc/nowhere"), -ENOENT);
}

static void test_open_to_others(void **state)
{
	(void)state;
	assert_int_equal(sk_fs_mkdir_p("open/in", 0700), 0);
	assert_int_equal(chmod("open", 0777), 0);
	assert_int_equal(try("open", "chmod go-w"), -EPERM);
	/* Somebody else could put another directory there. */
	assert_int_equal(try("open/in", "may write to"), -EPERM);
	assert_int_equal(chmod("open", 01777), 0);
	assert_int_equal(try("open/in", ""), 0);
	assert_int_equal(try("open", "chmod go-w"), -EPERM);
}

static void test_links(void **state)
{
	_cleanup_free_ char *real = NULL, *want = sk_asprintf("%s/a/b", dir);
	int fd;

	(void)state;
	assert_int_equal(sk_fs_mkdir_p("a/b", 0700), 0);
	assert_int_equal(symlink("a/b", "ours"), 0);
	fd = sk_private_dir("ours", 0700, &real, NULL);
	assert_true(fd >= 0);
	close(fd);
	assert_string_equal(real, want);
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(try("loop", "loop"), -ELOOP);
	if (geteuid() != 0) {
		print_message("SKIPPED: links and directories of other users: not root\n");
		return;
	}
	assert_int_equal(lchown("ours", STRANGER, STRANGER), 0);
	assert_int_equal(try("ours", "another user"), -EPERM);
	assert_int_equal(try("ours/further", "another user"), -EPERM);
}

static void test_strangers(void **state)
{
	int fd;

	(void)state;
	if (geteuid() != 0)
		return; /* said above */
	assert_int_equal(sk_fs_mkdir_p("theirs/ours", 0700), 0);
	assert_int_equal(chown("theirs", STRANGER, STRANGER), 0);
	assert_int_equal(try("theirs", "does not belong"), -EPERM);
	assert_int_equal(try("theirs/ours", "another user"), -EPERM);
	assert_int_equal(sk_fs_mkdir_p("group/containers", 0700), 0);
	assert_int_equal(chown("group", -1, STRANGER), 0);
	assert_int_equal(chmod("group", 0770), 0);
	assert_int_equal(try("group", "chmod go-w"), -EPERM);
	/* Directories below it have to be ours, too, and no links. */
	fd = open(".", O_RDONLY | O_DIRECTORY);
	assert_int_equal(sk_private_subdir(fd, "theirs", 0700, NULL), -EPERM);
	assert_int_equal(symlink("a", "link"), 0);
	assert_int_equal(sk_private_subdir(fd, "link", 0700, NULL), -ENOTDIR);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_open_to_others),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_strangers),
	};

	return cmocka_run_group_tests_name("base-private", tests, setup, teardown);
}
