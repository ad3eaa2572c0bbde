/* SPDX-License-Identifier: Apache-2.0 */
/* --device: which names mean a device of the guest, for the spec and its device rules. */
#include "model/devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/jx.h"

static const struct guest_device {
	const char *path, *type;
	int major, minor, mode, gid;
} guest_devices[] = {
	{ "/dev/fuse", "c", 10, 229, 0666, 0 },
	{ "/dev/net/tun", "c", 10, 200, 0666, 0 },
	/* A device that is not there comes when its node is opened. Debian's group "disk", as on hosts. */
	{ "/dev/loop-control", "c", 10, 237, 0660, 6 },
	{ "/dev/loop0", "b", 7, 0, 0660, 6 },
	{ "/dev/loop1", "b", 7, 1, 0660, 6 },
	{ "/dev/loop2", "b", 7, 2, 0660, 6 },
	{ "/dev/loop3", "b", 7, 3, 0660, 6 },
	{ "/dev/loop4", "b", 7, 4, 0660, 6 },
	{ "/dev/loop5", "b", 7, 5, 0660, 6 },
	{ "/dev/loop6", "b", 7, 6, 0660, 6 },
	{ "/dev/loop7", "b", 7, 7, 0660, 6 },
};

static const struct guest_device *find(const char *path)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(guest_devices); i++)
		if (strcmp(guest_devices[i].path, path) == 0)
			return &guest_devices[i];
	return NULL;
}

static bool are_permissions(const char *s)
{
	return *s && strlen(s) <= 3 && s[strspn(s, "rwm")] == '\0';
}

/* PATH, PATH:rwm, PATH:PATH, PATH:PATH:rwm; as docker. */
static int parse(const char *value, char **ret_path, char **ret_target, char **ret_permissions)
{
	_cleanup_strv_ struct sk_strv parts = { 0 };
	const char *target, *permissions = "rwm";

	sk_strv_split(&parts, value, ':');
	target = parts.v[0];
	if (parts.n > 1 && are_permissions(parts.v[1]) && parts.n == 2)
		permissions = parts.v[1];
	else if (parts.n > 1)
		target = parts.v[1];
	if (parts.n == 3)
		permissions = parts.v[2];
	if (parts.n > 3 || *target != '/' || !are_permissions(permissions))
		return -EINVAL;
	*ret_path = sk_xstrdup(parts.v[0]);
	*ret_target = sk_xstrdup(target);
	*ret_permissions = sk_xstrdup(permissions);
	return 0;
}

int sk_check_device(const char *value, char *why)
{
	_cleanup_free_ char *path = NULL, *target = NULL, *permissions = NULL;

	if (parse(value, &path, &target, &permissions) < 0) {
		snprintf(why, 256, "bad format for path: %.128s", value);
		return -EINVAL;
	}
	if (find(path))
		return 0;
	snprintf(why, 256,
		 "the host's %.64s cannot be given to a VM; of its own it has /dev/fuse, /dev/net/tun and "
		 "/dev/loop-control, loop0 to loop7",
		 path);
	return -EINVAL;
}

json_t *sk_devices_to_host(const struct sk_strv *devices)
{
	json_t *list = sk_jx_array();
	size_t i;

	for (i = 0; i < devices->n; i++) {
		_cleanup_free_ char *path = NULL, *target = NULL, *permissions = NULL;

		if (parse(devices->v[i], &path, &target, &permissions) == 0)
			sk_jx_push(list, sk_jx(json_pack("{s:s,s:s,s:s}", "PathOnHost", path, "PathInContainer", target,
							 "CgroupPermissions", permissions)));
	}
	return list;
}

static void push_node(json_t *list, const char *path, const struct guest_device *d)
{
	sk_jx_push(list, sk_jx(json_pack("{s:s,s:s,s:i,s:i,s:i,s:i,s:i}", "path", path, "type", d->type, "major",
					 d->major, "minor", d->minor, "fileMode", d->mode, "uid", 0, "gid", d->gid)));
}

json_t *sk_devices_to_spec(const json_t *host_devices, bool privileged)
{
	json_t *list = sk_jx_array(), *o;
	size_t i;

	for (i = 0; privileged && i < SK_ARRAY_SIZE(guest_devices); i++)
		push_node(list, guest_devices[i].path, &guest_devices[i]);
	json_array_foreach(host_devices, i, o)
	{
		const struct guest_device *d = find(sk_jx_get_str(o, "PathOnHost", ""));
		const char *target = sk_jx_get_str(o, "PathInContainer", "");

		if (d && !(privileged && strcmp(target, d->path) == 0))
			push_node(list, target, d);
	}
	return list;
}

void sk_devices_allow(json_t *rules, const json_t *host_devices)
{
	json_t *o;
	size_t i;

	json_array_foreach(host_devices, i, o)
	{
		const struct guest_device *d = find(sk_jx_get_str(o, "PathOnHost", ""));

		if (d)
			sk_jx_push(rules, sk_jx(json_pack("{s:b,s:s,s:i,s:i,s:s}", "allow", 1, "type", d->type, "major",
							  d->major, "minor", d->minor, "access",
							  sk_jx_get_str(o, "CgroupPermissions", "rwm"))));
	}
}
