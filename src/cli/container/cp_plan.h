/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_CP_PLAN_H
#define SK_CLI_CP_PLAN_H

#include <stdbool.h>

#include "base/error.h"

/* Docker's rules of where a copy goes (docs of `docker cp`; moby, archive.PrepareArchiveCopy). No I/O. */

/* "CONTAINER:PATH" → container and path, malloc'd; a local path gives *ret_container NULL. "./a:b" and "/a:b" are
 * local. */
void sk_cp_split(const char *arg, char **ret_container, char **ret_path);

struct sk_cp_side {
	const char *path; /* as given, absolute or relative */
	bool exists, is_dir;
};

/*
 * The archive of a copy has one root entry. It goes into `*ret_dir` under the name `*ret_name`, which is "." when the
 * directory's contents go there themselves. Both malloc'd. Errors in docker's words.
 */
int sk_cp_plan(const struct sk_cp_side *src, const struct sk_cp_side *dst, char **ret_dir, char **ret_name,
	       struct sk_error *err);

/* Renames an archive's entry: the root `root` (the entry itself, and the beginning of all below it) becomes `name`.
 * malloc'd; NULL: it does not lie below the root, has "..", or is otherwise nothing to write. "./" as root is "." too.
 */
char *sk_cp_rename(const char *entry, const char *root, const char *name);

#endif
