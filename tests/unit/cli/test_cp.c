/* SPDX-License-Identifier: Apache-2.0 */
/* skerry cp: docker's rules of paths, and archives from a container, hostile ones among them. */
#include "../sk_test.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "cli/container/cp_plan.h"
#include "cli/container/cp_tar.h"
#include "model/path.h"
#include "model/xmem.h"

static void test_paths(void **state)
{
	static const char *const clean[][2] = {
		{ "", "." },
		{ "/", "/" },
		{ "a//b/./c/", "a/b/c" },
		{ "/../a", "/a" },
		{ "a/../..", ".." },
		{ "../../a/..", "../.." },
		{ "/a/b/../c", "/a/c" },
		{ "./a", "a" },
		{ "a/..", "." },
		{ "//x", "/x" },
	};
	size_t i;
	char *s;

	(void)state;
	for (i = 0; i < sizeof(clean) / sizeof(clean[0]); i++) {
		s = sk_model_path_clean(clean[i][0]);
		assert_string_equal(s, clean[i][1]);
		free(s);
	}
	s = sk_model_path_dir("/a/b");
	assert_string_equal(s, "/a");
	free(s);
	s = sk_model_path_dir("b");
	assert_string_equal(s, ".");
	free(s);
	assert_string_equal(sk_model_path_base("/a/b"), "b");
	assert_string_equal(sk_model_path_base("/"), "/");
	assert_true(sk_model_path_ends_in_dot("a/.") && sk_model_path_ends_in_dot(".") &&
		    !sk_model_path_ends_in_dot("a."));
}

static void test_split(void **state)
{
	static const char *const cases[][3] = {
		{ "web:/etc", "web", "/etc" },
		{ "web:", "web", "" },
		{ "web:rel", "web", "rel" },
		{ "./a:b", NULL, "./a:b" },
		{ "/a:b", NULL, "/a:b" },
		{ "plain", NULL, "plain" },
		{ "-", NULL, "-" },
		{ "..:x", NULL, "..:x" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *container, *path;

		sk_cp_split(cases[i][0], &container, &path);
		if (cases[i][1])
			assert_string_equal(container, cases[i][1]);
		else
			assert_null(container);
		assert_string_equal(path, cases[i][2]);
		free(container);
		free(path);
	}
}

/* Docker's table of what goes where. */
static void test_plan(void **state)
{
	enum { NO, FILE_, DIR_ };
	static const struct {
		const char *src;
		int src_is;
		const char *dst;
		int dst_is;
		const char *dir, *name; /* NULL: refused */
	} cases[] = {
		{ "/a/f", FILE_, "/x/g", NO, "/x", "g" },
		{ "/a/f", FILE_, "/x/g/", NO, NULL, NULL },
		{ "/a/f", FILE_, "/x/g", FILE_, "/x", "g" },
		{ "/a/f", FILE_, "/x/d", DIR_, "/x/d", "f" },
		{ "/a/f", FILE_, "/x/d/", DIR_, "/x/d", "f" },
		{ "/a/d", DIR_, "/x/n", NO, "/x", "n" },
		{ "/a/d", DIR_, "/x/n/", NO, "/x", "n" },
		{ "/a/d/.", DIR_, "/x/n", NO, "/x", "n" },
		{ "/a/d", DIR_, "/x/g", FILE_, NULL, NULL },
		{ "/a/d", DIR_, "/x/d", DIR_, "/x/d", "d" },
		{ "/a/d/", DIR_, "/x/d", DIR_, "/x/d", "d" },
		{ "/a/d/.", DIR_, "/x/d", DIR_, "/x/d", "." },
		{ "/a/f/", FILE_, "/x/d", DIR_, NULL, NULL },
		{ "/a/f", FILE_, "/x/g/", FILE_, NULL, NULL },
		{ "f", FILE_, "g", NO, ".", "g" },
		{ "/", DIR_, "/x/d", DIR_, "/x/d", "." },
		{ "/a/f", FILE_, "/", DIR_, "/", "f" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sk_cp_side src = { cases[i].src, true, cases[i].src_is == DIR_ };
		struct sk_cp_side dst = { cases[i].dst, cases[i].dst_is != NO, cases[i].dst_is == DIR_ };
		struct sk_error err = SK_ERROR_INIT;
		char *dir = NULL, *name = NULL;
		int r = sk_cp_plan(&src, &dst, &dir, &name, &err);

		if (!cases[i].dir) {
			assert_true(r < 0 && err.message[0]);
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(dir, cases[i].dir);
		assert_string_equal(name, cases[i].name);
		free(dir);
		free(name);
	}
}

static void test_rename(void **state)
{
	static const char *const cases[][4] = {
		{ "d/", "d", "n", "n" },     { "d/a/b", "d", "n", "n/a/b" }, { "d/a", "d", ".", "a" },
		{ "./", ".", "n", "n" },     { "./a", ".", "n", "n/a" },     { "a", ".", ".", "a" },
		{ "/d/a", "d", "n", "n/a" }, { "dx/a", "d", "n", NULL },     { "d/../e", "d", "n", NULL },
		{ "../d", "d", "n", NULL },  { "other", "d", "n", NULL },    { "d/./a//b", "d", "n", "n/a/b" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *got = sk_cp_rename(cases[i][0], cases[i][1], cases[i][2]);

		if (cases[i][3])
			assert_string_equal(got, cases[i][3]);
		else
			assert_null(got);
		free(got);
	}
}

/* ---- archives */

static char top[32];

static int setup(void **state)
{
	(void)state;
	strcpy(top, "/tmp/sk-cp-XXXXXX");
	assert_non_null(mkdtemp(top));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, top);
}

static char archive_data[1 << 20];
static size_t archive_size;
static struct archive *out;
static size_t max_kept;

static void begin(void)
{
	out = archive_write_new();
	archive_write_set_format_pax_restricted(out);
	assert_int_equal(archive_write_open_memory(out, archive_data, sizeof(archive_data), &archive_size), ARCHIVE_OK);
}

static void entry(const char *name, unsigned type, unsigned mode, const char *content)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, (mode_t)mode);
	archive_entry_set_mtime(e, 1000, 0);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(e, content);
	else if (type == 0)
		archive_entry_set_hardlink(e, content);
	else if (type == AE_IFREG)
		archive_entry_set_size(e, (int64_t)strlen(content));
	archive_write_header(out, e);
	if (type == AE_IFREG)
		archive_write_data(out, content, strlen(content));
	archive_entry_free(e);
}

static int extract(const char *root, const char *name, struct sk_cp_extract *x, struct sk_error *err)
{
	struct archive *in = archive_read_new();
	int dirfd = open(top, O_RDONLY | O_DIRECTORY), r;

	archive_write_close(out);
	archive_write_free(out);
	*x = (struct sk_cp_extract){ .root = root, .name = name, .max_kept = max_kept };
	archive_read_support_format_tar(in);
	assert_int_equal(archive_read_open_memory(in, archive_data, archive_size), ARCHIVE_OK);
	r = sk_cp_extract(in, dirfd, x, err);
	archive_read_free(in);
	close(dirfd);
	return r;
}

static char *content(const char *name)
{
	char *path = sk_xasprintf("%s/%s", top, name), *text = NULL;

	(void)sk_fs_read(AT_FDCWD, path, 1 << 20, &text, NULL);
	free(path);
	return text;
}

static void test_extract(void **state)
{
	struct sk_cp_extract x;
	struct sk_error err = SK_ERROR_INIT;
	char *text, path[128];
	struct stat st;

	(void)state;
	begin();
	entry("d/", AE_IFDIR, 0555, NULL);
	entry("d/f", AE_IFREG, 04755, "hello");
	entry("d/sub/g", AE_IFREG, 0600, "deep"); /* its directory is not in the archive */
	entry("d/l", AE_IFLNK, 0777, "/etc/passwd");
	entry("d/h", 0, 0644, "d/f");
	entry("d/dev", AE_IFCHR, 0666, NULL);
	assert_int_equal(extract("d", "n", &x, &err), 0);
	text = content("n/f");
	assert_string_equal(text, "hello");
	free(text);
	text = content("n/h");
	assert_string_equal(text, "hello");
	free(text);
	text = content("n/sub/g");
	assert_string_equal(text, "deep");
	free(text);
	assert_int_equal(x.skipped, 1);
	assert_int_equal(x.bytes, 9);
	snprintf(path, sizeof(path), "%s/n/f", top);
	assert_int_equal(stat(path, &st), 0);
	/* Set-user-id only where it is the same user here as there, root. */
	assert_int_equal(st.st_mode & 07777, geteuid() == 0 ? 04755 : 0755);
	assert_int_equal(st.st_mtime, 1000);
	snprintf(path, sizeof(path), "%s/n", top);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0555);
	assert_int_equal(st.st_mtime, 1000);
}

/* Hostile archives of a container: none gets out of the directory. */
static void test_hostile(void **state)
{
	struct sk_cp_extract x;
	struct sk_error err = SK_ERROR_INIT;
	char outside[64], path[128];
	struct stat st;

	(void)state;
	snprintf(outside, sizeof(outside), "%s-outside", top);
	assert_int_equal(mkdir(outside, 0700), 0);
	begin();
	entry("d/../../evil", AE_IFREG, 0644, "x");
	assert_int_equal(extract("d", "d", &x, &err), -EINVAL);
	begin();
	entry("/etc/evil", AE_IFREG, 0644, "x");
	assert_int_equal(extract("d", "d", &x, &err), -EINVAL);
	begin();
	entry("d/", AE_IFDIR, 0755, NULL);
	entry("d/link", AE_IFLNK, 0777, outside);
	entry("d/link/evil", AE_IFREG, 0644, "x");
	assert_true(extract("d", "d", &x, &err) < 0);
	snprintf(path, sizeof(path), "%s/evil", outside);
	assert_int_equal(stat(path, &st), -1);
	begin();
	entry("d/h", 0, 0644, "../../../etc/passwd");
	assert_true(extract("d", "d", &x, &err) < 0);
	begin();
	entry("d/h", 0, 0644, "d/link/x");
	assert_true(extract("d", "d", &x, &err) < 0);
	/* A file over a link replaces the link. */
	snprintf(path, sizeof(path), "%s/target", outside);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	begin();
	entry("d/l2", AE_IFLNK, 0777, path);
	entry("d/l2", AE_IFREG, 0644, "new");
	assert_int_equal(extract("d", "d", &x, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	sk_fs_remove_tree(AT_FDCWD, outside);
}

/* One directory, named without an end. */
static void test_many_directories(void **state)
{
	struct sk_cp_extract x;
	struct sk_error err = SK_ERROR_INIT;
	int i;

	(void)state;
	begin();
	for (i = 0; i < 1000; i++)
		entry("d/same/", AE_IFDIR, 0755, NULL);
	max_kept = 10000;
	assert_int_equal(extract("d", "many", &x, &err), -E2BIG);
	assert_non_null(strstr(err.message, "too many directories"));
	max_kept = 0;
	begin();
	for (i = 0; i < 1000; i++)
		entry("d/same/", AE_IFDIR, 0755, NULL);
	assert_int_equal(extract("d", "many", &x, &err), 0);
}

static void put(const char *name, const char *text)
{
	char *path = sk_xasprintf("%s/%s", top, name);
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	free(path);
}

/* Packed and unpacked again under another name. */
static void test_pack(void **state)
{
	struct sk_cp_pack p = { .name = "new" };
	struct sk_cp_extract x;
	struct sk_error err = SK_ERROR_INIT;
	char path[128], target[64] = "", *text;

	(void)state;
	snprintf(path, sizeof(path), "%s/src", top);
	assert_int_equal(mkdir(path, 0750), 0);
	put("src/a", "one");
	put("src/empty", "");
	snprintf(path, sizeof(path), "%s/src/b", top);
	assert_int_equal(symlink("a", path), 0);
	snprintf(path, sizeof(path), "%s/src", top);
	begin();
	assert_int_equal(sk_cp_pack(path, out, &p, &err), 0);
	assert_int_equal(p.bytes, 3);
	assert_int_equal(extract("new", "copy", &x, &err), 0);
	text = content("copy/a");
	assert_string_equal(text, "one");
	free(text);
	snprintf(path, sizeof(path), "%s/copy/b", top);
	assert_true(readlink(path, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, "a");
	begin();
	assert_true(sk_cp_pack("/nonexistent/x", out, &p, &err) < 0);
	archive_write_free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_rename),
		cmocka_unit_test_setup_teardown(test_extract, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_directories, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pack, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
