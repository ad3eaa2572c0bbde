/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in for glib in libslirp: what its callers rely on. */
#include "../sk_test.h"

#include "base/platform/windows/slirp/glib.h"

static void test_text(void **state)
{
	char a[] = "a", b[] = "b", *list[] = { a, b, NULL };
	char buf[4];

	(void)state;
	assert_int_equal(g_strlcpy(buf, "abcdef", sizeof(buf)), 6);
	assert_string_equal(buf, "abc");
	assert_int_equal(g_strlcpy(buf, "x", 0), 1);
	assert_string_equal(buf, "abc");
	assert_int_equal(g_strv_length(list), 2);
	assert_true(g_str_has_prefix("http://x", "http://") && !g_str_has_prefix("htt", "http://"));
	assert_null(g_strdup(NULL));
	/* Not beyond `len`, nor beyond the end of the text. */
	assert_string_equal(g_strstr_len("ab\r\ncd", 4, "\r\n"), "\r\ncd");
	assert_null(g_strstr_len("ab\r\ncd", 3, "\r\n"));
	assert_null(g_strstr_len("ab\0\r\n", 5, "\r\n"));
	assert_non_null(g_strstr_len("ab\r\n", -1, "\r\n"));
}

static void test_string(void **state)
{
	GString *s = g_string_new(NULL);
	char *text;
	int i;

	(void)state;
	for (i = 0; i < 300; i++)
		g_string_append_printf(s, "%d,", i % 10);
	text = g_string_free(s, FALSE);
	assert_int_equal(strlen(text), 600);
	assert_string_equal(text + 594, "7,8,9,");
	g_free(text);
	assert_null(g_string_free(g_string_new("x"), TRUE));
}

static void test_numbers(void **state)
{
	GRand *r = g_rand_new();
	int i, low = 0, high = 0;
	char *zeros = g_new0(char, 100);

	(void)state;
	for (i = 0; i < 10000; i++) {
		int n = g_rand_int_range(r, 49152, 49156);

		assert_true(n >= 49152 && n < 49156);
		low += n == 49152;
		high += n == 49155;
	}
	assert_true(low > 1000 && high > 1000);
	g_rand_free(r);
	for (i = 0; i < 100; i++)
		assert_int_equal(zeros[i], 0);
	g_free(zeros);
	assert_int_equal(GUINT16_TO_BE(0x1234), 0x3412);
	assert_int_equal(GINT32_FROM_BE(0x01000000), 1);
}

/* No program is started, and the caller hears that. */
static void test_no_programs(void **state)
{
	GError *error = NULL;
	char **argv = NULL;
	int argc = 0;

	(void)state;
	assert_false(g_shell_parse_argv("x", &argc, &argv, &error));
	assert_non_null(error->message);
	g_error_free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_string),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_no_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
