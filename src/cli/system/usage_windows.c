/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/system/usage.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define DEPTH_MAX 256u /* a descriptor each */

static uint64_t add(int dirfd_, const char *name, unsigned depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	uint64_t sum = 0;
	struct dirent *de;
	struct stat st;

	if (fstatat(dirfd_, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	sum = (uint64_t)st.st_blocks * 512;
	if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
		return sum;
	dir = sk_fs_opendir(dirfd_, name);
	while (dir && (de = readdir(dir)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			sum += add(dirfd(dir), de->d_name, depth + 1);
	return sum;
}

uint64_t sk_tree_usage(const char *path)
{
	return add(AT_FDCWD, path, 0);
}
