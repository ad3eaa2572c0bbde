/* SPDX-License-Identifier: Apache-2.0 */
/* Parses command lines from tables of options; the rules are in opt.h. */
#include "cli/opt.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "model/units.h"

const struct sk_opt *sk_opt_each(const struct sk_opt *table, bool (*cb)(const struct sk_opt *opt, void *arg), void *arg)
{
	const struct sk_opt *o, *found;

	for (o = table; o && o->name; o++) {
		if (o->kind == SK_OPT_INCLUDE) {
			found = sk_opt_each(o->include, cb, arg);
			if (found)
				return found;
		} else if (cb(o, arg)) {
			return o;
		}
	}
	return NULL;
}

struct name {
	const char *s;
	size_t len;
};

static bool has_name(const struct sk_opt *o, void *arg)
{
	const struct name *name = arg;

	return strlen(o->name) == name->len && memcmp(o->name, name->s, name->len) == 0;
}

static bool has_letter(const struct sk_opt *o, void *arg)
{
	return o->letter && o->letter == *(const char *)arg;
}

static bool takes_value(const struct sk_opt *o)
{
	return o->kind != SK_OPT_BOOL && o->kind != SK_OPT_IGNORED_BOOL;
}

/* For messages, as docker: "-m, --memory" or "--cpus". */
static const char *shown(const struct sk_opt *o, char buf[64])
{
	if (o->letter)
		snprintf(buf, 64, "-%c, --%s", o->letter, o->name);
	else
		snprintf(buf, 64, "--%s", o->name);
	return buf;
}

static int store(const struct sk_opt *o, void *values, const char *value, char *why)
{
	void *to = (char *)values + o->offset;
	int64_t n = 0;

	switch (o->kind) {
	case SK_OPT_BOOL:
		if (sk_parse_bool(value, to) == 0)
			return 0;
		snprintf(why, 256, "strconv.ParseBool: parsing \"%.64s\": invalid syntax", value);
		return -EINVAL;
	case SK_OPT_STRING:
		*(const char **)to = value;
		return 0;
	case SK_OPT_LIST:
		sk_strv_add(to, value);
		return 0;
	case SK_OPT_INT:
		if (sk_parse_int(value, &n) < 0) {
			snprintf(why, 256, "strconv.ParseInt: parsing \"%.64s\": invalid syntax", value);
			return -EINVAL;
		}
		break;
	case SK_OPT_BYTES:
		if (strcmp(value, "-1") == 0)
			n = -1;
		else if (sk_parse_bytes(value, &n) < 0) {
			snprintf(why, 256, "invalid size: '%.64s'", value);
			return -EINVAL;
		}
		break;
	case SK_OPT_CPUS:
		if (sk_parse_cpus(value, &n) < 0) {
			snprintf(why, 256, "failed to parse %.64s as a rational number", value);
			return -EINVAL;
		}
		break;
	case SK_OPT_IGNORED_BOOL:
	case SK_OPT_IGNORED:
	case SK_OPT_REFUSED:
	case SK_OPT_INCLUDE:
		return 0;
	}
	*(int64_t *)to = n;
	return 0;
}

static int set_value(const struct sk_opt *o, void *values, const char *value, struct sk_error *err)
{
	char why[256] = "", flag[64];
	int r = 0;

	if (o->kind == SK_OPT_REFUSED)
		return sk_error_set(err, EINVAL, "--%s is not supported: %s", o->name, o->help);
	if (o->check)
		r = o->check(value, why);
	if (r == 0)
		r = store(o, values, value, why);
	if (r < 0)
		return sk_error_set(err, EINVAL, "invalid argument \"%.128s\" for \"%s\" flag: %s", value,
				    shown(o, flag), why);
	return 0;
}

struct parser {
	const struct sk_opt *table;
	void *values;
	int argc, at;
	char **argv;
	bool help;
	struct sk_error *err;
};

static int parse_long(struct parser *p)
{
	const char *arg = p->argv[p->at] + 2, *eq = strchr(arg, '=');
	struct name name = { arg, eq ? (size_t)(eq - arg) : strlen(arg) };
	const struct sk_opt *o = name.len ? sk_opt_each(p->table, has_name, &name) : NULL;

	if (!o && name.len == 4 && memcmp(arg, "help", 4) == 0) {
		p->help = true;
		return 0;
	}
	if (name.len == 0)
		return sk_error_set(p->err, EINVAL, "bad flag syntax: --%s", arg);
	if (!o)
		return sk_error_set(p->err, EINVAL, "unknown flag: --%.*s", (int)name.len, arg);
	if (eq)
		return set_value(o, p->values, eq + 1, p->err);
	if (!takes_value(o))
		return set_value(o, p->values, "true", p->err);
	if (p->at + 1 == p->argc)
		return sk_error_set(p->err, EINVAL, "flag needs an argument: --%s", o->name);
	return set_value(o, p->values, p->argv[++p->at], p->err);
}

static int parse_cluster(struct parser *p)
{
	const char *arg = p->argv[p->at] + 1;

	for (; *arg; arg++) {
		const struct sk_opt *o = sk_opt_each(p->table, has_letter, (void *)(uintptr_t)arg);

		if (!o && *arg == 'h') {
			p->help = true;
			return 0;
		}
		if (!o)
			return sk_error_set(p->err, EINVAL, "unknown shorthand flag: '%c' in -%s", *arg,
					    p->argv[p->at] + 1);
		if (arg[1] == '=' && arg[2])
			return set_value(o, p->values, arg + 2, p->err);
		if (takes_value(o)) {
			if (arg[1])
				return set_value(o, p->values, arg + 1, p->err);
			if (p->at + 1 == p->argc)
				return sk_error_set(p->err, EINVAL, "flag needs an argument: '%c' in -%s", *arg,
						    p->argv[p->at] + 1);
			return set_value(o, p->values, p->argv[++p->at], p->err);
		} else {
			int r = set_value(o, p->values, "true", p->err);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

int sk_opt_parse(const struct sk_opt *table, void *values, bool stop, int argc, char **argv, struct sk_opt_result *ret,
		 struct sk_error *err)
{
	struct parser p = { .table = table, .values = values, .argc = argc, .argv = argv, .err = err };
	int n = 0, r;

	for (; p.at < argc && !p.help; p.at++) {
		char *arg = argv[p.at];

		if (arg[0] != '-' || !arg[1]) {
			argv[n++] = arg;
			if (!stop)
				continue;
			p.at++;
			break;
		}
		if (arg[1] == '-' && !arg[2]) {
			p.at++;
			break;
		}
		r = arg[1] == '-' ? parse_long(&p) : parse_cluster(&p);
		if (r < 0)
			return r;
	}
	while (p.at < argc)
		argv[n++] = argv[p.at++];
	*ret = (struct sk_opt_result){ .n_args = n, .help = p.help };
	return 0;
}

static bool free_list(const struct sk_opt *o, void *values)
{
	if (o->kind == SK_OPT_LIST)
		sk_strv_fini((struct sk_strv *)((char *)values + o->offset));
	return false;
}

void sk_opt_fini(const struct sk_opt *table, void *values)
{
	sk_opt_each(table, free_list, values);
}
