/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking on the host: see cp_tar.h for what is not trusted. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/container/cp_plan.h"
#include "cli/container/cp_system.h"
#include "cli/container/cp_tar.h"
#include "model/xmem.h"

#define KEPT_MAX (1u << 30)

/* Modes and times of directories are set at the end: writing into them changes the one and may need the other. */
struct extracted_directory {
	char *path;
	mode_t mode;
	struct timespec mtime;
};

struct extract {
	struct archive *in;
	int dirfd;
	struct sk_cp_extract *x;
	struct extracted_directory *directories;
	size_t n_directories, cap, kept; /* kept: bytes */
	struct sk_error *err;
};

static int open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The directory that the last part of `path` lies in, made where missing; `*ret_name` points to that part. Returns a
 * descriptor. */
static int open_parent(int dirfd, const char *path, const char **ret_name)
{
	int fd = open_dir(dirfd, ".");

	while (fd >= 0) {
		const char *slash = strchr(path, '/');
		char name[256];
		int next;

		if (!slash) {
			*ret_name = path;
			return fd;
		}
		if ((size_t)(slash - path) >= sizeof(name)) {
			close(fd);
			return -ENAMETOOLONG;
		}
		memcpy(name, path, (size_t)(slash - path));
		name[slash - path] = '\0';
		next = open_dir(fd, name);
		if (next == -ENOENT && mkdirat(fd, name, 0755) == 0)
			next = open_dir(fd, name);
		close(fd);
		fd = next;
		path = slash + 1;
	}
	return fd;
}

/* Sets the owner if we may; it is no error for a plain user. True: the owner is the one of the archive. */
static bool keep_owner(const struct extract *e, int at, const char *name, struct archive_entry *entry)
{
	return e->x->keep_owner && sk_cp_set_owner(at, name, entry);
}

/* The mode of `fd`'s file: who runs as somebody else's user in the container would run as ours. Where the owner is the
 * same number here (root's, copied by root), it is as it was. */
static mode_t keep_mode(int fd, struct archive_entry *entry)
{
	mode_t mode = archive_entry_perm(entry);
	struct stat st;

	if (fstat(fd, &st) < 0 || archive_entry_uid(entry) != (la_int64_t)st.st_uid ||
	    archive_entry_gid(entry) != (la_int64_t)st.st_gid)
		mode &= 01777;
	return mode;
}

static void finish_file(const struct extract *e, int fd, struct archive_entry *entry)
{
	const struct timespec mtime = { .tv_sec = archive_entry_mtime(entry),
					.tv_nsec = archive_entry_mtime_nsec(entry) };

	(void)keep_owner(e, fd, "", entry);
	(void)fchmod(fd, keep_mode(fd, entry));
	sk_cp_set_time(fd, &mtime);
}

static int write_data(struct extract *e, int fd, const char *name)
{
	const void *block;
	size_t n;
	la_int64_t offset;
	int r;

	while ((r = archive_read_data_block(e->in, &block, &n, &offset)) == ARCHIVE_OK) {
		const char *p = block;

		e->x->bytes += n;
		while (n) {
			ssize_t w = pwrite(fd, p, n, offset);

			if (w < 0 && errno == EINTR)
				continue;
			if (w < 0)
				return sk_error_errno(e->err, errno, "cannot write %s", name);
			p += w;
			n -= (size_t)w;
			offset += w;
		}
	}
	return r == ARCHIVE_EOF ? 0
				: sk_error_set(e->err, EIO, "cannot read %s from the container: %s", name,
					       archive_error_string(e->in));
}

static int put_file(struct extract *e, int at, const char *name, struct archive_entry *entry)
{
	_cleanup_fd_ int fd = -1;
	int r;

	/* A link of the same name is replaced, never followed. */
	if (unlinkat(at, name, 0) < 0 && errno != ENOENT)
		return sk_error_errno(e->err, errno, "cannot replace %s", name);
	fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return sk_error_errno(e->err, errno, "cannot make %s", name);
	r = write_data(e, fd, name);
	if (r == 0 && archive_entry_size_is_set(entry) && ftruncate(fd, archive_entry_size(entry)) < 0)
		r = sk_error_errno(e->err, errno, "cannot write %s", name);
	if (r == 0)
		finish_file(e, fd, entry);
	return r;
}

/* Room for one more directory; NULL: too many. */
static struct extracted_directory *keep_directory(struct extract *e, const char *path)
{
	size_t bytes = sizeof(*e->directories) + strlen(path) + 1, max = e->x->max_kept ? e->x->max_kept : KEPT_MAX;

	if (bytes > max - e->kept) {
		sk_error_set(e->err, E2BIG, "the container sent too many directories (at %s)", path);
		return NULL;
	}
	e->kept += bytes;
	if (e->n_directories == e->cap) {
		e->cap = e->cap ? 2 * e->cap : 16;
		e->directories = sk_xrealloc(e->directories, e->cap, sizeof(*e->directories));
	}
	return &e->directories[e->n_directories++];
}

static int put_directory(struct extract *e, int at, const char *name, const char *path, struct archive_entry *entry)
{
	struct extracted_directory *f;

	if (strcmp(name, ".") == 0)
		return 0; /* the destination itself, which existed before */
	if (mkdirat(at, name, 0700) < 0) {
		struct stat st;

		if (errno != EEXIST || fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return sk_error_errno(e->err, errno, "cannot make %s", path);
		if (!S_ISDIR(st.st_mode))
			return sk_error_set(e->err, ENOTDIR, "cannot overwrite non-directory %s with a directory",
					    path);
	}
	f = keep_directory(e, path);
	if (!f)
		return -E2BIG;
	*f = (struct extracted_directory){ sk_xstrdup(path),
					   archive_entry_perm(entry),
					   { .tv_sec = archive_entry_mtime(entry),
					     .tv_nsec = archive_entry_mtime_nsec(entry) } };
	if (!keep_owner(e, at, name, entry))
		f->mode &= 01777;
	return 0;
}

/* The system has no such thing: said at the end, with the first one's name. */
static int leave_out(struct extract *e, const char *path)
{
	if (!e->x->refused++)
		e->x->first_refused = sk_xstrdup(path);
	return 0;
}

static int put_hardlink(struct extract *e, int at, const char *name, const char *target)
{
	_cleanup_free_ char *sent = sk_cp_rename(target, e->x->root, e->x->name);
	_cleanup_free_ char *path = sent ? sk_cp_stored_path(sent) : NULL;
	_cleanup_fd_ int from = -1;
	const char *from_name;

	from = path ? open_parent(e->dirfd, path, &from_name) : -EINVAL;
	if (from < 0)
		return sk_error_set(e->err, EINVAL, "the container sent a link to %.200s, which is not in the archive",
				    target);
	if ((unlinkat(at, name, 0) < 0 && errno != ENOENT) || linkat(from, from_name, at, name, 0) < 0)
		return sk_error_errno(e->err, errno, "cannot make %s", name);
	return 0;
}

static int put_symlink(struct extract *e, int at, const char *name, const char *path, struct archive_entry *entry)
{
	const char *target = archive_entry_symlink(entry);

	if (!target || (unlinkat(at, name, 0) < 0 && errno != ENOENT))
		return sk_error_errno(e->err, target ? errno : EINVAL, "cannot make %s", path);
	if (sk_cp_make_symlink(target, at, name) < 0)
		return errno == ENOSYS ? leave_out(e, path) : sk_error_errno(e->err, errno, "cannot make %s", path);
	keep_owner(e, at, name, entry);
	return 0;
}

static int put_entry(struct extract *e, struct archive_entry *entry)
{
	const char *sent = archive_entry_pathname(entry), *hardlink = archive_entry_hardlink(entry), *name;
	_cleanup_free_ char *renamed = sent ? sk_cp_rename(sent, e->x->root, e->x->name) : NULL, *path = NULL;
	_cleanup_fd_ int at = -1;

	if (!renamed || renamed[0] == '/')
		return sk_error_set(e->err, EINVAL, "the container sent a file with the bad name %.200s",
				    sent ? sent : "");
	path = sk_cp_stored_path(renamed);
	if (!path)
		return sk_error_set(e->err, EINVAL, "no file on this system can have the name %.200s", renamed);
	at = open_parent(e->dirfd, path, &name);
	if (at < 0)
		return sk_error_errno(e->err, at, "cannot make %s", path);
	if (hardlink)
		return put_hardlink(e, at, name, hardlink);
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return put_file(e, at, name, entry);
	case AE_IFDIR:
		return put_directory(e, at, name, path, entry);
	case AE_IFLNK:
		return put_symlink(e, at, name, path, entry);
	case AE_IFIFO:
		if (unlinkat(at, name, 0) < 0 && errno != ENOENT)
			return sk_error_errno(e->err, errno, "cannot make %s", path);
		if (sk_cp_make_fifo(at, name, archive_entry_perm(entry) & 0777) < 0)
			return errno == ENOSYS ? leave_out(e, path)
					       : sk_error_errno(e->err, errno, "cannot make %s", path);
		return 0;
	default:
		e->x->skipped++;
		return 0;
	}
}

/* Innermost last in the archive, so in reverse: a directory without write permission comes after what is in it. */
static void finish_directories(struct extract *e)
{
	while (e->n_directories) {
		struct extracted_directory *f = &e->directories[--e->n_directories];
		const char *name;
		_cleanup_fd_ int at = open_parent(e->dirfd, f->path, &name);
		_cleanup_fd_ int fd = at < 0 ? -1 : open_dir(at, name);

		if (fd >= 0) {
			(void)fchmod(fd, f->mode);
			sk_cp_set_time(fd, &f->mtime);
		}
		free(f->path);
	}
	free(e->directories);
}

int sk_cp_extract(struct archive *in, int dirfd, struct sk_cp_extract *x, struct sk_error *err)
{
	struct extract e = { .in = in, .dirfd = dirfd, .x = x, .err = err };
	struct archive_entry *entry;
	int r = 0, a;

	while (r == 0 && (a = archive_read_next_header(in, &entry)) != ARCHIVE_EOF) {
		if (a < ARCHIVE_WARN)
			r = sk_error_set(err, EIO, "cannot read from the container: %s", archive_error_string(in));
		else
			r = put_entry(&e, entry);
	}
	finish_directories(&e);
	if (r == 0 && x->refused)
		r = sk_error_set(err, EOPNOTSUPP,
				 "all is copied but %u links and pipes, which this system has not: %s%s", x->refused,
				 x->first_refused, x->refused > 1 ? " and others" : "");
	free(SK_TAKE_PTR(x->first_refused));
	return r;
}
