/* SPDX-License-Identifier: Apache-2.0 */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

int sk_confine_open(int rootfd, const char *path, uint64_t flags, mode_t mode)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int tries, fd = -1;

	if (!*path)
		path = ".";
	/* EAGAIN: a rename raced with "..": the kernel could not vouch for the result. */
	for (tries = 0; tries < 32; tries++) {
		fd = (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : fd;
}

int sk_confine_path(int rootfd, const char *path, int follow)
{
	return sk_confine_open(rootfd, path, (uint64_t)(O_PATH | (follow ? 0 : O_NOFOLLOW)), 0);
}

int sk_confine_reopen(int pathfd, int flags)
{
	char proc[64];
	int fd;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", pathfd);
	fd = open(proc, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sk_confine_open_regular(int rootfd, const char *path)
{
	_cleanup_fd_ int pathfd = sk_confine_path(rootfd, path, 1);
	struct stat st;

	if (pathfd < 0)
		return pathfd;
	if (fstat(pathfd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	return sk_confine_reopen(pathfd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

int sk_confine_parent(int rootfd, const char *path, char *ret_name)
{
	char parent[PATH_MAX];
	size_t n = strlen(path), start;

	while (n && path[n - 1] == '/')
		n--;
	for (start = n; start && path[start - 1] != '/'; start--)
		;
	if (n - start == 0 || n - start > NAME_MAX || start >= sizeof(parent))
		return n - start > NAME_MAX || start >= sizeof(parent) ? -ENAMETOOLONG : -EINVAL;
	memcpy(ret_name, path + start, n - start);
	ret_name[n - start] = '\0';
	if (strcmp(ret_name, ".") == 0 || strcmp(ret_name, "..") == 0)
		return -EINVAL;
	memcpy(parent, path, start);
	parent[start] = '\0';
	return sk_confine_open(rootfd, parent, (uint64_t)(O_PATH | O_DIRECTORY), 0);
}
