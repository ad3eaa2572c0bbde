/* SPDX-License-Identifier: Apache-2.0 */
/* The fids of a session: a table by number, their life and what may be done with each (server_internal.h). */
#include <stdlib.h>
#include <string.h>

#include "ninep/server_internal.h"

#define BUCKETS_MIN 64u

static struct p9_fid **bucket(struct sk_9p_session *s, uint32_t id)
{
	return &s->buckets[(id * 0x9e3779b1u >> 7) & (s->n_buckets - 1)];
}

struct p9_fid *p9_fid_find(struct sk_9p_session *s, uint32_t id)
{
	struct p9_fid *f;

	if (!s->buckets)
		return NULL;
	for (f = *bucket(s, id); f; f = f->next)
		if (f->id == id)
			return f;
	return NULL;
}

/* Doubles the table when it is full. Without memory the old table stays in use. */
static void grow(struct sk_9p_session *s)
{
	struct p9_fid **old = s->buckets;
	unsigned i, n_old = s->n_buckets, n = n_old ? n_old * 2 : BUCKETS_MIN;
	struct p9_fid **table = calloc(n, sizeof(*table));

	if (!table)
		return;
	s->buckets = table;
	s->n_buckets = n;
	for (i = 0; i < n_old; i++) {
		while (old[i]) {
			struct p9_fid *f = old[i], **to = bucket(s, f->id);

			old[i] = f->next;
			f->next = *to;
			*to = f;
		}
	}
	free(old);
}

int p9_fid_new(struct sk_9p_session *s, uint32_t id, struct p9_fid **ret_fid)
{
	struct p9_fid *f, **to;

	if (id == P9_NOFID || p9_fid_find(s, id))
		return -P9_EBADF;
	if (s->n_fids >= s->server->c.max_fids)
		return -P9_EMFILE;
	if (s->n_fids >= s->n_buckets)
		grow(s);
	f = calloc(1, sizeof(*f));
	if (!f || !s->buckets) {
		free(f);
		return -P9_ENOMEM;
	}
	f->id = id;
	to = bucket(s, id);
	f->next = *to;
	*to = f;
	s->n_fids++;
	*ret_fid = f;
	return 0;
}

/* Sets or removes the attribute that was written to the fid. */
static int commit_xattr(struct p9_fid *f)
{
	struct sk_9p_fs *fs = f->export->fs;
	struct p9_xattr *x = f->u.xattr;
	struct sk_9p_cred cred = { f->uid, P9_NONUNAME };

	if (x->written != x->size)
		return -P9_EIO;
	if (x->size == 0 && (x->flags & (P9_XATTR_REPLACE | P9_XATTR_FLAG_EMPTY)) == P9_XATTR_REPLACE)
		return fs->ops->xattr_remove(fs, &cred, f->node, x->name);
	return fs->ops->xattr_set(fs, &cred, f->node, x->name, x->value, x->size, x->flags & ~P9_XATTR_FLAG_EMPTY);
}

/* `commit`: false when the session is gone: a half-written attribute is not set then. */
static int release(struct sk_9p_session *s, struct p9_fid *f, bool commit)
{
	int r = 0;

	if (f->state == P9_FID_OPEN) {
		p9_lock_drop_fid(s, f);
		f->export->fs->ops->close(f->export->fs, f->file);
	} else if (f->state == P9_FID_XATTR_READ || f->state == P9_FID_XATTR_WRITE) {
		if (f->state == P9_FID_XATTR_WRITE && commit)
			r = commit_xattr(f);
		s->xattr_bytes -= f->u.xattr->size;
		free(f->u.xattr->value);
		free(f->u.xattr);
	} else if (f->state == P9_FID_AUTH) {
		s->c.auth->end(f->u.auth);
	} else if (f->state == P9_FID_SOCKET) {
		p9_socket_close(f);
	}
	if (f->node)
		f->export->fs->ops->put(f->export->fs, f->node);
	free(f);
	return r;
}

int p9_fid_clunk(struct sk_9p_session *s, struct p9_fid *f)
{
	struct p9_fid **at;

	for (at = bucket(s, f->id); *at != f; at = &(*at)->next)
		;
	*at = f->next;
	s->n_fids--;
	return release(s, f, true);
}

void p9_fid_clunk_all(struct sk_9p_session *s)
{
	unsigned i;

	for (i = 0; i < s->n_buckets; i++) {
		while (s->buckets[i]) {
			struct p9_fid *f = s->buckets[i];

			s->buckets[i] = f->next;
			s->n_fids--;
			release(s, f, false);
		}
	}
	free(s->buckets);
	s->buckets = NULL;
	s->n_buckets = 0;
}

int p9_fid_get(struct sk_9p_session *s, uint32_t id, struct p9_fid **ret_fid)
{
	struct p9_fid *f = p9_fid_find(s, id);

	if (!f || (f->state != P9_FID_PATH && f->state != P9_FID_OPEN))
		return -P9_EBADF;
	*ret_fid = f;
	return 0;
}

int p9_fid_get_rw(struct sk_9p_session *s, uint32_t id, struct p9_fid **ret_fid)
{
	int r = p9_fid_get(s, id, ret_fid);

	if (r == 0 && (*ret_fid)->export->readonly)
		return -P9_EROFS;
	return r;
}

int p9_fid_get_for(struct sk_9p_session *s, uint32_t id, bool rw, uint32_t newid, struct p9_fid **ret_fid)
{
	int r = rw ? p9_fid_get_rw(s, id, ret_fid) : p9_fid_get(s, id, ret_fid);

	return r == 0 && p9_fid_find(s, newid) ? -P9_EBADF : r;
}
