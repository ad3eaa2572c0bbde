/* SPDX-License-Identifier: Apache-2.0 */
/* The option parser in getopt_long()'s dialect; docker's is in tests/unit/cli/test_flags.c. */
#include "../sk_test.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/opt.h"

struct values {
	bool all, again;
	const char *name, *names;
	int calls;
};

static int count(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	if (strcmp(value, "bad") == 0)
		return sk_error_set(err, ERANGE, "no good");
	++*(int *)to;
	return strcmp(value, "stop") == 0;
}

static const struct sk_opt_type counted = { true, count, NULL };

#define AT(f) offsetof(struct values, f)
static const struct sk_opt more[] = {
	{ .name = "names", .type = SK_OPT_STRING, .offset = AT(names) },
	{ .name = NULL },
};
static const struct sk_opt table[] = {
	{ .name = "all", .letter = 'a', .type = SK_OPT_BOOL, .offset = AT(all) },
	{ .name = "again", .letter = 'A', .type = SK_OPT_BOOL, .offset = AT(again) },
	{ .name = "name", .letter = 'n', .type = SK_OPT_STRING, .offset = AT(name) },
	{ .name = "call", .letter = 'c', .type = &counted, .offset = AT(calls) },
	{ .name = "skip-one", .type = SK_OPT_IGNORED_BOOL },
	{ .name = "skip-two", .type = SK_OPT_IGNORED_BOOL },
	{ .name = "more", .type = SK_OPT_INCLUDE, .include = more },
	{ .name = NULL },
};

static struct values v;
static struct sk_opt_result parsed;
static struct sk_error err;
static const char *args[16];

static int parse(bool stop, int argc)
{
	v = (struct values){ 0 };
	err = (struct sk_error)SK_ERROR_INIT;
	return sk_opt_parse(table, &sk_opt_gnu, &v, stop, argc, (char **)(uintptr_t)args, &parsed, &err);
}

#define PARSE(stop, ...)                                                                         \
	(memcpy(args, (const char *[]){ __VA_ARGS__ }, sizeof((const char *[]){ __VA_ARGS__ })), \
	 parse(stop, (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *))))
#define FAILS(text, ...)                                              \
	do {                                                          \
		assert_int_equal(PARSE(false, __VA_ARGS__), -EINVAL); \
		assert_string_equal(err.message, text);               \
	} while (0)

static void test_forms(void **state)
{
	(void)state;
	assert_int_equal(PARSE(false, "-aA", "x", "--name=a", "-n", "b", "-", "-nc", "-c=1", "--call", "-a"), 0);
	assert_true(v.all && v.again);
	assert_string_equal(v.name, "c");
	assert_int_equal(v.calls, 2);
	assert_int_equal(parsed.n_args, 2);
	assert_string_equal(args[0], "x");
	assert_string_equal(args[1], "-");
	assert_int_equal(PARSE(false, "-n=b"), 0);
	assert_string_equal(v.name, "=b");
	assert_int_equal(PARSE(false, "a", "--", "-a"), 0);
	assert_true(!v.all && parsed.n_args == 2);
	assert_int_equal(PARSE(true, "-a", "x", "-A"), 0);
	assert_true(v.all && !v.again && parsed.n_args == 2);
}

static void test_abbreviations(void **state)
{
	(void)state;
	assert_int_equal(PARSE(false, "--al", "--ag", "--name", "n", "--names=m", "--ca=1"), 0);
	assert_true(v.all && v.again);
	assert_string_equal(v.name, "n");
	assert_string_equal(v.names, "m");
	assert_int_equal(v.calls, 1);
	FAILS("unrecognized option '--a'", "--a");
	FAILS("unrecognized option '--nam=1'", "--nam=1");
	/* Two without effect are as good as one. */
	assert_int_equal(PARSE(false, "--skip"), 0);
}

static void test_errors(void **state)
{
	(void)state;
	FAILS("unrecognized option '--bogus=1'", "--bogus=1");
	FAILS("unrecognized option '--=x'", "--=x");
	FAILS("invalid option -- 'x'", "-axn");
	FAILS("option '--name' requires an argument", "--name");
	FAILS("option requires an argument -- 'n'", "-an");
	FAILS("option '--all' doesn't allow an argument", "--all=true");
	FAILS("no good", "-c", "bad", "--bogus");
	/* There is no help but what a table has. */
	FAILS("unrecognized option '--help'", "--help");
	FAILS("invalid option -- 'h'", "-h");
}

static void test_stopped(void **state)
{
	(void)state;
	assert_int_equal(PARSE(false, "-c", "stop", "--bogus"), 1);
	assert_int_equal(v.calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_abbreviations),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
