/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of templates: Go's own and those that docker's CLI adds. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/jx.h"
#include "cli/print/table.h"
#include "cli/print/tmpl_internal.h"

typedef json_t *(*func)(struct sk_tmpl_run *run, json_t *const *args, size_t n);

static json_t *take_text(struct sk_text *t)
{
	json_t *v = sk_jx_str(t->s ? t->s : "");

	sk_text_fini(t);
	return v;
}

static char *as_text(const json_t *v)
{
	struct sk_text t = { 0 };

	sk_tmpl_print(&t, v);
	return sk_text_take(&t);
}

static json_t *f_json(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	_cleanup_free_ char *s = json_dumps(args[0], JSON_COMPACT | JSON_ENCODE_ANY);

	(void)run;
	(void)n;
	return sk_jx_str(s ? s : "null");
}

static json_t *f_join(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	struct sk_text t = { 0 };
	size_t i;

	(void)n;
	if (!json_is_string(args[1])) {
		sk_error_set(run->err, EINVAL, "template: join needs a list and a separator");
		return NULL;
	}
	for (i = 0; i < json_array_size(args[0]); i++) {
		if (i)
			sk_text_puts(&t, json_string_value(args[1]));
		sk_tmpl_print(&t, json_array_get(args[0], i));
	}
	return take_text(&t);
}

static json_t *f_split(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	const char *s = json_string_value(args[0]), *sep = json_string_value(args[1]), *end;
	json_t *list;

	(void)n;
	if (!s || !sep) {
		sk_error_set(run->err, EINVAL, "template: split needs a string and a separator");
		return NULL;
	}
	list = sk_jx_array();
	if (!*sep) { /* Go: into its characters */
		size_t len;

		for (; *s; s += len) {
			for (len = 1; ((unsigned char)s[len] & 0xc0) == 0x80; len++)
				;
			sk_jx_push(list, json_stringn(s, len));
		}
		return list;
	}
	for (; (end = strstr(s, sep)); s = end + strlen(sep))
		sk_jx_push(list, json_stringn(s, (size_t)(end - s)));
	sk_jx_push_str(list, s);
	return list;
}

static json_t *change_case(const json_t *v, int (*to)(int), bool words)
{
	_cleanup_free_ char *s = as_text(v);
	size_t i;

	for (i = 0; s[i]; i++)
		if (!words || i == 0 || s[i - 1] == ' ')
			s[i] = (char)to((unsigned char)s[i]);
	return sk_jx_str(s);
}

static json_t *f_lower(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	(void)run;
	(void)n;
	return change_case(args[0], tolower, false);
}

static json_t *f_upper(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	(void)run;
	(void)n;
	return change_case(args[0], toupper, false);
}

static json_t *f_title(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	(void)run;
	(void)n;
	return change_case(args[0], toupper, true);
}

static json_t *f_pad(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	_cleanup_free_ char *s = as_text(args[0]);
	struct sk_text t = { 0 };

	(void)run;
	(void)n;
	if (*s)
		sk_text_printf(&t, "%*s%s%*s", (int)json_integer_value(args[1]), "", s,
			       (int)json_integer_value(args[2]), "");
	return take_text(&t);
}

static json_t *f_truncate(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	_cleanup_free_ char *s = as_text(args[0]);
	size_t len = (size_t)json_integer_value(args[1]), i;

	(void)run;
	(void)n;
	for (i = 0; s[i] && len; i++)
		len -= ((unsigned char)s[i + 1] & 0xc0) != 0x80;
	s[i] = '\0';
	return sk_jx_str(s);
}

static json_t *f_print(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	struct sk_text t = { 0 };
	size_t i;

	(void)run;
	for (i = 0; i < n; i++) {
		if (i && !json_is_string(args[i]) && !json_is_string(args[i - 1]))
			sk_text_puts(&t, " ");
		sk_tmpl_print(&t, args[i]);
	}
	return take_text(&t);
}

static json_t *f_println(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	struct sk_text t = { 0 };
	size_t i;

	(void)run;
	for (i = 0; i < n; i++) {
		if (i)
			sk_text_puts(&t, " ");
		sk_tmpl_print(&t, args[i]);
	}
	sk_text_puts(&t, "\n");
	return take_text(&t);
}

/* One verb of printf with the flags, width and precision before it. */
static void print_verb(struct sk_text *t, char verb, const char *flags, size_t n_flags, const json_t *v)
{
	_cleanup_free_ char *s = NULL;
	char format[32];
	const char *minus = memchr(flags, '-', n_flags);
	size_t width = 0, i, have;

	if (n_flags < 16 && verb == 'f' && json_is_number(v)) {
		/* The letters were checked by the caller: digits, point, flags. */
		int precision = 6;
		const char *point = memchr(flags, '.', n_flags);

		if (point)
			precision = atoi(point + 1);
		snprintf(format, sizeof(format), "%.*f", precision > 12 ? 12 : precision, json_number_value(v));
		s = sk_xstrdup(format);
	} else if (verb == 'x' && json_is_integer(v)) {
		s = sk_xasprintf("%llx", (unsigned long long)json_integer_value(v));
	} else {
		s = as_text(v);
	}
	if (verb == 'q') {
		char *quoted = sk_xasprintf("\"%s\"", s);

		free(s);
		s = quoted;
	}
	for (i = 0; i < n_flags && flags[i] != '.'; i++)
		if (isdigit((unsigned char)flags[i]))
			width = (width * 10 + (size_t)(flags[i] - '0')) % 1000;
	have = sk_text_width(s, strlen(s));
	if (!minus && width > have)
		sk_text_printf(t, "%*s", (int)(width - have), "");
	sk_text_puts(t, s);
	if (minus && width > have)
		sk_text_printf(t, "%*s", (int)(width - have), "");
}

static json_t *f_printf(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	const char *f = json_string_value(args[0]);
	struct sk_text t = { 0 };
	size_t next = 1;

	if (!f) {
		sk_error_set(run->err, EINVAL, "template: printf needs a format");
		return NULL;
	}
	while (*f) {
		size_t lit = strcspn(f, "%"), flags;

		sk_text_add(&t, f, lit);
		f += lit;
		if (!*f)
			break;
		flags = strspn(++f, "-+# 0123456789.");
		if (f[flags] == '%')
			sk_text_puts(&t, "%");
		else if (!f[flags])
			break;
		else if (next >= n)
			sk_text_printf(&t, "%%!%c(MISSING)", f[flags]);
		else
			print_verb(&t, f[flags], f, flags, args[next++]);
		f += flags + 1;
	}
	return take_text(&t);
}

static json_t *f_len(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	const json_t *v = args[0];

	(void)n;
	if (json_is_string(v))
		return json_integer((json_int_t)json_string_length(v));
	if (json_is_array(v))
		return json_integer((json_int_t)json_array_size(v));
	if (json_is_object(v))
		return json_integer((json_int_t)json_object_size(v));
	if (json_is_null(v))
		return json_integer(0);
	sk_error_set(run->err, EINVAL, "template: len of a value without length");
	return NULL;
}

static json_t *f_index(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	json_t *v = args[0];
	size_t i;

	for (i = 1; i < n && v; i++) {
		if (json_is_object(v) && json_is_string(args[i])) {
			v = json_object_get(v, json_string_value(args[i]));
		} else if (json_is_array(v) && json_is_integer(args[i])) {
			v = json_array_get(v, (size_t)json_integer_value(args[i]));
			if (!v) {
				sk_error_set(run->err, EINVAL,
					     "template: error calling index: index out of range: %lld",
					     (long long)json_integer_value(args[i]));
				return NULL;
			}
		} else if (json_is_string(v) && json_is_integer(args[i])) {
			json_int_t at = json_integer_value(args[i]);

			if (at < 0 || (size_t)at >= json_string_length(v)) {
				sk_error_set(run->err, EINVAL,
					     "template: error calling index: index out of range: %lld", (long long)at);
				return NULL;
			}
			return json_integer((unsigned char)json_string_value(v)[at]);
		} else if (json_is_null(v)) {
			v = NULL;
		} else {
			sk_error_set(run->err, EINVAL,
				     "template: error calling index: cannot index this with that type");
			return NULL;
		}
	}
	/* docker's maps are of strings: a missing member is the empty string */
	return v ? json_incref(v) : sk_jx_str("");
}

/* slice LIST|TEXT [FROM [TO]] */
static json_t *f_slice(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	const json_t *v = args[0];
	size_t len = json_is_string(v) ? json_string_length(v) : json_array_size(v), from = 0, to = len, i;
	json_t *list;

	if (!json_is_string(v) && !json_is_array(v)) {
		sk_error_set(run->err, EINVAL, "template: error calling slice: can't slice item of that type");
		return NULL;
	}
	for (i = 1; i < n; i++) {
		json_int_t at = json_integer_value(args[i]);

		if (!json_is_integer(args[i]) || at < 0 || (size_t)at > len) {
			sk_error_set(run->err, EINVAL, "template: error calling slice: index out of range: %lld",
				     (long long)at);
			return NULL;
		}
		*(i == 1 ? &from : &to) = (size_t)at;
	}
	if (from > to) {
		sk_error_set(run->err, EINVAL, "template: error calling slice: invalid slice index: %zu > %zu", from,
			     to);
		return NULL;
	}
	if (json_is_string(v))
		return json_stringn_nocheck(json_string_value(v) + from, to - from);
	list = sk_jx_array();
	for (i = from; i < to; i++)
		sk_jx_push(list, json_incref(json_array_get(v, i)));
	return list;
}

/* < 0, 0, > 0; 2 where they cannot be compared. */
static int compare(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b)) {
		double x = json_number_value(a), y = json_number_value(b);

		return (x > y) - (x < y);
	}
	if (json_is_string(a) && json_is_string(b)) {
		int r = strcmp(json_string_value(a), json_string_value(b));

		return (r > 0) - (r < 0);
	}
	return json_equal(a, b) ? 0 : 2;
}

static json_t *f_eq(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	size_t i;

	(void)run;
	for (i = 1; i < n; i++)
		if (compare(args[0], args[i]) == 0)
			return json_true();
	return json_false();
}

static json_t *f_ne(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	(void)run;
	(void)n;
	return json_boolean(compare(args[0], args[1]) != 0);
}

static json_t *f_lt(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	(void)run;
	(void)n;
	return json_boolean(compare(args[0], args[1]) < 0);
}

static json_t *f_le(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	(void)run;
	(void)n;
	return json_boolean(compare(args[0], args[1]) <= 0);
}

static json_t *f_gt(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	(void)run;
	(void)n;
	return json_boolean(compare(args[0], args[1]) == 1);
}

static json_t *f_ge(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	int r = compare(args[0], args[1]);

	(void)run;
	(void)n;
	return json_boolean(r == 0 || r == 1);
}

static json_t *f_and(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	size_t i;

	(void)run;
	for (i = 0; i + 1 < n && sk_tmpl_truth(args[i]); i++)
		;
	return json_incref(args[i]);
}

static json_t *f_or(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	size_t i;

	(void)run;
	for (i = 0; i + 1 < n && !sk_tmpl_truth(args[i]); i++)
		;
	return json_incref(args[i]);
}

static json_t *f_not(struct sk_tmpl_run *run, json_t *const *args, size_t n)
{
	(void)run;
	(void)n;
	return json_boolean(!sk_tmpl_truth(args[0]));
}

static const struct {
	const char *name;
	size_t min, max;
	func f;
} funcs[] = {
	{ "json", 1, 1, f_json },
	{ "join", 2, 2, f_join },
	{ "split", 2, 2, f_split },
	{ "lower", 1, 1, f_lower },
	{ "upper", 1, 1, f_upper },
	{ "title", 1, 1, f_title },
	{ "pad", 3, 3, f_pad },
	{ "truncate", 2, 2, f_truncate },
	{ "print", 0, SK_TMPL_ARGS, f_print },
	{ "println", 0, SK_TMPL_ARGS, f_println },
	{ "printf", 1, SK_TMPL_ARGS, f_printf },
	{ "len", 1, 1, f_len },
	{ "index", 1, SK_TMPL_ARGS, f_index },
	{ "slice", 1, 3, f_slice },
	{ "eq", 2, SK_TMPL_ARGS, f_eq },
	{ "ne", 2, 2, f_ne },
	{ "lt", 2, 2, f_lt },
	{ "le", 2, 2, f_le },
	{ "gt", 2, 2, f_gt },
	{ "ge", 2, 2, f_ge },
	{ "and", 1, SK_TMPL_ARGS, f_and },
	{ "or", 1, SK_TMPL_ARGS, f_or },
	{ "not", 1, 1, f_not },
};

static size_t find(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(funcs); i++)
		if (strlen(funcs[i].name) == len && memcmp(funcs[i].name, name, len) == 0)
			break;
	return i;
}

bool sk_tmpl_is_func(const char *name, size_t len)
{
	return find(name, len) < SK_ARRAY_SIZE(funcs);
}

json_t *sk_tmpl_call(struct sk_tmpl_run *run, const char *name, size_t len, json_t *const *args, size_t n)
{
	size_t i = find(name, len);

	if (i == SK_ARRAY_SIZE(funcs) || n < funcs[i].min || n > funcs[i].max) {
		sk_error_set(run->err, EINVAL,
			     "template parsing error: template: :1: wrong number of args for %.*s: got %zu", (int)len,
			     name, n);
		return NULL;
	}
	return funcs[i].f(run, args, n);
}
