/* SPDX-License-Identifier: Apache-2.0 */
/* --filter: docker's rules of what a filter means, the same for all commands (which keys there are: select.c). */
#include "model/filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/units.h"

#define SK_FILTER_BLANKS " \t\n\v\f\r"
#define SK_FILTER_BAD_FORM "bad format of filter (expected name=value)"

/* The value where `filter` is of `key`, else NULL. */
static const char *value_of(const char *filter, const char *key)
{
	size_t n = strlen(key);

	return strncmp(filter, key, n) == 0 && filter[n] == '=' ? filter + n + 1 : NULL;
}

/* "label!=x" is docker's key "label!" with "x". */
static int check_one(const char *filter, const struct sk_strv *filters, const struct sk_filter_key *keys,
		     struct sk_error *err)
{
	const char *eq = strchr(filter, '=');
	size_t at = 0;

	if (!eq)
		return *filter ? sk_error_set(err, EINVAL, "%s (%s)", SK_FILTER_BAD_FORM, filter) : 0;
	for (; keys->name; keys++) {
		const char *value = value_of(filter, keys->name), *other;

		if (!value)
			continue;
		if (keys->is_valid && !keys->is_valid(value))
			return sk_error_set(err, EINVAL, "invalid filter '%s=[%s]'", keys->name, value);
		while (keys->once && (other = sk_filter_next(filters, keys->name, &at)))
			if (strcmp(other, value) != 0)
				return sk_error_set(err, EINVAL, "more than one %s filter specified", keys->name);
		return 0;
	}
	return sk_error_set(err, EINVAL, "invalid filter '%.*s'", (int)(eq - filter), filter);
}

static void trim(char *s)
{
	char *start = s + strspn(s, SK_FILTER_BLANKS);
	size_t n = strlen(start);

	while (n && strchr(SK_FILTER_BLANKS, start[n - 1]))
		n--;
	memmove(s, start, n);
	s[n] = '\0';
}

/* The key in lower case, no blanks around key and value. In place: it becomes no longer. */
static void normalize(char *filter)
{
	char *eq = strchr(filter, '='), *key;

	if (!eq)
		return;
	trim(eq + 1);
	*eq = '\0';
	trim(filter);
	for (key = filter; *key; key++)
		*key = (char)tolower((unsigned char)*key);
	*key = '=';
	memmove(key + 1, eq + 1, strlen(eq + 1) + 1);
}

int sk_filter_form(const char *value, char *why)
{
	if (!*value || strchr(value, '='))
		return 0;
	snprintf(why, 256, SK_FILTER_BAD_FORM);
	return -EINVAL;
}

int sk_filter_check(const struct sk_strv *filters, const struct sk_filter_key *keys, struct sk_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < filters->n; i++)
		normalize(filters->v[i]);
	for (i = 0; r == 0 && i < filters->n; i++)
		r = check_one(filters->v[i], filters, keys, err);
	return r;
}

const char *sk_filter_next(const struct sk_strv *filters, const char *key, size_t *at)
{
	while (*at < filters->n) {
		const char *value = value_of(filters->v[(*at)++], key);

		if (value)
			return value;
	}
	return NULL;
}

bool sk_filter_has(const struct sk_strv *filters, const char *key)
{
	size_t at = 0;

	return sk_filter_next(filters, key, &at) != NULL;
}

bool sk_filter_wants(const struct sk_strv *filters, const struct sk_filter_key *keys, void *arg)
{
	for (; keys->name; keys++) {
		bool any = false, one = false, all = true;
		const char *value;
		size_t at = 0;

		while ((value = sk_filter_next(filters, keys->name, &at))) {
			bool match = keys->match(value, arg);

			any = true;
			one |= match;
			all &= match;
		}
		if (any && !(keys->every ? all : one))
			return false;
	}
	return true;
}

bool sk_filter_is_bool(const char *value)
{
	return sk_filter_bool(value) || strcmp(value, "false") == 0 || strcmp(value, "0") == 0;
}

bool sk_filter_bool(const char *value)
{
	return strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

bool sk_filter_is_time(const char *value)
{
	int64_t t;

	return sk_parse_time(value, sk_now_ns(), &t) == 0;
}

bool sk_filter_is_before(const char *created, const char *until)
{
	int64_t c, u;

	return sk_parse_time(until, sk_now_ns(), &u) == 0 && sk_parse_rfc3339(created, &c) == 0 && c < u;
}

bool sk_filter_label(const char *want, const json_t *labels)
{
	const char *eq = strchr(want, '='), *have;
	_cleanup_free_ char *key = eq ? sk_xstrndup(want, (size_t)(eq - want)) : sk_xstrdup(want);

	have = json_string_value(json_object_get(labels, key));
	return have && (!eq || strcmp(have, eq + 1) == 0);
}
