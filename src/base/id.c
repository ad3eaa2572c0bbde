/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include <stdint.h>

void sk_random_hex(char *out, size_t n_bytes)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n_bytes; i++) {
		uint8_t b;

		sk_random(&b, 1);
		out[2 * i] = digits[b >> 4];
		out[2 * i + 1] = digits[b & 15];
	}
	out[2 * n_bytes] = '\0';
}
