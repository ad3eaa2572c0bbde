/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_IMAGE_H
#define SK_IMAGE_IMAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The image store: <root>/images. Blobs by digest, layer images (squashfs) by diff id, references.
 *   blobs/sha256/<hex>     OCI/docker manifests and configs (layers are not kept once converted)
 *   layers/<hex>.squashfs  one per diff id, read-only, made once, shared
 *   layers/<hex>.sha256    digest of that file, for sk_store_check()
 *   layers/<hex>.husk     what the layer's tar had besides, for sk_store_save() (husk.h)
 *   refs.json              name:tag → manifest digest, image id (config digest), times
 *   partial/               what an interrupted pull has fetched, for the next one; bounded in size and time
 *   tmp/                   work in progress: removed when its owner is gone
 * Every change is made in tmp/ and renamed; a store-wide lock (flock) serialises changes of refs.json and garbage
 * collection.
 */
struct sk_store;

int sk_store_open(const char *root, struct sk_store **ret_store, struct sk_error *err); /* makes it if missing */
void sk_store_close(struct sk_store *store);
/* Makes the operation in progress on `store`, and any later one, end soon with EINTR and nothing left behind. May be
 * called from a signal handler. */
void sk_store_cancel(struct sk_store *store);

/* Reports progress: `what` names the step or layer (short digest), `done` and `total` are bytes (total 0: unknown). */
typedef void (*sk_progress_cb)(void *arg, const char *what, uint64_t done, uint64_t total);
struct sk_progress {
	sk_progress_cb cb; /* NULL: silent */
	void *arg;
};

/* An image as the runtime needs it. */
struct sk_image {
	char *id;	       /* "sha256:<hex>" of the config */
	char *digest;	       /* "sha256:<hex>" of the manifest */
	char *ref;	       /* the name it was asked by, normalised for display: "debian:latest" */
	json_t *config;	       /* the OCI image config (application/vnd.oci.image.config.v1+json), whole */
	char **layers;	       /* paths of the layer images, lowest first */
	uint64_t *layer_sizes; /* bytes */
	size_t n_layers;
};
void sk_image_free(struct sk_image *image);

/* Finds by name[:tag], name@digest, full or short (>= 4 digits, unique) id. -ENOENT: unknown image. -ENOTUNIQ: short id
 * is ambiguous. */
int sk_store_find(struct sk_store *store, const char *name, struct sk_image **ret_image, struct sk_error *err);

struct sk_pull_options {
	bool insecure;	       /* --tls-verify=false: plain HTTP registries */
	const char *platform;  /* "linux/amd64"; NULL: the host's */
	const char *auth_file; /* NULL: skopeo's default */
};
/* Each returns the new image's id in `*ret_id` (malloc'd). The store is as before on any failure. */
int sk_store_pull(struct sk_store *store, const char *ref, const struct sk_pull_options *options,
		  const struct sk_progress *progress, char **ret_id, struct sk_error *err);
/* docker-archive, oci-archive (tar, also compressed) or an OCI layout directory; `path` "-" is standard input.
 * `*ret_refs`: JSON array of the names (or ids where nameless) that were loaded. */
int sk_store_load(struct sk_store *store, const char *path, const struct sk_progress *progress, json_t **ret_refs,
		  struct sk_error *err);
/* An image that is made here, of one new layer. All borrowed; NULL: none. */
struct sk_new_image {
	const char *ref;    /* its name */
	const char *parent; /* name or id of the image whose layers are below, and whose platform and history it has */
	const json_t *config;	    /* the "config" object; NULL: one with a PATH */
	const char *const *changes; /* Dockerfile lines (CMD, ENV, …) that are applied to it; NULL-terminated */
	const char *author, *comment, *created_by;
};
/* Whether name and changes are valid, before the work begins. */
int sk_store_check_new(const struct sk_new_image *image, struct sk_error *err);
/* A root file system as a tar (also compressed) becomes an image of one layer. */
int sk_store_import(struct sk_store *store, const char *path, const struct sk_new_image *image,
		    const struct sk_progress *progress, char **ret_id, struct sk_error *err);
/* The layer that `layer` gives, with whiteouts, becomes an image on its parent. */
struct sk_input;
int sk_store_commit(struct sk_store *store, struct sk_input *layer, const struct sk_new_image *image, char **ret_id,
		    struct sk_error *err);
/* Writes images to `fd`, which need not be seekable, as an archive of `docker save`, with the names that they are asked by;
 * a repository without a tag means all its tags. save.c says which images keep their ids. */
int sk_store_save(struct sk_store *store, const char *const *names, size_t n, int fd, struct sk_error *err);

/* JSON array of {"Id","RepoTags","RepoDigests","Created" (RFC 3339),"Size","Digest","Labels" (where there are any)};
 * one object per image id. */
int sk_store_list(struct sk_store *store, json_t **ret_list, struct sk_error *err);
/* Adds a name. */
int sk_store_tag(struct sk_store *store, const char *name, const char *new_ref, struct sk_error *err);
/* Removes a name, and with the last name the image; `in_use` tells whether a container uses image `id` (then -EBUSY;
 * with `force` it loses its names only, and -EBUSY is for one without names).
 * `*ret_removed`: JSON array of {"Untagged": ref} / {"Deleted": id}. */
int sk_store_remove(struct sk_store *store, const char *name, bool force, bool (*in_use)(void *arg, const char *id),
		    void *arg, json_t **ret_removed, struct sk_error *err);
/* Removes nameless images (all unused ones with `all`) but those that `keep` (may be NULL) says to keep, and every blob
 * and layer that nothing refers to. `*ret_bytes`: space freed. */
int sk_store_prune(struct sk_store *store, bool all, bool (*keep)(void *arg, const char *id), void *arg,
		   json_t **ret_removed, uint64_t *ret_bytes, struct sk_error *err);

/* Looks at everything that the store holds, layer images and blobs against their digests, and calls `problem` for each
 * fault with a sentence about it. With `repair` they are mended: a damaged list of images is made anew, damaged layer
 * images and images that lack something are removed, so that they can be pulled or loaded again, but for images that
 * `in_use` (may be NULL) names the container of: they keep their names and what else they have. `mended` tells what was
 * done (NULL: nothing). `arg` is for both. Negative errno: the check itself failed. */
typedef void (*sk_problem_cb)(void *arg, const char *problem, const char *mended);
int sk_store_check(struct sk_store *store, bool repair, const char *(*in_use)(void *arg, const char *id),
		   sk_problem_cb problem, void *arg, struct sk_error *err);
/* What interrupted pulls have left for the next one, in bytes; a prune frees it. */
uint64_t sk_store_partial_bytes(struct sk_store *store);

#endif
