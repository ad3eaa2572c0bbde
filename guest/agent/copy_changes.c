/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container has changed of its image.
 *
 * The walk goes through the overlay's upper directory, by descriptors, with the image's directory of the same name beside
 * it. What the upper directory says:
 *   - a character device 0:0: the name was removed;
 *   - a directory with trusted.overlay.opaque: another directory than the image's of that name. Of what that one had, all
 *     is removed that is not there again;
 *   - a directory with trusted.overlay.redirect: the image's, moved here. Its contents are still below the old name, so
 *     what the container sees is sent, all of it as new;
 *   - a directory without either: here for the sake of what is in it, or because something about it has changed.
 * A directory that is sent for its contents' sake is sent when the first of these is: `pending` are those that wait.
 *
 * Names that are made as places for mounts, in every container, are no changes (docker makes them in a layer of its
 * own, below the container's): `places`.
 */
#include "copy_changes.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "confine.h"
#include "copy_walk.h"
#include "rootfs.h"

#define OPAQUE "trusted.overlay.opaque"
#define REDIRECT "trusted.overlay.redirect"

static const char *const places[] = {
	".dockerenv", "dev",	      "dev/console",	   "dev/mqueue", "dev/pts",
	"dev/shm",    "etc/hostname", "etc/hosts",	   "etc/mtab",	 "etc/resolv.conf",
	"proc",	      "run",	      "run/host-services", "sys",	 "etc",
};

struct changes {
	const struct sk_changes *of;
	struct sk_copy_walk *w; /* NULL with a list; else its name is that of the entry */
	char name[PATH_MAX];	/* of the entry, without a slash in front */
	size_t name_len;
	int pending[ARCHIVE_DEPTH + 1]; /* descriptors of directories in `upper` that wait; -1: sent */
	size_t pending_len[ARCHIVE_DEPTH + 1];
	int depth;
	FILE *list;
	struct sk_error *err;
};

static int fail(struct changes *c, int code)
{
	return sk_error_errno(c->err, code, "cannot read %.512s", c->name_len ? c->name : "/");
}

static bool is_place(const struct changes *c)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(places); i++)
		if (strcmp(places[i], c->name) == 0)
			return true;
	return false;
}

/* Something of a directory's that has to do with a place in it, and so says nothing. */
static bool has_places(const struct changes *c)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(places); i++)
		if (strncmp(places[i], c->name, c->name_len) == 0 &&
		    (c->name_len == 0 || places[i][c->name_len] == '/'))
			return true;
	return false;
}

static bool has_xattr(int pathfd, const char *name, const char *value)
{
	char path[64], buf[8];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", pathfd);
	n = getxattr(path, name, buf, sizeof(buf));
	return value ? n == (ssize_t)strlen(value) && memcmp(buf, value, (size_t)n) == 0 : n >= 0 || errno == ERANGE;
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* ---- what is sent ------------------------------------------------------------------------------------------------ */

static int put_line(struct changes *c, char letter, size_t len)
{
	return fprintf(c->list, "%c/%.*s", letter, (int)len, c->name) < 0 || fputc('\0', c->list) < 0
		       ? sk_error_errno(c->err, errno, "cannot send the changes")
		       : 0;
}

static void name_entry(struct changes *c, size_t len)
{
	memcpy(c->w->name, c->name, len);
	c->w->name[len] = '\0';
	c->w->name_len = len;
}

/* The entry of `pathfd` itself, by the first `len` bytes of the name. */
static int put_entry(struct changes *c, char letter, int pathfd, size_t len)
{
	if (c->list)
		return put_line(c, letter, len);
	name_entry(c, len);
	c->w->flat = true;
	return sk_copy_tree(c->w, pathfd, 1);
}

static int send_pending(struct changes *c)
{
	int i, r = 0;

	for (i = 0; r == 0 && i < c->depth; i++)
		if (c->pending[i] >= 0) {
			r = put_entry(c, 'C', c->pending[i], c->pending_len[i]);
			c->pending[i] = -1;
		}
	return r;
}

static int put(struct changes *c, char letter, int pathfd)
{
	int r = send_pending(c);

	return r < 0 ? r : put_entry(c, letter, pathfd, c->name_len);
}

/* An empty file whose name is the name with `prefix` before its last part; NULL: ".wh..wh..opq" in it. */
static int put_mark(struct changes *c, const char *prefix)
{
	const char *base = strrchr(c->name, '/');
	_cleanup_free_ char *mark = NULL;

	base = base ? base + 1 : c->name;
	mark = prefix ? sk_asprintf("%.*s%s%s", (int)(base - c->name), c->name, prefix, base)
		      : sk_asprintf("%s/.wh..wh..opq", c->name);
	if (!mark)
		return fail(c, ENOMEM);
	archive_entry_clear(c->w->entry);
	archive_entry_copy_pathname(c->w->entry, mark);
	archive_entry_set_mode(c->w->entry, S_IFREG | 0600);
	archive_entry_set_mtime(c->w->entry, 0, 0);
	archive_entry_set_size(c->w->entry, 0);
	return archive_write_header(c->w->out, c->w->entry) < ARCHIVE_WARN ? sk_copy_fail_out(c->w) : 0;
}

static int put_deleted(struct changes *c)
{
	int r = send_pending(c);

	if (r == 0)
		r = c->list ? put_line(c, 'D', c->name_len) : put_mark(c, ".wh.");
	return r;
}

/* ---- the walk ---------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(char **names)
{
	char **p;

	for (p = names; p && *p; p++)
		free(*p);
	free(names);
}

/* The names in a directory, sorted; NULL-terminated, malloc'd. */
static int read_names(struct changes *c, int pathfd, char ***ret)
{
	_cleanup_closedir_ DIR *dir = sk_fs_opendir(pathfd, ".");
	char **names = NULL, **more;
	size_t n = 0, cap = 0;
	struct dirent *de;

	if (!dir)
		return fail(c, errno);
	do {
		de = readdir(dir);
		if (de && (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0))
			continue;
		if (n == cap) {
			cap = cap ? cap * 2 : 16;
			more = reallocarray(names, cap, sizeof(*names));
			if (!more) {
				if (n)
					names[n - 1] = NULL; /* its own string is lost with the process */
				free_names(names);
				return fail(c, ENOMEM);
			}
			names = more;
		}
		names[n] = de ? strdup(de->d_name) : NULL;
		if (de && !names[n]) {
			free_names(names);
			return fail(c, ENOMEM);
		}
		n++;
	} while (de);
	qsort(names, n - 1, sizeof(*names), by_name);
	*ret = names;
	return 0;
}

/* Appends a name to the entry's; the caller puts the length back. */
static int push(struct changes *c, const char *name)
{
	size_t n = strlen(name);

	if (n + 2 > sizeof(c->name) - c->name_len)
		return fail(c, ENAMETOOLONG);
	if (c->name_len)
		c->name[c->name_len++] = '/';
	memcpy(c->name + c->name_len, name, n + 1);
	c->name_len += n;
	return 0;
}

static void pop(struct changes *c, size_t len)
{
	c->name_len = len;
	c->name[len] = '\0';
}

static int walk(struct changes *c, int upper, int lower, bool cut);

/* All of a directory as the container sees it. */
static int send_merged(struct changes *c, int pathfd, int depth)
{
	char **names = NULL, **p;
	size_t len = c->name_len;
	struct stat st;
	int r;

	if (depth > ARCHIVE_DEPTH)
		return fail(c, ELOOP);
	r = put(c, 'A', pathfd);
	if (r < 0 || fstatat(pathfd, "", &st, AT_EMPTY_PATH) < 0 || !S_ISDIR(st.st_mode))
		return r;
	r = read_names(c, pathfd, &names);
	for (p = names; r == 0 && *p; p++) {
		_cleanup_fd_ int child = openat(pathfd, *p, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (child < 0)
			continue; /* removed meanwhile */
		r = push(c, *p);
		if (r == 0)
			r = send_merged(c, child, depth + 1);
		pop(c, len);
	}
	free_names(names);
	return r;
}

/* `over`: the image has a directory of that name, which is gone. */
static int send_moved(struct changes *c, bool over)
{
	_cleanup_fd_ int pathfd = openat(c->of->merged, c->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (pathfd < 0)
		return errno == ENOENT ? 0 : fail(c, errno); /* removed meanwhile */
	r = send_merged(c, pathfd, c->depth);
	return r == 0 && over && c->w ? put_mark(c, NULL) : r;
}

/* What the image's directory has, and the container's, which is another one, has not. */
static int send_missing(struct changes *c, int upper, int lower)
{
	char **names = NULL, **p;
	size_t len = c->name_len;
	int r = read_names(c, lower, &names);

	for (p = names; r == 0 && *p; p++) {
		if (faccessat(upper, *p, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		r = push(c, *p);
		if (r == 0)
			r = put_deleted(c);
		pop(c, len);
	}
	free_names(names);
	return r;
}

static bool is_changed(const struct changes *c, const struct stat *is, const struct stat *was)
{
	return is->st_mode != was->st_mode || is->st_uid != was->st_uid || is->st_gid != was->st_gid ||
	       (!has_places(c) && is->st_mtim.tv_sec != was->st_mtim.tv_sec);
}

/* `cut`: the image's directories above this one are not seen any more. */
static int one_directory(struct changes *c, int upper, const struct stat *st, int lower, const struct stat *was,
			 bool cut)
{
	_cleanup_fd_ int below = was && S_ISDIR(was->st_mode) ? dup(lower) : -1;
	bool opaque = has_xattr(upper, OPAQUE, "y");
	int r = 0;

	if (has_xattr(upper, REDIRECT, NULL))
		return send_moved(c, below >= 0);
	if (c->depth >= ARCHIVE_DEPTH)
		return fail(c, ELOOP);
	cut = cut || opaque;
	c->pending[c->depth] = -1;
	if (below < 0)
		r = put(c, 'A', upper);
	else if (cut || is_changed(c, st, was))
		r = put(c, 'C', upper); /* with nothing of the image's below it, whatever is here counts */
	else
		c->pending[c->depth] = upper;
	c->pending_len[c->depth++] = c->name_len;
	if (r == 0 && opaque && below >= 0 && c->w)
		r = put_mark(c, NULL);
	if (r == 0)
		r = walk(c, upper, below, cut);
	if (r == 0 && cut && below >= 0 && c->list)
		r = send_missing(c, upper, below);
	c->depth--;
	return r;
}

static int one(struct changes *c, int upper_dir, int lower_dir, const char *name, bool cut)
{
	_cleanup_fd_ int upper = openat(upper_dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_fd_ int lower = lower_dir < 0 ? -1 : openat(lower_dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st, was;
	bool known;

	if (upper < 0 || fstatat(upper, "", &st, AT_EMPTY_PATH) < 0)
		return errno == ENOENT ? 0 : fail(c, errno); /* removed meanwhile */
	known = lower >= 0 && fstatat(lower, "", &was, AT_EMPTY_PATH) == 0 && !is_whiteout(&was);
	if (is_whiteout(&st))
		return known ? put_deleted(c) : 0;
	if (!known && is_place(c) && !(S_ISREG(st.st_mode) && st.st_size))
		return S_ISDIR(st.st_mode) ? walk(c, upper, -1, cut) : 0;
	if (S_ISDIR(st.st_mode))
		return one_directory(c, upper, &st, lower, known ? &was : NULL, cut);
	return put(c, known ? 'C' : 'A', upper);
}

static int walk(struct changes *c, int upper, int lower, bool cut)
{
	char **names = NULL, **p;
	size_t len = c->name_len;
	int r = read_names(c, upper, &names);

	for (p = names; r == 0 && *p; p++) {
		r = push(c, *p);
		if (r == 0)
			r = one(c, upper, lower, *p, cut);
		pop(c, len);
	}
	free_names(names);
	return r;
}

int sk_changes_send(const struct sk_changes *of, bool list, int fd, struct sk_error *err)
{
	struct changes *c = calloc(1, sizeof(*c));
	_cleanup_fd_ int copy = list ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	int r = 0;

	if (!c)
		return sk_error_errno(err, ENOMEM, "cannot send the changes");
	c->of = of;
	c->err = err;
	if (list) {
		c->list = copy < 0 ? NULL : fdopen(copy, "w");
		if (c->list)
			copy = -1; /* fclose() closes it */
		else
			r = sk_error_errno(err, errno, "cannot send the changes");
	} else {
		c->w = sk_copy_walk_new(fd, err);
		r = c->w ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = walk(c, of->upper, of->lower, false);
	if (c->w)
		r = sk_copy_walk_end(c->w, r);
	if (c->list && fclose(c->list) != 0 && r == 0)
		r = sk_error_errno(err, errno, "cannot send the changes");
	free(c);
	return r;
}

int sk_changes_send_container(const char *dir, bool list, int fd, struct sk_error *err)
{
	char path[256];
	struct sk_changes of = { -1, -1, -1 };
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
		return sk_error_errno(err, errno, "cannot make a mount namespace");
	snprintf(path, sizeof(path), "%s/rootfs", dir);
	of.merged = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = of.merged < 0 ? sk_error_errno(err, errno, "cannot open %s", path)
			  : sk_rootfs_parts(dir, &of.upper, &of.lower, err);
	if (r == 0)
		r = sk_changes_send(&of, list, fd, err);
	sk_close_fd(&of.upper);
	sk_close_fd(&of.lower);
	sk_close_fd(&of.merged);
	return r;
}
