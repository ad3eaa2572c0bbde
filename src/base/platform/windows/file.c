/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX's calls on files, by descriptors of the C runtime around handles of the system. See posix/sk_posix.h. */
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "base/platform/windows/system.h"

#define PATH_CHARS 32768u

HANDLE sk_win_handle(int fd)
{
	intptr_t h = fd < 0 ? -1 : _get_osfhandle(fd);

	/* -2: a standard stream that nobody has given us. */
	if (h == -1 || h == -2) {
		errno = EBADF;
		return INVALID_HANDLE_VALUE;
	}
	return (HANDLE)h;
}

int sk_win_descriptor(HANDLE take_handle, int flags)
{
	int fd = _open_osfhandle((intptr_t)take_handle, flags | O_BINARY | _O_NOINHERIT);

	if (fd < 0)
		CloseHandle(take_handle);
	return fd;
}

/* ---- names */

wchar_t *sk_win_nt_path(const char *path)
{
	_cleanup_free_ wchar_t *wide = sk_win_wide(path), *full = NULL;
	wchar_t *nt;
	size_t skip = 0;
	DWORD n;

	if (!wide)
		return NULL;
	if (!*wide) {
		errno = ENOENT;
		return NULL;
	}
	full = malloc(PATH_CHARS * sizeof(*full));
	nt = malloc((PATH_CHARS + 16) * sizeof(*nt));
	if (!full || !nt) {
		free(nt);
		return NULL;
	}
	/* Makes it absolute, takes ".", ".." and slashes out. */
	n = GetFullPathNameW(wide, PATH_CHARS, full, NULL);
	if (n == 0 || n >= PATH_CHARS) {
		free(nt);
		errno = n ? ENAMETOOLONG : sk_win_errno(GetLastError());
		return NULL;
	}
	if (wcsncmp(full, L"\\\\?\\", 4) == 0 || wcsncmp(full, L"\\\\.\\", 4) == 0) {
		wcscpy(nt, L"\\??\\");
		skip = 4;
	} else if (wcsncmp(full, L"\\\\", 2) == 0) {
		wcscpy(nt, L"\\??\\UNC\\");
		skip = 2;
	} else {
		wcscpy(nt, L"\\??\\");
	}
	wcscat(nt, full + skip);
	/* A slash at the end: a directory's name, but not of the root of a drive. */
	n = (DWORD)wcslen(nt);
	while (n > 7 && nt[n - 1] == L'\\')
		nt[--n] = L'\0';
	return nt;
}

/* A relative name for an open by handle: backslashes, without "." components. ".." leads out of what is held. */
static wchar_t *relative_name(const char *path)
{
	wchar_t *wide = sk_win_wide(path), *from = wide, *to = wide;

	if (!wide)
		return NULL;
	while (*from) {
		size_t n = wcscspn(from, L"/\\");

		if (n == 2 && wcsncmp(from, L"..", 2) == 0) {
			free(wide);
			errno = EXDEV;
			return NULL;
		}
		if (n && !(n == 1 && *from == L'.')) {
			if (to != wide)
				*to++ = L'\\';
			memmove(to, from, n * sizeof(*to));
			to += n;
		}
		from += n + (from[n] != L'\0');
	}
	*to = L'\0';
	return wide;
}

static bool is_absolute(const char *path)
{
	return path[0] == '/' || path[0] == '\\' || (path[0] && path[1] == ':');
}

/* Opens by handle and name, or by path. 0 or -1 with errno. */
static int open_at(int dirfd, const char *path, const struct sk_nt_how *how, HANDLE *ret)
{
	_cleanup_free_ wchar_t *name = NULL;
	HANDLE dir = NULL;
	long status;

	if (!*path) {
		errno = ENOENT;
		return -1;
	}
	if (dirfd == AT_FDCWD || is_absolute(path)) {
		name = sk_win_nt_path(path);
	} else {
		dir = sk_win_handle(dirfd);
		if (dir == INVALID_HANDLE_VALUE)
			return -1;
		name = relative_name(path);
	}
	if (!name)
		return -1;
	status = sk_nt_open(dir, name, how, ret);
	return status < 0 ? sk_win_fail_status(status) : 0;
}

/* ---- open and close */

static unsigned long access_of(int flags)
{
	const unsigned long append = FILE_GENERIC_WRITE & ~(unsigned long)FILE_WRITE_DATA;

	if (flags & O_PATH)
		return FILE_READ_ATTRIBUTES | FILE_TRAVERSE;
	switch (flags & (O_RDONLY | O_WRONLY | O_RDWR)) {
	case O_WRONLY:
		return (flags & O_APPEND ? append : FILE_GENERIC_WRITE) | FILE_READ_ATTRIBUTES;
	case O_RDWR:
		return FILE_GENERIC_READ | (flags & O_APPEND ? append : FILE_GENERIC_WRITE);
	default:
		return FILE_GENERIC_READ;
	}
}

static unsigned long disposition_of(int flags)
{
	if (flags & O_CREAT)
		return flags & O_EXCL ? FILE_CREATE : FILE_OPEN_IF;
	return FILE_OPEN;
}

/* What was opened is a link, and that is not wanted. */
static bool is_link(HANDLE h)
{
	FILE_ATTRIBUTE_TAG_INFO tag;

	return GetFileInformationByHandleEx(h, FileAttributeTagInfo, &tag, sizeof(tag)) &&
	       (tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT);
}

int sk_posix_openat(int dirfd, const char *path, int flags, ...)
{
	struct sk_nt_how how = { .access = access_of(flags), .disposition = disposition_of(flags) };
	unsigned mode = 0666;
	HANDLE h;
	va_list ap;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, unsigned);
		va_end(ap);
		if (!(mode & S_IWUSR))
			how.attributes = FILE_ATTRIBUTE_READONLY;
		how.options |= FILE_NON_DIRECTORY_FILE;
	}
	if (flags & O_DIRECTORY) {
		how.options |= FILE_DIRECTORY_FILE;
		how.access |= FILE_LIST_DIRECTORY | FILE_TRAVERSE;
	}
	if ((flags & (O_WRONLY | O_RDWR)) != 0)
		how.options |= FILE_NON_DIRECTORY_FILE;
	how.follow = !(flags & O_NOFOLLOW);
	if (open_at(dirfd, path, &how, &h) < 0)
		return -1;
	if (!how.follow && !(flags & O_PATH) && is_link(h)) {
		CloseHandle(h);
		errno = ELOOP;
		return -1;
	}
	if ((flags & O_TRUNC) && !SetEndOfFile(h)) {
		sk_win_fail();
		CloseHandle(h);
		return -1;
	}
	return sk_win_descriptor(h, 0);
}

int sk_posix_open(const char *path, int flags, ...)
{
	unsigned mode = 0;
	va_list ap;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, unsigned);
		va_end(ap);
	}
	/* As on Linux, where this is where a program finds nothing. */
	if (strcmp(path, "/dev/null") == 0)
		path = "\\\\.\\NUL";
	return sk_posix_openat(AT_FDCWD, path, flags, mode);
}

int sk_posix_close(int fd)
{
	sk_win_forget_socket(fd);
	sk_win_forget_lock(fd);
	return _close(fd);
}

int sk_posix_fcntl(int fd, int command, ...)
{
	HANDLE h = sk_win_handle(fd), copy;

	if (h == INVALID_HANDLE_VALUE)
		return -1;
	switch (command) {
	case F_GETFD:
		return FD_CLOEXEC;
	case F_SETFD:
		return 0;
	case F_DUPFD_CLOEXEC:
		if (sk_win_is_socket(fd))
			break; /* a socket has more than its handle */
		if (!DuplicateHandle(GetCurrentProcess(), h, GetCurrentProcess(), &copy, 0, FALSE,
				     DUPLICATE_SAME_ACCESS))
			return sk_win_fail();
		return sk_win_descriptor(copy, 0);
	default:
		break;
	}
	errno = EINVAL;
	return -1;
}

/* ---- bytes */

static DWORD chunk(size_t n)
{
	return n > 1u << 30 ? 1u << 30 : (DWORD)n;
}

/* A read at or behind the end, of a pipe without a writer: nothing comes. */
static ssize_t read_failed(void)
{
	DWORD e = GetLastError();

	return e == ERROR_HANDLE_EOF || e == ERROR_BROKEN_PIPE ? 0 : sk_win_fail();
}

ssize_t sk_posix_read(int fd, void *buf, size_t n)
{
	HANDLE h = sk_win_handle(fd);
	DWORD got;

	if (sk_win_is_socket(fd))
		return sk_posix_recv(fd, buf, n, 0);
	if (h == INVALID_HANDLE_VALUE)
		return -1;
	return ReadFile(h, buf, chunk(n), &got, NULL) ? (ssize_t)got : read_failed();
}

ssize_t sk_posix_write(int fd, const void *buf, size_t n)
{
	HANDLE h = sk_win_handle(fd);
	DWORD put;

	if (sk_win_is_socket(fd))
		return sk_posix_send(fd, buf, n, 0);
	if (h == INVALID_HANDLE_VALUE)
		return -1;
	return WriteFile(h, buf, chunk(n), &put, NULL) ? (ssize_t)put : sk_win_fail();
}

static OVERLAPPED at(int64_t offset)
{
	return (OVERLAPPED){ .Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32) };
}

/* The system moves the file's position with these; POSIX does not. */
ssize_t sk_posix_pread(int fd, void *buf, size_t n, int64_t offset)
{
	int64_t was = sk_posix_lseek(fd, 0, SEEK_CUR);
	OVERLAPPED o = at(offset);
	ssize_t r;
	DWORD got;

	if (was < 0)
		return -1;
	r = ReadFile(sk_win_handle(fd), buf, chunk(n), &got, &o) ? (ssize_t)got : read_failed();
	sk_posix_lseek(fd, was, SEEK_SET);
	return r;
}

ssize_t sk_posix_pwrite(int fd, const void *buf, size_t n, int64_t offset)
{
	int64_t was = sk_posix_lseek(fd, 0, SEEK_CUR);
	OVERLAPPED o = at(offset);
	ssize_t r;
	DWORD put;

	if (was < 0)
		return -1;
	r = WriteFile(sk_win_handle(fd), buf, chunk(n), &put, &o) ? (ssize_t)put : sk_win_fail();
	sk_posix_lseek(fd, was, SEEK_SET);
	return r;
}

int64_t sk_posix_lseek(int fd, int64_t offset, int whence)
{
	HANDLE h = sk_win_handle(fd);
	LARGE_INTEGER by = { .QuadPart = offset }, ret;

	if (h == INVALID_HANDLE_VALUE)
		return -1;
	if (sk_win_is_socket(fd) || GetFileType(h) != FILE_TYPE_DISK) {
		errno = ESPIPE;
		return -1;
	}
	return SetFilePointerEx(h, by, &ret, (DWORD)whence) ? ret.QuadPart : sk_win_fail();
}

int sk_posix_ftruncate(int fd, int64_t size)
{
	HANDLE h = sk_win_handle(fd);
	FILE_END_OF_FILE_INFO end = { .EndOfFile.QuadPart = size };

	if (h == INVALID_HANDLE_VALUE)
		return -1;
	return SetFileInformationByHandle(h, FileEndOfFileInfo, &end, sizeof(end)) ? 0 : sk_win_fail();
}

int sk_posix_fsync(int fd)
{
	HANDLE h = sk_win_handle(fd);
	BY_HANDLE_FILE_INFORMATION by;

	if (h == INVALID_HANDLE_VALUE)
		return -1;
	if (GetFileInformationByHandle(h, &by) && (by.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
		return 0;
	return FlushFileBuffers(h) ? 0 : sk_win_fail();
}

int sk_posix_fstatvfs(int fd, struct sk_posix_statvfs *ret)
{
	struct sk_nt_space space;
	HANDLE h = sk_win_handle(fd);
	long status;

	if (h == INVALID_HANDLE_VALUE)
		return -1;
	status = sk_nt_space(h, &space);
	if (status < 0)
		return sk_win_fail_status(status);
	*ret = (struct sk_posix_statvfs){ .f_bsize = space.unit,
					  .f_frsize = space.unit,
					  .f_blocks = space.all,
					  .f_bfree = space.unused,
					  .f_bavail = space.mine };
	return 0;
}

/* ---- attributes */

static int stat_handle(HANDLE h, struct sk_posix_stat *ret)
{
	struct sk_nt_info info;
	long status = sk_nt_info(h, &info);
	bool dir;

	if (status < 0)
		return sk_win_fail_status(status);
	dir = info.attributes & FILE_ATTRIBUTE_DIRECTORY;
	*ret = (struct sk_posix_stat){
		.st_dev = info.dev,
		.st_ino = info.ino,
		.st_mode = dir ? S_IFDIR | 0755 : S_IFREG | 0644,
		.st_nlink = info.links,
		.st_size = (int64_t)info.size,
		.st_blocks = (int64_t)(info.allocated + 511) / 512,
		.st_blksize = 4096,
		.st_atim = sk_nt_to_unix(info.accessed),
		.st_mtim = sk_nt_to_unix(info.written),
		.st_ctim = sk_nt_to_unix(info.changed),
	};
	if (info.attributes & FILE_ATTRIBUTE_REPARSE_POINT)
		ret->st_mode = S_IFLNK | 0777;
	else if (!dir && (info.attributes & FILE_ATTRIBUTE_READONLY))
		ret->st_mode &= ~0222u;
	return 0;
}

int sk_posix_fstat(int fd, struct sk_posix_stat *ret)
{
	HANDLE h = sk_win_handle(fd);

	if (h == INVALID_HANDLE_VALUE)
		return -1;
	if (GetFileType(h) != FILE_TYPE_DISK) {
		*ret = (struct sk_posix_stat){ .st_mode = sk_win_is_socket(fd) ? S_IFSOCK | 0600 : S_IFCHR | 0600 };
		return 0;
	}
	return stat_handle(h, ret);
}

int sk_posix_fstatat(int dirfd, const char *path, struct sk_posix_stat *ret, int flags)
{
	struct sk_nt_how how = { .access = FILE_READ_ATTRIBUTES,
				 .disposition = FILE_OPEN,
				 .follow = !(flags & AT_SYMLINK_NOFOLLOW) };
	HANDLE h;
	int r;

	if (!*path && (flags & AT_EMPTY_PATH))
		return sk_posix_fstat(dirfd, ret);
	if (open_at(dirfd, path, &how, &h) < 0)
		return -1;
	r = stat_handle(h, ret);
	CloseHandle(h);
	return r;
}

int sk_posix_stat(const char *path, struct sk_posix_stat *ret)
{
	return sk_posix_fstatat(AT_FDCWD, path, ret, 0);
}

int sk_posix_lstat(const char *path, struct sk_posix_stat *ret)
{
	return sk_posix_fstatat(AT_FDCWD, path, ret, AT_SYMLINK_NOFOLLOW);
}

int sk_posix_faccessat(int dirfd, const char *path, int mode, int flags)
{
	struct sk_posix_stat st;

	(void)flags;
	if (sk_posix_fstatat(dirfd, path, &st, 0) < 0)
		return -1;
	if ((mode & W_OK) && !(st.st_mode & S_IWUSR)) {
		errno = EACCES;
		return -1;
	}
	return 0;
}

int sk_posix_access(const char *path, int mode)
{
	return sk_posix_faccessat(AT_FDCWD, path, mode, 0);
}

static int chmod_handle(HANDLE h, mode_t mode)
{
	struct sk_nt_info info;
	long status = sk_nt_info(h, &info);
	uint32_t attributes;

	if (status < 0)
		return sk_win_fail_status(status);
	/* Of a directory the attribute means something else. */
	if (info.attributes & FILE_ATTRIBUTE_DIRECTORY)
		return 0;
	attributes = mode & S_IWUSR ? info.attributes & ~(uint32_t)FILE_ATTRIBUTE_READONLY
				    : info.attributes | FILE_ATTRIBUTE_READONLY;
	status = attributes == info.attributes ? 0 : sk_nt_set_attributes(h, attributes);
	return status < 0 ? sk_win_fail_status(status) : 0;
}

int sk_posix_fchmodat(int dirfd, const char *path, mode_t mode, int flags)
{
	struct sk_nt_how how = { .access = FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES,
				 .disposition = FILE_OPEN,
				 .follow = !(flags & AT_SYMLINK_NOFOLLOW) };
	HANDLE h;
	int r;

	if (open_at(dirfd, path, &how, &h) < 0)
		return -1;
	r = chmod_handle(h, mode);
	CloseHandle(h);
	return r;
}

int sk_posix_chmod(const char *path, mode_t mode)
{
	return sk_posix_fchmodat(AT_FDCWD, path, mode, 0);
}

int sk_posix_fchmod(int fd, mode_t mode)
{
	HANDLE h = sk_win_handle(fd);

	return h == INVALID_HANDLE_VALUE ? -1 : chmod_handle(h, mode);
}

/* ---- making and removing names */

int sk_posix_mkdirat(int dirfd, const char *path, mode_t mode)
{
	struct sk_nt_how how = { .access = FILE_READ_ATTRIBUTES,
				 .disposition = FILE_CREATE,
				 .options = FILE_DIRECTORY_FILE,
				 .attributes = FILE_ATTRIBUTE_DIRECTORY };
	HANDLE h;

	(void)mode;
	if (open_at(dirfd, path, &how, &h) < 0)
		return -1;
	CloseHandle(h);
	return 0;
}

int sk_posix_mkdir(const char *path, mode_t mode)
{
	return sk_posix_mkdirat(AT_FDCWD, path, mode);
}

int sk_posix_unlinkat(int dirfd, const char *path, int flags)
{
	struct sk_nt_how how = { .access = DELETE | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES,
				 .disposition = FILE_OPEN };
	struct sk_nt_info info;
	long status;
	HANDLE h;

	if (open_at(dirfd, path, &how, &h) < 0)
		return -1;
	status = sk_nt_info(h, &info);
	if (status >= 0) {
		/* A junction is a directory to the system, and a link to us. */
		bool dir = (info.attributes & FILE_ATTRIBUTE_DIRECTORY) &&
			   !(info.attributes & FILE_ATTRIBUTE_REPARSE_POINT);

		if (dir != !!(flags & AT_REMOVEDIR)) {
			CloseHandle(h);
			errno = dir ? EISDIR : ENOTDIR;
			return -1;
		}
		status = sk_nt_remove(h);
	}
	CloseHandle(h);
	return status < 0 ? sk_win_fail_status(status) : 0;
}

int sk_posix_unlink(const char *path)
{
	return sk_posix_unlinkat(AT_FDCWD, path, 0);
}

int sk_posix_rmdir(const char *path)
{
	return sk_posix_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* The directory that the last component of `path` is in, and that component. -1 with errno. `*ret_dir` is to be closed
 * if `*ret_ours`. */
static int split(int dirfd, const char *path, HANDLE *ret_dir, bool *ret_ours, wchar_t **ret_name)
{
	struct sk_nt_how how = { .access = FILE_TRAVERSE | FILE_LIST_DIRECTORY,
				 .disposition = FILE_OPEN,
				 .options = FILE_DIRECTORY_FILE,
				 .follow = true };
	_cleanup_free_ char *above = strdup(path);
	char *slash, *back;

	if (!above)
		return -1;
	slash = strrchr(above, '/');
	back = strrchr(above, '\\');
	if (back > slash)
		slash = back;
	*ret_ours = slash || dirfd == AT_FDCWD;
	*ret_name = sk_win_wide(slash ? slash + 1 : above);
	if (!*ret_name)
		return -1;
	if (slash)
		slash[slash == above] = '\0';
	if (!*ret_ours)
		*ret_dir = sk_win_handle(dirfd);
	if (*ret_ours ? open_at(dirfd, slash ? above : ".", &how, ret_dir) < 0 : *ret_dir == INVALID_HANDLE_VALUE) {
		free(*ret_name);
		return -1;
	}
	return 0;
}

static int name_at(int fromfd, const char *from, int tofd, const char *to, bool link)
{
	struct sk_nt_how how = { .access = (link ? 0 : DELETE) | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES,
				 .disposition = FILE_OPEN };
	_cleanup_free_ wchar_t *name = NULL;
	bool ours = false;
	HANDLE h, dir;
	long status;

	if (open_at(fromfd, from, &how, &h) < 0)
		return -1;
	if (split(tofd, to, &dir, &ours, &name) < 0) {
		CloseHandle(h);
		return -1;
	}
	status = link ? sk_nt_link(h, dir, name) : sk_nt_rename(h, dir, name, true);
	CloseHandle(h);
	if (ours)
		CloseHandle(dir);
	return status < 0 ? sk_win_fail_status(status) : 0;
}

int sk_posix_renameat(int fromfd, const char *from, int tofd, const char *to)
{
	return name_at(fromfd, from, tofd, to, false);
}

int sk_posix_rename(const char *from, const char *to)
{
	return name_at(AT_FDCWD, from, AT_FDCWD, to, false);
}

int sk_posix_linkat(int fromfd, const char *from, int tofd, const char *to, int flags)
{
	(void)flags;
	return name_at(fromfd, from, tofd, to, true);
}

char *sk_posix_mkdtemp(char *pattern)
{
	size_t n = strlen(pattern);
	unsigned tries;

	if (n < 6 || strcmp(pattern + n - 6, "XXXXXX") != 0) {
		errno = EINVAL;
		return NULL;
	}
	for (tries = 0; tries < 100; tries++) {
		char random[7];

		sk_random_hex(random, 3);
		memcpy(pattern + n - 6, random, 6);
		if (sk_posix_mkdir(pattern, 0700) == 0)
			return pattern;
		if (errno != EEXIST)
			return NULL;
	}
	return NULL;
}

int sk_posix_chdir(const char *path)
{
	_cleanup_free_ wchar_t *wide = sk_win_wide(path);

	return wide && SetCurrentDirectoryW(wide) ? 0 : wide ? sk_win_fail() : -1;
}

char *sk_posix_getcwd(char *buf, size_t size)
{
	_cleanup_free_ wchar_t *wide = malloc(PATH_CHARS * sizeof(*wide));
	_cleanup_free_ char *text = NULL;
	DWORD n = wide ? GetCurrentDirectoryW(PATH_CHARS, wide) : 0;

	if (n == 0 || n >= PATH_CHARS)
		return NULL;
	text = sk_win_utf8(wide, n);
	if (!text || !buf)
		return SK_TAKE_PTR(text);
	if (strlen(text) >= size) {
		errno = ERANGE;
		return NULL;
	}
	return strcpy(buf, text);
}

FILE *sk_posix_fopen(const char *path, const char *mode)
{
	_cleanup_free_ wchar_t *wide = sk_win_wide(path);
	wchar_t m[8] = L"";
	size_t i, n = 0;

	if (!wide)
		return NULL;
	for (i = 0; mode[i] && n < 6; i++)
		if (mode[i] != 'e' && mode[i] != 'b')
			m[n++] = (wchar_t)mode[i];
	m[n] = L'b';
	return _wfopen(wide, m);
}

int sk_posix_fallocate(int fd, int mode, int64_t offset, int64_t len)
{
	FILE_ALLOCATION_INFO info = { .AllocationSize.QuadPart = offset + len };
	HANDLE h = sk_win_handle(fd);
	struct stat st;

	if (h == INVALID_HANDLE_VALUE)
		return -1;
	if (mode != 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	/* A smaller number would cut the file. */
	if (fstat(fd, &st) < 0)
		return -1;
	if (st.st_size >= offset + len)
		return 0;
	if (!SetFileInformationByHandle(h, FileAllocationInfo, &info, sizeof(info))) {
		errno = GetLastError() == ERROR_DISK_FULL ? ENOSPC : EOPNOTSUPP;
		return -1;
	}
	return ftruncate(fd, offset + len);
}

int sk_posix_symlink(const char *target, const char *path)
{
	(void)target;
	(void)path;
	errno = EPERM;
	return -1;
}

char *sk_posix_realpath(const char *path, char *buf)
{
	_cleanup_free_ wchar_t *nt = sk_win_nt_path(path), *full = calloc(PATH_CHARS, sizeof(*full));
	char *text, *p;
	DWORD n = 0;
	HANDLE h;

	if (!nt || !full || buf) {
		errno = buf ? EINVAL : errno;
		return NULL;
	}
	nt[1] = L'\\'; /* "\\?\C:\…", for programs */
	h = CreateFileW(nt, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
			FILE_FLAG_BACKUP_SEMANTICS, NULL);
	if (h != INVALID_HANDLE_VALUE) {
		n = GetFinalPathNameByHandleW(h, full, PATH_CHARS, VOLUME_NAME_DOS);
		CloseHandle(h);
	}
	if (n == 0 || n >= PATH_CHARS) {
		sk_win_fail();
		return NULL;
	}
	/* A share is "\\?\UNC\server\share". */
	if (wcsncmp(full, L"\\\\?\\UNC\\", 8) == 0) {
		full[6] = L'\\';
		text = sk_win_utf8(full + 6, n - 6);
	} else {
		text = sk_win_utf8(full + 4, n - 4);
	}
	for (p = text; p && *p; p++)
		if (*p == '\\')
			*p = '/';
	return text;
}
