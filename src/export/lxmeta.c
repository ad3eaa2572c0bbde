/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WSL's metadata on NTFS: EAs, reparse points. See lxmeta.h.
 *
 * An EA entry is NextEntryOffset u32, Flags u8, NameLength u8, ValueLength u16, name, NUL, value, padded to 4 bytes.
 * Every entry is checked against what is left of the buffer before any of it is used; nothing is written unless the
 * whole list could be read, because what cannot be read could not be kept.
 */
#include "export/lxmeta.h"

#include <string.h>

#include "export/windows_name.h"
#include "ninep/linux.h"

#define EA_HEADER 8u
#define REPARSE_HEADER 8u
#define TAG_MOUNT_POINT 0xA0000003u
#define TAG_SYMLINK 0xA000000Cu
#define TAG_LX_SYMLINK 0xA000001Du
#define TAG_AF_UNIX 0x80000023u
#define TAG_LX_FIFO 0x80000024u
#define TAG_LX_CHR 0x80000025u
#define TAG_LX_BLK 0x80000026u
#define LX_SYMLINK_VERSION 2u
#define LX_PREFIX "LX."
#define LX_MARK "lxea"
#define LX_MARK_LEN 4u

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

/* --- extended attributes */

struct ea_entry {
	const uint8_t *start, *name, *value;
	size_t size; /* without padding */
	uint8_t name_len;
	uint16_t value_len;
};

/* Takes the entry at `*at` and moves on. 1; 0: the end; -P9_EIO. */
static int next_entry(const uint8_t *ea, size_t len, size_t *at, struct ea_entry *ret)
{
	size_t left = len - *at, step;
	const uint8_t *p;

	if (left == 0) /* `ea` may be NULL then */
		return 0;
	p = ea + *at;
	if (left < EA_HEADER)
		return -P9_EIO;
	ret->start = p;
	ret->name_len = p[5];
	ret->value_len = get16(p + 6);
	ret->size = EA_HEADER + ret->name_len + 1u + ret->value_len;
	if (ret->name_len == 0 || ret->size > left || p[EA_HEADER + ret->name_len] != 0)
		return -P9_EIO;
	ret->name = p + EA_HEADER;
	ret->value = ret->name + ret->name_len + 1;
	step = get32(p);
	if (step == 0) {
		*at = len;
		return 1;
	}
	/* The last entry's offset may count padding that is not there. */
	if (step < ret->size || (step > left && step != ((ret->size + 3) & ~(size_t)3)))
		return -P9_EIO;
	*at += step < left ? step : left;
	return 1;
}

static const struct {
	const char *name;
	unsigned field;
	uint16_t size;
} fields[] = {
	{ "$LXUID", SK_LX_UID, 4 },
	{ "$LXGID", SK_LX_GID, 4 },
	{ "$LXMOD", SK_LX_MODE, 4 },
	{ "$LXDEV", SK_LX_DEV, 8 },
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Index in `fields`; N_FIELDS: somebody else's. */
static size_t field_of(const struct ea_entry *e)
{
	size_t i, k;

	for (i = 0; i < N_FIELDS; i++) {
		if (strlen(fields[i].name) != e->name_len)
			continue;
		for (k = 0; k < e->name_len && fields[i].name[k] == upper((char)e->name[k]); k++)
			;
		if (k == e->name_len)
			return i;
	}
	return N_FIELDS;
}

static void take_field(struct sk_lx_meta *m, size_t i, const struct ea_entry *e)
{
	if (e->value_len != fields[i].size || (m->have & fields[i].field))
		return;
	m->have |= fields[i].field;
	switch (fields[i].field) {
	case SK_LX_UID:
		m->uid = get32(e->value);
		break;
	case SK_LX_GID:
		m->gid = get32(e->value);
		break;
	case SK_LX_MODE:
		m->mode = get32(e->value);
		break;
	default:
		m->major = get32(e->value);
		m->minor = get32(e->value + 4);
		break;
	}
}

/* The name of a user's extended attribute in an entry, behind "LX.", or NULL. */
static const uint8_t *xattr_of(const struct ea_entry *e, size_t *ret_len)
{
	static const char prefix[] = LX_PREFIX "USER.";
	size_t k;

	/* "USER." alone is no name. */
	if (e->name_len < sizeof(prefix) || e->value_len < LX_MARK_LEN || memcmp(e->value, LX_MARK, LX_MARK_LEN) != 0)
		return NULL;
	for (k = 0; k < sizeof(prefix) - 1; k++)
		if (upper((char)e->name[k]) != prefix[k])
			return NULL;
	*ret_len = e->name_len - (sizeof(LX_PREFIX) - 1);
	return memchr(e->name, 0, e->name_len) ? NULL : e->name + sizeof(LX_PREFIX) - 1;
}

static bool is_xattr(const struct ea_entry *e, const char *name)
{
	const uint8_t *p;
	size_t n, k;

	p = xattr_of(e, &n);
	if (!p || strlen(name) != n)
		return false;
	for (k = 0; k < n && upper((char)p[k]) == upper(name[k]); k++)
		;
	return k == n;
}

int sk_lx_ea_read(const uint8_t *ea, size_t len, struct sk_lx_meta *ret)
{
	struct ea_entry e;
	size_t at = 0, n;
	int r;

	memset(ret, 0, sizeof(*ret));
	while ((r = next_entry(ea, len, &at, &e)) > 0) {
		size_t i = field_of(&e);

		if (i < N_FIELDS)
			take_field(ret, i, &e);
		else if (xattr_of(&e, &n))
			ret->xattrs = true;
	}
	return r;
}

struct writer {
	uint8_t *out;
	size_t cap, len, last; /* last: where the last entry begins */
};

/* Room for an entry of `size` bytes and its padding, cleared; NULL: there is none. */
static uint8_t *room(struct writer *w, size_t size)
{
	size_t padded = (size + 3) & ~(size_t)3;
	uint8_t *p = w->out + w->len;

	if (padded > w->cap - w->len)
		return NULL;
	memset(p, 0, padded);
	put32(p, (uint32_t)padded);
	w->last = w->len;
	w->len += padded;
	return p;
}

static bool put_field(struct writer *w, size_t i, const struct sk_lx_meta *m)
{
	const uint32_t values[N_FIELDS] = { m->uid, m->gid, m->mode, m->major };
	size_t name_len = strlen(fields[i].name);
	uint8_t *p = room(w, EA_HEADER + name_len + 1 + fields[i].size);

	if (!p)
		return false;
	p[5] = (uint8_t)name_len;
	p[6] = (uint8_t)fields[i].size;
	memcpy(p + EA_HEADER, fields[i].name, name_len);
	put32(p + EA_HEADER + name_len + 1, values[i]);
	if (fields[i].field == SK_LX_DEV)
		put32(p + EA_HEADER + name_len + 5, m->minor);
	return true;
}

static bool put_copy(struct writer *w, const struct ea_entry *e)
{
	uint8_t *p = room(w, e->size);

	if (p)
		memcpy(p + 4, e->start + 4, e->size - 4);
	return p != NULL;
}

int sk_lx_ea_write(const uint8_t *ea, size_t len, const struct sk_lx_meta *meta, bool last_zero, uint8_t *out,
		   size_t cap)
{
	struct writer w = { out, cap < SK_LX_EA_MAX ? cap : SK_LX_EA_MAX, 0, 0 };
	struct ea_entry e;
	size_t at = 0, i;
	int r;

	for (i = 0; i < N_FIELDS; i++)
		if ((meta->have & fields[i].field) && !put_field(&w, i, meta))
			return -P9_ENOSPC;
	while ((r = next_entry(ea, len, &at, &e)) > 0)
		if (field_of(&e) == N_FIELDS && !put_copy(&w, &e))
			return -P9_ENOSPC;
	if (r < 0)
		return r;
	if (last_zero && w.len)
		put32(out + w.last, 0);
	return (int)w.len;
}

/* --- extended attributes of WSL's */

int sk_lx_xattr_get(const uint8_t *ea, size_t len, const char *name, void *buf, size_t cap)
{
	struct ea_entry e;
	size_t at = 0, n;

	while (next_entry(ea, len, &at, &e) > 0) {
		if (!is_xattr(&e, name))
			continue;
		n = e.value_len - LX_MARK_LEN;
		if (cap)
			memcpy(buf, e.value + LX_MARK_LEN, n < cap ? n : cap);
		return (int)n;
	}
	return -P9_ENODATA;
}

int sk_lx_xattr_list(const uint8_t *ea, size_t len, char *buf, size_t cap)
{
	struct ea_entry e;
	size_t at = 0, n, k, all = 0;
	const uint8_t *p;

	while (next_entry(ea, len, &at, &e) > 0) {
		p = xattr_of(&e, &n);
		if (!p)
			continue;
		if (all + n + 1 <= cap) {
			for (k = 0; k < n; k++)
				buf[all + k] = lower((char)p[k]);
			buf[all + n] = 0;
		}
		all += n + 1;
	}
	return (int)all;
}

int sk_lx_xattr_drop(const uint8_t *ea, size_t len, const char *name, bool last_zero, uint8_t *out, size_t cap)
{
	struct writer w = { out, cap < SK_LX_EA_MAX ? cap : SK_LX_EA_MAX, 0, 0 };
	struct ea_entry e;
	bool found = false;
	size_t at = 0;
	int r;

	while ((r = next_entry(ea, len, &at, &e)) > 0) {
		if (is_xattr(&e, name))
			found = true;
		else if (!put_copy(&w, &e))
			return -P9_ENOSPC;
	}
	if (r < 0 || !found)
		return r < 0 ? r : -P9_ENODATA;
	if (last_zero && w.len)
		put32(out + w.last, 0);
	return (int)w.len;
}

/* --- reparse points */

/* `len`: bytes of UTF-16. A surrogate without its other half, and 0, become U+FFFD. False: too long. */
static bool from_utf16(const uint8_t *p, size_t len, char *to, size_t cap)
{
	size_t i, taken, n = 0;

	for (i = 0; i + 1 < len; i += 2 * taken) {
		uint16_t units[2] = { get16(p + i), i + 3 < len ? get16(p + i + 2) : 0 };
		uint32_t c;

		taken = sk_utf16_take(units, 2, &c);
		if (taken == 0 || c == 0) {
			taken = 1;
			c = 0xfffd;
		}
		if (cap - n < 5)
			return false;
		n += sk_utf8_put(to + n, c == '\\' ? '/' : c);
	}
	to[n] = 0;
	return n > 0;
}

static int read_lx_link(const uint8_t *data, size_t len, char target[SK_LX_TARGET_MAX])
{
	if (len <= 4 || get32(data) != LX_SYMLINK_VERSION || len - 4 >= SK_LX_TARGET_MAX ||
	    memchr(data + 4, 0, len - 4))
		return -P9_EIO;
	memcpy(target, data + 4, len - 4);
	target[len - 4] = 0;
	return 0;
}

/* Offsets and lengths of two names, then (symbolic links only) flags, then the names. */
static int read_windows_link(const uint8_t *data, size_t len, size_t header, char target[SK_LX_TARGET_MAX])
{
	size_t k;

	if (len < header)
		return -P9_EIO;
	/* The name to show, if there is one, else the one that is followed. */
	for (k = 0; k < 2; k++) {
		const uint8_t *place = data + (1 - k) * 4;
		size_t at = get16(place), n = get16(place + 2);

		if (at <= len - header && n <= len - header - at && n && n % 2 == 0)
			return from_utf16(data + header + at, n, target, SK_LX_TARGET_MAX) ? 0 : -P9_EIO;
	}
	return -P9_EIO;
}

int sk_lx_reparse_read(const uint8_t *data, size_t len, enum sk_lx_reparse *ret, char target[SK_LX_TARGET_MAX])
{
	uint16_t n;

	target[0] = 0;
	*ret = SK_LX_REPARSE_OTHER;
	if (len < REPARSE_HEADER)
		return -P9_EIO;
	n = get16(data + 4);
	if (n > len - REPARSE_HEADER)
		return -P9_EIO;
	data += REPARSE_HEADER;
	switch (get32(data - REPARSE_HEADER)) {
	case TAG_LX_SYMLINK:
		*ret = SK_LX_REPARSE_LINK;
		return read_lx_link(data, n, target);
	case TAG_SYMLINK:
		*ret = SK_LX_REPARSE_FOREIGN;
		return read_windows_link(data, n, 12, target);
	case TAG_MOUNT_POINT:
		*ret = SK_LX_REPARSE_FOREIGN;
		return read_windows_link(data, n, 8, target);
	case TAG_AF_UNIX:
		*ret = SK_LX_REPARSE_SOCKET;
		return 0;
	case TAG_LX_FIFO:
		*ret = SK_LX_REPARSE_FIFO;
		return 0;
	case TAG_LX_CHR:
		*ret = SK_LX_REPARSE_CHR;
		return 0;
	case TAG_LX_BLK:
		*ret = SK_LX_REPARSE_BLK;
		return 0;
	default:
		return 0;
	}
}
