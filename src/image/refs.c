/* SPDX-License-Identifier: Apache-2.0 */
/* refs.json: see image_internal.h. */
#include "image/image_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"

#define REFS_MAX (64u << 20)
#define SHORT_ID_MIN 4

json_t *sk_refs_new(void)
{
	return json_pack("{s:i, s:{}, s:{}}", "version", 1, "images", "refs");
}

int sk_refs_load(struct sk_store *store, json_t **ret_refs, struct sk_error *err)
{
	return sk_refs_load_from(store, "refs.json", ret_refs, err);
}

int sk_refs_load_from(struct sk_store *store, const char *name, json_t **ret_refs, struct sk_error *err)
{
	_cleanup_free_ char *data = NULL;
	json_t *refs = NULL;
	size_t len;
	int r = sk_fs_read(store->dirfd, name, REFS_MAX, &data, &len);

	if (r == -ENOENT) {
		refs = sk_refs_new();
		if (!refs)
			return sk_error_errno(err, ENOMEM, "cannot read the list of images");
	} else if (r < 0) {
		return sk_error_errno(err, r, "cannot read %s/%s", store->path, name);
	} else {
		refs = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
		if (json_integer_value(json_object_get(refs, "version")) != 1 ||
		    !json_is_object(sk_refs_images(refs)) || !json_is_object(sk_refs_names(refs))) {
			json_decref(refs);
			return sk_error_set(err, EBADMSG,
					    "%s/%s is damaged or of another version: \"skerry system check --repair\" "
					    "makes it anew",
					    store->path, name);
		}
	}
	*ret_refs = refs;
	return 0;
}

int sk_refs_write(struct sk_store *store, int dirfd, json_t *refs, struct sk_error *err)
{
	_cleanup_free_ char *data = json_dumps(refs, JSON_INDENT(1) | JSON_SORT_KEYS);
	int r;

	if (!data)
		return sk_error_errno(err, ENOMEM, "cannot write the list of images");
	/* Nobody could read it again: no image would be found any more. */
	if (strlen(data) > REFS_MAX)
		return sk_error_set(err, EFBIG, "too many names of images: the list is larger than %u MiB",
				    REFS_MAX >> 20);
	r = sk_fs_write_atomic(dirfd, "refs.json", data, strlen(data), 0600, true);
	return r < 0 ? sk_error_errno(err, r, "cannot write %s/refs.json", store->path) : 0;
}

void sk_refs_keep_old(struct sk_store *store)
{
	if ((unlinkat(store->dirfd, SK_REFS_OLD, 0) < 0 && errno != ENOENT) ||
	    (linkat(store->dirfd, "refs.json", store->dirfd, SK_REFS_OLD, 0) < 0 && errno != ENOENT))
		sk_log(SK_LOG_DEBUG, "the old list of images cannot be kept: %s", strerror(errno));
}

int sk_refs_save(struct sk_store *store, json_t *refs, struct sk_error *err)
{
	int r;

	sk_refs_keep_old(store);
	r = sk_refs_write(store, store->dirfd, refs, err);

	if (r == 0 && fsync(store->dirfd) < 0)
		r = sk_error_errno(err, errno, "cannot write %s/refs.json", store->path);
	return r;
}

json_t *sk_refs_images(json_t *refs)
{
	return json_object_get(refs, "images");
}

json_t *sk_refs_names(json_t *refs)
{
	return json_object_get(refs, "refs");
}

int sk_refs_set(json_t *refs, const char *key, bool implied, const struct sk_digest *id,
		const struct sk_digest *manifest)
{
	json_int_t now = (json_int_t)time(NULL);
	json_t *entry;

	if (json_object_set_new(sk_refs_images(refs), id->text,
				json_pack("{s:s, s:I}", "manifest", manifest->text, "time", now)) < 0)
		return -ENOMEM;
	if (!key)
		return 0;
	/* A name that was asked for explicitly does not become an implied one. */
	entry = json_object_get(sk_refs_names(refs), key);
	if (entry && !json_is_true(json_object_get(entry, "implied")))
		implied = false;
	entry = json_pack("{s:s, s:s, s:I}", "id", id->text, "manifest", manifest->text, "time", now);
	if (implied && json_object_set_new(entry, "implied", json_true()) < 0) {
		json_decref(entry);
		return -ENOMEM;
	}
	return json_object_set_new(sk_refs_names(refs), key, entry) < 0 ? -ENOMEM : 0;
}

bool sk_refs_keeps(const json_t *entry, const char *id)
{
	const char *of = json_string_value(json_object_get(entry, "id"));

	return of && strcmp(of, id) == 0 && !json_is_true(json_object_get(entry, "implied"));
}

static bool entry_digest(const json_t *entry, const char *key, struct sk_digest *ret)
{
	const char *s = json_string_value(json_object_get(entry, key));

	return s && sk_digest_parse(s, ret);
}

/* `digits` is an id or its beginning, with or without "sha256:". 1: found; 0: no; -ENOTUNIQ. */
static int find_id(json_t *refs, const char *digits, struct sk_digest *ret_id, struct sk_digest *ret_manifest)
{
	const char *id;
	json_t *entry;
	size_t n;
	int found = 0;

	if (strncmp(digits, "sha256:", 7) == 0)
		digits += 7;
	n = strlen(digits);
	if (n < SHORT_ID_MIN || n > SK_DIGEST_HEX || !sk_is_hex(digits, n))
		return 0;
	json_object_foreach(sk_refs_images(refs), id, entry)
	{
		struct sk_digest d;

		if (!sk_digest_parse(id, &d) || strncmp(sk_digest_hex(&d), digits, n) != 0)
			continue;
		if (found)
			return -ENOTUNIQ;
		found = entry_digest(entry, "manifest", ret_manifest);
		*ret_id = d;
	}
	return found;
}

int sk_refs_find(json_t *refs, const char *name, char **ret_key, struct sk_digest *ret_id,
		 struct sk_digest *ret_manifest, struct sk_error *err)
{
	struct sk_name parsed;
	struct sk_error name_err = SK_ERROR_INIT;
	int r = sk_name_parse(name, &parsed, &name_err), found;

	*ret_key = NULL;
	if (r == 0) {
		_cleanup_free_ char *key = sk_name_key(&parsed);
		json_t *entry = key ? json_object_get(sk_refs_names(refs), key) : NULL;

		sk_name_fini(&parsed);
		if (!key)
			return sk_error_errno(err, ENOMEM, "cannot find image %.200s", name);
		if (entry && entry_digest(entry, "id", ret_id) && entry_digest(entry, "manifest", ret_manifest)) {
			*ret_key = SK_TAKE_PTR(key);
			return 0;
		}
	}
	found = find_id(refs, name, ret_id, ret_manifest);
	if (found > 0)
		return 0;
	if (found < 0)
		return sk_error_set(err, ENOTUNIQ, "image id %s is ambiguous", name);
	if (r < 0 && strncmp(name, "sha256:", 7) != 0 && !sk_is_hex(name, strlen(name))) {
		if (err)
			*err = name_err;
		return r;
	}
	return sk_error_set(err, ENOENT, "no such image: %.300s", name);
}
