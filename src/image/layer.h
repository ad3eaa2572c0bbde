/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_LAYER_H
#define SK_IMAGE_LAYER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "image/digest.h"
#include "image/husk.h"
#include "image/input.h"
#include "image/tree.h"

/*
 * From a layer's tar stream (plain, gzip, zstd, xz, bzip2) to a tree of files and their contents.
 *
 * Theory of operation. The bytes go through four stages, each pulling from the one before, so that nothing is kept:
 *
 *   blob: SHA-256, count
 *   → decompression (libarchive's filters, "raw" format): SHA-256 (the diff id), count
 *   → tar entries (libarchive)
 *   → tree.c for the names, a sink for the contents
 *
 * Nothing in the stream is trusted: sizes are bounded (struct sk_layer_limits), names end in the tree and nowhere
 * else. After the archive's end both streams are read to their own ends, as the digests cover them. Whoever asked for
 * given digests gets an error if they differ, and must then throw away what the sink received.
 */
struct sk_layer_limits {
	uint64_t max_blob;	   /* bytes of the compressed blob */
	uint64_t max_uncompressed; /* bytes of the tar stream, and of all files' contents (which can be more: sparse) */
};
extern const struct sk_layer_limits sk_layer_limits_default;

/* Where contents of regular files go. Return 0 or a negative errno with err set. */
struct sk_layer_sink {
	int (*begin)(void *arg, struct sk_inode *inode, struct sk_error *err);
	int (*data)(void *arg, const void *data, size_t len, struct sk_error *err);
	int (*end)(void *arg, struct sk_error *err);
	void *arg;
};

struct sk_layer_read {
	struct sk_input *blob;
	const struct sk_layer_limits *limits;
	const struct sk_layer_sink *sink;
	/* Called with the bytes of the blob read so far; may be NULL. Not 0: the operation is given up with -EINTR. */
	int (*tick)(void *arg, uint64_t bytes);
	void *tick_arg;
	const struct sk_digest *blob_digest; /* expected; NULL: any */
	int64_t blob_size;		     /* expected; -1: any */
	const struct sk_digest *diff_id;     /* expected; NULL: any */
	bool small;			     /* see struct sk_descriptor */
	bool keep_husk;			     /* sk_op_convert() keeps the layer's husk beside it */
	struct sk_husk *husk;		     /* gets the tar stream; may be NULL */
	/* Results: */
	struct sk_digest ret_blob_digest, ret_diff_id;
	uint64_t ret_blob_size, ret_diff_size;
};

/* Reads one layer into `tree` (new, empty; not finished by this). */
int sk_layer_read(struct sk_layer_read *job, struct sk_tree *tree, struct sk_error *err);

#endif
