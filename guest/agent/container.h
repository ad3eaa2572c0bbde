/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_CONTAINER_H
#define SK_AGENT_CONTAINER_H

#include "agent.h"
#include "pump.h"

/*
 * Containers and their processes.
 *
 * States: CREATING (a job builds and creates it; other requests wait: waiting.h) → CREATED → STARTING (a job;
 * requests wait) → RUNNING → STOPPED. `create` with "start" goes from CREATING to RUNNING. A failed creation removes
 * the container. Requests are looked at in the order in which they came, so the monitor need not wait for one reply
 * before the next.
 */
enum sk_container_state {
	SK_CONTAINER_CREATING,
	SK_CONTAINER_CREATED,
	SK_CONTAINER_STARTING,
	SK_CONTAINER_RUNNING,
	SK_CONTAINER_STOPPED,
};

struct sk_process {
	struct sk_process *next;
	struct sk_agent_container *container;
	char key[65];
	pid_t pid;	/* 0: not known yet, -1: has exited */
	bool exit_held; /* it exited before `start` was answered: told after that */
	int exit_code;
	struct sk_source *linger; /* its connections are waited for, until then; NULL: not, or no more */
	uint64_t linger_until;
	int terminal; /* master, for resizing; -1: none */
	struct sk_pump *pumps[SK_STDIO_COUNT];
};

#define SK_CONTAINER_NAME 200

struct sk_agent_container {
	struct sk_agent_container *next;
	struct sk_agent *agent;
	char id[65];
	char name[SK_CONTAINER_NAME]; /* the id that crun and hooks know it by: `id`, or the request's "name" */
	char dir[128];
	enum sk_container_state state;
	struct sk_process *processes;
	unsigned sequence; /* of exec's files */
	unsigned jobs;	   /* execs under way, which hold a pointer to this */
	bool deleting;
	bool paused;
	int oom_watch;
	uint64_t oom_kills;
};

/* process.c */
struct sk_agent_container *sk_container_find(struct sk_agent *agent, const char *id);
struct sk_process *sk_container_process(struct sk_agent_container *c, const char *key);
/* Pid of the container's first process, or 0 when it does not run. */
pid_t sk_container_init_pid(const struct sk_agent_container *c);
bool sk_container_busy(const struct sk_agent_container *c);
/* O_PATH of the container's root as its processes see it (or as it lies there, when none runs). */
int sk_container_root(const char *dir, pid_t init_pid);
/* The reaper found that `pid` is gone. True when it was a container's process. */
bool sk_container_reaped(struct sk_agent *agent, pid_t pid, int code);
/* Looks at memory.events after a change and sends the event. */
void sk_container_check_oom(struct sk_agent_container *c);

/* A new record; NULL without memory. */
struct sk_process *sk_process_new(struct sk_agent_container *c, const char *key);
void sk_process_free(struct sk_process *p);
/* Frees exec's processes that have exited and whose streams are done; the first process stays as long as the container.
 */
void sk_process_sweep(struct sk_agent_container *c);
/* Reports the exit. The container's end is reported once the connections of its programs are drained; at once, if a
 * signal has ended it or other containers use the VM too. */
void sk_process_exited(struct sk_process *p, int code);
/* The pid is known now: reports the exit of a process that was reaped before. */
void sk_process_claim_orphan(struct sk_process *p);

/* container.c: requests. Each replies, now or later, and takes the request. */
void sk_container_create(struct sk_agent *agent, struct sk_msg *take_req);
void sk_container_start(struct sk_agent_container *c, struct sk_msg *take_req);
void sk_container_exec(struct sk_agent_container *c, struct sk_msg *take_req);
void sk_container_delete(struct sk_agent_container *c, struct sk_msg *take_req);

#endif
