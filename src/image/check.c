/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sk_store_check(): whether the store holds what it says. In this order, each step on what the one before has left:
 * the list of images (where it cannot be read, the one before the last change is taken, or one is made from the
 * manifests that are there), the layer images against the digests that were taken when they were made, each image with
 * its documents, and the names. A repair removes what is damaged and never invents; it holds the store's lock.
 */
#include "image/image_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define REFS_DAMAGED "refs.json.damaged"

struct check {
	struct sk_store *store;
	json_t *refs;
	bool repair, changed;
	const char *(*in_use)(void *arg, const char *id);
	sk_problem_cb problem;
	void *arg;
};

static void found(struct check *c, const char *mended, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void found(struct check *c, const char *mended, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	c->problem(c->arg, text, c->repair ? mended : NULL);
}

/* Calls `cb` for each file of a directory of the store. */
static int each_file(struct sk_store *store, const char *name, int (*cb)(void *arg, const char *name), void *arg)
{
	_cleanup_closedir_ DIR *dir = sk_fs_opendir(store->dirfd, name);
	struct dirent *de;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (de = readdir(dir)))
		if (de->d_name[0] != '.')
			r = store->cancelled ? -EINTR : cb(arg, de->d_name);
	return r;
}

/* ---- the list of images ------------------------------------------------------------------------------------------ */

/* A blob that is a manifest whose image is complete becomes an image of the list. */
static int list_manifest(void *arg, const char *name)
{
	struct check *c = arg;
	struct sk_manifest m = { .n_layers = 0 };
	struct sk_image *image = NULL;
	struct sk_digest digest, id;
	_cleanup_free_ char *data = NULL;
	size_t len;
	int r = 0;

	if (!sk_digest_from_hex(name, &digest) || sk_store_blob(c->store, &digest, &data, &len, NULL) < 0)
		return 0;
	if (sk_manifest_parse(data, len, &m, NULL) == 0) {
		if (sk_store_image(c->store, &digest, &image, NULL) == 0 && sk_digest_parse(image->id, &id))
			r = sk_refs_set(c->refs, NULL, false, &id, &digest);
		sk_image_free(image);
	}
	sk_manifest_fini(&m);
	return r;
}

static int load_list(struct check *c, struct sk_error *err)
{
	struct sk_error why = SK_ERROR_INIT;
	int r = sk_refs_load(c->store, &c->refs, &why);
	bool old;

	if (r != -EBADMSG) {
		if (r < 0)
			*err = why;
		return r;
	}
	old = faccessat(c->store->dirfd, SK_REFS_OLD, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	      sk_refs_load_from(c->store, SK_REFS_OLD, &c->refs, NULL) == 0;
	if (!old) {
		c->refs = sk_refs_new();
		r = c->refs ? each_file(c->store, "blobs/sha256", list_manifest, c) : -ENOMEM;
		if (r < 0)
			return sk_error_errno(err, r, "cannot make the list of images");
	}
	found(c,
	      old ? "the list before the last change is in its place"
		  : "made anew from the images that are there: they have lost their names",
	      "%s/refs.json is damaged", c->store->path);
	if (c->repair && renameat(c->store->dirfd, "refs.json", c->store->dirfd, REFS_DAMAGED) < 0)
		return sk_error_errno(err, errno, "cannot rename %s/refs.json", c->store->path);
	c->changed = true;
	return 0;
}

/* ---- layers and blobs -------------------------------------------------------------------------------------------- */

static const char *fault_of(struct sk_store *store, const struct sk_digest *diff_id, int *ret_error)
{
	_cleanup_free_ char *sum = NULL;
	_cleanup_fd_ int fd = -1;
	char name[SK_LAYER_NAME_MAX];
	struct sk_digest is, was;
	int64_t size = sk_store_layer_size(store, diff_id);
	size_t len;

	*ret_error = 0;
	if (size == -EBADMSG)
		return "is cut short, or no layer";
	if (size < 0)
		goto fail;
	sk_sum_name(diff_id, name);
	/* Layer images of an older Skerry have no digest beside them. */
	if (sk_fs_read(store->dirfd, name, SK_DIGEST_LEN, &sum, &len) < 0 || !sk_digest_parse(sum, &was))
		return NULL;
	sk_layer_name(diff_id, name);
	fd = openat(store->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size = fd < 0 ? -errno : sk_sha256_fd(fd, &store->cancelled, &is);
	if (size == -EINTR) {
		*ret_error = -EINTR;
		return NULL;
	}
	if (size < 0)
		goto fail;
	return sk_digest_equal(&is, &was) ? NULL : "has other contents than when it was made";
fail:
	return strerror((int)-size);
}

static int check_layer(void *arg, const char *name)
{
	struct check *c = arg;
	char hex[SK_DIGEST_HEX + 1], path[SK_LAYER_NAME_MAX];
	struct sk_digest diff_id;
	const char *fault;
	int r;

	if (strlen(name) != SK_DIGEST_HEX + strlen(".squashfs") || strcmp(name + SK_DIGEST_HEX, ".squashfs") != 0)
		return 0;
	memcpy(hex, name, SK_DIGEST_HEX);
	hex[SK_DIGEST_HEX] = '\0';
	if (!sk_digest_from_hex(hex, &diff_id))
		return 0;
	fault = fault_of(c->store, &diff_id, &r);
	if (!fault)
		return r;
	found(c, "removed", "layer %s %s", diff_id.text, fault);
	if (!c->repair)
		return 0;
	sk_layer_name(&diff_id, path);
	if (unlinkat(c->store->dirfd, path, 0) < 0 && errno != ENOENT)
		return -errno;
	sk_sum_name(&diff_id, path);
	(void)unlinkat(c->store->dirfd, path, 0);
	sk_husk_name(&diff_id, path);
	(void)unlinkat(c->store->dirfd, path, 0);
	return 0;
}

static int check_blob(void *arg, const char *name)
{
	struct check *c = arg;
	_cleanup_free_ char *data = NULL, *path = NULL;
	struct sk_error why = SK_ERROR_INIT;
	struct sk_digest digest;
	size_t len;

	if (!sk_digest_from_hex(name, &digest) || sk_store_blob(c->store, &digest, &data, &len, &why) == 0)
		return 0;
	found(c, "removed", "%s", why.message);
	path = sk_asprintf("blobs/sha256/%s", name);
	if (c->repair && (!path || unlinkat(c->store->dirfd, path, 0) < 0))
		return path ? -errno : -ENOMEM;
	return 0;
}

/* ---- images and names -------------------------------------------------------------------------------------------- */

/* "debian:latest, debian@sha256:…", or the id. */
static void names_of(json_t *refs, const char *id, char *buf, size_t size)
{
	const char *key, *of;
	json_t *entry;
	size_t n = 0;

	buf[0] = '\0';
	json_object_foreach(sk_refs_names(refs), key, entry)
	{
		of = json_string_value(json_object_get(entry, "id"));
		if (of && strcmp(of, id) == 0 && !strchr(key, '@') && n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? ", " : "", sk_name_short(key));
	}
	if (!n)
		snprintf(buf, size, "%s", id);
}

static void check_images(struct check *c)
{
	json_t *entry, *removed = json_array();
	const char *id;
	void *next;

	json_object_foreach_safe(sk_refs_images(c->refs), next, id, entry)
	{
		const char *manifest = json_string_value(json_object_get(entry, "manifest"));
		struct sk_error why = SK_ERROR_INIT;
		struct sk_image *image = NULL;
		_cleanup_free_ char *copy = strdup(id);
		const char *user;
		struct sk_digest d;
		char names[256];

		if (!copy)
			continue;
		if (!manifest || !sk_digest_parse(manifest, &d))
			sk_error_set(&why, EBADMSG, "it has no manifest");
		else
			sk_store_image(c->store, &d, &image, &why);
		sk_image_free(image);
		if (why.code == 0)
			continue;
		names_of(c->refs, id, names, sizeof(names));
		/* A container without its image could not be started after a pull, and a prune would take its layers. */
		user = c->in_use ? c->in_use(c->arg, id) : NULL;
		if (user) {
			found(c, NULL, "image %s: %s: pull or load it again (container %s uses it)", names, why.message,
			      user);
			continue;
		}
		found(c, "removed: pull or load it again", "image %s: %s", names, why.message);
		sk_refs_drop(c->refs, copy, removed);
		c->changed = true;
	}
	json_decref(removed);
}

static void check_names(struct check *c)
{
	json_t *entry;
	const char *key;
	void *next;

	json_object_foreach_safe(sk_refs_names(c->refs), next, key, entry)
	{
		const char *id = json_string_value(json_object_get(entry, "id"));

		if (id && json_object_get(sk_refs_images(c->refs), id))
			continue;
		found(c, "removed", "the name %s belongs to no image", sk_name_short(key));
		json_object_del(sk_refs_names(c->refs), key);
		c->changed = true;
	}
}

int sk_store_check(struct sk_store *store, bool repair, const char *(*in_use)(void *arg, const char *id),
		   sk_problem_cb problem, void *arg, struct sk_error *err)
{
	struct check c = { .store = store, .repair = repair, .in_use = in_use, .problem = problem, .arg = arg };
	_cleanup_fd_ int lock = -1;
	int r = sk_store_lock(store, &lock, err);

	if (r == 0)
		r = load_list(&c, err);
	if (r < 0)
		return r;
	r = each_file(store, "layers", check_layer, &c);
	if (r == 0)
		r = each_file(store, "blobs/sha256", check_blob, &c);
	if (r < 0)
		r = sk_error_errno(err, r, "cannot check the image store %s", store->path);
	if (r == 0)
		check_images(&c);
	if (r == 0)
		check_names(&c);
	if (r == 0 && repair && c.changed)
		r = sk_refs_save(store, c.refs, err);
	json_decref(c.refs);
	return r;
}
