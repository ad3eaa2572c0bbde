/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual hard disks that grow: see vhdx.h. Section numbers are those of [MS-VHDX]. All numbers in the file are
 * little-endian.
 *
 * The file: identifier, two headers and two region tables (2.2); at 1 MiB a log, which is empty (2.3); at 2 MiB the metadata
 * (2.6); at 3 MiB the block allocation table (2.5), and behind it the blocks, in the order in which they were first written.
 * There are no sector bitmaps, which only disks with a parent have; their entries in the table are empty.
 */
#include "base/vhdx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/id.h"

#define KIB 1024u
#define MIB (UINT64_C(1) << 20)
#define SECTOR 512u
#define PHYSICAL_SECTOR 4096u
#define HEADER_BYTES (4u * KIB)
#define TABLE_BYTES (64u * KIB)
#define HEADER_AT (64u * KIB) /* the second behind it, then the region tables */
#define LOG_AT MIB
#define METADATA_AT (2 * MIB)
#define BAT_AT (3 * MIB)
#define ITEMS_AT TABLE_BYTES /* in the metadata */
/* After so many blocks the table has an entry of a sector bitmap's: 2^23 sectors' (2.5). */
#define CHUNK (UINT64_C(8388608) * SECTOR / SK_VHDX_BLOCK)
#define BLOCK_ZERO 2u	 /* PAYLOAD_BLOCK_ZERO */
#define BLOCK_PRESENT 6u /* PAYLOAD_BLOCK_FULLY_PRESENT */
#define IS_DISK 2u
#define IS_REQUIRED 4u
#define ID_BYTES 16u

/* As they are in the file: the first three parts little-endian. */
#define GUID(a, b, c, d0, d1, d2, d3, d4, d5, d6, d7)                                                          \
	{                                                                                                      \
		(uint8_t)(a), (uint8_t)((a) >> 8), (uint8_t)((a) >> 16), (uint8_t)((a) >> 24), (uint8_t)(b),   \
			(uint8_t)((b) >> 8), (uint8_t)(c), (uint8_t)((c) >> 8), d0, d1, d2, d3, d4, d5, d6, d7 \
	}
static const uint8_t bat_region[ID_BYTES] =
	GUID(0x2DC27766u, 0xF623u, 0x4200u, 0x9D, 0x64, 0x11, 0x5E, 0x9B, 0xFD, 0x4A, 0x08);
static const uint8_t metadata_region[ID_BYTES] =
	GUID(0x8B7CA206u, 0x4790u, 0x4B9Au, 0xB8, 0xFE, 0x57, 0x5F, 0x05, 0x0F, 0x88, 0x6E);
static const uint8_t file_parameters[ID_BYTES] =
	GUID(0xCAA16737u, 0xFA36u, 0x4D43u, 0xB3, 0xB6, 0x33, 0xF0, 0xAA, 0x44, 0xE7, 0x6B);
static const uint8_t virtual_disk_size[ID_BYTES] =
	GUID(0x2FA54224u, 0xCD1Bu, 0x4876u, 0xB2, 0x11, 0x5D, 0xBE, 0xD8, 0x3B, 0xF4, 0xB8);
static const uint8_t virtual_disk_id[ID_BYTES] =
	GUID(0xBECA12ABu, 0xB2E6u, 0x4523u, 0x93, 0xEF, 0xC3, 0x09, 0xE0, 0x00, 0xC7, 0x46);
static const uint8_t logical_sector_size[ID_BYTES] =
	GUID(0x8141BF1Du, 0xA96Fu, 0x4709u, 0xBA, 0x47, 0xF2, 0x33, 0xA8, 0xFA, 0xAB, 0x5F);
static const uint8_t physical_sector_size[ID_BYTES] =
	GUID(0xCDA348C7u, 0x445Du, 0x4471u, 0x9C, 0xC9, 0xE9, 0x88, 0x52, 0x51, 0xC5, 0x56);
static const char identifier[8] = { 'v', 'h', 'd', 'x', 'f', 'i', 'l', 'e' };

static void put(uint8_t *to, uint64_t value, unsigned bytes)
{
	while (bytes--) {
		*to++ = (uint8_t)value;
		value >>= 8;
	}
}

/* CRC-32C, polynomial 0x1EDC6F41 bit-reversed (2.2.2, Checksum). */
static uint32_t crc32c(const uint8_t *p, size_t n)
{
	uint32_t crc = ~0u;
	unsigned bit;

	while (n--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
	}
	return ~crc;
}

static int write_at(int fd, const void *data, size_t len, uint64_t offset)
{
	ssize_t n = pwrite(fd, data, len, (off_t)offset);

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -ENOSPC;
}

/* Two that differ in their number: the one with the larger counts (2.2.2). */
static int write_headers(const struct sk_vhdx *v)
{
	_cleanup_free_ uint8_t *h = calloc(1, HEADER_BYTES);
	unsigned i;
	int r = h ? 0 : -ENOMEM;

	for (i = 0; i < 2 && r == 0; i++) {
		memset(h, 0, HEADER_BYTES);
		memcpy(h, "head", 4);
		put(h + 8, i + 1, 8);
		sk_random(h + 16, ID_BYTES); /* FileWriteGuid */
		sk_random(h + 32, ID_BYTES); /* DataWriteGuid */
		put(h + 66, 1, 2);	     /* Version; LogGuid is zero: the log is empty */
		put(h + 68, MIB, 4);
		put(h + 72, LOG_AT, 8);
		put(h + 4, crc32c(h, HEADER_BYTES), 4);
		r = write_at(v->fd, h, HEADER_BYTES, (i + 1) * (uint64_t)HEADER_AT);
	}
	return r;
}

static uint64_t bat_bytes(const struct sk_vhdx *v)
{
	return (v->n_entries * sizeof(uint64_t) + MIB - 1) / MIB * MIB;
}

static int write_regions(const struct sk_vhdx *v)
{
	_cleanup_free_ uint8_t *t = calloc(1, TABLE_BYTES);
	int r;

	if (!t)
		return -ENOMEM;
	memcpy(t, "regi", 4);
	put(t + 8, 2, 4);
	memcpy(t + 16, bat_region, ID_BYTES);
	put(t + 32, BAT_AT, 8);
	put(t + 40, bat_bytes(v), 4);
	put(t + 44, 1, 4);
	memcpy(t + 48, metadata_region, ID_BYTES);
	put(t + 64, METADATA_AT, 8);
	put(t + 72, MIB, 4);
	put(t + 76, 1, 4);
	put(t + 4, crc32c(t, TABLE_BYTES), 4);
	r = write_at(v->fd, t, TABLE_BYTES, 3 * (uint64_t)HEADER_AT);
	return r < 0 ? r : write_at(v->fd, t, TABLE_BYTES, 4 * (uint64_t)HEADER_AT);
}

/* The next entry of the table and, behind all entries, what it is about. */
static void add_item(uint8_t *table, uint32_t *at, const uint8_t id[ID_BYTES], uint64_t value, unsigned bytes,
		     unsigned flags)
{
	unsigned n = table[10];
	uint8_t *entry = table + 32 + (size_t)n * 32;

	memcpy(entry, id, ID_BYTES);
	put(entry + 16, *at, 4);
	put(entry + 20, bytes, 4);
	put(entry + 24, flags, 4);
	if (bytes == ID_BYTES)
		sk_random(table + *at, ID_BYTES);
	else
		put(table + *at, value, bytes);
	table[10] = (uint8_t)(n + 1);
	*at += bytes;
}

static int write_metadata(const struct sk_vhdx *v)
{
	_cleanup_free_ uint8_t *t = calloc(1, TABLE_BYTES + HEADER_BYTES);
	uint32_t at = ITEMS_AT;

	if (!t)
		return -ENOMEM;
	memcpy(t, "metadata", 8);
	add_item(t, &at, file_parameters, SK_VHDX_BLOCK, 8, IS_REQUIRED);
	add_item(t, &at, virtual_disk_size, v->size, 8, IS_DISK | IS_REQUIRED);
	add_item(t, &at, virtual_disk_id, 0, ID_BYTES, IS_DISK | IS_REQUIRED);
	add_item(t, &at, logical_sector_size, SECTOR, 4, IS_DISK | IS_REQUIRED);
	add_item(t, &at, physical_sector_size, PHYSICAL_SECTOR, 4, IS_DISK | IS_REQUIRED);
	return write_at(v->fd, t, TABLE_BYTES + HEADER_BYTES, METADATA_AT);
}

static uint64_t *entry_of(const struct sk_vhdx *v, uint64_t block)
{
	return v->bat + block + block / CHUNK;
}

int sk_vhdx_begin(struct sk_vhdx *v, int fd, uint64_t size)
{
	uint64_t blocks = size / SK_VHDX_BLOCK, i;

	*v = (struct sk_vhdx){ .fd = fd, .size = size };
	if (!size || size % SK_VHDX_BLOCK || size > SK_VHDX_MAX)
		return -EINVAL;
	v->n_entries = (uint32_t)(blocks + (blocks - 1) / CHUNK);
	v->end = BAT_AT + bat_bytes(v);
	v->bat = calloc(v->n_entries, sizeof(*v->bat));
	if (!v->bat)
		return -ENOMEM;
	for (i = 0; i < blocks; i++)
		*entry_of(v, i) = BLOCK_ZERO;
	return 0;
}

/* The whole of a new block belongs to the file, which it makes longer. */
static int find_block(struct sk_vhdx *v, uint64_t block, uint64_t *ret)
{
	uint64_t *entry = entry_of(v, block);

	if (*entry == BLOCK_ZERO) {
		if (ftruncate(v->fd, (off_t)(v->end + SK_VHDX_BLOCK)) < 0)
			return -errno;
		*entry = v->end | BLOCK_PRESENT; /* the offset is in MiB, from bit 20 on */
		v->end += SK_VHDX_BLOCK;
	}
	*ret = *entry & ~(SK_VHDX_BLOCK - 1);
	return 0;
}

int sk_vhdx_write(struct sk_vhdx *v, uint64_t offset, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (offset > v->size || len > v->size - offset)
		return -ERANGE;
	while (len) {
		uint64_t inside = offset % SK_VHDX_BLOCK, at = 0;
		size_t n = len < SK_VHDX_BLOCK - inside ? len : (size_t)(SK_VHDX_BLOCK - inside);
		int r = find_block(v, offset / SK_VHDX_BLOCK, &at);

		if (r == 0)
			r = write_at(v->fd, p, n, at + inside);
		if (r < 0)
			return r;
		p += n;
		offset += n;
		len -= n;
	}
	return 0;
}

int sk_vhdx_finish(struct sk_vhdx *v)
{
	uint32_t i;
	int r;

	for (i = 0; i < v->n_entries; i++)
		put((uint8_t *)&v->bat[i], v->bat[i], sizeof(*v->bat));
	r = ftruncate(v->fd, (off_t)v->end) < 0 ? -errno : 0;
	if (r == 0)
		r = write_at(v->fd, v->bat, v->n_entries * sizeof(*v->bat), BAT_AT);
	if (r == 0)
		r = write_metadata(v);
	if (r == 0)
		r = write_regions(v);
	if (r == 0)
		r = write_headers(v);
	return r < 0 ? r : write_at(v->fd, identifier, sizeof(identifier), 0);
}

void sk_vhdx_fini(struct sk_vhdx *v)
{
	free(SK_TAKE_PTR(v->bat));
}

bool sk_vhdx_is(int fd)
{
	char head[sizeof(identifier)];

	return pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) && memcmp(head, identifier, sizeof(head)) == 0;
}
