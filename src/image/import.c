/* SPDX-License-Identifier: Apache-2.0 */
/* New images: a root file system as a tar becomes an image of one layer, what a container has changed becomes a layer on
 * those of its image. The stream is read once, so that a pipe needs no spooling. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "image/changes.h"
#include "image/image_internal.h"

struct import {
	struct sk_store_op *op;
	struct sk_input *in;
	const struct sk_new_image *wish;
	const char *key;
	bool own; /* the layer is of our own making */
	/* of the parent; NULL, none */
	json_t *parent;
	struct sk_manifest layers;
};

static void now_text(char created[32])
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(created, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* "architecture" and what belongs to it: the parent's, or this host's. */
static json_t *begin_config(const json_t *parent)
{
	static const char *const kept[] = { "architecture", "os", "variant", "os.version", "os.features" };
	const char *platform = sk_platform_host(), *arch = strchr(platform, '/') + 1;
	size_t arch_len = strcspn(arch, "/"), i;
	json_t *all = json_object();

	for (i = 0; parent && i < SK_ARRAY_SIZE(kept); i++)
		if (json_object_get(parent, kept[i]))
			json_object_set(all, kept[i], json_object_get(parent, kept[i]));
	if (parent)
		return all;
	json_object_set_new(all, "architecture", json_stringn(arch, arch_len));
	json_object_set_new(all, "os", json_string("linux"));
	if (arch[arch_len])
		json_object_set_new(all, "variant", json_string(arch + arch_len + 1));
	return all;
}

static json_t *history_entry(const struct sk_new_image *w, const char *created)
{
	json_t *entry = json_object();

	json_object_set_new(entry, "created", json_string(created));
	if (w->author && *w->author)
		json_object_set_new(entry, "author", json_string(w->author));
	if (w->created_by && *w->created_by)
		json_object_set_new(entry, "created_by", json_string(w->created_by));
	if (w->comment && *w->comment)
		json_object_set_new(entry, "comment", json_string(w->comment));
	return entry;
}

/* A list of the parent's, with one more at its end. */
static json_t *longer(const json_t *list, json_t *take_item)
{
	json_t *copy = json_is_array(list) ? json_copy((json_t *)(uintptr_t)list) : json_array();

	json_array_append_new(copy, take_item);
	return copy;
}

static int make_config(const struct import *m, const struct sk_digest *diff_id, json_t **ret, struct sk_error *err)
{
	const struct sk_new_image *w = m->wish;
	json_t *all = begin_config(m->parent), *config = json_deep_copy(w->config);
	const char *const *change = w->changes;
	char created[32];
	int r = 0;

	now_text(created);
	if (!config)
		config = json_pack("{s:[s]}", "Env",
				   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (; r == 0 && change && *change; change++)
		r = sk_change_apply(config, *change, err);
	json_object_set_new(all, "created", json_string(created));
	if (w->author && *w->author)
		json_object_set_new(all, "author", json_string(w->author));
	json_object_set_new(all, "config", config);
	json_object_set_new(all, "rootfs",
			    json_pack("{s:s, s:o}", "type", "layers", "diff_ids",
				      longer(json_object_get(json_object_get(m->parent, "rootfs"), "diff_ids"),
					     json_string(diff_id->text))));
	json_object_set_new(all, "history", longer(json_object_get(m->parent, "history"), history_entry(w, created)));
	if (r == 0 && !json_object_get(all, "history"))
		r = sk_error_errno(err, ENOMEM, "cannot make the image's configuration");
	if (r < 0) {
		json_decref(all);
		return r;
	}
	*ret = all;
	return 0;
}

/* The text of a manifest: the parent's layers, as its own lists them, and this one. malloc'd. */
static char *make_manifest(const struct import *m, const struct sk_descriptor *config,
			   const struct sk_descriptor *layer)
{
	size_t n = m->layers.n_layers;
	struct sk_descriptor *list = calloc(n + 1, sizeof(*list));
	char *text = NULL;

	if (list) {
		if (n)
			memcpy(list, m->layers.layers, n * sizeof(*list));
		list[n] = *layer;
		text = sk_manifest_make(config, list, n + 1);
	}
	free(list);
	return text;
}

static int commit(const struct import *m, const struct sk_layer_read *job, json_t *config, char **ret_id,
		  struct sk_error *err)
{
	_cleanup_free_ char *text = json_dumps(config, JSON_COMPACT), *manifest = NULL;
	struct sk_descriptor layer = { .digest = job->ret_diff_id, .size = (int64_t)job->ret_diff_size };
	struct sk_descriptor desc = { .size = 0 };
	/* sk_op_commit() reads them only. */
	char *keys[2] = { m->key ? strdup(m->key) : NULL, NULL };
	struct sk_op_image image = { .keys = keys };
	int r = -ENOMEM;

	if (text && sk_sha256_buffer(text, strlen(text), &image.id) == 0) {
		desc.digest = image.id;
		desc.size = (int64_t)strlen(text);
		manifest = make_manifest(m, &desc, &layer);
		*ret_id = strdup(image.id.text);
	}
	if (!manifest || !*ret_id || (m->key && !keys[0]) ||
	    sk_sha256_buffer(manifest, strlen(manifest), &image.manifest) < 0)
		r = sk_error_errno(err, ENOMEM, "cannot write the image");
	else
		r = sk_op_blob(m->op, &image.id, text, strlen(text), err);
	if (r == 0)
		r = sk_op_blob(m->op, &image.manifest, manifest, strlen(manifest), err);
	if (r == 0)
		r = sk_op_commit(m->op, &image, 1, err);
	free(keys[0]);
	if (r < 0) {
		free(*ret_id);
		*ret_id = NULL;
	}
	return r;
}

/* The parent's documents; its layers are kept for this operation. */
static int read_parent(struct import *m, const char *name, struct sk_error *err)
{
	_cleanup_free_ char *key = NULL, *manifest = NULL, *text = NULL;
	struct sk_config config = { .json = NULL };
	struct sk_digest id, digest;
	json_t *refs = NULL;
	size_t len, i;
	int r = sk_refs_load(m->op->store, &refs, err);

	if (r == 0)
		r = sk_refs_find(refs, name, &key, &id, &digest, err);
	json_decref(refs);
	if (r == 0)
		r = sk_store_blob(m->op->store, &digest, &manifest, &len, err);
	if (r == 0)
		r = sk_manifest_parse(manifest, len, &m->layers, err);
	if (r == 0)
		r = sk_store_blob(m->op->store, &id, &text, &len, err);
	if (r == 0)
		r = sk_config_parse(text, len, &config, err);
	for (i = 0; r == 0 && i < config.n_diff_ids; i++)
		if (!sk_op_have_layer(m->op, &config.diff_ids[i]))
			r = sk_error_set(err, ENOENT, "layer %s is missing: pull or load the image again",
					 config.diff_ids[i].text);
	if (r == 0 && config.n_diff_ids >= SK_LAYERS_MAX)
		r = sk_error_set(err, E2BIG, "it has %zu layers already", config.n_diff_ids);
	m->parent = json_incref(config.json);
	sk_config_fini(&config);
	return r < 0 ? sk_error_wrap(err, "image %.200s", name) : 0;
}

/* A layer that was never anywhere else is called by what a save makes of it, so that its images keep their ids then. */
static int name_as_saved(struct sk_store_op *op, struct sk_layer_read *job, struct sk_error *err)
{
	struct sk_digest written;
	int r = sk_op_measure_layer(op, &job->ret_diff_id, false, &written, &job->ret_diff_size, err);

	if (r == 0 && !sk_digest_equal(&written, &job->ret_diff_id))
		r = sk_op_rename_layer(op, &job->ret_diff_id, &written, err);
	if (r == 0)
		job->ret_diff_id = written;
	return r;
}

static int make_image(struct import *m, const char *what, uint64_t total, char **ret_id, struct sk_error *err)
{
	struct sk_layer_read job = { .blob = m->in, .blob_size = -1, .keep_husk = !m->own };
	json_t *config = NULL;
	int r = m->wish->parent ? read_parent(m, m->wish->parent, err) : 0;

	if (r == 0)
		r = sk_op_convert(m->op, &job, what, total, err);
	if (r == 0 && job.ret_diff_size == 0)
		r = sk_error_set(err, EINVAL, "it is empty");
	if (r == 0 && m->own)
		r = name_as_saved(m->op, &job, err);
	if (r == 0)
		r = make_config(m, &job.ret_diff_id, &config, err);
	if (r == 0)
		r = commit(m, &job, config, ret_id, err);
	json_decref(config);
	json_decref(m->parent);
	sk_manifest_fini(&m->layers);
	return r;
}

/* Checks the user's options before the long work begins; `*ret_key`, malloc'd, NULL: no name. */
static int check_wish(const struct sk_new_image *w, char **ret_key, struct sk_error *err)
{
	json_t *probe = json_object();
	struct sk_name name = { 0 };
	size_t i;
	int r = 0;

	*ret_key = NULL;
	for (i = 0; r == 0 && w->changes && w->changes[i]; i++)
		r = sk_change_apply(probe, w->changes[i], err);
	json_decref(probe);
	if (r < 0 || !w->ref)
		return r;
	r = sk_name_parse(w->ref, &name, err);
	if (r == 0 && !name.tag)
		r = sk_error_set(err, EINVAL, "%.300s: a new image cannot be named by digest", w->ref);
	if (r == 0 && !(*ret_key = sk_name_key(&name)))
		r = sk_error_errno(err, ENOMEM, "cannot make the image");
	sk_name_fini(&name);
	return r;
}

int sk_store_check_new(const struct sk_new_image *image, struct sk_error *err)
{
	_cleanup_free_ char *key = NULL;

	return check_wish(image, &key, err);
}

int sk_store_commit(struct sk_store *store, struct sk_input *layer, const struct sk_new_image *image, char **ret_id,
		    struct sk_error *err)
{
	_cleanup_free_ char *key = NULL;
	struct sk_store_op op;
	int r = check_wish(image, &key, err);

	*ret_id = NULL;
	if (r == 0)
		r = sk_op_begin(store, NULL, &op, err);
	if (r == 0) {
		struct import m = { .op = &op, .in = layer, .wish = image, .key = key, .own = true };

		r = make_image(&m, "committing", 0, ret_id, err);
		sk_op_end(&op);
	}
	return r;
}

static int import_op(struct sk_store_op *op, int fd, const struct sk_new_image *wish, const char *key, char **ret_id,
		     struct sk_error *err)
{
	struct sk_input_fd in;
	struct import m = { .op = op, .in = &in.in, .wish = wish, .key = key };
	struct stat st;

	sk_input_fd_init(&in, fd, &op->store->cancelled);
	if (fstat(fd, &st) < 0)
		return sk_error_errno(err, errno, "cannot read");
	if (S_ISDIR(st.st_mode))
		return sk_error_set(err, EISDIR, "it is a directory, not a tar archive");
	return make_image(&m, "importing", S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0, ret_id, err);
}

int sk_store_import(struct sk_store *store, const char *path, const struct sk_new_image *image,
		    const struct sk_progress *progress, char **ret_id, struct sk_error *err)
{
	_cleanup_free_ char *key = NULL;
	_cleanup_fd_ int fd = -1;
	struct sk_new_image wish = *image;
	struct sk_store_op op;
	char comment[128];
	int r = check_wish(image, &key, err);

	*ret_id = NULL;
	snprintf(comment, sizeof(comment), "Imported from %.100s", path);
	if (!wish.comment || !*wish.comment)
		wish.comment = comment;
	if (r == 0)
		r = sk_open_input(path, &fd, err);
	if (r == 0)
		r = sk_op_begin(store, progress, &op, err);
	if (r == 0) {
		r = import_op(&op, fd, &wish, key, ret_id, err);
		sk_op_end(&op);
	}
	return r < 0 ? sk_fail(err, "import", path) : 0;
}
