/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients ask of a monitor, by the messages that they send: streams and their limits, exec, copies, pods; clients
 * that are slow, send nonsense, or go in the middle. The guest is the test's script, under a simulated clock.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/fs.h"
#include "world.h"

#define MIB (1u << 20)

static uint8_t block[64 * 1024];

static int setup(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7);
	return w_setup(state);
}

/* A container whose life the script leads; at the end its VM is gone, in whatever way. */
static void run(void (*script)(void), json_t *take_more)
{
	struct w_life life = { .script = script };

	fx_new_container(w_store(), take_more);
	w_run(w_store(), &life);
}

static void run_managed(void (*script)(void))
{
	run(script, json_pack("{s:b}", "managed", 1));
}

/* ---- in a script */

static struct w_request init; /* the request to create the container */

/* An attached owner whose container runs. */
static void up(const char *attach)
{
	w_send(w_owner(), attach);
	w_expect_ok(w_owner());
	w_send(w_owner(), "{\"op\":\"start\"}");
	init = w_up();
	w_expect_ok(w_owner());
}

static void up_managed(void)
{
	struct w_client *starter;

	w_send(w_owner(), "{\"op\":\"create\"}");
	init = w_up();
	w_expect_ok(w_owner());
	starter = w_connect();
	w_send(starter, "{\"op\":\"start\"}");
	w_answer(SK_OP_START);
	w_expect_ok(starter);
	w_close(starter);
}

static void down(void)
{
	w_lost("the engine ended unexpectedly");
}

/* A client that asks for this, and nothing more. */
static struct w_client *ask(const char *text)
{
	struct w_client *c = w_connect();

	w_send(c, text);
	return c;
}

/* The next event "stdin": how many bytes the guest has taken. */
static size_t taken(struct w_client *c)
{
	json_t *o = w_receive(c);
	size_t n = (size_t)json_integer_value(json_object_get(o, "taken"));

	assert_string_equal(json_string_value(json_object_get(o, "event")), "stdin");
	json_decref(o);
	return n;
}

/* ---- output */

/* All readers get all bytes, at the pace of the slowest; one that goes is not waited for. */
static void slow_reader_script(void)
{
	struct w_client *slow;
	struct sk_stream *out;
	size_t sent = 0, n;
	unsigned before;

	up("{\"op\":\"attach\"}");
	slow = ask("{\"op\":\"attach\"}");
	w_expect_ok(slow);
	out = w_stream(&init.msg.create.stdio.token[1], "");
	do {
		n = w_data(out, block, sizeof(block));
		sent += n;
		w_read(w_owner());
	} while (n == sizeof(block) && sent < 64 * MIB);
	assert_true(n < sizeof(block) && sent < 2 * MIB); /* the guest is stopped, nothing grows */
	assert_int_equal(w_owner()->out[0], sent);
	assert_int_equal(w_data(out, block, 1), 0);
	before = out->resumed;
	w_read(slow);
	assert_int_equal(slow->out[0], sent);
	assert_int_equal(slow->last, w_owner()->last);
	assert_true(out->resumed > before);
	/* Slow again; it goes instead of reading. */
	do {
		n = w_data(out, block, sizeof(block));
		w_read(w_owner());
	} while (n == sizeof(block));
	before = out->resumed;
	w_close(slow);
	assert_true(out->resumed > before);
	assert_int_equal(w_data(out, "x", 1), 1);
	w_read(w_owner());
	assert_int_equal(w_owner()->last, 'x');
	w_eof(out);
	w_read(w_owner());
	assert_int_equal(w_owner()->ends[0], 1);
	down();
}

static void test_slow_reader(void **state)
{
	_cleanup_free_ char *path = NULL, *log = NULL;
	size_t len;

	(void)state;
	run(slow_reader_script, NULL);
	path = fx_path(w_store(), "log/container.log");
	assert_int_equal(sk_fs_read(AT_FDCWD, path, 64 * MIB, &log, &len), 0);
	assert_true(len > MIB / 2); /* the log has it too, once */
}

/* Bytes of a stream that come with its token, and a token that is used twice, or nobody's. */
static void tokens_script(void)
{
	struct sk_token wrong = { .set = true, .bytes = { 1 } };

	up("{\"op\":\"attach\"}");
	assert_non_null(w_stream(&init.msg.create.stdio.token[2], "early"));
	assert_null(w_stream(&init.msg.create.stdio.token[2], "again"));
	assert_null(w_stream(&wrong, ""));
	assert_false(init.msg.create.stdio.token[0].set); /* its input is /dev/null */
	w_read(w_owner());
	assert_true(w_owner()->out[1] == 5 && w_owner()->out[0] == 0);
	down();
}

static void test_tokens(void **state)
{
	(void)state;
	run(tokens_script, NULL);
}

static void terminal_script(void)
{
	struct w_request r;
	struct sk_stream *tty;

	w_send(w_owner(), "{\"op\":\"attach\",\"stdin\":true}");
	w_expect_ok(w_owner());
	w_send(w_owner(), "{\"op\":\"start\",\"rows\":30,\"cols\":90}");
	init = w_up();
	w_expect_ok(w_owner());
	assert_true(init.msg.create.stdio.terminal && init.msg.create.stdio.rows == 30);
	assert_false(init.msg.create.stdio.token[0].set || init.msg.create.stdio.token[2].set);
	w_send(w_owner(), "{\"op\":\"resize\",\"rows\":50,\"cols\":100}");
	r = w_answer(SK_OP_RESIZE);
	assert_true(r.msg.size.rows == 50 && r.msg.size.cols == 100);
	w_send(w_owner(), "{\"op\":\"resize\",\"rows\":0,\"cols\":100}"); /* a terminal that does not know */
	w_expect_nothing();
	w_send(w_owner(), "{\"op\":\"signal\",\"signal\":28}");
	r = w_answer(SK_OP_SIGNAL);
	assert_true(r.msg.signal.number == SIGWINCH && !r.msg.signal.all);
	tty = w_stream(&init.msg.create.stdio.token[1], "$ ");
	w_send_input(w_owner(), "ls\n", 3);
	assert_int_equal(tty->in.len, 3);
	assert_int_equal(taken(w_owner()), 3);
	w_send_input(w_owner(), NULL, 0); /* a terminal has no half that could be shut */
	assert_false(tty->shut);
	w_send(w_owner(), "{\"op\":\"nonsense\"}"); /* a newer client's */
	w_send(w_owner(), "{\"op\":\"resize\",\"rows\":\"many\"}");
	w_expect_silence(w_owner());
	w_send(w_owner(), "{\"op\":\"detach\"}");
	json_decref(w_receive(w_owner()));
	w_expect_closed(w_owner());
	assert_true(w_has_vm());
	down();
}

static void test_terminal(void **state)
{
	(void)state;
	run(terminal_script, json_pack("{s:b,s:b}", "terminal", 1, "stdin_open", 1));
}

/* ---- input */

static void input_script(void)
{
	struct sk_stream *in;
	size_t i, acknowledged = 0;

	up("{\"op\":\"attach\",\"stdin\":true}");
	w_send_input(w_owner(), "before ", 7); /* kept until the guest has connected */
	w_expect_silence(w_owner());
	in = w_stream(&init.msg.create.stdio.token[0], "");
	assert_int_equal(in->in.len, 7);
	assert_int_equal(taken(w_owner()), 7);
	in->room = 10; /* a guest that reads slowly */
	for (i = 0; i < 4; i++)
		w_send_input(w_owner(), block, sizeof(block));
	while (acknowledged < 10)
		acknowledged += taken(w_owner());
	assert_int_equal(acknowledged, 10);
	w_expect_silence(w_owner());
	w_send_input(w_owner(), NULL, 0);
	assert_false(in->shut); /* what was sent before comes first */
	w_room(in, MIB);
	while (acknowledged < 4 * sizeof(block))
		acknowledged += taken(w_owner());
	assert_int_equal(in->in.len, 7 + 4 * sizeof(block));
	assert_true(in->shut);
	assert_memory_equal((const uint8_t *)sk_buf_data(&in->in) + 7, block, sizeof(block));
	down();
}

static void test_input(void **state)
{
	(void)state;
	run(input_script, json_pack("{s:b}", "stdin_open", 1));
}

/* More than the window, from a client that does not wait for the guest. */
static void window_script(void)
{
	struct w_client *bad, *good;
	int i;

	up("{\"op\":\"attach\"}");
	bad = ask("{\"op\":\"attach\",\"stdin\":true}");
	good = ask("{\"op\":\"attach\",\"stdin\":true}");
	w_expect_ok(bad);
	w_expect_ok(good);
	for (i = 0; i < 4; i++)
		w_send_input(bad, block, sizeof(block));
	w_expect_silence(bad);
	w_send_input(bad, "x", 1);
	w_expect_closed(bad);
	w_send_input(w_owner(), "not wanted", 10); /* attached without stdin: dropped */
	w_expect_silence(good);
	assert_true(w_has_vm());
	down();
}

static void test_window(void **state)
{
	(void)state;
	run(window_script, json_pack("{s:b}", "stdin_open", 1));
}

/* docker's StdinOnce: the input ends with the client that gave it. */
static void stdin_once_script(void)
{
	struct w_client *c;
	struct sk_stream *in;

	up("{\"op\":\"attach\"}");
	in = w_stream(&init.msg.create.stdio.token[0], "");
	c = ask("{\"op\":\"attach\",\"stdin\":true}");
	w_expect_ok(c);
	w_send_input(c, "abc", 3);
	w_close(c);
	assert_true(in->shut && in->in.len == 3);
	/* The guest closes its input: what comes for it is taken and lost. */
	w_closed(in);
	c = ask("{\"op\":\"attach\",\"stdin\":true}");
	w_expect_ok(c);
	w_send_input(c, "late", 4);
	w_expect_silence(c);
	down();
}

static void test_stdin_once(void **state)
{
	(void)state;
	run(stdin_once_script, json_pack("{s:b,s:b}", "stdin_open", 1, "stdin_once", 1));
}

/* ---- exec */

#define EXEC(more) "{\"op\":\"exec\",\"process\":{\"args\":[\"x\"]}" more "}"

static void expect_key(struct w_client *c, const char *key)
{
	json_t *o = w_receive(c);

	assert_true(json_is_true(json_object_get(o, "ok")));
	assert_string_equal(json_string_value(json_object_get(o, "key")), key);
	/* Before any output, and its end. */
	assert_true(!c->out[0] && !c->out[1] && !c->ends[0] && !c->ends[1]);
	json_decref(o);
}

static void exec_script(void)
{
	struct w_client *c, *d;
	struct w_request r, killed;
	struct sk_stream *out;

	up("{\"op\":\"attach\"}");
	c = ask(EXEC(",\"stdin\":true"));
	r = w_answer(SK_OP_EXEC);
	assert_string_equal(r.key, "x1");
	expect_key(c, "x1");
	out = w_stream(&r.msg.exec.stdio.token[1], "hello");
	w_send_input(c, "in", 2); /* and its input has no stream yet */
	w_exit("c0", "x1", 7);
	w_exit("c0", "x1", 8); /* once */
	w_eof(out);
	w_eof(w_stream(&r.msg.exec.stdio.token[2], ""));
	w_expect_end(c, 7);
	assert_int_equal(c->out[0], 5);
	/* Refused. */
	c = ask(EXEC(""));
	r = w_expect(SK_OP_EXEC);
	w_refuse(&r, ENOENT, 127, "no such program");
	w_expect_error(c, ENOENT, "no such program");
	/* All of it is over before the answer comes. */
	c = ask(EXEC(""));
	r = w_expect(SK_OP_EXEC);
	w_process_ends(&r, 0);
	w_eof(w_stream(&r.msg.exec.stdio.token[1], ""));
	w_eof(w_stream(&r.msg.exec.stdio.token[2], ""));
	w_ok(&r);
	expect_key(c, "x3");
	w_expect_end(c, 0);
	assert_true(c->ends[0] == 1 && c->ends[1] == 1);
	/* Its output overtakes the answer: it waits. */
	c = ask(EXEC(""));
	r = w_expect(SK_OP_EXEC);
	out = w_stream(&r.msg.exec.stdio.token[1], "");
	assert_int_equal(w_data(out, "early", 5), 0);
	w_expect_silence(c);
	w_ok(&r);
	expect_key(c, "x4");
	assert_int_equal(out->resumed, 1);
	assert_int_equal(w_data(out, "early", 5), 5);
	w_exit("c0", "x4", 0);
	w_eof(out);
	w_eof(w_stream(&r.msg.exec.stdio.token[2], ""));
	w_expect_end(c, 0);
	assert_int_equal(c->out[0], 5);
	/* Its client goes: the process is killed where the client owns it, and only there. */
	c = ask(EXEC(",\"owner\":true"));
	d = ask(EXEC(""));
	w_answer(SK_OP_EXEC);
	w_answer(SK_OP_EXEC);
	w_close(d);
	w_expect_nothing();
	w_close(c);
	killed = w_answer(SK_OP_SIGNAL);
	assert_string_equal(killed.key, "x5");
	assert_true(killed.msg.signal.number == SIGKILL && !killed.msg.signal.all);
	/* Detached: the answer, and no more. */
	c = ask(EXEC(",\"detach\":true"));
	w_answer(SK_OP_EXEC);
	expect_key(c, "x7");
	w_expect_closed(c);
	/* The client is gone when the answer comes: output does not wait for that any more. */
	c = ask(EXEC(""));
	r = w_expect(SK_OP_EXEC);
	out = w_stream(&r.msg.exec.stdio.token[1], "");
	assert_int_equal(w_data(out, "early", 5), 0);
	w_close(c);
	assert_int_equal(out->resumed, 1);
	assert_int_equal(w_data(out, "early", 5), 5);
	w_ok(&r);
	down();
}

static void test_exec(void **state)
{
	(void)state;
	run(exec_script, NULL);
}

/* The output of a process that has ended goes on: its child has it. Nobody is left who reads: it is dropped. */
static void exec_drain_script(void)
{
	struct w_client *c;
	struct w_request r;
	struct sk_stream *out;

	up("{\"op\":\"attach\"}");
	c = ask(EXEC(""));
	r = w_answer(SK_OP_EXEC);
	expect_key(c, "x1");
	out = w_stream(&r.msg.exec.stdio.token[1], "");
	w_exit("c0", "x1", 7);
	w_pass(3600 * 1000);
	assert_false(out->closed);
	assert_int_equal(w_data(out, "an hour later", 13), 13);
	w_close(c);
	w_pass(5000);
	assert_true(out->closed);
	down();
}

static void test_exec_drain(void **state)
{
	(void)state;
	run(exec_drain_script, NULL);
}

static void many_execs_script(void)
{
	struct w_client *c = NULL;
	int i;

	up("{\"op\":\"attach\"}");
	for (i = 0; i < 1023; i++) {
		c = ask(EXEC(",\"detach\":true"));
		w_answer(SK_OP_EXEC);
		w_close(c);
	}
	c = ask(EXEC(""));
	w_expect_error(c, EAGAIN, "too many processes");
	w_exit("c0", "x5", 0); /* its streams never came: they are not waited for */
	w_pass(5000);
	c = ask(EXEC(""));
	w_answer(SK_OP_EXEC);
	expect_key(c, "x1024");
	down();
	w_expect_end(c, 137);
}

static void test_many_execs(void **state)
{
	(void)state;
	run(many_execs_script, NULL);
}

/* ---- what goes on to the agent */

static void passed_script(void)
{
	json_t *answer = json_pack("{s:i}", "cpu", 3), *o;
	struct w_client *c;
	struct w_request r;

	up("{\"op\":\"attach\"}");
	c = ask("{\"op\":\"pause\"}");
	r = w_answer(SK_OP_PAUSE);
	assert_string_equal(r.container, "c0");
	w_expect_ok(c);
	w_expect_status("paused");
	c = ask("{\"op\":\"resume\"}");
	w_answer(SK_OP_RESUME);
	w_expect_ok(c);
	w_expect_status("running");
	c = ask("{\"op\":\"stats\"}");
	r = w_expect(SK_OP_STATS);
	w_reply(&r, &(const struct sk_reply){ .ok = true, .stats = answer });
	o = w_receive(c);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "stats"), "cpu")), 3);
	assert_int_equal(json_integer_value(json_object_get(o, "pid")), getpid());
	assert_string_equal(json_string_value(json_object_get(o, "engine")), "fake");
	json_decref(o);
	json_decref(answer);
	c = ask("{\"op\":\"info\"}");
	o = w_receive(c);
	assert_int_equal(json_integer_value(json_object_get(o, "engine_pid")), 4242);
	assert_string_equal(json_string_value(json_object_get(o, "kernel")), "7.3");
	json_decref(o);
	c = ask("{\"op\":\"kill\",\"key\":\"x9\",\"signal\":10}");
	r = w_expect(SK_OP_SIGNAL);
	assert_true(strcmp(r.key, "x9") == 0 && r.msg.signal.number == 10);
	w_refuse(&r, ESRCH, 0, "there is no such process");
	w_expect_error(c, ESRCH, "no such process");
	/* The VM ends before the answer: killed is killed, and everything else has failed. */
	c = ask("{\"op\":\"kill\",\"signal\":9}");
	w_expect(SK_OP_SIGNAL);
	(void)ask("{\"op\":\"ps\"}");
	w_expect(SK_OP_PS);
	down();
	w_expect_ok(c);
}

static void test_passed(void **state)
{
	(void)state;
	run(passed_script, NULL);
}

/* ---- copies */

static void get_script(void)
{
	struct w_client *c;
	struct w_request r;
	struct sk_stream *s;
	size_t sent = 0, n, i;
	unsigned resumed;

	up("{\"op\":\"attach\"}");
	c = ask("{\"op\":\"get\",\"path\":\"/etc\",\"follow\":true}");
	r = w_expect(SK_OP_GET);
	assert_true(r.msg.file.follow && r.msg.file.stream.set);
	s = w_stream(&r.msg.file.stream, "");
	do {
		n = w_data(s, block, sizeof(block));
		sent += n;
	} while (n == sizeof(block) && sent < 64 * MIB);
	assert_true(sent < 2 * MIB); /* the client does not read */
	w_read(c);
	assert_true(s->resumed > 0);
	assert_int_equal(c->out[0], sent);
	/* Nearly as much once more: all of it is taken, so that nothing is to be resumed. */
	resumed = s->resumed;
	for (i = 0; i + 1 < sent / sizeof(block); i++)
		assert_int_equal(w_data(s, block, sizeof(block)), sizeof(block));
	w_read(c);
	assert_int_equal(s->resumed, resumed);
	sent += i * sizeof(block);
	assert_int_equal(c->out[0], sent);
	w_ok(&r); /* the answer may come before the last bytes */
	w_expect_silence(c);
	assert_int_equal(w_data(s, "end", 3), 3);
	w_eof(s);
	w_expect_ok(c);
	assert_true(c->out[0] == sent + 3 && c->ends[0] == 1);
	w_expect_closed(c);
	/* Fails without a stream, and in the middle of one. */
	for (i = 0; i < 2; i++) {
		c = ask("{\"op\":\"get\",\"path\":\"/none\"}");
		r = w_expect(SK_OP_GET);
		s = i ? w_stream(&r.msg.file.stream, "some") : NULL;
		w_refuse(&r, ENOENT, 0, "there is no /none");
		w_expect_error(c, ENOENT, "/none");
		assert_true(!s || s->closed);
	}
	/* Its client goes. */
	c = ask("{\"op\":\"get\",\"path\":\"/etc\"}");
	r = w_expect(SK_OP_GET);
	s = w_stream(&r.msg.file.stream, "");
	w_close(c);
	assert_true(s->closed);
	w_refuse(&r, EPIPE, 0, "nobody reads");
	/* The VM does. */
	c = ask("{\"op\":\"get\",\"path\":\"/etc\"}");
	r = w_expect(SK_OP_GET);
	w_stream(&r.msg.file.stream, "part");
	down();
	w_expect_error(c, ECONNRESET, "has stopped");
	assert_int_equal(c->out[0], 4);
}

static void test_get(void **state)
{
	(void)state;
	run(get_script, NULL);
}

static void put_script(void)
{
	struct w_client *c;
	struct w_request r;
	struct sk_stream *s;

	up("{\"op\":\"attach\"}");
	c = ask("{\"op\":\"put\",\"path\":\"/tmp\",\"uid_gid\":true}");
	r = w_expect(SK_OP_PUT);
	assert_true(r.msg.file.uid_gid);
	w_send_input(c, block, sizeof(block)); /* before the guest has connected */
	s = w_stream(&r.msg.file.stream, "");
	assert_int_equal(s->in.len, sizeof(block));
	s->room = 100;
	w_send_input(c, block, sizeof(block));
	w_send(c, "{\"op\":\"nonsense\"}"); /* has no place there */
	w_send_input(c, "last", 4);
	w_send_input(c, NULL, 0);
	assert_int_equal(s->in.len, sizeof(block) + 100);
	assert_false(s->shut);
	w_room(s, MIB);
	assert_int_equal(s->in.len, 2 * sizeof(block) + 4);
	assert_memory_equal((const uint8_t *)sk_buf_data(&s->in) + sizeof(block), block, sizeof(block));
	assert_true(s->shut);
	w_expect_silence(c);
	w_ok(&r);
	w_expect_ok(c);
	/* A guest that takes nothing of many megabytes holds them up at the client. */
	c = ask("{\"op\":\"put\",\"path\":\"/tmp\"}");
	r = w_expect(SK_OP_PUT);
	w_refuse(&r, EROFS, 0, "read-only");
	w_expect_error(c, EROFS, "read-only");
	down();
}

static void test_put(void **state)
{
	(void)state;
	run(put_script, NULL);
}

/* Of a container that does not run: the VM is booted for it, and its root mounted once. */
static void early_copy_script(void)
{
	struct w_client *c = ask("{\"op\":\"get\",\"path\":\"/etc\"}"), *d = ask("{\"op\":\"stat\",\"path\":\"/\"}"),
			*e;
	struct w_request r;

	w_expect_silence(c);
	e = ask("{\"op\":\"get\",\"path\":\"/gone\"}");
	w_close(e); /* it does not wait */
	w_hello();
	w_expect_nothing();
	w_ready();
	r = w_expect(SK_OP_CREATE);
	assert_true(r.msg.create.mount_only && !r.msg.create.spec);
	w_ok(&r);
	r = w_expect(SK_OP_STAT); /* the last one to come is the first of the list */
	w_refuse(&r, EIO, 0, "an input error");
	w_expect_error(d, EIO, "an input error");
	r = w_expect(SK_OP_GET);
	w_eof(w_stream(&r.msg.file.stream, "tar"));
	w_ok(&r);
	w_expect_ok(c);
	w_expect_nothing();
	w_expect_status("created");
	/* A container is not started on a root that is mounted for copies. */
	w_send(w_owner(), "{\"op\":\"start\"}");
	w_expect_nothing();
	w_close(w_owner());
	down();
}

static void test_early_copy(void **state)
{
	(void)state;
	run(early_copy_script, NULL);
}

/* What a put brings before the guest is up is kept for it. */
static void early_put_script(void)
{
	struct w_client *c = ask("{\"op\":\"put\",\"path\":\"/tmp\"}");
	struct w_request r;
	struct sk_stream *s;

	w_send_input(c, "early", 5);
	w_send_input(c, NULL, 0);
	w_hello();
	w_ready();
	w_answer(SK_OP_CREATE);
	r = w_expect(SK_OP_PUT);
	s = w_stream(&r.msg.file.stream, "");
	assert_int_equal(s->in.len, 5);
	assert_memory_equal(sk_buf_data(&s->in), "early", 5);
	assert_true(s->shut);
	w_ok(&r);
	w_expect_ok(c);
	w_close(w_owner());
	down();
}

static void test_early_put(void **state)
{
	(void)state;
	run(early_put_script, NULL);
}

/* ---- clients that do not keep to the protocol */

static void bad_clients_script(void)
{
	static const char huge[] = { 0, 0, 0x20, 0, SK_FRAME_JSON, '{' }, none[] = { 0, 0, 0, 0 };
	struct w_client *c;
	unsigned i;

	up("{\"op\":\"attach\"}");
	for (i = 0; i < 3; i++) {
		const char *bytes = i == 0 ? huge : i == 1 ? none : "\5\0\0\0\1[1]x";
		size_t n = i == 0 ? sizeof(huge) : i == 1 ? sizeof(none) : 9;

		c = w_connect();
		assert_int_equal(write(c->fd, bytes, n), n);
		w_expect_closed(c);
	}
	c = ask("{\"op\":\"attach\"}");
	w_expect_ok(c);
	w_send(c, "{\"op\":\"attach\"}"); /* once */
	w_expect_silence(c);
	c = w_connect(); /* says nothing, ever */
	w_pass(UINT64_C(86400) * 1000);
	w_expect_silence(c);
	assert_true(w_has_vm());
	down();
}

static void test_bad_clients(void **state)
{
	(void)state;
	run(bad_clients_script, NULL);
}

/* A quarter of the descriptors is for clients. */
static void many_clients_script(void)
{
	struct w_client *all[40];
	unsigned open = 0, i;
	char byte;

	up("{\"op\":\"attach\"}");
	for (i = 0; i < 40; i++)
		all[i] = w_connect();
	for (i = 0; i < 40; i++)
		open += recv(all[i]->fd, &byte, 1, MSG_DONTWAIT) < 0; /* silent; the others are closed */
	assert_int_equal(open, 31);				      /* the owner is one */
	w_close(all[0]);
	all[0] = ask("{\"op\":\"attach\"}"); /* a place is free again */
	w_expect_ok(all[0]);
	down();
}

static void test_many_clients(void **state)
{
	/* For good, where the test is a plain user's: the last test of the program. */
	const struct rlimit few = { 128, 128 };

	(void)state;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	run(many_clients_script, NULL);
}

/* ---- pods */

#define JOIN "{\"op\":\"join\",\"create\":{\"spec\":{},\"rootfs\":{\"type\":\"9p\",\"tag\":\"r\"}}}"

static struct w_client *join(const char *name, struct w_request *ret)
{
	struct w_client *c = ask(JOIN);
	json_t *o;

	*ret = w_expect(SK_OP_CREATE);
	assert_string_equal(ret->container, name);
	assert_false(ret->msg.create.start);
	w_ok(ret);
	o = w_receive(c);
	assert_string_equal(json_string_value(json_object_get(o, "container")), name);
	json_decref(o);
	return c;
}

static void member_script(void)
{
	struct w_client *member, *c;
	struct w_request r, deletion;
	int i;

	up_managed();
	member = join("c1", &r);
	c = ask("{\"op\":\"exec\",\"container\":\"c1\",\"process\":{}}"); /* legal before its start */
	w_answer(SK_OP_EXEC);
	expect_key(c, "x1");
	w_close(c);
	c = ask("{\"op\":\"start\",\"container\":\"c1\"}");
	w_answer(SK_OP_START);
	w_expect_ok(c);
	c = ask("{\"op\":\"start\",\"container\":\"c1\"}");
	w_expect_error(c, EINVAL, "not in the state to be started");
	for (i = 0; i < 10; i++)
		w_oom("c1");
	json_decref(w_receive(member));
	w_expect_silence(member); /* one a second */
	w_pass(1000);
	w_oom("c1");
	json_decref(w_receive(member));
	c = ask("{\"op\":\"kill\",\"container\":\"c1\",\"signal\":9}"); /* it, and not the VM */
	assert_string_equal(w_answer(SK_OP_SIGNAL).container, "c1");
	w_expect_ok(c);
	w_pass(10000);
	assert_true(w_has_vm());
	w_process_ends(&r, 137);
	deletion = w_expect(SK_OP_DELETE); /* its files are unmounted before anybody hears of its end */
	w_expect_silence(member);
	c = ask("{\"op\":\"exec\",\"container\":\"c1\",\"process\":{}}");
	w_expect_error(c, ENOTCONN, "not running");
	w_ok(&deletion);
	w_expect_end(member, 137);
	/* Unknown ones are the agent's to refuse. A name that cannot be one does not stand for the first container. */
	c = ask("{\"op\":\"pause\",\"container\":\"c99\"}");
	assert_string_equal(w_expect(SK_OP_PAUSE).container, "c99");
	w_expect_error(ask("{\"op\":\"kill\",\"signal\":9,\"container\":\"web\"}"), ENOENT,
		       "no container of that name");
	w_expect_error(ask("{\"op\":\"pause\",\"container\":\"c9/../x\"}"), EINVAL, "container");
	w_expect_nothing();
	down();
}

static void test_member(void **state)
{
	(void)state;
	run_managed(member_script);
}

/* Its process on the host goes in each state of the member. */
static void member_gone_script(void)
{
	struct w_client *member;
	struct w_request r;

	up_managed();
	member = ask(JOIN);
	r = w_expect(SK_OP_CREATE);
	w_close(member); /* before it is created */
	assert_int_equal(w_answer(SK_OP_SIGNAL).msg.signal.number, SIGKILL);
	w_ok(&r);
	assert_string_equal(w_answer(SK_OP_DELETE).container, "c1");
	member = join("c2", &r);
	w_close(member); /* created */
	assert_string_equal(w_answer(SK_OP_SIGNAL).container, "c2");
	w_process_ends(&r, 137);
	assert_string_equal(w_answer(SK_OP_DELETE).container, "c2");
	member = ask(JOIN);
	r = w_expect(SK_OP_CREATE);
	w_refuse(&r, ENOENT, 127, "no such program");
	w_expect_error(member, ENOENT, "no such program");
	member = join("c4", &r);
	down();
	w_expect_end(member, 137);
}

static void test_member_gone(void **state)
{
	(void)state;
	run_managed(member_gone_script);
}

static void many_members_script(void)
{
	struct w_request r;
	char name[8];
	int i;

	up_managed();
	for (i = 1; i <= 256; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		join(name, &r);
	}
	w_expect_error(ask(JOIN), EAGAIN, "too many containers");
	down();
}

static void test_many_members(void **state)
{
	(void)state;
	run_managed(many_members_script);
}

/* A member's file server: bytes both ways without a look at them, at the pace of who reads. */
static void share_script(void)
{
	struct sk_token token = { .set = true, .bytes = { 5, 5 } };
	struct w_client *server;
	struct sk_stream *s;
	size_t sent = 0, n;
	uint8_t buf[4096];
	ssize_t k;

	up_managed();
	server = ask("{\"op\":\"share\",\"token\":\"05050000000000000000000000000000\"}");
	w_expect_ok(server);
	s = w_stream(&token, "Tversion");
	assert_non_null(s);
	assert_int_equal(read(server->fd, buf, sizeof(buf)), 8);
	assert_int_equal(write(server->fd, "Rversion", 8), 8);
	w_settle();
	assert_int_equal(s->in.len, 8);
	do {
		n = w_data(s, block, sizeof(block));
		sent += n;
	} while (n == sizeof(block) && sent < 64 * MIB);
	assert_true(sent < 2 * MIB);
	while ((k = read(server->fd, buf, sizeof(buf))) > 0 || sent) {
		if (k > 0)
			sent -= (size_t)k;
		w_settle();
	}
	assert_true(s->resumed > 0);
	s->room = 3;
	assert_int_equal(write(server->fd, "slowly", 6), 6);
	w_settle();
	assert_int_equal(s->in.len, 11);
	w_room(s, MIB);
	assert_int_equal(s->in.len, 14);
	w_closed(s); /* unmounted */
	w_expect_closed(server);
	down();
}

static void test_share(void **state)
{
	(void)state;
	run_managed(share_script);
}

/* What only the monitor of an OCI runtime's container knows. */
static void standalone_script(void)
{
	up("{\"op\":\"attach\"}");
	w_expect_error(ask(JOIN), ENOSYS, "OCI runtime");
	w_expect_error(ask("{\"op\":\"create\"}"), ENOSYS, "OCI runtime");
	w_expect_error(ask("{\"op\":\"share\",\"token\":\"05050000000000000000000000000000\"}"), ENOSYS, "OCI runtime");
	w_expect_error(ask("{\"op\":\"pause\",\"container\":\"c1\"}"), ENOENT, "no container of that name");
	(void)ask("{\"op\":\"pause\",\"container\":\"c0\"}");
	assert_string_equal(w_expect(SK_OP_PAUSE).container, "c0");
	down();
}

static void test_standalone(void **state)
{
	(void)state;
	run(standalone_script, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_reader),  cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_terminal),     cmocka_unit_test(test_input),
		cmocka_unit_test(test_window),	     cmocka_unit_test(test_stdin_once),
		cmocka_unit_test(test_exec),	     cmocka_unit_test(test_exec_drain),
		cmocka_unit_test(test_many_execs),   cmocka_unit_test(test_passed),
		cmocka_unit_test(test_get),	     cmocka_unit_test(test_put),
		cmocka_unit_test(test_early_copy),   cmocka_unit_test(test_early_put),
		cmocka_unit_test(test_bad_clients),  cmocka_unit_test(test_member),
		cmocka_unit_test(test_member_gone),  cmocka_unit_test(test_many_members),
		cmocka_unit_test(test_share),	     cmocka_unit_test(test_standalone),
		cmocka_unit_test(test_many_clients),
	};

	return cmocka_run_group_tests_name("vm-clients", tests, setup, w_teardown);
}
