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
#include <signal.h>
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

bool sk_pod_may_have(const struct sk_monitor *m, const struct sk_msg *request)
{
	const char *name = request->container;

	return !name || strcmp(name, SK_CONTAINER) == 0 || (m->life.policy->pods && name_valid(name));
}

const char *sk_pod_container(const struct sk_monitor *m, const struct sk_msg *request)
{
	const char *name = request->container;

	return m->life.policy->pods && name && name_valid(name) ? name : SK_CONTAINER;
}

static void refuse(struct sk_conn *c, int code, const char *message)
{
	sk_conn_reply_error(c, code, 0, message);
	sk_conn_finish(c);
}

/* ---- the end of one */

static int delete_container(struct sk_monitor *m, const char *container, sk_reply_cb cb, void *arg)
{
	return sk_sandbox_request(m->sandbox, &(const struct sk_msg){ .op = SK_OP_DELETE, .container = container }, cb,
				  arg);
}

static void tell_end(struct sk_proc *p)
{
	sk_life_lost(p->life, "");
	sk_life_down(p->life);
	sk_proc_tell_exit(p);
}

/* A first process whose container the agent has been asked to remove; it may be gone when that answers. */
struct deletion {
	struct sk_monitor *m;
	char container[sizeof(((struct sk_proc *)NULL)->container)];
};

static void on_deleted(void *arg, const struct sk_reply *reply)
{
	struct deletion *d = arg;
	struct sk_proc *p = sk_proc_find(d->m, d->container, SK_INIT_KEY);

	(void)reply;
	if (p)
		tell_end(p);
	free(d);
}

static void on_finished(struct sk_proc *p)
{
	struct deletion *d = calloc(1, sizeof(*d));

	sk_life_stopping(p->life, p->code, p->oom);
	if (d) {
		d->m = p->m;
		snprintf(d->container, sizeof(d->container), "%s", p->container);
	}
	if (!d || delete_container(p->m, p->container, on_deleted, d) < 0) {
		free(d);
		tell_end(p);
	}
}

/* ---- join */

static void on_joined(void *arg, const struct sk_reply *reply)
{
	struct sk_conn *c = arg;
	struct sk_monitor *m = c->m;
	struct sk_proc *p = sk_proc_find(m, c->exec_key, SK_INIT_KEY);

	c->refs--;
	if (reply && reply->ok) {
		if (p) {
			p->started = true;
			sk_life_ready(p->life);
			sk_life_created(p->life);
		}
		if (c->dead)
			delete_container(m, c->exec_key, NULL, NULL);
		else
			sk_conn_reply(c, &(const struct sk_reply){ .container = c->exec_key });
		return;
	}
	sk_proc_detach(c);
	if (p)
		p->finished = p->exited = true;
	if (reply)
		sk_conn_reply_error(c, reply->error, reply->exit_code, reply->message);
	else
		sk_conn_reply_error(c, ECONNRESET, 0, "the VM of the pod has ended");
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

void sk_pod_join(struct sk_conn *c, const struct sk_msg *request)
{
	struct sk_msg create = { .op = SK_OP_CREATE, .container = c->exec_key, .create = request->join.create };
	struct sk_monitor *m = c->m;
	struct sk_proc *p;

	if (count_members(m) >= SK_POD_CONTAINERS) {
		refuse(c, EAGAIN, "too many containers in one VM");
		return;
	}
	snprintf(c->exec_key, sizeof(c->exec_key), "c%u", ++m->next_container);
	c->wants_stdin = request->join.input;
	p = sk_proc_new(m, c->exec_key, SK_INIT_KEY, request->join.terminal, c->wants_stdin);
	if (p)
		p->life = calloc(1, sizeof(*p->life));
	if (!p || !p->life) {
		sk_proc_free(p);
		refuse(c, ENOMEM, "out of memory");
		return;
	}
	p->life->policy = &sk_life_member;
	sk_life_boot(p->life);
	p->finished_cb = on_finished;
	p->bare_newlines = request->join.bare_newlines;
	sk_proc_attach(p, c);
	c->kind = SK_CONN_ATTACHED;
	c->refs++;
	create.create.start = false;
	create.create.stdio = sk_proc_stdio(p, request->join.rows, request->join.cols);
	if (sk_sandbox_request(m->sandbox, &create, on_joined, c) < 0)
		on_joined(c, NULL);
}

void sk_pod_conn_dead(struct sk_conn *c)
{
	struct sk_proc *p = c->proc;

	if (!p->exited)
		sk_proc_signal(p, SIGKILL, true);
}

void sk_pod_oom(struct sk_monitor *m, const char *container)
{
	struct sk_proc *p = sk_proc_find(m, container, SK_INIT_KEY);
	struct sk_conn *c;

	if (!p || !p->member || (p->oom_ms && sk_now_ms() - p->oom_ms < SK_POD_OOM_MS))
		return;
	p->oom_ms = sk_now_ms();
	for (c = p->readers; c; c = c->next_reader)
		sk_conn_event(c, &(const struct sk_msg){ .op = SK_EVENT_OOM });
}

/* ---- files */

void sk_pod_share(struct sk_conn *c, const struct sk_msg *request)
{
	c->copy.conn = c;
	c->copy.token = request->share.token;
	c->kind = SK_CONN_SHARE;
	sk_conn_reply_ok(c);
}

static void on_started(void *arg, const struct sk_reply *reply)
{
	struct sk_conn *c = arg;
	struct sk_proc *p = sk_proc_find(c->m, c->exec_key, SK_INIT_KEY);

	if (p && p->life && reply && reply->ok)
		sk_life_started(p->life, sk_now_ms());
	sk_conn_on_passed(arg, reply);
}

void sk_pod_start(struct sk_conn *c, const struct sk_msg *request)
{
	snprintf(c->exec_key, sizeof(c->exec_key), "%s", request->container);
	sk_conn_ask(c, &(const struct sk_msg){ .op = SK_OP_START, .container = c->exec_key }, on_started);
}
