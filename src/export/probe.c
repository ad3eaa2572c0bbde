/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds out what a file system does, by trying it.
 *
 * Owner, mode and attributes are tried on a file of O_TMPFILE, which nobody ever sees; where that is missing (FUSE,
 * network file systems), on one whose name is removed as soon as it is made. Everything else needs names and is done in
 * a directory SK_PROBE_PREFIX…, which is removed with all that is in it; a probe that was killed leaves such a
 * directory behind, which has that name and nothing of value. Nothing that exists is ever opened for writing.
 */
#include "export/probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/ea.h"
#include "export/lxmeta.h"
#include "export/override.h"
#include "export/sidecar.h"

#define SK_PROBE_PREFIX ".skerry-probe-"
#define XATTR_NAME "user.skerry.probe"
#define OTHER_UID 12345u
#define OTHER_GID 54321u
#define LEFT_MAX 64u

static enum sk_probe_answer answer(bool yes)
{
	return yes ? SK_PROBE_YES : SK_PROBE_NO;
}

static void fresh_name(char name[48])
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint64_t)getpid();
	snprintf(name, 48, SK_PROBE_PREFIX "%016llx", (unsigned long long)random);
}

/* --- owner, mode, attributes: on an open file */

static bool owner_stays(int fd, uint32_t uid, uint32_t gid)
{
	struct stat st;

	/* An ID-mapped mount has no place for this owner; those that it has are the file system's to keep. */
	if (fchown(fd, uid, gid) < 0)
		return errno == EOVERFLOW;
	return fstat(fd, &st) == 0 && st.st_uid == uid && st.st_gid == gid;
}

static bool mode_stays(int fd, mode_t mode)
{
	struct stat st;

	return fchmod(fd, mode) == 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == mode;
}

static bool xattr_stays(int fd)
{
	char got[8];

	if (fsetxattr(fd, XATTR_NAME, "probe", 5, 0) < 0 || fgetxattr(fd, XATTR_NAME, got, sizeof(got)) != 5 ||
	    memcmp(got, "probe", 5) != 0)
		return false;
	return fremovexattr(fd, XATTR_NAME) == 0;
}

static bool ea_stays(int fd)
{
	const struct sk_override o = { OTHER_UID, OTHER_GID, S_IFREG | 0604, 0, 0 };
	struct sk_override got;

	return sk_ea_store(fd, &o, SK_LX_ALL) == 0 && sk_ea_load(fd, S_IFREG, &got, NULL) == 0 && got.uid == o.uid &&
	       got.gid == o.gid && got.mode == o.mode;
}

static void try_owner(int fd, struct sk_probe *p)
{
	/* Two modes: a file system may show the same one for everything. */
	p->chmod = answer(mode_stays(fd, 0640) && mode_stays(fd, 0604));
	p->chown = answer(owner_stays(fd, OTHER_UID, OTHER_GID) && owner_stays(fd, 0, 0));
	p->xattr = answer(xattr_stays(fd));
	p->ea = answer(ea_stays(fd));
}

/* A file to try things on that has no name, or one that has to be removed after it was closed, because the file system
 * refuses it before (`name`, else ""). -1: the directory cannot be written, or the file system is strange. */
static int nameless(int dirfd, struct sk_probe *p, char name[48])
{
	char other[48], *c;
	struct stat st;
	int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	name[0] = 0;
	if (fd >= 0)
		return fd;
	fresh_name(name);
	fd = openat(dirfd, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		name[0] = 0;
		return fd;
	}
	strcpy(other, name);
	for (c = other; *c; c++)
		*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
	p->case_matters = answer(fstatat(dirfd, other, &st, AT_SYMLINK_NOFOLLOW) < 0);
	p->remove_open = answer(unlinkat(dirfd, name, 0) == 0);
	if (p->remove_open == SK_PROBE_YES)
		name[0] = 0;
	return fd;
}

/* --- what needs names: in a directory of its own */

static bool has_type(int dir, const char *name, mode_t type)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == type;
}

static int make_file(int dir, const char *name)
{
	return openat(dir, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static void try_links(int dir, struct sk_probe *p)
{
	_cleanup_fd_ int fd = make_file(dir, "file");
	char target[16];
	struct stat st;

	p->symlink = answer(symlinkat("to/nowhere", dir, "link") == 0 && has_type(dir, "link", S_IFLNK) &&
			    readlinkat(dir, "link", target, sizeof(target)) == 10 && !memcmp(target, "to/nowhere", 10));
	p->hard_link =
		answer(fd >= 0 && linkat(dir, "file", dir, "hard", 0) == 0 && fstat(fd, &st) == 0 && st.st_nlink == 2);
}

static bool is_wsl_fifo(int dir)
{
	enum sk_lx_reparse is;
	char target[SK_LX_TARGET_MAX];
	uint8_t data[64];
	_cleanup_fd_ int fd = openat(dir, "fifo", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[40];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = fd < 0 ? -1 : getxattr(path, SK_EA_REPARSE, data, sizeof(data));
	return n > 0 && sk_lx_reparse_read(data, (size_t)n, &is, target) == 0 && is == SK_LX_REPARSE_FIFO;
}

static bool make_socket(int dir)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/socket", dir);
	return fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && has_type(dir, "socket", S_IFSOCK);
}

static void try_special(int dir, struct sk_probe *p)
{
	p->fifo = answer(mknodat(dir, "fifo", S_IFIFO | 0600, 0) == 0 && has_type(dir, "fifo", S_IFIFO));
	p->wsl = answer(p->fifo == SK_PROBE_YES && is_wsl_fifo(dir));
	p->socket = answer(make_socket(dir));
	/* The null device: a name for it can do no harm. */
	if (p->root)
		p->device = answer(mknodat(dir, "null", S_IFCHR | 0600, makedev(1, 3)) == 0 &&
				   has_type(dir, "null", S_IFCHR));
}

static void try_names(int dir, struct sk_probe *p)
{
	_cleanup_fd_ int lower = make_file(dir, "case"), upper = make_file(dir, "CASE"), any = make_file(dir, "a:b?");
	struct stat st;

	if (lower >= 0)
		p->case_matters = answer(upper >= 0);
	p->any_name = answer(any >= 0 && fstatat(dir, "a:b?", &st, AT_SYMLINK_NOFOLLOW) == 0);
}

static uint64_t granularity(int fd)
{
	const struct timespec odd[2] = { { 1000000001, 123456789 }, { 1000000001, 123456789 } };
	struct stat st;

	if (futimens(fd, odd) < 0 || fstat(fd, &st) < 0)
		return 0;
	switch (st.st_mtim.tv_nsec) {
	case 123456789:
		return 1;
	case 123456700:
		return 100;
	case 123456000:
		return 1000;
	case 123000000:
		return 1000000;
	case 120000000:
		return 10000000;
	default:
		return st.st_mtim.tv_sec % 2 ? 1000000000 : 2000000000;
	}
}

static void try_data(int dir, struct sk_probe *p)
{
	_cleanup_fd_ int fd = make_file(dir, "data"), tmp = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *map;

	if (fd < 0)
		return;
	p->tmpfile = answer(tmp >= 0);
	p->fallocate = answer(fallocate(fd, 0, 0, 65536) == 0);
	p->punch = answer(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
	p->flock = answer(flock(fd, LOCK_EX | LOCK_NB) == 0);
	map = pwrite(fd, "x", 1, 0) == 1 ? mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	p->mmap = answer(map != MAP_FAILED);
	if (map != MAP_FAILED)
		munmap(map, 1);
	p->time_ns = granularity(fd);
}

static void try_open_files(int dir, struct sk_probe *p)
{
	_cleanup_fd_ int fd = -1, sub = -1;
	int other;
	struct stat st;
	bool gone;

	if (mkdirat(dir, "sub", 0700) < 0)
		return;
	sub = openat(dir, "sub", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	fd = sub < 0 ? -1 : make_file(sub, "open");
	if (fd < 0)
		return;
	other = make_file(sub, "new");
	if (other >= 0)
		close(other);
	p->rename_over = answer(pwrite(fd, "old", 3, 0) == 3 && renameat(sub, "new", sub, "open") == 0 &&
				fstat(fd, &st) == 0 && st.st_size == 3);
	close(SK_TAKE_FD(fd));
	fd = openat(sub, "open", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	gone = fd >= 0 && unlinkat(sub, "open", 0) == 0 && pwrite(fd, "x", 1, 0) == 1;
	p->remove_open = answer(gone);
	/* FUSE gives it another name until it is closed. */
	p->unlink_open = answer(gone && unlinkat(dir, "sub", AT_REMOVEDIR) == 0);
}

/* Removes what is in the directory, one level of directories deep, at most LEFT_MAX names. */
static void clear(int dir, unsigned depth)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *e;
	unsigned n = 0;

	while (d && n++ < LEFT_MAX && (e = readdir(d))) {
		_cleanup_fd_ int sub = -1;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || unlinkat(dir, e->d_name, 0) == 0 ||
		    !depth)
			continue;
		sub = openat(dir, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			clear(sub, depth - 1);
		(void)unlinkat(dir, e->d_name, AT_REMOVEDIR);
	}
	if (d)
		closedir(d);
	else if (copy >= 0)
		close(copy);
}

static void try_all(int dir, struct sk_probe *p)
{
	try_links(dir, p);
	try_special(dir, p);
	try_names(dir, p);
	try_data(dir, p);
	try_open_files(dir, p);
}

/* Makes a directory, tries something in it, and removes it. */
static void in_directory(int dirfd, void (*try_it)(int dir, struct sk_probe *p), struct sk_probe *p)
{
	_cleanup_fd_ int dir = -1;
	char name[48];
	unsigned tries;

	fresh_name(name);
	if (mkdirat(dirfd, name, 0700) < 0)
		return;
	dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0)
		try_it(dir, p);
	/* FUSE removes the names of closed files a moment later. */
	for (tries = 0; tries < 20; tries++) {
		if (dir >= 0)
			clear(dir, 1);
		if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return;
		usleep(10000);
	}
}

/* --- what can be seen without writing */

static void look(int fd, bool is_dir, struct sk_probe *p)
{
	char path[40];
	struct sk_override o;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* An attribute that is not there: is it that one, or all? */
	if (getxattr(path, SK_OVERRIDE_XATTR, NULL, 0) >= 0 || errno == ENODATA)
		p->xattr = SK_PROBE_YES;
	else if (errno == EOPNOTSUPP)
		p->xattr = SK_PROBE_NO;
	if (getxattr(path, SK_EA_XATTR, NULL, 0) >= 0 || errno == ENODATA)
		p->ea = SK_PROBE_YES;
	else if (errno == EOPNOTSUPP)
		p->ea = SK_PROBE_NO;
	if (sk_override_load(fd, &o) == 0)
		p->marks |= SK_PROBE_MARK_XATTR;
	if (sk_ea_load(fd, is_dir ? S_IFDIR : S_IFREG, &o, NULL) == 0)
		p->marks |= SK_PROBE_MARK_EA;
	if (is_dir && fstatat(fd, SK_SIDECAR_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		p->marks |= SK_PROBE_MARK_SIDECAR;
}

int sk_probe_run(int fd, enum sk_probe_depth depth, struct sk_probe *ret)
{
	_cleanup_fd_ int file = -1;
	char left[48];
	struct stat st;

	memset(ret, 0, sizeof(*ret));
	ret->root = geteuid() == 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	look(fd, S_ISDIR(st.st_mode), ret);
	if (depth == SK_PROBE_LOOK || !S_ISDIR(st.st_mode))
		return 0;
	file = nameless(fd, ret, left);
	ret->writable = answer(file >= 0);
	if (file < 0)
		return 0;
	try_owner(file, ret);
	sk_close_fd(&file);
	if (left[0])
		(void)unlinkat(fd, left, 0);
	/* Where there are nameless files, names are not needed to keep one. */
	if (depth == SK_PROBE_ALL)
		in_directory(fd, try_all, ret);
	else if (ret->case_matters != SK_PROBE_UNKNOWN)
		in_directory(fd, try_open_files, ret);
	return 0;
}

void sk_probe_choose(const struct sk_probe *probe, enum sk_export_who *ret_who, enum sk_export_keep *ret_keep)
{
	bool stays = probe->chown == SK_PROBE_YES && probe->chmod == SK_PROBE_YES;

	/* Nothing better can be had (NFS with root_squash, sshfs): the host has the last word, as it says itself. */
	if (probe->chmod == SK_PROBE_YES && probe->xattr != SK_PROBE_YES && probe->ea != SK_PROBE_YES)
		stays = true;
	/* What cannot be tried is as it was taken for before: the host's, unless somebody has mapped it. */
	if (probe->chown == SK_PROBE_UNKNOWN)
		stays = !probe->marks;
	*ret_who = probe->root && stays ? SK_EXPORT_TRUST : SK_EXPORT_MAPPED;
	/* Where modes stay (NFS, an old tmpfs), a plain user goes without other owners rather than with a file of ours in
	 * each directory, and with hard links. */
	if (probe->ea == SK_PROBE_YES)
		*ret_keep = SK_EXPORT_KEEP_EA;
	else if ((probe->xattr == SK_PROBE_NO && probe->chmod != SK_PROBE_YES) ||
		 (probe->marks & SK_PROBE_MARK_SIDECAR))
		*ret_keep = SK_EXPORT_KEEP_SIDECAR;
	else
		*ret_keep = SK_EXPORT_KEEP_XATTR;
}
