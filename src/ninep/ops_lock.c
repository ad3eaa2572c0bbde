/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A Tlock that cannot be had and wants to wait becomes a waiter in the server's list, in the order of arrival. It is
 * tried again when locks of this server are released (at once), and, where somebody outside the server holds it, after
 * 1, 2, 4, 8 ms and then every 8 ms: the host tells nobody when a lock becomes free. After lock_wait_ms it is answered
 * "blocked", and the client asks again: a client that waits for an answer cannot be reached by ordinary signals, so
 * answers must not take long.
 *
 * A waiter ends by grant, time-out, Tflush of its tag (no reply, no lock), clunk of its fid (an error), or with its
 * session. A session has at most max_parked of them, because each takes up a request of the transport; more are
 * answered "blocked" at once.
 */
#include <stdlib.h>
#include <string.h>

#include "ninep/server_internal.h"

#define POLL_MAX_MS 8u

static struct sk_9p_locker locker_of(const struct p9_waiter *w)
{
	return (struct sk_9p_locker){ w->session, w->fid, w->kind, w->session->ext, w->proc_id, { w->id, w->id_len } };
}

/* Takes a waiter out of the list. The caller frees it. */
static void detach(struct sk_9p_server *sv, struct p9_waiter **at)
{
	struct p9_waiter *w = *at;

	*at = w->next;
	if (!*at)
		sv->waiters_end = at;
	w->session->n_parked--;
}

static void answer(struct p9_waiter *w, const struct p9_msg *r)
{
	uint8_t buf[P9_RLERROR_SIZE];
	long n = r ? p9_encode(r, buf, sizeof(buf)) : 0;

	w->session->c.complete(w->session->c.arg, w->token, buf, n > 0 ? (size_t)n : 0);
}

static void answer_status(struct p9_waiter *w, int r)
{
	struct p9_msg m = { .type = P9_RLOCK, .tag = w->tag };

	if (r == 0) {
		m.u.status = P9_LOCK_SUCCESS;
	} else if (r == -P9_EAGAIN) {
		m.u.status = P9_LOCK_BLOCKED;
	} else {
		m.type = P9_RLERROR;
		m.u.ecode = (uint32_t)-r;
	}
	answer(w, &m);
}

static void arm(struct sk_9p_server *sv, uint64_t now)
{
	uint64_t next = UINT64_MAX;
	const struct p9_waiter *w;

	for (w = sv->waiters; w; w = w->next) {
		uint64_t at = w->host && w->poll_at < w->deadline ? w->poll_at : w->deadline;

		if (at < next)
			next = at;
	}
	sv->c.set_timer(sv->c.arg, next == UINT64_MAX ? next : next > now ? next - now : 0);
}

/* Tries every waiter that may have become free. `timer`: those whose time has come too. */
static void try_waiters(struct sk_9p_server *sv, bool timer)
{
	uint64_t now = sv->c.now_ms(sv->c.arg);
	struct p9_waiter **at = &sv->waiters;

	if (sv->waking || !sv->waiters)
		return;
	sv->waking = true;
	while (*at) {
		struct p9_waiter *w = *at;
		struct sk_9p_locker who = locker_of(w);
		int r = -P9_EAGAIN;

		if (!timer || (w->host && now >= w->poll_at) || now >= w->deadline) {
			r = sk_9p_lockfile_set(w->fid->locks, &who, w->type, w->first, w->last, &w->host);
			if (w->host && w->poll_ms < POLL_MAX_MS)
				w->poll_ms *= 2;
			w->poll_at = now + w->poll_ms;
		}
		if (r == -P9_EAGAIN && now < w->deadline) {
			at = &w->next;
			continue;
		}
		detach(sv, at);
		answer_status(w, r);
		free(w);
	}
	sv->waking = false;
	arm(sv, now);
}

void sk_9p_server_timer(struct sk_9p_server *sv)
{
	try_waiters(sv, true);
}

bool p9_lock_tag_in_use(const struct sk_9p_session *s, uint16_t tag)
{
	const struct p9_waiter *w;

	for (w = s->server->waiters; w; w = w->next)
		if (w->session == s && w->tag == tag)
			return true;
	return false;
}

void p9_lock_flush(struct sk_9p_session *s, uint16_t tag)
{
	struct p9_waiter **at;

	for (at = &s->server->waiters; *at; at = &(*at)->next) {
		struct p9_waiter *w = *at;

		if (w->session != s || w->tag != tag)
			continue;
		detach(s->server, at);
		answer(w, NULL);
		free(w);
		return;
	}
}

void p9_lock_drop_fid(struct sk_9p_session *s, struct p9_fid *fid)
{
	struct sk_9p_server *sv = s->server;
	struct p9_waiter **at = &sv->waiters;
	bool freed;

	if (!fid->locks)
		return;
	while (s->n_parked && *at) {
		struct p9_waiter *w = *at;

		if (w->fid != fid) {
			at = &w->next;
			continue;
		}
		detach(sv, at);
		answer_status(w, -P9_EINTR);
		free(w);
	}
	freed = sk_9p_lockfile_drop(fid->locks, fid);
	sk_9p_lockfile_put(fid->locks);
	fid->locks = NULL;
	if (freed)
		try_waiters(sv, false);
}

void p9_lock_forget(struct sk_9p_session *s, bool notify)
{
	struct sk_9p_server *sv = s->server;
	struct p9_waiter **at = &sv->waiters;

	while (s->n_parked && *at) {
		struct p9_waiter *w = *at;

		if (w->session != s) {
			at = &w->next;
			continue;
		}
		detach(sv, at);
		if (notify)
			answer(w, NULL);
		free(w);
	}
}

/* --- messages */

/* The open fid and the range of a Tlock or Tgetlock; makes sure that the fid has its lockfile. */
static int range_of(struct p9_req *q, struct p9_fid **ret_fid, uint64_t *ret_last)
{
	uint64_t start = q->t.u.lock.start, length = q->t.u.lock.length;
	struct p9_fid *f;
	int r = p9_fid_get(q->s, q->t.u.lock.fid, &f);

	if (r < 0)
		return r;
	if (f->state != P9_FID_OPEN)
		return -P9_EBADF;
	if (q->t.u.lock.type > P9_LOCK_UNLCK || start > INT64_MAX)
		return -P9_EINVAL;
	if (length && length - 1 > INT64_MAX - start)
		return -P9_EOVERFLOW;
	*ret_last = length && start + (length - 1) < INT64_MAX ? start + (length - 1) : UINT64_MAX;
	if (!f->locks)
		r = sk_9p_lockfile_get(q->s->server->locks, f->export->fs, f->node, f->file, &f->locks);
	*ret_fid = f;
	return r;
}

/* The kind of a Tlock. A client without the extension does not tell: flock() is a range of the whole file with it. It
 * can be known of directories only, where fcntl() makes no sense. */
static enum sk_9p_lock_kind kind_of(const struct p9_req *q, const struct p9_fid *f)
{
	bool flock = q->s->ext ? q->t.u.lock.flags & P9_LOCK_FLAG_FLOCK : f->qtype & P9_QTDIR;

	return flock ? SK_9P_LOCK_FLOCK : SK_9P_LOCK_RANGE;
}

static int park(struct p9_req *q, struct p9_fid *f, uint64_t last, bool host)
{
	struct sk_9p_server *sv = q->s->server;
	const struct p9_str *id = &q->t.u.lock.client_id;
	uint64_t now = sv->c.now_ms(sv->c.arg);
	struct p9_waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return -P9_ENOMEM;
	w->session = q->s;
	w->fid = f;
	w->token = q->token;
	w->tag = q->t.tag;
	w->type = q->t.u.lock.type;
	w->kind = kind_of(q, f);
	w->host = host;
	w->first = q->t.u.lock.start;
	w->last = last;
	w->deadline = now + sv->c.lock_wait_ms;
	w->poll_ms = 1;
	w->poll_at = now + w->poll_ms;
	w->proc_id = q->t.u.lock.proc_id;
	w->id_len = id->len < sizeof(w->id) ? id->len : (uint16_t)sizeof(w->id);
	if (w->id_len)
		memcpy(w->id, id->p, w->id_len);
	*sv->waiters_end = w;
	sv->waiters_end = &w->next;
	q->s->n_parked++;
	arm(sv, now);
	return P9_PARKED;
}

static struct sk_9p_locker locker(const struct p9_req *q)
{
	return (struct sk_9p_locker){
		.session = q->s, .exact = q->s->ext, .proc_id = q->t.u.lock.proc_id, .client_id = q->t.u.lock.client_id
	};
}

int p9_do_lock(struct p9_req *q)
{
	struct sk_9p_locker who = locker(q);
	struct p9_fid *f;
	uint64_t last;
	bool host;
	int r = range_of(q, &f, &last);

	if (r < 0)
		return r;
	who.fid = f;
	who.kind = kind_of(q, f);
	r = sk_9p_lockfile_set(f->locks, &who, q->t.u.lock.type, q->t.u.lock.start, last, &host);
	/* The old one may have gone all the same: others first, which have waited longer. */
	if (r < 0 && who.kind == SK_9P_LOCK_FLOCK)
		try_waiters(q->s->server, false);
	if (r == -P9_EAGAIN) {
		if ((q->t.u.lock.flags & P9_LOCK_FLAG_BLOCK) && q->s->n_parked < q->s->server->c.max_parked)
			return park(q, f, last, host);
		q->r.u.status = P9_LOCK_BLOCKED;
		return 0;
	}
	if (r < 0)
		return r;
	/* An unlock, and a write lock that became a read lock, may let others in. */
	if (q->t.u.lock.type != P9_LOCK_WRLCK)
		try_waiters(q->s->server, false);
	q->r.u.status = P9_LOCK_SUCCESS;
	return 0;
}

int p9_do_getlock(struct p9_req *q)
{
	struct sk_9p_locker who = locker(q);
	/* Linux without the extension always asks with UNLCK: whatever would be in the way of a write lock is reported.
	 */
	uint8_t type = (uint8_t)(q->t.u.lock.type == P9_LOCK_RDLCK ? P9_LOCK_RDLCK : P9_LOCK_WRLCK);
	struct p9_str id = q->t.u.lock.client_id;
	struct sk_9p_lock found;
	struct p9_fid *f;
	uint64_t last;
	int r = range_of(q, &f, &last);

	if (r < 0)
		return r;
	who.fid = f;
	r = sk_9p_lockfile_test(f->locks, &who, type, q->t.u.lock.start, last, &found);
	if (r < 0)
		return r;
	q->r.u.lock = q->t.u.lock;
	q->r.u.lock.type = found.type;
	if (found.type != P9_LOCK_UNLCK) {
		q->r.u.lock.start = found.first;
		q->r.u.lock.length = found.last == UINT64_MAX ? 0 : found.last - found.first + 1;
		q->r.u.lock.proc_id = found.proc_id;
		id.p = found.client_id;
		id.len = (uint16_t)strlen(found.client_id);
	}
	/* Out of the request's buffer: the reply takes its place. */
	if (id.len > P9_NAME_MAX)
		id.len = P9_NAME_MAX;
	if (id.len)
		memcpy(q->text, id.p, id.len);
	q->r.u.lock.client_id.p = (char *)q->text;
	q->r.u.lock.client_id.len = id.len;
	return 0;
}
