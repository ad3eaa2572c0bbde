/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A node is a name that was walked to, with an O_PATH descriptor of what was found there. Fids that walk to the same
 * (directory, name) share a node as long as the host still has the same file there. Names are resolved one component at
 * a time below a descriptor (openat2 with RESOLVE_BENEATH, NO_SYMLINKS, NO_MAGICLINKS; or O_NOFOLLOW, which is as good
 * for one component): nothing that is done to links and directories on the host or in the guest meanwhile leads out
 * of the export. Everything else goes through descriptors: *at calls with AT_EMPTY_PATH, or /proc/self/fd/N where a
 * call takes paths only, which leads to that very inode.
 *
 * Descriptors are a budget. When it is used up, the least recently used node's is closed and opened again when it is
 * needed: its name in its parent, and then (device, inode, birth time, type) have to be the same as before, else
 * ESTALE. (Not the birth time on overlayfs, where a file gets another one when it is copied up.) A node that has lost
 * its name (unlinked, replaced) is pinned: there is nothing to open it by. Before this server removes a name, the node
 * behind it gets its descriptor back. A node with an open file can always be had through that.
 *
 *   posix_node.c   nodes, the table of names, the budget        posix_cred.c  ids and capabilities of the thread
 *   posix_io.c     open, create, read, write, listings          posix_attr.c  attributes, plain and extended
 *   posix_name.c   making, moving and removing names            posix_lock.c  locks of the host
 *   posix_watch.c  leases: directories that are watched              posix_file.c  fallocate, O_TMPFILE, clones, flags
 *   posix_mounts.c mounts that come and go meanwhile             posix_left.c  files that are removed while they are open
 *   posix_lx.c     what WSL has made on NTFS
 *   posix_keep.c   owner and mode as they are kept (MAPPED): override.c, posix_links.c: in an attribute; ea.c, lxmeta.c,
 *                  posix_ntfs.c: on NTFS; sidecar.c: in a file of the directory. probe.c: which of these it is to be
 *
 * Set-id bits: the thread runs without CAP_FSETID, so that the host's kernel clears them on write and truncate as for
 * anybody (CVE-2023-1386: not all clients clear them); chown clears them always. Our guests' kernel clears them itself
 * where the writer may not keep them, and root may (client_clears).
 *
 * qid.path is the inode number on the device of the first root of the pool; on further devices it has the device's
 * number in the pool's table in its top 16 bits; inode numbers that do not fit are hashed. So a file has the same
 * qid.path in all exports of the pool. A directory that several mounts of the host show (bind mounts) has one for
 * each: it has several parents, which clients do not expect of a directory. qid.version follows ctime and size and is
 * never 0.
 *
 * errno values of Linux are those of the wire: this file system exists on Linux only.
 */
#include "export/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/mounts.h"
#include "export/posix_internal.h"
#include "ninep/server.h"

#define FS_OVERLAY 0x794c7630
#define FS_BTRFS 0x9123683e
#define FS_TMPFS 0x01021994
#define FS_RAMFS 0x858458f6
#define FS_ZFS 0x2fc12fc1
#define FS_BCACHEFS 0xca451a4e
#define FS_UBIFS 0x24051905
#define FS_OCFS2 0x7461636f
#define FS_GFS2 0x01161970
#define FD_RESERVE 64u

_Static_assert(EPERM == P9_EPERM && ELOOP == P9_ELOOP && EOPNOTSUPP == P9_EOPNOTSUPP && ESTALE == P9_ESTALE,
	       "errno values of this system are not those of generic Linux");
_Static_assert(sizeof(struct iovec) == sizeof(struct sk_iov) &&
		       offsetof(struct iovec, iov_len) == offsetof(struct sk_iov, len),
	       "segments are handed on as they are");

void posix_proc(char path[POSIX_PROC_PATH], int fd)
{
	static const char prefix[] = "/proc/self/fd/";
	char digits[12];
	unsigned n = 0, v = (unsigned)fd;
	char *to = path + sizeof(prefix) - 1;

	memcpy(path, prefix, sizeof(prefix) - 1);
	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		*to++ = digits[--n];
	*to = 0;
}

static uint64_t mix(uint64_t v)
{
	v ^= v >> 33;
	v *= UINT64_C(0xff51afd7ed558ccd);
	v ^= v >> 33;
	v *= UINT64_C(0xc4ceb9fe1a85ec53);
	return v ^ v >> 33;
}

/* Ends all leases: changes made through another mount raise no event. */
static void several_now(struct posix_fs *p, struct posix_dev *d)
{
	const struct sk_9p_event lost = { .kind = P9_EVENT_LOST };

	if (!d->several && p->event)
		p->event(p->event_arg, &lost);
	d->several = true;
}

/* Index in the pool's table; POSIX_DEVS: it is full. */
static unsigned dev_index(struct posix_fs *p, uint64_t dev, uint64_t mnt)
{
	struct sk_export_pool *pool = p->pool;
	unsigned i, first = POSIX_DEVS;

	for (i = 0; i < pool->n_devs; i++) {
		struct posix_dev *d = &pool->devs[i];

		if (d->dev != dev)
			continue;
		if (first == POSIX_DEVS)
			first = i;
		if (!mnt || d->mnt == mnt)
			return i;
		if (!d->mnt) {
			d->mnt = mnt;
			return i;
		}
	}
	if (first != POSIX_DEVS)
		several_now(p, &pool->devs[first]);
	if (i == POSIX_DEVS)
		return i;
	pool->devs[i] = (struct posix_dev){ .dev = dev, .mnt = mnt, .first = first == POSIX_DEVS ? i : first };
	return pool->n_devs++;
}

uint64_t posix_mnt_of(const struct posix_fs *p, const struct statx *stx)
{
	if (!S_ISDIR(stx->stx_mode) || !(stx->stx_mask & STATX_MNT_ID))
		return 0;
	if (p->c.own_mount)
		return stx->stx_mnt_id | UINT64_C(1) << 63;
	return p->c.mounts ? sk_mounts_id(p->c.mounts, stx->stx_mnt_id) : stx->stx_mnt_id;
}

uint32_t posix_dev_number(struct posix_fs *p, const struct statx *stx)
{
	unsigned i = dev_index(p, posix_dev_of(stx), 0);

	return i < POSIX_DEVS ? p->pool->devs[i].first : 0;
}

bool posix_several(const struct posix_fs *p, const struct sk_9p_node *dir)
{
	unsigned i;

	for (i = 0; i < p->pool->n_devs; i++)
		if (p->pool->devs[i].dev == dir->dev)
			return p->pool->devs[i].several;
	return false;
}

/* 0: it cannot be told. */
static uint32_t type_of(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) < 0 ? 0 : (uint32_t)st.f_type;
}

/* What has a block device of its own (of FUSE: type fuseblk) is this host's alone, but for clusters'. Of those without one
 * the others are the network's, FUSE, or show what is changed elsewhere (ecryptfs). */
static bool has_events_of_all(uint64_t dev, int fd)
{
	static const uint32_t shared[] = { FS_OCFS2, FS_GFS2 };
	static const uint32_t here[] = { FS_TMPFS, FS_RAMFS, FS_OVERLAY, FS_BTRFS, FS_ZFS, FS_BCACHEFS, FS_UBIFS };
	bool device = dev >> 32;
	const uint32_t *types = device ? shared : here;
	size_t i, n = device ? SK_ARRAY_SIZE(shared) : SK_ARRAY_SIZE(here);
	uint32_t type = type_of(fd);

	for (i = 0; i < n; i++)
		if (types[i] == type)
			return !device;
	return device;
}

bool posix_is_local(const struct posix_fs *p, uint64_t dev, int fd)
{
	unsigned i;

	for (i = 0; i < p->pool->n_devs; i++) {
		struct posix_dev *d = &p->pool->devs[i];

		if (d->dev != dev)
			continue;
		if (d->place == POSIX_PLACE_UNKNOWN)
			d->place = has_events_of_all(dev, fd) ? POSIX_PLACE_HERE : POSIX_PLACE_ELSEWHERE;
		return d->place == POSIX_PLACE_HERE;
	}
	return false;
}

uint64_t posix_qid_path(struct posix_fs *p, uint64_t dev, uint64_t mnt, uint64_t ino)
{
	unsigned i = dev_index(p, dev, mnt);

	if (i < POSIX_DEVS && ino >> 48 == 0)
		return (uint64_t)i << 48 | ino;
	return UINT64_C(1) << 63 | mix(mix(dev ^ mix(mnt)) ^ ino) >> 1;
}

void posix_qid(struct posix_fs *p, const struct statx *stx, struct p9_qid *ret_qid)
{
	uint64_t v =
		mix((uint64_t)stx->stx_ctime.tv_sec * 1000000000 + stx->stx_ctime.tv_nsec) ^ mix(stx->stx_size + 1);

	ret_qid->type = S_ISDIR(stx->stx_mode) ? P9_QTDIR : S_ISLNK(stx->stx_mode) ? P9_QTSYMLINK : P9_QTFILE;
	ret_qid->version = (uint32_t)(v ^ v >> 32);
	if (ret_qid->version == 0)
		ret_qid->version = 1;
	ret_qid->path = posix_qid_path(p, posix_dev_of(stx), posix_mnt_of(p, stx), stx->stx_ino);
}

/* --- pool --- */

int sk_posix_pool_new(unsigned max_fds, struct sk_export_pool **ret_pool, struct sk_error *err)
{
	struct sk_export_pool *pool = calloc(1, sizeof(*pool));
	struct rlimit limit;
	int r;

	if (!pool)
		return sk_error_errno(err, ENOMEM, "cannot set up file sharing");
	if (max_fds == 0) {
		max_fds = 1024;
		if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
			max_fds = limit.rlim_cur > 1u << 20 ? 1u << 20 : (unsigned)limit.rlim_cur;
		max_fds = max_fds > 2 * FD_RESERVE ? max_fds - FD_RESERVE : FD_RESERVE;
	}
	pool->max_nodes = max_fds / 2 > 16 ? max_fds / 2 : 16;
	pool->max_files = max_fds - pool->max_nodes > 16 ? max_fds - pool->max_nodes : 16;
	pool->lru.prev = pool->lru.next = &pool->lru;
	r = posix_cred_init(pool);
	if (r < 0) {
		free(pool);
		return sk_error_errno(err, -r, "cannot give up capabilities");
	}
	*ret_pool = pool;
	return 0;
}

void sk_posix_pool_free(struct sk_export_pool *pool)
{
	if (pool)
		posix_cred_fini(pool);
	free(pool);
}

void sk_posix_pool_used(const struct sk_export_pool *pool, unsigned *ret_nodes, unsigned *ret_files)
{
	*ret_nodes = pool->nodes;
	*ret_files = pool->files;
}

/* --- export */

static const struct sk_9p_fs_ops ops = {
	.root = posix_root,
	.get = posix_get,
	.put = posix_put,
	.lookup = posix_lookup,
	.parent = posix_parent,
	.place = posix_place,
	.look = posix_look,
	.leases = posix_leases,
	.watch_opens = posix_watch_opens,
	.connect = posix_connect,
	.bind = posix_bind,
	.listen = posix_listen,
	.accept = posix_accept,
	.receive = posix_receive,
	.send = posix_send,
	.shutdown = posix_shutdown,
	.socket_fd = posix_socket_fd,
	.socket_close = posix_socket_close,
	.getattr = posix_getattr,
	.setattr = posix_setattr,
	.statfs = posix_statfs,
	.readlink = posix_readlink,
	.open = posix_open,
	.create = posix_create,
	.close = posix_close,
	.read = posix_read,
	.write = posix_write,
	.fsync = posix_fsync,
	.readdir = posix_readdir,
	.mkdir = posix_mkdir,
	.mknod = posix_mknod,
	.symlink = posix_symlink,
	.link = posix_link,
	.unlink = posix_unlink,
	.rename = posix_rename,
	.tmpfile = posix_tmpfile,
	.allocate = posix_allocate,
	.seek = posix_seek,
	.copy = posix_copy,
	.getflags = posix_getflags,
	.setflags = posix_setflags,
	.xattr_get = posix_xattr_get,
	.xattr_list = posix_xattr_list,
	.xattr_set = posix_xattr_set,
	.xattr_remove = posix_xattr_remove,
	.lock_key = posix_lock_key,
	.lock_new = posix_lock_new,
	.lock_free = posix_lock_free,
	.lock_set = posix_lock_set,
	.lock_test = posix_lock_test,
};

bool posix_is_overlay(int fd)
{
	return type_of(fd) == FS_OVERLAY;
}

/* True where files of one directory belong to several devices: what a listing says of them then is not what they have
 * when they are looked at. (Of what is mounted on a name it never is, here as on the host.) */
static bool needs_stat(int fd)
{
	uint32_t type = type_of(fd);

	return type == 0 || type == FS_OVERLAY || type == FS_BTRFS;
}

static int make_root(struct posix_fs *p, int take_fd, const char *name, struct sk_error *err)
{
	_cleanup_fd_ int fd = take_fd;
	struct sk_9p_node *node;
	struct statx stx;
	int r = posix_statx(fd, &stx);

	if (r < 0)
		return sk_error_errno(err, -r, "cannot look at what is to be shared");
	if (!S_ISDIR(stx.stx_mode) && (!name || !*name || strlen(name) > P9_NAME_MAX || strchr(name, '/')))
		return sk_error_set(err, EINVAL, "a single file needs a name to be shared by");
	p->stat_entries = p->c.stat_entries || (S_ISDIR(stx.stx_mode) && needs_stat(fd));
	/* The root's device comes first: its inode numbers go to the guest as they are. */
	posix_qid_path(p, posix_dev_of(&stx), posix_mnt_of(p, &stx), stx.stx_ino);
	r = posix_node_new(p, SK_TAKE_FD(fd), NULL, S_ISDIR(stx.stx_mode) ? "" : name, &stx, &node);
	if (r < 0)
		return sk_error_errno(err, -r, "cannot share");
	if (S_ISDIR(stx.stx_mode)) {
		p->root = node;
		return 0;
	}
	p->single = node;
	/* The root above a single file takes its identity from that file: it does not exist on the host. */
	r = posix_node_new(p, -1, NULL, "", &stx, &p->root);
	if (r < 0)
		return sk_error_errno(err, -r, "cannot share");
	p->root->is_virtual = true;
	p->root->type = S_IFDIR;
	node->parent = posix_get(&p->fs, p->root);
	return 0;
}

int sk_posix_new(struct sk_export_pool *pool, int take_fd, const char *name, const struct sk_export_config *config,
		 struct sk_9p_fs **ret_fs, struct sk_error *err)
{
	_cleanup_fd_ int fd = take_fd;
	struct posix_fs *p;
	int r;

	if (config->who != SK_EXPORT_SELF && config->who != SK_EXPORT_MAPPED && !pool->root)
		return sk_error_set(err, EPERM, "only root can act for other users: share as \"self\" or \"mapped\"");
	p = calloc(1, sizeof(*p));
	if (!p)
		return sk_error_errno(err, ENOMEM, "cannot share");
	p->fs.ops = &ops;
	p->c = *config;
	if (config->who == SK_EXPORT_MAPPED && config->keep == SK_EXPORT_KEEP_EA) {
		p->ops = ops;
		posix_ntfs_ops(&p->ops);
		p->fs.ops = &p->ops;
	}
	p->pool = pool;
	p->number = pool->n_fs++;
	r = make_root(p, SK_TAKE_FD(fd), name, err);
	if (r == 0 && config->who == SK_EXPORT_CHECK && !pool->users) {
		r = sk_posix_pool_load_users(pool);
		if (r < 0)
			sk_error_errno(err, -r, "cannot read the host's users and groups");
	}
	if (r < 0) {
		sk_posix_free(&p->fs);
		return r;
	}
	*ret_fs = &p->fs;
	return 0;
}

int sk_posix_below(struct sk_9p_fs *fs, const char *path, struct sk_9p_node **ret_node)
{
	struct posix_fs *p = posix_of(fs);
	const struct sk_9p_cred cred = { 0, 0 };
	struct sk_9p_node *node = posix_get(fs, p->root), *up;
	_cleanup_free_ char *copy = strdup(path);
	char *name, *save = NULL;
	struct p9_qid qid;
	int r = copy ? 0 : -ENOMEM;

	for (name = copy ? strtok_r(copy, "/", &save) : NULL; name && r == 0; name = strtok_r(NULL, "/", &save)) {
		up = node;
		r = posix_lookup(fs, &cred, up, name, &node, &qid);
		posix_put(fs, r < 0 ? NULL : up);
	}
	if (r == 0 && node->type != S_IFDIR)
		r = -ENOTDIR;
	if (r == 0)
		r = posix_fd(p, node);
	if (r < 0) {
		posix_put(fs, node);
		return r;
	}
	posix_hold(p, node);
	*ret_node = node;
	return 0;
}

void sk_posix_identity(const struct sk_9p_node *node, uint64_t *ret_dev, uint64_t *ret_ino, uint64_t *ret_mnt)
{
	*ret_dev = node->dev;
	*ret_ino = node->ino;
	*ret_mnt = node->mnt;
}

struct sk_9p_node *sk_posix_root(struct sk_9p_fs *fs)
{
	return posix_of(fs)->root;
}

void sk_posix_put(struct sk_9p_fs *fs, struct sk_9p_node *node)
{
	posix_put(fs, node);
}

void sk_posix_free(struct sk_9p_fs *fs)
{
	struct posix_fs *p = fs ? posix_of(fs) : NULL;

	if (!p)
		return;
	posix_left_free(p);
	if (p->root && p->root->is_virtual)
		posix_unwatch(p, p->root);
	if (p->single)
		posix_put(fs, p->single);
	if (p->root)
		posix_put(fs, p->root);
	posix_mounts_free(p);
	free(p);
}

const struct sk_export_ops sk_export_posix = {
	.name = "posix",
	.pool_new = sk_posix_pool_new,
	.pool_free = sk_posix_pool_free,
	.pool_load_users = sk_posix_pool_load_users,
	.open = sk_posix_new,
	.close = sk_posix_free,
	.lease = sk_posix_lease,
	.on_watch = sk_posix_on_watch,
	.replace = sk_posix_replace,
	.mount = sk_posix_mount,
	.unmount = sk_posix_unmount,
	.root = sk_posix_root,
	.below = sk_posix_below,
	.put = sk_posix_put,
	.identity = sk_posix_identity,
};
