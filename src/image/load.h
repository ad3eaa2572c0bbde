/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_LOAD_H
#define SK_IMAGE_LOAD_H

#include "image/image_internal.h"
#include "image/source.h"

/*
 * What an archive or a pulled image consists of, before anything is converted. Made by oci.c and docker.c, consumed by
 * load.c.
 */
struct sk_load_layer {
	char *member; /* where it is in the source */
	struct sk_digest diff_id;
	struct sk_descriptor desc; /* of the blob; digest.text empty: unknown (docker save) */
};

struct sk_load_image {
	struct sk_digest id, manifest; /* manifest.text empty: to be made */
	char *config_data, *manifest_data;
	size_t config_len, manifest_len;
	struct sk_load_layer *layers;
	size_t n_layers;
	char **keys; /* names normalised, NULL-terminated */
	size_t n_keys;
};

struct sk_load {
	struct sk_load_image *images;
	size_t n, cap;
};

#define SK_LOAD_IMAGES_MAX 256u
#define SK_LOAD_LAYERS_MAX 4096u
#define SK_LOAD_NAMES_MAX 4096u

/* A new zeroed image at the end; NULL with err. */
struct sk_load_image *sk_load_add(struct sk_load *load, struct sk_error *err);
void sk_load_fini(struct sk_load *load);
/* Adds a name as the archive gives it; one that is not valid is ignored. */
int sk_load_name(struct sk_load_image *image, const char *name, struct sk_error *err);
/* Takes over the config's text and checks it; fills the layers' diff ids. */
int sk_load_config(struct sk_load_image *image, char *take_data, size_t len, const struct sk_digest *expected,
		   size_t n_layers, struct sk_error *err);

/* Reads manifest.json of `docker save`. */
int sk_load_docker(struct sk_image_source *source, struct sk_load *load, struct sk_error *err);
/* Reads index.json of an OCI layout. */
int sk_load_oci(struct sk_image_source *source, const char *platform, struct sk_load *load, struct sk_error *err);

#endif
