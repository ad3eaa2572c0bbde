/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_CP_SYSTEM_H
#define SK_CLI_CP_SYSTEM_H

#include <archive_entry.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"

/* What each system has of its own for cp (cp_linux.c, cp_windows.c). */

/* A path of an archive as it is stored here, which may need other characters; malloc'd; NULL: nothing here can have that
 * name. */
char *sk_cp_stored_path(const char *path);
/* A local path as the user wrote it, with slashes; malloc'd. NULL with the error: cp cannot take it. */
char *sk_cp_local_path(const char *path, struct sk_error *err);

/* Sets owner, and time of the last change, of the open file; what cannot be set stays as it is. True: the owner is the one
 * of the archive. `name` "": `at` itself. */
bool sk_cp_set_owner(int at, const char *name, struct archive_entry *entry);
void sk_cp_set_time(int fd, const struct timespec *mtime);
/* -1 with errno; ENOSYS: there are none on this system. */
int sk_cp_make_symlink(const char *target, int at, const char *name);
int sk_cp_make_fifo(int at, const char *name, mode_t mode);

/* The header of a file of this system: all but its name and data. False with errno: its target cannot be read. */
bool sk_cp_describe(struct archive_entry *entry, const char *path, const struct stat *st);
/* Called for `start` and all below it, directories first: `path` opens it, `name` is its name below `start` ("" of itself) as
 * the container is to have it. Negative: stop. */
typedef int (*sk_cp_visit)(void *arg, const char *path, const char *name, const struct stat *st);
/* `follow`: `start` itself, if it is a link. */
int sk_cp_walk(const char *start, bool follow, sk_cp_visit visit, void *arg, struct sk_error *err);

#endif
