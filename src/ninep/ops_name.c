/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that makes, moves or removes a name. */
#include <string.h>

#include "ninep/server_internal.h"

int p9_where(struct sk_9p_session *s, uint32_t fid, const struct p9_str *str, struct p9_fid **ret_dir,
	     char ret_name[P9_NAME_MAX + 1])
{
	int r = p9_fid_get_rw(s, fid, ret_dir);

	if (r < 0)
		return r;
	if (!((*ret_dir)->qtype & P9_QTDIR))
		return -P9_ENOTDIR;
	return p9_name(str, ret_name);
}

int p9_do_mkdir(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, q->t.u.mkdir.gid };
	char name[P9_NAME_MAX + 1];
	struct p9_fid *d;
	int r = p9_where(q->s, q->t.u.mkdir.fid, &q->t.u.mkdir.name, &d, name);

	if (r < 0)
		return r;
	cred.uid = d->uid;
	return d->export->fs->ops->mkdir(d->export->fs, &cred, d->node, name, q->t.u.mkdir.mode & 07777, &q->r.u.qid);
}

int p9_do_mknod(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, q->t.u.mknod.gid };
	uint32_t mode = q->t.u.mknod.mode, type = mode & P9_S_IFMT;
	char name[P9_NAME_MAX + 1];
	struct p9_fid *d;
	int r = p9_where(q->s, q->t.u.mknod.fid, &q->t.u.mknod.name, &d, name);

	if (r < 0)
		return r;
	if (type == 0)
		type = P9_S_IFREG;
	if (type == P9_S_IFDIR || type == P9_S_IFLNK)
		return -P9_EPERM;
	if (type != P9_S_IFREG && type != P9_S_IFIFO && type != P9_S_IFSOCK && type != P9_S_IFCHR && type != P9_S_IFBLK)
		return -P9_EINVAL;
	cred.uid = d->uid;
	return d->export->fs->ops->mknod(d->export->fs, &cred, d->node, name, type | (mode & 07777), q->t.u.mknod.major,
					 q->t.u.mknod.minor, &q->r.u.qid);
}

int p9_do_symlink(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, q->t.u.symlink.gid };
	const struct p9_str *target = &q->t.u.symlink.target;
	char name[P9_NAME_MAX + 1], text[P9_PATH_MAX];
	struct p9_fid *d;
	int r = p9_where(q->s, q->t.u.symlink.fid, &q->t.u.symlink.name, &d, name);

	if (r < 0)
		return r;
	if (target->len == 0)
		return -P9_ENOENT;
	if (target->len >= sizeof(text))
		return -P9_ENAMETOOLONG;
	if (memchr(target->p, 0, target->len))
		return -P9_EINVAL;
	memcpy(text, target->p, target->len);
	text[target->len] = 0;
	cred.uid = d->uid;
	return d->export->fs->ops->symlink(d->export->fs, &cred, d->node, name, text, &q->r.u.qid);
}

int p9_do_link(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, P9_NONUNAME };
	char name[P9_NAME_MAX + 1];
	struct p9_fid *d, *f;
	int r = p9_where(q->s, q->t.u.rename.dfid, &q->t.u.rename.name, &d, name);

	if (r == 0)
		r = p9_fid_get(q->s, q->t.u.rename.fid, &f);
	if (r < 0)
		return r;
	if (f->export != d->export)
		return -P9_EXDEV;
	if (f->qtype & P9_QTDIR)
		return -P9_EPERM;
	cred.uid = d->uid;
	return d->export->fs->ops->link(d->export->fs, &cred, f->node, d->node, name);
}

static int renameat_flags(struct p9_req *q, uint32_t flags)
{
	struct sk_9p_cred cred = { 0, P9_NONUNAME };
	char oldname[P9_NAME_MAX + 1], newname[P9_NAME_MAX + 1];
	struct p9_fid *o, *n;
	int r = p9_where(q->s, q->t.u.renameat.oldfid, &q->t.u.renameat.oldname, &o, oldname);

	if (r == 0)
		r = p9_where(q->s, q->t.u.renameat.newfid, &q->t.u.renameat.newname, &n, newname);
	if (r < 0)
		return r;
	if (o->export != n->export)
		return -P9_EXDEV;
	cred.uid = o->uid;
	return o->export->fs->ops->rename(o->export->fs, &cred, o->node, oldname, n->node, newname, flags);
}

int p9_do_renameat(struct p9_req *q)
{
	return renameat_flags(q, 0);
}

int p9_do_renamex(struct p9_req *q)
{
	uint32_t flags = q->t.u.renameat.flags;

	if ((flags & ~P9_RENAME_ALL) ||
	    ((flags & P9_RENAME_EXCHANGE) && (flags & (P9_RENAME_NOREPLACE | P9_RENAME_WHITEOUT))))
		return -P9_EINVAL;
	return renameat_flags(q, flags);
}

int p9_do_rename(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, P9_NONUNAME };
	char oldname[P9_NAME_MAX + 1], newname[P9_NAME_MAX + 1];
	struct sk_9p_node *olddir;
	struct p9_fid *f, *d;
	struct sk_9p_fs *fs;
	int r = p9_where(q->s, q->t.u.rename.dfid, &q->t.u.rename.name, &d, newname);

	if (r == 0)
		r = p9_fid_get(q->s, q->t.u.rename.fid, &f);
	if (r < 0)
		return r;
	if (f->export != d->export)
		return -P9_EXDEV;
	fs = f->export->fs;
	r = fs->ops->place(fs, f->node, &olddir, oldname);
	if (r < 0)
		return r;
	cred.uid = f->uid;
	r = fs->ops->rename(fs, &cred, olddir, oldname, d->node, newname, 0);
	fs->ops->put(fs, olddir);
	return r;
}

int p9_do_unlinkat(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, P9_NONUNAME };
	char name[P9_NAME_MAX + 1];
	struct p9_fid *d;
	int r = p9_where(q->s, q->t.u.unlinkat.fid, &q->t.u.unlinkat.name, &d, name);

	if (r < 0)
		return r;
	if (q->t.u.unlinkat.flags & ~P9_AT_REMOVEDIR)
		return -P9_EINVAL;
	cred.uid = d->uid;
	return d->export->fs->ops->unlink(d->export->fs, &cred, d->node, name, q->t.u.unlinkat.flags & P9_AT_REMOVEDIR);
}

/* Removes the file that the fid stands for, and clunks the fid in any case. */
int p9_do_remove(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, P9_NONUNAME };
	char name[P9_NAME_MAX + 1];
	struct sk_9p_node *dir;
	struct p9_fid *f = p9_fid_find(q->s, q->t.u.fid);
	struct sk_9p_fs *fs;
	int r;

	if (!f)
		return -P9_EBADF;
	r = p9_fid_get_rw(q->s, q->t.u.fid, &f);
	if (r == 0) {
		fs = f->export->fs;
		r = fs->ops->place(fs, f->node, &dir, name);
		if (r == 0) {
			cred.uid = f->uid;
			r = fs->ops->unlink(fs, &cred, dir, name, f->qtype & P9_QTDIR);
			fs->ops->put(fs, dir);
		}
	}
	p9_fid_clunk(q->s, f);
	return r;
}
