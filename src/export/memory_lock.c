/* SPDX-License-Identifier: Apache-2.0 */
/* Host locks of the file system in memory, and what tests ask about them. See memory.c. */
#include <stdlib.h>
#include <string.h>

#include "export/memory_internal.h"

int mem_lock_key(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_9p_key *ret_key)
{
	ret_key->dev = (uint64_t)(uintptr_t)fs;
	ret_key->ino = file->inode->ino;
	return 0;
}

int mem_lock_new(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file,
		 struct sk_9p_hostlock **ret_lock)
{
	struct memfs *m = memfs_of(fs);
	struct sk_9p_hostlock *l = calloc(1, sizeof(*l));

	(void)node;
	(void)file;
	if (!l)
		return -P9_ENOMEM;
	memset(l->held, P9_LOCK_UNLCK, sizeof(l->held));
	l->flock = P9_LOCK_UNLCK;
	l->next = m->locks;
	m->locks = l;
	*ret_lock = l;
	return 0;
}

void mem_lock_free(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock)
{
	struct sk_9p_hostlock **at;

	for (at = &memfs_of(fs)->locks; *at != lock; at = &(*at)->next)
		;
	*at = lock->next;
	free(lock);
}

static bool foreign(const struct memfs *m, enum sk_9p_lock_kind kind, uint8_t type, uint64_t first, uint64_t last)
{
	return m->foreign_kind == kind && m->foreign_type != P9_LOCK_UNLCK && type != P9_LOCK_UNLCK &&
	       (m->foreign_type == P9_LOCK_WRLCK || type == P9_LOCK_WRLCK) && first <= m->foreign_last &&
	       last >= m->foreign_first;
}

int mem_lock_set(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, enum sk_9p_lock_kind kind, uint8_t type,
		 uint64_t first, uint64_t last)
{
	bool conflict = foreign(memfs_of(fs), kind, type, first, last);
	uint64_t i;

	if (kind == SK_9P_LOCK_FLOCK)
		lock->flock = conflict ? P9_LOCK_UNLCK : type;
	if (conflict)
		return -P9_EAGAIN;
	if (kind == SK_9P_LOCK_FLOCK)
		return 0;
	for (i = first; i <= last && i < LOCK_BYTES; i++)
		lock->held[i] = type;
	return 0;
}

int mem_lock_test(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, uint8_t *type, uint64_t *first, uint64_t *last,
		  uint32_t *ret_pid)
{
	const struct memfs *m = memfs_of(fs);

	(void)lock;
	if (!foreign(m, SK_9P_LOCK_RANGE, *type, *first, *last)) {
		*type = P9_LOCK_UNLCK;
		return 0;
	}
	*type = m->foreign_type;
	*first = m->foreign_first;
	*last = m->foreign_last;
	*ret_pid = 1;
	return 0;
}

void sk_memfs_foreign_lock(struct sk_9p_fs *fs, uint8_t type, uint64_t first, uint64_t last)
{
	struct memfs *m = memfs_of(fs);

	m->foreign_kind = SK_9P_LOCK_RANGE;
	m->foreign_type = type;
	m->foreign_first = first;
	m->foreign_last = last;
}

void sk_memfs_foreign_flock(struct sk_9p_fs *fs, uint8_t type)
{
	sk_memfs_foreign_lock(fs, type, 0, UINT64_MAX);
	memfs_of(fs)->foreign_kind = SK_9P_LOCK_FLOCK;
}

unsigned sk_memfs_held(const struct sk_9p_fs *fs)
{
	return ((const struct memfs *)fs)->held;
}

unsigned sk_memfs_hostlocks(const struct sk_9p_fs *fs)
{
	const struct sk_9p_hostlock *l;
	unsigned n = 0;

	for (l = ((const struct memfs *)fs)->locks; l; l = l->next)
		n++;
	return n;
}

uint8_t sk_memfs_hostlock_at(const struct sk_9p_fs *fs, uint64_t byte)
{
	const struct sk_9p_hostlock *l = ((const struct memfs *)fs)->locks;

	return l ? l->held[byte < LOCK_BYTES ? byte : LOCK_BYTES - 1] : P9_LOCK_UNLCK;
}

uint8_t sk_memfs_hostflock(const struct sk_9p_fs *fs)
{
	const struct sk_9p_hostlock *l = ((const struct memfs *)fs)->locks;

	return l ? l->flock : P9_LOCK_UNLCK;
}
