/* SPDX-License-Identifier: Apache-2.0 */
/* Open, create, read, write, list, sync. */
#include <stdlib.h>
#include <string.h>

#include "ninep/server_internal.h"

static bool wants_write(uint32_t flags)
{
	return (flags & P9_O_ACCMODE) != P9_O_RDONLY || (flags & P9_O_TRUNC);
}

static void opened(struct p9_req *q, struct p9_fid *f, struct sk_9p_file *file, const struct p9_qid *qid,
		   uint32_t flags)
{
	f->state = P9_FID_OPEN;
	f->file = file;
	f->qtype = qid->type;
	f->accmode = (uint8_t)(flags & P9_O_ACCMODE);
	q->r.u.ropen.qid = *qid;
	q->r.u.ropen.iounit = 0; /* whatever msize takes */
}

int p9_do_lopen(struct p9_req *q)
{
	uint32_t flags = q->t.u.lopen.flags & P9_OPEN_FLAGS & ~P9_O_EXCL;
	struct sk_9p_cred cred = { 0, P9_NONUNAME };
	struct sk_9p_file *file;
	struct p9_qid qid;
	struct p9_fid *f;
	int r = p9_fid_get(q->s, q->t.u.lopen.fid, &f);

	if (r < 0)
		return r;
	if (f->state != P9_FID_PATH || (flags & P9_O_ACCMODE) == P9_O_ACCMODE)
		return -P9_EINVAL;
	if ((f->qtype & P9_QTDIR) && wants_write(flags))
		return -P9_EISDIR;
	if (!(f->qtype & P9_QTDIR) && (flags & P9_O_DIRECTORY))
		return -P9_ENOTDIR;
	if (f->qtype & P9_QTSYMLINK)
		return -P9_ELOOP;
	if (wants_write(flags) && f->export->readonly)
		return -P9_EROFS;
	cred.uid = f->uid;
	r = f->export->fs->ops->open(f->export->fs, &cred, f->node, flags, &file, &qid);
	if (r < 0)
		return r;
	opened(q, f, file, &qid, flags);
	return 0;
}

int p9_do_lcreate(struct p9_req *q)
{
	uint32_t flags = q->t.u.lcreate.flags & P9_OPEN_FLAGS;
	struct sk_9p_cred cred = { 0, q->t.u.lcreate.gid };
	char name[P9_NAME_MAX + 1];
	struct sk_9p_node *node;
	struct sk_9p_file *file;
	struct sk_9p_fs *fs;
	struct p9_qid qid;
	struct p9_fid *f;
	int r = p9_fid_get_rw(q->s, q->t.u.lcreate.fid, &f);

	if (r < 0)
		return r;
	if (f->state != P9_FID_PATH || (flags & P9_O_ACCMODE) == P9_O_ACCMODE)
		return -P9_EINVAL;
	if (!(f->qtype & P9_QTDIR))
		return -P9_ENOTDIR;
	r = p9_name(&q->t.u.lcreate.name, name);
	if (r < 0)
		return r;
	fs = f->export->fs;
	cred.uid = f->uid;
	r = fs->ops->create(fs, &cred, f->node, name, flags, q->t.u.lcreate.mode & 07777, &node, &file, &qid);
	if (r < 0)
		return r;
	fs->ops->put(fs, f->node);
	f->node = node;
	opened(q, f, file, &qid, flags);
	return 0;
}

uint32_t p9_data_room(const struct p9_req *q, uint32_t want)
{
	size_t room = q->in_len < P9_RREAD_HEADER ? 0 : q->in_len - P9_RREAD_HEADER;

	if (room > q->s->msize - P9_RREAD_HEADER)
		room = q->s->msize - P9_RREAD_HEADER;
	return want < room ? want : (uint32_t)room;
}

/* Reads from bytes held in memory. */
static int64_t read_memory(struct p9_req *q, const uint8_t *p, size_t size, uint64_t offset, uint32_t count)
{
	if (offset >= size)
		return 0;
	if (count > size - offset)
		count = (uint32_t)(size - offset);
	return (int64_t)sk_iov_put(q->in, q->n_in, P9_RREAD_HEADER, p + offset, count);
}

static int64_t read_auth(struct p9_req *q, struct p9_fid *f, uint32_t count)
{
	uint8_t buf[256];
	int n = q->s->c.auth->read(f->u.auth, q->t.u.read.offset, buf, count < sizeof(buf) ? count : sizeof(buf));

	return n < 0 ? n : read_memory(q, buf, (size_t)n, 0, (uint32_t)n);
}

int p9_do_read(struct p9_req *q)
{
	uint32_t count = p9_data_room(q, q->t.u.read.count);
	uint64_t offset = q->t.u.read.offset;
	struct p9_fid *f = p9_fid_find(q->s, q->t.u.read.fid);
	int64_t n;

	if (!f)
		return -P9_EBADF;
	if (f->state == P9_FID_XATTR_READ) {
		n = read_memory(q, f->u.xattr->value, f->u.xattr->size, offset, count);
	} else if (f->state == P9_FID_AUTH) {
		n = read_auth(q, f, count);
	} else if (f->state == P9_FID_SOCKET) {
		n = p9_socket_read(q, f, count);
	} else if (f->state != P9_FID_OPEN || f->accmode == P9_O_WRONLY) {
		n = -P9_EBADF;
	} else if (f->qtype & P9_QTDIR) {
		n = -P9_EISDIR;
	} else if (offset > INT64_MAX || count > INT64_MAX - offset) {
		n = -P9_EINVAL;
	} else if (count == 0) {
		n = 0;
	} else {
		struct sk_iov *in = q->in;
		unsigned n_in = sk_iov_cut(&in, q->n_in, P9_RREAD_HEADER, count);

		n = f->export->fs->ops->read(f->export->fs, f->file, in, n_in, offset);
	}
	if (n < 0)
		return (int)n;
	q->r.u.data.p = NULL;
	q->r.u.data.count = (uint32_t)n;
	return 0;
}

/* Collects the value of an extended attribute, or a client's proof of its identity. */
static int64_t write_memory(struct p9_req *q, struct p9_fid *f, uint32_t count)
{
	uint64_t offset = q->t.u.write.offset;
	uint8_t buf[256];
	struct p9_xattr *x;

	if (f->state == P9_FID_AUTH) {
		if (count > sizeof(buf))
			return -P9_EMSGSIZE;
		sk_iov_get(q->out, q->n_out, P9_TWRITE_HEADER, buf, count);
		return q->s->c.auth->write(f->u.auth, offset, buf, count);
	}
	x = f->u.xattr;
	if (offset != x->written || count > x->size - x->written)
		return -P9_EINVAL;
	sk_iov_get(q->out, q->n_out, P9_TWRITE_HEADER, x->value + x->written, count);
	x->written += count;
	return count;
}

int p9_do_write(struct p9_req *q)
{
	uint32_t count = q->t.u.write.data.count;
	uint64_t offset = q->t.u.write.offset;
	struct p9_fid *f = p9_fid_find(q->s, q->t.u.write.fid);
	int64_t n;

	if (!f)
		return -P9_EBADF;
	if (f->state == P9_FID_XATTR_WRITE || f->state == P9_FID_AUTH) {
		n = write_memory(q, f, count);
	} else if (f->state == P9_FID_SOCKET) {
		n = p9_socket_write(q, f, count);
	} else if (f->state != P9_FID_OPEN || f->accmode == P9_O_RDONLY) {
		n = -P9_EBADF;
	} else if (!(q->t.type == P9_TWRITEX && offset == SK_9P_APPEND) &&
		   (offset > INT64_MAX || count > INT64_MAX - offset)) {
		n = -P9_EFBIG;
	} else if (count == 0) {
		n = 0;
	} else {
		struct sk_iov *out = q->out;
		unsigned n_out = sk_iov_cut(&out, q->n_out, P9_TWRITE_HEADER, count);

		n = f->export->fs->ops->write(f->export->fs, f->file, out, n_out, offset);
		/* The client would ask again for ever. */
		if (n == 0)
			n = -P9_EIO;
	}
	if (n < 0)
		return (int)n;
	q->r.u.count = (uint32_t)n;
	return 0;
}

struct directory_listing {
	uint8_t *p;
	size_t cap, len;
	bool full;
};

static bool emit(void *arg, const struct p9_qid *qid, uint64_t offset, uint8_t type, const char *name, size_t len)
{
	struct directory_listing *l = arg;
	size_t n;

	/* Clients give up the whole listing over such a name. */
	if (len == 0 || len > P9_NAME_MAX)
		return true;
	n = p9_put_dirent(l->p + l->len, l->cap - l->len, qid, offset, type, name, len);
	l->len += n;
	l->full = n == 0;
	return n != 0;
}

uint8_t *p9_scratch(struct sk_9p_session *s, uint32_t size)
{
	if (s->scratch_size < size) {
		free(s->scratch);
		s->scratch = malloc(size);
		s->scratch_size = s->scratch ? size : 0;
	}
	return s->scratch;
}

int p9_do_readdir(struct p9_req *q)
{
	struct sk_9p_session *s = q->s;
	struct directory_listing l = { .cap = p9_data_room(q, q->t.u.read.count) };
	struct sk_9p_fs *fs;
	struct p9_fid *f;
	int r = p9_fid_get(s, q->t.u.read.fid, &f);

	if (r < 0)
		return r;
	if (f->state != P9_FID_OPEN)
		return -P9_EBADF;
	if (!(f->qtype & P9_QTDIR))
		return -P9_ENOTDIR;
	if (l.cap == 0)
		return -P9_EINVAL;
	l.p = p9_scratch(s, (uint32_t)l.cap);
	if (!l.p)
		return -P9_ENOMEM;
	fs = f->export->fs;
	r = fs->ops->readdir(fs, f->node, f->file, q->t.u.read.offset, true, emit, &l);
	if (r < 0 && l.len == 0)
		return r;
	if (l.full && l.len == 0)
		return -P9_EINVAL; /* not even one entry fits */
	sk_iov_put(q->in, q->n_in, P9_RREAD_HEADER, l.p, l.len);
	q->r.u.data.p = NULL;
	q->r.u.data.count = (uint32_t)l.len;
	return 0;
}

int p9_do_fsync(struct p9_req *q)
{
	struct p9_fid *f;
	int r = p9_fid_get(q->s, q->t.u.fsync.fid, &f);

	if (r < 0)
		return r;
	return f->export->fs->ops->fsync(f->export->fs, f->node, f->file, q->t.u.fsync.datasync & 1);
}
