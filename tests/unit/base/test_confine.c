/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities and Landlock, each in a child of its own. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/confine.h"

#define SKIPPED 77

static int in_child(int (*run)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(run());
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static unsigned long long capabilities(const char *name)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long value = ~0ull;
	char line[256];
	size_t n = strlen(name);

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, n) == 0 && line[n] == ':')
			value = strtoull(line + n + 1, NULL, 16);
	if (f)
		fclose(f);
	return value;
}

static int keep_some(void)
{
	static const int keep[] = { CAP_KILL, CAP_SYS_ADMIN, CAP_BPF };
	unsigned long long want = 1ull << CAP_KILL | 1ull << CAP_SYS_ADMIN | 1ull << CAP_BPF;

	if ((capabilities("CapEff") & want) != want)
		return sk_caps_keep(keep, SK_ARRAY_SIZE(keep)) == -EPERM ? SKIPPED : 1;
	if (sk_caps_keep(keep, SK_ARRAY_SIZE(keep)) < 0)
		return 2;
	if (capabilities("CapEff") != want || capabilities("CapPrm") != want || capabilities("CapInh") != 0)
		return 3;
	return (capabilities("CapBnd") & ~want) == 0 && capabilities("CapAmb") == 0 ? 0 : 4;
}

static int keep_none(void)
{
	if (sk_no_new_privileges() < 0 || sk_caps_keep(NULL, 0) < 0)
		return 1;
	return capabilities("CapEff") == 0 && capabilities("CapPrm") == 0 && capabilities("NoNewPrivs") == 1 ? 0 : 2;
}

static void test_capabilities(void **state)
{
	int code = in_child(keep_some);

	(void)state;
	assert_true(code == 0 || code == SKIPPED);
	assert_int_equal(in_child(keep_none), 0);
}

static char dir[] = "/tmp/sk-confine-XXXXXX";

static int restrict_files(void)
{
	struct sk_landlock l;
	char path[64];
	int r = sk_landlock_new(SK_LANDLOCK_NETWORK, &l);

	if (r == -EOPNOTSUPP)
		return SKIPPED;
	snprintf(path, sizeof(path), "%s/file", dir);
	if (r < 0 || sk_no_new_privileges() < 0 ||
	    sk_landlock_allow_path(&l, dir, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR) < 0 ||
	    /* Of a file only the rights that files have. */
	    sk_landlock_allow_path(&l, path, LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR) < 0 ||
	    sk_landlock_allow_path(&l, "/nonexistent", LANDLOCK_ACCESS_FS_READ_FILE) < 0 || sk_landlock_enter(&l) < 0)
		return 1;
	sk_landlock_fini(&l);
	if (l.fd != -1 || open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
		return 2;
	if (open(path, O_RDWR) < 0)
		return 3;
	strcat(path, "2");
	return open(path, O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES ? 0 : 4;
}

static void test_landlock(void **state)
{
	char path[64];
	int code;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	code = in_child(restrict_files);
	unlink(path);
	rmdir(dir);
	if (code == SKIPPED)
		skip();
	assert_int_equal(code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_landlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
