/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_PRIVATE_H
#define SK_BASE_PRIVATE_H

#include <sys/types.h>

#include "base/error.h"

/*
 * State and run directories. Every program gets at its own only through these.
 *
 * sk_private_dir() opens `path` and makes what is missing of it with `mode`. It fails (-EPERM) unless the directory is
 * ours, nobody else may write to it, and nobody but root and us can make the path lead elsewhere. A descriptor;
 * `*ret_path` (may be NULL): the path without links, malloc'd.
 */
int sk_private_dir(const char *path, mode_t mode, char **ret_path, struct sk_error *err);
/* Opens a directory in one of those: not a link, owned by us, not writable by others. Returns a descriptor. */
int sk_private_subdir(int dirfd, const char *name, mode_t mode, struct sk_error *err);

#endif
