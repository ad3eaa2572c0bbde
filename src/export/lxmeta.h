/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_LXMETA_H
#define SK_EXPORT_LXMETA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What Linux needs of a file and NTFS does not have, in the bytes that the Windows Subsystem for Linux (DrvFs) writes:
 * extended attributes (EAs) of the file and reparse points. (Names: windows_name.h.) Pure functions over buffers, for
 * every system. All of these bytes may have been written by others.
 *
 * Errors are negative enum p9_errno.
 */

/* --- extended attributes: a list of FILE_FULL_EA_INFORMATION ([MS-FSCC] 2.4.15) */

/* All EAs of one file. Windows allows 64 KiB; ntfs-3g takes this much. */
#define SK_LX_EA_MAX 65528u

enum {
	SK_LX_UID = 1u,
	SK_LX_GID = 2u,
	SK_LX_MODE = 4u,
	SK_LX_DEV = 8u,
	SK_LX_ALL = 15u,
};

/* $LXUID, $LXGID, $LXMOD (with the file's type), $LXDEV. */
struct sk_lx_meta {
	unsigned have; /* SK_LX_*: the fields that are there */
	uint32_t uid, gid, mode, major, minor;
	bool xattrs; /* there are extended attributes as WSL kept them: sk_lx_xattr_get() */
};

/*
 * Reads the fields. One of the wrong size is left out; of two with one name the first counts. Names ignore case. The
 * offset of the last entry may be 0 (Windows) or the entry's size (ntfs-3g). -P9_EIO: what follows some entry is no
 * entry; the fields before it are in *ret.
 */
int sk_lx_ea_read(const uint8_t *ea, size_t len, struct sk_lx_meta *ret);

/*
 * Writes the list again, with the fields that `meta` has in place of those of their names, first and in WSL's order;
 * a field that it does not have goes. All other entries stay as they are. `last_zero`: the offset of the last entry is
 * 0, not its size. `out` must not overlap `ea`. Bytes written, -P9_ENOSPC: more than `cap`; -P9_EIO: as above, nothing
 * is to be written then.
 */
int sk_lx_ea_write(const uint8_t *ea, size_t len, const struct sk_lx_meta *meta, bool last_zero, uint8_t *out,
		   size_t cap);

/*
 * Extended attributes as WSL kept them: NAME is the EA "LX." and NAME in upper case, whose value begins with "lxea". Those of
 * users ("user.*") only; all others mean something to the kernel, and are not for a file of whoever wrote them to say.
 *
 * get: the length of the value, of which as much as fits is in `buf`; `cap` 0: nothing. list: names with a NUL each, in lower
 * case, as long as they fit; the length of all. drop: the list of EAs without it, as sk_lx_ea_write(). -P9_ENODATA: none of
 * that name; -P9_EIO, for drop: as above.
 */
int sk_lx_xattr_get(const uint8_t *ea, size_t len, const char *name, void *buf, size_t cap);
int sk_lx_xattr_list(const uint8_t *ea, size_t len, char *buf, size_t cap);
int sk_lx_xattr_drop(const uint8_t *ea, size_t len, const char *name, bool last_zero, uint8_t *out, size_t cap);

/* --- reparse points ([MS-FSCC] 2.1.2) */

enum sk_lx_reparse {
	SK_LX_REPARSE_OTHER, /* a tag that says nothing to Linux: the file is refused */
	SK_LX_REPARSE_LINK,  /* a symbolic link of WSL's: the target as it was given */
	SK_LX_REPARSE_SOCKET,
	SK_LX_REPARSE_FIFO,
	SK_LX_REPARSE_CHR,
	SK_LX_REPARSE_BLK,
	SK_LX_REPARSE_FOREIGN, /* a symbolic link or mount point of Windows: its path, with slashes, for display */
};

#define SK_LX_TARGET_MAX 4096u /* with the NUL */

/* `target`: of LINK and FOREIGN. -P9_EIO: damaged. */
int sk_lx_reparse_read(const uint8_t *data, size_t len, enum sk_lx_reparse *ret, char target[SK_LX_TARGET_MAX]);

#endif
