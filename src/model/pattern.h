/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_PATTERN_H
#define SK_MODEL_PATTERN_H

#include <stdbool.h>

/* Regular expressions (POSIX, extended), as `ps --filter name=` has them. */

/* False: one that this system cannot match. Windows' C library has no regular expressions: there it is letters, digits,
 * ".", "^" at the beginning and "$" at the end. */
bool sk_pattern_is_known(const char *pattern);
/* Anywhere in `text`. What is no regular expression is looked for as it is. */
bool sk_pattern_matches(const char *pattern, const char *text);

#endif
