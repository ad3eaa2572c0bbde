/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a container under a simulated clock: each event in each phase, for all policies, and restarts with their
 * backoff over days.
 */
#include "../sk_test.h"

#include <errno.h>
#include <string.h>

#include "vm/life.h"

#define SECOND UINT64_C(1000)
#define DAY (86400 * SECOND)

static const enum sk_phase phases[] = { SK_PHASE_BOOTING, SK_PHASE_READY,    SK_PHASE_CREATED,
					SK_PHASE_RUNNING, SK_PHASE_STOPPING, SK_PHASE_DOWN };
static const struct sk_life_policy *const policies[] = { &sk_life_standalone, &sk_life_managed, &sk_life_member };
#define N_PHASES (sizeof(phases) / sizeof(phases[0]))
#define N_POLICIES (sizeof(policies) / sizeof(policies[0]))
static const struct sk_life_view nobody = { .output_is_out = true };

/* A life that has come as far as `phase`, by the calls that lead there. */
static struct sk_life life_in(const struct sk_life_policy *policy, enum sk_phase phase)
{
	struct sk_life l = { .policy = policy };

	sk_life_boot(&l);
	sk_life_want_start(&l);
	if (phase >= SK_PHASE_READY)
		sk_life_ready(&l);
	if (phase >= SK_PHASE_CREATED)
		assert_int_equal(sk_life_created(&l), policy->create_apart);
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

/* Only where creating and starting are apart. */
static bool has_phase(const struct sk_life_policy *policy, enum sk_phase phase)
{
	return phase != SK_PHASE_CREATED || policy->create_apart;
}

/* The phase of a standalone container that comes nearest. */
static enum sk_phase standing(enum sk_phase phase)
{
	return phase == SK_PHASE_CREATED ? SK_PHASE_READY : phase;
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

/* What may happen on the way to a suspension, and whether the VM is one then. */
static void test_suspend(void **state)
{
	enum { IN_ORDER, FAILED, STOPPED, KILLED, LOST, WAYS };
	struct sk_life_refusal no;
	struct sk_life l;
	unsigned way;

	(void)state;
	for (way = 0; way < N_PHASES; way++) {
		l = life_in(&sk_life_standalone, standing(phases[way]));
		assert_int_equal(sk_life_suspend(&l), phases[way] == SK_PHASE_RUNNING);
	}
	l = life_in(&sk_life_standalone, SK_PHASE_RUNNING);
	sk_life_stop(&l);
	assert_false(sk_life_suspend(&l));
	for (way = 0; way < WAYS; way++) {
		l = life_in(&sk_life_standalone, SK_PHASE_RUNNING);
		assert_true(sk_life_suspend(&l));
		assert_false(sk_life_suspend(&l)); /* twice */
		if (way == STOPPED)
			sk_life_stop(&l);
		if (way == KILLED)
			sk_life_kill(&l);
		else if (way == LOST)
			sk_life_lost(&l, "the engine has ended");
		else
			sk_life_stopping(&l, way == FAILED, false);
		sk_life_lost(&l, "");
		assert_int_equal(take_down(&l, 100 * SECOND), way == IN_ORDER);
		assert_int_equal(l.suspended, way == IN_ORDER);
	}
	l = life_in(&sk_life_standalone, SK_PHASE_RUNNING);
	sk_life_suspend(&l);
	sk_life_stopping(&l, 0, false);
	sk_life_lost(&l, "");
	assert_true(take_down(&l, 100 * SECOND));
	assert_int_equal(l.restarts, 0);
	sk_life_announce(&l);
	assert_int_equal(sk_life_judge(&l, SK_LIFE_START, &no), SK_LIFE_ENDED);
	assert_int_equal(sk_life_judge(&l, SK_LIFE_STOP, &no), SK_LIFE_GO);
	assert_int_equal(sk_life_idle(&l, &nobody), SK_LIFE_NOTHING); /* it waits */
	sk_life_restart_now(&l);
	assert_int_equal(sk_life_idle(&l, &nobody), SK_LIFE_HAND_OVER);
	assert_true(l.suspended);
	sk_life_stop(&l);
	assert_int_equal(sk_life_next(&l), SK_LIFE_CANCEL_RESTART);
	sk_life_cancel_restart(&l);
	assert_false(l.suspended || l.restart_due || l.handing_over);
}

/* Engine or agent gone: `exit_code` of each phase, and whether it is a failure. */
static void test_lost_in_each_phase(void **state)
{
	static const struct {
		int exit_code;
		bool failure;
	} wanted[] = {
		[SK_PHASE_BOOTING] = { 125, true }, [SK_PHASE_READY] = { 125, true },
		[SK_PHASE_CREATED] = { 125, true }, [SK_PHASE_RUNNING] = { 137, true },
		[SK_PHASE_STOPPING] = { 3, false },
	};
	size_t i, k;

	(void)state;
	for (k = 0; k < N_POLICIES; k++) {
		for (i = 0; i < N_PHASES; i++) {
			struct sk_life l;

			if (!has_phase(policies[k], phases[i]))
				continue;
			l = life_in(policies[k], phases[i]);
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
	for (i = 0; i < N_PHASES; i++) {
		struct sk_life l = life_in(&sk_life_standalone, standing(phases[i])),
			       m = life_in(&sk_life_managed, phases[i]);

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
	for (i = 0; i < N_PHASES; i++) {
		struct sk_life l = life_in(&sk_life_standalone, standing(phases[i]));
		bool waiting = phases[i] < SK_PHASE_RUNNING;

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
	for (i = 0; i < N_PHASES; i++) {
		struct sk_life l = life_in(&sk_life_standalone, standing(phases[i])),
			       m = life_in(&sk_life_managed, phases[i]);
		bool running = phases[i] == SK_PHASE_RUNNING;

		sk_life_process_done(&l);
		sk_life_process_done(&m);
		assert_int_equal(sk_life_next(&l), running ? SK_LIFE_STOP_GUEST : SK_LIFE_NOTHING);
		assert_int_equal(sk_life_next(&m),
				 running || phases[i] == SK_PHASE_CREATED ? SK_LIFE_STOP_GUEST : SK_LIFE_NOTHING);
	}
}

static enum sk_life_verdict judge(const struct sk_life *l, enum sk_life_verb verb, int *ret_error)
{
	struct sk_life_refusal no;
	enum sk_life_verdict verdict = sk_life_judge(l, verb, &no);

	/* A refusal always says why. */
	if (verdict <= SK_LIFE_UNKNOWN)
		assert_true(no.error > 0 && no.message && no.message[0]);
	else
		assert_true(no.error == 0 && !no.message);
	*ret_error = no.error;
	return verdict;
}

/* Each verb in each phase that a policy has: all of the table is reached, and agrees with what the events allow. */
static void test_what_is_legal(void **state)
{
	size_t i, k;
	int verb, error;

	(void)state;
	for (k = 0; k < N_POLICIES; k++) {
		for (i = 0; i < N_PHASES; i++) {
			struct sk_life l;

			if (!has_phase(policies[k], phases[i]))
				continue;
			l = life_in(policies[k], phases[i]);
			l.start_wanted = false;
			for (verb = SK_LIFE_ATTACH; verb < SK_LIFE_VERBS; verb++)
				(void)judge(&l, (enum sk_life_verb)verb, &error);
			/* A process can only be added to a container that is there. */
			assert_int_equal(judge(&l, SK_LIFE_EXEC, &error) == SK_LIFE_GO,
					 phases[i] == SK_PHASE_RUNNING || phases[i] == SK_PHASE_CREATED);
			/* What can be started is what has not been, and is not over. */
			switch (judge(&l, SK_LIFE_START, &error)) {
			case SK_LIFE_NOTED:
				assert_true(!policies[k]->create_apart && phases[i] < SK_PHASE_CREATED);
				break;
			case SK_LIFE_GO:
				assert_int_equal(phases[i], SK_PHASE_CREATED);
				break;
			case SK_LIFE_DONE:
				assert_int_equal(phases[i], SK_PHASE_RUNNING);
				break;
			case SK_LIFE_ENDED:
				assert_true(phases[i] >= SK_PHASE_STOPPING);
				assert_int_equal(error, ESRCH);
				break;
			default:
				assert_true(policies[k]->create_apart && error == EINVAL);
			}
			/* Others join a VM of the first policy that has pods, while that runs. */
			assert_int_equal(judge(&l, SK_LIFE_JOIN, &error) == SK_LIFE_GO,
					 policies[k]->pods && phases[i] == SK_PHASE_RUNNING);
		}
	}
}

/* What a second wish is told, and one after a failure. */
static void test_wishes(void **state)
{
	struct sk_life l = life_in(&sk_life_managed, SK_PHASE_READY), s = life_in(&sk_life_standalone, SK_PHASE_READY);
	struct sk_life_refusal no;
	int error;

	(void)state;
	assert_int_equal(judge(&l, SK_LIFE_CREATE, &error), SK_LIFE_REFUSED); /* it has been asked for */
	assert_int_equal(error, EINVAL);
	l.start_wanted = false;
	assert_int_equal(judge(&l, SK_LIFE_CREATE, &error), SK_LIFE_NOTED);
	assert_int_equal(judge(&l, SK_LIFE_SIGNAL, &error), SK_LIFE_ABORT); /* nothing of it runs */
	assert_int_equal(judge(&s, SK_LIFE_CREATE, &error), SK_LIFE_UNKNOWN);
	assert_int_equal(error, ENOSYS);
	sk_life_failed(&s, ENOENT, 127, "no such program");
	assert_int_equal(sk_life_judge(&s, SK_LIFE_START, &no), SK_LIFE_ENDED);
	assert_true(no.error == ENOENT && no.exit_code == 127);
	assert_string_equal(no.message, "no such program");
	s = life_in(&sk_life_standalone, SK_PHASE_BOOTING);
	assert_int_equal(judge(&s, SK_LIFE_COPY, &error), SK_LIFE_LATER);
	/* Between two lives: it is started without anybody's help. */
	s = life_in(&sk_life_standalone, SK_PHASE_DOWN);
	assert_int_equal(judge(&s, SK_LIFE_START, &error), SK_LIFE_ENDED);
	s.restart_due = true;
	assert_int_equal(judge(&s, SK_LIFE_START, &error), SK_LIFE_DONE);
	assert_int_equal(judge(&s, SK_LIFE_STOP, &error), SK_LIFE_GO);
	assert_int_equal(judge(&s, SK_LIFE_EXEC, &error), SK_LIFE_REFUSED);
}

/* Whoever waits is answered in some phase on each way through a life, and by then only. */
static void test_replies(void **state)
{
	struct sk_life_refusal no;
	size_t i, k;

	(void)state;
	for (k = 0; k < N_POLICIES; k++) {
		for (i = 0; i < N_PHASES; i++) {
			struct sk_life l;
			bool down = phases[i] == SK_PHASE_DOWN, running = phases[i] == SK_PHASE_RUNNING;

			if (!has_phase(policies[k], phases[i]))
				continue;
			l = life_in(policies[k], phases[i]);
			assert_int_equal(sk_life_reply(&l, SK_LIFE_START, &no),
					 running ? SK_LIFE_REPLY_OK : SK_LIFE_NO_REPLY);
			assert_int_equal(sk_life_reply(&l, SK_LIFE_CREATE, &no),
					 running || phases[i] == SK_PHASE_CREATED ? SK_LIFE_REPLY_OK
										  : SK_LIFE_NO_REPLY);
			assert_int_equal(sk_life_reply(&l, SK_LIFE_WAIT, &no), SK_LIFE_NO_REPLY);
			sk_life_announce(&l);
			assert_int_equal(sk_life_reply(&l, SK_LIFE_WAIT, &no),
					 down ? SK_LIFE_REPLY_CODE : SK_LIFE_NO_REPLY);
			assert_int_equal(sk_life_reply(&l, SK_LIFE_STOP, &no),
					 down ? SK_LIFE_REPLY_CODE : SK_LIFE_NO_REPLY);
			if (!down)
				continue;
			assert_int_equal(sk_life_reply(&l, SK_LIFE_START, &no), SK_LIFE_REPLY_REFUSAL);
			assert_int_equal(no.error, ESRCH);
			sk_life_failed(&l, EIO, 0, "the engine ended");
			assert_int_equal(sk_life_reply(&l, SK_LIFE_COPY, &no), SK_LIFE_REPLY_REFUSAL);
			assert_true(no.error == ENOTCONN || no.error == EIO);
			assert_int_equal(sk_life_reply(&l, SK_LIFE_START, &no), SK_LIFE_REPLY_REFUSAL);
			assert_string_equal(no.message, "the engine ended");
			assert_int_equal(sk_life_reply(&l, SK_LIFE_NO_VERB, &no), SK_LIFE_NO_REPLY);
		}
	}
}

/* Answers of a guest that come late change nothing. */
static void test_late_answers(void **state)
{
	size_t i, k;

	(void)state;
	for (k = 0; k < N_POLICIES; k++) {
		for (i = 0; i < N_PHASES; i++) {
			struct sk_life l;

			if (!has_phase(policies[k], phases[i]))
				continue;
			l = life_in(policies[k], phases[i]);
			sk_life_ready(&l);
			assert_int_equal(l.phase, phases[i] == SK_PHASE_BOOTING ? SK_PHASE_READY : phases[i]);
			if (phases[i] <= SK_PHASE_CREATED)
				continue;
			assert_false(sk_life_created(&l) || sk_life_started(&l, DAY));
			assert_int_equal(l.phase, phases[i]);
		}
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
	for (i = 0; i < N_PHASES; i++) {
		struct sk_life l = life_in(&sk_life_standalone, standing(phases[i])),
			       m = life_in(&sk_life_managed, phases[i]);
		bool waiting = phases[i] < SK_PHASE_RUNNING;
		struct sk_life_view view = nobody;

		assert_int_equal(sk_life_idle(&l, &view), SK_LIFE_NOTHING); /* it is to be started */
		l.start_wanted = false;
		assert_int_equal(sk_life_idle(&l, &view), waiting ? SK_LIFE_SHUT_DOWN : SK_LIFE_NOTHING);
		view.connected = true;
		assert_int_equal(sk_life_idle(&l, &view), SK_LIFE_NOTHING);
		view.connected = false;
		assert_int_equal(sk_life_idle(&m, &view), SK_LIFE_NOTHING);
		view.creator_gone = true;
		assert_int_equal(sk_life_idle(&m, &view), /* once created it needs nobody */
				 waiting && phases[i] != SK_PHASE_CREATED ? SK_LIFE_KILL : SK_LIFE_NOTHING);
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
	/* Also while the next life's monitor is about to take over. */
	sk_life_restart_now(&l);
	assert_int_equal(sk_life_next(&l), SK_LIFE_CANCEL_RESTART);
	sk_life_cancel_restart(&l);
	assert_int_equal(sk_life_next(&l), SK_LIFE_NOTHING);
	assert_int_equal(sk_life_idle(&l, &nobody), SK_LIFE_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_life),
		cmocka_unit_test(test_lost_in_each_phase),
		cmocka_unit_test(test_kill_in_each_phase),
		cmocka_unit_test(test_stop_in_each_phase),
		cmocka_unit_test(test_process_done_in_each_phase),
		cmocka_unit_test(test_what_is_legal),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_late_answers),
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_nobody_is_left),
		cmocka_unit_test(test_the_monitor_ends),
		cmocka_unit_test(test_unwanted),
		cmocka_unit_test(test_suspend),
		cmocka_unit_test(test_backoff_over_days),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_at_most_three),
		cmocka_unit_test(test_engine_dies_with_policy),
	};

	return cmocka_run_group_tests_name("vm-life", tests, NULL, NULL);
}
