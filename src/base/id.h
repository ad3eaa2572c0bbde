/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_ID_H
#define SK_BASE_ID_H

#include <stddef.h>

#define SK_ID_LEN 64 /* hexadecimal digits of a container id, as docker's */

/* Fills `buf` with `n` random bytes from the kernel. Aborts only if the kernel has none to give. */
void sk_random(void *buf, size_t n);
/* Writes 2*n_bytes hexadecimal digits and a NUL. */
void sk_random_hex(char *out, size_t n_bytes);

#endif
