/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has to be mounted on the host for a container, because it is made of things of the host that the guest does not
 * have:
 *
 *   file systems  of a type that is not the kernel's own: an overlay of directories, a device's, a server's
 *   other owners  a bind mount with uidMappings
 *   the root      when there are createContainer hooks, which may mount below it
 *
 * All of it happens in a mount namespace of the container's own, below the container's directory, and is shared with
 * the guest like a directory that the caller has named: the bundle's mount becomes a bind mount of it. The monitor (or
 * the process that stands for a container in another one's VM) is started in that namespace, and ends it. Nobody else
 * sees these mounts, as with runc's.
 *
 * A child makes the namespace and goes; it is kept by its descriptor. This process never enters it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "oci/oci.h"

/* <sys/mount.h> does not go together with <linux/mount.h>. */
extern int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);

/* The meaning of a word among a mount's options: a flag, or (0) one for the guest's mount. Every other word is for the
 * file system. */
struct word {
	const char *name;
	unsigned long flag;
	bool clears;
};

static const struct word words[] = {
	{ "ro", MS_RDONLY, false },
	{ "rw", MS_RDONLY, true },
	{ "nosuid", MS_NOSUID, false },
	{ "suid", MS_NOSUID, true },
	{ "nodev", MS_NODEV, false },
	{ "dev", MS_NODEV, true },
	{ "noexec", MS_NOEXEC, false },
	{ "exec", MS_NOEXEC, true },
	{ "sync", MS_SYNCHRONOUS, false },
	{ "async", MS_SYNCHRONOUS, true },
	{ "mand", MS_MANDLOCK, false },
	{ "nomand", MS_MANDLOCK, true },
	{ "dirsync", MS_DIRSYNC, false },
	{ "noatime", MS_NOATIME, false },
	{ "atime", MS_NOATIME, true },
	{ "nodiratime", MS_NODIRATIME, false },
	{ "diratime", MS_NODIRATIME, true },
	{ "silent", MS_SILENT, false },
	{ "loud", MS_SILENT, true },
	{ "relatime", MS_RELATIME, false },
	{ "norelatime", MS_RELATIME, true },
	{ "iversion", MS_I_VERSION, false },
	{ "noiversion", MS_I_VERSION, true },
	{ "strictatime", MS_STRICTATIME, false },
	{ "nostrictatime", MS_STRICTATIME, true },
	{ "defaults", 0, false },
	{ "private", 0, false },
	{ "rprivate", 0, false },
	{ "slave", 0, false },
	{ "rslave", 0, false },
	{ "shared", 0, false },
	{ "rshared", 0, false },
	{ "unbindable", 0, false },
	{ "runbindable", 0, false },
	{ "idmap", 0, false },
	{ "ridmap", 0, false },
};

static const char *str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static const struct word *find_word(const char *name)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(words); i++)
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	return NULL;
}

/* ---- which */

/* Of the kernel's own things: there the guest's are meant. */
static bool is_of_guest(const char *type)
{
	static const char *const types[] = { "proc",	"sysfs",    "tmpfs",	   "devpts",	 "mqueue",
					     "cgroup",	"cgroup2",  "ramfs",	   "devtmpfs",	 "hugetlbfs",
					     "debugfs", "tracefs",  "securityfs",  "bpf",	 "fusectl",
					     "pstore",	"configfs", "binfmt_misc", "selinuxfs",	 "efivarfs",
					     "none",	"resctrl",  "functionfs",  "rpc_pipefs", "autofs" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static bool has_mappings(const json_t *mount)
{
	return json_array_size(json_object_get(mount, "uidMappings")) ||
	       json_array_size(json_object_get(mount, "gidMappings"));
}

static bool is_of_host(const json_t *mount)
{
	const char *type = str(mount, "type");

	return sk_oci_is_bind(mount) ? has_mappings(mount) : type && *type && !is_of_guest(type);
}

static bool has_hooks(const json_t *spec)
{
	return json_array_size(json_object_get(json_object_get(spec, "hooks"), "createContainer")) != 0;
}

static bool is_needed(const json_t *spec)
{
	const json_t *mounts = json_object_get(spec, "mounts");
	size_t i;

	for (i = 0; i < json_array_size(mounts); i++)
		if (is_of_host(json_array_get(mounts, i)))
			return true;
	return has_hooks(spec);
}

/* ---- in the child */

static int write_text(const char *path, const char *text)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_map(pid_t pid, const char *file, const json_t *mappings)
{
	char path[64], text[4096] = "";
	size_t i, len = 0;

	for (i = 0; i < json_array_size(mappings) && len < sizeof(text); i++) {
		const json_t *m = json_array_get(mappings, i);

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%lld %lld %lld\n",
					(long long)json_integer_value(json_object_get(m, "containerID")),
					(long long)json_integer_value(json_object_get(m, "hostID")),
					(long long)json_integer_value(json_object_get(m, "size")));
	}
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return len < sizeof(text) ? write_text(path, text) : -E2BIG;
}

/* A user namespace with these mappings. */
static int open_mappings(const json_t *mount)
{
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
	char path[64];
	int fd, r;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	r = write_map(pid, "uid_map", json_object_get(mount, "uidMappings"));
	if (r == 0)
		r = write_map(pid, "gid_map", json_object_get(mount, "gidMappings"));
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	r = r < 0 ? r : fd < 0 ? -errno : 0;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

static int mount_mapped(const json_t *mount, const char *bundle, const char *target, struct sk_error *err)
{
	const char *source = str(mount, "source");
	_cleanup_free_ char *path =
		source && source[0] != '/' ? sk_asprintf("%s/%s", bundle, source) : strdup(source ? source : "");
	unsigned all = sk_oci_has_option(mount, "ridmap") ? AT_RECURSIVE : 0;
	_cleanup_fd_ int tree = -1, users = open_mappings(mount);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = users >= 0 ? (unsigned)users : 0 };

	if (users < 0)
		return sk_error_errno(err, users, "idmapped mount %s: its mappings", source);
	tree = path ? (int)syscall(SYS_open_tree, AT_FDCWD, path,
				   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
					   (sk_oci_has_option(mount, "rbind") ? AT_RECURSIVE : 0))
		    : -1;
	if (tree < 0)
		return sk_error_errno(err, errno, "mount source %s", source);
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | all, &attr, sizeof(attr)) < 0)
		return sk_error_errno(err, errno, "failed to set MOUNT_ATTR_IDMAP on %s", source);
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return sk_error_errno(err, errno, "idmapped mount %s", source);
	return 0;
}

/* The flags among the options, and the rest, for the file system: malloc'd. */
static char *split_options(const json_t *mount, unsigned long *ret_flags)
{
	const json_t *options = json_object_get(mount, "options");
	char *data = strdup(""), *longer;
	size_t i;

	*ret_flags = 0;
	for (i = 0; data && i < json_array_size(options); i++) {
		const char *s = json_string_value(json_array_get(options, i));
		const struct word *w = s ? find_word(s) : NULL;

		if (w)
			*ret_flags = w->clears ? *ret_flags & ~w->flag : *ret_flags | w->flag;
		if (w || !s)
			continue;
		longer = sk_asprintf("%s%s%s", data, *data ? "," : "", s);
		free(data);
		data = longer;
	}
	return data;
}

static int mount_type(const json_t *m, const char *target, struct sk_error *err)
{
	const char *source = str(m, "source"), *type = str(m, "type"), *to = str(m, "destination");
	unsigned long flags;
	_cleanup_free_ char *data = split_options(m, &flags);

	if (!source)
		source = type;
	if (!data)
		return sk_error_errno(err, ENOMEM, "mounts");
	if (mount(source, target, type, flags, data) < 0) {
		const char *why = strerror(errno);
		char shown[32] = "";
		const char *comma = *data ? ", data: " : "";

		if (flags)
			snprintf(shown, sizeof(shown), ", flags: 0x%lx", flags);
		/* As runc says it. */
		return sk_error_set(err, errno,
				    "unable to start container process: error during container init: error mounting "
				    "\"%s\" to rootfs at \"%s\": mount %s:%s%s%s%.1500s: %c%s",
				    source, to, source, to, shown, comma, data, *why | 0x20, why + 1);
	}
	return 0;
}

/* The place of mount #i. */
static char *place(const struct sk_oci_container *c, size_t i)
{
	return sk_asprintf("%s/mount%zu", c->dir, i);
}

static int make_all(const struct sk_oci_bundle *b, const struct sk_oci_container *c, struct sk_error *err)
{
	const json_t *mounts = json_object_get(b->spec, "mounts");
	size_t i;
	int r = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return sk_error_errno(err, errno, "cannot have a mount namespace");
	if (has_hooks(b->spec) && mount(b->rootfs, b->rootfs, NULL, MS_BIND | MS_REC, NULL) < 0)
		return sk_error_errno(err, errno, "cannot mount %s", b->rootfs);
	for (i = 0; r == 0 && i < json_array_size(mounts); i++) {
		const json_t *m = json_array_get(mounts, i);
		_cleanup_free_ char *target = NULL;

		if (!is_of_host(m))
			continue;
		target = place(c, i);
		if (!target)
			return sk_error_errno(err, ENOMEM, "mounts");
		r = sk_oci_is_bind(m) ? mount_mapped(m, b->dir, target, err) : mount_type(m, target, err);
	}
	return r;
}

/* Sends the result to the parent, and waits until that has read it. */
static int child(const struct sk_oci_bundle *b, const struct sk_oci_container *c, int fd)
{
	struct sk_error err = SK_ERROR_INIT;
	char code[12];
	int r = make_all(b, c, &err);

	snprintf(code, sizeof(code), "%d ", r < 0 ? err.code : 0);
	if (sk_fs_write_all(fd, code, strlen(code)) < 0 ||
	    (r < 0 && sk_fs_write_all(fd, err.message, strlen(err.message)) < 0) || shutdown(fd, SHUT_WR) < 0)
		return 1;
	return read(fd, code, 1) < 0;
}

/* ---- here */

static int make_place(const json_t *m, const struct sk_oci_bundle *b, const char *path, struct sk_error *err)
{
	const char *source = str(m, "source");
	_cleanup_free_ char *full =
		source && source[0] != '/' ? sk_asprintf("%s/%s", b->dir, source) : strdup(source ? source : "");
	bool file = false;
	struct stat st;
	int r;

	if (sk_oci_is_bind(m)) {
		if (!full || stat(full, &st) < 0)
			return sk_error_errno(err, errno, "mount source %s", source);
		file = !S_ISDIR(st.st_mode);
	}
	r = file ? mknod(path, S_IFREG | 0600, 0) : mkdir(path, 0755);
	return r < 0 ? sk_error_errno(err, errno, "cannot make %s", path) : 0;
}

static int make_places(const struct sk_oci_bundle *b, const struct sk_oci_container *c, struct sk_error *err)
{
	const json_t *mounts = json_object_get(b->spec, "mounts");
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < json_array_size(mounts); i++) {
		const json_t *m = json_array_get(mounts, i);
		_cleanup_free_ char *path = is_of_host(m) ? place(c, i) : NULL;

		if (path)
			r = make_place(m, b, path, err);
	}
	return r;
}

/* The new mount becomes the source of a bind mount. */
static void rewrite(const struct sk_oci_bundle *b, const struct sk_oci_container *c)
{
	json_t *mounts = json_object_get(b->spec, "mounts");
	size_t i, k;

	for (i = 0; i < json_array_size(mounts); i++) {
		json_t *m = json_array_get(mounts, i), *old = json_object_get(m, "options"), *options;
		_cleanup_free_ char *path = is_of_host(m) ? place(c, i) : NULL;

		if (!path)
			continue;
		options = json_pack("[s]", "rbind");
		for (k = 0; k < json_array_size(old); k++)
			if (find_word(json_string_value(json_array_get(old, k))))
				json_array_append(options, json_array_get(old, k));
		json_object_set_new(m, "type", json_string("bind"));
		json_object_set_new(m, "source", json_string(path));
		json_object_set_new(m, "options", options);
		json_object_del(m, "uidMappings");
		json_object_del(m, "gidMappings");
	}
}

static int receive_result(int fd, struct sk_error *err)
{
	char text[SK_ERROR_MAX + 16], *message;
	size_t len = 0;
	ssize_t n;
	long code;

	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
	code = strtol(text, &message, 10);
	if (code == 0 && *message == ' ')
		return 0;
	return sk_error_set(err, code > 0 ? (int)code : EIO, "%s",
			    *message == ' ' ? message + 1 : "what is to be mounted cannot be");
}

int sk_oci_mounts_make(const struct sk_oci_bundle *b, const struct sk_oci_container *c, int *ret_ns,
		       struct sk_error *err)
{
	_cleanup_fd_ int ours = -1, theirs = -1;
	char path[64];
	int pair[2], r;
	pid_t pid;

	*ret_ns = -1;
	if (!is_needed(b->spec))
		return 0;
	r = make_places(b, c, err);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return sk_error_errno(err, errno, "mounts");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return sk_error_errno(err, errno, "mounts");
	if (pid == 0) {
		close(ours);
		_exit(child(b, c, theirs));
	}
	sk_close_fd(&theirs);
	r = receive_result(ours, err);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	if (r == 0) {
		*ret_ns = open(path, O_RDONLY | O_CLOEXEC);
		if (*ret_ns < 0)
			r = sk_error_errno(err, errno, "cannot keep the mount namespace");
	}
	sk_close_fd(&ours);
	waitpid(pid, NULL, 0);
	if (r == 0)
		rewrite(b, c);
	return r;
}

int sk_oci_mounts_enter(int ns)
{
	int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), r = setns(ns, CLONE_NEWNS) < 0 ? -errno : 0;

	if (r == 0 && cwd >= 0 && fchdir(cwd) < 0)
		r = -errno;
	if (cwd >= 0)
		close(cwd);
	return r;
}
