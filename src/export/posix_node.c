/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes, the table of names, the budget of descriptors. See posix.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "export/override.h"
#include "export/posix_internal.h"
#include "export/sidecar.h"

/* A client is made to walk again once in so long by one directory, and by any. */
#define STALE_AGAIN_MS 300u
#define STALE_ANY_MS 20u
/* How long a client may go by what it knew: until a notice comes, and in directories that are not watched. */
#define NOTICE_MS 100
#define CACHED_MS 1100

int posix_statx(int fd, struct statx *ret_stx)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, POSIX_STATX, ret_stx) < 0 ? -errno
													      : 0;
}

int posix_open_component(const struct posix_fs *p, int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		/* The last component may be a link itself: O_PATH | O_NOFOLLOW opens the link. */
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	static bool missing;
	int fd;

	if (!missing && !p->c.no_openat2) {
		do
			fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
		while (fd < 0 && (errno == EINTR || errno == EAGAIN));
		if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
			return fd < 0 ? -errno : fd;
		missing = errno == ENOSYS;
	}
	/* One component without "/" that is not "..": O_NOFOLLOW is enough to stay. */
	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int posix_open_name(struct posix_fs *p, struct sk_9p_node *dir, int dirfd, const char *name, struct statx *ret_stx)
{
	_cleanup_fd_ int fd = posix_open_component(p, dirfd, name);
	int r = fd < 0 ? fd : posix_statx(fd, ret_stx);

	if (r < 0)
		return r;
	posix_probe_case(p, dir, dirfd, name, ret_stx);
	return SK_TAKE_FD(fd);
}

static bool same_file(const struct sk_9p_node *n, const struct statx *stx)
{
	return n->ino == stx->stx_ino && n->dev == ((uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor) &&
	       n->type == (stx->stx_mode & S_IFMT) &&
	       (n->reborn || (n->btime.tv_sec == stx->stx_btime.tv_sec && n->btime.tv_nsec == stx->stx_btime.tv_nsec));
}

bool posix_reborn(const struct posix_fs *p, const struct sk_9p_node *dir, int dirfd, const char *name,
		  const struct statx *stx)
{
	_cleanup_fd_ int fd = -1;

	if (dir->dev == ((uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor))
		return dir->reborn;
	fd = posix_open_component(p, dirfd, name);
	return fd >= 0 && posix_is_overlay(fd);
}

/* --- budget */

static void lru_remove(struct sk_9p_node *n)
{
	if (!n->lru.next)
		return;
	n->lru.prev->next = n->lru.next;
	n->lru.next->prev = n->lru.prev;
	n->lru.next = n->lru.prev = NULL;
}

static void lru_front(struct sk_export_pool *pool, struct sk_9p_node *n)
{
	lru_remove(n);
	n->lru.next = pool->lru.next;
	n->lru.prev = &pool->lru;
	pool->lru.next->prev = &n->lru;
	pool->lru.next = &n->lru;
}

/* Pinned: the budget may not close its descriptor, because it has no name to open it by, or because its inotify
 * mark could not be removed without it. */
static bool kept(const struct sk_9p_node *n)
{
	return n->pinned || n->watched;
}

static void close_node(struct sk_export_pool *pool, struct sk_9p_node *n)
{
	lru_remove(n);
	if (n->fd >= 0) {
		close(n->fd);
		n->fd = -1;
		pool->nodes--;
	}
}

/* Gives a node its descriptor (taken); closes the least recently used ones beyond the budget. The last few used stay.
 */
static void set_fd(struct posix_fs *p, struct sk_9p_node *n, int take_fd)
{
	struct sk_export_pool *pool = p->pool;

	n->fd = take_fd;
	pool->nodes++;
	if (!kept(n))
		lru_front(pool, n);
	while (pool->nodes > pool->max_nodes && pool->lru.prev != pool->lru.next) {
		struct sk_9p_node *last =
			(struct sk_9p_node *)(void *)((char *)pool->lru.prev - offsetof(struct sk_9p_node, lru));

		if (last == n)
			break;
		close_node(pool, last);
	}
}

/* Pinned nodes cannot be closed: beyond twice the budget there are no more of them. */
static bool over_budget(const struct sk_export_pool *pool)
{
	return pool->nodes >= pool->max_nodes + pool->max_files / 2;
}

static int reopen(struct posix_fs *p, struct sk_9p_node *n, unsigned depth);

static int fd_of(struct posix_fs *p, struct sk_9p_node *n, unsigned depth)
{
	if (n->fd >= 0) {
		if (!kept(n) && p->pool->lru.next != &n->lru)
			lru_front(p->pool, n);
		return n->fd;
	}
	return reopen(p, n, depth);
}

static int reopen(struct posix_fs *p, struct sk_9p_node *n, unsigned depth)
{
	_cleanup_fd_ int fd = -1;
	char path[POSIX_PROC_PATH];
	struct statx stx;
	uint64_t mount;
	int r;

	if (n->is_virtual)
		return -EACCES;
	if (over_budget(p->pool))
		return -ENFILE;
	if (n->files) {
		posix_proc(path, n->files->fd);
		fd = open(path, O_PATH | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	} else {
		if (!n->parent || !n->hashed)
			return -ESTALE;
		if (depth >= POSIX_DEPTH_MAX)
			return -ENAMETOOLONG;
		r = fd_of(p, n->parent, depth + 1);
		if (r < 0)
			return r;
		fd = posix_open_component(p, r, n->name);
		if (fd < 0)
			return fd == -ENOENT || fd == -ENOTDIR ? -ESTALE : fd;
		r = posix_statx(fd, &stx);
		if (r == 0)
			r = posix_cross(p, &stx, &fd, &mount);
		if (r < 0)
			return r;
		if (!same_file(n, &stx) || n->mount != mount)
			return -ESTALE;
	}
	set_fd(p, n, SK_TAKE_FD(fd));
	return n->fd;
}

int posix_fd(struct posix_fs *p, struct sk_9p_node *node)
{
	return fd_of(p, node, 0);
}

int posix_two_fds(struct posix_fs *p, struct sk_9p_node *a, struct sk_9p_node *b, int *ret_a, int *ret_b)
{
	bool pinned = a->pinned;

	*ret_a = posix_fd(p, a);
	if (*ret_a < 0)
		return *ret_a;
	a->pinned = true;
	lru_remove(a);
	*ret_b = posix_fd(p, b);
	a->pinned = pinned;
	if (!kept(a))
		lru_front(p->pool, a);
	return *ret_b < 0 ? *ret_b : 0;
}

void posix_keep(struct posix_fs *p, struct sk_9p_node *node)
{
	node->watched = true;
	p->pool->watched++;
	lru_remove(node);
}

/* --- table */

static struct sk_9p_node **bucket(struct posix_fs *p, const struct sk_9p_node *dir, const char *name)
{
	uint64_t h = (uint64_t)(uintptr_t)dir * UINT64_C(0x9e3779b97f4a7c15);

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return &p->buckets[(h ^ h >> 29) & (POSIX_BUCKETS - 1)];
}

struct sk_9p_node *posix_find(struct posix_fs *p, const struct sk_9p_node *dir, const char *name)
{
	struct sk_9p_node *n;

	for (n = *bucket(p, dir, name); n; n = n->hash_next)
		if (n->parent == dir && strcmp(n->name, name) == 0)
			return n;
	return NULL;
}

static void hash(struct posix_fs *p, struct sk_9p_node *n)
{
	struct sk_9p_node **to = bucket(p, n->parent, n->name);

	n->hash_next = *to;
	*to = n;
	n->hashed = true;
}

static void unhash(struct posix_fs *p, struct sk_9p_node *n)
{
	struct sk_9p_node **at;

	if (!n->hashed)
		return;
	for (at = bucket(p, n->parent, n->name); *at != n; at = &(*at)->hash_next)
		;
	*at = n->hash_next;
	n->hashed = false;
}

static void pin(struct sk_9p_node *n)
{
	n->pinned = true;
	lru_remove(n);
}

void posix_hold(struct posix_fs *p, struct sk_9p_node *n)
{
	/* If this fails, the node is stale from here on, and its users get ESTALE. */
	(void)posix_fd(p, n);
	pin(n);
}

void posix_gone(struct posix_fs *p, struct sk_9p_node *n)
{
	unhash(p, n);
	pin(n);
}

void posix_stays(struct posix_fs *p, struct sk_9p_node *n)
{
	n->pinned = false;
	if (n->fd >= 0 && !kept(n))
		lru_front(p->pool, n);
}

static bool is_in_mount(const struct sk_9p_node *n, uint64_t mount)
{
	for (; n; n = n->parent)
		if (n->mount == mount)
			return true;
	return false;
}

void posix_leave_mount(struct posix_fs *p, uint64_t mount)
{
	struct sk_9p_node *n, *next;
	unsigned i;

	for (i = 0; i < POSIX_BUCKETS; i++) {
		for (n = p->buckets[i]; n; n = next) {
			next = n->hash_next;
			if (!is_in_mount(n, mount))
				continue;
			posix_unwatch(p, n);
			unhash(p, n);
			close_node(p->pool, n);
			n->left = true;
		}
	}
}

void posix_moved(struct posix_fs *p, struct sk_9p_node *n, struct sk_9p_node *dir, const char *name)
{
	struct sk_9p_node *up, *old = n->parent;
	char *copy = strdup(name);

	unhash(p, n);
	/* The host may have moved `dir` out of `n` behind our back: a circle of parents must not come of it. */
	for (up = dir; up && up != n; up = up->parent)
		;
	if (up || !copy) {
		free(copy);
		pin(n);
		return;
	}
	free(n->name);
	n->name = copy;
	n->parent = posix_get(&p->fs, dir);
	hash(p, n);
	posix_stays(p, n);
	if (old)
		posix_put(&p->fs, old);
}

static int64_t real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void posix_names_changed(struct sk_9p_node *dir)
{
	dir->known_ms = real_ms();
}

int posix_node_new(struct posix_fs *p, int take_fd, struct sk_9p_node *parent, const char *name,
		   const struct statx *stx, struct sk_9p_node **ret_node)
{
	_cleanup_fd_ int fd = take_fd;
	struct sk_9p_node *n;

	if (over_budget(p->pool))
		return -ENFILE;
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->name = strdup(name);
	if (!n->name) {
		free(n);
		return -ENOMEM;
	}
	n->refs = 1;
	n->fd = -1;
	n->type = stx->stx_mode & S_IFMT;
	n->names = p->c.any_case ? POSIX_CASE_IGNORED : POSIX_CASE_UNKNOWN;
	n->dev = posix_dev_of(stx);
	n->mnt = posix_mnt_of(p, stx);
	n->ino = stx->stx_ino;
	n->btime = stx->stx_btime;
	n->reborn = parent && parent->dev == n->dev ? parent->reborn : fd >= 0 && posix_is_overlay(fd);
	n->pinned = !parent;
	n->known_ms = real_ms();
	if (parent) {
		n->parent = posix_get(&p->fs, parent);
		hash(p, n);
	}
	if (fd >= 0)
		set_fd(p, n, SK_TAKE_FD(fd));
	*ret_node = n;
	return 0;
}

struct sk_9p_node *posix_get(struct sk_9p_fs *fs, struct sk_9p_node *node)
{
	(void)fs;
	node->refs++;
	return node;
}

void posix_put(struct sk_9p_fs *fs, struct sk_9p_node *node)
{
	struct posix_fs *p = posix_of(fs);

	while (node && --node->refs == 0) {
		struct sk_9p_node *up = node->parent;

		unhash(p, node);
		posix_unwatch(p, node);
		close_node(p->pool, node);
		sk_sidecar_free(node->side);
		free(node->kept);
		free(node->recent);
		free(node->name);
		free(node);
		node = up;
	}
}

/* --- walking */

static int virtual_qid(struct posix_fs *p, struct p9_qid *ret_qid)
{
	*ret_qid = posix_virtual_qid(p);
	return 0;
}

static int node_qid(struct posix_fs *p, struct sk_9p_node *n, struct p9_qid *ret_qid)
{
	struct statx stx;
	int r;

	if (n->is_virtual)
		return virtual_qid(p, ret_qid);
	r = posix_fd(p, n);
	if (r >= 0)
		r = posix_statx(r, &stx);
	if (r < 0)
		return r;
	posix_identity(p, n, &stx);
	posix_qid(p, &stx, ret_qid);
	return 0;
}

int posix_root(struct sk_9p_fs *fs, struct sk_9p_node **ret_node, struct p9_qid *ret_qid)
{
	struct posix_fs *p = posix_of(fs);
	int r = node_qid(p, p->root, ret_qid);

	if (r == 0)
		*ret_node = posix_get(fs, p->root);
	return r;
}

/* The name refers to another file now: users of the node keep the file it had. */
static void forget(struct posix_fs *p, struct sk_9p_node *n)
{
	if (n)
		posix_gone(p, n);
}

/* The pool counts, too: what the client then walks to may be removed as well, and programs see the second error. */
static bool walk_again(struct posix_fs *p, struct sk_9p_node *dir)
{
	uint64_t now = sk_now_ms();

	if ((dir->stale_ms && now - dir->stale_ms < STALE_AGAIN_MS) || now - p->pool->stale_ms < STALE_ANY_MS)
		return false;
	dir->stale_ms = p->pool->stale_ms = now;
	return true;
}

bool posix_is_removed(struct posix_fs *p, struct sk_9p_node *dir, const struct statx *stx)
{
	return stx->stx_nlink == 0 && S_ISDIR(stx->stx_mode) && walk_again(p, dir);
}

/* Whether others have made, moved or removed names in a directory while clients may still use what they knew before. */
static bool is_changing(const struct sk_9p_node *dir, const struct statx *stx)
{
	int64_t changed = stx->stx_mtime.tv_sec * INT64_C(1000) + stx->stx_mtime.tv_nsec / 1000000;
	int64_t age = real_ms() - changed;

	return changed > dir->known_ms && age >= 0 && age < (dir->leased ? NOTICE_MS : CACHED_MS);
}

int posix_no_name(struct posix_fs *p, struct sk_9p_node *dir, int dirfd)
{
	struct statx stx;

	if (posix_statx(dirfd, &stx) < 0 || (stx.stx_nlink && !is_changing(dir, &stx)))
		return -ENOENT;
	return walk_again(p, dir) ? -ESTALE : -ENOENT;
}

/* An empty file may stand for a symbolic link. */
static void kept_qid(struct posix_fs *p, struct sk_9p_node *node, const struct statx *stx, struct p9_qid *ret_qid)
{
	struct sk_override o;

	posix_qid(p, stx, ret_qid);
	if (!posix_sidecar(p) || !S_ISREG(stx->stx_mode) || stx->stx_size)
		return;
	posix_kept(p, &(struct posix_subject){ .fd = -1, .node = node }, stx, &o);
	if (S_ISLNK(o.mode))
		ret_qid->type = P9_QTSYMLINK;
}

int posix_lookup(struct sk_9p_fs *fs, const struct sk_9p_cred *cred, struct sk_9p_node *dir, const char *name,
		 struct sk_9p_node **ret_node, struct p9_qid *ret_qid)
{
	struct posix_fs *p = posix_of(fs);
	struct sk_9p_node *known;
	_cleanup_fd_ int fd = -1;
	uint64_t mount = 0;
	struct statx stx;
	int dirfd, r;

	if (dir->type != S_IFDIR)
		return -ENOTDIR;
	if (posix_hidden_name(p, dir, name))
		return -ENOENT;
	if (dir->is_virtual) {
		if (strcmp(name, p->single->name) != 0)
			return -ENOENT;
		*ret_node = posix_get(fs, p->single);
		r = node_qid(p, p->single, ret_qid);
		if (r < 0)
			posix_put(fs, p->single);
		return r;
	}
	posix_as_caller(p, cred);
	dirfd = posix_fd(p, dir);
	if (dirfd < 0)
		return dirfd;
	known = posix_find(p, dir, name);
	if (known) {
		r = statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, POSIX_STATX, &stx) < 0 ? -errno : 0;
		if (r == 0)
			r = posix_cross(p, &stx, NULL, &mount);
		if (r == 0 && same_file(known, &stx) && known->mount == mount) {
			*ret_node = posix_get(fs, known);
			kept_qid(p, known, &stx, ret_qid);
			return 0;
		}
		if (r < 0 && r != -ENOENT)
			return r;
		forget(p, known);
		if (r < 0)
			return posix_no_name(p, dir, dirfd);
	}
	fd = posix_open_name(p, dir, dirfd, name, &stx);
	if (fd < 0)
		return fd == -ENOENT ? posix_no_name(p, dir, dirfd) : fd;
	r = posix_cross(p, &stx, &fd, &mount);
	if (r < 0)
		return r;
	r = posix_node_new(p, SK_TAKE_FD(fd), dir, name, &stx, ret_node);
	if (r < 0)
		return r;
	(*ret_node)->mount = mount;
	kept_qid(p, *ret_node, &stx, ret_qid);
	return 0;
}

int posix_parent(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_node **ret_node, struct p9_qid *ret_qid)
{
	struct posix_fs *p = posix_of(fs);
	struct sk_9p_node *up = node->parent ? node->parent : p->root;
	int r = node_qid(p, up, ret_qid);

	if (r == 0)
		*ret_node = posix_get(fs, up);
	return r;
}

int posix_place(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_node **ret_dir,
		char ret_name[P9_NAME_MAX + 1])
{
	struct posix_fs *p = posix_of(fs);

	if (node == p->root || node == p->single)
		return -EBUSY;
	if (!node->parent || !node->hashed)
		return -ENOENT;
	strcpy(ret_name, node->name);
	*ret_dir = posix_get(fs, node->parent);
	return 0;
}
