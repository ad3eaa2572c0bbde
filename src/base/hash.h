/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_HASH_H
#define SK_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SHA-256 by the cryptographic library of the platform: OpenSSL's on Linux, the system's own on Windows. */
#define SK_HASH_BYTES 32u
struct sk_hash;

/* NULL: no memory. */
struct sk_hash *sk_hash_new(void);
void sk_hash_update(struct sk_hash *h, const void *data, size_t n);
/* Only sk_hash_free() may follow. */
void sk_hash_final(struct sk_hash *h, uint8_t ret[SK_HASH_BYTES]);
/* NULL is allowed. */
void sk_hash_free(struct sk_hash *h);

/* HMAC-SHA256 (RFC 2104). False: no memory. */
bool sk_hash_hmac(const void *key, size_t key_len, const void *data, size_t n, uint8_t ret[SK_HASH_BYTES]);
/* In a time that does not depend on where they differ. */
bool sk_hash_equal(const uint8_t a[SK_HASH_BYTES], const uint8_t b[SK_HASH_BYTES]);
/* Overwrites what is secret, also where nobody reads it again. */
void sk_wipe(void *p, size_t n);

#endif
