/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a container under a simulated clock: each event in each phase, for both policies, and restarts with their
 * backoff over days.
 */
#include "../sk_test.h"

#include <errno.h>
#include <string.h>

#include "vm/life.h"

#define SECOND UINT64_C(1000)
#define DAY (86400 * SECOND)

static const enum sk_phase phases[] = { SK_PHASE_BOOTING, SK_PHASE_READY, SK_PHASE_RUNNING, SK_PHASE_STOPPING,
					SK_PHASE_DOWN };
static const struct sk_life_view nobody = { .output_is_out = true };

/* A life that has come as far as `phase`, by the calls that lead there. */
static struct sk_life life_in(const struct sk_life_policy *policy, enum sk_phase phase)
{
	struct sk_life l = { .policy = policy };

	sk_life_boot(&l);
	sk_life_want_start(&l);
	if (phase >= SK_PHASE_READY)
		sk_life_ready(&l);
	if (phase >= SK_PHASE_RUNNING)
		assert_true(sk_life_started(&l, SECOND));
	if (phase >= SK_PHASE_STOPPING)
		sk_life_stopping(&l, 3, false);
	if (phase == SK_PHASE_DOWN) {
		sk_life_lost(&l, "");
		sk_life_down(&l);
	}
	assert_int_equal(l.phase, phase);
	return l;
}

/* TAKE_DOWN is due: does it. True: there is a next life. */
static bool take_down(struct sk_life *l, uint64_t now)
{
	bool ran;

	assert_int_equal(sk_life_next(l), SK_LIFE_TAKE_DOWN);
	ran = sk_life_down(l);
	assert_int_equal(l->phase, SK_PHASE_DOWN);
	assert_int_equal(sk_life_next(l), SK_LIFE_NOTHING);
	return sk_life_after(l, ran, now);
}

static void test_whole_life(void **state)
{
	struct sk_life l = { .policy = &sk_life_standalone };

	(void)state;
	sk_life_boot(&l);
	assert_false(sk_life_may_start(&l)); /* the guest is not set up */
	assert_true(sk_life_want_start(&l));
	assert_false(sk_life_want_start(&l));
	assert_int_equal(sk_life_next(&l), SK_LIFE_NOTHING);
	sk_life_ready(&l);
	assert_true(sk_life_may_start(&l));
	l.starting = true; /* create is on its way */
	assert_false(sk_life_may_start(&l) || sk_life_may_mount(&l));
	l.starting = false;
	assert_true(sk_life_started(&l, 5 * SECOND));
	assert_false(sk_life_started(&l, 6 * SECOND)); /* a second start of a running one */
	assert_true(l.ran && l.started_ms == 5 * SECOND);
	sk_life_process_done(&l);
	assert_int_equal(sk_life_next(&l), SK_LIFE_STOP_GUEST);
	sk_life_stopping(&l, 42, true);
	assert_int_equal(sk_life_next(&l), SK_LIFE_NOTHING);
	assert_true(sk_life_lost(&l, "the guest has said that it has halted"));
	assert_false(take_down(&l, 9 * SECOND));
	assert_int_equal(l.exit_code, 42);
	assert_true(l.oom && !l.failure[0]); /* why a VM that stops goes is no failure */
}

/* Engine or agent gone: `exit_code` of each phase, and whether it is a failure. */
static void test_lost_in_each_phase(void **state)
{
	static const struct sk_life_policy *const policies[] = { &sk_life_standalone, &sk_life_managed };
	static const struct {
		int exit_code;
		bool failure;
	} wanted[] = {
		[SK_PHASE_BOOTING] = { 125, true },
		[SK_PHASE_READY] = { 125, true },
		[SK_PHASE_RUNNING] = { 137, true },
		[SK_PHASE_STOPPING] = { 3, false },
	};
	size_t i, k;

	(void)state;
	for (k = 0; k < 2; k++) {
		for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
			struct sk_life l = life_in(policies[k], phases[i]);

			if (phases[i] == SK_PHASE_DOWN) {
				assert_false(sk_life_lost(&l, "the engine ended"));
				continue;
			}
			assert_true(sk_life_lost(&l, "the engine ended"));
			assert_false(sk_life_lost(&l, "and the agent with it")); /* the first reason counts */
			assert_false(take_down(&l, 2 * SECOND));
			assert_int_equal(l.exit_code, wanted[i].exit_code);
			if (wanted[i].failure)
				assert_string_equal(l.failure, "the engine ended");
			else
				assert_string_equal(l.failure, "");
			assert_int_equal(l.failure_errno, wanted[i].failure ? EIO : 0);
		}
	}
}

/* The owner went, or SIGKILL: no failure, and no next life whatever the policy. */
static void test_kill_in_each_phase(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		struct sk_life l = life_in(&sk_life_standalone, phases[i]), m = life_in(&sk_life_managed, phases[i]);

		l.restart = SK_RESTART_ALWAYS;
		l.restart_due = phases[i] == SK_PHASE_DOWN;
		sk_life_kill(&l);
		if (phases[i] == SK_PHASE_DOWN) {
			assert_int_equal(sk_life_next(&l), SK_LIFE_CANCEL_RESTART);
			continue;
		}
		assert_false(take_down(&l, 2 * SECOND));
		assert_string_equal(l.failure, "");
		assert_int_equal(l.exit_code, phases[i] == SK_PHASE_RUNNING    ? 137
					      : phases[i] == SK_PHASE_STOPPING ? 3
									       : 0);
		/* containerd wants a code of a container that was created and killed, too */
		sk_life_kill(&m);
		assert_false(take_down(&m, 2 * SECOND));
		assert_int_equal(m.exit_code, phases[i] == SK_PHASE_STOPPING ? 3 : 137);
	}
}

static void test_stop_in_each_phase(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		struct sk_life l = life_in(&sk_life_standalone, phases[i]);
		bool waiting = phases[i] == SK_PHASE_BOOTING || phases[i] == SK_PHASE_READY;

		l.restart = SK_RESTART_ALWAYS;
		assert_int_equal(sk_life_stop(&l), phases[i] == SK_PHASE_RUNNING);
		assert_int_equal(sk_life_next(&l), waiting ? SK_LIFE_TAKE_DOWN : SK_LIFE_NOTHING);
		if (waiting) {
			assert_false(take_down(&l, 2 * SECOND));
			assert_string_equal(l.failure, "");
		}
		assert_false(sk_life_will_restart(&l));
	}
}

/* The first process ends: of a managed container also one that was created and never started. */
static void test_process_done_in_each_phase(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		struct sk_life l = life_in(&sk_life_standalone, phases[i]), m = life_in(&sk_life_managed, phases[i]);
		bool running = phases[i] == SK_PHASE_RUNNING;

		sk_life_process_done(&l);
		sk_life_process_done(&m);
		assert_int_equal(sk_life_next(&l), running ? SK_LIFE_STOP_GUEST : SK_LIFE_NOTHING);
		assert_int_equal(sk_life_next(&m),
				 running || phases[i] == SK_PHASE_READY ? SK_LIFE_STOP_GUEST : SK_LIFE_NOTHING);
	}
}

static void test_start_fails(void **state)
{
	struct sk_life l = life_in(&sk_life_standalone, SK_PHASE_READY);

	(void)state;
	l.restart = SK_RESTART_ALWAYS;
	sk_life_failed(&l, ENOENT, 127, "no such program");
	sk_life_lost(&l, "");
	assert_false(take_down(&l, 2 * SECOND)); /* what never ran is not restarted */
	assert_int_equal(l.exit_code, 127);
	assert_int_equal(l.failure_errno, ENOENT);
	assert_string_equal(l.failure, "no such program");
	sk_life_failed(&l, EIO, 0, "x");
	assert_int_equal(l.exit_code, 125);
}

/* Booted for a copy, or given up by its client. */
static void test_nobody_is_left(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		struct sk_life l = life_in(&sk_life_standalone, phases[i]), m = life_in(&sk_life_managed, phases[i]);
		bool waiting = phases[i] == SK_PHASE_BOOTING || phases[i] == SK_PHASE_READY;
		struct sk_life_view view = nobody;

		assert_int_equal(sk_life_idle(&l, &view), SK_LIFE_NOTHING); /* it is to be started */
		l.start_wanted = false;
		assert_int_equal(sk_life_idle(&l, &view), waiting ? SK_LIFE_SHUT_DOWN : SK_LIFE_NOTHING);
		view.connected = true;
		assert_int_equal(sk_life_idle(&l, &view), SK_LIFE_NOTHING);
		view.connected = false;
		assert_int_equal(sk_life_idle(&m, &view), SK_LIFE_NOTHING);
		view.creator_gone = true;
		assert_int_equal(sk_life_idle(&m, &view), waiting ? SK_LIFE_KILL : SK_LIFE_NOTHING);
		sk_life_kill(&m);
		assert_int_equal(sk_life_idle(&m, &view), SK_LIFE_NOTHING); /* once */
	}
}

static void test_the_monitor_ends(void **state)
{
	struct sk_life l = life_in(&sk_life_standalone, SK_PHASE_DOWN);
	struct sk_life_view view = { .connected = true };

	(void)state;
	l.final = true;
	assert_int_equal(sk_life_idle(&l, &view), SK_LIFE_NOTHING);
	view.connected = false; /* but a reader of its last words is slow */
	assert_int_equal(sk_life_idle(&l, &view), SK_LIFE_NOTHING);
	view.output_is_out = true;
	assert_int_equal(sk_life_idle(&l, &view), SK_LIFE_QUIT);
}

static void test_unwanted(void **state)
{
	struct sk_life l = life_in(&sk_life_standalone, SK_PHASE_READY);

	(void)state;
	sk_life_unwanted(&l);
	assert_int_equal(l.phase, SK_PHASE_STOPPING);
	sk_life_lost(&l, "it has not shut down in time");
	assert_false(take_down(&l, SECOND));
	assert_true(!l.failure[0] && !l.ran && l.exit_code == 0);
}

/* ---- restarts. Each life is one monitor's; only restarts and backoff are handed on. */

static struct sk_life next_life(const struct sk_life *last)
{
	return (struct sk_life){ .policy = last->policy,
				 .restart = last->restart,
				 .restart_max = last->restart_max,
				 .restarts = last->restarts,
				 .backoff_ms = last->backoff_ms,
				 .start_wanted = true };
}

/* Boots at *now, runs for `lasts` and ends with `code`. True: there is a next life, at *now. */
static bool one_life(struct sk_life *l, uint64_t *now, uint64_t lasts, int code)
{
	sk_life_boot(l);
	sk_life_ready(l);
	sk_life_started(l, *now);
	*now += lasts;
	sk_life_process_done(l);
	assert_int_equal(sk_life_next(l), SK_LIFE_STOP_GUEST);
	sk_life_stopping(l, code, false);
	sk_life_lost(l, "");
	if (!take_down(l, *now))
		return false;
	assert_true(l->restart_due);
	*now += l->backoff_ms;
	sk_life_restart_now(l);
	assert_int_equal(sk_life_idle(l, &nobody), SK_LIFE_HAND_OVER);
	*l = next_life(l);
	return true;
}

static void test_backoff_over_days(void **state)
{
	struct sk_life l = { .policy = &sk_life_standalone, .restart = SK_RESTART_ALWAYS };
	uint64_t now = 7 * DAY, end = now + 3 * DAY, wanted = SK_BACKOFF_MIN_MS;
	unsigned lives = 0;

	(void)state;
	while (now < end) { /* a container that falls over at once, for three days */
		assert_true(one_life(&l, &now, 50, 1));
		assert_int_equal(l.backoff_ms, wanted);
		wanted = wanted * 2 > SK_BACKOFF_MAX_MS ? SK_BACKOFF_MAX_MS : wanted * 2;
		lives++;
	}
	assert_int_equal(l.restarts, lives);
	assert_in_range(lives, 3 * 1440, 3 * 1440 + 20); /* once a minute, after the first ten */
	/* One that ran for a while is started again at once. */
	assert_true(one_life(&l, &now, SK_BACKOFF_RESET_MS, 1));
	assert_int_equal(l.backoff_ms, SK_BACKOFF_MIN_MS);
	assert_true(one_life(&l, &now, SK_BACKOFF_RESET_MS - 1, 1));
	assert_int_equal(l.backoff_ms, 2 * SK_BACKOFF_MIN_MS);
	/* Two days without a fault. */
	assert_true(one_life(&l, &now, 2 * DAY, 0));
	assert_int_equal(l.backoff_ms, SK_BACKOFF_MIN_MS);
}

static void test_policies(void **state)
{
	static const struct {
		enum sk_restart_policy policy;
		int code;
		bool again;
	} cases[] = {
		{ SK_RESTART_NO, 0, false },
		{ SK_RESTART_NO, 1, false },
		{ SK_RESTART_ON_FAILURE, 0, false },
		{ SK_RESTART_ON_FAILURE, 1, true },
		{ SK_RESTART_ALWAYS, 0, true },
		{ SK_RESTART_ALWAYS, 1, true },
		{ SK_RESTART_UNLESS_STOPPED, 0, true },
	};
	uint64_t now = DAY;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sk_life l = { .policy = &sk_life_standalone, .restart = cases[i].policy };

		assert_int_equal(one_life(&l, &now, SECOND, cases[i].code), cases[i].again);
	}
}

static void test_at_most_three(void **state)
{
	struct sk_life l = { .policy = &sk_life_standalone, .restart = SK_RESTART_ON_FAILURE, .restart_max = 3 };
	uint64_t now = DAY;
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_true(one_life(&l, &now, SECOND, 1));
	assert_false(one_life(&l, &now, SECOND, 1));
	assert_int_equal(l.restarts, 3);
}

/* A VM that falls over is restarted like a program that does; the failure is not the next life's. */
static void test_engine_dies_with_policy(void **state)
{
	struct sk_life l = life_in(&sk_life_standalone, SK_PHASE_RUNNING);

	(void)state;
	l.restart = SK_RESTART_ON_FAILURE;
	sk_life_lost(&l, "the engine ended");
	assert_true(take_down(&l, DAY));
	assert_string_equal(l.failure, "");
	assert_int_equal(l.exit_code, 137);
	/* Stopped while it waits for its next life. */
	assert_int_equal(sk_life_next(&l), SK_LIFE_NOTHING);
	assert_false(sk_life_stop(&l));
	assert_int_equal(sk_life_next(&l), SK_LIFE_CANCEL_RESTART);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_life),
		cmocka_unit_test(test_lost_in_each_phase),
		cmocka_unit_test(test_kill_in_each_phase),
		cmocka_unit_test(test_stop_in_each_phase),
		cmocka_unit_test(test_process_done_in_each_phase),
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_nobody_is_left),
		cmocka_unit_test(test_the_monitor_ends),
		cmocka_unit_test(test_unwanted),
		cmocka_unit_test(test_backoff_over_days),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_at_most_three),
		cmocka_unit_test(test_engine_dies_with_policy),
	};

	return cmocka_run_group_tests_name("vm-life", tests, NULL, NULL);
}
