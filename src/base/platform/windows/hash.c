/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/platform/windows/system.h"
#include <bcrypt.h>

struct sk_hash {
	BCRYPT_HASH_HANDLE hash;
};

static BCRYPT_ALG_HANDLE algorithm(bool hmac)
{
	static BCRYPT_ALG_HANDLE kept[2];
	BCRYPT_ALG_HANDLE h;

	/* Two threads may both open one: the second is forgotten, once. */
	if (!kept[hmac] &&
	    BCryptOpenAlgorithmProvider(&h, BCRYPT_SHA256_ALGORITHM, NULL, hmac ? BCRYPT_ALG_HANDLE_HMAC_FLAG : 0) >= 0)
		InterlockedCompareExchangePointer(&kept[hmac], h, NULL);
	return kept[hmac];
}

struct sk_hash *sk_hash_new(void)
{
	struct sk_hash *h = calloc(1, sizeof(*h));

	if (h && algorithm(false) && BCryptCreateHash(algorithm(false), &h->hash, NULL, 0, NULL, 0, 0) >= 0)
		return h;
	free(h);
	return NULL;
}

static void update(BCRYPT_HASH_HANDLE hash, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n) {
		ULONG part = n > 1u << 30 ? 1u << 30 : (ULONG)n;

		if (BCryptHashData(hash, (uint8_t *)(uintptr_t)p, part, 0) < 0)
			abort(); /* cannot happen with a hash that was made */
		p += part;
		n -= part;
	}
}

void sk_hash_update(struct sk_hash *h, const void *data, size_t n)
{
	update(h->hash, data, n);
}

void sk_hash_final(struct sk_hash *h, uint8_t ret[SK_HASH_BYTES])
{
	if (BCryptFinishHash(h->hash, ret, SK_HASH_BYTES, 0) < 0)
		abort();
}

void sk_hash_free(struct sk_hash *h)
{
	if (!h)
		return;
	BCryptDestroyHash(h->hash);
	free(h);
}

bool sk_hash_hmac(const void *key, size_t key_len, const void *data, size_t n, uint8_t ret[SK_HASH_BYTES])
{
	BCRYPT_HASH_HANDLE hash;
	bool done;

	if (!algorithm(true) ||
	    BCryptCreateHash(algorithm(true), &hash, NULL, 0, (uint8_t *)(uintptr_t)key, (ULONG)key_len, 0) < 0)
		return false;
	update(hash, data, n);
	done = BCryptFinishHash(hash, ret, SK_HASH_BYTES, 0) >= 0;
	BCryptDestroyHash(hash);
	return done;
}

bool sk_hash_equal(const uint8_t a[SK_HASH_BYTES], const uint8_t b[SK_HASH_BYTES])
{
	volatile uint8_t differ = 0;
	size_t i;

	for (i = 0; i < SK_HASH_BYTES; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

void sk_wipe(void *p, size_t n)
{
	SecureZeroMemory(p, n);
}
