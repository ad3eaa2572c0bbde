/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a root file system, once more: its layers and disk are mounted in one place only, inside the overlay (see
 * rootfs.c), where they cannot be told apart. Who has to, mounts them a second time: the kernel has each device's file
 * system once, so that both mounts show the same files. The layers are joined without the disk, read-only.
 */
#include "rootfs_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "rootfs.h"

FILE *sk_parts_new(const char *dir, struct sk_error *err)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/parts", dir);
	f = fopen(path, "we");
	if (!f)
		sk_error_errno(err, errno, "cannot make %s", path);
	return f;
}

int sk_parts_add(FILE *parts, const char *type, const char *device, struct sk_error *err)
{
	return fprintf(parts, "%s %s\n", type, device) < 0
		       ? sk_error_errno(err, errno, "cannot note the parts of the root file system")
		       : 0;
}

/* Mounts one part at `<place>/<name>`, read-only: the disk's file system is one that others write, and stays so. */
static int mount_part(const char *place, const char *name, const char *type, const char *device, struct sk_error *err)
{
	bool disk = strcmp(type, "ext4") == 0;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", place, name);
	if (mkdir(path, 0700) < 0 || mount(device, path, type, MS_NODEV | (disk ? 0 : MS_RDONLY), NULL) < 0)
		return sk_error_errno(err, errno, "cannot mount %s again", device);
	if (disk && mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, NULL) < 0)
		return sk_error_errno(err, errno, "cannot mount %s read-only", device);
	return 0;
}

/* `<place>/l0` … as one directory, `<place>/lower`. */
static int join_layers(const char *place, unsigned n, struct sk_error *err)
{
	_cleanup_fd_ int fs = -1, mnt = -1;
	char path[256];

	snprintf(path, sizeof(path), "%s/lower", place);
	if (mkdir(path, 0700) < 0)
		return sk_error_errno(err, errno, "cannot make %s", path);
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0)
		return sk_error_errno(err, errno, "no overlay file system");
	while (n-- > 0) {
		snprintf(path, sizeof(path), "%s/l%u", place, n);
		if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", path, 0) < 0)
			return sk_error_errno(err, errno, "overlay does not take another layer");
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return sk_error_errno(err, errno, "cannot join the layers");
	snprintf(path, sizeof(path), "%s/lower", place);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0 || move_mount(mnt, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return sk_error_errno(err, errno, "cannot mount the joined layers");
	return 0;
}

static int mount_parts(FILE *parts, const char *place, unsigned *ret_layers, struct sk_error *err)
{
	char type[16], device[128], name[24];
	unsigned layers = 0, disks = 0;
	int r = 0;

	while (r == 0 && fscanf(parts, "%15s %127s", type, device) == 2) {
		if (strcmp(type, "ext4") == 0)
			snprintf(name, sizeof(name), "disk%u", disks++);
		else
			snprintf(name, sizeof(name), "l%u", layers++);
		r = mount_part(place, name, type, device, err);
	}
	if (r == 0 && (!layers || !disks))
		r = sk_error_set(err, ENOTSUP, "what the container changes is kept in its memory, not on a disk");
	*ret_layers = layers;
	return r;
}

int sk_rootfs_parts(const char *dir, int *ret_upper, int *ret_lower, struct sk_error *err)
{
	char path[256], place[224];
	FILE *parts;
	unsigned layers = 0;
	int r;

	snprintf(path, sizeof(path), "%s/parts", dir);
	parts = fopen(path, "re");
	if (!parts)
		return errno == ENOENT ? sk_error_set(err, ENOTSUP, "its root file system has no layers")
				       : sk_error_errno(err, errno, "cannot open %s", path);
	snprintf(place, sizeof(place), "%s/again", dir);
	if ((mkdir(place, 0700) < 0 && errno != EEXIST) || mount("tmpfs", place, "tmpfs", 0, "mode=700") < 0)
		r = sk_error_errno(err, errno, "cannot mount a tmpfs");
	else
		r = mount_parts(parts, place, &layers, err);
	fclose(parts);
	if (r == 0 && layers > 1)
		r = join_layers(place, layers, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/%s", place, layers > 1 ? "lower" : "l0");
	*ret_lower = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/disk0/upper", place);
	*ret_upper = *ret_lower < 0 ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *ret_upper < 0 ? sk_error_errno(err, errno, "cannot open %s", path) : 0;
}
