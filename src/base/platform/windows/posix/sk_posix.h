/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_POSIX_H
#define SK_WINDOWS_POSIX_H

/*
 * The POSIX calls that our modules use and that mingw-w64's C library lacks or has in a poorer form, for Windows. The
 * compiler includes this file before each source (-include); the headers beside it stand for those that Windows has not
 * (poll.h, sys/socket.h, …). So a module is written once, in POSIX's words, and no module asks for the system.
 *
 * Descriptors are those of the C runtime: each holds a handle of the system, of a file, of a directory or of a socket.
 * Names are UTF-8, a slash separates, and the calls ending in "at" open relative to the handle of the directory (never
 * by a path of their own), so that what holds a directory open keeps it when it is moved. All set errno. What a file
 * system of Windows cannot keep (owner, most mode bits) reads as a fixed value; a call that would have to set such a
 * thing fails unless said otherwise below.
 */
#include <direct.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#ifndef __MINGW32__
#error "for mingw-w64"
#endif

typedef uint64_t sk_posix_dev;
#define dev_t sk_posix_dev
typedef uint32_t uid_t;
typedef uint32_t gid_t;
typedef unsigned nlink_t;
typedef int64_t blkcnt_t;
typedef int64_t blksize_t;

/* ---- open flags. Those without a number of their own in the C runtime lie above its own. */
#define O_CLOEXEC _O_NOINHERIT
#define O_DIRECTORY 0x01000000
#define O_NOFOLLOW 0x02000000
#define O_PATH 0x04000000
#define O_NONBLOCK 0 /* of regular files, where it says nothing */
#define O_NOCTTY 0
#define AT_FDCWD (-100)
#define AT_REMOVEDIR 0x200
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_SYMLINK_FOLLOW 0x400
#define AT_EMPTY_PATH 0x1000

/* ---- what a file is */
#define S_IFLNK 0xA000
#define S_IFSOCK 0xC000
#define S_ISUID 04000
#define S_ISGID 02000
#define S_ISVTX 01000
#undef S_IRWXG
#undef S_IRGRP
#undef S_IWGRP
#undef S_IXGRP
#undef S_IRWXO
#undef S_IROTH
#undef S_IWOTH
#undef S_IXOTH
#define S_IRWXG 0070
#define S_IRGRP 0040
#define S_IWGRP 0020
#define S_IXGRP 0010
#define S_IRWXO 0007
#define S_IROTH 0004
#define S_IWOTH 0002
#define S_IXOTH 0001
#define S_ISLNK(m) (((m)&S_IFMT) == S_IFLNK)
#define S_ISSOCK(m) (((m)&S_IFMT) == S_IFSOCK)

struct sk_posix_stat {
	uint64_t st_dev, st_ino; /* serial number of the volume, number of the file in it */
	unsigned st_mode;	 /* type, and 0755 or 0644; without write permission for what is read-only */
	nlink_t st_nlink;
	uid_t st_uid; /* 0 */
	gid_t st_gid;
	uint64_t st_rdev;
	int64_t st_size;
	blkcnt_t st_blocks;
	blksize_t st_blksize;
	struct timespec st_atim, st_mtim, st_ctim;
};
#define st_atime st_atim.tv_sec
#define st_mtime st_mtim.tv_sec
#define st_ctime st_ctim.tv_sec
#undef stat
#undef fstat
#define stat sk_posix_stat
#define fstat sk_posix_fstat
#define lstat sk_posix_lstat
#define fstatat sk_posix_fstatat
int sk_posix_stat(const char *path, struct sk_posix_stat *ret);
int sk_posix_lstat(const char *path, struct sk_posix_stat *ret);
int sk_posix_fstat(int fd, struct sk_posix_stat *ret);
int sk_posix_fstatat(int dirfd, const char *path, struct sk_posix_stat *ret, int flags);

/* ---- files */
#define open sk_posix_open
#define openat sk_posix_openat
#define close sk_posix_close
#define read sk_posix_read
#define write sk_posix_write
#define pread sk_posix_pread
#define pwrite sk_posix_pwrite
#undef lseek
#define lseek sk_posix_lseek
#undef ftruncate
#define ftruncate sk_posix_ftruncate
#define fsync sk_posix_fsync
#define fdatasync sk_posix_fsync
/* The mode decides whether a new file is read-only; of the rest nothing is kept. */
int sk_posix_open(const char *path, int flags, ...);
int sk_posix_openat(int dirfd, const char *path, int flags, ...);
int sk_posix_close(int fd);
ssize_t sk_posix_read(int fd, void *buf, size_t n);
ssize_t sk_posix_write(int fd, const void *buf, size_t n);
ssize_t sk_posix_pread(int fd, void *buf, size_t n, int64_t offset);
ssize_t sk_posix_pwrite(int fd, const void *buf, size_t n, int64_t offset);
int64_t sk_posix_lseek(int fd, int64_t offset, int whence);
int sk_posix_ftruncate(int fd, int64_t size);
int sk_posix_fsync(int fd); /* of a directory: nothing, a change of names is in the file system's journal */

/* ---- names */
#define mkdir sk_posix_mkdir
#define mkdirat sk_posix_mkdirat
#define rmdir sk_posix_rmdir
#define unlink sk_posix_unlink
#define unlinkat sk_posix_unlinkat
#define rename sk_posix_rename
#define renameat sk_posix_renameat
#define linkat sk_posix_linkat
#define symlink sk_posix_symlink
#define realpath sk_posix_realpath
#define access sk_posix_access
#define faccessat sk_posix_faccessat
#define chmod sk_posix_chmod
#define fchmod sk_posix_fchmod
#define fchmodat sk_posix_fchmodat
#define mkdtemp sk_posix_mkdtemp
#define chdir sk_posix_chdir
#define getcwd sk_posix_getcwd
#define fopen sk_posix_fopen
int sk_posix_mkdir(const char *path, mode_t mode);
int sk_posix_mkdirat(int dirfd, const char *path, mode_t mode);
int sk_posix_rmdir(const char *path);
int sk_posix_unlink(const char *path);
int sk_posix_unlinkat(int dirfd, const char *path, int flags);
/* Replaces what has the name, also where it is open, if the file system knows how. */
int sk_posix_rename(const char *from, const char *to);
int sk_posix_renameat(int fromfd, const char *from, int tofd, const char *to);
int sk_posix_linkat(int fromfd, const char *from, int tofd, const char *to, int flags);
char *sk_posix_realpath(const char *path, char *buf);	    /* buf NULL; malloc'd, with slashes */
int sk_posix_symlink(const char *target, const char *path); /* EPERM: most users may make none */
int sk_posix_access(const char *path, int mode);
int sk_posix_faccessat(int dirfd, const char *path, int mode, int flags);
/* Only whether the owner may write is kept: the attribute "read-only". */
int sk_posix_chmod(const char *path, mode_t mode);
int sk_posix_fchmod(int fd, mode_t mode);
int sk_posix_fchmodat(int dirfd, const char *path, mode_t mode, int flags);
char *sk_posix_mkdtemp(char *pattern);
int sk_posix_chdir(const char *path);
char *sk_posix_getcwd(char *buf, size_t size);		  /* buf NULL: malloc'd */
FILE *sk_posix_fopen(const char *path, const char *mode); /* binary */

/* Sets space aside where the file system can. */
#define fallocate sk_posix_fallocate
int sk_posix_fallocate(int fd, int mode, int64_t offset, int64_t len);
/* Whether it is a console: the C runtime counts NUL among them. */
#define isatty sk_posix_isatty
int sk_posix_isatty(int fd);

#ifndef PIPE_BUF
#define PIPE_BUF 4096
#endif
#define fcntl sk_posix_fcntl
#define F_GETFD 1
#define F_SETFD 2
#define F_GETFL 3
#define F_DUPFD_CLOEXEC 1030
#define FD_CLOEXEC 1
/* F_DUPFD_CLOEXEC; F_GETFD and F_SETFD, which change nothing: no descriptor is inherited that was not asked for;
 * F_GETFL: -1, nobody keeps them. */
int sk_posix_fcntl(int fd, int command, ...);
#define pipe sk_posix_pipe
#define pipe2 sk_posix_pipe2
/* Sockets, so that a loop can wait for them. */
int sk_posix_pipe(int ret[2]);
int sk_posix_pipe2(int ret[2], int flags);

/* ---- time, users, text */
struct tm *gmtime_r(const time_t *t, struct tm *ret);
struct tm *localtime_r(const time_t *t, struct tm *ret);
time_t timegm(struct tm *tm);
static inline uid_t geteuid(void)
{
	return 0;
}
static inline uid_t getuid(void)
{
	return 0;
}
static inline gid_t getegid(void)
{
	return 0;
}
void *memmem(const void *haystack, size_t n, const void *needle, size_t k);
void *memrchr(const void *data, int c, size_t n);
char *strchrnul(const char *s, int c);
char *strsep(char **rest, const char *ends);
char *strndup(const char *s, size_t n);
void *reallocarray(void *p, size_t n, size_t size);
char *strcasestr(const char *haystack, const char *needle);
int setenv(const char *name, const char *value, int overwrite);
int unsetenv(const char *name);

#define _SC_NPROCESSORS_ONLN 1
#define _SC_PHYS_PAGES 2
#define _SC_PAGESIZE 3
long long sysconf(int name); /* -1: another name */

/* Numbers that POSIX has and mingw-w64's errno.h has not. */
#ifndef ESTALE
#define ESTALE 9969
#endif
#ifndef EDQUOT
#define EDQUOT 9970
#endif
#ifndef ESHUTDOWN
#define ESHUTDOWN 9971
#endif

#ifndef ENOTUNIQ
#define ENOTUNIQ 9972
#endif

/* The C runtime has no words for the numbers that Windows was given late, such as those of sockets. */
#define strerror sk_posix_strerror
char *sk_posix_strerror(int number);

/* argc and argv in UTF-8, and consoles that show UTF-8: main() calls it first. */
void sk_posix_main(int *argc, char ***argv);

#endif
