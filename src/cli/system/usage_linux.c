/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/system/usage.h"

#include <ftw.h>
#include <sys/stat.h>

static uint64_t usage; /* nftw() has no argument to pass on */

static int add_usage(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)path;
	(void)ftw;
	if (kind != FTW_NS)
		usage += (uint64_t)st->st_blocks * 512;
	return 0;
}

uint64_t sk_tree_usage(const char *path)
{
	usage = 0;
	nftw(path, add_usage, 32, FTW_PHYS);
	return usage;
}
