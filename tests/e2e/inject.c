/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded by the cases of 82-full-and-failing.sh: one call that changes something below a directory fails, in whichever
 * process of a command it comes. $INJECT_ROOT: the directory (no links in it); $INJECT_STATE: a file of 4096 bytes that the
 * processes share: 8 bytes how many calls there were, then the text of the one that failed; $INJECT_NTH: which one fails, from
 * 1; $INJECT_ERRNO; $INJECT_ALL=1: all that follow, too, as on a full disk.
 *
 * Descriptors are known by where they were opened, without further system calls: the monitor may make few.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 4096

struct state {
	uint64_t calls;
	char failed[4000];
};

static struct state *state;
static const char *root;
static size_t root_len;
static uint64_t nth;
static int error;
static bool all;
static char *names[FDS]; /* of descriptors, absolute */

__attribute__((constructor)) static void init(void)
{
	const char *file = getenv("INJECT_STATE"), *n = getenv("INJECT_NTH"), *e = getenv("INJECT_ERRNO");
	int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED || !n || !e)
		return;
	root = getenv("INJECT_ROOT");
	root_len = root ? strlen(root) : 0;
	nth = strtoull(n, NULL, 10);
	error = atoi(e);
	all = getenv("INJECT_ALL") != NULL;
	if (root)
		state = p;
}

/* The path that a call names; NULL: not known. */
static const char *path_of(int dirfd, const char *path, char buf[512])
{
	const char *dir = path && path[0] != '/' && dirfd >= 0 && dirfd < FDS ? names[dirfd] : "";

	if (!state || !path || !dir || (path[0] != '/' && !*dir))
		return NULL;
	if (strcmp(path, ".") == 0)
		snprintf(buf, 512, "%s", dir);
	else
		snprintf(buf, 512, "%s%s%s", strcmp(dir, "/") ? dir : "", path[0] == '/' ? "" : "/", path);
	return buf;
}

static bool fails(const char *call, const char *path)
{
	uint64_t n;

	if (!state || !path || strncmp(path, root, root_len) != 0 || (path[root_len] && path[root_len] != '/'))
		return false;
	path += root_len;
	n = __atomic_add_fetch(&state->calls, 1, __ATOMIC_SEQ_CST);
	if (n != nth && !(all && n > nth))
		return false;
	if (n == nth)
		snprintf(state->failed, sizeof(state->failed), "%s %s", call, path);
	errno = error;
	return true;
}

static bool fd_fails(const char *call, int fd)
{
	return fd >= 0 && fd < FDS && fails(call, names[fd]);
}

static void set_name(int fd, const char *name)
{
	if (fd < 0 || fd >= FDS)
		return;
	free(names[fd]);
	names[fd] = name ? strdup(name) : NULL;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int do_open(const char *symbol, int dirfd, const char *path, int flags, mode_t mode)
{
	int (*real)(int, const char *, int, ...) = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, symbol);
	char buf[512];
	const char *name = path_of(dirfd, path, buf);
	int fd;

	if (flags & O_CREAT && fails("open", name))
		return -1;
	fd = real(dirfd, path, flags, mode);
	set_name(fd, name);
	return fd;
}

#define OPEN_FUNCTIONS(name, at)                                               \
	int at(int dirfd, const char *path, int flags, ...)                    \
	{                                                                      \
		va_list ap;                                                    \
		mode_t mode;                                                   \
		va_start(ap, flags);                                           \
		mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0; \
		va_end(ap);                                                    \
		return do_open(#at, dirfd, path, flags, mode);                 \
	}                                                                      \
	int name(const char *path, int flags, ...)                             \
	{                                                                      \
		va_list ap;                                                    \
		mode_t mode;                                                   \
		va_start(ap, flags);                                           \
		mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0; \
		va_end(ap);                                                    \
		return do_open(#at, AT_FDCWD, path, flags, mode);              \
	}
OPEN_FUNCTIONS(open, openat)
OPEN_FUNCTIONS(open64, openat64)

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
int __open_2(const char *path, int flags)
{
	return do_open("openat", AT_FDCWD, path, flags, 0);
}
int __open64_2(const char *path, int flags)
{
	return do_open("openat64", AT_FDCWD, path, flags, 0);
}
int __openat_2(int dirfd, const char *path, int flags)
{
	return do_open("openat", dirfd, path, flags, 0);
}
int __openat64_2(int dirfd, const char *path, int flags)
{
	return do_open("openat64", dirfd, path, flags, 0);
}

/* openat2() has no function of its own. */
long syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	const struct open_how *how;
	long a[6], r;
	char buf[512];
	const char *name;
	va_list ap;
	int i;

	va_start(ap, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number != SYS_openat2)
		return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	how = (const struct open_how *)a[2];
	name = path_of((int)a[0], (const char *)a[1], buf);
	if (how->flags & O_CREAT && fails("open", name))
		return -1;
	r = real(number, a[0], a[1], a[2], a[3]);
	set_name((int)r, name);
	return r;
}

int dup(int fd)
{
	int copy = REAL(dup)(fd);

	if (copy >= 0)
		set_name(copy, fd >= 0 && fd < FDS ? names[fd] : NULL);
	return copy;
}

int close(int fd)
{
	set_name(fd, NULL);
	return REAL(close)(fd);
}

#define FD_CALL(type, name, args, ...)          \
	type name args                          \
	{                                       \
		if (fd_fails(#name, fd))        \
			return -1;              \
		return REAL(name)(__VA_ARGS__); \
	}
FD_CALL(ssize_t, write, (int fd, const void *p, size_t n), fd, p, n)
FD_CALL(ssize_t, pwrite64, (int fd, const void *p, size_t n, off_t at), fd, p, n, at)
FD_CALL(ssize_t, writev, (int fd, const struct iovec *v, int n), fd, v, n)
FD_CALL(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off_t at), fd, v, n, at)
FD_CALL(int, fsync, (int fd), fd)
FD_CALL(int, fdatasync, (int fd), fd)
FD_CALL(int, ftruncate64, (int fd, off_t n), fd, n)
FD_CALL(int, fallocate64, (int fd, int mode, off_t at, off_t n), fd, mode, at, n)

#define PATH_CALL(name, dirfd, path, args, ...)              \
	int name args                                        \
	{                                                    \
		char buf[512];                               \
		if (fails(#name, path_of(dirfd, path, buf))) \
			return -1;                           \
		return REAL(name)(__VA_ARGS__);              \
	}
PATH_CALL(mkdir, AT_FDCWD, path, (const char *path, mode_t mode), path, mode)
PATH_CALL(mkdirat, dirfd, path, (int dirfd, const char *path, mode_t mode), dirfd, path, mode)
PATH_CALL(rename, AT_FDCWD, to, (const char *from, const char *to), from, to)
PATH_CALL(renameat, dirfd, to, (int from_fd, const char *from, int dirfd, const char *to), from_fd, from, dirfd, to)
PATH_CALL(linkat, dirfd, to, (int from_fd, const char *from, int dirfd, const char *to, int flags), from_fd, from,
	  dirfd, to, flags)
PATH_CALL(symlinkat, dirfd, path, (const char *to, int dirfd, const char *path), to, dirfd, path)
