/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.namespaces of a bundle. The namespaces of the host mean little to a VM (a path may name the stand-in of a
 * container whose VM is to be shared: pod.c, bundle.c), but a bundle that runc refuses is refused: an unknown type,
 * a path that is no namespace of its type, and parameters of a network that is not the container's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "oci/oci.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static const struct {
	const char *name;
	int flag;
} types[] = {
	{ "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC }, { "mount", CLONE_NEWNS },
	{ "network", CLONE_NEWNET },   { "pid", CLONE_NEWPID }, { "time", CLONE_NEWTIME },
	{ "user", CLONE_NEWUSER },     { "uts", CLONE_NEWUTS },
};

static int check_path(const char *type, int flag, const char *path, struct sk_error *err)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int kind;

	if (fd < 0 && (errno == EACCES || errno == EPERM)) /* the namespaces of a process that we may not inspect */
		return 0;
	if (fd < 0)
		return sk_error_set(err, errno, "namespace path: lstat %s: %s", path,
				    errno == ENOENT ? "no such file or directory" : strerror(errno));
	kind = ioctl(fd, NS_GET_NSTYPE);
	if (kind != flag)
		return sk_error_set(err, EINVAL, "failed to setns into %s namespace: %s is %s", type, path,
				    kind < 0 ? "not a namespace" : "a namespace of another type");
	return 0;
}

/* Refuses net.* sysctls without a network namespace: the host's must not change, and the guest's would have no
 * effect. */
static int check_sysctls(const struct sk_oci_bundle *b, struct sk_error *err)
{
	json_t *sysctls = json_object_get(json_object_get(b->spec, "linux"), "sysctl"), *value;
	const char *name;

	json_object_foreach(sysctls, name, value) if (
		(strncmp(name, "net.", 4) == 0 || strncmp(name, "net/", 4) == 0) &&
		(!b->has_netns ||
		 b->netns_of_host)) return sk_error_set(err, EINVAL,
							"sysctl \"%s\" not allowed in host network namespace", name);
	return 0;
}

int sk_oci_namespaces_check(const struct sk_oci_bundle *b, struct sk_error *err)
{
	const json_t *list = json_object_get(json_object_get(b->spec, "linux"), "namespaces");
	size_t i, k;
	int r = 0;

	for (i = 0; r == 0 && i < json_array_size(list); i++) {
		const json_t *ns = json_array_get(list, i);
		const char *type = json_string_value(json_object_get(ns, "type")),
			   *path = json_string_value(json_object_get(ns, "path"));

		for (k = 0; type && k < SK_ARRAY_SIZE(types) && strcmp(type, types[k].name) != 0; k++)
			;
		if (!type || k == SK_ARRAY_SIZE(types))
			return sk_error_set(err, EINVAL, "namespace {\"%s\" \"%s\"} does not exist", type ? type : "",
					    path ? path : "");
		if (path && *path)
			r = check_path(type, types[k].flag, path, err);
	}
	return r < 0 ? r : check_sysctls(b, err);
}
