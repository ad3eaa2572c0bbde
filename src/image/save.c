/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving: images as an archive of `docker save` (manifest.json, a configuration for each image, a tar for each layer).
 *
 * The store keeps layers as file systems, and beside them what their tars had besides (husk.h). So each layer is written
 * anew (unsquash.h), twice: first into a hash alone, which says its size and diff id, then into the archive. Where that is
 * the layer's own diff id, the image's configuration goes out byte for byte and the image keeps its id. It is, with a
 * husk or for layers that Skerry has made itself; of the tars that have no husk, and of layers that an older Skerry has
 * pulled, it is not. Then the configuration gets the new diff ids, and so the image another id: the same one each time.
 *
 * An operation holds the layers meanwhile, so that a prune does not take them away; nothing is committed.
 */
#include "image/image_internal.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "image/unsquash.h"

struct save_layer {
	struct sk_digest diff_id, written; /* as the store knows it; of the tar that is written */
	bool with_husk;			   /* written with its husk */
	uint64_t size;
};

struct save_image {
	struct sk_digest id;
	char *config; /* text */
	json_t *tags;
	struct sk_digest *diff_ids;
	size_t n_diff_ids;
};

struct save {
	struct sk_store *store;
	struct sk_store_op *op;
	struct save_image *images;
	size_t n_images;
	struct save_layer *layers; /* each once */
	size_t n_layers;
	struct archive *out;
};

/* ---- what is saved ----------------------------------------------------------------------------------------------- */

static struct save_image *image_of(struct save *s, const struct sk_digest *id)
{
	size_t i;

	for (i = 0; i < s->n_images; i++)
		if (sk_digest_equal(&s->images[i].id, id))
			return &s->images[i];
	return NULL;
}

static struct save_layer *layer_of(struct save *s, const struct sk_digest *diff_id)
{
	size_t i;

	for (i = 0; i < s->n_layers; i++)
		if (sk_digest_equal(&s->layers[i].diff_id, diff_id))
			return &s->layers[i];
	return NULL;
}

static int add_layer(struct save *s, const struct sk_digest *diff_id, struct sk_error *err)
{
	struct save_layer *p;

	if (layer_of(s, diff_id))
		return 0;
	if (!sk_op_have_layer(s->op, diff_id))
		return sk_error_set(err, ENOENT,
				    "the image store is damaged: layer %s is missing: pull or load the image again",
				    diff_id->text);
	p = reallocarray(s->layers, s->n_layers + 1, sizeof(*p));
	if (!p)
		return sk_error_errno(err, ENOMEM, "cannot read the image");
	s->layers = p;
	p[s->n_layers++] = (struct save_layer){ .diff_id = *diff_id };
	return 0;
}

/* The image with `id`, in the list once. */
static int add_image(struct save *s, const struct sk_digest *id, struct save_image **ret, struct sk_error *err)
{
	struct save_image *image = image_of(s, id), *list;
	struct sk_config config = { .json = NULL };
	char *text = NULL;
	size_t len, i;
	int r;

	*ret = image;
	if (image)
		return 0;
	list = reallocarray(s->images, s->n_images + 1, sizeof(*list));
	if (!list)
		return sk_error_errno(err, ENOMEM, "cannot read the image");
	s->images = list;
	r = sk_store_blob(s->store, id, &text, &len, err);
	if (r == 0)
		r = sk_config_parse(text, len, &config, err);
	for (i = 0; r == 0 && i < config.n_diff_ids; i++)
		r = add_layer(s, &config.diff_ids[i], err);
	if (r < 0) {
		free(text);
		sk_config_fini(&config);
		return r;
	}
	image = &list[s->n_images++];
	*image = (struct save_image){
		.id = *id,
		.config = text,
		.tags = json_array(),
		.diff_ids = config.diff_ids,
		.n_diff_ids = config.n_diff_ids,
	};
	config.diff_ids = NULL;
	sk_config_fini(&config);
	*ret = image;
	return 0;
}

static int add_tag(struct save_image *image, const char *key)
{
	const char *name = sk_name_short(key);
	json_t *tag;
	size_t i;

	if (strchr(name, '@'))
		return 0; /* a digest is no name that an archive could have */
	json_array_foreach(image->tags, i, tag) if (strcmp(json_string_value(tag), name) == 0) return 0;
	return json_array_append_new(image->tags, json_string(name)) < 0 ? -ENOMEM : 0;
}

/* `text` names a repository, without a tag: all its tags are meant, as with docker. Returns how many there are. */
static int add_repository(struct save *s, json_t *refs, const char *text, struct sk_error *err)
{
	const char *base = strrchr(text, '/'), *key;
	struct sk_name name;
	json_t *entry;
	size_t len;
	int n = 0, r = 0;

	if (strchr(base ? base : text, ':') || strchr(text, '@') || sk_name_parse(text, &name, NULL) < 0)
		return 0;
	len = strlen(name.repo);
	json_object_foreach(sk_refs_names(refs), key, entry)
	{
		struct save_image *image;
		struct sk_digest id;

		if (r < 0 || strncmp(key, name.repo, len) != 0 || key[len] != ':' ||
		    !sk_digest_parse(json_string_value(json_object_get(entry, "id")), &id))
			continue;
		r = add_image(s, &id, &image, err);
		if (r == 0 && add_tag(image, key) < 0)
			r = sk_error_errno(err, ENOMEM, "cannot read the image");
		n++;
	}
	sk_name_fini(&name);
	return r < 0 ? r : n;
}

static int add_name(struct save *s, json_t *refs, const char *text, struct sk_error *err)
{
	_cleanup_free_ char *key = NULL;
	struct sk_digest id, manifest;
	struct save_image *image;
	int r = add_repository(s, refs, text, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = sk_refs_find(refs, text, &key, &id, &manifest, err);
	if (r == 0)
		r = add_image(s, &id, &image, err);
	if (r == 0 && key && add_tag(image, key) < 0)
		r = sk_error_errno(err, ENOMEM, "cannot read the image");
	return r;
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

struct measure {
	struct sk_sha256 sha;
	uint64_t size;
};

static int measure_data(void *arg, const void *data, size_t len, struct sk_error *err)
{
	struct measure *m = arg;

	(void)err;
	sk_sha256_update(&m->sha, data, len);
	m->size += len;
	return 0;
}

static int open_part(struct sk_store_op *op, const struct sk_digest *diff_id, const char *suffix)
{
	char name[SK_LAYER_NAME_MAX];

	snprintf(name, sizeof(name), "%s.%s", sk_digest_hex(diff_id), suffix);
	return openat(op->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static int write_layer(struct sk_store_op *op, const struct sk_digest *diff_id, bool with_husk,
		       const struct sk_tar_output *out, struct sk_error *err)
{
	_cleanup_fd_ int fd = open_part(op, diff_id, "squashfs");
	_cleanup_fd_ int husk_fd = with_husk ? open_part(op, diff_id, "husk") : -1;
	int r;

	if (fd < 0 || (with_husk && husk_fd < 0))
		r = sk_error_errno(err, errno, "cannot read it");
	else
		r = sk_unsquash(fd, husk_fd, out, &op->store->cancelled, err);
	return r < 0 ? sk_error_wrap(err, "layer %.12s", sk_digest_hex(diff_id)) : 0;
}

int sk_op_measure_layer(struct sk_store_op *op, const struct sk_digest *diff_id, bool with_husk,
			struct sk_digest *ret_written, uint64_t *ret_size, struct sk_error *err)
{
	struct measure m = { .size = 0 };
	const struct sk_tar_output out = { measure_data, &m };
	int r = sk_sha256_init(&m.sha);

	if (r < 0)
		return sk_error_errno(err, r, "cannot read the layer");
	r = write_layer(op, diff_id, with_husk, &out, err);
	if (r == 0) {
		sk_sha256_final(&m.sha, ret_written);
		*ret_size = m.size;
	}
	sk_sha256_fini(&m.sha);
	return r;
}

/* With its husk where there is one that is true, else without. */
static int measure_layer(struct save *s, struct save_layer *layer, struct sk_error *err)
{
	int r = sk_op_measure_layer(s->op, &layer->diff_id, true, &layer->written, &layer->size, NULL);

	layer->with_husk = r == 0 && sk_digest_equal(&layer->written, &layer->diff_id);
	if (layer->with_husk)
		return 0;
	r = sk_op_cancelled(s->op, err);
	return r < 0 ? r : sk_op_measure_layer(s->op, &layer->diff_id, false, &layer->written, &layer->size, err);
}

/* The configuration with the diff ids of what is written: its own text where they are the same. */
static int fit_config(struct save *s, struct save_image *image, struct sk_error *err)
{
	json_t *config, *ids = json_array();
	bool same = true;
	char *text;
	size_t i;

	for (i = 0; i < image->n_diff_ids; i++) {
		const struct save_layer *layer = layer_of(s, &image->diff_ids[i]);

		same = same && sk_digest_equal(&layer->written, &layer->diff_id);
		json_array_append_new(ids, json_string(layer->written.text));
	}
	if (same) {
		json_decref(ids);
		return 0;
	}
	config = json_loads(image->config, 0, NULL);
	json_object_set_new(json_object_get(config, "rootfs"), "diff_ids", ids);
	text = config ? json_dumps(config, JSON_COMPACT) : NULL;
	json_decref(config);
	if (!text || sk_sha256_buffer(text, strlen(text), &image->id) < 0) {
		free(text);
		return sk_error_errno(err, ENOMEM, "cannot write the image's configuration");
	}
	free(image->config);
	image->config = text;
	return 0;
}

/* ---- the archive ------------------------------------------------------------------------------------------------- */

static int out_failed(struct save *s, struct sk_error *err)
{
	int code = archive_errno(s->out);
	const char *why = archive_error_string(s->out);

	return sk_error_set(err, code > 0 ? code : EIO, "cannot write the archive: %.300s",
			    why ? why : "unknown error");
}

/* The names are of digits alone, and the times always the same: so is the archive. */
static int put_member(struct save *s, const char *name, uint64_t size, struct sk_error *err)
{
	struct archive_entry *e = archive_entry_new();
	int r;

	if (!e)
		return sk_error_errno(err, ENOMEM, "cannot write the archive");
	archive_entry_copy_pathname(e, name);
	archive_entry_set_mode(e, S_IFREG | 0644);
	archive_entry_set_mtime(e, 0, 0);
	archive_entry_set_size(e, (la_int64_t)size);
	r = archive_write_header(s->out, e) < ARCHIVE_WARN ? out_failed(s, err) : 0;
	archive_entry_free(e);
	return r;
}

static int put_data(void *arg, const void *data, size_t len, struct sk_error *err)
{
	struct save *s = arg;

	return archive_write_data(s->out, data, len) != (la_ssize_t)len ? out_failed(s, err) : 0;
}

static int put_text(struct save *s, const char *name, const char *text, struct sk_error *err)
{
	int r = put_member(s, name, strlen(text), err);

	return r < 0 ? r : put_data(s, text, strlen(text), err);
}

#define MEMBER_MAX (SK_DIGEST_HEX + 16)
static const char *layer_member(const struct save_layer *layer, char buf[MEMBER_MAX])
{
	snprintf(buf, MEMBER_MAX, "%s/layer.tar", sk_digest_hex(&layer->written));
	return buf;
}

/* Two layers of the store may be written as the same tar. */
static bool written_before(const struct save *s, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (sk_digest_equal(&s->layers[k].written, &s->layers[i].written))
			return true;
	return false;
}

static int put_layers(struct save *s, struct sk_error *err)
{
	const struct sk_tar_output out = { put_data, s };
	char name[MEMBER_MAX];
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < s->n_layers; i++) {
		if (written_before(s, i))
			continue;
		r = put_member(s, layer_member(&s->layers[i], name), s->layers[i].size, err);
		if (r == 0)
			r = write_layer(s->op, &s->layers[i].diff_id, s->layers[i].with_husk, &out, err);
	}
	return r;
}

static int put_manifest(struct save *s, struct sk_error *err)
{
	json_t *list = json_array();
	_cleanup_free_ char *text = NULL;
	char name[MEMBER_MAX];
	size_t i, k;
	int r = 0;

	for (i = 0; r == 0 && i < s->n_images; i++) {
		const struct save_image *image = &s->images[i];
		json_t *layers = json_array();

		for (k = 0; k < image->n_diff_ids; k++)
			json_array_append_new(layers,
					      json_string(layer_member(layer_of(s, &image->diff_ids[k]), name)));
		snprintf(name, sizeof(name), "%s.json", sk_digest_hex(&image->id));
		r = put_text(s, name, image->config, err);
		json_array_append_new(list,
				      json_pack("{s:s, s:o, s:o}", "Config", name, "RepoTags",
						json_array_size(image->tags) ? json_incref(image->tags) : json_null(),
						"Layers", layers));
	}
	text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	if (r == 0 && !text)
		r = sk_error_errno(err, ENOMEM, "cannot write the archive");
	return r < 0 ? r : put_text(s, "manifest.json", text, err);
}

static int put_archive(struct save *s, int fd, struct sk_error *err)
{
	int r;

	s->out = archive_write_new();
	if (!s->out)
		return sk_error_errno(err, ENOMEM, "cannot write the archive");
	archive_write_set_format_pax_restricted(s->out);
	archive_write_set_bytes_in_last_block(s->out, 512);
	r = archive_write_open_fd(s->out, fd) == ARCHIVE_OK ? 0 : out_failed(s, err);
	if (r == 0)
		r = put_layers(s, err);
	if (r == 0)
		r = put_manifest(s, err);
	if (r == 0 && archive_write_close(s->out) != ARCHIVE_OK)
		r = out_failed(s, err);
	if (r < 0)
		(void)archive_write_fail(s->out); /* nothing more is written */
	archive_write_free(s->out);
	return r;
}

/* ---- */

static int save_op(struct save *s, const char *const *names, size_t n, int fd, struct sk_error *err)
{
	json_t *refs = NULL;
	size_t i;
	int r = sk_refs_load(s->store, &refs, err);

	for (i = 0; r == 0 && i < n; i++) {
		r = add_name(s, refs, names[i], err);
		if (r < 0)
			sk_fail(err, "save", names[i]);
	}
	json_decref(refs);
	for (i = 0; r == 0 && i < s->n_layers; i++)
		r = measure_layer(s, &s->layers[i], err);
	for (i = 0; r == 0 && i < s->n_images; i++)
		r = fit_config(s, &s->images[i], err);
	return r < 0 ? r : put_archive(s, fd, err);
}

int sk_store_save(struct sk_store *store, const char *const *names, size_t n, int fd, struct sk_error *err)
{
	struct sk_store_op op;
	struct save s = { .store = store, .op = &op };
	size_t i;
	int r = sk_op_begin(store, NULL, &op, err);

	if (r < 0)
		return r;
	r = save_op(&s, names, n, fd, err);
	for (i = 0; i < s.n_images; i++) {
		free(s.images[i].config);
		free(s.images[i].diff_ids);
		json_decref(s.images[i].tags);
	}
	free(s.images);
	free(s.layers);
	sk_op_end(&op);
	return r;
}
