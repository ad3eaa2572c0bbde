/* SPDX-License-Identifier: Apache-2.0 */
/* docker's dialect of the option parser, and the types of its options. */
#include "cli/flags.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/units.h"

static int add_string(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	(void)err;
	sk_strv_add(to, value);
	return 0;
}

static int add_name(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)value;
	(void)err;
	if (!sk_strv_has(to, o->name))
		sk_strv_add(to, o->name);
	return 0;
}

static void fini_list(void *to)
{
	sk_strv_fini(to);
}

static int store_int(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	if (sk_parse_int(value, to) == 0)
		return 0;
	return sk_error_set(err, EINVAL, "strconv.ParseInt: parsing \"%.64s\": invalid syntax", value);
}

static int store_bytes(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	if (strcmp(value, "-1") == 0)
		*(int64_t *)to = -1;
	else if (sk_parse_bytes(value, to) < 0)
		return sk_error_set(err, EINVAL, "invalid size: '%.64s'", value);
	return 0;
}

static int store_cpus(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	if (sk_parse_cpus(value, to) == 0)
		return 0;
	return sk_error_set(err, EINVAL, "failed to parse %.64s as a rational number", value);
}

const struct sk_opt_type sk_flag_list = { true, add_string, fini_list };
const struct sk_opt_type sk_flag_idle = { true, add_name, fini_list };
const struct sk_opt_type sk_flag_int = { true, store_int, NULL };
const struct sk_opt_type sk_flag_bytes = { true, store_bytes, NULL };
const struct sk_opt_type sk_flag_cpus = { true, store_cpus, NULL };

static int parse_bool(const char *value, bool *ret, struct sk_error *err)
{
	if (sk_parse_bool(value, ret) == 0)
		return 0;
	return sk_error_set(err, EINVAL, "strconv.ParseBool: parsing \"%.64s\": invalid syntax", value);
}

/* An option as docker shows it: "-m, --memory" or "--cpus". */
static const char *shown(const struct sk_opt *o, char buf[64])
{
	if (o->letter)
		snprintf(buf, 64, "-%c, --%s", o->letter, o->name);
	else
		snprintf(buf, 64, "--%s", o->name);
	return buf;
}

static int fail(const struct sk_opt_error *e, struct sk_error *err)
{
	char flag[64];

	switch (e->fault) {
	case SK_OPT_UNKNOWN:
		if (e->len == 0)
			return sk_error_set(err, EINVAL, "bad flag syntax: --%s", e->word);
		return sk_error_set(err, EINVAL, "unknown flag: --%.*s", e->len, e->word);
	case SK_OPT_UNKNOWN_LETTER:
		return sk_error_set(err, EINVAL, "unknown shorthand flag: '%c' in %s", *e->word, e->arg);
	case SK_OPT_NO_VALUE:
		return sk_error_set(err, EINVAL, "flag needs an argument: --%s", e->opt->name);
	case SK_OPT_NO_VALUE_LETTER:
		return sk_error_set(err, EINVAL, "flag needs an argument: '%c' in %s", *e->word, e->arg);
	case SK_OPT_NEEDLESS_VALUE:
		break; /* parse_bool() */
	case SK_OPT_BAD_VALUE:
		return sk_error_wrap(err, "invalid argument \"%.128s\" for \"%s\" flag", e->word, shown(e->opt, flag));
	}
	return -EINVAL;
}

const struct sk_opt_dialect sk_flag_dialect = {
	.letter_equals = true, .help = true, .parse_bool = parse_bool, .fail = fail
};
