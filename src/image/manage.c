/* SPDX-License-Identifier: Apache-2.0 */
/* The list of images, tags, and their removal. What can go with a name is decided here as docker does; see gc.c for the
 * files. */
#include "image/image_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static bool entry_of(const json_t *entry, const char *id)
{
	const char *of = json_string_value(json_object_get(entry, "id"));

	return of && strcmp(of, id) == 0;
}

/* ---- list ----------------------------------------------------------------------------------------------------------
 */

static void add_names(json_t *refs, const char *id, json_t *tags, json_t *digests)
{
	const char *key;
	json_t *entry;

	json_object_foreach(sk_refs_names(refs), key, entry) if (entry_of(entry, id))
		json_array_append_new(strchr(key, '@') ? digests : tags, json_string(sk_name_short(key)));
}

static json_t *list_one(struct sk_store *store, json_t *refs, const char *id, const json_t *entry)
{
	const char *manifest = json_string_value(json_object_get(entry, "manifest")), *created = NULL;
	json_t *tags = json_array(), *digests = json_array(), *labels = NULL, *j;
	struct sk_image *image = NULL;
	struct sk_digest d;
	uint64_t size = 0;
	size_t i;

	/* A damaged image is listed, too: or it could never be removed. */
	if (manifest && sk_digest_parse(manifest, &d) && sk_store_image(store, &d, &image, NULL) == 0) {
		created = json_string_value(json_object_get(image->config, "created"));
		labels = json_object_get(json_object_get(image->config, "config"), "Labels");
		for (i = 0; i < image->n_layers; i++)
			size += image->layer_sizes[i];
	}
	add_names(refs, id, tags, digests);
	j = json_pack("{s:s, s:o, s:o, s:s, s:I, s:s, s:O?}", "Id", id, "RepoTags", tags, "RepoDigests", digests,
		      "Created", created ? created : "1970-01-01T00:00:00Z", "Size", (json_int_t)size, "Digest",
		      manifest ? manifest : "", "Labels", json_is_object(labels) ? labels : NULL);
	sk_image_free(image);
	return j;
}

int sk_store_list(struct sk_store *store, json_t **ret_list, struct sk_error *err)
{
	json_t *refs, *list, *entry;
	const char *id;
	int r = sk_refs_load(store, &refs, err);

	if (r < 0)
		return r;
	list = json_array();
	json_object_foreach(sk_refs_images(refs), id,
			    entry) if (json_array_append_new(list, list_one(store, refs, id, entry)) < 0) r =
		sk_error_errno(err, ENOMEM, "cannot list the images");
	json_decref(refs);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	*ret_list = list;
	return 0;
}

/* ---- tag -----------------------------------------------------------------------------------------------------------
 */

int sk_store_tag(struct sk_store *store, const char *name, const char *new_ref, struct sk_error *err)
{
	_cleanup_free_ char *found = NULL, *key = NULL;
	_cleanup_fd_ int lock = -1;
	struct sk_digest id, manifest;
	struct sk_name to;
	json_t *refs = NULL;
	int r = sk_name_parse(new_ref, &to, err);

	if (r < 0)
		return r;
	if (!to.tag)
		r = sk_error_set(err, EINVAL, "%.300s: a name with a digest cannot be given", new_ref);
	else if (!(key = sk_name_key(&to)))
		r = sk_error_errno(err, ENOMEM, "cannot tag");
	sk_name_fini(&to);
	if (r == 0)
		r = sk_store_lock(store, &lock, err);
	if (r == 0)
		r = sk_refs_load(store, &refs, err);
	if (r == 0)
		r = sk_refs_find(refs, name, &found, &id, &manifest, err);
	if (r == 0) {
		r = sk_refs_set(refs, key, false, &id, &manifest);
		r = r < 0 ? sk_error_errno(err, r, "cannot tag") : sk_refs_save(store, refs, err);
	}
	json_decref(refs);
	return r;
}

/* ---- remove --------------------------------------------------------------------------------------------------------
 */

struct image_removal {
	json_t *refs, *removed;
	const char *name; /* as the user said it */
	char *key;	  /* the reference meant; NULL: an id was given */
	struct sk_digest id;
	bool force;
	bool (*in_use)(void *arg, const char *id);
	void *in_use_arg;
};

/* Names that keep the image, and how many repositories they are in (2: more than one). */
static size_t count_names(const struct image_removal *rm, unsigned *ret_repos)
{
	const char *key, *first = NULL;
	size_t n = 0, len = 0;
	json_t *entry;

	*ret_repos = 0;
	json_object_foreach(sk_refs_names(rm->refs), key, entry)
	{
		const char *end = strchr(key, '@');

		if (!sk_refs_keeps(entry, rm->id.text))
			continue;
		n++;
		if (!end)
			end = strrchr(key, ':');
		if (!first) {
			first = key;
			len = (size_t)(end - key);
			*ret_repos = 1;
		} else if ((size_t)(end - key) != len || memcmp(key, first, len) != 0) {
			*ret_repos = 2;
		}
	}
	return n;
}

static void untag(struct image_removal *rm, const char *key)
{
	json_array_append_new(rm->removed, json_pack("{s:s}", "Untagged", sk_name_short(key)));
	json_object_del(sk_refs_names(rm->refs), key);
}

/* With the last tag that repository `key` is in has for the image, the digests go that came with it. */
static void untag_implied(struct image_removal *rm, const char *key)
{
	size_t len = (size_t)(strrchr(key, ':') - key);
	const char *other;
	json_t *entry;
	void *next;

	json_object_foreach(sk_refs_names(rm->refs), other, entry) if (sk_refs_keeps(entry, rm->id.text) &&
								       strncmp(other, key, len) == 0 &&
								       other[len] == ':') return;
	json_object_foreach_safe(sk_refs_names(rm->refs), next, other, entry)
	{
		_cleanup_free_ char *copy = NULL;

		if (!entry_of(entry, rm->id.text) || !json_is_true(json_object_get(entry, "implied")) ||
		    strncmp(other, key, len) != 0 || other[len] != '@')
			continue;
		copy = strdup(other);
		if (copy)
			untag(rm, copy);
	}
}

/* Changes `refs` as asked; no file yet. */
static int remove_names(struct image_removal *rm, struct sk_error *err)
{
	unsigned repos;
	size_t names = count_names(rm, &repos);
	bool only_name = rm->key &&
			 (names > 1 || (names == 1 && !sk_refs_keeps(json_object_get(sk_refs_names(rm->refs), rm->key),
								     rm->id.text)));

	if (only_name) {
		untag(rm, rm->key);
		if (!strchr(rm->key, '@'))
			untag_implied(rm, rm->key);
		return 0;
	}
	if (!rm->key && repos > 1 && !rm->force)
		return sk_error_set(err, EBUSY,
				    "image %.100s has names in several repositories: remove them, or use force",
				    rm->name);
	if (rm->in_use && rm->in_use(rm->in_use_arg, rm->id.text)) {
		if (!rm->force || names == 0)
			return sk_error_set(err, EBUSY, "image %.300s is used by a container", rm->name);
		/* Its layers are the container's root file system: they stay until a prune after the container's end. */
		sk_refs_unname(rm->refs, rm->id.text, rm->removed);
		return 0;
	}
	sk_refs_drop(rm->refs, rm->id.text, rm->removed);
	return 0;
}

int sk_store_remove(struct sk_store *store, const char *name, bool force, bool (*in_use)(void *arg, const char *id),
		    void *arg, json_t **ret_removed, struct sk_error *err)
{
	struct image_removal rm = { .name = name, .force = force, .in_use = in_use, .in_use_arg = arg };
	_cleanup_fd_ int lock = -1;
	struct sk_digest manifest;
	int r = sk_store_lock(store, &lock, err);

	if (r == 0)
		r = sk_refs_load(store, &rm.refs, err);
	if (r == 0)
		r = sk_refs_find(rm.refs, name, &rm.key, &rm.id, &manifest, err);
	if (r == 0) {
		rm.removed = json_array();
		r = remove_names(&rm, err);
	}
	if (r == 0)
		r = sk_refs_save(store, rm.refs, err);
	if (r == 0) {
		/* The image is gone from the list, which is what was asked for; files that stay are prune's. */
		(void)sk_store_gc(store, rm.refs, NULL, NULL);
		*ret_removed = json_incref(rm.removed);
	}
	json_decref(rm.removed);
	json_decref(rm.refs);
	free(rm.key);
	return r;
}
