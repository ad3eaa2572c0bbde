/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The containers of this guest and their processes: made, started, executed into, signalled, waited for and removed,
 * by jobs that run crun (job.c, launch_child.c). A container's end is reported when its first process has exited and
 * its connections are drained (linger.c).
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
#include "linger.h"
#include "rootfs.h"

/* Requests that may wait for one container. */
#define DEFERRED_MAX 64

struct sk_container *sk_container_find(struct sk_agent *agent, const char *id)
{
	struct sk_container *c = agent->containers;

	while (c && strcmp(c->id, id) != 0)
		c = c->next;
	return c;
}

struct sk_process *sk_container_process(struct sk_container *c, const char *key)
{
	struct sk_process *p = c->processes;

	while (p && strcmp(p->key, key) != 0)
		p = p->next;
	return p;
}

pid_t sk_container_init_pid(const struct sk_container *c)
{
	const struct sk_process *p = c->processes;

	while (p && strcmp(p->key, SK_INIT_KEY) != 0)
		p = p->next;
	return p && p->pid > 0 ? p->pid : 0;
}

bool sk_container_busy(const struct sk_container *c)
{
	return c->deleting || c->state == SK_CONTAINER_CREATING || c->state == SK_CONTAINER_STARTING;
}

int sk_container_root(const char *dir, pid_t init_pid)
{
	char path[192];
	int fd;

	if (init_pid > 0)
		snprintf(path, sizeof(path), "/proc/%d/root", (int)init_pid);
	else
		snprintf(path, sizeof(path), "%s/rootfs", dir);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

static struct sk_process *process_new(struct sk_container *c, const char *key)
{
	struct sk_process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->container = c;
	p->terminal = -1;
	snprintf(p->key, sizeof(p->key), "%s", key);
	p->next = c->processes;
	c->processes = p;
	return p;
}

static void process_free(struct sk_process *p)
{
	struct sk_process **link = &p->container->processes;
	int i;

	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	sk_loop_remove(p->linger);
	sk_pump_stop(p->pumps[SK_STDIN]);
	for (i = SK_STDOUT; i < SK_STDIO_COUNT; i++)
		sk_pump_detach(p->pumps[i]); /* a slow reader still gets it all */
	sk_close_fd(&p->terminal);
	free(p);
}

/* Frees exec's processes that have exited and whose streams are done; the first process stays as long as the container.
 */
static void sweep(struct sk_container *c)
{
	struct sk_process *p, *next;

	for (p = c->processes; p; p = next) {
		next = p->next;
		if (p->pid == -1 && strcmp(p->key, SK_INIT_KEY) != 0 && !p->pumps[SK_STDIN] && !p->pumps[SK_STDOUT] &&
		    !p->pumps[SK_STDERR])
			process_free(p);
	}
}

static void tell_exit(struct sk_process *p, int code)
{
	struct sk_container *c = p->container;
	bool init = strcmp(p->key, SK_INIT_KEY) == 0;
	int i;

	if (init) {
		c->state = SK_CONTAINER_STOPPED;
		c->paused = false;
		sk_container_check_oom(c);
	}
	sk_session_event(c->agent->session,
			 &(const struct sk_msg){ .op = SK_AGENT_EXIT,
						 .container = c->id,
						 .key = p->key,
						 .exit = { .code = code & 255, .oom = init && c->oom_kills > 0 } });
	sk_pump_stop(p->pumps[SK_STDIN]);
	/* All of the container's processes go with the first one. A child of exec's may hold its output longer: what it
	 * writes is waited for, as docker does, until it closes it or the container ends. */
	for (i = SK_STDOUT; init && i < SK_STDIO_COUNT; i++)
		if (p->pumps[i])
			sk_pump_drain(p->pumps[i]);
}

static void on_linger(void *arg)
{
	struct sk_process *p = arg;

	if (sk_now_ms() < p->linger_until && sk_linger_wanted()) {
		sk_loop_set_timer(p->linger, SK_LINGER_LOOK_MS);
		return;
	}
	sk_loop_remove(SK_TAKE_PTR(p->linger));
	tell_exit(p, p->exit_code);
	sweep(p->container);
}

/* Reports the container's end once the connections of its programs are drained. At once, if a signal has ended it or
 * other containers use the VM too. */
static void process_exited(struct sk_process *p, int code)
{
	bool alone = p->container->agent->containers == p->container && !p->container->next;

	p->pid = -1;
	if (strcmp(p->key, SK_INIT_KEY) == 0 && alone && code < 128 && sk_linger_wanted()) {
		p->exit_code = code;
		p->linger_until = sk_now_ms() + SK_LINGER_MS;
		p->linger = sk_loop_add_timer(p->container->agent->loop, SK_LINGER_LOOK_MS, on_linger, p);
		if (p->linger)
			return;
	}
	tell_exit(p, code);
}

bool sk_container_reaped(struct sk_agent *agent, pid_t pid, int code)
{
	struct sk_container *c;
	struct sk_process *p;

	for (c = agent->containers; c; c = c->next)
		for (p = c->processes; p; p = p->next)
			if (p->pid == pid) {
				if (c->state == SK_CONTAINER_STARTING) {
					/* crun may still be on its way out, and the start is answered first */
					p->pid = -1;
					p->exit_held = true;
					p->exit_code = code;
					return true;
				}
				process_exited(p, code);
				sweep(c);
				return true;
			}
	return false;
}

/* The process is known now; it may have exited while nobody knew it. */
static void claim_orphan(struct sk_process *p)
{
	struct sk_agent *a = p->container->agent;
	size_t i;

	for (i = 0; i < SK_AGENT_ORPHANS; i++)
		if (a->orphans[i].pid == p->pid) {
			a->orphans[i].pid = 0;
			process_exited(p, a->orphans[i].code);
			return;
		}
}

/* --- containers --------------------------------------------------------------------------------------------------- */

/* A container's name as OCI runtimes have it: it becomes a directory's. */
static bool name_valid(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < SK_CONTAINER_NAME && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.") == n;
}

static struct sk_container *container_new(struct sk_agent *agent, const char *id, const char *name,
					  struct sk_error *err)
{
	struct sk_container *c = calloc(1, sizeof(*c));

	if (!c) {
		sk_error_errno(err, ENOMEM, "container %s", id);
		return NULL;
	}
	c->agent = agent;
	c->oom_watch = -1;
	snprintf(c->id, sizeof(c->id), "%s", id);
	snprintf(c->name, sizeof(c->name), "%s", name && name_valid(name) ? name : id);
	snprintf(c->dir, sizeof(c->dir), "%s/%s", agent->run_dir, id);
	/* The root of a user namespace goes through it. */
	if (mkdir(c->dir, 0711) < 0) {
		sk_error_errno(err, errno, "cannot make %s", c->dir);
		free(c);
		return NULL;
	}
	c->next = agent->containers;
	agent->containers = c;
	return c;
}

/* Requests that still wait for it are dispatched again: most are answered "no such container", a `create` makes a new
 * one. */
static void container_free(struct sk_container *c)
{
	struct sk_container **link = &c->agent->containers;
	struct sk_deferred *d = c->deferred, *next;
	struct sk_agent *agent = c->agent;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	while (c->processes)
		process_free(c->processes);
	if (c->oom_watch >= 0)
		inotify_rm_watch(agent->inotify, c->oom_watch);
	free(c);
	for (; d; d = next) {
		struct sk_msg req = d->req;

		next = d->next;
		free(d);
		sk_ops_handle(agent, &req);
	}
}

static void remove_files(const struct sk_container *c)
{
	sk_rootfs_remove(c->dir);
	sk_fs_remove_tree(AT_FDCWD, c->dir);
}

void sk_container_defer(struct sk_container *c, struct sk_msg *take_req)
{
	struct sk_deferred *d = c->n_deferred < DEFERRED_MAX ? calloc(1, sizeof(*d)) : NULL, **link = &c->deferred;

	if (!d) {
		struct sk_error err = SK_ERROR_INIT;

		sk_error_set(&err, EBUSY, "container %s is busy", c->id);
		sk_session_fail(c->agent->session, take_req->id, &err, 0);
		sk_msg_fini(take_req);
		return;
	}
	d->req = *take_req;
	while (*link)
		link = &(*link)->next;
	*link = d;
	c->n_deferred++;
}

/* Hands the waiting requests in again, until one of them makes the container busy, or removes it. */
static void run_deferred(struct sk_agent *agent, const char *id)
{
	struct sk_container *c = sk_container_find(agent, id);
	size_t left = c ? c->n_deferred : 0; /* what is put back meanwhile waits for the next occasion */
	char copy[65];

	snprintf(copy, sizeof(copy), "%s", id);
	while (left-- && (c = sk_container_find(agent, copy)) && !sk_container_busy(c) && c->deferred) {
		struct sk_deferred *d = c->deferred;
		struct sk_msg req = d->req;

		c->deferred = d->next;
		c->n_deferred--;
		free(d);
		sk_ops_handle(agent, &req);
	}
}

void sk_container_resumed(struct sk_container *c)
{
	run_deferred(c->agent, c->id);
}

static void watch_oom(struct sk_container *c)
{
	char path[256];

	snprintf(path, sizeof(path), SK_CGROUP_ROOT "/%s/memory.events", c->id);
	if (c->agent->cgroups)
		c->oom_watch = inotify_add_watch(c->agent->inotify, path, IN_MODIFY);
}

void sk_container_check_oom(struct sk_container *c)
{
	uint64_t kills = c->agent->cgroups ? sk_cgroup_number(c->id, "memory.events", "oom_kill", 0) : 0;

	if (kills == c->oom_kills)
		return;
	c->oom_kills = kills;
	sk_session_event(c->agent->session, &(const struct sk_msg){ .op = SK_AGENT_OOM, .container = c->id });
}

/* --- delete ------------------------------------------------------------------------------------------------------- */

struct removal {
	struct sk_container *container;
	struct sk_msg req;
};

/* In the child. The control group and crun's own notes are small; the unmount is what takes time. */
static int delete_child(void *arg, int report_fd)
{
	const struct removal *r = arg;
	const struct sk_container *c = r->container;
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
	struct removal *r = arg;

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
static int start_removal(struct sk_container *c, struct sk_msg *take_req)
{
	struct removal *removal = calloc(1, sizeof(*removal));
	int r;

	if (!removal)
		return -ENOMEM;
	*removal = (struct removal){ .container = c };
	if (take_req)
		removal->req = *take_req;
	r = sk_job_start(&c->agent->jobs, &delete_ops, removal);
	if (r < 0)
		free(removal);
	else
		c->deleting = true; /* whatever still comes for it waits */
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
	struct sk_container *c = l->container;
	struct sk_agent *agent = l->agent;
	struct sk_error err = SK_ERROR_INIT;
	bool mounted = l->req.create.mount_only;
	struct sk_reply reply = { 0 };
	int exit_code = 0, r = 0;
	char id[65];

	snprintf(id, sizeof(id), "%s", c->id);
	if (code != 0) {
		exit_code = job_error(l, result, &err);
		r = -1;
	} else if (!mounted) {
		r = sk_launch_finish(l, &err);
	}
	if (r < 0) {
		fail_request(l, &err, exit_code);
		sk_launch_free(l);
		if (code == 0) /* it runs, but we cannot serve it */
			sk_cgroup_signal(c->id, SIGKILL);
		if (start_removal(c, NULL) < 0)
			container_free(c);
		return;
	}
	c->state = l->req.create.start ? SK_CONTAINER_RUNNING : SK_CONTAINER_CREATED;
	reply.pid = (int)l->process->pid;
	sk_session_reply(agent->session, &l->req, &reply);
	if (mounted) {
		process_free(l->process);
	} else {
		watch_oom(c);
		claim_orphan(l->process);
	}
	sk_launch_free(l);
	run_deferred(agent, id);
}

static const struct sk_job_ops create_ops = {
	.run = sk_launch_create_child,
	.done = create_done,
};

void sk_container_create(struct sk_agent *agent, struct sk_msg *take_req)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_container *c = NULL;
	struct sk_process *p = NULL;
	struct sk_launch *l = NULL;
	int r;

	c = sk_container_find(agent, take_req->container);
	if (c && c->deleting) {
		sk_container_defer(c, take_req);
		return;
	}
	if (c)
		sk_error_set(&err, EEXIST, "container %s exists", take_req->container);
	c = err.code ? NULL : container_new(agent, take_req->container, take_req->create.name, &err);
	if (c)
		p = process_new(c, SK_INIT_KEY);
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
	struct sk_container *c = l->container;
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
		process_free(l->process);
	} else {
		reply.pid = (int)l->process->pid;
		sk_session_reply(l->agent->session, &l->req, &reply);
		claim_orphan(l->process);
	}
	sk_launch_free(l);
	c->jobs--;
	sweep(c);
	run_deferred(c->agent, c->id);
}

static const struct sk_job_ops exec_ops = {
	.run = sk_launch_exec_child,
	.done = exec_done,
};

void sk_container_exec(struct sk_container *c, struct sk_msg *take_req)
{
	struct sk_agent *agent = c->agent;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_process *p = NULL;
	struct sk_launch *l = NULL;
	int r;

	sweep(c);
	if (c->paused && take_req->exec.ignore_paused) {
		sk_container_defer(c, take_req); /* as a process of a frozen control group: sk_container_resumed() */
		return;
	}
	if (c->state != SK_CONTAINER_RUNNING && c->state != SK_CONTAINER_CREATED)
		sk_error_set(&err, EINVAL, "container %s is not running", c->id);
	else if (c->paused) /* it would start frozen, and crun with it */
		sk_error_set(&err, EINVAL, "container %s is paused, unpause the container before exec", c->id);
	else if (sk_container_process(c, take_req->key))
		sk_error_set(&err, EEXIST, "process %s exists", take_req->key);
	else
		p = process_new(c, take_req->key);
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
		process_free(p);
	sk_session_fail(agent->session, take_req->id, &err, 0);
	sk_msg_fini(take_req);
}

static void start_done(void *arg, int code, json_t *result)
{
	struct sk_launch *l = arg;
	struct sk_container *c = l->container;
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
		process_exited(init, init->exit_code);
	run_deferred(agent, c->id);
}

static const struct sk_job_ops start_ops = {
	.run = sk_launch_start_child,
	.done = start_done,
};

void sk_container_start(struct sk_container *c, struct sk_msg *take_req)
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

void sk_container_delete(struct sk_container *c, struct sk_msg *take_req)
{
	struct sk_error err = SK_ERROR_INIT;
	int r = 0;

	if (c->jobs) { /* an exec that will find that the container has ended */
		sk_container_defer(c, take_req);
		return;
	}
	if (c->state == SK_CONTAINER_CREATED)
		sk_cgroup_signal(c->id, SIGKILL); /* never started, or only mounted: nobody will miss it */
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
