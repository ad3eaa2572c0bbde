/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories that hold our state.
 *
 * What lies in such a directory is believed: records name programs to run, locks decide who is alive, sockets lead to
 * monitors. So nobody else may be able to put anything there, now or later. The path is walked by descriptor, and each
 * directory on the way is looked at through the descriptor that the next step starts from: its owner is root or us, and
 * nobody else may rename or replace what is in it (not writable by others, or sticky). Symbolic links are followed by
 * hand, and only those of root or of us. A path that passed cannot be made to lead elsewhere by another user, so that
 * later opens by name reach the same directory.
 */
#include "base/private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"

#define SK_LINKS_MAX 32u
#define SK_OVERFLOW_UID 65534u

struct path_walk {
	const char *path; /* as it was asked for */
	mode_t mode;
	char done[PATH_MAX]; /* canonical, of `fd`; "" is the root directory */
	char rest[PATH_MAX]; /* still to walk */
	int fd;
	unsigned links;
	struct sk_error *err;
};

static bool is_trusted_owner(uid_t uid)
{
	/* In a user namespace the root of the host has no number of its own. */
	return uid == 0 || uid == geteuid() || (uid == SK_OVERFLOW_UID && sk_in_user_namespace());
}

/* Whether users other than root and us may write there. A group that carries our own number is ours alone. */
static bool is_open_to_others(const struct stat *st)
{
	bool own_group = st->st_gid == 0 || (st->st_gid == getegid() && getegid() == geteuid());

	return (st->st_mode & S_IWOTH) || ((st->st_mode & S_IWGRP) && !own_group);
}

static int check_on_the_way(const struct path_walk *w, const char *at, const struct stat *st)
{
	if (!is_trusted_owner(st->st_uid))
		return sk_error_set(w->err, EPERM, "cannot use %s: %s belongs to another user (uid %u)", w->path, at,
				    st->st_uid);
	if (S_ISDIR(st->st_mode) && is_open_to_others(st) && !(st->st_mode & S_ISVTX))
		return sk_error_set(w->err, EPERM, "cannot use %s: other users may write to %s", w->path, at);
	return 0;
}

static int check_last(const struct path_walk *w, const char *at, const struct stat *st)
{
	if (st->st_uid != geteuid())
		return sk_error_set(
			w->err, EPERM,
			"%s does not belong to the current user, but to uid %u: remove it or choose another "
			"directory",
			at, st->st_uid);
	if (is_open_to_others(st))
		return sk_error_set(w->err, EPERM,
				    "other users may write to %s: look at what is in it, then close it with chmod go-w",
				    at);
	return 0;
}

/* Takes the next component off `rest`. False: there is none. */
static bool next_name(struct path_walk *w, char name[NAME_MAX + 1], int *ret_err)
{
	const char *p = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(p, "/");

	*ret_err = n > NAME_MAX ? -ENAMETOOLONG : 0;
	if (n == 0 || n > NAME_MAX)
		return false;
	memcpy(name, p, n);
	name[n] = '\0';
	memmove(w->rest, p + n, strlen(p + n) + 1);
	return true;
}

static bool is_last(const struct path_walk *w)
{
	return w->rest[strspn(w->rest, "/")] == '\0';
}

static int follow_link(struct path_walk *w, int link_fd, const char *at)
{
	_cleanup_free_ char *rest = strdup(w->rest);
	char target[PATH_MAX];
	ssize_t n = readlinkat(link_fd, "", target, sizeof(target) - 1);
	int len;

	if (!rest || n < 0)
		return sk_error_errno(w->err, n < 0 ? errno : ENOMEM, "cannot read the link %s", at);
	if (++w->links > SK_LINKS_MAX)
		return sk_error_errno(w->err, ELOOP, "cannot use %s", w->path);
	target[n] = '\0';
	len = snprintf(w->rest, sizeof(w->rest), "%s/%s", target, rest);
	if (len < 0 || (size_t)len >= sizeof(w->rest))
		return sk_error_errno(w->err, ENAMETOOLONG, "cannot use %s", w->path);
	if (target[0] != '/')
		return 0;
	sk_close_fd(&w->fd);
	w->done[0] = '\0';
	w->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->fd < 0 ? sk_error_errno(w->err, errno, "cannot use %s", w->path) : 0;
}

static int go_up(struct path_walk *w)
{
	int up = openat(w->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *slash = strrchr(w->done, '/');

	if (up < 0)
		return sk_error_errno(w->err, errno, "cannot use %s", w->path);
	sk_close_fd(&w->fd);
	w->fd = up;
	if (slash)
		*slash = '\0';
	return 0;
}

/* Opens `name` in the directory reached so far, or makes it. */
static int open_or_make(const struct path_walk *w, const char *name)
{
	int fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	if (mkdirat(w->fd, name, w->mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int step(struct path_walk *w, const char *name)
{
	_cleanup_fd_ int fd = -1;
	char at[PATH_MAX];
	struct stat st;
	int n, r;

	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return go_up(w);
	n = snprintf(at, sizeof(at), "%s/%s", w->done, name);
	if (n < 0 || (size_t)n >= sizeof(at))
		return sk_error_errno(w->err, ENAMETOOLONG, "cannot use %s", w->path);
	fd = open_or_make(w, name);
	if (fd < 0)
		return sk_error_errno(w->err, fd, "cannot make %s", at);
	if (fstat(fd, &st) < 0)
		return sk_error_errno(w->err, errno, "cannot look at %s", at);
	if (S_ISLNK(st.st_mode)) {
		r = check_on_the_way(w, at, &st);
		return r < 0 ? r : follow_link(w, fd, at);
	}
	if (!S_ISDIR(st.st_mode))
		return sk_error_errno(w->err, ENOTDIR, "cannot use %s: %s", w->path, at);
	r = is_last(w) ? check_last(w, at, &st) : check_on_the_way(w, at, &st);
	if (r < 0)
		return r;
	sk_close_fd(&w->fd);
	w->fd = SK_TAKE_FD(fd);
	memcpy(w->done, at, (size_t)n + 1);
	return 0;
}

static int start_walk(struct path_walk *w)
{
	char cwd[PATH_MAX] = "";
	int n;

	if (w->path[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return sk_error_errno(w->err, errno, "cannot use %s", w->path);
	n = snprintf(w->rest, sizeof(w->rest), "%s/%s", cwd, w->path);
	if (n < 0 || (size_t)n >= sizeof(w->rest))
		return sk_error_errno(w->err, ENAMETOOLONG, "cannot use %s", w->path);
	w->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->fd < 0 ? sk_error_errno(w->err, errno, "cannot use %s", w->path) : 0;
}

int sk_private_dir(const char *path, mode_t mode, char **ret_path, struct sk_error *err)
{
	struct path_walk w = { .path = path, .mode = mode, .fd = -1, .err = err };
	char name[NAME_MAX + 1];
	struct stat st;
	int fd = -1, r = start_walk(&w);

	while (r == 0 && next_name(&w, name, &r))
		r = step(&w, name);
	if (r == -ENAMETOOLONG)
		sk_error_errno(err, r, "cannot use %s", path);
	/* Once more: "/", "..", or a link's target may have been the last. */
	if (r == 0 && fstat(w.fd, &st) < 0)
		r = sk_error_errno(err, errno, "cannot look at %s", path);
	if (r == 0)
		r = check_last(&w, w.done[0] ? w.done : "/", &st);
	if (r == 0 && (fd = openat(w.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		r = sk_error_errno(err, errno, "cannot open %s", path);
	sk_close_fd(&w.fd);
	if (r == 0 && ret_path && !(*ret_path = strdup(w.done[0] ? w.done : "/"))) {
		sk_close_fd(&fd);
		r = sk_error_errno(err, ENOMEM, "cannot use %s", path);
	}
	return r < 0 ? r : fd;
}

int sk_private_subdir(int dirfd, const char *name, mode_t mode, struct sk_error *err)
{
	struct path_walk w = { .path = name, .err = err };
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r;

	if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
		return sk_error_errno(err, errno, "cannot make %s", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sk_error_errno(err, errno, "cannot open %s", name);
	r = check_last(&w, name, &st);
	return r < 0 ? r : SK_TAKE_FD(fd);
}
