/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes: found in PATH, run, and the table of descriptors. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"

static void test_run(void **state)
{
	const char *ok[] = { "true", NULL }, *bad[] = { "sh", "-c", "echo broken >&2; exit 3", NULL },
		   *sig[] = { "sh", "-c", "kill -9 $$", NULL };
	const char *none[] = { "/no/such/program", NULL };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_spawn s = SK_SPAWN_INIT;

	(void)state;
	s.file = "true", s.argv = ok;
	assert_int_equal(sk_run(&s, &err), 0);
	assert_int_equal(err.code, 0);
	s.file = "sh", s.argv = bad;
	assert_int_equal(sk_run(&s, &err), 3);
	assert_non_null(strstr(err.message, "broken"));
	s.argv = sig;
	assert_int_equal(sk_run(&s, &err), 137);
	s.file = none[0], s.argv = none;
	assert_int_equal(sk_run(&s, &err), -ENOENT);
}

/* Helpers are found where a plain user of Debian does not look: in sbin. What is relative in PATH is not. */
static void test_find(void **state)
{
	const char *argv[] = { "sk-helper", NULL };
	char dir[] = "/tmp/sk-find-XXXXXX", file[64], here[4096];
	struct sk_error err = SK_ERROR_INIT;
	struct sk_spawn s = SK_SPAWN_INIT;
	char *old = strdup(getenv("PATH")), *p;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/sk-helper", dir);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, "#!/bin/sh\nexit 7\n", 17), 17);
	close(fd);
	assert_null(sk_find_program("sk-helper"));
	setenv("PATH", "/nowhere:.:relative::/usr/bin", 1);
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(dir), 0);
	assert_null(sk_find_program("sk-helper"));
	assert_int_equal(chdir(here), 0);
	setenv("PATH", dir, 1);
	p = sk_find_program("sk-helper");
	assert_string_equal(p, file);
	free(p);
	s.file = "sk-helper", s.argv = argv;
	assert_int_equal(sk_run(&s, &err), 7);
	/* with nothing in PATH, what every system has */
	setenv("PATH", "/nowhere", 1);
	p = sk_find_program("sh");
	assert_non_null(p);
	free(p);
	p = sk_find_program("ldconfig"); /* sbin */
	assert_non_null(p);
	free(p);
	unsetenv("PATH");
	p = sk_find_program("/no/such/program");
	assert_string_equal(p, "/no/such/program");
	free(p);
	setenv("PATH", old, 1);
	free(old);
	unlink(file);
	rmdir(dir);
}

/* Tests in a child, which enters a user namespace whatever the test runs in. */
static void test_user_namespace(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER) < 0)
			_exit(77);
		_exit(sk_in_user_namespace() ? 0 : 1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Slots of the table of descriptors, as the kernel counts them. */
static unsigned fd_slots(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned slots = 0;
	char line[256];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && sscanf(line, "FDSize: %u", &slots) != 1)
		;
	fclose(f);
	return slots;
}

static void test_fd_table(void **state)
{
	int lowest = dup(STDIN_FILENO), fd;

	(void)state;
	assert_true(lowest >= 0 && fd_slots() < 512);
	sk_fd_table_grow(512);
	assert_true(fd_slots() >= 512);
	fd = dup(STDIN_FILENO);
	assert_int_equal(fd, lowest + 1); /* nothing is left open */
	close(fd);
	close(lowest);
	sk_fd_table_grow(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_user_namespace), cmocka_unit_test(test_run),
					    cmocka_unit_test(test_find), cmocka_unit_test(test_fd_table) };

	return cmocka_run_group_tests_name("base-process", tests, NULL, NULL);
}
