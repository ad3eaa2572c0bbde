/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

/* The library's own context, by another name. */
static EVP_MD_CTX *context(struct sk_hash *h)
{
	return (EVP_MD_CTX *)(void *)h;
}

struct sk_hash *sk_hash_new(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1)
		return (struct sk_hash *)(void *)ctx;
	EVP_MD_CTX_free(ctx);
	return NULL;
}

void sk_hash_update(struct sk_hash *h, const void *data, size_t n)
{
	if (EVP_DigestUpdate(context(h), data, n) != 1)
		abort(); /* cannot happen with an initialised context */
}

void sk_hash_final(struct sk_hash *h, uint8_t ret[SK_HASH_BYTES])
{
	if (EVP_DigestFinal_ex(context(h), ret, NULL) != 1)
		abort();
}

void sk_hash_free(struct sk_hash *h)
{
	EVP_MD_CTX_free(context(h));
}

bool sk_hash_hmac(const void *key, size_t key_len, const void *data, size_t n, uint8_t ret[SK_HASH_BYTES])
{
	unsigned len = SK_HASH_BYTES;

	return HMAC(EVP_sha256(), key, (int)key_len, data, n, ret, &len) != NULL;
}

bool sk_hash_equal(const uint8_t a[SK_HASH_BYTES], const uint8_t b[SK_HASH_BYTES])
{
	return CRYPTO_memcmp(a, b, SK_HASH_BYTES) == 0;
}

void sk_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}
