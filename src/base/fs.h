/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_FS_H
#define SK_BASE_FS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All take a directory descriptor and a relative path (or AT_FDCWD). All return 0 or negative errno unless said
 * otherwise. */

/* Reads a whole regular file of at most `max` bytes. `*ret_data` is malloc'd with a NUL behind (not counted in
 * `*ret_len`, which may be NULL). -EFBIG: larger than max. */
int sk_fs_read(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_len);
/* The same of an open file, from where it stands. */
int sk_fs_read_fd(int fd, size_t max, char **ret_data, size_t *ret_len);
/* Replaces `path` in one step: temporary file, fsync where `durable`, rename. The old content stays on any failure. */
int sk_fs_write_atomic(int dirfd, const char *path, const void *data, size_t len, mode_t mode, bool durable);
/* Writes all `len` bytes to `fd`, whatever write() returns short of an error. */
int sk_fs_write_all(int fd, const void *data, size_t len);
/* Makes every missing directory of `path` (absolute or relative to the current directory) with `mode`. */
int sk_fs_mkdir_p(const char *path, mode_t mode);
/* Opens a directory for readdir(). NULL with errno. */
DIR *sk_fs_opendir(int dirfd, const char *path);
/* Opens `path` below `dirfd` as O_PATH; links may lead about in there, but not out of it, nor may "..". Descriptor or
 * negative errno; -EXDEV: it leads out. */
int sk_fs_open_beneath(int dirfd, const char *path);
/* The same, for reading a file that is there; without waiting for a FIFO's other end. Where the kernel cannot keep a
 * path inside (before Linux 5.6), at least its last component is no link. */
int sk_fs_open_file_beneath(int dirfd, const char *path);
/* Removes `name` under `dirfd` and everything below it, not following links or crossing mounts. -ENOENT is success. */
int sk_fs_remove_tree(int dirfd, const char *name);
/* Copies a file keeping holes (reflink where the file system can); both descriptors from offset 0. */
int sk_fs_copy_sparse(int from_fd, int to_fd);
/* Takes an exclusive (or shared) flock on `fd`. `wait` false: -EWOULDBLOCK when taken. */
int sk_fs_lock(int fd, bool exclusive, bool wait);
/* asprintf that returns NULL on no memory and nothing else. */
char *sk_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
