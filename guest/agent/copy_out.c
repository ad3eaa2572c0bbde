/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a tree as tar (get), and what stat says of one path. Unpacking is in copy_in.c.
 *
 * The walk goes by descriptors: every directory is opened relative to the one above it with O_NOFOLLOW, so a container
 * that swaps a directory for a link meanwhile gets an error, not a way out. Only regular files are opened for
 * reading; a FIFO or device is described, never opened. A file that changes its size while it is read is padded or
 * cut to what its header says.
 */
#include "copy.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "confine.h"
#include "copy_walk.h"

#define ARCHIVE_LINKS (1u << 20) /* files with several names that are remembered */
#define ARCHIVE_XATTR_LIST (64u * 1024u)

int sk_copy_fail(struct sk_copy_walk *w, int code)
{
	return sk_error_errno(w->err, code, "cannot read %.512s", w->name);
}

int sk_copy_fail_out(struct sk_copy_walk *w)
{
	int code = archive_errno(w->out);

	return sk_error_set(w->err, code > 0 ? code : EIO, "cannot send %.400s: %.400s", w->name,
			    archive_error_string(w->out) ? archive_error_string(w->out) : "");
}

/* The name under which the file is in the archive already, or NULL, and then this one is remembered. */
static const char *known_link(struct sk_copy_walk *w, const struct stat *st)
{
	struct sk_copy_link **slot = &w->links[(st->st_ino * 31 + st->st_dev) % SK_ARRAY_SIZE(w->links)], *l;

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return NULL;
	for (l = *slot; l; l = l->next)
		if (l->dev == st->st_dev && l->ino == st->st_ino)
			return l->name;
	if (w->n_links >= ARCHIVE_LINKS)
		return NULL;
	l = malloc(sizeof(*l) + w->name_len + 1);
	if (!l)
		return NULL;
	l->dev = st->st_dev;
	l->ino = st->st_ino;
	memcpy(l->name, w->name, w->name_len + 1);
	l->next = *slot;
	*slot = l;
	w->n_links++;
	return NULL;
}

static void add_xattrs(struct sk_copy_walk *w, int fd)
{
	_cleanup_free_ char *list = malloc(ARCHIVE_XATTR_LIST);
	char path[64], *name;
	ssize_t n, v;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = list ? listxattr(path, list, ARCHIVE_XATTR_LIST) : 0;
	for (name = list; n > 0 && name < list + n; name += strlen(name) + 1) {
		if (strncmp(name, "trusted.overlay.", 16) == 0)
			continue; /* the overlay's own, not the file's */
		v = getxattr(path, name, w->chunk, ARCHIVE_CHUNK);
		if (v >= 0)
			archive_entry_xattr_add_entry(w->entry, name, w->chunk, (size_t)v);
	}
}

static int send_data(struct sk_copy_walk *w, int fd, off_t size)
{
	off_t left = size;

	while (left > 0) {
		size_t want = left < (off_t)ARCHIVE_CHUNK ? (size_t)left : ARCHIVE_CHUNK;
		ssize_t n = read(fd, w->chunk, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sk_copy_fail(w, errno);
		if (n == 0) {
			memset(w->chunk, 0, want);
			n = (ssize_t)want;
		}
		if (archive_write_data(w->out, w->chunk, (size_t)n) < 0)
			return sk_copy_fail_out(w);
		left -= n;
	}
	return 0;
}

/* Describes the file behind `pathfd` (O_PATH) in w->entry and writes its header. */
static int send_header(struct sk_copy_walk *w, int pathfd, const struct stat *st, const char *link)
{
	char target[PATH_MAX];
	ssize_t n;

	archive_entry_clear(w->entry);
	archive_entry_copy_stat(w->entry, st);
	archive_entry_copy_pathname(w->entry, w->name);
	if (link) {
		archive_entry_copy_hardlink(w->entry, link);
		archive_entry_unset_size(w->entry);
	} else if (S_ISLNK(st->st_mode)) {
		n = readlinkat(pathfd, "", target, sizeof(target) - 1);
		if (n < 0)
			return sk_copy_fail(w, errno);
		target[n] = '\0';
		archive_entry_copy_symlink(w->entry, target);
		archive_entry_set_size(w->entry, 0);
	} else {
		if (!S_ISREG(st->st_mode))
			archive_entry_set_size(w->entry, 0);
		add_xattrs(w, pathfd);
	}
	if (archive_write_header(w->out, w->entry) < ARCHIVE_WARN)
		return sk_copy_fail_out(w);
	return 0;
}

static int send_children(struct sk_copy_walk *w, int pathfd, int depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	size_t len = w->name_len;
	struct dirent *de;
	int fd = openat(pathfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return sk_copy_fail(w, errno);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return sk_copy_fail(w, ENOMEM);
	}
	while (r == 0 && (de = readdir(dir))) {
		_cleanup_fd_ int child = -1;
		size_t n = strlen(de->d_name);

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if (n + 2 > sizeof(w->name) - len)
			return sk_copy_fail(w, ENAMETOOLONG);
		child = openat(dirfd(dir), de->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0 && errno == ENOENT)
			continue; /* removed meanwhile */
		if (len && w->name[len - 1] != '/')
			w->name[len++] = '/';
		memcpy(w->name + len, de->d_name, n + 1);
		w->name_len = len + n;
		r = child < 0 ? sk_copy_fail(w, errno) : sk_copy_tree(w, child, depth + 1);
		w->name_len = len;
		w->name[len] = '\0';
	}
	return r;
}

/* Something is mounted here: the place for it, as whoever makes such places does. */
static int send_mount_point(struct sk_copy_walk *w, struct stat *st)
{
	st->st_mode = (st->st_mode & S_IFMT) | 0755;
	st->st_uid = st->st_gid = 0;
	st->st_size = 0;
	if (!S_ISDIR(st->st_mode))
		st->st_mode = S_IFREG | 0755;
	archive_entry_clear(w->entry);
	archive_entry_copy_stat(w->entry, st);
	archive_entry_copy_pathname(w->entry, w->name);
	return archive_write_header(w->out, w->entry) < ARCHIVE_WARN ? sk_copy_fail_out(w) : 0;
}

static bool is_mount_point(int pathfd)
{
	struct statx st;

	return statx(pathfd, "", AT_EMPTY_PATH, STATX_TYPE, &st) == 0 && st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

int sk_copy_tree(struct sk_copy_walk *w, int pathfd, int depth)
{
	_cleanup_fd_ int fd = -1;
	const char *link;
	struct stat st;
	int r;

	if (fstatat(pathfd, "", &st, AT_EMPTY_PATH) < 0)
		return sk_copy_fail(w, errno);
	if (S_ISSOCK(st.st_mode))
		return 0; /* tar has no word for it */
	if (depth > ARCHIVE_DEPTH)
		return sk_copy_fail(w, ELOOP);
	if (w->unmounted && depth == 0)
		return send_children(w, pathfd, depth);
	if (w->unmounted && is_mount_point(pathfd))
		return send_mount_point(w, &st);
	link = known_link(w, &st);
	if (S_ISREG(st.st_mode) && !link) {
		/* Before the header: what cannot be read must not be announced. */
		fd = sk_confine_reopen(pathfd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
		if (fd < 0)
			return sk_copy_fail(w, fd);
	}
	r = send_header(w, pathfd, &st, link);
	if (r == 0 && fd >= 0)
		r = send_data(w, fd, st.st_size);
	if (r == 0 && S_ISDIR(st.st_mode) && !w->flat)
		r = send_children(w, pathfd, depth);
	return r;
}

/* The archive's name for `path`: its last component, "./" for the root. */
static void first_name(struct sk_copy_walk *w, const char *path)
{
	size_t n = strlen(path), start;

	while (n && (path[n - 1] == '/' || (path[n - 1] == '.' && (n == 1 || path[n - 2] == '/'))))
		n--;
	for (start = n; start && path[start - 1] != '/'; start--)
		;
	n -= start;
	if (n == 0 || n >= NAME_MAX + 1 || (n == 2 && memcmp(path + start, "..", 2) == 0)) {
		strcpy(w->name, "./");
		w->name_len = 2;
		return;
	}
	memcpy(w->name, path + start, n);
	w->name[n] = '\0';
	w->name_len = n;
}

void sk_copy_walk_free(struct sk_copy_walk *w)
{
	size_t i;

	if (!w)
		return;
	for (i = 0; i < SK_ARRAY_SIZE(w->links); i++)
		while (w->links[i]) {
			struct sk_copy_link *l = w->links[i];

			w->links[i] = l->next;
			free(l);
		}
	archive_entry_free(w->entry);
	archive_write_free(w->out);
	free(w->chunk);
	free(w);
}

struct sk_copy_walk *sk_copy_walk_new(int fd, struct sk_error *err)
{
	struct sk_copy_walk *w = calloc(1, sizeof(*w));

	if (w) {
		w->out = archive_write_new();
		w->entry = archive_entry_new();
		w->chunk = malloc(ARCHIVE_CHUNK);
		w->err = err;
	}
	if (!w || !w->out || !w->entry || !w->chunk) {
		sk_copy_walk_free(w);
		sk_error_errno(err, ENOMEM, "cannot write an archive");
		return NULL;
	}
	archive_write_set_format_pax_restricted(w->out);
	/* A name that is not ASCII is written as it is, marked with hdrcharset=BINARY: in the locale "C" it cannot be
	 * translated. That for all names would make GNU tar warn of each. */
	archive_write_set_bytes_per_block(w->out, (int)ARCHIVE_CHUNK);
	archive_write_set_bytes_in_last_block(w->out, 512);
	if (archive_write_open_fd(w->out, fd) != ARCHIVE_OK) {
		sk_copy_fail_out(w);
		sk_copy_walk_free(w);
		return NULL;
	}
	return w;
}

int sk_copy_walk_end(struct sk_copy_walk *w, int r)
{
	if (r == 0 && archive_write_close(w->out) != ARCHIVE_OK)
		r = sk_copy_fail_out(w);
	sk_copy_walk_free(w);
	return r;
}

static int get(int rootfd, const char *path, bool follow, bool unmounted, int fd, struct sk_error *err)
{
	_cleanup_fd_ int pathfd = sk_confine_path(rootfd, path, follow);
	struct sk_copy_walk *w;

	if (pathfd < 0)
		return sk_error_errno(err, pathfd, "%s", path);
	w = sk_copy_walk_new(fd, err);
	if (!w)
		return sk_error_wrap(err, "%s", path);
	w->unmounted = unmounted;
	if (!unmounted)
		first_name(w, path);
	return sk_copy_walk_end(w, sk_copy_tree(w, pathfd, 0));
}

int sk_copy_get(int rootfd, const char *path, bool follow, int fd, struct sk_error *err)
{
	return get(rootfd, path, follow, false, fd, err);
}

int sk_copy_get_unmounted(int rootfd, const char *path, int fd, struct sk_error *err)
{
	return get(rootfd, path, true, true, fd, err);
}

json_t *sk_copy_stat(int rootfd, const char *path, struct sk_error *err)
{
	_cleanup_fd_ int pathfd = sk_confine_path(rootfd, path, 0);
	char target[PATH_MAX] = "", name[NAME_MAX + 1] = "/";
	const char *base, *end = path + strlen(path);
	struct stat st;
	ssize_t n = 0;
	json_t *o;

	if (pathfd < 0 || fstatat(pathfd, "", &st, AT_EMPTY_PATH) < 0) {
		sk_error_errno(err, pathfd < 0 ? pathfd : errno, "%s", path);
		return NULL;
	}
	if (S_ISLNK(st.st_mode))
		n = readlinkat(pathfd, "", target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	while (end > path + 1 && end[-1] == '/')
		end--;
	for (base = end; base > path && base[-1] != '/'; base--)
		;
	if (base < end && end - base <= NAME_MAX)
		snprintf(name, sizeof(name), "%.*s", (int)(end - base), base);
	o = json_pack("{s:s,s:I,s:I,s:[I,I],s:s,s:b}", "name", name, "size", (json_int_t)st.st_size, "mode",
		      (json_int_t)st.st_mode, "mtime", (json_int_t)st.st_mtim.tv_sec, (json_int_t)st.st_mtim.tv_nsec,
		      "link", target, "is_dir", (int)S_ISDIR(st.st_mode));
	if (!o)
		sk_error_errno(err, EILSEQ, "%s", path);
	return o;
}
