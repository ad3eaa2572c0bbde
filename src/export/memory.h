/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_MEMORY_H
#define SK_EXPORT_MEMORY_H

#include "ninep/fs.h"

/*
 * A file system in memory, for tests and fuzzing: exact and deterministic (its clock counts calls), bounded, no
 * permissions.
 */
struct sk_memfs_limits {
	size_t bytes;	 /* file contents and attributes together; beyond: ENOSPC */
	unsigned inodes; /* beyond: ENOSPC */
};
/* -P9_ENOMEM. */
int sk_memfs_new(const struct sk_memfs_limits *limits, struct sk_9p_fs **ret_fs);
/* All nodes and files must have been given back: asserted. */
void sk_memfs_free(struct sk_9p_fs *fs);

/* Plays another program on the host that holds one lock on every file: P9_LOCK_UNLCK ends it. */
void sk_memfs_foreign_lock(struct sk_9p_fs *fs, uint8_t type, uint64_t first, uint64_t last);
void sk_memfs_foreign_flock(struct sk_9p_fs *fs, uint8_t type);
/* The next `n`-th call that writes data fails with -error (0: never). */
void sk_memfs_fail_write(struct sk_9p_fs *fs, unsigned n, int error);
/* Nodes and open files that are held. */
unsigned sk_memfs_held(const struct sk_9p_fs *fs);
/* For tests: how many host locks the server holds for the files of this file system, and whether one byte is locked. */
unsigned sk_memfs_hostlocks(const struct sk_9p_fs *fs);
uint8_t sk_memfs_hostlock_at(const struct sk_9p_fs *fs, uint64_t byte);
uint8_t sk_memfs_hostflock(const struct sk_9p_fs *fs);

#endif
