/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor whose agent, engine or client dies, in each phase of its container's life and under both policies: a real
 * monitor with the fake engine; its guest is fake_agent.c, in this process. No privileges.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fake_agent.h"
#include "vm/life.h"
#include "vm/vm.h"

#define EXIT_CODE 3

enum victim { AGENT, ENGINE, CLIENT };

static struct fx_store store;
static struct fake_agent agent;
static struct sk_loop *loop; /* of the fake agent: nothing runs on it */
static int client, waiter;
static struct sk_token tokens[SK_STDIO_COUNT];

static int setup_group(void **state)
{
	(void)state;
	if (fx_store_init(&store) < 0)
		return -1;
	fx_engine_script(store.root, "#!/bin/sh\nexec sleep 1000\n");
	return sk_loop_new(&loop);
}

static int teardown_group(void **state)
{
	(void)state;
	sk_loop_free(loop);
	return fx_store_fini(&store);
}

static void new_container(bool managed, bool restarts)
{
	fx_new_container(&store, json_pack("{s:b,s:{s:s}}", "managed", managed, "restart", "policy",
					   restarts ? "always" : "no"));
}

static void wait_status(const char *wanted)
{
	fx_wait_status(&store, wanted);
}

static int connection(void)
{
	int i, fd = -1;

	for (i = 0; i < FX_TRIES && (fd = sk_vm_connect(&store.paths, store.id, NULL)) < 0; i++)
		usleep(10000);
	assert_true(fd >= 0);
	return fd;
}

static pid_t engine_pid(void)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_reply reply;
	pid_t pid;

	if (sk_vm_call(&store.paths, store.id, &(const struct sk_msg){ .op = SK_REQUEST_INFO }, &reply, &err) < 0)
		fail_msg("%s", err.message);
	pid = reply.engine_pid;
	sk_reply_fini(&reply);
	return pid;
}

/* The next request has to be `op`, of that container unless that is NULL. */
static void answer_for(enum sk_op op, const char *container)
{
	struct sk_msg msg = fa_expect(&agent, op);
	unsigned i;

	if (container)
		assert_string_equal(msg.container, container);
	for (i = 0; op == SK_OP_CREATE && i < SK_STDIO_COUNT; i++)
		tokens[i] = msg.create.stdio.token[i];
	if (op == SK_OP_SIGNAL)
		assert_true(msg.signal.number == SIGKILL && msg.signal.all);
	fa_answer(&agent, &msg);
	sk_msg_fini(&msg);
}

static void answer(enum sk_op op)
{
	answer_for(op, NULL);
}

static void agent_up(void)
{
	char run[256];

	snprintf(run, sizeof(run), "%s/%s", store.paths.run, store.id);
	fa_start(&agent, loop, run);
	fa_agent_up(&agent);
}

/* What the first client asks for, until the guest is asked to create the container. */
static void ask(bool managed, bool start)
{
	if (managed) {
		if (start)
			fx_send(client, "{\"op\":\"create\"}");
		return;
	}
	fx_send(client, "{\"op\":\"attach\",\"owner\":true}");
	fx_expect_ok(client);
	if (start)
		fx_send(client, "{\"op\":\"start\"}");
}

/* A managed container is started by another client than the one that has created it. */
static void start_created(void)
{
	close(client);
	client = connection();
	fx_send(client, "{\"op\":\"start\"}");
	answer(SK_OP_START);
	fx_expect_ok(client);
}

/* The output of the container that was created last ends. */
static void end_output(void)
{
	unsigned i;

	for (i = 1; i < SK_STDIO_COUNT; i++) {
		fa_stream(&agent, 70 + i, &tokens[i]);
		fa_reset(&agent, 70 + i, SK_PORT_STREAM);
	}
}

/* The process ends, and its output: the guest is asked to shut down. */
static void end_process(void)
{
	struct sk_msg msg;

	fa_say(&agent, "{\"event\":\"exit\",\"container\":\"c0\",\"key\":\"init\",\"code\":3}");
	end_output();
	msg = fa_expect(&agent, SK_OP_SHUTDOWN);
	sk_msg_fini(&msg);
}

/* Starts a monitor and leads its container to `phase`. `client` is the one whose container it is. */
static void come_to(bool managed, enum sk_phase phase)
{
	struct sk_error err = SK_ERROR_INIT;

	new_container(managed, phase == SK_PHASE_DOWN);
	client = sk_vm_launch(&store.paths, store.id, &err);
	if (client < 0)
		fail_msg("%s", err.message);
	agent_up();
	ask(managed, phase != SK_PHASE_READY);
	if (phase == SK_PHASE_BOOTING)
		return;
	fa_say(&agent, "{\"event\":\"hello\",\"version\":1,\"kernel\":\"7.3\",\"agent\":\"0.2\"}");
	answer(SK_OP_SETUP);
	if (phase == SK_PHASE_READY)
		return;
	answer(SK_OP_CREATE);
	fx_expect_ok(client);
	if (phase == SK_PHASE_CREATED)
		return;
	if (managed)
		start_created();
	wait_status("running");
	if (phase >= SK_PHASE_STOPPING)
		end_process();
	if (phase == SK_PHASE_DOWN)
		fa_say(&agent, "{\"event\":\"halted\"}");
}

static void kill_victim(enum victim victim, pid_t engine)
{
	switch (victim) {
	case AGENT:
		fa_reset(&agent, 1, SK_PORT_CONTROL);
		break;
	case ENGINE:
		assert_int_equal(kill(engine, SIGKILL), 0);
		break;
	case CLIENT:
		close(client);
		client = -1;
		break;
	}
}

/* Whoever waits hears of the end, once, with the exit code. */
static void expect_end(int code)
{
	json_t *o = fx_receive(waiter);

	assert_string_equal(json_string_value(json_object_get(o, "event")), "exit");
	assert_int_equal(json_integer_value(json_object_get(o, "code")), code);
	json_decref(o);
	assert_null(fx_receive(waiter));
}

static void expect_state(const char *status, int code, bool failed)
{
	json_t *s = fx_state(&store);
	int i;

	for (i = 0; i < FX_TRIES && json_integer_value(json_object_get(s, "pid")); i++) {
		json_decref(s);
		usleep(10000);
		s = fx_state(&store);
	}
	assert_string_equal(json_string_value(json_object_get(s, "status")), status);
	assert_int_equal(strlen(json_string_value(json_object_get(s, "error"))) > 0, failed);
	if (strcmp(status, "exited") == 0 || failed)
		assert_int_equal(json_integer_value(json_object_get(s, "exit_code")), code);
	json_decref(s);
}

/* The monitor has gone, and with it the engine. */
static void clean_up(pid_t engine)
{
	struct sk_error err = SK_ERROR_INIT;
	int i;

	fa_stop(&agent);
	if (client >= 0)
		close(client);
	if (waiter >= 0)
		close(waiter);
	client = waiter = -1;
	for (i = 0; i < FX_TRIES && sk_vm_remove(&store.paths, store.id, &err) < 0;
	     i++) /* its lock may be held a moment longer */
		usleep(10000);
	assert_true(i < FX_TRIES);
	for (i = 0; i < FX_TRIES && kill(engine, 0) == 0; i++)
		usleep(10000);
	assert_int_equal(kill(engine, 0), -1);
}

/* Agent and engine: whatever the phase, the VM is over, and the state says how. */
static void dies(bool managed, enum sk_phase phase, enum victim victim)
{
	static const struct {
		const char *status;
		int code;
		bool failed;
	} wanted[SK_PHASES] = {
		[SK_PHASE_BOOTING] = { "created", 125, true },	      [SK_PHASE_READY] = { "created", 125, true },
		[SK_PHASE_CREATED] = { "created", 125, true },	      [SK_PHASE_RUNNING] = { "exited", 137, true },
		[SK_PHASE_STOPPING] = { "exited", EXIT_CODE, false },
	};
	pid_t engine;

	come_to(managed, phase);
	engine = engine_pid();
	waiter = connection();
	fx_send(waiter, "{\"op\":\"wait\"}");
	fx_expect_ok(waiter);
	kill_victim(victim, engine);
	expect_end(wanted[phase].code);
	expect_state(wanted[phase].status, wanted[phase].code, wanted[phase].failed);
	clean_up(engine);
}

static void each_phase(enum victim victim)
{
	static const enum sk_phase phases[] = { SK_PHASE_BOOTING, SK_PHASE_READY, SK_PHASE_CREATED, SK_PHASE_RUNNING,
						SK_PHASE_STOPPING };
	size_t i;

	for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		if (phases[i] != SK_PHASE_CREATED)
			dies(false, phases[i], victim);
		dies(true, phases[i], victim);
	}
}

static void test_agent_dies(void **state)
{
	(void)state;
	each_phase(AGENT);
}

static void test_engine_dies(void **state)
{
	(void)state;
	each_phase(ENGINE);
}

/* A foreground `run` that is gone takes its container along; one that has ended is not disturbed. */
static void test_owner_dies(void **state)
{
	static const enum sk_phase phases[] = { SK_PHASE_BOOTING, SK_PHASE_READY, SK_PHASE_RUNNING, SK_PHASE_STOPPING };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		bool ran = phases[i] >= SK_PHASE_RUNNING, stopping = phases[i] == SK_PHASE_STOPPING;
		pid_t engine;

		come_to(false, phases[i]);
		engine = engine_pid();
		kill_victim(CLIENT, engine);
		if (stopping)
			fa_say(&agent, "{\"event\":\"halted\"}");
		expect_state(ran ? "exited" : "created", stopping ? EXIT_CODE : 137, false);
		clean_up(engine);
	}
}

/* The creator of a managed container is needed until it is created, and not any more then. */
static void test_creator_dies(void **state)
{
	static const enum sk_phase phases[] = { SK_PHASE_BOOTING, SK_PHASE_READY, SK_PHASE_CREATED, SK_PHASE_RUNNING };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		bool created = phases[i] >= SK_PHASE_CREATED;
		pid_t engine;

		come_to(true, phases[i]);
		engine = engine_pid();
		kill_victim(CLIENT, engine);
		if (created) {
			assert_int_equal(engine_pid(), engine); /* it lives */
			kill_victim(ENGINE, engine);
		}
		expect_state(phases[i] == SK_PHASE_RUNNING ? "exited" : "created",
			     phases[i] == SK_PHASE_CREATED ? 125 : 137, created);
		clean_up(engine);
	}
}

/* Between two lives: what the client does is nothing to the container, which comes again. */
static void test_client_dies_between_lives(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	pid_t engine = 0;
	json_t *o, *s;
	int i;

	(void)state;
	come_to(false, SK_PHASE_DOWN);
	o = fx_receive(client);
	assert_int_equal(json_integer_value(json_object_get(o, "code")), EXIT_CODE);
	json_decref(o);
	kill_victim(CLIENT, 0);
	fa_stop(&agent);
	for (i = 0; i < FX_TRIES && (engine = engine_pid()) == 0; i++)
		usleep(10000);
	assert_true(engine > 0);
	agent_up();
	s = fx_state(&store);
	assert_int_equal(json_integer_value(json_object_get(s, "restart_count")), 1);
	json_decref(s);
	assert_int_equal(
		sk_vm_call(&store.paths, store.id, &(const struct sk_msg){ .op = SK_REQUEST_STOP }, NULL, &err), 0);
	wait_status("exited");
	clean_up(engine);
}

/* What was asked for while the guest booted is done then, also when a start was asked for, too. */
static void test_later(void **state)
{
	struct sk_msg msg;
	pid_t engine;
	json_t *o;

	(void)state;
	come_to(false, SK_PHASE_BOOTING);
	engine = engine_pid();
	waiter = connection();
	fx_send(waiter, "{\"op\":\"stat\",\"path\":\"/\"}");
	assert_int_equal(engine_pid(), engine); /* the request before has been read */
	fa_say(&agent, "{\"event\":\"hello\",\"version\":1,\"kernel\":\"7.3\",\"agent\":\"0.2\"}");
	answer(SK_OP_SETUP);
	answer(SK_OP_CREATE);
	msg = fa_expect(&agent, SK_OP_STAT);
	fa_refuse(&agent, &msg, ENOENT, "none");
	sk_msg_fini(&msg);
	o = fx_receive(waiter);
	assert_string_equal(json_string_value(json_object_get(o, "message")), "none");
	json_decref(o);
	kill_victim(CLIENT, engine);
	expect_state("exited", 137, false);
	clean_up(engine);
}

#define JOIN "{\"op\":\"join\",\"create\":{\"spec\":{},\"rootfs\":{\"type\":\"9p\",\"tag\":\"r\"}}}"

/* A member of a pod, up to where it is created. */
static void join(const char *container)
{
	waiter = connection();
	fx_send(waiter, JOIN);
	answer_for(SK_OP_CREATE, container);
	fx_expect_ok(waiter);
}

/* The answer to a request on a connection of its own. */
static int result_of(const char *text)
{
	int fd = connection(), error;
	json_t *o;

	fx_send(fd, text);
	o = fx_receive(fd);
	error = json_is_true(json_object_get(o, "ok")) ? 0 : (int)json_integer_value(json_object_get(o, "errno"));
	json_decref(o);
	close(fd);
	return error;
}

/* A member has a life of its own: its process on the host takes it along, and not the VM. */
static void test_member(void **state)
{
	pid_t engine;
	int starter;
	json_t *o;

	(void)state;
	come_to(true, SK_PHASE_CREATED);
	assert_int_equal(result_of(JOIN), ENOTCONN); /* the first container does not run yet */
	start_created();
	wait_status("running");
	engine = engine_pid();
	join("c1");
	starter = connection();
	fx_send(starter, "{\"op\":\"start\",\"container\":\"c1\"}");
	answer_for(SK_OP_START, "c1");
	fx_expect_ok(starter);
	close(starter);
	assert_int_equal(result_of("{\"op\":\"start\",\"container\":\"c1\"}"), EINVAL); /* once */
	close(waiter);									/* its process on the host */
	answer_for(SK_OP_SIGNAL, "c1");
	fa_say(&agent, "{\"event\":\"exit\",\"container\":\"c1\",\"key\":\"init\",\"code\":137}");
	end_output();
	answer_for(SK_OP_DELETE, "c1");
	assert_int_equal(engine_pid(), engine);
	/* One that is created when the VM goes hears of it. */
	join("c2");
	kill_victim(AGENT, engine);
	o = fx_receive(waiter);
	assert_int_equal(json_integer_value(json_object_get(o, "code")), 137);
	json_decref(o);
	expect_state("exited", 137, true);
	clean_up(engine);
}

static int setup(void **state)
{
	(void)state;
	client = waiter = -1;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_agent_dies, setup),
		cmocka_unit_test_setup(test_engine_dies, setup),
		cmocka_unit_test_setup(test_owner_dies, setup),
		cmocka_unit_test_setup(test_creator_dies, setup),
		cmocka_unit_test_setup(test_client_dies_between_lives, setup),
		cmocka_unit_test_setup(test_later, setup),
		cmocka_unit_test_setup(test_member, setup),
	};

	return cmocka_run_group_tests_name("vm-deaths", tests, setup_group, teardown_group);
}
