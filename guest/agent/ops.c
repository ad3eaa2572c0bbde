/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: who deals with which, and the ones that are done in a few lines and without blocking. */
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

/* Replies to a request that is dealt with: `r` negative: with `err`. Takes `take_fields` and the request. */
static void finish(struct sk_agent *a, struct sk_request *take_req, int r, const struct sk_error *err,
		   json_t *take_fields)
{
	if (r < 0) {
		json_decref(take_fields);
		sk_session_fail(a->session, take_req->id, err, 0);
	} else {
		sk_session_reply(a->session, take_req->id, take_fields);
	}
	sk_request_fini(take_req);
}

static int op_signal(struct sk_container *c, const struct sk_request *req, struct sk_error *err)
{
	json_int_t signal = json_integer_value(json_object_get(req->json, "signal"));
	struct sk_process *p = sk_container_process(c, req->key);

	if (signal < 1 || signal > SIGRTMAX)
		return sk_error_set(err, EINVAL, "invalid signal");
	if (json_is_true(json_object_get(req->json, "all")) && c->agent->cgroups)
		return sk_cgroup_signal(c->id, (int)signal);
	if (!p || p->pid <= 0)
		return sk_error_set(err, ESRCH, "process %s of container %s is not running", req->key, c->id);
	/* Ours until it is reaped, which only we do: the number cannot mean anyone else. */
	return kill(p->pid, (int)signal) < 0 ? sk_error_errno(err, errno, "cannot send the signal") : 0;
}

static int op_resize(struct sk_container *c, const struct sk_request *req, struct sk_error *err)
{
	json_int_t rows = json_integer_value(json_object_get(req->json, "rows"));
	json_int_t cols = json_integer_value(json_object_get(req->json, "cols"));
	struct sk_process *p = sk_container_process(c, req->key);
	struct winsize size;

	if (rows < 1 || rows > UINT16_MAX || cols < 1 || cols > UINT16_MAX)
		return sk_error_set(err, EINVAL, "invalid terminal size");
	if (!p || p->terminal < 0)
		return sk_error_set(err, EINVAL, "process %s of container %s has no terminal", req->key, c->id);
	size = (struct winsize){ .ws_row = (uint16_t)rows, .ws_col = (uint16_t)cols };
	return ioctl(p->terminal, TIOCSWINSZ, &size) < 0 ? sk_error_errno(err, errno, "cannot resize") : 0;
}

static int op_freeze(struct sk_container *c, const char *value, struct sk_error *err)
{
	int r = sk_container_init_pid(c) ? sk_cgroup_write(c->id, "cgroup.freeze", value) : -ESRCH;

	if (r == 0)
		c->paused = *value == '1';
	return r < 0 ? sk_error_errno(err, r, "cannot %s container %s", *value == '1' ? "pause" : "resume", c->id) : 0;
}

static void op_container(struct sk_agent *a, struct sk_container *c, struct sk_request *take_req)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *fields = NULL;
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
		fields = json_pack("{s:o}", "stats", sk_cgroup_stats(c->id));
		break;
	default:
		sk_files_start(c, take_req);
		return;
	}
	op = take_req->op;
	finish(a, take_req, r, &err, fields);
	if (op == SK_OP_RESUME && r == 0)
		sk_container_resumed(c);
}

static void op_time(struct sk_agent *a, struct sk_request *take_req)
{
	const json_t *time = json_object_get(take_req->json, "time"),
		     *adjust = json_object_get(take_req->json, "adjust");
	struct sk_error err = SK_ERROR_INIT;
	struct timespec ts;
	int r = 0;

	if (time && !a->test)
		r = sk_setup_clock(time, &err);
	if (r == 0 && adjust && !a->test)
		r = sk_adjust_clock(json_integer_value(adjust), &err);
	clock_gettime(CLOCK_REALTIME, &ts);
	finish(a, take_req, r, &err, json_pack("{s:[I,I]}", "clock", (json_int_t)ts.tv_sec, (json_int_t)ts.tv_nsec));
}

struct sync_job {
	struct sk_agent *agent;
	struct sk_request req;
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

static void op_sync(struct sk_agent *a, struct sk_request *take_req)
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

static unsigned idle_seconds(const json_t *request)
{
	json_int_t n = json_integer_value(json_object_get(request, "idle_reclaim"));

	return n < 0 || n > 86400 ? 0 : (unsigned)n;
}

void sk_ops_handle(void *arg, struct sk_request *take_req)
{
	struct sk_agent *a = arg;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_container *c;
	bool fast;
	int r;

	switch (take_req->op) {
	case SK_OP_SETUP:
		r = sk_setup(a, take_req->json, &err);
		a->memory_ceiling = sk_memory_ceiling();
		sk_memory_watch(a, idle_seconds(take_req->json));
		finish(a, take_req, r, &err, NULL);
		return;
	case SK_OP_TIME:
		op_time(a, take_req);
		return;
	case SK_OP_NETWORK:
		r = a->test ? 0 : sk_net_apply(a, json_object_get(take_req->json, "network"), &err);
		finish(a, take_req, r, &err, NULL);
		return;
	case SK_OP_CONNECT:
		sk_dial(a, take_req);
		return;
	case SK_OP_SYNC:
		op_sync(a, take_req);
		return;
	case SK_OP_SHUTDOWN:
		fast = json_is_true(json_object_get(take_req->json, "fast"));
		finish(a, take_req, 0, NULL, NULL);
		sk_agent_power_off(a, !fast);
		return;
	case SK_OP_CREATE:
		sk_container_create(a, take_req);
		return;
	default:
		break;
	}
	c = sk_container_find(a, take_req->container);
	if (!c) {
		sk_error_set(&err, ENOENT, "no container %s", take_req->container);
		finish(a, take_req, -ENOENT, &err, NULL);
	} else if (sk_container_busy(c)) {
		sk_container_defer(c, take_req);
	} else {
		op_container(a, c, take_req);
	}
}
