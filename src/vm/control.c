/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients ask for: one request each, or one conversation (attach, exec, get, put). See docs/protocols.md. The
 * connections themselves are conn.c's.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/socket.h"
#include "skerry_config.h"
#include "vm/monitor.h"

/* A client has gone: what it owned goes with it. */
static void on_gone(struct sk_conn *c)
{
	if (c->proc && c->proc->member) {
		sk_pod_conn_dead(c);
		sk_proc_detach(c);
	} else if (c->proc) {
		struct sk_proc *p = c->proc;

		/* docker's StdinOnce: the input ends with the client that gave it. */
		if (c->wants_stdin && (!p->init || c->m->config.stdin_once))
			sk_proc_stdin(p, NULL, 0);
		if (c->owner && !p->finished)
			sk_monitor_kill(c->m);
		else if (c->owns_process && !p->exited)
			sk_proc_signal(p, SIGKILL, false);
		sk_proc_detach(c);
	} else if (c->owner) {
		sk_monitor_kill(c->m);
	}
}

/* The answer to SIGKILL. If the guest went away before it answered, its container is dead too: success. */
static void on_killed(void *arg, const struct sk_reply *reply)
{
	struct sk_conn *c = arg;

	if (reply) {
		sk_conn_on_passed(arg, reply);
		return;
	}
	c->refs--;
	sk_conn_reply_ok(c);
	sk_conn_finish(c);
	sk_loop_trigger(c->m->reap);
}

/* ---- requests */

/* Of the container that the request names. */
static void ask(struct sk_conn *c, const struct sk_msg *request, sk_reply_cb cb)
{
	struct sk_msg msg = *request;

	msg.container = sk_pod_container(c->m, request);
	sk_conn_ask(c, &msg, cb);
}

static void op_attach(struct sk_conn *c, const struct sk_msg *request)
{
	c->kind = SK_CONN_ATTACHED;
	c->wants_stdin = request->attach.input;
	c->owner = request->attach.owner;
	sk_conn_reply_ok(c);
	sk_proc_attach(c->m->init, c);
}

static void wait_for(struct sk_conn *c, enum sk_life_verb verb)
{
	c->waits = verb;
	if (c->kind == SK_CONN_NEW)
		c->kind = SK_CONN_WAITING;
	/* This monitor has no further event to wait for: answer now. */
	if (c->m->life.final || (verb == SK_LIFE_WAIT && c->m->life.handing_over))
		sk_monitor_answer(c->m);
}

/* create, and start of one that is not created yet. */
static void op_begin(struct sk_conn *c, const struct sk_msg *request, enum sk_life_verb verb)
{
	if (verb == SK_LIFE_START) {
		c->rows = request->size.rows;
		c->cols = request->size.cols;
	}
	wait_for(c, verb);
	sk_monitor_want_start(c->m);
}

static void op_start_created(struct sk_conn *c)
{
	wait_for(c, SK_LIFE_START);
	/* The network as it is when the container starts: newer docker makes it between create and start, and what the
	 * watch tells of that may still be on its way. The guest serves requests in their order. */
	sk_sandbox_update_network(c->m->sandbox);
	if (sk_monitor_start_created(c->m) < 0) {
		sk_conn_reply_error(c, ENOTCONN, 0, "the container is not running");
		sk_conn_finish(c);
	}
}

static void op_start(struct sk_conn *c, const struct sk_msg *request, enum sk_life_verdict verdict)
{
	if (strcmp(sk_pod_container(c->m, request), SK_CONTAINER) != 0) {
		sk_pod_start(c, request);
	} else if (verdict == SK_LIFE_NOTED) {
		op_begin(c, request, SK_LIFE_START);
	} else if (verdict == SK_LIFE_GO) {
		op_start_created(c);
	} else { /* it runs already, or is about to start by itself */
		sk_conn_reply_ok(c);
		if (c->kind != SK_CONN_ATTACHED)
			sk_conn_finish(c);
	}
}

/* Keys of exec's processes are unique among all containers. */
static struct sk_proc *proc_by_key(struct sk_monitor *m, const char *key)
{
	struct sk_proc *p;

	for (p = m->procs; p && strcmp(p->key, key) != 0; p = p->next)
		;
	return p;
}

static void on_exec(void *arg, const struct sk_reply *reply)
{
	struct sk_conn *c = arg;
	struct sk_monitor *m = c->m;
	struct sk_proc *p =
		c->exec_key[0] ? proc_by_key(m, c->exec_key) : NULL; /* the client may have gone meanwhile */

	c->refs--;
	if (!p || !reply || !reply->ok) {
		sk_proc_detach(c);
		if (p)
			p->finished = p->exited = true;
		sk_conn_pass_error(c, reply && !reply->ok ? reply : NULL);
		sk_conn_finish(c);
		sk_loop_trigger(m->reap);
		return;
	}
	sk_conn_reply(c, &(const struct sk_reply){ .key = p->key });
	if (c->detached) { /* nobody reads it */
		sk_proc_detach(c);
		sk_conn_finish(c);
	}
	sk_proc_answered(p);
	if (p->finished)
		sk_proc_tell_exit(p);
}

static void op_exec(struct sk_conn *c, const struct sk_msg *request)
{
	struct sk_msg msg = { .op = SK_OP_EXEC, .container = request->container };
	struct sk_monitor *m = c->m;
	struct sk_proc *p;
	unsigned n = 0;
	char key[24];

	for (p = m->procs; p; p = p->next)
		n++;
	if (n >= SK_MAX_PROCS) {
		sk_conn_reply_error(c, EAGAIN, 0, "too many processes were started with exec");
		sk_conn_finish(c);
		return;
	}
	c->wants_stdin = request->run.input;
	c->detached = request->run.detach;
	c->owns_process = request->run.owner;
	snprintf(key, sizeof(key), "x%u", ++m->next_key);
	p = sk_proc_new(m, sk_pod_container(m, request), key,
			json_is_true(json_object_get(request->run.process, "terminal")), c->wants_stdin);
	if (!p) {
		sk_conn_dead(c);
		return;
	}
	p->bare_newlines = request->run.bare_newlines;
	snprintf(c->exec_key, sizeof(c->exec_key), "%s", key);
	sk_proc_attach(p, c);
	msg.key = key;
	msg.exec.process = request->run.process;
	msg.exec.user = request->run.user;
	msg.exec.ignore_paused = request->run.ignore_paused;
	if (strcmp(p->container, SK_CONTAINER) == 0)
		msg.exec.groups = json_object_get(m->config.json, "groups");
	msg.exec.stdio = sk_proc_stdio(p, request->run.rows, request->run.cols);
	ask(c, &msg, on_exec);
	if (c->kind == SK_CONN_WAITING && !c->detached)
		c->kind = SK_CONN_ATTACHED;
}

static void op_stop(struct sk_conn *c, const struct sk_msg *request)
{
	wait_for(c, SK_LIFE_STOP);
	if (request->stop.keep)
		c->m->config.auto_remove = false; /* of this life */
	sk_monitor_stop(c->m, request->stop.signal ? request->stop.signal : c->m->config.stop_signal,
			request->stop.has_timeout ? request->stop.timeout : c->m->config.stop_timeout);
}

static void op_kill(struct sk_conn *c, const struct sk_msg *request)
{
	const char *container = sk_pod_container(c->m, request), *key = request->key ? request->key : SK_INIT_KEY;
	struct sk_msg msg = { .op = SK_OP_SIGNAL, .container = container, .key = key, .signal = request->signal };
	int signal = request->signal.number;
	bool whole = !request->key && strcmp(container, SK_CONTAINER) == 0, last = whole && signal == SIGKILL;

	if (signal == SIGKILL)
		sk_proc_killed(sk_proc_find(c->m, container, key));
	if (last)
		sk_monitor_kill_soon(c->m); /* the guest is hostile: it need not obey */
	ask(c, &msg, last ? on_killed : sk_conn_on_passed);
}

static void on_copied(void *arg, const struct sk_reply *reply)
{
	struct sk_conn *c = arg;
	struct sk_monitor *m = c->m;

	c->refs--;
	c->copy_replied = true;
	snprintf(c->copy_error, sizeof(c->copy_error), "%s",
		 !reply	     ? "the container has stopped"
		 : reply->ok ? ""
			     : reply->message);
	c->copy_errno = !reply ? ECONNRESET : reply->ok ? 0 : reply->error;
	/* An error may come without any stream. */
	if (c->copy_errno && !c->copy.stream)
		c->copy.done = true;
	sk_loop_trigger(m->reap);
}

static void op_copy(struct sk_conn *c, const struct sk_msg *request)
{
	struct sk_msg msg = *request;

	c->copy.conn = c;
	c->copy_put = request->op == SK_REQUEST_PUT;
	sk_channel_token(&c->copy);
	msg.op = c->copy_put ? SK_OP_PUT : SK_OP_GET;
	msg.file.stream = c->copy.token;
	ask(c, &msg, on_copied);
	if (c->kind == SK_CONN_WAITING)
		c->kind = SK_CONN_COPY;
}

static void op_info(struct sk_conn *c)
{
	struct sk_monitor *m = c->m;

	sk_conn_reply(c, &(const struct sk_reply){ .engine = m->engine ? m->engine->name : NULL,
						   .cpus = m->config.cpus,
						   .memory = m->config.memory,
						   .kernel = sk_sandbox_kernel(m->sandbox),
						   .pid = (int)getpid(),
						   .engine_pid = (int)sk_sandbox_engine_pid(m->sandbox) });
	sk_conn_finish(c);
}

/* A request that goes on to the agent as it is. */
static void op_passed(struct sk_conn *c, const struct sk_msg *request)
{
	struct sk_msg msg = *request;
	bool whole = strcmp(sk_pod_container(c->m, request), SK_CONTAINER) == 0;

	msg.op = sk_op_passed_as(request->op);
	ask(c, &msg, sk_conn_on_passed);
	if (!whole || c->m->life.phase != SK_PHASE_RUNNING)
		return;
	if (request->op == SK_REQUEST_PAUSE)
		sk_monitor_set_status(c->m, "paused");
	else if (request->op == SK_REQUEST_RESUME)
		sk_monitor_set_status(c->m, "running");
}

/* Until the guest is up; sk_control_ready(). */
static void defer(struct sk_conn *c, struct sk_msg *take_request)
{
	c->deferred = malloc(sizeof(*c->deferred));
	if (!c->deferred) {
		sk_conn_dead(c);
		return;
	}
	*c->deferred = *take_request;
	take_request->json = NULL;
	c->kind = SK_CONN_WAITING;
}

/* What a request asks of the container; NO_VERB: of the guest, the monitor, or a process. */
static enum sk_life_verb verb_of(enum sk_op op)
{
	static const struct {
		enum sk_op op;
		enum sk_life_verb verb;
	} verbs[] = {
		{ SK_REQUEST_ATTACH, SK_LIFE_ATTACH },	 { SK_REQUEST_START, SK_LIFE_START },
		{ SK_REQUEST_CREATE, SK_LIFE_CREATE },	 { SK_REQUEST_EXEC, SK_LIFE_EXEC },
		{ SK_REQUEST_KILL, SK_LIFE_SIGNAL },	 { SK_REQUEST_STOP, SK_LIFE_STOP },
		{ SK_REQUEST_WAIT, SK_LIFE_WAIT },	 { SK_REQUEST_GET, SK_LIFE_COPY },
		{ SK_REQUEST_PUT, SK_LIFE_COPY },	 { SK_REQUEST_STAT, SK_LIFE_COPY },
		{ SK_REQUEST_JOIN, SK_LIFE_JOIN },	 { SK_REQUEST_SHARE, SK_LIFE_PROVIDE },
		{ SK_REQUEST_NETWORK, SK_LIFE_PROVIDE },
	};
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(verbs); i++)
		if (verbs[i].op == op)
			return verbs[i].verb;
	return SK_LIFE_NO_VERB;
}

/* Returns the verdict on a request, and sends the refusal if it is one. A member is judged by its own life, and
 * only while the VM runs. Requests about an unknown member go to the agent, which refuses them. */
static enum sk_life_verdict judge(struct sk_conn *c, const struct sk_msg *request, enum sk_life_verb verb)
{
	const char *container = sk_pod_container(c->m, request);
	const struct sk_life *life = &c->m->life;
	enum sk_life_verdict verdict;
	struct sk_life_refusal no;

	if (verb == SK_LIFE_NO_VERB)
		return SK_LIFE_GO;
	if (strcmp(container, SK_CONTAINER) != 0) {
		const struct sk_proc *p = sk_proc_find(c->m, container, SK_INIT_KEY);

		verdict = sk_life_judge(life, SK_LIFE_JOIN, &no);
		if (verdict == SK_LIFE_GO && (!p || !p->life))
			return SK_LIFE_GO;
		if (verdict == SK_LIFE_GO)
			verdict = sk_life_judge(p->life, verb, &no);
		else if (verb == SK_LIFE_SIGNAL)
			no.error = ESRCH; /* as kill(2) returns for a process that is gone */
	} else {
		verdict = sk_life_judge(life, verb, &no);
	}
	if (verdict <= SK_LIFE_UNKNOWN) {
		sk_conn_reply_error(c, no.error, no.exit_code, no.message);
		sk_conn_finish(c);
	}
	return verdict;
}

/* Asked for by the user: no restart, whatever comes of it. */
static void note_kill(struct sk_monitor *m, const struct sk_msg *request)
{
	bool whole = !request->key && strcmp(sk_pod_container(m, request), SK_CONTAINER) == 0;

	if (whole && (request->signal.number == SIGKILL || request->signal.number == m->config.stop_signal))
		m->life.killed = true;
}

/* Nothing of the container runs yet. */
static void abort_by(struct sk_conn *c, int signal)
{
	if (signal == SIGKILL)
		sk_monitor_kill(c->m);
	sk_conn_reply_ok(c);
	sk_conn_finish(c);
}

static void op_wait(struct sk_conn *c)
{
	sk_conn_reply_ok(c);
	wait_for(c, SK_LIFE_WAIT);
}

static void op_network(struct sk_conn *c)
{
	sk_sandbox_go_on(c->m->sandbox);
	sk_conn_reply_ok(c); /* the client sends create next, on this connection */
}

static void do_request(struct sk_conn *c, const struct sk_msg *request, enum sk_life_verdict verdict)
{
	switch (request->op) {
	case SK_REQUEST_ATTACH:
		op_attach(c, request);
		break;
	case SK_REQUEST_CREATE:
		op_begin(c, request, SK_LIFE_CREATE);
		break;
	case SK_REQUEST_START:
		op_start(c, request, verdict);
		break;
	case SK_REQUEST_EXEC:
		op_exec(c, request);
		break;
	case SK_REQUEST_STOP:
		op_stop(c, request);
		break;
	case SK_REQUEST_KILL:
		op_kill(c, request);
		break;
	case SK_REQUEST_WAIT:
		op_wait(c);
		break;
	case SK_REQUEST_GET:
	case SK_REQUEST_PUT:
		op_copy(c, request);
		break;
	case SK_REQUEST_INFO:
		op_info(c);
		break;
	case SK_REQUEST_JOIN:
		sk_pod_join(c, request);
		break;
	case SK_REQUEST_SHARE:
		sk_pod_share(c, request);
		break;
	case SK_REQUEST_NETWORK:
		op_network(c);
		break;
	default:
		op_passed(c, request);
		break;
	}
}

/* Borrows the request; a deferred one takes over its JSON. */
static void handle_request(struct sk_conn *c, struct sk_msg *request)
{
	enum sk_life_verb verb = verb_of(request->op);
	enum sk_life_verdict verdict;

	c->op = request->op;
	c->waits = SK_LIFE_NO_VERB;
	if (!sk_pod_may_have(c->m, request)) {
		sk_conn_reply_error(c, ENOENT, 0, "the VM has no container of that name");
		sk_conn_finish(c);
		return;
	}
	verdict = judge(c, request, verb);
	if (verb == SK_LIFE_SIGNAL && verdict != SK_LIFE_ABORT)
		note_kill(c->m, request);
	if (verdict <= SK_LIFE_UNKNOWN)
		return;
	if (verdict == SK_LIFE_LATER) {
		defer(c, request);
		wait_for(c, verb);
	} else if (verdict == SK_LIFE_ABORT) {
		abort_by(c, request->signal.number);
	} else {
		/* Requests that look into the root file system also work on a container that does not run: its VM is
		 * booted, and its root mounted, for them. */
		if (verb == SK_LIFE_COPY && c->m->life.phase == SK_PHASE_READY)
			sk_monitor_mount(c->m);
		do_request(c, request, verdict);
	}
}

/* The first message of a connection. */
static void first_message(struct sk_conn *c, json_t *take_json)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg request;
	int r = sk_msg_decode(SK_WIRE_REQUEST, take_json, &request, &err);

	if (r == -EOPNOTSUPP)
		sk_error_set(&err, ENOSYS,
			     "the container's monitor (skerry " SK_VERSION ") does not know this request: if skerry "
			     "was updated since the container was started, restart the container");
	if (r < 0) {
		sk_conn_reply_error(c, err.code, 0, err.message);
		sk_conn_finish(c);
		return;
	}
	handle_request(c, &request);
	sk_msg_fini(&request);
}

void sk_control_ready(struct sk_monitor *m)
{
	struct sk_conn *c;

	for (c = m->conns; c; c = c->next) {
		struct sk_msg *request = c->deferred;

		c->deferred = NULL;
		if (request && !c->dead)
			handle_request(c, request);
		sk_msg_fini(request);
		free(request);
	}
}

static void resize(struct sk_conn *c, const struct sk_msg *message)
{
	const struct sk_msg msg = {
		.op = SK_OP_RESIZE, .container = c->proc->container, .key = c->proc->key, .size = message->size
	};

	c->rows = message->size.rows;
	c->cols = message->size.cols;
	if (c->rows && c->cols)
		sk_sandbox_request(c->m->sandbox, &msg, NULL, NULL);
}

/* A message of an attached client; one that a newer client may send is ignored, and so is a broken one: the connection
 * carries the process's streams. */
static void attached_message(struct sk_conn *c, json_t *take_json)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg msg;

	if (sk_msg_decode(SK_WIRE_ATTACHED, take_json, &msg, &err) < 0) {
		sk_log(SK_LOG_DEBUG, "message of a client: %s", err.message);
		return;
	}
	if (msg.op == SK_ATTACHED_START && c->kind == SK_CONN_ATTACHED) {
		enum sk_life_verdict verdict = judge(c, &msg, SK_LIFE_START);

		if (verdict > SK_LIFE_UNKNOWN)
			op_start(c, &msg, verdict);
	} else if (msg.op == SK_ATTACHED_DETACH) {
		c->owner = false;
		c->wants_stdin = false;
		sk_proc_detach(c);
		sk_conn_event(c, &(const struct sk_msg){ .op = SK_EVENT_DETACHED });
		sk_conn_finish(c);
	} else if (c->proc && msg.op == SK_ATTACHED_RESIZE) {
		resize(c, &msg);
	} else if (c->proc && msg.op == SK_ATTACHED_SIGNAL) {
		sk_proc_signal(c->proc, msg.signal.number, false);
	}
	sk_msg_fini(&msg);
}

static int take_stdin(struct sk_conn *c, const struct sk_frame *f)
{
	if (c->kind == SK_CONN_COPY && c->copy_put) {
		/* Kept in `in` until the guest takes it: the caller stops reading. */
		return 0;
	}
	if (!c->proc || !c->wants_stdin)
		return 1; /* nobody wants it */
	c->stdin_unacked += f->len;
	if (c->stdin_unacked > SK_STDIN_WINDOW)
		return -EPROTO;
	sk_proc_stdin(c->proc, f->payload, f->len);
	return 1;
}

/* Put: passes STDIN frames on as the guest takes them. Called again when it has room. */
static void pump_put(struct sk_conn *c)
{
	struct sk_frame f;
	int r;

	while (c->copy.stream && (r = sk_frame_peek(&c->in, &f)) > 0) {
		size_t n;

		if (f.type != SK_FRAME_STDIN) {
			sk_frame_consume(&c->in, &f);
			continue;
		}
		if (f.len == 0) {
			sk_stream_shutdown(c->copy.stream);
			sk_frame_consume(&c->in, &f);
			c->copy.stalled = false;
			continue;
		}
		/* stdin_unacked: bytes of the front frame that have gone already. */
		n = sk_stream_write(c->copy.stream, f.payload + c->stdin_unacked, f.len - c->stdin_unacked);
		c->stdin_unacked += n;
		if (c->stdin_unacked < f.len)
			return;
		c->stdin_unacked = 0;
		sk_frame_consume(&c->in, &f);
	}
}

/* The file server's answers, to the guest as it takes them. */
static void pump_share(struct sk_conn *c)
{
	while (c->copy.stream && c->in.len) {
		size_t n = sk_stream_write(c->copy.stream, sk_buf_data(&c->in), c->in.len);

		if (n == 0)
			break;
		sk_buf_consume(&c->in, n);
	}
	if (c->in_closed && sk_buf_room(&c->in) > 0) {
		c->in_closed = false;
		sk_conn_flush(c);
	}
	/* The guest has unmounted it, or was refused. */
	if (c->copy.done && !c->copy.token.set)
		sk_conn_dead(c);
}

/* Whether the client may speak: 1, 0: not yet; negative: it does not know the secret. */
static int admit(struct sk_conn *c)
{
	const char *secret = c->m->secret;
	struct sk_frame f;
	uint8_t diff = 0;
	size_t i;
	int r;

	if (!c->stranger)
		return 1;
	r = sk_frame_peek(&c->in, &f);
	if (r <= 0)
		return r;
	if (f.type != SK_FRAME_SECRET || f.len != strlen(secret))
		return -EACCES;
	for (i = 0; i < f.len; i++)
		diff |= (uint8_t)(f.payload[i] ^ (uint8_t)secret[i]);
	if (diff)
		return -EACCES;
	sk_frame_consume(&c->in, &f);
	c->stranger = false;
	return 1;
}

static void handle_frames(struct sk_conn *c)
{
	struct sk_frame f;
	int r = admit(c);

	if (r < 0)
		sk_conn_dead(c);
	if (r <= 0)
		return;
	while (!c->dead && c->kind != SK_CONN_CLOSING) {
		json_t *o;

		if (c->kind == SK_CONN_SHARE) {
			pump_share(c);
			return;
		}
		if (c->kind == SK_CONN_COPY) {
			if (c->copy_put)
				pump_put(c);
			return;
		}
		r = sk_frame_peek(&c->in, &f);
		if (r == 0)
			return;
		if (r < 0)
			break;
		if (f.type == SK_FRAME_STDIN) {
			if (c->deferred)
				return; /* what a put brings, before the guest is up */
			r = take_stdin(c, &f);
			if (r < 0)
				break;
			sk_frame_consume(&c->in, &f);
			continue;
		}
		o = sk_frame_json(&f);
		if (!o) {
			r = -EPROTO;
			break;
		}
		sk_frame_consume(&c->in, &f);
		if (c->kind == SK_CONN_NEW)
			first_message(c, o);
		else
			attached_message(c, o);
	}
	if (r < 0)
		sk_conn_dead(c);
}

/* From the reap: a copy whose stream or reply has moved on. */
static void step_copy(struct sk_conn *c)
{
	if (c->kind != SK_CONN_COPY || c->dead)
		return;
	if (c->copy_put && c->copy.stream) {
		pump_put(c);
		if (c->in_closed && sk_buf_room(&c->in) > 0) {
			c->in_closed = false;
			sk_conn_flush(c);
		}
	}
	if (!c->copy_replied || (!c->copy_put && !c->copy.done && !c->copy_errno))
		return;
	if (!c->copy_put)
		sk_conn_output(c, SK_FRAME_STDOUT, NULL, 0);
	if (c->copy_errno)
		sk_conn_reply_error(c, c->copy_errno, 0, c->copy_error);
	else
		sk_conn_reply_ok(c);
	sk_stream_close(c->copy.stream);
	c->copy.stream = NULL;
	c->copy.done = true;
	sk_conn_finish(c);
}

static void on_room(struct sk_conn *c)
{
	sk_proc_writable(c->proc);
}

const struct sk_clients sk_control_clients = {
	.input = handle_frames, .room = on_room, .gone = on_gone, .freed = sk_proc_detach
};

void sk_control_step(struct sk_monitor *m)
{
	struct sk_conn *c, *next;

	for (c = m->conns; c; c = c->next) {
		step_copy(c);
		if (c->kind == SK_CONN_SHARE && !c->dead)
			pump_share(c);
	}
	for (c = m->conns; c; c = next) {
		next = c->next;
		if (c->dead && c->refs == 0)
			sk_conn_free(c);
	}
}

void sk_control_vm_ended(struct sk_monitor *m)
{
	struct sk_conn *c;

	for (c = m->conns; c; c = c->next)
		if (c->kind == SK_CONN_SHARE)
			sk_conn_dead(c);
}

bool sk_control_has_clients(const struct sk_monitor *m)
{
	const struct sk_conn *c;

	for (c = m->conns; c && (c->dead || c->of_proxy); c = c->next)
		;
	return c != NULL;
}

static void on_connection(void *arg, int take_fd)
{
	struct sk_monitor *m = arg;
	struct sk_conn *c;

	if (m->n_conns >= m->max_conns) {
		close(take_fd);
		return;
	}
	c = sk_conn_new(m, take_fd);
	if (c)
		c->stranger = m->secret[0];
}

bool sk_control_close(struct sk_monitor *m)
{
	sk_acceptor_poll(m->acceptor);
	if (m->conns)
		return false;
	sk_endpoint_remove(m->run_dir);
	sk_acceptor_free(SK_TAKE_PTR(m->acceptor));
	sk_close_fd(&m->listen_fd);
	return true;
}

int sk_control_listen(struct sk_monitor *m, struct sk_error *err)
{
	int fd = m->listen_fd, r = 0; /* the last life's */

	if (fd < 0)
		fd = r = sk_endpoint_listen(m->run_dir, m->secret, err);
	else if ((r = sk_endpoint_take_over(m->run_dir, m->secret)) < 0 || (r = sk_socket_nonblock(fd)) < 0)
		sk_error_errno(err, r, "cannot go on listening on %s/" SK_ENDPOINT_FILE, m->run_dir);
	if (r < 0)
		return r;
	m->listen_fd = fd;
	m->acceptor = sk_acceptor_new(m->loop, fd, on_connection, m);
	return m->acceptor ? 0 : sk_error_errno(err, errno, "cannot listen on %s/" SK_ENDPOINT_FILE, m->run_dir);
}
