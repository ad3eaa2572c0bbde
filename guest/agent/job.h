/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_JOB_H
#define SK_AGENT_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"

/*
 * Work that may block (mounts, tar, /proc of hostile processes, crun) is done by a forked child of the agent, which
 * often ends as crun itself. The child can report one JSON object; its exit is seen by the agent's reaper.
 */
struct sk_job;
struct sk_jobs {
	struct sk_loop *loop;
	struct sk_job *first;
	struct rlimit fd_limit; /* of the children, where the agent's own is higher; zeroed: the same */
};

struct sk_job_ops {
	/* In the child. Its return value is the exit code (a negative one: 1). Report with sk_job_report*(). */
	int (*run)(void *arg, int report_fd);
	/* In the agent, when the child has ended: `code` is its exit code or 128 + signal; `result` (borrowed) what it
	 * reported, or NULL. */
	void (*done)(void *arg, int code, json_t *result);
};

/* Forks. `arg` is the caller's until done. */
int sk_job_start(struct sk_jobs *jobs, const struct sk_job_ops *ops, void *arg);
/* For the reaper: true when `pid` was a job's; `done` has been called then. */
bool sk_job_reaped(struct sk_jobs *jobs, pid_t pid, int code);
bool sk_jobs_busy(const struct sk_jobs *jobs);

/* For the child. */
int sk_job_report(int fd, json_t *take_result);
/* Reports {"errno","message","exit_code"} and returns 1. */
int sk_job_report_error(int fd, const struct sk_error *err, int exit_code);
/* Fills `err` (and the exit code, 0 if none) from such a report. False: there was no error in it. */
bool sk_job_result_error(const json_t *result, struct sk_error *err, int *ret_exit_code);
/* Closes every descriptor above 2 that is not in `keep`: a child that lives on must not hold other processes' pipes
 * open. */
void sk_job_close_others(const int *keep, size_t n);

#endif
