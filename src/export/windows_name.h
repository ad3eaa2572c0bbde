/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_WINDOWS_NAME_H
#define SK_EXPORT_WINDOWS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Names of files between Linux (UTF-8) and Windows (UTF-16). What Windows forbids in a name (control characters and
 * < > : " \ | ? *) is stored as WSL stores it: U+F000 plus the character. Errors are negative enum p9_errno.
 */
#define SK_WINDOWS_NAME_MAX 255u /* UTF-16 units of a name, as on NTFS */

/* Writes at most SK_WINDOWS_NAME_MAX units and a 0. Their number; -P9_EILSEQ: no UTF-8; -P9_EINVAL: a character that
 * stands for a forbidden one, and could not be told apart; -P9_ENAMETOOLONG. */
int sk_windows_name_encode(const char *name, uint16_t ret[SK_WINDOWS_NAME_MAX + 1]);
/* Writes at most `cap` - 1 bytes and a 0. Their number; -P9_EILSEQ: no UTF-16, or what no name on Linux can be (a slash,
 * "." and ".." as names of their own); -P9_ENAMETOOLONG. */
int sk_windows_name_decode(const uint16_t *name, size_t n, char *ret, size_t cap);

/* The same where NTFS is reached with names in UTF-8 (Linux): 0 or an error of sk_windows_name_encode(),
 * -P9_ENAMETOOLONG also for more than `cap` bytes with the NUL. */
int sk_windows_name_escape(const char *name, char *buf, size_t cap);
/* The other way; anything that nobody has escaped stays. Never longer than `name`; `buf` may be `name`. */
void sk_windows_name_unescape(const char *name, char *buf);

/* One character of valid UTF-8 (no surrogates, no long forms), or of UTF-16 in `n` units: how much of the text it is; 0: none
 * there, or not valid. */
size_t sk_utf8_take(const char *s, uint32_t *ret);
size_t sk_utf16_take(const uint16_t *s, size_t n, uint32_t *ret);
/* Writes a character; the number of bytes. */
size_t sk_utf8_put(char to[4], uint32_t c);

#endif
