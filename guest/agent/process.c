/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of containers and their processes: lookup, and a process from its first pid to the report of its exit.
 * A container's end is reported when its first process has exited and its connections are drained (linger.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "cgroup.h"
#include "container.h"
#include "linger.h"

struct sk_agent_container *sk_container_find(struct sk_agent *agent, const char *id)
{
	struct sk_agent_container *c = agent->containers;

	while (c && strcmp(c->id, id) != 0)
		c = c->next;
	return c;
}

struct sk_process *sk_container_process(struct sk_agent_container *c, const char *key)
{
	struct sk_process *p = c->processes;

	while (p && strcmp(p->key, key) != 0)
		p = p->next;
	return p;
}

pid_t sk_container_init_pid(const struct sk_agent_container *c)
{
	const struct sk_process *p = c->processes;

	while (p && strcmp(p->key, SK_INIT_KEY) != 0)
		p = p->next;
	return p && p->pid > 0 ? p->pid : 0;
}

bool sk_container_busy(const struct sk_agent_container *c)
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

struct sk_process *sk_process_new(struct sk_agent_container *c, const char *key)
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

void sk_process_free(struct sk_process *p)
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

void sk_process_sweep(struct sk_agent_container *c)
{
	struct sk_process *p, *next;

	for (p = c->processes; p; p = next) {
		next = p->next;
		if (p->pid == -1 && strcmp(p->key, SK_INIT_KEY) != 0 && !p->pumps[SK_STDIN] && !p->pumps[SK_STDOUT] &&
		    !p->pumps[SK_STDERR])
			sk_process_free(p);
	}
}

void sk_container_check_oom(struct sk_agent_container *c)
{
	uint64_t kills = c->agent->cgroups ? sk_cgroup_number(c->id, "memory.events", "oom_kill", 0) : 0;

	if (kills == c->oom_kills)
		return;
	c->oom_kills = kills;
	sk_session_event(c->agent->session, &(const struct sk_msg){ .op = SK_AGENT_OOM, .container = c->id });
}

static void tell_exit(struct sk_process *p, int code)
{
	struct sk_agent_container *c = p->container;
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
	sk_process_sweep(p->container);
}

void sk_process_exited(struct sk_process *p, int code)
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
	struct sk_agent_container *c;
	struct sk_process *p;

	for (c = agent->containers; c; c = c->next)
		for (p = c->processes; p; p = p->next)
			if (p->pid == pid) {
				if (c->state == SK_CONTAINER_STARTING) {
					/* crun may not have exited yet, and the answer to the start comes first */
					p->pid = -1;
					p->exit_held = true;
					p->exit_code = code;
					return true;
				}
				sk_process_exited(p, code);
				sk_process_sweep(c);
				return true;
			}
	return false;
}

void sk_process_claim_orphan(struct sk_process *p)
{
	struct sk_agent *a = p->container->agent;
	size_t i;

	for (i = 0; i < SK_AGENT_ORPHANS; i++)
		if (a->orphans[i].pid == p->pid) {
			a->orphans[i].pid = 0;
			sk_process_exited(p, a->orphans[i].code);
			return;
		}
}
