/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_DIRENT_H
#define SK_WINDOWS_DIRENT_H

#include <stdint.h>

/* In place of mingw-w64's, which opens by path only. See sk_posix.h. */
#define DT_UNKNOWN 0
#define DT_DIR 4
#define DT_REG 8
#define DT_LNK 10

struct sk_posix_dirent {
	uint64_t d_ino;
	unsigned char d_type;
	char d_name[3 * 255 + 1];
};
struct sk_posix_dir;

#define dirent sk_posix_dirent
#define DIR struct sk_posix_dir
#define opendir sk_posix_opendir
#define fdopendir sk_posix_fdopendir
#define readdir sk_posix_readdir
#define rewinddir sk_posix_rewinddir
#define closedir sk_posix_closedir
#define dirfd(dir) sk_posix_dirfd(dir) /* a word that names other things, too */
DIR *sk_posix_opendir(const char *path);
DIR *sk_posix_fdopendir(int take_fd);
struct dirent *sk_posix_readdir(DIR *dir);
void sk_posix_rewinddir(DIR *dir);
int sk_posix_closedir(DIR *dir);
int sk_posix_dirfd(const DIR *dir);

#endif
