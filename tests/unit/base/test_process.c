/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include <errno.h>
#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_run) };

	return cmocka_run_group_tests_name("base-process", tests, NULL, NULL);
}
