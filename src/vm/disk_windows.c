/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks of containers on Windows: virtual hard disks that grow (base/vhdx.h), with a file system of the template that is
 * beside the guest's kernel. The guest makes it as large as the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "engine/engine.h"
#include "vm/disk_template.h"
#include "vm/vm.h"

#define TEMPLATE_MAX (16u << 20)

static int write_disk(int fd, uint64_t size, const char *data, size_t len)
{
	struct sk_vhdx disk;
	int r = sk_vhdx_begin(&disk, fd, size);

	if (r == 0)
		r = sk_disk_template_write(data, len, size, &disk);
	if (r == 0)
		r = sk_vhdx_finish(&disk);
	sk_vhdx_fini(&disk);
	return r;
}

int sk_vm_make_disk(const struct sk_paths *paths, const char *id, uint64_t size, struct sk_error *err)
{
	_cleanup_free_ char *disk = sk_asprintf("%s/containers/%s/disk.img", paths->root, id);

	return disk ? sk_vm_make_disk_at(paths, disk, size, err) : sk_error_errno(err, ENOMEM, "cannot make a disk");
}

int sk_vm_make_disk_at(const struct sk_paths *paths, const char *disk, uint64_t size, struct sk_error *err)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_fd_ int fd = -1;
	char template[512];
	size_t len;
	int r;

	(void)paths;
	if (size > SK_VHDX_MAX)
		return sk_error_set(err, EFBIG, "a disk of %llu MiB is too large: 64 TiB at most",
				    (unsigned long long)(size >> 20));
	r = sk_guest_part(SK_GUEST_DISK, template, sizeof(template), err);
	if (r < 0)
		return r;
	r = sk_fs_read(AT_FDCWD, template, TEMPLATE_MAX, &data, &len);
	if (r < 0)
		return sk_error_errno(err, r, "cannot read %s", template);
	fd = open(disk, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return sk_error_errno(err, errno, "cannot make disk %s", disk);
	r = write_disk(fd, size, data, len);
	if (r == 0)
		return 0;
	sk_close_fd(&fd);
	unlink(disk);
	if (r == -ERANGE)
		return sk_error_set(err, EINVAL, "no disk of %llu MiB can be made: 16 MiB at least",
				    (unsigned long long)(size >> 20));
	if (r == -EINVAL)
		return sk_error_set(err, EINVAL, "%s is damaged: install skerry again", template);
	return sk_error_errno(err, r, "cannot make disk %s", disk);
}
