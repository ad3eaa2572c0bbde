/* SPDX-License-Identifier: Apache-2.0 */
/* Version, authentication, attach, walk, flush, clunk. */
#include <stdlib.h>
#include <string.h>

#include "ninep/server_internal.h"

static bool str_is(const struct p9_str *s, const char *text)
{
	return s->len == strlen(text) && memcmp(s->p, text, s->len) == 0;
}

int p9_do_version(struct p9_req *q)
{
	struct sk_9p_session *s = q->s;
	uint32_t msize = q->t.u.version.msize;

	if (msize < P9_MSIZE_MIN)
		return -P9_EINVAL;
	sk_9p_session_reset(s, true);
	if (msize > s->c.msize)
		msize = s->c.msize;
	s->ext = s->c.ext && str_is(&q->t.u.version.version, P9_VERSION_EXT);
	s->ready = s->ext || str_is(&q->t.u.version.version, P9_VERSION);
	s->msize = msize;
	q->r.u.version.msize = msize;
	q->r.u.version.version.p = s->ext ? P9_VERSION_EXT : s->ready ? P9_VERSION : "unknown";
	q->r.u.version.version.len = (uint16_t)strlen(q->r.u.version.version.p);
	return 0;
}

int p9_do_auth(struct p9_req *q)
{
	struct sk_9p_session *s = q->s;
	struct p9_fid *f;
	void *exchange;
	int r;

	if (!s->c.auth)
		return -P9_EOPNOTSUPP;
	r = s->c.auth->begin(s->c.auth_arg, q->t.u.attach.uname, q->t.u.attach.aname, q->t.u.attach.n_uname, &exchange);
	if (r < 0)
		return r;
	r = p9_fid_new(s, q->t.u.attach.afid, &f);
	if (r < 0) {
		s->c.auth->end(exchange);
		return r;
	}
	f->state = P9_FID_AUTH;
	f->u.auth = exchange;
	q->r.u.qid = (struct p9_qid){ P9_QTAUTH, 1, q->t.u.attach.afid };
	return 0;
}

static int check_auth(struct p9_req *q)
{
	struct sk_9p_session *s = q->s;
	struct p9_fid *f;

	if (!s->c.auth)
		return q->t.u.attach.afid == P9_NOFID ? 0 : -P9_EINVAL;
	f = p9_fid_find(s, q->t.u.attach.afid);
	if (f && f->state == P9_FID_AUTH &&
	    s->c.auth->passed(f->u.auth, q->t.u.attach.uname, q->t.u.attach.aname, q->t.u.attach.n_uname))
		return 0;
	if (++s->auth_failures > P9_AUTH_TRIES)
		s->dead = true;
	return -P9_EACCES;
}

/* The next component of a path: skips slashes; false at the end. */
static bool next_component(struct p9_str *path, struct p9_str *ret)
{
	while (path->len && *path->p == '/') {
		path->p++;
		path->len--;
	}
	if (!path->len)
		return false;
	ret->p = path->p;
	ret->len = 0;
	while (path->len && *path->p != '/') {
		path->p++;
		path->len--;
		ret->len++;
	}
	return true;
}

static const struct sk_9p_export *find_export(struct sk_9p_session *s, struct p9_str *path)
{
	struct p9_str name;
	unsigned i;

	if (s->c.n_exports == 1 && !s->c.by_name)
		return &s->c.exports[0];
	if (!next_component(path, &name))
		return NULL;
	for (i = 0; i < s->c.n_exports; i++)
		if (str_is(&name, s->c.exports[i].name))
			return &s->c.exports[i];
	return NULL;
}

/* Goes one name on from `*node`, whose reference is given up also on failure. */
static int step(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node **node,
		const struct p9_str *component, struct p9_qid *ret_qid)
{
	struct sk_9p_node *from = *node;
	char name[P9_NAME_MAX + 1];
	int r;

	*node = NULL;
	if (component->len == 2 && memcmp(component->p, "..", 2) == 0) {
		r = fs->ops->parent(fs, from, node, ret_qid);
	} else {
		r = p9_name(component, name);
		if (r == -P9_EINVAL)
			r = -P9_ENOENT;
		if (r == 0)
			r = fs->ops->lookup(fs, cred, from, name, node, ret_qid);
	}
	fs->ops->put(fs, from);
	return r;
}

static int root_of(const struct sk_9p_export *export, const struct sk_9p_cred *cred, struct sk_9p_node **ret_node,
		   struct p9_qid *ret_qid)
{
	struct sk_9p_fs *fs = export->fs;
	struct p9_attr attr = { 0 };
	int r;

	if (!export->root)
		return fs->ops->root(fs, ret_node, ret_qid);
	r = fs->ops->getattr(fs, cred, export->root, NULL, P9_GETATTR_BASIC, &attr);
	if (r < 0)
		return r;
	*ret_node = fs->ops->get(fs, export->root);
	*ret_qid = attr.qid;
	return 0;
}

int p9_do_attach(struct p9_req *q)
{
	struct sk_9p_session *s = q->s;
	struct p9_str path = q->t.u.attach.aname, component;
	const struct sk_9p_export *export;
	struct sk_9p_node *node;
	struct sk_9p_cred cred = { q->t.u.attach.n_uname, P9_NONUNAME };
	struct p9_qid qid;
	struct p9_fid *f;
	int r = check_auth(q);

	if (r < 0)
		return r;
	if (cred.uid == P9_NONUNAME)
		cred.uid = P9_NOBODY;
	export = find_export(s, &path);
	if (!export)
		return -P9_ENOENT;
	r = root_of(export, &cred, &node, &qid);
	while (r == 0 && next_component(&path, &component))
		r = step(export->fs, &cred, &node, &component, &qid);
	if (r < 0)
		return r;
	r = p9_fid_new(s, q->t.u.attach.fid, &f);
	if (r < 0) {
		export->fs->ops->put(export->fs, node);
		return r;
	}
	f->export = export;
	f->node = node;
	f->uid = cred.uid;
	f->qtype = qid.type;
	q->r.u.qid = qid;
	return 0;
}

int p9_do_flush(struct p9_req *q)
{
	if (q->t.u.oldtag != q->t.tag) {
		p9_lock_flush(q->s, q->t.u.oldtag);
		p9_notify_flush(q->s, q->t.u.oldtag);
	}
	return 0;
}

/* Walks the names of the request from `from`. Returns the node reached (NULL: not all of them) and the qids in the
 * reply. */
static int walk_names(struct p9_req *q, struct p9_fid *from, struct sk_9p_node **ret_node, uint8_t *ret_qtype)
{
	struct sk_9p_fs *fs = from->export->fs;
	struct sk_9p_cred cred = { from->uid, P9_NONUNAME };
	struct sk_9p_node *node = fs->ops->get(fs, from->node);
	uint16_t i, n = q->t.u.walk.n;
	int r = 0;

	*ret_qtype = from->qtype;
	q->r.u.rwalk.n = 0;
	for (i = 0; i < n; i++) {
		r = *ret_qtype & P9_QTDIR ? step(fs, &cred, &node, &q->t.u.walk.names[i], &q->r.u.rwalk.qids[i])
					  : -P9_ENOTDIR;
		if (r < 0)
			break;
		*ret_qtype = q->r.u.rwalk.qids[i].type;
		q->r.u.rwalk.n++;
	}
	if (r < 0 && node) {
		fs->ops->put(fs, node);
		node = NULL;
	}
	*ret_node = node;
	return i == 0 && n ? r : 0;
}

int p9_do_walk(struct p9_req *q)
{
	struct sk_9p_session *s = q->s;
	struct p9_fid *from, *to;
	struct sk_9p_node *node;
	uint8_t qtype;
	int r = p9_fid_get(s, q->t.u.walk.fid, &from);

	if (r < 0)
		return r;
	/* In place only where nothing but a name is held; and no work for a newfid that cannot be had. */
	if (q->t.u.walk.fid == q->t.u.walk.newfid ? from->state != P9_FID_PATH
						  : p9_fid_find(s, q->t.u.walk.newfid) != NULL)
		return -P9_EBADF;
	r = walk_names(q, from, &node, &qtype);
	if (r < 0 || !node)
		return r;
	to = from;
	if (q->t.u.walk.fid != q->t.u.walk.newfid) {
		r = p9_fid_new(s, q->t.u.walk.newfid, &to);
		if (r < 0) {
			from->export->fs->ops->put(from->export->fs, node);
			return r;
		}
	} else {
		to->export->fs->ops->put(to->export->fs, to->node);
	}
	to->export = from->export;
	to->uid = from->uid;
	to->node = node;
	to->qtype = qtype;
	return 0;
}

int p9_do_clunk(struct p9_req *q)
{
	struct p9_fid *f = p9_fid_find(q->s, q->t.u.fid);

	return f ? p9_fid_clunk(q->s, f) : -P9_EBADF;
}
