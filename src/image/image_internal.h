/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_IMAGE_INTERNAL_H
#define SK_IMAGE_IMAGE_INTERNAL_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/digest.h"
#include "image/image.h"
#include "image/input.h"
#include "image/layer.h"
#include "image/manifest.h"
#include "image/name.h"
#include "image/squash.h"

/*
 * The store. Theory of operation.
 *
 * A change is prepared in a directory of its own below tmp/ (struct sk_store_op) and takes effect in sk_op_commit(), under
 * the store's lock, in this order: layer images renamed into layers/, blobs written, refs.json replaced. Each step is
 * durable before the next one, and refs.json is what makes an image exist: a crash at any point leaves either the old
 * list or the new one, and at worst some files that nothing refers to, which prune removes.
 *
 * An operation holds a flock on its directory; a directory below tmp/ that is not locked belongs to nobody and is
 * removed by whoever opens the store next. A layer image that the store already has is linked into the operation's
 * directory, so that a prune meanwhile does not pull it away.
 *
 * Lock order: the store's lock ("lock"), then tmp/. Reading needs no lock: refs.json is replaced in one step and
 * everything else is named by its digest.
 *
 * refs.json: {"version":1,
 *   "images": {ID: {"manifest": DIGEST, "time": SECONDS}},              the roots
 *   "refs":   {"docker.io/library/debian:latest": {"id": ID, "manifest": DIGEST, "time": SECONDS},
 *              "docker.io/library/debian@sha256:…": the same, "implied": true where it came along with a tag}}
 */
struct sk_store {
	char *path; /* <root>/images */
	int dirfd;
	struct sk_layer_limits limits;
	struct sk_squash_options squash;
	volatile sig_atomic_t cancelled;
};

/* ---- store.c ----------------------------------------------------------------------------------------------------- */

/* Takes the store's lock until the descriptor is closed. */
int sk_store_lock(struct sk_store *store, int *ret_fd, struct sk_error *err);
/* Whole blob (at most SK_JSON_MAX bytes), checked against its digest. */
int sk_store_blob(struct sk_store *store, const struct sk_digest *digest, char **ret_data, size_t *ret_len,
		  struct sk_error *err);
/* "layers/<hex>.squashfs", NUL-terminated. */
#define SK_LAYER_NAME_MAX (SK_DIGEST_HEX + 32)
void sk_layer_name(const struct sk_digest *diff_id, char out[SK_LAYER_NAME_MAX]);
/* "layers/<hex>.sha256": holds the digest of the layer image itself. */
void sk_sum_name(const struct sk_digest *diff_id, char out[SK_LAYER_NAME_MAX]);
/* "layers/<hex>.husk": see husk.h. Layers that were made by an older Skerry have none, nor have those of an import. */
void sk_husk_name(const struct sk_digest *diff_id, char out[SK_LAYER_NAME_MAX]);
/* Size in bytes of the layer image; -ENOENT; -EBADMSG when it is cut short or no layer image. */
int64_t sk_store_layer_size(struct sk_store *store, const struct sk_digest *diff_id);
/* Fills an image from the store by its manifest. */
int sk_store_image(struct sk_store *store, const struct sk_digest *manifest, struct sk_image **ret_image,
		   struct sk_error *err);
/* Opens `path` ("-": standard input) for reading; the caller closes it. */
int sk_open_input(const char *path, int *ret_fd, struct sk_error *err);
/* "cannot <verb> <name>: …", and no control characters: names in archives and texts of registries are anyone's. Returns
 * as sk_error_wrap(). */
int sk_fail(struct sk_error *err, const char *verb, const char *name);

/* ---- refs.c ------------------------------------------------------------------------------------------------------ */

/* Reads refs.json, or returns an empty object if there is none. A new reference. */
int sk_refs_load(struct sk_store *store, json_t **ret_refs, struct sk_error *err);
/* The same from another file of the store's directory. */
int sk_refs_load_from(struct sk_store *store, const char *name, json_t **ret_refs, struct sk_error *err);
json_t *sk_refs_new(void); /* an empty one; NULL: no memory */
/* Keeps refs.json as SK_REFS_OLD, for sk_store_check(); before each change. */
#define SK_REFS_OLD "refs.json.old"
void sk_refs_keep_old(struct sk_store *store);
/* Writes it, durably, as refs.json in `dirfd`. */
int sk_refs_write(struct sk_store *store, int dirfd, json_t *refs, struct sk_error *err);
/* Replaces the store's; the store's lock is held. */
int sk_refs_save(struct sk_store *store, json_t *refs, struct sk_error *err);
json_t *sk_refs_images(json_t *refs); /* borrowed */
json_t *sk_refs_names(json_t *refs);  /* borrowed */
/* Points `key` at an image, which becomes a root; `key` NULL: the image alone. `implied`: the key is a digest that came
 * with a pull by tag, and does not keep the image alive. -ENOMEM. */
int sk_refs_set(json_t *refs, const char *key, bool implied, const struct sk_digest *id,
		const struct sk_digest *manifest);
/* Is `entry` a name by which the user keeps image `id`? (A tag, or a digest that was pulled as such.) */
bool sk_refs_keeps(const json_t *entry, const char *id);
/* Finds what the user calls `name`: a reference, or an id. `*ret_key`: the reference's key (malloc'd), NULL with an id.
 */
int sk_refs_find(json_t *refs, const char *name, char **ret_key, struct sk_digest *ret_id,
		 struct sk_digest *ret_manifest, struct sk_error *err);

/* ---- op.c: an operation in progress -------------------------------------------------------------------------------
 */

struct sk_store_op {
	struct sk_store *store;
	char name[33];
	int dirfd; /* tmp/<name>, holds the flock */
	const struct sk_progress *progress;
	char what[32]; /* of the layer in work, for the progress */
	uint64_t total;
};

/* Removes what dead operations left behind. Never fails: it is tried again at the next open. */
void sk_op_clean(struct sk_store *store);
int sk_op_begin(struct sk_store *store, const struct sk_progress *progress, struct sk_store_op *ret_op,
		struct sk_error *err);
/* Removes the directory; accepts an op that has ended. */
void sk_op_end(struct sk_store_op *op);
/* -EINTR with err set once sk_store_cancel() was called. */
int sk_op_cancelled(const struct sk_store_op *op, struct sk_error *err);
void sk_op_progress(const struct sk_store_op *op, const char *what, uint64_t done, uint64_t total);

/* Is the layer there (in this operation, or in the store: then it is kept for this operation)? */
bool sk_op_have_layer(struct sk_store_op *op, const struct sk_digest *diff_id);
/* Converts one layer; `job` as for sk_layer_read(), its limits, sink and tick are filled in where they are NULL. */
int sk_op_convert(struct sk_store_op *op, struct sk_layer_read *job, const char *what, uint64_t total,
		  struct sk_error *err);
/* Takes a layer image that was made before into the operation; negative errno. */
int sk_op_take_layer(struct sk_store_op *op, int dirfd, const char *name, const struct sk_digest *diff_id);
/* Gives a layer of the operation, which has no husk, another name. */
int sk_op_rename_layer(struct sk_store_op *op, const struct sk_digest *from, const struct sk_digest *to,
		       struct sk_error *err);
/* Digest and size of the tar that a save makes of a layer of the operation, with its husk or (`with_husk` false) without;
 * in save.c. */
int sk_op_measure_layer(struct sk_store_op *op, const struct sk_digest *diff_id, bool with_husk,
			struct sk_digest *ret_written, uint64_t *ret_size, struct sk_error *err);
/* Keeps a blob for the commit. */
int sk_op_blob(struct sk_store_op *op, const struct sk_digest *digest, const void *data, size_t len,
	       struct sk_error *err);

/* An image ready to be committed: all its layers and blobs are in the operation. */
struct sk_op_image {
	struct sk_digest id, manifest;
	char **keys;	/* names, NULL-terminated; may be NULL */
	char **implied; /* digest names that come along, the same */
};
/* Puts the images into the store, all or none. */
int sk_op_commit(struct sk_store_op *op, const struct sk_op_image *images, size_t n_images, struct sk_error *err);

/* ---- partial.c: what an interrupted pull has fetched
 * -------------------------------------------------------------- */

/* The operation's layer image, and a whole blob in a directory, for the next pull. */
void sk_partial_keep_layer(struct sk_store_op *op, const struct sk_digest *blob, const struct sk_digest *diff_id);
void sk_partial_keep_blob(struct sk_store_op *op, int dirfd, const struct sk_descriptor *blob);
/* Returns true if the blob exists; the operation owns it then. */
bool sk_partial_take_layer(struct sk_store_op *op, const struct sk_digest *blob, struct sk_digest *ret_diff_id);
/* Of a blob: a descriptor, whose file has no name any more, or negative. */
int sk_partial_take_blob(struct sk_store_op *op, const struct sk_descriptor *blob);
/* Removes files older than this, in seconds; returns the bytes freed. */
uint64_t sk_partial_clean(struct sk_store *store, int64_t older_than);
void sk_partial_clean_old(struct sk_store *store);

/* ---- gc.c -------------------------------------------------------------------------------------------------------- */

/* Removes every blob and layer that no image in `refs` needs; the store's lock is held. `*ret_bytes` (may be NULL):
 * space freed. Removes nothing when an image cannot be read. */
int sk_store_gc(struct sk_store *store, json_t *refs, uint64_t *ret_bytes, struct sk_error *err);
/* Takes image `id` and all its names out of `refs`; adds {"Untagged"}, {"Deleted"} to `removed`. */
void sk_refs_drop(json_t *refs, const char *id, json_t *removed);
/* Takes its names alone. */
void sk_refs_unname(json_t *refs, const char *id, json_t *removed);

/* form_linux.c, form_windows.c: what a layer image needs behind its end, for what shows it to guests on this system. 0 or
 * negative errno. */
int sk_layer_form(int fd);

#endif
