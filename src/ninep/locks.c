/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A lockfile is what this server holds on one host file, found by the file's identity on the host: two hard links, or
 * two exports that reach the same file, share one. It has a list of ranges sorted by first byte. A range belongs to an
 * owner (session, client_id, proc_id), has a type, and remembers the fid that it was made through.
 *
 *   conflict  two ranges overlap, one of them is a write lock, the owners differ, and the fids differ. Through one fid
 * there is no conflict: the client arbitrates inside one open file, and a flock() outlives the process that took it
 * (the next locker through that fid replaces it). setting   replaces what the owner had in that range (upgrade,
 * downgrade, split), then joins neighbours of the same kind. host      one hostlock per lockfile holds the strongest of
 * all owners for every byte. Others' locks inside this server never meet the host; a lock that is free here is then
 * asked of the host, and only what nobody here holds any more is given back to it. release   by range; by fid (clunk,
 * lost session). A range that cannot be given back to the host (it fails to unlock) is gone here all the same: closing
 * the hostlock frees it at last.
 *
 * Not trusted: ranges, ids (bounded by max_ranges together; a client_id is kept to 64 bytes, longer ones only differ in
 * their first 64). All memory that a change needs is there before the host is asked, so that a change cannot be half
 * done.
 */
#include "ninep/locks.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 256u
#define CLIENT_ID_MAX 64u

struct range {
	struct range *next;
	uint64_t first, last;
	uint8_t type;
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
	struct range *ranges; /* by first */
};

struct sk_9p_locks {
	unsigned n, max;
	struct range *spare; /* for the change that is going on */
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
		struct range *r = l->spare;

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

/* --- lock files
 * -------------------------------------------------------------------------------------------------------------- */

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
		struct range *r = lf->ranges;

		lf->ranges = r->next;
		lf->locks->n--;
		free(r);
	}
	lf->fs->ops->lock_free(lf->fs, lf->host);
	free(lf);
}

/* --- ranges
 * ------------------------------------------------------------------------------------------------------------------ */

static uint8_t id_len(const struct p9_str *s)
{
	return (uint8_t)(s->len < CLIENT_ID_MAX ? s->len : CLIENT_ID_MAX);
}

static bool same_owner(const struct range *r, const struct sk_9p_locker *who)
{
	return r->session == who->session && r->proc_id == who->proc_id && r->id_len == id_len(&who->client_id) &&
	       (r->id_len == 0 || memcmp(r->id, who->client_id.p, r->id_len) == 0);
}

static bool overlaps(const struct range *r, uint64_t first, uint64_t last)
{
	return r->first <= last && r->last >= first;
}

static bool in_the_way(const struct range *r, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
		       uint64_t last)
{
	return overlaps(r, first, last) && (r->type == P9_LOCK_WRLCK || type == P9_LOCK_WRLCK) && r->fid != who->fid &&
	       !same_owner(r, who);
}

/* Ranges that a set by `who` takes the place of: its own, and those made through the same fid by another process where
 * both together would be a conflict. */
static bool replaced(const struct range *r, const struct sk_9p_locker *who, uint8_t type)
{
	if (same_owner(r, who))
		return true;
	return r->fid == who->fid && type != P9_LOCK_UNLCK && (r->type == P9_LOCK_WRLCK || type == P9_LOCK_WRLCK);
}

static bool reserve(struct sk_9p_locks *l, unsigned n)
{
	while (n--) {
		struct range *r = calloc(1, sizeof(*r));

		if (!r)
			return false;
		r->next = l->spare;
		l->spare = r;
	}
	return true;
}

static struct range *take_spare(struct sk_9p_locks *l)
{
	struct range *r = l->spare;

	l->spare = r->next;
	l->n++;
	return r;
}

static void insert(struct sk_9p_lockfile *lf, struct range *r)
{
	struct range **at = &lf->ranges;

	while (*at && (*at)->first < r->first)
		at = &(*at)->next;
	r->next = *at;
	*at = r;
}

static void unlink_range(struct sk_9p_lockfile *lf, struct range **at)
{
	struct range *r = *at;

	*at = r->next;
	lf->locks->n--;
	free(r);
}

/* Takes first..last out of every range that is replaced. A range that is cut into two uses one spare. */
static void carve(struct sk_9p_lockfile *lf, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
		  uint64_t last)
{
	struct range **at = &lf->ranges, *tails = NULL;

	while (*at) {
		struct range *r = *at;

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
				struct range *tail = take_spare(lf->locks);

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
		struct range *r = tails;

		tails = r->next;
		insert(lf, r);
	}
}

static bool same_kind(const struct range *a, const struct range *b)
{
	return a->type == b->type && a->session == b->session && a->fid == b->fid && a->proc_id == b->proc_id &&
	       a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0;
}

/* Adds a range and joins it with those of the same kind that touch it. */
static void add_joined(struct sk_9p_lockfile *lf, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
		       uint64_t last)
{
	struct range *n = take_spare(lf->locks), **at = &lf->ranges;

	n->first = first;
	n->last = last;
	n->type = type;
	n->session = who->session;
	n->fid = who->fid;
	n->proc_id = who->proc_id;
	n->id_len = id_len(&who->client_id);
	if (n->id_len)
		memcpy(n->id, who->client_id.p, n->id_len);
	while (*at) {
		struct range *r = *at;
		bool touches = (r->last == UINT64_MAX || r->last + 1 >= n->first) &&
			       (n->last == UINT64_MAX || n->last + 1 >= r->first);

		if (!touches || !same_kind(r, n)) {
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

/* --- towards the host
 * -------------------------------------------------------------------------------------------------------- */

static int host_set(struct sk_9p_lockfile *lf, uint8_t type, uint64_t first, uint64_t last)
{
	return lf->fs->ops->lock_set(lf->fs, lf->host, type, first, last);
}

/* Brings the host in line with the ranges for first..last after something went: unlocks what no range covers, weakens
 * what only readers cover. */
static void host_settle(struct sk_9p_lockfile *lf, uint64_t first, uint64_t last)
{
	uint64_t pos = first;

	while (pos <= last) {
		uint64_t end = last;
		uint8_t type = P9_LOCK_UNLCK;
		struct range *r;

		/* `end`: how far the state at `pos` goes on. */
		for (r = lf->ranges; r; r = r->next) {
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
			(void)host_set(lf, type, pos, end);
		if (end == last)
			break;
		pos = end + 1;
	}
}

/* --- the interface
 * ----------------------------------------------------------------------------------------------------------- */

int sk_9p_lockfile_set(struct sk_9p_lockfile *lf, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
		       uint64_t last, bool *ret_host)
{
	struct sk_9p_locks *l = lf->locks;
	unsigned need = 1;
	struct range *r;
	int ret = 0;

	*ret_host = false;
	for (r = lf->ranges; r; r = r->next) {
		if (type != P9_LOCK_UNLCK && in_the_way(r, who, type, first, last))
			return -P9_EAGAIN;
		if (r->first < first && r->last > last && replaced(r, who, type))
			need++;
	}
	/* Giving up has to be possible at the bound; cutting holes without end has not. */
	if (type != P9_LOCK_UNLCK && need > l->max - (l->n < l->max ? l->n : l->max))
		return -P9_ENOLCK;
	if (type == P9_LOCK_UNLCK && need > 1 && l->n / 2 >= l->max)
		return -P9_ENOLCK;
	if (!reserve(l, need)) {
		free_spare(l);
		return -P9_ENOLCK;
	}
	if (type != P9_LOCK_UNLCK) {
		ret = host_set(lf, type, first, last);
		if (ret < 0) {
			*ret_host = ret == -P9_EAGAIN;
			free_spare(l);
			return ret;
		}
	}
	carve(lf, who, type, first, last);
	if (type != P9_LOCK_UNLCK)
		add_joined(lf, who, type, first, last);
	else
		host_settle(lf, first, last);
	free_spare(l);
	return 0;
}

static void describe(const struct range *r, struct sk_9p_lock *l)
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
	struct range *r;

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
	struct range **at = &lf->ranges;
	bool dropped = false;
	uint64_t first = UINT64_MAX, last = 0;

	while (*at) {
		struct range *r = *at;

		if (r->fid != fid) {
			at = &r->next;
			continue;
		}
		dropped = true;
		if (r->first < first)
			first = r->first;
		if (r->last > last)
			last = r->last;
		unlink_range(lf, at);
	}
	if (dropped)
		host_settle(lf, first, last);
	return dropped;
}
