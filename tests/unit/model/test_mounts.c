/* SPDX-License-Identifier: Apache-2.0 */
/* -v, --mount and --tmpfs: sound ones and docker's errors. */
#include "../sk_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/jx.h"
#include "model/mounts.h"

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
	char *cwd = getcwd(NULL, 0), *expected = sk_xasprintf("%s/sub", cwd);

	(void)state;
	assert_int_equal(sk_mounts_parse_volume(&m, "/srv/../srv/data:/data/:ro,rslave,z", why), 0);
	assert_int_equal(m.v[0].type, SK_MOUNT_BIND);
	assert_string_equal(m.v[0].source, "/srv/data");
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
	free(cwd);
	free(expected);
}

static void test_volume_errors(void **state)
{
	static const char *const bad[][2] = {
		{ "a:b:c:d", "invalid volume specification: 'a:b:c:d'" },
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
	(void)state;
	assert_int_equal(sk_mounts_parse_mount(&m, "type=bind,\"source=/a,b \"\"c\"\"\",target=/b,\"readonly\"", why),
			 0);
	assert_string_equal(m.v[0].source, "/a,b \"c\"");
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
		cmocka_unit_test_setup_teardown(test_mount, reset, reset),
		cmocka_unit_test_setup_teardown(test_mount_quoted, reset, reset),
		cmocka_unit_test_setup_teardown(test_mount_errors, reset, reset),
		cmocka_unit_test_setup_teardown(test_tmpfs, reset, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
