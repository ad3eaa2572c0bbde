/* SPDX-License-Identifier: Apache-2.0 */
/* -v, --mount and --tmpfs: sound ones and docker's errors. */
#include "../sk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/jx.h"
#include "model/mounts.h"
#include "model/path.h"

static struct sk_mounts m;
static char why[256];

static int reset(void **state)
{
	(void)state;
	sk_mounts_fini(&m);
	why[0] = '\0';
	return 0;
}

static void test_volume(void **state)
{
	char *expected = sk_model_path_absolute("./sub"), *full = sk_model_path_absolute("/srv/data");

	(void)state;
	assert_int_equal(sk_mounts_parse_volume(&m, "/srv/../srv/data:/data/:ro,rslave,z", why), 0);
	assert_int_equal(m.v[0].type, SK_MOUNT_BIND);
	assert_string_equal(m.v[0].source, full);
	assert_string_equal(m.v[0].target, "/data");
	assert_true(m.v[0].readonly && m.v[0].make_source);
	assert_string_equal(m.v[0].propagation, "rslave");
	assert_int_equal(sk_mounts_parse_volume(&m, "./sub:/x", why), 0);
	assert_string_equal(m.v[1].source, expected);
	assert_int_equal(sk_mounts_parse_volume(&m, "pg_data:/var/lib/pg:nocopy", why), 0);
	assert_int_equal(m.v[2].type, SK_MOUNT_VOLUME);
	assert_string_equal(m.v[2].source, "pg_data");
	assert_true(m.v[2].nocopy);
	assert_int_equal(sk_mounts_parse_volume(&m, "/anon", why), 0);
	assert_int_equal(m.v[3].type, SK_MOUNT_VOLUME);
	assert_null(m.v[3].source);
	free(full);
	free(expected);
}

static void test_volume_errors(void **state)
{
	static const char *const bad[][2] = {
		{ "vol:b:c:d", "invalid volume specification: 'vol:b:c:d'" },
		{ "/a:b", "invalid mount path: 'b' mount path must be absolute" },
		{ "/a:/b:bogus", "invalid mode: bogus" },
		{ "/a:/b:ro,rw", "invalid mode: ro,rw" },
		{ "/a:/b:ro,ro", "invalid mode: ro,ro" },
		{ "/a:/", "invalid volume specification: '/a:/': destination can't be '/'" },
		{ ":/b", "invalid volume specification: ':/b'" },
		{ "rel", "invalid mount path: 'rel' mount path must be absolute" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(sk_mounts_parse_volume(&m, bad[i][0], why) < 0);
		assert_string_equal(why, bad[i][1]);
	}
	assert_true(sk_mounts_parse_volume(&m, "a b:/x", why) < 0);
	assert_non_null(strstr(why, "invalid characters for a local volume name"));
	assert_int_equal(m.n, 0);
}

/* ---- on Windows: drives and backslashes, judged on each system */

static const struct sk_windows_place place = { "C:\\code\\app", "C:\\Users\\Jo Doe" };

static void test_windows_paths(void **state)
{
	static const char *const paths[][2] = {
		{ "c:\\data", "C:/data" },
		{ "C:/data/../x//y\\.", "C:/x/y" },
		{ "D:\\", "D:/" },
		{ "C:\\..\\..", "C:/" },
		{ ".\\x", "C:/code/app/x" },
		{ "..\\..\\..\\..\\x", "C:/x" },
		{ ".", "C:/code/app" },
		{ "x/y", "C:/code/app/x/y" },
		{ "\\x", "C:/x" },
		{ "~", "C:/Users/Jo Doe" },
		{ "~\\x", "C:/Users/Jo Doe/x" },
		{ "\\\\server\\share\\a\\..\\b", "//server/share/b" },
		{ "\\\\server\\share\\..\\..\\b", "//server/share/b" },
		{ "\\\\?\\C:\\long\\path", "C:/long/path" },
		{ "\\\\?\\UNC\\server\\share\\x", "//server/share/x" },
		{ "C:x", NULL },
		{ "C:", NULL },
		{ "\\\\server", NULL },
		{ "\\\\?\\Volume{1}\\x", NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char *full = sk_model_windows_absolute(paths[i][0], &place);

		if (!paths[i][1])
			assert_null(full);
		else
			assert_string_equal(full, paths[i][1]);
		free(full);
	}
}

static void test_windows_volumes(void **state)
{
	static const char *const specs[][4] = {
		{ "C:\\data:/data", "C:/data", "/data", NULL },
		{ "c:/data:/data:ro", "C:/data", "/data", "ro" },
		{ ".\\x:/x", "C:/code/app/x", "/x", NULL },
		{ "./x:/x:ro", "C:/code/app/x", "/x", "ro" },
		{ "..:/x", "C:/code", "/x", NULL },
		{ "~\\x:/x", "C:/Users/Jo Doe/x", "/x", NULL },
		{ "\\\\server\\share:/x", "//server/share", "/x", NULL },
		{ "\\\\?\\C:\\x:/x:ro", "C:/x", "/x", "ro" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		if (sk_mounts_parse_volume_of(&m, specs[i][0], &place, why) < 0)
			fail_msg("%s", why);
		assert_int_equal(m.v[i].type, SK_MOUNT_BIND);
		assert_string_equal(m.v[i].source, specs[i][1]);
		assert_string_equal(m.v[i].target, specs[i][2]);
		assert_int_equal(m.v[i].readonly, specs[i][3] != NULL);
	}
	assert_int_equal(sk_mounts_parse_volume_of(&m, "pg_data:/var/lib/pg", &place, why), 0);
	assert_int_equal(m.v[i].type, SK_MOUNT_VOLUME);
	assert_string_equal(m.v[i++].source, "pg_data");
	assert_int_equal(sk_mounts_parse_volume_of(&m, "/anonymous", &place, why), 0);
	assert_null(m.v[i].source);
}

static void test_windows_errors(void **state)
{
	static const char *const bad[][2] = {
		{ "C:x:/x", "'C:x' is no full path" },
		{ "C:\\data", "mount path must be absolute" },
		{ "C:\\data:D:\\data", "invalid mount path: 'D'" },
		{ "C:\\a:/b:/c:/d", "invalid volume specification" },
		{ "C:\\a:", "invalid volume specification" },
		{ "C:\\a:/b:bogus", "invalid mode: bogus" },
		{ "a\\b:/x", "invalid characters for a local volume name" },
		{ "", "invalid volume specification" },
		{ ":/x", "invalid volume specification" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(sk_mounts_parse_volume_of(&m, bad[i][0], &place, why), -EINVAL);
		if (!strstr(why, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], why);
	}
	assert_int_equal(m.n, 0);
}

static void test_mount(void **state)
{
	(void)state;
	assert_int_equal(
		sk_mounts_parse_mount(&m, "type=bind,source=/a,target=/b,readonly,bind-propagation=shared", why), 0);
	assert_int_equal(m.v[0].type, SK_MOUNT_BIND);
	assert_true(m.v[0].readonly && !m.v[0].make_source);
	assert_int_equal(
		sk_mounts_parse_mount(
			&m, "src=vol,dst=/v,volume-opt=o=uid=1,volume-label=x=y,ro=false,volume-nocopy=true", why),
		0);
	assert_int_equal(m.v[1].type, SK_MOUNT_VOLUME);
	assert_string_equal(m.v[1].driver_options.v[0], "o=uid=1");
	assert_true(!m.v[1].readonly && m.v[1].nocopy);
	assert_int_equal(sk_mounts_parse_mount(&m, "type=tmpfs,destination=/t,tmpfs-size=64m,tmpfs-mode=1777", why), 0);
	assert_string_equal(m.v[2].options, "size=67108864,mode=1777");
}

/* Fields in quotes, as docker reads them. */
static void test_mount_quoted(void **state)
{
	char *full = sk_model_path_absolute("/a,b \"c\"");

	(void)state;
	assert_int_equal(sk_mounts_parse_mount(&m, "type=bind,\"source=/a,b \"\"c\"\"\",target=/b,\"readonly\"", why),
			 0);
	assert_string_equal(m.v[0].source, full);
	free(full);
	assert_true(m.v[0].readonly);
	assert_int_equal(sk_mounts_parse_mount(&m, "type=tmpfs,\"target=/t,t\"", why), 0);
	assert_string_equal(m.v[1].target, "/t,t");
}

static void test_mount_errors(void **state)
{
	static const char *const bad[][2] = {
		{ "foo", "invalid field 'foo' must be a key=value pair" },
		{ "type=bind,target=/x", "type=bind needs a source" },
		{ "type=bind,source=/x", "target is required" },
		{ "type=tmpfs,source=/x,target=/y", "type=tmpfs takes no source" },
		{ "type=npipe,target=/y", "mount type 'npipe' is not supported: use bind, volume or tmpfs" },
		{ "target=/y,colour=red", "unexpected key 'colour' in 'colour=red'" },
		{ "target=/y,ro=perhaps", "invalid value for ro: perhaps" },
		{ "type=tmpfs,target=/y,tmpfs-mode=9", "invalid value for tmpfs-mode: 9" },
		{ "type=bind,source=\"/a,b\",target=/c",
		  "parse error on line 1, column 18: bare \" in non-quoted field" },
		{ "\"target=/c\" ", "parse error on line 1, column 11: extraneous or missing \" in quoted-field" },
		{ "\"target=/c", "parse error on line 1, column 11: extraneous or missing \" in quoted-field" },
		{ "", "invalid field '' must be a key=value pair" },
		{ "target=/c,", "invalid field '' must be a key=value pair" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(sk_mounts_parse_mount(&m, bad[i][0], why) < 0);
		assert_string_equal(why, bad[i][1]);
	}
}

static void test_tmpfs(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *list;

	(void)state;
	assert_int_equal(sk_mounts_parse_tmpfs(&m, "/run", why), 0);
	assert_int_equal(sk_mounts_parse_tmpfs(&m, "/tmp:size=64m,exec,ro", why), 0);
	assert_null(m.v[0].options);
	assert_string_equal(m.v[1].options, "size=64m,exec");
	assert_true(m.v[1].readonly);
	assert_true(sk_mounts_parse_tmpfs(&m, "run", why) < 0);
	assert_int_equal(sk_mounts_check(&m, &err), 0);
	list = sk_mounts_to_inspect(&m);
	assert_string_equal(sk_jx_get_str(json_array_get(list, 1), "Destination", ""), "/tmp");
	json_decref(list);
	assert_int_equal(sk_mounts_parse_volume(&m, "/x:/run/", why), 0);
	assert_true(sk_mounts_check(&m, &err) < 0);
	assert_string_equal(err.message, "Duplicate mount point: /run");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_volume, reset, reset),
		cmocka_unit_test_setup_teardown(test_volume_errors, reset, reset),
		cmocka_unit_test(test_windows_paths),
		cmocka_unit_test_setup_teardown(test_windows_volumes, reset, reset),
		cmocka_unit_test_setup_teardown(test_windows_errors, reset, reset),
		cmocka_unit_test_setup_teardown(test_mount, reset, reset),
		cmocka_unit_test_setup_teardown(test_mount_quoted, reset, reset),
		cmocka_unit_test_setup_teardown(test_mount_errors, reset, reset),
		cmocka_unit_test_setup_teardown(test_tmpfs, reset, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
