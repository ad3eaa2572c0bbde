/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * MAPPED keeps of each file what the host would not: owner, mode, and what an empty regular file stands for. Where, the
 * export says (enum sk_export_keep):
 *
 *   XATTR    in an attribute of regular files and directories (override.c), beside for others (posix_links.c)
 *   EA       on NTFS as WSL does (ea.c), of all kinds of files. Symbolic links, FIFOs, sockets and devices are the file
 *            system's own. Devices that the host refuses a plain user are empty files with the attribute of XATTR,
 *            because WSL could not read them either; and what XATTR has kept there before is read where there are no EAs
 *   SIDECAR  in a file of the directory, by name (sidecar.c); a directory's own record is in its own file, so it moves
 *            with it, and is the same in a share of that directory alone. FIFOs, sockets, devices and symbolic links
 *            are empty files. A file has one name; of one that has lost it, the node remembers what was kept
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "export/ea.h"
#include "export/override.h"
#include "export/posix_internal.h"
#include "export/sidecar.h"

/* How long what is kept of an open file is not read again, unless something in the share has changed. */
#define RECENT_MS 100u

/* What the records of a directory say now, and its descriptor. 0 or negative errno. */
static int side_of(struct posix_fs *p, struct sk_9p_node *dir, int *ret_fd)
{
	*ret_fd = dir->is_virtual ? -EOPNOTSUPP : posix_fd(p, dir);
	if (*ret_fd < 0)
		return *ret_fd;
	if (!dir->side)
		dir->side = sk_sidecar_new();
	if (!dir->side)
		return -ENOMEM;
	sk_sidecar_any_case(dir->side, dir->names == POSIX_CASE_IGNORED);
	return sk_sidecar_load(dir->side, *ret_fd);
}

/* The directory and the name under which a record is. False: there is none, the file has no name. */
static bool place_of(const struct posix_subject *f, struct sk_9p_node **ret_dir, const char **ret_name)
{
	if (f->node && f->node->type == S_IFDIR) {
		*ret_dir = f->node;
		*ret_name = SK_SIDECAR_SELF;
		return true;
	}
	*ret_dir = f->node ? f->node->parent : f->dir;
	*ret_name = f->node ? f->node->name : f->name;
	return *ret_dir && *ret_name && (!f->node || f->node->hashed) && !(*ret_dir)->is_virtual;
}

/* A directory that has no node yet. */
static bool is_fresh_directory(const struct posix_subject *f, const struct statx *stx)
{
	return !f->node && S_ISDIR(stx->stx_mode);
}

static bool side_find(struct posix_fs *p, const struct posix_subject *f, struct sk_override *ret,
		      const char **ret_target)
{
	struct sk_9p_node *dir;
	const char *name;
	int fd;

	if (ret_target)
		*ret_target = NULL;
	if (f->node && f->node->kept && !f->node->hashed) {
		*ret = *f->node->kept;
		return true;
	}
	return place_of(f, &dir, &name) && side_of(p, dir, &fd) == 0 &&
	       sk_sidecar_find(dir->side, name, ret, ret_target);
}

/* Only an empty file can stand for something else. */
static void check_type(const struct statx *stx, bool links, struct sk_override *o)
{
	bool stands = S_ISREG(stx->stx_mode) && stx->stx_size == 0 && (o->mode & S_IFMT) && !S_ISDIR(o->mode) &&
		      (links || !S_ISLNK(o->mode));

	if (!stands)
		o->mode = (o->mode & 07777) | (stx->stx_mode & S_IFMT);
}

static void side_kept(struct posix_fs *p, const struct posix_subject *f, const struct statx *stx,
		      struct sk_override *ret)
{
	struct sk_override o;

	if (!side_find(p, f, &o, NULL))
		return;
	check_type(stx, true, &o);
	*ret = o;
}

/* In the attributes of NTFS, or a file beside: to ask costs a call of the file system's own program. */
static bool is_recent(const struct posix_fs *p, const struct posix_subject *f)
{
	const struct posix_recent *c = f->node && f->node->files ? f->node->recent : NULL;

	return c && c->changes == p->pool->changes && sk_now_ms() - c->ms < RECENT_MS;
}

static void remember(struct posix_fs *p, const struct posix_subject *f, const struct sk_override *o)
{
	struct sk_9p_node *n = f->node;

	if (!n || !n->files || n->type != S_IFREG || p->c.keep == SK_EXPORT_KEEP_XATTR)
		return;
	if (!n->recent)
		n->recent = malloc(sizeof(*n->recent));
	if (n->recent)
		*n->recent = (struct posix_recent){ sk_now_ms(), p->pool->changes, *o };
}

void posix_kept(struct posix_fs *p, const struct posix_subject *f, const struct statx *stx, struct sk_override *ret)
{
	struct sk_override o;

	*ret = (struct sk_override){ stx->stx_uid, stx->stx_gid, stx->stx_mode, stx->stx_rdev_major,
				     stx->stx_rdev_minor };
	if (p->c.keep == SK_EXPORT_KEEP_SIDECAR) {
		side_kept(p, f, stx, ret);
		return;
	}
	if (p->c.keep == SK_EXPORT_KEEP_EA) {
		bool xattrs;
		int r = sk_ea_load(f->fd, stx->stx_mode & S_IFMT, ret, &xattrs);

		if (f->node)
			f->node->no_lx_xattrs = !xattrs;
		if (r == 0)
			return;
	}
	if (S_ISREG(stx->stx_mode) || S_ISDIR(stx->stx_mode)) {
		sk_override_effective(f->fd, stx, ret);
	} else if (posix_link_load(p, stx, &o)) {
		ret->uid = o.uid;
		ret->gid = o.gid;
		if (!S_ISLNK(stx->stx_mode))
			ret->mode = (stx->stx_mode & S_IFMT) | (o.mode & 07777);
	}
}

void posix_effective(struct posix_fs *p, const struct posix_subject *f, struct statx *stx)
{
	const char *target = NULL;
	struct sk_override o;

	if (is_recent(p, f)) {
		o = f->node->recent->o;
	} else {
		posix_kept(p, f, stx, &o);
		remember(p, f, &o);
	}
	if (S_ISLNK(o.mode) && !S_ISLNK(stx->stx_mode) && side_find(p, f, &o, &target) && target)
		stx->stx_size = strlen(target);
	stx->stx_uid = o.uid;
	stx->stx_gid = o.gid;
	stx->stx_mode = (uint16_t)o.mode;
	stx->stx_rdev_major = o.major;
	stx->stx_rdev_minor = o.minor;
}

static bool same(const struct sk_override *a, const struct sk_override *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->mode == b->mode && a->major == b->major &&
	       a->minor == b->minor;
}

/* In a directory that was made just now. */
static int side_set_fresh(int fd, const struct sk_override *o)
{
	struct sk_sidecar *s = sk_sidecar_new();
	int r = s ? sk_sidecar_put(s, fd, SK_SIDECAR_SELF, o, NULL) : -ENOMEM;

	sk_sidecar_free(s);
	return r;
}

_Static_assert((unsigned)SK_SIDECAR_UID == SK_LX_UID && (unsigned)SK_SIDECAR_GID == SK_LX_GID &&
		       (unsigned)SK_SIDECAR_MODE == SK_LX_MODE,
	       "what was changed is said by one set of bits");

static int side_set(struct posix_fs *p, const struct posix_subject *f, const struct sk_override *o, unsigned fields)
{
	_cleanup_free_ char *copy = NULL;
	struct sk_override before;
	struct sk_9p_node *dir;
	const char *name, *target;
	int r, fd;

	if (f->node && f->node->kept && !f->node->hashed) {
		*f->node->kept = *o;
		return 0;
	}
	if (!place_of(f, &dir, &name))
		return -EOPNOTSUPP;
	r = side_of(p, dir, &fd);
	if (r < 0)
		return r;
	if (sk_sidecar_find(dir->side, name, &before, &target)) {
		if (same(&before, o))
			return 0;
		/* The next call may read the records again. */
		copy = target ? strdup(target) : NULL;
		if (target && !copy)
			return -ENOMEM;
	}
	return sk_sidecar_change(dir->side, fd, name, o, fields, copy);
}

int posix_keep_set(struct posix_fs *p, const struct posix_subject *f, const struct statx *stx,
		   const struct sk_override *o, unsigned fields)
{
	p->pool->changes++;
	if (p->c.keep == SK_EXPORT_KEEP_SIDECAR)
		return is_fresh_directory(f, stx) ? side_set_fresh(f->fd, o)
						  : side_set(p, f, o, fields & SK_SIDECAR_ALL);
	if (p->c.keep == SK_EXPORT_KEEP_EA && (o->mode & S_IFMT) == (stx->stx_mode & S_IFMT))
		return sk_ea_store(f->fd, o, fields);
	if (S_ISREG(stx->stx_mode) || S_ISDIR(stx->stx_mode))
		return sk_override_store(f->fd, o);
	return posix_link_store(p, stx, o);
}

/* --- names, for SIDECAR */

int posix_keep_first(struct posix_fs *p, struct sk_9p_node *dir, const char *name, const struct sk_override *o,
		     const char *target)
{
	struct statx stx;
	int fd, r = side_of(p, dir, &fd);

	if (r < 0)
		return r;
	if (statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &stx) == 0)
		return -EEXIST;
	if (errno != ENOENT)
		return -errno;
	return sk_sidecar_put(dir->side, fd, name, o, target);
}

int posix_keep_again(struct posix_fs *p, struct sk_9p_node *dir, const char *name, const struct sk_override *o,
		     const char *target)
{
	struct sk_override got;
	int fd, r = side_of(p, dir, &fd);

	/* Another server may have written the file again before the name was there. */
	if (r == 0 && !sk_sidecar_find(dir->side, name, &got, NULL))
		r = sk_sidecar_put(dir->side, fd, name, o, target);
	return r;
}

void posix_keep_remember(struct posix_fs *p, struct sk_9p_node *node)
{
	const struct posix_subject f = { .fd = -1, .node = node };
	struct sk_override o;

	if (!posix_sidecar(p) || !node->hashed || node->type == S_IFDIR)
		return;
	free(SK_TAKE_PTR(node->kept));
	if (!side_find(p, &f, &o, NULL))
		return;
	node->kept = malloc(sizeof(o));
	if (node->kept)
		*node->kept = o;
}

void posix_keep_gone(struct posix_fs *p, struct sk_9p_node *dir, const char *name)
{
	int fd;

	/* A record without a file harms nothing. */
	if (posix_sidecar(p) && side_of(p, dir, &fd) == 0)
		(void)sk_sidecar_drop(dir->side, fd, name);
}

/* The record of a name, which the caller frees the target of. False: none. */
static bool take_record(struct posix_fs *p, struct sk_9p_node *dir, const char *name, struct sk_override *ret,
			char **ret_target)
{
	const char *target;
	int fd;

	*ret_target = NULL;
	if (side_of(p, dir, &fd) < 0 || !sk_sidecar_find(dir->side, name, ret, &target))
		return false;
	*ret_target = target ? strdup(target) : NULL;
	return true;
}

int posix_keep_moving(struct posix_fs *p, struct sk_9p_node *olddir, const char *oldname, struct sk_9p_node *newdir,
		      const char *newname, bool exchange)
{
	_cleanup_free_ char *target = NULL;
	struct sk_override o, there;
	struct statx stx;
	int oldfd, newfd, r;
	bool kept;

	if (!posix_sidecar(p))
		return 0;
	if (exchange)
		return -EINVAL; /* as the file systems that need this say */
	r = side_of(p, olddir, &oldfd);
	if (r == 0 && statx(oldfd, oldname, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, POSIX_STATX, &stx) < 0)
		r = -errno;
	/* A directory has its record with it. */
	if (r < 0 || S_ISDIR(stx.stx_mode))
		return r;
	kept = take_record(p, olddir, oldname, &o, &target);
	r = side_of(p, newdir, &newfd);
	if (r < 0 || (!kept && !sk_sidecar_find(newdir->side, newname, &there, NULL)))
		return r;
	return sk_sidecar_announce(newdir->side, newfd, newname, kept ? &o : NULL, target,
				   olddir == newdir ? oldname : NULL, stx.stx_size,
				   stx.stx_mtime.tv_sec * INT64_C(1000000000) + stx.stx_mtime.tv_nsec);
}

int posix_keep_moved(struct posix_fs *p, struct sk_9p_node *olddir, const char *oldname, struct sk_9p_node *newdir,
		     const char *newname, int result)
{
	_cleanup_free_ char *target = NULL;
	/* It was not done: what there was before counts, and is said again. */
	struct sk_9p_node *from = result < 0 ? newdir : olddir;
	const char *name = result < 0 ? newname : oldname;
	struct sk_override o;
	bool kept;
	int fd, r;

	if (!posix_sidecar(p) || (olddir == newdir && strcmp(oldname, newname) == 0))
		return 0;
	kept = take_record(p, from, name, &o, &target);
	r = side_of(p, newdir, &fd);
	if (r == 0)
		r = kept ? sk_sidecar_put(newdir->side, fd, newname, &o, target)
			 : sk_sidecar_drop(newdir->side, fd, newname);
	/* A name that has changed its case only has one record. */
	if (r == 0 && result >= 0 && side_of(p, olddir, &fd) == 0 &&
	    !(olddir == newdir && sk_sidecar_same(olddir->side, oldname, newname)))
		r = sk_sidecar_drop(olddir->side, fd, oldname);
	return r;
}

int posix_keep_readlink(struct posix_fs *p, struct sk_9p_node *node, char *buf, size_t cap)
{
	const struct posix_subject f = { .fd = -1, .node = node };
	const char *target;
	struct sk_override o;
	size_t n;

	if (!posix_sidecar(p) || !side_find(p, &f, &o, &target) || !S_ISLNK(o.mode) || !target)
		return -EINVAL;
	n = strlen(target) < cap ? strlen(target) : cap;
	memcpy(buf, target, n);
	return (int)n;
}

int posix_keep_sync(struct posix_fs *p, struct sk_9p_node *node)
{
	struct sk_9p_node *dir = node->type == S_IFDIR ? node : node->hashed ? node->parent : NULL;
	int fd;

	if (!posix_sidecar(p) || !dir || dir->is_virtual)
		return 0;
	fd = posix_fd(p, dir);
	return fd < 0 ? fd : sk_sidecar_sync(fd);
}

int posix_keep_rmdir(struct posix_fs *p, int dirfd, const char *name)
{
	_cleanup_fd_ int fd = -1;
	struct sk_sidecar *s;
	struct sk_override o;
	bool kept;
	int r;

	if (!posix_sidecar(p))
		return -ENOTEMPTY;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	s = sk_sidecar_new();
	if (!s)
		return -ENOMEM;
	kept = sk_sidecar_load(s, fd) == 0 && sk_sidecar_find(s, SK_SIDECAR_SELF, &o, NULL);
	r = sk_sidecar_remove(fd);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0) {
		r = -errno;
		/* Something has been made in it meanwhile. */
		if (kept)
			(void)sk_sidecar_put(s, fd, SK_SIDECAR_SELF, &o, NULL);
	}
	sk_sidecar_free(s);
	return r;
}
