/* SPDX-License-Identifier: Apache-2.0 */
/* The archives of `docker save`: manifest.json, one config and tars of layers (Docker image spec v1.2, "Combined Image
 * JSON"). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "image/load.h"

/* Where the name of the config is its digest ("<hex>.json", "blobs/sha256/<hex>"), it has to be right. */
static bool digest_of_name(const char *name, struct sk_digest *ret)
{
	const char *base = strrchr(name, '/');
	char hex[SK_DIGEST_HEX + 1];

	base = base ? base + 1 : name;
	if (strcspn(base, ".") != SK_DIGEST_HEX)
		return false;
	memcpy(hex, base, SK_DIGEST_HEX);
	hex[SK_DIGEST_HEX] = '\0';
	return sk_digest_from_hex(hex, ret);
}

static int one_image(struct sk_image_source *source, const struct sk_docker_image *from, struct sk_load *load,
		     struct sk_error *err)
{
	struct sk_load_image *image = sk_load_add(load, err);
	struct sk_digest expected;
	char *data;
	size_t len, i;
	int r;

	if (!image)
		return -E2BIG;
	r = sk_source_get(source, from->config, &data, &len, err);
	if (r == 0)
		r = sk_load_config(image, data, len, digest_of_name(from->config, &expected) ? &expected : NULL,
				   from->n_layers, err);
	for (i = 0; r == 0 && i < from->n_layers; i++) {
		struct sk_load_layer *l = &image->layers[i];

		l->member = strdup(from->layers[i]);
		if (!l->member)
			return sk_error_errno(err, ENOMEM, "cannot read the archive");
		l->desc.size = sk_source_size(source, l->member);
		if (l->desc.size < 0)
			r = sk_error_set(err, ENOENT, "it has no %.200s", l->member);
	}
	for (i = 0; r == 0 && i < from->n_tags; i++)
		r = sk_load_name(image, from->tags[i], err);
	return r;
}

int sk_load_docker(struct sk_image_source *source, struct sk_load *load, struct sk_error *err)
{
	_cleanup_free_ char *data = NULL;
	struct sk_docker_image *images = NULL;
	size_t len, n = 0, i;
	int r = sk_source_get(source, "manifest.json", &data, &len, err);

	if (r == 0)
		r = sk_docker_manifest_parse(data, len, &images, &n, err);
	for (i = 0; r == 0 && i < n; i++)
		r = one_image(source, &images[i], load, err);
	sk_docker_images_free(images, n);
	return r;
}
