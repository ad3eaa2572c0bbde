/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_MANIFEST_H
#define SK_IMAGE_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "image/digest.h"

/*
 * The JSON documents of images: OCI image-spec (manifest.md, image-index.md, config.md), docker's distribution
 * manifests (v2 schema 2) and the manifest.json of `docker save`. Bytes in, checked structures out; no files here. All
 * of it may come from anyone: sizes, counts and types are checked.
 */
#define SK_JSON_MAX (4u << 20) /* bytes of one document */
#define SK_LAYERS_MAX 256      /* overlayfs takes 500 */
#define SK_INDEX_MAX 1024      /* entries of an index */

/* An annotation of a layer's descriptor. */
#define SK_LAYER_COMPRESSION "io.skerry.layer.compression"

struct sk_descriptor {
	struct sk_digest digest;
	int64_t size;
	char *media_type; /* may be "" */
	bool small;	  /* a layer that had rather be small than quick to convert: SK_LAYER_COMPRESSION is "zstd" */
};

struct sk_manifest {
	struct sk_descriptor config;
	struct sk_descriptor *layers; /* lowest first */
	size_t n_layers;
};

/* One entry of an index. */
struct sk_index_entry {
	struct sk_descriptor desc;
	bool is_index;		   /* another index */
	char *os, *arch, *variant; /* NULL where it says nothing */
	char *name;		   /* from the annotations; NULL: none */
};

struct sk_index {
	struct sk_index_entry *entries;
	size_t n;
};

/* The parts of a config that we use. */
struct sk_config {
	json_t *json; /* whole */
	struct sk_digest *diff_ids;
	size_t n_diff_ids;
};

/* One image of docker's manifest.json. */
struct sk_docker_image {
	char *config;  /* name of the member */
	char **layers; /* names of members, lowest first */
	size_t n_layers;
	char **tags; /* names as the archive says them */
	size_t n_tags;
};

enum sk_document {
	SK_DOC_MANIFEST,
	SK_DOC_INDEX,
};

/* Tells a manifest from an index by media type and shape. -EINVAL/-ENOTSUP with err. */
int sk_document_kind(const void *data, size_t len, enum sk_document *ret, struct sk_error *err);
int sk_manifest_parse(const void *data, size_t len, struct sk_manifest *ret, struct sk_error *err);
void sk_manifest_fini(struct sk_manifest *m);
int sk_index_parse(const void *data, size_t len, struct sk_index *ret, struct sk_error *err);
void sk_index_fini(struct sk_index *index);
int sk_config_parse(const void *data, size_t len, struct sk_config *ret, struct sk_error *err);
void sk_config_fini(struct sk_config *c);
int sk_docker_manifest_parse(const void *data, size_t len, struct sk_docker_image **ret, size_t *ret_n,
			     struct sk_error *err);
void sk_docker_images_free(struct sk_docker_image *images, size_t n);

/* "linux/amd64[/variant]" of this machine, static. */
const char *sk_platform_host(void);
/* The best entry for `platform` (NULL: the host's): exact variant before any other; entries without a platform match.
 * NULL: none. */
const struct sk_index_entry *sk_index_choose(const struct sk_index *index, const char *platform);
/* Could this entry be run as `platform`? */
bool sk_index_entry_matches(const struct sk_index_entry *e, const char *platform);
/* "linux/amd64, linux/arm64", for messages; cut to the buffer. */
void sk_index_platforms(const struct sk_index *index, char *out, size_t size);

/* Text of a manifest for an image that came without one. malloc'd. */
char *sk_manifest_make(const struct sk_descriptor *config, const struct sk_descriptor *layers, size_t n);

#endif
