/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include <string.h>

#include "base/base64.h"

/* RFC 4648, section 10. */
static void test_vectors(void **state)
{
	static const char *const vectors[][2] = { { "", "" },
						  { "f", "Zg==" },
						  { "fo", "Zm8=" },
						  { "foo", "Zm9v" },
						  { "foob", "Zm9vYg==" },
						  { "fooba", "Zm9vYmE=" },
						  { "foobar", "Zm9vYmFy" } };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		size_t n = strlen(vectors[i][0]), len = strlen(vectors[i][1]);
		char text[16] = "";
		uint8_t back[16];

		assert_int_equal(sk_base64_encode(vectors[i][0], n, text), len);
		assert_int_equal(SK_BASE64_LEN(n), len);
		assert_string_equal(text, vectors[i][1]);
		assert_int_equal(sk_base64_decode(text, back), n);
		assert_memory_equal(back, vectors[i][0], n);
	}
}

static void test_all_bytes(void **state)
{
	uint8_t bytes[256], back[256];
	char text[SK_BASE64_LEN(256) + 1];
	size_t i;

	(void)state;
	for (i = 0; i < 256; i++)
		bytes[i] = (uint8_t)(255 - i);
	text[sk_base64_encode(bytes, 256, text)] = '\0';
	assert_int_equal(sk_base64_decode(text, back), 256);
	assert_memory_equal(back, bytes, 256);
}

static void test_broken(void **state)
{
	uint8_t back[8];

	(void)state;
	assert_true(sk_base64_decode("Zm9v!", back) == SIZE_MAX);
	assert_int_equal(sk_base64_decode("Zm9vYg", back), 3); /* what is not whole is left out */
	assert_int_equal(sk_base64_decode("=", back), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_all_bytes),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
