/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory of a Windows host, by the primitive calls of base/platform/windows (sk_nt_*).
 *
 * A node is a name in a directory, and the number that its file had. It holds no handle: Windows does not let a directory
 * be renamed while anything below it is open. What is done with a node opens its file anew, from the root's handle step
 * by step, each step relative to the handle before it and without following a reparse point. So neither a symbolic link,
 * a junction nor a mount point leads out of the export, whoever puts it there meanwhile; such a name is refused (EPERM). A
 * file that is another one by now is stale (ESTALE).
 *
 * Not kept by this back end: owner, mode and device (all files belong to one user; of the mode only whether anybody may
 * write), extended attributes, symbolic links, FIFOs and sockets. What would have to set these fails. Locks hold among
 * the clients of this server only. Names are as sensitive to case as Windows is.
 */
#include "export/winfs_internal.h"

#include "base/cleanup.h"

static int win_root(struct sk_9p_fs *fs, struct sk_9p_node **ret_node, struct p9_qid *ret_qid)
{
	struct winfs *w = winfs_of(fs);
	struct sk_nt_info info;
	long status = sk_nt_info(w->root_handle, &info);

	if (status < 0)
		return winfs_status(status);
	*ret_node = winfs_get(w, &w->root);
	*ret_qid = winfs_qid(&info);
	return 0;
}

static struct sk_9p_node *win_get(struct sk_9p_fs *fs, struct sk_9p_node *node)
{
	return winfs_get(winfs_of(fs), node);
}

static void win_put(struct sk_9p_fs *fs, struct sk_9p_node *node)
{
	winfs_put(winfs_of(fs), node);
}

static int win_lookup(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		      struct sk_9p_node **ret_node, struct p9_qid *ret_qid)
{
	const struct sk_nt_how how = { .access = FILE_READ_ATTRIBUTES, .disposition = FILE_OPEN };
	wchar_t wide[SK_WINDOWS_NAME_MAX + 1];
	struct winfs *w = winfs_of(fs);
	struct sk_nt_info info;
	HANDLE d, h;
	int r = winfs_name(name, wide);

	(void)cred;
	/* What cannot be a name here is not here. */
	if (r < 0 || !winfs_shows(w, dir, wide))
		return -P9_ENOENT;
	r = winfs_open_dir(w, dir, &d);
	if (r < 0)
		return r;
	r = winfs_open_in(d, wide, &how, &h, &info);
	CloseHandle(d);
	if (r < 0)
		return r;
	CloseHandle(h);
	if (w->only && info.attributes & FILE_ATTRIBUTE_DIRECTORY)
		return -P9_ENOENT;
	winfs_number(w, NULL, &info);
	*ret_qid = winfs_qid(&info);
	return winfs_node(w, dir, wide, &info, ret_node);
}

static int win_parent(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_node **ret_node,
		      struct p9_qid *ret_qid)
{
	struct sk_9p_node *up = node->parent ? node->parent : node;
	struct sk_nt_info info;
	HANDLE h;
	int r = winfs_open_dir(winfs_of(fs), up, &h);
	long status;

	if (r < 0)
		return r;
	status = sk_nt_info(h, &info);
	CloseHandle(h);
	if (status < 0)
		return winfs_status(status);
	*ret_qid = winfs_qid(&info);
	*ret_node = winfs_get(winfs_of(fs), up);
	return 0;
}

static int win_place(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_node **ret_dir,
		     char ret_name[P9_NAME_MAX + 1])
{
	int n;

	if (!node->parent)
		return -P9_EBUSY;
	n = sk_windows_name_decode((const uint16_t *)node->name, wcslen(node->name), ret_name, P9_NAME_MAX + 1);
	if (n < 0)
		return n;
	*ret_dir = winfs_get(winfs_of(fs), node->parent);
	return 0;
}

/* ---- attributes */

static struct p9_time to_time(int64_t t)
{
	struct timespec ts = sk_nt_to_unix(t);

	return (struct p9_time){ (uint64_t)ts.tv_sec, (uint64_t)ts.tv_nsec };
}

static uint32_t mode_of(const struct sk_nt_info *info)
{
	if (info->attributes & FILE_ATTRIBUTE_DIRECTORY)
		return P9_S_IFDIR | 0777;
	return P9_S_IFREG | (info->attributes & FILE_ATTRIBUTE_READONLY ? 0555 : 0777);
}

static int win_getattr(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
		       struct sk_9p_file *file, uint64_t mask, struct p9_attr *ret_attr)
{
	const struct sk_nt_how how = { .access = FILE_READ_ATTRIBUTES, .disposition = FILE_OPEN };
	struct winfs *w = winfs_of(fs);
	struct sk_nt_info info;
	HANDLE h = file ? file->h : NULL;
	long status;
	int r = 0;

	(void)cred;
	(void)mask;
	if (!file)
		r = winfs_open(w, node, &how, &h);
	if (r < 0)
		return r;
	status = sk_nt_info(h, &info);
	if (!file)
		CloseHandle(h);
	if (status < 0)
		return winfs_status(status);
	winfs_number(w, node, &info);
	*ret_attr = (struct p9_attr){
		.valid = P9_GETATTR_BASIC | P9_GETATTR_BTIME,
		.qid = winfs_qid(&info),
		.mode = mode_of(&info),
		.uid = w->config.uid,
		.gid = w->config.gid,
		.nlink = info.links,
		.size = info.size,
		.blksize = 4096,
		.blocks = (info.allocated + 511) / 512,
		.atime = to_time(info.accessed),
		.mtime = to_time(info.written),
		.ctime = to_time(info.changed),
		.btime = to_time(info.created),
		.data_version = (uint64_t)info.changed,
	};
	return 0;
}

static int set_mode(HANDLE h, const struct sk_nt_info *info, uint32_t mode)
{
	bool writable = mode & 0200;
	uint32_t attributes = writable ? info->attributes & ~(uint32_t)FILE_ATTRIBUTE_READONLY
				       : info->attributes | FILE_ATTRIBUTE_READONLY;
	uint32_t can_be = info->attributes & FILE_ATTRIBUTE_DIRECTORY || writable ? 0777 : 0555;
	long status;

	/* Anything else would read as another mode afterwards. */
	if ((mode & 07777) != can_be)
		return -P9_EPERM;
	if (info->attributes & FILE_ATTRIBUTE_DIRECTORY || attributes == info->attributes)
		return 0;
	status = sk_nt_set_attributes(h, attributes);
	return status < 0 ? winfs_status(status) : 0;
}

static int64_t new_time(uint32_t valid, uint32_t change, uint32_t set, const struct p9_time *t)
{
	FILETIME now;

	if (!(valid & change))
		return -1;
	if (valid & set)
		return sk_nt_from_unix((int64_t)t->sec, (long)t->nsec);
	GetSystemTimeAsFileTime(&now);
	return (int64_t)((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime);
}

static int set_handle(struct winfs *w, HANDLE h, const struct p9_setattr *a)
{
	int64_t accessed = new_time(a->valid, P9_SETATTR_ATIME, P9_SETATTR_ATIME_SET, &a->atime),
		written = new_time(a->valid, P9_SETATTR_MTIME, P9_SETATTR_MTIME_SET, &a->mtime);
	struct sk_nt_info info;
	long status = sk_nt_info(h, &info);
	int r = 0;

	if (status < 0)
		return winfs_status(status);
	if (((a->valid & P9_SETATTR_UID) && a->uid != w->config.uid) ||
	    ((a->valid & P9_SETATTR_GID) && a->gid != w->config.gid))
		return -P9_EPERM;
	if (a->valid & P9_SETATTR_MODE)
		r = set_mode(h, &info, a->mode);
	if (r == 0 && (a->valid & P9_SETATTR_SIZE)) {
		FILE_END_OF_FILE_INFO end = { .EndOfFile.QuadPart = (int64_t)a->size };

		if (info.attributes & FILE_ATTRIBUTE_DIRECTORY)
			r = -P9_EISDIR;
		else if (!SetFileInformationByHandle(h, FileEndOfFileInfo, &end, sizeof(end)))
			r = winfs_errno(-sk_win_errno(GetLastError()));
	}
	if (r == 0 && (accessed >= 0 || written >= 0)) {
		status = sk_nt_set_times(h, accessed, written);
		r = status < 0 ? winfs_status(status) : 0;
	}
	return r;
}

static int win_setattr(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
		       struct sk_9p_file *file, const struct p9_setattr *attr)
{
	struct sk_nt_how how = { .access = FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES, .disposition = FILE_OPEN };
	HANDLE h;
	int r;

	(void)cred;
	(void)file; /* may have been opened for reading only */
	if (winfs_of(fs)->only && node == &winfs_of(fs)->root)
		return -P9_EPERM;
	if (attr->valid & P9_SETATTR_SIZE)
		how.access |= FILE_WRITE_DATA;
	r = winfs_open(winfs_of(fs), node, &how, &h);
	if (r < 0)
		return r;
	r = set_handle(winfs_of(fs), h, attr);
	CloseHandle(h);
	if (r == 0)
		winfs_changed(winfs_of(fs), node);
	return r;
}

static int win_statfs(struct sk_9p_fs *fs, struct sk_9p_node *node, struct p9_statfs *ret_statfs)
{
	struct sk_nt_space space;
	long status = sk_nt_space(winfs_of(fs)->root_handle, &space);

	(void)node;
	if (status < 0)
		return winfs_status(status);
	*ret_statfs = (struct p9_statfs){
		.type = 0x5346544e, /* NTFS, as Linux numbers it */
		.bsize = space.unit,
		.blocks = space.all,
		.bfree = space.unused,
		.bavail = space.mine,
		.namelen = P9_NAME_MAX,
	};
	return 0;
}

static int win_readlink(struct sk_9p_fs *fs, struct sk_9p_node *node, char *buf, size_t cap)
{
	(void)fs;
	(void)node;
	(void)buf;
	(void)cap;
	return -P9_EINVAL;
}

/* ---- attributes and locks: none of the host's */

static int64_t win_xattr_get(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
			     const char *name, void *buf, size_t cap)
{
	(void)fs;
	(void)cred;
	(void)node;
	(void)name;
	(void)buf;
	(void)cap;
	return -P9_EOPNOTSUPP;
}

static int64_t win_xattr_list(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, char *buf,
			      size_t cap)
{
	(void)fs;
	(void)cred;
	(void)node;
	(void)buf;
	(void)cap;
	return 0;
}

static int win_xattr_set(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node, const char *name,
			 const void *value, size_t len, uint32_t flags)
{
	(void)fs;
	(void)cred;
	(void)node;
	(void)name;
	(void)value;
	(void)len;
	(void)flags;
	return -P9_EOPNOTSUPP;
}

static int win_xattr_remove(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *node,
			    const char *name)
{
	return win_xattr_set(fs, cred, node, name, NULL, 0, 0);
}

struct sk_9p_hostlock {
	char unused;
};

static int win_lock_key(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_9p_key *ret_key)
{
	(void)fs;
	*ret_key = (struct sk_9p_key){ 0, file->node->ino };
	return 0;
}

static int win_lock_new(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file,
			struct sk_9p_hostlock **ret_lock)
{
	(void)fs;
	(void)node;
	(void)file;
	*ret_lock = calloc(1, sizeof(**ret_lock));
	return *ret_lock ? 0 : -P9_ENOMEM;
}

static void win_lock_free(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock)
{
	(void)fs;
	free(lock);
}

static int win_lock_set(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, enum sk_9p_lock_kind kind, uint8_t type,
			uint64_t first, uint64_t last)
{
	(void)fs;
	(void)lock;
	(void)kind;
	(void)type;
	(void)first;
	(void)last;
	return 0;
}

static int win_lock_test(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, uint8_t *type, uint64_t *first,
			 uint64_t *last, uint32_t *ret_pid)
{
	(void)fs;
	(void)lock;
	(void)first;
	(void)last;
	(void)ret_pid;
	*type = P9_LOCK_UNLCK;
	return 0;
}

/* ---- the whole */

static const struct sk_9p_fs_ops ops = {
	.root = win_root,
	.get = win_get,
	.put = win_put,
	.lookup = win_lookup,
	.parent = win_parent,
	.place = win_place,
	.getattr = win_getattr,
	.setattr = win_setattr,
	.statfs = win_statfs,
	.readlink = win_readlink,
	.open = winfs_open_file,
	.create = winfs_create,
	.close = winfs_close,
	.read = winfs_read,
	.write = winfs_write,
	.fsync = winfs_fsync,
	.readdir = winfs_readdir,
	.mkdir = winfs_mkdir,
	.mknod = winfs_mknod,
	.symlink = winfs_symlink,
	.link = winfs_link,
	.unlink = winfs_unlink,
	.rename = winfs_rename,
	.xattr_get = win_xattr_get,
	.xattr_list = win_xattr_list,
	.xattr_set = win_xattr_set,
	.xattr_remove = win_xattr_remove,
	.lock_key = win_lock_key,
	.lock_new = win_lock_new,
	.lock_free = win_lock_free,
	.lock_set = win_lock_set,
	.lock_test = win_lock_test,
};

int sk_winfs_new(const char *path, const struct sk_winfs_config *config, struct sk_9p_fs **ret_fs, struct sk_error *err)
{
	/* What the user names may be a link; below it none is followed. */
	const struct sk_nt_how how = { .access = FILE_TRAVERSE | FILE_LIST_DIRECTORY | FILE_READ_ATTRIBUTES,
				       .disposition = FILE_OPEN,
				       .options = FILE_DIRECTORY_FILE,
				       .follow = true };
	const struct sk_nt_how own = { .access = how.access, .disposition = FILE_OPEN, .options = FILE_DIRECTORY_FILE };
	_cleanup_free_ wchar_t *name = sk_win_nt_path(path);
	struct winfs *w = calloc(1, sizeof(*w));
	struct sk_nt_info info;
	long status;

	if (w && config->only)
		w->only = sk_win_wide(config->only);
	if (!name || !w || (config->only && !w->only)) {
		free(w ? w->only : NULL);
		free(w);
		return sk_error_errno(err, errno, "cannot share %s", path);
	}
	if (config->take_root) {
		status = sk_nt_open(config->take_root, L"", &own, &w->root_handle);
		CloseHandle(config->take_root);
	} else {
		status = sk_nt_open(NULL, name, &how, &w->root_handle);
	}
	if (status >= 0) {
		status = sk_nt_info(w->root_handle, &info);
		if (status < 0)
			CloseHandle(w->root_handle);
	}
	if (status < 0) {
		free(w->only);
		free(w);
		return sk_error_errno(err, sk_win_status_errno(status), "cannot share %s", path);
	}
	w->fs.ops = &ops;
	w->config = *config;
	w->root.refs = 1;
	w->root.dir = true;
	w->root.ino = info.ino;
	*ret_fs = &w->fs;
	return 0;
}

void sk_winfs_free(struct sk_9p_fs *fs)
{
	struct winfs *w = winfs_of(fs);

	if (!fs)
		return;
	CloseHandle(w->root_handle);
	free(w->only);
	free(w);
}
