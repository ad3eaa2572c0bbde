/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names on NTFS (KEEP_EA): the operations of posix.c with names as Windows allows them, so that a file with ':' in its
 * name is one that Windows can open and not a stream of another file. Everything behind these functions, and the
 * nodes, have the host's names. The name of a single file is the client's.
 */
#include <errno.h>
#include <string.h>

#include "export/posix_internal.h"
#include "export/windows_name.h"

#define HOST_NAME (P9_NAME_MAX + 1)

/* A name that cannot be made; one that cannot exist is ENOENT. */
static int host_name(const struct sk_9p_node *dir, const char *name, char buf[HOST_NAME])
{
	if (dir->is_virtual) {
		strcpy(buf, name);
		return 0;
	}
	return sk_windows_name_escape(name, buf, HOST_NAME);
}

static int existing_name(const struct sk_9p_node *dir, const char *name, char buf[HOST_NAME])
{
	int r = host_name(dir, name, buf);

	return r == -EINVAL ? -ENOENT : r;
}

static int ntfs_lookup(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		       struct sk_9p_node **ret_node, struct p9_qid *ret_qid)
{
	char host[HOST_NAME];
	int r = existing_name(dir, name, host);

	return r < 0 ? r : posix_lookup(fs, cred, dir, host, ret_node, ret_qid);
}

static int ntfs_look(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		     bool want_dir, struct sk_9p_node **ret_node, struct p9_attr *a, uint32_t *ret_flags)
{
	char host[HOST_NAME];
	int r = existing_name(dir, name, host);

	*ret_node = NULL;
	*ret_flags = 0;
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : posix_look(fs, cred, dir, host, want_dir, ret_node, a, ret_flags);
}

static int ntfs_place(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_node **ret_dir,
		      char ret_name[P9_NAME_MAX + 1])
{
	int r = posix_place(fs, node, ret_dir, ret_name);

	if (r == 0)
		sk_windows_name_unescape(ret_name, ret_name);
	return r;
}

static int ntfs_create(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		       uint32_t flags, uint32_t mode, struct sk_9p_node **ret_node, struct sk_9p_file **ret_file,
		       struct p9_qid *ret_qid)
{
	char host[HOST_NAME];
	int r = host_name(dir, name, host);

	return r < 0 ? r : posix_create(fs, cred, dir, host, flags, mode, ret_node, ret_file, ret_qid);
}

static int ntfs_mkdir(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		      uint32_t mode, struct p9_qid *ret_qid)
{
	char host[HOST_NAME];
	int r = host_name(dir, name, host);

	return r < 0 ? r : posix_mkdir(fs, cred, dir, host, mode, ret_qid);
}

static int ntfs_mknod(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		      uint32_t mode, uint32_t major, uint32_t minor, struct p9_qid *ret_qid)
{
	char host[HOST_NAME];
	int r = host_name(dir, name, host);

	return r < 0 ? r : posix_mknod(fs, cred, dir, host, mode, major, minor, ret_qid);
}

static int ntfs_symlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
			const char *target, struct p9_qid *ret_qid)
{
	char host[HOST_NAME];
	int r = host_name(dir, name, host);

	return r < 0 ? r : posix_symlink(fs, cred, dir, host, target, ret_qid);
}

static int ntfs_link(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
		     struct sk_9p_node *dir, const char *name)
{
	char host[HOST_NAME];
	int r = host_name(dir, name, host);

	return r < 0 ? r : posix_link(fs, cred, node, dir, host);
}

static int ntfs_unlink(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		       bool rmdir)
{
	char host[HOST_NAME];
	int r = existing_name(dir, name, host);

	return r < 0 ? r : posix_unlink(fs, cred, dir, host, rmdir);
}

static int ntfs_rename(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *olddir,
		       const char *oldname, struct sk_9p_node *newdir, const char *newname, uint32_t flags)
{
	char old[HOST_NAME], new[HOST_NAME];
	int r = existing_name(olddir, oldname, old);

	if (r == 0)
		r = host_name(newdir, newname, new);
	return r < 0 ? r : posix_rename(fs, cred, olddir, old, newdir, new, flags);
}

static int ntfs_bind(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		     uint32_t mode, uint32_t type, struct p9_qid *ret_qid, struct sk_9p_socket **ret_socket)
{
	char host[HOST_NAME];
	int r = host_name(dir, name, host);

	return r < 0 ? r : posix_bind(fs, cred, dir, host, mode, type, ret_qid, ret_socket);
}

struct decoder {
	sk_9p_emit emit;
	void *arg;
};

static bool emit_decoded(void *arg, const struct p9_qid *qid, uint64_t offset, uint8_t type, const char *name,
			 size_t len)
{
	const struct decoder *d = arg;
	char guest[HOST_NAME];

	/* What is longer is left out by the server. */
	if (len >= HOST_NAME)
		return d->emit(d->arg, qid, offset, type, name, len);
	sk_windows_name_unescape(name, guest);
	return d->emit(d->arg, qid, offset, type, guest, strlen(guest));
}

static int ntfs_readdir(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file, uint64_t offset,
			bool exact, sk_9p_emit emit, void *arg)
{
	struct decoder d = { emit, arg };

	if (node->is_virtual)
		return posix_readdir(fs, node, file, offset, exact, emit, arg);
	return posix_readdir(fs, node, file, offset, exact, emit_decoded, &d);
}

void posix_ntfs_ops(struct sk_9p_fs_ops *ops)
{
	ops->lookup = ntfs_lookup;
	ops->look = ntfs_look;
	ops->place = ntfs_place;
	ops->create = ntfs_create;
	ops->mkdir = ntfs_mkdir;
	ops->mknod = ntfs_mknod;
	ops->symlink = ntfs_symlink;
	ops->link = ntfs_link;
	ops->unlink = ntfs_unlink;
	ops->rename = ntfs_rename;
	ops->bind = ntfs_bind;
	ops->readdir = ntfs_readdir;
}

const char *posix_guest_name(const struct posix_fs *p, const char *name, char buf[P9_NAME_MAX + 1])
{
	if (!name || p->c.who != SK_EXPORT_MAPPED || p->c.keep != SK_EXPORT_KEEP_EA || strlen(name) > P9_NAME_MAX)
		return name;
	sk_windows_name_unescape(name, buf);
	return buf;
}
