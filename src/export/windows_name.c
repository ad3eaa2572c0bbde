/* SPDX-License-Identifier: Apache-2.0 */
/* Names of files between UTF-8 and UTF-16, with what Windows forbids in them as WSL stores it. Knows no system. */
#include "export/windows_name.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define FORBIDDEN_BASE 0xF000u

static bool is_forbidden(uint32_t c)
{
	return c && c < 0x80 && (c < 0x20 || strchr("<>:\"\\|?*", (int)c));
}

/* The next character of UTF-8; 0: it is none (overlong, a surrogate, beyond Unicode, cut). */
static uint32_t next_utf8(const uint8_t **at)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = *at;
	unsigned more = *p < 0x80	      ? 0
			: (*p & 0xe0) == 0xc0 ? 1
			: (*p & 0xf0) == 0xe0 ? 2
			: (*p & 0xf8) == 0xf0 ? 3
					      : 4,
		 i;
	uint32_t c = more == 0 ? *p : more > 3 ? 0 : *p & (0x3fu >> more);

	if (more > 3)
		return 0;
	for (i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	*at = p + more + 1;
	return c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : c;
}

int sk_windows_name_encode(const char *name, uint16_t ret[SK_WINDOWS_NAME_MAX + 1])
{
	const uint8_t *p = (const uint8_t *)name;
	size_t n = 0;

	while (*p) {
		uint32_t c = next_utf8(&p);

		if (c == 0 || (c > FORBIDDEN_BASE && is_forbidden(c - FORBIDDEN_BASE)))
			return -EILSEQ;
		if (is_forbidden(c))
			c += FORBIDDEN_BASE;
		if (n + (c >= 0x10000) >= SK_WINDOWS_NAME_MAX)
			return -ENAMETOOLONG;
		if (c >= 0x10000) {
			ret[n++] = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		ret[n++] = (uint16_t)c;
	}
	ret[n] = 0;
	return (int)n;
}

/* Bytes of a character. */
static unsigned put_utf8(uint32_t c, uint8_t to[4])
{
	if (c < 0x80) {
		to[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (uint8_t)(0xc0 | c >> 6);
		to[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (uint8_t)(0xe0 | c >> 12);
		to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		to[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | c >> 18);
	to[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	to[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	to[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

int sk_windows_name_decode(const uint16_t *name, size_t n, char *ret, size_t cap)
{
	size_t i, len = 0;

	for (i = 0; i < n; i++) {
		uint32_t c = name[i];
		uint8_t bytes[4];
		unsigned k;

		if (c >= 0xd800 && c < 0xdc00 && i + 1 < n && name[i + 1] >= 0xdc00 && name[i + 1] < 0xe000)
			c = 0x10000 + ((c - 0xd800) << 10) + (name[++i] - 0xdc00u);
		else if (c >= 0xd800 && c < 0xe000)
			return -EILSEQ;
		if (c > FORBIDDEN_BASE && is_forbidden(c - FORBIDDEN_BASE))
			c -= FORBIDDEN_BASE;
		else if (c == 0 || c == '/' || is_forbidden(c))
			return -EILSEQ;
		k = put_utf8(c, bytes);
		if (len + k >= cap)
			return -ENAMETOOLONG;
		memcpy(ret + len, bytes, k);
		len += k;
	}
	if (len >= cap || len == 0)
		return -EILSEQ;
	ret[len] = '\0';
	return strcmp(ret, ".") == 0 || strcmp(ret, "..") == 0 ? -EILSEQ : (int)len;
}
