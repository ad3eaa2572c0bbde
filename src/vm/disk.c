/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/process.h"
#include "vm/vm.h"

/* Disks whose journal would be too large a part of them. */
#define SK_SMALL_DISK (512ull << 20)
#define SK_TINY_DISK (32ull << 20)

/* mkfs.ext4 for a container's writable layer: no blocks reserved for a superuser who shares it with nobody, a small
 * journal, and tables that count as zeroed because a new sparse file is: under 1 MiB on the host whatever its size, and
 * nothing left for the guest to initialise. */
static int make_template(const char *path, uint64_t size, struct sk_error *err)
{
	_cleanup_free_ char *tmp = NULL;
	_cleanup_fd_ int fd = -1;
	char suffix[17];
	const char *argv[] = {
		"mkfs.ext4",	   "-q", "-F", "-m0", "-Jsize=32", "-Enodiscard,assume_storage_prezeroed=1",
		"-O^resize_inode", NULL, NULL
	};
	struct sk_spawn s = SK_SPAWN_INIT;
	int r;

	if (size < SK_SMALL_DISK)
		argv[4] = size < SK_TINY_DISK ? "-Jsize=1" : "-Jsize=4";
	sk_random_hex(suffix, 8);
	tmp = sk_asprintf("%s.%s.tmp", path, suffix);
	if (!tmp)
		return sk_error_errno(err, ENOMEM, "cannot make a disk");
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		r = sk_error_errno(err, errno, "cannot make disk template %s", tmp);
		unlink(tmp);
		return r;
	}
	argv[7] = tmp;
	s.file = "mkfs.ext4";
	s.argv = argv;
	static const char *const env[] = { "PATH=/usr/sbin:/sbin:/usr/bin:/bin", "MKE2FS_SYNC=0", NULL };
	s.envp = env;
	r = sk_run(&s, err);
	if (r == 0 && (fchmod(fd, 0400) < 0 || rename(tmp, path) < 0))
		r = sk_error_errno(err, errno, "cannot make disk template %s", path);
	else if (r == -ENOENT)
		sk_error_set(err, ENOENT, "mkfs.ext4 is missing: install e2fsprogs");
	if (r != 0)
		unlink(tmp);
	return r > 0 ? -EIO : r;
}

int sk_vm_make_disk(const struct sk_paths *paths, const char *id, uint64_t size, struct sk_error *err)
{
	_cleanup_free_ char *disk = sk_asprintf("%s/containers/%s/disk.img", paths->root, id);

	return disk ? sk_vm_make_disk_at(paths, disk, size, err) : sk_error_errno(err, ENOMEM, "cannot make a disk");
}

int sk_vm_make_disk_at(const struct sk_paths *paths, const char *disk, uint64_t size, struct sk_error *err)
{
	_cleanup_free_ char *template =
		sk_asprintf("%s/disk-%llum.ext4", paths->root, (unsigned long long)(size >> 20));
	_cleanup_fd_ int from = -1, to = -1;
	int r;

	if (!template)
		return sk_error_errno(err, ENOMEM, "cannot make a disk");
	from = open(template, O_RDONLY | O_CLOEXEC);
	if (from < 0) {
		r = make_template(template, size, err);
		if (r < 0)
			return sk_error_wrap(err, "cannot make a disk of %llu MiB", (unsigned long long)(size >> 20));
		from = open(template, O_RDONLY | O_CLOEXEC);
	}
	to = open(disk, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (from < 0 || to < 0)
		return sk_error_errno(err, errno, "cannot make disk %s", disk);
	r = sk_fs_copy_sparse(from, to);
	if (r < 0) {
		unlink(disk);
		return sk_error_errno(err, r, "cannot make disk %s", disk);
	}
	return 0;
}
