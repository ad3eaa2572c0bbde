/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_UNIT_IMAGE_UTIL_H
#define SK_TESTS_UNIT_IMAGE_UTIL_H

#include "../sk_test.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "image/image_internal.h"

/* Shared by the tests of images: archives made in memory, a store of their own, and ways to look at both. All of it
 * stops the test where it fails. */

/* A growing buffer of bytes. */
struct blob {
	uint8_t *data;
	size_t len;
	struct sk_digest digest;
};
void blob_free(struct blob *b);

/* ---- tars -------------------------------------------------------------------------------------------------------- */

struct tar;
struct tar *tar_new(void);
/* Regular file; `mode` without type. */
void tar_file(struct tar *t, const char *name, unsigned mode, const char *contents);
void tar_bytes(struct tar *t, const char *name, const void *data, size_t len);
void tar_dir(struct tar *t, const char *name, unsigned mode);
void tar_link(struct tar *t, const char *name, const char *target);
void tar_hardlink(struct tar *t, const char *name, const char *target);
void tar_device(struct tar *t, const char *name, mode_t type, unsigned major, unsigned minor);
/* Further fields of the next entry. */
void tar_owner(struct tar *t, int64_t uid, int64_t gid);
void tar_mtime(struct tar *t, int64_t seconds);
void tar_xattr(struct tar *t, const char *name, const void *value, size_t len);
/* Data at `offset`, the rest of `size` bytes a hole. */
void tar_acl(struct tar *t, int type, int permset, int tag, int id);
void tar_sparse(struct tar *t, int64_t size, int64_t offset, int64_t len);
/* Ends it; its digest is filled in. */
struct blob tar_end(struct tar *t);
/* As given, but compressed: "gzip", "zstd", "xz", "bzip2". */
struct blob compress(const struct blob *b, const char *filter);
/* A raw ustar header, for what libarchive would not write: 512 bytes at `out`, checksum right. */
void raw_header(uint8_t *out, const char *name, char type, uint64_t size, const char *link);

/* ---- images ------------------------------------------------------------------------------------------------------ */

struct layout_layer {
	struct blob tar;  /* as packed */
	struct blob blob; /* as in the image; owned apart from `tar` if compressed */
	const char *media_type;
};

/* Pieces of an image; any of the texts may be changed before it is written. */
struct layout {
	struct layout_layer layers[8];
	size_t n_layers;
	char *config, *manifest, *index;
	struct sk_digest config_digest, manifest_digest;
};
/* Takes the tars; `filter` NULL: not compressed. Makes config, manifest and an index that calls it `name` (NULL:
 * nothing). */
void layout_make(struct layout *l, struct blob *take_tars, size_t n, const char *filter, const char *name);
void layout_free(struct layout *l);
/* An OCI layout as a directory, or as an archive. */
void layout_write_dir(const struct layout *l, const char *path);
void layout_write_archive(const struct layout *l, const char *path, const char *filter);
/* As `docker save` does, `legacy`: directories with layer.tar, a symbolic link for the second layer if it is as the
 * first.
 */
void layout_write_docker(const struct layout *l, const char *path, const char *name, bool legacy);
char *make_manifest(const struct layout *l);
char *make_index(const struct layout *l, const char *name);

/* ---- the store -----------------------------------------------------------------------------------------------------
 */

/* A temporary directory, the current one from then on; removed by test_leave(). With the store `store` in it. */
int test_enter(void **state);
int test_leave(void **state);
struct sk_store *open_store(void);
/* All files below `path`, with their contents' digests, times aside: malloc'd text. */
char *snapshot(const char *path);
/* Loads, expecting success. */
void load_ok(struct sk_store *store, const char *path);
/* sk_store_import() by name and changes alone. */
int import_image(struct sk_store *store, const char *path, const char *ref, const char *const *changes,
		 const struct sk_progress *progress, char **ret_id, struct sk_error *err);
void import_ok(struct sk_store *store, const struct blob *tar, const char *ref);
/* Loads, expecting a failure with one line that has `words` in it, and the store as it was. */
void load_fails(struct sk_store *store, const char *path, const char *words);
void import_fails(struct sk_store *store, const struct blob *tar, const char *words);
void write_file(const char *path, const void *data, size_t len);
char *read_file(const char *path, size_t *ret_len);

/* `unsquashfs -lln` of layer `n` of image `name`; the root is "R", below it "R/…". */
char *list_layer(struct sk_store *store, const char *name, size_t n);
/* All its files, without attributes, below the new directory `to`. */
void extract_layer(struct sk_store *store, const char *name, size_t n, const char *to);
/* One file of it. */
char *cat_layer(struct sk_store *store, const char *name, size_t n, const char *file, size_t *ret_len);
/* Runs a program to its end; output (standard and error) malloc'd; `*ret_code` may be NULL: then 0 is expected. */
char *run(const char *const *argv, int *ret_code);
#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL }, NULL)
/* The part of `text` that is the line ending with `end`; NULL: none. malloc'd. */
char *line_with(const char *text, const char *end);

#endif
