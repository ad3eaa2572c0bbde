/* SPDX-License-Identifier: Apache-2.0 */
/* Files as a whole: replaced, copied with holes, locked. On each system. */
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
	return chdir("/") < 0 ? -1 : sk_fs_remove_tree(AT_FDCWD, dir);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_atomic),
		cmocka_unit_test(test_copy_sparse),
		cmocka_unit_test(test_lock),
	};

	return cmocka_run_group_tests_name("base-fs", tests, setup, teardown);
}
