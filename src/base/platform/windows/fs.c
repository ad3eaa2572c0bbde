/* SPDX-License-Identifier: Apache-2.0 */
/* What of files each system does in its own way: copied with holes, locked, opened below a directory. */
#include "base/fs.h"

#include "base/cleanup.h"
#include "base/platform/windows/system.h"

#include <winioctl.h>

#define RANGES 64u
#define DIR_LOCKS 64u
#define RETRY_MS 10u
#define CHUNK (1u << 16)

/*
 * Directories cannot be locked on this system. That one is, is told by a named object of the system, which there is as
 * long as somebody has it open: it goes with the descriptor, and with the process, however that ends. Such a lock is
 * always exclusive. Another user of the machine who knows the number of a directory could keep its lock, and with it us.
 */
static struct {
	int fd;
	HANDLE object; /* NULL: a free entry */
} dir_locks[DIR_LOCKS];
static SRWLOCK dir_locks_lock = SRWLOCK_INIT;

void sk_win_forget_lock(int fd)
{
	unsigned i;

	AcquireSRWLockExclusive(&dir_locks_lock);
	for (i = 0; i < DIR_LOCKS; i++)
		if (dir_locks[i].object && dir_locks[i].fd == fd) {
			CloseHandle(dir_locks[i].object);
			dir_locks[i].object = NULL;
		}
	ReleaseSRWLockExclusive(&dir_locks_lock);
}

/* Of a descriptor that has none yet. */
static int try_directory(int fd, const wchar_t *name)
{
	int r = -EAGAIN; /* no entry is free */
	HANDLE object;
	unsigned i;

	AcquireSRWLockExclusive(&dir_locks_lock);
	for (i = 0; i < DIR_LOCKS && dir_locks[i].object; i++)
		;
	if (i < DIR_LOCKS) {
		object = CreateMutexW(NULL, FALSE, name);
		if (!object) {
			r = -sk_win_errno(GetLastError());
		} else if (GetLastError() == ERROR_ALREADY_EXISTS) {
			CloseHandle(object);
			r = -EWOULDBLOCK;
		} else {
			dir_locks[i].fd = fd;
			dir_locks[i].object = object;
			r = 0;
		}
	}
	ReleaseSRWLockExclusive(&dir_locks_lock);
	return r;
}

static bool has_lock(int fd)
{
	bool has = false;
	unsigned i;

	AcquireSRWLockShared(&dir_locks_lock);
	for (i = 0; i < DIR_LOCKS && !has; i++)
		has = dir_locks[i].object && dir_locks[i].fd == fd;
	ReleaseSRWLockShared(&dir_locks_lock);
	return has;
}

static int lock_directory(int fd, const struct stat *st, bool wait)
{
	wchar_t name[80];
	int r;

	if (has_lock(fd))
		return 0;
	swprintf(name, SK_ARRAY_SIZE(name), L"Global\\skerry-directory-%llx-%llx", st->st_dev, st->st_ino);
	while ((r = try_directory(fd, name)) == -EWOULDBLOCK && wait)
		Sleep(RETRY_MS);
	return r;
}

/*
 * The lock is one byte far behind the end: a lock of this system would keep others from reading what it covers. Held by
 * the handle, and gone with it, as flock(2)'s is.
 */
int sk_fs_lock(int fd, bool exclusive, bool wait)
{
	OVERLAPPED at = { .Offset = 0xFFFFFFFEu, .OffsetHigh = 0x7FFFFFFFu };
	HANDLE h = sk_win_handle(fd);
	DWORD flags = (exclusive ? LOCKFILE_EXCLUSIVE_LOCK : 0) | (wait ? 0 : LOCKFILE_FAIL_IMMEDIATELY);
	struct stat st;

	if (h == INVALID_HANDLE_VALUE)
		return -EBADF;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return lock_directory(fd, &st, wait);
	if (LockFileEx(h, flags, 0, 1, 0, &at))
		return 0;
	return GetLastError() == ERROR_LOCK_VIOLATION || GetLastError() == ERROR_IO_PENDING
		       ? -EWOULDBLOCK
		       : -sk_win_errno(GetLastError());
}

static bool is_zero(const char *p, size_t n)
{
	return n == 0 || (*p == '\0' && memcmp(p, p + 1, n - 1) == 0);
}

/* What is zero is left out: the file it goes to is a hole. */
static int copy_range(int from_fd, int to_fd, int64_t off, int64_t end, char *buf)
{
	while (off < end) {
		ssize_t n = pread(from_fd, buf, end - off < CHUNK ? (size_t)(end - off) : CHUNK, off);

		if (n <= 0)
			return n < 0 ? -errno : -EIO; /* the source shrank under us */
		if (!is_zero(buf, (size_t)n) && pwrite(to_fd, buf, (size_t)n, off) != n)
			return -errno;
		off += n;
	}
	return 0;
}

/* The ranges with data from `off` on; how many, or a negative errno. A file system without holes has one. */
static int find_data(HANDLE h, int64_t off, int64_t end, FILE_ALLOCATED_RANGE_BUFFER *ret)
{
	FILE_ALLOCATED_RANGE_BUFFER ask = { .FileOffset.QuadPart = off, .Length.QuadPart = end - off };
	DWORD n;

	if (DeviceIoControl(h, FSCTL_QUERY_ALLOCATED_RANGES, &ask, sizeof(ask), ret, RANGES * sizeof(*ret), &n, NULL) ||
	    GetLastError() == ERROR_MORE_DATA)
		return (int)(n / sizeof(*ret));
	ret[0] = ask;
	return 1;
}

int sk_fs_copy_sparse(int from_fd, int to_fd)
{
	_cleanup_free_ FILE_ALLOCATED_RANGE_BUFFER *ranges = calloc(RANGES, sizeof(*ranges));
	_cleanup_free_ char *buf = malloc(CHUNK);
	HANDLE from = sk_win_handle(from_fd), to = sk_win_handle(to_fd);
	int64_t off = 0;
	struct stat st;
	DWORD unused;

	if (!ranges || !buf)
		return -ENOMEM;
	if (fstat(from_fd, &st) < 0)
		return -errno;
	/* Where there are no sparse files it is a full copy. */
	(void)DeviceIoControl(to, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &unused, NULL);
	if (ftruncate(to_fd, st.st_size) < 0)
		return -errno;
	while (off < st.st_size) {
		int i, r = 0, n = find_data(from, off, st.st_size, ranges);

		if (n <= 0)
			return n;
		for (i = 0; i < n && r == 0; i++) {
			off = ranges[i].FileOffset.QuadPart + ranges[i].Length.QuadPart;
			if (off > st.st_size)
				off = st.st_size;
			r = copy_range(from_fd, to_fd, ranges[i].FileOffset.QuadPart, off, buf);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Opens what is no reparse point. */
static long open_step(HANDLE at, const wchar_t *name, bool read, HANDLE *ret)
{
	struct sk_nt_how how = { .access = read ? FILE_GENERIC_READ : FILE_READ_ATTRIBUTES | FILE_TRAVERSE,
				 .disposition = FILE_OPEN };
	struct sk_nt_info info;
	long status = sk_nt_open(at, wcscmp(name, L".") == 0 ? L"" : name, &how, ret);

	if (status < 0)
		return -sk_win_status_errno(status);
	status = sk_nt_info(*ret, &info);
	if (status >= 0 && !(info.attributes & FILE_ATTRIBUTE_REPARSE_POINT))
		return 0;
	CloseHandle(*ret);
	return status < 0 ? -sk_win_status_errno(status) : -EXDEV;
}

/* Step by step, by handle: no reparse point leads anywhere, and neither does "..". */
static int open_beneath(int dirfd, const char *path, bool read)
{
	_cleanup_free_ wchar_t *wide = sk_win_wide(path);
	HANDLE at = sk_win_handle(dirfd), held = NULL, next;
	wchar_t *p = wide;

	if (!wide || at == INVALID_HANDLE_VALUE)
		return -errno;
	if (!*p || *p == L'/' || *p == L'\\' || p[1] == L':')
		return *p ? -EXDEV : -ENOENT;
	while (*p) {
		size_t n = wcscspn(p, L"/\\");
		bool last = p[n] == L'\0';
		long r;

		p[n] = L'\0';
		r = wcscmp(p, L"..") == 0 ? -EXDEV : open_step(at, p, read && last, &next);
		if (held)
			CloseHandle(held);
		if (r < 0)
			return (int)r;
		held = at = next;
		p += last ? n : n + 1;
	}
	return sk_win_descriptor(held, 0);
}

int sk_fs_open_beneath(int dirfd, const char *path)
{
	return open_beneath(dirfd, path, false);
}

int sk_fs_open_file_beneath(int dirfd, const char *path)
{
	return open_beneath(dirfd, path, true);
}
