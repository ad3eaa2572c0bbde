/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes of the file system in memory. See memory.c. */
#include <stdlib.h>
#include <string.h>

#include "export/memory_internal.h"

void memfs_xattr_free(struct memfs *m, struct xattr **at)
{
	struct xattr *x = *at;

	*at = x->next;
	m->bytes -= x->len;
	free(x->value);
	free(x);
}

static struct xattr **find_xattr(struct inode *i, const char *name)
{
	struct xattr **at;

	for (at = &i->xattrs; *at; at = &(*at)->next)
		if (strcmp((*at)->name, name) == 0)
			return at;
	return NULL;
}

int64_t mem_xattr_get(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name,
		      void *buf, size_t cap)
{
	struct xattr **at = find_xattr(node->inode, name);

	(void)fs;
	(void)cred;
	if (!at)
		return -P9_ENODATA;
	if (cap && (*at)->len > cap)
		return -P9_ERANGE;
	if (cap && (*at)->len)
		memcpy(buf, (*at)->value, (*at)->len);
	return (int64_t)(*at)->len;
}

int64_t mem_xattr_list(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, char *buf,
		       size_t cap)
{
	const struct xattr *x;
	size_t off = 0;

	(void)fs;
	(void)cred;
	for (x = node->inode->xattrs; x; x = x->next) {
		size_t n = strlen(x->name) + 1;

		if (cap && n > cap - off)
			return -P9_ERANGE;
		if (cap)
			memcpy(buf + off, x->name, n);
		off += n;
	}
	return (int64_t)off;
}

int mem_xattr_set(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name,
		  const void *value, size_t len, uint32_t flags)
{
	struct memfs *m = memfs_of(fs);
	struct xattr **at = find_xattr(node->inode, name), *x;

	(void)cred;
	if (at && (flags & P9_XATTR_CREATE))
		return -P9_EEXIST;
	if (!at && (flags & P9_XATTR_REPLACE))
		return -P9_ENODATA;
	if (len > m->limits.bytes - m->bytes)
		return -P9_ENOSPC;
	x = calloc(1, sizeof(*x));
	if (x)
		x->value = malloc(len ? len : 1);
	if (!x || !x->value) {
		free(x);
		return -P9_ENOMEM;
	}
	strcpy(x->name, name);
	if (len)
		memcpy(x->value, value, len);
	x->len = len;
	m->bytes += len;
	if (at)
		memfs_xattr_free(m, at);
	x->next = node->inode->xattrs;
	node->inode->xattrs = x;
	memfs_changed(m, node->inode, false);
	return 0;
}

int mem_xattr_remove(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name)
{
	struct xattr **at = find_xattr(node->inode, name);

	(void)cred;
	if (!at)
		return -P9_ENODATA;
	memfs_xattr_free(memfs_of(fs), at);
	memfs_changed(memfs_of(fs), node->inode, false);
	return 0;
}
