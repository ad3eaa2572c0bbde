/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading of archives. What the images are is read first (oci.c, docker.c), all documents being checked against their
 * digests; then the layers that the store does not have are converted in one pass over the source; then all
 * images are committed together. No step before the commit touches anything but the operation's own directory.
 */
#include "image/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

struct sk_load_image *sk_load_add(struct sk_load *load, struct sk_error *err)
{
	struct sk_load_image *p;

	if (load->n == SK_LOAD_IMAGES_MAX) {
		sk_error_set(err, E2BIG, "it has more than %u images", SK_LOAD_IMAGES_MAX);
		return NULL;
	}
	if (load->n == load->cap) {
		size_t cap = load->cap ? load->cap * 2 : 4;

		p = reallocarray(load->images, cap, sizeof(*p));
		if (!p) {
			sk_error_errno(err, ENOMEM, "cannot read the archive");
			return NULL;
		}
		load->images = p;
		load->cap = cap;
	}
	p = &load->images[load->n++];
	memset(p, 0, sizeof(*p));
	return p;
}

static void image_fini(struct sk_load_image *image)
{
	size_t i;

	for (i = 0; i < image->n_layers; i++) {
		free(image->layers[i].member);
		free(image->layers[i].desc.media_type);
	}
	for (i = 0; i < image->n_keys; i++)
		free(image->keys[i]);
	free(image->layers);
	free(image->keys);
	free(image->config_data);
	free(image->manifest_data);
}

void sk_load_fini(struct sk_load *load)
{
	size_t i;

	for (i = 0; i < load->n; i++)
		image_fini(&load->images[i]);
	free(load->images);
	memset(load, 0, sizeof(*load));
}

int sk_load_name(struct sk_load_image *image, const char *name, struct sk_error *err)
{
	struct sk_name parsed;
	char **keys;

	if (sk_name_parse(name, &parsed, NULL) < 0)
		return 0;
	if (!parsed.tag) { /* a digest that is not ours to confirm */
		sk_name_fini(&parsed);
		return 0;
	}
	keys = reallocarray(image->keys, image->n_keys + 2, sizeof(*keys));
	if (keys) {
		image->keys = keys;
		keys[image->n_keys] = sk_name_key(&parsed);
		keys[image->n_keys + 1] = NULL;
	}
	sk_name_fini(&parsed);
	if (!keys || !keys[image->n_keys])
		return sk_error_errno(err, ENOMEM, "cannot read the archive");
	image->n_keys++;
	return 0;
}

int sk_load_config(struct sk_load_image *image, char *take_data, size_t len, const struct sk_digest *expected,
		   size_t n_layers, struct sk_error *err)
{
	struct sk_config config = { .json = NULL };
	size_t i;
	int r;

	image->config_data = take_data;
	image->config_len = len;
	if (sk_sha256_buffer(take_data, len, &image->id) < 0)
		return sk_error_errno(err, ENOMEM, "cannot read the image's configuration");
	if (expected && !sk_digest_equal(expected, &image->id))
		return sk_error_set(err, EBADMSG, "wrong digest: the configuration is %s, not %s", image->id.text,
				    expected->text);
	r = sk_config_parse(take_data, len, &config, err);
	if (r == 0 && config.n_diff_ids != n_layers)
		r = sk_error_set(err, EINVAL, "the image has %zu layers, its configuration lists %zu", n_layers,
				 config.n_diff_ids);
	if (r == 0) {
		image->layers = calloc(n_layers + 1, sizeof(*image->layers));
		if (!image->layers)
			r = sk_error_errno(err, ENOMEM, "cannot read the image's configuration");
	}
	for (i = 0; r == 0 && i < n_layers; i++) {
		image->layers[i].diff_id = config.diff_ids[i];
		image->n_layers = i + 1;
	}
	sk_config_fini(&config);
	return r;
}

/* ---- conversion ----------------------------------------------------------------------------------------------------
 */

struct work {
	struct sk_store_op *op;
	const struct sk_load_layer **wants;
	const char **names;
	size_t n;
};

static bool listed(const struct work *w, const struct sk_digest *diff_id)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		if (sk_digest_equal(&w->wants[i]->diff_id, diff_id))
			return true;
	return false;
}

static int make_list(struct work *w, const struct sk_load *load, struct sk_error *err)
{
	size_t total = 0, i, k;

	for (i = 0; i < load->n; i++)
		total += load->images[i].n_layers;
	w->wants = calloc(total + 1, sizeof(struct sk_load_layer *));
	w->names = calloc(total + 1, sizeof(char *));
	if (!w->wants || !w->names)
		return sk_error_errno(err, ENOMEM, "cannot read the archive");
	for (i = 0; i < load->n; i++)
		for (k = 0; k < load->images[i].n_layers; k++) {
			const struct sk_load_layer *l = &load->images[i].layers[k];

			if (listed(w, &l->diff_id) || sk_op_have_layer(w->op, &l->diff_id))
				continue;
			if (w->n == SK_LOAD_LAYERS_MAX)
				return sk_error_set(err, E2BIG, "it has more than %u layers", SK_LOAD_LAYERS_MAX);
			w->names[w->n] = l->member;
			w->wants[w->n++] = l;
		}
	return 0;
}

static int convert_one(void *arg, size_t want, struct sk_input *in, uint64_t size, struct sk_error *err)
{
	struct work *w = arg;
	const struct sk_load_layer *l = w->wants[want];
	bool known = l->desc.digest.text[0] != '\0';
	struct sk_layer_read job = {
		.blob = in,
		.diff_id = &l->diff_id,
		.blob_digest = known ? &l->desc.digest : NULL,
		.blob_size = known ? l->desc.size : -1,
		.small = l->desc.small,
		.keep_husk = true,
	};
	char what[13];
	int r;

	memcpy(what, sk_digest_hex(&l->diff_id), 12);
	what[12] = '\0';
	r = sk_op_convert(w->op, &job, what, size, err);
	return r < 0 ? sk_error_wrap(err, "layer %s", what) : 0;
}

static int convert_all(struct sk_store_op *op, struct sk_image_source *source, const struct sk_load *load,
		       struct sk_error *err)
{
	struct work w = { .op = op };
	size_t i;
	int r = make_list(&w, load, err);

	if (r == 0)
		r = sk_source_each(source, w.names, w.n, convert_one, &w, err);
	for (i = 0; r == 0 && i < w.n; i++)
		if (!sk_op_have_layer(op, &w.wants[i]->diff_id))
			r = sk_error_set(err, EBADMSG, "wrong digest: %.100s serves as two different layers",
					 w.wants[i]->member);
	free(w.wants);
	free(w.names);
	return r;
}

/* ---- commit --------------------------------------------------------------------------------------------------------
 */

/* docker's archives have no manifest: one is made, of the unpacked layers. */
static int make_manifest(struct sk_load_image *image, struct sk_error *err)
{
	struct sk_descriptor config = { .digest = image->id, .size = (int64_t)image->config_len };
	struct sk_descriptor *layers = calloc(image->n_layers + 1, sizeof(*layers));
	size_t i;

	for (i = 0; layers && i < image->n_layers; i++) {
		layers[i].digest = image->layers[i].diff_id;
		layers[i].size = image->layers[i].desc.size;
	}
	if (layers)
		image->manifest_data = sk_manifest_make(&config, layers, image->n_layers);
	free(layers);
	if (!image->manifest_data)
		return sk_error_errno(err, ENOMEM, "cannot write the image's manifest");
	image->manifest_len = strlen(image->manifest_data);
	if (sk_sha256_buffer(image->manifest_data, image->manifest_len, &image->manifest) < 0)
		return sk_error_errno(err, ENOMEM, "cannot write the image's manifest");
	return 0;
}

static int commit(struct sk_store_op *op, struct sk_load *load, struct sk_error *err)
{
	struct sk_op_image *list = calloc(load->n + 1, sizeof(*list));
	size_t i;
	int r = 0;

	if (!list)
		return sk_error_errno(err, ENOMEM, "cannot load");
	for (i = 0; r == 0 && i < load->n; i++) {
		struct sk_load_image *image = &load->images[i];

		if (!image->manifest.text[0])
			r = make_manifest(image, err);
		if (r == 0)
			r = sk_op_blob(op, &image->id, image->config_data, image->config_len, err);
		if (r == 0)
			r = sk_op_blob(op, &image->manifest, image->manifest_data, image->manifest_len, err);
		list[i] = (struct sk_op_image){ .id = image->id, .manifest = image->manifest, .keys = image->keys };
	}
	if (r == 0)
		r = sk_op_commit(op, list, load->n, err);
	free(list);
	return r;
}

static json_t *loaded_names(const struct sk_load *load)
{
	json_t *list = json_array();
	size_t i, k;

	for (i = 0; i < load->n; i++) {
		const struct sk_load_image *image = &load->images[i];

		for (k = 0; k < image->n_keys; k++)
			json_array_append_new(list, json_string(sk_name_short(image->keys[k])));
		if (image->n_keys == 0)
			json_array_append_new(list, json_string(image->id.text));
	}
	return list;
}

/* ---- the source ----------------------------------------------------------------------------------------------------
 */

/* A copy that can be sought, of a pipe. `*fd` is replaced. */
static int spool(struct sk_store_op *op, int *fd, struct sk_error *err)
{
	_cleanup_fd_ int to = openat(op->dirfd, "input", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	_cleanup_free_ char *buf = malloc(1u << 20);
	struct sk_input_fd in;
	uint64_t total = 0;
	int r = 0;

	sk_input_fd_init(&in, *fd, &op->store->cancelled);
	if (to < 0 || !buf)
		return sk_error_errno(err, buf ? errno : ENOMEM, "cannot write to the image store %s", op->store->path);
	while (r == 0) {
		ssize_t n = in.in.read(&in.in, buf, 1u << 20, err);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		total += (uint64_t)n;
		if (total > op->store->limits.max_blob)
			return sk_error_set(err, EFBIG, "larger than %llu bytes",
					    (unsigned long long)op->store->limits.max_blob);
		r = sk_fs_write_all(to, buf, (size_t)n);
		if (r < 0)
			return sk_error_errno(err, r, "cannot write to the image store %s", op->store->path);
		sk_op_progress(op, "reading", total, 0);
		r = sk_op_cancelled(op, err);
	}
	if (r == 0) {
		sk_close_fd(fd);
		*fd = SK_TAKE_FD(to);
	}
	return r;
}

static int read_documents(struct sk_image_source *source, struct sk_load *load, struct sk_error *err)
{
	/* docker's newer archives are both; the OCI half has the manifests. */
	if (sk_source_has(source, "index.json") && sk_source_has(source, "oci-layout"))
		return sk_load_oci(source, NULL, load, err);
	if (sk_source_has(source, "manifest.json"))
		return sk_load_docker(source, load, err);
	if (sk_source_has(source, "index.json"))
		return sk_load_oci(source, NULL, load, err);
	if (sk_source_has(source, "repositories"))
		return sk_error_set(err, ENOTSUP, "this archive was written by a docker older than 1.10");
	return sk_error_set(err, EINVAL,
			    "neither an archive of docker save nor an OCI layout (a root file system? then "
			    "use import)");
}

/* The list of images, which each command reads, has them all. */
static int check_names(const struct sk_load *load, struct sk_error *err)
{
	size_t i, n = 0;

	for (i = 0; i < load->n; i++)
		n += load->images[i].n_keys;
	return n > SK_LOAD_NAMES_MAX ? sk_error_set(err, E2BIG, "it has more than %u names", SK_LOAD_NAMES_MAX) : 0;
}

static int load_op(struct sk_store_op *op, int *fd, json_t **ret_refs, struct sk_error *err)
{
	struct sk_load load = { .n = 0 };
	struct sk_image_source *source = NULL;
	struct stat st;
	int r = 0;

	if (fstat(*fd, &st) < 0)
		return sk_error_errno(err, errno, "cannot read");
	if (!S_ISDIR(st.st_mode) && lseek(*fd, 0, SEEK_SET) < 0)
		r = spool(op, fd, err);
	if (r == 0)
		r = sk_source_open(*fd, &op->store->cancelled, &source, err);
	if (r == 0)
		r = read_documents(source, &load, err);
	if (r == 0)
		r = check_names(&load, err);
	if (r == 0)
		r = convert_all(op, source, &load, err);
	if (r == 0)
		r = commit(op, &load, err);
	if (r == 0)
		*ret_refs = loaded_names(&load);
	sk_load_fini(&load);
	sk_source_free(source);
	return r;
}

int sk_store_load(struct sk_store *store, const char *path, const struct sk_progress *progress, json_t **ret_refs,
		  struct sk_error *err)
{
	_cleanup_fd_ int fd = -1;
	struct sk_store_op op;
	int r = sk_open_input(path, &fd, err);

	if (r == 0)
		r = sk_op_begin(store, progress, &op, err);
	if (r == 0) {
		r = load_op(&op, &fd, ret_refs, err);
		sk_op_end(&op);
	}
	return r < 0 ? sk_fail(err, "load", path) : 0;
}
