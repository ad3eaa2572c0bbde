/* SPDX-License-Identifier: Apache-2.0 */
/* docker's options: all their forms, errors, and tables without duplicates. */
#include "../sk_test.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cli/flags.h"
#include "cli/runopts.h"

struct values {
	bool all, interactive, tty;
	const char *name;
	struct sk_strv env;
	int64_t number, memory, cpus;
};

static int check_even(const char *value, char *why)
{
	if (strlen(value) % 2 == 0)
		return 0;
	snprintf(why, 256, "odd");
	return -EINVAL;
}

#define AT(f) offsetof(struct values, f)
static const struct sk_opt more[] = {
	{ "memory", 'm', SK_OPT_BYTES, AT(memory), "bytes", "", NULL, NULL, false },
	{ "cpus", 0, SK_OPT_CPUS, AT(cpus), "decimal", "", NULL, NULL, false },
	{ NULL, 0, SK_OPT_BOOL, 0, NULL, NULL, NULL, NULL, false },
};
static const struct sk_opt table[] = {
	{ "all", 'a', SK_OPT_BOOL, AT(all), NULL, "", NULL, NULL, false },
	{ "interactive", 'i', SK_OPT_BOOL, AT(interactive), NULL, "", NULL, NULL, false },
	{ "tty", 't', SK_OPT_BOOL, AT(tty), NULL, "", NULL, NULL, false },
	{ "name", 'n', SK_OPT_STRING, AT(name), "string", "", check_even, NULL, false },
	{ "env", 'e', SK_OPT_LIST, AT(env), "list", "", NULL, NULL, false },
	{ "number", 0, SK_OPT_INT, AT(number), "int", "", NULL, NULL, false },
	{ "gpus", 0, SK_OPT_REFUSED, 0, NULL, "there are none", NULL, NULL, false },
	{ "runtime", 0, SK_OPT_IGNORED, 0, NULL, NULL, NULL, NULL, true },
	{ "more", 0, SK_OPT_INCLUDE, 0, NULL, NULL, NULL, more, false },
	{ NULL, 0, SK_OPT_BOOL, 0, NULL, NULL, NULL, NULL, false },
};

static struct values v;
static struct sk_opt_result parsed;
static struct sk_error err;
static const char *args[16];

static int parse(bool stop, int argc)
{
	sk_opt_fini(table, &v);
	v = (struct values){ 0 };
	err = (struct sk_error)SK_ERROR_INIT;
	return sk_opt_parse(table, &sk_flag_dialect, &v, stop, argc, (char **)(uintptr_t)args, &parsed, &err);
}

#define PARSE(stop, ...)                                                                         \
	(memcpy(args, (const char *[]){ __VA_ARGS__ }, sizeof((const char *[]){ __VA_ARGS__ })), \
	 parse(stop, (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *))))

static void test_forms(void **state)
{
	(void)state;
	assert_int_equal(PARSE(false, "-it", "--name", "ab", "-eA=1", "-e", "B=2", "-e=C", "x", "--all=false", "-m=1g"),
			 0);
	assert_true(v.interactive && v.tty && !v.all);
	assert_string_equal(v.name, "ab");
	assert_int_equal(v.env.n, 3);
	assert_string_equal(v.env.v[0], "A=1");
	assert_string_equal(v.env.v[2], "C");
	assert_int_equal(v.memory, 1 << 30);
	assert_int_equal(parsed.n_args, 1);
	assert_string_equal(args[0], "x");
	assert_int_equal(PARSE(false, "--cpus=1.5", "--number", "-3", "-m", "-1", "--runtime", "r"), 0);
	assert_int_equal(v.cpus, 1500000000);
	assert_int_equal(v.number, -3);
	assert_int_equal(v.memory, -1);
	assert_int_equal(PARSE(false, "-i=false", "-at"), 0);
	assert_true(!v.interactive && v.all && v.tty);
}

static void test_positional(void **state)
{
	(void)state;
	assert_int_equal(PARSE(true, "-i", "image", "-t", "--", "x"), 0);
	assert_true(v.interactive && !v.tty);
	assert_int_equal(parsed.n_args, 4);
	assert_string_equal(args[1], "-t");
	assert_string_equal(args[2], "--");
	assert_int_equal(PARSE(false, "a", "-i", "--", "-t"), 0);
	assert_true(v.interactive && !v.tty);
	assert_int_equal(parsed.n_args, 2);
	assert_string_equal(args[1], "-t");
	assert_int_equal(PARSE(false, "-", "-i"), 0);
	assert_int_equal(parsed.n_args, 1);
	assert_int_equal(PARSE(true, "--help", "--bogus"), 0);
	assert_true(parsed.help);
	assert_int_equal(PARSE(true, "-h"), 0);
	assert_true(parsed.help);
	assert_int_equal(PARSE(true, "image", "--help"), 0);
	assert_false(parsed.help);
}

static void test_errors(void **state)
{
	(void)state;
	assert_int_equal(PARSE(false, "--bogus=1"), -EINVAL);
	assert_string_equal(err.message, "unknown flag: --bogus");
	assert_int_equal(PARSE(false, "-iZ"), -EINVAL);
	assert_string_equal(err.message, "unknown shorthand flag: 'Z' in -iZ");
	assert_int_equal(PARSE(false, "--name"), -EINVAL);
	assert_string_equal(err.message, "flag needs an argument: --name");
	assert_int_equal(PARSE(false, "-m"), -EINVAL);
	assert_string_equal(err.message, "flag needs an argument: 'm' in -m");
	assert_int_equal(PARSE(false, "-m", "abc"), -EINVAL);
	assert_string_equal(err.message, "invalid argument \"abc\" for \"-m, --memory\" flag: invalid size: 'abc'");
	assert_int_equal(PARSE(false, "--all=foo"), -EINVAL);
	assert_string_equal(
		err.message,
		"invalid argument \"foo\" for \"-a, --all\" flag: strconv.ParseBool: parsing \"foo\": invalid syntax");
	assert_int_equal(PARSE(false, "--name", "odd"), -EINVAL);
	assert_string_equal(err.message, "invalid argument \"odd\" for \"-n, --name\" flag: odd");
	assert_int_equal(PARSE(false, "--gpus", "all"), -EINVAL);
	assert_string_equal(err.message, "--gpus is not supported: there are none");
	assert_int_equal(PARSE(false, "--=x"), -EINVAL);
	sk_opt_fini(table, &v);
}

struct seen {
	const char *names[256];
	bool letters[256];
	size_t n;
};

static bool unique(const struct sk_opt *o, void *arg)
{
	struct seen *s = arg;
	size_t i;

	for (i = 0; i < s->n; i++)
		assert_string_not_equal(s->names[i], o->name);
	s->names[s->n++] = o->name;
	if (o->letter) {
		assert_false(s->letters[(unsigned char)o->letter]);
		s->letters[(unsigned char)o->letter] = true;
	}
	if (!o->hidden)
		assert_non_null(o->help);
	return false;
}

/* Of two entries with one name or letter the first wins silently, so no table may have two. */
static void test_run_table(void **state)
{
	struct seen seen = { .n = 0 };

	(void)state;
	sk_opt_each(sk_run_opts, unique, &seen);
	assert_true(seen.n > 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_positional),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_run_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
