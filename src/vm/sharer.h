/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_SHARER_H
#define SK_VM_SHARER_H

#include <stdbool.h>

/* A directory of the host that is not there when the VM starts, and that the guest may ask for later. */
#define SK_VM_LATER_MAX 64u
struct sk_later_share {
	const char *path, *target; /* on the host, in the container: absolute, borrowed */
	bool readonly;
};

/*
 * Starts a file server for it, which serves one connection and ends with it, or with the calling process. The other end
 * of that connection, the caller's; -ENOENT: the host does not have the directory (yet), -ENOTDIR: it is none, or
 * another negative errno.
 */
int sk_sharer_open(const struct sk_later_share *share);

#endif
