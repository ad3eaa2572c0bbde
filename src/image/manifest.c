/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses and makes the JSON documents of images (manifest.h). None of it is trusted: sizes, counts, types and digests
 * are checked.
 */
#include "image/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define DOCKER_INDEX "application/vnd.docker.distribution.manifest.list.v2+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define SIZE_MAX_BLOB (1ll << 50)

static void unref_json(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ _cleanup_(unref_json)

/* One JSON object (or array) of bounded size. */
static json_t *parse(const void *data, size_t len, const char *what, struct sk_error *err)
{
	json_error_t je;
	json_t *j;

	if (len > SK_JSON_MAX) {
		sk_error_set(err, EFBIG, "%s is larger than %u bytes", what, SK_JSON_MAX);
		return NULL;
	}
	j = json_loadb(data, len, 0, &je);
	if (!j)
		sk_error_set(err, EINVAL, "%s is not valid JSON (line %d: %.100s)", what, je.line, je.text);
	return j;
}

static int bad(struct sk_error *err, const char *what)
{
	return sk_error_set(err, EINVAL, "bad %s", what);
}

/* Text of member `key`; NULL when missing or not a string. */
static const char *text(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

static int descriptor_parse(const json_t *j, struct sk_descriptor *ret, struct sk_error *err)
{
	const json_t *size = json_object_get(j, "size");
	const char *media = text(j, "mediaType"), *digest = text(j, "digest");
	const char *compression = text(json_object_get(j, "annotations"), SK_LAYER_COMPRESSION);

	if (!digest || !json_is_integer(size))
		return bad(err, "descriptor: digest or size is missing");
	if (!sk_digest_parse(digest, &ret->digest))
		return sk_error_set(err, ENOTSUP, "bad descriptor: digest \"%.80s\" is not sha256", digest);
	ret->size = json_integer_value(size);
	if (ret->size < 0 || ret->size > SIZE_MAX_BLOB)
		return bad(err, "descriptor: size out of range");
	free(ret->media_type);
	ret->media_type = strdup(media ? media : "");
	ret->small = compression && strcmp(compression, "zstd") == 0;
	return ret->media_type ? 0 : sk_error_errno(err, ENOMEM, "cannot read a descriptor");
}

/* ---- manifest ------------------------------------------------------------------------------------------------------
 */

int sk_document_kind(const void *data, size_t len, enum sk_document *ret, struct sk_error *err)
{
	_cleanup_json_ json_t *j = parse(data, len, "manifest", err);
	const char *media;

	if (!j)
		return -EINVAL;
	if (!json_is_object(j))
		return bad(err, "manifest: not an object");
	media = text(j, "mediaType");
	if (media && (strcmp(media, OCI_INDEX) == 0 || strcmp(media, DOCKER_INDEX) == 0))
		*ret = SK_DOC_INDEX;
	else if (media && (strcmp(media, OCI_MANIFEST) == 0 || strcmp(media, DOCKER_MANIFEST) == 0))
		*ret = SK_DOC_MANIFEST;
	else if (media)
		return sk_error_set(err, ENOTSUP, "unsupported kind of manifest: %.120s", media);
	else if (json_integer_value(json_object_get(j, "schemaVersion")) == 1)
		return sk_error_set(err, ENOTSUP,
				    "the image has the old manifest format (schema 1), which is not supported");
	else if (json_is_array(json_object_get(j, "manifests")))
		*ret = SK_DOC_INDEX;
	else if (json_is_object(json_object_get(j, "config")))
		*ret = SK_DOC_MANIFEST;
	else
		return bad(err, "manifest: neither an image nor an index");
	return 0;
}

static bool layer_type_ok(const char *media)
{
	static const char *const known[] = {
		"",
		OCI_LAYER,
		(OCI_LAYER "+gzip"),
		(OCI_LAYER "+zstd"),
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
	};
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(known); i++)
		if (strcmp(media, known[i]) == 0)
			return true;
	return false;
}

static int manifest_fill(const json_t *j, struct sk_manifest *m, struct sk_error *err)
{
	const json_t *layers = json_object_get(j, "layers"), *l;
	int r = descriptor_parse(json_object_get(j, "config"), &m->config, err);
	size_t i;

	if (r < 0)
		return sk_error_wrap(err, "the manifest's config");
	if (m->config.media_type[0] && strcmp(m->config.media_type, OCI_CONFIG) != 0 &&
	    strcmp(m->config.media_type, DOCKER_CONFIG) != 0)
		return sk_error_set(err, ENOTSUP, "not a container image (config is %.120s)", m->config.media_type);
	if (!json_is_array(layers))
		return bad(err, "manifest: no layers");
	if (json_array_size(layers) > SK_LAYERS_MAX)
		return sk_error_set(err, E2BIG, "the image has more than %d layers", SK_LAYERS_MAX);
	m->layers = calloc(json_array_size(layers) + 1, sizeof(*m->layers));
	if (!m->layers)
		return sk_error_errno(err, ENOMEM, "cannot read the manifest");
	json_array_foreach(layers, i, l)
	{
		m->n_layers = i + 1;
		r = descriptor_parse(l, &m->layers[i], err);
		if (r < 0)
			return sk_error_wrap(err, "layer %zu of the manifest", i + 1);
		if (!layer_type_ok(m->layers[i].media_type))
			return sk_error_set(err, ENOTSUP, "layer %zu is of an unsupported kind: %.120s", i + 1,
					    m->layers[i].media_type);
	}
	return 0;
}

int sk_manifest_parse(const void *data, size_t len, struct sk_manifest *ret, struct sk_error *err)
{
	_cleanup_json_ json_t *j = parse(data, len, "manifest", err);
	struct sk_manifest m = { .n_layers = 0 };
	int r;

	if (!j)
		return -EINVAL;
	r = manifest_fill(j, &m, err);
	if (r < 0) {
		sk_manifest_fini(&m);
		return r;
	}
	*ret = m;
	return 0;
}

void sk_manifest_fini(struct sk_manifest *m)
{
	size_t i;

	for (i = 0; i < m->n_layers; i++)
		free(m->layers[i].media_type);
	free(m->layers);
	free(m->config.media_type);
	memset(m, 0, sizeof(*m));
}

char *sk_manifest_make(const struct sk_descriptor *config, const struct sk_descriptor *layers, size_t n)
{
	json_t *list = json_array(), *j;
	char *s = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "mediaType", OCI_LAYER, "digest",
						      layers[i].digest.text, "size", (json_int_t)layers[i].size));
	j = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:o}", "schemaVersion", 2, "mediaType", OCI_MANIFEST, "config",
		      "mediaType", OCI_CONFIG, "digest", config->digest.text, "size", (json_int_t)config->size,
		      "layers", list);
	if (j)
		s = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return s;
}

/* ---- index ----------------------------------------------------------------------------------------------------------
 */

static int copy_text(const json_t *obj, const char *key, char **ret)
{
	const char *s = text(obj, key);

	if (!s)
		return 0;
	*ret = strdup(s);
	return *ret ? 0 : -ENOMEM;
}

/*
 * The name that annotations give. containerd's is a whole reference. org.opencontainers.image.ref.name is whatever the
 * writer chose (OCI image-spec, annotations.md): a reference, or a bare tag, which says nothing of the repository:
 * "latest", "1.0" are taken for tags, another single word for a name.
 */
static int entry_name(const json_t *annotations, char **ret)
{
	const char *s = text(annotations, "io.containerd.image.name");

	if (!s) {
		s = text(annotations, "org.opencontainers.image.ref.name");
		if (s && !strpbrk(s, "/:") && (strcmp(s, "latest") == 0 || (s[0] >= '0' && s[0] <= '9')))
			s = NULL;
	}
	if (!s || !*s)
		return 0;
	*ret = strdup(s);
	return *ret ? 0 : -ENOMEM;
}

static int entry_parse(const json_t *j, struct sk_index_entry *e, struct sk_error *err)
{
	const json_t *platform = json_object_get(j, "platform");
	int r = descriptor_parse(j, &e->desc, err);

	if (r < 0)
		return r;
	e->is_index = strcmp(e->desc.media_type, OCI_INDEX) == 0 || strcmp(e->desc.media_type, DOCKER_INDEX) == 0;
	if (copy_text(platform, "os", &e->os) < 0 || copy_text(platform, "architecture", &e->arch) < 0 ||
	    copy_text(platform, "variant", &e->variant) < 0 ||
	    entry_name(json_object_get(j, "annotations"), &e->name) < 0)
		return sk_error_errno(err, ENOMEM, "cannot read the index");
	return 0;
}

int sk_index_parse(const void *data, size_t len, struct sk_index *ret, struct sk_error *err)
{
	_cleanup_json_ json_t *j = parse(data, len, "index", err);
	const json_t *list = json_object_get(j, "manifests"), *m;
	struct sk_index index = { .n = 0 };
	size_t i;

	if (!j)
		return -EINVAL;
	if (!json_is_array(list))
		return bad(err, "index: no manifests");
	if (json_array_size(list) > SK_INDEX_MAX)
		return sk_error_set(err, E2BIG, "the index has more than %d entries", SK_INDEX_MAX);
	index.entries = calloc(json_array_size(list) + 1, sizeof(*index.entries));
	if (!index.entries)
		return sk_error_errno(err, ENOMEM, "cannot read the index");
	json_array_foreach(list, i, m)
	{
		int r;

		index.n = i + 1;
		r = entry_parse(m, &index.entries[i], err);
		if (r < 0) {
			sk_index_fini(&index);
			return r;
		}
	}
	*ret = index;
	return 0;
}

void sk_index_fini(struct sk_index *index)
{
	size_t i;

	for (i = 0; i < index->n; i++) {
		struct sk_index_entry *e = &index->entries[i];

		free(e->desc.media_type);
		free(e->os);
		free(e->arch);
		free(e->variant);
		free(e->name);
	}
	free(index->entries);
	memset(index, 0, sizeof(*index));
}

/* ---- platforms ------------------------------------------------------------------------------------------------------
 */

/* 0: no match; more: better. */
static int rate(const struct sk_index_entry *e, const char *platform)
{
	size_t os_len = strcspn(platform, "/");
	const char *arch = platform[os_len] ? platform + os_len + 1 : "", *variant;
	size_t arch_len = strcspn(arch, "/");

	if (!e->os && !e->arch)
		return 1;
	if (!e->os || !e->arch || strlen(e->os) != os_len || memcmp(e->os, platform, os_len) != 0)
		return 0;
	if (strlen(e->arch) != arch_len || memcmp(e->arch, arch, arch_len) != 0)
		return 0;
	variant = arch[arch_len] ? arch + arch_len + 1 : "";
	if (e->variant && *variant)
		return strcmp(e->variant, variant) == 0 ? 4 : strcmp(e->variant, variant) < 0 ? 2 : 0;
	return e->variant ? 2 : 3;
}

bool sk_index_entry_matches(const struct sk_index_entry *e, const char *platform)
{
	return rate(e, platform ? platform : sk_platform_host()) > 0;
}

const struct sk_index_entry *sk_index_choose(const struct sk_index *index, const char *platform)
{
	const struct sk_index_entry *best = NULL;
	int best_rate = 0;
	size_t i;

	if (!platform)
		platform = sk_platform_host();
	for (i = 0; i < index->n; i++) {
		int r = rate(&index->entries[i], platform);

		if (r > best_rate) {
			best = &index->entries[i];
			best_rate = r;
		}
	}
	return best;
}

void sk_index_platforms(const struct sk_index *index, char *out, size_t size)
{
	size_t len = 0, i;

	out[0] = '\0';
	for (i = 0; i < index->n && len < size; i++) {
		const struct sk_index_entry *e = &index->entries[i];

		/* Attestations call themselves unknown/unknown. */
		if (e->os && e->arch && strcmp(e->os, "unknown") != 0)
			len += (size_t)snprintf(out + len, size - len, "%s%.20s/%.20s%s%.20s", len ? ", " : "", e->os,
						e->arch, e->variant ? "/" : "", e->variant ? e->variant : "");
	}
	if (!out[0])
		snprintf(out, size, "none");
}

/* ---- config ---------------------------------------------------------------------------------------------------------
 */

int sk_config_parse(const void *data, size_t len, struct sk_config *ret, struct sk_error *err)
{
	_cleanup_json_ json_t *j = parse(data, len, "the image's configuration", err);
	const json_t *list = json_object_get(json_object_get(j, "rootfs"), "diff_ids"), *id;
	_cleanup_free_ struct sk_digest *ids = NULL;
	size_t i;

	if (!j)
		return -EINVAL;
	if (!json_is_array(list))
		return bad(err, "image configuration: no rootfs.diff_ids");
	if (json_array_size(list) > SK_LAYERS_MAX)
		return sk_error_set(err, E2BIG, "the image has more than %d layers", SK_LAYERS_MAX);
	ids = calloc(json_array_size(list) + 1, sizeof(*ids));
	if (!ids)
		return sk_error_errno(err, ENOMEM, "cannot read the image's configuration");
	json_array_foreach(list, i, id) if (!sk_digest_parse(json_string_value(id), &ids[i])) return bad(
		err, "image configuration: a diff id is not sha256");
	ret->n_diff_ids = json_array_size(list);
	ret->diff_ids = SK_TAKE_PTR(ids);
	ret->json = SK_TAKE_PTR(j);
	return 0;
}

void sk_config_fini(struct sk_config *c)
{
	json_decref(c->json);
	free(c->diff_ids);
	memset(c, 0, sizeof(*c));
}

/* ---- docker save ----------------------------------------------------------------------------------------------------
 */

static int text_list(const json_t *list, size_t max, char ***ret, size_t *ret_n, struct sk_error *err)
{
	const json_t *s;
	size_t i;

	*ret_n = 0;
	*ret = NULL;
	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list) || json_array_size(list) > max)
		return bad(err, "manifest.json: a list is missing or too long");
	*ret = calloc(json_array_size(list) + 1, sizeof(char *));
	if (!*ret)
		return sk_error_errno(err, ENOMEM, "cannot read manifest.json");
	json_array_foreach(list, i, s)
	{
		if (!json_is_string(s))
			return bad(err, "manifest.json: not a string");
		(*ret)[i] = strdup(json_string_value(s));
		if (!(*ret)[i])
			return sk_error_errno(err, ENOMEM, "cannot read manifest.json");
		*ret_n = i + 1;
	}
	return 0;
}

static int docker_image_parse(const json_t *j, struct sk_docker_image *image, struct sk_error *err)
{
	const char *config = text(j, "Config");
	int r;

	if (!config)
		return bad(err, "manifest.json: no Config");
	image->config = strdup(config);
	if (!image->config)
		return sk_error_errno(err, ENOMEM, "cannot read manifest.json");
	r = text_list(json_object_get(j, "Layers"), SK_LAYERS_MAX, &image->layers, &image->n_layers, err);
	return r < 0 ? r : text_list(json_object_get(j, "RepoTags"), SK_INDEX_MAX, &image->tags, &image->n_tags, err);
}

int sk_docker_manifest_parse(const void *data, size_t len, struct sk_docker_image **ret, size_t *ret_n,
			     struct sk_error *err)
{
	_cleanup_json_ json_t *j = parse(data, len, "manifest.json", err);
	struct sk_docker_image *images;
	const json_t *item;
	size_t i, n = 0;

	if (!j)
		return -EINVAL;
	if (!json_is_array(j) || json_array_size(j) == 0 || json_array_size(j) > SK_INDEX_MAX)
		return bad(err, "manifest.json: not a list of images");
	images = calloc(json_array_size(j), sizeof(*images));
	if (!images)
		return sk_error_errno(err, ENOMEM, "cannot read manifest.json");
	json_array_foreach(j, i, item)
	{
		int r = docker_image_parse(item, &images[i], err);

		n = i + 1;
		if (r < 0) {
			sk_docker_images_free(images, n);
			return r;
		}
	}
	*ret = images;
	*ret_n = n;
	return 0;
}

static void free_list(char **list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void sk_docker_images_free(struct sk_docker_image *images, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(images[i].config);
		free_list(images[i].layers, images[i].n_layers);
		free_list(images[i].tags, images[i].n_tags);
	}
	free(images);
}
