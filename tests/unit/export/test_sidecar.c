/* SPDX-License-Identifier: Apache-2.0 */
/* The file of records of a directory: what counts after which sequence of lines, and after a crash in between. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "export/sidecar.h"

static const struct sk_override one = { 1, 11, S_IFREG | 0601, 0, 0 }, two = { 2, 22, S_IFREG | 04702, 0, 0 },
				device = { 3, 33, S_IFCHR | 0600, 10, 229 }, link_ = { 4, 44, S_IFLNK | 0777, 0, 0 };

struct fixture {
	char path[64];
	int dir;
	struct sk_sidecar *s;
};

static int setup(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));

	strcpy(fx->path, "/tmp/sk-sidecar-XXXXXX");
	if (!mkdtemp(fx->path))
		return -1;
	fx->dir = open(fx->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fx->s = sk_sidecar_new();
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;
	int r;

	sk_sidecar_free(fx->s);
	close(fx->dir);
	r = sk_fs_remove_tree(AT_FDCWD, fx->path);
	free(fx);
	return r;
}

static void touch(const struct fixture *fx, const char *name, const char *text)
{
	int fd = openat(fx->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* As a server says that begins now. `uid` 0: there is no record. */
static void expect(const struct fixture *fx, const char *name, uint32_t uid)
{
	struct sk_sidecar *s = sk_sidecar_new();
	struct sk_override o = { 0, 0, 0, 0, 0 };

	assert_int_equal(sk_sidecar_load(s, fx->dir), 0);
	assert_int_equal(sk_sidecar_find(s, name, &o, NULL), uid != 0);
	assert_int_equal(o.uid, uid);
	sk_sidecar_free(s);
}

static void announce(const struct fixture *fx, const char *from, const char *to, const struct sk_override *o)
{
	struct stat st;

	assert_int_equal(fstatat(fx->dir, from, &st, 0), 0);
	assert_int_equal(sk_sidecar_announce(fx->s, fx->dir, to, o, NULL, from, (uint64_t)st.st_size,
					     st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec),
			 0);
}

static void records(void **state)
{
	struct fixture *fx = *state;
	struct sk_override o;
	const char *target;

	assert_int_equal(sk_sidecar_load(fx->s, fx->dir), 0);
	assert_int_equal(sk_sidecar_count(fx->s), 0);
	assert_int_equal(sk_sidecar_sync(fx->dir), 0);
	assert_int_equal(faccessat(fx->dir, SK_SIDECAR_NAME, F_OK, 0), -1);
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "a", &one, NULL), 0);
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "a", &two, NULL), 0);
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "dev", &device, NULL), 0);
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "n\n %", &link_, " to\n%20"), 0);
	expect(fx, "a", 2);
	expect(fx, "A", 0);
	sk_sidecar_any_case(fx->s, true);
	assert_true(sk_sidecar_find(fx->s, "A", &o, NULL));
	sk_sidecar_any_case(fx->s, false);
	assert_true(sk_sidecar_find(fx->s, "dev", &o, &target));
	assert_null(target);
	assert_memory_equal(&o, &device, sizeof(o));
	assert_true(sk_sidecar_find(fx->s, "n\n %", &o, &target));
	assert_string_equal(target, " to\n%20");
	assert_int_equal(sk_sidecar_drop(fx->s, fx->dir, "a"), 0);
	assert_int_equal(sk_sidecar_drop(fx->s, fx->dir, "never"), 0);
	expect(fx, "a", 0);
	expect(fx, "dev", 3);
	assert_int_equal(sk_sidecar_sync(fx->dir), 0);
	touch(fx, "a", "");
	assert_int_equal(sk_sidecar_remove(fx->dir), -ENOTEMPTY);
	unlinkat(fx->dir, "a", 0);
	assert_int_equal(sk_sidecar_remove(fx->dir), 0);
	expect(fx, "dev", 0);
}

/* Killed between any two steps of a rename. */
static void renames(void **state)
{
	const struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };
	struct fixture *fx = *state;

	touch(fx, "a", "contents");
	touch(fx, "b", "other");
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "a", &one, NULL), 0);
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "b", &two, NULL), 0);
	announce(fx, "a", "b", &one);
	expect(fx, "a", 1);
	expect(fx, "b", 2);
	assert_int_equal(renameat(fx->dir, "a", fx->dir, "b"), 0);
	expect(fx, "b", 1);
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "b", &one, NULL), 0);
	assert_int_equal(sk_sidecar_drop(fx->s, fx->dir, "a"), 0);
	expect(fx, "a", 0);
	expect(fx, "b", 1);

	/* Two that cannot be told apart by size and time. */
	touch(fx, "e", "");
	touch(fx, "f %", "");
	assert_int_equal(utimensat(fx->dir, "e", times, 0), 0);
	assert_int_equal(utimensat(fx->dir, "f %", times, 0), 0);
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "e", &one, NULL), 0);
	announce(fx, "f %", "e", &two);
	expect(fx, "e", 1);
	assert_int_equal(renameat(fx->dir, "f %", fx->dir, "e"), 0);
	expect(fx, "e", 2);

	/* One without a record comes over one that has one. */
	touch(fx, "c", "no record");
	announce(fx, "c", "b", NULL);
	expect(fx, "b", 1);
	/* Another one is announced for the name, before that has come. */
	announce(fx, "c", "b", NULL);
	expect(fx, "b", 1);
	assert_int_equal(renameat(fx->dir, "c", fx->dir, "b"), 0);
	expect(fx, "b", 0);
}

static void small_again(void **state)
{
	struct fixture *fx = *state;
	struct stat st;
	char name[8];
	unsigned i;

	touch(fx, "stays", "");
	touch(fx, "moving", "text");
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "stays", &one, NULL), 0);
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "moving", &two, NULL), 0);
	announce(fx, "stays", "moving", &one);
	for (i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "g%u", i % 10);
		assert_int_equal(sk_sidecar_put(fx->s, fx->dir, name, &two, NULL), 0);
	}
	assert_int_equal(fstatat(fx->dir, SK_SIDECAR_NAME, &st, 0), 0);
	assert_true(st.st_size < 100000);
	expect(fx, "stays", 1);
	expect(fx, "moving", 2);
	/* A crash when the new file is whole and the old one is gone. */
	assert_int_equal(renameat(fx->dir, SK_SIDECAR_NAME, fx->dir, SK_SIDECAR_NEW), 0);
	expect(fx, "stays", 1);
	expect(fx, "moving", 2);
}

/* What vfat calls a file by its short name is the same inode. */
static void other_names(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "a", &one, NULL), 0);
	assert_true(sk_sidecar_is(".Skerry-META"));
	assert_true(sk_sidecar_is(SK_SIDECAR_NEW));
	assert_false(sk_sidecar_is(".skerry-meta2"));
	assert_int_equal(linkat(fx->dir, SK_SIDECAR_NAME, fx->dir, "SKERRY~1.MET", 0), 0);
	touch(fx, "OTHER~1.MET", "");
	assert_true(sk_sidecar_alias(fx->dir, "SKERRY~1.MET"));
	assert_false(sk_sidecar_alias(fx->dir, "OTHER~1.MET"));
	assert_false(sk_sidecar_alias(fx->dir, "NONE~1"));
}

static void bounds(void **state)
{
	struct fixture *fx = *state;
	char name[300], target[4200];
	int fd;

	memset(name, 'n', sizeof(name));
	memset(target, '%', sizeof(target));
	name[255] = target[4095] = 0;
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, name, &link_, target), 0);
	expect(fx, name, 4);
	name[255] = 'n';
	name[256] = 0;
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, name, &one, NULL), -ENAMETOOLONG);
	target[4095] = '%';
	target[4096] = 0;
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "l", &link_, target), -ENAMETOOLONG);
	/* Larger than any of ours. */
	fd = openat(fx->dir, SK_SIDECAR_NAME, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)SK_SIDECAR_MAX + 1), 0);
	close(fd);
	assert_int_equal(sk_sidecar_put(fx->s, fx->dir, "a", &one, NULL), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records, setup, teardown),
		cmocka_unit_test_setup_teardown(renames, setup, teardown),
		cmocka_unit_test_setup_teardown(small_again, setup, teardown),
		cmocka_unit_test_setup_teardown(other_names, setup, teardown),
		cmocka_unit_test_setup_teardown(bounds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
