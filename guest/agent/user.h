/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_USER_H
#define SK_AGENT_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Who a container's process is: docker's "name[:group]" resolved with the image's own /etc/passwd and /etc/group.
 *
 * Both files are the container's: they are opened inside its root (openat2), only when they are regular files, read to
 * SK_USER_FILE_MAX bytes and no further, and a line that is not well formed is skipped.
 */
#define SK_USER_FILE_MAX (4u * 1024u * 1024u)
#define SK_USER_GROUPS_MAX 1024u
#define SK_USER_HOME_MAX 1024u

struct sk_user {
	uint32_t uid, gid;
	bool known;		     /* uid has a line in passwd */
	char home[SK_USER_HOME_MAX]; /* "/" when not known */
	size_t n_groups;
	uint32_t groups[SK_USER_GROUPS_MAX]; /* supplementary; gid is the first of them, as with docker */
};

/* `passwd`, `group`: the files' contents, NUL-terminated (NULL: no such file). */
int sk_user_resolve(const char *text, const char *passwd, const char *group, struct sk_user *ret, struct sk_error *err);
/* The same with the files below `rootfd`. */
int sk_user_resolve_at(int rootfd, const char *text, struct sk_user *ret, struct sk_error *err);
/* One more group, by name or number: -EINVAL when the image's `group` file has no such name. */
int sk_user_join(const char *text, const char *group, struct sk_user *user, struct sk_error *err);
/* Looks up `uid` in passwd's content: true with `home` set when it has a line. */
bool sk_user_home(const char *passwd, uint32_t uid, char home[SK_USER_HOME_MAX]);
/* The name of `uid`, or its number. */
void sk_user_name(const char *passwd, uint32_t uid, char *ret_name, size_t size);
/* Content of a regular file below `rootfd`, at most SK_USER_FILE_MAX bytes; NULL when it is missing or unfit. */
char *sk_user_read_file(int rootfd, const char *path);

#endif
