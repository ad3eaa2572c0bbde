/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_EXPORT_WINDOWS_NAME_H
#define SK_EXPORT_WINDOWS_NAME_H

#include <stddef.h>
#include <stdint.h>

/*
 * Names of files between Linux (UTF-8) and Windows (UTF-16). What Windows forbids in a name (control characters and
 * < > : " \ | ? *) is stored as WSL stores it: U+F000 plus the character.
 */
#define SK_WINDOWS_NAME_MAX 255u /* UTF-16 units of a name, as on NTFS */

/* Writes at most SK_WINDOWS_NAME_MAX units and a 0. Their number, or -EILSEQ: no UTF-8, or a character that stands for a
 * forbidden one; -ENAMETOOLONG. */
int sk_windows_name_encode(const char *name, uint16_t ret[SK_WINDOWS_NAME_MAX + 1]);
/* Writes at most `cap` - 1 bytes and a 0. Their number, or -EILSEQ: no UTF-16, or what no name on Linux can be (a slash,
 * "." and ".." as names of their own); -ENAMETOOLONG. */
int sk_windows_name_decode(const uint16_t *name, size_t n, char *ret, size_t cap);

#endif
