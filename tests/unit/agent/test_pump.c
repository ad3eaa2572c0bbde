/* SPDX-License-Identifier: Apache-2.0 */
/* The pumps between a program's descriptors and its streams: nothing is lost, the end comes last, terminals. */
#include "../sk_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pump.h"

static struct sk_loop *loop;
static int done;

static void on_done(void *arg, struct sk_pump *p)
{
	(void)p;
	*(int *)arg = 1;
}

static int setup(void **state)
{
	(void)state;
	done = 0;
	return sk_loop_new(&loop);
}

static int teardown(void **state)
{
	(void)state;
	sk_loop_free(loop);
	return 0;
}

static void run(int ms)
{
	uint64_t end = sk_now_ms() + (uint64_t)ms;

	while (!done && sk_now_ms() < end)
		assert_true(sk_loop_once(loop, 10) >= 0);
}

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 7 + i / 251);
}

/* A peer that reads everything slowly, with pauses, and checks it. */
struct reader {
	int fd;
	size_t got;
	int wrong, slow;
};

static void *read_all(void *arg)
{
	struct reader *r = arg;
	unsigned char buf[3001];
	ssize_t n, i;

	while ((n = read(r->fd, buf, sizeof(buf))) > 0) {
		for (i = 0; i < n; i++)
			if (buf[i] != byte_at(r->got + (size_t)i))
				r->wrong = 1;
		r->got += (size_t)n;
		if (r->slow && r->got % 17 == 0)
			usleep(2000);
	}
	return NULL;
}

static void *write_all(void *arg)
{
	struct reader *w = arg;
	unsigned char buf[4096];
	size_t sent = 0;

	while (sent < w->got) {
		size_t n = w->got - sent < sizeof(buf) ? w->got - sent : sizeof(buf), i;

		for (i = 0; i < n; i++)
			buf[i] = byte_at(sent + i);
		if (write(w->fd, buf, n) != (ssize_t)n)
			w->wrong = 1;
		sent += n;
	}
	close(w->fd);
	return NULL;
}

/* Everything arrives, in order, and then the end; the sizes that do not fit in any buffer included. */
static void move_bytes(size_t total, int slow)
{
	int sv[2], pipefd[2];
	struct reader reader = { .slow = slow }, writer = { .got = total };
	pthread_t a, b;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(pipe(pipefd), 0);
	reader.fd = sv[1];
	writer.fd = pipefd[1];
	assert_non_null(sk_pump_new(loop, SK_PUMP_OUTPUT, pipefd[0], sv[0], on_done, &done));
	pthread_create(&a, NULL, read_all, &reader);
	pthread_create(&b, NULL, write_all, &writer);
	run(20000);
	assert_true(done);
	pthread_join(b, NULL);
	pthread_join(a, NULL);
	assert_int_equal(reader.got, total);
	assert_false(reader.wrong);
	close(sv[1]);
}

static void test_all_arrives(void **state)
{
	(void)state;
	move_bytes(32u << 20, 0);
}

static void test_slow_reader(void **state)
{
	(void)state;
	move_bytes(1u << 20, 1);
}

static void test_empty(void **state)
{
	(void)state;
	move_bytes(0, 0);
}

/* The program is gone, its child still holds the pipe: what was written arrives, then the stream ends. */
static void test_drain_with_pipe_held(void **state)
{
	struct reader reader = { .slow = 1 };
	int sv[2], pipefd[2];
	unsigned char buf[60000];
	struct sk_pump *p;
	pthread_t a;
	size_t i;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(pipe(pipefd), 0);
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = byte_at(i);
	assert_int_equal(write(pipefd[1], buf, sizeof(buf)), sizeof(buf));
	p = sk_pump_new(loop, SK_PUMP_OUTPUT, pipefd[0], sv[0], on_done, &done);
	sk_pump_drain(p);
	reader.fd = sv[1];
	pthread_create(&a, NULL, read_all, &reader);
	run(5000);
	assert_true(done);
	pthread_join(a, NULL);
	assert_int_equal(reader.got, sizeof(buf));
	assert_false(reader.wrong);
	close(sv[1]);
	close(pipefd[1]);
}

/* Nobody reads at all while the program has exited: the pump waits rather than lose anything. */
static void test_drain_waits_for_reader(void **state)
{
	struct reader reader = { 0 }, writer = { .got = 2u << 20 };
	int sv[2], pipefd[2];
	struct sk_pump *p;
	pthread_t a, b;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(pipe(pipefd), 0);
	writer.fd = pipefd[1];
	p = sk_pump_new(loop, SK_PUMP_OUTPUT, pipefd[0], sv[0], on_done, &done);
	pthread_create(&b, NULL, write_all, &writer);
	run(100);
	sk_pump_drain(p);
	run(600);
	assert_false(done);
	reader.fd = sv[1];
	pthread_create(&a, NULL, read_all, &reader);
	run(5000);
	assert_true(done);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	assert_int_equal(reader.got, writer.got);
	close(sv[1]);
}

/* The monitor's end is gone: the program goes on writing without an error. */
static void test_broken_output(void **state)
{
	struct reader writer = { .got = 4u << 20 };
	int sv[2], pipefd[2];
	pthread_t b;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(pipe(pipefd), 0);
	close(sv[1]);
	writer.fd = pipefd[1];
	assert_non_null(sk_pump_new(loop, SK_PUMP_OUTPUT, pipefd[0], sv[0], on_done, &done));
	pthread_create(&b, NULL, write_all, &writer);
	run(5000);
	assert_true(done);
	pthread_join(b, NULL);
	assert_false(writer.wrong);
}

/* stdin: half-close becomes end of file; a program that closed its stdin ends the pump. */
static void test_input(void **state)
{
	int sv[2], pipefd[2];
	char buf[16];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(pipe(pipefd), 0);
	assert_non_null(sk_pump_new(loop, SK_PUMP_INPUT, sv[0], pipefd[1], on_done, &done));
	assert_int_equal(write(sv[1], "hello", 5), 5);
	shutdown(sv[1], SHUT_WR);
	run(2000);
	assert_true(done);
	assert_int_equal(read(pipefd[0], buf, sizeof(buf)), 5);
	assert_int_equal(read(pipefd[0], buf, sizeof(buf)), 0);
	close(sv[1]);
	close(pipefd[0]);

	done = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(pipe(pipefd), 0);
	assert_non_null(sk_pump_new(loop, SK_PUMP_INPUT, sv[0], pipefd[1], on_done, &done));
	close(pipefd[0]);
	assert_int_equal(write(sv[1], "hello", 5), 5);
	run(2000);
	assert_true(done);
	close(sv[1]);
}

/* A terminal ends with EIO when its last user goes, and not before its output was read. */
static void test_terminal(void **state)
{
	int master, slave, sv[2];
	struct reader r = { 0 };
	char buf[64];
	size_t got = 0;
	ssize_t n;

	(void)state;
	(void)r;
	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		skip();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(write(slave, "last words\n", 11), 11);
	close(slave);
	assert_non_null(sk_pump_new(loop, SK_PUMP_OUTPUT, master, sv[0], on_done, &done));
	run(2000);
	assert_true(done);
	while ((n = read(sv[1], buf + got, sizeof(buf) - got)) > 0)
		got += (size_t)n;
	assert_int_equal(got, 12);
	assert_memory_equal(buf, "last words\r\n", 12);
	close(sv[1]);
}

/* Detached or stopped pumps do not call back into what is gone. */
static void test_detach(void **state)
{
	int sv[2], pipefd[2], i;
	char buf[16];
	struct sk_pump *p;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(write(pipefd[1], "x", 1), 1);
	p = sk_pump_new(loop, SK_PUMP_OUTPUT, pipefd[0], sv[0], on_done, &done);
	sk_pump_detach(p);
	for (i = 0; i < 60; i++)
		sk_loop_once(loop, 10);
	assert_false(done);
	assert_int_equal(read(sv[1], buf, sizeof(buf)), 1);
	assert_int_equal(read(sv[1], buf, sizeof(buf)), 0);
	close(sv[1]);
	close(pipefd[1]);
	sk_pump_detach(NULL);
	sk_pump_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drain_with_pipe_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drain_waits_for_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_output, setup, teardown),
		cmocka_unit_test_setup_teardown(test_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_terminal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_detach, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("agent-pump", tests, NULL, NULL);
}
