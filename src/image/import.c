/* SPDX-License-Identifier: Apache-2.0 */
/* Import: a root file system as a tar becomes an image of one layer. The stream is read once, so that a pipe needs no
 * spooling. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "image/changes.h"
#include "image/image_internal.h"

static int make_config(const struct sk_digest *diff_id, const char *const *changes, const char *path, json_t **ret,
		       struct sk_error *err)
{
	const char *platform = sk_platform_host(), *arch = strchr(platform, '/') + 1;
	size_t arch_len = strcspn(arch, "/");
	char created[32], comment[128];
	time_t now = time(NULL);
	struct tm tm;
	json_t *config = json_object(), *all;
	int r = 0;

	gmtime_r(&now, &tm);
	strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(comment, sizeof(comment), "Imported from %.100s", path);
	if (!json_object_get(config, "Env"))
		json_object_set_new(
			config, "Env",
			json_pack("[s]", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	for (; r == 0 && changes && *changes; changes++)
		r = sk_change_apply(config, *changes, err);
	if (r < 0) {
		json_decref(config);
		return r;
	}
	all = json_pack("{s:s%, s:s, s:s, s:O, s:{s:s, s:[s]}, s:[{s:s, s:s?}]}", "architecture", arch, arch_len, "os",
			"linux", "created", created, "config", config, "rootfs", "type", "layers", "diff_ids",
			diff_id->text, "history", "created", created, "comment", comment);
	json_decref(config);
	if (all && arch[arch_len] && json_object_set_new(all, "variant", json_string(arch + arch_len + 1)) < 0) {
		json_decref(all);
		all = NULL;
	}
	if (!all)
		return sk_error_set(err, EINVAL, "cannot make the image's configuration");
	*ret = all;
	return 0;
}

static int commit(struct sk_store_op *op, const struct sk_layer_read *job, json_t *config, const char *key,
		  char **ret_id, struct sk_error *err)
{
	_cleanup_free_ char *text = json_dumps(config, JSON_COMPACT), *manifest = NULL;
	struct sk_descriptor layer = { .digest = job->ret_diff_id, .size = (int64_t)job->ret_diff_size };
	struct sk_descriptor desc = { .size = 0 };
	/* sk_op_commit() reads them only. */
	char *keys[2] = { key ? strdup(key) : NULL, NULL };
	struct sk_op_image image = { .keys = keys };
	int r = -ENOMEM;

	if (text && sk_sha256_buffer(text, strlen(text), &image.id) == 0) {
		desc.digest = image.id;
		desc.size = (int64_t)strlen(text);
		manifest = sk_manifest_make(&desc, &layer, 1);
		*ret_id = strdup(image.id.text);
	}
	if (!manifest || !*ret_id || (key && !keys[0]) ||
	    sk_sha256_buffer(manifest, strlen(manifest), &image.manifest) < 0)
		r = sk_error_errno(err, ENOMEM, "cannot write the image");
	else
		r = sk_op_blob(op, &image.id, text, strlen(text), err);
	if (r == 0)
		r = sk_op_blob(op, &image.manifest, manifest, strlen(manifest), err);
	if (r == 0)
		r = sk_op_commit(op, &image, 1, err);
	free(keys[0]);
	if (r < 0) {
		free(*ret_id);
		*ret_id = NULL;
	}
	return r;
}

static int import_op(struct sk_store_op *op, int fd, const char *path, const char *key, const char *const *changes,
		     char **ret_id, struct sk_error *err)
{
	struct sk_input_fd in;
	struct sk_layer_read job = { .blob = &in.in, .blob_size = -1 };
	json_t *config = NULL;
	struct stat st;
	int r;

	sk_input_fd_init(&in, fd, &op->store->cancelled);
	if (fstat(fd, &st) < 0)
		return sk_error_errno(err, errno, "cannot read");
	if (S_ISDIR(st.st_mode))
		return sk_error_set(err, EISDIR, "it is a directory, not a tar archive");
	r = sk_op_convert(op, &job, "importing", S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0, err);
	if (r == 0 && job.ret_diff_size == 0)
		r = sk_error_set(err, EINVAL, "it is empty");
	if (r == 0)
		r = make_config(&job.ret_diff_id, changes, strcmp(path, "-") == 0 ? "-" : path, &config, err);
	if (r == 0)
		r = commit(op, &job, config, key, ret_id, err);
	json_decref(config);
	return r;
}

int sk_store_import(struct sk_store *store, const char *path, const char *ref, const char *const *changes,
		    const struct sk_progress *progress, char **ret_id, struct sk_error *err)
{
	_cleanup_free_ char *key = NULL;
	_cleanup_fd_ int fd = -1;
	struct sk_name name = { 0 };
	struct sk_store_op op;
	json_t *probe = json_object();
	size_t i;
	int r = 0;

	*ret_id = NULL;
	/* Checks the user's options before the long work begins. */
	for (i = 0; r == 0 && changes && changes[i]; i++)
		r = sk_change_apply(probe, changes[i], err);
	json_decref(probe);
	if (r == 0 && ref) {
		r = sk_name_parse(ref, &name, err);
		if (r == 0 && !name.tag)
			r = sk_error_set(err, EINVAL, "%.300s: an imported image cannot be named by digest", ref);
		if (r == 0 && !(key = sk_name_key(&name)))
			r = sk_error_errno(err, ENOMEM, "cannot import");
		sk_name_fini(&name);
	}
	if (r == 0)
		r = sk_open_input(path, &fd, err);
	if (r == 0)
		r = sk_op_begin(store, progress, &op, err);
	if (r == 0) {
		r = import_op(&op, fd, path, key, changes, ret_id, err);
		sk_op_end(&op);
	}
	return r < 0 ? sk_fail(err, "import", path) : 0;
}
