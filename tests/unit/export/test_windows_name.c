/* SPDX-License-Identifier: Apache-2.0 */
/* Names between Linux and Windows. */
#include "../sk_test.h"

#include <string.h>

#include "export/windows_name.h"
#include "ninep/linux.h"

/* Encodes, compares with `wide`, and decodes to the same. */
static void assert_name(const char *name, const uint16_t *wide, size_t n)
{
	uint16_t got[SK_WINDOWS_NAME_MAX + 1];
	char back[256];

	assert_int_equal(sk_windows_name_encode(name, got), n);
	assert_memory_equal(got, wide, n * sizeof(*wide));
	assert_int_equal(got[n], 0);
	assert_int_equal(sk_windows_name_decode(got, n, back, sizeof(back)), strlen(name));
	assert_string_equal(back, name);
}

static void test_round(void **state)
{
	static const uint16_t plain[] = { 'a', '.', 't' },
			      forbidden[] = { 'a', 0xf03a, 0xf05c, 0xf02a, 0xf01f, 0xf07c },
			      beyond[] = { 0xe4, 0x20ac, 0xd83d, 0xde00 }, con[] = { 'c', 'o', 'n', '.' };

	(void)state;
	assert_name("a.t", plain, 3);
	assert_name("a:\\*\x1f|", forbidden, 6);
	assert_name("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", beyond, 4);
	assert_name("con.", con, 4);
}

static void test_encode_refused(void **state)
{
	/* Cut, a lone continuation, overlong (of "/", too), a surrogate, beyond Unicode. And what stands for a forbidden
	 * character. */
	static const char *const bad[] = {
		"a\xc3", "\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80",
		"\xff"
	};
	uint16_t wide[SK_WINDOWS_NAME_MAX + 1];
	char longest[300];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(sk_windows_name_encode(bad[i], wide), -P9_EILSEQ);
	assert_int_equal(sk_windows_name_encode("\xef\x80\xbax", wide), -P9_EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[255] = '\0';
	assert_int_equal(sk_windows_name_encode(longest, wide), 255);
	longest[255] = 'x';
	longest[256] = '\0';
	assert_int_equal(sk_windows_name_encode(longest, wide), -P9_ENAMETOOLONG);
}

static void test_decode_refused(void **state)
{
	static const uint16_t high[] = { 'a', 0xd83d }, low[] = { 0xde00, 'a' }, slash[] = { 'a', '/' },
			      dots[] = { '.', '.' }, zero[] = { 'a', 0 }, colon[] = { 'a', ':', 'b' },
			      wide[] = { 0x20ac, 0x20ac };
	char name[256];

	(void)state;
	assert_int_equal(sk_windows_name_decode(high, 2, name, sizeof(name)), -P9_EILSEQ);
	assert_int_equal(sk_windows_name_decode(low, 2, name, sizeof(name)), -P9_EILSEQ);
	assert_int_equal(sk_windows_name_decode(slash, 2, name, sizeof(name)), -P9_EILSEQ);
	assert_int_equal(sk_windows_name_decode(dots, 2, name, sizeof(name)), -P9_EILSEQ);
	assert_int_equal(sk_windows_name_decode(dots, 1, name, sizeof(name)), -P9_EILSEQ);
	assert_int_equal(sk_windows_name_decode(zero, 2, name, sizeof(name)), -P9_EILSEQ);
	assert_int_equal(sk_windows_name_decode(colon, 3, name, sizeof(name)), -P9_EILSEQ);
	assert_int_equal(sk_windows_name_decode(dots, 0, name, sizeof(name)), -P9_EILSEQ);
	assert_int_equal(sk_windows_name_decode(wide, 2, name, 7), 6);
	assert_int_equal(sk_windows_name_decode(wide, 2, name, 6), -P9_ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_encode_refused),
		cmocka_unit_test(test_decode_refused),
	};

	return cmocka_run_group_tests_name("export-windows-name", tests, NULL, NULL);
}
