/* SPDX-License-Identifier: Apache-2.0 */
/* See squash.h. Order in the file: super block, compressor options, data and fragments, inodes, directories, fragment
 * table, export table, owners, attributes (Documentation/filesystems/squashfs.rst of the Linux kernel). */
#include "image/squash.h"

#include <errno.h>
#include <sqfs/block.h>
#include <sqfs/block_processor.h>
#include <sqfs/block_writer.h>
#include <sqfs/compressor.h>
#include <sqfs/dir_writer.h>
#include <sqfs/error.h>
#include <sqfs/frag_table.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/meta_writer.h>
#include <sqfs/super.h>
#include <sqfs/xattr_writer.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fs.h"

#define NO_XATTR 0xFFFFFFFFu
#define PADDING 4096
#define CHECK_EVERY (1u << 20) /* bytes written between looks at the free space */

/*
 * LZ4 in blocks of 64 KiB. Measured with a minimal Debian (160 MB unpacked), mounted from memory with cold caches: CPU
 * seconds to read all of it; milliseconds for 179 scattered pages of what a start touches; size.
 *
 *   not compressed     0.27 s    5.5 ms   159 MB
 *   lz4, 128 KiB       0.32 s   10   ms    81 MB
 *   lz4, 64 KiB        0.25 s    9   ms    82 MB
 *   lz4, 32 KiB                  6.4 ms    85 MB
 *   zstd -1, 128 KiB   0.42 s   18   ms    63 MB
 *
 * Conversion takes 0.5 s with all of them but zstd (0.7 s). What is small is also less to read and to keep in the
 * host's cache.
 */
const struct sk_squash_options sk_squash_default = {
	.compression = SK_SQUASH_LZ4,
	.level = 1,
	.block_size = 64 * 1024,
	.jobs = 2,
	.keep_free = 16u << 20,
};

/*
 * For a layer with a few large programs, most of which are read when they start. A block is read as a whole for one page
 * of it: what a program that waits touches again and again would bring 1 MiB each. The engine image, 152 MB unpacked:
 * megabytes; seconds of processor time to write it.
 *
 *   zstd -9, 256 KiB    51.8    3
 *   zstd -9, 1 MiB      50.7    3.7
 *   zstd -15, 256 KiB   48.7   28
 *   lz4, 64 KiB         80.9    1
 */
const struct sk_squash_options sk_squash_small = {
	.compression = SK_SQUASH_ZSTD,
	.level = 9,
	.block_size = 256 * 1024,
	.jobs = 2,
	.keep_free = 16u << 20,
};

struct sq_file {
	sqfs_file_t base;
	int fd;
	int error; /* positive errno of the first failure */
	uint64_t size, checked;
	uint64_t keep_free;
	bool discard; /* nobody wants it any more */
};

struct sk_squash {
	struct sq_file file;
	sqfs_u32 flags; /* of every block */
	sqfs_super_t super;
	sqfs_compressor_t *cmp, *uncmp;
	sqfs_block_writer_t *writer;
	sqfs_frag_table_t *fragments;
	sqfs_block_processor_t *proc;
	sqfs_id_table_t *ids;
	sqfs_xattr_writer_t *xattrs;
	sqfs_meta_writer_t *inode_writer, *dir_meta;
	sqfs_dir_writer_t *dirs;
	struct file_slot *slots;
};

/* libsquashfs keeps the address of the pointer, so that each one gets a place that does not move. */
struct file_slot {
	struct file_slot *next;
	sqfs_inode_generic_t *inode;
};

/* ---- the file as libsquashfs sees it --------------------------------------------------------------------------- */

static int file_read(sqfs_file_t *base, sqfs_u64 offset, void *buffer, size_t size)
{
	struct sq_file *f = (struct sq_file *)base;
	char *p = buffer;

	while (size) {
		ssize_t n = pread(f->fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (!f->error)
				f->error = n < 0 ? errno : EIO;
			return SQFS_ERROR_IO;
		}
		p += n;
		size -= (size_t)n;
		offset += (size_t)n;
	}
	return 0;
}

static int check_space(struct sq_file *f)
{
	struct statvfs st;

	f->checked = f->size;
	if (f->keep_free == 0 || fstatvfs(f->fd, &st) < 0)
		return 0;
	return (uint64_t)st.f_bavail * st.f_frsize < f->keep_free ? -ENOSPC : 0;
}

static int file_write(sqfs_file_t *base, sqfs_u64 offset, const void *buffer, size_t size)
{
	struct sq_file *f = (struct sq_file *)base;
	const char *p = buffer;

	if (f->discard)
		return 0;
	while (size) {
		ssize_t n = pwrite(f->fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (!f->error)
				f->error = n < 0 ? errno : EIO;
			return SQFS_ERROR_IO;
		}
		p += n;
		size -= (size_t)n;
		offset += (size_t)n;
	}
	if (offset > f->size)
		f->size = offset;
	if (f->size - f->checked >= CHECK_EVERY && check_space(f) < 0) {
		f->error = ENOSPC;
		return SQFS_ERROR_IO;
	}
	return 0;
}

static sqfs_u64 file_get_size(const sqfs_file_t *base)
{
	return ((const struct sq_file *)base)->size;
}

static int file_truncate(sqfs_file_t *base, sqfs_u64 size)
{
	struct sq_file *f = (struct sq_file *)base;

	if (ftruncate(f->fd, (off_t)size) < 0) {
		if (!f->error)
			f->error = errno;
		return SQFS_ERROR_IO;
	}
	f->size = size;
	if (f->checked > size)
		f->checked = size;
	return 0;
}

static void file_destroy(sqfs_object_t *base)
{
	(void)base; /* part of struct sk_squash */
}

/* ---- the compressor as libsquashfs should use it ---------------------------------------------------------------- */

/*
 * libsquashfs takes any result of a compressor, also one that is longer than the input (LZ4 of a few bytes is), and
 * marks it as compressed. The kernel reads that, squashfs-tools say that the file system is damaged. This wrapper says
 * "does not shrink" instead.
 */
struct sq_compressor {
	sqfs_compressor_t base;
	sqfs_compressor_t *inner;
};

static sqfs_compressor_t *inner_of(const void *cmp)
{
	return ((const struct sq_compressor *)cmp)->inner;
}

static void cmp_get_configuration(const sqfs_compressor_t *cmp, sqfs_compressor_config_t *cfg)
{
	inner_of(cmp)->get_configuration(inner_of(cmp), cfg);
}

static int cmp_write_options(sqfs_compressor_t *cmp, sqfs_file_t *file)
{
	return inner_of(cmp)->write_options(inner_of(cmp), file);
}

static int cmp_read_options(sqfs_compressor_t *cmp, sqfs_file_t *file)
{
	return inner_of(cmp)->read_options(inner_of(cmp), file);
}

static sqfs_s32 cmp_do_block(sqfs_compressor_t *cmp, const sqfs_u8 *in, sqfs_u32 size, sqfs_u8 *out, sqfs_u32 outsize)
{
	sqfs_s32 n = inner_of(cmp)->do_block(inner_of(cmp), in, size, out, outsize);

	return n > 0 && (sqfs_u32)n >= size ? 0 : n;
}

static void cmp_destroy(sqfs_object_t *obj)
{
	sqfs_destroy(inner_of(obj));
	free(obj);
}

static sqfs_object_t *cmp_copy(const sqfs_object_t *obj);

/* NULL: no memory, `take_inner` is gone. */
static sqfs_compressor_t *cmp_wrap(sqfs_compressor_t *take_inner)
{
	struct sq_compressor *c = take_inner ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		sqfs_destroy(take_inner);
		return NULL;
	}
	c->inner = take_inner;
	c->base = (sqfs_compressor_t){
		.base = { .destroy = cmp_destroy, .copy = cmp_copy },
		.get_configuration = cmp_get_configuration,
		.write_options = cmp_write_options,
		.read_options = cmp_read_options,
		.do_block = cmp_do_block,
	};
	return &c->base;
}

/* One for each worker thread. */
static sqfs_object_t *cmp_copy(const sqfs_object_t *obj)
{
	return (sqfs_object_t *)cmp_wrap(sqfs_copy(inner_of(obj)));
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

static int fail(struct sk_squash *sq, int code, struct sk_error *err)
{
	if (sq->file.error)
		return sk_error_errno(err, sq->file.error, "cannot write the layer image");
	switch (code) {
	case SQFS_ERROR_ALLOC:
		return sk_error_errno(err, ENOMEM, "cannot write the layer image");
	case SQFS_ERROR_OVERFLOW:
		return sk_error_set(err, E2BIG,
				    "the layer does not fit squashfs (too many owners or too large a directory)");
	default:
		return sk_error_set(err, EIO, "cannot write the layer image: libsquashfs error %d", code);
	}
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

static int make_compressors(struct sk_squash *sq, const struct sk_squash_options *o)
{
	SQFS_COMPRESSOR id = o->compression == SK_SQUASH_ZSTD ? SQFS_COMP_ZSTD : SQFS_COMP_LZ4;
	sqfs_compressor_config_t cfg;
	int r = sqfs_compressor_config_init(&cfg, id, o->block_size, 0);

	if (r)
		return r;
	if (id == SQFS_COMP_ZSTD)
		cfg.level = o->level;
	r = sqfs_compressor_create(&cfg, &sq->cmp);
	if (r)
		return r;
	sq->cmp = cmp_wrap(sq->cmp);
	if (!sq->cmp)
		return SQFS_ERROR_ALLOC;
	cfg.flags |= SQFS_COMP_FLAG_UNCOMPRESS;
	r = sqfs_compressor_create(&cfg, &sq->uncmp);
	if (r)
		return r;
	return sqfs_super_init(&sq->super, o->block_size, 0, id);
}

static int make_writers(struct sk_squash *sq, const struct sk_squash_options *o)
{
	sqfs_block_processor_desc_t desc = {
		.size = sizeof(desc),
		.max_block_size = o->block_size,
		.num_workers = o->jobs,
		.max_backlog = 10 * o->jobs,
		.cmp = sq->cmp,
		.uncmp = sq->uncmp,
		.file = &sq->file.base,
	};

	sq->writer = sqfs_block_writer_create(&sq->file.base, PADDING, 0);
	sq->fragments = sqfs_frag_table_create(0);
	sq->ids = sqfs_id_table_create(0);
	sq->xattrs = sqfs_xattr_writer_create(0);
	sq->inode_writer = sqfs_meta_writer_create(&sq->file.base, sq->cmp, 0);
	sq->dir_meta = sqfs_meta_writer_create(&sq->file.base, sq->cmp, SQFS_META_WRITER_KEEP_IN_MEMORY);
	if (!sq->writer || !sq->fragments || !sq->ids || !sq->xattrs || !sq->inode_writer || !sq->dir_meta)
		return SQFS_ERROR_ALLOC;
	sq->dirs = sqfs_dir_writer_create(sq->dir_meta, SQFS_DIR_WRITER_CREATE_EXPORT_TABLE);
	if (!sq->dirs)
		return SQFS_ERROR_ALLOC;
	desc.wr = sq->writer;
	desc.tbl = sq->fragments;
	return sqfs_block_processor_create_ex(&desc, &sq->proc);
}

int sk_squash_new(int fd, const struct sk_squash_options *o, struct sk_squash **ret, struct sk_error *err)
{
	struct sk_squash *sq = calloc(1, sizeof(*sq));
	int r;

	if (!sq)
		return sk_error_errno(err, ENOMEM, "cannot write the layer image");
	sq->file = (struct sq_file){
		.base = {
			.base = { .destroy = file_destroy },
			.read_at = file_read,
			.write_at = file_write,
			.get_size = file_get_size,
			.truncate = file_truncate,
		},
		.fd = fd,
		.keep_free = o->keep_free,
	};
	if (o->compression == SK_SQUASH_NONE)
		sq->flags = SQFS_BLK_DONT_COMPRESS;
	r = check_space(&sq->file);
	if (r < 0) {
		sq->file.error = -r;
		goto fail;
	}
	r = make_compressors(sq, o);
	if (r == 0)
		r = sqfs_super_write(&sq->super, &sq->file.base);
	if (r == 0) {
		r = sq->cmp->write_options(sq->cmp, &sq->file.base);
		if (r > 0)
			sq->super.flags |= SQFS_FLAG_COMPRESSOR_OPTIONS;
	}
	if (r >= 0)
		r = make_writers(sq, o);
	if (r)
		goto fail;
	*ret = sq;
	return 0;
fail:
	r = fail(sq, r, err);
	sk_squash_free(sq);
	return r;
}

void sk_squash_free(struct sk_squash *sq)
{
	if (!sq)
		return;
	/* Blocks that are still in work would be lost by destroy: they are brought to their end first. */
	sq->file.discard = true;
	if (sq->proc)
		(void)sqfs_block_processor_sync(sq->proc);
	/* Threads first, then the objects they use. */
	sqfs_destroy(sq->proc);
	sqfs_destroy(sq->dirs);
	sqfs_destroy(sq->dir_meta);
	sqfs_destroy(sq->inode_writer);
	sqfs_destroy(sq->xattrs);
	sqfs_destroy(sq->ids);
	sqfs_destroy(sq->fragments);
	sqfs_destroy(sq->writer);
	sqfs_destroy(sq->uncmp);
	sqfs_destroy(sq->cmp);
	while (sq->slots) {
		struct file_slot *s = sq->slots;

		sq->slots = s->next;
		sqfs_free(s->inode);
		free(s);
	}
	free(sq);
}

/* ---- contents -------------------------------------------------------------------------------------------------- */

int sk_squash_begin(struct sk_squash *sq, struct sk_inode *inode, struct sk_error *err)
{
	struct file_slot *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return sk_error_errno(err, ENOMEM, "cannot write the layer image");
	s->next = sq->slots;
	sq->slots = s;
	inode->data = s;
	r = sqfs_block_processor_begin_file(sq->proc, &s->inode, NULL, sq->flags);
	return r ? fail(sq, r, err) : 0;
}

int sk_squash_data(struct sk_squash *sq, const void *data, size_t len, struct sk_error *err)
{
	/* libsquashfs does not take nothing: it would look at a block that is not there. */
	int r = len ? sqfs_block_processor_append(sq->proc, data, len) : 0;

	return r ? fail(sq, r, err) : 0;
}

int sk_squash_end(struct sk_squash *sq, struct sk_error *err)
{
	int r = sqfs_block_processor_end_file(sq->proc);

	return r ? fail(sq, r, err) : 0;
}

/* ---- the tree -------------------------------------------------------------------------------------------------- */

/* Where a file system has no attribute at all, Linux's squashfs knows no attributes: listxattr is ENOTSUP, of which tar
 * and rsync warn. So the root has one, of a kind that the overlay keeps to itself. */
#define SK_SQUASH_XATTR "trusted.overlay.skerry"

static int write_xattrs(struct sk_squash *sq, struct sk_inode *ino)
{
	bool root = ino->parent == ino;
	struct sk_xattr *x;
	int r;

	ino->disk_xattr = NO_XATTR;
	if (!ino->xattrs && !ino->opaque && !root)
		return 0;
	r = sqfs_xattr_writer_begin(sq->xattrs, 0);
	for (x = ino->xattrs; r == 0 && x; x = x->next)
		r = sqfs_xattr_writer_add(sq->xattrs, x->name, x->value, x->len);
	if (r == 0 && ino->opaque)
		r = sqfs_xattr_writer_add(sq->xattrs, "trusted.overlay.opaque", "y", 1);
	if (r == 0 && root)
		r = sqfs_xattr_writer_add(sq->xattrs, SK_SQUASH_XATTR, "y", 1);
	return r ? r : sqfs_xattr_writer_end(sq->xattrs, &ino->disk_xattr);
}

/* Sets the fields that all kinds of inodes share. */
static int fill_base(struct sk_squash *sq, const struct sk_inode *ino, sqfs_inode_generic_t *out)
{
	int r;

	out->base.mode = (sqfs_u16)ino->attr.mode;
	out->base.mod_time = ino->attr.mtime;
	out->base.inode_number = ino->number;
	r = sqfs_id_table_id_to_index(sq->ids, ino->attr.uid, &out->base.uid_idx);
	return r ? r : sqfs_id_table_id_to_index(sq->ids, ino->attr.gid, &out->base.gid_idx);
}

/* The kernel's new_encode_dev(): what squashfs holds. */
static sqfs_u32 encode_dev(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

static sqfs_inode_generic_t *make_special(const struct sk_inode *ino)
{
	size_t extra = ino->target ? strlen(ino->target) : 0;
	sqfs_inode_generic_t *out = calloc(1, sizeof(*out) + extra + 1);

	if (!out)
		return NULL;
	switch (ino->attr.mode & S_IFMT) {
	case S_IFLNK:
		out->base.type = SQFS_INODE_SLINK;
		out->data.slink.nlink = ino->nlink;
		out->data.slink.target_size = (sqfs_u32)extra;
		memcpy(out->extra, ino->target, extra);
		out->payload_bytes_used = out->payload_bytes_available = (sqfs_u32)extra;
		break;
	case S_IFCHR:
	case S_IFBLK:
		out->base.type = S_ISCHR(ino->attr.mode) ? SQFS_INODE_CDEV : SQFS_INODE_BDEV;
		out->data.dev.nlink = ino->nlink;
		out->data.dev.devno = encode_dev(ino->attr.major, ino->attr.minor);
		break;
	default:
		out->base.type = S_ISFIFO(ino->attr.mode) ? SQFS_INODE_FIFO : SQFS_INODE_SOCKET;
		out->data.ipc.nlink = ino->nlink;
		break;
	}
	return out;
}

/* Where the next inode goes: (start of its block << 16) | offset in it. */
static uint64_t inode_position(struct sk_squash *sq)
{
	sqfs_u64 block;
	sqfs_u32 offset;

	sqfs_meta_writer_get_position(sq->inode_writer, &block, &offset);
	return (block << 16) | offset;
}

/* Writes `out` as `ino`'s inode. */
static int put_inode(struct sk_squash *sq, struct sk_inode *ino, sqfs_inode_generic_t *out)
{
	int r = fill_base(sq, ino, out);

	if (r == 0 && ino->disk_xattr != NO_XATTR) {
		r = sqfs_inode_make_extended(out);
		if (r == 0)
			r = sqfs_inode_set_xattr_index(out, ino->disk_xattr);
	}
	if (r)
		return r;
	ino->disk_ref = inode_position(sq);
	ino->written = true;
	return sqfs_meta_writer_write_inode(sq->inode_writer, out);
}

static int write_regular(struct sk_squash *sq, struct sk_inode *ino)
{
	sqfs_inode_generic_t *out = ((struct file_slot *)ino->data)->inode;

	if (ino->nlink > 1 || ino->disk_xattr != NO_XATTR) {
		int r = sqfs_inode_make_extended(out);

		if (r)
			return r;
	}
	if (out->base.type == SQFS_INODE_EXT_FILE) {
		out->data.file_ext.nlink = ino->nlink;
		out->data.file_ext.xattr_idx = NO_XATTR;
	}
	return put_inode(sq, ino, out);
}

static int write_other(struct sk_squash *sq, struct sk_inode *ino)
{
	sqfs_inode_generic_t *out;
	int r;

	if (ino->written)
		return 0; /* another name of it came before */
	r = write_xattrs(sq, ino);
	if (r)
		return r;
	if (S_ISREG(ino->attr.mode))
		return write_regular(sq, ino);
	out = make_special(ino);
	if (!out)
		return SQFS_ERROR_ALLOC;
	r = put_inode(sq, ino, out);
	free(out);
	return r;
}

/* `dir` itself; its directories are written already. */
static int write_directory(struct sk_squash *sq, struct sk_inode *dir, uint32_t parent_number)
{
	sqfs_inode_generic_t *out;
	struct sk_dirent *d;
	int r = 0;

	for (d = dir->children; r == 0 && d; d = d->next)
		if (!S_ISDIR(d->inode->attr.mode))
			r = write_other(sq, d->inode);
	if (r == 0)
		r = write_xattrs(sq, dir);
	if (r == 0)
		r = sqfs_dir_writer_begin(sq->dirs, 0);
	for (d = dir->children; r == 0 && d; d = d->next)
		r = sqfs_dir_writer_add_entry(sq->dirs, d->name, d->inode->number, d->inode->disk_ref,
					      (sqfs_u16)d->inode->attr.mode);
	if (r == 0)
		r = sqfs_dir_writer_end(sq->dirs);
	if (r)
		return r;
	out = sqfs_dir_writer_create_inode(sq->dirs, 0, dir->disk_xattr, parent_number);
	if (!out)
		return SQFS_ERROR_ALLOC;
	/* It counts files, too. */
	if (out->base.type == SQFS_INODE_DIR)
		out->data.dir.nlink = dir->nlink;
	else
		out->data.dir_ext.nlink = dir->nlink;
	r = fill_base(sq, dir, out);
	if (r == 0) {
		dir->disk_ref = inode_position(sq);
		dir->written = true;
		r = sqfs_meta_writer_write_inode(sq->inode_writer, out);
	}
	sqfs_free(out);
	return r;
}

/* Bottom up: the deepest directories first. */
static int write_tree(struct sk_squash *sq, struct sk_tree *tree)
{
	struct sk_inode *dir = sk_tree_root(tree);
	struct sk_dirent *at[SK_TREE_DEPTH_MAX + 2] = { dir->children };
	unsigned top = 0;
	int r;

	for (;;) {
		struct sk_dirent *d = at[top];

		while (d && !S_ISDIR(d->inode->attr.mode))
			d = d->next;
		if (d) {
			at[top++] = d;
			dir = d->inode;
			at[top] = dir->children;
			continue;
		}
		/* mksquashfs gives the root's parent a number that no inode has. */
		r = write_directory(sq, dir, top ? dir->parent->number : sk_tree_count(tree) + 1);
		if (r || top == 0)
			return r;
		dir = dir->parent;
		top--;
		at[top] = at[top]->next;
	}
}

static int write_tables(struct sk_squash *sq, struct sk_tree *tree)
{
	sqfs_file_t *f = &sq->file.base;
	struct sk_inode *root = sk_tree_root(tree);
	int r;

	sq->super.inode_table_start = sq->file.size;
	r = write_tree(sq, tree);
	if (r == 0)
		r = sqfs_meta_writer_flush(sq->inode_writer);
	if (r == 0)
		r = sqfs_meta_writer_flush(sq->dir_meta);
	if (r)
		return r;
	sq->super.root_inode_ref = root->disk_ref;
	sq->super.directory_table_start = sq->file.size;
	sq->super.inode_count = sk_tree_count(tree);
	r = sqfs_meta_write_write_to_file(sq->dir_meta);
	if (r == 0)
		r = sqfs_frag_table_write(sq->fragments, f, &sq->super, sq->cmp);
	if (r == 0)
		r = sqfs_dir_writer_write_export_table(sq->dirs, f, sq->cmp, root->number, root->disk_ref, &sq->super);
	if (r == 0)
		r = sqfs_id_table_write(sq->ids, f, &sq->super, sq->cmp);
	if (r == 0)
		r = sqfs_xattr_writer_flush(sq->xattrs, f, &sq->super, sq->cmp);
	if (r)
		return r;
	sq->super.bytes_used = sq->file.size;
	return sqfs_super_write(&sq->super, f);
}

int sk_squash_finish(struct sk_squash *sq, struct sk_tree *tree, struct sk_error *err)
{
	int r = sqfs_block_processor_finish(sq->proc);

	if (r == 0)
		r = write_tables(sq, tree);
	if (r == 0 && sq->file.size % PADDING)
		r = file_truncate(&sq->file.base, (sq->file.size / PADDING + 1) * PADDING);
	return r ? fail(sq, r, err) : 0;
}
