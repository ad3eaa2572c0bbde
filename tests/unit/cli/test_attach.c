/* SPDX-License-Identifier: Apache-2.0 */
/* The attached client against a monitor made of a thread at the other end of a socket pair. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/fs.h"
#include "cli/container/attach.h"
#include "cli/container/client.h"
#include "model/jx.h"

struct fake {
	struct sk_client c;
	int in_w, out_r, err_r; /* our ends of the client's stdin, stdout, stderr; -1 */
	int in_r, out_w, err_w; /* the client's */
	int client_fd;
	pthread_t thread;
	void (*script)(struct fake *f);
	char *output; /* collected by drain() */
	size_t n_output;
};

static void make(struct fake *f, void (*script)(struct fake *f))
{
	int p[2];

	memset(f, 0, sizeof(*f));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0);
	f->client_fd = p[0];
	sk_client_init(&f->c, p[1]);
	assert_int_equal(pipe(p), 0);
	f->in_r = p[0];
	f->in_w = p[1];
	assert_int_equal(pipe(p), 0);
	f->out_r = p[0];
	f->out_w = p[1];
	assert_int_equal(pipe(p), 0);
	f->err_r = p[0];
	f->err_w = p[1];
	f->script = script;
}

static void *thread_main(void *arg)
{
	struct fake *f = arg;

	f->script(f);
	sk_client_fini(&f->c);
	return NULL;
}

static void event(struct fake *f, json_t *take)
{
	struct sk_error err = SK_ERROR_INIT;

	(void)sk_client_send_json(&f->c, take, &err);
	json_decref(take);
}

static void send_exit(struct fake *f, int code)
{
	event(f, json_pack("{s:s,s:i,s:b,s:s}", "event", "exit", "code", code, "oom", 0, "message", ""));
}

static void emit(struct fake *f, uint8_t type, const char *s)
{
	struct sk_error err = SK_ERROR_INIT;

	(void)sk_client_send(&f->c, type, s, strlen(s), &err);
}

/* Reads the start request and says yes. */
static void accept_start(struct fake *f)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *o = NULL;

	if (sk_client_json(&f->c, &o, &err) == 0 && strcmp(sk_jx_get_str(o, "op", ""), "start") == 0)
		event(f, json_pack("{s:b}", "ok", 1));
	json_decref(o);
}

static int run(struct fake *f, struct sk_attach *a, struct sk_attach_result *result, struct sk_error *err)
{
	int r;

	*err = (struct sk_error)SK_ERROR_INIT;
	a->out_fd = f->out_w;
	a->err_fd = f->err_w;
	assert_int_equal(pthread_create(&f->thread, NULL, thread_main, f), 0);
	r = sk_attach_run(f->client_fd, a, result, err);
	close(f->client_fd);
	close(f->out_w);
	close(f->err_w);
	pthread_join(f->thread, NULL);
	return r;
}

static void finish(struct fake *f)
{
	close(f->in_r);
	if (f->in_w >= 0)
		close(f->in_w);
	close(f->out_r);
	close(f->err_r);
	free(f->output);
}

static void read_text(int fd, char *buf, size_t size)
{
	ssize_t n = read(fd, buf, size - 1);

	buf[n < 0 ? 0 : n] = '\0';
}

static void script_simple(struct fake *f)
{
	accept_start(f);
	emit(f, SK_FRAME_STDOUT, "to out");
	emit(f, SK_FRAME_STDERR, "to err");
	event(f, json_pack("{s:s}", "event", "something new")); /* unknown ones are passed over */
	send_exit(f, 42);
}

static void test_streams_and_code(void **state)
{
	struct sk_attach a = { .in_fd = -1, .start = true };
	struct sk_attach_result result;
	struct sk_error err;
	struct fake f;
	char buf[64];

	(void)state;
	make(&f, script_simple);
	assert_int_equal(run(&f, &a, &result, &err), 0);
	assert_int_equal(result.end, SK_ATTACH_EXITED);
	assert_int_equal(result.code, 42);
	assert_true(result.started);
	read_text(f.out_r, buf, sizeof(buf));
	assert_string_equal(buf, "to out");
	read_text(f.err_r, buf, sizeof(buf));
	assert_string_equal(buf, "to err");
	finish(&f);
}

static void script_refuse(struct fake *f)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *o = NULL;

	(void)sk_client_json(&f->c, &o, &err);
	json_decref(o);
	event(f, json_pack("{s:b,s:i,s:s,s:i}", "ok", 0, "errno", ENOENT, "message", "exec: \"x\": not found",
			   "exit_code", 127));
}

static void test_refused(void **state)
{
	struct sk_attach a = { .in_fd = -1, .start = true };
	struct sk_attach_result result;
	struct sk_error err;
	struct fake f;

	(void)state;
	make(&f, script_refuse);
	assert_int_equal(run(&f, &a, &result, &err), -ENOENT);
	assert_int_equal(result.end, SK_ATTACH_REFUSED);
	assert_int_equal(result.code, 127);
	assert_false(result.started);
	assert_string_equal(err.message, "exec: \"x\": not found");
	finish(&f);
}

static void script_vanish(struct fake *f)
{
	accept_start(f);
	emit(f, SK_FRAME_STDOUT, "half");
}

static void test_lost(void **state)
{
	struct sk_attach a = { .in_fd = -1, .start = true };
	struct sk_attach_result result;
	struct sk_error err;
	struct fake f;

	(void)state;
	make(&f, script_vanish);
	assert_true(run(&f, &a, &result, &err) < 0);
	assert_int_equal(result.end, SK_ATTACH_LOST);
	assert_int_equal(result.code, 125);
	finish(&f);
}

static void script_garbage(struct fake *f)
{
	static const uint8_t bad[] = { 0xff, 0xff, 0xff, 0xff, 2, 'x' };

	if (send(f->c.fd, bad, sizeof(bad), MSG_NOSIGNAL) < 0)
		return;
	poll(NULL, 0, 20);
}

static void test_garbage(void **state)
{
	struct sk_attach a = { .in_fd = -1 };
	struct sk_attach_result result;
	struct sk_error err;
	struct fake f;

	(void)state;
	make(&f, script_garbage);
	assert_int_equal(run(&f, &a, &result, &err), -EPROTO);
	assert_int_equal(result.end, SK_ATTACH_LOST);
	finish(&f);
}

/* Everything that comes on stdin goes back out; the window is checked and acknowledged in small steps. */
#define BULK (8u << 20)
static size_t most_unacked;

static void script_echo(struct fake *f)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_frame frame;
	size_t unacked = 0;

	most_unacked = 0;
	while (sk_client_next(&f->c, &frame, &err) == 0) {
		size_t n = frame.len;

		if (frame.type != SK_FRAME_STDIN) {
			sk_frame_consume(&f->c.in, &frame);
			continue;
		}
		if (n == 0) {
			send_exit(f, 0);
			return;
		}
		unacked += n;
		if (unacked > most_unacked)
			most_unacked = unacked;
		if (sk_client_send(&f->c, SK_FRAME_STDOUT, frame.payload, n, &err) < 0)
			return;
		sk_frame_consume(&f->c.in, &frame);
		if (unacked > 200 * 1024) {
			event(f, json_pack("{s:s,s:I}", "event", "stdin", "taken", (json_int_t)unacked));
			unacked = 0;
		}
	}
}

static void *feed(void *arg)
{
	struct fake *f = arg;
	uint32_t *block = malloc(65536), n = 0;
	size_t i;

	while (n < BULK / 4) {
		for (i = 0; i < 65536 / 4; i++)
			block[i] = n++;
		if (sk_fs_write_all(f->in_w, block, 65536) < 0)
			break;
	}
	close(f->in_w);
	f->in_w = -1;
	free(block);
	return NULL;
}

static void *drain(void *arg)
{
	struct fake *f = arg;
	ssize_t n;

	f->output = malloc(BULK + 65536);
	while ((n = read(f->out_r, f->output + f->n_output, 65536)) > 0 && f->n_output + (size_t)n <= BULK) {
		f->n_output += (size_t)n;
		if (f->n_output % (1 << 20) < 65536)
			poll(NULL, 0, 1); /* a reader that is slow now and then */
	}
	return NULL;
}

static void test_bulk(void **state)
{
	struct sk_attach a = { 0 };
	struct sk_attach_result result;
	struct sk_error err;
	pthread_t feeder, drainer;
	struct fake f;
	uint32_t i;

	(void)state;
	make(&f, script_echo);
	a.in_fd = f.in_r;
	assert_int_equal(pthread_create(&feeder, NULL, feed, &f), 0);
	assert_int_equal(pthread_create(&drainer, NULL, drain, &f), 0);
	assert_int_equal(run(&f, &a, &result, &err), 0);
	pthread_join(feeder, NULL);
	pthread_join(drainer, NULL);
	assert_int_equal(result.end, SK_ATTACH_EXITED);
	assert_int_equal(f.n_output, BULK);
	for (i = 0; i < BULK / 4; i++)
		assert_int_equal(((uint32_t *)(void *)f.output)[i], i);
	assert_true(most_unacked <= 256 * 1024);
	assert_true(most_unacked > 100 * 1024);
	finish(&f);
}

/* A process that reads no input: no more than the window leaves us, and signals still get through behind it. */
static void script_no_reader(struct fake *f)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_frame frame;
	bool signalled = false;
	size_t got = 0;

	while (sk_client_next(&f->c, &frame, &err) == 0) {
		if (frame.type == SK_FRAME_STDIN) {
			got += frame.len;
			sk_frame_consume(&f->c.in, &frame);
			if (got > 200 * 1024 && !signalled) {
				signalled = true;
				poll(NULL, 0, 20);
				kill(getpid(), SIGUSR1);
			}
		} else {
			json_t *o = sk_frame_json(&frame);
			bool is_signal = strcmp(sk_jx_get_str(o, "op", ""), "signal") == 0;
			int sig = (int)sk_jx_get_int(o, "signal", 0);

			json_decref(o);
			sk_frame_consume(&f->c.in, &frame);
			if (is_signal) {
				send_exit(f, got <= 256 * 1024 && sig == SIGUSR1 ? 7 : 1);
				return;
			}
		}
	}
}

static void test_window_and_signal(void **state)
{
	struct sk_attach a = { .sig_proxy = true };
	struct sk_attach_result result;
	struct sk_error err;
	struct fake f;
	sigset_t set;
	int zero = open("/dev/zero", O_RDONLY);

	(void)state;
	make(&f, script_no_reader);
	a.in_fd = zero;
	/* The fake's thread must not take the signal. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	assert_int_equal(run(&f, &a, &result, &err), 0);
	assert_int_equal(result.code, 7);
	close(zero);
	finish(&f);
}

static void script_flood(struct fake *f)
{
	static const char block[4096];
	struct sk_error err = SK_ERROR_INIT;

	while (sk_client_send(&f->c, SK_FRAME_STDOUT, block, sizeof(block), &err) == 0)
		;
}

static void test_broken_pipe(void **state)
{
	struct sk_attach a = { .in_fd = -1 };
	struct sk_attach_result result;
	struct sk_error err;
	struct fake f;

	(void)state;
	make(&f, script_flood);
	close(f.out_r);
	f.out_r = dup(f.err_r);
	assert_true(run(&f, &a, &result, &err) < 0);
	assert_int_equal(result.end, SK_ATTACH_LOST);
	assert_int_equal(result.code, 128 + SIGPIPE);
	finish(&f);
}

/* A terminal: raw while it runs, size sent, detach keys seen, cooked again. */
static int pty_master;

static void script_terminal(struct fake *f)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_frame frame;
	char typed[16] = "";
	struct termios mode;

	accept_start(f);
	/* Cooked, the terminal would take some of the keys for itself. */
	while (tcgetattr(pty_master, &mode) == 0 && (mode.c_lflag & ICANON))
		poll(NULL, 0, 1);
	(void)sk_fs_write_all(pty_master, "ab\x10\x11", 4);
	while (sk_client_next(&f->c, &frame, &err) == 0) {
		json_t *o = NULL;

		if (frame.type == SK_FRAME_STDIN)
			strncat(typed, (const char *)frame.payload, frame.len);
		else
			o = sk_frame_json(&frame);
		sk_frame_consume(&f->c.in, &frame);
		if (o && strcmp(sk_jx_get_str(o, "op", ""), "detach") == 0) {
			emit(f, SK_FRAME_STDOUT, typed);
			event(f, json_pack("{s:s}", "event", "detached"));
			json_decref(o);
			return;
		}
		json_decref(o);
	}
}

static void test_terminal(void **state)
{
	struct sk_attach a = { .tty = true, .start = true };
	struct sk_attach_result result;
	struct sk_error err;
	struct fake f;
	char buf[64];
	int slave;

	(void)state;
	pty_master = posix_openpt(O_RDWR | O_NOCTTY);
	if (pty_master < 0 || grantpt(pty_master) < 0 || unlockpt(pty_master) < 0)
		skip();
	slave = open(ptsname(pty_master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	make(&f, script_terminal);
	a.in_fd = slave;
	assert_int_equal(run(&f, &a, &result, &err), 0);
	assert_int_equal(result.end, SK_ATTACH_DETACHED);
	assert_int_equal(result.code, 0);
	assert_int_equal(result.signal, 0);
	read_text(f.out_r, buf, sizeof(buf));
	assert_string_equal(buf, "ab");
	close(slave);
	close(pty_master);
	finish(&f);
}

/* Before it runs, Ctrl-C is ours. */
static void script_slow_boot(struct fake *f)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *o = NULL;

	(void)sk_client_json(&f->c, &o, &err);
	json_decref(o);
	poll(NULL, 0, 20);
	kill(getpid(), SIGINT);
	o = NULL;
	(void)sk_client_json(&f->c, &o, &err); /* end of file */
	json_decref(o);
}

static void test_interrupted_boot(void **state)
{
	struct sk_attach a = { .in_fd = -1, .start = true, .sig_proxy = true };
	struct sk_attach_result result;
	struct sk_error err;
	struct fake f;
	sigset_t set;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	make(&f, script_slow_boot);
	assert_int_equal(run(&f, &a, &result, &err), 0);
	assert_int_equal(result.end, SK_ATTACH_DETACHED);
	assert_int_equal(result.code, 130);
	assert_false(result.started);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams_and_code),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_window_and_signal),
		cmocka_unit_test(test_broken_pipe),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_interrupted_boot),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
