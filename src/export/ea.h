/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_EA_H
#define SK_EXPORT_EA_H

#include <stddef.h>
#include <stdint.h>

#include "export/lxmeta.h"
#include "export/override.h"

/*
 * Owner, mode and device of a file on NTFS as WSL keeps them. What has to be asked of the system is a table, so that
 * the rules are the same wherever the file system is NTFS.
 *
 * A write reads all EAs of the file, changes ours, and writes all back. Within a process that is one step (a server
 * has one thread). Servers of one directory exclude each other by a lock on the file. Other programs may come between:
 * what was written is read back, and done again if our fields are not there.
 */
struct sk_ea_calls {
	/* Around a change; NULL: there is no such thing. Without a lock that can be had within some milliseconds, or of a kind
	 * of file that has none, the change is made all the same. */
	void (*lock)(void *file);
	void (*unlock)(void *file);
	/* All EAs of the file; bytes, -P9_ENODATA: none, or negative errno of Linux. */
	int (*get)(void *file, uint8_t *buf, size_t cap);
	int (*set)(void *file, const uint8_t *buf, size_t len); /* len 0: none from now on */
	bool last_zero;						/* the last entry's offset is 0 */
};

/* `type`: S_IFMT bits of what the file is. Fields that are not there are taken from *ret as it comes in; a mode of
 * another type leaves no permissions (WSL does the same). `ret_xattrs`: sk_lx_meta.xattrs; may be NULL. -P9_ENODATA: none of
 * the fields is there. */
int sk_ea_read(const struct sk_ea_calls *calls, void *file, uint32_t type, struct sk_override *ret, bool *ret_xattrs);
/* `fields`: SK_LX_* that are to be as in `o`; the others stay, where they are there. -P9_ENOSPC: no room in the file's EAs. */
int sk_ea_write(const struct sk_ea_calls *calls, void *file, const struct sk_override *o, unsigned fields);
/* Removes an extended attribute of WSL's (sk_lx_xattr_drop()). */
int sk_ea_drop_xattr(const struct sk_ea_calls *calls, void *file, const char *name);

/* Linux: ntfs-3g's attributes; `fd` may be O_PATH, and of a link, FIFO or socket. */
#define SK_EA_XATTR "system.ntfs_ea"
#define SK_EA_REPARSE "system.ntfs_reparse_data"
int sk_ea_load(int fd, uint32_t type, struct sk_override *ret, bool *ret_xattrs);
int sk_ea_store(int fd, const struct sk_override *o, unsigned fields);
/* Extended attributes of WSL's: as sk_lx_xattr_get(), sk_lx_xattr_list(), and removing one. */
int sk_ea_xattr_get(int fd, const char *name, void *buf, size_t cap);
int sk_ea_xattr_list(int fd, char *buf, size_t cap);
int sk_ea_xattr_drop(int fd, const char *name);

#endif
