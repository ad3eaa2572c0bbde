/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes, plain and extended. See posix.c. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/override.h"
#include "export/posix_internal.h"
#include "export/syscall.h"
#include "ninep/server.h"

#define V9FS_MAGIC 0x01021997u

static struct p9_time time_of(const struct statx_timestamp *t)
{
	return (struct p9_time){ (uint64_t)t->tv_sec, t->tv_nsec };
}

/* The root above a single file: a directory that nobody can change. */
static void virtual_attr(const struct posix_fs *p, const struct statx *stx, struct p9_attr *a)
{
	a->valid = P9_GETATTR_BASIC;
	a->qid = posix_virtual_qid(p);
	a->mode = S_IFDIR | 0555;
	a->nlink = 2;
	a->size = a->blksize = 4096;
	a->atime = a->mtime = a->ctime = time_of(&stx->stx_ctime);
}

static void fill_attr(const struct statx *stx, bool reborn, struct p9_attr *a)
{
	a->valid = P9_GETATTR_BASIC | (stx->stx_mask & STATX_BTIME ? P9_GETATTR_BTIME : 0);
	a->mode = stx->stx_mode;
	a->uid = stx->stx_uid;
	a->gid = stx->stx_gid;
	a->nlink = stx->stx_nlink;
	a->rdev = (stx->stx_rdev_minor & 0xff) | (stx->stx_rdev_major & 0xfff) << 8 |
		  (stx->stx_rdev_minor & ~0xffu) << 12;
	a->size = stx->stx_size;
	a->blksize = stx->stx_blksize;
	a->blocks = stx->stx_blocks;
	a->atime = time_of(&stx->stx_atime);
	a->mtime = time_of(&stx->stx_mtime);
	a->ctime = time_of(&stx->stx_ctime);
	if (stx->stx_mask & STATX_BTIME)
		a->btime = time_of(&stx->stx_btime);
	a->gen = reborn ? 0 : (uint64_t)stx->stx_btime.tv_sec * UINT64_C(1000000007) ^ stx->stx_btime.tv_nsec;
}

int posix_getattr(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_file *file,
		  uint64_t mask, struct p9_attr *a)
{
	struct posix_fs *p = posix_of(fs);
	struct sk_9p_node *n = node->is_virtual ? p->single : node;
	struct statx stx;
	int fd, r;

	posix_as_caller(p, cred);
	fd = file && file->fd >= 0 ? file->fd : posix_fd(p, n);
	if (fd < 0)
		return fd;
	r = posix_statx(fd, &stx);
	if (r < 0)
		return r;
	if (node->is_virtual) {
		virtual_attr(p, &stx, a);
		return 0;
	}
	posix_identity(p, n, &stx);
	posix_qid(p, &stx, &a->qid);
	a->dev = posix_dev_number(p, &stx);
	if (p->c.who == SK_EXPORT_MAPPED && mask)
		posix_effective(p, &(struct posix_subject){ .fd = fd, .node = n }, &stx);
	if (S_ISLNK(stx.stx_mode))
		a->qid.type = P9_QTSYMLINK;
	fill_attr(&stx, n->reborn, a);
	if (p->c.who == SK_EXPORT_MAPPED && !mask)
		a->valid &= ~(uint64_t)(P9_GETATTR_MODE | P9_GETATTR_UID | P9_GETATTR_GID | P9_GETATTR_RDEV);
	return 0;
}

static const char *guest_name(const struct posix_fs *p, const char *name, char buf[P9_NAME_MAX + 16]);

/* The names of the attributes of what `name` in a directory is. */
static ssize_t list_xattrs_at(int dirfd, const char *name, char *buf, size_t size)
{
	static bool without; /* Linux before 6.13, or a filter that does not know it */
	char path[POSIX_PROC_PATH + P9_NAME_MAX + 2];
	ssize_t n;

	if (!without) {
		n = syscall(SYS_listxattrat, dirfd, name, AT_SYMLINK_NOFOLLOW, buf, size);
		without = n < 0 && (errno == ENOSYS || errno == EPERM);
		if (!without)
			return n;
	}
	posix_proc(path, dirfd);
	strcat(path, "/");
	strcat(path, name);
	return llistxattr(path, buf, size);
}

/* The file has no extended attributes that the guest may see. On a host with access labels every file has one that it
 * may not. */
static bool no_xattrs(struct posix_fs *p, const struct sk_9p_cred *cred, struct sk_9p_node *node, int dirfd,
		      const char *name)
{
	char names[1024], scratch[P9_NAME_MAX + 16];
	ssize_t n, at;

	if (node)
		return posix_xattr_list(&p->fs, cred, node, NULL, 0) == 0;
	n = list_xattrs_at(dirfd, name, names, sizeof(names));
	for (at = 0; at < n; at += (ssize_t)strlen(names + at) + 1)
		if (guest_name(p, names + at, scratch))
			return false;
	return n >= 0;
}

static bool swap_case(char to[P9_NAME_MAX + 1], const char *name)
{
	bool letters = false;

	for (; *name; name++, to++) {
		bool letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z');

		*to = letter ? (char)(*name ^ 0x20) : *name;
		letters |= letter;
	}
	*to = 0;
	return letters;
}

void posix_probe_case(struct posix_fs *p, struct sk_9p_node *dir, int dirfd, const char *name, const struct statx *stx)
{
	const struct sk_9p_event lost = { .kind = P9_EVENT_LOST };
	char other[P9_NAME_MAX + 1];
	struct statx its;

	if (dir->names != POSIX_CASE_UNKNOWN || !swap_case(other, name))
		return;
	if (statx(dirfd, other, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_INO, &its) < 0 ||
	    its.stx_ino != stx->stx_ino || posix_dev_of(&its) != posix_dev_of(stx)) {
		dir->names = POSIX_CASE_MATTERS;
	} else if (S_ISDIR(stx->stx_mode) || stx->stx_nlink == 1) {
		dir->names = POSIX_CASE_IGNORED;
		/* The client may have cached names as absent that exist in another case. */
		if (p->event)
			p->event(p->event_arg, &lost);
	}
}

/* What a client may keep of a name in the directory. */
static uint32_t name_lease(const struct posix_fs *p, const struct sk_9p_node *dir)
{
	if (dir->names == POSIX_CASE_IGNORED)
		return P9_LOOK_ANY_CASE;
	return dir->leased && !posix_several(p, dir) ? P9_LOOK_NAME_LEASE : 0;
}

uint32_t posix_leases(struct sk_9p_fs *fs, struct sk_9p_node *dir)
{
	uint32_t lease = name_lease(posix_of(fs), dir);

	return lease & P9_LOOK_NAME_LEASE ? lease | P9_LOOK_ATTR_LEASE : lease;
}

/* Events name the directory that something happened in: they cover a file whose only name is in that directory, and a
 * directory that is watched itself. */
static uint32_t leases_of(const struct posix_fs *p, const struct sk_9p_node *dir, const struct sk_9p_node *node,
			  const struct p9_attr *a)
{
	uint32_t lease = name_lease(p, dir);
	bool attr = a->qid.type & P9_QTDIR ? node && node->leased : a->nlink == 1 || dir->is_virtual;

	return (lease & P9_LOOK_NAME_LEASE) && attr ? lease | P9_LOOK_ATTR_LEASE : lease;
}

/* By node: where the attributes are not only the inode's, and for directories. */
static int look_node(struct posix_fs *p, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		     struct sk_9p_node **ret_node, struct p9_attr *a)
{
	struct p9_qid qid;
	int r = posix_lookup(&p->fs, cred, dir, name, ret_node, &qid);

	if (r < 0)
		return r;
	if ((*ret_node)->type == S_IFDIR)
		posix_watch(p, *ret_node);
	r = posix_getattr(&p->fs, cred, *ret_node, NULL, P9_GETATTR_BASIC, a);
	if (r < 0) {
		posix_put(&p->fs, *ret_node);
		*ret_node = NULL;
	}
	return r;
}

/* A directory that has a watch of its own, of which there may be a lease without making a node for it. */
static bool is_leased(struct posix_fs *p, const struct sk_9p_node *dir, const char *name)
{
	const struct sk_9p_node *known = posix_find(p, dir, name);

	return known && known->leased;
}

int posix_look(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
	       bool want_dir, struct sk_9p_node **ret_node, struct p9_attr *a, uint32_t *ret_flags)
{
	struct posix_fs *p = posix_of(fs);
	struct sk_9p_node *node = NULL;
	struct statx stx;
	uint64_t mount = 0;
	int dirfd = -1, r;

	*ret_node = NULL;
	*ret_flags = 0;
	if (dir->type != S_IFDIR)
		return -ENOTDIR;
	if (dir->is_virtual || p->c.who == SK_EXPORT_MAPPED) {
		r = look_node(p, cred, dir, name, &node, a);
	} else {
		posix_as_caller(p, cred);
		dirfd = posix_fd(p, dir);
		if (dirfd < 0)
			return dirfd;
		r = statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, POSIX_STATX, &stx) < 0 ? -errno : 0;
		if (r == 0)
			r = posix_cross(p, &stx, NULL, &mount);
		if (r == 0 && (mount || (S_ISDIR(stx.stx_mode) && (want_dir || is_leased(p, dir, name))))) {
			r = look_node(p, cred, dir, name, &node, a);
		} else if (r == 0) {
			posix_probe_case(p, dir, dirfd, name, &stx);
			posix_qid(p, &stx, &a->qid);
			a->dev = posix_dev_number(p, &stx);
			fill_attr(&stx, posix_reborn(p, dir, dirfd, name, &stx), a);
		}
	}
	if (r == -ENOENT && dirfd >= 0)
		r = posix_no_name(p, dir, dirfd);
	if (r == -ENOENT) {
		*ret_flags = name_lease(p, dir);
		return 0;
	}
	if (r < 0)
		return r;
	*ret_flags = P9_LOOK_EXISTS | leases_of(p, dir, node, a);
	if (no_xattrs(p, cred, node, dirfd, name))
		*ret_flags |= P9_LOOK_NO_XATTR;
	if (node && want_dir && node->type == S_IFDIR)
		*ret_node = node;
	else if (node)
		posix_put(fs, node);
	return 0;
}

/* --- setattr */

/* The target of the parts of a setattr: an open file of the right kind, and the node's own descriptor by path. */
struct target {
	struct posix_fs *p;
	struct sk_9p_node *node;
	struct sk_9p_file *file; /* NULL: not open */
	int fd;			 /* for *at calls */
	char path[POSIX_PROC_PATH];
};

/* truncate(2) waits until others have given back their leases of the file, which may take as long as the host allows (45
 * s); open(2) can be told not to. While the file is open, nobody gets one. */
static int truncate_path(const char *path, uint64_t size)
{
	_cleanup_fd_ int held = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (held < 0 && errno == EWOULDBLOCK)
		return -EAGAIN;
	return truncate(path, (off_t)size) < 0 ? -errno : 0;
}

static int do_truncate(struct target *t, uint64_t size)
{
	bool setid;
	int r;

	if (t->node->type == S_IFDIR)
		return -EISDIR;
	if (t->node->type != S_IFREG)
		return -EINVAL;
	setid = posix_setid_stays(t->p, t->fd);
	if (t->file && t->file->writable)
		r = ftruncate(t->file->fd, (off_t)size) < 0 ? -errno : 0;
	else
		r = truncate_path(t->path, size);
	if (setid)
		posix_fsetid(t->p, false);
	return r;
}

static int do_chown(struct target *t, const struct p9_setattr *a)
{
	uid_t uid = a->valid & P9_SETATTR_UID ? a->uid : (uid_t)-1;
	gid_t gid = a->valid & P9_SETATTR_GID ? a->gid : (gid_t)-1;
	bool setid = posix_setid_stays(t->p, t->fd);
	int r;

	if (t->p->c.who == SK_EXPORT_SQUASH)
		uid = gid = (uid_t)-1; /* clears set-id bits and touches ctime all the same */
	r = fchownat(t->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (setid)
		posix_fsetid(t->p, false);
	return r;
}

static int do_chmod(struct target *t, uint32_t mode)
{
	int r;

	if (t->node->type == S_IFLNK)
		return -EOPNOTSUPP;
	if (mode & S_ISGID)
		posix_fsetid(t->p, true);
	r = chmod(t->path, mode & 07777) < 0 ? -errno : 0;
	if (mode & S_ISGID)
		posix_fsetid(t->p, false);
	return r;
}

static unsigned fields_of(const struct p9_setattr *a, bool mode)
{
	return (a->valid & P9_SETATTR_UID ? SK_LX_UID : 0u) | (a->valid & P9_SETATTR_GID ? SK_LX_GID : 0u) |
	       (mode || (a->valid & P9_SETATTR_MODE) ? SK_LX_MODE : 0u);
}

/* MAPPED: the same for objects that are no regular files or directories. */
static int keep_link(struct target *t, const struct p9_setattr *a, const struct statx *stx)
{
	const struct posix_subject f = { .fd = t->fd, .node = t->node };
	struct sk_override o;
	int r;

	posix_kept(t->p, &f, stx, &o);
	if (a->valid & P9_SETATTR_UID)
		o.uid = a->uid;
	if (a->valid & P9_SETATTR_GID)
		o.gid = a->gid;
	if ((a->valid & P9_SETATTR_MODE) && !S_ISLNK(stx->stx_mode))
		o.mode = (stx->stx_mode & S_IFMT) | (a->mode & 07777);
	r = posix_keep_set(t->p, &f, stx, &o, fields_of(a, false));
	if (r < 0)
		return o.uid == stx->stx_uid && o.gid == stx->stx_gid ? 0 : -EPERM;
	/* The time of change, if it is ours. */
	r = fchownat(t->fd, "", (uid_t)-1, (gid_t)-1, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	return r == -EPERM ? 0 : r;
}

/* MAPPED: owner and mode go into the attribute; the host's own mode keeps the server able to work. */
static int keep_attr(struct target *t, const struct p9_setattr *a)
{
	const struct posix_subject f = { .fd = t->fd, .node = t->node };
	struct sk_override o, before;
	struct statx stx;
	int r = posix_statx(t->fd, &stx);

	if (r < 0)
		return r;
	if (!S_ISREG(stx.stx_mode) && !S_ISDIR(stx.stx_mode))
		return keep_link(t, a, &stx);
	posix_kept(t->p, &f, &stx, &o);
	before = o;
	if (a->valid & P9_SETATTR_UID)
		o.uid = a->uid;
	if (a->valid & P9_SETATTR_GID)
		o.gid = a->gid;
	if (S_ISREG(o.mode) && ((a->valid & (P9_SETATTR_UID | P9_SETATTR_GID)) ||
				((a->valid & P9_SETATTR_SIZE) && !t->p->c.client_clears))) {
		o.mode &= ~(uint32_t)S_ISUID;
		if (o.mode & S_IXGRP)
			o.mode &= ~(uint32_t)S_ISGID;
	}
	if (a->valid & P9_SETATTR_MODE) {
		mode_t mode = (a->mode & 0777) | (S_ISDIR(stx.stx_mode) ? 0700 : 0600);
		struct sk_9p_file *open_file;

		o.mode = (o.mode & S_IFMT) | (a->mode & 07777);
		for (open_file = t->node->files; open_file; open_file = open_file->next)
			open_file->suid = a->mode & (S_ISUID | S_ISGID);
		/* Only our own files: others may be writable by us without being ours. vfat refuses modes that it has not. */
		if (stx.stx_uid == geteuid() && chmod(t->path, mode) < 0 && !posix_sidecar(t->p))
			return -errno;
	}
	r = posix_keep_set(t->p, &f, &stx, &o, fields_of(a, o.mode != before.mode));
	/* Without extended attributes there is no other owner. */
	if (r == -EOPNOTSUPP)
		r = o.uid == before.uid && o.gid == before.gid ? 0 : -EPERM;
	return r;
}

static void time_spec(const struct p9_setattr *a, uint32_t bit, uint32_t set, const struct p9_time *t,
		      struct timespec *ret)
{
	ret->tv_sec = 0;
	ret->tv_nsec = UTIME_OMIT;
	if (!(a->valid & bit))
		return;
	ret->tv_nsec = UTIME_NOW;
	if (!(a->valid & set))
		return;
	ret->tv_sec = (time_t)t->sec;
	ret->tv_nsec = (long)t->nsec;
}

static int do_times(struct target *t, const struct p9_setattr *a)
{
	struct timespec ts[2];

	time_spec(a, P9_SETATTR_ATIME, P9_SETATTR_ATIME_SET, &a->atime, &ts[0]);
	time_spec(a, P9_SETATTR_MTIME, P9_SETATTR_MTIME_SET, &a->mtime, &ts[1]);
	return utimensat(t->fd, "", ts, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int set_parts(struct target *t, const struct p9_setattr *asked)
{
	struct p9_setattr plain = *asked;
	const struct p9_setattr *a = &plain;
	bool mapped = t->p->c.who == SK_EXPORT_MAPPED;
	int r = 0;

	if (t->node->type != S_IFDIR)
		plain.mode = posix_file_mode(t->p, plain.mode);
	if (a->valid & P9_SETATTR_SIZE)
		r = do_truncate(t, a->size);
	if (r == 0 && mapped && (a->valid & (P9_SETATTR_UID | P9_SETATTR_GID | P9_SETATTR_MODE | P9_SETATTR_SIZE)))
		r = keep_attr(t, a);
	/* chown first: it clears the set-id bits that chmod is to set. */
	if (r == 0 && !mapped && (a->valid & (P9_SETATTR_UID | P9_SETATTR_GID)))
		r = do_chown(t, a);
	if (r == 0 && !mapped && (a->valid & P9_SETATTR_MODE))
		r = do_chmod(t, a->mode);
	if (r == 0 && (a->valid & (P9_SETATTR_ATIME | P9_SETATTR_MTIME)))
		r = do_times(t, a);
	else if (r == 0 && (a->valid & P9_SETATTR_ALL) == P9_SETATTR_CTIME && !mapped)
		r = fchownat(t->fd, "", (uid_t)-1, (gid_t)-1, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	return r;
}

int posix_setattr(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_file *file,
		  const struct p9_setattr *a)
{
	struct target t = { .p = posix_of(fs), .node = node, .file = file };

	if (node->is_virtual)
		return -EPERM;
	posix_as_caller(t.p, cred);
	t.fd = file ? file->fd : posix_fd(t.p, node);
	if (t.fd < 0)
		return t.fd;
	posix_proc(t.path, t.fd);
	return set_parts(&t, a);
}

int posix_statfs(struct sk_9p_fs *fs, struct sk_9p_node *node, struct p9_statfs *st)
{
	struct posix_fs *p = posix_of(fs);
	struct statfs host;
	int fd = posix_fd(p, node->is_virtual ? p->single : node);

	if (fd < 0)
		return fd;
	if (fstatfs(fd, &host) < 0)
		return -errno;
	st->type = V9FS_MAGIC;
	st->bsize = (uint32_t)host.f_bsize;
	st->blocks = host.f_blocks;
	st->bfree = host.f_bfree;
	st->bavail = host.f_bavail;
	st->files = host.f_files;
	st->ffree = host.f_ffree;
	memcpy(&st->fsid, &host.f_fsid, sizeof(st->fsid));
	st->namelen = P9_NAME_MAX;
	return 0;
}

int posix_readlink(struct sk_9p_fs *fs, struct sk_9p_node *node, char *buf, size_t cap)
{
	int fd = posix_fd(posix_of(fs), node);
	ssize_t n;

	if (fd < 0)
		return fd;
	if (node->type == S_IFREG)
		return posix_keep_readlink(posix_of(fs), node, buf, cap);
	n = readlinkat(fd, "", buf, cap);
	return posix_lx_readlink(posix_of(fs), fd, buf, cap, n < 0 ? -errno : (int)n);
}

/* --- extended attributes */

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* By these the host protects itself: access labels, measurements. */
static bool is_label(const char *name)
{
	return has_prefix(name, "security.selinux") || has_prefix(name, "security.SMACK64") ||
	       has_prefix(name, "security.apparmor") || has_prefix(name, "security.ima") ||
	       has_prefix(name, "security.evm");
}

/* Which attributes the guest gets to see and set: not the host's labels, nor what MAPPED keeps there. */
static bool hidden(const struct posix_fs *p, const char *name)
{
	if (p->c.who == SK_EXPORT_MAPPED && (strcmp(name, SK_OVERRIDE_XATTR) == 0 || has_prefix(name, "user.skerry.")))
		return true;
	/* MAPPED: kept beside the host's own. */
	if (has_prefix(name, "security."))
		return p->c.who == SK_EXPORT_TRUST || p->c.who == SK_EXPORT_MAPPED
			       ? is_label(name)
			       : strcmp(name, "security.capability") != 0;
	return !has_prefix(name, "user.") && !has_prefix(name, "trusted.") && !has_prefix(name, "system.posix_acl_");
}

/* MAPPED: access control lists name users that the host does not know, and trusted.* and security.* are not a plain
 * user's to set; the guest's kernel is the one that looks at them. */
static const struct {
	const char *guest, *host;
} kept_names[] = {
	{ "system.posix_acl_", "user.skerry.posix_acl_" },
	{ "trusted.", "user.skerry.trusted." },
	{ "security.", "user.skerry.security." },
};

/* The name with another beginning, if it begins so. */
static bool rename_attr(const char *name, const char *from, const char *to, char buf[P9_NAME_MAX + 16])
{
	if (!has_prefix(name, from))
		return false;
	snprintf(buf, P9_NAME_MAX + 16, "%s%s", to, name + strlen(from));
	return true;
}

static const char *host_name(const struct posix_fs *p, const char *name, char buf[P9_NAME_MAX + 16])
{
	size_t i;

	for (i = 0; p->c.who == SK_EXPORT_MAPPED && i < SK_ARRAY_SIZE(kept_names); i++)
		if (rename_attr(name, kept_names[i].guest, kept_names[i].host, buf))
			return buf;
	return name;
}

/* The guest's name of an attribute of the host; NULL: not for the guest. */
static const char *guest_name(const struct posix_fs *p, const char *name, char buf[P9_NAME_MAX + 16])
{
	size_t i;

	for (i = 0; p->c.who == SK_EXPORT_MAPPED && i < SK_ARRAY_SIZE(kept_names); i++) {
		if (has_prefix(name, kept_names[i].guest))
			return NULL;
		if (rename_attr(name, kept_names[i].host, kept_names[i].guest, buf))
			return buf;
	}
	return hidden(p, name) ? NULL : name;
}

static int xattr_path(struct posix_fs *p, const struct sk_9p_cred *cred, struct sk_9p_node *node,
		      char path[POSIX_PROC_PATH])
{
	int fd;

	if (node->is_virtual)
		return -EOPNOTSUPP;
	posix_as_caller(p, cred);
	fd = posix_fd(p, node);
	if (fd < 0)
		return fd;
	posix_proc(path, fd);
	return 0;
}

/* The same for an attribute that is there: those that guests do not see are none to them. */
static int known_xattr_path(struct posix_fs *p, const struct sk_9p_cred *cred, struct sk_9p_node *node,
			    const char *name, char path[POSIX_PROC_PATH])
{
	if (hidden(p, name))
		return has_prefix(name, "security.") || has_prefix(name, "user.") ? -ENODATA : -EOPNOTSUPP;
	return xattr_path(p, cred, node, path);
}

int64_t posix_xattr_get(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name,
			void *buf, size_t cap)
{
	struct posix_fs *p = posix_of(fs);
	char path[POSIX_PROC_PATH], scratch[P9_NAME_MAX + 16];
	ssize_t n;
	int r;

	r = known_xattr_path(p, cred, node, name, path);
	if (r < 0)
		return r;
	n = getxattr(path, host_name(p, name, scratch), buf, cap);
	if (n < 0)
		n = -errno;
	if (n == -ENODATA || n == -EOPNOTSUPP)
		n = posix_lx_xattr_get(p, node, name, buf, cap, (int)n);
	return n;
}

int64_t posix_xattr_list(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, char *buf,
			 size_t cap)
{
	struct posix_fs *p = posix_of(fs);
	char path[POSIX_PROC_PATH], *all;
	ssize_t n, at;
	size_t len = 0;
	int r = xattr_path(p, cred, node, path);

	if (r < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	all = malloc(P9_XATTR_SIZE_MAX);
	if (!all)
		return -ENOMEM;
	n = listxattr(path, all, P9_XATTR_SIZE_MAX);
	r = n < 0 ? -errno : 0;
	n = posix_lx_xattr_list(p, node, all, n < 0 ? 0 : (size_t)n, P9_XATTR_SIZE_MAX);
	if (n > 0)
		r = 0;
	for (at = 0; at < n && r == 0; at += (ssize_t)strlen(all + at) + 1) {
		char scratch[P9_NAME_MAX + 16];
		const char *name = guest_name(p, all + at, scratch);
		size_t name_len = name ? strlen(name) + 1 : 0;

		if (cap && name_len > cap - len)
			r = -ERANGE;
		else if (cap && name)
			memcpy(buf + len, name, name_len);
		len += name_len;
	}
	free(all);
	return r < 0 ? (r == -EOPNOTSUPP ? 0 : r) : (int64_t)len;
}

int posix_xattr_set(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name,
		    const void *value, size_t len, uint32_t flags)
{
	struct posix_fs *p = posix_of(fs);
	char path[POSIX_PROC_PATH], scratch[P9_NAME_MAX + 16];
	int f = (flags & P9_XATTR_CREATE ? XATTR_CREATE : 0) | (flags & P9_XATTR_REPLACE ? XATTR_REPLACE : 0);
	int r;

	if (hidden(p, name))
		return has_prefix(name, "security.") || has_prefix(name, "user.") ? -EPERM : -EOPNOTSUPP;
	if (p->c.nosuid && strcmp(name, "security.capability") == 0)
		return -EPERM;
	r = xattr_path(p, cred, node, path);
	if (r < 0)
		return r;
	r = posix_lx_xattr_check(p, node, name, path, f);
	if (r < 0)
		return r;
	if (setxattr(path, host_name(p, name, scratch), value, len, f == XATTR_REPLACE && r > 0 ? 0 : f) < 0)
		return -errno;
	/* The one that is read first is the one that was set. */
	if (r > 0)
		(void)posix_lx_xattr_drop(p, node, name);
	return 0;
}

int posix_xattr_remove(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name)
{
	struct posix_fs *p = posix_of(fs);
	char path[POSIX_PROC_PATH], scratch[P9_NAME_MAX + 16];
	int r;

	r = known_xattr_path(p, cred, node, name, path);
	if (r < 0)
		return r;
	r = removexattr(path, host_name(p, name, scratch)) < 0 ? -errno : 0;
	return posix_lx_xattr_drop(p, node, name) == 0 ? 0 : r;
}
