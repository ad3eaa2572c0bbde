/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include "memory.h"

#define MIB (UINT64_C(1) << 20)

static void test_info(void **state)
{
	const char *text = "MemTotal:        1000 kB\nMemFree:          7 kB\nSwapCached:  3 kB\nCached:  5 kB\n";

	(void)state;
	assert_int_equal(sk_memory_info(text, "MemTotal"), 1000 * 1024);
	assert_int_equal(sk_memory_info(text, "Cached"), 5 * 1024);
	assert_int_equal(sk_memory_info(text, "Mem"), 0);
	assert_int_equal(sk_memory_info("", "Cached"), 0);
	assert_int_equal(sk_memory_info("Cached", "Cached"), 0);
}

/* A guest of which only the processor time and the cache are known; a tick is a second. */
static uint64_t tick(struct sk_memory_rule *r, uint64_t *cpu, uint64_t work, uint64_t cache)
{
	return sk_memory_tick(r, *cpu += work, cache);
}

static void test_forgets_when_idle(void **state)
{
	struct sk_memory_rule r = { .ticks = 5, .tick_us = 1000000 };
	uint64_t cpu = 0, cache = 1024 * MIB, bytes;
	unsigned i, steps;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(tick(&r, &cpu, 21000, cache), 0); /* some work, always */
	for (i = 0; i < 5; i++)
		assert_int_equal(tick(&r, &cpu, 19000, cache), 0);
	for (steps = 0; (bytes = tick(&r, &cpu, 0, cache)) > 0; steps++) {
		assert_true(bytes <= 256 * MIB && bytes < cache);
		cache -= bytes;
		assert_true(steps < 100);
	}
	assert_int_equal(cache, 16 * MIB);
	/* work, and all begins anew */
	cache = 100 * MIB;
	assert_int_equal(tick(&r, &cpu, 500000, cache), 0);
	for (i = 0; i < 5; i++)
		assert_int_equal(tick(&r, &cpu, 0, cache), 0);
	assert_int_equal(tick(&r, &cpu, 0, cache), 25 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_info), cmocka_unit_test(test_forgets_when_idle) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
