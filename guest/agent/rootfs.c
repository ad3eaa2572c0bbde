/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A "layers" root: every layer image is a stretch of one read-only device. Each gets a partition (the kernel's own
 * offset mapping, without a loop device in between), is mounted, and the overlay takes private copies of those mounts.
 * So the mounts of the layers and of the disk are detached at once: the tree that crun has to copy for the container's
 * mount namespace stays small, and one unmount of the overlay later releases, and cleanly closes, everything. Where the
 * hypervisor's own disks have the layers, each is a device of its own.
 */
#include "rootfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "disks.h"
#include "ext4.h"
#include "rootfs_parts.h"
#include "services.h"
#include "uplink.h"

#define ROOTFS_DEVICE_WAIT_MS 2000
#define SHARE_NAME_BYTES 8u /* of the token, to tell file systems apart */
#define SHARE_OPTIONS "trans=virtio,version=9p2000.L,access=client,posixacl,msize=512000,cache=coherent,locktimeout=1"

static int path_set(char *path, size_t size, const char *dir, const char *name, struct sk_error *err)
{
	int n = snprintf(path, size, "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= size)
		return sk_error_set(err, ENAMETOOLONG, "path of %s is too long", name);
	return 0;
}

static int make_dir(char *path, size_t size, const char *dir, const char *name, struct sk_error *err)
{
	int r = path_set(path, size, dir, name, err);

	if (r < 0)
		return r;
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return sk_error_errno(err, errno, "cannot make %s", path);
	return 0;
}

/* "lun:N": a disk of a SCSI controller, and the first of those in a row that have a layer each. */
static bool is_lun(const char *device)
{
	return strncmp(device, "lun:", 4) == 0;
}

/*
 * "serial:ID" becomes the path of the virtio disk with that serial number, "lun:N" that of the disk with that number, or,
 * with `next`, so many behind it. A path stays as it is.
 */
static void find_device(const char *device, unsigned next, char *buf, size_t size)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	char name[SK_DISK_NAME_MAX];
	int waited, r = -ENODEV;

	snprintf(buf, size, "%s", device);
	if (strncmp(device, "serial:", 7) == 0)
		r = sk_disk_by_serial(device + 7, name);
	/* A controller's disks are looked for while the guest boots on. */
	for (waited = 0; is_lun(device) && r < 0 && waited < ROOTFS_DEVICE_WAIT_MS; waited += 10) {
		r = sk_disk_by_lun((unsigned)strtoul(device + 4, NULL, 10) + next, name);
		if (r < 0)
			nanosleep(&pause, NULL);
	}
	if (r == 0)
		snprintf(buf, size, "/dev/%s", name);
}

/* A hot-plugged device may appear a moment later. */
static int open_device(const char *device, struct sk_error *err)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int waited, fd = -1;

	for (waited = 0; waited < ROOTFS_DEVICE_WAIT_MS; waited += 10) {
		fd = open(device, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 || (errno != ENOENT && errno != ENXIO))
			break;
		nanosleep(&pause, NULL);
	}
	return fd < 0 ? sk_error_errno(err, errno, "cannot open %s", device) : fd;
}

static int add_partition(int fd, const char *device, int number, uint64_t offset, uint64_t size, struct sk_error *err)
{
	struct blkpg_partition part = { .start = (long long)offset, .length = (long long)size, .pno = number };
	struct blkpg_ioctl_arg arg = { .op = BLKPG_ADD_PARTITION, .datalen = sizeof(part), .data = &part };

	if (ioctl(fd, BLKPG, &arg) == 0)
		return 0;
	if (errno == EBUSY) { /* left by a container that is gone; refused when it is in use */
		arg.op = BLKPG_DEL_PARTITION;
		ioctl(fd, BLKPG, &arg);
		arg.op = BLKPG_ADD_PARTITION;
		if (ioctl(fd, BLKPG, &arg) == 0)
			return 0;
	}
	return sk_error_errno(err, errno, "cannot map a layer at %llu+%llu on %s", (unsigned long long)offset,
			      (unsigned long long)size, device);
}

static int mount_layer(const char *node, const char *target, FILE *parts, struct sk_error *err)
{
	static const char *const types[] = { "squashfs", "erofs" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(types); i++)
		if (mount(node, target, types[i], MS_RDONLY | MS_NODEV, NULL) == 0)
			return sk_parts_add(parts, types[i], node, err);
		else if (errno != EINVAL && errno != ENODEV)
			break;
	return sk_error_errno(err, errno, "cannot mount layer %s", node);
}

/* Each layer is a device of its own. */
static int mount_disks(const struct sk_rootfs_spec *spec, const char *dir, FILE *parts, struct sk_error *err)
{
	unsigned i;

	for (i = 0; i < spec->n_layers; i++) {
		char target[256], name[24], device[64];
		int fd, r;

		snprintf(name, sizeof(name), "l%u", i);
		r = make_dir(target, sizeof(target), dir, name, err);
		if (r < 0)
			return r;
		find_device(spec->device, i, device, sizeof(device));
		fd = open_device(device, err);
		if (fd < 0)
			return fd;
		close(fd);
		r = mount_layer(device, target, parts, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int mount_layers(const struct sk_rootfs_spec *spec, const char *dir, FILE *parts, struct sk_error *err)
{
	_cleanup_fd_ int fd = open_device(spec->device, err);
	size_t len = strlen(spec->device), i;
	const char *p = len && spec->device[len - 1] >= '0' && spec->device[len - 1] <= '9' ? "p" : "";
	int r;

	if (fd < 0)
		return fd;
	for (i = 0; i < spec->n_layers; i++) {
		char target[256], name[24], node[128];

		snprintf(name, sizeof(name), "l%zu", i);
		r = make_dir(target, sizeof(target), dir, name, err);
		if (r < 0)
			return r;
		snprintf(node, sizeof(node), "%s%s%zu", spec->device, p, i + 1);
		if (spec->n_layers == 1 && spec->layers[0].offset == 0)
			snprintf(node, sizeof(node), "%s", spec->device);
		else if ((r = add_partition(fd, spec->device, (int)i + 1, spec->layers[i].offset, spec->layers[i].size,
					    err)) < 0)
			return r;
		r = mount_layer(node, target, parts, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int mount_upper(const struct sk_rootfs_spec *spec, const char *dir, FILE *parts, struct sk_error *err)
{
	char disk[256], sub[280];
	int fd, r = make_dir(disk, sizeof(disk), dir, "disk", err);

	if (r < 0)
		return r;
	if (spec->upper) {
		fd = open_device(spec->upper, err);
		if (fd < 0)
			return fd;
		close(fd);
		r = sk_ext4_mount(spec->upper, disk, err);
		if (r == 0)
			r = sk_parts_add(parts, "ext4", spec->upper, err);
		if (r < 0)
			return r;
	} else if (mount("tmpfs", disk, "tmpfs", MS_NODEV, "mode=755") < 0) {
		return sk_error_errno(err, errno, "cannot mount a tmpfs for the container's changes");
	}
	r = make_dir(sub, sizeof(sub), disk, "upper", err);
	if (r == 0)
		r = make_dir(sub, sizeof(sub), disk, "work", err);
	return r;
}

static int set_option(int fs, const char *key, const char *value, struct sk_error *err)
{
	if (fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0)
		return sk_error_errno(err, errno, "overlay does not take %s=%s", key, value);
	return 0;
}

static int mount_overlay(size_t n_layers, const char *dir, const char *target, struct sk_error *err)
{
	_cleanup_fd_ int fs = fsopen("overlay", FSOPEN_CLOEXEC), mnt = -1;
	char path[256], name[24];
	size_t i;
	int r;

	if (fs < 0)
		return sk_error_errno(err, errno, "no overlay file system");
	for (i = n_layers; i-- > 0;) {
		snprintf(name, sizeof(name), "l%zu", i);
		if ((r = path_set(path, sizeof(path), dir, name, err)) < 0 ||
		    (r = set_option(fs, "lowerdir+", path, err)) < 0)
			return r;
	}
	if ((r = path_set(path, sizeof(path), dir, "disk/upper", err)) < 0 ||
	    (r = set_option(fs, "upperdir", path, err)) < 0 ||
	    (r = path_set(path, sizeof(path), dir, "disk/work", err)) < 0 ||
	    (r = set_option(fs, "workdir", path, err)) < 0 || (r = set_option(fs, "index", "off", err)) < 0 ||
	    /* One device number for all: `du -x` counts only files that have their directory's. */
	    (r = set_option(fs, "xino", "on", err)) < 0)
		return r;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return sk_error_errno(err, errno, "cannot join the layers");
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0 || move_mount(mnt, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return sk_error_errno(err, errno, "cannot mount the joined layers");
	return 0;
}

static void detach_parts(size_t n_layers, const char *dir)
{
	char path[256];
	size_t i;

	for (i = 0; i < n_layers; i++) {
		snprintf(path, sizeof(path), "%s/l%zu", dir, i);
		if (umount2(path, MNT_DETACH) == 0)
			rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/disk", dir);
	umount2(path, MNT_DETACH);
}

/*
 * Mounts a share that comes over a connection: "trans=virtio" in its options is replaced. The kernel allocates each
 * message in one piece, which a guest short of memory may not have: messages are smaller then. All mounts with one
 * `share` are one file system, on one connection: `fd` -1 joins it, if it exists.
 */
static int mount_on_stream(const char *share, const char *target, const char *options, int fd, const char *aname)
{
	const char *at = strstr(options, "trans=virtio"), *rest = at ? at + strlen("trans=virtio") : options;
	const char *source = *aname ? aname : "share";
	char fds[48] = "";
	unsigned msize;

	if (fd >= 0)
		snprintf(fds, sizeof(fds), ",rfdno=%d,wfdno=%d", fd, fd);
	for (msize = 131072; msize >= 8192; msize /= 4) {
		char buf[1024];
		int n = snprintf(buf, sizeof(buf), "trans=fd%s,share=%s%s%s%s%.*s%s,msize=%u", fds, share,
				 *aname ? ",aname=" : "", aname, at && at == options ? "" : ",",
				 at ? (int)(at - options) : 0, options, rest, msize);

		if (n < 0 || (size_t)n >= sizeof(buf))
			return -ENAMETOOLONG;
		if (mount(source, target, "9p", 0, buf) == 0)
			return 0;
		if (errno != ENOMEM)
			return -errno;
		sk_log(SK_LOG_WARN, "no memory for a share with messages of %u bytes", msize);
		usleep(20000); /* the host takes back the memory that the boot used while we wait */
	}
	return -ENOMEM;
}

int sk_rootfs_mount_stream(const char *share, const char *target, int fd, const char *aname)
{
	return mount_on_stream(share, target, SHARE_OPTIONS, fd, aname);
}

/*
 * `device` not NULL: it has all shares of the VM, and this one is attached to by its tag. All mounts of the device are
 * one file system ("share="): a file that is in several of them has one inode.
 */
static int mount_9p(const char *tag, const char *options, const char *device, const char *target, struct sk_error *err)
{
	char buf[1024];
	int n;

	n = snprintf(buf, sizeof(buf), device ? "%s,share=%s,aname=%s" : "%s", options ? options : SHARE_OPTIONS,
		     device, tag);
	if (n < 0 || (size_t)n >= sizeof(buf))
		return sk_error_set(err, ENAMETOOLONG, "the options of share %s are too long", tag);
	if (mount(device ? device : tag, target, "9p", 0, buf) < 0)
		return sk_error_errno(err, errno, "cannot mount share %s", tag);
	return 0;
}

/* A share over a connection to the monitor, which joins it to a file server. The first with a token makes the
 * connection, which the kernel keeps; ours is closed. The others `join` it. */
static int mount_stream(const struct sk_share_stream *stream, bool join, const char *options,
			const struct sk_uplink *uplink, const char *target, struct sk_error *err)
{
	_cleanup_fd_ int fd = -1;
	char share[2 * SHARE_NAME_BYTES + 1];
	unsigned i;
	int r;

	for (i = 0; i < SHARE_NAME_BYTES; i++)
		snprintf(share + (size_t)2 * i, 3, "%02x", stream->token.bytes[i]);
	if (!options)
		options = SHARE_OPTIONS;
	if (join && mount_on_stream(share, target, options, -1, stream->aname) == 0)
		return 0;
	fd = sk_uplink_stream(uplink, &stream->token);
	if (fd < 0)
		return sk_error_errno(err, fd, "cannot reach the server of share %s", stream->aname);
	r = mount_on_stream(share, target, options, fd, stream->aname);
	return r < 0 ? sk_error_errno(err, r, "cannot mount share %s", stream->aname) : 0;
}

int sk_rootfs_build(const struct sk_rootfs_spec *spec, const struct sk_uplink *uplink, const char *dir,
		    struct sk_error *err)
{
	char target[256], device[64], upper[64];
	struct sk_rootfs_spec here = *spec;
	FILE *parts;
	int r = make_dir(target, sizeof(target), dir, "rootfs", err);

	if (r < 0)
		return r;
	if (spec->own.token.set)
		return mount_stream(&spec->own, false, spec->options, uplink, target, err);
	if (spec->type == SK_ROOTFS_9P)
		return mount_9p(spec->tag, spec->options, spec->device, target, err);
	find_device(spec->device, 0, device, sizeof(device));
	here.device = device;
	if (spec->upper) {
		find_device(spec->upper, 0, upper, sizeof(upper));
		here.upper = upper;
	}
	parts = sk_parts_new(dir, err);
	if (!parts)
		return -EIO;
	r = is_lun(spec->device) ? mount_disks(spec, dir, parts, err) : mount_layers(&here, dir, parts, err);
	if (r == 0)
		r = mount_upper(&here, dir, parts, err);
	if (fclose(parts) != 0 && r == 0)
		r = sk_error_errno(err, errno, "cannot note the parts of the root file system");
	if (r == 0)
		r = mount_overlay(spec->n_layers, dir, target, err);
	detach_parts(spec->n_layers, dir);
	return r;
}

static void unmount(const char *path)
{
	if (umount2(path, 0) < 0)
		umount2(path, MNT_DETACH);
}

static void unmount_below(const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *de;
	char full[600];

	while (dir && (de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(full, sizeof(full), "%s/%s", path, de->d_name);
		unmount(full);
	}
}

void sk_rootfs_remove(const char *dir)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/shares", dir);
	unmount_below(path);
	snprintf(path, sizeof(path), "%s/rootfs", dir);
	unmount(path);
}

/* --- files and shares --------------------------------------------------------------------------------------------- */

static size_t depth(const json_t *bind)
{
	const char *p = json_string_value(json_object_get(bind, "destination"));
	size_t n = 0;

	for (; *p; p++)
		if (*p == '/' && p[1] && p[1] != '/')
			n++;
	return n;
}

/* Inserts a bind mount, ordered by depth of its destination, behind those of the same depth. */
static int add_bind(json_t *binds, json_t *take_bind, struct sk_error *err)
{
	size_t i = json_array_size(binds);

	if (!take_bind)
		return sk_error_errno(err, ENOMEM, "mounts");
	while (i > 0 && depth(json_array_get(binds, i - 1)) > depth(take_bind))
		i--;
	return json_array_insert_new(binds, i, take_bind) < 0 ? sk_error_errno(err, ENOMEM, "mounts") : 0;
}

static bool is_mount_point(const char *path, const char *parent)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat(parent, &b) == 0 && a.st_dev != b.st_dev;
}

/* Several uses of a tag have one mount in common. */
static int mount_share(const struct sk_mount_spec *m, const char *shares_dir, char *target, size_t size,
		       struct sk_error *err)
{
	const char *type = m->type, *tag = m->tag, *options = json_string_value(m->options);
	int r;

	if (!tag)
		return sk_error_set(err, EINVAL, "mounts: no valid tag");
	if (mkdir(shares_dir, 0711) < 0 && errno != EEXIST)
		return sk_error_errno(err, errno, "cannot make %s", shares_dir);
	r = make_dir(target, size, shares_dir, tag, err);
	if (r < 0 || is_mount_point(target, shares_dir))
		return r;
	if (strcmp(type, "9p") == 0)
		return mount_9p(tag, options, m->device, target, err);
	if (strcmp(type, "shm") == 0)
		type = "tmpfs";
	if (mount(tag, target, type, 0, options) < 0)
		return sk_error_errno(err, errno, "cannot mount %s %s", type, tag);
	return 0;
}

/* Options of a mount that the container runtime makes: a list, or words with commas between. */
static json_t *option_list(const json_t *options, bool readonly)
{
	_cleanup_free_ char *copy = NULL;
	json_t *list = json_is_array(options) ? json_deep_copy(options) : json_array();
	char *word, *rest;

	if (json_is_string(options))
		copy = strdup(json_string_value(options));
	for (rest = copy; (word = strsep(&rest, ","));)
		if (*word)
			json_array_append_new(list, json_string(word));
	if (readonly)
		json_array_append_new(list, json_string("ro"));
	return list;
}

struct mount_place {
	const char *dir, *shares_dir, *self, *crun;
	const struct sk_uplink *uplink;
};

/* A share over a stream: mounted for this container alone. */
static int mount_own(const struct sk_mount_spec *m, const struct mount_place *place, char *target, size_t size,
		     struct sk_error *err)
{
	char shares[256];
	int r = make_dir(shares, sizeof(shares), place->dir, "shares", err);

	if (r == 0 && !*m->own.aname)
		r = sk_error_set(err, EINVAL, "mounts: no aname");
	if (r == 0)
		r = make_dir(target, size, shares, m->own.aname, err);
	if (r < 0)
		return r;
	return mount_stream(&m->own, true, json_string_value(m->options), place->uplink, target, err);
}

static json_t *bind_options(const struct sk_mount_spec *m)
{
	return json_pack("[s,s,s,s*,s*,s*]", "rbind", "rprivate", m->readonly ? "ro" : "rw", m->nodev ? "nodev" : NULL,
			 m->nosuid ? "nosuid" : NULL, m->noexec ? "noexec" : NULL);
}

/* A directory of sockets, served by a process of its own. */
static int mount_services(const struct sk_mount_spec *m, const struct mount_place *place, json_t *binds,
			  struct sk_error *err)
{
	char dir[256];
	int r = make_dir(dir, sizeof(dir), place->dir, "services", err);

	if (r == 0)
		r = sk_services_start(place->uplink, &m->own.token, dir, err);
	if (r < 0)
		return r;
	return add_bind(binds,
			json_pack("{s:s,s:s,s:s,s:[s,s,s,s,s,s]}", "destination", m->destination, "type", "bind",
				  "source", dir, "options", "bind", "rprivate", "ro", "nodev", "nosuid", "noexec"),
			err);
}

static int one_mount(const json_t *item, const struct mount_place *place, json_t *binds, struct sk_error *err)
{
	char target[256], source[600];
	struct sk_mount_spec m;
	int r = sk_mount_decode(item, &m, err);

	if (r < 0)
		return r;
	if (strcmp(m.type, "tmpfs") == 0 || strcmp(m.type, "mqueue") == 0)
		return add_bind(binds,
				json_pack("{s:s,s:s,s:s,s:o}", "destination", m.destination, "type", m.type, "source",
					  m.type, "options", option_list(m.options, m.readonly)),
				err);
	if (strcmp(m.type, "services") == 0)
		return mount_services(&m, place, binds, err);
	if (strcmp(m.type, "agent") == 0 || strcmp(m.type, "crun") == 0)
		return add_bind(binds,
				json_pack("{s:s,s:s,s:s,s:[s,s,s]}", "destination", m.destination, "type", "bind",
					  "source", m.type[0] == 'a' ? place->self : place->crun, "options", "bind",
					  "rprivate", "ro"),
				err);
	r = m.own.token.set ? mount_own(&m, place, target, sizeof(target), err)
			    : mount_share(&m, place->shares_dir, target, sizeof(target), err);
	if (r < 0)
		return r;
	snprintf(source, sizeof(source), "%s%s%s", target, m.file ? "/" : "", m.file ? m.file : "");
	return add_bind(binds,
			json_pack("{s:s,s:s,s:s,s:o}", "destination", m.destination, "type", "bind", "source", source,
				  "options", bind_options(&m)),
			err);
}

static int one_file(const json_t *item, const char *dir, size_t i, json_t *binds, struct sk_error *err)
{
	_cleanup_fd_ int fd = -1;
	struct sk_file_spec f;
	char source[256];
	int r = sk_file_decode(item, &f, err);

	if (r < 0)
		return r;
	snprintf(source, sizeof(source), "%s/f%zu", dir, i);
	fd = open(source, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return sk_error_errno(err, errno, "cannot write %s", f.path);
	r = sk_fs_write_all(fd, json_string_value(f.data), json_string_length(f.data));
	if (r == 0 && fchmod(fd, (mode_t)(f.mode ? strtoul(f.mode, NULL, 8) & 07777 : 0644)) < 0)
		r = -errno;
	if (r < 0)
		return sk_error_errno(err, r, "cannot write %s", f.path);
	return add_bind(binds,
			json_pack("{s:s,s:s,s:s,s:[s,s,s]}", "destination", f.path, "type", "bind", "source", source,
				  "options", "bind", "rprivate", "rw"),
			err);
}

int sk_rootfs_mounts(const json_t *mounts, const json_t *files, const struct sk_uplink *uplink, const char *dir,
		     const char *shares_dir, const char *self, const char *crun, json_t *binds, struct sk_error *err)
{
	const struct mount_place place = {
		.dir = dir, .shares_dir = shares_dir, .self = self, .crun = crun, .uplink = uplink
	};
	const json_t *item;
	size_t i;
	int r;

	json_array_foreach((json_t *)(uintptr_t)mounts, i,
			   item) if ((r = one_mount(item, &place, binds, err)) < 0) return r;
	json_array_foreach((json_t *)(uintptr_t)files, i,
			   item) if ((r = one_file(item, dir, i, binds, err)) < 0) return r;
	return 0;
}
