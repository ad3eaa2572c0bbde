/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_BASE64_H
#define SK_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the text of `n` bytes. */
#define SK_BASE64_LEN(n) (((n) + 2) / 3 * 4)
/* Writes SK_BASE64_LEN(n) bytes, without a NUL, and returns that number. */
size_t sk_base64_encode(const void *data, size_t n, char *to);
/* Writes the bytes of `text`, 3/4 of its length at most, and returns their number; SIZE_MAX: it is not such text. */
size_t sk_base64_decode(const char *text, uint8_t *to);

#endif
