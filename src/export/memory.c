/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Inodes are counted by directory entries (nlink), nodes and files (refs); an inode goes when both are none. A
 * directory keeps its entries in the order in which they were made, each with a number that never comes again: the
 * cookie of a listing. A node is (inode, directory, name) as it was found. Host locks are kept byte-exactly for the
 * first 256 bytes and beyond that as one: enough to see whether the server keeps the host in line.
 */
#include "export/memory_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool is_type(const struct inode *i, uint32_t type)
{
	return (i->mode & P9_S_IFMT) == type;
}

static struct p9_qid qid_of(const struct inode *i)
{
	struct p9_qid q = { P9_QTFILE, i->version, i->ino };

	if (is_type(i, P9_S_IFDIR))
		q.type = P9_QTDIR;
	else if (is_type(i, P9_S_IFLNK))
		q.type = P9_QTSYMLINK;
	return q;
}

/* --- inodes */

static int inode_new(struct memfs *m, const struct sk_9p_cred *cred, uint32_t mode, struct inode **ret)
{
	struct inode *i;

	if (m->inodes >= m->limits.inodes)
		return -P9_ENOSPC;
	i = calloc(1, sizeof(*i));
	if (!i)
		return -P9_ENOMEM;
	m->inodes++;
	i->ino = ++m->next_ino;
	i->mode = mode;
	i->uid = cred->uid;
	i->gid = cred->gid == P9_NONUNAME ? 0 : cred->gid;
	i->atime = i->mtime = i->ctime = i->btime = ++m->clock;
	i->version = 1;
	i->entries_end = &i->entries;
	i->next_cookie = 3;
	*ret = i;
	return 0;
}

static void inode_check(struct memfs *m, struct inode *i)
{
	if (i->refs || i->nlink)
		return;
	while (i->xattrs)
		memfs_xattr_free(m, &i->xattrs);
	m->bytes -= i->size;
	m->inodes--;
	free(i->data);
	free(i);
}

static void inode_put(struct memfs *m, struct inode *i)
{
	i->refs--;
	inode_check(m, i);
}

static struct memory_entry **find(struct inode *dir, const char *name)
{
	struct memory_entry **at;

	for (at = &dir->entries; *at; at = &(*at)->next)
		if (strcmp((*at)->name, name) == 0)
			return at;
	return NULL;
}

/* Adds a name for `i` (whose nlink grows). */
static int add_entry(struct memfs *m, struct inode *dir, const char *name, struct inode *i)
{
	struct memory_entry *e;

	if (dir->nlink == 0)
		return -P9_ENOENT;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -P9_ENOMEM;
	strcpy(e->name, name);
	e->inode = i;
	e->cookie = dir->next_cookie++;
	*dir->entries_end = e;
	dir->entries_end = &e->next;
	i->nlink++;
	if (is_type(i, P9_S_IFDIR)) {
		i->parent = dir;
		dir->nlink++;
	}
	memfs_changed(m, dir, true);
	return 0;
}

static void remove_entry(struct memfs *m, struct inode *dir, struct memory_entry **at)
{
	struct memory_entry *e = *at;
	struct inode *i = e->inode;

	*at = e->next;
	if (!*at)
		dir->entries_end = at;
	free(e);
	memfs_changed(m, dir, true);
	memfs_changed(m, i, false);
	i->nlink--;
	if (is_type(i, P9_S_IFDIR)) {
		dir->nlink--;
		i->parent = NULL;
	}
	inode_check(m, i);
}

/* --- nodes */

static int node_new(struct memfs *m, struct inode *i, struct inode *dir, const char *name, struct sk_9p_node **ret)
{
	struct sk_9p_node *n = calloc(1, sizeof(*n));

	if (!n)
		return -P9_ENOMEM;
	n->refs = 1;
	n->inode = i;
	i->refs++;
	n->dir = dir;
	if (dir)
		dir->refs++;
	strcpy(n->name, name);
	m->held++;
	*ret = n;
	return 0;
}

static int mem_root(struct sk_9p_fs *fs, struct sk_9p_node **ret_node, struct p9_qid *ret_qid)
{
	struct memfs *m = memfs_of(fs);

	*ret_qid = qid_of(m->root);
	return node_new(m, m->root, NULL, "", ret_node);
}

static struct sk_9p_node *mem_get(struct sk_9p_fs *fs, struct sk_9p_node *node)
{
	(void)fs;
	node->refs++;
	return node;
}

static void mem_put(struct sk_9p_fs *fs, struct sk_9p_node *node)
{
	struct memfs *m = memfs_of(fs);

	if (--node->refs)
		return;
	inode_put(m, node->inode);
	if (node->dir)
		inode_put(m, node->dir);
	m->held--;
	free(node);
}

static int mem_lookup(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		      struct sk_9p_node **ret_node, struct p9_qid *ret_qid)
{
	struct memory_entry **at;

	(void)cred;
	if (!is_type(dir->inode, P9_S_IFDIR))
		return -P9_ENOTDIR;
	at = find(dir->inode, name);
	if (!at)
		return -P9_ENOENT;
	*ret_qid = qid_of((*at)->inode);
	return node_new(memfs_of(fs), (*at)->inode, dir->inode, name, ret_node);
}

static int mem_parent(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_node **ret_node,
		      struct p9_qid *ret_qid)
{
	struct memfs *m = memfs_of(fs);
	struct inode *up = node->inode->parent ? node->inode->parent : m->root;

	*ret_qid = qid_of(up);
	return node_new(m, up, NULL, "", ret_node);
}

static int mem_place(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_node **ret_dir,
		     char ret_name[P9_NAME_MAX + 1])
{
	if (!node->dir)
		return -P9_EBUSY;
	strcpy(ret_name, node->name);
	return node_new(memfs_of(fs), node->dir, NULL, "", ret_dir);
}

/* --- attributes */

static struct p9_time time_of(uint64_t t)
{
	return (struct p9_time){ t / 1000, t % 1000 * 1000000 };
}

static int mem_getattr(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
		       struct sk_9p_file *file, uint64_t mask, struct p9_attr *a)
{
	const struct inode *i = node->inode;

	(void)fs;
	(void)cred;
	(void)file;
	(void)mask;
	a->valid = P9_GETATTR_BASIC | P9_GETATTR_BTIME;
	a->qid = qid_of(i);
	a->mode = i->mode;
	a->uid = i->uid;
	a->gid = i->gid;
	a->nlink = i->nlink;
	a->rdev = i->rdev;
	a->size = is_type(i, P9_S_IFDIR) ? 4096 : i->size;
	a->blksize = 4096;
	a->blocks = (i->size + 511) / 512;
	a->atime = time_of(i->atime);
	a->mtime = time_of(i->mtime);
	a->ctime = time_of(i->ctime);
	a->btime = time_of(i->btime);
	a->gen = i->btime;
	return 0;
}

static void drop_suid(struct inode *i)
{
	i->mode &= ~P9_S_ISUID;
	if (i->mode & 010)
		i->mode &= ~P9_S_ISGID;
}

static uint64_t clock_of(const struct p9_time *t)
{
	return t->sec * 1000 + t->nsec / 1000000;
}

static int mem_setattr(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
		       struct sk_9p_file *file, const struct p9_setattr *a)
{
	struct memfs *m = memfs_of(fs);
	struct inode *i = node->inode;
	int r = 0;

	(void)cred;
	(void)file;
	if (a->valid & P9_SETATTR_SIZE) {
		if (!is_type(i, P9_S_IFREG))
			return is_type(i, P9_S_IFDIR) ? -P9_EISDIR : -P9_EINVAL;
		r = memfs_resize(m, i, a->size);
		if (r < 0)
			return r;
		drop_suid(i);
	}
	if (a->valid & P9_SETATTR_UID)
		i->uid = a->uid;
	if (a->valid & P9_SETATTR_GID)
		i->gid = a->gid;
	if ((a->valid & (P9_SETATTR_UID | P9_SETATTR_GID)) && is_type(i, P9_S_IFREG))
		drop_suid(i);
	if (a->valid & P9_SETATTR_MODE)
		i->mode = (i->mode & P9_S_IFMT) | (a->mode & 07777);
	memfs_changed(m, i, a->valid & P9_SETATTR_SIZE);
	if (a->valid & P9_SETATTR_ATIME)
		i->atime = a->valid & P9_SETATTR_ATIME_SET ? clock_of(&a->atime) : i->ctime;
	if (a->valid & P9_SETATTR_MTIME)
		i->mtime = a->valid & P9_SETATTR_MTIME_SET ? clock_of(&a->mtime) : i->ctime;
	return 0;
}

static int mem_statfs(struct sk_9p_fs *fs, struct sk_9p_node *node, struct p9_statfs *st)
{
	struct memfs *m = memfs_of(fs);

	(void)node;
	st->type = 0x01021997;
	st->bsize = 4096;
	st->blocks = m->limits.bytes / 4096;
	st->bfree = st->bavail = (m->limits.bytes - m->bytes) / 4096;
	st->files = m->limits.inodes;
	st->ffree = m->limits.inodes - m->inodes;
	st->namelen = P9_NAME_MAX;
	return 0;
}

static int mem_readlink(struct sk_9p_fs *fs, struct sk_9p_node *node, char *buf, size_t cap)
{
	const struct inode *i = node->inode;
	size_t n = i->size < cap ? i->size : cap;

	(void)fs;
	if (!is_type(i, P9_S_IFLNK))
		return -P9_EINVAL;
	memcpy(buf, i->data, n);
	return (int)n;
}

/* --- files */

static int mem_open(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, uint32_t flags,
		    struct sk_9p_file **ret_file, struct p9_qid *ret_qid)
{
	struct memfs *m = memfs_of(fs);
	struct inode *i = node->inode;
	struct sk_9p_file *f;

	(void)cred;
	if (!is_type(i, P9_S_IFREG) && !is_type(i, P9_S_IFDIR))
		return -P9_ENXIO;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -P9_ENOMEM;
	if (flags & P9_O_TRUNC) {
		memfs_resize(m, i, 0);
		memfs_changed(m, i, true);
	}
	f->inode = i;
	f->flags = flags;
	i->refs++;
	m->held++;
	*ret_file = f;
	*ret_qid = qid_of(i);
	return 0;
}

/* A new inode under a name; on failure nothing is left. */
static int make(struct memfs *m, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name, uint32_t mode,
		struct inode **ret)
{
	int r;

	if (!is_type(dir->inode, P9_S_IFDIR))
		return -P9_ENOTDIR;
	if (find(dir->inode, name))
		return -P9_EEXIST;
	r = inode_new(m, cred, mode, ret);
	if (r < 0)
		return r;
	if ((mode & P9_S_IFMT) == P9_S_IFDIR)
		(*ret)->nlink = 1; /* its own "." */
	r = add_entry(m, dir->inode, name, *ret);
	if (r < 0) {
		(*ret)->nlink = 0;
		inode_check(m, *ret);
	}
	return r;
}

static int mem_create(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		      uint32_t flags, uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file,
		      struct p9_qid *ret_qid)
{
	struct memfs *m = memfs_of(fs);
	struct inode *i;
	int r = make(m, cred, dir, name, P9_S_IFREG | mode, &i);

	if (r == -P9_EEXIST && (flags & P9_O_EXCL))
		return r;
	if (r < 0 && r != -P9_EEXIST)
		return r;
	r = mem_lookup(fs, cred, dir, name, ret_node, ret_qid);
	if (r < 0)
		return r;
	r = mem_open(fs, cred, *ret_node, flags, ret_file, ret_qid);
	if (r < 0)
		mem_put(fs, *ret_node);
	return r;
}

static void mem_close(struct sk_9p_fs *fs, struct sk_9p_file *file)
{
	struct memfs *m = memfs_of(fs);

	inode_put(m, file->inode);
	m->held--;
	free(file);
}

static int64_t mem_read(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset)
{
	const struct inode *i = file->inode;

	(void)fs;
	if (offset >= i->size)
		return 0;
	return (int64_t)sk_iov_put(iov, n, 0, i->data + offset, i->size - (size_t)offset);
}

static int64_t mem_write(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset)
{
	struct memfs *m = memfs_of(fs);
	struct inode *i = file->inode;
	size_t len = sk_iov_len(iov, n);
	int r;

	if (m->fail_after && --m->fail_after == 0)
		return -m->fail_error;
	if ((file->flags & P9_O_APPEND) || offset == SK_9P_APPEND)
		offset = i->size;
	if (offset > m->limits.bytes || len > m->limits.bytes - offset)
		return -P9_ENOSPC;
	if (offset + len > i->size) {
		r = memfs_resize(m, i, offset + len);
		if (r < 0)
			return r;
	}
	sk_iov_get(iov, n, 0, i->data + offset, len);
	drop_suid(i);
	memfs_changed(m, i, true);
	return (int64_t)len;
}

static int mem_fsync(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, bool datasync)
{
	(void)fs;
	(void)node;
	(void)file;
	(void)datasync;
	return 0;
}

static uint8_t dtype(const struct inode *i)
{
	return (uint8_t)((i->mode & P9_S_IFMT) >> 12);
}

static int mem_readdir(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, uint64_t offset,
		       bool exact, sk_9p_emit emit, void *arg)
{
	struct memfs *m = memfs_of(fs);
	struct inode *d = file->inode, *up = d->parent ? d->parent : m->root;
	struct p9_qid qid = qid_of(d);
	const struct memory_entry *e;

	(void)node;
	(void)exact;
	if (offset < 1 && !emit(arg, &qid, 1, P9_DT_DIR, ".", 1))
		return 0;
	qid = qid_of(up);
	if (offset < 2 && !emit(arg, &qid, 2, P9_DT_DIR, "..", 2))
		return 0;
	for (e = d->entries; e; e = e->next) {
		if (e->cookie <= offset)
			continue;
		qid = qid_of(e->inode);
		if (!emit(arg, &qid, e->cookie, dtype(e->inode), e->name, strlen(e->name)))
			break;
	}
	return 0;
}

/* --- names */

static int mem_mkdir(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		     uint32_t mode, struct p9_qid *ret_qid)
{
	struct inode *i;
	int r = make(memfs_of(fs), cred, dir, name, P9_S_IFDIR | mode, &i);

	if (r == 0)
		*ret_qid = qid_of(i);
	return r;
}

static int mem_mknod(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		     uint32_t mode, uint32_t major, uint32_t minor, struct p9_qid *ret_qid)
{
	struct inode *i;
	int r = make(memfs_of(fs), cred, dir, name, mode, &i);

	if (r < 0)
		return r;
	if (is_type(i, P9_S_IFCHR) || is_type(i, P9_S_IFBLK))
		i->rdev = (minor & 0xff) | (uint64_t)(major & 0xfff) << 8 | (uint64_t)(minor & ~0xffu) << 12;
	*ret_qid = qid_of(i);
	return 0;
}

static int mem_symlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		       const char *target, struct p9_qid *ret_qid)
{
	struct memfs *m = memfs_of(fs);
	struct inode *i;
	int r = make(m, cred, dir, name, P9_S_IFLNK | 0777, &i);

	if (r < 0)
		return r;
	r = memfs_resize(m, i, strlen(target));
	if (r < 0) {
		remove_entry(m, dir->inode, find(dir->inode, name));
		return r;
	}
	memcpy(i->data, target, strlen(target));
	*ret_qid = qid_of(i);
	return 0;
}

static int mem_link(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, struct sk_9p_node *dir,
		    const char *name)
{
	struct memfs *m = memfs_of(fs);
	int r;

	(void)cred;
	if (node->inode->nlink == 0)
		return -P9_ENOENT;
	if (find(dir->inode, name))
		return -P9_EEXIST;
	r = add_entry(m, dir->inode, name, node->inode);
	if (r == 0)
		memfs_changed(m, node->inode, false);
	return r;
}

static int may_remove(const struct inode *i, bool rmdir)
{
	if (rmdir && !is_type(i, P9_S_IFDIR))
		return -P9_ENOTDIR;
	if (!rmdir && is_type(i, P9_S_IFDIR))
		return -P9_EISDIR;
	return i->entries ? -P9_ENOTEMPTY : 0;
}

static void remove_name(struct memfs *m, struct inode *dir, struct memory_entry **at)
{
	struct inode *i = (*at)->inode;

	if (is_type(i, P9_S_IFDIR))
		i->nlink--; /* "." */
	remove_entry(m, dir, at);
}

static int mem_unlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		      bool rmdir)
{
	struct memory_entry **at = find(dir->inode, name);
	int r;

	(void)cred;
	if (!at)
		return -P9_ENOENT;
	r = may_remove((*at)->inode, rmdir);
	if (r == 0)
		remove_name(memfs_of(fs), dir->inode, at);
	return r;
}

static bool is_below(const struct inode *dir, const struct inode *top)
{
	for (; dir; dir = dir->parent)
		if (dir == top)
			return true;
	return false;
}

static int mem_rename(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *olddir,
		      const char *oldname, struct sk_9p_node *newdir, const char *newname, uint32_t flags)
{
	struct memfs *m = memfs_of(fs);
	struct memory_entry **from = find(olddir->inode, oldname), **to = find(newdir->inode, newname);
	struct inode *i;
	int r;

	(void)cred;
	if (flags & ~P9_RENAME_NOREPLACE)
		return -P9_EINVAL;
	if (!from)
		return -P9_ENOENT;
	if (to && (flags & P9_RENAME_NOREPLACE))
		return -P9_EEXIST;
	i = (*from)->inode;
	if (is_type(i, P9_S_IFDIR) && is_below(newdir->inode, i))
		return -P9_EINVAL;
	if (to && (*to)->inode == i)
		return 0;
	if (to) {
		r = may_remove((*to)->inode, is_type(i, P9_S_IFDIR));
		if (r < 0)
			return r;
	}
	i->refs++;
	r = add_entry(m, newdir->inode, newname, i);
	if (r == 0) {
		/* The old entry of that name comes first in the list: find() found it, not the new one. */
		if (to)
			remove_name(m, newdir->inode, find(newdir->inode, newname));
		remove_entry(m, olddir->inode, find(olddir->inode, oldname));
		if (is_type(i, P9_S_IFDIR))
			i->parent = newdir->inode;
	}
	inode_put(m, i);
	return r;
}

static const struct sk_9p_fs_ops ops = {
	.root = mem_root,
	.get = mem_get,
	.put = mem_put,
	.lookup = mem_lookup,
	.parent = mem_parent,
	.place = mem_place,
	.getattr = mem_getattr,
	.setattr = mem_setattr,
	.statfs = mem_statfs,
	.readlink = mem_readlink,
	.open = mem_open,
	.create = mem_create,
	.close = mem_close,
	.read = mem_read,
	.write = mem_write,
	.fsync = mem_fsync,
	.readdir = mem_readdir,
	.mkdir = mem_mkdir,
	.mknod = mem_mknod,
	.symlink = mem_symlink,
	.link = mem_link,
	.unlink = mem_unlink,
	.rename = mem_rename,
	.allocate = mem_allocate,
	.seek = mem_seek,
	.xattr_get = mem_xattr_get,
	.xattr_list = mem_xattr_list,
	.xattr_set = mem_xattr_set,
	.xattr_remove = mem_xattr_remove,
	.lock_key = mem_lock_key,
	.lock_new = mem_lock_new,
	.lock_free = mem_lock_free,
	.lock_set = mem_lock_set,
	.lock_test = mem_lock_test,
};

int sk_memfs_new(const struct sk_memfs_limits *limits, struct sk_9p_fs **ret_fs)
{
	struct memfs *m = calloc(1, sizeof(*m));
	struct sk_9p_cred cred = { 0, 0 };
	int r;

	if (!m)
		return -P9_ENOMEM;
	m->fs.ops = &ops;
	m->limits = *limits;
	m->foreign_type = P9_LOCK_UNLCK;
	r = inode_new(m, &cred, P9_S_IFDIR | 0755, &m->root);
	if (r < 0) {
		free(m);
		return r;
	}
	m->root->nlink = 2;
	*ret_fs = &m->fs;
	return 0;
}

void sk_memfs_free(struct sk_9p_fs *fs)
{
	struct memfs *m = fs ? memfs_of(fs) : NULL;
	struct inode *dir;

	if (!m)
		return;
	assert(m->held == 0 && !m->locks);
	/* Always the deepest first entry: no recursion. */
	for (dir = m->root; dir;) {
		if (dir->entries && is_type(dir->entries->inode, P9_S_IFDIR) && dir->entries->inode->entries) {
			dir = dir->entries->inode;
			continue;
		}
		if (dir->entries) {
			remove_name(m, dir, &dir->entries);
			continue;
		}
		dir = dir->parent;
	}
	m->root->nlink = 0;
	inode_check(m, m->root);
	assert(m->inodes == 0 && m->bytes == 0);
	free(m);
}

void sk_memfs_fail_write(struct sk_9p_fs *fs, unsigned n, int error)
{
	memfs_of(fs)->fail_after = n;
	memfs_of(fs)->fail_error = error;
}
