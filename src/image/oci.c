/* SPDX-License-Identifier: Apache-2.0 */
/* OCI layouts: index.json, blobs/sha256/<hex> (OCI image-spec, image-layout.md). Every document is checked against the
 * size and digest by which it was referred to, so that nothing can refer to itself. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "image/load.h"

#define DEPTH_MAX 8

#define BLOB_NAME_MAX (SK_DIGEST_HEX + 32)

struct reading {
	struct sk_image_source *source;
	const char *platform;
	struct sk_load *load;
};

static void blob_name(const struct sk_digest *d, char out[BLOB_NAME_MAX])
{
	snprintf(out, BLOB_NAME_MAX, "blobs/sha256/%s", sk_digest_hex(d));
}

static int get_blob(struct sk_image_source *source, const struct sk_descriptor *desc, char **ret, size_t *ret_len,
		    struct sk_error *err)
{
	_cleanup_free_ char *data = NULL;
	char name[BLOB_NAME_MAX];
	struct sk_digest have;
	int r;

	blob_name(&desc->digest, name);
	r = sk_source_get(source, name, &data, ret_len, err);
	if (r < 0)
		return r;
	if ((int64_t)*ret_len != desc->size)
		return sk_error_set(err, EBADMSG, "wrong size: %s has %zu bytes instead of %" PRId64, name, *ret_len,
				    desc->size);
	if (sk_sha256_buffer(data, *ret_len, &have) < 0)
		return sk_error_errno(err, ENOMEM, "cannot read %s", name);
	if (!sk_digest_equal(&have, &desc->digest))
		return sk_error_set(err, EBADMSG, "wrong digest: the contents of %s are %s", name, have.text);
	*ret = SK_TAKE_PTR(data);
	return 0;
}

static int fill_image(struct reading *rd, const struct sk_manifest *m, struct sk_load_image *image,
		      struct sk_error *err)
{
	char *data, name[BLOB_NAME_MAX];
	size_t len, i;
	int r = get_blob(rd->source, &m->config, &data, &len, err);

	if (r == 0)
		r = sk_load_config(image, data, len, &m->config.digest, m->n_layers, err);
	for (i = 0; r == 0 && i < m->n_layers; i++) {
		struct sk_load_layer *l = &image->layers[i];

		blob_name(&m->layers[i].digest, name);
		l->member = strdup(name);
		l->desc.digest = m->layers[i].digest;
		l->desc.size = m->layers[i].size;
		l->desc.small = m->layers[i].small;
		if (!l->member)
			r = sk_error_errno(err, ENOMEM, "cannot read the archive");
	}
	return r;
}

static int read_manifest(struct reading *rd, const struct sk_descriptor *desc, char *take_data, size_t len,
			 const char *name, struct sk_error *err)
{
	struct sk_load_image *image = sk_load_add(rd->load, err);
	struct sk_manifest m = { .n_layers = 0 };
	int r;

	if (!image) {
		free(take_data);
		return -E2BIG;
	}
	image->manifest = desc->digest;
	image->manifest_data = take_data;
	image->manifest_len = len;
	r = sk_manifest_parse(take_data, len, &m, err);
	if (r == 0)
		r = fill_image(rd, &m, image, err);
	if (r == 0 && name)
		r = sk_load_name(image, name, err);
	sk_manifest_fini(&m);
	return r;
}

/* A manifest, or an index of which one entry is chosen by platform. */
static int read_entry(struct reading *rd, const struct sk_descriptor *desc, const char *name, struct sk_error *err)
{
	struct sk_descriptor at = { .digest = desc->digest, .size = desc->size };
	unsigned depth;

	for (depth = 0; depth < DEPTH_MAX; depth++) {
		const struct sk_index_entry *chosen;
		struct sk_index index;
		enum sk_document kind;
		char *data, have[200];
		size_t len;
		int r = get_blob(rd->source, &at, &data, &len, err);

		if (r < 0)
			return r;
		r = sk_document_kind(data, len, &kind, err);
		if (r == 0 && kind == SK_DOC_MANIFEST)
			return read_manifest(rd, &at, data, len, name, err);
		if (r == 0)
			r = sk_index_parse(data, len, &index, err);
		free(data);
		if (r < 0)
			return r;
		chosen = sk_index_choose(&index, rd->platform);
		if (chosen) {
			at.digest = chosen->desc.digest;
			at.size = chosen->desc.size;
		} else {
			sk_index_platforms(&index, have, sizeof(have));
		}
		sk_index_fini(&index);
		if (!chosen)
			return sk_error_set(err, ENOENT, "no image for %s (there is: %s)",
					    rd->platform ? rd->platform : sk_platform_host(), have);
	}
	return sk_error_set(err, ELOOP, "the index refers to indexes more than %d deep", DEPTH_MAX);
}

int sk_load_oci(struct sk_image_source *source, const char *platform, struct sk_load *load, struct sk_error *err)
{
	struct reading rd = { .source = source, .platform = platform, .load = load };
	_cleanup_free_ char *data = NULL;
	struct sk_index index = { .n = 0 };
	char have[200];
	size_t len, i;
	int r = sk_source_get(source, "index.json", &data, &len, err);

	if (r == 0)
		r = sk_index_parse(data, len, &index, err);
	for (i = 0; r == 0 && i < index.n; i++)
		if (sk_index_entry_matches(&index.entries[i], platform))
			r = read_entry(&rd, &index.entries[i].desc, index.entries[i].name, err);
	if (r == 0 && load->n == 0) {
		sk_index_platforms(&index, have, sizeof(have));
		r = sk_error_set(err, ENOENT, "no image for %s (there is: %s)",
				 platform ? platform : sk_platform_host(), have);
	}
	sk_index_fini(&index);
	return r;
}
