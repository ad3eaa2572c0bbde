/* SPDX-License-Identifier: Apache-2.0 */
/* Parses command lines from tables of options; the rules are in opt.h. */
#include "base/opt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int store_bool(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	(void)value;
	(void)err;
	*(bool *)to = true;
	return 0;
}

static int store_string(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	(void)err;
	*(const char **)to = value;
	return 0;
}

const struct sk_opt_type sk_opt_bool = { false, store_bool, NULL };
const struct sk_opt_type sk_opt_string = { true, store_string, NULL };
const struct sk_opt_type sk_opt_refused = { true, NULL, NULL };
const struct sk_opt_type sk_opt_ignored = { true, NULL, NULL };
const struct sk_opt_type sk_opt_ignored_bool = { false, NULL, NULL };
const struct sk_opt_type sk_opt_include = { false, NULL, NULL };

const struct sk_opt *sk_opt_each(const struct sk_opt *table, bool (*cb)(const struct sk_opt *opt, void *arg), void *arg)
{
	const struct sk_opt *o, *found;

	for (o = table; o && o->name; o++) {
		if (o->type == SK_OPT_INCLUDE) {
			found = sk_opt_each(o->include, cb, arg);
			if (found)
				return found;
		} else if (cb(o, arg)) {
			return o;
		}
	}
	return NULL;
}

/* getopt_long() prints the reason itself and returns '?'. */
static int gnu_fail(const struct sk_opt_error *e, struct sk_error *err)
{
	switch (e->fault) {
	case SK_OPT_UNKNOWN:
		return sk_error_set(err, EINVAL, "unrecognized option '%s'", e->arg);
	case SK_OPT_UNKNOWN_LETTER:
		return sk_error_set(err, EINVAL, "invalid option -- '%c'", *e->word);
	case SK_OPT_NO_VALUE:
		return sk_error_set(err, EINVAL, "option '--%s' requires an argument", e->opt->name);
	case SK_OPT_NO_VALUE_LETTER:
		return sk_error_set(err, EINVAL, "option requires an argument -- '%c'", *e->word);
	case SK_OPT_NEEDLESS_VALUE:
		return sk_error_set(err, EINVAL, "option '--%s' doesn't allow an argument", e->opt->name);
	case SK_OPT_BAD_VALUE:
		break;
	}
	return -EINVAL;
}

const struct sk_opt_dialect sk_opt_gnu = { .abbreviations = true, .fail = gnu_fail };

struct parser {
	const struct sk_opt *table;
	const struct sk_opt_dialect *dialect;
	void *values;
	int argc, at;
	char **argv;
	bool help;
	struct sk_error *err;
};

struct name {
	const char *s;
	size_t len;
	const struct sk_opt *start; /* the one whose name starts so … */
	bool ambiguous;		    /* … but others do, too */
};

static bool has_name(const struct sk_opt *o, void *arg)
{
	struct name *name = arg;

	if (strncmp(o->name, name->s, name->len) != 0)
		return false;
	if (!o->name[name->len])
		return true;
	if (name->start && (name->start->type != o->type || o->type->store))
		name->ambiguous = true;
	name->start = o;
	return false;
}

static bool has_letter(const struct sk_opt *o, void *arg)
{
	return o->letter && o->letter == *(const char *)arg;
}

static const struct sk_opt *find_name(const struct parser *p, struct name name)
{
	const struct sk_opt *o = name.len ? sk_opt_each(p->table, has_name, &name) : NULL;

	return o || !p->dialect->abbreviations || name.ambiguous ? o : name.start;
}

static int fail(const struct parser *p, enum sk_opt_fault fault, const struct sk_opt *o, const char *word, size_t len)
{
	const struct sk_opt_error e = {
		.fault = fault, .opt = o, .arg = p->argv[p->at], .word = word, .len = (int)len
	};

	return p->dialect->fail(&e, p->err);
}

/* `value`: NULL where the option stands alone. */
static int set_value(const struct parser *p, const struct sk_opt *o, const char *value)
{
	void *to = (char *)p->values + o->offset;
	char why[256] = "";
	int r = 0;

	if (o->type == SK_OPT_REFUSED)
		return sk_error_set(p->err, EINVAL, "--%s is not supported: %s", o->name, o->help);
	if (o->check && value && o->check(value, why) < 0)
		r = sk_error_set(p->err, EINVAL, "%s", why);
	else if (value && o->type == SK_OPT_BOOL)
		r = p->dialect->parse_bool(value, to, p->err);
	else if (o->type->store)
		r = o->type->store(o, to, value, p->err);
	return r < 0 ? fail(p, SK_OPT_BAD_VALUE, o, value, value ? strlen(value) : 0) : r;
}

static int parse_long(struct parser *p)
{
	const char *arg = p->argv[p->at] + 2, *eq = strchr(arg, '=');
	struct name name = { .s = arg, .len = eq ? (size_t)(eq - arg) : strlen(arg) };
	const struct sk_opt *o = find_name(p, name);

	if (!o && p->dialect->help && name.len == 4 && memcmp(arg, "help", 4) == 0) {
		p->help = true;
		return 0;
	}
	if (!o)
		return fail(p, SK_OPT_UNKNOWN, NULL, arg, name.len);
	if (eq && !o->type->has_value && !p->dialect->parse_bool)
		return fail(p, SK_OPT_NEEDLESS_VALUE, o, arg, name.len);
	if (eq)
		return set_value(p, o, eq + 1);
	if (!o->type->has_value)
		return set_value(p, o, NULL);
	if (p->at + 1 == p->argc)
		return fail(p, SK_OPT_NO_VALUE, o, arg, name.len);
	return set_value(p, o, p->argv[++p->at]);
}

static int parse_cluster(struct parser *p)
{
	const char *arg = p->argv[p->at] + 1;
	int r;

	for (; *arg; arg++) {
		const struct sk_opt *o = sk_opt_each(p->table, has_letter, (void *)(uintptr_t)arg);

		if (!o && p->dialect->help && *arg == 'h') {
			p->help = true;
			return 0;
		}
		if (!o)
			return fail(p, SK_OPT_UNKNOWN_LETTER, NULL, arg, strlen(arg));
		if (p->dialect->letter_equals && arg[1] == '=' && arg[2])
			return set_value(p, o, arg + 2);
		if (o->type->has_value) {
			if (arg[1])
				return set_value(p, o, arg + 1);
			if (p->at + 1 == p->argc)
				return fail(p, SK_OPT_NO_VALUE_LETTER, o, arg, 1);
			return set_value(p, o, p->argv[++p->at]);
		}
		r = set_value(p, o, NULL);
		if (r != 0)
			return r;
	}
	return 0;
}

int sk_opt_parse(const struct sk_opt *table, const struct sk_opt_dialect *dialect, void *values, bool stop, int argc,
		 char **argv, struct sk_opt_result *ret, struct sk_error *err)
{
	struct parser p = {
		.table = table, .dialect = dialect, .values = values, .argc = argc, .argv = argv, .err = err
	};
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
		if (r != 0)
			return r;
	}
	while (p.at < argc)
		argv[n++] = argv[p.at++];
	*ret = (struct sk_opt_result){ .n_args = n, .help = p.help };
	return 0;
}

static bool fini_one(const struct sk_opt *o, void *values)
{
	if (o->type->fini)
		o->type->fini((char *)values + o->offset);
	return false;
}

void sk_opt_fini(const struct sk_opt *table, void *values)
{
	sk_opt_each(table, fini_one, values);
}
