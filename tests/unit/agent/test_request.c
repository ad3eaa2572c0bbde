/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as the agent parses them: sound ones, and each that is refused. */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "request.h"

static struct sk_error err;

static json_t *json(const char *text)
{
	json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(o);
	return o;
}

static int parse(const char *text, struct sk_request *req)
{
	return sk_request_parse(json(text), req, &err);
}

static void test_request(void **state)
{
	struct sk_request req;

	(void)state;
	assert_int_equal(parse("{\"id\":7,\"op\":\"exec\",\"container\":\"c0\",\"key\":\"k1\",\"new\":1}", &req), 0);
	assert_int_equal(req.id, 7);
	assert_int_equal(req.op, SK_OP_EXEC);
	assert_string_equal(req.container, "c0");
	assert_string_equal(req.key, "k1");
	sk_request_fini(&req);
	assert_int_equal(parse("{\"id\":0,\"op\":\"sync\"}", &req), 0);
	assert_string_equal(req.key, "init");
	sk_request_fini(&req);
}

static void test_request_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"op\":\"sync\"}",
		"{\"id\":-1,\"op\":\"sync\"}",
		"{\"id\":\"1\",\"op\":\"sync\"}",
		"{\"id\":1}",
		"{\"id\":1,\"op\":7}",
		"{\"id\":1,\"op\":\"nosuch\"}",
		"{\"id\":1,\"op\":\"start\"}",
		"{\"id\":1,\"op\":\"start\",\"container\":\"\"}",
		"{\"id\":1,\"op\":\"start\",\"container\":\"..\"}",
		"{\"id\":1,\"op\":\"start\",\"container\":\"a/b\"}",
		"{\"id\":1,\"op\":\"start\",\"container\":\".a\"}",
		"{\"id\":1,\"op\":\"start\",\"container\":\"a b\"}",
		"{\"id\":1,\"op\":\"exec\",\"container\":\"a\",\"key\":\"../x\"}",
	};
	struct sk_request req;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err = (struct sk_error)SK_ERROR_INIT;
		assert_true(parse(bad[i], &req) < 0);
		assert_true(err.code != 0 && err.message[0]);
		sk_request_fini(&req);
	}
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
	assert_false(sk_name_valid("\xc3\xa4"));
}

static void test_every_op(void **state)
{
	struct sk_request req;
	int i;

	(void)state;
	for (i = 0; i < SK_OP_COUNT; i++) {
		json_t *o = json_pack("{s:i,s:s,s:s}", "id", i, "op", sk_op_name(i), "container", "c0");

		assert_int_equal(sk_request_parse(o, &req, &err), 0);
		assert_int_equal(req.op, i);
		sk_request_fini(&req);
	}
}

static void test_stdio(void **state)
{
	json_t *o =
		json("{\"terminal\":true,\"rows\":24,\"cols\":99999,\"stdout\":\"000102030405060708090a0b0c0d0eFf\"}");
	struct sk_stdio_spec s;

	(void)state;
	assert_int_equal(sk_stdio_parse(o, &s, &err), 0);
	assert_true(s.terminal && s.wanted[SK_STDOUT] && !s.wanted[SK_STDIN] && !s.wanted[SK_STDERR]);
	assert_int_equal(s.rows, 24);
	assert_int_equal(s.cols, 0);
	assert_int_equal(s.token[SK_STDOUT][1], 1);
	assert_int_equal(s.token[SK_STDOUT][15], 0xff);
	json_object_set_new(o, "stdin", json_string("000102030405060708090a0b0c0d0e"));
	assert_true(sk_stdio_parse(o, &s, &err) < 0);
	json_object_set_new(o, "stdin", json_string("000102030405060708090a0b0c0d0e0g"));
	assert_true(sk_stdio_parse(o, &s, &err) < 0);
	json_object_set_new(o, "stdin", json_integer(5));
	assert_true(sk_stdio_parse(o, &s, &err) < 0);
	json_object_set_new(o, "stdin", json_null());
	assert_int_equal(sk_stdio_parse(o, &s, &err), 0);
	json_decref(o);
	assert_int_equal(sk_stdio_parse(NULL, &s, &err), 0);
	assert_false(s.terminal);
}

static int rootfs(const char *text, struct sk_rootfs_spec *ret)
{
	static json_t *kept;

	json_decref(kept);
	kept = json(text);
	return sk_rootfs_parse(kept, ret, &err);
}

static void test_rootfs(void **state)
{
	struct sk_rootfs_spec r;

	(void)state;
	assert_int_equal(rootfs("{\"type\":\"layers\",\"device\":\"/dev/vda\",\"upper\":\"/dev/vdb\",\"layers\":["
				"{\"offset\":0,\"size\":4096},{\"offset\":4096,\"size\":8192}],\"readonly\":true}",
				&r),
			 0);
	assert_int_equal(r.n_layers, 2);
	assert_int_equal(r.layers[1].offset, 4096);
	assert_int_equal(r.layers[1].size, 8192);
	assert_true(r.readonly && !r.is_9p);
	assert_int_equal(rootfs("{\"type\":\"9p\",\"tag\":\"root\",\"options\":\"x\"}", &r), 0);
	assert_true(r.is_9p);
	assert_true(rootfs("{\"type\":\"9p\"}", &r) < 0);
	assert_true(rootfs("{\"type\":\"tar\"}", &r) < 0);
	assert_true(rootfs("{}", &r) < 0);
	assert_true(rootfs("[]", &r) < 0);
	assert_true(rootfs("{\"type\":\"layers\",\"device\":\"/dev/vda\",\"layers\":[]}", &r) < 0);
	assert_true(rootfs("{\"type\":\"layers\",\"layers\":[{\"offset\":0,\"size\":512}]}", &r) < 0);
	assert_true(rootfs("{\"type\":\"layers\",\"device\":\"d\",\"layers\":[{\"offset\":-512,\"size\":512}]}", &r) <
		    0);
	assert_true(rootfs("{\"type\":\"layers\",\"device\":\"d\",\"layers\":[{\"offset\":0,\"size\":0}]}", &r) < 0);
	assert_true(rootfs("{\"type\":\"layers\",\"device\":\"d\",\"layers\":[{\"offset\":1,\"size\":512}]}", &r) < 0);
	assert_true(rootfs("{\"type\":\"layers\",\"device\":\"d\",\"layers\":[7]}", &r) < 0);
	assert_true(rootfs("null", &r) < 0);
}

static void test_too_many_layers(void **state)
{
	json_t *o = json("{\"type\":\"layers\",\"device\":\"/dev/vda\",\"layers\":[]}");
	struct sk_rootfs_spec r;
	int i;

	(void)state;
	for (i = 0; i < SK_LAYERS_MAX; i++)
		json_array_append_new(json_object_get(o, "layers"),
				      json_pack("{s:i,s:i}", "offset", i * 4096, "size", 4096));
	assert_int_equal(sk_rootfs_parse(o, &r, &err), 0);
	json_array_append_new(json_object_get(o, "layers"), json_pack("{s:i,s:i}", "offset", 0, "size", 4096));
	assert_true(sk_rootfs_parse(o, &r, &err) < 0);
	json_decref(o);
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

static void test_network(void **state)
{
	struct sk_network_spec n;
	json_t *o = json("{\"address\":\"10.0.2.15/24\",\"gateway\":\"10.0.2.2\",\"mtu\":65520,\"gateway6\":\"\"}");

	(void)state;
	assert_int_equal(sk_network_parse(o, &n, &err), 0);
	assert_true(n.has_address && n.has_gateway && !n.has_address6 && !n.has_gateway6);
	assert_int_equal(n.mtu, 65520);
	json_object_set_new(o, "mtu", json_integer(1000000));
	assert_true(sk_network_parse(o, &n, &err) < 0);
	json_object_set_new(o, "mtu", json_integer(0));
	json_object_set_new(o, "address6", json_string("10.0.0.1/8"));
	assert_true(sk_network_parse(o, &n, &err) < 0);
	json_decref(o);
	assert_int_equal(sk_network_parse(NULL, &n, &err), 0);
}

static void test_time(void **state)
{
	static const char *const bad[] = { "[]", "[1]", "[1,-1]", "[-1,0]", "[1,1000000000]", "[\"1\",0]", "{}" };
	int64_t sec, nsec;
	json_t *o = json("[1700000000,999999999]");
	size_t i;

	(void)state;
	assert_int_equal(sk_time_parse(o, &sec, &nsec), 0);
	assert_int_equal(sec, 1700000000);
	assert_int_equal(nsec, 999999999);
	json_decref(o);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o = json(bad[i]);
		assert_true(sk_time_parse(o, &sec, &nsec) < 0);
		json_decref(o);
	}
	assert_true(sk_time_parse(NULL, &sec, &nsec) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),		cmocka_unit_test(test_request_refused),
		cmocka_unit_test(test_names),		cmocka_unit_test(test_every_op),
		cmocka_unit_test(test_stdio),		cmocka_unit_test(test_rootfs),
		cmocka_unit_test(test_too_many_layers), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_network),		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests_name("agent-request", tests, NULL, NULL);
}
