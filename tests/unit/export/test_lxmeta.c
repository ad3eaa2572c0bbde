/* SPDX-License-Identifier: Apache-2.0 */
/* WSL's metadata: the bytes that WSL and ntfs-3g write, and what others may have made of them. */
#include "../sk_test.h"

#include <string.h>

#include "export/lxmeta.h"
#include "export/windows_name.h"
#include "ninep/linux.h"

/* As ntfs-3g gives it back: uid 1000, gid 1001, mode 0100640; the last offset is the entry's size. */
static const uint8_t stored[] = {
	0x14, 0, 0, 0, 0, 6, 4, 0, '$', 'L', 'X', 'U', 'I', 'D', 0, 0xe8, 0x03, 0, 0, 0, /* uid */
	0x14, 0, 0, 0, 0, 6, 4, 0, '$', 'L', 'X', 'G', 'I', 'D', 0, 0xe9, 0x03, 0, 0, 0, /* gid */
	0x14, 0, 0, 0, 0, 6, 4, 0, '$', 'L', 'X', 'M', 'O', 'D', 0, 0xa0, 0x81, 0, 0, 0, /* mode */
};

static const struct sk_lx_meta stored_meta = { SK_LX_UID | SK_LX_GID | SK_LX_MODE, 1000, 1001, 0100640, 0, 0, false };

static size_t entry(uint8_t *to, uint32_t next, const char *name, const void *value, uint16_t len)
{
	size_t n = strlen(name), size = 8 + n + 1 + len;

	memset(to, 0, (size + 3) & ~(size_t)3);
	to[0] = (uint8_t)next;
	to[1] = (uint8_t)(next >> 8);
	to[5] = (uint8_t)n;
	to[6] = (uint8_t)len;
	to[7] = (uint8_t)(len >> 8);
	memcpy(to + 8, name, n);
	memcpy(to + 9 + n, value, len);
	return size;
}

static void same_meta(const struct sk_lx_meta *a, const struct sk_lx_meta *b)
{
	assert_int_equal(a->have, b->have);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->gid, b->gid);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->major, b->major);
	assert_int_equal(a->minor, b->minor);
}

static void wsl_bytes(void **state)
{
	static const uint8_t device[] = { 8, 0, 0, 0, 0x11, 0, 0, 0 };
	struct sk_lx_meta m = stored_meta, got;
	uint8_t out[200];

	(void)state;
	assert_int_equal(sk_lx_ea_write(NULL, 0, &m, false, out, sizeof(out)), sizeof(stored));
	assert_memory_equal(out, stored, sizeof(stored));
	assert_int_equal(sk_lx_ea_read(stored, sizeof(stored), &got), 0);
	same_meta(&got, &m);
	/* As Windows wants it. */
	assert_int_equal(sk_lx_ea_write(NULL, 0, &m, true, out, sizeof(out)), sizeof(stored));
	assert_int_equal(out[40], 0);
	out[40] = 0x14;
	assert_memory_equal(out, stored, sizeof(stored));
	out[40] = 0;
	assert_int_equal(sk_lx_ea_read(out, sizeof(stored), &got), 0);
	same_meta(&got, &m);

	m.have |= SK_LX_DEV;
	m.major = 8;
	m.minor = 17;
	assert_int_equal(sk_lx_ea_write(stored, sizeof(stored), &m, false, out, sizeof(out)), 60 + 24);
	assert_memory_equal(out + 60 + 15, device, 8);
	assert_int_equal(sk_lx_ea_read(out, 84, &got), 0);
	same_meta(&got, &m);
	m.have = 0;
	assert_int_equal(sk_lx_ea_write(stored, sizeof(stored), &m, false, out, sizeof(out)), 0);
}

static void ea_of_others(void **state)
{
	uint8_t ea[300], out[300];
	struct sk_lx_meta m;
	size_t n = 0, foreign;
	int len;

	(void)state;
	/* Another order, small letters, somebody else's between, the wrong size, twice. */
	n += entry(ea + n, 24, "$lxmod", "\xed\x81\0\0", 4) + 5;
	foreign = n = 24;
	n += entry(ea + n, 20, "KEEP.ME", "abcd", 4);
	assert_int_equal(n, 44);
	n += entry(ea + n, 20, "$LXUID", "\1\2", 2) + 3;
	n = 64;
	n += entry(ea + n, 20, "$LXGID", "\7\0\0\0", 4) + 1;
	n = 84;
	n += entry(ea + n, 0, "$LXGID", "\x8\0\0\0", 4);
	assert_int_equal(sk_lx_ea_read(ea, n, &m), 0);
	assert_int_equal(m.have, SK_LX_MODE | SK_LX_GID);
	assert_int_equal(m.mode, 0100755);
	assert_int_equal(m.gid, 7);
	/* All of ours are repaired, the other one is kept byte for byte. */
	len = sk_lx_ea_write(ea, n, &stored_meta, false, out, sizeof(out));
	assert_int_equal(len, sizeof(stored) + 20);
	assert_memory_equal(out, stored, sizeof(stored));
	assert_memory_equal(out + sizeof(stored) + 4, ea + foreign + 4, 16);

	/* Cut anywhere: what is whole counts, and nothing is written over it. */
	for (n = 1; n < sizeof(stored); n++) {
		int r = sk_lx_ea_read(stored, n, &m);

		assert_int_equal(m.have, n < 19 ? 0 : n < 39 ? SK_LX_UID : n < 59 ? SK_LX_UID | SK_LX_GID : 7);
		assert_int_equal(r, n % 20 == 0 || n % 20 == 19 ? 0 : -P9_EIO);
		if (r < 0)
			assert_int_equal(sk_lx_ea_write(stored, n, &stored_meta, false, out, sizeof(out)), -P9_EIO);
	}
	/* An offset into the entry itself, one beyond, a name without its NUL, an empty name. */
	memcpy(ea, stored, sizeof(stored));
	ea[0] = 4;
	assert_int_equal(sk_lx_ea_read(ea, sizeof(stored), &m), -P9_EIO);
	ea[0] = 0x14;
	ea[3] = 0x80;
	assert_int_equal(sk_lx_ea_read(ea, sizeof(stored), &m), -P9_EIO);
	ea[3] = 0;
	ea[14] = 'x';
	assert_int_equal(sk_lx_ea_read(ea, sizeof(stored), &m), -P9_EIO);
	ea[14] = 0;
	ea[5] = 0;
	assert_int_equal(sk_lx_ea_read(ea, sizeof(stored), &m), -P9_EIO);
}

static void ea_full(void **state)
{
	static uint8_t ea[70000], out[70000];
	static char value[65480];
	size_t n = entry(ea, 0, "BIG", value, 65000);
	int len;

	(void)state;
	len = sk_lx_ea_write(ea, n, &stored_meta, false, out, sizeof(out));
	assert_int_equal(len, 60 + ((n + 3) & ~(size_t)3));
	assert_int_equal(sk_lx_ea_write(ea, n, &stored_meta, false, out, (size_t)len - 1), -P9_ENOSPC);
	n = entry(ea, 0, "BIG", value, sizeof(value));
	assert_int_equal(sk_lx_ea_write(ea, n, &stored_meta, false, out, sizeof(out)), -P9_ENOSPC);
}

static size_t reparse(uint8_t *to, uint32_t tag, const void *data, size_t len)
{
	to[0] = (uint8_t)tag;
	to[1] = (uint8_t)(tag >> 8);
	to[2] = (uint8_t)(tag >> 16);
	to[3] = (uint8_t)(tag >> 24);
	to[4] = (uint8_t)len;
	to[5] = (uint8_t)(len >> 8);
	to[6] = to[7] = 0;
	memcpy(to + 8, data, len);
	return 8 + len;
}

static void reparse_points(void **state)
{
	static const struct {
		uint32_t tag;
		enum sk_lx_reparse is;
	} plain[] = {
		{ 0x80000023, SK_LX_REPARSE_SOCKET }, { 0x80000024, SK_LX_REPARSE_FIFO },
		{ 0x80000025, SK_LX_REPARSE_CHR },    { 0x80000026, SK_LX_REPARSE_BLK },
		{ 0x9000001a, SK_LX_REPARSE_OTHER },
	};
	/* A junction: two names (substitute, print) in one buffer. */
	static const uint8_t junction[] = "\0\0\x8\0\xa\0\x6\0\\\0?\0?\0\\\0\0\0C\0:\0\\\0";
	enum sk_lx_reparse is;
	char target[SK_LX_TARGET_MAX];
	uint8_t data[200];
	size_t n, i;

	(void)state;
	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		n = reparse(data, plain[i].tag, "", 0);
		assert_int_equal(sk_lx_reparse_read(data, n, &is, target), 0);
		assert_int_equal(is, plain[i].is);
		assert_string_equal(target, "");
	}
	n = reparse(data, 0xa000001d, "\2\0\0\0../a\xc3\xa9", 10);
	assert_int_equal(sk_lx_reparse_read(data, n, &is, target), 0);
	assert_int_equal(is, SK_LX_REPARSE_LINK);
	assert_string_equal(target, "../a\xc3\xa9");
	for (i = 0; i < n; i++)
		assert_int_equal(sk_lx_reparse_read(data, i, &is, target), -P9_EIO);
	data[8] = 1; /* another version */
	assert_int_equal(sk_lx_reparse_read(data, n, &is, target), -P9_EIO);
	n = reparse(data, 0xa000001d, "\2\0\0\0a\0b", 7);
	assert_int_equal(sk_lx_reparse_read(data, n, &is, target), -P9_EIO);
	n = reparse(data, 0xa000001d, "\2\0\0\0", 4);
	assert_int_equal(sk_lx_reparse_read(data, n, &is, target), -P9_EIO);

	n = reparse(data, 0xa0000003, junction, sizeof(junction) - 1);
	assert_int_equal(sk_lx_reparse_read(data, n, &is, target), 0);
	assert_int_equal(is, SK_LX_REPARSE_FOREIGN);
	assert_string_equal(target, "C:/");
	data[12] = 200; /* the print name is outside: the other one */
	assert_int_equal(sk_lx_reparse_read(data, n, &is, target), 0);
	assert_string_equal(target, "/?"
				    "?/");
	data[10] = 201;
	assert_int_equal(sk_lx_reparse_read(data, n, &is, target), -P9_EIO);
}

static void names(void **state)
{
	static const struct {
		const char *guest, *host;
	} pairs[] = {
		{ "a:b", "a\xef\x80\xba"
			 "b" },
		{ "con", "con" },
		{ "x.", "x." },
		{ "\x01\"*<>?\\|",
		  "\xef\x80\x81\xef\x80\xa2\xef\x80\xaa\xef\x80\xbc\xef\x80\xbe\xef\x80\xbf\xef\x81\x9c"
		  "\xef\x81\xbc" },
		{ "\xf0\x9f\x98\x80\xc3\xa9\xee\x80\x80", "\xf0\x9f\x98\x80\xc3\xa9\xee\x80\x80" },
	};
	static const char *const not_utf8[] = { "\xff",	   "a\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
						"\xe2\x82" };
	char buf[256], back[256], longest[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(sk_windows_name_escape(pairs[i].guest, buf, sizeof(buf)), 0);
		assert_string_equal(buf, pairs[i].host);
		sk_windows_name_unescape(buf, back);
		assert_string_equal(back, pairs[i].guest);
	}
	for (i = 0; i < sizeof(not_utf8) / sizeof(not_utf8[0]); i++) {
		assert_int_equal(sk_windows_name_escape(not_utf8[i], buf, sizeof(buf)), -P9_EILSEQ);
		sk_windows_name_unescape(not_utf8[i], back);
		assert_string_equal(back, not_utf8[i]);
	}
	/* What would come back as another name; '/' and NUL have no place there. */
	assert_int_equal(sk_windows_name_escape("\xef\x80\xba", buf, sizeof(buf)), -P9_EINVAL);
	sk_windows_name_unescape("\xef\x80\xaf\xef\x80\x80", back);
	assert_string_equal(back, "\xef\x80\xaf\xef\x80\x80");
	memset(longest, 'n', 255);
	longest[255] = 0;
	assert_int_equal(sk_windows_name_escape(longest, buf, sizeof(buf)), 0);
	assert_string_equal(buf, longest);
	longest[254] = '?';
	assert_int_equal(sk_windows_name_escape(longest, buf, sizeof(buf)), -P9_ENAMETOOLONG);
}

static void xattrs_of_wsl(void **state)
{
	static const struct {
		const char *name, *value;
	} all[] = { { "LX.USER.ONE", "lxeavalue" }, { "$LXUID", "1234" },	 { "lx.User.Two", "lxea" },
		    { "LX.USER.", "lxeax" },	    { "LX.TRUSTED.X", "lxeax" }, { "LX.USER.BAD", "lxe" } };
	uint8_t ea[400], out[400];
	char buf[64];
	struct sk_lx_meta m;
	size_t i, len = 0;
	int n;

	(void)state;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		size_t size = (8 + strlen(all[i].name) + 1 + strlen(all[i].value) + 3) & ~(size_t)3;

		entry(ea + len, (uint32_t)size, all[i].name, all[i].value, (uint16_t)strlen(all[i].value));
		len += size;
	}
	assert_int_equal(sk_lx_ea_read(ea, len, &m), 0);
	assert_true(m.xattrs);
	assert_int_equal(sk_lx_xattr_list(ea, len, NULL, 0), 18);
	assert_int_equal(sk_lx_xattr_list(ea, len, buf, sizeof(buf)), 18);
	assert_memory_equal(buf, "user.one\0user.two", 18);
	assert_int_equal(sk_lx_xattr_get(ea, len, "user.one", buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "value", 5);
	assert_int_equal(sk_lx_xattr_get(ea, len, "user.one", buf, 2), 5);
	assert_int_equal(sk_lx_xattr_get(ea, len, "user.two", buf, sizeof(buf)), 0);
	for (i = 0; i < 4; i++) {
		static const char *const none[] = { "user.", "user.bad", "trusted.x", "user.on" };

		assert_int_equal(sk_lx_xattr_get(ea, len, none[i], buf, sizeof(buf)), -P9_ENODATA);
		assert_int_equal(sk_lx_xattr_drop(ea, len, none[i], false, out, sizeof(out)), -P9_ENODATA);
	}
	n = sk_lx_xattr_drop(ea, len, "user.one", true, out, sizeof(out));
	assert_int_equal(n, len - 32);
	assert_int_equal(sk_lx_xattr_get(out, (size_t)n, "user.one", NULL, 0), -P9_ENODATA);
	assert_int_equal(sk_lx_xattr_list(out, (size_t)n, buf, sizeof(buf)), 9);
	assert_int_equal(sk_lx_xattr_drop(ea, len, "user.one", true, out, 20), -P9_ENOSPC);
	/* What is damaged behind it could not be written again. */
	ea[len - 1] = 0;
	assert_int_equal(sk_lx_xattr_drop(ea, len - 9, "user.one", true, out, sizeof(out)), -P9_EIO);
	assert_int_equal(sk_lx_ea_read(stored, sizeof(stored), &m), 0);
	assert_false(m.xattrs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wsl_bytes), cmocka_unit_test(ea_of_others),   cmocka_unit_test(ea_full),
		cmocka_unit_test(names),     cmocka_unit_test(reparse_points), cmocka_unit_test(xattrs_of_wsl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
