/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can go. An image lives as long as refs.json lists it; a blob or layer lives as long as an image that lives needs
 * it. Nothing counts references: the living set is computed from the documents each time, under the store's lock, in
 * which commits happen, too. If any document of a living image cannot be read, nothing is removed.
 */
#include "image/image_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* "layers/NAME" */
static int mark_layer_file(const char *path, json_t *alive, struct sk_error *err)
{
	if (json_object_set_new(alive, strchr(path, '/') + 1, json_true()) < 0)
		return sk_error_errno(err, ENOMEM, "cannot clean the image store");
	return 0;
}

/* Adds what a manifest needs to the set: "<hex>" of blobs, "<hex>.squashfs", "<hex>.sha256" and "<hex>.husk" of
 * layers. */
static int mark(struct sk_store *store, const struct sk_digest *digest, json_t *alive, struct sk_error *err)
{
	_cleanup_free_ char *data = NULL, *config_data = NULL;
	struct sk_manifest m = { .n_layers = 0 };
	struct sk_config config = { .json = NULL };
	char name[SK_LAYER_NAME_MAX];
	size_t len, i;
	int r;

	if (json_object_get(alive, sk_digest_hex(digest)))
		return 0;
	r = sk_store_blob(store, digest, &data, &len, err);
	if (r == 0)
		r = sk_manifest_parse(data, len, &m, err);
	if (r == 0)
		r = sk_store_blob(store, &m.config.digest, &config_data, &len, err);
	if (r == 0)
		r = sk_config_parse(config_data, len, &config, err);
	if (r == 0) {
		json_object_set_new(alive, sk_digest_hex(digest), json_true());
		json_object_set_new(alive, sk_digest_hex(&m.config.digest), json_true());
	}
	for (i = 0; r == 0 && i < config.n_diff_ids; i++) {
		sk_layer_name(&config.diff_ids[i], name);
		r = mark_layer_file(name, alive, err);
		sk_sum_name(&config.diff_ids[i], name);
		if (r == 0)
			r = mark_layer_file(name, alive, err);
		sk_husk_name(&config.diff_ids[i], name);
		if (r == 0)
			r = mark_layer_file(name, alive, err);
	}
	sk_manifest_fini(&m);
	sk_config_fini(&config);
	return r;
}

static int mark_entries(struct sk_store *store, json_t *entries, json_t *alive, struct sk_error *err)
{
	const char *key;
	json_t *entry;
	int r = 0;

	json_object_foreach(entries, key, entry)
	{
		struct sk_digest d;

		if (r == 0 && sk_digest_parse(json_string_value(json_object_get(entry, "manifest")), &d))
			r = mark(store, &d, alive, err);
	}
	return r;
}

/* Removes the files of `directory` that are not in the set. */
static int sweep(struct sk_store *store, const char *directory, json_t *alive, uint64_t *bytes)
{
	_cleanup_closedir_ DIR *dir = sk_fs_opendir(store->dirfd, directory);
	struct dirent *de;
	int r = 0;

	if (!dir)
		return -errno;
	while ((de = readdir(dir))) {
		struct stat st;

		if (de->d_name[0] == '.' || json_object_get(alive, de->d_name))
			continue;
		if (fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (unlinkat(dirfd(dir), de->d_name, 0) == 0)
			*bytes += (uint64_t)st.st_blocks * 512;
		else if (errno != ENOENT)
			r = -errno;
	}
	return r;
}

int sk_store_gc(struct sk_store *store, json_t *refs, uint64_t *ret_bytes, struct sk_error *err)
{
	json_t *alive = json_object();
	uint64_t bytes = 0;
	int r = mark_entries(store, sk_refs_images(refs), alive, err), r2;

	if (r == 0)
		r = mark_entries(store, sk_refs_names(refs), alive, err);
	if (r == 0) {
		r = sweep(store, "layers", alive, &bytes);
		r2 = sweep(store, "blobs/sha256", alive, &bytes);
		if (r < 0 || r2 < 0)
			r = sk_error_errno(err, r < 0 ? r : r2, "cannot clean the image store %s", store->path);
	}
	json_decref(alive);
	if (ret_bytes)
		*ret_bytes = bytes;
	return r;
}

void sk_refs_unname(json_t *refs, const char *id, json_t *removed)
{
	const char *key;
	json_t *entry;
	void *next;

	json_object_foreach_safe(sk_refs_names(refs), next, key, entry)
	{
		const char *of = json_string_value(json_object_get(entry, "id"));

		if (!of || strcmp(of, id) != 0)
			continue;
		json_array_append_new(removed, json_pack("{s:s}", "Untagged", sk_name_short(key)));
		json_object_del(sk_refs_names(refs), key);
	}
}

void sk_refs_drop(json_t *refs, const char *id, json_t *removed)
{
	sk_refs_unname(refs, id, removed);
	json_array_append_new(removed, json_pack("{s:s}", "Deleted", id));
	json_object_del(sk_refs_images(refs), id);
}

static bool kept_by_name(json_t *refs, const char *id)
{
	const char *key;
	json_t *entry;

	json_object_foreach(sk_refs_names(refs), key, entry) if (sk_refs_keeps(entry, id)) return true;
	return false;
}

int sk_store_prune(struct sk_store *store, bool all, bool (*keep)(void *arg, const char *id), void *arg,
		   json_t **ret_removed, uint64_t *ret_bytes, struct sk_error *err)
{
	_cleanup_fd_ int lock = -1;
	json_t *refs = NULL, *removed = json_array(), *image;
	const char *id;
	void *next;
	int r = sk_store_lock(store, &lock, err);

	if (r == 0)
		r = sk_refs_load(store, &refs, err);
	if (r == 0)
		json_object_foreach_safe(sk_refs_images(refs), next, id, image)
		{
			_cleanup_free_ char *copy = strdup(id); /* the key goes with the entry */

			if (copy && !(keep && keep(arg, copy)) && (all || !kept_by_name(refs, copy)))
				sk_refs_drop(refs, copy, removed);
		}
	if (r == 0 && json_array_size(removed))
		r = sk_refs_save(store, refs, err);
	if (r == 0)
		r = sk_store_gc(store, refs, ret_bytes, err);
	if (r == 0)
		*ret_bytes += sk_partial_clean(store, 0);
	json_decref(refs);
	if (r < 0) {
		json_decref(removed);
		return r;
	}
	*ret_removed = removed;
	return 0;
}
