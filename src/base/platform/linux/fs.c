/* SPDX-License-Identifier: Apache-2.0 */
/* What of files each system does in its own way: copied with holes, locked, opened below a directory. */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

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

static int open_beneath(int dirfd, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : fd;
}

int sk_fs_open_beneath(int dirfd, const char *path)
{
	return open_beneath(dirfd, path, O_PATH);
}

int sk_fs_open_file_beneath(int dirfd, const char *path)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
	int fd = open_beneath(dirfd, path, (uint64_t)flags);

	if (fd == -ENOSYS && (fd = openat(dirfd, path, flags | O_CLOEXEC | O_NOFOLLOW)) < 0)
		fd = -errno;
	return fd;
}
