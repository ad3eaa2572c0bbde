/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_IMAGE_ACL_H
#define SK_IMAGE_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <archive_entry.h>

/*
 * POSIX ACLs of a layer. An archive has them as text (SCHILY.acl.access, as tar --acls writes it; libarchive reads it)
 * or as the attribute system.posix_acl_access (tar --xattrs, docker). We keep them in the attribute's form
 * (linux/posix_acl_xattr.h: u32 version 2, then { u16 tag, u16 perm, u32 id }, little endian). squashfs has no prefix
 * for "system.": the name on disk is "trusted.posix_acl_access", which our kernel shows under its own
 * (kernel/patches/0015-squashfs-posix-acl.patch).
 */
#define SK_ACL_ENTRIES_MAX 512
#define SK_ACL_BYTES_MAX (4 + 8 * SK_ACL_ENTRIES_MAX)

/* The name on disk for "system.posix_acl_{access,default}", or NULL for other names. */
const char *sk_acl_disk_name(const char *name);
/* Whether this is a whole and valid ACL (acl(5), "valid ACL"). On success `*ret_mask`, unless NULL, is what the mode's
 * group bits have to be: the mask, or the owning group's entry if there is none. */
bool sk_acl_valid(const void *value, size_t len, unsigned *ret_mask);
/*
 * The ACL of an entry, which libarchive has read: type is ARCHIVE_ENTRY_ACL_TYPE_ACCESS or _DEFAULT. Returns its length
 * in `out` (SK_ACL_BYTES_MAX bytes); 0 if there is none, or none that could be kept: users and groups without a number
 * (whose they are on the writer's machine says nothing about the image) are left out.
 */
size_t sk_acl_of_entry(struct archive_entry *entry, int type, uint8_t *out);

#endif
