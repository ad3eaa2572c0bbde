/* SPDX-License-Identifier: Apache-2.0 */
/* Placement of VMs on processors. */
#include "../sk_test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
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

/* A process that waits to be killed, on these processors. */
static pid_t waiter(const cpu_set_t *set)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		for (;;)
			pause();
	}
	assert_int_equal(sched_setaffinity(pid, sizeof(*set), set), 0);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_keep_off(void **state)
{
	struct sk_engine_process engine = { .pidfd = -1, .claim_fd = -1 };
	cpu_set_t all, one, now;
	int cpu = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);

	/* Beside a guest that has a processor of its own, if there is another one. */
	engine.pid = waiter(&one);
	pid = waiter(&all);
	sk_engine_keep_off(&engine, pid);
	assert_int_equal(sched_getaffinity(pid, sizeof(now), &now), 0);
	if (CPU_COUNT(&all) > 1) {
		assert_false(CPU_ISSET(cpu, &now));
		assert_int_equal(CPU_COUNT(&now), CPU_COUNT(&all) - 1);
	} else {
		assert_true(CPU_EQUAL(&now, &all));
	}
	/* A process that may run nowhere else stays. */
	assert_int_equal(sched_setaffinity(pid, sizeof(one), &one), 0);
	sk_engine_keep_off(&engine, pid);
	assert_int_equal(sched_getaffinity(pid, sizeof(now), &now), 0);
	assert_true(CPU_EQUAL(&now, &one));
	end(engine.pid);

	/* Beside one that runs anywhere. */
	engine.pid = waiter(&all);
	assert_int_equal(sched_setaffinity(pid, sizeof(all), &all), 0);
	if (CPU_COUNT(&all) > 1) {
		sk_engine_keep_off(&engine, pid);
		assert_int_equal(sched_getaffinity(pid, sizeof(now), &now), 0);
		assert_true(CPU_EQUAL(&now, &all));
	}
	end(engine.pid);
	end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_even), cmocka_unit_test(test_keep_off) };

	return cmocka_run_group_tests_name("engine-cpu", tests, NULL, NULL);
}
