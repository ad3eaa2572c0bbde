/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_SYS_STATVFS_H
#define SK_WINDOWS_SYS_STATVFS_H

#include <stdint.h>

/* See sk_posix.h. Windows tells of space only: the numbers of files are 0. */
struct sk_posix_statvfs {
	unsigned long f_bsize, f_frsize;
	uint64_t f_blocks, f_bfree, f_bavail;
	uint64_t f_files, f_ffree, f_favail;
};
#define statvfs sk_posix_statvfs
#define fstatvfs sk_posix_fstatvfs
int sk_posix_fstatvfs(int fd, struct sk_posix_statvfs *ret);

#endif
