/* SPDX-License-Identifier: Apache-2.0 */
#include "../sk_test.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"

struct fixture {
	struct sk_loop *loop;
	struct sk_source *a, *b, *timer, *deferred;
	int calls, deferred_calls;
};

static void on_readable(void *arg, int fd, unsigned events)
{
	struct fixture *f = arg;

	(void)fd;
	assert_true(events & SK_LOOP_READ);
	f->calls++;
	/* Whichever comes first takes both away: the other must not be called although its event is already there. */
	sk_loop_remove(f->a);
	sk_loop_remove(f->b);
	sk_loop_trigger(f->deferred);
}

static void on_deferred(void *arg)
{
	struct fixture *f = arg;

	f->deferred_calls++;
}

static void on_timer(void *arg)
{
	struct fixture *f = arg;

	sk_loop_remove(f->timer);
	sk_loop_quit(f->loop);
}

static void test_remove_in_callback(void **state)
{
	struct fixture f = { 0 };
	int p[2], q[2];

	(void)state;
	assert_int_equal(sk_loop_new(&f.loop), 0);
	assert_int_equal(pipe(p) | pipe(q), 0);
	assert_int_equal(write(p[1], "x", 1) + write(q[1], "x", 1), 2);
	f.a = sk_loop_add_fd(f.loop, p[0], SK_LOOP_READ, on_readable, &f);
	f.b = sk_loop_add_fd(f.loop, q[0], SK_LOOP_READ, on_readable, &f);
	f.deferred = sk_loop_add_deferred(f.loop, on_deferred, &f);
	f.timer = sk_loop_add_timer(f.loop, 20, on_timer, &f);
	assert_int_equal(sk_loop_run(f.loop), 0);
	assert_int_equal(f.calls, 1);
	assert_int_equal(f.deferred_calls, 1);
	sk_loop_free(f.loop);
	close(p[0]), close(p[1]), close(q[0]), close(q[1]);
}

/* In a time namespace whose CLOCK_BOOTTIME is ahead, as after the host has slept. */
static void test_clock(void **state)
{
	struct timespec ts;
	int status, fd;
	pid_t pid;

	(void)state;
	fd = unshare(CLONE_NEWTIME) < 0 ? -1 : open("/proc/self/timens_offsets", O_WRONLY);
	if (fd < 0 || write(fd, "boottime 100000 0\n", 18) != 18) {
		print_message("SKIPPED: no time namespace here\n");
		skip();
	}
	close(fd);
	pid = fork();
	if (pid == 0) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		_exit(sk_now_ms() - (uint64_t)ts.tv_sec * 1000 < 2000 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_remove_in_callback), cmocka_unit_test(test_clock) };

	return cmocka_run_group_tests_name("base-loop", tests, NULL, NULL);
}
