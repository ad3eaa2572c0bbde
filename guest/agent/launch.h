/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_LAUNCH_H
#define SK_AGENT_LAUNCH_H

#include "container.h"

/*
 * One process on its way into a container: the create or exec request, the ends of its stdio, and the job that does it.
 */
struct sk_launch {
	struct sk_agent *agent;
	struct sk_agent_container *container;
	struct sk_process *process; /* NULL: plain `crun start` */
	struct sk_msg req;
	struct sk_stdio_spec stdio;
	unsigned sequence;
	int child_fd[SK_STDIO_COUNT]; /* what the process gets; -1: /dev/null */
	int our_fd[SK_STDIO_COUNT];   /* the other ends */
	int stream[SK_STDIO_COUNT];   /* connected to the monitor */
	int console;		      /* listening socket for the terminal's master */
};

/* Takes the request. NULL with `err` set on failure; the request is still the caller's then. */
struct sk_launch *sk_launch_new(struct sk_agent_container *c, struct sk_process *process, struct sk_msg *req,
				struct sk_error *err);
void sk_launch_free(struct sk_launch *l);
/* After the fork: closes the child's ends and connects the streams. */
int sk_launch_connect(struct sk_launch *l, struct sk_error *err);
/* After the job: receives the terminal, starts the pumps, reads the pid. */
int sk_launch_finish(struct sk_launch *l, struct sk_error *err);
/* Names of its files: "<dir>/<what>.<sequence>". */
void sk_launch_path(const struct sk_launch *l, const char *what, char *ret, size_t size);

/* Run in the child of a job (struct sk_job_ops.run); `launch` is a struct sk_launch. They return on errors only: else
 * they have become crun. */
int sk_launch_create_child(void *launch, int report_fd);
int sk_launch_exec_child(void *launch, int report_fd);
int sk_launch_start_child(void *launch, int report_fd);
/* Fills `err` from what crun left in its log; returns the exit code to tell (0: none). */
int sk_launch_crun_error(const struct sk_launch *l, struct sk_error *err);

#endif
