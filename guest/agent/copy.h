/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_COPY_H
#define SK_AGENT_COPY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/*
 * Copying in and out of a container as tar (pax), and looking at one path. `rootfd` is the container's root; every path
 * is resolved inside of it (confine.h). Neither the archive nor the tree is trusted.
 */

/* Writes the tree at `path` as tar to `fd`; names in it begin with the last component of `path`. `follow`: when that is
 * a symbolic link, what it points to is meant. Kept: modes, owners, times, hard links, devices, extended attributes. */
int sk_copy_get(int rootfd, const char *path, bool follow, int fd, struct sk_error *err);
/* The same of what is below the directory `path`, with names that begin there; what is mounted in it is left out: mount
 * points are empty files and directories. */
int sk_copy_get_unmounted(int rootfd, const char *path, int fd, struct sk_error *err);
/* Unpacks the tar on `fd` under the directory `path`. `owners`: as the archive says, else root's. Names with ".." are
 * refused; a directory does not replace a file nor a file a directory. On failure the rest of the stream is left
 * unread. */
int sk_copy_put(int rootfd, const char *path, bool owners, int fd, struct sk_error *err);
/* {name,size,mode,mtime:[sec,nsec],link,is_dir}, a new reference; NULL with `err`. The last component is not followed.
 */
json_t *sk_copy_stat(int rootfd, const char *path, struct sk_error *err);

#endif
