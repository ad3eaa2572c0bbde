/* SPDX-License-Identifier: Apache-2.0 */
/* A seccomp profile that the user gave, in docker's form, made into OCI's: what depends on capabilities or architecture
 * is decided here. */
#include "model/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "model/jx.h"

#define SK_PROFILE_MAX (4u << 20)

#if defined(__x86_64__)
#define NATIVE "SCMP_ARCH_X86_64"
#define NATIVE_GO "amd64"
#elif defined(__aarch64__)
#define NATIVE "SCMP_ARCH_AARCH64"
#define NATIVE_GO "arm64"
#else
#define NATIVE ""
#define NATIVE_GO ""
#endif

static bool list_has(const json_t *list, const char *s)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v) if (json_is_string(v) && strcmp(json_string_value(v), s) == 0) return true;
	return false;
}

/* All capabilities of "includes" are there, the architecture is among those named; none of those of "excludes".
 * minKernel: ours is new enough. */
static bool applies(const json_t *rule, const struct sk_strv *caps)
{
	const json_t *in = json_object_get(rule, "includes"), *ex = json_object_get(rule, "excludes"), *arches;
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(in, "caps"), i,
			   v) if (json_is_string(v) && !sk_strv_has(caps, json_string_value(v))) return false;
	json_array_foreach(json_object_get(ex, "caps"), i,
			   v) if (json_is_string(v) && sk_strv_has(caps, json_string_value(v))) return false;
	arches = json_object_get(in, "arches");
	if (json_array_size(arches) && !list_has(arches, NATIVE_GO))
		return false;
	return !list_has(json_object_get(ex, "arches"), NATIVE_GO);
}

static json_t *convert_rule(const json_t *rule)
{
	static const char *const kept[] = { "action", "errnoRet", "args" };
	json_t *o = sk_jx_object(), *names = json_object_get(rule, "names"), *v;
	size_t i;

	if (json_is_array(names))
		sk_jx_set(o, "names", json_incref(names));
	else
		sk_jx_set(o, "names", sk_jx(json_pack("[s]", sk_jx_get_str(rule, "name", ""))));
	for (i = 0; i < SK_ARRAY_SIZE(kept); i++) {
		v = json_object_get(rule, kept[i]);
		if (v && !json_is_null(v) && !(json_is_array(v) && !json_array_size(v)))
			sk_jx_set(o, kept[i], json_incref(v));
	}
	return o;
}

static json_t *architectures(const json_t *profile)
{
	json_t *list = sk_jx_array(), *v, *sub;
	size_t i, k;

	json_array_foreach(json_object_get(profile, "archMap"), i, v)
	{
		if (strcmp(sk_jx_get_str(v, "architecture", ""), NATIVE) != 0)
			continue;
		sk_jx_push_str(list, NATIVE);
		json_array_foreach(json_object_get(v, "subArchitectures"), k, sub) sk_jx_push(list, json_incref(sub));
	}
	if (!json_array_size(list) && json_is_array(json_object_get(profile, "architectures")))
		json_array_extend(list, json_object_get(profile, "architectures"));
	return list;
}

static json_t *convert(const json_t *profile, const struct sk_strv *caps)
{
	static const char *const kept[] = { "defaultAction", "defaultErrnoRet", "flags" };
	json_t *o = sk_jx_object(), *rules = sk_jx_array(), *archs = architectures(profile), *v;
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(kept); i++)
		if (json_object_get(profile, kept[i]))
			sk_jx_set(o, kept[i], json_incref(json_object_get(profile, kept[i])));
	if (json_array_size(archs))
		sk_jx_set(o, "architectures", archs);
	else
		json_decref(archs);
	json_array_foreach(json_object_get(profile, "syscalls"), i, v) if (applies(v, caps))
		sk_jx_push(rules, convert_rule(v));
	sk_jx_set(o, "syscalls", rules);
	return o;
}

int sk_seccomp_load(const char *path, const struct sk_strv *caps, json_t **ret, struct sk_error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *profile = NULL;
	json_error_t where;
	size_t len;
	int r = sk_fs_read(AT_FDCWD, path, SK_PROFILE_MAX, &text, &len);

	if (r < 0)
		return sk_error_errno(err, r, "opening seccomp profile (%s) failed", path);
	profile = json_loadb(text, len, 0, &where);
	if (!json_is_object(profile))
		return sk_error_set(err, EINVAL, "seccomp profile %s is not JSON: line %d: %s", path, where.line,
				    where.text);
	if (!json_is_string(json_object_get(profile, "defaultAction")))
		return sk_error_set(err, EINVAL, "seccomp profile %s has no defaultAction", path);
	*ret = convert(profile, caps);
	return 0;
}
