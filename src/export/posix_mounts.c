/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts that come and go below an export while it is served (mount propagation).
 *
 * The server's copy of the export's mounts is private: it gets nothing that is mounted on the host later, and keeps
 * nothing on the host busy. Where the user wants such mounts, another process tells of them (ninepd/propagate.c) and
 * hands over a private copy of each. A walk that comes to a mount point goes on in that copy. When the host has
 * unmounted, the copy and all descriptors of names in it are closed: only files that clients have open, or whose name
 * was removed, hold the file system any longer.
 */
#include <errno.h>
#include <stdlib.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/posix_internal.h"

#define STACK_MAX 16u

struct posix_mount {
	struct posix_mount *next;
	uint64_t id;
	int fd; /* the copy's root, O_PATH */
	/* The mount point: an inode, in a mount that this process has (its own number, not the host's). */
	uint64_t on_mnt, on_dev, on_ino;
};

static struct posix_mount *find_id(const struct posix_fs *p, uint64_t id)
{
	struct posix_mount *m;

	for (m = p->mounts; m && m->id != id; m = m->next)
		;
	return m;
}

static struct posix_mount *mounted_on(const struct posix_fs *p, const struct statx *stx)
{
	struct posix_mount *m;

	for (m = p->mounts; m; m = m->next)
		if (m->on_ino == stx->stx_ino && m->on_dev == posix_dev_of(stx) && m->on_mnt == stx->stx_mnt_id)
			return m;
	return NULL;
}

bool posix_is_point(const struct posix_fs *p, int dirfd, const char *name)
{
	struct statx stx;

	return p->mounts && statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, POSIX_STATX, &stx) == 0 &&
	       mounted_on(p, &stx);
}

int posix_cross(const struct posix_fs *p, struct statx *stx, int *fd, uint64_t *ret_mount)
{
	const struct posix_mount *m, *top = NULL;
	unsigned i;
	int r;

	*ret_mount = 0;
	for (i = 0; i < STACK_MAX && (m = mounted_on(p, stx)); i++) {
		r = posix_statx(m->fd, stx);
		if (r < 0)
			return r;
		top = m;
	}
	if (!top)
		return 0;
	*ret_mount = top->id;
	if (!fd)
		return 0;
	r = fcntl(top->fd, F_DUPFD_CLOEXEC, 3);
	if (r < 0)
		return -errno;
	close(*fd);
	*fd = r;
	return 0;
}

int sk_posix_mount(struct sk_9p_fs *fs, uint64_t id, int take_fd, uint64_t parent, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	struct posix_fs *p = posix_of(fs);
	const struct posix_mount *on = parent ? find_id(p, parent) : NULL;
	_cleanup_fd_ int fd = take_fd, point = -1;
	struct posix_mount *m, **at;
	struct statx stx;
	unsigned n = 0;

	for (at = &p->mounts; *at; at = &(*at)->next)
		n++;
	if (n >= SK_EXPORT_MOUNTS_MAX)
		return -ENOSPC;
	if (!id || find_id(p, id) || p->root->is_virtual || (parent && !on))
		return -EINVAL;
	posix_as_caller(p, &(struct sk_9p_cred){ 0, 0 });
	point = (int)syscall(SYS_openat2, on ? on->fd : p->root->fd, *path ? path : ".", &how, sizeof(how));
	if (point < 0)
		return -errno;
	if (posix_statx(point, &stx) < 0 || !(stx.stx_mask & STATX_MNT_ID))
		return -EIO;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	*m = (struct posix_mount){
		.id = id, .on_mnt = stx.stx_mnt_id, .on_dev = posix_dev_of(&stx), .on_ino = stx.stx_ino
	};
	m->fd = SK_TAKE_FD(fd);
	*at = m;
	return 0;
}

static void unlink_mount(struct posix_fs *p, struct posix_mount *m)
{
	struct posix_mount **at;

	for (at = &p->mounts; *at != m; at = &(*at)->next)
		;
	*at = m->next;
	close(m->fd);
	free(m);
}

void sk_posix_unmount(struct sk_9p_fs *fs, uint64_t id)
{
	struct posix_fs *p = posix_of(fs);
	struct posix_mount *m = find_id(p, id);

	if (!m)
		return;
	unlink_mount(p, m);
	posix_leave_mount(p, id);
}

void posix_mounts_free(struct posix_fs *p)
{
	while (p->mounts)
		unlink_mount(p, p->mounts);
}
