/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_NINEP_LINUX_H
#define SK_NINEP_LINUX_H

/*
 * Linux's numbers as they go over the wire in 9P2000.L, whatever the host calls them: errno values of Rlerror, open
 * flags, file types and modes, the flags of unlinkat and setxattr. (Generic Linux numbers: those of x86, arm64, riscv.)
 */
enum p9_errno {
	P9_EPERM = 1,
	P9_ENOENT = 2,
	P9_EINTR = 4,
	P9_EIO = 5,
	P9_ENXIO = 6,
	P9_E2BIG = 7,
	P9_EBADF = 9,
	P9_EAGAIN = 11,
	P9_ENOMEM = 12,
	P9_EACCES = 13,
	P9_EFAULT = 14,
	P9_EBUSY = 16,
	P9_EEXIST = 17,
	P9_EXDEV = 18,
	P9_ENODEV = 19,
	P9_ENOTDIR = 20,
	P9_EISDIR = 21,
	P9_EINVAL = 22,
	P9_ENFILE = 23,
	P9_EMFILE = 24,
	P9_EFBIG = 27,
	P9_ENOSPC = 28,
	P9_EROFS = 30,
	P9_EMLINK = 31,
	P9_EPIPE = 32,
	P9_ERANGE = 34,
	P9_ENAMETOOLONG = 36,
	P9_ENOLCK = 37,
	P9_ENOSYS = 38,
	P9_ENOTEMPTY = 39,
	P9_ELOOP = 40,
	P9_ENODATA = 61,
	P9_EPROTO = 71,
	P9_EOVERFLOW = 75,
	P9_EILSEQ = 84,
	P9_EMSGSIZE = 90,
	P9_EPROTOTYPE = 91,
	P9_EOPNOTSUPP = 95,
	P9_ECONNREFUSED = 111,
	P9_ESTALE = 116,
	P9_EDQUOT = 122,
};

/* Tlopen, Tlcreate */
#define P9_O_ACCMODE 03u
#define P9_O_RDONLY 00u
#define P9_O_WRONLY 01u
#define P9_O_RDWR 02u
#define P9_O_CREATE 0100u
#define P9_O_EXCL 0200u
#define P9_O_NOCTTY 0400u
#define P9_O_TRUNC 01000u
#define P9_O_APPEND 02000u
#define P9_O_NONBLOCK 04000u
#define P9_O_DSYNC 010000u
#define P9_O_FASYNC 020000u
#define P9_O_DIRECT 040000u
#define P9_O_LARGEFILE 0100000u
#define P9_O_DIRECTORY 0200000u
#define P9_O_NOFOLLOW 0400000u
#define P9_O_NOATIME 01000000u
#define P9_O_CLOEXEC 02000000u
#define P9_O_SYNC 04000000u

#define P9_S_IFMT 0170000u
#define P9_S_IFSOCK 0140000u
#define P9_S_IFLNK 0120000u
#define P9_S_IFREG 0100000u
#define P9_S_IFBLK 0060000u
#define P9_S_IFDIR 0040000u
#define P9_S_IFCHR 0020000u
#define P9_S_IFIFO 0010000u
#define P9_S_ISUID 04000u
#define P9_S_ISGID 02000u
#define P9_S_ISVTX 01000u

#define P9_DT_UNKNOWN 0u
#define P9_DT_DIR 4u
#define P9_DT_REG 8u
#define P9_DT_LNK 10u

#define P9_AT_REMOVEDIR 0x200u
#define P9_XATTR_CREATE 1u
#define P9_XATTR_REPLACE 2u

/* Tallocate: fallocate() */
#define P9_FALLOC_KEEP_SIZE 0x01u
#define P9_FALLOC_PUNCH_HOLE 0x02u
#define P9_FALLOC_COLLAPSE_RANGE 0x08u
#define P9_FALLOC_ZERO_RANGE 0x10u
#define P9_FALLOC_INSERT_RANGE 0x20u
#define P9_FALLOC_UNSHARE_RANGE 0x40u
#define P9_FALLOC_WRITE_ZEROES 0x80u
#define P9_FALLOC_ALL 0xfbu
/* Tseek */
#define P9_SEEK_SET 0u
#define P9_SEEK_DATA 3u
#define P9_SEEK_HOLE 4u
/* Trenamex: renameat2() */
#define P9_RENAME_NOREPLACE 1u
#define P9_RENAME_EXCHANGE 2u
#define P9_RENAME_WHITEOUT 4u
#define P9_RENAME_ALL 7u

#define P9_NAME_MAX 255u
#define P9_PATH_MAX 4096u /* with the NUL */
#define P9_XATTR_SIZE_MAX 65536u

#endif
