/* SPDX-License-Identifier: Apache-2.0 */
/* Names of images, valid and not. */
#include "../sk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "image/name.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_valid(void **state)
{
	static const struct {
		const char *text, *key, *shown;
	} rows[] = {
		{ "debian", "docker.io/library/debian:latest", "debian:latest" },
		{ "debian:12", "docker.io/library/debian:12", "debian:12" },
		{ "me/app", "docker.io/me/app:latest", "me/app:latest" },
		{ "docker.io/debian", "docker.io/library/debian:latest", "debian:latest" },
		{ "index.docker.io/a/b:1", "docker.io/a/b:1", "a/b:1" },
		{ "localhost/x", "localhost/x:latest", "localhost/x:latest" },
		{ "localhost:5000/x/y:z_1.0", "localhost:5000/x/y:z_1.0", "localhost:5000/x/y:z_1.0" },
		{ "127.0.0.1:5000/x", "127.0.0.1:5000/x:latest", "127.0.0.1:5000/x:latest" },
		{ "[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest" },
		{ "example.org/a__b/c-d--e/f.g", "example.org/a__b/c-d--e/f.g:latest", NULL },
		{ "debian@sha256:" HEX, "docker.io/library/debian@sha256:" HEX, "debian@sha256:" HEX },
		{ "debian:12@sha256:" HEX, "docker.io/library/debian@sha256:" HEX, "debian@sha256:" HEX },
		{ "docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest" },
		{ "docker.io/a.b/c", "docker.io/a.b/c:latest", "docker.io/a.b/c:latest" },
		{ "docker.io/localhost/c", "docker.io/localhost/c:latest", "docker.io/localhost/c:latest" },
		{ "Uppercase.org/x", "Uppercase.org/x:latest", NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < SK_ARRAY_SIZE(rows); i++) {
		struct sk_error err = SK_ERROR_INIT;
		struct sk_name name;
		char *key;

		if (sk_name_parse(rows[i].text, &name, &err) < 0)
			fail_msg("%s", err.message);
		key = sk_name_key(&name);
		assert_string_equal(key, rows[i].key);
		if (rows[i].shown)
			assert_string_equal(sk_name_short(key), rows[i].shown);
		free(key);
		sk_name_fini(&name);
	}
}

static void test_invalid(void **state)
{
	static const char *const rows[] = {
		"",
		":",
		"Debian",
		"debian:",
		"debian:a b",
		"debian:.x",
		"de bian",
		"/debian",
		"debian/",
		"a//b",
		"a/../b",
		"-a",
		"a-",
		"a..b",
		"a___b",
		"a.-b",
		"debian@sha256:12",
		"debian@md5:" HEX,
		HEX,
		"@sha256:" HEX,
		"example.org:x/y",
		"example..org/x",
		"[::1/x",
		"a\nb",
		"a:b\n",
		"tag:" HEX HEX "x",
	};
	size_t i;
	char longest[400];

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (i = 0; i <= SK_ARRAY_SIZE(rows); i++) {
		struct sk_error err = SK_ERROR_INIT;
		struct sk_name name;
		const char *text = i < SK_ARRAY_SIZE(rows) ? rows[i] : longest;

		if (sk_name_parse(text, &name, &err) != -EINVAL)
			fail_msg("taken for a name: %s", text);
		assert_int_equal(err.code, EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
	};

	return cmocka_run_group_tests_name("image-name", tests, NULL, NULL);
}
