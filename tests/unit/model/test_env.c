/* SPDX-License-Identifier: Apache-2.0 */
/* Environment, env files, networks, /etc/hosts and resolv.conf. */
#include "../sk_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/env.h"
#include "model/hosts.h"
#include "model/network.h"
#include "virtio/device.h"

static void test_set(void **state)
{
	struct sk_strv env = { 0 };

	(void)state;
	sk_env_set(&env, "A=1");
	sk_env_set(&env, "AB=2");
	sk_env_set(&env, "A=3");
	sk_env_set(&env, "C");
	assert_int_equal(env.n, 2);
	assert_string_equal(env.v[0], "A=3");
	assert_string_equal(sk_env_get(&env, "AB"), "2");
	assert_null(sk_env_get(&env, "C"));
	sk_env_set(&env, "A"); /* takes it away */
	assert_int_equal(env.n, 1);
	assert_string_equal(env.v[0], "AB=2");
	sk_env_set(&env, "E==x=");
	assert_string_equal(sk_env_get(&env, "E"), "=x=");
	sk_strv_fini(&env);
}

static void test_option(void **state)
{
	struct sk_strv env = { 0 };

	(void)state;
	setenv("SK_TEST_SET", "from here", 1);
	unsetenv("SK_TEST_UNSET");
	sk_env_add_option(&env, "SK_TEST_SET");
	sk_env_add_option(&env, "SK_TEST_UNSET");
	sk_env_add_option(&env, "SK_TEST_SET=");
	assert_string_equal(env.v[0], "SK_TEST_SET=from here");
	assert_string_equal(env.v[1], "SK_TEST_UNSET");
	assert_string_equal(env.v[2], "SK_TEST_SET=");
	sk_strv_fini(&env);
}

static int read_text(struct sk_strv *env, const char *text, size_t n, bool labels, struct sk_error *err)
{
	char path[] = "/tmp/sk-env-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	close(fd);
	r = sk_env_read_file(env, path, labels, err);
	unlink(path);
	return r;
}

static void test_file(void **state)
{
	static const char text[] =
		"\xef\xbb\xbf# comment\nA=1\r\n\n\r\n  B=two words # kept\nSK_TEST_SET\r\nSK_TEST_UNSET\nC=\r";
	struct sk_strv env = { 0 };
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	setenv("SK_TEST_SET", "x", 1);
	unsetenv("SK_TEST_UNSET");
	assert_int_equal(read_text(&env, text, sizeof(text) - 1, false, &err), 0);
	assert_int_equal(env.n, 4);
	assert_string_equal(env.v[0], "A=1");
	assert_string_equal(env.v[1], "B=two words # kept");
	assert_string_equal(env.v[2], "SK_TEST_SET=x");
	assert_string_equal(env.v[3], "C=");
	sk_strv_fini(&env);
	assert_int_equal(read_text(&env, "key\n", 4, true, &err), 0);
	assert_string_equal(env.v[0], "key=");
	sk_strv_fini(&env);
}

static void test_file_errors(void **state)
{
	struct sk_strv env = { 0 };
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	assert_int_equal(read_text(&env, "=x\n", 3, false, &err), -EINVAL);
	assert_non_null(strstr(err.message, "no variable name on line '=x'"));
	assert_int_equal(read_text(&env, "A B=1\n", 6, false, &err), -EINVAL);
	assert_non_null(strstr(err.message, "variable 'A B' contains whitespaces"));
	assert_int_equal(read_text(&env, "A=\0b", 4, false, &err), -EINVAL);
	assert_int_equal(sk_env_read_file(&env, "/nonexistent/env", false, &err), -ENOENT);
	sk_strv_fini(&env);
}

static void test_hosts(void **state)
{
	struct sk_strv add = { 0 }, none = { 0 }, dns = { 0 }, search = { 0 };
	struct sk_host host;
	char why[256], *text;

	(void)state;
	assert_int_equal(sk_host_parse("db:1.2.3.4", &host, why), 0);
	assert_string_equal(host.ip, "1.2.3.4");
	sk_host_fini(&host);
	assert_int_equal(sk_host_parse("h=host-gateway", &host, why), 0);
	assert_string_equal(host.ip, "10.0.2.2");
	sk_host_fini(&host);
	assert_int_equal(sk_host_parse("six:[fe80::1]", &host, why), 0);
	assert_string_equal(host.ip, "fe80::1");
	sk_host_fini(&host);
	assert_true(sk_host_parse("x", &host, why) < 0);
	assert_string_equal(why, "bad format for add-host: \"x\"");
	assert_true(sk_host_parse("x:y", &host, why) < 0);
	sk_strv_add(&add, "db:1.2.3.4");
	text = sk_hosts_file("web", "lan", &add, sk_network_kind(NULL));
	assert_non_null(strstr(text, "127.0.0.1\tlocalhost\n"));
	assert_non_null(strstr(text, "1.2.3.4\tdb\n"));
	assert_non_null(strstr(text, "10.0.2.2\thost.skerry.internal host.docker.internal\n"));
	assert_non_null(strstr(text, "10.0.2.15\tweb.lan web\n"));
	free(text);
	text = sk_hosts_file("web", "", &none, sk_network_kind("none"));
	assert_null(strstr(text, "10.0.2."));
	free(text);
	sk_strv_add(&dns, "9.9.9.9");
	sk_strv_add(&search, "a.lan");
	sk_strv_add(&search, "b.lan");
	text = sk_resolv_conf(&dns, &search, &none);
	assert_string_equal(text, "nameserver 9.9.9.9\nsearch a.lan b.lan\n");
	free(text);
	text = sk_resolv_conf(&none, &none, &none);
	assert_string_equal(text, "");
	free(text);
	sk_strv_fini(&add);
	sk_strv_fini(&dns);
	sk_strv_fini(&search);
}

/* The host's resolv.conf, and what a container gets of it. */
static void test_resolv(void **state)
{
	static const char *const cases[][2] = {
		{ "", "nameserver 10.0.2.3\n" },
		{ "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch a.lan b.lan\n",
		  "nameserver 10.0.2.3\nsearch a.lan b.lan\noptions edns0 trust-ad\n" },
		{ "nameserver 192.0.2.1\nnameserver 192.0.2.2\n", "nameserver 10.0.2.3\nnameserver 192.0.2.2\n" },
		{ "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 192.0.2.2\n",
		  "nameserver 10.0.2.3\nnameserver 192.0.2.2\n" },
		{ "# x\nnameserver fe80::1%eth0\nnameserver\nnameserver junk\nnameserver 1.1.1.1\n"
		  "nameserver 2.2.2.2\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n",
		  "nameserver 10.0.2.3\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n" },
		{ "nameserver ::1\nnameserver 2001:db8::1\n", "nameserver fd73:6b65:7272::3\n" },
		{ "nameserver ::1\nnameserver 127.0.0.1\n", "nameserver 10.0.2.3\n" },
		{ "search a\noptions timeout:1\ndomain b\noptions rotate\n",
		  "nameserver 10.0.2.3\nsearch b\noptions timeout:1 rotate\n" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sk_strv dns = { 0 }, search = { 0 }, options = { 0 };
		char *text = sk_xstrdup(cases[i][0]), *got;

		sk_host_resolv(text, &dns, &search, &options);
		got = sk_resolv_conf(&dns, &search, &options);
		assert_string_equal(got, cases[i][1]);
		free(got);
		free(text);
		sk_strv_fini(&dns);
		sk_strv_fini(&search);
		sk_strv_fini(&options);
	}
}

/* Each network by one of its words; what stands in documents is what the guest gets. */
static void test_networks(void **state)
{
	static const char *const bridges[] = { "bridge", "default", "slirp", "slirp4netns", NULL };
	const struct sk_network_kind *bridge = sk_network_kind(NULL), *none = sk_network_kind("none");
	size_t i;

	(void)state;
	for (i = 0; bridges[i]; i++)
		assert_ptr_equal(sk_network_kind(bridges[i]), bridge);
	assert_string_equal(bridge->name, "bridge");
	assert_string_equal(bridge->backend, "slirp");
	assert_string_equal(bridge->address, SK_SLIRP_ADDRESS);
	assert_string_equal(bridge->gateway, SK_SLIRP_GATEWAY);
	assert_string_equal(none->name, "none");
	assert_true(!none->backend && !*none->address && !*none->gateway && none->prefix == 0);
	assert_null(sk_network_kind("host"));
	assert_null(sk_network_kind("netns")); /* an OCI runtime's */
	assert_null(sk_network_kind(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),	    cmocka_unit_test(test_option), cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_errors), cmocka_unit_test(test_hosts),  cmocka_unit_test(test_resolv),
		cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
