/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A lockfile is what this server holds on one host file, found by the file's identity on the host: two hard links, or
 * two exports that reach the same file, share one. It has a list of ranges sorted by first byte. A range is of a kind
 * (fcntl or flock), belongs to an owner, has a type, and remembers the fid that it was made through. The owner of a
 * flock is its fid, that of others is (session, client_id, proc_id). Ranges of different kinds have nothing to do with
 * each other, here and on the host.
 *
 * - Conflict: two ranges of one kind overlap, one of them is a write lock, and the owners differ. A client without the
 *   extension names the process as the owner, and flock() as a range of the whole file; a flock() outlives the process
 *   that took it. So there is no conflict through one fid for such a client, which arbitrates inside one open file
 *   itself; the next locker through that fid takes the lock over.
 * - Setting a range replaces what the owner had in it (upgrade, downgrade, split), then joins equal neighbours. Setting
 *   a flock to another type gives up the old one first, as flock(2) does: it is lost if the new one cannot be acquired.
 * - Host: one hostlock per lockfile holds the strongest of all owners for every byte, and for the flocks. A conflict
 *   here is answered without asking the host. Otherwise the host is asked for what nobody here holds yet; what nobody
 *   here holds any more is given back to it.
 * - Release: by range; by fid (clunk, lost session). A range that the host refuses to unlock is released here all the
 *   same: closing the hostlock frees it at the latest.
 *
 * Not trusted: ranges, ids (bounded by max_ranges together; a client_id is kept to 64 bytes, longer ones only differ in
 * their first 64). All memory that a change needs is allocated before the host is asked, so that no change stops half
 * way.
 */
#include "ninep/locks.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 256u
#define CLIENT_ID_MAX 64u

struct byte_range {
	struct byte_range *next;
	uint64_t first, last;
	uint8_t type, kind;
	const void *session, *fid;
	uint32_t proc_id;
	uint8_t id_len;
	char id[CLIENT_ID_MAX];
};

struct sk_9p_lockfile {
	struct sk_9p_lockfile *next;
	struct sk_9p_locks *locks;
	struct sk_9p_fs *fs;
	struct sk_9p_hostlock *host;
	struct sk_9p_key key;
	unsigned refs;
	struct byte_range *ranges; /* by first */
};

struct sk_9p_locks {
	unsigned n, max;
	struct byte_range *spare; /* for the change that is going on */
	struct sk_9p_lockfile *buckets[BUCKETS];
};

int sk_9p_locks_new(unsigned max_ranges, struct sk_9p_locks **ret_locks)
{
	struct sk_9p_locks *l = calloc(1, sizeof(*l));

	if (!l)
		return -P9_ENOMEM;
	l->max = max_ranges;
	*ret_locks = l;
	return 0;
}

static void free_spare(struct sk_9p_locks *l)
{
	while (l->spare) {
		struct byte_range *r = l->spare;

		l->spare = r->next;
		free(r);
	}
}

void sk_9p_locks_free(struct sk_9p_locks *l)
{
	if (!l)
		return;
	free_spare(l);
	free(l);
}

unsigned sk_9p_locks_count(const struct sk_9p_locks *l)
{
	return l->n;
}

/* --- lock files */

static struct sk_9p_lockfile **bucket(struct sk_9p_locks *l, const struct sk_9p_key *key)
{
	uint64_t h = (key->ino ^ key->dev << 32) * UINT64_C(0x9e3779b97f4a7c15);

	return &l->buckets[h >> 56];
}

int sk_9p_lockfile_get(struct sk_9p_locks *l, struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file,
		       struct sk_9p_lockfile **ret_lockfile)
{
	struct sk_9p_lockfile *lf, **head;
	struct sk_9p_key key;
	int r = fs->ops->lock_key(fs, file, &key);

	if (r < 0)
		return r;
	head = bucket(l, &key);
	for (lf = *head; lf; lf = lf->next) {
		if (lf->key.ino == key.ino && lf->key.dev == key.dev && lf->fs->ops == fs->ops) {
			lf->refs++;
			*ret_lockfile = lf;
			return 0;
		}
	}
	lf = calloc(1, sizeof(*lf));
	if (!lf)
		return -P9_ENOMEM;
	r = fs->ops->lock_new(fs, node, file, &lf->host);
	if (r < 0) {
		free(lf);
		return r;
	}
	lf->locks = l;
	lf->fs = fs;
	lf->key = key;
	lf->refs = 1;
	lf->next = *head;
	*head = lf;
	*ret_lockfile = lf;
	return 0;
}

void sk_9p_lockfile_put(struct sk_9p_lockfile *lf)
{
	struct sk_9p_lockfile **at;

	if (!lf || --lf->refs)
		return;
	for (at = bucket(lf->locks, &lf->key); *at != lf; at = &(*at)->next)
		;
	*at = lf->next;
	while (lf->ranges) {
		struct byte_range *r = lf->ranges;

		lf->ranges = r->next;
		lf->locks->n--;
		free(r);
	}
	lf->fs->ops->lock_free(lf->fs, lf->host);
	free(lf);
}

/* --- ranges */

static uint8_t id_len(const struct p9_str *s)
{
	return (uint8_t)(s->len < CLIENT_ID_MAX ? s->len : CLIENT_ID_MAX);
}

static bool same_owner(const struct byte_range *r, const struct sk_9p_locker *who)
{
	if (r->kind != who->kind)
		return false;
	if (who->kind == SK_9P_LOCK_FLOCK)
		return r->fid == who->fid;
	return r->session == who->session && r->proc_id == who->proc_id && r->id_len == id_len(&who->client_id) &&
	       (r->id_len == 0 || memcmp(r->id, who->client_id.p, r->id_len) == 0);
}

static bool overlaps(const struct byte_range *r, uint64_t first, uint64_t last)
{
	return r->first <= last && r->last >= first;
}

/* Not exact owners: the same fid is none that differs. */
static bool same_fid(const struct byte_range *r, const struct sk_9p_locker *who)
{
	return !who->exact && r->fid == who->fid;
}

static bool in_the_way(const struct byte_range *r, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
		       uint64_t last)
{
	return r->kind == who->kind && overlaps(r, first, last) &&
	       (r->type == P9_LOCK_WRLCK || type == P9_LOCK_WRLCK) && !same_fid(r, who) && !same_owner(r, who);
}

/* Ranges that a set by `who` takes the place of: its own, and those made through the same fid by another process where
 * both together would be a conflict. */
static bool replaced(const struct byte_range *r, const struct sk_9p_locker *who, uint8_t type)
{
	if (same_owner(r, who))
		return true;
	return r->kind == who->kind && same_fid(r, who) && type != P9_LOCK_UNLCK &&
	       (r->type == P9_LOCK_WRLCK || type == P9_LOCK_WRLCK);
}

static bool reserve(struct sk_9p_locks *l, unsigned n)
{
	while (n--) {
		struct byte_range *r = calloc(1, sizeof(*r));

		if (!r)
			return false;
		r->next = l->spare;
		l->spare = r;
	}
	return true;
}

static struct byte_range *take_spare(struct sk_9p_locks *l)
{
	struct byte_range *r = l->spare;

	l->spare = r->next;
	l->n++;
	return r;
}

static void insert(struct sk_9p_lockfile *lf, struct byte_range *r)
{
	struct byte_range **at = &lf->ranges;

	while (*at && (*at)->first < r->first)
		at = &(*at)->next;
	r->next = *at;
	*at = r;
}

static void unlink_range(struct sk_9p_lockfile *lf, struct byte_range **at)
{
	struct byte_range *r = *at;

	*at = r->next;
	lf->locks->n--;
	free(r);
}

/* Takes first..last out of every range that is replaced. A range that is cut into two uses one spare. */
static void carve(struct sk_9p_lockfile *lf, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
		  uint64_t last)
{
	struct byte_range **at = &lf->ranges, *tails = NULL;

	while (*at) {
		struct byte_range *r = *at;

		if (!overlaps(r, first, last) || !replaced(r, who, type)) {
			at = &r->next;
			continue;
		}
		if (r->last > last) {
			if (r->first >= first) {
				/* Only its head goes: its place in the list may change. */
				*at = r->next;
				r->first = last + 1;
				r->next = tails;
				tails = r;
				continue;
			} else {
				struct byte_range *tail = take_spare(lf->locks);

				*tail = *r;
				tail->first = last + 1;
				tail->next = tails;
				tails = tail;
			}
		}
		if (r->first < first) {
			r->last = first - 1;
			at = &r->next;
		} else {
			unlink_range(lf, at);
		}
	}
	while (tails) {
		struct byte_range *r = tails;

		tails = r->next;
		insert(lf, r);
	}
}

static bool alike(const struct byte_range *a, const struct byte_range *b)
{
	return a->type == b->type && a->kind == b->kind && a->session == b->session && a->fid == b->fid &&
	       a->proc_id == b->proc_id && a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0;
}

/* Adds a range and joins it with equal neighbours. */
static void add_joined(struct sk_9p_lockfile *lf, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
		       uint64_t last)
{
	struct byte_range *n = take_spare(lf->locks), **at = &lf->ranges;

	n->first = first;
	n->last = last;
	n->type = type;
	n->kind = (uint8_t)who->kind;
	n->session = who->session;
	n->fid = who->fid;
	n->proc_id = who->proc_id;
	n->id_len = id_len(&who->client_id);
	if (n->id_len)
		memcpy(n->id, who->client_id.p, n->id_len);
	while (*at) {
		struct byte_range *r = *at;
		bool touches = (r->last == UINT64_MAX || r->last + 1 >= n->first) &&
			       (n->last == UINT64_MAX || n->last + 1 >= r->first);

		if (!touches || !alike(r, n)) {
			at = &r->next;
			continue;
		}
		if (r->first < n->first)
			n->first = r->first;
		if (r->last > n->last)
			n->last = r->last;
		unlink_range(lf, at);
	}
	insert(lf, n);
}

/* --- towards the host */

static int host_set(struct sk_9p_lockfile *lf, enum sk_9p_lock_kind kind, uint8_t type, uint64_t first, uint64_t last)
{
	return lf->fs->ops->lock_set(lf->fs, lf->host, kind, type, first, last);
}

/* Brings the host in line with the ranges of a kind for first..last after something went: unlocks what no range covers,
 * weakens what only readers cover. */
static void host_settle(struct sk_9p_lockfile *lf, enum sk_9p_lock_kind kind, uint64_t first, uint64_t last)
{
	uint64_t pos = first;

	while (pos <= last) {
		uint64_t end = last;
		uint8_t type = P9_LOCK_UNLCK;
		struct byte_range *r;

		/* `end`: the last byte with the same state as `pos`. */
		for (r = lf->ranges; r; r = r->next) {
			if (r->kind != kind)
				continue;
			if (r->first > pos) {
				if (r->first - 1 < end)
					end = r->first - 1;
				continue;
			}
			if (r->last < pos)
				continue;
			if (r->last < end)
				end = r->last;
			if (type == P9_LOCK_UNLCK || r->type == P9_LOCK_WRLCK)
				type = r->type;
		}
		if (type != P9_LOCK_WRLCK)
			(void)host_set(lf, kind, type, pos, end);
		if (end == last)
			break;
		pos = end + 1;
	}
}

/* --- the interface */

/* The memory for a change, within the bound. */
static int prepare(struct sk_9p_locks *l, uint8_t type, unsigned need)
{
	/* Giving up has to be possible at the bound; cutting holes without end has not. */
	if (type != P9_LOCK_UNLCK && need > l->max - (l->n < l->max ? l->n : l->max))
		return -P9_ENOLCK;
	if (type == P9_LOCK_UNLCK && need > 1 && l->n / 2 >= l->max)
		return -P9_ENOLCK;
	if (!reserve(l, need)) {
		free_spare(l);
		return -P9_ENOLCK;
	}
	return 0;
}

static int set_range(struct sk_9p_lockfile *lf, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
		     uint64_t last, bool *ret_host)
{
	unsigned need = 1;
	struct byte_range *r;
	int ret;

	for (r = lf->ranges; r; r = r->next) {
		if (type != P9_LOCK_UNLCK && in_the_way(r, who, type, first, last))
			return -P9_EAGAIN;
		if (r->first < first && r->last > last && replaced(r, who, type))
			need++;
	}
	ret = prepare(lf->locks, type, need);
	if (ret < 0)
		return ret;
	if (type != P9_LOCK_UNLCK) {
		ret = host_set(lf, SK_9P_LOCK_RANGE, type, first, last);
		if (ret < 0) {
			*ret_host = ret == -P9_EAGAIN;
			free_spare(lf->locks);
			return ret;
		}
	}
	carve(lf, who, type, first, last);
	if (type != P9_LOCK_UNLCK)
		add_joined(lf, who, type, first, last);
	else
		host_settle(lf, SK_9P_LOCK_RANGE, first, last);
	free_spare(lf->locks);
	return 0;
}

static int set_flock(struct sk_9p_lockfile *lf, const struct sk_9p_locker *who, uint8_t type, bool *ret_host)
{
	struct byte_range **at, *r;
	bool had = false, conflict = false;
	int ret;

	for (at = &lf->ranges; *at && !same_owner(*at, who); at = &(*at)->next)
		;
	if (*at && (*at)->type == type)
		return 0;
	if (!*at) {
		ret = prepare(lf->locks, type, 1);
		if (ret < 0)
			return ret;
	} else if (!reserve(lf->locks, 1)) {
		return -P9_ENOLCK;
	}
	/* The old one goes first, and for good. */
	if (*at) {
		unlink_range(lf, at);
		had = true;
	}
	for (r = lf->ranges; r && type != P9_LOCK_UNLCK; r = r->next)
		conflict |= in_the_way(r, who, type, 0, UINT64_MAX);
	ret = conflict ? -P9_EAGAIN : 0;
	if (ret == 0 && type != P9_LOCK_UNLCK) {
		ret = host_set(lf, SK_9P_LOCK_FLOCK, type, 0, UINT64_MAX);
		*ret_host = ret == -P9_EAGAIN;
	}
	if (ret == 0 && type != P9_LOCK_UNLCK)
		add_joined(lf, who, type, 0, UINT64_MAX);
	else if (had)
		host_settle(lf, SK_9P_LOCK_FLOCK, 0, UINT64_MAX);
	free_spare(lf->locks);
	return ret;
}

int sk_9p_lockfile_set(struct sk_9p_lockfile *lf, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
		       uint64_t last, bool *ret_host)
{
	*ret_host = false;
	return who->kind == SK_9P_LOCK_FLOCK ? set_flock(lf, who, type, ret_host)
					     : set_range(lf, who, type, first, last, ret_host);
}

static void describe(const struct byte_range *r, struct sk_9p_lock *l)
{
	l->type = r->type;
	l->first = r->first;
	l->last = r->last;
	l->proc_id = r->proc_id;
	memcpy(l->client_id, r->id, r->id_len);
	l->client_id[r->id_len] = 0;
}

int sk_9p_lockfile_test(struct sk_9p_lockfile *lf, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
			uint64_t last, struct sk_9p_lock *ret_lock)
{
	struct byte_range *r;

	memset(ret_lock, 0, sizeof(*ret_lock));
	for (r = lf->ranges; r; r = r->next) {
		if (!in_the_way(r, who, type, first, last))
			continue;
		describe(r, ret_lock);
		return 0;
	}
	ret_lock->type = type;
	ret_lock->first = first;
	ret_lock->last = last;
	return lf->fs->ops->lock_test(lf->fs, lf->host, &ret_lock->type, &ret_lock->first, &ret_lock->last,
				      &ret_lock->proc_id);
}

bool sk_9p_lockfile_drop(struct sk_9p_lockfile *lf, const void *fid)
{
	struct byte_range **at = &lf->ranges;
	struct {
		bool dropped;
		uint64_t first, last;
	} of[SK_9P_LOCK_KINDS] = { { false, UINT64_MAX, 0 }, { false, UINT64_MAX, 0 } }, *o;
	unsigned kind;

	while (*at) {
		struct byte_range *r = *at;

		if (r->fid != fid) {
			at = &r->next;
			continue;
		}
		o = &of[r->kind];
		o->dropped = true;
		if (r->first < o->first)
			o->first = r->first;
		if (r->last > o->last)
			o->last = r->last;
		unlink_range(lf, at);
	}
	for (kind = 0; kind < SK_9P_LOCK_KINDS; kind++)
		if (of[kind].dropped)
			host_settle(lf, (enum sk_9p_lock_kind)kind, of[kind].first, of[kind].last);
	return of[SK_9P_LOCK_RANGE].dropped || of[SK_9P_LOCK_FLOCK].dropped;
}
