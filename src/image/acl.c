/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX ACLs between archives, the kernel's form of the attribute, and the names that our guests' squashfs knows them
 * by (kernel/patches/0015). All of it comes from an image: checked before it is stored.
 */
#include "image/acl.h"

#include <archive.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* linux/posix_acl.h */
#define ACL_VERSION 2
#define TAG_USER_OBJ 0x01
#define TAG_USER 0x02
#define TAG_GROUP_OBJ 0x04
#define TAG_GROUP 0x08
#define TAG_MASK 0x10
#define TAG_OTHER 0x20
#define ID_NONE UINT32_MAX

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

const char *sk_acl_disk_name(const char *name)
{
	if (strcmp(name, "system.posix_acl_access") == 0)
		return "trusted.posix_acl_access";
	if (strcmp(name, "system.posix_acl_default") == 0)
		return "trusted.posix_acl_default";
	return NULL;
}

static bool named(uint16_t tag)
{
	return tag == TAG_USER || tag == TAG_GROUP;
}

static struct acl_entry get_entry(const uint8_t *at)
{
	struct acl_entry e;

	memcpy(&e, at, sizeof(e));
	return (struct acl_entry){ le16toh(e.tag), le16toh(e.perm), le32toh(e.id) };
}

/* In the kernel's order, each once: by tag, then by id; a mask if anything is named. */
bool sk_acl_valid(const void *value, size_t len, unsigned *ret_mask)
{
	const uint8_t *bytes = value;
	struct acl_entry e, last = { 0, 0, 0 };
	unsigned seen = 0, mask = 0;
	uint32_t version;
	size_t i;

	if (len < 4 || (len - 4) % 8 || len > SK_ACL_BYTES_MAX)
		return false;
	memcpy(&version, bytes, 4);
	if (le32toh(version) != ACL_VERSION)
		return false;
	for (i = 4; i < len; i += 8, last = e) {
		e = get_entry(bytes + i);
		if (e.perm > 7 || e.tag == 0 || e.tag > TAG_OTHER || (e.tag & (e.tag - 1)) || e.tag < last.tag)
			return false;
		if (e.tag == last.tag && (!named(e.tag) || e.id <= last.id))
			return false;
		if (named(e.tag) && e.id == ID_NONE)
			return false;
		if (e.tag == TAG_MASK || (e.tag == TAG_GROUP_OBJ && !(seen & TAG_MASK)))
			mask = e.perm;
		seen |= e.tag;
	}
	if ((seen & (TAG_USER_OBJ | TAG_GROUP_OBJ | TAG_OTHER)) != (TAG_USER_OBJ | TAG_GROUP_OBJ | TAG_OTHER) ||
	    ((seen & (TAG_USER | TAG_GROUP)) && !(seen & TAG_MASK)))
		return false;
	if (ret_mask)
		*ret_mask = mask;
	return true;
}

static int by_tag(const void *a, const void *b)
{
	const struct acl_entry *x = a, *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static uint16_t tag_of(int archive_tag)
{
	switch (archive_tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ:
		return TAG_USER_OBJ;
	case ARCHIVE_ENTRY_ACL_USER:
		return TAG_USER;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
		return TAG_GROUP_OBJ;
	case ARCHIVE_ENTRY_ACL_GROUP:
		return TAG_GROUP;
	case ARCHIVE_ENTRY_ACL_MASK:
		return TAG_MASK;
	case ARCHIVE_ENTRY_ACL_OTHER:
		return TAG_OTHER;
	default:
		return 0;
	}
}

static uint16_t perm_of(int permset)
{
	return (uint16_t)(((permset & ARCHIVE_ENTRY_ACL_READ) ? 4 : 0) | ((permset & ARCHIVE_ENTRY_ACL_WRITE) ? 2 : 0) |
			  ((permset & ARCHIVE_ENTRY_ACL_EXECUTE) ? 1 : 0));
}

size_t sk_acl_of_entry(struct archive_entry *entry, int type, uint8_t *out)
{
	struct acl_entry list[SK_ACL_ENTRIES_MAX];
	int any_type, permset, archive_tag, id;
	const char *name;
	size_t n = 0, i;

	if (archive_entry_acl_reset(entry, type) <= 0)
		return 0;
	while (archive_entry_acl_next(entry, type, &any_type, &permset, &archive_tag, &id, &name) == ARCHIVE_OK) {
		struct acl_entry e = { tag_of(archive_tag), perm_of(permset), ID_NONE };

		if (named(e.tag)) {
			if (id < 0)
				continue;
			e.id = (uint32_t)id;
		}
		if (n == SK_ACL_ENTRIES_MAX)
			return 0;
		list[n++] = e;
	}
	qsort(list, n, sizeof(*list), by_tag);
	memcpy(out, &(uint32_t){ htole32(ACL_VERSION) }, 4);
	for (i = 0; i < n; i++) {
		struct acl_entry e = { htole16(list[i].tag), htole16(list[i].perm), htole32(list[i].id) };

		memcpy(out + 4 + 8 * i, &e, 8);
	}
	return sk_acl_valid(out, 4 + 8 * n, NULL) ? 4 + 8 * n : 0;
}
