/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_NINEP_LOCKS_H
#define SK_NINEP_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "ninep/fs.h"

/*
 * The locks of all sessions of one server process. See locks.c for the rules.
 */
struct sk_9p_locks;
struct sk_9p_lockfile; /* all locks on one host file; counted */

/*
 * The locker and the kind of lock. The owner of a RANGE is (session, client_id, proc_id), that of a FLOCK is the fid;
 * for a RANGE `fid` names the open file that it was made through.
 */
struct sk_9p_locker {
	const void *session;
	const void *fid;
	enum sk_9p_lock_kind kind;
	/* proc_id is the owner that the client's kernel uses (extension). Else it is a process, and what another
	 * process does through the same fid may be about the same lock: see locks.c. */
	bool exact;
	uint32_t proc_id;
	struct p9_str client_id;
};

struct sk_9p_lock {
	uint8_t type; /* P9_LOCK_* */
	uint64_t first, last;
	uint32_t proc_id;
	char client_id[65];
};

/* `max_ranges` bounds the memory: beyond it locks fail with -P9_ENOLCK. */
int sk_9p_locks_new(unsigned max_ranges, struct sk_9p_locks **ret_locks);
void sk_9p_locks_free(struct sk_9p_locks *locks);

/* The lock file of an open file, a new reference. -P9_ENOMEM, -P9_ENOLCK. */
int sk_9p_lockfile_get(struct sk_9p_locks *locks, struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file,
		       struct sk_9p_lockfile **ret_lockfile);
/* Gives a reference back; with the last one the host's lock object goes. Accepts NULL. */
void sk_9p_lockfile_put(struct sk_9p_lockfile *lf);

/*
 * Sets a range for an owner. Returns 0; -P9_EAGAIN: somebody has it (`*ret_host`: somebody outside this server, so that
 * only asking again will tell when it is free); -P9_ENOLCK, or the host's error. On failure a RANGE is as it was. A
 * FLOCK of another type that the owner had is gone, as with flock(2): others may get theirs now.
 */
int sk_9p_lockfile_set(struct sk_9p_lockfile *lf, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
		       uint64_t last, bool *ret_host);
/* The lock that conflicts with a RANGE of `type`; ret_lock->type is UNLCK if none does. */
int sk_9p_lockfile_test(struct sk_9p_lockfile *lf, const struct sk_9p_locker *who, uint8_t type, uint64_t first,
			uint64_t last, struct sk_9p_lock *ret_lock);
/* Releases all that was locked through `fid`. True when there was something. */
bool sk_9p_lockfile_drop(struct sk_9p_lockfile *lf, const void *fid);
/* Ranges held by all (for tests and bounds). */
unsigned sk_9p_locks_count(const struct sk_9p_locks *locks);

#endif
