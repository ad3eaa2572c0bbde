/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the life of a container ends, under a simulated clock: how long the output of a killed process is waited for, and
 * until when the monitor holds the container's lock.
 */
#include "fixture.h"

#include <signal.h>
#include <stdlib.h>

#include "world.h"

#define CODE 137

/* A container that runs; returns its standard output, with "partly" written to it. */
static struct sk_stream *begin(void)
{
	struct w_request created;

	w_send(w_owner(), "{\"op\":\"attach\",\"owner\":true}");
	w_expect_ok(w_owner());
	w_send(w_owner(), "{\"op\":\"start\"}");
	created = w_up();
	w_expect_ok(w_owner());
	w_expect_status("running");
	return w_stream(&created.msg.create.stdio.token[1], "partly");
}

static void run(void (*script)(void), const void *arg, json_t *take_more)
{
	struct w_life life = { .script = script, .arg = arg };

	fx_new_container(w_store(), take_more);
	w_run(w_store(), &life);
}

/* ---- output of a process that was killed */

enum kill { BY_STOP, BY_STOP_TIMEOUT, BY_STOP_TIMEOUT_LATE };

/* The process is gone; somebody keeps its output open. Less time is given to it than to one that ended by itself. */
static void killed_script(void)
{
	const enum kill *how = w_arg();
	struct sk_stream *out = begin();
	struct w_client *c = w_connect();
	struct w_request r;

	if (*how == BY_STOP) {
		w_send(c, "{\"op\":\"stop\",\"signal\":9}");
	} else {
		w_send(c, "{\"op\":\"stop\",\"timeout\":3}");
	}
	w_answer(SK_OP_RESUME);
	r = w_answer(SK_OP_SIGNAL);
	assert_int_equal(r.msg.signal.number, *how == BY_STOP ? SIGKILL : SIGTERM);
	if (*how != BY_STOP) {
		w_pass(2999);
		w_expect_nothing();
		if (*how == BY_STOP_TIMEOUT_LATE)
			w_exit("c0", "init", CODE); /* it has obeyed, its children hold the output */
		w_pass(1);
		r = w_answer(SK_OP_SIGNAL);
		assert_true(r.msg.signal.number == SIGKILL && r.msg.signal.all);
	}
	if (*how != BY_STOP_TIMEOUT_LATE)
		w_exit("c0", "init", CODE);
	w_pass(999);
	assert_false(out->closed);
	w_pass(1);
	assert_true(out->closed && w_is_shutting_down());
	w_lost("");
	w_read(w_owner());
	assert_int_equal(w_owner()->out[0], 6);
}

static void test_output_of_the_killed(void **state)
{
	enum kill how;

	(void)state;
	for (how = BY_STOP; how <= BY_STOP_TIMEOUT_LATE; how++)
		run(killed_script, &how, NULL);
}

/* ---- the lock */

/* The world fails where state, run directory or files are changed without the lock (world.c). Here: it is given up at the
 * end, while clients are still connected, and not before. */
static void lock_script(void)
{
	assert_true(w_is_locked());
	begin();
	assert_true(w_is_locked());
	w_exit("c0", "init", CODE);
	w_pass(5000);
	assert_true(w_is_shutting_down() && w_is_locked());
	w_expect_status("running");
	w_lost("");
	w_expect_status("exited");
	assert_false(w_is_locked());
	w_expect_end(w_owner(), CODE); /* it was connected all the time */
}

static void test_lock(void **state)
{
	(void)state;
	run(lock_script, NULL, NULL);
}

static void removed_script(void)
{
	begin();
	w_exit("c0", "init", CODE);
	w_lost("");
	assert_false(w_is_locked());
}

static void test_lock_of_the_removed(void **state)
{
	struct w_life life = { .script = removed_script };

	(void)state;
	fx_new_container(w_store(), json_pack("{s:b}", "auto_remove", 1));
	w_run(w_store(), &life);
	assert_true(life.removed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output_of_the_killed),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_lock_of_the_removed),
	};

	return cmocka_run_group_tests_name("vm-ends", tests, w_setup, w_teardown);
}
