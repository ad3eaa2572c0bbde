/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks under a simulated clock: what counts, what is kept of it, and guests that do not answer as they should. */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "world.h"

#define INTERVAL 10000
#define TIMEOUT 3000

static struct w_request created;

static void run_with(void (*script)(void), int start_period, int interval, int retries)
{
	struct w_life life = { .script = script };

	fx_new_container(w_store(),
			 json_pack("{s:b, s:{s:s}, s:{s:[s,s], s:i, s:i, s:i, s:i}}", "managed", 0, "restart", "policy",
				   "no", "healthcheck", "args", "test", "x", "interval_ms", interval, "timeout_ms",
				   TIMEOUT, "start_period_ms", start_period, "retries", retries));
	w_run(w_store(), &life);
	assert_int_equal(life.status, 0);
}

static void run(void (*script)(void), int start_period)
{
	run_with(script, start_period, INTERVAL, 2);
}

static void up(void)
{
	w_send(w_owner(), "{\"op\":\"attach\",\"owner\":true}");
	w_expect_ok(w_owner());
	w_send(w_owner(), "{\"op\":\"start\"}");
	created = w_up();
	w_expect_ok(w_owner());
}

static void down(void)
{
	w_process_ends(&created, 0);
	w_lost("");
}

static void expect_health(const char *status, int streak, size_t entries)
{
	json_t *state, *health;

	w_settle();
	state = fx_state(w_store());
	health = json_object_get(state, "health");
	assert_string_equal(json_string_value(json_object_get(health, "Status")), status);
	assert_int_equal(json_integer_value(json_object_get(health, "FailingStreak")), streak);
	assert_int_equal(json_array_size(json_object_get(health, "Log")), entries);
	json_decref(state);
}

static void expect_output(int code, const char *output)
{
	json_t *state = fx_state(w_store()), *log = json_object_get(json_object_get(state, "health"), "Log");
	json_t *last = json_array_get(log, json_array_size(log) - 1);

	assert_int_equal(json_integer_value(json_object_get(last, "ExitCode")), code);
	assert_string_equal(json_string_value(json_object_get(last, "Output")), output);
	json_decref(state);
}

/* The probe that was asked for ends with `code` and that output. */
static void answer_probe(int code, const char *output)
{
	struct w_request r = w_answer(SK_OP_EXEC);
	struct sk_stream *out = w_stream(&r.msg.exec.stdio.token[1], output);

	w_exit("c0", r.key, code);
	w_eof(out);
	w_eof(w_stream(&r.msg.exec.stdio.token[2], ""));
	w_settle();
}

static void probe_after(unsigned ms, int code, const char *output)
{
	w_pass(ms);
	answer_probe(code, output);
}

static void probe(int code, const char *output)
{
	probe_after(INTERVAL, code, output);
}

static void judged_script(void)
{
	int i;

	up();
	expect_health("starting", 0, 0);
	w_pass(INTERVAL - 1);
	w_expect_nothing();
	w_pass(1);
	w_answer(SK_OP_EXEC);
	w_pass(TIMEOUT);
	assert_true(w_answer(SK_OP_SIGNAL).msg.signal.group);
	expect_health("starting", 1, 1);
	expect_output(-1, "Health check exceeded timeout (3s)");
	probe(3, "ill\n");
	expect_health("unhealthy", 2, 2);
	expect_output(3, "ill\n");
	probe(0, "\xff well");
	expect_health("healthy", 0, 3);
	expect_output(0, "\xef\xbf\xbd well");
	for (i = 0; i < 4; i++)
		probe(0, "");
	expect_health("healthy", 0, 5);
	probe(1, "");
	expect_health("healthy", 1, 5);
	down();
}

static void start_period_script(void)
{
	up();
	probe(1, "");
	probe(1, "");
	probe(1, "");
	expect_health("starting", 0, 3);
	probe(0, "");
	expect_health("healthy", 0, 4);
	probe(1, "");
	probe(1, "");
	expect_health("unhealthy", 2, 5);
	down();
}

/* More output than is kept, and all of it is taken. */
static void output_script(void)
{
	static char much[20000];
	struct w_request r;
	struct sk_stream *out;
	json_t *state;
	const char *kept;

	memset(much, 'x', sizeof(much));
	up();
	w_pass(INTERVAL);
	r = w_answer(SK_OP_EXEC);
	out = w_stream(&r.msg.exec.stdio.token[1], "");
	assert_int_equal(w_data(out, much, sizeof(much)), sizeof(much));
	w_exit("c0", r.key, 0);
	w_eof(out);
	w_eof(w_stream(&r.msg.exec.stdio.token[2], ""));
	w_settle();
	state = fx_state(w_store());
	kept = json_string_value(
		json_object_get(json_array_get(json_object_get(json_object_get(state, "health"), "Log"), 0), "Output"));
	assert_int_equal(strlen(kept), 4096 + 3);
	assert_string_equal(kept + 4096, "...");
	json_decref(state);
	down();
}

/* A guest that answers too late, tells of ends before it has answered, refuses, or never answers. */
static void hostile_script(void)
{
	struct w_request late, r;

	up();
	w_pass(INTERVAL);
	late = w_expect(SK_OP_EXEC);
	w_exit("c0", late.key, 0);
	w_eof(w_stream(&late.msg.exec.stdio.token[1], ""));
	w_eof(w_stream(&late.msg.exec.stdio.token[2], ""));
	w_settle();
	expect_health("healthy", 0, 1);
	w_ok(&late); /* of a process that is forgotten */
	w_pass(INTERVAL);
	r = w_expect(SK_OP_EXEC);
	w_refuse(&r, 2, 127, "exec: \"test\": executable file not found in $PATH");
	w_settle();
	expect_health("healthy", 1, 2);
	expect_output(-1, "exec: \"test\": executable file not found in $PATH");
	w_pass(INTERVAL);
	late = w_expect(SK_OP_EXEC);
	w_pass(TIMEOUT);
	w_expect(SK_OP_SIGNAL);
	expect_health("unhealthy", 2, 3);
	w_pass(INTERVAL);
	r = w_answer(SK_OP_EXEC);
	w_refuse(&late, 2, 127, "too late"); /* is not taken for the answer to the one that runs */
	w_exit("c0", late.key, 1);
	w_settle();
	expect_health("unhealthy", 2, 3);
	w_exit("c0", r.key, 0);
	w_eof(w_stream(&r.msg.exec.stdio.token[1], ""));
	w_eof(w_stream(&r.msg.exec.stdio.token[2], ""));
	expect_health("healthy", 0, 4);
	/* The container ends while one runs. */
	w_pass(INTERVAL);
	w_expect(SK_OP_EXEC);
	down();
}

/* How many events there are of a change to that status. */
static unsigned n_events(const char *status)
{
	_cleanup_free_ char *text = NULL;
	char path[256], event[40];
	const char *at;
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/events.jsonl", w_store()->paths.root);
	snprintf(event, sizeof(event), "\"health_status: %s\"", status);
	assert_int_equal(sk_fs_read(AT_FDCWD, path, 1 << 20, &text, NULL), 0);
	for (at = text; (at = strstr(at, event)); at++)
		n++;
	return n;
}

/* A probe each millisecond, whose outcome changes each time, is not an event each time. */
static void restless_script(void)
{
	unsigned healthy = n_events("healthy"), ill = n_events("unhealthy");
	int i;

	up();
	for (i = 0; i < 100; i++)
		probe_after(1, i & 1, "");
	expect_health("unhealthy", 1, 5);
	assert_int_equal(n_events("healthy") - healthy, 1);
	assert_int_equal(n_events("unhealthy") - ill, 0);
	/* The last one is told all the same, late. */
	w_pass(1000);
	answer_probe(1, "");
	assert_int_equal(n_events("unhealthy") - ill, 1);
	down();
}

static void test_restless(void **state)
{
	(void)state;
	run_with(restless_script, 0, 1, 1);
}

static void test_judged(void **state)
{
	(void)state;
	run(judged_script, 0);
}

static void test_start_period(void **state)
{
	(void)state;
	run(start_period_script, 5 * INTERVAL);
}

static void test_output(void **state)
{
	(void)state;
	run(output_script, 0);
}

static void test_hostile(void **state)
{
	json_t *s;

	(void)state;
	run(hostile_script, 0);
	s = fx_state(w_store());
	assert_string_equal(json_string_value(json_object_get(json_object_get(s, "health"), "Status")), "unhealthy");
	json_decref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judged),	cmocka_unit_test(test_start_period), cmocka_unit_test(test_output),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_restless),
	};

	return cmocka_run_group_tests_name("vm-health", tests, w_setup, w_teardown);
}
