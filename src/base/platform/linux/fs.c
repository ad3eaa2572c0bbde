/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files as a whole: read, replace by rename, remove a tree without following links, copy with holes, lock, open below
 * a directory.
 */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/id.h"

char *sk_asprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

int sk_fs_read(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_len)
{
	_cleanup_fd_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *data = NULL;
	size_t len = 0, cap = 4096;

	if (fd < 0)
		return -errno;
	data = malloc(cap + 1);
	if (!data)
		return -ENOMEM;
	for (;;) {
		ssize_t n;

		if (len == cap) {
			char *p;

			if (cap > max)
				return -EFBIG;
			cap *= 2;
			p = realloc(data, cap + 1);
			if (!p)
				return -ENOMEM;
			data = p;
		}
		n = read(fd, data + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
	}
	data[len] = '\0';
	*ret_data = SK_TAKE_PTR(data);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int sk_fs_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int sk_fs_write_atomic(int dirfd, const char *path, const void *data, size_t len, mode_t mode, bool durable)
{
	_cleanup_free_ char *tmp = NULL;
	_cleanup_fd_ int fd = -1;
	char suffix[17];
	int r;

	sk_random_hex(suffix, 8);
	tmp = sk_asprintf("%s.%s.tmp", path, suffix);
	if (!tmp)
		return -ENOMEM;
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	r = sk_fs_write_all(fd, data, len);
	if (r == 0 && durable && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, tmp, dirfd, path) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dirfd, tmp, 0);
	return r;
}

int sk_fs_mkdir_p(const char *path, mode_t mode)
{
	_cleanup_free_ char *copy = strdup(path);
	char *p;

	if (!copy)
		return -ENOMEM;
	for (p = copy + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return -errno;
		if (c == '\0')
			return 0;
		*p = '/';
	}
}

DIR *sk_fs_opendir(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		sk_close_fd(&fd);
	return dir;
}

static int remove_contents(int take_fd, dev_t dev)
{
	_cleanup_closedir_ DIR *dir = fdopendir(take_fd);
	struct dirent *de;
	int r = 0;

	if (!dir) {
		r = -errno;
		close(take_fd);
		return r;
	}
	while ((de = readdir(dir))) {
		struct stat st;
		int fd;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), de->d_name, 0) == 0 || errno == ENOENT)
			continue;
		fd = openat(dirfd(dir), de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == EACCES && fchmodat(dirfd(dir), de->d_name, 0700, 0) == 0)
			fd = openat(dirfd(dir), de->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0) {
			r = -errno;
			if (fd >= 0)
				close(fd);
			continue;
		}
		if (st.st_dev != dev) {
			close(fd);
			r = -EBUSY;
			continue;
		}
		if ((st.st_mode & 0700) != 0700)
			(void)fchmod(fd, 0700);
		remove_contents(fd, dev);
		if (unlinkat(dirfd(dir), de->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			r = -errno;
	}
	return r;
}

int sk_fs_remove_tree(int dirfd, const char *name)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	r = remove_contents(SK_TAKE_FD(fd), st.st_dev);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return r < 0 ? r : -errno;
	return 0;
}

static int copy_range(int from_fd, int to_fd, off_t off, off_t end)
{
	_cleanup_free_ char *buf = NULL;
	const size_t chunk = 1 << 20;

	while (off < end) {
		off_t out = off;
		ssize_t n = copy_file_range(from_fd, &off, to_fd, &out, (size_t)(end - off), 0);

		if (n > 0)
			continue;
		if (n == 0)
			return -EIO; /* the source shrank under us */
		if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
			return -errno;
		if (!buf)
			buf = malloc(chunk);
		if (!buf)
			return -ENOMEM;
		n = pread(from_fd, buf, (size_t)(end - off) < chunk ? (size_t)(end - off) : chunk, off);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		n = pwrite(to_fd, buf, (size_t)n, off);
		if (n < 0)
			return -errno;
		off += n;
	}
	return 0;
}

int sk_fs_copy_sparse(int from_fd, int to_fd)
{
	struct stat st;
	off_t data, hole = 0;

	if (ioctl(to_fd, FICLONE, from_fd) == 0)
		return 0;
	if (fstat(from_fd, &st) < 0 || ftruncate(to_fd, st.st_size) < 0)
		return -errno;
	while (hole < st.st_size) {
		int r;

		data = lseek(from_fd, hole, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			return 0; /* only a hole is left */
		if (data < 0)
			return -errno;
		hole = lseek(from_fd, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		r = copy_range(from_fd, to_fd, data, hole);
		if (r < 0)
			return r;
	}
	return 0;
}

int sk_fs_lock(int fd, bool exclusive, bool wait)
{
	int op = (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB);

	while (flock(fd, op) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int sk_fs_open_beneath(int dirfd, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : fd;
}
