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
 * has one thread). Another process may come between: what was written is read back, and done again if our fields are
 * not there. All four fields of one owner are always written together, so two writers leave the fields of the last.
 */
struct sk_ea_calls {
	/* All EAs of the file; bytes, -P9_ENODATA: none, or negative errno of Linux. */
	int (*get)(void *file, uint8_t *buf, size_t cap);
	int (*set)(void *file, const uint8_t *buf, size_t len); /* len 0: none from now on */
	bool last_zero;						/* the last entry's offset is 0 */
};

/* `type`: S_IFMT bits of what the file is. Fields that are not there are taken from *ret as it comes in; a mode of
 * another type leaves no permissions (WSL does the same). -P9_ENODATA: none of the fields is there. */
int sk_ea_read(const struct sk_ea_calls *calls, void *file, uint32_t type, struct sk_override *ret);
/* -P9_ENOSPC: no room in the file's EAs. */
int sk_ea_write(const struct sk_ea_calls *calls, void *file, const struct sk_override *o);

/* Linux: ntfs-3g's attributes; `fd` may be O_PATH, and of a link, FIFO or socket. */
#define SK_EA_XATTR "system.ntfs_ea"
#define SK_EA_REPARSE "system.ntfs_reparse_data"
int sk_ea_load(int fd, uint32_t type, struct sk_override *ret);
int sk_ea_store(int fd, const struct sk_override *o);

#endif
