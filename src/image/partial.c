/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps what an interrupted pull has fetched for the next one. In the store's directory partial/, flat:
 *   <hex of the blob>.<hex of the diff id>  a layer image that was made of the blob, whose digest was right
 *   <hex of the blob>.<hex of the diff id>.husk  its husk, if it has one
 *   <hex of the blob>.blob                  a complete blob; its digest is checked when a layer is made of it
 *
 * A pull takes files away by renaming them, and puts them back when it is interrupted, too. Files of more than a day
 * are removed when the store is opened; a prune removes all of them, and so does a pull that would exceed PARTIAL_MAX
 * bytes.
 */
#include "image/image_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define DIR_NAME "partial"
#define NAME_SIZE (2 * SK_DIGEST_HEX + 16)
#define PARTIAL_MAX (UINT64_C(8) << 30)
#define PARTIAL_SECONDS 86400

uint64_t sk_partial_clean(struct sk_store *store, int64_t older_than)
{
	_cleanup_closedir_ DIR *dir = sk_fs_opendir(store->dirfd, DIR_NAME);
	time_t now = time(NULL);
	uint64_t bytes = 0;
	struct dirent *de;
	struct stat st;

	while (dir && (de = readdir(dir)))
		if (de->d_name[0] != '.' && fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    now - st.st_ctime >= older_than && unlinkat(dirfd(dir), de->d_name, 0) == 0)
			bytes += (uint64_t)st.st_blocks * 512;
	return bytes;
}

void sk_partial_clean_old(struct sk_store *store)
{
	sk_partial_clean(store, PARTIAL_SECONDS);
}

static uint64_t bytes_kept(struct sk_store *store)
{
	_cleanup_closedir_ DIR *dir = sk_fs_opendir(store->dirfd, DIR_NAME);
	struct dirent *de;
	uint64_t sum = 0;
	struct stat st;

	while (dir && (de = readdir(dir)))
		if (fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	return sum;
}

uint64_t sk_store_partial_bytes(struct sk_store *store)
{
	return bytes_kept(store);
}

/* Moves a file in. What cannot be kept is fetched again: no error. */
static void keep(struct sk_store *store, int dirfd, const char *name, const char *as)
{
	char to[NAME_SIZE + sizeof(DIR_NAME)];
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size > PARTIAL_MAX)
		return;
	if (bytes_kept(store) + (uint64_t)st.st_size > PARTIAL_MAX)
		sk_partial_clean(store, 0);
	snprintf(to, sizeof(to), DIR_NAME "/%s", as);
	if (renameat(dirfd, name, store->dirfd, to) < 0)
		unlinkat(dirfd, name, 0);
}

void sk_partial_keep_layer(struct sk_store_op *op, const struct sk_digest *blob, const struct sk_digest *diff_id)
{
	char name[NAME_SIZE], as[NAME_SIZE];

	snprintf(name, sizeof(name), "%s.squashfs", sk_digest_hex(diff_id));
	snprintf(as, sizeof(as), "%s.%s", sk_digest_hex(blob), sk_digest_hex(diff_id));
	keep(op->store, op->dirfd, name, as);
	snprintf(name, sizeof(name), "%s.husk", sk_digest_hex(diff_id));
	snprintf(as, sizeof(as), "%s.%s.husk", sk_digest_hex(blob), sk_digest_hex(diff_id));
	keep(op->store, op->dirfd, name, as);
}

void sk_partial_keep_blob(struct sk_store_op *op, int dirfd, const struct sk_descriptor *blob)
{
	char as[NAME_SIZE];
	struct stat st;

	/* skopeo gives a file its name when it is whole. One of ours without blocks stands for what is in the store. */
	if (fstatat(dirfd, sk_digest_hex(&blob->digest), &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size != blob->size ||
	    (st.st_blocks == 0 && st.st_size > 0))
		return;
	snprintf(as, sizeof(as), "%s.blob", sk_digest_hex(&blob->digest));
	keep(op->store, dirfd, sk_digest_hex(&blob->digest), as);
}

/* Without one the layer is saved as other bytes: no error. */
static void take_husk(struct sk_store_op *op, const struct sk_digest *blob, const struct sk_digest *diff_id)
{
	char from[NAME_SIZE + sizeof(DIR_NAME)], to[NAME_SIZE];

	snprintf(from, sizeof(from), DIR_NAME "/%s.%s.husk", sk_digest_hex(blob), sk_digest_hex(diff_id));
	snprintf(to, sizeof(to), "%s.husk", sk_digest_hex(diff_id));
	(void)renameat(op->store->dirfd, from, op->dirfd, to);
}

bool sk_partial_take_layer(struct sk_store_op *op, const struct sk_digest *blob, struct sk_digest *ret_diff_id)
{
	_cleanup_closedir_ DIR *dir = sk_fs_opendir(op->store->dirfd, DIR_NAME);
	struct dirent *de;

	while (dir && (de = readdir(dir)))
		if (strlen(de->d_name) == 2 * SK_DIGEST_HEX + 1 && de->d_name[SK_DIGEST_HEX] == '.' &&
		    strncmp(de->d_name, sk_digest_hex(blob), SK_DIGEST_HEX) == 0 &&
		    sk_digest_from_hex(de->d_name + SK_DIGEST_HEX + 1, ret_diff_id) &&
		    sk_op_take_layer(op, dirfd(dir), de->d_name, ret_diff_id) == 0) {
			take_husk(op, blob, ret_diff_id);
			return true;
		}
	return false;
}

int sk_partial_take_blob(struct sk_store_op *op, const struct sk_descriptor *blob)
{
	char from[NAME_SIZE + sizeof(DIR_NAME)];
	int fd;

	snprintf(from, sizeof(from), DIR_NAME "/%s.blob", sk_digest_hex(&blob->digest));
	fd = openat(op->store->dirfd, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		(void)unlinkat(op->store->dirfd, from, 0);
	return fd;
}
