/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of our own extension (proto.h, docs/mounts.md): look, open, create, write and setattr with the attributes in
 * the reply, and notices of what others did.
 */
#include <stdlib.h>
#include <string.h>

#include "ninep/server_internal.h"

#define EVENTS_BYTES 32768u /* kept for the client's next Tnotify; beyond it the client drops everything */

void p9_stamp(struct sk_9p_session *s, struct p9_attr *a)
{
	if (!s->ext) {
		a->gen = 0;
		return;
	}
	a->gen = ((a->gen ^ a->gen >> 32) & UINT32_MAX) | (uint64_t)a->dev << 32;
	a->data_version = ++s->stamp;
}

static int getattr(struct p9_fid *f, uint64_t mask, struct p9_attr *ret_attr)
{
	struct sk_9p_cred cred = { f->uid, P9_NONUNAME };

	memset(ret_attr, 0, sizeof(*ret_attr));
	return f->export->fs->ops->getattr(f->export->fs, &cred, f->node, f->file, mask, ret_attr);
}

int p9_attr_of(struct p9_fid *f, struct p9_attr *ret_attr)
{
	return getattr(f, P9_GETATTR_BASIC | P9_GETATTR_BTIME, ret_attr);
}

int p9_version_of(struct p9_fid *f, uint32_t *ret_version)
{
	struct p9_attr attr;
	int r = getattr(f, 0, &attr);

	*ret_version = attr.qid.version;
	return r;
}

/* Flags for the client's cache in a reply. Called when all else in the reply is known. */
static uint32_t cache_flags(const struct p9_fid *f, const struct sk_9p_session *s)
{
	const struct sk_9p_server_config *c = &s->server->c;
	uint32_t flags = f->export->long_leases ? P9_LOOK_LONG : 0;

	if (s->notices && c->settled && c->settled(c->arg) && !s->notices->len && !s->notices->lost)
		flags |= P9_LOOK_SETTLED;
	return flags;
}

/* Looks up the attributes of a name, and its node if that is wanted and a directory. Returns 0 also if there is no
 * such name; *ret_flags lacks EXISTS then. */
static int look(struct p9_fid *f, const char *name, bool want_dir, struct sk_9p_node **ret_node,
		struct p9_attr *ret_attr, uint32_t *ret_flags)
{
	struct sk_9p_fs *fs = f->export->fs;
	struct sk_9p_cred cred = { f->uid, P9_NONUNAME };
	struct p9_qid qid;
	int r;

	*ret_node = NULL;
	*ret_flags = 0;
	if (fs->ops->look)
		return fs->ops->look(fs, &cred, f->node, name, want_dir, ret_node, ret_attr, ret_flags);
	r = fs->ops->lookup(fs, &cred, f->node, name, ret_node, &qid);
	if (r == -P9_ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = fs->ops->getattr(fs, &cred, *ret_node, NULL, P9_GETATTR_BASIC | P9_GETATTR_BTIME, ret_attr);
	*ret_flags = P9_LOOK_EXISTS;
	if (r < 0 || !want_dir || !(qid.type & P9_QTDIR)) {
		fs->ops->put(fs, *ret_node);
		*ret_node = NULL;
	}
	return r;
}

int p9_do_look(struct p9_req *q)
{
	struct sk_9p_session *s = q->s;
	uint32_t newfid = q->t.u.look.newfid;
	char name[P9_NAME_MAX + 1];
	struct sk_9p_node *node = NULL;
	struct p9_fid *f, *to;
	int r = p9_fid_get(s, q->t.u.look.fid, &f);

	if (r == 0 && newfid != P9_NOFID && p9_fid_find(s, newfid))
		r = -P9_EBADF;
	if (r < 0)
		return r;
	if (!(f->qtype & P9_QTDIR))
		return -P9_ENOTDIR;
	r = p9_name(&q->t.u.look.name, name);
	if (r < 0)
		return r;
	memset(&q->r.u.found, 0, sizeof(q->r.u.found));
	r = look(f, name, newfid != P9_NOFID, &node, &q->r.u.found.attr, &q->r.u.found.flags);
	if (r == 0 && node) {
		r = p9_fid_new(s, newfid, &to);
		if (r == 0) {
			to->export = f->export;
			to->uid = f->uid;
			to->node = node;
			to->qtype = q->r.u.found.attr.qid.type;
			q->r.u.found.flags |= P9_LOOK_FID;
		} else {
			f->export->fs->ops->put(f->export->fs, node);
		}
	}
	p9_stamp(s, &q->r.u.found.attr);
	if (r == 0)
		q->r.u.found.flags |= cache_flags(f, s);
	return r;
}

/* A second fid with a node of its own, for a file that is opened. */
static int open_fid(struct sk_9p_session *s, struct p9_fid *from, uint32_t id, struct sk_9p_node *take_node,
		    struct sk_9p_file *take_file, uint32_t flags, uint8_t qtype, struct p9_fid **ret_fid)
{
	struct sk_9p_fs *fs = from->export->fs;
	int r = p9_fid_new(s, id, ret_fid);

	if (r < 0) {
		fs->ops->close(fs, take_file);
		fs->ops->put(fs, take_node);
		return r;
	}
	(*ret_fid)->state = P9_FID_OPEN;
	(*ret_fid)->export = from->export;
	(*ret_fid)->uid = from->uid;
	(*ret_fid)->node = take_node;
	(*ret_fid)->file = take_file;
	(*ret_fid)->qtype = qtype;
	(*ret_fid)->accmode = (uint8_t)(flags & P9_O_ACCMODE);
	return 0;
}

int p9_open_found(struct p9_req *q, struct p9_fid *from, struct sk_9p_node *take_node, struct sk_9p_file *take_file,
		  uint32_t flags, uint8_t qtype, uint32_t leases)
{
	struct p9_fid *to;
	int r = open_fid(q->s, from, q->t.u.look.newfid, take_node, take_file, flags, qtype, &to);

	if (r < 0)
		return r;
	memset(&q->r.u.found, 0, sizeof(q->r.u.found));
	q->r.u.found.flags = P9_LOOK_EXISTS | P9_LOOK_FID | leases;
	r = p9_attr_of(to, &q->r.u.found.attr);
	if (r < 0)
		(void)p9_fid_clunk(q->s, to);
	p9_stamp(q->s, &q->r.u.found.attr);
	if (r == 0)
		q->r.u.found.flags |= cache_flags(from, q->s);
	return r;
}

static int check_open(const struct p9_fid *f, uint8_t qtype, uint32_t flags)
{
	bool write = (flags & P9_O_ACCMODE) != P9_O_RDONLY || (flags & P9_O_TRUNC);

	if ((flags & P9_O_ACCMODE) == P9_O_ACCMODE)
		return -P9_EINVAL;
	if ((qtype & P9_QTDIR) && write)
		return -P9_EISDIR;
	if (!(qtype & P9_QTDIR) && (flags & P9_O_DIRECTORY))
		return -P9_ENOTDIR;
	if (qtype & P9_QTSYMLINK)
		return -P9_ELOOP;
	return write && f->export->readonly ? -P9_EROFS : 0;
}

int p9_do_openx(struct p9_req *q)
{
	uint32_t flags = q->t.u.look.flags & P9_OPEN_FLAGS & ~P9_O_EXCL, leases = 0;
	struct sk_9p_session *s = q->s;
	char name[P9_NAME_MAX + 1];
	struct sk_9p_node *node;
	struct sk_9p_file *file;
	struct sk_9p_cred cred;
	struct sk_9p_fs *fs;
	struct p9_qid qid;
	struct p9_fid *f;
	int r = p9_fid_get_for(s, q->t.u.look.fid, false, q->t.u.look.newfid, &f);

	if (r < 0)
		return r;
	fs = f->export->fs;
	cred = (struct sk_9p_cred){ f->uid, P9_NONUNAME };
	if (q->t.u.look.name.len == 0) {
		node = fs->ops->get(fs, f->node);
		qid.type = f->qtype;
	} else {
		r = f->qtype & P9_QTDIR ? p9_name(&q->t.u.look.name, name) : -P9_ENOTDIR;
		if (r == 0)
			r = fs->ops->lookup(fs, &cred, f->node, name, &node, &qid);
		if (r < 0)
			return r;
	}
	r = check_open(f, qid.type, flags);
	if (r == 0)
		r = fs->ops->open(fs, &cred, node, flags, &file, &qid);
	if (r < 0) {
		fs->ops->put(fs, node);
		return r;
	}
	/* The root of an export has no name that a lease could come with. */
	if ((qid.type & P9_QTDIR) && q->t.u.look.name.len == 0 && fs->ops->leases)
		leases = fs->ops->leases(fs, node) & P9_LOOK_ATTR_LEASE;
	return p9_open_found(q, f, node, file, flags, qid.type, leases);
}

int p9_do_createx(struct p9_req *q)
{
	uint32_t flags = q->t.u.look.flags & P9_OPEN_FLAGS, leases;
	struct sk_9p_session *s = q->s;
	char name[P9_NAME_MAX + 1];
	struct sk_9p_node *node;
	struct sk_9p_file *file;
	struct sk_9p_cred cred;
	struct p9_fid *f;
	struct sk_9p_fs *fs;
	struct p9_qid qid;
	int r = p9_fid_get_for(s, q->t.u.look.fid, true, q->t.u.look.newfid, &f);

	if (r < 0)
		return r;
	if ((flags & P9_O_ACCMODE) == P9_O_ACCMODE)
		return -P9_EINVAL;
	r = f->qtype & P9_QTDIR ? p9_name(&q->t.u.look.name, name) : -P9_ENOTDIR;
	if (r < 0)
		return r;
	fs = f->export->fs;
	cred = (struct sk_9p_cred){ f->uid, q->t.u.look.gid };
	r = fs->ops->create(fs, &cred, f->node, name, flags, q->t.u.look.mode & 07777, &node, &file, &qid);
	if (r < 0)
		return r;
	/* Before the attributes are read: a change after them breaks the lease. */
	leases = fs->ops->leases ? fs->ops->leases(fs, f->node) : 0;
	return p9_open_found(q, f, node, file, flags, qid.type, leases);
}

int p9_do_writex(struct p9_req *q)
{
	struct p9_fid *f = p9_fid_find(q->s, q->t.u.write.fid);
	uint32_t count, before;
	int r;

	if (!f || f->state != P9_FID_OPEN)
		return -P9_EBADF;
	r = p9_version_of(f, &before);
	if (r == 0)
		r = p9_do_write(q);
	if (r < 0)
		return r;
	count = q->r.u.count;
	r = p9_changed(q, f, before);
	q->r.u.found.count = count;
	return r;
}

int p9_changed(struct p9_req *q, struct p9_fid *f, uint32_t before)
{
	int r;

	memset(&q->r.u.found, 0, sizeof(q->r.u.found));
	q->r.u.found.pre = before;
	r = p9_attr_of(f, &q->r.u.found.attr);
	p9_stamp(q->s, &q->r.u.found.attr);
	return r;
}

int p9_do_setattrx(struct p9_req *q)
{
	struct p9_fid *f;
	uint32_t before = 0;
	int r = p9_fid_get(q->s, q->t.u.setattr.fid, &f);

	if (r == 0)
		r = p9_version_of(f, &before);
	if (r == 0)
		r = p9_do_setattr(q);
	return r < 0 ? r : p9_changed(q, f, before);
}

/* --- listings */

struct event_listing {
	struct p9_req *q;
	struct p9_fid *f;
	uint8_t *p;
	size_t cap, len, last; /* `last`: where the last entry begins */
	bool attrs, full;
};

static bool emit(void *arg, const struct p9_qid *qid, uint64_t offset, uint8_t type, const char *name, size_t len)
{
	bool dots = name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
	struct sk_9p_node *node;
	struct event_listing *l = arg;
	struct p9_attr attr;
	uint32_t flags = 0;
	size_t n;

	/* Clients give up the whole listing over such a name. */
	if (len == 0 || len > P9_NAME_MAX)
		return true;
	l->full = l->cap - l->len < P9_DIRENTX_MIN + len;
	if (l->full)
		return false;
	memset(&attr, 0, sizeof(attr));
	/* An object that has been removed since, or cannot be reached, is listed by its name only. */
	if (l->attrs && !dots && look(l->f, name, false, &node, &attr, &flags) < 0)
		flags = 0;
	if (!(flags & P9_LOOK_EXISTS)) {
		memset(&attr, 0, sizeof(attr));
		attr.qid = *qid;
		attr.mode = (uint32_t)type << 12;
		flags = 0;
	} else if (l->f->export->long_leases) {
		flags |= P9_LOOK_LONG;
	}
	p9_stamp(l->q->s, &attr);
	n = p9_put_direntx(l->p + l->len, l->cap - l->len, flags, offset, &attr, name, len);
	l->last = l->len;
	l->len += n;
	return true;
}

int p9_do_readdirx(struct p9_req *q)
{
	struct event_listing l = { .q = q,
				   .cap = p9_data_room(q, q->t.u.read.count),
				   .attrs = q->t.u.read.flags & P9_LIST_ATTRS };
	struct sk_9p_fs *fs;
	int r = p9_fid_get(q->s, q->t.u.read.fid, &l.f);

	if (r < 0)
		return r;
	if (l.f->state != P9_FID_OPEN)
		return -P9_EBADF;
	if (!(l.f->qtype & P9_QTDIR))
		return -P9_ENOTDIR;
	if (l.cap == 0 || (q->t.u.read.flags & ~P9_LIST_ALL))
		return -P9_EINVAL;
	l.p = p9_scratch(q->s, (uint32_t)l.cap);
	if (!l.p)
		return -P9_ENOMEM;
	fs = l.f->export->fs;
	r = fs->ops->readdir(fs, l.f->node, l.f->file, q->t.u.read.offset, !l.attrs, emit, &l);
	if (r < 0 && l.len == 0)
		return r;
	if (l.full && l.len == 0)
		return -P9_EINVAL; /* not even one entry fits */
	if (r == 0 && l.len && !l.full)
		p9_put32(l.p + l.last, p9_get32(l.p + l.last) | P9_LOOK_LAST);
	sk_iov_put(q->in, q->n_in, P9_RREAD_HEADER, l.p, l.len);
	q->r.u.data.p = NULL;
	q->r.u.data.count = (uint32_t)l.len;
	return 0;
}

/* --- notices */

/* Answers the parked Tnotify with the events that are queued; `empty`: also with none. */
static void answer(struct sk_9p_session *s, bool empty)
{
	struct p9_notices *n = s->notices;
	size_t len = n->len <= n->room ? n->len : 0;
	struct p9_msg m = { .type = P9_RNOTIFY, .tag = n->tag };
	uint8_t *buf;
	long head;

	if (!n->parked || (!empty && !n->len && !n->lost))
		return;
	buf = malloc(P9_RREAD_HEADER + EVENTS_BYTES);
	if (!buf)
		return; /* they wait for the next event */
	/* Events that do not fit, or were lost, are reported as lost. */
	if (n->lost || n->len > n->room) {
		static const uint8_t lost[P9_EVENT_MIN] = { P9_EVENT_LOST };

		memcpy(n->buf, lost, sizeof(lost));
		len = sizeof(lost);
	}
	m.u.data.p = n->buf;
	m.u.data.count = (uint32_t)len;
	head = p9_encode(&m, buf, P9_RREAD_HEADER + EVENTS_BYTES);
	n->len = 0;
	n->lost = false;
	n->parked = false;
	s->c.complete(s->c.arg, n->token, buf, head > 0 ? (size_t)head : 0);
	free(buf);
}

int p9_do_notify(struct p9_req *q)
{
	struct sk_9p_session *s = q->s;
	size_t room = q->in_len < P9_RREAD_HEADER ? 0 : q->in_len - P9_RREAD_HEADER;

	if (room > q->t.u.count)
		room = q->t.u.count;
	if (room < P9_EVENT_MIN || (s->notices && s->notices->parked))
		return -P9_EINVAL;
	if (!s->notices) {
		s->notices = calloc(1, sizeof(*s->notices) + EVENTS_BYTES);
		if (!s->notices)
			return -P9_ENOMEM;
	}
	s->notices->tag = q->t.tag;
	s->notices->token = q->token;
	s->notices->room = room;
	s->notices->parked = true;
	/* The reply goes out through complete() like a later one, but not before this call has returned. */
	if (s->notices->len || s->notices->lost) {
		size_t len = s->notices->len;

		if (s->notices->lost || len > room) {
			memset(s->notices->buf, 0, P9_EVENT_MIN);
			s->notices->buf[0] = P9_EVENT_LOST;
			len = P9_EVENT_MIN;
		}
		sk_iov_put(q->in, q->n_in, P9_RREAD_HEADER, s->notices->buf, len);
		q->r.u.data.p = NULL;
		q->r.u.data.count = (uint32_t)len;
		s->notices->parked = s->notices->lost = false;
		s->notices->len = 0;
		return 0;
	}
	return P9_PARKED;
}

void p9_notify_flush(struct sk_9p_session *s, uint16_t tag)
{
	if (s->notices && s->notices->parked && s->notices->tag == tag)
		answer(s, true);
}

static size_t put_name(uint8_t *to, const char *name)
{
	size_t len = name ? strlen(name) : 0;

	p9_put16(to, (uint16_t)len);
	if (len)
		memcpy(to + 2, name, len);
	return len + 2;
}

void sk_9p_session_event(struct sk_9p_session *s, const struct sk_9p_event *e)
{
	struct p9_notices *n = s->notices;
	uint8_t *p;
	size_t need = P9_EVENT_MIN + (e->name ? strlen(e->name) : 0) + (e->new_name ? strlen(e->new_name) : 0);

	if (!n || n->lost)
		return; /* the client never asked, or is to drop everything anyway */
	if (e->kind == P9_EVENT_LOST || need > EVENTS_BYTES - n->len) {
		n->lost = true;
		n->len = 0;
		return;
	}
	p = n->buf + n->len;
	p[0] = e->kind;
	p[1] = e->is_dir;
	p9_put64(p + 2, e->dir);
	p9_put64(p + 10, e->new_dir);
	p += 18;
	p += put_name(p, e->name);
	p += put_name(p, e->new_name);
	n->len = (size_t)(p - n->buf);
}

void sk_9p_session_events_done(struct sk_9p_session *s)
{
	if (s->notices)
		answer(s, false);
}
