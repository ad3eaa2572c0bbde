/* SPDX-License-Identifier: Apache-2.0 */
/* The footer of virtual hard disks of a fixed size: see vhd.h. All numbers in it are big-endian. */
#include "base/vhd.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"

#define SECTOR 512u
#define ALIGN 4096u
#define FEATURES 2u /* a bit that is always set */
#define VERSION 0x00010000u
#define FIXED 2u
/* Where things are in it. */
#define AT_FEATURES 8
#define AT_VERSION 12
#define AT_NEXT 16
#define AT_CREATOR 28
#define AT_CREATOR_VERSION 32
#define AT_CREATOR_SYSTEM 36
#define AT_ORIGINAL_SIZE 40
#define AT_SIZE 48
#define AT_GEOMETRY 56
#define AT_TYPE 60
#define AT_CHECKSUM 64
#define AT_ID 68

static const char cookie[8] = { 'c', 'o', 'n', 'e', 'c', 't', 'i', 'x' };

static void put(uint8_t *to, uint64_t value, unsigned bytes)
{
	while (bytes--) {
		to[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t get(const uint8_t *from, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | *from++;
	return value;
}

/* The specification's appendix "CHS Calculation". */
static void put_geometry(uint8_t to[4], uint64_t size)
{
	uint64_t sectors = size / SECTOR, tracks;
	unsigned per_track, heads;

	if (sectors > 65535ull * 16 * 255)
		sectors = 65535ull * 16 * 255;
	if (sectors >= 65535ull * 16 * 63) {
		per_track = 255;
		heads = 16;
		tracks = sectors / per_track;
	} else {
		per_track = 17;
		tracks = sectors / per_track;
		heads = (unsigned)((tracks + 1023) / 1024);
		if (heads < 4)
			heads = 4;
		if (tracks >= heads * 1024ull || heads > 16) {
			per_track = 31;
			heads = 16;
			tracks = sectors / per_track;
		}
		if (tracks >= heads * 1024ull) {
			per_track = 63;
			heads = 16;
			tracks = sectors / per_track;
		}
	}
	put(to, tracks / heads, 2);
	to[2] = (uint8_t)heads;
	to[3] = (uint8_t)per_track;
}

static uint32_t checksum(const uint8_t footer[SK_VHD_FOOTER])
{
	uint32_t sum = 0;
	unsigned i;

	for (i = 0; i < SK_VHD_FOOTER; i++)
		if (i < AT_CHECKSUM || i >= AT_CHECKSUM + 4)
			sum += footer[i];
	return ~sum;
}

void sk_vhd_footer(uint64_t size, uint8_t ret[SK_VHD_FOOTER])
{
	memset(ret, 0, SK_VHD_FOOTER);
	memcpy(ret, cookie, sizeof(cookie));
	put(ret + AT_FEATURES, FEATURES, 4);
	put(ret + AT_VERSION, VERSION, 4);
	memset(ret + AT_NEXT, 0xff, 8); /* nothing comes behind it */
	memcpy(ret + AT_CREATOR, "skry", 4);
	put(ret + AT_CREATOR_VERSION, VERSION, 4);
	memcpy(ret + AT_CREATOR_SYSTEM, "Wi2k", 4);
	put(ret + AT_ORIGINAL_SIZE, size, 8);
	put(ret + AT_SIZE, size, 8);
	put_geometry(ret + AT_GEOMETRY, size);
	put(ret + AT_TYPE, FIXED, 4);
	sk_random(ret + AT_ID, 16);
	put(ret + AT_CHECKSUM, checksum(ret), 4);
}

uint64_t sk_vhd_parse(const uint8_t footer[SK_VHD_FOOTER], uint64_t file_size)
{
	uint64_t size = get(footer + AT_SIZE, 8);

	if (memcmp(footer, cookie, sizeof(cookie)) != 0 || get(footer + AT_CHECKSUM, 4) != checksum(footer) ||
	    get(footer + AT_VERSION, 4) != VERSION || get(footer + AT_TYPE, 4) != FIXED || !size || size % SECTOR ||
	    file_size < SK_VHD_FOOTER || size != file_size - SK_VHD_FOOTER)
		return 0;
	return size;
}

uint64_t sk_vhd_size(int fd)
{
	uint8_t footer[SK_VHD_FOOTER];
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(footer) ||
	    pread(fd, footer, sizeof(footer), st.st_size - (off_t)sizeof(footer)) != (ssize_t)sizeof(footer))
		return 0;
	return sk_vhd_parse(footer, (uint64_t)st.st_size);
}

int sk_vhd_make(int fd)
{
	uint8_t footer[SK_VHD_FOOTER];
	struct stat st;
	uint64_t size;
	ssize_t n;

	if (sk_vhd_size(fd))
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	size = ((uint64_t)st.st_size + ALIGN - 1) / ALIGN * ALIGN;
	sk_vhd_footer(size, footer);
	n = pwrite(fd, footer, sizeof(footer), (off_t)size);
	return n == (ssize_t)sizeof(footer) ? 0 : n < 0 ? -errno : -ENOSPC;
}
