/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of the agent: reports, errors, jobs that are killed, descriptors that are closed. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "job.h"

static struct sk_jobs jobs;
static int done_code;
static json_t *done_result;
static int pipefd[2];

static void on_done(void *arg, int code, json_t *result)
{
	(void)arg;
	done_code = code;
	done_result = json_incref(result);
}

static int run_report(void *arg, int fd)
{
	(void)arg;
	sk_job_report(fd, json_pack("{s:i}", "answer", 42));
	return 3;
}

static int run_error(void *arg, int fd)
{
	struct sk_error err = SK_ERROR_INIT;

	(void)arg;
	sk_error_set(&err, ENOENT, "not here");
	return sk_job_report_error(fd, &err, 127);
}

static int run_killed(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	raise(SIGKILL);
	return 0;
}

/* More than a pipe holds. */
static int run_big(void *arg, int fd)
{
	json_t *list = json_array();
	int i;

	(void)arg;
	for (i = 0; i < 20000; i++)
		json_array_append_new(list, json_string("some more text"));
	return sk_job_report(fd, json_pack("{s:o}", "list", list));
}

static int run_closed(void *arg, int fd)
{
	int keep[] = { fd, pipefd[0] };

	(void)arg;
	sk_job_close_others(keep, 2);
	return (fcntl(pipefd[0], F_GETFD) >= 0 && fcntl(pipefd[1], F_GETFD) < 0 && fcntl(fd, F_GETFD) >= 0) ? 0 : 1;
}

static void run(int (*child)(void *, int))
{
	struct sk_job_ops ops = { .run = child, .done = on_done };
	int status, i;
	pid_t pid = 0;

	done_code = -1;
	done_result = NULL;
	assert_int_equal(sk_loop_new(&jobs.loop), 0);
	assert_int_equal(sk_job_start(&jobs, &ops, NULL), 0);
	assert_true(sk_jobs_busy(&jobs));
	for (i = 0; i < 1000 && pid == 0; i++) {
		sk_loop_once(jobs.loop, 10);
		pid = waitpid(-1, &status, WNOHANG);
	}
	assert_true(pid > 0);
	assert_false(sk_job_reaped(&jobs, pid + 1, 0));
	assert_true(sk_job_reaped(&jobs, pid, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)));
	assert_false(sk_jobs_busy(&jobs));
	sk_loop_free(jobs.loop);
}

static void test_report(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	int exit_code;

	(void)state;
	run(run_report);
	assert_int_equal(done_code, 3);
	assert_int_equal(json_integer_value(json_object_get(done_result, "answer")), 42);
	assert_false(sk_job_result_error(done_result, &err, &exit_code));
	json_decref(done_result);
}

static void test_error(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	int exit_code;

	(void)state;
	run(run_error);
	assert_true(sk_job_result_error(done_result, &err, &exit_code));
	assert_int_equal(err.code, ENOENT);
	assert_int_equal(exit_code, 127);
	assert_string_equal(err.message, "not here");
	json_decref(done_result);
}

static void test_killed(void **state)
{
	(void)state;
	run(run_killed);
	assert_int_equal(done_code, 128 + SIGKILL);
	assert_null(done_result);
}

static void test_big(void **state)
{
	(void)state;
	run(run_big);
	assert_int_equal(json_array_size(json_object_get(done_result, "list")), 20000);
	json_decref(done_result);
}

static void test_close_others(void **state)
{
	(void)state;
	assert_int_equal(pipe(pipefd), 0);
	run(run_closed);
	assert_int_equal(done_code, 0);
	json_decref(done_result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report), cmocka_unit_test(test_error),	    cmocka_unit_test(test_killed),
		cmocka_unit_test(test_big),    cmocka_unit_test(test_close_others),
	};

	return cmocka_run_group_tests_name("agent-job", tests, NULL, NULL);
}
