/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Further containers in a VM that runs already: the containers of a pod. The VM belongs to its first container, c0 (a
 * pod's sandbox), and ends with it; the others, c1, c2, …, come and go.
 *
 * Each has a process of its own on the host, which is for it what this program is for c0: it holds the connection
 * "join" as long as the container lives, carries its stdio, and ends with its exit code. When that process goes first,
 * the container is killed.
 *
 * Its files come from a file server of its own, a child of that process: a VM cannot be given a device while it runs,
 * on every engine, so 9P travels over streams. A connection "share" brings the server's end; the guest connects with
 * the same token, and bytes are passed on both ways without a look at them. So a container's server holds nothing of
 * another container, and is confined like c0's.
 *
 * The exit of a container is told when the guest has unmounted its files: whoever hears of it may take them away.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/monitor.h"

#define SK_POD_CONTAINERS 256u
#define SK_POD_OOM_MS 1000u /* the guest can make as many as it likes */

static bool name_valid(const char *name)
{
	size_t n = strlen(name);

	return name[0] == 'c' && n > 1 && n < 12 && strspn(name + 1, "0123456789") == n - 1;
}

const char *sk_pod_container(const struct sk_monitor *m, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "container"));

	return m->managed && name && name_valid(name) ? name : SK_CONTAINER;
}

static void refuse(struct sk_conn *c, int code, const char *message)
{
	sk_conn_reply_error(c, code, 0, message);
	sk_conn_finish(c);
}

/* ---- join */

static void give_up(struct sk_monitor *m, const char *container)
{
	sk_session_request(m, json_pack("{s:s,s:s}", "op", "delete", "container", container), NULL, NULL);
}

static void on_joined(struct sk_monitor *m, void *arg, const json_t *reply)
{
	struct sk_conn *c = arg;
	struct sk_proc *p = sk_proc_find(m, c->exec_key, SK_INIT_KEY);
	const char *message = json_string_value(json_object_get(reply, "message"));

	c->refs--;
	if (reply && json_is_true(json_object_get(reply, "ok"))) {
		if (p)
			p->started = true;
		if (c->dead)
			give_up(m, c->exec_key);
		else
			sk_conn_reply_ok(c, json_pack("{s:s}", "container", c->exec_key));
		return;
	}
	sk_proc_detach(c);
	if (p)
		p->finished = p->exited = true;
	sk_conn_reply_error(c, reply ? (int)json_integer_value(json_object_get(reply, "errno")) : ECONNRESET,
			    (int)json_integer_value(json_object_get(reply, "exit_code")),
			    message ? message : "the VM of the pod has ended");
	sk_conn_finish(c);
	sk_loop_trigger(m->reap);
}

static unsigned count_members(const struct sk_monitor *m)
{
	const struct sk_proc *p;
	unsigned n = 0;

	for (p = m->procs; p; p = p->next)
		n += p->member;
	return n;
}

static void op_join(struct sk_conn *c, const json_t *o)
{
	unsigned rows = (unsigned)json_integer_value(json_object_get(o, "rows")),
		 cols = (unsigned)json_integer_value(json_object_get(o, "cols"));
	json_t *create = json_object_get(o, "create");
	struct sk_monitor *m = c->m;
	struct sk_proc *p;

	if (m->phase != SK_PHASE_RUNNING || !json_is_object(create)) {
		refuse(c, ENOTCONN, "the VM of the pod is not running");
		return;
	}
	if (count_members(m) >= SK_POD_CONTAINERS) {
		refuse(c, EAGAIN, "too many containers in one VM");
		return;
	}
	snprintf(c->exec_key, sizeof(c->exec_key), "c%u", ++m->next_container);
	c->wants_stdin = json_is_true(json_object_get(o, "stdin"));
	p = sk_proc_new(m, c->exec_key, SK_INIT_KEY, json_is_true(json_object_get(o, "terminal")), c->wants_stdin);
	if (!p) {
		refuse(c, ENOMEM, "out of memory");
		return;
	}
	p->bare_newlines = json_is_true(json_object_get(o, "bare_newlines"));
	sk_proc_attach(p, c);
	c->kind = SK_CONN_ATTACHED;
	c->refs++;
	create = json_copy(create);
	json_object_set_new(create, "op", json_string("create"));
	json_object_set_new(create, "container", json_string(c->exec_key));
	json_object_set_new(create, "start", json_false());
	json_object_set_new(create, "stdio", sk_proc_stdio(p, rows, cols));
	if (sk_session_request(m, create, on_joined, c) < 0)
		on_joined(m, c, NULL);
}

void sk_pod_conn_dead(struct sk_conn *c)
{
	struct sk_proc *p = c->proc;

	if (!p->exited)
		sk_session_request(c->m,
				   json_pack("{s:s,s:s,s:s,s:i,s:b}", "op", "signal", "container", p->container, "key",
					     SK_INIT_KEY, "signal", 9, "all", 1),
				   NULL, NULL);
}

void sk_pod_oom(struct sk_monitor *m, const char *container)
{
	struct sk_proc *p = sk_proc_find(m, container, SK_INIT_KEY);
	struct sk_conn *c;

	if (!p || !p->member || (p->oom_ms && sk_now_ms() - p->oom_ms < SK_POD_OOM_MS))
		return;
	p->oom_ms = sk_now_ms();
	for (c = p->readers; c; c = c->next_reader)
		sk_conn_event(c, json_pack("{s:s}", "event", "oom"));
}

/* ---- the end of one */

static void tell_exit(struct sk_proc *p)
{
	struct sk_conn *c;

	while ((c = p->readers)) {
		sk_proc_detach(c);
		sk_conn_event(c, json_pack("{s:s,s:i,s:b}", "event", "exit", "code", p->code, "oom", p->oom));
		sk_conn_finish(c);
	}
	sk_loop_trigger(p->m->reap);
}

static void on_deleted(struct sk_monitor *m, void *arg, const json_t *reply)
{
	char *container = arg;
	struct sk_proc *p = sk_proc_find(m, container, SK_INIT_KEY);

	(void)reply;
	if (p)
		tell_exit(p);
	free(container);
}

void sk_pod_finished(struct sk_proc *p)
{
	char *container = strdup(p->container);

	if (!container || sk_session_request(p->m, json_pack("{s:s,s:s}", "op", "delete", "container", p->container),
					     on_deleted, container) < 0) {
		free(container);
		tell_exit(p);
	}
}

/* ---- files */

static void op_share(struct sk_conn *c, const json_t *o)
{
	const char *token = json_string_value(json_object_get(o, "token"));

	if (!token || strlen(token) != (size_t)2 * SK_TOKEN_LEN || strspn(token, "0123456789abcdef") != strlen(token)) {
		refuse(c, EINVAL, "no valid token");
		return;
	}
	c->copy.conn = c;
	memcpy(c->copy.token, token, sizeof(c->copy.token));
	c->kind = SK_CONN_SHARE;
	sk_conn_reply_ok(c, NULL);
}

bool sk_pod_request(struct sk_conn *c, const char *op, json_t *request)
{
	if (!c->m->managed)
		return false;
	if (strcmp(op, "join") == 0) {
		op_join(c, request);
		return true;
	}
	if (strcmp(op, "share") == 0) {
		op_share(c, request);
		return true;
	}
	if (strcmp(op, "start") == 0 && strcmp(sk_pod_container(c->m, request), SK_CONTAINER) != 0) {
		sk_conn_pass_on(c, json_incref(request));
		return true;
	}
	if (strcmp(op, "kill") == 0 && strcmp(sk_pod_container(c->m, request), SK_CONTAINER) != 0 &&
	    c->m->phase != SK_PHASE_RUNNING) {
		refuse(c, ESRCH, "the VM of the pod is not running");
		return true;
	}
	return false;
}
