/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t sk_base64_encode(const void *data, size_t n, char *to)
{
	const uint8_t *p = data;
	size_t i, o = 0;

	for (i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(i + 1 < n ? p[i + 1] : 0) << 8 |
			     (uint32_t)(i + 2 < n ? p[i + 2] : 0);

		to[o++] = digits[v >> 18];
		to[o++] = digits[v >> 12 & 63];
		to[o++] = i + 1 < n ? digits[v >> 6 & 63] : '=';
		to[o++] = i + 2 < n ? digits[v & 63] : '=';
	}
	return o;
}

size_t sk_base64_decode(const char *text, uint8_t *to)
{
	size_t n = strlen(text), i, o = 0;
	uint32_t v = 0;

	for (i = 0; i < n && text[i] != '='; i++) {
		const char *digit = strchr(digits, text[i]);

		if (!digit)
			return SIZE_MAX;
		v = v << 6 | (uint32_t)(digit - digits);
		if (i % 4 > 0 && o < n / 4 * 3)
			to[o++] = (uint8_t)(v >> (6 - 2 * (i % 4)));
	}
	return o;
}
