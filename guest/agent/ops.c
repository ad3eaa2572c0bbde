/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatches the monitor's requests, and implements those that take a few lines and do not block. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "boot.h"
#include "cgroup.h"
#include "container.h"
#include "dial.h"
#include "files.h"
#include "memory.h"
#include "job.h"
#include "waiting.h"

/* Replies to a request that is dealt with: `r` negative: with `err`; otherwise with the fields of `reply` (may be
 * NULL). Takes the request. */
static void finish(struct sk_agent *a, struct sk_msg *take_req, int r, const struct sk_error *err,
		   struct sk_reply *reply)
{
	if (r < 0)
		sk_session_fail(a->session, take_req->id, err, 0);
	else
		sk_session_reply(a->session, take_req, reply);
	sk_msg_fini(take_req);
}

static int op_signal(struct sk_agent_container *c, const struct sk_msg *req, struct sk_error *err)
{
	struct sk_process *p = sk_container_process(c, req->key);
	pid_t pid;

	if (req->signal.all && c->agent->cgroups)
		return sk_cgroup_signal(c->id, req->signal.number);
	if (!p || p->pid <= 0)
		return sk_error_set(err, ESRCH, "process %s of container %s is not running", req->key, c->id);
	/* Ours until it is reaped, which only we do: the number cannot mean anyone else. */
	pid = req->signal.group && getpgid(p->pid) == p->pid ? -p->pid : p->pid;
	return kill(pid, req->signal.number) < 0 ? sk_error_errno(err, errno, "cannot send the signal") : 0;
}

static int op_resize(struct sk_agent_container *c, const struct sk_msg *req, struct sk_error *err)
{
	const struct winsize size = { .ws_row = req->size.rows, .ws_col = req->size.cols };
	struct sk_process *p = sk_container_process(c, req->key);

	if (!p || p->terminal < 0)
		return sk_error_set(err, EINVAL, "process %s of container %s has no terminal", req->key, c->id);
	return ioctl(p->terminal, TIOCSWINSZ, &size) < 0 ? sk_error_errno(err, errno, "cannot resize") : 0;
}

static int op_freeze(struct sk_agent_container *c, const char *value, struct sk_error *err)
{
	int r = sk_container_init_pid(c) ? sk_cgroup_write(c->id, "cgroup.freeze", value) : -ESRCH;

	if (r == 0)
		c->paused = *value == '1';
	return r < 0 ? sk_error_errno(err, r, "cannot %s container %s", *value == '1' ? "pause" : "resume", c->id) : 0;
}

static void op_container(struct sk_agent *a, struct sk_agent_container *c, struct sk_msg *take_req)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_reply reply = { 0 };
	json_t *stats = NULL;
	enum sk_op op;
	int r = 0;

	switch (take_req->op) {
	case SK_OP_START:
		sk_container_start(c, take_req);
		return;
	case SK_OP_EXEC:
		sk_container_exec(c, take_req);
		return;
	case SK_OP_DELETE:
		sk_container_delete(c, take_req);
		return;
	case SK_OP_SIGNAL:
		r = op_signal(c, take_req, &err);
		break;
	case SK_OP_RESIZE:
		r = op_resize(c, take_req, &err);
		break;
	case SK_OP_PAUSE:
	case SK_OP_RESUME:
		r = op_freeze(c, take_req->op == SK_OP_PAUSE ? "1" : "0", &err);
		break;
	case SK_OP_STATS:
		reply.stats = stats = sk_cgroup_stats(c->id);
		break;
	default:
		sk_files_start(c, take_req);
		return;
	}
	op = take_req->op;
	finish(a, take_req, r, &err, &reply);
	json_decref(stats);
	if (op == SK_OP_RESUME && r == 0)
		sk_waiting_retry(a);
}

static void op_time(struct sk_agent *a, struct sk_msg *take_req)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_reply reply = { 0 };
	struct timespec ts;
	int r = 0;

	if (take_req->time.time.set && !a->test)
		r = sk_setup_clock(&take_req->time.time, &err);
	if (r == 0 && take_req->time.adjust && !a->test)
		r = sk_adjust_clock(take_req->time.adjust, &err);
	clock_gettime(CLOCK_REALTIME, &ts);
	reply.clock = (struct sk_time){ .set = true, .sec = ts.tv_sec, .nsec = ts.tv_nsec };
	finish(a, take_req, r, &err, &reply);
}

struct sync_job {
	struct sk_agent *agent;
	struct sk_msg req;
};

static int sync_child(void *arg, int report_fd)
{
	(void)arg;
	(void)report_fd;
	sync();
	return 0;
}

static void sync_done(void *arg, int code, json_t *result)
{
	struct sync_job *s = arg;

	(void)code;
	(void)result;
	finish(s->agent, &s->req, 0, NULL, NULL);
	free(s);
}

static void op_sync(struct sk_agent *a, struct sk_msg *take_req)
{
	static const struct sk_job_ops ops = { .run = sync_child, .done = sync_done };
	struct sync_job *s = calloc(1, sizeof(*s));
	struct sk_error err = SK_ERROR_INIT;
	int r = -ENOMEM;

	if (s) {
		*s = (struct sync_job){ .agent = a, .req = *take_req };
		r = sk_job_start(&a->jobs, &ops, s);
		if (r == 0)
			return;
		free(s);
	}
	sk_error_errno(&err, r, "cannot start a process");
	finish(a, take_req, r, &err, NULL);
}

void sk_ops_handle(void *arg, struct sk_msg *take_req)
{
	struct sk_agent *a = arg;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_agent_container *c;
	bool fast;
	int r;

	switch (take_req->op) {
	case SK_OP_SETUP:
		r = sk_setup(a, take_req, &err);
		a->memory_ceiling = sk_memory_ceiling();
		sk_memory_watch(a, take_req->setup.idle_reclaim);
		finish(a, take_req, r, &err, NULL);
		return;
	case SK_OP_TIME:
		op_time(a, take_req);
		return;
	case SK_OP_NETWORK:
		r = a->test ? 0 : sk_net_apply(a, &take_req->network.network, &err);
		finish(a, take_req, r, &err, NULL);
		return;
	case SK_OP_CONNECT:
	case SK_OP_CONNECT_UNIX:
		sk_dial(a, take_req);
		return;
	case SK_OP_SYNC:
		op_sync(a, take_req);
		return;
	case SK_OP_SHUTDOWN:
		fast = take_req->shutdown.fast;
		finish(a, take_req, 0, NULL, NULL);
		sk_agent_power_off(a, !fast);
		return;
	default:
		break;
	}
	c = sk_container_find(a, take_req->container);
	if (sk_waiting_due(a, take_req->container)) {
		sk_waiting_add(a, take_req);
	} else if (take_req->op == SK_OP_CREATE) {
		sk_container_create(a, take_req);
	} else if (!c) {
		sk_error_set(&err, ENOENT, "no container %s", take_req->container);
		finish(a, take_req, -ENOENT, &err, NULL);
	} else if (sk_container_busy(c)) {
		sk_waiting_add(a, take_req);
	} else {
		op_container(a, c, take_req);
	}
}

static void retry(void *arg)
{
	struct sk_waiting *w, *next;

	for (w = sk_waiting_take(arg); w; w = next) {
		struct sk_msg req = w->req;

		next = w->next;
		free(w);
		sk_ops_handle(arg, &req);
	}
}

int sk_ops_init(struct sk_agent *agent)
{
	agent->retry = sk_loop_add_deferred(agent->loop, retry, agent);
	return agent->retry ? 0 : -ENOMEM;
}
