/* SPDX-License-Identifier: Apache-2.0 */
/* Making, moving and removing names. See posix.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/mounts.h"
#include "export/override.h"
#include "export/posix_internal.h"

/* The directory's descriptor for making something in it, with the ids of the caller. */
int posix_dir_for_creation(struct posix_fs *p, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name)
{
	int fd;

	if (posix_hidden_name(p, dir, name))
		return -EPERM;

	if (dir->is_virtual)
		return -EACCES;
	if (dir->type != S_IFDIR)
		return -ENOTDIR;
	fd = posix_fd(p, dir);
	if (fd >= 0)
		posix_as_creator(p, cred);
	return fd;
}

int posix_made(struct posix_fs *p, struct sk_9p_node *dir, const char *name, const struct sk_override *keep,
	       struct p9_qid *ret_qid)
{
	struct sk_9p_node *known = posix_find(p, dir, name);
	struct posix_subject f = { .dir = dir, .name = name };
	_cleanup_fd_ int fd = -1;
	struct statx stx;
	int r, dirfd;

	posix_names_changed(dir);
	if (known)
		posix_gone(p, known);
	dirfd = posix_fd(p, dir);
	if (dirfd < 0)
		return dirfd;
	fd = posix_open_name(p, dir, dirfd, name, &stx);
	if (fd < 0)
		return fd;
	posix_qid(p, &stx, ret_qid);
	if (S_ISLNK(keep->mode))
		ret_qid->type = P9_QTSYMLINK;
	if (p->c.who != SK_EXPORT_MAPPED)
		return 0;
	f.fd = fd;
	if (!S_ISREG(stx.stx_mode) && !S_ISDIR(stx.stx_mode)) {
		/* Where nothing can be kept, they belong to this user. */
		if (p->c.keep != SK_EXPORT_KEEP_XATTR || stx.stx_uid != keep->uid || stx.stx_gid != keep->gid ||
		    !S_ISLNK(stx.stx_mode))
			(void)posix_keep_set(p, &f, &stx, keep, SK_LX_ALL);
		return 0;
	}
	r = posix_keep_set(p, &f, &stx, keep, SK_LX_ALL);
	/* A file system without extended attributes: owner and mode are what the host makes of them. What only an
	 * attribute could tell from a file is refused. */
	return r == -EOPNOTSUPP && (S_ISREG(keep->mode) || S_ISDIR(keep->mode)) ? 0 : r;
}

static uint32_t gid_of(const struct sk_9p_cred *cred)
{
	return cred->gid == P9_NONUNAME ? 0 : cred->gid;
}

int posix_mkdir(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		uint32_t mode, struct p9_qid *ret_qid)
{
	struct posix_fs *p = posix_of(fs);
	bool mapped = p->c.who == SK_EXPORT_MAPPED;
	struct sk_override keep = { cred->uid, gid_of(cred), S_IFDIR | mode, 0, 0 };
	int r, fd = posix_dir_for_creation(p, cred, dir, name);

	if (fd < 0)
		return fd;
	if (mkdirat(fd, name, mapped ? (mode & 0777) | 0700 : mode) < 0)
		return -errno;
	r = posix_made(p, dir, name, &keep, ret_qid);
	if (r < 0 && mapped)
		unlinkat(fd, name, AT_REMOVEDIR);
	return r;
}

/* KEEP_SIDECAR: an empty file whose record says what it is. */
static int make_stand_in(struct posix_fs *p, struct sk_9p_node *dir, int fd, const char *name,
			 const struct sk_override *keep, const char *target)
{
	int r = posix_keep_first(p, dir, name, keep, target);

	if (r < 0)
		return r;
	if (mknodat(fd, name, S_IFREG | 0600, 0) == 0)
		return posix_keep_again(p, dir, name, keep, target);
	r = -errno;
	if (r != -EEXIST)
		posix_keep_gone(p, dir, name);
	return r;
}

/* MAPPED: the host lets a plain user make no devices, and keeps attributes on regular files only. FIFOs are real ones,
 * which the host's programs can use; on NTFS everything is, where the host allows it. */
static int make_node(struct posix_fs *p, struct sk_9p_node *dir, int fd, const char *name,
		     const struct sk_override *keep)
{
	const bool device = S_ISCHR(keep->mode) || S_ISBLK(keep->mode);
	mode_t mode = 0600 | (keep->mode & 0777);

	if (posix_sidecar(p))
		return make_stand_in(p, dir, fd, name, keep, NULL);
	if (S_ISFIFO(keep->mode))
		return mknodat(fd, name, S_IFIFO | mode, 0) < 0 ? -errno : 0;
	if (p->c.keep == SK_EXPORT_KEEP_EA) {
		dev_t rdev = device ? makedev(keep->major, keep->minor) : 0;

		if (mknodat(fd, name, (keep->mode & S_IFMT) | mode, rdev) == 0)
			return 0;
		if (errno != EPERM && errno != EOPNOTSUPP)
			return -errno;
	}
	return mknodat(fd, name, S_IFREG | mode, 0) < 0 ? -errno : 0;
}

int posix_mknod(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		uint32_t mode, uint32_t major_, uint32_t minor_, struct p9_qid *ret_qid)
{
	struct posix_fs *p = posix_of(fs);
	bool mapped = p->c.who == SK_EXPORT_MAPPED, device = S_ISCHR(mode) || S_ISBLK(mode);
	struct sk_override keep = { cred->uid, gid_of(cred), 0, device ? major_ : 0, device ? minor_ : 0 };
	int r, fd = posix_dir_for_creation(p, cred, dir, name);

	if (fd < 0)
		return fd;
	mode = keep.mode = posix_file_mode(p, mode);
	/* Whiteouts of overlays lead to no device. */
	if (device && p->c.nodev && !(S_ISCHR(mode) && major_ == 0 && minor_ == 0))
		return -EPERM;
	r = mapped								? make_node(p, dir, fd, name, &keep)
	    : mknodat(fd, name, mode, device ? makedev(major_, minor_) : 0) < 0 ? -errno
										: 0;
	if (r < 0)
		return r;
	r = posix_made(p, dir, name, &keep, ret_qid);
	if (r < 0 && mapped)
		unlinkat(fd, name, 0);
	return r;
}

int posix_symlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		  const char *target, struct p9_qid *ret_qid)
{
	struct posix_fs *p = posix_of(fs);
	struct sk_override keep = { cred->uid, gid_of(cred), S_IFLNK | 0777, 0, 0 };
	int fd = posix_dir_for_creation(p, cred, dir, name);

	if (fd < 0)
		return fd;
	if (posix_sidecar(p)) {
		int r = make_stand_in(p, dir, fd, name, &keep, target);

		return r < 0 ? r : posix_made(p, dir, name, &keep, ret_qid);
	}
	if (symlinkat(target, fd, name) < 0)
		return -errno;
	return posix_made(p, dir, name, &keep, ret_qid);
}

int posix_link(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_node *dir,
	       const char *name)
{
	struct posix_fs *p = posix_of(fs);
	struct sk_9p_node *known;
	char path[POSIX_PROC_PATH];
	int fd, dirfd, r;

	if (dir->is_virtual || node->is_virtual)
		return -EACCES;
	/* What is kept by name cannot be kept of two. */
	if (posix_hidden_name(p, dir, name) || posix_sidecar(p))
		return -EPERM;
	posix_as_caller(p, cred);
	r = posix_two_fds(p, node, dir, &fd, &dirfd);
	if (r < 0)
		return r;
	/* The magic link leads to the inode itself, were it a symbolic link. */
	posix_proc(path, fd);
	if (linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	known = posix_find(p, dir, name);
	posix_names_changed(dir);
	if (known)
		posix_gone(p, known);
	return 0;
}

/* The host's kernel would not refuse: we are in another mount namespace. */
static bool is_mount_point(const struct posix_fs *p, int dirfd, const char *name)
{
	return posix_is_point(p, dirfd, name) || (p->c.mounts && sk_mounts_busy(p->c.mounts, dirfd, name));
}

/* rmdir of a directory that is not empty, but has nothing that clients see. */
static int remove_hidden(struct posix_fs *p, struct sk_9p_node *dir, int dirfd, const char *name)
{
	int r = posix_left_rmdir(p, dir, dirfd, name);

	return r == -ENOTEMPTY ? posix_keep_rmdir(p, dirfd, name) : r;
}

int posix_unlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		 bool rmdir)
{
	struct posix_fs *p = posix_of(fs);
	struct sk_9p_node *known;
	struct statx gone;
	int fd, r;

	if (dir->is_virtual)
		return -EACCES;
	if (posix_hidden_name(p, dir, name))
		return -ENOENT;
	known = posix_find(p, dir, name);
	if (known) {
		posix_hold(p, known);
		posix_keep_remember(p, known);
	}
	posix_as_caller(p, cred);
	fd = posix_fd(p, dir);
	if (fd >= 0 && is_mount_point(p, fd, name))
		fd = -EBUSY;
	if (fd >= 0) {
		posix_link_look(p, fd, name, &gone);
		r = unlinkat(fd, name, rmdir ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
		if (rmdir && r == -ENOTEMPTY)
			r = remove_hidden(p, dir, fd, name);
		else if (!rmdir && r < 0)
			r = posix_left_unlink(p, dir, fd, name, known, r);
		fd = r;
		if (fd == 0)
			posix_link_drop(p, &gone);
		posix_names_changed(dir);
		if (fd == 0 && !rmdir)
			posix_keep_gone(p, dir, name);
	}
	if (known && fd == 0)
		posix_gone(p, known);
	else if (known)
		posix_stays(p, known);
	return fd;
}

static int rename_check(const struct posix_fs *p, int oldfd, const char *oldname, int newfd, const char *newname)
{
	struct statx from, to;

	if (!is_mount_point(p, oldfd, oldname) && !is_mount_point(p, newfd, newname))
		return 0;
	/* From one mount to another comes first. */
	if (statx(oldfd, "", AT_EMPTY_PATH, STATX_MNT_ID, &from) == 0 &&
	    statx(newfd, "", AT_EMPTY_PATH, STATX_MNT_ID, &to) == 0 && from.stx_mnt_id != to.stx_mnt_id)
		return -EXDEV;
	return -EBUSY;
}

static int move(struct posix_fs *p, struct sk_9p_node *olddir, const char *oldname, struct sk_9p_node *newdir,
		const char *newname, struct sk_9p_node *replaced, uint32_t flags)
{
	int oldfd, newfd, r = posix_keep_moving(p, olddir, oldname, newdir, newname, flags & P9_RENAME_EXCHANGE);

	if (r == 0)
		r = posix_two_fds(p, olddir, newdir, &oldfd, &newfd);
	if (r < 0)
		return r;
	r = renameat2(oldfd, oldname, newfd, newname, flags) < 0 ? -errno : 0;
	/* An empty directory, but for what is kept in it. */
	if (r == -ENOTEMPTY && remove_hidden(p, newdir, newfd, newname) == 0)
		r = renameat2(oldfd, oldname, newfd, newname, flags) < 0 ? -errno : 0;
	if (r < 0 && flags == 0)
		r = posix_left_replace(p, oldfd, oldname, newdir, newfd, newname, replaced, r);
	if (posix_sidecar(p) && posix_keep_moved(p, olddir, oldname, newdir, newname, r) < 0 && r == 0)
		r = -EIO;
	return r;
}

int posix_rename(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *olddir, const char *oldname,
		 struct sk_9p_node *newdir, const char *newname, uint32_t flags)
{
	struct posix_fs *p = posix_of(fs);
	bool exchange = flags & P9_RENAME_EXCHANGE;
	struct sk_9p_node *moving, *replaced;
	struct statx gone;
	int oldfd, newfd, r;

	if (olddir->is_virtual || newdir->is_virtual)
		return -EACCES;
	if (posix_hidden_name(p, olddir, oldname) || posix_hidden_name(p, newdir, newname))
		return posix_hidden_name(p, olddir, oldname) ? -ENOENT : -EPERM;
	moving = posix_find(p, olddir, oldname);
	replaced = posix_find(p, newdir, newname);
	if (moving == replaced)
		replaced = NULL;
	if (replaced) {
		posix_hold(p, replaced);
		posix_keep_remember(p, replaced);
	}
	if (moving)
		posix_hold(p, moving);
	posix_as_caller(p, cred);
	r = posix_two_fds(p, olddir, newdir, &oldfd, &newfd);
	if (r == 0)
		r = rename_check(p, oldfd, oldname, newfd, newname);
	if (r == 0) {
		posix_link_look(p, newfd, newname, &gone);
		r = move(p, olddir, oldname, newdir, newname, replaced, flags);
		if (r == 0 && !exchange)
			posix_link_drop(p, &gone);
		posix_names_changed(olddir);
		posix_names_changed(newdir);
	}
	/* Two names of one file: rename() does nothing. */
	if (r == 0 && moving && replaced && moving->ino == replaced->ino && moving->dev == replaced->dev)
		r = 1;
	if (r == 0 && replaced && !exchange)
		posix_gone(p, replaced);
	else if (r != 0 && replaced)
		posix_stays(p, replaced);
	if (r == 0 && moving)
		posix_moved(p, moving, newdir, newname);
	else if (moving)
		posix_stays(p, moving);
	if (r == 0 && exchange && replaced)
		posix_moved(p, replaced, olddir, oldname);
	return r < 0 ? r : 0;
}
