/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of files between Linux and Windows: UTF-8 and UTF-16, with what Windows forbids in them as WSL stores it. Knows no
 * system. See windows_name.h.
 */
#include "export/windows_name.h"

#include <string.h>

#include "ninep/linux.h"

#define PRIVATE 0xF000u /* plus the character that is forbidden */

static bool is_forbidden(uint32_t c)
{
	return (c >= 1 && c < 32) || (c && c < 128 && strchr("\"*:<>?\\|", (int)c));
}

/* The character that `c` stands for; 0: it stands for itself. */
static uint32_t stands_for(uint32_t c)
{
	return c > PRIVATE && is_forbidden(c - PRIVATE) ? c - PRIVATE : 0;
}

size_t sk_utf8_take(const char *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = (const uint8_t *)s;
	size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0, i;
	uint32_t c = n < 2 ? p[0] : p[0] & (0x7fu >> n);

	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (n == 0 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return n;
}

size_t sk_utf8_put(char to[4], uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

size_t sk_utf16_take(const uint16_t *s, size_t n, uint32_t *ret)
{
	if (n == 0)
		return 0;
	*ret = s[0];
	if (s[0] >> 11 != 0x1b)
		return 1;
	if (s[0] >> 10 != 0x36 || n < 2 || s[1] >> 10 != 0x37)
		return 0;
	*ret = 0x10000 + ((s[0] & 0x3ffu) << 10) + (s[1] & 0x3ffu);
	return 2;
}

int sk_windows_name_encode(const char *name, uint16_t ret[SK_WINDOWS_NAME_MAX + 1])
{
	size_t n = 0, taken;
	uint32_t c;

	for (; *name; name += taken) {
		taken = sk_utf8_take(name, &c);
		if (taken == 0)
			return -P9_EILSEQ;
		if (stands_for(c))
			return -P9_EINVAL;
		if (is_forbidden(c))
			c += PRIVATE;
		if (n + (c >= 0x10000) >= SK_WINDOWS_NAME_MAX)
			return -P9_ENAMETOOLONG;
		if (c >= 0x10000) {
			ret[n++] = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		ret[n++] = (uint16_t)c;
	}
	ret[n] = 0;
	return (int)n;
}

int sk_windows_name_decode(const uint16_t *name, size_t n, char *ret, size_t cap)
{
	size_t len = 0, taken, k;
	char bytes[4];
	uint32_t c;

	for (; n; name += taken, n -= taken) {
		taken = sk_utf16_take(name, n, &c);
		if (taken == 0)
			return -P9_EILSEQ;
		if (stands_for(c))
			c = stands_for(c);
		else if (c == 0 || c == '/' || is_forbidden(c))
			return -P9_EILSEQ;
		k = sk_utf8_put(bytes, c);
		if (len + k >= cap)
			return -P9_ENAMETOOLONG;
		memcpy(ret + len, bytes, k);
		len += k;
	}
	if (len >= cap || len == 0)
		return -P9_EILSEQ;
	ret[len] = '\0';
	return strcmp(ret, ".") == 0 || strcmp(ret, "..") == 0 ? -P9_EILSEQ : (int)len;
}

int sk_windows_name_escape(const char *name, char *buf, size_t cap)
{
	uint16_t wide[SK_WINDOWS_NAME_MAX + 1];
	int i, units = sk_windows_name_encode(name, wide), r = units < 0 ? units : 0;
	size_t n = 0, taken = 0;
	char bytes[4];
	uint32_t c;

	for (i = 0; i < units; i += (int)taken) {
		size_t k;

		taken = sk_utf16_take(wide + i, (size_t)(units - i), &c);
		k = sk_utf8_put(bytes, c);
		/* Room for the NUL, too. */
		if (k >= cap - n)
			return -P9_ENAMETOOLONG;
		memcpy(buf + n, bytes, k);
		n += k;
	}
	buf[n] = 0;
	return r;
}

void sk_windows_name_unescape(const char *name, char *buf)
{
	uint32_t c;

	while (*name) {
		size_t taken = sk_utf8_take(name, &c);

		if (taken && stands_for(c)) {
			*buf++ = (char)stands_for(c);
			name += taken;
		} else {
			*buf++ = *name++;
		}
	}
	*buf = 0;
}
