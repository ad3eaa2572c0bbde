/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine is told of its host: networks to avoid, the time zone. */
#include "../sk_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/jx.h"
#include "model/machine.h"
#include "model/machine_pools.h"

static bool has(const json_t *pools, const char *base)
{
	json_t *o;
	size_t i;

	json_array_foreach(pools, i, o) if (strcmp(sk_jx_get_str(o, "base", ""), base) == 0) return true;
	return false;
}

static void test_pools(void **state)
{
	const struct sk_ipv4_network elsewhere[] = { { 0x0a000205, 0xffffff00 }, { 0xc0000202, 0xffffff00 } };
	/* docker0, a network of compose, the LAN */
	const struct sk_ipv4_network host[] = { { 0xac110001, 0xffff0000 },
						{ 0xac120001, 0xffff0000 },
						{ 0xc0a80117, 0xffffff00 } };
	const struct sk_ipv4_network wide[] = { { 0xac100001, 0xfff00000 } }; /* 172.16/12 */
	const struct sk_ipv4_network all[] = { { 0x01020304, 0 } };
	json_t *pools;

	(void)state;
	assert_null(sk_machine_pools(NULL, 0));
	assert_null(sk_machine_pools(elsewhere, 2));
	assert_null(sk_machine_pools(all, 1));
	pools = sk_machine_pools(host, 3);
	assert_int_equal(json_array_size(pools), 15 - 2 + 16 - 1);
	assert_false(has(pools, "172.17.0.0/16") || has(pools, "172.18.0.0/16") || has(pools, "192.168.0.0/20"));
	assert_true(has(pools, "172.19.0.0/16") && has(pools, "172.31.0.0/16") && has(pools, "192.168.240.0/20"));
	assert_int_equal(sk_jx_get_int(json_array_get(pools, 0), "size", 0), 16);
	assert_int_equal(sk_jx_get_int(json_array_get(pools, 20), "size", 0), 20);
	json_decref(pools);
	pools = sk_machine_pools(wide, 1);
	assert_int_equal(json_array_size(pools), 16);
	json_decref(pools);
}

static void write_zone(const char *path, const char *rule)
{
	FILE *f = fopen(path, "we");
	unsigned i;

	assert_non_null(f);
	fputs("TZif2", f);
	for (i = 0; i < 60; i++)
		fputc(0, f);
	fprintf(f, "\n%s\n", rule);
	fclose(f);
}

static void test_time_zone(void **state)
{
	static const struct {
		const char *tz, *wanted;
	} rows[] = {
		{ NULL, "EST5EDT,M3.2.0,M11.1.0" }, /* what the host has */
		{ "", "UTC0" },
		{ "Berlin", "CET-1CEST,M3.5.0,M10.5.0/3" },
		{ ":Berlin", "CET-1CEST,M3.5.0,M10.5.0/3" },
		{ "CET-1CEST", "CET-1CEST" }, /* no zone's name */
		{ ":Nowhere", NULL },
		{ "/no/such/file", NULL },
		{ "text", "text" }, /* a file, but no zone */
	};
	char dir[] = "/tmp/skerry-test-XXXXXX", local[64], path[64];
	size_t i;
	char *zone;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(local, sizeof(local), "%s/localtime", dir);
	write_zone(local, "EST5EDT,M3.2.0,M11.1.0");
	snprintf(path, sizeof(path), "%s/text", dir);
	fclose(fopen(path, "we"));
	snprintf(path, sizeof(path), "%s/Berlin", dir);
	write_zone(path, "CET-1CEST,M3.5.0,M10.5.0/3");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		zone = sk_machine_time_zone(rows[i].tz, dir, local);
		if (rows[i].wanted)
			assert_string_equal(zone, rows[i].wanted);
		else
			assert_null(zone);
		free(zone);
	}
	zone = sk_machine_time_zone(path, dir, local); /* by its path */
	assert_string_equal(zone, "CET-1CEST,M3.5.0,M10.5.0/3");
	free(zone);
	unlink(path);
	unlink(local);
	snprintf(path, sizeof(path), "%s/text", dir);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pools), cmocka_unit_test(test_time_zone) };

	return cmocka_run_group_tests_name("model-machine", tests, NULL, NULL);
}
