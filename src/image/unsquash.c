/* SPDX-License-Identifier: Apache-2.0 */
/* See unsquash.h. The tree of names is read whole, then walked; contents pass through one buffer. The store's files are
 * our own, but may be damaged: libsquashfs checks what it reads, and the depth is bounded here. */
#include "image/unsquash.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <sqfs/compressor.h>
#include <sqfs/data_reader.h>
#include <sqfs/dir_reader.h>
#include <sqfs/error.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/super.h>
#include <sqfs/xattr.h>
#include <sqfs/xattr_reader.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "image/husk.h"
#include "image/tree.h"

#define CHUNK (256u * 1024)
#define NO_XATTR 0xFFFFFFFFu

struct layer_file {
	sqfs_file_t base;
	int fd;
};

/* Several names of one file. */
struct link {
	struct link *next;
	sqfs_u32 inode;
	char name[];
};

/* A regular file by the hash of its name. */
struct known_file {
	uint64_t hash;
	const sqfs_tree_node_t *node;
};

struct unsquash {
	struct layer_file file;
	sqfs_super_t super;
	sqfs_compressor_t *cmp;
	sqfs_id_table_t *ids;
	sqfs_xattr_reader_t *xattrs;
	sqfs_data_reader_t *data;
	sqfs_dir_reader_t *dirs;
	sqfs_tree_node_t *root;

	struct archive *tar;
	struct archive_entry *entry;
	struct link *links[1024];
	struct known_file *files; /* of a layer with a husk; sorted by hash */
	size_t n_files, files_room;
	char name[SK_TREE_PATH_MAX + 32]; /* of the entry */
	size_t name_len;
	bool opaque; /* said by the attributes of the entry */
	uint8_t *buf;
	const struct sk_tar_output *out;
	const volatile sig_atomic_t *cancelled;
	struct sk_error err; /* the output's */
};

/* ---- the file as libsquashfs sees it ----------------------------------------------------------------------------- */

static int file_read(sqfs_file_t *base, sqfs_u64 offset, void *buffer, size_t size)
{
	const struct layer_file *f = (const struct layer_file *)base;
	char *p = buffer;

	while (size) {
		ssize_t n = pread(f->fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return SQFS_ERROR_IO;
		p += n;
		size -= (size_t)n;
		offset += (size_t)n;
	}
	return 0;
}

static int file_write(sqfs_file_t *base, sqfs_u64 offset, const void *buffer, size_t size)
{
	(void)base;
	(void)offset;
	(void)buffer;
	(void)size;
	return SQFS_ERROR_IO;
}

static sqfs_u64 file_get_size(const sqfs_file_t *base)
{
	struct stat st;

	return fstat(((const struct layer_file *)base)->fd, &st) < 0 ? 0 : (sqfs_u64)st.st_size;
}

static int file_truncate(sqfs_file_t *base, sqfs_u64 size)
{
	(void)base;
	(void)size;
	return SQFS_ERROR_IO;
}

static void file_destroy(sqfs_object_t *base)
{
	(void)base; /* part of struct unsquash */
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static int damaged(struct sk_error *err, int code)
{
	if (code == SQFS_ERROR_ALLOC)
		return sk_error_errno(err, ENOMEM, "cannot read the layer image");
	return sk_error_set(
		err, EIO,
		"the layer image is damaged (libsquashfs error %d): \"skerry system check --repair\" removes "
		"what is damaged, then pull or load the image again",
		code);
}

static int tar_failed(struct unsquash *u, struct sk_error *err)
{
	const char *why = archive_error_string(u->tar);

	if (u->err.code) {
		if (err)
			*err = u->err;
		return -u->err.code;
	}
	return sk_error_set(err, EIO, "cannot write the archive: %.300s", why ? why : "unknown error");
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static int open_tables(struct unsquash *u)
{
	sqfs_compressor_config_t cfg;
	sqfs_file_t *f = &u->file.base;
	int r = sqfs_super_read(&u->super, f);

	if (r == 0)
		r = sqfs_compressor_config_init(&cfg, u->super.compression_id, u->super.block_size,
						SQFS_COMP_FLAG_UNCOMPRESS);
	if (r == 0)
		r = sqfs_compressor_create(&cfg, &u->cmp);
	if (r)
		return r;
	u->ids = sqfs_id_table_create(0);
	u->dirs = sqfs_dir_reader_create(&u->super, u->cmp, f, 0);
	u->data = sqfs_data_reader_create(f, u->super.block_size, u->cmp, 0);
	if (!u->ids || !u->dirs || !u->data)
		return SQFS_ERROR_ALLOC;
	r = sqfs_id_table_read(u->ids, f, &u->super, u->cmp);
	if (r == 0)
		r = sqfs_data_reader_load_fragment_table(u->data, &u->super);
	if (r == 0 && !(u->super.flags & SQFS_FLAG_NO_XATTRS)) {
		u->xattrs = sqfs_xattr_reader_create(0);
		r = u->xattrs ? sqfs_xattr_reader_load(u->xattrs, &u->super, f, u->cmp) : SQFS_ERROR_ALLOC;
	}
	return r ? r : sqfs_dir_reader_get_full_hierarchy(u->dirs, u->ids, NULL, 0, &u->root);
}

static void unsquash_fini(struct unsquash *u)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(u->links); i++)
		while (u->links[i]) {
			struct link *l = u->links[i];

			u->links[i] = l->next;
			free(l);
		}
	if (u->root)
		sqfs_dir_tree_destroy(u->root);
	sqfs_destroy(u->dirs);
	sqfs_destroy(u->data);
	sqfs_destroy(u->xattrs);
	sqfs_destroy(u->ids);
	sqfs_destroy(u->cmp);
	archive_entry_free(u->entry);
	archive_write_free(u->tar);
	free(u->files);
	free(u->buf);
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

/* The name under which the file is in the archive already, or NULL, and then this one is remembered. */
static const char *known_link(struct unsquash *u, sqfs_u32 inode, int *ret)
{
	struct link **slot = &u->links[inode % SK_ARRAY_SIZE(u->links)], *l;

	for (l = *slot; l; l = l->next)
		if (l->inode == inode)
			return l->name;
	l = malloc(sizeof(*l) + u->name_len + 1);
	if (!l) {
		*ret = -ENOMEM;
		return NULL;
	}
	l->inode = inode;
	memcpy(l->name, u->name, u->name_len + 1);
	l->next = *slot;
	*slot = l;
	return NULL;
}

static int one_xattr(struct unsquash *u)
{
	sqfs_xattr_entry_t *key = NULL;
	sqfs_xattr_value_t *value = NULL;
	int r = sqfs_xattr_reader_read_key(u->xattrs, &key);

	if (r == 0)
		r = sqfs_xattr_reader_read_value(u->xattrs, key, &value);
	if (r == 0) {
		const char *name = (const char *)key->key;

		if (strcmp(name, "trusted.overlay.opaque") == 0)
			u->opaque = true;
		else if (strncmp(name, "trusted.overlay.", 16) != 0)
			archive_entry_xattr_add_entry(u->entry, name, value->value, value->size);
	}
	sqfs_free(key);
	sqfs_free(value);
	return r;
}

static int add_xattrs(struct unsquash *u, const sqfs_inode_generic_t *inode)
{
	sqfs_xattr_id_t desc;
	sqfs_u32 index = NO_XATTR, i;
	int r = sqfs_inode_get_xattr_index(inode, &index);

	u->opaque = false;
	if (r || index == NO_XATTR || !u->xattrs)
		return r;
	r = sqfs_xattr_reader_get_desc(u->xattrs, index, &desc);
	if (r == 0)
		r = sqfs_xattr_reader_seek_kv(u->xattrs, &desc);
	for (i = 0; r == 0 && i < desc.count; i++)
		r = one_xattr(u);
	return r;
}

static sqfs_u32 devno_of(const sqfs_inode_generic_t *inode)
{
	if (inode->base.type == SQFS_INODE_BDEV || inode->base.type == SQFS_INODE_CDEV)
		return inode->data.dev.devno;
	return inode->data.dev_ext.devno;
}

static bool is_whiteout(const sqfs_inode_generic_t *inode)
{
	return S_ISCHR(inode->base.mode) && devno_of(inode) == 0;
}

static sqfs_u32 nlink_of(const sqfs_inode_generic_t *inode)
{
	switch (inode->base.type) {
	case SQFS_INODE_EXT_FILE:
		return inode->data.file_ext.nlink;
	case SQFS_INODE_SLINK:
	case SQFS_INODE_EXT_SLINK:
		return inode->data.slink.nlink;
	case SQFS_INODE_BDEV:
	case SQFS_INODE_CDEV:
		return inode->data.dev.nlink;
	case SQFS_INODE_EXT_BDEV:
	case SQFS_INODE_EXT_CDEV:
		return inode->data.dev_ext.nlink;
	case SQFS_INODE_FIFO:
		return inode->data.ipc.nlink;
	case SQFS_INODE_EXT_FIFO:
		return inode->data.ipc_ext.nlink;
	default:
		return 1;
	}
}

static int put_header(struct unsquash *u, struct sk_error *err)
{
	return archive_write_header(u->tar, u->entry) < ARCHIVE_WARN ? tar_failed(u, err) : 0;
}

/* An empty file whose name says something of the layers below (OCI image-spec, layer.md, "Whiteouts"). */
static int put_mark(struct unsquash *u, const char *prefix, const sqfs_tree_node_t *at, struct sk_error *err)
{
	archive_entry_clear(u->entry);
	archive_entry_copy_pathname(u->entry, prefix);
	archive_entry_set_mode(u->entry, S_IFREG | 0600);
	archive_entry_set_mtime(u->entry, at->inode->base.mod_time, 0);
	archive_entry_set_size(u->entry, 0);
	return put_header(u, err);
}

static int put_whiteout(struct unsquash *u, const sqfs_tree_node_t *node, struct sk_error *err)
{
	size_t dir = u->name_len - strlen((const char *)node->name);
	_cleanup_free_ char *name = sk_asprintf("%.*s.wh.%s", (int)dir, u->name, node->name);

	return name ? put_mark(u, name, node, err) : sk_error_errno(err, ENOMEM, "cannot read the layer image");
}

/* Into the archive, or where there is none, as with a husk, past it. */
static int put_bytes(struct unsquash *u, const void *data, size_t len, struct sk_error *err)
{
	if (!u->tar)
		return u->out->write(u->out->arg, data, len, err);
	return archive_write_data(u->tar, data, len) != (la_ssize_t)len ? tar_failed(u, err) : 0;
}

static int put_contents(struct unsquash *u, const sqfs_tree_node_t *node, struct sk_error *err)
{
	sqfs_u64 size = 0, at = 0;
	int r = sqfs_inode_get_file_size(node->inode, &size);

	while (r == 0 && at < size) {
		sqfs_u32 want = size - at < CHUNK ? (sqfs_u32)(size - at) : CHUNK;
		sqfs_s32 n = sqfs_data_reader_read(u->data, node->inode, at, u->buf, want);

		if (n <= 0)
			return damaged(err, n < 0 ? n : SQFS_ERROR_CORRUPTED);
		r = put_bytes(u, u->buf, (size_t)n, err);
		if (r < 0)
			return r;
		if (u->cancelled && *u->cancelled)
			return sk_error_set(err, EINTR, "interrupted");
		at += (sqfs_u32)n;
	}
	return r ? damaged(err, r) : 0;
}

static int describe(struct unsquash *u, const sqfs_tree_node_t *node)
{
	const sqfs_inode_generic_t *inode = node->inode;
	mode_t type = inode->base.mode & S_IFMT;
	sqfs_u64 size = 0;
	int r = 0;

	archive_entry_clear(u->entry);
	archive_entry_copy_pathname(u->entry, u->name);
	archive_entry_set_mode(u->entry, inode->base.mode);
	archive_entry_set_uid(u->entry, node->uid);
	archive_entry_set_gid(u->entry, node->gid);
	archive_entry_set_mtime(u->entry, inode->base.mod_time, 0);
	if (type == S_IFREG)
		r = sqfs_inode_get_file_size(inode, &size);
	archive_entry_set_size(u->entry, (la_int64_t)size);
	if (type == S_IFLNK)
		archive_entry_copy_symlink(u->entry, (const char *)inode->extra);
	if (type == S_IFCHR || type == S_IFBLK) {
		sqfs_u32 dev = devno_of(inode);

		archive_entry_set_rdevmajor(u->entry, (dev >> 8) & 0xfff);
		archive_entry_set_rdevminor(u->entry, (dev & 0xff) | ((dev >> 12) & 0xfff00));
	}
	return r ? r : add_xattrs(u, inode);
}

/* The root has an entry where it says more than that there is a root. */
static bool is_plain_root(const sqfs_tree_node_t *node, bool opaque, struct archive_entry *entry)
{
	return !node->parent && (node->inode->base.mode & 07777) == 0755 && node->uid == 0 && node->gid == 0 &&
	       !opaque && archive_entry_xattr_count(entry) == 0;
}

static int put_node(struct unsquash *u, const sqfs_tree_node_t *node, struct sk_error *err)
{
	const char *link = NULL;
	int r = 0;

	if (is_whiteout(node->inode))
		return put_whiteout(u, node, err);
	if ((node->inode->base.mode & S_IFMT) == S_IFSOCK)
		return 0; /* tar has no word for it */
	if (!S_ISDIR(node->inode->base.mode) && nlink_of(node->inode) > 1)
		link = known_link(u, node->inode->base.inode_number, &r);
	if (r < 0)
		return sk_error_errno(err, r, "cannot read the layer image");
	if (link) {
		archive_entry_clear(u->entry);
		archive_entry_copy_pathname(u->entry, u->name);
		archive_entry_set_mode(u->entry, node->inode->base.mode);
		archive_entry_copy_hardlink(u->entry, link);
		return put_header(u, err);
	}
	r = describe(u, node);
	if (r)
		return damaged(err, r);
	if (!is_plain_root(node, u->opaque, u->entry))
		r = put_header(u, err);
	if (r == 0 && u->opaque) {
		_cleanup_free_ char *mark = sk_asprintf("%s.wh..wh..opq", node->parent ? u->name : "");

		r = mark ? put_mark(u, mark, node, err) : sk_error_errno(err, ENOMEM, "cannot read the layer image");
	}
	if (r == 0 && S_ISREG(node->inode->base.mode))
		r = put_contents(u, node, err);
	return r;
}

/* Appends the node's name to the entry's; directories end in a slash. */
static int push_name(struct unsquash *u, const sqfs_tree_node_t *node, struct sk_error *err)
{
	size_t n = strlen((const char *)node->name);

	if (!node->parent) {
		strcpy(u->name, "./");
		u->name_len = 0; /* names of what is in it do not begin with it */
		return 0;
	}
	if (n + 2 > SK_TREE_PATH_MAX - u->name_len)
		return sk_error_set(err, ENAMETOOLONG, "a name in the layer image is too long");
	memcpy(u->name + u->name_len, node->name, n);
	u->name_len += n;
	if (S_ISDIR(node->inode->base.mode))
		u->name[u->name_len++] = '/';
	u->name[u->name_len] = '\0';
	return 0;
}

/* Depth first, each directory before what is in it. */
static int walk_tree(struct unsquash *u, int (*visit)(struct unsquash *, const sqfs_tree_node_t *, struct sk_error *),
		     struct sk_error *err)
{
	const sqfs_tree_node_t *node = u->root;
	size_t before[SK_TREE_DEPTH_MAX + 2] = { 0 };
	unsigned depth = 0;
	int r;

	for (;;) {
		before[depth] = u->name_len;
		r = push_name(u, node, err);
		if (r == 0)
			r = visit(u, node, err);
		if (r < 0)
			return r;
		if (node->children) {
			if (++depth >= SK_ARRAY_SIZE(before))
				return sk_error_set(err, ELOOP,
						    "the layer image has too many directories in each other");
			node = node->children;
			continue;
		}
		u->name_len = before[depth];
		while (!node->next) {
			node = node->parent;
			if (!node)
				return 0;
			u->name_len = before[--depth];
		}
		node = node->next;
	}
}

/* ---- the archive ------------------------------------------------------------------------------------------------- */

static la_ssize_t on_write(struct archive *a, void *arg, const void *data, size_t len)
{
	struct unsquash *u = arg;

	if (u->out->write(u->out->arg, data, len, &u->err) < 0) {
		archive_set_error(a, u->err.code, "%s", u->err.message);
		return -1;
	}
	return (la_ssize_t)len;
}

static int open_tar(struct unsquash *u, struct sk_error *err)
{
	u->buf = malloc(CHUNK);
	u->tar = archive_write_new();
	u->entry = archive_entry_new();
	if (!u->buf || !u->tar || !u->entry)
		return sk_error_errno(err, ENOMEM, "cannot read the layer image");
	archive_write_set_format_pax_restricted(u->tar);
	/* docker knows attributes by this name only. */
	if (archive_write_set_options(u->tar, "pax:xattrheader=SCHILY") != ARCHIVE_OK)
		return tar_failed(u, err);
	archive_write_set_bytes_per_block(u->tar, (int)CHUNK);
	archive_write_set_bytes_in_last_block(u->tar, 512);
	return archive_write_open(u->tar, u, NULL, on_write, NULL) == ARCHIVE_OK ? 0 : tar_failed(u, err);
}

static int put_tar(struct unsquash *u, struct sk_error *err)
{
	int r = open_tar(u, err);

	if (r == 0)
		r = walk_tree(u, put_node, err);
	if (r == 0 && archive_write_close(u->tar) != ARCHIVE_OK)
		r = tar_failed(u, err);
	return r;
}

/* ---- with a husk ------------------------------------------------------------------------------------------------ */

/* FNV-1a */
static uint64_t hash_of(const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	while (*name)
		h = (h ^ (uint8_t)*name++) * 0x100000001b3u;
	return h;
}

static int by_hash(const void *a, const void *b)
{
	const struct known_file *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int know_file(struct unsquash *u, const sqfs_tree_node_t *node, struct sk_error *err)
{
	if (!S_ISREG(node->inode->base.mode))
		return 0;
	if (u->n_files == u->files_room) {
		size_t room = u->files_room ? 2 * u->files_room : 1024;
		struct known_file *p = reallocarray(u->files, room, sizeof(*p));

		if (!p)
			return sk_error_errno(err, ENOMEM, "cannot read the layer image");
		u->files = p;
		u->files_room = room;
	}
	u->files[u->n_files++] = (struct known_file){ .hash = hash_of(u->name), .node = node };
	return 0;
}

/* Is `path` the node's? */
static bool is_named(const sqfs_tree_node_t *node, const char *path)
{
	size_t end = strlen(path);

	for (; node->parent; node = node->parent) {
		size_t n = strlen((const char *)node->name);

		if (n > end || memcmp(path + end - n, node->name, n) != 0)
			return false;
		end -= n;
		if (node->parent->parent && (end == 0 || path[--end] != '/'))
			return false;
	}
	return end == 0;
}

static const sqfs_tree_node_t *find_file(const struct unsquash *u, const char *path)
{
	const struct known_file key = { .hash = hash_of(path) }, *end = u->files + u->n_files;
	const struct known_file *f = u->n_files ? bsearch(&key, u->files, u->n_files, sizeof(key), by_hash) : NULL;

	while (f && f > u->files && f[-1].hash == key.hash)
		f--;
	for (; f && f < end && f->hash == key.hash; f++)
		if (is_named(f->node, path))
			return f->node;
	return NULL;
}

static int husk_bytes(void *arg, const void *data, size_t len, struct sk_error *err)
{
	struct unsquash *u = arg;

	if (u->cancelled && *u->cancelled)
		return sk_error_set(err, EINTR, "interrupted");
	return put_bytes(u, data, len, err);
}

static int husk_file(void *arg, const char *path, uint64_t size, struct sk_error *err)
{
	struct unsquash *u = arg;
	const sqfs_tree_node_t *node = find_file(u, path);
	sqfs_u64 has = 0;

	if (!node || sqfs_inode_get_file_size(node->inode, &has) || has != size)
		return sk_error_set(err, EBADMSG, "the layer's husk is of another layer");
	return put_contents(u, node, err);
}

static int put_with_husk(struct unsquash *u, int husk_fd, struct sk_error *err)
{
	const struct sk_husk_sink sink = { husk_bytes, husk_file, u };
	int r = walk_tree(u, know_file, err);

	if (r < 0)
		return r;
	u->buf = malloc(CHUNK);
	if (!u->buf)
		return sk_error_errno(err, ENOMEM, "cannot read the layer image");
	if (u->n_files)
		qsort(u->files, u->n_files, sizeof(*u->files), by_hash);
	return sk_husk_read(husk_fd, &sink, err);
}

/* ---- */

int sk_unsquash(int fd, int husk_fd, const struct sk_tar_output *out, const volatile sig_atomic_t *cancelled,
		struct sk_error *err)
{
	struct unsquash *u = calloc(1, sizeof(*u));
	/* libarchive converts names by the thread's locale: UTF-8 keeps them as they are. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), old = utf8 ? uselocale(utf8) : (locale_t)0;
	int r;

	if (!u) {
		r = sk_error_errno(err, ENOMEM, "cannot read the layer image");
		goto done;
	}
	u->file = (struct layer_file){
		.base = {
			.base = { .destroy = file_destroy },
			.read_at = file_read,
			.write_at = file_write,
			.get_size = file_get_size,
			.truncate = file_truncate,
		},
		.fd = fd,
	};
	u->out = out;
	u->cancelled = cancelled;
	r = open_tables(u);
	if (r)
		r = damaged(err, r);
	else
		r = husk_fd < 0 ? put_tar(u, err) : put_with_husk(u, husk_fd, err);
	unsquash_fini(u);
	free(u);
done:
	if (utf8) {
		uselocale(old);
		freelocale(utf8);
	}
	return r;
}
