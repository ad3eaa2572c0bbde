/* SPDX-License-Identifier: Apache-2.0 */
/* Operations in progress and their commit: see image_internal.h. */
#include "image/image_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/id.h"

#define FILE_NAME_MAX (SK_DIGEST_HEX + 32)
#define MIB (1u << 20)

/* ---- directories --------------------------------------------------------------------------------------------------
 */

static int open_tmp(struct sk_store *store)
{
	return openat(store->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static void clean_one(int tmp, const char *name)
{
	_cleanup_fd_ int fd = openat(tmp, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && sk_fs_lock(fd, true, false) < 0)
		return; /* its owner lives */
	sk_fs_remove_tree(tmp, name);
}

void sk_op_clean(struct sk_store *store)
{
	_cleanup_fd_ int tmp = open_tmp(store);
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *de;

	/* Between the mkdir and the flock of a new operation tmp/ itself is locked: so nothing new is taken for dead.
	 */
	if (tmp < 0 || sk_fs_lock(tmp, true, false) < 0)
		return;
	dir = sk_fs_opendir(tmp, ".");
	if (!dir)
		return;
	while ((de = readdir(dir)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			clean_one(tmp, de->d_name);
}

int sk_op_begin(struct sk_store *store, const struct sk_progress *progress, struct sk_store_op *op,
		struct sk_error *err)
{
	_cleanup_fd_ int tmp = open_tmp(store);
	int r = 0;

	*op = (struct sk_store_op){ .store = store, .dirfd = -1, .progress = progress };
	sk_random_hex(op->name, 16);
	if (tmp < 0)
		r = -errno;
	if (r == 0)
		r = sk_fs_lock(tmp, false, true);
	if (r == 0 && mkdirat(tmp, op->name, 0700) < 0)
		r = -errno;
	if (r == 0) {
		op->dirfd = openat(tmp, op->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		r = op->dirfd < 0 ? -errno : sk_fs_lock(op->dirfd, true, false);
	}
	if (r < 0) {
		sk_close_fd(&op->dirfd);
		return sk_error_errno(err, r, "cannot write to the image store %s", store->path);
	}
	return 0;
}

void sk_op_end(struct sk_store_op *op)
{
	_cleanup_fd_ int tmp = -1;

	if (op->dirfd < 0)
		return;
	tmp = open_tmp(op->store);
	if (tmp >= 0)
		sk_fs_remove_tree(tmp, op->name);
	sk_close_fd(&op->dirfd);
}

int sk_op_cancelled(const struct sk_store_op *op, struct sk_error *err)
{
	return op->store->cancelled ? sk_error_set(err, EINTR, "interrupted") : 0;
}

void sk_op_progress(const struct sk_store_op *op, const char *what, uint64_t done, uint64_t total)
{
	if (op->progress && op->progress->cb)
		op->progress->cb(op->progress->arg, what, done, total);
}

/* ---- layers and blobs ---------------------------------------------------------------------------------------------
 */

static void op_layer_name(const struct sk_digest *diff_id, char out[FILE_NAME_MAX])
{
	snprintf(out, FILE_NAME_MAX, "%s.squashfs", sk_digest_hex(diff_id));
}

static void op_sum_name(const struct sk_digest *diff_id, char out[FILE_NAME_MAX])
{
	snprintf(out, FILE_NAME_MAX, "%s.sha256", sk_digest_hex(diff_id));
}

static void op_husk_name(const struct sk_digest *diff_id, char out[FILE_NAME_MAX])
{
	snprintf(out, FILE_NAME_MAX, "%s.husk", sk_digest_hex(diff_id));
}

bool sk_op_have_layer(struct sk_store_op *op, const struct sk_digest *diff_id)
{
	char from[SK_LAYER_NAME_MAX], to[FILE_NAME_MAX];

	op_layer_name(diff_id, to);
	if (faccessat(op->dirfd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	sk_layer_name(diff_id, from);
	if (linkat(op->store->dirfd, from, op->dirfd, to, 0) < 0)
		return false;
	op_sum_name(diff_id, to);
	sk_sum_name(diff_id, from);
	/* One of an older Skerry has none, and no husk. */
	if (linkat(op->store->dirfd, from, op->dirfd, to, 0) < 0 && errno != ENOENT)
		return false;
	op_husk_name(diff_id, to);
	sk_husk_name(diff_id, from);
	return linkat(op->store->dirfd, from, op->dirfd, to, 0) == 0 || errno == ENOENT;
}

/* Keeps what the layer image is now, for sk_store_check(). */
static int write_sum(struct sk_store_op *op, const struct sk_digest *diff_id, int fd, struct sk_error *err)
{
	char name[FILE_NAME_MAX];
	struct sk_digest sum;
	int r = sk_sha256_fd(fd, &op->store->cancelled, &sum);

	op_sum_name(diff_id, name);
	if (r == 0)
		r = sk_fs_write_atomic(op->dirfd, name, sum.text, strlen(sum.text), 0444, true);
	return r < 0 ? sk_error_errno(err, r, "cannot write the layer image") : 0;
}

int sk_op_take_layer(struct sk_store_op *op, int dirfd, const char *name, const struct sk_digest *diff_id)
{
	char to[FILE_NAME_MAX];
	_cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 ? -errno : write_sum(op, diff_id, fd, NULL);

	op_layer_name(diff_id, to);
	return r < 0 ? r : renameat(dirfd, name, op->dirfd, to) < 0 ? -errno : 0;
}

static int sink_begin(void *arg, struct sk_inode *inode, struct sk_error *err)
{
	return sk_squash_begin(arg, inode, err);
}

static int sink_data(void *arg, const void *data, size_t len, struct sk_error *err)
{
	return sk_squash_data(arg, data, len, err);
}

static int sink_end(void *arg, struct sk_error *err)
{
	return sk_squash_end(arg, err);
}

static int convert_tick(void *arg, uint64_t bytes)
{
	struct sk_store_op *op = arg;

	sk_op_progress(op, op->what, bytes, op->total);
	return op->store->cancelled;
}

static int convert_layer(struct sk_store_op *op, struct sk_layer_read *job, int fd, struct sk_error *err)
{
	struct sk_layer_sink sink = { sink_begin, sink_data, sink_end, NULL };
	struct sk_squash *sq = NULL;
	struct sk_tree *tree = NULL;
	int r = sk_tree_new(&tree);

	if (r < 0)
		return sk_error_errno(err, r, "cannot read the layer");
	r = sk_squash_new(fd, job->small ? &sk_squash_small : &op->store->squash, &sq, err);
	if (r == 0) {
		sink.arg = sq;
		job->sink = &sink;
		r = sk_layer_read(job, tree, err);
		job->sink = NULL;
	}
	if (r == 0)
		r = sk_tree_finish(tree, err);
	if (r == 0)
		r = sk_squash_finish(sq, tree, err);
	sk_squash_free(sq);
	sk_tree_free(tree);
	if (r < 0)
		return r;
	r = sk_layer_form(fd);
	if (r == 0 && (fchmod(fd, 0444) < 0 || fsync(fd) < 0))
		r = -errno;
	return r < 0 ? sk_error_errno(err, r, "cannot write the layer image") : 0;
}

/* The same, with a husk beside it. */
static int convert_with_husk(struct sk_store_op *op, struct sk_layer_read *job, int fd, struct sk_error *err)
{
	static const char name[] = "husk.part";
	_cleanup_fd_ int husk_fd = openat(op->dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	char final[FILE_NAME_MAX];
	int r;

	if (husk_fd < 0)
		return sk_error_errno(err, errno, "cannot write to the image store %s", op->store->path);
	r = sk_husk_new(husk_fd, &job->husk, err);
	if (r == 0)
		r = convert_layer(op, job, fd, err);
	if (r == 0)
		r = sk_husk_finish(job->husk, err);
	sk_husk_free(job->husk);
	job->husk = NULL;
	op_husk_name(&job->ret_diff_id, final);
	if (r == 0 &&
	    (fchmod(husk_fd, 0444) < 0 || fsync(husk_fd) < 0 || renameat(op->dirfd, name, op->dirfd, final) < 0))
		r = sk_error_errno(err, errno, "cannot write the layer's husk");
	if (r != 0)
		unlinkat(op->dirfd, name, 0);
	return r < 0 ? r : 0;
}

int sk_op_convert(struct sk_store_op *op, struct sk_layer_read *job, const char *what, uint64_t total,
		  struct sk_error *err)
{
	static const char name[] = "layer.part";
	_cleanup_fd_ int fd = openat(op->dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	char final[FILE_NAME_MAX];
	int r;

	if (fd < 0)
		return sk_error_errno(err, errno, "cannot write to the image store %s", op->store->path);
	snprintf(op->what, sizeof(op->what), "%s", what);
	op->total = total;
	if (!job->limits)
		job->limits = &op->store->limits;
	if (!job->tick) {
		job->tick = convert_tick;
		job->tick_arg = op;
	}
	r = job->keep_husk ? convert_with_husk(op, job, fd, err) : convert_layer(op, job, fd, err);
	if (r == 0)
		r = write_sum(op, &job->ret_diff_id, fd, err);
	if (r == 0) {
		op_layer_name(&job->ret_diff_id, final);
		if (renameat(op->dirfd, name, op->dirfd, final) < 0)
			r = sk_error_errno(err, errno, "cannot write the layer image");
	}
	if (r < 0)
		unlinkat(op->dirfd, name, 0);
	else
		sk_op_progress(op, op->what, op->total, op->total);
	return r;
}

int sk_op_rename_layer(struct sk_store_op *op, const struct sk_digest *from, const struct sk_digest *to,
		       struct sk_error *err)
{
	char layer[2][FILE_NAME_MAX], sum[2][FILE_NAME_MAX];

	op_layer_name(from, layer[0]);
	op_layer_name(to, layer[1]);
	op_sum_name(from, sum[0]);
	op_sum_name(to, sum[1]);
	if (renameat(op->dirfd, layer[0], op->dirfd, layer[1]) < 0 ||
	    renameat(op->dirfd, sum[0], op->dirfd, sum[1]) < 0)
		return sk_error_errno(err, errno, "cannot write the layer image");
	return 0;
}

int sk_op_blob(struct sk_store_op *op, const struct sk_digest *digest, const void *data, size_t len,
	       struct sk_error *err)
{
	char name[FILE_NAME_MAX];
	int r;

	snprintf(name, sizeof(name), "%s.blob", sk_digest_hex(digest));
	r = sk_fs_write_atomic(op->dirfd, name, data, len, 0444, true);
	return r < 0 ? sk_error_errno(err, r, "cannot write to the image store %s", op->store->path) : 0;
}

/* ---- commit -------------------------------------------------------------------------------------------------------
 */

/* The files that a commit has moved, so that they can be moved back. */
struct moved {
	struct moved *next;
	char to[SK_LAYER_NAME_MAX];
	char name[];
};

/* Moves one file of the operation to its place; an existing one stays (containers may have it open, the contents are
 * the same). */
static int commit_file(struct sk_store_op *op, const char *name, const char *to, struct moved **list)
{
	struct moved *m;

	if (faccessat(op->store->dirfd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	m = malloc(sizeof(*m) + strlen(name) + 1);
	if (!m)
		return -ENOMEM;
	strcpy(m->name, name);
	snprintf(m->to, sizeof(m->to), "%s", to);
	m->next = *list;
	*list = m;
	return renameat(op->dirfd, name, op->store->dirfd, to) < 0 ? -errno : 0;
}

/* Keep the checksum that belongs to the layer image that stays: if the store has that layer and its checksum already,
 * those. */
static int commit_sum(struct sk_store_op *op, const char *name, const struct sk_digest *diff_id, struct moved **list)
{
	char layer[SK_LAYER_NAME_MAX], sum[SK_LAYER_NAME_MAX];

	sk_layer_name(diff_id, layer);
	sk_sum_name(diff_id, sum);
	if (faccessat(op->store->dirfd, layer, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		(void)unlinkat(op->store->dirfd, sum, 0);
	else if (faccessat(op->store->dirfd, sum, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return commit_file(op, name, sum, list);
}

/* The sums, husks and blobs first, then (`layers`) the layer images. */
static int commit_named(struct sk_store_op *op, const char *name, bool layers, struct moved **list)
{
	const char *dot = strchr(name, '.');
	char hex[SK_DIGEST_HEX + 1], to[SK_LAYER_NAME_MAX];
	struct sk_digest digest;

	if (!dot || dot - name != SK_DIGEST_HEX)
		return 0;
	memcpy(hex, name, SK_DIGEST_HEX);
	hex[SK_DIGEST_HEX] = '\0';
	if (!sk_digest_from_hex(hex, &digest))
		return 0;
	if (layers != (strcmp(dot, ".squashfs") == 0))
		return 0;
	if (strcmp(dot, ".sha256") == 0)
		return commit_sum(op, name, &digest, list);
	if (layers)
		sk_layer_name(&digest, to);
	else if (strcmp(dot, ".husk") == 0)
		sk_husk_name(&digest, to);
	else if (strcmp(dot, ".blob") == 0)
		snprintf(to, sizeof(to), "blobs/sha256/%s", hex);
	else
		return 0;
	return commit_file(op, name, to, list);
}

static int sync_directory(struct sk_store *store, const char *name)
{
	_cleanup_fd_ int fd = openat(store->dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int commit_files(struct sk_store_op *op, struct moved **list)
{
	_cleanup_closedir_ DIR *dir = sk_fs_opendir(op->dirfd, ".");
	struct dirent *de;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (de = readdir(dir)))
		r = commit_named(op, de->d_name, false, list);
	rewinddir(dir);
	while (r == 0 && (de = readdir(dir)))
		r = commit_named(op, de->d_name, true, list);
	if (r == 0)
		r = sync_directory(op->store, "layers");
	return r == 0 ? sync_directory(op->store, "blobs/sha256") : r;
}

static void finish_moved(struct sk_store_op *op, struct moved *list, bool undo)
{
	while (list) {
		struct moved *m = list;

		list = m->next;
		if (undo)
			(void)renameat(op->store->dirfd, m->to, op->dirfd, m->name);
		free(m);
	}
}

/* The new list of images, complete and on disk, in the operation's directory: putting it in place takes no more
 * space. */
static int prepare_refs(struct sk_store_op *op, const struct sk_op_image *images, size_t n_images, struct sk_error *err)
{
	json_t *refs = NULL;
	size_t i, k;
	int r = sk_refs_load(op->store, &refs, err);

	if (r < 0)
		return r;
	for (i = 0; r == 0 && i < n_images; i++) {
		const struct sk_op_image *m = &images[i];

		r = sk_refs_set(refs, NULL, false, &m->id, &m->manifest);
		for (k = 0; r == 0 && m->keys && m->keys[k]; k++)
			r = sk_refs_set(refs, m->keys[k], false, &m->id, &m->manifest);
		for (k = 0; r == 0 && m->implied && m->implied[k]; k++)
			r = sk_refs_set(refs, m->implied[k], true, &m->id, &m->manifest);
	}
	r = r < 0 ? sk_error_errno(err, r, "cannot write the list of images")
		  : sk_refs_write(op->store, op->dirfd, refs, err);
	json_decref(refs);
	return r;
}

int sk_op_commit(struct sk_store_op *op, const struct sk_op_image *images, size_t n_images, struct sk_error *err)
{
	_cleanup_fd_ int lock = -1;
	struct moved *list = NULL;
	int r = sk_op_cancelled(op, err);

	if (r == 0)
		r = sk_store_lock(op->store, &lock, err);
	if (r == 0)
		r = prepare_refs(op, images, n_images, err);
	if (r < 0)
		return r;
	r = commit_files(op, &list);
	sk_refs_keep_old(op->store);
	if (r == 0 && renameat(op->dirfd, "refs.json", op->store->dirfd, "refs.json") < 0)
		r = -errno;
	finish_moved(op, list, r < 0);
	if (r < 0)
		return sk_error_errno(err, r, "cannot write to the image store %s", op->store->path);
	(void)fsync(op->store->dirfd); /* it is done: a failure only means that a power cut may undo it */
	return 0;
}
