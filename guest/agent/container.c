/* SPDX-License-Identifier: Apache-2.0 */
/* The life of containers: created, started, executed into and removed, by jobs that run crun (job.c, launch_child.c).
 */
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/loop.h"
#include "cgroup.h"
#include "launch.h"
#include "rootfs.h"
#include "waiting.h"

static struct sk_agent_container *container_new(struct sk_agent *agent, const char *id, const char *name,
						struct sk_error *err)
{
	struct sk_agent_container *c = calloc(1, sizeof(*c));

	if (!c) {
		sk_error_errno(err, ENOMEM, "container %s", id);
		return NULL;
	}
	c->agent = agent;
	c->oom_watch = -1;
	snprintf(c->id, sizeof(c->id), "%s", id);
	snprintf(c->name, sizeof(c->name), "%s",
		 name && sk_container_id_valid(name, SK_CONTAINER_NAME - 1) ? name : id);
	snprintf(c->dir, sizeof(c->dir), "%s/%s", agent->run_dir, id);
	/* 0711: the root of a user namespace passes through this directory. */
	if (mkdir(c->dir, 0711) < 0) {
		sk_error_errno(err, errno, "cannot make %s", c->dir);
		free(c);
		return NULL;
	}
	c->next = agent->containers;
	agent->containers = c;
	return c;
}

static void container_free(struct sk_agent_container *c)
{
	struct sk_agent_container **link = &c->agent->containers;
	struct sk_agent *agent = c->agent;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	while (c->processes)
		sk_process_free(c->processes);
	if (c->oom_watch >= 0)
		inotify_rm_watch(agent->inotify, c->oom_watch);
	free(c);
	sk_waiting_retry(agent); /* most are answered "no such container", a `create` makes a new one */
}

static void remove_files(const struct sk_agent_container *c)
{
	sk_rootfs_remove(c->dir);
	sk_fs_remove_tree(AT_FDCWD, c->dir);
}

static void watch_oom(struct sk_agent_container *c)
{
	char path[256];

	snprintf(path, sizeof(path), SK_CGROUP_ROOT "/%s/memory.events", c->id);
	if (c->agent->cgroups)
		c->oom_watch = inotify_add_watch(c->agent->inotify, path, IN_MODIFY);
}

/* --- delete ------------------------------------------------------------------------------------------------------- */

struct container_removal {
	struct sk_agent_container *container;
	struct sk_msg req;
};

/* In the child. The control group and crun's own notes are small; the unmount is what takes time. */
static int delete_child(void *arg, int report_fd)
{
	const struct container_removal *r = arg;
	const struct sk_agent_container *c = r->container;
	char path[SK_CONTAINER_NAME + 96];

	(void)report_fd;
	remove_files(c);
	snprintf(path, sizeof(path), "%s/crun/%s", c->agent->run_dir, c->name);
	sk_fs_remove_tree(AT_FDCWD, path);
	if (c->agent->cgroups)
		sk_cgroup_remove(c->id);
	return 0;
}

static void delete_done(void *arg, int code, json_t *result)
{
	struct container_removal *r = arg;

	(void)code;
	(void)result;
	if (r->req.json)
		sk_session_reply(r->container->agent->session, &r->req, NULL);
	sk_msg_fini(&r->req);
	container_free(r->container);
	free(r);
}

static const struct sk_job_ops delete_ops = { .run = delete_child, .done = delete_done };

/* `take_req` is answered in the end; NULL: nobody asked. */
static int start_removal(struct sk_agent_container *c, struct sk_msg *take_req)
{
	struct container_removal *removal = calloc(1, sizeof(*removal));
	int r;

	if (!removal)
		return -ENOMEM;
	*removal = (struct container_removal){ .container = c };
	if (take_req)
		removal->req = *take_req;
	r = sk_job_start(&c->agent->jobs, &delete_ops, removal);
	if (r < 0)
		free(removal);
	else
		c->deleting = true; /* further requests for this container wait */
	return r;
}

/* --- create, exec, start -------------------------------------------------------------------------------------------
 */

static void fail_request(struct sk_launch *l, const struct sk_error *err, int exit_code)
{
	sk_session_fail(l->agent->session, l->req.id, err, exit_code);
}

/* The error of a failed job: its own report, or else the one in crun's log. */
static int job_error(const struct sk_launch *l, json_t *result, struct sk_error *err)
{
	int exit_code = 0;

	if (sk_job_result_error(result, err, &exit_code))
		return exit_code;
	return sk_launch_crun_error(l, err);
}

static void create_done(void *arg, int code, json_t *result)
{
	struct sk_launch *l = arg;
	struct sk_agent_container *c = l->container;
	struct sk_agent *agent = l->agent;
	struct sk_error err = SK_ERROR_INIT;
	bool mounted = l->req.create.mount_only;
	struct sk_reply reply = { 0 };
	int exit_code = 0, r = 0;

	if (code != 0) {
		exit_code = job_error(l, result, &err);
		r = -1;
	} else if (!mounted) {
		r = sk_launch_finish(l, &err);
	}
	if (r < 0) {
		fail_request(l, &err, exit_code);
		sk_launch_free(l);
		if (code == 0) /* the process runs, but its streams cannot be served */
			sk_cgroup_signal(c->id, SIGKILL);
		if (start_removal(c, NULL) < 0)
			container_free(c);
		return;
	}
	c->state = l->req.create.start ? SK_CONTAINER_RUNNING : SK_CONTAINER_CREATED;
	reply.pid = (int)l->process->pid;
	sk_session_reply(agent->session, &l->req, &reply);
	if (mounted) {
		sk_process_free(l->process);
	} else {
		watch_oom(c);
		sk_process_claim_orphan(l->process);
	}
	sk_launch_free(l);
	sk_waiting_retry(agent);
}

static const struct sk_job_ops create_ops = {
	.run = sk_launch_create_child,
	.done = create_done,
};

void sk_container_create(struct sk_agent *agent, struct sk_msg *take_req)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_agent_container *c = NULL;
	struct sk_process *p = NULL;
	struct sk_launch *l = NULL;
	int r;

	c = sk_container_find(agent, take_req->container);
	if (c && c->deleting) {
		sk_waiting_add(c->agent, take_req);
		return;
	}
	if (c)
		sk_error_set(&err, EEXIST, "container %s exists", take_req->container);
	c = err.code ? NULL : container_new(agent, take_req->container, take_req->create.name, &err);
	if (c)
		p = sk_process_new(c, SK_INIT_KEY);
	if (p)
		l = sk_launch_new(c, p, take_req, &err);
	if (l) {
		r = sk_job_start(&agent->jobs, &create_ops, l);
		if (r == 0) {
			/* A stream that cannot be had shows itself when the job is done. */
			sk_launch_connect(l, NULL);
			return;
		}
		sk_error_errno(&err, r, "cannot start a process");
		*take_req = l->req;
		l->req.json = NULL;
		sk_launch_free(l);
	}
	sk_session_fail(agent->session, take_req->id, &err, 0);
	sk_msg_fini(take_req);
	if (c) {
		sk_fs_remove_tree(AT_FDCWD, c->dir); /* nothing was mounted yet */
		container_free(c);
	}
}

static void exec_done(void *arg, int code, json_t *result)
{
	struct sk_launch *l = arg;
	struct sk_agent_container *c = l->container;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_reply reply = { 0 };
	int exit_code = 0, r = -1;

	if (code != 0)
		exit_code = job_error(l, result, &err);
	else
		r = sk_launch_finish(l, &err);
	if (r < 0) {
		fail_request(l, &err, exit_code);
		if (l->process->pid > 0)
			kill(l->process->pid, SIGKILL);
		sk_process_free(l->process);
	} else {
		reply.pid = (int)l->process->pid;
		sk_session_reply(l->agent->session, &l->req, &reply);
		sk_process_claim_orphan(l->process);
	}
	sk_launch_free(l);
	c->jobs--;
	sk_process_sweep(c);
	sk_waiting_retry(c->agent);
}

static const struct sk_job_ops exec_ops = {
	.run = sk_launch_exec_child,
	.done = exec_done,
};

void sk_container_exec(struct sk_agent_container *c, struct sk_msg *take_req)
{
	struct sk_agent *agent = c->agent;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_process *p = NULL;
	struct sk_launch *l = NULL;
	int r;

	sk_process_sweep(c);
	if (c->paused && take_req->exec.ignore_paused) {
		sk_waiting_add(c->agent, take_req); /* until "resume", as a process of a frozen control group would */
		return;
	}
	if (c->state != SK_CONTAINER_RUNNING && c->state != SK_CONTAINER_CREATED)
		sk_error_set(&err, EINVAL, "container %s is not running", c->id);
	else if (c->paused) /* it would start frozen, and crun with it */
		sk_error_set(&err, EINVAL, "container %s is paused, unpause the container before exec", c->id);
	else if (sk_container_process(c, take_req->key))
		sk_error_set(&err, EEXIST, "process %s exists", take_req->key);
	else
		p = sk_process_new(c, take_req->key);
	if (p)
		l = sk_launch_new(c, p, take_req, &err);
	if (l) {
		r = sk_job_start(&agent->jobs, &exec_ops, l);
		if (r == 0) {
			c->jobs++;
			sk_launch_connect(l, NULL);
			return;
		}
		sk_error_errno(&err, r, "cannot start a process");
		*take_req = l->req;
		l->req.json = NULL;
		sk_launch_free(l);
	}
	if (p)
		sk_process_free(p);
	sk_session_fail(agent->session, take_req->id, &err, 0);
	sk_msg_fini(take_req);
}

static void start_done(void *arg, int code, json_t *result)
{
	struct sk_launch *l = arg;
	struct sk_agent_container *c = l->container;
	struct sk_agent *agent = l->agent;
	struct sk_process *init = sk_container_process(c, SK_INIT_KEY);
	struct sk_error err = SK_ERROR_INIT;

	c->state = code ? SK_CONTAINER_CREATED : SK_CONTAINER_RUNNING;
	if (code)
		fail_request(l, &err, job_error(l, result, &err));
	else
		sk_session_reply(agent->session, &l->req, NULL);
	sk_launch_free(l);
	if (init && init->exit_held)
		sk_process_exited(init, init->exit_code);
	sk_waiting_retry(agent);
}

static const struct sk_job_ops start_ops = {
	.run = sk_launch_start_child,
	.done = start_done,
};

void sk_container_start(struct sk_agent_container *c, struct sk_msg *take_req)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_launch *l = NULL;
	int r;

	if (c->state != SK_CONTAINER_CREATED)
		sk_error_set(&err, EINVAL, "container %s is not in the state to be started", c->id);
	else
		l = sk_launch_new(c, NULL, take_req, &err);
	if (l) {
		r = sk_job_start(&c->agent->jobs, &start_ops, l);
		if (r == 0) {
			c->state = SK_CONTAINER_STARTING;
			return;
		}
		sk_error_errno(&err, r, "cannot start a process");
		*take_req = l->req;
		l->req.json = NULL;
		sk_launch_free(l);
	}
	sk_session_fail(c->agent->session, take_req->id, &err, 0);
	sk_msg_fini(take_req);
}

/* --- delete ------------------------------------------------------------------------------------------------------- */

void sk_container_delete(struct sk_agent_container *c, struct sk_msg *take_req)
{
	struct sk_error err = SK_ERROR_INIT;
	int r = 0;

	if (c->jobs) { /* an exec under way will fail: the container has ended */
		sk_waiting_add(c->agent, take_req);
		return;
	}
	if (c->state == SK_CONTAINER_CREATED)
		sk_cgroup_signal(c->id, SIGKILL); /* never started, or only mounted: no exit to report */
	else if (c->state != SK_CONTAINER_STOPPED)
		r = -EBUSY;
	if (r == 0)
		r = start_removal(c, take_req);
	if (r == 0)
		return;
	sk_error_errno(&err, r, "cannot delete container %s", c->id);
	sk_session_fail(c->agent->session, take_req->id, &err, 0);
	sk_msg_fini(take_req);
}
