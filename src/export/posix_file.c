/* SPDX-License-Identifier: Apache-2.0 */
/* File operations of Linux beyond reading and writing. See posix.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/override.h"
#include "export/posix_internal.h"

_Static_assert(FALLOC_FL_PUNCH_HOLE == P9_FALLOC_PUNCH_HOLE && FALLOC_FL_INSERT_RANGE == P9_FALLOC_INSERT_RANGE &&
		       SEEK_SET == P9_SEEK_SET && SEEK_DATA == P9_SEEK_DATA && SEEK_HOLE == P9_SEEK_HOLE,
	       "numbers of this system are not those of generic Linux");

static int keep(struct posix_fs *p, int fd, const struct sk_override *o)
{
	struct statx stx;
	int r = posix_statx(fd, &stx);

	return r < 0 ? r : posix_keep_set(p, &(struct posix_subject){ .fd = fd }, &stx, o, SK_LX_ALL);
}

static int open_tmpfile(struct posix_fs *p, const struct sk_9p_cred *cred, int dirfd, uint32_t flags, uint32_t mode)
{
	bool mapped = p->c.who == SK_EXPORT_MAPPED;
	int fd, host = (posix_host_flags(p, flags) & ~(O_TRUNC | O_NOATIME)) | O_TMPFILE;
	struct sk_override o = { cred->uid, cred->gid == P9_NONUNAME ? 0 : cred->gid, S_IFREG | mode, 0, 0 };
	int r = 0;

	if (flags & P9_O_EXCL)
		host |= O_EXCL;
	posix_as_creator(p, cred);
	if (mode & S_ISGID)
		posix_fsetid(p, true);
	fd = openat(dirfd, ".", host, mapped ? (mode & 0777) | 0600 : (mode_t)mode);
	if (fd < 0)
		r = -errno;
	if (mode & S_ISGID)
		posix_fsetid(p, false);
	if (r == 0 && mapped)
		r = posix_sidecar(p) ? -EOPNOTSUPP : keep(p, fd, &o);
	/* Without extended attributes everything belongs to this user. */
	if (r < 0 && !(fd >= 0 && r == -EOPNOTSUPP)) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	return fd;
}

int posix_tmpfile(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, uint32_t flags,
		  uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file, struct p9_qid *ret_qid)
{
	struct posix_fs *p = posix_of(fs);
	int dirfd, fd;

	dirfd = posix_fd_for_new(p, dir);
	if (dirfd < 0)
		return dirfd;
	mode = posix_file_mode(p, mode);
	fd = open_tmpfile(p, cred, dirfd, flags, mode);
	if (fd < 0)
		return fd;
	/* It has no name to be found by. */
	return posix_file_made(p, NULL, "", fd, flags, mode, ret_node, ret_file, ret_qid);
}

int posix_allocate(struct sk_9p_fs *fs, struct sk_9p_file *file, uint32_t mode, uint64_t offset, uint64_t length)
{
	struct posix_fs *p = posix_of(fs);
	bool setid = posix_setid_stays(p, file->fd);
	int r;

	posix_clear_suid(p, file);
	do
		r = fallocate(file->fd, (int)mode, (off_t)offset, (off_t)length) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (setid)
		posix_fsetid(p, false);
	return r;
}

int64_t posix_seek(struct sk_9p_fs *fs, struct sk_9p_file *file, uint64_t offset, uint32_t whence)
{
	off_t n = lseek(file->fd, (off_t)offset, (int)whence);

	(void)fs;
	if (n >= 0)
		return (int64_t)n;
	return whence == P9_SEEK_SET && errno == EINVAL ? -EFBIG : -errno;
}

int64_t posix_copy(struct sk_9p_fs *fs, struct sk_9p_file *from, uint64_t from_offset, struct sk_9p_file *to,
		   uint64_t to_offset, uint64_t length, bool clone)
{
	struct file_clone_range range = { from->fd, from_offset, length, to_offset };
	off64_t in = (off64_t)from_offset, out = (off64_t)to_offset;
	struct posix_fs *p = posix_of(fs);
	bool setid = posix_setid_stays(p, to->fd);
	ssize_t n;

	posix_clear_suid(p, to);
	do
		n = clone ? ioctl(to->fd, FICLONERANGE, &range)
			  : copy_file_range(from->fd, &in, to->fd, &out, length, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		n = -errno;
	if (setid)
		posix_fsetid(p, false);
	return n;
}

/* --- inode flags */

/* A descriptor for ioctl(): that of the open file, or one of its own (then *ret_own, too). */
static int ioctl_fd(struct posix_fs *p, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_file *file,
		    int *ret_own)
{
	*ret_own = -1;
	/* Of a device that would be the device's. */
	if (node->is_virtual || (node->type != S_IFREG && node->type != S_IFDIR))
		return -ENOTTY;
	if (file)
		return file->fd;
	posix_as_caller(p, cred);
	*ret_own = posix_open_node(p, node, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return *ret_own;
}

int posix_getflags(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_file *file,
		   struct p9_fileflags *ret_flags)
{
	struct fsxattr x = { 0 };
	_cleanup_fd_ int own = -1;
	int fd = ioctl_fd(posix_of(fs), cred, node, file, &own), flags = 0, r;

	if (fd < 0)
		return fd;
	r = ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ? -errno : 0;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0 && r < 0)
		return r;
	*ret_flags =
		(struct p9_fileflags){ (uint32_t)flags, x.fsx_xflags, x.fsx_extsize, x.fsx_projid, x.fsx_cowextsize };
	return 0;
}

int posix_setflags(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_file *file,
		   uint32_t valid, const struct p9_fileflags *flags)
{
	struct fsxattr x = { 0 };
	_cleanup_fd_ int own = -1;
	int fd = ioctl_fd(posix_of(fs), cred, node, file, &own), f = (int)flags->flags;

	if (fd < 0)
		return fd;
	if (valid == P9_FLAGS_FLAGS)
		return ioctl(fd, FS_IOC_SETFLAGS, &f) < 0 ? -errno : 0;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &x) < 0)
		return -errno;
	x.fsx_xflags = flags->xflags;
	x.fsx_extsize = flags->extsize;
	x.fsx_projid = flags->projid;
	x.fsx_cowextsize = flags->cowextsize;
	return ioctl(fd, FS_IOC_FSSETXATTR, &x) < 0 ? -errno : 0;
}
