/* SPDX-License-Identifier: Apache-2.0 */
/* Files as a whole: replaced, removed, copied with holes, locked, opened below a directory. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static char dir[] = "/tmp/sk-test-fs-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int teardown(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

static void test_atomic(void **state)
{
	char *data;
	size_t len;

	(void)state;
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "f", "one", 3, 0600, true), 0);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "f", "second", 6, 0600, false), 0);
	assert_int_equal(sk_fs_read(AT_FDCWD, "f", 100, &data, &len), 0);
	assert_int_equal(len, 6);
	assert_string_equal(data, "second");
	free(data);
	assert_int_equal(sk_fs_read(AT_FDCWD, "f", 5, &data, &len), -EFBIG);
	assert_int_equal(sk_fs_read(AT_FDCWD, "g", 5, &data, &len), -ENOENT);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "no/such", "x", 1, 0600, false), -ENOENT);
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

static void test_copy_sparse(void **state)
{
	_cleanup_fd_ int from = open("sparse", O_RDWR | O_CREAT, 0600), to = open("copy", O_RDWR | O_CREAT, 0600);
	struct stat st;
	char buf[4];

	(void)state;
	assert_int_equal(ftruncate(from, 1 << 30), 0);
	assert_int_equal(pwrite(from, "abcd", 4, 500 << 20), 4);
	assert_int_equal(sk_fs_copy_sparse(from, to), 0);
	assert_int_equal(fstat(to, &st), 0);
	assert_int_equal(st.st_size, 1 << 30);
	assert_true(st.st_blocks < 2048);
	assert_int_equal(pread(to, buf, 4, 500 << 20), 4);
	assert_memory_equal(buf, "abcd", 4);
}

static void test_lock(void **state)
{
	_cleanup_fd_ int a = open("lock", O_RDWR | O_CREAT, 0600), b = open("lock", O_RDWR);

	(void)state;
	assert_int_equal(sk_fs_lock(a, true, false), 0);
	assert_int_equal(sk_fs_lock(b, false, false), -EWOULDBLOCK);
	sk_close_fd(&a);
	assert_int_equal(sk_fs_lock(b, true, false), 0);
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
		cmocka_unit_test(test_atomic), cmocka_unit_test(test_remove_tree), cmocka_unit_test(test_copy_sparse),
		cmocka_unit_test(test_lock),   cmocka_unit_test(test_beneath),
	};

	return cmocka_run_group_tests_name("base-fs", tests, setup, teardown);
}
