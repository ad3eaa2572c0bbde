/* SPDX-License-Identifier: Apache-2.0 */
/* The host's mount table, read from files that a test writes. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/mounts.h"

static char top[] = "/tmp/sk-mounts-XXXXXX";
static char table[64];

static void write_table(const char *more)
{
	FILE *f = fopen(table, "w");

	assert_non_null(f);
	/* The share is /srv/a b/share on the host, on a file system whose part /vol is mounted on /srv. */
	fprintf(f,
		"20 1 8:1 / / rw - ext4 /dev/a rw\n"
		"21 20 8:2 /vol /srv rw shared:3 - ext4 /dev/b rw\n%s",
		more);
	fclose(f);
}

static int make(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/share/%s", top, name);
	return mkdir(path, 0755);
}

static int setup(void **state)
{
	char path[128];

	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(table, sizeof(table), "%s/table", top);
	snprintf(path, sizeof(path), "%s/share", top);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(make("d"), 0);
	assert_int_equal(make("d/m"), 0);
	assert_int_equal(make("d/free"), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static void test_later(void **state)
{
	struct sk_mount_tree *tree;
	struct sk_host_mounts *m;
	char path[128];
	int share, dir;

	(void)state;
	write_table("");
	assert_int_equal(sk_mounts_new(table, &m), 0);
	assert_int_equal(sk_mounts_add_path(m, 99, "/srv/a b/share", &tree), -ENOENT);
	assert_int_equal(sk_mounts_add_path(m, 21, "/srv/a b/share", &tree), 0);
	snprintf(path, sizeof(path), "%s/share", top);
	share = open(path, O_PATH | O_CLOEXEC);
	sk_mounts_copied(tree, share);
	dir = openat(share, "d", O_PATH | O_CLOEXEC);
	assert_false(sk_mounts_busy(tree, dir, "m"));

	/* Something is mounted there; blanks are escaped. */
	write_table("30 21 0:40 / /srv/a\\040b/share/d/m rw - tmpfs none rw\n");
	assert_true(sk_mounts_busy(tree, dir, "m"));
	assert_false(sk_mounts_busy(tree, dir, "free"));
	assert_false(sk_mounts_busy(tree, dir, "missing"));
	assert_false(sk_mounts_busy(tree, share, "d"));
	/* The inode counts, not the path. */
	assert_int_equal(renameat(share, "d", share, "e"), 0);
	assert_true(sk_mounts_busy(tree, dir, "m"));
	assert_int_equal(renameat(share, "e", share, "d"), 0);

	/* The same entry through another mount of the same file system; another file system; elsewhere. */
	write_table("25 20 8:2 / /mnt rw - ext4 /dev/b rw\n"
		    "30 25 0:40 / /mnt/vol/a\\040b/share/d/m rw - tmpfs none rw\n");
	assert_true(sk_mounts_busy(tree, dir, "m"));
	write_table("25 20 8:3 / /mnt rw - ext4 /dev/b rw\n"
		    "30 25 0:40 / /mnt/vol/a\\040b/share/d/m rw - tmpfs none rw\n");
	assert_false(sk_mounts_busy(tree, dir, "m"));
	write_table("30 21 0:40 / /srv/a\\040b/shared/d/m rw - tmpfs none rw\n");
	assert_false(sk_mounts_busy(tree, dir, "m"));
	/* Paths that lead out of the share are not followed. */
	write_table("30 21 0:40 / /srv/a\\040b/share/../share/d/m rw - tmpfs none rw\n31 30 8:2\n\n33 21 8:2 /\n");
	assert_false(sk_mounts_busy(tree, dir, "m"));
	assert_int_equal(unlink(table), 0);
	close(dir);
	close(share);
	sk_mounts_free(m);
	sk_mounts_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_later) };

	return cmocka_run_group_tests_name("export mounts", tests, setup, teardown);
}
