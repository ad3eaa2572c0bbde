/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes, extended attributes, link targets, statfs. */
#include <stdlib.h>
#include <string.h>

#include "ninep/server_internal.h"

int p9_do_getattr(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, P9_NONUNAME };
	struct p9_fid *f;
	int r = p9_fid_get(q->s, q->t.u.getattr.fid, &f);

	if (r < 0)
		return r;
	cred.uid = f->uid;
	memset(&q->r.u.attr, 0, sizeof(q->r.u.attr));
	r = f->export->fs->ops->getattr(f->export->fs, &cred, f->node, f->file, q->t.u.getattr.mask, &q->r.u.attr);
	p9_stamp(q->s, &q->r.u.attr);
	return r;
}

int p9_do_setattr(struct p9_req *q)
{
	const struct p9_setattr *a = &q->t.u.setattr;
	struct sk_9p_cred cred = { 0, P9_NONUNAME };
	struct p9_fid *f;
	int r = p9_fid_get_rw(q->s, a->fid, &f);

	if (r < 0)
		return r;
	if ((a->valid & P9_SETATTR_SIZE) && a->size > INT64_MAX)
		return -P9_EFBIG;
	if (((a->valid & P9_SETATTR_ATIME_SET) && a->atime.nsec > 999999999) ||
	    ((a->valid & P9_SETATTR_MTIME_SET) && a->mtime.nsec > 999999999))
		return -P9_EINVAL;
	cred.uid = f->uid;
	return f->export->fs->ops->setattr(f->export->fs, &cred, f->node, f->file, a);
}

int p9_do_statfs(struct p9_req *q)
{
	struct p9_fid *f;
	int r = p9_fid_get(q->s, q->t.u.fid, &f);

	if (r < 0)
		return r;
	memset(&q->r.u.statfs, 0, sizeof(q->r.u.statfs));
	return f->export->fs->ops->statfs(f->export->fs, f->node, &q->r.u.statfs);
}

int p9_do_readlink(struct p9_req *q)
{
	struct p9_fid *f;
	int r = p9_fid_get(q->s, q->t.u.fid, &f);

	if (r < 0)
		return r;
	if (!(f->qtype & P9_QTSYMLINK))
		return -P9_EINVAL;
	r = f->export->fs->ops->readlink(f->export->fs, f->node, (char *)q->text, P9_RREADLINK_MAX);
	if (r < 0)
		return r;
	q->r.u.target.p = (char *)q->text;
	q->r.u.target.len = (uint16_t)r;
	return 0;
}

/* An attribute's name has other rules than a file's: any bytes but NUL. */
static int xattr_name(const struct p9_str *s, char ret_name[P9_NAME_MAX + 1])
{
	if (s->len > P9_NAME_MAX)
		return -P9_ERANGE;
	if (memchr(s->p, 0, s->len))
		return -P9_EINVAL;
	memcpy(ret_name, s->p, s->len);
	ret_name[s->len] = 0;
	return 0;
}

/* Clients turn other errors of a fetched ACL into EIO of the whole lookup. */
static int acl_errno(const char *name, int r)
{
	if (strncmp(name, "system.posix_acl_", 17) != 0)
		return r;
	return r == -P9_ENODATA || r == -P9_ENOSYS || r == -P9_EOPNOTSUPP || r == -P9_EIO || r == -P9_ENOMEM
		       ? r
		       : -P9_ENODATA;
}

static int64_t fetch(struct p9_fid *f, const char *name, void *buf, size_t cap)
{
	struct sk_9p_fs *fs = f->export->fs;
	struct sk_9p_cred cred = { f->uid, P9_NONUNAME };

	return *name ? fs->ops->xattr_get(fs, &cred, f->node, name, buf, cap)
		     : fs->ops->xattr_list(fs, &cred, f->node, buf, cap);
}

/* Reads the value (or the list, without a name) into memory of its own. */
static int load_xattr(struct p9_req *q, struct p9_fid *f, const char *name, struct p9_xattr **ret_xattr)
{
	struct p9_xattr *x;
	uint8_t *buf = q->text; /* most are small */
	int64_t n = fetch(f, name, buf, P9_RREADLINK_MAX);

	if (n == -P9_ERANGE) {
		buf = malloc(P9_XATTR_SIZE_MAX);
		n = buf ? fetch(f, name, buf, P9_XATTR_SIZE_MAX) : -P9_ENOMEM;
	}
	if (n >= 0 && q->s->xattr_bytes + (size_t)n > P9_XATTR_BYTES_MAX)
		n = -P9_ENOMEM;
	x = n >= 0 ? calloc(1, sizeof(*x)) : NULL;
	if (x) {
		x->size = (size_t)n;
		x->value = malloc(x->size ? x->size : 1);
		if (x->value)
			memcpy(x->value, buf, x->size);
	}
	if (buf != q->text)
		free(buf);
	if (n < 0)
		return (int)n;
	if (!x || !x->value) {
		free(x);
		return -P9_ENOMEM;
	}
	*ret_xattr = x;
	return 0;
}

int p9_do_xattrwalk(struct p9_req *q)
{
	struct sk_9p_session *s = q->s;
	char name[P9_NAME_MAX + 1];
	struct p9_fid *f, *to;
	struct p9_xattr *x = NULL;
	int r = p9_fid_get(s, q->t.u.xattrwalk.fid, &f);

	if (r == 0)
		r = xattr_name(&q->t.u.xattrwalk.name, name);
	if (r < 0)
		return r;
	if (p9_fid_find(s, q->t.u.xattrwalk.newfid))
		return -P9_EBADF;
	r = load_xattr(q, f, name, &x);
	if (r < 0)
		return acl_errno(name, r);
	r = p9_fid_new(s, q->t.u.xattrwalk.newfid, &to);
	if (r < 0) {
		free(x->value);
		free(x);
		return r;
	}
	s->xattr_bytes += x->size;
	to->state = P9_FID_XATTR_READ;
	to->u.xattr = x;
	to->uid = f->uid;
	to->export = f->export;
	q->r.u.size = x->size;
	return 0;
}

int p9_do_xattrcreate(struct p9_req *q)
{
	struct sk_9p_session *s = q->s;
	uint64_t size = q->t.u.xattrcreate.size;
	uint32_t known = P9_XATTR_CREATE | P9_XATTR_REPLACE | (s->ext ? P9_XATTR_FLAG_EMPTY : 0u);
	struct p9_xattr *x;
	struct p9_fid *f;
	int r = p9_fid_get_rw(s, q->t.u.xattrcreate.fid, &f);

	if (r < 0)
		return r;
	if (f->state != P9_FID_PATH || (q->t.u.xattrcreate.flags & ~known))
		return -P9_EINVAL;
	if (size > P9_XATTR_SIZE_MAX)
		return -P9_E2BIG;
	if (s->xattr_bytes + size > P9_XATTR_BYTES_MAX)
		return -P9_ENOMEM;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -P9_ENOMEM;
	r = q->t.u.xattrcreate.name.len ? xattr_name(&q->t.u.xattrcreate.name, x->name) : -P9_ERANGE;
	x->value = calloc(1, size ? size : 1);
	if (r == 0 && !x->value)
		r = -P9_ENOMEM;
	if (r < 0) {
		free(x->value);
		free(x);
		return r;
	}
	x->size = size;
	x->flags = q->t.u.xattrcreate.flags;
	s->xattr_bytes += size;
	f->state = P9_FID_XATTR_WRITE;
	f->u.xattr = x;
	return 0;
}
