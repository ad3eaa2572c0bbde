/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include <string.h>
#include <sys/stat.h>

#include "export/override.h"

static void forms(void **state)
{
	static const struct {
		const char *text;
		struct sk_override o;
	} good[] = {
		{ "1000:1011:0644:file", { 1000, 1011, S_IFREG | 0644, 0, 0 } },
		{ "0:0:0755:dir", { 0, 0, S_IFDIR | 0755, 0, 0 } },
		{ "1:2:0777:symlink", { 1, 2, S_IFLNK | 0777, 0, 0 } },
		{ "1:2:0666:pipe", { 1, 2, S_IFIFO | 0666, 0, 0 } },
		{ "1:2:0700:socket", { 1, 2, S_IFSOCK | 0700, 0, 0 } },
		{ "5:6:0600:block-8-0", { 5, 6, S_IFBLK | 0600, 8, 0 } },
		{ "5:6:0600:char-10-229", { 5, 6, S_IFCHR | 0600, 10, 229 } },
		{ "4294967294:0:4755:file", { 4294967294u, 0, S_IFREG | 04755, 0, 0 } },
	};
	static const char *const bad[] = { "",
					   "1",
					   "1:2",
					   "1:2:",
					   "1:2:8",
					   "a:2:0644",
					   "1:2:0644:x",
					   "1:2:0644:",
					   "1:2:0644:file ",
					   "1:2:0644:char",
					   "1:2:0644:char-1",
					   "-1:2:0644",
					   "1:2:77777:file",
					   "1:2:0644:char-1-",
					   "1:2:0644:char-1-2x",
					   "4294967296:0:0644:file" };
	char buf[SK_OVERRIDE_MAX];
	struct sk_override o;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(sk_override_parse(good[i].text, strlen(good[i].text), &o));
		assert_memory_equal(&o, &good[i].o, sizeof(o));
		assert_int_equal(sk_override_format(&o, buf), strlen(good[i].text));
		assert_string_equal(buf, good[i].text);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(sk_override_parse(bad[i], strlen(bad[i]), &o));
	/* Without a type, and with the terminator that some writers store. */
	assert_true(sk_override_parse("7:8:600", 8, &o));
	assert_int_equal(o.mode, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(forms) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
