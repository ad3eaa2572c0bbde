/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking a tar inside a container's root (put).
 *
 * Every name of the archive is joined to the destination and resolved by the kernel with the container's root as "/"
 * (confine.h): whatever links the archive or the container lays, the result is inside. The last component is never
 * followed: what is there is replaced (files) or kept (directories). Owner, mode and times are set on the descriptor of
 * what was made.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "copy.h"
#include "base/cleanup.h"
#include "confine.h"

#define UNPACK_BLOCK (128u * 1024u)
/* Directories whose times are set at the end, because what is put into them changes those. */
#define UNPACK_DIRECTORIES 65536u

struct copied_directory {
	struct copied_directory *next;
	struct timespec mtime;
	char path[];
};

struct unpack {
	int rootfd;
	const char *base; /* destination in the root */
	bool owners;
	struct archive *in;
	struct archive_entry *entry;
	const char *name; /* of the entry, for messages */
	struct copied_directory *directories;
	size_t n_directories;
	struct sk_error *err;
};

static int fail(struct unpack *u, int code)
{
	return sk_error_errno(u->err, code, "cannot unpack %.512s", u->name);
}

/* `name` without leading "/" and "./", joined to the destination. -EINVAL: has ".."; 0 with `ret` empty: the
 * destination itself. */
static int join(const char *base, const char *name, char *ret, size_t size)
{
	const char *p = name;
	size_t len;
	int n = snprintf(ret, size, "%s", base);

	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	len = (size_t)n;
	while (*p) {
		size_t c = strcspn(p, "/");

		if (c == 2 && memcmp(p, "..", 2) == 0)
			return -EINVAL;
		if (c != 0 && !(c == 1 && *p == '.')) {
			if (c + 2 > size - len)
				return -ENAMETOOLONG;
			ret[len++] = '/';
			memcpy(ret + len, p, c);
			len += c;
			ret[len] = '\0';
		}
		p += c;
		while (*p == '/')
			p++;
	}
	if (len == (size_t)n)
		ret[0] = '\0';
	return 0;
}

/* The directory that `path` lies in, made if it is missing; its name in it. */
static int open_parent(struct unpack *u, const char *path, char *ret_name)
{
	int fd = sk_confine_parent(u->rootfd, path, ret_name), r;
	char parent[PATH_MAX], name[NAME_MAX + 1];
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (fd != -ENOENT || n == 0 || n <= strlen(u->base))
		return fd;
	memcpy(parent, path, n);
	parent[n] = '\0';
	fd = open_parent(u, parent, name);
	if (fd < 0)
		return fd;
	r = mkdirat(fd, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
	close(fd);
	return r < 0 ? r : sk_confine_parent(u->rootfd, path, ret_name);
}

static int set_metadata(struct unpack *u, int fd)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
				     { .tv_sec = archive_entry_mtime(u->entry),
				       .tv_nsec = archive_entry_mtime_nsec(u->entry) } };
	uid_t uid = u->owners ? (uid_t)archive_entry_uid(u->entry) : 0;
	gid_t gid = u->owners ? (gid_t)archive_entry_gid(u->entry) : 0;
	const char *name;
	const void *value;
	size_t size;

	if (fchown(fd, uid, gid) < 0 || fchmod(fd, archive_entry_perm(u->entry)) < 0)
		return fail(u, errno);
	archive_entry_xattr_reset(u->entry);
	while (archive_entry_xattr_next(u->entry, &name, &value, &size) == ARCHIVE_OK)
		if (strncmp(name, "trusted.overlay.", 16) != 0 && fsetxattr(fd, name, value, size, 0) < 0 &&
		    errno != EOPNOTSUPP && errno != EINVAL)
			return fail(u, errno);
	if (futimens(fd, times) < 0)
		return fail(u, errno);
	return 0;
}

static int read_data(struct unpack *u, int fd)
{
	const void *block;
	la_int64_t offset;
	size_t size;
	int r;

	while ((r = archive_read_data_block(u->in, &block, &size, &offset)) == ARCHIVE_OK) {
		const char *p = block;

		while (size) {
			ssize_t n = pwrite(fd, p, size, offset);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return fail(u, errno);
			p += n;
			offset += n;
			size -= (size_t)n;
		}
	}
	if (r != ARCHIVE_EOF)
		return sk_error_set(u->err, EIO, "cannot unpack %.400s: %.400s", u->name, archive_error_string(u->in));
	if (ftruncate(fd, archive_entry_size(u->entry)) < 0) /* a hole at the end */
		return fail(u, errno);
	return 0;
}

static int put_file(struct unpack *u, int parent, const char *name)
{
	_cleanup_fd_ int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return fail(u, errno);
	r = read_data(u, fd);
	return r < 0 ? r : set_metadata(u, fd);
}

static int put_directory(struct unpack *u, int parent, const char *name, bool exists, const char *path)
{
	_cleanup_fd_ int fd = -1;
	struct copied_directory *f;
	int r;

	if (!exists && mkdirat(parent, name, 0700) < 0)
		return fail(u, errno);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(u, errno);
	r = set_metadata(u, fd);
	if (r < 0 || u->n_directories >= UNPACK_DIRECTORIES)
		return r;
	f = malloc(sizeof(*f) + strlen(path) + 1);
	if (!f)
		return fail(u, ENOMEM);
	f->mtime.tv_sec = archive_entry_mtime(u->entry);
	f->mtime.tv_nsec = archive_entry_mtime_nsec(u->entry);
	strcpy(f->path, path);
	f->next = u->directories;
	u->directories = f;
	u->n_directories++;
	return 0;
}

static int put_link(struct unpack *u, int parent, const char *name, const char *target)
{
	char path[PATH_MAX], target_name[NAME_MAX + 1];
	_cleanup_fd_ int fd = -1;
	int r = join(u->base, target, path, sizeof(path));

	if (r < 0 || !path[0])
		return fail(u, r < 0 ? r : EINVAL);
	fd = sk_confine_parent(u->rootfd, path, target_name);
	if (fd < 0)
		return fail(u, fd);
	return linkat(fd, target_name, parent, name, 0) < 0 ? fail(u, errno) : 0;
}

/* Links and nodes have no descriptor to work on; nothing between making and describing them matters more than their
 * name. */
static int put_node(struct unpack *u, int parent, const char *name, mode_t type)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
				     { .tv_sec = archive_entry_mtime(u->entry),
				       .tv_nsec = archive_entry_mtime_nsec(u->entry) } };
	uid_t uid = u->owners ? (uid_t)archive_entry_uid(u->entry) : 0;
	gid_t gid = u->owners ? (gid_t)archive_entry_gid(u->entry) : 0;
	mode_t perm = archive_entry_perm(u->entry);
	int r;

	if (type == AE_IFLNK) {
		const char *target = archive_entry_symlink(u->entry);

		r = target ? symlinkat(target, parent, name) : -1;
	} else {
		umask(0);
		r = mknodat(parent, name, type | perm, archive_entry_rdev(u->entry));
		umask(022);
	}
	if (r < 0)
		return fail(u, errno);
	if (fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(u, errno);
	return 0;
}

/* Makes way for the entry. `*ret_exists`: it is a directory, and one is there. */
static int make_way(struct unpack *u, int parent, const char *name, bool is_directory, bool *ret_exists)
{
	struct stat st;

	*ret_exists = false;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(u, errno);
	if (S_ISDIR(st.st_mode) && is_directory) {
		*ret_exists = true;
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return sk_error_set(u->err, EISDIR, "cannot overwrite directory %.512s with non-directory", u->name);
	if (is_directory)
		return sk_error_set(u->err, ENOTDIR, "cannot overwrite non-directory %.512s with directory", u->name);
	return unlinkat(parent, name, 0) < 0 ? fail(u, errno) : 0;
}

static int put_entry(struct unpack *u)
{
	mode_t type = archive_entry_filetype(u->entry);
	const char *link = archive_entry_hardlink(u->entry);
	char path[PATH_MAX], name[NAME_MAX + 1];
	_cleanup_fd_ int parent = -1;
	bool exists;
	int r;

	u->name = archive_entry_pathname(u->entry);
	if (!u->name) {
		u->name = "an entry whose name is not text";
		return fail(u, EILSEQ);
	}
	r = join(u->base, u->name, path, sizeof(path));
	if (r == -EINVAL)
		return sk_error_set(u->err, EINVAL, "refusing to unpack %.512s: it leads out of the directory",
				    u->name);
	if (r < 0)
		return fail(u, r);
	if (!path[0] || type == AE_IFSOCK)
		return 0;
	parent = open_parent(u, path, name);
	if (parent < 0)
		return fail(u, parent);
	r = make_way(u, parent, name, type == AE_IFDIR && !link, &exists);
	if (r < 0)
		return r;
	if (link)
		return put_link(u, parent, name, link);
	if (type == AE_IFREG)
		return put_file(u, parent, name);
	if (type == AE_IFDIR)
		return put_directory(u, parent, name, exists, path);
	return put_node(u, parent, name, type);
}

static void finish_directories(struct unpack *u)
{
	while (u->directories) {
		struct copied_directory *f = u->directories;
		struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, f->mtime };
		_cleanup_fd_ int fd = sk_confine_open(u->rootfd, f->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

		if (fd >= 0)
			futimens(fd, times);
		u->directories = f->next;
		free(f);
	}
}

static int unpack_all(struct unpack *u)
{
	int r;

	while ((r = archive_read_next_header(u->in, &u->entry)) != ARCHIVE_EOF) {
		if (r < ARCHIVE_WARN)
			return sk_error_set(u->err, EINVAL, "not a tar archive, or a damaged one: %.400s",
					    archive_error_string(u->in));
		r = put_entry(u);
		if (r < 0)
			return r;
	}
	return 0;
}

int sk_copy_put(int rootfd, const char *path, bool owners, int fd, struct sk_error *err)
{
	_cleanup_fd_ int base = sk_confine_open(rootfd, path, O_PATH | O_DIRECTORY, 0);
	struct unpack u = { .rootfd = rootfd, .base = path, .owners = owners, .name = path, .err = err };
	int r;

	if (base < 0)
		return sk_error_errno(err, base, "%s", path);
	u.in = archive_read_new();
	if (!u.in)
		return sk_error_errno(err, ENOMEM, "%s", path);
	archive_read_support_format_tar(u.in);
	archive_read_support_filter_none(u.in);
	if (archive_read_open_fd(u.in, fd, UNPACK_BLOCK) != ARCHIVE_OK)
		r = sk_error_set(err, EINVAL, "not a tar archive: %.400s", archive_error_string(u.in));
	else
		r = unpack_all(&u);
	finish_directories(&u);
	archive_read_free(u.in);
	return r;
}
