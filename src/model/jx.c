/* SPDX-License-Identifier: Apache-2.0 */
/* jansson for a program that may end when there is no memory: members by path, setters that do not fail. */
#include "model/jx.h"

#include <string.h>

json_t *sk_jx(json_t *take)
{
	if (!take)
		sk_die("out of memory");
	return take;
}

json_t *sk_jx_str(const char *s)
{
	json_t *j;

	if (!s)
		return json_null();
	j = json_string(s);
	if (!j)
		sk_die("\"%.64s\" is not valid UTF-8: give it in UTF-8", s);
	return j;
}

json_t *sk_jx_object(void)
{
	return sk_jx(json_object());
}

json_t *sk_jx_array(void)
{
	return sk_jx(json_array());
}

json_t *sk_jx_strv(const struct sk_strv *list)
{
	json_t *a = sk_jx_array();
	size_t i;

	for (i = 0; i < list->n; i++)
		sk_jx_push_str(a, list->v[i]);
	return a;
}

void sk_jx_set(json_t *o, const char *key, json_t *take_value)
{
	if (json_object_set_new(o, key, take_value) < 0)
		sk_die("\"%.64s\" is not valid UTF-8, or out of memory", key);
}

void sk_jx_set_str(json_t *o, const char *key, const char *s)
{
	sk_jx_set(o, key, sk_jx_str(s));
}

void sk_jx_set_int(json_t *o, const char *key, int64_t n)
{
	sk_jx_set(o, key, json_integer((json_int_t)n));
}

void sk_jx_set_bool(json_t *o, const char *key, bool b)
{
	sk_jx_set(o, key, json_boolean(b));
}

void sk_jx_push(json_t *array, json_t *take_value)
{
	if (json_array_append_new(array, take_value) < 0)
		sk_die("out of memory");
}

void sk_jx_push_str(json_t *array, const char *s)
{
	sk_jx_push(array, sk_jx_str(s));
}

json_t *sk_jx_at(const json_t *o, const char *path)
{
	const char *dot;
	char name[128];

	while (o && (dot = strchr(path, '.'))) {
		size_t n = (size_t)(dot - path);

		if (n >= sizeof(name))
			return NULL;
		memcpy(name, path, n);
		name[n] = '\0';
		o = json_object_get(o, name);
		path = dot + 1;
	}
	return json_object_get(o, path);
}

const char *sk_jx_get_str(const json_t *o, const char *path, const char *absent)
{
	const json_t *v = sk_jx_at(o, path);

	return json_is_string(v) ? json_string_value(v) : absent;
}

int64_t sk_jx_get_int(const json_t *o, const char *path, int64_t absent)
{
	const json_t *v = sk_jx_at(o, path);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : absent;
}

bool sk_jx_get_bool(const json_t *o, const char *path, bool absent)
{
	const json_t *v = sk_jx_at(o, path);

	return json_is_boolean(v) ? json_is_true(v) : absent;
}
