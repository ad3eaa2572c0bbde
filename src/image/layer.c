/* SPDX-License-Identifier: Apache-2.0 */
/* See layer.h for the theory of operation. */
#include "image/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "image/acl.h"

#define CHUNK (256u * 1024)
#define SK_TAR_BLOCK 512u

const struct sk_layer_limits sk_layer_limits_default = {
	.max_blob = 64ull << 30,
	.max_uncompressed = 64ull << 30,
};

struct layer_reader {
	struct sk_layer_read *job;
	struct sk_tree *tree;
	struct archive *filter, *tar;
	struct sk_sha256 blob_sha, diff_sha;
	uint64_t blob_bytes, diff_bytes, content_bytes;
	bool blob_end, diff_end, padded;
	bool gzip;	     /* with no digest to check it by: by its own sum, then, which libarchive leaves out */
	uint32_t crc;	     /* of the plain stream */
	uint8_t tail[8];     /* last bytes of the blob */
	uint8_t *buf;	     /* CHUNK bytes of the blob */
	struct sk_error err; /* set by a callback: what libarchive says then is only a consequence */
};

/* ---- gzip's own sum (RFC 1952, section 2.3.1) ------------------------------------------------------------------- */

static uint32_t crc32_update(uint32_t crc, const uint8_t *p, size_t n)
{
	static uint32_t table[256];
	unsigned i, k;

	for (i = 0; !table[255] && i < 256; i++) {
		uint32_t c = i;

		for (k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
		table[i] = c;
	}
	crc = ~crc;
	while (n--)
		crc = table[(crc ^ *p++) & 255] ^ crc >> 8;
	return ~crc;
}

static void gzip_blob(struct layer_reader *r, const uint8_t *p, size_t n)
{
	if (r->blob_bytes == n && n >= 2)
		r->gzip = !r->job->blob_digest && !r->job->diff_id && p[0] == 0x1f && p[1] == 0x8b;
	if (n >= sizeof(r->tail)) {
		memcpy(r->tail, p + n - sizeof(r->tail), sizeof(r->tail));
	} else {
		memmove(r->tail, r->tail + n, sizeof(r->tail) - n);
		memcpy(r->tail + sizeof(r->tail) - n, p, n);
	}
}

/* Several members one behind the other have a sum each, and the size of the last one is not that of all. */
static bool gzip_is_damaged(const struct layer_reader *r)
{
	uint32_t crc, size;

	memcpy(&crc, r->tail, 4);
	memcpy(&size, r->tail + 4, 4);
	return r->gzip && le32toh(size) == (uint32_t)r->diff_bytes && le32toh(crc) != r->crc;
}

/* ---- first half: blob → plain stream --------------------------------------------------------------------------- */

static la_ssize_t read_blob(struct archive *a, void *arg, const void **ret)
{
	struct layer_reader *r = arg;
	struct sk_layer_read *job = r->job;
	ssize_t n;

	(void)a;
	if (r->err.code)
		return ARCHIVE_FATAL;
	if (r->blob_end)
		return 0;
	if (job->tick && job->tick(job->tick_arg, r->blob_bytes)) {
		sk_error_set(&r->err, EINTR, "interrupted");
		return ARCHIVE_FATAL;
	}
	n = job->blob->read(job->blob, r->buf, CHUNK, &r->err);
	if (n < 0)
		return ARCHIVE_FATAL;
	if (n == 0) {
		r->blob_end = true;
		return 0;
	}
	r->blob_bytes += (size_t)n;
	if ((job->blob_size >= 0 && r->blob_bytes > (uint64_t)job->blob_size) ||
	    r->blob_bytes > job->limits->max_blob) {
		sk_error_set(&r->err, EFBIG, "wrong size: more than %" PRIu64 " bytes",
			     job->blob_size >= 0 ? (uint64_t)job->blob_size : job->limits->max_blob);
		return ARCHIVE_FATAL;
	}
	sk_sha256_update(&r->blob_sha, r->buf, (size_t)n);
	gzip_blob(r, r->buf, (size_t)n);
	*ret = r->buf;
	return (la_ssize_t)n;
}

static int archive_failed(struct layer_reader *r, struct archive *a, const char *what, struct sk_error *err)
{
	const char *why = archive_error_string(a);

	if (r->err.code) {
		if (err)
			*err = r->err;
		return -r->err.code;
	}
	return sk_error_set(err, EBADMSG, "%s: %.300s", what, why ? why : "unknown format");
}

static int open_filter(struct layer_reader *r, struct sk_error *err)
{
	struct archive_entry *entry;
	struct archive *a = archive_read_new();
	int rc;

	r->filter = a;
	if (!a)
		return sk_error_errno(err, ENOMEM, "cannot read the layer");
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_format_raw(a);
	archive_read_support_format_empty(a);
	rc = archive_read_open(a, r, NULL, read_blob, NULL);
	if (rc == ARCHIVE_OK)
		rc = archive_read_next_header(a, &entry);
	if (rc == ARCHIVE_EOF)
		r->diff_end = true;
	else if (rc != ARCHIVE_OK)
		return archive_failed(r, a, "damaged layer", err);
	return 0;
}

/* Some tools (umoci) leave out the last file's padding: the rest of its block, of no digest. What lacks bytes of a
 * file's contents is still found out, see entry_contents(). */
static la_ssize_t pad_last_block(struct layer_reader *r, const void **ret)
{
	static const uint8_t zeros[SK_TAR_BLOCK];
	size_t n = (size_t)(-r->diff_bytes & (SK_TAR_BLOCK - 1));

	if (r->padded)
		return 0;
	r->padded = true;
	*ret = zeros;
	return (la_ssize_t)n;
}

static la_ssize_t read_plain(struct archive *a, void *arg, const void **ret)
{
	struct layer_reader *r = arg;
	la_int64_t offset;
	size_t n = 0;
	int rc;

	(void)a;
	if (r->err.code)
		return ARCHIVE_FATAL;
	while (!r->diff_end && n == 0) {
		rc = archive_read_data_block(r->filter, ret, &n, &offset);
		if (rc == ARCHIVE_EOF) {
			r->diff_end = true;
			n = 0;
		} else if (rc != ARCHIVE_OK) {
			archive_failed(r, r->filter, "damaged layer", &r->err);
			return ARCHIVE_FATAL;
		}
	}
	if (n == 0)
		return pad_last_block(r, ret);
	r->diff_bytes += n;
	if (r->diff_bytes > r->job->limits->max_uncompressed) {
		sk_error_set(&r->err, EFBIG, "the layer is larger than %" PRIu64 " bytes unpacked",
			     r->job->limits->max_uncompressed);
		return ARCHIVE_FATAL;
	}
	/* One read of the blob can become many of these. */
	if (sk_unpack_check(r->blob_bytes, r->diff_bytes, &r->err) < 0)
		return ARCHIVE_FATAL;
	if (r->job->tick && r->job->tick(r->job->tick_arg, r->blob_bytes)) {
		sk_error_set(&r->err, EINTR, "interrupted");
		return ARCHIVE_FATAL;
	}
	sk_sha256_update(&r->diff_sha, *ret, n);
	sk_husk_bytes(r->job->husk, *ret, n);
	if (r->gzip)
		r->crc = crc32_update(r->crc, *ret, n);
	return (la_ssize_t)n;
}

/* ---- second half: tar entries ----------------------------------------------------------------------------------- */

/* libarchive warns of names that are not UTF-8 and of ACLs that it does not understand, and gives what we want anyway.
 * Any other warning is about something that it left out. */
static bool harmless(struct archive *a)
{
	const char *why = archive_error_string(a);

	return why && (strstr(why, "can't be converted") || strstr(why, "can't be translated") || strstr(why, "acl") ||
		       strstr(why, "ACL"));
}

static int entry_attr(struct archive_entry *e, const char *path, struct sk_inode_attr *ret, struct sk_error *err)
{
	la_int64_t uid = archive_entry_uid(e), gid = archive_entry_gid(e);
	int64_t mtime = archive_entry_mtime(e);
	dev_t major = archive_entry_rdevmajor(e), minor = archive_entry_rdevminor(e);
	mode_t type = archive_entry_filetype(e);

	if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK && type != S_IFCHR && type != S_IFBLK &&
	    type != S_IFIFO)
		return sk_error_set(err, EINVAL, "\"%.300s\": unknown type of file", path);
	if (uid < 0 || gid < 0 || uid > UINT32_MAX - 1 || gid > UINT32_MAX - 1)
		return sk_error_set(err, EINVAL, "\"%.300s\": owner out of range", path);
	*ret = (struct sk_inode_attr){
		/* Linux's symbolic links have no mode of their own, whatever the archive says. */
		.mode = (uint32_t)type | (type == S_IFLNK ? 0777 : (uint32_t)(archive_entry_perm(e) & 07777)),
		.uid = (uint32_t)uid,
		.gid = (uint32_t)gid,
		.mtime = mtime < 0	      ? 0
			 : mtime > UINT32_MAX ? UINT32_MAX
					      : (uint32_t)mtime,
	};
	if (type == S_IFCHR || type == S_IFBLK) {
		if (major > 0xfff || minor > 0xfffff)
			return sk_error_set(err, EINVAL, "\"%.300s\": device number out of range", path);
		ret->major = (uint32_t)major;
		ret->minor = (uint32_t)minor;
	}
	return 0;
}

static int entry_acl(struct layer_reader *r, struct archive_entry *e, int type, const char *name, struct sk_inode *ino,
		     struct sk_error *err)
{
	uint8_t acl[SK_ACL_BYTES_MAX];
	size_t len = sk_acl_of_entry(e, type, acl);

	return len ? sk_tree_set_xattr(r->tree, ino, name, acl, len, err) : 0;
}

/* Extended attributes; an ACL that is there in both forms is taken as an attribute. */
static int entry_xattrs(struct layer_reader *r, struct archive_entry *e, struct sk_inode *ino, struct sk_error *err)
{
	const char *name;
	const void *value;
	size_t len;
	int rc;

	rc = entry_acl(r, e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access", ino, err);
	if (rc == 0)
		rc = entry_acl(r, e, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default", ino, err);
	archive_entry_xattr_reset(e);
	while (rc == 0 && archive_entry_xattr_next(e, &name, &value, &len) == ARCHIVE_OK)
		if (name)
			rc = sk_tree_set_xattr(r->tree, ino, name, value, len, err);
	return rc;
}

static int put_zeros(struct layer_reader *r, uint64_t n, struct sk_error *err)
{
	static const uint8_t zeros[CHUNK];
	int rc = 0;

	while (rc == 0 && n) {
		size_t k = n < CHUNK ? (size_t)n : CHUNK;

		rc = r->job->sink->data(r->job->sink->arg, zeros, k, err);
		n -= k;
		if (rc == 0 && r->job->tick && r->job->tick(r->job->tick_arg, r->blob_bytes))
			rc = sk_error_set(err, EINTR, "interrupted");
	}
	return rc;
}

static int entry_contents(struct layer_reader *r, struct archive_entry *e, struct sk_inode *ino, struct sk_error *err)
{
	const struct sk_layer_sink *sink = r->job->sink;
	la_int64_t size = archive_entry_size(e), offset;
	uint64_t at = 0;
	const void *data;
	size_t n;
	int rc;

	if (size < 0 || (uint64_t)size > r->job->limits->max_uncompressed - r->content_bytes)
		return sk_error_set(err, EFBIG, "the layer is larger than %" PRIu64 " bytes unpacked",
				    r->job->limits->max_uncompressed);
	r->content_bytes += (uint64_t)size;
	rc = sink->begin(sink->arg, ino, err);
	while (rc == 0) {
		int s = archive_read_data_block(r->tar, &data, &n, &offset);

		if (s == ARCHIVE_EOF)
			break;
		if (s != ARCHIVE_OK)
			return archive_failed(r, r->tar, "damaged layer", err);
		if (r->padded)
			return sk_error_set(err, EBADMSG, "damaged layer: it is cut off");
		if (offset < 0 || (uint64_t)offset < at || n > (uint64_t)size || (uint64_t)offset > (uint64_t)size - n)
			return sk_error_set(err, EBADMSG, "damaged layer: a sparse file's map is wrong");
		rc = put_zeros(r, (uint64_t)offset - at, err);
		if (rc == 0 && n)
			rc = sink->data(sink->arg, data, n, err);
		at = (uint64_t)offset + n;
	}
	if (rc == 0)
		rc = put_zeros(r, (uint64_t)size - at, err);
	return rc < 0 ? rc : sink->end(sink->arg, err);
}

static int one_entry(struct layer_reader *r, struct archive_entry *e, struct sk_error *err)
{
	const char *path = archive_entry_pathname(e), *link = archive_entry_hardlink(e), *target;
	struct sk_inode_attr attr;
	struct sk_inode *ino;
	int rc;

	if (!path || !*path)
		return sk_error_set(err, EBADMSG, "damaged layer: an entry has no name");
	if (link)
		return sk_tree_hardlink(r->tree, path, link, err);
	rc = entry_attr(e, path, &attr, err);
	if (rc < 0)
		return rc;
	target = S_ISLNK(attr.mode) ? archive_entry_symlink(e) : NULL;
	if (S_ISLNK(attr.mode) && !target)
		return sk_error_set(err, EBADMSG, "damaged layer: symbolic link \"%.300s\" has no target", path);
	rc = sk_tree_add(r->tree, path, &attr, target, &ino, err);
	if (rc == 0 && ino)
		rc = entry_xattrs(r, e, ino, err);
	if (rc < 0 || !ino || !S_ISREG(attr.mode))
		return rc;
	if (archive_entry_size(e) > 0)
		sk_husk_file(r->job->husk, path, (uint64_t)archive_entry_size(e));
	return entry_contents(r, e, ino, err);
}

static int open_tar(struct layer_reader *r, struct sk_error *err)
{
	struct archive *a = archive_read_new();

	r->tar = a;
	if (!a)
		return sk_error_errno(err, ENOMEM, "cannot read the layer");
	archive_read_support_format_tar(a);
	archive_read_support_format_empty(a);
	if (archive_read_open(a, r, NULL, read_plain, NULL) != ARCHIVE_OK)
		return archive_failed(r, a, "not a layer", err);
	return 0;
}

static int all_entries(struct layer_reader *r, struct sk_error *err)
{
	struct archive_entry *e;
	int rc = open_tar(r, err);

	while (rc == 0) {
		int s = archive_read_next_header(r->tar, &e);

		if (s == ARCHIVE_EOF)
			break;
		if (s != ARCHIVE_OK && !(s == ARCHIVE_WARN && harmless(r->tar)))
			return archive_failed(r, r->tar, "damaged layer", err);
		rc = one_entry(r, e, err);
	}
	return rc;
}

/* The bytes behind the archive's end: part of both digests. */
static int drain(struct layer_reader *r, struct sk_error *err)
{
	const void *data;
	la_ssize_t n;

	do
		n = read_plain(NULL, r, &data);
	while (n > 0);
	if (n == 0)
		do
			n = read_blob(NULL, r, &data);
		while (n > 0);
	if (n < 0) {
		if (err)
			*err = r->err;
		return -r->err.code;
	}
	return 0;
}

static int check_digests(struct layer_reader *r, struct sk_error *err)
{
	struct sk_layer_read *job = r->job;

	sk_sha256_final(&r->blob_sha, &job->ret_blob_digest);
	sk_sha256_final(&r->diff_sha, &job->ret_diff_id);
	job->ret_blob_size = r->blob_bytes;
	job->ret_diff_size = r->diff_bytes;
	if (job->blob_size >= 0 && r->blob_bytes != (uint64_t)job->blob_size)
		return sk_error_set(err, EBADMSG, "wrong size: %" PRIu64 " bytes instead of %" PRId64, r->blob_bytes,
				    job->blob_size);
	if (job->blob_digest && !sk_digest_equal(job->blob_digest, &job->ret_blob_digest))
		return sk_error_set(err, EBADMSG, "wrong digest: the contents are %s", job->ret_blob_digest.text);
	if (gzip_is_damaged(r))
		return sk_error_set(err, EBADMSG, "damaged layer: the sum of the gzip file is wrong");
	if (job->diff_id && !sk_digest_equal(job->diff_id, &job->ret_diff_id))
		return sk_error_set(err, EBADMSG, "wrong digest: unpacked it is %s, the image's configuration says %s",
				    job->ret_diff_id.text, job->diff_id->text);
	return 0;
}

/* libarchive converts names by the thread's locale: UTF-8 here, whatever the user's is, so that they stay as they are.
 */
static locale_t utf8_locale(void)
{
	return newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

int sk_layer_read(struct sk_layer_read *job, struct sk_tree *tree, struct sk_error *err)
{
	struct layer_reader r = { .job = job, .tree = tree };
	locale_t utf8 = utf8_locale(), old = (locale_t)0;
	int rc;

	if (utf8)
		old = uselocale(utf8);
	rc = sk_sha256_init(&r.blob_sha);
	if (rc == 0)
		rc = sk_sha256_init(&r.diff_sha);
	r.buf = malloc(CHUNK);
	if (rc < 0 || !r.buf)
		rc = sk_error_errno(err, ENOMEM, "cannot read the layer");
	if (rc == 0)
		rc = open_filter(&r, err);
	if (rc == 0)
		rc = all_entries(&r, err);
	if (rc == 0)
		rc = drain(&r, err);
	if (rc == 0)
		rc = check_digests(&r, err);
	archive_read_free(r.tar);
	archive_read_free(r.filter);
	sk_sha256_fini(&r.blob_sha);
	sk_sha256_fini(&r.diff_sha);
	free(r.buf);
	if (utf8) {
		uselocale(old);
		freelocale(utf8);
	}
	return rc;
}
