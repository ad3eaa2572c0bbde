/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: children of the agent that do what may block (mounts, crun, copies), so that the agent's loop never does. A
 * job reports one JSON object over a pipe, of bounded size; its end is known by SIGCHLD (sk_job_reaped).
 */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"

/* A job's report, a process list say, is bounded by what one frame carries. */
#define JOB_REPORT_MAX (1000u * 1024u)

struct sk_job {
	struct sk_job *next;
	pid_t pid;
	int fd;
	struct sk_source *source;
	struct sk_buf buf;
	const struct sk_job_ops *ops;
	void *arg;
};

static void read_report(struct sk_job *job)
{
	for (;;) {
		uint8_t *to = sk_buf_reserve(&job->buf, 4096);
		uint8_t scratch[4096];
		ssize_t n = read(job->fd, to ? to : scratch, 4096);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0 || errno != EAGAIN) {
				sk_loop_remove(job->source);
				job->source = NULL;
			}
			return;
		}
		if (to)
			sk_buf_commit(&job->buf, (size_t)n);
	}
}

static void report_ready(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	read_report(arg);
}

static void reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int sk_job_start(struct sk_jobs *jobs, const struct sk_job_ops *ops, void *arg)
{
	struct sk_job *job = calloc(1, sizeof(*job));
	int fds[2], r;

	if (!job)
		return -ENOMEM;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		r = -errno;
		free(job);
		return r;
	}
	job->pid = fork();
	if (job->pid == 0) {
		reset_signals();
		if (jobs->fd_limit.rlim_max)
			setrlimit(RLIMIT_NOFILE, &jobs->fd_limit);
		r = ops->run(arg, fds[1]);
		_exit(r < 0 ? 1 : r);
	}
	close(fds[1]);
	if (job->pid < 0) {
		r = -errno;
		close(fds[0]);
		free(job);
		return r;
	}
	job->fd = fds[0];
	job->ops = ops;
	job->arg = arg;
	fcntl(job->fd, F_SETFL, O_NONBLOCK);
	sk_buf_init(&job->buf, JOB_REPORT_MAX);
	job->source = sk_loop_add_fd(jobs->loop, job->fd, SK_LOOP_READ, report_ready, job);
	job->next = jobs->first;
	jobs->first = job;
	return 0;
}

bool sk_job_reaped(struct sk_jobs *jobs, pid_t pid, int code)
{
	struct sk_job **link = &jobs->first, *job;
	json_t *result;

	while (*link && (*link)->pid != pid)
		link = &(*link)->next;
	job = *link;
	if (!job)
		return false;
	*link = job->next;
	read_report(job);
	sk_loop_remove(job->source);
	sk_close_fd(&job->fd);
	result = job->buf.len ? json_loadb((const char *)sk_buf_data(&job->buf), job->buf.len, 0, NULL) : NULL;
	job->ops->done(job->arg, code, result);
	json_decref(result);
	sk_buf_fini(&job->buf);
	free(job);
	return true;
}

bool sk_jobs_busy(const struct sk_jobs *jobs)
{
	return jobs->first != NULL;
}

int sk_job_report(int fd, json_t *take_result)
{
	char *text = take_result ? json_dumps(take_result, JSON_COMPACT) : NULL;
	int r = text ? sk_fs_write_all(fd, text, strlen(text)) : -ENOMEM;

	free(text);
	json_decref(take_result);
	return r;
}

int sk_job_report_error(int fd, const struct sk_error *err, int exit_code)
{
	json_t *o = json_object(), *message = json_string(err->message);

	if (!message)
		message = json_string(strerror(err->code));
	json_object_set_new(o, "errno", json_integer(err->code ? err->code : EIO));
	json_object_set_new(o, "message", message);
	if (exit_code)
		json_object_set_new(o, "exit_code", json_integer(exit_code));
	sk_job_report(fd, o);
	return 1;
}

bool sk_job_result_error(const json_t *result, struct sk_error *err, int *ret_exit_code)
{
	const char *message = json_string_value(json_object_get(result, "message"));
	json_int_t code = json_integer_value(json_object_get(result, "errno"));

	if (!message)
		return false;
	sk_error_set(err, code > 0 && code < 4096 ? (int)code : EIO, "%s", message);
	*ret_exit_code = (int)json_integer_value(json_object_get(result, "exit_code"));
	return true;
}

static int compare_int(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void sk_job_close_others(const int *keep, size_t n)
{
	int sorted[16];
	unsigned from = 3;
	size_t i;

	if (n > SK_ARRAY_SIZE(sorted))
		n = SK_ARRAY_SIZE(sorted);
	memcpy(sorted, keep, n * sizeof(*keep));
	qsort(sorted, n, sizeof(*sorted), compare_int);
	for (i = 0; i < n; i++) {
		if (sorted[i] < (int)from)
			continue;
		if ((unsigned)sorted[i] > from)
			close_range(from, (unsigned)sorted[i] - 1, 0);
		from = (unsigned)sorted[i] + 1;
	}
	close_range(from, ~0u, 0);
}
