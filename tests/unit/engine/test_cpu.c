/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "engine/engine_internal.h"

/* VMs spread evenly, and a place that was given up is taken again. */
static void test_even(void **state)
{
	char dir[] = "/tmp/sk-test-cpu-XXXXXX";
	int fds[64], count[CPU_SETSIZE] = { 0 }, n, i, cpu, most = 0, least = 64;
	cpu_set_t set;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	n = CPU_COUNT(&set) > 8 ? 8 : CPU_COUNT(&set);
	for (i = 0; i < 4 * n; i++) {
		cpu = sk_cpu_claim(dir, &fds[i]);
		assert_true(cpu >= 0 && CPU_ISSET(cpu, &set));
		count[cpu]++;
	}
	if (CPU_COUNT(&set) <= 8) {
		for (i = 0; i < CPU_SETSIZE; i++) {
			if (!CPU_ISSET(i, &set))
				continue;
			most = count[i] > most ? count[i] : most;
			least = count[i] < least ? count[i] : least;
		}
		assert_int_equal(most, least);
		close(fds[0]);
		close(fds[1]);
		count[0] = sk_cpu_claim(dir, &fds[0]);
		count[1] = sk_cpu_claim(dir, &fds[1]);
		assert_true(count[0] >= 0 && count[1] >= 0);
	}
	for (i = 0; i < 4 * n; i++)
		close(fds[i]);
	assert_int_equal(sk_fs_remove_tree(AT_FDCWD, dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_even) };

	return cmocka_run_group_tests_name("engine-cpu", tests, NULL, NULL);
}
