/* SPDX-License-Identifier: Apache-2.0 */
/* What podman tells netavark of a container's ports. */
#include "../sk_test.h"

#include <errno.h>
#include <string.h>

#include "machine_netavark.h"

#define HEAD "{\"container_id\":\"0123abcd\",\"container_name\":\"web\","
#define NETWORKS                                                                                              \
	"\"networks\":{\"podman\":{\"static_ips\":[\"fd00::2\",\"10.88.0.2\"],\"interface_name\":\"eth0\"}}," \
	"\"network_info\":{\"podman\":{\"name\":\"podman\"}}}"
#define PORTS(list) HEAD "\"port_mappings\":[" list "]," NETWORKS

static int parse(const char *text, struct sk_netavark_request *ret, struct sk_error *err)
{
	*err = (struct sk_error)SK_ERROR_INIT;
	return sk_netavark_parse(text, strlen(text), ret, err);
}

static void test_ports(void **state)
{
	struct sk_netavark_request r;
	struct sk_error err;

	(void)state;
	assert_int_equal(parse(PORTS("{\"container_port\":80,\"host_port\":8080,\"protocol\":\"tcp\",\"host_ip\":\"\","
				     "\"range\":1},{\"container_port\":53,\"host_port\":5300,\"protocol\":\"udp\","
				     "\"host_ip\":\"127.0.0.1\",\"range\":2}"),
			       &r, &err),
			 0);
	assert_string_equal(r.container, "0123abcd");
	assert_int_equal(r.n, 4);
	assert_string_equal(r.ports[0].host_ip, "0.0.0.0");
	assert_string_equal(r.ports[1].host_ip, "::");
	assert_int_equal(r.ports[1].host_port, 8080);
	assert_string_equal(r.ports[1].container_ip, "10.88.0.2");
	assert_string_equal(r.ports[3].host_ip, "127.0.0.1");
	assert_string_equal(r.ports[3].proto, "udp");
	assert_int_equal(r.ports[3].host_port, 5301);
	assert_int_equal(r.ports[3].container_port, 54);
	sk_netavark_request_fini(&r);
}

static void test_no_ports(void **state)
{
	struct sk_netavark_request r;
	struct sk_error err;

	(void)state;
	assert_int_equal(parse(HEAD NETWORKS, &r, &err), 0);
	assert_int_equal(r.n, 0);
	sk_netavark_request_fini(&r);
	assert_int_equal(parse(HEAD "\"port_mappings\":null," NETWORKS, &r, &err), 0);
	assert_int_equal(r.n, 0);
	sk_netavark_request_fini(&r);
	/* a container without networks of IPv4 publishes nothing */
	assert_int_equal(parse(HEAD "\"networks\":{}}", &r, &err), 0);
	sk_netavark_request_fini(&r);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"container_id\":\"../x\"}",
		"{\"container_id\":\"\"}",
		PORTS("{\"container_port\":80}"),
		PORTS("{\"container_port\":80,\"host_port\":65536}"),
		PORTS("{\"container_port\":80,\"host_port\":-1}"),
		PORTS("{\"container_port\":0,\"host_port\":80}"),
		PORTS("{\"container_port\":80,\"host_port\":65530,\"range\":7}"),
		PORTS("{\"container_port\":1,\"host_port\":1,\"range\":9223372036854775807}"),
		PORTS("{\"container_port\":1,\"host_port\":1,\"range\":5000}"),
		HEAD "\"port_mappings\":[{\"container_port\":80,\"host_port\":80}],\"networks\":{\"a\":{"
		     "\"static_ips\":[\"fd00::2\"]}}}",
	};
	struct sk_netavark_request r;
	struct sk_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(parse(bad[i], &r, &err), -EINVAL);
		assert_true(err.message[0] != '\0');
		assert_null(r.ports);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_no_ports),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
