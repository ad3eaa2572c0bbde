/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_SQUASH_H
#define SK_IMAGE_SQUASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "image/tree.h"

/*
 * Writes a squashfs image (version 4.0) by libsquashfs: file contents as they come, the tree at the end.
 *
 * The file is written through its descriptor only. The errno of a failed write (no space, file too large) is kept and
 * returned by the next call, as libsquashfs itself knows only "I/O error". Worker threads compress; they are gone when
 * sk_squash_free() returns.
 */
struct sk_squash;

enum sk_squash_compression {
	SK_SQUASH_NONE,
	SK_SQUASH_LZ4,
	SK_SQUASH_ZSTD,
};

struct sk_squash_options {
	enum sk_squash_compression compression;
	unsigned level;	     /* zstd */
	uint32_t block_size; /* bytes, a power of two */
	unsigned jobs;	     /* threads */
	uint64_t keep_free;  /* bytes that must stay free on the file system */
};
extern const struct sk_squash_options sk_squash_default;
/* Takes several times as long to write, and is a third smaller. */
extern const struct sk_squash_options sk_squash_small;

/* `fd`: an empty regular file, read and write, borrowed. */
int sk_squash_new(int fd, const struct sk_squash_options *options, struct sk_squash **ret, struct sk_error *err);
void sk_squash_free(struct sk_squash *sq);
/* Contents of a regular file: begin, data…, end. `inode` stays the tree's. */
int sk_squash_begin(struct sk_squash *sq, struct sk_inode *inode, struct sk_error *err);
int sk_squash_data(struct sk_squash *sq, const void *data, size_t len, struct sk_error *err);
int sk_squash_end(struct sk_squash *sq, struct sk_error *err);
/* Writes the tree (after sk_tree_finish()) and pads the file to 4096 bytes. Not synced. */
int sk_squash_finish(struct sk_squash *sq, struct sk_tree *tree, struct sk_error *err);

#endif
