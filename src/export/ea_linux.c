/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of ea.h on Linux: ntfs-3g gives all EAs of a file as one extended attribute.
 *
 * The lock of a regular file is one of its last byte, which there never is, as an open file description's: programs that
 * lock byte ranges meet it only if they lock everything up to the largest offset, and it is held for the time of three
 * calls. A directory is locked by flock(). What can be neither (FIFOs, symbolic links, devices) has none.
 *
 * Another server that has the lock may have to wait for a processor: it is waited for, a second at most. A program that
 * has locked its file keeps it for as long as it likes: then the change is made without the lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "export/ea.h"

#define LOCK_WAIT_US 500
#define LOCK_TRIES 10	       /* while a program has the byte */
#define LOCK_SERVER_TRIES 2000 /* while another server has it, or may have it */

struct ea_file {
	char path[40];
	int fd;
	int lock; /* -1: none */
};

static int get(void *file, uint8_t *buf, size_t cap)
{
	const struct ea_file *f = file;
	ssize_t n = getxattr(f->path, SK_EA_XATTR, buf, cap);

	return n < 0 ? -errno : (int)n;
}

static int set(void *file, const uint8_t *buf, size_t len)
{
	const struct ea_file *f = file;

	if (len == 0)
		return removexattr(f->path, SK_EA_XATTR) < 0 && errno != ENODATA ? -errno : 0;
	return setxattr(f->path, SK_EA_XATTR, buf, len, 0) < 0 ? -errno : 0;
}

/* The descriptor itself where it can be locked, else one of its own. */
static int lockable(const struct ea_file *f, mode_t type)
{
	int flags = fcntl(f->fd, F_GETFL);

	if (flags >= 0 && !(flags & O_PATH) && (type == S_IFDIR || (flags & O_ACCMODE) != O_RDONLY))
		return f->fd;
	return open(f->path, (type == S_IFDIR ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static int set_lock(int fd, mode_t type, bool on)
{
	struct flock last = {
		.l_type = on ? F_WRLCK : F_UNLCK, .l_whence = SEEK_SET, .l_start = INT64_MAX - 1, .l_len = 1
	};

	return type == S_IFDIR ? flock(fd, (on ? LOCK_EX : LOCK_UN) | LOCK_NB) : fcntl(fd, F_OFD_SETLK, &last);
}

/* How often the lock is tried, that somebody else has. */
static int tries_for(int fd, mode_t type)
{
	struct flock other = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = INT64_MAX - 1, .l_len = 1 };

	if (type == S_IFDIR || fcntl(fd, F_OFD_GETLK, &other) < 0 || other.l_type == F_UNLCK ||
	    other.l_start == INT64_MAX - 1)
		return LOCK_SERVER_TRIES;
	return LOCK_TRIES;
}

static mode_t type_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_mode & S_IFMT;
}

static void lock(void *file)
{
	struct ea_file *f = file;
	mode_t type = type_of(f->fd);
	int tries;

	if (type != S_IFREG && type != S_IFDIR)
		return;
	f->lock = lockable(f, type);
	for (tries = 0; f->lock >= 0; tries++) {
		if (set_lock(f->lock, type, true) == 0 || (errno != EAGAIN && errno != EACCES && errno != EWOULDBLOCK))
			return;
		if (tries >= tries_for(f->lock, type))
			return;
		usleep(LOCK_WAIT_US);
	}
}

static void unlock(void *file)
{
	struct ea_file *f = file;

	if (f->lock >= 0 && f->lock == f->fd)
		(void)set_lock(f->lock, type_of(f->fd), false);
	else if (f->lock >= 0)
		close(f->lock);
	f->lock = -1;
}

static const struct sk_ea_calls calls = { .lock = lock, .unlock = unlock, .get = get, .set = set };

static struct ea_file file_of(int fd)
{
	struct ea_file f = { .fd = fd, .lock = -1 };

	snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", fd);
	return f;
}

int sk_ea_load(int fd, uint32_t type, struct sk_override *ret, bool *ret_xattrs)
{
	struct ea_file f = file_of(fd);

	return sk_ea_read(&calls, &f, type, ret, ret_xattrs);
}

int sk_ea_store(int fd, const struct sk_override *o, unsigned fields)
{
	struct ea_file f = file_of(fd);

	return sk_ea_write(&calls, &f, o, fields);
}

/* All EAs (the caller frees them). Their length or negative errno. */
static int all_of(int fd, uint8_t **ret)
{
	struct ea_file f = file_of(fd);
	int n;

	*ret = malloc(SK_LX_EA_MAX);
	n = *ret ? get(&f, *ret, SK_LX_EA_MAX) : -ENOMEM;
	return n;
}

int sk_ea_xattr_get(int fd, const char *name, void *buf, size_t cap)
{
	uint8_t *ea;
	int n = all_of(fd, &ea);

	if (n >= 0)
		n = sk_lx_xattr_get(ea, (size_t)n, name, buf, cap);
	free(ea);
	return n;
}

int sk_ea_xattr_list(int fd, char *buf, size_t cap)
{
	uint8_t *ea;
	int n = all_of(fd, &ea);

	if (n >= 0)
		n = sk_lx_xattr_list(ea, (size_t)n, buf, cap);
	free(ea);
	return n == -ENODATA ? 0 : n;
}

int sk_ea_xattr_drop(int fd, const char *name)
{
	struct ea_file f = file_of(fd);

	return sk_ea_drop_xattr(&calls, &f, name);
}
