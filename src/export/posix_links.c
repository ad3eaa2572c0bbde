/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * MAPPED keeps owner and mode in an attribute of the file (override.c). Linux lets nobody but root have attributes on
 * symbolic links, FIFOs and sockets. For those of the host's file system there are records in a directory of the
 * share's root, SK_LINKS_DIR: symbolic links, whose name says which inode is meant (its number and time of birth, and
 * the device where that is not the root's), and whose target is the same text as in the attribute.
 *
 * A record belongs to an inode, so it needs no care when the link is renamed, or gets another name. It goes with the
 * last name that the guest removes, and the directory with the last record. What the host removes leaves its record
 * behind; another inode of that number has another time of birth.
 *
 * The guest does not see the directory, and cannot have anything of that name in the root. What is in it is the host
 * user's own anyway: a record that is wrong, or not of that form, gives a link another owner in the guest, no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/override.h"
#include "export/posix_internal.h"
#include "export/sidecar.h"

#define KEY_MAX 80

bool posix_hidden_name(struct posix_fs *p, struct sk_9p_node *dir, const char *name)
{
	if (posix_left_name(p, name) && !dir->is_virtual)
		return true;
	if (p->c.who != SK_EXPORT_MAPPED || dir->is_virtual)
		return false;
	/* A client could write itself any owner and mode. Without a descriptor nothing is reached by a name either. */
	if (p->c.keep == SK_EXPORT_KEEP_SIDECAR &&
	    (sk_sidecar_is(name) || (strchr(name, '~') && (posix_fd(p, dir) < 0 || sk_sidecar_alias(dir->fd, name)))))
		return true;
	return dir == p->root && strcmp(name, SK_LINKS_DIR) == 0;
}

/* The inode may have a record. */
static bool has_record(const struct posix_fs *p, const struct statx *stx)
{
	return p->c.who == SK_EXPORT_MAPPED && p->c.keep == SK_EXPORT_KEEP_XATTR && !S_ISREG(stx->stx_mode) &&
	       !S_ISDIR(stx->stx_mode) && !p->root->is_virtual;
}

static void key_of(const struct posix_fs *p, const struct statx *stx, char key[KEY_MAX])
{
	uint64_t dev = (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor;
	bool born = stx->stx_mask & STATX_BTIME;
	int n = snprintf(key, KEY_MAX, "%llx-%llx.%x", (unsigned long long)stx->stx_ino,
			 born ? (unsigned long long)stx->stx_btime.tv_sec : 0, born ? stx->stx_btime.tv_nsec : 0);

	if (dev != p->root->dev)
		snprintf(key + n, KEY_MAX - (size_t)n, "-%x:%x", stx->stx_dev_major, stx->stx_dev_minor);
}

/* The directory of the records; `make`: also if it has to be made. */
static int open_records(struct posix_fs *p, bool make)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int root = posix_fd(p, p->root), fd;

	if (root < 0)
		return root;
	fd = openat(root, SK_LINKS_DIR, flags);
	if (fd < 0 && errno == ENOENT && make) {
		if (mkdirat(root, SK_LINKS_DIR, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = openat(root, SK_LINKS_DIR, flags);
	}
	return fd < 0 ? -errno : fd;
}

bool posix_link_load(struct posix_fs *p, const struct statx *stx, struct sk_override *ret)
{
	char key[KEY_MAX], text[SK_OVERRIDE_MAX];
	_cleanup_fd_ int dir = -1;
	ssize_t n;

	if (!has_record(p, stx))
		return false;
	dir = open_records(p, false);
	if (dir < 0)
		return false;
	key_of(p, stx, key);
	n = readlinkat(dir, key, text, sizeof(text));
	return n > 0 && sk_override_parse(text, (size_t)n, ret);
}

int posix_link_store(struct posix_fs *p, const struct statx *stx, const struct sk_override *o)
{
	char key[KEY_MAX], fresh[KEY_MAX + 8], text[SK_OVERRIDE_MAX];
	int tries, r = -ENOENT;

	if (!has_record(p, stx))
		return -EOPNOTSUPP;
	key_of(p, stx, key);
	snprintf(fresh, sizeof(fresh), "%s.%x", key, (unsigned)getpid() & 0xffffff);
	(void)sk_override_format(o, text);
	/* Another server of this directory may remove it, with its last record, at any moment. */
	for (tries = 0; tries < 4 && r == -ENOENT; tries++) {
		_cleanup_fd_ int dir = open_records(p, true);

		if (dir < 0) {
			r = dir;
			continue;
		}
		(void)unlinkat(dir, fresh, 0);
		r = symlinkat(text, dir, fresh) < 0 ? -errno : 0;
		if (r == 0 && renameat(dir, fresh, dir, key) < 0)
			r = -errno;
	}
	return r;
}

void posix_link_drop(struct posix_fs *p, const struct statx *stx)
{
	_cleanup_fd_ int dir = -1;
	char key[KEY_MAX];
	int root;

	if (!has_record(p, stx) || stx->stx_nlink > 1)
		return;
	dir = open_records(p, false);
	if (dir < 0)
		return;
	key_of(p, stx, key);
	if (unlinkat(dir, key, 0) < 0)
		return;
	root = posix_fd(p, p->root);
	if (root >= 0)
		(void)unlinkat(root, SK_LINKS_DIR, AT_REMOVEDIR);
}

void posix_link_look(const struct posix_fs *p, int dirfd, const char *name, struct statx *ret_stx)
{
	if (p->c.who != SK_EXPORT_MAPPED || p->c.keep != SK_EXPORT_KEEP_XATTR ||
	    statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, POSIX_STATX, ret_stx) < 0)
		ret_stx->stx_mode = S_IFREG;
}
