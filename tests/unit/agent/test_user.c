/* SPDX-License-Identifier: Apache-2.0 */
/* Users and groups from an image's /etc/passwd and /etc/group, hostile ones among them. */
#include "../sk_test.h"

#include <errno.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "user.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# a comment:x:7:7::/:\n"
			     "broken line\n"
			     "nouid:x::0:::\n"
			     "huge:x:99999999999:0:::\n"
			     "minus:x:-1:0:::\n"
			     "all:x:4294967295:0:::\n"
			     "joe:x:1000:1001:Joe:/home/joe:/bin/sh\n"
			     "joe:x:1:1:second:/no:/bin/sh\n"
			     "1000:x:5:5:a number as name:/five:/bin/sh\n"
			     "dos:x:9:9::/dos:\r\n"
			     "short:x:8:8\n"
			     "last:x:11:11::/last";
static const char group[] = "root:x:0:\nvideo:x:44:joe,other\nstaff:x:50:other,joe\nnot:x:51:joey\nagain:x:44:joe\n"
			    "joe:x:1001:joe\nbad:x:zz:joe\n:x:66:joe\nend:x:70:a,joe";

static struct sk_user u;
static struct sk_error err;

static int resolve(const char *text)
{
	err = (struct sk_error)SK_ERROR_INIT;
	return sk_user_resolve(text, passwd, group, &u, &err);
}

static void test_names(void **state)
{
	static const uint32_t groups[] = { 1001, 44, 50, 70 };

	(void)state;
	assert_int_equal(resolve("joe"), 0);
	assert_int_equal(u.uid, 1000);
	assert_int_equal(u.gid, 1001);
	assert_string_equal(u.home, "/home/joe");
	assert_int_equal(u.n_groups, 4);
	assert_memory_equal(u.groups, groups, sizeof(groups));
	assert_int_equal(resolve("last"), 0);
	assert_string_equal(u.home, "/last");
	assert_int_equal(resolve("dos"), 0);
	assert_string_equal(u.home, "/dos");
	assert_int_equal(resolve("short"), 0);
	assert_string_equal(u.home, "/");
	assert_int_equal(resolve(""), 0);
	assert_int_equal(u.uid, 0);
	assert_string_equal(u.home, "/root");
}

static void test_groups_by_hand(void **state)
{
	(void)state;
	assert_int_equal(resolve("joe:video"), 0);
	assert_int_equal(u.uid, 1000);
	assert_int_equal(u.gid, 44);
	assert_int_equal(u.n_groups, 1);
	assert_int_equal(u.groups[0], 44);
	assert_int_equal(resolve("joe:77"), 0);
	assert_int_equal(u.gid, 77);
	assert_int_equal(resolve("1234:0"), 0);
	assert_int_equal(u.uid, 1234);
	assert_true(resolve("joe:nosuch") < 0);
	assert_non_null(strstr(err.message, "nosuch"));
	assert_int_equal(resolve("joe:"), 0);
	assert_int_equal(u.gid, 1001);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_int_equal(resolve("1000"), 0); /* a name wins */
	assert_int_equal(u.uid, 5);
	assert_int_equal(resolve("11"), 0);
	assert_string_equal(u.home, "/last");
	assert_int_equal(resolve("4242"), 0);
	assert_int_equal(u.uid, 4242);
	assert_int_equal(u.gid, 0);
	assert_false(u.known);
	assert_string_equal(u.home, "/");
	assert_true(resolve("4294967295") < 0);
	assert_true(resolve("-1") < 0);
	assert_true(resolve("nouid") < 0);
	assert_true(resolve("huge") < 0);
	assert_true(resolve("minus") < 0);
	assert_true(resolve("all") < 0);
	assert_true(resolve("nosuch") < 0);
	assert_true(err.code != 0);
}

static void test_without_files(void **state)
{
	(void)state;
	assert_int_equal(sk_user_resolve("0", NULL, NULL, &u, &err), 0);
	assert_int_equal(sk_user_resolve("5:6", NULL, NULL, &u, &err), 0);
	assert_int_equal(u.gid, 6);
	assert_true(sk_user_resolve("root", NULL, NULL, &u, &err) < 0);
	assert_int_equal(sk_user_resolve("0", "", ":::::\n\n\n::", &u, &err), 0);
}

static void test_join(void **state)
{
	(void)state;
	assert_int_equal(resolve("joe"), 0);
	assert_int_equal(sk_user_join("not", group, &u, &err), 0);
	assert_int_equal(sk_user_join("51", group, &u, &err), 0); /* the same: once */
	assert_int_equal(sk_user_join("12345", group, &u, &err), 0);
	assert_int_equal(u.n_groups, 6);
	assert_int_equal(u.groups[4], 51);
	assert_int_equal(u.groups[5], 12345);
	assert_int_equal(sk_user_join("nosuch", group, &u, &err), -EINVAL);
	assert_int_equal(sk_user_join("nosuch", NULL, &u, &err), -EINVAL);
}

/* More groups than fit are left out, not written past the end. */
static void test_many_groups(void **state)
{
	size_t n = 3000, i;
	char *text = malloc(n * 24), *p = text;

	(void)state;
	for (i = 0; i < n; i++)
		p += sprintf(p, "g%zu:x:%zu:joe\n", i, i + 2000);
	assert_int_equal(sk_user_resolve("joe", passwd, text, &u, &err), 0);
	assert_int_equal(u.n_groups, SK_USER_GROUPS_MAX);
	free(text);
}

/* The image decides what /etc/passwd is: only a plain file inside the root is read. */
static void test_hostile_files(void **state)
{
	char root[] = "/tmp/sk-agent-user-XXXXXX", path[128];
	int rootfd, fd;
	char *data;

	(void)state;
	assert_non_null(mkdtemp(root));
	rootfd = open(root, O_PATH | O_DIRECTORY);
	assert_null(sk_user_read_file(rootfd, "etc/passwd"));
	assert_int_equal(mkdirat(rootfd, "etc", 0755), 0);
	assert_int_equal(mkfifoat(rootfd, "etc/passwd", 0644), 0);
	assert_null(sk_user_read_file(rootfd, "etc/passwd"));
	unlinkat(rootfd, "etc/passwd", 0);
	assert_int_equal(symlinkat("passwd", rootfd, "etc/passwd"), 0);
	assert_null(sk_user_read_file(rootfd, "etc/passwd"));
	unlinkat(rootfd, "etc/passwd", 0);
	/* leads out, if it were followed outside of the root */
	assert_int_equal(symlinkat("/proc/self/status", rootfd, "etc/passwd"), 0);
	assert_null(sk_user_read_file(rootfd, "etc/passwd"));
	unlinkat(rootfd, "etc/passwd", 0);
	assert_int_equal(symlinkat("../../../../../../etc/real", rootfd, "etc/passwd"), 0);
	snprintf(path, sizeof(path), "%s/etc/real", root);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	assert_int_equal(write(fd, "x:x:3:3::/h:\n", 13), 13);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0); /* claims a terabyte */
	close(fd);
	data = sk_user_read_file(rootfd, "etc/passwd");
	assert_non_null(data);
	assert_int_equal(sk_user_resolve("x", data, NULL, &u, &err), 0);
	assert_int_equal(u.uid, 3);
	free(data);
	close(rootfd);
	sk_fs_remove_tree(AT_FDCWD, root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	       cmocka_unit_test(test_join),
		cmocka_unit_test(test_groups_by_hand), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_without_files),  cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_hostile_files),
	};

	return cmocka_run_group_tests_name("agent-user", tests, NULL, NULL);
}
