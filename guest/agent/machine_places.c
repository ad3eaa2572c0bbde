/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine's engine may write. A bind mount of a path that the host does not share must be an error of
 * `docker run`, not an empty directory of the machine's; dockerd makes a directory that is missing, so nobody may be
 * able to make one: the root and the places where users' paths lie (/run, /tmp, /var, /etc, /dev, /opt, /home …) are
 * read-only, but for directories with names that nobody would share. Those lie on the data disk, or in memory when they
 * must not outlive the engine (a stale docker.pid stops the next start).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "machine.h"

#define CGROUPS "/sys/fs/cgroup"
#define ENGINE_GROUP CGROUPS "/engine"
#define MOVE_ROUNDS 8

/* Changes only whether the mount at `path` is read-only. */
static int set_readonly(const char *path, bool readonly)
{
	struct statvfs st;
	unsigned long flags = MS_REMOUNT | MS_BIND;

	if (statvfs(path, &st) < 0)
		return -errno;
	flags |= (st.f_flag & ST_NOSUID ? MS_NOSUID : 0) | (st.f_flag & ST_NODEV ? MS_NODEV : 0) |
		 (st.f_flag & ST_NOEXEC ? MS_NOEXEC : 0) | (st.f_flag & ST_NOATIME ? MS_NOATIME : 0) |
		 (st.f_flag & ST_RELATIME ? MS_RELATIME : 0) | (readonly ? MS_RDONLY : 0);
	return mount(NULL, path, NULL, flags, NULL) < 0 ? -errno : 0;
}

static int mount_memory(const char *path, struct sk_error *err)
{
	if (mount("tmpfs", path, "tmpfs", MS_NOSUID, "mode=755") < 0)
		return sk_error_errno(err, errno, "cannot mount a tmpfs at %s", path);
	return 0;
}

static int make_directory(const char *path, struct sk_error *err)
{
	int r = sk_fs_mkdir_p(path, 0755);

	return r < 0 && r != -EEXIST ? sk_error_errno(err, r, "cannot make %s", path) : 0;
}

int sk_machine_places_first(struct sk_error *err)
{
	int r = set_readonly("/", false);

	if (r < 0)
		return sk_error_errno(err, r, "cannot prepare the root (is the container privileged?)");
	r = make_directory("/run/engine", err);
	if (r == 0)
		r = mount_memory("/run/engine", err);
	if (r == 0)
		r = make_directory(SK_MACHINE_DISK, err);
	return r;
}

/* What the host has mounted there, or the image brings: not the mount point that an earlier mount has left. */
static int open_kept(const char *path)
{
	struct statx st;

	if (!path || statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_SIZE, &st) < 0)
		return -1;
	if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT) && !(S_ISREG(st.stx_mode) && st.stx_size > 0))
		return -1;
	return open(path, O_PATH | O_CLOEXEC);
}

/* The engine's configuration that the host has given, or the image has, stays visible on a directory of the data disk. */
static int keep(int kept, const char *path, struct sk_error *err)
{
	_cleanup_fd_ int there = -1;
	char source[48];
	struct stat st;

	if (fstat(kept, &st) == 0 && S_ISDIR(st.st_mode))
		mkdir(path, 0755);
	else
		there = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	/* The engine's configuration when the host no longer gives one. */
	if (there >= 0 && write(there, "{}\n", 3) < 0)
		return sk_error_errno(err, errno, "cannot write %s", path);
	snprintf(source, sizeof(source), "/proc/self/fd/%d", kept);
	if (mount(source, path, NULL, MS_BIND | MS_REC, NULL) < 0)
		return sk_error_errno(err, errno, "cannot mount %s", path);
	return 0;
}

static int mount_place(const struct sk_machine_place *place, struct sk_error *err)
{
	int kept[SK_MACHINE_KEEP_MAX], r = make_directory(place->path, err);
	char from[128];
	size_t i;

	if (r < 0)
		return r;
	if (!place->from)
		return mount_memory(place->path, err);
	snprintf(from, sizeof(from), SK_MACHINE_DISK "/%s", place->from);
	r = make_directory(from, err);
	if (r < 0)
		return r;
	for (i = 0; i < SK_MACHINE_KEEP_MAX; i++)
		kept[i] = open_kept(place->keep[i]);
	if (mount(from, place->path, NULL, MS_BIND, NULL) < 0)
		r = sk_error_errno(err, errno, "cannot mount %s", place->path);
	for (i = 0; i < SK_MACHINE_KEEP_MAX; i++) {
		if (kept[i] >= 0 && r == 0)
			r = keep(kept[i], place->keep[i], err);
		sk_close_fd(&kept[i]);
	}
	return r;
}

/* What the image has there, or an earlier start has left, is replaced. */
static int make_link(const char *path, const char *target, struct sk_error *err)
{
	_cleanup_free_ char *directory = strndup(path, (size_t)(strrchr(path, '/') - path));
	int r = directory ? make_directory(directory, err) : sk_error_errno(err, ENOMEM, "cannot make %s", path);

	if (r < 0)
		return r;
	unlink(path);
	if (symlink(target, path) < 0)
		return sk_error_errno(err, errno, "cannot make %s", path);
	return 0;
}

/* A share of the host is as writable as it was made, and in an autofs only machine_later.c makes anything: nothing of
 * the machine's can come to be there. */
static bool is_share(const char *path)
{
	struct statfs st;

	return statfs(path, &st) == 0 && (st.f_type == V9FS_MAGIC || st.f_type == AUTOFS_SUPER_MAGIC);
}

static bool is_place(const struct sk_machine_engine *engine, const char *path)
{
	const struct sk_machine_place *place;

	for (place = engine->places; place->path; place++)
		if (strcmp(place->path, path) == 0)
			return true;
	return false;
}

/* Several mounts at one place: the one on top counts. No mount point: part of the root. */
static int close_places(const struct sk_machine_engine *engine, struct sk_error *err)
{
	static const char *const closed[] = { "/dev", "/run", "/tmp", "/var", "/var/tmp", "/etc", "/home", "/" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(closed); i++) {
		bool open = is_share(closed[i]) || is_place(engine, closed[i]);
		int r = open ? 0 : set_readonly(closed[i], true);

		/* EINVAL: no mount point */
		if (r < 0 && r != -EINVAL && r != -ENOENT)
			return sk_error_errno(err, r, "cannot make %s read-only", closed[i]);
	}
	return 0;
}

static void write_text(const char *path, const char *text)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "skerry-machine: %s: %s\n", path, strerror(errno));
}

/*
 * Directories of the image that are empty, where users have their own on the host. dockerd would bind an empty directory
 * where the user meant the host's; what is not there is an error. Those with shares in them stay.
 */
static void remove_empty(void)
{
	static const char *const empty[] = { "/boot",	  "/home",    "/media",	    "/mnt",	  "/opt",
					     "/root",	  "/srv",     "/tmp",	    "/var/cache", "/var/log",
					     "/var/mail", "/var/opt", "/var/spool", "/var/tmp" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(empty); i++)
		(void)rmdir(empty[i]);
}

int sk_machine_places(const struct sk_machine_engine *engine, struct sk_error *err)
{
	const struct sk_machine_place *place;
	const char *const *p;
	char path[128];
	int r = 0;

	for (p = engine->directories; *p && r == 0; p++) {
		snprintf(path, sizeof(path), SK_MACHINE_DISK "/%s", *p);
		sk_fs_remove_tree(AT_FDCWD, path); /* only "tmp": what an interrupted build has left */
		r = make_directory(path, err);
	}
	remove_empty();
	for (place = engine->places; place->path && r == 0; place++)
		r = mount_place(place, err);
	for (p = engine->links; *p && r == 0; p += 2)
		r = make_link(p[0], p[1], err);
	if (r == 0)
		r = close_places(engine, err);
	if (r < 0)
		return r;
	/* Propagation of mounts, as systemd has it: for -v …:rshared. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		return sk_error_errno(err, errno, "cannot make the mounts shared");
	/* With it dockerd compares whole directories to find what a layer has changed. */
	write_text("/sys/module/overlay/parameters/redirect_dir", "N");
	return 0;
}

/* Moves all processes of the container's group into `engine`; some may be started meanwhile. */
static int move_processes(void)
{
	int round, n = 1;

	for (round = 0; round < MOVE_ROUNDS && n > 0; round++) {
		_cleanup_free_ char *text = NULL;
		char *word, *rest;

		if (sk_fs_read(AT_FDCWD, CGROUPS "/cgroup.procs", 65536, &text, NULL) < 0)
			return -errno;
		for (n = 0, rest = text; (word = strsep(&rest, "\n"));) {
			_cleanup_fd_ int fd = -1;

			if (!*word)
				continue;
			n++;
			fd = open(ENGINE_GROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
			if (fd < 0 || (write(fd, word, strlen(word)) < 0 && errno != ESRCH))
				return -errno;
		}
	}
	return n ? -EBUSY : 0;
}

int sk_machine_cgroups(struct sk_error *err)
{
	_cleanup_free_ char *text = NULL;
	char *word, *rest, control[64];
	int r = sk_fs_read(AT_FDCWD, CGROUPS "/cgroup.controllers", 4096, &text, NULL);

	if (r < 0)
		return sk_error_errno(err, r, "the machine has no control groups");
	if (mkdir(ENGINE_GROUP, 0755) < 0 && errno != EEXIST)
		return sk_error_errno(err, errno, "cannot make a control group");
	/* A group with processes cannot have groups with limits below it. */
	r = move_processes();
	if (r < 0)
		return sk_error_errno(err, r, "cannot move processes to a control group");
	for (rest = text; (word = strsep(&rest, " \n"));) {
		if (!*word)
			continue;
		snprintf(control, sizeof(control), "+%s", word);
		write_text(CGROUPS "/cgroup.subtree_control", control);
	}
	return 0;
}
