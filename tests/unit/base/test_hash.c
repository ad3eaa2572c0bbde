/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and HMAC by the platform's library: the examples of FIPS 180-4 and RFC 4231. */
#include "../sk_test.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

static void assert_hex(const uint8_t got[SK_HASH_BYTES], const char *want)
{
	char text[2 * SK_HASH_BYTES + 1];
	size_t i;

	for (i = 0; i < SK_HASH_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", got[i]);
	assert_string_equal(text, want);
}

static void test_sha256(void **state)
{
	struct sk_hash *h = sk_hash_new();
	uint8_t got[SK_HASH_BYTES];

	(void)state;
	assert_non_null(h);
	sk_hash_final(h, got);
	sk_hash_free(h);
	assert_hex(got, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	h = sk_hash_new();
	assert_non_null(h);
	sk_hash_update(h, "a", 1);
	sk_hash_update(h, "", 0);
	sk_hash_update(h, "bc", 2);
	sk_hash_final(h, got);
	sk_hash_free(h);
	sk_hash_free(NULL);
	assert_hex(got, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_hmac(void **state)
{
	uint8_t got[SK_HASH_BYTES], other[SK_HASH_BYTES];

	(void)state;
	assert_true(sk_hash_hmac("Jefe", 4, "what do ya want for nothing?", 28, got));
	assert_hex(got, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memcpy(other, got, sizeof(other));
	assert_true(sk_hash_equal(got, other));
	other[31] ^= 1;
	assert_false(sk_hash_equal(got, other));
	sk_wipe(got, sizeof(got));
	memset(other, 0, sizeof(other));
	assert_true(sk_hash_equal(got, other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_hmac),
	};

	return cmocka_run_group_tests_name("base-hash", tests, NULL, NULL);
}
