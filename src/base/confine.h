/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_CONFINE_H
#define SK_BASE_CONFINE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The steps by which a process gives up rights. Which rights it keeps is each program's own list. All of it is about the
 * calling process (and thread), cannot be undone, and is async-signal-safe except for the filter of system calls, which
 * allocates. Functions return 0 or a negative errno.
 */

/* Keeps the `n` capabilities in `keep` as permitted and effective and drops all others, also from the bounding set where
 * the process may change that. */
int sk_caps_keep(const int *keep, size_t n);
int sk_no_new_privileges(void);

/* Rights of newer headers (Linux 5.19, 6.2, 6.10); <linux/landlock.h> has the others. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

struct sk_landlock {
	int fd;	      /* -1: none */
	uint64_t all; /* rights of files that this kernel can withhold: all are withheld but what rules allow */
};
enum sk_landlock_scope {
	SK_LANDLOCK_FILES,
	SK_LANDLOCK_NETWORK, /* and TCP, abstract unix sockets and signals, where the kernel can withhold them */
};
/* -EOPNOTSUPP: no Landlock here, or its first version, which lets no file be moved between directories. */
int sk_landlock_new(enum sk_landlock_scope scope, struct sk_landlock *ret);
/* Allows `access` (those rights that the kernel knows, of a file those that files have) below the directory, or to the
 * file, that `fd` is. */
int sk_landlock_allow(const struct sk_landlock *l, int fd, uint64_t access);
/* A path that does not exist needs no rule. */
int sk_landlock_allow_path(const struct sk_landlock *l, const char *path, uint64_t access);
/* Puts the rules into force. */
int sk_landlock_enter(struct sk_landlock *l);
/* Closes the descriptor. */
void sk_landlock_fini(struct sk_landlock *l);

/* For filters of system calls; `ctx` is libseccomp's. Allows the calls in the list, also where this architecture does
 * not have one of them. */
int sk_filter_allow(void *ctx, const int *calls, size_t n);
/* Allows clone(2) without new namespaces. clone3, whose flags no filter can see, has to fail with ENOSYS: the C library
 * falls back on clone. */
int sk_filter_allow_threads(void *ctx);

#endif
