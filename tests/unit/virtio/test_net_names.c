/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the host that the guest's name server knows by itself. */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <string.h>

#include "virtio/device.h"
#include "virtio/net_internal.h"
#include "virtio/net_names.h"

static const char *const words[] = { "host.docker.internal", "Gateway.Docker.Internal" };

enum { A = 1, MX = 15, AAAA = 28, OPT = 41, HTTPS = 65, ANY = 255 };

static struct net_names *names(void)
{
	struct net_names *n = net_names_new(words, 2);

	assert_non_null(n);
	return n;
}

static size_t put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return 2;
}

/* A question with recursion desired; with EDNS. */
static size_t ask(uint8_t *p, const char *name, unsigned type, bool edns)
{
	size_t at = 12;

	memset(p, 0, 12);
	put16(p, 0x1234);
	put16(p + 2, 0x0100);
	put16(p + 4, 1);
	put16(p + 10, edns);
	while (*name) {
		size_t n = strcspn(name, ".");

		p[at++] = (uint8_t)n;
		memcpy(p + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	p[at++] = 0;
	at += put16(p + at, type);
	at += put16(p + at, 1);
	if (edns) {
		memset(p + at, 0, 11);
		put16(p + at + 1, OPT);
		put16(p + at + 3, 4096);
		at += 11;
	}
	return at;
}

static size_t answer(const char *name, unsigned type, bool edns, uint8_t ret[512])
{
	struct net_names *n = names();
	uint8_t q[512];
	size_t len = ask(q, name, type, edns);

	len = net_names_answer(n, q, len, ret, 512);
	net_names_free(n);
	return len;
}

static void test_address(void **state)
{
	uint8_t r[512], q[512];
	size_t n = answer("hOst.docker.INTERNAL", A, false, r), end = ask(q, "hOst.docker.INTERNAL", A, false);

	(void)state;
	assert_int_equal(n, end + 16);
	/* Response, authoritative, recursion desired and available, no error; one question, one answer. */
	assert_memory_equal(r, "\x12\x34\x85\x80\0\1\0\1\0\0\0\0", 12);
	assert_memory_equal(r + 12, q + 12, end - 12); /* in the letters of the question */
	assert_memory_equal(r + end, "\xc0\x0c\0\1\0\1", 6);
	assert_memory_equal(r + end + 10, "\0\4\x0a\0\x02\x02", 6);
	end = ask(q, "gateway.docker.internal", A, false);
	n = answer("gateway.docker.internal", ANY, false, r);
	assert_int_equal(n, end + 16);
	assert_int_equal(r[7], 1);
}

/* The name exists, and has nothing of the kind. */
static void test_no_data(void **state)
{
	uint8_t r[512], q[512];
	size_t end = ask(q, "host.docker.internal", AAAA, false);

	(void)state;
	assert_int_equal(answer("host.docker.internal", AAAA, false, r), end);
	assert_memory_equal(r, "\x12\x34\x85\x80\0\1\0\0\0\0\0\0", 12);
	assert_int_equal(answer("host.docker.internal", MX, false, r), end);
	assert_int_equal(answer("host.docker.internal", HTTPS, true, r), end + 11);
	assert_int_equal(r[11], 1);
	assert_memory_equal(r + end, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
}

static void test_others(void **state)
{
	struct net_names *n = names();
	uint8_t q[600], r[512];
	size_t len = ask(q, "host.docker.internal", A, true), i;

	(void)state;
	assert_int_equal(answer("docker.internal", A, false, r), 0);
	assert_int_equal(answer("a.host.docker.internal", A, false, r), 0);
	assert_int_equal(answer("host.docker.internal.example.org", A, false, r), 0);
	assert_true(net_names_answer(n, q, len, r, 512) > 0);
	for (i = 0; i < len; i++)
		assert_int_equal(net_names_answer(n, q, i, r, 512), 0);
	assert_int_equal(net_names_answer(n, q, len, r, len + 15), 0); /* no room for the answer */
	assert_int_equal(net_names_answer(NULL, q, len, r, 512), 0);
	q[2] = 0x81; /* an answer */
	assert_int_equal(net_names_answer(n, q, len, r, 512), 0);
	q[2] = 0x29; /* an update */
	assert_int_equal(net_names_answer(n, q, len, r, 512), 0);
	q[2] = 1;
	q[5] = 2;
	assert_int_equal(net_names_answer(n, q, len, r, 512), 0);
	q[5] = 1;
	q[12] = 0xc0; /* compressed */
	assert_int_equal(net_names_answer(n, q, len, r, 512), 0);
	q[12] = 64;
	assert_int_equal(net_names_answer(n, q, len, r, 512), 0);
	q[12] = 4;
	q[len - 9] = 250; /* a record that is not EDNS's */
	assert_int_equal(net_names_answer(n, q, len, r, 512), 0);
	net_names_free(n);
}

static size_t frame4(uint8_t *f, const char *name)
{
	size_t n = ask(f + 42, name, A, false);

	memset(f, 0, 42);
	memcpy(f, "\x52\x55\x0a\0\2\3\2\0\0\0\0\1\x08\0\x45", 15);
	put16(f + 16, (unsigned)(28 + n));
	f[23] = 17;
	memcpy(f + 26, "\x0a\0\2\x0f\x0a\0\2\3", 8);
	put16(f + 34, 40000);
	put16(f + 36, 53);
	put16(f + 38, (unsigned)(8 + n));
	return 42 + n;
}

static void test_frame(void **state)
{
	struct net_names *n = names();
	uint8_t f[512], r[NET_NAMES_ANSWER];
	size_t len = frame4(f, "host.docker.internal"), got;

	(void)state;
	got = net_names_take(n, f, len, r);
	assert_int_equal(got, len + 16);
	assert_memory_equal(r, f + 6, 6);
	assert_memory_equal(r + 6, f, 6);
	assert_memory_equal(r + 26, "\x0a\0\2\3\x0a\0\2\x0f", 8);
	assert_memory_equal(r + 34, "\0\x35\x9c\x40", 4);
	assert_int_equal(net_fold(net_sum(r + 14, 20, 0)), 0);
	assert_int_equal(net_fold(net_sum(r + 26, 8, net_sum(r + 34, got - 34, 17 + (uint32_t)(got - 34)))), 0);
	f[33] = 2; /* to the gateway */
	assert_int_equal(net_names_take(n, f, len, r), 0);
	f[33] = 3;
	f[20] = 0x20; /* a fragment */
	assert_int_equal(net_names_take(n, f, len, r), 0);
	f[20] = 0;
	f[37] = 54;
	assert_int_equal(net_names_take(n, f, len, r), 0);
	f[37] = 53;
	for (got = 0; got < len; got++)
		assert_int_equal(net_names_take(n, f, got, r), 0);
	frame4(f, "www.example.org");
	assert_int_equal(net_names_take(n, f, len, r), 0);
	net_names_free(n);
}

static void test_frame6(void **state)
{
	struct net_names *n = names();
	uint8_t f[512] = { 0 }, r[NET_NAMES_ANSWER];
	size_t q = ask(f + 62, "host.docker.internal", AAAA, false), len = 62 + q, got;

	(void)state;
	memcpy(f + 12, "\x86\xdd\x60", 3);
	put16(f + 18, (unsigned)(8 + q));
	f[20] = 17;
	inet_pton(AF_INET6, SK_SLIRP_ADDRESS6, f + 22);
	inet_pton(AF_INET6, SK_SLIRP_DNS6, f + 38);
	put16(f + 54, 40000);
	put16(f + 56, 53);
	put16(f + 58, (unsigned)(8 + q));
	got = net_names_take(n, f, len, r);
	assert_int_equal(got, len);
	assert_memory_equal(r + 22, f + 38, 16);
	assert_memory_equal(r + 38, f + 22, 16);
	assert_int_equal(net_fold(net_sum(r + 22, 32, net_sum(r + 54, got - 54, 17 + (uint32_t)(got - 54)))), 0);
	net_names_free(n);
}

static void test_bad_names(void **state)
{
	static char long_name[300];
	const char *many[NET_NAMES_MAX + 1];
	unsigned i;

	(void)state;
	memset(long_name, 'a', 254);
	for (i = 0; i <= NET_NAMES_MAX; i++)
		many[i] = "a";
	assert_null(net_names_new(many, NET_NAMES_MAX + 1));
	many[0] = long_name;
	assert_null(net_names_new(many, 1));
	many[0] = "";
	assert_null(net_names_new(many, 1));
	net_names_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address), cmocka_unit_test(test_no_data), cmocka_unit_test(test_others),
		cmocka_unit_test(test_frame),	cmocka_unit_test(test_frame6),	cmocka_unit_test(test_bad_names),
	};

	return cmocka_run_group_tests_name("virtio-net-names", tests, NULL, NULL);
}
