/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a bundle to a VM. What names something of the host is taken out of the spec and given to the VM another way, or
 * refused:
 *
 *   root, bind mounts   exports of the file server; a small file below /etc is one too, so that docker's later changes
 *                       to it arrive
 *   /dev/shm            memory of the guest, of the same size (processes of one container share it, nobody else can)
 *   network namespace   its interfaces
 *   devices             those that the guest kernel has itself; any other is refused, for a privileged container left
 *                       out
 *   resources           limits of the host's control group around the VM, and the same inside where it means something
 *   labels, profiles    of the host's security modules: they confine the monitor's host, not the guest; dropped
 *
 * The rest goes to crun in the guest as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "engine/engine.h"
#include "oci/oci.h"

#define SK_TMPFS_MAGIC 0x01021994
#define SK_MEMORY_DEFAULT (1ull << 30)
#define SK_MEMORY_MIN (128ull << 20)
/* Memory that the guest's kernel and agent take of the VM, on top of the container's limit. */
#define SK_MEMORY_GUEST (64ull << 20)
#define SK_MEMORY_MAP 60 /* the kernel keeps a note of each page: one part in so many */
/* More than any VM can have: "unlimited" as some callers write it (the kernel's own is 2^63 less a page). */
#define SK_MEMORY_NO_LIMIT (1ll << 45)
#define SK_MEMORY_POD (2ull << 30)
#define SK_VM_CPUS_MAX 16    /* virtual processors */
#define SK_CPU_PERIOD 100000 /* microseconds, where a quota comes without one */
#define SUBMOUNTS_MAX 16u

static const char *str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* Whether "noWORD" is among a mount's options, and no WORD after it. */
static bool forbids(const json_t *mount, const char *word)
{
	const json_t *options = json_object_get(mount, "options");
	bool set = false;
	size_t i;

	for (i = 0; i < json_array_size(options); i++) {
		const char *s = json_string_value(json_array_get(options, i));

		if (s && strcmp(s, word) == 0)
			set = false;
		else if (s && strncmp(s, "no", 2) == 0 && strcmp(s + 2, word) == 0)
			set = true;
	}
	return set;
}

/* ---- loading */

/* A path that is not absolute is below the root, as runc takes it: podman hands on an image's VOLUME as written. */
static void root_paths(json_t *list, const char *key)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		json_t *item = json_array_get(list, i);
		const char *path = str(item, key);

		if (path && *path && path[0] != '/')
			json_object_set_new(item, key, json_sprintf("/%s", path));
	}
}

/* The annotations of containerd's and of CRI-O's Kubernetes interface. */
static void find_pod(struct sk_oci_bundle *b)
{
	static const char *const names[][2] = {
		{ "io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id" },
		{ "io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID" },
	};
	const json_t *annotations = json_object_get(b->spec, "annotations");
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(names); i++) {
		const char *type = str(annotations, names[i][0]), *id = str(annotations, names[i][1]);

		if (type && strcmp(type, "sandbox") == 0)
			b->sandbox = true;
		else if (type && strcmp(type, "container") == 0 && id && *id)
			b->sandbox_id = id;
	}
}

static void find_netns(struct sk_oci_bundle *b)
{
	const json_t *list = json_object_get(json_object_get(b->spec, "linux"), "namespaces");
	struct stat theirs, ours;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *ns = json_array_get(list, i);
		const char *type = str(ns, "type"), *path = str(ns, "path");
		int pid, n = 0;

		if (!type || strcmp(type, "network") != 0)
			continue;
		b->has_netns = true;
		b->netns_path = path && *path ? path : NULL;
		b->netns_of_process =
			b->netns_path && sscanf(path, "/proc/%d/ns/net%n", &pid, &n) == 1 && path[n] == '\0';
		/* docker --network host has a name for it. */
		b->netns_of_host = b->netns_path && stat(path, &theirs) == 0 && stat("/proc/self/ns/net", &ours) == 0 &&
				   theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
	}
}

/* A link on the way could be led elsewhere between this look and the next. */
static bool has_links(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	_cleanup_fd_ int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 && errno == ELOOP;
}

static int find_rootfs(struct sk_oci_bundle *b, struct sk_error *err)
{
	const char *path = str(json_object_get(b->spec, "root"), "path");
	_cleanup_free_ char *joined = path[0] == '/' ? strdup(path) : sk_asprintf("%s/%s", b->dir, path);
	struct stat st;

	if (joined && has_links(joined))
		return sk_error_set(err, ELOOP, "invalid rootfs: not an absolute path, or a symlink");

	b->rootfs = joined ? realpath(joined, NULL) : NULL;
	if (!b->rootfs || stat(b->rootfs, &st) < 0)
		return sk_error_set(err, errno, "invalid rootfs: stat %s: %s", joined ? joined : path,
				    errno == ENOENT ? "no such file or directory" : strerror(errno));
	/* runc fails on it, too: what it mounts below the new root hides what it needs of the old one. */
	if (strcmp(b->rootfs, "/") == 0)
		return sk_error_set(err, EINVAL, "invalid rootfs: / is this host's own root");
	return S_ISDIR(st.st_mode) ? 0 : sk_error_set(err, ENOTDIR, "invalid rootfs: %s is not a directory", b->rootfs);
}

int sk_oci_bundle_parse(const char *dir, const char *text, size_t len, struct sk_oci_bundle *ret, struct sk_error *err)
{
	json_error_t je;
	int r;

	*ret = (struct sk_oci_bundle){ .dir = strdup(dir), .spec = json_loadb(text, len, 0, &je) };
	if (!ret->spec)
		r = sk_error_set(err, EINVAL, "config.json: line %d: %s", je.line, je.text);
	else
		r = ret->dir ? sk_oci_check_spec(ret->spec, err) : sk_error_errno(err, ENOMEM, "config.json");
	if (r == 0)
		r = find_rootfs(ret, err);
	if (r == 0) {
		root_paths(json_object_get(ret->spec, "mounts"), "destination");
		root_paths(json_object_get(json_object_get(ret->spec, "linux"), "devices"), "path");
		ret->terminal = json_is_true(json_object_get(json_object_get(ret->spec, "process"), "terminal"));
		find_netns(ret);
		find_pod(ret);
		return 0;
	}
	sk_oci_bundle_fini(ret);
	return r;
}

int sk_oci_bundle_load(const char *dir, struct sk_oci_bundle *ret, struct sk_error *err)
{
	_cleanup_free_ char *path = NULL, *text = NULL, *real = realpath(dir, NULL);
	size_t len;
	int r;

	*ret = (struct sk_oci_bundle){ 0 };
	if (!real)
		return sk_error_set(err, errno, "chdir %s: %s", dir,
				    errno == ENOENT ? "no such file or directory" : strerror(errno));
	path = sk_asprintf("%s/config.json", real);
	r = path ? sk_fs_read(AT_FDCWD, path, SK_OCI_CONFIG_MAX, &text, &len) : -ENOMEM;
	if (r == -ENOENT)
		return sk_error_set(err, ENOENT, "JSON specification file config.json not found");
	if (r < 0)
		return sk_error_errno(err, r, "cannot read %s", path);
	return sk_oci_bundle_parse(real, text, len, ret, err);
}

void sk_oci_bundle_fini(struct sk_oci_bundle *b)
{
	free(b->dir);
	free(b->rootfs);
	json_decref(b->spec);
	*b = (struct sk_oci_bundle){ 0 };
}

/* ---- mounts */

/* The guest's own name of a device; NULL: it has none. */
static const char *guest_device(char type, json_int_t major, json_int_t minor)
{
	static const struct {
		const char *name;
		char type;
		int major, minor;
	} devices[] = {
		{ "/dev/null", 'c', 1, 3 },	  { "/dev/zero", 'c', 1, 5 },
		{ "/dev/full", 'c', 1, 7 },	  { "/dev/random", 'c', 1, 8 },
		{ "/dev/urandom", 'c', 1, 9 },	  { "/dev/kmsg", 'c', 1, 11 },
		{ "/dev/tty", 'c', 5, 0 },	  { "/dev/console", 'c', 5, 1 },
		{ "/dev/ptmx", 'c', 5, 2 },	  { "/dev/fuse", 'c', 10, 229 },
		{ "/dev/net/tun", 'c', 10, 200 }, { "/dev/loop0", 'b', 7, 0 },
		{ "/dev/loop1", 'b', 7, 1 },	  { "/dev/loop-control", 'c', 10, 237 },
		{ "/dev/loop2", 'b', 7, 2 },	  { "/dev/loop3", 'b', 7, 3 },
		{ "/dev/loop4", 'b', 7, 4 },	  { "/dev/loop5", 'b', 7, 5 },
		{ "/dev/loop6", 'b', 7, 6 },	  { "/dev/loop7", 'b', 7, 7 },
	};
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(devices); i++)
		if (devices[i].type == type && devices[i].major == major && devices[i].minor == minor)
			return devices[i].name;
	return NULL;
}

bool sk_oci_is_bind(const json_t *mount)
{
	const char *type = str(mount, "type");

	return (type && strcmp(type, "bind") == 0) || sk_oci_has_option(mount, "bind") ||
	       sk_oci_has_option(mount, "rbind");
}

/* Later mounts of the host below the source must become visible. The host never sees mounts of a guest, so "shared"
 * means "slave". */
static bool is_slave(const json_t *mount)
{
	static const char *const words[] = { "slave", "rslave", "shared", "rshared" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(words); i++)
		if (sk_oci_has_option(mount, words[i]))
			return true;
	return false;
}

/* A tmpfs of the size that the host's directory has. */
static json_t *shm_mount(const json_t *mount, const struct statfs *fs)
{
	char size[40];

	snprintf(size, sizeof(size), "size=%lluk",
		 (unsigned long long)fs->f_blocks * (unsigned long long)fs->f_bsize / 1024);
	return json_pack("{s:O,s:s,s:s,s:[s,s,s,s,s]}", "destination", json_object_get(mount, "destination"), "type",
			 "tmpfs", "source", "shm", "options", "nosuid", "nodev", "noexec", "mode=1777", size);
}

/* Containers of a pod have it in common: memory of the guest, known by the host's directory. */
static json_t *pod_shm_mount(const json_t *mount, const char *source, const struct statfs *fs)
{
	uint64_t hash = 14695981039346656037u;
	char size[64], tag[32];

	for (; *source; source++)
		hash = (hash ^ (unsigned char)*source) * 1099511628211u;
	snprintf(tag, sizeof(tag), "shm%016llx", (unsigned long long)hash);
	snprintf(size, sizeof(size), "mode=1777,size=%lluk",
		 (unsigned long long)fs->f_blocks * (unsigned long long)fs->f_bsize / 1024);
	return json_pack("{s:s,s:s,s:s,s:O}", "type", "shm", "tag", tag, "options", size, "destination",
			 json_object_get(mount, "destination"));
}

/* A device that the guest has itself. */
static json_t *device_mount(const json_t *mount, const char *device)
{
	return json_pack("{s:O,s:s,s:s,s:[s,s]}", "destination", json_object_get(mount, "destination"), "type", "bind",
			 "source", device, "options", "bind", "rprivate");
}

static int export_mount(const json_t *mount, const char *source, const struct stat *st, json_t *exports,
			struct sk_error *err)
{
	_cleanup_free_ char *real = realpath(source, NULL);
	char tag[24];
	json_t *o;

	if (!real)
		return sk_error_errno(err, errno, "mount source %s", source);
	snprintf(tag, sizeof(tag), "mount%zu", json_array_size(exports));
	o = json_pack("{s:s,s:s,s:s,s:O,s:b}", "type", "9p", "tag", tag, "path", real, "destination",
		      json_object_get(mount, "destination"), "readonly",
		      sk_oci_has_option(mount, "ro") || sk_oci_has_option(mount, "rro"));
	/* As with runc these are flags of the guest's mount only: device nodes and set-id bits can still be stored
	 * in the host's files. */
	json_object_set_new(o, "mount_only", json_true());
	if (forbids(mount, "dev"))
		json_object_set_new(o, "nodev", json_true());
	if (forbids(mount, "suid"))
		json_object_set_new(o, "nosuid", json_true());
	if (forbids(mount, "exec"))
		json_object_set_new(o, "noexec", json_true());
	if (is_slave(mount))
		json_object_set_new(o, "slave", json_true());
	if (!sk_oci_has_option(mount, "rbind"))
		json_object_set_new(o, "nonrecursive", json_true());
	if (!S_ISDIR(st->st_mode)) {
		const char *slash = strrchr(real, '/');

		json_object_set_new(o, "file", json_string(slash + 1));
	}
	return json_array_append_new(exports, o) < 0 ? sk_error_errno(err, ENOMEM, "mounts") : 0;
}

/* File systems of the host's kernel: whatever runc does, a guest does not write to these by a mount that says "ro". */
static bool is_of_kernel(const char *type)
{
	static const char *const types[] = { "proc",	  "sysfs",    "devtmpfs", "devpts",    "mqueue",
					     "cgroup",	  "cgroup2",  "debugfs",  "tracefs",   "securityfs",
					     "bpf",	  "fusectl",  "pstore",	  "configfs",  "nsfs",
					     "autofs",	  "efivarfs", "ramfs",	  "selinuxfs", "binfmt_misc",
					     "rpc_pipefs" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* A mount below `real` of the host as a share of its own, over what the share of `real` has there. */
static int writable_submount(const json_t *mount, const char *real, const struct mntent *e, json_t *exports,
			     struct sk_error *err)
{
	_cleanup_free_ char *to = sk_asprintf("%s%s", str(mount, "destination"), e->mnt_dir + strlen(real));
	json_t *copy;
	struct stat st;
	int r;

	if (!to)
		return sk_error_errno(err, ENOMEM, "mounts");
	if (stat(e->mnt_dir, &st) < 0)
		return 0;
	copy = json_pack("{s:s,s:[s]}", "destination", to, "options", "bind");
	r = export_mount(copy, e->mnt_dir, &st, exports, err);
	json_decref(copy);
	return r;
}

/* "ro" is for the topmost mount only, as with runc, "rro" for all: what is mounted below and can be written, stays so. */
static int writable_submounts(const json_t *mount, const char *source, json_t *exports, struct sk_error *err)
{
	_cleanup_free_ char *real = realpath(source, NULL);
	struct mntent *e;
	unsigned n = 0;
	size_t len;
	FILE *table;
	int r = 0;

	if (!real || !sk_oci_has_option(mount, "ro") || sk_oci_has_option(mount, "rro") ||
	    !sk_oci_has_option(mount, "rbind"))
		return 0;
	table = setmntent("/proc/self/mounts", "re");
	if (!table)
		return sk_error_errno(err, errno, "/proc/self/mounts");
	len = strlen(real);
	while (r == 0 && n < SUBMOUNTS_MAX && (e = getmntent(table)))
		if (len > 1 && strncmp(e->mnt_dir, real, len) == 0 && e->mnt_dir[len] == '/' && !hasmntopt(e, "ro") &&
		    !is_of_kernel(e->mnt_type)) {
			r = writable_submount(mount, real, e, exports, err);
			n++;
		}
	endmntent(table);
	return r;
}

/* 1: stays in the spec; 0: dealt with. */
static int one_mount(const struct sk_oci_bundle *b, const json_t *mount, json_t *exports, json_t *mounts,
		     struct sk_error *err)
{
	const char *source = str(mount, "source"), *to = str(mount, "destination");
	_cleanup_free_ char *joined = NULL;
	struct statfs fs;
	struct stat st;
	int r;

	if (!sk_oci_is_bind(mount))
		return 1;
	if (!source)
		return sk_error_set(err, EINVAL, "bind mount at %s without a source", to);
	joined = source[0] == '/' ? strdup(source) : sk_asprintf("%s/%s", b->dir, source);
	if (!joined || stat(joined, &st) < 0)
		return sk_error_errno(err, errno, "mount source %s", source);
	if (strcmp(to, "/dev/shm") == 0 && statfs(joined, &fs) == 0 && fs.f_type == SK_TMPFS_MAGIC) {
		if (b->sandbox || b->sandbox_id)
			json_array_append_new(exports, pod_shm_mount(mount, joined, &fs));
		else
			json_array_append_new(mounts, shm_mount(mount, &fs));
		return 0;
	}
	if (strcmp(to, "/dev/mqueue") == 0)
		return 0; /* the guest has its own */
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		const char *device =
			guest_device(S_ISCHR(st.st_mode) ? 'c' : 'b', major(st.st_rdev), minor(st.st_rdev));

		if (device)
			json_array_append_new(mounts, device_mount(mount, device));
		if (device || strncmp(to, "/dev/", 5) == 0)
			return 0;
	}
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return sk_error_set(err, EOPNOTSUPP, "device %s of the host cannot be mounted into a VM", source);
	r = export_mount(mount, joined, &st, exports, err);
	return r == 0 ? writable_submounts(mount, joined, exports, err) : r;
}

static int split_mounts(const struct sk_oci_bundle *b, json_t *spec, json_t *exports, struct sk_error *err)
{
	const json_t *old = json_object_get(spec, "mounts");
	json_t *mounts = json_array();
	size_t i;
	int r = 0;

	for (i = 0; r >= 0 && i < json_array_size(old); i++) {
		json_t *mount = json_array_get(old, i);

		r = one_mount(b, mount, exports, mounts, err);
		if (r > 0)
			json_array_append(mounts, mount);
	}
	if (r < 0)
		json_decref(mounts);
	else
		json_object_set_new(spec, "mounts", mounts);
	return r < 0 ? r : 0;
}

/* ---- resources and devices */

uint64_t sk_oci_vm_memory(const json_t *resources)
{
	json_int_t limit = json_integer_value(json_object_get(json_object_get(resources, "memory"), "limit"));
	const char *env = getenv("SKERRY_OCI_MEMORY");
	uint64_t size = env ? strtoull(env, NULL, 10) : SK_MEMORY_DEFAULT;

	if (limit > 0 && limit <= SK_MEMORY_NO_LIMIT)
		size = (uint64_t)limit + (uint64_t)limit / SK_MEMORY_MAP + SK_MEMORY_GUEST;
	if (size < SK_MEMORY_MIN)
		size = SK_MEMORY_MIN;
	return (size + 0xfffff) & ~0xfffffull;
}

/* What version 2 of control groups can say of swap: no limit, or one beside a limit of memory. An update that names swap
 * alone is the host's only. */
static bool is_guest_swap(const json_t *memory)
{
	json_int_t limit = json_integer_value(json_object_get(memory, "limit")),
		   swap = json_integer_value(json_object_get(memory, "swap"));

	return swap == -1 || (limit > 0 && swap >= limit);
}

json_t *sk_oci_guest_resources(const json_t *resources)
{
	/* Of the host's hardware, or of version 1 of control groups only. */
	static const char *const host_only[] = { "hugepageLimits", "network", "rdma", "blockIO" };
	static const char *const old_memory[] = { "swappiness",	      "kernel",	      "kernelTCP",
						  "disableOOMKiller", "useHierarchy", "checkBeforeUpdate" };
	static const char *const host_cpu[] = { "cpus", "mems", "realtimeRuntime", "realtimePeriod" };
	json_t *copy = json_is_object(resources) ? json_deep_copy(resources) : json_object();
	json_t *memory = json_object_get(copy, "memory"), *cpu = json_object_get(copy, "cpu");
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(host_only); i++)
		json_object_del(copy, host_only[i]);
	/* A plain user's runtime cannot apply rules of devices on the host, so that his engine binds devices that no rule
	 * allows. */
	if (geteuid() != 0 || sk_in_user_namespace())
		json_object_del(copy, "devices");
	for (i = 0; memory && i < SK_ARRAY_SIZE(old_memory); i++)
		json_object_del(memory, old_memory[i]);
	if (memory && !is_guest_swap(memory))
		json_object_del(memory, "swap");
	for (i = 0; cpu && i < SK_ARRAY_SIZE(host_cpu); i++)
		json_object_del(cpu, host_cpu[i]);
	return copy;
}

/* docker --privileged and its like: everything is allowed. */
static bool is_privileged(const json_t *resources)
{
	const json_t *devices = json_object_get(resources, "devices");
	size_t i;

	for (i = 0; i < json_array_size(devices); i++) {
		const json_t *d = json_array_get(devices, i);
		const char *type = str(d, "type");

		if (json_is_true(json_object_get(d, "allow")) && (!type || strcmp(type, "a") == 0) &&
		    !json_object_get(d, "major"))
			return true;
	}
	return false;
}

static bool has_user_namespace(const json_t *linux_)
{
	return json_array_size(json_object_get(linux_, "uidMappings")) != 0;
}

/* The root of a user namespace makes no devices: the container runtime mounts that of the guest with the same name, and
 * we do where the name is another one. */
static void bind_device(json_t *spec, const char *source, const char *path)
{
	json_array_append_new(json_object_get(spec, "mounts"),
			      json_pack("{s:s,s:s,s:s,s:[s,s]}", "destination", path, "type", "bind", "source", source,
					"options", "bind", "rprivate"));
}

/* 1: stays in the spec; 0: does not. */
static int one_device(json_t *spec, const json_t *device, bool privileged, struct sk_error *err)
{
	const char *path = str(device, "path"), *type = str(device, "type"), *name = NULL;
	bool user_namespace = has_user_namespace(json_object_get(spec, "linux"));

	if (path && type && strcmp(type, "p") == 0)
		return user_namespace
			       ? sk_error_set(err, EOPNOTSUPP, "FIFO %s cannot be made in a user namespace", path)
			       : 1;
	if (path && type)
		name = guest_device(*type == 'u' ? 'c' : *type, json_integer_value(json_object_get(device, "major")),
				    json_integer_value(json_object_get(device, "minor")));
	if (name && user_namespace && strcmp(name, path) != 0) {
		bind_device(spec, name, path);
		return 0;
	}
	if (name || privileged)
		return name != NULL;
	return sk_error_set(err, EOPNOTSUPP, "device %s of the host cannot be given to a VM",
			    path ? path : "(no path)");
}

static int filter_devices(json_t *spec, json_t *linux_, struct sk_error *err)
{
	json_t *devices = json_object_get(linux_, "devices");
	bool privileged = is_privileged(json_object_get(linux_, "resources"));
	size_t i = 0;

	while (i < json_array_size(devices)) {
		int r = one_device(spec, json_array_get(devices, i), privileged, err);

		if (r < 0)
			return r;
		if (r == 0)
			json_array_remove(devices, i);
		i += (size_t)r;
	}
	return 0;
}

/* ---- system calls */

static bool asks_agent(const json_t *seccomp)
{
	static const char notify[] = "SCMP_ACT_NOTIFY";
	const json_t *calls = json_object_get(seccomp, "syscalls");
	const char *action = str(seccomp, "defaultAction");
	size_t i;

	for (i = 0; !(action && strcmp(action, notify) == 0) && i < json_array_size(calls); i++)
		action = str(json_array_get(calls, i), "action");
	return action && strcmp(action, notify) == 0;
}

/* An agent on the host that decides about system calls (SCMP_ACT_NOTIFY): the guest could not ask it. Refused if a call
 * needs it, ignored otherwise. */
static int drop_agent(json_t *linux_, struct sk_error *err)
{
	json_t *seccomp = json_object_get(linux_, "seccomp");
	const char *path = str(seccomp, "listenerPath"), *action = str(seccomp, "defaultAction");

	/* As with runc this means no filter. */
	if ((!action || !*action) && !json_array_size(json_object_get(seccomp, "syscalls"))) {
		json_object_del(linux_, "seccomp");
		return 0;
	}

	if (asks_agent(seccomp))
		return !path ? sk_error_set(err, EINVAL, "unable to start container process: listenerPath is not set")
			     : sk_error_set(err, EOPNOTSUPP,
					    "seccomp: SCMP_ACT_NOTIFY: the agent at %s cannot be asked about system "
					    "calls in a VM",
					    path);
	json_object_del(seccomp, "listenerPath");
	json_object_del(seccomp, "listenerMetadata");
	return 0;
}

/* ---- the VM */

static json_t *network_json(const struct sk_oci_bundle *b, struct sk_error *err)
{
	const json_t *hooks = json_object_get(b->spec, "hooks");
	bool waits = json_array_size(json_object_get(hooks, "prestart")) ||
		     json_array_size(json_object_get(hooks, "createRuntime")) ||
		     json_array_size(json_object_get(hooks, "createContainer"));
	char comm[32] = "", path[64];
	_cleanup_free_ char *text = NULL;
	int pid = 0;

	if (b->netns_of_process) {
		sscanf(b->netns_path, "/proc/%d/", &pid);
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		if (sk_fs_read(AT_FDCWD, path, sizeof(comm), &text, NULL) == 0 &&
		    strncmp(text, "skerry-monitor", 14) == 0) {
			sk_error_set(err, EOPNOTSUPP,
				     "the network of a container that runs in a VM cannot be shared: put both on one "
				     "network, or both in one pod");
			return NULL;
		}
	}
	/* The host's network, or that of a container beside which the VM lives: connections go out from there, through
	 * a NAT of the monitor's. */
	if (!b->has_netns || b->netns_of_process || b->netns_of_host)
		return json_pack("{s:s,s:b}", "mode", "slirp", "host_loopback", 1);
	return json_pack("{s:s,s:b}", "mode", "netns", "wait", waits);
}

/* On a host with control groups of version 1 callers leave this out, because there it means something else; in the
 * guest it is version 2, where a container should see its own group and not the agent's. */
static void add_cgroup_namespace(json_t *linux_)
{
	json_t *list = json_object_get(linux_, "namespaces");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const char *type = str(json_array_get(list, i), "type");

		if (type && strcmp(type, "cgroup") == 0)
			return;
	}
	if (list)
		json_array_append_new(list, json_pack("{s:s}", "type", "cgroup"));
}

/* The guest's network belongs to the guest's root. The root of a user namespace may not open raw sockets there, so
 * ping gets permission for ICMP sockets. */
static void allow_ping(const struct sk_oci_bundle *b, json_t *linux_)
{
	json_t *sysctl = json_object_get(linux_, "sysctl");

	if (!has_user_namespace(linux_) || !b->has_netns)
		return;
	if (!sysctl) {
		sysctl = json_object();
		json_object_set_new(linux_, "sysctl", sysctl);
	}
	if (!json_object_get(sysctl, "net.ipv4.ping_group_range"))
		json_object_set_new(sysctl, "net.ipv4.ping_group_range", json_string("0 2147483647"));
}

/* The hooks that run in the guest; those without an environment get the container's. */
static json_t *start_hooks(const json_t *spec)
{
	json_t *list = json_incref(json_object_get(json_object_get(spec, "hooks"), "startContainer")), *hook;
	json_t *env = json_object_get(json_object_get(spec, "process"), "env");
	size_t i;

	json_array_foreach(list, i, hook)
	{
		if (json_is_object(hook) && !json_is_array(json_object_get(hook, "env")) && env)
			json_object_set(hook, "env", env);
	}
	return list;
}

/* That root may not mount a sysfs of the guest's network either: bind the existing /sys. crun does so by itself, but
 * not for a root that is the guest's. */
static void bind_sys(json_t *spec, const json_t *linux_)
{
	json_t *mounts = json_object_get(spec, "mounts"), *mount;
	size_t i;

	json_array_foreach(mounts, i, mount)
	{
		const char *type = str(mount, "type");

		if (!has_user_namespace(linux_) || !type || strcmp(type, "sysfs") != 0)
			continue;
		json_object_set_new(mount, "type", json_string("bind"));
		json_object_set_new(mount, "source", json_string("/sys"));
		if (!json_is_array(json_object_get(mount, "options")))
			json_object_set_new(mount, "options", json_array());
		json_array_insert_new(json_object_get(mount, "options"), 0, json_string("rbind"));
	}
}

static json_t *guest_spec(const struct sk_oci_bundle *b, json_t *exports, struct sk_error *err)
{
	json_t *spec = json_deep_copy(b->spec), *linux_ = json_object_get(spec, "linux");
	json_t *start = start_hooks(spec);
	int r = spec ? split_mounts(b, spec, exports, err) : sk_error_errno(err, ENOMEM, "config.json");

	if (r == 0 && linux_) {
		r = filter_devices(spec, linux_, err);
		if (r == 0)
			r = drop_agent(linux_, err);
		json_object_set_new(linux_, "resources", sk_oci_guest_resources(json_object_get(linux_, "resources")));
		json_object_del(linux_, "rootfsPropagation");
		add_cgroup_namespace(linux_);
		allow_ping(b, linux_);
		bind_sys(spec, linux_);
	}
	json_object_del(spec, "hooks");
	if (start)
		json_object_set_new(spec, "hooks", json_pack("{s:o}", "startContainer", start));
	json_object_del(spec, "annotations");
	if (r == 0)
		return spec;
	json_decref(spec);
	return NULL;
}

json_t *sk_oci_bundle_member(const struct sk_oci_bundle *b, json_t **ret_mounts, struct sk_error *err)
{
	json_t *exports = json_array(), *spec = guest_spec(b, exports, err);

	if (spec)
		*ret_mounts = exports;
	else
		json_decref(exports);
	return spec;
}

/* A pod's VM is made before it is known what comes into it, but for what Kubernetes says of the whole. Memory that
 * nobody uses costs next to nothing. */
static uint64_t pod_memory(const json_t *annotations)
{
	const char *wanted = str(annotations, "io.kubernetes.cri.sandbox-memory"),
		   *env = getenv("SKERRY_OCI_POD_MEMORY");
	uint64_t size = env ? strtoull(env, NULL, 10) : SK_MEMORY_POD, limit = wanted ? strtoull(wanted, NULL, 10) : 0;

	if (limit)
		size = limit + limit / SK_MEMORY_MAP + SK_MEMORY_GUEST;
	if (size < SK_MEMORY_MIN)
		size = SK_MEMORY_MIN;
	return (size + 0xfffff) & ~0xfffffull;
}

/* As many virtual processors as @quota microseconds in each @period can keep busy; one where there is no quota. */
static int cpus_of(json_int_t quota, json_int_t period)
{
	json_int_t n = sysconf(_SC_NPROCESSORS_ONLN), cpus = quota > 0 && period > 0 ? (quota - 1) / period + 1 : 1;

	if (cpus > n)
		cpus = n;
	return cpus < 1 ? 1 : cpus > SK_VM_CPUS_MAX ? SK_VM_CPUS_MAX : (int)cpus;
}

static int pod_cpus(const json_t *annotations)
{
	const char *quota = str(annotations, "io.kubernetes.cri.sandbox-cpu-quota"),
		   *period = str(annotations, "io.kubernetes.cri.sandbox-cpu-period");

	return cpus_of(quota ? strtol(quota, NULL, 10) : 0, period ? strtol(period, NULL, 10) : 0);
}

static int container_cpus(const json_t *resources)
{
	const json_t *cpu = json_object_get(resources, "cpu"), *period = json_object_get(cpu, "period");

	return cpus_of(json_integer_value(json_object_get(cpu, "quota")),
		       period ? json_integer_value(period) : SK_CPU_PERIOD);
}

/* The annotation org.skerry.engine; without one what is configured (vm/settings.h). NULL: it names none. */
static const char *engine_name(const struct sk_oci_bundle *b, struct sk_error *err)
{
	const char *name = str(json_object_get(b->spec, "annotations"), "org.skerry.engine");

	if (!name || sk_engine_name_valid(name))
		return name ? name : "auto";
	sk_error_set(err, EINVAL, "annotation org.skerry.engine is \"%.64s\": it is " SK_ENGINE_NAMES, name);
	return NULL;
}

json_t *sk_oci_bundle_vm(const struct sk_oci_bundle *b, const struct sk_oci_container *c, struct sk_error *err)
{
	const json_t *resources = json_object_get(json_object_get(b->spec, "linux"), "resources");
	const char *hostname = str(b->spec, "hostname"), *engine = engine_name(b, err);
	json_t *exports = json_array(), *spec = engine ? guest_spec(b, exports, err) : NULL, *network, *vm;

	network = spec ? network_json(b, err) : NULL;
	if (!network) {
		json_decref(spec);
		json_decref(exports);
		return NULL;
	}
	/* A read-only root is read-only for the container: mount points that are missing in it are made before. */
	vm = json_pack("{s:i,s:s,s:s,s:s,s:i,s:I,s:o,s:{s:s,s:s,s:s},s:o,s:o,s:b,s:b,s:{s:s}}", "version", 1, "id",
		       c->vm_id, "hostname", hostname ? hostname : "localhost", "engine", engine, "cpus",
		       container_cpus(resources), "memory", (json_int_t)sk_oci_vm_memory(resources), "network", network,
		       "rootfs", "type", "9p", "tag", "rootfs", "path", b->rootfs, "spec", spec, "mounts", exports,
		       "terminal", b->terminal, "managed", 1, "log", "driver", "none");
	if (!vm)
		sk_error_set(err, EINVAL, "config.json: a path is not UTF-8");
	if (vm)
		json_object_set_new(vm, "name", json_string(c->id));
	if (vm && json_array_size(json_object_get(json_object_get(b->spec, "hooks"), "createContainer")))
		json_object_set_new(vm, "shares_wait", json_true());
	if (vm && b->sandbox) {
		const json_t *annotations = json_object_get(b->spec, "annotations");

		json_object_set_new(vm, "memory", json_integer((json_int_t)pod_memory(annotations)));
		json_object_set_new(vm, "cpus", json_integer(pod_cpus(annotations)));
	}
	return vm;
}
