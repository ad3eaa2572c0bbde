/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Windows Subsystem for Linux has made on NTFS and the host's driver does not show as Linux's (KEEP_EA): extended
 * attributes in EAs, which are read and removed, but not written (a new one is the driver's own), and the targets of
 * links. A link's target is text for the client: nothing here follows it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "export/ea.h"
#include "export/posix_internal.h"

/* ntfs-3g's text for a reparse point that it does not know. */
#define UNSUPPORTED "unsupported reparse"

static bool is_ea(const struct posix_fs *p)
{
	return p->c.who == SK_EXPORT_MAPPED && p->c.keep == SK_EXPORT_KEEP_EA;
}

/* The file's descriptor, if it may have such an attribute; else -ENODATA. */
static int fd_for(struct posix_fs *p, struct sk_9p_node *node, const char *name)
{
	if (!is_ea(p) || (name && strncmp(name, "user.", 5) != 0))
		return -ENODATA;
	return posix_fd(p, node);
}

int posix_lx_xattr_get(struct posix_fs *p, struct sk_9p_node *node, const char *name, void *buf, size_t cap, int error)
{
	int fd = fd_for(p, node, name), n = fd < 0 ? fd : sk_ea_xattr_get(fd, name, buf, cap);

	if (n < 0)
		return error;
	return cap && (size_t)n > cap ? -ERANGE : n;
}

static bool is_listed(const char *all, size_t len, const char *name)
{
	size_t at;

	for (at = 0; at < len; at += strlen(all + at) + 1)
		if (strcmp(all + at, name) == 0)
			return true;
	return false;
}

ssize_t posix_lx_xattr_list(struct posix_fs *p, struct sk_9p_node *node, char *all, size_t len, size_t cap)
{
	size_t n, at, size;
	int r, fd = node->no_lx_xattrs ? -ENODATA : fd_for(p, node, NULL);

	r = fd < 0 ? fd : sk_ea_xattr_list(fd, all + len, cap - len);
	if (r <= 0 || (size_t)r > cap - len)
		return (ssize_t)len;
	/* Each name once. */
	for (n = at = 0; at < (size_t)r; at += size) {
		size = strlen(all + len + at) + 1;
		if (is_listed(all, len + n, all + len + at))
			continue;
		memmove(all + len + n, all + len + at, size);
		n += size;
	}
	return (ssize_t)(len + n);
}

int posix_lx_xattr_check(struct posix_fs *p, struct sk_9p_node *node, const char *name, const char *path, int flags)
{
	int fd = fd_for(p, node, name);
	bool ours, theirs;

	if (fd < 0)
		return 0;
	theirs = sk_ea_xattr_get(fd, name, NULL, 0) >= 0;
	if (!flags)
		return theirs;
	/* ntfs-3g does not look at XATTR_CREATE in all cases. */
	ours = getxattr(path, name, NULL, 0) >= 0;
	if ((flags & XATTR_CREATE) && (ours || theirs))
		return -EEXIST;
	return (flags & XATTR_REPLACE) && !ours && !theirs ? -ENODATA : theirs;
}

int posix_lx_xattr_drop(struct posix_fs *p, struct sk_9p_node *node, const char *name)
{
	int fd = fd_for(p, node, name);

	return fd < 0 ? fd : sk_ea_xattr_drop(fd, name);
}

int posix_lx_readlink(struct posix_fs *p, int fd, char *buf, size_t cap, int result)
{
	uint8_t data[SK_LX_TARGET_MAX + 64];
	char path[POSIX_PROC_PATH], target[SK_LX_TARGET_MAX];
	enum sk_lx_reparse is;
	ssize_t n;

	if (!is_ea(p) || (result >= 0 && ((size_t)result < sizeof(UNSUPPORTED) - 1 ||
					  memcmp(buf, UNSUPPORTED, sizeof(UNSUPPORTED) - 1) != 0)))
		return result;
	posix_proc(path, fd);
	n = getxattr(path, SK_EA_REPARSE, data, sizeof(data));
	if (n < 0 || sk_lx_reparse_read(data, (size_t)n, &is, target) < 0 || !*target)
		return result;
	n = (ssize_t)strlen(target) < (ssize_t)cap ? (ssize_t)strlen(target) : (ssize_t)cap;
	memcpy(buf, target, (size_t)n);
	return (int)n;
}
