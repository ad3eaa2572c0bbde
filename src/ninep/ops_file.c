/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of our own extension for what Linux does with files beyond plain 9P2000.L: fallocate, SEEK_DATA and
 * SEEK_HOLE, O_TMPFILE, copy_file_range and clones, inode flags. renameat2 is in ops_name.c.
 */
#include <string.h>

#include "ninep/server_internal.h"

#define COPY_MAX (16u << 20) /* of one request: others wait meanwhile */

/* Finds the fid of an open regular file; with `write`, one that is open for writing. */
static int open_file(struct p9_req *q, uint32_t id, bool write, struct p9_fid **ret_fid)
{
	struct p9_fid *f = p9_fid_find(q->s, id);

	if (!f || f->state != P9_FID_OPEN)
		return -P9_EBADF;
	if (f->accmode == (write ? P9_O_RDONLY : P9_O_WRONLY))
		return -P9_EBADF;
	if (f->qtype & P9_QTDIR)
		return -P9_EISDIR;
	if (write && f->export->readonly)
		return -P9_EROFS;
	*ret_fid = f;
	return 0;
}

/* No overflow, and nothing negative for the host. */
static bool range_ok(uint64_t offset, uint64_t length)
{
	return offset <= INT64_MAX && length <= INT64_MAX - offset;
}

int p9_do_allocate(struct p9_req *q)
{
	uint64_t offset = q->t.u.allocate.offset, length = q->t.u.allocate.length;
	uint32_t mode = q->t.u.allocate.mode;
	const struct sk_9p_fs_ops *ops;
	uint32_t before;
	struct p9_fid *f;
	int r = open_file(q, q->t.u.allocate.fid, true, &f);

	if (r < 0)
		return r;
	if (offset > INT64_MAX || length == 0 || length > INT64_MAX)
		return -P9_EINVAL;
	if (!range_ok(offset, length))
		return -P9_EFBIG;
	ops = f->export->fs->ops;
	if ((mode & ~P9_FALLOC_ALL) || !ops->allocate)
		return -P9_EOPNOTSUPP;
	r = p9_version_of(f, &before);
	if (r == 0)
		r = ops->allocate(f->export->fs, f->file, mode, offset, length);
	return r < 0 ? r : p9_changed(q, f, before);
}

int p9_do_seek(struct p9_req *q)
{
	uint64_t offset = q->t.u.seek.offset;
	uint32_t whence = q->t.u.seek.whence;
	struct p9_fid *f = p9_fid_find(q->s, q->t.u.seek.fid);
	int64_t n;

	if (!f || f->state != P9_FID_OPEN)
		return -P9_EBADF;
	if ((f->qtype & P9_QTDIR) || (whence != P9_SEEK_SET && whence != P9_SEEK_DATA && whence != P9_SEEK_HOLE))
		return -P9_EINVAL;
	if (offset > INT64_MAX)
		return whence == P9_SEEK_SET ? -P9_EFBIG : -P9_ENXIO;
	if (!f->export->fs->ops->seek)
		return -P9_EOPNOTSUPP;
	n = f->export->fs->ops->seek(f->export->fs, f->file, offset, whence);
	if (n < 0)
		return (int)n;
	q->r.u.seek.offset = (uint64_t)n;
	return 0;
}

int p9_do_tmpfile(struct p9_req *q)
{
	uint32_t flags = q->t.u.look.flags & P9_OPEN_FLAGS & ~P9_O_DIRECTORY;
	struct sk_9p_session *s = q->s;
	struct sk_9p_node *node;
	struct sk_9p_file *file;
	struct sk_9p_cred cred;
	struct p9_fid *f;
	struct sk_9p_fs *fs;
	struct p9_qid qid;
	int r = p9_fid_get_for(s, q->t.u.look.fid, true, q->t.u.look.newfid, &f);

	if (r < 0)
		return r;
	if ((flags & P9_O_ACCMODE) != P9_O_WRONLY && (flags & P9_O_ACCMODE) != P9_O_RDWR)
		return -P9_EINVAL;
	if (!(f->qtype & P9_QTDIR))
		return -P9_ENOTDIR;
	fs = f->export->fs;
	if (!fs->ops->tmpfile)
		return -P9_EOPNOTSUPP;
	cred = (struct sk_9p_cred){ f->uid, q->t.u.look.gid };
	r = fs->ops->tmpfile(fs, &cred, f->node, flags, q->t.u.look.mode & 07777, &node, &file, &qid);
	if (r < 0)
		return r;
	return p9_open_found(q, f, node, file, flags, qid.type, 0);
}

int p9_do_copy(struct p9_req *q)
{
	uint64_t length = q->t.u.copy.length;
	bool clone = q->t.u.copy.flags & P9_COPY_CLONE;
	const struct sk_9p_fs_ops *ops;
	struct p9_fid *from, *to;
	uint32_t before;
	int r;
	int64_t n = open_file(q, q->t.u.copy.from, false, &from);

	if (n == 0)
		n = open_file(q, q->t.u.copy.to, true, &to);
	if (n < 0)
		return (int)n;
	if ((q->t.u.copy.flags & ~P9_COPY_ALL) || !range_ok(q->t.u.copy.from_offset, length) ||
	    !range_ok(q->t.u.copy.to_offset, length))
		return -P9_EINVAL;
	if (from->export != to->export)
		return -P9_EXDEV;
	ops = to->export->fs->ops;
	if (!ops->copy)
		return -P9_EOPNOTSUPP;
	if (!clone && length > COPY_MAX)
		length = COPY_MAX;
	n = p9_version_of(to, &before);
	if (n == 0)
		n = ops->copy(to->export->fs, from->file, q->t.u.copy.from_offset, to->file, q->t.u.copy.to_offset,
			      length, clone);
	if (n < 0)
		return (int)n;
	r = p9_changed(q, to, before);
	q->r.u.found.count = (uint32_t)n;
	return r;
}

int p9_do_watch(struct p9_req *q)
{
	struct p9_fid *f;
	int r = p9_fid_get(q->s, q->t.u.flags.fid, &f);

	if (r < 0)
		return r;
	if (!f->export->fs->ops->watch_opens)
		return -P9_EOPNOTSUPP;
	return f->export->fs->ops->watch_opens(f->export->fs, f->node);
}

int p9_do_getflags(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, P9_NONUNAME };
	struct p9_fid *f;
	int r = p9_fid_get(q->s, q->t.u.flags.fid, &f);

	if (r < 0)
		return r;
	if (!f->export->fs->ops->getflags)
		return -P9_EOPNOTSUPP;
	cred.uid = f->uid;
	memset(&q->r.u.flags.f, 0, sizeof(q->r.u.flags.f));
	return f->export->fs->ops->getflags(f->export->fs, &cred, f->node, f->file, &q->r.u.flags.f);
}

int p9_do_setflags(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, P9_NONUNAME };
	uint32_t valid = q->t.u.flags.valid;
	uint32_t before;
	struct p9_fid *f;
	int r = p9_fid_get_rw(q->s, q->t.u.flags.fid, &f);

	if (r < 0)
		return r;
	if (valid != P9_FLAGS_FLAGS && valid != P9_FLAGS_XFLAGS)
		return -P9_EINVAL;
	if (!f->export->fs->ops->setflags)
		return -P9_EOPNOTSUPP;
	cred.uid = f->uid;
	r = p9_version_of(f, &before);
	if (r == 0)
		r = f->export->fs->ops->setflags(f->export->fs, &cred, f->node, f->file, valid, &q->t.u.flags.f);
	return r < 0 ? r : p9_changed(q, f, before);
}
