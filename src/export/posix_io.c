/* SPDX-License-Identifier: Apache-2.0 */
/* Open, create, read, write, listings. See posix.c. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/override.h"
#include "export/posix_internal.h"

#define LISTING_BUF 32768u

int posix_host_flags(const struct posix_fs *p, uint32_t flags)
{
	/* Never block, and never make it our controlling terminal. O_DIRECT is dropped: the guest's buffers are
	 * not aligned. */
	int f = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	if ((flags & P9_O_ACCMODE) == P9_O_WRONLY)
		f |= O_WRONLY;
	else if ((flags & P9_O_ACCMODE) == P9_O_RDWR)
		f |= O_RDWR;
	if (flags & P9_O_TRUNC)
		f |= O_TRUNC;
	if ((flags & P9_O_APPEND) && p->c.append)
		f |= O_APPEND;
	if (flags & P9_O_SYNC)
		f |= O_SYNC;
	else if (flags & P9_O_DSYNC)
		f |= O_DSYNC;
	if (flags & P9_O_DIRECTORY)
		f |= O_DIRECTORY;
	if (flags & P9_O_NOATIME)
		f |= O_NOATIME;
	return f;
}

int posix_file_new(struct posix_fs *p, struct sk_9p_node *node, int take_fd, uint32_t flags,
		   struct sk_9p_file **ret_file)
{
	_cleanup_fd_ int fd = take_fd;
	struct sk_9p_file *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->fd = SK_TAKE_FD(fd);
	f->writable = (flags & P9_O_ACCMODE) != P9_O_RDONLY;
	f->node = node;
	f->next = node->files;
	node->files = f;
	p->pool->files++;
	*ret_file = f;
	return 0;
}

int posix_file_made(struct posix_fs *p, struct sk_9p_node *dir, const char *name, int take_fd, uint32_t flags,
		    uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file, struct p9_qid *ret_qid)
{
	struct statx stx;
	int r = posix_statx(take_fd, &stx), dirfd = *name ? posix_fd(p, dir) : -1;

	if (r == 0 && dirfd >= 0)
		posix_probe_case(p, dir, dirfd, name, &stx);
	/* No O_PATH descriptor yet: it can be had through the file as long as that is open. */
	if (r == 0)
		r = posix_node_new(p, -1, dir, name, &stx, ret_node);
	if (r < 0) {
		close(take_fd);
		return r;
	}
	posix_qid(p, &stx, ret_qid);
	r = posix_file_new(p, *ret_node, take_fd, flags, ret_file);
	if (r < 0)
		posix_put(&p->fs, *ret_node);
	else
		(*ret_file)->suid = mode & (S_ISUID | S_ISGID);
	return r;
}

int posix_open_node(struct posix_fs *p, struct sk_9p_node *node, int flags)
{
	char path[POSIX_PROC_PATH];
	int fd = posix_fd(p, node);

	if (fd < 0)
		return fd;
	posix_proc(path, fd);
	fd = open(path, flags);
	if (fd < 0 && errno == EPERM && (flags & O_NOATIME))
		fd = open(path, flags & ~O_NOATIME);
	return fd < 0 ? -errno : fd;
}

int posix_open(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, uint32_t flags,
	       struct sk_9p_file **ret_file, struct p9_qid *ret_qid)
{
	struct posix_fs *p = posix_of(fs);
	struct statx stx;
	int fd, r;

	if (p->pool->files >= p->pool->max_files)
		return -ENFILE;
	if (node->type == S_IFLNK)
		return -ELOOP;
	/* A FIFO, socket or device here is the guest kernel's to open; ours could block, or be a device of the host. */
	if (node->type != S_IFREG && node->type != S_IFDIR)
		return -ENXIO;
	if (node->is_virtual) {
		*ret_qid = posix_virtual_qid(p);
		return posix_file_new(p, node, -1, 0, ret_file);
	}
	posix_as_caller(p, cred);
	fd = posix_open_node(p, node, posix_host_flags(p, flags));
	/* chattr +a: the client writes at the end, but says where that is. */
	if (fd == -EPERM && (flags & P9_O_APPEND))
		fd = posix_open_node(p, node, posix_host_flags(p, flags) | O_APPEND);
	if (fd < 0)
		return fd;
	r = posix_statx(fd, &stx);
	/* An empty listing would not be wrong only for who stands in the directory. */
	if (r == 0 && posix_is_removed(p, node, &stx))
		r = -ESTALE;
	if (r < 0) {
		close(fd);
		return r;
	}
	posix_identity(p, node, &stx);
	posix_qid(p, &stx, ret_qid);
	if (p->c.who == SK_EXPORT_MAPPED)
		posix_effective(p, &(struct posix_subject){ .fd = fd, .node = node }, &stx);
	if (!S_ISREG(stx.stx_mode) && !S_ISDIR(stx.stx_mode)) {
		close(fd); /* MAPPED: stands for a device or the like */
		return -ENXIO;
	}
	r = posix_file_new(p, node, fd, flags, ret_file);
	if (r == 0)
		(*ret_file)->suid = stx.stx_mode & (S_ISUID | S_ISGID);
	return r;
}

/* MAPPED: keeps the owner and mode of a file that was made just now. */
static int keep_new(struct posix_fs *p, struct sk_9p_node *dir, const char *name, int fd, const struct sk_override *o)
{
	const struct posix_subject f = { .fd = fd, .dir = dir, .name = name };
	struct statx stx;
	int r;

	if (posix_sidecar(p))
		return posix_keep_again(p, dir, name, o, NULL);
	r = posix_statx(fd, &stx);
	if (r == 0)
		r = posix_keep_set(p, &f, &stx, o, SK_LX_ALL);
	/* Without extended attributes the owner cannot be kept: the file stays this user's. */
	return r == -EOPNOTSUPP ? 0 : r;
}

/* Creates the file; -EEXIST if the name exists. */
static int create_new(struct posix_fs *p, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		      uint32_t flags, uint32_t mode)
{
	const struct sk_override o = { cred->uid, cred->gid == P9_NONUNAME ? 0 : cred->gid, S_IFREG | mode, 0, 0 };
	bool mapped = p->c.who == SK_EXPORT_MAPPED;
	mode_t host_mode = mapped ? (mode & 0777) | 0600 : (mode_t)mode;
	int fd, dirfd, r = posix_sidecar(p) ? posix_keep_first(p, dir, name, &o, NULL) : 0;

	if (r < 0)
		return r;
	dirfd = posix_fd(p, dir);
	if (dirfd < 0)
		return dirfd;
	posix_as_creator(p, cred);
	if (mode & S_ISGID)
		posix_fsetid(p, true);
	fd = openat(dirfd, name,
		    (posix_host_flags(p, flags) & ~(O_TRUNC | O_DIRECTORY | O_NOATIME)) | O_CREAT | O_EXCL | O_NOFOLLOW,
		    host_mode);
	if (fd < 0)
		r = -errno;
	if (mode & S_ISGID)
		posix_fsetid(p, false);
	if (r < 0 && r != -EEXIST)
		posix_keep_gone(p, dir, name);
	if (r == 0 && mapped)
		r = keep_new(p, dir, name, fd, &o);
	if (r == 0)
		return fd;
	if (fd >= 0) {
		close(fd); /* open, some file systems would not remove it */
		unlinkat(dirfd, name, 0);
	}
	return r;
}

int posix_fd_for_new(struct posix_fs *p, struct sk_9p_node *dir)
{
	if (dir->is_virtual)
		return -EACCES;
	return p->pool->files >= p->pool->max_files ? -ENFILE : posix_fd(p, dir);
}

int posix_create(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		 uint32_t flags, uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file,
		 struct p9_qid *ret_qid)
{
	struct posix_fs *p = posix_of(fs);
	struct sk_9p_node *known;
	int dirfd, fd, r;

	if (!dir->is_virtual && posix_hidden_name(p, dir, name))
		return -EPERM;
	dirfd = posix_fd_for_new(p, dir);
	if (dirfd < 0)
		return dirfd;
	mode = posix_file_mode(p, mode);
	fd = create_new(p, cred, dir, name, flags, mode);
	if (fd == -EEXIST && !(flags & P9_O_EXCL)) {
		/* The host, or another user, was first: open theirs. */
		r = posix_lookup(fs, cred, dir, name, ret_node, ret_qid);
		if (r < 0)
			return r;
		r = (*ret_node)->type == S_IFDIR ? -EISDIR : posix_open(fs, cred, *ret_node, flags, ret_file, ret_qid);
		if (r < 0)
			posix_put(fs, *ret_node);
		return r;
	}
	if (fd < 0)
		return fd;
	posix_names_changed(dir);
	known = posix_find(p, dir, name);
	if (known)
		posix_gone(p, known);
	return posix_file_made(p, dir, name, fd, flags, mode, ret_node, ret_file, ret_qid);
}

static void drop_listing(struct sk_export_pool *pool, struct sk_9p_file *file)
{
	if (!file->buf)
		return;
	free(file->buf);
	file->buf = NULL;
	file->pos = file->len = 0;
	pool->listings[file->listing] = NULL;
}

/* A client may have any number of directories open: only so many have a buffer. */
static int take_listing(struct sk_export_pool *pool, struct sk_9p_file *file)
{
	unsigned i = pool->next_listing;

	if (pool->listings[i])
		drop_listing(pool, pool->listings[i]);
	file->buf = malloc(LISTING_BUF);
	if (!file->buf)
		return -ENOMEM;
	file->listing = i;
	pool->listings[i] = file;
	pool->next_listing = (i + 1) % POSIX_LISTINGS;
	return 0;
}

void posix_close(struct sk_9p_fs *fs, struct sk_9p_file *file)
{
	struct posix_fs *p = posix_of(fs);
	struct sk_9p_file **at;

	/* A node without a name needs a descriptor of its own before the last open file of it is closed. */
	if (!file->next && file->node->files == file && file->node->fd < 0 && file->node->refs > 1 &&
	    !file->node->hashed && !file->node->is_virtual && !file->node->left)
		(void)posix_fd(p, file->node);
	for (at = &file->node->files; *at != file; at = &(*at)->next)
		;
	*at = file->next;
	if (file->fd >= 0)
		close(file->fd);
	p->pool->files--;
	if (p->left && !file->node->files)
		posix_left_closed(p, file->node);
	drop_listing(p->pool, file);
	free(file);
}

/* --- data */

int64_t posix_read(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset)
{
	size_t want = sk_iov_len(iov, n), done = 0;

	(void)fs;
	if (file->fd < 0)
		return -EISDIR;
	/* A short count is the end of the file only if nothing follows: an error must not look like one. */
	while (done < want) {
		ssize_t r = preadv(file->fd, (const struct iovec *)(const void *)iov, (int)n, (off_t)(offset + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		done += (size_t)r;
		if (done < want)
			n = sk_iov_cut(&iov, n, (size_t)r, want - done);
	}
	return (int64_t)done;
}

void posix_clear_suid(struct posix_fs *p, struct sk_9p_file *file)
{
	const struct posix_subject f = { .fd = file->fd, .node = file->node };
	struct sk_override o;
	struct statx stx;

	if (!file->suid || p->c.who != SK_EXPORT_MAPPED || p->c.client_clears)
		return;
	file->suid = false;
	if (posix_statx(file->fd, &stx) < 0)
		return;
	posix_kept(p, &f, &stx, &o);
	o.mode &= ~(uint32_t)S_ISUID;
	if (o.mode & S_IXGRP)
		o.mode &= ~(uint32_t)S_ISGID;
	(void)posix_keep_set(p, &f, &stx, &o, SK_LX_MODE);
}

static int64_t write_all(struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset)
{
	size_t want = sk_iov_len(iov, n), done = 0;

	while (done < want) {
		const struct iovec *v = (const struct iovec *)(const void *)iov;
		ssize_t r = offset == SK_9P_APPEND ? pwritev2(file->fd, v, (int)n, 0, RWF_APPEND)
						   : pwritev(file->fd, v, (int)n, (off_t)(offset + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			if (done)
				break; /* the client asks again for the rest, and gets the error */
			return r < 0 ? -errno : -ENOSPC;
		}
		done += (size_t)r;
		if (done < want)
			n = sk_iov_cut(&iov, n, (size_t)r, want - done);
	}
	return (int64_t)done;
}

int64_t posix_write(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_iov *iov, unsigned n, uint64_t offset)
{
	struct posix_fs *p = posix_of(fs);
	bool setid = posix_setid_stays(p, file->fd);
	int64_t r;

	posix_clear_suid(p, file);
	r = write_all(file, iov, n, offset);
	if (setid)
		posix_fsetid(p, false);
	return r;
}

int posix_fsync(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, bool datasync)
{
	_cleanup_fd_ int own = -1;
	int fd;

	if (node->is_virtual)
		return 0;
	if (node->type != S_IFREG && node->type != S_IFDIR)
		return -EINVAL;
	if (file) {
		fd = file->fd;
	} else {
		own = posix_open_node(posix_of(fs), node, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (own < 0)
			return own;
		fd = own;
	}
	if ((datasync ? fdatasync(fd) : fsync(fd)) < 0)
		return -errno;
	/* What is kept of it, where that is in another file. */
	return posix_keep_sync(posix_of(fs), node);
}

/* --- listings */

struct dirent64_raw {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

/* MAPPED: what the guest takes for a FIFO, a socket or a device is an empty regular file here. */
static uint8_t kept_type(struct posix_fs *p, struct sk_9p_file *file, const char *name, struct p9_qid *qid)
{
	struct posix_subject f = { .dir = file->node, .name = name };
	_cleanup_fd_ int fd = -1;
	struct statx stx;

	if (statx(file->fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, POSIX_STATX, &stx) < 0 || stx.stx_size)
		return DT_REG;
	fd = openat(file->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || posix_statx(fd, &stx) < 0)
		return DT_REG;
	f.fd = fd;
	posix_effective(p, &f, &stx);
	if (S_ISLNK(stx.stx_mode))
		qid->type = P9_QTSYMLINK;
	return (uint8_t)((stx.stx_mode & S_IFMT) >> 12);
}

/* Type and qid of the entry's object; `exact`: as getattr would report them. False: it is gone. */
static bool entry_qid(struct posix_fs *p, struct sk_9p_file *file, const struct dirent64_raw *d, bool exact,
		      struct p9_qid *ret_qid, uint8_t *ret_type)
{
	struct sk_9p_node *node = file->node;
	struct statx stx;

	*ret_type = d->type;
	if (d->name[0] == '.' && (d->name[1] == 0 || (d->name[1] == '.' && d->name[2] == 0))) {
		/* ".." of the root is the root. */
		const struct sk_9p_node *n = d->name[1] && node->parent ? node->parent : node;

		*ret_qid = (struct p9_qid){ P9_QTDIR, 1, posix_qid_path(p, n->dev, n->mnt, n->ino) };
		*ret_type = DT_DIR;
		return true;
	}
	if (!(exact && p->stat_entries) && d->type != DT_UNKNOWN) {
		ret_qid->type = d->type == DT_DIR ? P9_QTDIR : d->type == DT_LNK ? P9_QTSYMLINK : P9_QTFILE;
		ret_qid->version = 1;
		ret_qid->path = posix_qid_path(p, node->dev, d->type == DT_DIR ? node->mnt : 0, d->ino);
		if (exact && d->type == DT_REG && p->c.who == SK_EXPORT_MAPPED)
			*ret_type = kept_type(p, file, d->name, ret_qid);
		return true;
	}
	if (statx(file->fd, d->name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, POSIX_STATX, &stx) < 0)
		return false;
	posix_qid(p, &stx, ret_qid);
	*ret_type = (uint8_t)((stx.stx_mode & S_IFMT) >> 12);
	if (*ret_type == DT_REG && p->c.who == SK_EXPORT_MAPPED)
		*ret_type = kept_type(p, file, d->name, ret_qid);
	return true;
}

static int list_virtual(struct posix_fs *p, uint64_t offset, sk_9p_emit emit, void *arg)
{
	const struct sk_9p_node *f = p->single;
	struct p9_qid root = posix_virtual_qid(p), qid;

	qid.type = f->type == S_IFLNK ? P9_QTSYMLINK : P9_QTFILE;
	qid.version = 1;
	qid.path = posix_qid_path(p, f->dev, f->mnt, f->ino);
	if (offset < 1 && !emit(arg, &root, 1, DT_DIR, ".", 1))
		return 0;
	if (offset < 2 && !emit(arg, &root, 2, DT_DIR, "..", 2))
		return 0;
	if (offset < 3)
		emit(arg, &qid, 3, (uint8_t)(f->type >> 12), f->name, strlen(f->name));
	return 0;
}

int posix_readdir(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, uint64_t offset, bool exact,
		  sk_9p_emit emit, void *arg)
{
	struct posix_fs *p = posix_of(fs);
	bool fresh = !file->buf;

	if (node->is_virtual)
		return list_virtual(p, offset, emit, arg);
	if (fresh && take_listing(p->pool, file) < 0)
		return -ENOMEM;
	if (fresh || offset == 0 || offset != file->next_off) {
		if (lseek(file->fd, (off_t)offset, SEEK_SET) < 0)
			return -errno;
		file->pos = file->len = 0;
		file->next_off = offset;
	}
	for (;;) {
		const struct dirent64_raw *d;
		struct p9_qid qid;
		uint8_t type;

		if (file->pos == file->len) {
			long n = syscall(SYS_getdents64, file->fd, file->buf, LISTING_BUF);

			if (n < 0)
				return -errno;
			file->pos = 0;
			file->len = (size_t)n;
			if (n == 0) {
				drop_listing(p->pool, file);
				return 0;
			}
		}
		d = (const struct dirent64_raw *)(const void *)(file->buf + file->pos);
		if (p->c.holds_open)
			posix_left_sweep(p, node, file->fd, d->name);
		if (!posix_hidden_name(p, node, d->name) && entry_qid(p, file, d, exact, &qid, &type) &&
		    !emit(arg, &qid, (uint64_t)d->off, type, d->name, strlen(d->name)))
			return 0;
		file->next_off = (uint64_t)d->off;
		file->pos += d->reclen;
	}
}
