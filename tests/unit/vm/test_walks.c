/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor walks through lives under a simulated clock: agent, engine and clients die in each phase under both
 * policies, containers are stopped and killed in each, deadlines pass, and restarts with their backoff go on for days.
 * What life.c says of the same is test_life.c's; here the monitor does it.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vm/life.h"
#include "world.h"

#define SECOND UINT64_C(1000)
#define DAY (86400 * SECOND)
#define CODE 3

static const enum sk_phase phases[] = { SK_PHASE_BOOTING, SK_PHASE_READY, SK_PHASE_CREATED, SK_PHASE_RUNNING,
					SK_PHASE_STOPPING };
#define N_PHASES (sizeof(phases) / sizeof(phases[0]))

enum event { LOST, CLIENT_GONE, STOP, KILL, TERM };

struct walk {
	bool managed;
	enum sk_phase phase;
	enum event event;
};

static void new_container(bool managed, const char *restart)
{
	fx_new_container(w_store(), json_pack("{s:b,s:{s:s}}", "managed", managed, "restart", "policy", restart));
}

/* What state.json says once the monitor has gone. */
static void expect_state(const char *status, int code, bool failed)
{
	json_t *s = fx_state(w_store());

	assert_string_equal(json_string_value(json_object_get(s, "status")), status);
	assert_int_equal(json_integer_value(json_object_get(s, "pid")), 0);
	assert_int_equal(strlen(json_string_value(json_object_get(s, "error"))) > 0, failed);
	if (strcmp(status, "exited") == 0 || failed)
		assert_int_equal(json_integer_value(json_object_get(s, "exit_code")), code);
	json_decref(s);
}

/* ---- in a script: the way to a phase */

static struct w_request created;

static void begin(bool managed, enum sk_phase phase)
{
	struct w_client *starter;

	if (managed) {
		if (phase != SK_PHASE_READY)
			w_send(w_owner(), "{\"op\":\"create\"}");
	} else {
		w_send(w_owner(), "{\"op\":\"attach\",\"owner\":true}");
		w_expect_ok(w_owner());
		if (phase != SK_PHASE_READY)
			w_send(w_owner(), "{\"op\":\"start\"}");
	}
	if (phase == SK_PHASE_BOOTING)
		return;
	w_hello();
	w_ready();
	if (phase == SK_PHASE_READY) {
		w_expect_nothing();
		return;
	}
	w_expect_status("starting");
	created = w_answer(SK_OP_CREATE);
	w_expect_ok(w_owner());
	if (managed) {
		w_expect_status("created");
		assert_false(created.msg.create.start);
		if (phase == SK_PHASE_CREATED)
			return;
		starter = w_connect();
		w_send(starter, "{\"op\":\"start\"}");
		w_answer(SK_OP_START);
		w_expect_ok(starter);
		w_close(starter);
	}
	w_expect_status("running");
	if (phase == SK_PHASE_RUNNING)
		return;
	assert_false(w_is_shutting_down());
	w_process_ends(&created, CODE);
	assert_true(w_is_shutting_down());
}

/* The guest obeys a stop: its process is signalled, and may take its time. */
static void stop_running(void)
{
	struct w_request r;
	uint64_t since = w_now();

	w_answer(SK_OP_RESUME); /* a paused container could not act on it */
	r = w_answer(SK_OP_SIGNAL);
	assert_true(r.msg.signal.number == SIGTERM && !r.msg.signal.all);
	w_pass(9999);
	w_expect_nothing();
	w_pass(1);
	r = w_answer(SK_OP_SIGNAL);
	assert_true(r.msg.signal.number == SIGKILL && r.msg.signal.all);
	w_pass(4999);
	assert_true(w_has_vm());
	w_pass(1);
	assert_false(w_has_vm()); /* a guest that does not even do that is switched off */
	assert_int_equal(w_now() - since, 15 * SECOND);
}

static void kill_running(void)
{
	struct w_request r = w_answer(SK_OP_SIGNAL);

	assert_true(r.msg.signal.number == SIGKILL);
	w_pass(4999);
	assert_true(w_has_vm());
	w_pass(1);
	assert_false(w_has_vm());
}

static void do_event(const struct walk *k, struct w_client *waiter)
{
	bool waits = k->phase < SK_PHASE_CREATED;

	switch (k->event) {
	case LOST:
		w_lost("the engine ended unexpectedly");
		break;
	case CLIENT_GONE:
		w_close(w_owner());
		if (k->phase == SK_PHASE_STOPPING || (k->managed && !waits)) {
			assert_true(w_has_vm()); /* it is not needed any more */
			w_lost("");
		}
		break;
	case STOP:
		w_send(waiter, "{\"op\":\"stop\"}");
		if (k->phase == SK_PHASE_RUNNING)
			stop_running();
		else if (k->phase == SK_PHASE_STOPPING)
			w_pass(10 * SECOND); /* for the guest's disk to be written */
		break;
	case KILL:
		w_send(waiter, "{\"op\":\"kill\",\"signal\":9}");
		if (k->phase == SK_PHASE_RUNNING)
			kill_running();
		else if (k->phase == SK_PHASE_STOPPING)
			w_lost("");
		break;
	case TERM:
		kill(getpid(), SIGTERM);
		w_settle();
		if (k->phase == SK_PHASE_RUNNING) {
			stop_running();
		} else if (k->phase == SK_PHASE_STOPPING) {
			w_lost("");
		}
		break;
	}
}

static void walk_script(void)
{
	const struct walk *k = w_arg();
	struct w_client *waiter;

	begin(k->managed, k->phase);
	/* Whoever is connected may be its creator. */
	waiter = k->event == CLIENT_GONE ? NULL : w_connect();
	if (k->event == LOST) {
		w_send(waiter, "{\"op\":\"wait\"}");
		w_expect_ok(waiter);
	}
	do_event(k, waiter);
	w_settle();
	assert_false(w_has_vm());
}

static void walk(bool managed, enum sk_phase phase, enum event event, const char *status, int code, bool failed)
{
	const struct walk k = { managed, phase, event };
	struct w_life life = { .script = walk_script, .arg = &k };

	new_container(managed, "no");
	w_run(w_store(), &life);
	expect_state(status, code, failed);
	assert_int_equal(life.status, managed ? code : 0); /* a managed one's monitor stands for the container */
	assert_false(life.handed_over || life.removed);
}

/* ---- each event in each phase */

static bool has_phase(bool managed, enum sk_phase phase)
{
	return managed || phase != SK_PHASE_CREATED;
}

static void test_lost_in_each_phase(void **state)
{
	size_t i;
	int managed;

	(void)state;
	for (managed = 0; managed < 2; managed++) {
		for (i = 0; i < N_PHASES; i++) {
			bool ran = phases[i] >= SK_PHASE_RUNNING, stopping = phases[i] == SK_PHASE_STOPPING;

			if (has_phase(managed, phases[i]))
				walk(managed, phases[i], LOST, ran ? "exited" : "created",
				     stopping ? CODE
				     : ran    ? 137
					      : 125,
				     !stopping);
		}
	}
}

static void test_client_gone_in_each_phase(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N_PHASES; i++) {
		bool ran = phases[i] >= SK_PHASE_RUNNING, stopping = phases[i] == SK_PHASE_STOPPING;

		if (phases[i] != SK_PHASE_CREATED)
			walk(false, phases[i], CLIENT_GONE, ran ? "exited" : "created", stopping ? CODE : 137, false);
	}
	walk(true, SK_PHASE_BOOTING, CLIENT_GONE, "created", 137, false);
	walk(true, SK_PHASE_READY, CLIENT_GONE, "created", 137, false);
	walk(true, SK_PHASE_CREATED, CLIENT_GONE, "created", 0, false);
	walk(true, SK_PHASE_RUNNING, CLIENT_GONE, "exited", 137, false);
	walk(true, SK_PHASE_STOPPING, CLIENT_GONE, "exited", CODE, false);
}

static void test_stop_in_each_phase(void **state)
{
	size_t i;
	int managed;

	(void)state;
	for (managed = 0; managed < 2; managed++) {
		for (i = 0; i < N_PHASES; i++) {
			bool ran = phases[i] >= SK_PHASE_RUNNING;
			int code = phases[i] == SK_PHASE_STOPPING ? CODE : ran ? 137 : 0;

			if (!has_phase(managed, phases[i]))
				continue;
			walk(managed, phases[i], STOP, ran ? "exited" : "created", code, false);
			walk(managed, phases[i], TERM, ran ? "exited" : "created", code, false);
		}
	}
}

static void test_kill_in_each_phase(void **state)
{
	(void)state;
	walk(false, SK_PHASE_RUNNING, KILL, "exited", 137, false);
	walk(false, SK_PHASE_STOPPING, KILL, "exited", CODE, false);
	walk(true, SK_PHASE_BOOTING, KILL, "created", 137, false);
	walk(true, SK_PHASE_READY, KILL, "created", 137, false);
	walk(true, SK_PHASE_CREATED, KILL, "created", 137, false);
	walk(true, SK_PHASE_RUNNING, KILL, "exited", 137, false);
	walk(true, SK_PHASE_STOPPING, KILL, "exited", CODE, false);
}

/* ---- deadlines */

/* The output of a process that has ended does not: its VM is not held up for longer than that. */
static void drain_script(void)
{
	const int *killed = w_arg();
	struct sk_stream *out;
	struct w_client *killer;

	begin(false, SK_PHASE_RUNNING);
	out = w_stream(&created.msg.create.stdio.token[1], "partly");
	if (*killed) {
		killer = w_connect();
		w_send(killer, "{\"op\":\"kill\",\"signal\":9}");
		w_answer(SK_OP_SIGNAL);
	}
	w_exit("c0", "init", CODE);
	w_pass(*killed ? 999 : 4999);
	assert_false(w_is_shutting_down());
	assert_int_equal(w_data(out, "more", 4), 4); /* that begins it anew */
	w_pass(*killed ? 999 : 4999);
	assert_false(w_is_shutting_down());
	w_pass(1);
	assert_true(out->closed && w_is_shutting_down());
	w_lost("");
	w_read(w_owner());
	assert_int_equal(w_owner()->out[0], 10);
}

static void test_output_that_does_not_end(void **state)
{
	int killed;

	(void)state;
	for (killed = 0; killed < 2; killed++) {
		struct w_life life = { .script = drain_script, .arg = &killed };

		new_container(false, "no");
		w_run(w_store(), &life);
		expect_state("exited", CODE, false);
	}
}

/* A guest that is asked to shut down, and does not. */
static void shutdown_script(void)
{
	begin(false, SK_PHASE_STOPPING);
	w_pass(9999);
	assert_true(w_has_vm());
	w_expect_status("running");
	w_pass(1);
	assert_false(w_has_vm());
	w_expect_status("exited");
	w_expect_end(w_owner(), CODE);
}

static void refused_shutdown_script(void)
{
	w_refuse_shut_down();
	begin(false, SK_PHASE_RUNNING);
	w_process_ends(&created, CODE);
	assert_false(w_has_vm());
	w_expect_end(w_owner(), CODE);
}

static void test_shutdown(void **state)
{
	struct w_life life = { .script = shutdown_script }, refused = { .script = refused_shutdown_script };

	(void)state;
	new_container(false, "no");
	w_run(w_store(), &life);
	expect_state("exited", CODE, false);
	new_container(false, "no");
	w_run(w_store(), &refused);
	expect_state("exited", CODE, false);
}

/* The monitor goes once nobody is connected any more. Who does not read what it was sent is waited for ten seconds. */
static void linger_script(void)
{
	const bool *reads = w_arg();
	struct sk_stream *out;
	uint8_t *bytes = calloc(1, SK_STREAM_BUF);
	int i;

	begin(false, SK_PHASE_RUNNING);
	out = w_stream(&created.msg.create.stdio.token[1], "");
	for (i = 0; i < 2; i++)
		assert_int_equal(w_data(out, bytes, SK_STREAM_BUF - 8), SK_STREAM_BUF - 8);
	free(bytes);
	w_closed(out);
	w_eof(w_stream(&created.msg.create.stdio.token[2], ""));
	w_exit("c0", "init", CODE);
	w_lost("");
	if (*reads)
		w_expect_end(w_owner(), CODE);
}

static void test_linger(void **state)
{
	int reads;

	(void)state;
	for (reads = 0; reads < 2; reads++) {
		const bool arg = reads;
		struct w_life life = { .script = linger_script, .arg = &arg };

		new_container(false, "no");
		w_run(w_store(), &life);
		assert_int_equal(life.now_ms, reads ? 1000000 : 1010000);
	}
}

/* Nobody wants anything of a VM that was booted for a copy, or whose client has gone before it started anything. */
static void unwanted_script(void)
{
	struct w_client *c = w_connect();
	json_t *answer = json_object();
	struct w_request stat;

	w_close(w_owner());
	w_hello();
	w_ready();
	assert_false(w_is_shutting_down());
	w_send(c, "{\"op\":\"stat\",\"path\":\"/etc\"}");
	w_answer(SK_OP_CREATE); /* mounts the root */
	stat = w_expect(SK_OP_STAT);
	w_reply(&stat, &(const struct sk_reply){ .ok = true, .stat = answer });
	json_decref(answer);
	w_expect_ok(c);
	w_close(c);
	assert_true(w_is_shutting_down());
	assert_true(w_has_vm());
	w_pass(10 * SECOND);
	assert_false(w_has_vm());
}

static void test_unwanted(void **state)
{
	struct w_life life = { .script = unwanted_script };

	(void)state;
	new_container(false, "no");
	w_run(w_store(), &life);
	expect_state("created", 0, false);
}

static void no_script(void)
{
	w_send(w_owner(), "{\"op\":\"start\"}");
	w_expect_error(w_owner(), EIO, "the engine does not start");
}

static void test_boot_fails(void **state)
{
	struct w_life life = { .script = no_script, .boot_fails = true };

	(void)state;
	new_container(false, "always");
	w_run(w_store(), &life);
	expect_state("created", 125, true);
	assert_false(life.handed_over); /* what never ran is not restarted */
}

/* The guest refuses to create or start it. */
static void refused_script(void)
{
	const bool *managed = w_arg();
	struct w_client *waiter = w_connect();
	struct w_request r;

	w_send(waiter, "{\"op\":\"wait\"}");
	w_expect_ok(waiter);
	w_send(w_owner(), *managed ? "{\"op\":\"create\"}" : "{\"op\":\"start\"}");
	w_hello();
	w_ready();
	r = w_expect(SK_OP_CREATE);
	w_refuse(&r, ENOENT, 127, "no such program");
	w_expect_error(w_owner(), ENOENT, "no such program");
	w_expect_end(waiter, 127);
	assert_false(w_has_vm());
}

static void test_create_is_refused(void **state)
{
	int managed;

	(void)state;
	for (managed = 0; managed < 2; managed++) {
		const bool arg = managed;
		struct w_life life = { .script = refused_script, .arg = &arg };

		new_container(managed, managed ? "no" : "always");
		w_run(w_store(), &life);
		expect_state("created", 127, true);
		assert_false(life.handed_over);
	}
}

/* --rm: its files are the keeper's to remove, and the guest need not write back its disk. */
static void removed_script(void)
{
	begin(false, SK_PHASE_RUNNING);
	w_process_ends(&created, CODE);
	assert_false(w_has_vm() || w_is_shutting_down());
	w_expect_end(w_owner(), CODE);
}

static void test_auto_remove(void **state)
{
	struct w_life life = { .script = removed_script };

	(void)state;
	fx_new_container(w_store(), json_pack("{s:b}", "auto_remove", 1));
	w_run(w_store(), &life);
	assert_true(life.removed);
}

/* ---- restarts */

struct plan {
	uint64_t lasts_ms;
	int code;
	const char *update; /* vm.json's restart policy while it runs */
};

static void write_policy(const char *policy)
{
	_cleanup_free_ char *path = fx_path(w_store(), "vm.json"), *text = NULL, *out = NULL;
	json_t *vm;

	assert_int_equal(sk_fs_read(AT_FDCWD, path, 65536, &text, NULL), 0);
	vm = json_loads(text, 0, NULL);
	json_object_set_new(vm, "restart", json_pack("{s:s}", "policy", policy));
	out = json_dumps(vm, 0);
	json_decref(vm);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, path, out, strlen(out), 0600, false), 0);
}

/* One life of a detached container. */
static void life_script(void)
{
	const struct plan *p = w_arg();
	struct w_request r;

	if (w_owner()->fd > 0) {
		w_send(w_owner(), "{\"op\":\"start\"}");
		r = w_up();
		w_expect_ok(w_owner());
		w_close(w_owner());
	} else {
		r = w_up(); /* a next life starts without being asked */
	}
	w_expect_status("running");
	w_pass(p->lasts_ms);
	if (p->update)
		write_policy(p->update);
	w_process_ends(&r, p->code);
	w_lost("");
}

/* Runs the next life; how long is waited for the one after it. 0: there is none. */
static uint64_t next(struct w_life *life, const struct plan *p)
{
	uint64_t ended;

	life->script = life_script;
	life->arg = p;
	w_run(w_store(), life);
	assert_int_equal(life->status, 0);
	ended = life->now_ms;
	life->no_owner = true;
	if (!life->handed_over)
		return 0;
	assert_true(ended >= life->backoff_ms);
	return life->backoff_ms;
}

static void test_restarts_over_days(void **state)
{
	const struct plan at_once = { 50, 1, NULL }, day = { DAY, 0, NULL }, soon = { 9999, 1, NULL };
	struct w_life life = { 0 };
	uint64_t wanted = 100, before;
	unsigned n = 0;
	json_t *s;

	(void)state;
	new_container(false, "always");
	for (n = 1; n <= 14; n++) {
		before = life.now_ms ? life.now_ms : 1000000;
		assert_int_equal(next(&life, &at_once), wanted);
		assert_int_equal(life.now_ms - before, 50 + wanted); /* the life, and the wait for the next one */
		assert_int_equal(life.restarts, n);
		wanted = wanted * 2 > 60000 ? 60000 : wanted * 2;
	}
	assert_int_equal(wanted, 60000);
	before = life.now_ms;
	for (; n <= 18; n++)
		assert_int_equal(next(&life, &day), 100); /* it has run long enough: that counts as a fresh start */
	assert_true(life.now_ms - before > 4 * DAY);
	assert_int_equal(next(&life, &soon), 200);
	s = fx_state(w_store());
	assert_int_equal(json_integer_value(json_object_get(s, "restart_count")), 19);
	json_decref(s);
}

static void test_restart_policies(void **state)
{
	static const struct {
		const char *policy;
		struct plan plan;
		bool again;
	} cases[] = {
		{ "no", { SECOND, 1, NULL }, false },
		{ "on-failure", { SECOND, 1, NULL }, true },
		{ "on-failure", { SECOND, 0, NULL }, false },
		{ "unless-stopped", { SECOND, 0, NULL }, true },
		/* `skerry update --restart` while it runs, both ways, and a file that is wrong changes nothing */
		{ "always", { DAY, 0, "no" }, false },
		{ "no", { DAY, 0, "always" }, true },
		{ "always", { DAY, 0, "sometimes" }, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct w_life life = { 0 };

		new_container(false, cases[i].policy);
		assert_int_equal(next(&life, &cases[i].plan) > 0, cases[i].again);
		if (!cases[i].again)
			expect_state("exited", cases[i].plan.code, false);
	}
}

/* Between two lives. */
static void between_script(void)
{
	const enum event *event = w_arg();
	struct w_client *c;
	struct w_request r;

	w_send(w_owner(), "{\"op\":\"start\"}");
	r = w_up();
	w_close(w_owner());
	w_process_ends(&r, CODE);
	w_lost("");
	w_expect_status("restarting");
	c = w_connect();
	switch (*event) {
	case STOP:
		w_send(c, "{\"op\":\"stop\"}");
		break;
	case TERM:
		kill(getpid(), SIGTERM);
		break;
	case KILL: /* nothing runs that could be killed, but no next life is wanted any more */
		w_send(c, "{\"op\":\"kill\",\"signal\":9}");
		w_expect_error(c, ENOTCONN, "not running");
		break;
	case CLIENT_GONE: /* one that is connected is waited for, but not for ever */
		w_pass(100);
		assert_int_equal(w_now(), 1000100);
		w_pass(1999);
		w_expect_status("restarting");
		break;
	case LOST:
		w_send(c, "{\"op\":\"start\"}"); /* it comes by itself */
		w_expect_ok(c);
		break;
	}
}

static void between(enum event event, bool handed_over, uint64_t takes_ms)
{
	struct w_life life = { .script = between_script, .arg = &event };

	new_container(false, "always");
	w_run(w_store(), &life);
	assert_int_equal(life.handed_over, handed_over);
	assert_int_equal(life.now_ms, 1000000 + takes_ms);
	if (!handed_over)
		expect_state("exited", CODE, false);
}

static void test_between_two_lives(void **state)
{
	(void)state;
	between(STOP, false, 0);
	between(TERM, false, 10000); /* somebody is connected, and silent */
	between(KILL, false, 0);
	between(CLIENT_GONE, true, 2100);
	between(LOST, true, 100);
}

/* ---- what else comes in a life */

static unsigned events_of(const char *action)
{
	_cleanup_free_ char *path = NULL, *text = NULL, *word = NULL;
	unsigned n = 0;
	char *at;

	path = sk_asprintf("%s/events.jsonl", w_store()->root);
	word = sk_asprintf("\"Action\":\"%s\"", action);
	if (sk_fs_read(AT_FDCWD, path, 1 << 20, &text, NULL) < 0)
		return 0;
	for (at = text; (at = strstr(at, word)); at++)
		n++;
	return n;
}

/* Each OOM kill is a line in the log of all containers: one a second at most. */
static void oom_script(void)
{
	unsigned before = events_of("oom");
	int i;

	begin(false, SK_PHASE_RUNNING);
	for (i = 0; i < 100; i++)
		w_oom("c0");
	assert_int_equal(events_of("oom") - before, 1);
	w_pass(1000);
	w_oom("c0");
	w_oom("c77"); /* nobody's */
	assert_int_equal(events_of("oom") - before, 2);
	w_lost("the engine ended unexpectedly");
}

static void test_oom(void **state)
{
	struct w_life life = { .script = oom_script };
	json_t *s;

	(void)state;
	new_container(false, "no");
	w_run(w_store(), &life);
	s = fx_state(w_store());
	assert_true(json_is_true(json_object_get(s, "oom_killed")));
	assert_int_equal(json_integer_value(json_object_get(s, "ooms")), 2);
	json_decref(s);
}

static void expect_trouble(const char *words)
{
	json_t *s = fx_state(w_store());
	const char *error = json_string_value(json_object_get(s, "error"));

	if (*words ? !strstr(error, words) : *error)
		fail_msg("state.json says: %s", error);
	json_decref(s);
}

static void trouble_script(void)
{
	begin(false, SK_PHASE_RUNNING);
	expect_trouble("");
	w_disk_trouble(true, 0);
	expect_trouble("no space left on the file system of");
	w_disk_trouble(false, EIO);
	expect_trouble("writes of the container are lost");
	w_disk_trouble(false, 0);
	expect_trouble("");
	w_layers_damaged();
	expect_trouble("system check --repair");
	w_disk_trouble(true, 0); /* the more urgent one first */
	expect_trouble("no space left");
	w_lost("the engine ended unexpectedly");
	expect_trouble("ended unexpectedly");
}

static void test_trouble(void **state)
{
	struct w_life life = { .script = trouble_script };

	(void)state;
	new_container(false, "no");
	w_run(w_store(), &life);
	expect_state("exited", 137, true);
}

/* Events of processes and containers that do not exist, twice, or late. */
static void odd_events_script(void)
{
	begin(false, SK_PHASE_READY);
	w_exit("c0", "x9", 1);
	w_exit("c9", "init", 1);
	w_exit("c0", "init", CODE); /* before it was created */
	w_expect_nothing();
	w_send(w_owner(), "{\"op\":\"start\"}");
	w_lost("the engine ended unexpectedly");
	w_settle();
	assert_false(w_has_vm());
}

static void test_odd_events(void **state)
{
	struct w_life life = { .script = odd_events_script };

	(void)state;
	new_container(false, "no");
	w_run(w_store(), &life);
	expect_state("created", 125, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_in_each_phase),
		cmocka_unit_test(test_client_gone_in_each_phase),
		cmocka_unit_test(test_stop_in_each_phase),
		cmocka_unit_test(test_kill_in_each_phase),
		cmocka_unit_test(test_output_that_does_not_end),
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_linger),
		cmocka_unit_test(test_unwanted),
		cmocka_unit_test(test_boot_fails),
		cmocka_unit_test(test_create_is_refused),
		cmocka_unit_test(test_auto_remove),
		cmocka_unit_test(test_restarts_over_days),
		cmocka_unit_test(test_restart_policies),
		cmocka_unit_test(test_between_two_lives),
		cmocka_unit_test(test_oom),
		cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_odd_events),
	};

	return cmocka_run_group_tests_name("vm-walks", tests, w_setup, w_teardown);
}
