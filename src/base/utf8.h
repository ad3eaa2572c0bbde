/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_UTF8_H
#define SK_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define SK_UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Bytes of the UTF-8 sequence at `p`, which has `n` bytes, at least one: 1 to 4; 0 if there is none (RFC 3629). */
size_t sk_utf8_len(const uint8_t *p, size_t n);

#endif
