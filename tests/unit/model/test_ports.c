/* SPDX-License-Identifier: Apache-2.0 */
/* -p and --expose: notations, free ports, the forms of config.json. */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "model/jx.h"
#include "model/ports.h"

/* ip|host|end|guest|proto of each, joined by spaces. */
static char *parsed(const char *spec)
{
	struct sk_ports ports = { 0 };
	struct sk_text t = { 0 };
	char why[256] = "";
	size_t i;

	if (sk_ports_parse(&ports, spec, why) < 0)
		sk_text_printf(&t, "!%s", why);
	for (i = 0; t.len == 0 || (t.s[0] != '!' && i < ports.n); i++) {
		const struct sk_port *p = &ports.v[i];

		sk_text_printf(&t, "%s%s|%u|%u|%u|%s", i ? " " : "", p->host_ip, p->host_port, p->host_end,
			       p->guest_port, p->udp ? "udp" : "tcp");
	}
	sk_ports_fini(&ports);
	return sk_text_take(&t);
}

static void test_parse(void **state)
{
	static const char *const cases[][2] = {
		{ "80", "|0|0|80|tcp" },
		{ "8080:80", "|8080|8080|80|tcp" },
		{ "8080:80/udp", "|8080|8080|80|udp" },
		{ "127.0.0.1:8080:80", "127.0.0.1|8080|8080|80|tcp" },
		{ "127.0.0.1::80", "127.0.0.1|0|0|80|tcp" },
		{ "[::1]:8080:80", "::1|8080|8080|80|tcp" },
		{ "::1:8080:80", "::1|8080|8080|80|tcp" },
		{ "8000-8001:80-81", "|8000|8000|80|tcp |8001|8001|81|tcp" },
		{ "8000-8010:80", "|8000|8010|80|tcp" },
		{ "80-81", "|0|0|80|tcp |0|0|81|tcp" },
		{ "abc", "!invalid containerPort: abc" },
		{ "0", "!invalid containerPort: 0" },
		{ "99999:80", "!invalid hostPort: 99999" },
		{ "80:80/sctp", "!proto sctp is not supported: tcp and udp are" },
		{ "80/foo", "!invalid proto: foo" },
		{ "1.2.3:80:80", "!invalid IP address: 1.2.3" },
		{ "[::1:80:80", "!invalid IP address: [::1:80:80" },
		{ "8000-8002:80-81", "!invalid ranges specified for container and host Ports: 80-81 and 8000-8002" },
		{ "8080:", "!no port specified: 8080:<empty>" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *got = parsed(cases[i][0]);

		assert_string_equal(got, cases[i][1]);
		free(got);
	}
}

static void test_expose(void **state)
{
	struct sk_strv list = { 0 };
	char why[256];

	(void)state;
	assert_int_equal(sk_ports_parse_expose(&list, "80-81", why), 0);
	assert_int_equal(sk_ports_parse_expose(&list, "53/udp", why), 0);
	assert_int_equal(sk_ports_parse_expose(&list, "80", why), 0);
	assert_int_equal(list.n, 3);
	assert_string_equal(list.v[2], "53/udp");
	assert_true(sk_ports_parse_expose(&list, "x", why) < 0);
	sk_strv_fini(&list);
}

static void test_maps(void **state)
{
	struct sk_ports ports = { 0 }, back = { 0 };
	char why[256], *text;
	json_t *map, *forwards;

	(void)state;
	assert_int_equal(sk_ports_parse(&ports, "8080:80", why), 0);
	assert_int_equal(sk_ports_parse(&ports, "8081:81", why), 0);
	assert_int_equal(sk_ports_parse(&ports, "127.0.0.1:5353:53/udp", why), 0);
	map = sk_ports_to_bindings(&ports, true);
	assert_string_equal(sk_jx_get_str(json_array_get(json_object_get(map, "80/tcp"), 0), "HostIp", ""), "0.0.0.0");
	assert_string_equal(sk_jx_get_str(json_array_get(json_object_get(map, "80/tcp"), 0), "HostPort", ""), "8080");
	sk_ports_from_bindings(&back, map);
	assert_int_equal(back.n, 3);
	json_object_set_new(map, "443/tcp", json_null());
	text = sk_ports_display(map);
	assert_string_equal(text, "443/tcp, 0.0.0.0:8080-8081->80-81/tcp, 127.0.0.1:5353->53/udp");
	free(text);
	forwards = sk_ports_to_forwards(&ports);
	assert_int_equal(json_array_size(forwards), 3);
	assert_string_equal(sk_jx_get_str(json_array_get(forwards, 2), "proto", ""), "udp");
	assert_int_equal(sk_jx_get_int(json_array_get(forwards, 0), "host_port", 0), 8080);
	json_decref(forwards);
	json_decref(map);
	sk_ports_fini(&ports);
	sk_ports_fini(&back);
}

/* A taken port of a range is passed over; no number means any free one. */
static void test_assign(void **state)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	struct sk_ports ports = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	char why[256], spec[64];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&addr, &len);
	snprintf(spec, sizeof(spec), "127.0.0.1:%d-%d:80", ntohs(addr.sin_port), ntohs(addr.sin_port) + 20);
	assert_int_equal(sk_ports_parse(&ports, spec, why), 0);
	assert_int_equal(sk_ports_parse(&ports, "127.0.0.1::81", why), 0);
	assert_int_equal(sk_ports_assign(&ports, &err), 0);
	assert_true(ports.v[0].host_port > ntohs(addr.sin_port));
	assert_true(ports.v[1].host_port > 0);
	close(fd);
	sk_ports_fini(&ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_expose),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_assign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
