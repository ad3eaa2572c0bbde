/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's own disk, ext4. Its file system grows to the size of the disk while it is mounted, by the kernel itself.
 *
 * New tables of inodes would be written over with zeros, a gigabyte of them on a disk of 64: at once, where the mount has
 * "noinit_itable", or by and by. Neither is needed, as what a disk has not been written with is zero. So it grows without
 * that option and is mounted with it afterwards, which ends what would begin to write.
 */
#include "ext4.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* Of struct ext4_super_block, at 1,024 (Documentation/filesystems/ext4/super.rst of the kernel). */
#define SUPER 1024u
#define SUPER_BYTES 1024u
#define BLOCKS_LO 0x4
#define LOG_BLOCK_SIZE 0x18
#define MAGIC_AT 0x38
#define MAGIC 0xEF53
#define INCOMPAT 0x60
#define INCOMPAT_64BIT 0x80u
#define BLOCKS_HI 0x150
#define RESIZE_FS \
	_IOW('f', 16, uint64_t) /* EXT4_IOC_RESIZE_FS of linux/ext4.h, which is younger than some systems' headers */

static uint32_t le32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

bool sk_ext4_probe(const void *head, size_t len, uint64_t *ret_bytes)
{
	const uint8_t *super = (const uint8_t *)head + SUPER;
	uint32_t log_size;
	uint64_t blocks;

	*ret_bytes = 0;
	if (len < SUPER + SUPER_BYTES || (super[MAGIC_AT] | super[MAGIC_AT + 1] << 8) != MAGIC)
		return false;
	log_size = le32_at(super + LOG_BLOCK_SIZE);
	blocks = le32_at(super + BLOCKS_LO);
	if (le32_at(super + INCOMPAT) & INCOMPAT_64BIT)
		blocks |= (uint64_t)le32_at(super + BLOCKS_HI) << 32;
	if (log_size <= 6 && blocks <= UINT64_MAX >> (10 + log_size))
		*ret_bytes = blocks << (10 + log_size);
	return true;
}

/* Bytes of the disk; `*ret_fs`: of its file system, 0: unknown. */
static int measure(const char *device, uint64_t *ret_disk, uint64_t *ret_fs)
{
	_cleanup_fd_ int fd = open(device, O_RDONLY | O_CLOEXEC);
	char head[SUPER + SUPER_BYTES];

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, ret_disk) < 0 ||
	    pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return -errno;
	sk_ext4_probe(head, sizeof(head), ret_fs);
	return 0;
}

/* True when the host can give freed blocks of the disk back. */
static bool can_discard(const char *device)
{
	_cleanup_free_ char *text = NULL;
	const char *name = strrchr(device, '/');
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/block/%s/queue/discard_max_bytes", name ? name + 1 : device);
	return sk_fs_read(AT_FDCWD, path, 64, &text, NULL) == 0 && strtoull(text, NULL, 10) > 0;
}

static int grow(const char *target, uint64_t disk)
{
	_cleanup_fd_ int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs st;
	uint64_t blocks;

	if (fd < 0 || fstatfs(fd, &st) < 0)
		return -errno;
	blocks = disk / (uint64_t)st.f_bsize;
	return ioctl(fd, RESIZE_FS, &blocks) < 0 ? -errno : 0;
}

int sk_ext4_mount(const char *device, const char *target, struct sk_error *err)
{
	const char *discard = can_discard(device) ? ",discard" : "";
	uint64_t disk = 0, fs = 0;
	char options[64];
	bool larger;
	int r = measure(device, &disk, &fs);

	if (r < 0)
		return sk_error_errno(err, r, "cannot read the container's disk %s", device);
	larger = fs && disk > fs;
	snprintf(options, sizeof(options), "%sinit_itable%s", larger ? "" : "no", discard);
	if (mount(device, target, "ext4", MS_NOATIME | MS_NODEV, options) < 0)
		return sk_error_errno(err, errno, "cannot mount the container's disk %s", device);
	if (!larger)
		return 0;
	r = grow(target, disk);
	snprintf(options, sizeof(options), "noinit_itable%s", discard);
	if (r == 0 && mount(NULL, target, NULL, MS_REMOUNT | MS_NOATIME | MS_NODEV, options) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	umount2(target, MNT_DETACH);
	return sk_error_errno(err, r,
			      "cannot make the file system of the container's disk as large as the disk (%llu MiB)",
			      (unsigned long long)(disk >> 20));
}
