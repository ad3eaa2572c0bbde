/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, durations, times and signals as docker reads and prints them. */
#include "../sk_test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/signals.h"
#include "model/units.h"

#define S 1000000000ll

static void test_bytes(void **state)
{
	static const struct {
		const char *text;
		int64_t value; /* -1: refused */
	} cases[] = {
		{ "32", 32 },	       { "32b", 32 },
		{ "32B", 32 },	       { "32k", 32 << 10 },
		{ "32KB", 32 << 10 },  { "32KiB", 32 << 10 },
		{ "1.5g", 3ll << 29 }, { "512m", 512 << 20 },
		{ "1 g", 1 << 30 },    { "0", 0 },
		{ "1t", 1ll << 40 },   { "", -1 },
		{ "m", -1 },	       { "1x", -1 },
		{ "-1", -1 },	       { "1ki", -1 },
		{ "1kbb", -1 },	       { "1e3", -1 },
		{ ".", -1 },	       { "99999p", -1 },
		{ "0x10", -1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t n = -2;
		int r = sk_parse_bytes(cases[i].text, &n);

		if (cases[i].value < 0)
			assert_true(r < 0);
		else
			assert_true(r == 0 && n == cases[i].value);
	}
}

static void test_cpus(void **state)
{
	int64_t n;

	(void)state;
	assert_true(sk_parse_cpus("1.5", &n) == 0 && n == 1500000000);
	assert_true(sk_parse_cpus("2", &n) == 0 && n == 2000000000);
	assert_true(sk_parse_cpus("0.01", &n) == 0 && n == 10000000);
	assert_true(sk_parse_cpus("-1", &n) < 0);
	assert_true(sk_parse_cpus("1,5", &n) < 0);
	assert_true(sk_parse_cpus("", &n) < 0);
}

static void test_duration(void **state)
{
	int64_t n;

	(void)state;
	assert_true(sk_parse_duration("1h30m", &n) == 0 && n == 5400 * S);
	assert_true(sk_parse_duration("1.5s", &n) == 0 && n == 3 * S / 2);
	assert_true(sk_parse_duration("-2ms", &n) == 0 && n == -2000000);
	assert_true(sk_parse_duration("0", &n) == 0 && n == 0);
	assert_true(sk_parse_duration("10", &n) < 0);
	assert_true(sk_parse_duration("s", &n) < 0);
	assert_true(sk_parse_duration("1hh", &n) < 0);
	assert_true(sk_parse_duration("", &n) < 0);
}

static void test_time(void **state)
{
	int64_t n, now = 1700000000 * S;
	char buf[64];

	(void)state;
	setenv("TZ", "UTC-2", 1); /* two hours east */
	tzset();
	assert_true(sk_parse_time("1700000000", now, &n) == 0 && n == now);
	assert_true(sk_parse_time("1700000000.25", now, &n) == 0 && n == now + S / 4);
	assert_true(sk_parse_time("10m", now, &n) == 0 && n == now - 600 * S);
	assert_true(sk_parse_time("2023-11-14T22:13:20Z", now, &n) == 0 && n == now);
	assert_true(sk_parse_time("2023-11-14T22:13:20.000000001Z", now, &n) == 0 && n == now + 1);
	assert_true(sk_parse_time("2023-11-14T23:13:20+01:00", now, &n) == 0 && n == now);
	assert_true(sk_parse_time("2023-11-15T00:13:20", now, &n) == 0 && n == now); /* local */
	assert_true(sk_parse_time("2023-11-15", now, &n) == 0 && n == 1699999200 * S);
	assert_true(sk_parse_time("2023-11-15T10:30", now, &n) == 0);
	assert_true(sk_parse_time("2999-01-01", now, &n) == 0 && n == INT64_MAX);
	assert_true(sk_parse_time("9999-12-31T23:59:59Z", now, &n) == 0 && n == INT64_MAX);
	assert_true(sk_parse_time("2262-04-11T23:47:15.5Z", now, &n) == 0 && n == INT64_MAX / S * S - S / 2);
	assert_true(sk_parse_time("yesterday", now, &n) < 0);
	assert_true(sk_parse_time("2023-13-01", now, &n) < 0);
	assert_true(sk_parse_rfc3339("", &n) < 0);
	assert_true(sk_parse_rfc3339("0001-01-01T00:00:00Z", &n) < 0);
	assert_string_equal(sk_format_rfc3339(now + 5, buf), "2023-11-14T22:13:20.000000005Z");
	assert_memory_equal(sk_format_created(now, buf), "2023-11-15 00:13:20 +0200", 25);
}

static void test_human(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} ages[] = {
		{ 0, "Less than a second" }, { 1, "1 second" },		{ 59, "59 seconds" },
		{ 60, "About a minute" },    { 120, "2 minutes" },	{ 3599, "59 minutes" },
		{ 3600, "About an hour" },   { 5400, "2 hours" },	{ 47 * 3600, "47 hours" },
		{ 48 * 3600, "2 days" },     { 14 * 86400, "2 weeks" }, { 60 * 86400, "2 months" },
		{ 730 * 86400, "2 years" },
	};
	char buf[40];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
		assert_string_equal(sk_format_duration(ages[i].seconds * S, buf), ages[i].text);
	assert_string_equal(sk_format_size(77812345, 3, buf), "77.8MB");
	assert_string_equal(sk_format_size(0, 3, buf), "0B");
	assert_string_equal(sk_format_size(999.9, 3, buf), "1000B");
	assert_string_equal(sk_format_size(1e9, 4, buf), "1GB");
	assert_string_equal(sk_format_memory(1536 * 1024, buf), "1.5MiB");
	assert_string_equal(sk_format_memory(23.54 * 1073741824, buf), "23.54GiB");
}

static void test_signals(void **state)
{
	(void)state;
	assert_int_equal(sk_signal_parse("KILL"), 9);
	assert_int_equal(sk_signal_parse("sigterm"), 15);
	assert_int_equal(sk_signal_parse("28"), 28);
	assert_int_equal(sk_signal_parse("SIGWINCH"), 28);
	assert_int_equal(sk_signal_parse("RTMIN+3"), 37);
	assert_int_equal(sk_signal_parse("SIGRTMAX-1"), 63);
	assert_int_equal(sk_signal_parse("SIGRTMAX"), 64);
	assert_true(sk_signal_parse("0") < 0);
	assert_true(sk_signal_parse("65") < 0);
	assert_true(sk_signal_parse("RTMIN+99") < 0);
	assert_true(sk_signal_parse("FOO") < 0);
	assert_true(sk_signal_parse("") < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes), cmocka_unit_test(test_cpus),  cmocka_unit_test(test_duration),
		cmocka_unit_test(test_time),  cmocka_unit_test(test_human), cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
