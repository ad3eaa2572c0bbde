/* SPDX-License-Identifier: Apache-2.0 */
/* What a container has changed, from directories that are as an overlay leaves them: the list, and the layer. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "copy_changes.h"

static char base[64];
static struct sk_changes of;

static int setup(void **state)
{
	static const char *const dirs[] = { "upper", "lower", "merged" };
	int *const fds[] = { &of.upper, &of.lower, &of.merged };
	size_t i;

	(void)state;
	strcpy(base, "/tmp/sk-agent-changes-XXXXXX");
	if (!mkdtemp(base) || chdir(base) < 0)
		return -1;
	for (i = 0; i < 3; i++) {
		mkdir(dirs[i], 0755);
		*fds[i] = open(dirs[i], O_PATH | O_DIRECTORY);
		if (*fds[i] < 0)
			return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(of.upper);
	close(of.lower);
	close(of.merged);
	return chdir("/") < 0 ? -1 : sk_fs_remove_tree(AT_FDCWD, base);
}

static void file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void dir(const char *path)
{
	assert_int_equal(mkdir(path, 0755), 0);
}

/* Gives a directory of both the same times, as the kernel does that copies one up. */
static void same_time(const char *path)
{
	const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	char full[128];

	snprintf(full, sizeof(full), "upper/%s", path);
	assert_int_equal(utimensat(AT_FDCWD, full, times, 0), 0);
	snprintf(full, sizeof(full), "lower/%s", path);
	assert_int_equal(utimensat(AT_FDCWD, full, times, 0), 0);
}

static bool whiteout(const char *path)
{
	return mknod(path, S_IFCHR, makedev(0, 0)) == 0;
}

static bool mark(const char *path, const char *name, const char *value)
{
	return setxattr(path, name, value, strlen(value), 0) == 0;
}

/* With " " for the NULs. */
static void expect_list(const char *want)
{
	struct sk_error err = SK_ERROR_INIT;
	char got[4096];
	int fd = open("list", O_RDWR | O_CREAT | O_TRUNC, 0600);
	ssize_t n, i;

	assert_true(fd >= 0);
	if (sk_changes_send(&of, true, fd, &err) < 0)
		fail_msg("%s", err.message);
	n = pread(fd, got, sizeof(got) - 1, 0);
	assert_true(n >= 0);
	for (i = 0; i < n; i++)
		if (!got[i])
			got[i] = ' ';
	got[n] = '\0';
	close(fd);
	assert_string_equal(got, want);
}

static void expect_layer(const char *want)
{
	struct sk_error err = SK_ERROR_INIT;
	char got[4096] = "";
	size_t n;
	FILE *p;
	int fd = open("layer.tar", O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	if (sk_changes_send(&of, false, fd, &err) < 0)
		fail_msg("%s", err.message);
	close(fd);
	p = popen("tar -tf layer.tar | tr '\\n' ' '", "r");
	assert_non_null(p);
	n = fread(got, 1, sizeof(got) - 1, p);
	got[n] = '\0';
	assert_int_equal(pclose(p), 0);
	assert_string_equal(got, want);
}

static void test_nothing(void **state)
{
	(void)state;
	dir("lower/etc");
	file("lower/etc/passwd", "x");
	expect_list("");
	/* A directory that was copied up for a place of a mount, and the place. */
	dir("upper/etc");
	file("upper/etc/hosts", "");
	dir("upper/proc");
	dir("upper/dev");
	dir("upper/dev/pts");
	expect_list("");
	expect_layer("");
}

static void test_added_and_changed(void **state)
{
	(void)state;
	dir("lower/etc");
	file("lower/etc/passwd", "x");
	dir("lower/usr");
	dir("lower/usr/lib");
	dir("upper/etc");
	file("upper/etc/passwd", "y");
	file("upper/etc/hosts", "written by the container");
	dir("upper/usr");
	dir("upper/usr/lib");
	dir("upper/usr/lib/new");
	file("upper/usr/lib/new/file", "z");
	same_time("usr");
	same_time("usr/lib");
	expect_list("C/etc A/etc/hosts C/etc/passwd C/usr C/usr/lib A/usr/lib/new A/usr/lib/new/file ");
	expect_layer("etc/ etc/hosts etc/passwd usr/ usr/lib/ usr/lib/new/ usr/lib/new/file ");
	/* Copied up and left as it was: as if it had not been. */
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, "upper/usr/lib/new"), 0);
	same_time("usr/lib");
	expect_list("C/etc A/etc/hosts C/etc/passwd ");
	/* Its mode counts. */
	assert_int_equal(chmod("upper/usr/lib", 0700), 0);
	same_time("usr/lib");
	expect_list("C/etc A/etc/hosts C/etc/passwd C/usr C/usr/lib ");
}

static void test_deleted(void **state)
{
	(void)state;
	file("lower/gone", "x");
	dir("lower/dir");
	file("lower/dir/a", "x");
	file("lower/dir/b", "x");
	dir("upper/dir");
	same_time("dir");
	if (!whiteout("upper/gone"))
		skip();
	/* One of a name that the image does not have. */
	assert_true(whiteout("upper/never"));
	assert_true(whiteout("upper/dir/a"));
	same_time("dir");
	expect_list("C/dir D/dir/a D/gone ");
	expect_layer("dir/ dir/.wh.a .wh.gone ");
	/* Something else in its place. */
	assert_int_equal(unlink("upper/gone"), 0);
	dir("upper/gone");
	expect_list("C/dir D/dir/a A/gone ");
}

static void test_replaced_directory(void **state)
{
	(void)state;
	dir("lower/dir");
	dir("lower/dir/sub");
	file("lower/dir/sub/old", "x");
	file("lower/dir/kept", "x");
	file("lower/dir/lost", "x");
	dir("upper/dir");
	if (!mark("upper/dir", "trusted.overlay.opaque", "y"))
		skip();
	file("upper/dir/kept", "y");
	dir("upper/dir/sub");
	expect_list("C/dir C/dir/kept C/dir/sub D/dir/sub/old D/dir/lost ");
	expect_layer("dir/ dir/.wh..wh..opq dir/kept dir/sub/ ");
}

static void test_moved_directory(void **state)
{
	(void)state;
	dir("lower/old");
	file("lower/old/file", "x");
	dir("upper/new");
	if (!mark("upper/new", "trusted.overlay.redirect", "old"))
		skip();
	assert_true(whiteout("upper/old"));
	dir("merged/new");
	file("merged/new/file", "x");
	expect_list("A/new A/new/file D/old ");
	expect_layer("new/ new/file .wh.old ");
}

static void test_links(void **state)
{
	(void)state;
	file("upper/a", "x");
	assert_int_equal(link("upper/a", "upper/b"), 0);
	assert_int_equal(symlink("/etc/passwd", "upper/s"), 0);
	assert_int_equal(mkfifo("upper/f", 0600), 0);
	expect_list("A/a A/b A/f A/s ");
	expect_layer("a b f s ");
	assert_int_equal(system("tar -tvf layer.tar | grep -q 'b link to a'"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_added_and_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaced_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
	};

	return cmocka_run_group_tests_name("agent-changes", tests, NULL, NULL);
}
