/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_CP_TAR_H
#define SK_CLI_CP_TAR_H

#include <archive.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Tar on the host's side of cp.
 *
 * What comes out of a container was written by it: every name is taken apart and walked from the destination by
 * descriptors with O_NOFOLLOW, so that no entry leads outside, through links of its own or others; device nodes are
 * left out, set-user-id bits and owners are kept only with -a. Directories are remembered until the end, up to a bound: the
 * archive has no end that it must keep to, and may name one directory again and again.
 */
struct sk_cp_extract {
	const char *root; /* name of the archive's root entry */
	const char *name; /* what it becomes, "." for the directory itself */
	bool keep_owner;  /* -a */
	size_t max_kept;  /* bytes that may be kept of directories until the end; 0: 1 GiB */
	uint64_t bytes;	  /* written, out */
	unsigned skipped; /* device nodes and sockets, out */
	/* Links and pipes on a system that has none, and the first one: an error when all else is there. */
	unsigned refused;
	char *first_refused;
};
/* Unpacks what `in` (opened by the caller) gives into the directory `dirfd`. */
int sk_cp_extract(struct archive *in, int dirfd, struct sk_cp_extract *x, struct sk_error *err);

struct sk_cp_pack {
	const char *name; /* of the root entry, "." for contents */
	bool follow;	  /* -L: the source itself, if it is a link */
	bool keep_owner;
	uint64_t bytes; /* out */
};
/* Writes the tree at `path` to `out` (opened by the caller). */
int sk_cp_pack(const char *path, struct archive *out, struct sk_cp_pack *p, struct sk_error *err);

#endif
