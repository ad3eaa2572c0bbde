/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Names that open files keep after their removal. Clients neither see them nor reach them by name.
 *
 * FUSE's library gives a file that is open when its name is removed or replaced the name ".fuse_hidden" and 16
 * hexadecimal digits, in the same directory, until it is closed. Nobody has to clean up after a server that is killed:
 * its files are closed then.
 *
 * Other file systems refuse (SMB, NTFS without POSIX semantics: holds_open). There this file does what NFS clients do:
 *
 *   ".skerry-gone-X"        the file was removed. Its name goes when the last open file of it is closed
 *   ".skerry-over-X-NAME"   the file is being replaced: it is moved aside, the new one gets NAME, and the old one is
 *                           "gone". A server that is killed between the first two steps leaves no NAME
 *
 * with 16 hexadecimal digits X. What a killed server has left is cleaned up when the directory is listed or removed
 * next: "over" gets NAME back if there is none, everything else is removed. No care is needed for the names of other
 * servers: the file system refuses to remove those that are in use, which is why they are there.
 *
 * A directory that has nothing else is empty for clients: before it is removed, such names are moved to the one above.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/posix_internal.h"
#include "export/sidecar.h"

#define FUSE_PREFIX ".fuse_hidden"
#define GONE_PREFIX ".skerry-gone-"
#define OVER_PREFIX ".skerry-over-"
#define DIGITS 16u
#define OVER_HEAD (sizeof(OVER_PREFIX) - 1 + DIGITS + 1) /* in front of NAME */
#define REPLACE_TRIES 3
/* Names that could not be removed when their file was closed, and are tried again with the next ones. */
#define AGAIN_MAX 16u

/* A name of ours in a directory. */
struct posix_left {
	struct posix_left *next;
	struct sk_9p_node *dir;	 /* counted */
	struct sk_9p_node *node; /* whose open files keep it; NULL: none of this server's */
	char name[P9_NAME_MAX + 1];
};

static bool has_digits(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 && strspn(name + n, "0123456789abcdef") == DIGITS;
}

static bool is_gone(const char *name)
{
	return has_digits(name, GONE_PREFIX) && !name[sizeof(GONE_PREFIX) - 1 + DIGITS];
}

/* The name that such a file had, or NULL. */
static const char *over_of(const char *name)
{
	return has_digits(name, OVER_PREFIX) && name[OVER_HEAD - 1] == '-' && name[OVER_HEAD] ? name + OVER_HEAD : NULL;
}

static bool is_ours(const struct posix_fs *p, const char *name)
{
	return p->c.holds_open && (is_gone(name) || over_of(name));
}

bool posix_left_name(const struct posix_fs *p, const char *name)
{
	return name[0] == '.' &&
	       ((p->c.leaves_names && has_digits(name, FUSE_PREFIX) && !name[sizeof(FUSE_PREFIX) - 1 + DIGITS]) ||
		is_ours(p, name));
}

/* --- what this server has to remove */

static void drop(struct posix_fs *p, struct posix_left **at)
{
	struct posix_left *l = *at;

	*at = l->next;
	posix_put(&p->fs, l->dir);
	free(l);
}

/* True: the name is gone. */
static bool remove_left(struct posix_fs *p, const struct posix_left *l)
{
	int fd = posix_fd(p, l->dir);

	return fd >= 0 && (unlinkat(fd, l->name, 0) == 0 || errno == ENOENT);
}

/* Without memory it waits for the next listing of the directory. */
static void note(struct posix_fs *p, struct sk_9p_node *dir, const char *name, struct sk_9p_node *node)
{
	struct posix_left *l = calloc(1, sizeof(*l));

	if (!l)
		return;
	l->dir = posix_get(&p->fs, dir);
	l->node = node && node->files ? node : NULL;
	strcpy(l->name, name);
	l->next = p->left;
	p->left = l;
}

void posix_left_closed(struct posix_fs *p, const struct sk_9p_node *node)
{
	struct posix_left **at = &p->left;
	unsigned again = 0;

	while (*at) {
		struct posix_left *l = *at;

		if (l->node == node)
			l->node = NULL;
		if (!l->node && again++ < AGAIN_MAX && remove_left(p, l))
			drop(p, at);
		else
			at = &l->next;
	}
}

void posix_left_free(struct posix_fs *p)
{
	while (p->left) {
		(void)remove_left(p, p->left);
		drop(p, &p->left);
	}
}

/* --- removing and replacing */

static bool is_refused(int error)
{
	return error == -EBUSY || error == -EACCES || error == -EPERM || error == -ETXTBSY;
}

/* `name`: NULL, or what the file was called. False: that is too long. */
static bool fresh_name(char to[P9_NAME_MAX + 1], const char *prefix, const char *name)
{
	uint64_t random = 0;
	int n;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint64_t)getpid() << 32 | (uint32_t)(uintptr_t)to;
	n = snprintf(to, P9_NAME_MAX + 1, "%s%016llx%s%s", prefix, (unsigned long long)random, name ? "-" : "",
		     name ? name : "");
	return n > 0 && (unsigned)n <= P9_NAME_MAX;
}

static bool is_file(int dirfd, const char *name, struct stat *ret_st)
{
	return fstatat(dirfd, name, ret_st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(ret_st->st_mode);
}

int posix_left_unlink(struct posix_fs *p, struct sk_9p_node *dir, int dirfd, const char *name, struct sk_9p_node *node,
		      int error)
{
	char hidden[P9_NAME_MAX + 1];
	struct stat st;

	if (!p->c.holds_open || !is_refused(error) || !is_file(dirfd, name, &st) ||
	    !fresh_name(hidden, GONE_PREFIX, NULL) || renameat(dirfd, name, dirfd, hidden) < 0)
		return error;
	note(p, dir, hidden, node);
	return 0;
}

/* One try. */
static int replace(struct posix_fs *p, int oldfd, const char *oldname, struct sk_9p_node *newdir, int newfd,
		   const char *newname, struct sk_9p_node *node, int error)
{
	char aside[P9_NAME_MAX + 1], gone[P9_NAME_MAX + 1];
	struct stat from, to;
	int r;

	if (fstatat(oldfd, oldname, &from, AT_SYMLINK_NOFOLLOW) < 0 || !is_file(newfd, newname, &to) ||
	    (from.st_ino == to.st_ino && from.st_dev == to.st_dev) || S_ISDIR(from.st_mode) ||
	    !fresh_name(aside, OVER_PREFIX, newname) || renameat(newfd, newname, newfd, aside) < 0)
		return error;
	r = renameat(oldfd, oldname, newfd, newname) < 0 ? -errno : 0;
	if (r < 0) {
		(void)renameat(newfd, aside, newfd, newname);
		return r;
	}
	/* Under the longer name it would be found as well, but for a while, after NAME is gone, as NAME. */
	if (fresh_name(gone, GONE_PREFIX, NULL) && renameat(newfd, aside, newfd, gone) == 0)
		note(p, newdir, gone, node);
	else
		note(p, newdir, aside, node);
	if (!node || !node->files)
		posix_left_closed(p, NULL);
	return 0;
}

int posix_left_replace(struct posix_fs *p, int oldfd, const char *oldname, struct sk_9p_node *newdir, int newfd,
		       const char *newname, struct sk_9p_node *node, int error)
{
	int tries;

	/* Another server that cleans up may have put it back in between. */
	for (tries = 0; tries < REPLACE_TRIES && p->c.holds_open && is_refused(error); tries++)
		error = replace(p, oldfd, oldname, newdir, newfd, newname, node, error);
	return error;
}

/* --- cleaning up */

/* True: there is no such name any more. */
static bool clean(int dirfd, const char *name)
{
	const char *was = over_of(name);
	struct stat st;

	if (was && fstatat(dirfd, was, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return renameat(dirfd, name, dirfd, was) == 0;
	return unlinkat(dirfd, name, 0) == 0 || errno == ENOENT;
}

void posix_left_sweep(struct posix_fs *p, struct sk_9p_node *dir, int dirfd, const char *name)
{
	struct posix_left **at = &p->left;

	if (!is_ours(p, name))
		return;
	while (*at && !((*at)->dir == dir && strcmp((*at)->name, name) == 0))
		at = &(*at)->next;
	/* What this server has open needs no try. */
	if (*at && (*at)->node)
		return;
	if (clean(dirfd, name) && *at)
		drop(p, at);
}

/* What was in the directory `st` is in `up` now. */
static void moved_up(struct posix_fs *p, const struct stat *st, struct sk_9p_node *up)
{
	struct posix_left *l;

	for (l = p->left; l; l = l->next) {
		if (l->dir->ino != st->st_ino || l->dir->dev != up->dev || l->dir == up)
			continue;
		posix_put(&p->fs, l->dir);
		l->dir = posix_get(&p->fs, up);
	}
}

/* -ENOTEMPTY: there is something that clients see. */
static int move_all(const struct posix_fs *p, int dir, int up, bool really)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *e;

	if (!d) {
		r = -errno;
		sk_close_fd(&copy);
		return r;
	}
	while (r == 0 && (e = readdir(d))) {
		const char *name = e->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (posix_sidecar(p) && sk_sidecar_is(name)))
			continue;
		if (!posix_left_name(p, name))
			r = -ENOTEMPTY;
		else if (is_ours(p, name) && clean(dir, name))
			r = over_of(name) && faccessat(dir, over_of(name), F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? -ENOTEMPTY
													   : 0;
		else if (faccessat(up, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			r = -ENOTEMPTY;
		/* ENOENT: it has been closed. */
		else if (really && renameat(dir, name, up, name) < 0 && errno != ENOENT)
			r = -ENOTEMPTY;
	}
	closedir(d);
	return r;
}

int posix_left_rmdir(struct posix_fs *p, struct sk_9p_node *up, int upfd, const char *name)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r;

	if (!p->c.leaves_names && !p->c.holds_open)
		return -ENOTEMPTY;
	fd = openat(upfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = move_all(p, fd, upfd, false);
	if (r == 0)
		r = move_all(p, fd, upfd, true);
	if (r == 0)
		moved_up(p, &st, up);
	if (r == 0 && unlinkat(upfd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}
