/* SPDX-License-Identifier: Apache-2.0 */
/* Names, tokens, addresses, and the items of lists: sound ones, and each that is refused. */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "proto/parts.h"

static json_t *json(const char *text)
{
	json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(o);
	return o;
}

static void test_names(void **state)
{
	char name[67];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[64] = '\0';
	assert_true(sk_name_valid(name));
	name[64] = 'n';
	name[65] = '\0';
	assert_false(sk_name_valid(name));
	assert_true(sk_name_valid("a.b_c-D9"));
	assert_false(sk_name_valid(""));
	assert_false(sk_name_valid(".a"));
	assert_false(sk_name_valid("a/b"));
	assert_false(sk_name_valid("\xc3\xa4"));
}

static void test_tokens(void **state)
{
	static const char *const bad[] = { "", "000102030405060708090a0b0c0d0e", "000102030405060708090a0b0c0d0e0g",
					   "000102030405060708090a0b0c0d0e0f0" };
	struct sk_token t = { 0 }, u = { 0 };
	char hex[SK_TOKEN_HEX + 1];
	size_t i;

	(void)state;
	assert_int_equal(sk_token_parse("000102030405060708090a0b0c0d0eFf", &t), 0);
	assert_true(t.set && t.bytes[1] == 1 && t.bytes[15] == 0xff);
	sk_token_hex(&t, hex);
	assert_string_equal(hex, "000102030405060708090a0b0c0d0eff");
	assert_int_equal(sk_token_parse(hex, &u), 0);
	assert_true(sk_token_equal(&t, &u));
	u.bytes[0]++;
	assert_false(sk_token_equal(&t, &u));
	/* Two that are not there are not the same. */
	t = u = (struct sk_token){ 0 };
	assert_false(sk_token_equal(&t, &u));
	assert_int_equal(sk_token_parse(NULL, &t), -EINVAL);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(sk_token_parse(bad[i], &t), -EINVAL);
		assert_false(t.set);
	}
}

static void test_addresses(void **state)
{
	static const char *const bad[] = { "",
					   "1.2.3",
					   "1.2.3.4/33",
					   "1.2.3.4/",
					   "1.2.3.4/-1",
					   "1.2.3.4/ 1",
					   "1.2.3.4/1x",
					   "fd00::1/24",
					   "111.222.333.444",
					   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct sk_address a;
	size_t i;

	(void)state;
	assert_int_equal(sk_address_parse("10.0.2.15/24", AF_INET, &a), 0);
	assert_int_equal(a.prefix, 24);
	assert_int_equal(a.addr[3], 15);
	assert_int_equal(sk_address_parse("10.0.2.2", AF_INET, &a), 0);
	assert_int_equal(a.prefix, 32);
	assert_int_equal(sk_address_parse("fd00::15/64", AF_INET6, &a), 0);
	assert_int_equal(a.prefix, 64);
	assert_int_equal(a.addr[0], 0xfd);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(sk_address_parse(bad[i], AF_INET, &a) < 0);
}

static void test_mounts(void **state)
{
	static const char *const bad[] = {
		"[]",
		"{\"type\":\"9p\",\"tag\":\"m0\"}",
		"{\"type\":\"9p\",\"tag\":\"m0\",\"destination\":\"data\"}",
		"{\"destination\":\"/data\"}",
		"{\"type\":\"9p\",\"tag\":\"a/b\",\"destination\":\"/data\"}",
		"{\"type\":\"9p\",\"tag\":\"m0\",\"destination\":\"/data\",\"file\":\"a/b\"}",
		"{\"type\":\"9p\",\"tag\":\"m0\",\"destination\":\"/data\",\"file\":\"..\"}",
		"{\"type\":\"9p\",\"tag\":\"m0\",\"destination\":\"/data\",\"readonly\":1}",
		"{\"type\":\"9p\",\"tag\":\"m0\",\"destination\":\"/data\",\"options\":{}}",
		"{\"type\":\"9p\",\"destination\":\"/data\",\"token\":\"000102030405060708090a0b0c0d0e0f\"}",
		"{\"type\":\"9p\",\"destination\":\"/data\",\"token\":\"00\",\"aname\":\"a\"}",
	};
	struct sk_error err = SK_ERROR_INIT;
	struct sk_mount_spec m;
	json_t *o =
		json("{\"type\":\"9p\",\"tag\":\"m0\",\"device\":\"shares\",\"destination\":\"/data\",\"file\":\"f\","
		     "\"options\":\"a,b\",\"readonly\":true,\"path\":\"/home\"}");
	size_t i;

	(void)state;
	assert_int_equal(sk_mount_decode(o, &m, &err), 0);
	assert_string_equal(m.destination, "/data");
	assert_string_equal(m.tag, "m0");
	assert_string_equal(json_string_value(m.options), "a,b");
	assert_true(m.readonly && !m.nodev && !m.own.token.set);
	json_object_set_new(o, "options", json("[\"a\",\"b\"]"));
	assert_int_equal(sk_mount_decode(o, &m, &err), 0);
	assert_int_equal(json_array_size(m.options), 2);
	json_decref(o);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o = json(bad[i]);
		if (sk_mount_decode(o, &m, &err) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		json_decref(o);
	}
}

static void test_files(void **state)
{
	json_t *o = json("{\"path\":\"/etc/hosts\",\"data\":\"x\",\"mode\":\"644\"}");
	struct sk_error err = SK_ERROR_INIT;
	struct sk_file_spec f;

	(void)state;
	assert_int_equal(sk_file_decode(o, &f, &err), 0);
	assert_string_equal(json_string_value(f.data), "x");
	json_object_set_new(o, "path", json_string("etc/hosts"));
	assert_int_equal(sk_file_decode(o, &f, &err), -EINVAL);
	json_object_set_new(o, "path", json_string("/etc/hosts"));
	json_object_set_new(o, "data", json_integer(1));
	assert_int_equal(sk_file_decode(o, &f, &err), -EINVAL);
	json_decref(o);
}

static void test_interfaces(void **state)
{
	static const char *const bad_macs[] = { "",
						"02:53:4b:00:00",
						"02:53:4b:00:00:00:00",
						"02:53:4b:00:00:0g",
						"02-53-4b-00-00-00",
						"0x:53:4b:00:00:00" };
	json_t *addresses = json("[\"172.17.0.2/16\"]"), *o, *back;
	struct sk_interface_spec i = { .name = "eth0",
				       .device = { 2, 0x53, 0x4b, 0, 0, 1 },
				       .mac = { 2, 0x42, 0xac, 17, 0, 2 },
				       .mtu = 1500,
				       .has_ipv6 = true,
				       .addresses = addresses },
				 got;
	struct sk_error err = SK_ERROR_INIT;
	size_t k;

	(void)state;
	o = sk_interface_encode(&i, &err);
	assert_non_null(o);
	assert_true(json_is_false(json_object_get(o, "ipv6")));
	assert_int_equal(sk_interface_decode(o, &got, &err), 0);
	assert_memory_equal(got.device, i.device, 6);
	assert_memory_equal(got.mac, i.mac, 6);
	assert_true(got.has_ipv6 && !got.ipv6 && got.mtu == 1500);
	back = sk_interface_encode(&got, &err);
	assert_true(json_equal(o, back));
	json_decref(back);
	for (k = 0; k < sizeof(bad_macs) / sizeof(bad_macs[0]); k++) {
		json_object_set_new(o, "mac", json_string(bad_macs[k]));
		assert_int_equal(sk_interface_decode(o, &got, &err), -EINVAL);
	}
	json_decref(o);
	i.has_ipv6 = false;
	i.addresses = NULL;
	o = sk_interface_encode(&i, &err);
	assert_null(json_object_get(o, "ipv6"));
	json_decref(o);
	i.name = "a/b";
	assert_null(sk_interface_encode(&i, &err));
	i.name = "sixteen-letters-";
	assert_null(sk_interface_encode(&i, &err));
	json_decref(addresses);
}

static void test_routes(void **state)
{
	json_t *o = json("{\"to\":\"0.0.0.0/0\",\"via\":\"172.17.0.1\",\"dev\":\"eth0\",\"metric\":4294967295}");
	struct sk_error err = SK_ERROR_INIT;
	struct sk_route_spec r;
	json_t *back;

	(void)state;
	assert_int_equal(sk_route_decode(o, &r, &err), 0);
	assert_string_equal(r.via, "172.17.0.1");
	assert_null(r.src);
	assert_true(r.metric == UINT32_MAX);
	back = sk_route_encode(&r, &err);
	assert_true(json_equal(o, back));
	json_decref(back);
	r.dev = "sixteen-letters-";
	assert_null(sk_route_encode(&r, &err));
	json_object_del(o, "dev");
	assert_int_equal(sk_route_decode(o, &r, &err), -EINVAL);
	json_decref(o);
}

/* The directory of the host's services, as the monitor adds it. */
static void test_services_mount(void **state)
{
	struct sk_mount_spec m = { .type = "services", .destination = "/run/x", .own.token = { true, { 1, 2 } } }, got;
	struct sk_error err = SK_ERROR_INIT;
	json_t *o = sk_mount_encode(&m, &err);

	(void)state;
	assert_non_null(o);
	assert_int_equal(sk_mount_decode(o, &got, &err), 0);
	assert_true(sk_token_equal(&got.own.token, &m.own.token));
	assert_string_equal(got.destination, "/run/x");
	json_decref(o);
	m.own.token.set = false;
	assert_null(sk_mount_encode(&m, &err));
	m.destination = "relative";
	assert_null(sk_mount_encode(&m, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),  cmocka_unit_test(test_tokens),	      cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_mounts), cmocka_unit_test(test_files),	      cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_routes), cmocka_unit_test(test_services_mount),
	};

	return cmocka_run_group_tests_name("proto-parts", tests, NULL, NULL);
}
