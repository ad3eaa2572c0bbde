/* SPDX-License-Identifier: Apache-2.0 */
/* Archives in and out of a directory that plays the container's root. Beside it lies a directory that nothing may
 * touch. */
#include "../sk_test.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "confine.h"
#include "copy.h"

static char base[64];
static int basefd, rootfd;
static struct sk_error err;

static int setup(void **state)
{
	(void)state;
	err = (struct sk_error)SK_ERROR_INIT;
	strcpy(base, "/tmp/sk-agent-copy-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	basefd = open(base, O_RDONLY | O_DIRECTORY);
	mkdirat(basefd, "outside", 0755);
	mkdirat(basefd, "root", 0755);
	rootfd = openat(basefd, "root", O_PATH | O_DIRECTORY);
	mkdirat(rootfd, "dest", 0755);
	mkdirat(rootfd, "etc", 0755);
	return basefd < 0 || rootfd < 0;
}

static int outside_is_empty(void)
{
	return unlinkat(basefd, "outside", AT_REMOVEDIR) == 0;
}

static int teardown(void **state)
{
	(void)state;
	close(rootfd);
	close(basefd);
	return sk_fs_remove_tree(AT_FDCWD, base);
}

static void write_file(const char *path, const char *text)
{
	int fd = openat(rootfd, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void assert_file(const char *path, const char *text)
{
	char *data;

	assert_int_equal(sk_fs_read(rootfd, path, 65536, &data, NULL), 0);
	assert_string_equal(data, text);
	free(data);
}

/* --- making archives */

static struct archive *out;
static int outfd;

static void begin(void)
{
	outfd = memfd_create("tar", MFD_CLOEXEC);
	out = archive_write_new();
	archive_write_set_format_pax_restricted(out);
	archive_write_open_fd(out, outfd);
}

static void add(const char *name, mode_t type, const char *content, const char *link)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, name);
	archive_entry_set_mode(e, type | 0644 | (type == AE_IFDIR ? 0111 : 0));
	archive_entry_set_uid(e, getuid());
	archive_entry_set_gid(e, getgid());
	archive_entry_set_mtime(e, 1000000, 500);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(e, link);
	else if (link)
		archive_entry_set_hardlink(e, link);
	else
		archive_entry_set_size(e, content ? (la_int64_t)strlen(content) : 0);
	assert_int_equal(archive_write_header(out, e), ARCHIVE_OK);
	if (content)
		archive_write_data(out, content, strlen(content));
	archive_entry_free(e);
}

static int put(const char *path)
{
	int r;

	archive_write_close(out);
	archive_write_free(out);
	lseek(outfd, 0, SEEK_SET);
	err = (struct sk_error)SK_ERROR_INIT;
	r = sk_copy_put(rootfd, path, true, outfd, &err);
	close(outfd);
	assert_true(r == 0 || (err.code && err.message[0]));
	return r;
}

/* --- tests */

static void test_put(void **state)
{
	struct stat a, b;

	(void)state;
	begin();
	add("./", AE_IFDIR, NULL, NULL);
	add("d/", AE_IFDIR, NULL, NULL);
	add("d/f", AE_IFREG, "content", NULL);
	add("d/g", AE_IFREG, NULL, "d/f");
	add("d/l", AE_IFLNK, NULL, "../../outside");
	add("d/p", AE_IFIFO, NULL, NULL);
	add("deep/er/x", AE_IFREG, "made its directories", NULL);
	add("na\xc3\xafve", AE_IFREG, "u", NULL);
	assert_int_equal(put("/dest"), 0);
	assert_file("dest/d/f", "content");
	assert_file("dest/deep/er/x", "made its directories");
	assert_file("dest/na\xc3\xafve", "u");
	assert_int_equal(fstatat(rootfd, "dest/d/f", &a, 0), 0);
	assert_int_equal(fstatat(rootfd, "dest/d/g", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_mtime, 1000000);
	assert_int_equal(fstatat(rootfd, "dest/d", &a, 0), 0);
	assert_int_equal(a.st_mtime, 1000000);
	assert_int_equal(fstatat(rootfd, "dest/d/p", &a, 0), 0);
	assert_true(S_ISFIFO(a.st_mode));
	assert_true(outside_is_empty());
}

static void test_put_dotdot(void **state)
{
	static const char *const names[] = { "../x", "a/../../x", "/../x", "..", "d/..", "./../outside/x" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		begin();
		add(names[i], AE_IFREG, "bad", NULL);
		assert_int_equal(put("dest"), -EINVAL);
	}
	assert_true(faccessat(rootfd, "x", F_OK, 0) < 0);
	assert_true(outside_is_empty());
}

static void test_put_absolute(void **state)
{
	(void)state;
	begin();
	add("/etc/x", AE_IFREG, "below dest", NULL);
	assert_int_equal(put("dest"), 0);
	assert_file("dest/etc/x", "below dest");
	assert_true(faccessat(rootfd, "etc/x", F_OK, 0) < 0);
}

/* Links that the archive brings, or that the container has laid: they lead into the root, never out of it. */
static void test_put_through_links(void **state)
{
	char target[128];

	(void)state;
	snprintf(target, sizeof(target), "%s/outside", base);
	begin();
	add("abs", AE_IFLNK, NULL, target);
	add("abs/x", AE_IFREG, "bad", NULL);
	assert_true(put("dest") < 0);
	begin();
	add("up", AE_IFLNK, NULL, "../../../../../../../../etc");
	add("up/x", AE_IFREG, "in the root's etc", NULL);
	assert_int_equal(put("dest"), 0);
	assert_file("etc/x", "in the root's etc");
	assert_int_equal(symlinkat("../../outside", rootfd, "dest/laid"), 0);
	begin();
	add("laid/y", AE_IFREG, "bad", NULL);
	(void)put("dest");
	/* the last component itself is replaced, not followed */
	assert_int_equal(symlinkat("../../outside/z", rootfd, "dest/z"), 0);
	begin();
	add("z", AE_IFREG, "here", NULL);
	assert_int_equal(put("dest"), 0);
	assert_file("dest/z", "here");
	begin();
	add("proc", AE_IFLNK, NULL, "/proc/self/root");
	add("proc/y", AE_IFREG, "bad", NULL);
	assert_true(put("dest") < 0);
	assert_true(outside_is_empty());
}

static void test_put_hard_links(void **state)
{
	int fd;

	(void)state;
	fd = openat(basefd, "outside/secret", O_CREAT | O_WRONLY, 0600);
	close(fd);
	begin();
	add("h", AE_IFREG, NULL, "../../outside/secret");
	assert_true(put("dest") < 0);
	assert_int_equal(symlinkat("../../outside/secret", rootfd, "dest/s"), 0);
	begin();
	add("h", AE_IFREG, NULL, "s");
	assert_int_equal(put("dest"), 0); /* a second name of the link itself */
	begin();
	add("h2", AE_IFREG, NULL, "nosuch");
	assert_true(put("dest") < 0);
	assert_int_equal(unlinkat(basefd, "outside/secret", 0), 0);
	assert_true(outside_is_empty());
}

static void test_put_kinds(void **state)
{
	(void)state;
	mkdirat(rootfd, "dest/d", 0755);
	write_file("dest/f", "old");
	begin();
	add("d", AE_IFREG, "x", NULL);
	assert_int_equal(put("dest"), -EISDIR);
	begin();
	add("f/", AE_IFDIR, NULL, NULL);
	assert_int_equal(put("dest"), -ENOTDIR);
	begin();
	add("f", AE_IFREG, "new", NULL);
	assert_int_equal(put("dest"), 0);
	assert_file("dest/f", "new");
	begin();
	assert_int_equal(put("dest/f"), -ENOTDIR);
	begin();
	assert_int_equal(put("nosuch"), -ENOENT);
}

static void test_put_garbage(void **state)
{
	char junk[4096];
	int fd;

	(void)state;
	memset(junk, 'j', sizeof(junk));
	fd = memfd_create("junk", MFD_CLOEXEC);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	lseek(fd, 0, SEEK_SET);
	assert_true(sk_copy_put(rootfd, "dest", true, fd, &err) < 0);
	close(fd);
	/* a header that promises more than comes */
	begin();
	add("t", AE_IFREG, "0123456789", NULL);
	archive_write_close(out);
	archive_write_free(out);
	assert_int_equal(ftruncate(outfd, 515), 0);
	lseek(outfd, 0, SEEK_SET);
	assert_true(sk_copy_put(rootfd, "dest", true, outfd, &err) < 0);
	close(outfd);
}

static int get(const char *path, bool follow)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	err = (struct sk_error)SK_ERROR_INIT;
	if (sk_copy_get(rootfd, path, follow, fd, &err) < 0) {
		close(fd);
		return -err.code;
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* A tree that get has written is made again elsewhere by put. */
static void test_round_trip(void **state)
{
	struct stat st, other;
	char big[20000], value[8];
	int fd;

	(void)state;
	memset(big, 'b', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	mkdirat(rootfd, "etc/sub", 0700);
	write_file("etc/sub/a", "aaa");
	write_file("etc/big", big);
	write_file("etc/\xff\xfe", "a name that is no text");
	assert_int_equal(linkat(rootfd, "etc/sub/a", rootfd, "etc/b", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", rootfd, "etc/link"), 0);
	mkfifoat(rootfd, "etc/fifo", 0600);
	assert_int_equal(fchmodat(rootfd, "etc/big", 04711, 0), 0);
	fd = openat(rootfd, "etc/big", O_RDONLY);
	(void)fsetxattr(fd, "user.sk", "value", 5, 0);
	close(fd);
	fd = get("/etc/", false);
	assert_true(fd >= 0);
	assert_int_equal(sk_copy_put(rootfd, "dest", true, fd, &err), 0);
	close(fd);
	assert_file("dest/etc/sub/a", "aaa");
	assert_file("dest/etc/big", big);
	assert_file("dest/etc/\xff\xfe", "a name that is no text");
	assert_int_equal(fstatat(rootfd, "dest/etc/big", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 04711);
	assert_int_equal(fstatat(rootfd, "dest/etc/sub/a", &st, 0), 0);
	assert_int_equal(fstatat(rootfd, "dest/etc/b", &other, 0), 0);
	assert_int_equal(st.st_ino, other.st_ino);
	assert_int_equal(fstatat(rootfd, "dest/etc/fifo", &st, 0), 0);
	assert_true(S_ISFIFO(st.st_mode));
	fd = openat(rootfd, "etc/big", O_RDONLY);
	if (fgetxattr(fd, "user.sk", value, sizeof(value)) == 5) {
		int copy = openat(rootfd, "dest/etc/big", O_RDONLY);

		assert_int_equal(fgetxattr(copy, "user.sk", value, sizeof(value)), 5);
		close(copy);
	}
	close(fd);
}

static void test_get_links(void **state)
{
	char target[128];
	int fd;

	(void)state;
	write_file("etc/secret", "inside");
	snprintf(target, sizeof(target), "%s/outside", base);
	assert_int_equal(symlinkat(target, rootfd, "out"), 0);
	assert_int_equal(symlinkat("/etc/secret", rootfd, "in"), 0);
	assert_int_equal(symlinkat("loop", rootfd, "loop"), 0);
	assert_int_equal(get("out", true), -ENOENT);
	assert_int_equal(get("loop", true), -ELOOP);
	assert_int_equal(get("../../../outside", false), -ENOENT);
	assert_int_equal(get("nosuch", false), -ENOENT);
	fd = get("out", false); /* the link itself */
	assert_true(fd >= 0);
	close(fd);
	fd = get("/in", true);
	assert_true(fd >= 0);
	assert_int_equal(sk_copy_put(rootfd, "dest", true, fd, &err), 0);
	close(fd);
	assert_file("dest/in", "inside");
}

static void test_stat(void **state)
{
	json_t *o;

	(void)state;
	write_file("etc/f", "four");
	assert_int_equal(symlinkat("/etc/f", rootfd, "etc/l"), 0);
	o = sk_copy_stat(rootfd, "/etc/f", &err);
	assert_int_equal(json_integer_value(json_object_get(o, "size")), 4);
	assert_string_equal(json_string_value(json_object_get(o, "name")), "f");
	assert_true(json_is_false(json_object_get(o, "is_dir")));
	json_decref(o);
	o = sk_copy_stat(rootfd, "etc/l", &err);
	assert_string_equal(json_string_value(json_object_get(o, "link")), "/etc/f");
	json_decref(o);
	o = sk_copy_stat(rootfd, "/", &err);
	assert_string_equal(json_string_value(json_object_get(o, "name")), "/");
	assert_true(json_is_true(json_object_get(o, "is_dir")));
	json_decref(o);
	o = sk_copy_stat(rootfd, "/etc/", &err);
	assert_string_equal(json_string_value(json_object_get(o, "name")), "etc");
	json_decref(o);
	assert_null(sk_copy_stat(rootfd, "/nosuch", &err));
	assert_int_equal(err.code, ENOENT);
}

static void test_parent(void **state)
{
	char name[256], path[400];
	int fd;

	(void)state;
	assert_int_equal(sk_confine_parent(rootfd, "", name), -EINVAL);
	assert_int_equal(sk_confine_parent(rootfd, "///", name), -EINVAL);
	assert_int_equal(sk_confine_parent(rootfd, "etc/..", name), -EINVAL);
	assert_int_equal(sk_confine_parent(rootfd, ".", name), -EINVAL);
	fd = sk_confine_parent(rootfd, "/etc/x//", name);
	assert_true(fd >= 0);
	assert_string_equal(name, "x");
	close(fd);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(sk_confine_parent(rootfd, path, name), -ENAMETOOLONG);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_put),
		T(test_put_dotdot),
		T(test_put_absolute),
		T(test_put_through_links),
		T(test_put_hard_links),
		T(test_put_kinds),
		T(test_put_garbage),
		T(test_round_trip),
		T(test_get_links),
		T(test_stat),
		T(test_parent),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	umask(022);
	return cmocka_run_group_tests_name("agent-copy", tests, NULL, NULL);
}
