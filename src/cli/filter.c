/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/filter.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

/* The value where `filter` is of `key`, else NULL. */
static const char *value_of(const char *filter, const char *key)
{
	size_t n = strlen(key);

	return strncmp(filter, key, n) == 0 && filter[n] == '=' ? filter + n + 1 : NULL;
}

int sk_filter_check(const struct sk_strv *filters, const char *const *keys, struct sk_error *err)
{
	size_t i, k;

	for (i = 0; i < filters->n; i++) {
		const char *f = filters->v[i], *eq = strchr(f, '=');
		size_t n;

		if (!eq)
			return sk_error_set(err, EINVAL, "invalid filter '%s': give key=value", f);
		n = (size_t)(eq - f);
		if (n && f[n - 1] == '!')
			n--;
		for (k = 0; keys[k]; k++)
			if (strlen(keys[k]) == n && memcmp(keys[k], f, n) == 0)
				break;
		if (!keys[k])
			return sk_error_set(err, EINVAL, "invalid filter '%.*s'", (int)n, f);
	}
	return 0;
}

bool sk_filter_has(const struct sk_strv *filters, const char *key)
{
	size_t i;

	for (i = 0; i < filters->n; i++)
		if (value_of(filters->v[i], key))
			return true;
	return false;
}

bool sk_filter_match(const struct sk_strv *filters, const char *key, bool (*match)(const char *value, const void *arg),
		     const void *arg)
{
	bool any = false;
	size_t i;

	for (i = 0; i < filters->n; i++) {
		const char *value = value_of(filters->v[i], key);

		if (!value)
			continue;
		any = true;
		if (match(value, arg))
			return true;
	}
	return !any;
}

static bool equal(const char *value, const void *arg)
{
	return strcmp(value, arg) == 0;
}

bool sk_filter_exact(const struct sk_strv *filters, const char *key, const char *value)
{
	return sk_filter_match(filters, key, equal, value);
}

static bool has_label(const json_t *labels, const char *want)
{
	const char *eq = strchr(want, '='), *have;
	_cleanup_free_ char *key = eq ? sk_xstrndup(want, (size_t)(eq - want)) : sk_xstrdup(want);

	have = json_string_value(json_object_get(labels, key));
	return have && (!eq || strcmp(have, eq + 1) == 0);
}

bool sk_filter_labels(const struct sk_strv *filters, const json_t *labels)
{
	size_t i;

	for (i = 0; i < filters->n; i++) {
		const char *value = value_of(filters->v[i], "label"), *not = value_of(filters->v[i], "label!");

		if ((value && !has_label(labels, value)) || (not &&has_label(labels, not )))
			return false;
	}
	return true;
}
