/* SPDX-License-Identifier: Apache-2.0 */
#include "model/volumes_from.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/container.h"
#include "model/jx.h"

/* A field of --mount in quotes, as it may have commas. malloc'd. */
static char *field(const char *key, const char *value)
{
	struct sk_text t = { 0 };

	sk_text_printf(&t, ",\"%s=", key);
	for (; *value; value++)
		sk_text_add(&t, *value == '"' ? "\"\"" : value, *value == '"' ? 2 : 1);
	sk_text_puts(&t, "\"");
	return sk_text_take(&t);
}

static void add_mount(const json_t *mount, bool readonly, struct sk_strv *ret)
{
	const char *type = sk_jx_get_str(mount, "Type", ""), *target = sk_jx_get_str(mount, "Destination", "");
	bool volume = strcmp(type, "volume") == 0;
	_cleanup_free_ char *src = field("src", sk_jx_get_str(mount, volume ? "Name" : "Source", "")),
			    *dst = field("dst", target);

	if (!volume && strcmp(type, "bind") != 0)
		return; /* memory is nobody else's */
	sk_strv_add(ret, target);
	sk_strv_take(ret, sk_xasprintf("type=%s%s%s%s", type, src, dst,
				       readonly || !sk_jx_get_bool(mount, "RW", true) ? ",readonly" : ""));
}

static int add_container(const struct sk_paths *paths, const char *spec, struct sk_strv *ret, struct sk_error *err)
{
	const char *colon = strchr(spec, ':'), *mode = colon ? colon + 1 : "rw";
	_cleanup_free_ char *name = colon ? sk_xstrndup(spec, (size_t)(colon - spec)) : sk_xstrdup(spec);
	_cleanup_container_ struct sk_container c = { 0 };
	size_t i;
	int r;

	if (!*name)
		return sk_error_set(err, EINVAL, "malformed volumes-from specification: %.128s", spec);
	if (strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0 && strcmp(mode, "z") != 0 && strcmp(mode, "Z") != 0)
		return sk_error_set(err, EINVAL, "invalid mode for volumes-from: %.64s", mode);
	r = sk_container_find(paths, name, &c, err);
	for (i = 0; r == 0 && i < json_array_size(json_object_get(c.config, "Mounts")); i++)
		add_mount(json_array_get(json_object_get(c.config, "Mounts"), i), strcmp(mode, "ro") == 0, ret);
	return r;
}

int sk_volumes_from(const struct sk_paths *paths, const struct sk_strv *from, struct sk_strv *ret, struct sk_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < from->n; i++)
		r = add_container(paths, from->v[i], ret, err);
	return r;
}
