/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_COPY_WALK_H
#define SK_AGENT_COPY_WALK_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* What writers of archives have in common (copy_out.c, copy_changes.c). */
#define ARCHIVE_DEPTH 1024 /* directories within directories */
#define ARCHIVE_CHUNK (128u * 1024u)

/* A file that was already written under a name. */
struct sk_copy_link {
	struct sk_copy_link *next;
	dev_t dev;
	ino_t ino;
	char name[];
};

struct archive;
struct archive_entry;

struct sk_copy_walk {
	struct archive *out;
	struct archive_entry *entry;
	struct sk_copy_link *links[4096];
	size_t n_links;
	char name[PATH_MAX]; /* of the entry, as it is in the archive */
	size_t name_len;
	char *chunk;	/* ARCHIVE_CHUNK bytes */
	bool unmounted; /* mount points are empty, and the names begin below the first directory */
	bool flat;	/* a directory's entry alone, without what is in it */
	struct sk_error *err;
};

/* A tar (pax) to `fd`, borrowed. NULL with err. */
struct sk_copy_walk *sk_copy_walk_new(int fd, struct sk_error *err);
void sk_copy_walk_free(struct sk_copy_walk *w);
/* Ends the archive, unless `r` says that it has failed, and frees the walk. Returns the first failure. */
int sk_copy_walk_end(struct sk_copy_walk *w, int r);
/* The file behind `pathfd` (O_PATH) by the name in the walk, and what is below it. */
int sk_copy_tree(struct sk_copy_walk *w, int pathfd, int depth);
/* "cannot read NAME", and "cannot send NAME": negative errno. */
int sk_copy_fail(struct sk_copy_walk *w, int code);
int sk_copy_fail_out(struct sk_copy_walk *w);

#endif
