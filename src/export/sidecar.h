/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_SIDECAR_H
#define SK_EXPORT_SIDECAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/override.h"

/*
 * Owner, mode, device and link target of the files of one directory, kept in a file of that directory: for file systems
 * that can keep nothing with a file (exFAT, vfat). See sidecar.c.
 */
#define SK_SIDECAR_NAME ".skerry-meta"
#define SK_SIDECAR_NEW ".skerry-meta.new"
#define SK_SIDECAR_SELF "." /* the directory itself */
#define SK_SIDECAR_MAX (64u << 20)

struct sk_sidecar;

/* NULL: no memory. */
struct sk_sidecar *sk_sidecar_new(void);
void sk_sidecar_free(struct sk_sidecar *s);
/* Names that differ in the case of ASCII letters only are one, unless both are there. */
void sk_sidecar_any_case(struct sk_sidecar *s, bool any_case);

/* The names have one record. */
bool sk_sidecar_same(const struct sk_sidecar *s, const char *a, const char *b);

/* Reads records, after those that are there. What is damaged is left out. -ENOMEM. */
int sk_sidecar_parse(struct sk_sidecar *s, const char *text, size_t len);
/* Makes `s` what the file in the directory says now. No file: no records. 0 or negative errno. */
int sk_sidecar_load(struct sk_sidecar *s, int dirfd);

/* True: there is a record. `ret_target`: of a symbolic link, borrowed until the next call, else NULL; may be NULL. */
bool sk_sidecar_find(const struct sk_sidecar *s, const char *name, struct sk_override *ret, const char **ret_target);
size_t sk_sidecar_count(const struct sk_sidecar *s);

/*
 * Each writes one record and returns when it is in the host's cache: a server that is killed then loses nothing.
 * `s` is loaded anew under the file's lock before. `target`: of a symbolic link, else NULL. -EAGAIN: somebody else has
 * had the lock for half a second; -ENOSPC: too much for one file, or for the disk.
 */
int sk_sidecar_put(struct sk_sidecar *s, int dirfd, const char *name, const struct sk_override *o, const char *target);
/* The same of a record that is there: of what is not in `fields`, what it says then stays. */
enum {
	SK_SIDECAR_UID = 1u,
	SK_SIDECAR_GID = 2u,
	SK_SIDECAR_MODE = 4u,
	SK_SIDECAR_ALL = 7u,
};
int sk_sidecar_change(struct sk_sidecar *s, int dirfd, const char *name, const struct sk_override *o, unsigned fields,
		      const char *target);
int sk_sidecar_drop(struct sk_sidecar *s, int dirfd, const char *name);
/* Before a file of this size and time of change gets the name: counts once the name is such a file, and there is no
 * `from` any more (NULL: it comes from another directory). `o` NULL: it has no record. To be followed by a put or
 * drop. */
int sk_sidecar_announce(struct sk_sidecar *s, int dirfd, const char *name, const struct sk_override *o,
			const char *target, const char *from, uint64_t size, int64_t mtime);

/* What was written is on the disk. 0 (also where there is no file) or negative errno. */
int sk_sidecar_sync(int dirfd);
/* Removes the files from a directory that has nothing else. -ENOTEMPTY: it has. */
int sk_sidecar_remove(int dirfd);
/* The name is not for clients, however it is spelled. */
bool sk_sidecar_is(const char *name);
/* The name is one of vfat's short names ("SKERRY~1.MET") of such a file. */
bool sk_sidecar_alias(int dirfd, const char *name);

#endif
