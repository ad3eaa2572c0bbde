/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include <errno.h>
#include <sched.h>
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

/* In a child, which is in one afterwards whatever it was in before. */
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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_user_namespace), cmocka_unit_test(test_run) };

	return cmocka_run_group_tests_name("base-process", tests, NULL, NULL);
}
