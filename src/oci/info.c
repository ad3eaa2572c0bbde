/* SPDX-License-Identifier: Apache-2.0 */
/* spec and features: what runc prints about itself, for this runtime. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "oci/oci.h"

/* runc spec's container: a shell, read-only root, own namespaces. */
static const char example[] =
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],"
	"\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"TERM=xterm\"],\"cwd\":\"/\","
	"\"capabilities\":{\"bounding\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"],"
	"\"effective\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"],"
	"\"permitted\":[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],\"noNewPrivileges\":true},"
	"\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"skerry\",\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/"
	"dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size="
	"65536k\"]},"
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
	"\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
	"{\"destination\":\"/dev/"
	"shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size="
	"65536k\"]},"
	"{\"destination\":\"/dev/"
	"mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
	"{\"destination\":\"/"
	"sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},"
	"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}],"
	"\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},\"namespaces\":[{\"type\":"
	"\"pid\"},{\"type\":\"network\"},"
	"{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}],"
	"\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\",\"/"
	"proc/timer_list\","
	"\"/proc/timer_stats\",\"/proc/sched_debug\",\"/sys/firmware\",\"/proc/scsi\"],"
	"\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]}}";

/* Adapts the example to a user who is root in a user namespace only. */
static void make_rootless(json_t *linux_)
{
	json_t *list = json_object_get(linux_, "namespaces");
	size_t i;

	for (i = 0; i < json_array_size(list);) {
		const char *type = json_string_value(json_object_get(json_array_get(list, i), "type"));

		if (type && strcmp(type, "network") == 0)
			json_array_remove(list, i);
		else
			i++;
	}
	json_array_append_new(list, json_pack("{s:s}", "type", "user"));
	json_object_set_new(linux_, "uidMappings",
			    json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", (int)geteuid(), "size", 1));
	json_object_set_new(linux_, "gidMappings",
			    json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", (int)getegid(), "size", 1));
	json_object_del(linux_, "resources");
}

struct spec_options {
	const char *bundle;
	bool rootless;
};

static const struct sk_opt spec_table[] = {
	{ .name = "bundle", .letter = 'b', .type = SK_OPT_STRING, .offset = offsetof(struct spec_options, bundle) },
	{ .name = "rootless", .type = SK_OPT_BOOL, .offset = offsetof(struct spec_options, rootless) },
	{ .name = NULL },
};

int sk_oci_spec(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	_cleanup_free_ char *text = NULL, *path = NULL;
	struct spec_options x = { .bundle = "." };
	json_t *spec;
	int r;

	(void)o;
	r = sk_oci_options(spec_table, &x, false, argc, argv, err);
	if (r < 0)
		return r;
	path = sk_asprintf("%s/config.json", x.bundle);
	if (path && access(path, F_OK) == 0)
		return sk_error_set(err, EEXIST, "File config.json exists. Remove it first");
	spec = json_loads(example, 0, NULL);
	if (spec && x.rootless)
		make_rootless(json_object_get(spec, "linux"));
	text = spec ? json_dumps(spec, JSON_INDENT(4)) : NULL;
	json_decref(spec);
	r = text && path ? sk_fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0666, false) : -ENOMEM;
	return r < 0 ? sk_error_errno(err, r, "cannot write %s", path) : 0;
}

static json_t *name_list(const char *names)
{
	json_t *list = json_array();
	size_t n;

	for (; *names; names += n + (names[n] == ' ')) {
		n = strcspn(names, " ");
		json_array_append_new(list, json_stringn(names, n));
	}
	return list;
}

int sk_oci_features(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	_cleanup_free_ char *text = NULL;
	json_t *f;

	(void)o;
	(void)argc;
	(void)argv;
	f = json_pack("{s:s,s:s,s:o,s:o,s:{s:o,s:{s:b,s:b,s:b,s:b},s:{s:b},s:{s:b},s:{s:b}},s:{s:s}}", "ociVersionMin",
		      "1.0.0", "ociVersionMax", SK_OCI_VERSION, "hooks",
		      name_list("prestart createRuntime createContainer startContainer poststart poststop"),
		      "mountOptions",
		      name_list("async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand "
				"noatime nodev nodiratime noexec "
				"noiversion nolazytime nomand norelatime nostrictatime nosuid private rbind relatime "
				"remount ro rprivate rw rslave "
				"silent slave strictatime suid sync"),
		      "linux", "namespaces", name_list("cgroup ipc mount network pid user uts"), "cgroup", "v1", 1,
		      "v2", 1, "systemd", 1, "systemdUser", 0, "seccomp", "enabled", 1, "apparmor", "enabled", 0,
		      "selinux", "enabled", 0, "annotations", "org.skerry.isolation", "vm");
	text = f ? json_dumps(f, JSON_INDENT(2)) : NULL;
	json_decref(f);
	if (!text)
		return sk_error_errno(err, ENOMEM, "cannot print");
	printf("%s\n", text);
	return 0;
}
