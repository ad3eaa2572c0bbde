/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of ea.h on Linux: ntfs-3g gives all EAs of a file as one extended attribute. */
#include <errno.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "export/ea.h"

static void proc_path(char path[40], const int *fd)
{
	snprintf(path, 40, "/proc/self/fd/%d", *fd);
}

static int get(void *file, uint8_t *buf, size_t cap)
{
	char path[40];
	ssize_t n;

	proc_path(path, file);
	n = getxattr(path, SK_EA_XATTR, buf, cap);
	return n < 0 ? -errno : (int)n;
}

static int set(void *file, const uint8_t *buf, size_t len)
{
	char path[40];

	proc_path(path, file);
	if (len == 0)
		return removexattr(path, SK_EA_XATTR) < 0 && errno != ENODATA ? -errno : 0;
	return setxattr(path, SK_EA_XATTR, buf, len, 0) < 0 ? -errno : 0;
}

static const struct sk_ea_calls calls = { .get = get, .set = set };

int sk_ea_load(int fd, uint32_t type, struct sk_override *ret)
{
	return sk_ea_read(&calls, &fd, type, ret);
}

int sk_ea_store(int fd, const struct sk_override *o)
{
	return sk_ea_write(&calls, &fd, o);
}
