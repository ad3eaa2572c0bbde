/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cp on Windows. Names are stored as WSL stores them, and so as a share of that directory has them (export/windows_name.h).
 * There are no owners, no symbolic links, no FIFOs: the caller says what was left out. What comes from Windows is
 * executable in the container, as with docker: nothing here tells programs from other files.
 *
 * A tree is walked by handles: what is swapped for a link meanwhile is not followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/platform/windows/system.h"
#include "cli/container/cp_system.h"
#include "export/windows_name.h"
#include "model/path.h"
#include "model/xmem.h"

#define DEPTH_MAX 256u /* of directories, each of which is open meanwhile */
#define NAME_BYTES (3 * 255 + 1)

char *sk_cp_stored_path(const char *path)
{
	size_t room = 3 * strlen(path) + 1, n = 0;
	char *stored = sk_xrealloc(NULL, room, 1);

	for (;;) {
		size_t len = strcspn(path, "/");
		_cleanup_free_ char *part = sk_xstrndup(path, len);

		if (sk_windows_name_escape(part, stored + n, room - n) < 0) {
			free(stored);
			return NULL;
		}
		n += strlen(stored + n);
		if (!path[len])
			return stored;
		stored[n++] = '/';
		path += len + 1;
	}
}

/* A slash, or a dot behind one, at its end means something: it is kept. */
char *sk_cp_local_path(const char *path, struct sk_error *err)
{
	_cleanup_free_ char *slashed = sk_xstrdup(path), *full = NULL;
	char *p;

	for (p = slashed; *p; p++)
		if (*p == '\\')
			*p = '/';
	full = sk_model_path_absolute(slashed);
	if (strncmp(full, "//", 2) == 0 || !full[0] || full[1] != ':' || full[2] != '/') {
		sk_error_set(err, EINVAL, "cp: %s is no path of a drive, such as C:\\data or .\\data", path);
		return NULL;
	}
	if (sk_model_path_ends_in_dot(slashed))
		return sk_xasprintf("%s/.", full);
	return sk_model_path_has_trailing_slash(slashed) ? sk_xasprintf("%s/", full) : SK_TAKE_PTR(full);
}

bool sk_cp_set_owner(int at, const char *name, struct archive_entry *entry)
{
	(void)at;
	(void)name;
	(void)entry;
	return false;
}

void sk_cp_set_time(int fd, const struct timespec *mtime)
{
	HANDLE h = sk_win_handle(fd);

	if (h != INVALID_HANDLE_VALUE)
		(void)sk_nt_set_times(h, -1, sk_nt_from_unix(mtime->tv_sec, mtime->tv_nsec));
}

static int none(void)
{
	errno = ENOSYS;
	return -1;
}

int sk_cp_make_symlink(const char *target, int at, const char *name)
{
	(void)target;
	(void)at;
	(void)name;
	return none();
}

int sk_cp_make_fifo(int at, const char *name, mode_t mode)
{
	(void)at;
	(void)name;
	(void)mode;
	return none();
}

/* Of libarchive's own struct stat nothing is used: it is the C runtime's. */
bool sk_cp_describe(struct archive_entry *entry, const char *path, const struct stat *st)
{
	(void)path;
	if (S_ISLNK(st->st_mode)) {
		errno = EOPNOTSUPP;
		return false;
	}
	archive_entry_set_filetype(entry, S_ISDIR(st->st_mode) ? AE_IFDIR : AE_IFREG);
	archive_entry_set_perm(entry, st->st_mode & 0200 ? 0755 : 0555);
	archive_entry_set_size(entry, S_ISDIR(st->st_mode) ? 0 : st->st_size);
	archive_entry_set_mtime(entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	archive_entry_set_nlink(entry, st->st_nlink);
	archive_entry_set_ino64(entry, (la_int64_t)st->st_ino);
	archive_entry_set_dev(entry, (dev_t)st->st_dev);
	return true;
}

struct walk {
	sk_cp_visit visit;
	void *arg;
	struct sk_error *err;
};

static int walk_directory(const struct walk *w, int take_fd, const char *path, const char *name, unsigned depth);

static int walk_entry(const struct walk *w, int dirfd, const char *dir, const char *below, const char *entry,
		      unsigned depth)
{
	_cleanup_free_ char *path = sk_xasprintf("%s/%s", dir, entry), *name = NULL;
	char shown[NAME_BYTES];
	struct stat st;
	int fd, r;

	if (strlen(entry) >= sizeof(shown))
		return sk_error_errno(w->err, ENAMETOOLONG, "cannot copy %s", path);
	sk_windows_name_unescape(entry, shown);
	name = *below ? sk_xasprintf("%s/%s", below, shown) : sk_xstrdup(shown);
	if (fstatat(dirfd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return sk_error_errno(w->err, errno, "cannot read %s", path);
	r = w->visit(w->arg, path, name, &st);
	if (r < 0 || !S_ISDIR(st.st_mode))
		return r;
	fd = openat(dirfd, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? sk_error_errno(w->err, errno, "cannot read %s", path)
		      : walk_directory(w, fd, path, name, depth + 1);
}

static int walk_directory(const struct walk *w, int take_fd, const char *path, const char *name, unsigned depth)
{
	_cleanup_closedir_ DIR *dir = fdopendir(take_fd);
	struct dirent *de;
	int r = 0;

	if (!dir) {
		close(take_fd);
		return sk_error_errno(w->err, errno, "cannot read %s", path);
	}
	if (depth > DEPTH_MAX)
		return sk_error_set(w->err, ELOOP, "cannot copy %s: more than %u directories in each other", path,
				    DEPTH_MAX);
	while (r == 0 && (errno = 0, de = readdir(dir)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			r = walk_entry(w, dirfd(dir), path, name, de->d_name, depth);
	if (r == 0 && errno)
		r = sk_error_errno(w->err, errno, "cannot read %s", path);
	return r;
}

int sk_cp_walk(const char *start, bool follow, sk_cp_visit visit, void *arg, struct sk_error *err)
{
	const struct walk w = { visit, arg, err };
	struct stat st;
	int fd, r;

	if ((follow ? stat(start, &st) : lstat(start, &st)) < 0)
		return sk_error_errno(err, errno, "cannot read %s", start);
	r = visit(arg, start, "", &st);
	if (r < 0 || !S_ISDIR(st.st_mode))
		return r;
	fd = open(start, O_RDONLY | O_DIRECTORY | (follow ? 0 : O_NOFOLLOW) | O_CLOEXEC);
	return fd < 0 ? sk_error_errno(err, errno, "cannot read %s", start) : walk_directory(&w, fd, start, "", 0);
}
