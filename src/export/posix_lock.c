/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * One open file description per locked file, apart from those that data goes through, holds what all clients of this
 * server have locked: ranges as open-file-description locks (fcntl F_OFD_SETLK), flock() as flock(). Each excludes
 * every other program on the host that uses that kind, and other servers; the kinds do not exclude each other.
 *
 * A range needs a descriptor open for reading or writing, as its type is. Where there is none to be had (a running
 * program, a read-only file system), ranges of that type are the server's own affair.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/posix_internal.h"

struct sk_9p_hostlock {
	int fd;
	bool readable, writable;
};

int posix_lock_key(struct sk_9p_fs *fs, struct sk_9p_file *file, struct sk_9p_key *ret_key)
{
	(void)fs;
	if (file->fd < 0)
		return -EOPNOTSUPP;
	ret_key->dev = file->node->dev;
	ret_key->ino = file->node->ino;
	return 0;
}

int posix_lock_new(struct sk_9p_fs *fs, struct sk_9p_node *node, struct sk_9p_file *file,
		   struct sk_9p_hostlock **ret_lock)
{
	struct posix_fs *p = posix_of(fs);
	char path[POSIX_PROC_PATH];
	struct sk_9p_hostlock *l;
	int fd;

	if (p->pool->files >= p->pool->max_files)
		return -ENOLCK;
	posix_proc(path, file->fd);
	l = calloc(1, sizeof(*l));
	fd = l && node->type == S_IFREG ? open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		l->readable = l->writable = true;
	} else if (l) {
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		l->readable = fd >= 0;
		/* Not even readable: the file was opened for writing only, and so can this be. */
		if (fd < 0 && errno == EACCES) {
			fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
			l->writable = fd >= 0;
		}
	}
	if (!l || fd < 0) {
		int r = l ? -errno : -ENOMEM;

		sk_close_fd(&fd);
		free(l);
		return r;
	}
	l->fd = fd;
	p->pool->files++;
	*ret_lock = l;
	return 0;
}

void posix_lock_free(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock)
{
	posix_of(fs)->pool->files--;
	close(lock->fd);
	free(lock);
}

static struct flock range(uint8_t type, uint64_t first, uint64_t last)
{
	struct flock l = {
		.l_type = type == P9_LOCK_RDLCK	  ? F_RDLCK
			  : type == P9_LOCK_WRLCK ? F_WRLCK
						  : F_UNLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)first,
		.l_len = last >= INT64_MAX ? 0 : (off_t)(last - first + 1),
	};

	return l;
}

static int lock_whole(const struct sk_9p_hostlock *lock, uint8_t type)
{
	int op = type == P9_LOCK_RDLCK ? LOCK_SH : type == P9_LOCK_WRLCK ? LOCK_EX : LOCK_UN;

	if (flock(lock->fd, op | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

int posix_lock_set(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, enum sk_9p_lock_kind kind, uint8_t type,
		   uint64_t first, uint64_t last)
{
	struct flock l = range(type, first, last);

	(void)fs;
	if (kind == SK_9P_LOCK_FLOCK)
		return lock_whole(lock, type);
	if (first > INT64_MAX || (type == P9_LOCK_RDLCK && !lock->readable) ||
	    (type == P9_LOCK_WRLCK && !lock->writable))
		return 0;
	if (fcntl(lock->fd, F_OFD_SETLK, &l) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

int posix_lock_test(struct sk_9p_fs *fs, struct sk_9p_hostlock *lock, uint8_t *type, uint64_t *first, uint64_t *last,
		    uint32_t *ret_pid)
{
	struct flock l = range(*type, *first, *last);

	(void)fs;
	*ret_pid = 0;
	if (fcntl(lock->fd, F_OFD_GETLK, &l) < 0)
		return -errno;
	if (l.l_type == F_UNLCK) {
		*type = P9_LOCK_UNLCK;
		return 0;
	}
	*type = (uint8_t)(l.l_type == F_RDLCK ? P9_LOCK_RDLCK : P9_LOCK_WRLCK);
	*first = (uint64_t)l.l_start;
	*last = l.l_len ? (uint64_t)l.l_start + (uint64_t)l.l_len - 1 : UINT64_MAX;
	/* Another server's lock has no process; a pid of the host means nothing to a guest, but has to be one. */
	*ret_pid = l.l_pid > 0 ? (uint32_t)l.l_pid : 1;
	return 0;
}
