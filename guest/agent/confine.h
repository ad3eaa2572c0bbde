/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_CONFINE_H
#define SK_AGENT_CONFINE_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Opening paths that a container controls. Everything is resolved by the kernel with `rootfd` as the root directory
 * (openat2 with RESOLVE_IN_ROOT): symbolic links, absolute or not, and ".." stay below it, and the magic links of /proc
 * are refused. All descriptors are CLOEXEC; all return a descriptor or negative errno.
 */
int sk_confine_open(int rootfd, const char *path, uint64_t flags, mode_t mode);
/* O_PATH; `follow`: also a link in the last component. */
int sk_confine_path(int rootfd, const char *path, int follow);
/* For reading, only if it is a regular file; never blocks on a FIFO or device. */
int sk_confine_open_regular(int rootfd, const char *path);
/* O_PATH of the directory that holds the last component of `path`, and that component's name in `ret_name` (size
 * NAME_MAX + 1). -EINVAL where there is no such name (empty, "/", "." or ".."). */
int sk_confine_parent(int rootfd, const char *path, char *ret_name);
/* Reopens an O_PATH descriptor. */
int sk_confine_reopen(int pathfd, int flags);

#endif
