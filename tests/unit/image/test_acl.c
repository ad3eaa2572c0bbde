/* SPDX-License-Identifier: Apache-2.0 */
/* Which ACLs are whole and valid (acl(5)), and the mode's group bits that go with them. */
#include "util.h"

#include <endian.h>
#include <string.h>
#include <sys/stat.h>

#include "image/acl.h"

struct test_entry {
	unsigned tag, perm;
	uint32_t id;
};
#define NONE UINT32_MAX
#define OBJ(tag, perm)          \
	{                       \
		tag, perm, NONE \
	}

static size_t encode(const struct test_entry *e, size_t n, uint32_t version, uint8_t *out)
{
	size_t i;

	memcpy(out, &(uint32_t){ htole32(version) }, 4);
	for (i = 0; i < n; i++) {
		memcpy(out + 4 + 8 * i, &(uint16_t){ htole16((uint16_t)e[i].tag) }, 2);
		memcpy(out + 6 + 8 * i, &(uint16_t){ htole16((uint16_t)e[i].perm) }, 2);
		memcpy(out + 8 + 8 * i, &(uint32_t){ htole32(e[i].id) }, 4);
	}
	return 4 + 8 * n;
}

static void test_valid(void **state)
{
	static const struct {
		struct test_entry e[8];
		size_t n;
		bool valid;
		unsigned mask;
	} tests[] = {
		{ { OBJ(1, 6), OBJ(4, 4), OBJ(32, 0) }, 3, true, 4 },
		{ { OBJ(1, 6), { 2, 7, 1000 }, OBJ(4, 4), OBJ(16, 6), OBJ(32, 0) }, 5, true, 6 },
		{ { OBJ(1, 6), { 2, 7, 1 }, { 2, 0, 2 }, OBJ(4, 4), { 8, 1, 0 }, OBJ(16, 0), OBJ(32, 7) }, 7, true, 0 },
		{ { OBJ(1, 6), { 2, 7, 1000 }, OBJ(4, 4), OBJ(32, 0) }, 4, false, 0 },
		{ { OBJ(1, 6), { 2, 7, 2 }, { 2, 7, 2 }, OBJ(4, 4), OBJ(16, 0), OBJ(32, 0) }, 6, false, 0 },
		{ { OBJ(1, 6), { 2, 7, 2 }, { 2, 7, 1 }, OBJ(4, 4), OBJ(16, 0), OBJ(32, 0) }, 6, false, 0 },
		{ { OBJ(1, 6), { 2, 7, NONE }, OBJ(4, 4), OBJ(16, 0), OBJ(32, 0) }, 5, false, 0 },
		{ { OBJ(4, 4), OBJ(1, 6), OBJ(32, 0) }, 3, false, 0 },
		{ { OBJ(1, 6), OBJ(1, 6), OBJ(4, 4), OBJ(32, 0) }, 4, false, 0 },
		{ { OBJ(1, 8), OBJ(4, 4), OBJ(32, 0) }, 3, false, 0 },
		{ { OBJ(1, 7), OBJ(5, 4), OBJ(32, 0) }, 3, false, 0 },
		{ { OBJ(1, 7), OBJ(4, 4), OBJ(64, 0) }, 3, false, 0 },
		{ { OBJ(1, 7), OBJ(4, 4) }, 2, false, 0 },
		{ { OBJ(0, 0) }, 0, false, 0 },
	};
	uint8_t bytes[4 + 8 * 8];
	unsigned mask;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		len = encode(tests[i].e, tests[i].n, 2, bytes);
		if (sk_acl_valid(bytes, len, &mask) != tests[i].valid || (tests[i].valid && mask != tests[i].mask))
			fail_msg("test %zu", i);
		assert_false(sk_acl_valid(bytes, len - 1, NULL));
	}
	len = encode(tests[0].e, tests[0].n, 1, bytes);
	assert_false(sk_acl_valid(bytes, len, NULL));
	assert_false(sk_acl_valid(bytes, 0, NULL));
}

static void test_too_long(void **state)
{
	static uint8_t bytes[SK_ACL_BYTES_MAX + 8];

	(void)state;
	bytes[0] = 2;
	assert_false(sk_acl_valid(bytes, sizeof(bytes), NULL));
}

/* Entries in any order; users without a number are nobody here; more than we keep. */
static void test_of_entry(void **state)
{
	static const struct test_entry wanted[] = { OBJ(1, 6),	 { 2, 4, 3 }, { 2, 1, 1000 }, OBJ(4, 0),
						    { 8, 2, 7 }, OBJ(16, 7),  OBJ(32, 4) };
	struct archive_entry *e = archive_entry_new();
	uint8_t out[SK_ACL_BYTES_MAX], bytes[4 + 8 * 8];
	int type = ARCHIVE_ENTRY_ACL_TYPE_ACCESS, i;
	size_t len;

	(void)state;
	assert_non_null(e);
	archive_entry_set_mode(e, S_IFREG | 0604);
	assert_int_equal(sk_acl_of_entry(e, type, out), 0);
	archive_entry_acl_add_entry(e, type, 7, ARCHIVE_ENTRY_ACL_MASK, -1, NULL);
	archive_entry_acl_add_entry(e, type, 2, ARCHIVE_ENTRY_ACL_GROUP, 7, NULL);
	archive_entry_acl_add_entry(e, type, 1, ARCHIVE_ENTRY_ACL_USER, 1000, NULL);
	archive_entry_acl_add_entry(e, type, 4, ARCHIVE_ENTRY_ACL_USER, 3, NULL);
	archive_entry_acl_add_entry(e, type, 7, ARCHIVE_ENTRY_ACL_USER, -1, "somebody");
	len = encode(wanted, sizeof(wanted) / sizeof(*wanted), 2, bytes);
	assert_int_equal(sk_acl_of_entry(e, type, out), len);
	assert_memory_equal(out, bytes, len);
	assert_int_equal(sk_acl_of_entry(e, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, out), 0);
	for (i = 2000; i < 2000 + SK_ACL_ENTRIES_MAX; i++)
		archive_entry_acl_add_entry(e, type, 1, ARCHIVE_ENTRY_ACL_USER, i, NULL);
	assert_int_equal(sk_acl_of_entry(e, type, out), 0);
	archive_entry_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_of_entry),
	};

	return cmocka_run_group_tests_name("image-acl", tests, NULL, NULL);
}
