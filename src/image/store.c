/* SPDX-License-Identifier: Apache-2.0 */
/* See image_internal.h for the theory of operation. */
#include "image/image_internal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/private.h"

int sk_store_open(const char *root, struct sk_store **ret_store, struct sk_error *err)
{
	static const char *const names[] = { "blobs", "blobs/sha256", "layers", "partial", "tmp" };
	struct sk_store *store = calloc(1, sizeof(*store));
	_cleanup_fd_ int lock = -1;
	size_t i;
	int r = -ENOMEM;

	if (!store)
		return sk_error_errno(err, ENOMEM, "cannot open the image store");
	store->dirfd = -1;
	store->limits = sk_layer_limits_default;
	store->squash = sk_squash_default;
	store->path = sk_asprintf("%s/images", root);
	if (!store->path)
		goto fail;
	store->dirfd = sk_private_dir(store->path, 0700, NULL, err);
	if (store->dirfd < 0) {
		r = store->dirfd;
		sk_error_wrap(err, "cannot open the image store");
		sk_store_close(store);
		return r;
	}
	for (i = 0; i < SK_ARRAY_SIZE(names); i++) {
		if (mkdirat(store->dirfd, names[i], 0700) < 0 && errno != EEXIST) {
			r = -errno;
			goto fail;
		}
	}
	/* Here rather than at the first change, so that a change that fails leaves no trace at all. Needed then only.
	 */
	lock = openat(store->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	sk_op_clean(store);
	sk_partial_clean_old(store);
	*ret_store = store;
	return 0;
fail:
	sk_error_errno(err, r, "cannot open the image store %s", store->path ? store->path : root);
	sk_store_close(store);
	return r;
}

void sk_store_close(struct sk_store *store)
{
	if (!store)
		return;
	sk_close_fd(&store->dirfd);
	free(store->path);
	free(store);
}

void sk_store_cancel(struct sk_store *store)
{
	store->cancelled = 1;
}

int sk_store_lock(struct sk_store *store, int *ret_fd, struct sk_error *err)
{
	_cleanup_fd_ int fd = openat(store->dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : sk_fs_lock(fd, true, true);

	if (r < 0)
		return sk_error_errno(err, r, "cannot lock the image store %s", store->path);
	*ret_fd = SK_TAKE_FD(fd);
	return 0;
}

void sk_layer_name(const struct sk_digest *diff_id, char out[SK_LAYER_NAME_MAX])
{
	snprintf(out, SK_LAYER_NAME_MAX, "layers/%s.squashfs", sk_digest_hex(diff_id));
}

void sk_sum_name(const struct sk_digest *diff_id, char out[SK_LAYER_NAME_MAX])
{
	snprintf(out, SK_LAYER_NAME_MAX, "layers/%s.sha256", sk_digest_hex(diff_id));
}

void sk_husk_name(const struct sk_digest *diff_id, char out[SK_LAYER_NAME_MAX])
{
	snprintf(out, SK_LAYER_NAME_MAX, "layers/%s.husk", sk_digest_hex(diff_id));
}

int64_t sk_store_layer_size(struct sk_store *store, const struct sk_digest *diff_id)
{
	_cleanup_fd_ int fd = -1;
	char name[SK_LAYER_NAME_MAX];
	struct {
		uint8_t magic[4], skipped[36];
		uint64_t used_le; /* bytes of the file that are in use */
	} super;
	struct stat st;
	ssize_t n;

	sk_layer_name(diff_id, name);
	fd = openat(store->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	n = pread(fd, &super, sizeof(super), 0);
	if (n < 0)
		return -errno;
	if (n != sizeof(super) || memcmp(super.magic, "hsqs", 4) != 0 || le64toh(super.used_le) > (uint64_t)st.st_size)
		return -EBADMSG;
	return st.st_size;
}

int sk_store_blob(struct sk_store *store, const struct sk_digest *digest, char **ret_data, size_t *ret_len,
		  struct sk_error *err)
{
	char name[SK_DIGEST_HEX + 32];
	_cleanup_free_ char *data = NULL;
	struct sk_digest have;
	int r;

	snprintf(name, sizeof(name), "blobs/sha256/%s", sk_digest_hex(digest));
	r = sk_fs_read(store->dirfd, name, SK_JSON_MAX, &data, ret_len);
	if (r == 0)
		r = sk_sha256_buffer(data, *ret_len, &have);
	if (r < 0)
		return sk_error_errno(err, r, "cannot read %s from the image store", digest->text);
	if (!sk_digest_equal(&have, digest))
		return sk_error_set(err, EBADMSG, "the image store is damaged: %s has other contents", digest->text);
	*ret_data = SK_TAKE_PTR(data);
	return 0;
}

void sk_image_free(struct sk_image *image)
{
	size_t i;

	if (!image)
		return;
	for (i = 0; i < image->n_layers; i++)
		free(image->layers[i]);
	free(image->layers);
	free(image->layer_sizes);
	free(image->id);
	free(image->digest);
	free(image->ref);
	json_decref(image->config);
	free(image);
}

static int fill_layers(struct sk_store *store, struct sk_image *image, const struct sk_config *config,
		       struct sk_error *err)
{
	size_t i;

	image->layers = calloc(config->n_diff_ids + 1, sizeof(char *));
	image->layer_sizes = calloc(config->n_diff_ids + 1, sizeof(*image->layer_sizes));
	if (!image->layers || !image->layer_sizes)
		return sk_error_errno(err, ENOMEM, "cannot read the image");
	for (i = 0; i < config->n_diff_ids; i++) {
		int64_t size = sk_store_layer_size(store, &config->diff_ids[i]);
		char name[SK_LAYER_NAME_MAX];

		if (size < 0)
			return sk_error_set(err, EIO,
					    "the image store is damaged: layer %s %s: \"skerry system check --repair\" "
					    "removes what is damaged, then pull or load the image again",
					    config->diff_ids[i].text,
					    size == -ENOENT    ? "is missing"
					    : size == -EBADMSG ? "is cut short"
							       : strerror((int)-size));
		sk_layer_name(&config->diff_ids[i], name);
		image->layers[i] = sk_asprintf("%s/%s", store->path, name);
		if (!image->layers[i])
			return sk_error_errno(err, ENOMEM, "cannot read the image");
		image->n_layers = i + 1;
		image->layer_sizes[i] = (uint64_t)size;
	}
	return 0;
}

static int fill_config(struct sk_store *store, const struct sk_digest *id, struct sk_image *image, struct sk_error *err)
{
	_cleanup_free_ char *data = NULL;
	struct sk_config config = { .json = NULL };
	size_t len;
	int r = sk_store_blob(store, id, &data, &len, err);

	if (r == 0)
		r = sk_config_parse(data, len, &config, err);
	if (r == 0) {
		r = fill_layers(store, image, &config, err);
		image->config = json_incref(config.json);
	}
	sk_config_fini(&config);
	return r;
}

int sk_store_image(struct sk_store *store, const struct sk_digest *manifest, struct sk_image **ret_image,
		   struct sk_error *err)
{
	_cleanup_free_ char *data = NULL;
	struct sk_manifest m = { .n_layers = 0 };
	struct sk_image *image = calloc(1, sizeof(*image));
	size_t len;
	int r;

	if (!image)
		return sk_error_errno(err, ENOMEM, "cannot read the image");
	r = sk_store_blob(store, manifest, &data, &len, err);
	if (r == 0)
		r = sk_manifest_parse(data, len, &m, err);
	if (r == 0) {
		image->id = strdup(m.config.digest.text);
		image->digest = strdup(manifest->text);
		if (!image->id || !image->digest)
			r = sk_error_errno(err, ENOMEM, "cannot read the image");
		else
			r = fill_config(store, &m.config.digest, image, err);
	}
	sk_manifest_fini(&m);
	if (r < 0) {
		sk_image_free(image);
		return r;
	}
	*ret_image = image;
	return 0;
}

int sk_store_find(struct sk_store *store, const char *name, struct sk_image **ret_image, struct sk_error *err)
{
	_cleanup_free_ char *key = NULL;
	struct sk_digest id, manifest;
	struct sk_image *image = NULL;
	json_t *refs;
	int r = sk_refs_load(store, &refs, err);

	if (r < 0)
		return r;
	r = sk_refs_find(refs, name, &key, &id, &manifest, err);
	json_decref(refs);
	if (r < 0)
		return r;
	r = sk_store_image(store, &manifest, &image, err);
	if (r < 0)
		return sk_error_wrap(err, "cannot use image %.200s", name);
	image->ref = strdup(key ? sk_name_short(key) : id.text);
	if (!image->ref) {
		sk_image_free(image);
		return sk_error_errno(err, ENOMEM, "cannot read the image");
	}
	*ret_image = image;
	return 0;
}

int sk_open_input(const char *path, int *ret_fd, struct sk_error *err)
{
	int fd;

	if (strcmp(path, "-") == 0)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return sk_error_errno(err, errno, "cannot open %s", path);
	*ret_fd = fd;
	return 0;
}

int sk_fail(struct sk_error *err, const char *verb, const char *name)
{
	int r = sk_error_wrap(err, "cannot %s %.300s", verb, strcmp(name, "-") == 0 ? "standard input" : name);
	char *p;

	for (p = err ? err->message : NULL; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return r;
}
