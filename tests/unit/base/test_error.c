/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void test_words(void **state)
{
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	assert_int_equal(sk_error_errno(&err, ENOENT, "cannot open %s", "f"), -ENOENT);
	assert_string_equal(err.message, "cannot open f: No such file or directory");
	assert_int_equal(sk_error_wrap(&err, "container %s", "c"), -ENOENT);
	assert_string_equal(err.message, "container c: cannot open f: No such file or directory");
	assert_int_equal(sk_error_set(NULL, -EIO, "nobody hears it"), -EIO);
}

/* A name that a container chose does not get at the terminal. */
static void test_control_characters(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	char cut[SK_ERROR_MAX];

	(void)state;
	sk_error_set(&err, EIO, "a\033]0;x\007b\tc\nd\177\r\b");
	assert_string_equal(err.message, "a?]0;x?b\tc\nd???");
	sk_error_set(&err, EIO, "%s",
		     "\302\233"
		     "31m \233"
		     "31m"); /* CSI in 8 bits, in UTF-8 and not */
	assert_string_equal(err.message, "??31m ?31m");
	sk_error_errno(&err, EIO, "%s", "\303\244 \342\202\254 \360\237\230\200 \303( \355");
	assert_memory_equal(err.message, "\303\244 \342\202\254 \360\237\230\200 ?( ?", 15);
	/* cut in the middle of a character */
	memset(cut, 'x', sizeof(cut) - 2);
	cut[sizeof(cut) - 2] = '\303';
	cut[sizeof(cut) - 1] = '\0';
	sk_error_set(&err, EIO, "%s", cut);
	assert_int_equal(err.message[SK_ERROR_MAX - 2], '?');
	sk_error_wrap(&err, "\033c");
	assert_memory_equal(err.message, "?c: x", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_words), cmocka_unit_test(test_control_characters) };

	return cmocka_run_group_tests_name("base-error", tests, NULL, NULL);
}
