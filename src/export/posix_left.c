/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that FUSE's library gives files that are open when their name is removed or replaced: ".fuse_hidden" and 16
 * hexadecimal digits, in the same directory, until they are closed. Clients neither see them nor reach them by name. A
 * directory that has nothing else is empty for clients: before it is removed they are moved to the one above, from
 * where the library removes them as well when they are closed. Nobody has to clean up after a server that is killed:
 * its files are closed then.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/posix_internal.h"
#include "export/sidecar.h"

#define PREFIX ".fuse_hidden"
#define DIGITS 16u

bool posix_left_name(const struct posix_fs *p, const char *name)
{
	return p->c.leaves_names && strncmp(name, PREFIX, sizeof(PREFIX) - 1) == 0 &&
	       strlen(name) == sizeof(PREFIX) - 1 + DIGITS &&
	       strspn(name + sizeof(PREFIX) - 1, "0123456789abcdef") == DIGITS;
}

/* -ENOTEMPTY: there is something that clients see. */
static int move_all(const struct posix_fs *p, int dir, int up, bool really)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *e;

	if (!d) {
		r = -errno;
		sk_close_fd(&copy);
		return r;
	}
	while (r == 0 && (e = readdir(d))) {
		const char *name = e->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (posix_sidecar(p) && sk_sidecar_is(name)))
			continue;
		if (!posix_left_name(p, name) || faccessat(up, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			r = -ENOTEMPTY;
		/* ENOENT: it has been closed. */
		else if (really && renameat(dir, name, up, name) < 0 && errno != ENOENT)
			r = -ENOTEMPTY;
	}
	closedir(d);
	return r;
}

int posix_left_rmdir(const struct posix_fs *p, int dirfd, const char *name)
{
	_cleanup_fd_ int fd = -1;
	int r;

	if (!p->c.leaves_names)
		return -ENOTEMPTY;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = move_all(p, fd, dirfd, false);
	if (r == 0)
		r = move_all(p, fd, dirfd, true);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}
