/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts, stops and kills the container: sends the requests to the agent, and passes its answers to the life of the
 * container (life.c) as events. The deferred step (monitor.c) carries out the resulting actions.
 */
#include <errno.h>
#include <signal.h>

#include "vm/monitor.h"

#define SK_KILL_MS 5000u

void sk_monitor_lost(struct sk_monitor *m, const char *why)
{
	if (sk_life_lost(&m->life, why))
		sk_loop_trigger(m->reap);
}

void sk_monitor_kill(struct sk_monitor *m)
{
	sk_life_kill(&m->life);
	sk_loop_trigger(m->reap);
}

/* ---- start */

static void answer(struct sk_conn *c, enum sk_life_reply reply, const struct sk_life_refusal *refusal)
{
	const struct sk_monitor *m = c->m;
	enum sk_life_verb verb = c->waits;
	char trouble[4096 + 128];

	c->waits = SK_LIFE_NO_VERB;
	if (reply == SK_LIFE_REPLY_OK) {
		sk_conn_reply_ok(c);
		if (c->kind == SK_CONN_WAITING)
			sk_conn_finish(c);
		return;
	}
	sk_proc_detach(c);
	if (reply == SK_LIFE_REPLY_REFUSAL) {
		c->owner = false;
		sk_conn_reply_error(c, refusal->error, refusal->exit_code, refusal->message);
	} else if (verb == SK_LIFE_STOP) {
		sk_conn_reply(c, &(const struct sk_reply){ .code = m->life.exit_code & 255 });
	} else {
		sk_conn_event(c, &(const struct sk_msg){
					 .op = SK_EVENT_EXIT,
					 .exit = { .code = m->life.exit_code & 255,
						   .oom = m->life.oom,
						   .message = m->life.failure,
						   .warning = sk_monitor_trouble(m, trouble, sizeof(trouble)) } });
	}
	sk_conn_finish(c);
}

void sk_monitor_answer(struct sk_monitor *m)
{
	struct sk_life_refusal refusal;
	struct sk_conn *c, *next;

	for (c = m->conns; c; c = next) {
		bool attached = c->proc && c->proc == m->init;
		enum sk_life_reply reply;

		next = c->next;
		if (c->dead || c->kind == SK_CONN_CLOSING)
			continue;
		reply = sk_life_reply(&m->life, c->waits, &refusal);
		/* Every attached client is told of the end. Only a client that waits for the start is told why it
		 * failed. */
		if (attached && reply == SK_LIFE_REPLY_REFUSAL && !m->life.failure[0])
			c->waits = SK_LIFE_NO_VERB;
		if (attached && c->waits == SK_LIFE_NO_VERB)
			reply = sk_life_reply(&m->life, SK_LIFE_WAIT, &refusal);
		if (reply != SK_LIFE_NO_REPLY)
			answer(c, reply, &refusal);
	}
}

static void started(struct sk_monitor *m)
{
	if (sk_life_started(&m->life, sk_now_ms())) {
		sk_monitor_set_time(m, "started_at");
		json_object_set_new(m->state, "exit_code", json_integer(0));
		json_object_set_new(m->state, "oom_killed", json_false());
		json_object_set_new(m->state, "error", json_string(""));
		json_object_set_new(m->state, "engine_pid", json_integer(sk_sandbox_engine_pid(m->sandbox)));
		sk_health_begin(m);
		sk_monitor_set_status(m, "running");
		sk_monitor_event(m, "start");
	}
	sk_monitor_answer(m);
}

/* Create or start has failed. */
static void start_failed(struct sk_monitor *m, const struct sk_reply *reply)
{
	if (!reply)
		return; /* the session has ended, which is reported by itself */
	sk_life_failed(&m->life, reply->error, reply->exit_code, reply->message);
	sk_monitor_lost(m, "");
}

static void on_created(void *arg, const struct sk_reply *reply)
{
	struct sk_monitor *m = arg;

	m->life.starting = false;
	if (!reply || !reply->ok) {
		start_failed(m, reply);
	} else if (!m->life.policy->create_apart) {
		started(m);
	} else if (sk_life_created(&m->life)) {
		sk_monitor_set_status(m, "created");
		sk_monitor_answer(m);
		sk_loop_trigger(m->reap);
	}
}

static void on_started(void *arg, const struct sk_reply *reply)
{
	if (reply && reply->ok)
		started(arg);
	else
		start_failed(arg, reply);
}

int sk_monitor_start_created(struct sk_monitor *m)
{
	return sk_sandbox_request(m->sandbox, &(const struct sk_msg){ .op = SK_OP_START, .container = SK_CONTAINER },
				  on_started, m);
}

void sk_monitor_start_container(struct sk_monitor *m)
{
	uint16_t rows = 0, cols = 0;
	const struct sk_conn *c;

	for (c = m->conns; c; c = c->next) {
		if ((c->waits == SK_LIFE_START || c->waits == SK_LIFE_CREATE || c->proc == m->init) && c->rows) {
			rows = c->rows;
			cols = c->cols;
		}
	}
	m->life.starting = true;
	m->init->started = true;
	if (sk_guest_create(m, rows, cols, on_created, m) < 0)
		sk_monitor_lost(m, "the request to create the container could not be sent: see log/monitor.log in the "
				   "container's directory");
}

void sk_monitor_mount(struct sk_monitor *m)
{
	if (!sk_life_may_mount(&m->life))
		return;
	m->life.mounted = true;
	/* The request that needs the root follows at once: the agent queues it until the root is mounted. */
	sk_guest_mount(m);
}

void sk_monitor_want_start(struct sk_monitor *m)
{
	if (sk_life_want_start(&m->life))
		sk_monitor_set_status(m, "starting");
	if (sk_life_may_start(&m->life))
		sk_monitor_start_container(m);
}

/* ---- stop */

static void on_kill_timeout(void *arg)
{
	sk_monitor_kill(arg);
}

static void on_stop_timeout(void *arg)
{
	struct sk_monitor *m = arg;

	if (m->life.phase != SK_PHASE_RUNNING)
		return;
	sk_proc_killed(m->init);
	sk_proc_signal(m->init, SIGKILL, true);
	/* If the guest does not obey SIGKILL either, the VM is killed. */
	sk_loop_remove(m->down_timer);
	m->down_timer = sk_loop_add_timer(m->loop, SK_KILL_MS, on_kill_timeout, m);
}

void sk_monitor_kill_soon(struct sk_monitor *m)
{
	if (m->life.phase == SK_PHASE_RUNNING && !m->down_timer)
		m->down_timer = sk_loop_add_timer(m->loop, SK_KILL_MS, on_kill_timeout, m);
}

void sk_monitor_stop(struct sk_monitor *m, int signal, int timeout)
{
	json_object_set_new(m->state, "stopped_by_user", json_true());
	if (signal == SIGKILL)
		sk_proc_killed(m->init);
	if (sk_life_stop(&m->life)) {
		/* A paused container could not act on it. */
		sk_sandbox_request(m->sandbox, &(const struct sk_msg){ .op = SK_OP_RESUME, .container = SK_CONTAINER },
				   NULL, NULL);
		sk_proc_signal(m->init, signal, false);
		sk_loop_remove(m->stop_timer);
		m->stop_timer =
			timeout < 0 ? NULL : sk_loop_add_timer(m->loop, (uint64_t)timeout * 1000, on_stop_timeout, m);
	}
	sk_loop_trigger(m->reap);
}
