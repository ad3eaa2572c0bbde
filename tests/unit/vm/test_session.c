/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's end of the control channel: versions, answers, events. */
#include "../sk_test.h"

#include <errno.h>

#include "session_fixture.h"

static struct owner o;
static struct sk_reply answer;
static char answer_message[SK_ERROR_MAX];
static unsigned n_answers;

static int setup(void **state)
{
	(void)state;
	o = (struct owner){ 0 };
	n_answers = 0;
	fixture_up(&o);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_down(&o);
	return 0;
}

/* The agent says something. */
static void say(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	struct sk_buf b;

	assert_non_null(json);
	sk_buf_init(&b, SK_FRAME_MAX + SK_FRAME_HEADER);
	assert_int_equal(sk_frame_put_json(&b, json), 0);
	assert_int_equal(events.data(events_arg, sk_buf_data(&b), b.len), b.len);
	sk_buf_fini(&b);
	json_decref(json);
}

/* The next request that the agent has got. */
static struct sk_msg next_request(void)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_frame frame;
	struct sk_msg msg;
	json_t *json;

	assert_int_equal(sk_frame_peek(&sent, &frame), 1);
	json = sk_frame_json(&frame);
	sk_frame_consume(&sent, &frame);
	if (sk_msg_decode(SK_WIRE_TO_AGENT, json, &msg, &err) < 0)
		fail_msg("%s", err.message);
	return msg;
}

static void on_answer(void *arg, const struct sk_reply *reply)
{
	(void)arg;
	n_answers++;
	answer = reply ? *reply : (struct sk_reply){ .error = -1 };
	snprintf(answer_message, sizeof(answer_message), "%s", answer.message ? answer.message : "");
}

#define HELLO "{\"event\":\"hello\",\"version\":1,\"kernel\":\"7.3\",\"agent\":\"0.2\"}"

static void test_hello(void **state)
{
	(void)state;
	say(HELLO);
	assert_false(o.lost);
	assert_string_equal(o.kernel, "7.3");
	say(HELLO); /* a second one changes nothing */
	assert_int_equal(o.hellos, 1);
	assert_int_equal(sent.len, 0);
}

/* Guest and programs of different builds: an ordinary error that says what to do. */
static void test_version_skew(void **state)
{
	(void)state;
	say("{\"event\":\"hello\",\"version\":0,\"agent\":\"0.1.0\"}");
	assert_true(o.lost);
	assert_non_null(strstr(o.why_lost, "(skerry 0.1.0, protocol 0) is older than this program"));
	assert_non_null(strstr(o.why_lost, "install the same version"));
	assert_int_equal(sent.len, 0); /* it is asked for nothing */
	o.lost = false;
	say("{\"event\":\"hello\",\"version\":2,\"agent\":\"9.0\\u001b[31m\",\"kernel\":\"k\",\"new\":{}}");
	assert_true(o.lost);
	assert_non_null(strstr(o.why_lost, "is newer than this program"));
	assert_null(strchr(o.why_lost, 27)); /* it goes to people's terminals */
}

static void ask(enum sk_op op)
{
	assert_int_equal(
		sk_session_request(o.session, &(const struct sk_msg){ .op = op, .container = "c0" }, on_answer, NULL),
		0);
}

static void test_answers(void **state)
{
	struct sk_msg msg;

	(void)state;
	ask(SK_OP_STATS);
	msg = next_request();
	assert_true(msg.op == SK_OP_STATS && msg.id == 1);
	sk_msg_fini(&msg);
	ask(SK_OP_PAUSE);
	ask(SK_OP_STATS);
	say("{\"id\":2,\"ok\":true}"); /* in any order */
	assert_true(n_answers == 1 && answer.ok);
	say("{\"id\":2,\"ok\":true}"); /* nobody asked */
	assert_int_equal(n_answers, 1);
	say("{\"id\":1,\"ok\":false,\"errno\":2,\"message\":\"no\\u001bsuch\",\"exit_code\":127}");
	assert_true(n_answers == 2 && !answer.ok && answer.error == ENOENT && answer.exit_code == 127);
	assert_string_equal(answer_message, "no such");
	/* An answer out of the protocol is a failure of that request, and of no other. */
	say("{\"id\":3,\"ok\":true,\"stats\":7}");
	assert_true(n_answers == 3 && !answer.ok && answer.error == EPROTO);
	assert_false(o.lost);
}

static void test_refused_requests(void **state)
{
	const struct sk_msg bad = { .op = SK_OP_SIGNAL, .container = "c0", .signal = { .number = 99 } };

	(void)state;
	assert_int_equal(sk_session_request(o.session, &bad, on_answer, NULL), -EINVAL);
	assert_int_equal(sent.len, 0);
	events.closed(events_arg, ECONNRESET);
	assert_true(o.lost);
	assert_int_equal(n_answers, 0);
	assert_int_equal(sk_session_request(o.session, &(const struct sk_msg){ .op = SK_OP_SYNC }, on_answer, NULL),
			 -ENOTCONN);
}

/* Whoever waits when the session ends hears of it once. */
static void test_end(void **state)
{
	(void)state;
	ask(SK_OP_PAUSE);
	ask(SK_OP_STATS);
	events.eof(events_arg);
	assert_true(o.lost);
	sk_session_free(o.session);
	o.session = NULL;
	assert_true(n_answers == 2 && answer.error == -1);
}

static void test_events(void **state)
{
	(void)state;
	say("{\"event\":\"future\",\"x\":1}");
	say("{\"event\":\"exit\",\"container\":\"c7\",\"key\":\"init\",\"code\":137,\"oom\":true}");
	assert_true(o.exits == 1 && o.code == 137 && o.oom);
	assert_string_equal(o.container, "c7");
	say("{\"event\":\"oom\",\"container\":\"c0\"}");
	assert_int_equal(o.ooms, 1);
	say("{\"event\":\"halted\"}");
	assert_int_equal(o.halted, 1);
	assert_false(o.lost);
}

static void test_broken_events(void **state)
{
	static const char *const bad[] = {
		"{\"event\":\"exit\",\"container\":\"c0\",\"key\":\"init\",\"code\":256}",
		"{\"event\":\"exit\",\"container\":\"../c0\",\"key\":\"init\",\"code\":0}",
		"{\"event\":\"exit\",\"container\":\"c0\",\"code\":0}",
		"{\"event\":\"hello\",\"version\":\"1\"}",
		"{\"event\":7}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		o.lost = false;
		say(bad[i]);
		if (!o.lost)
			fail_msg("taken: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hello, setup, teardown),
		cmocka_unit_test_setup_teardown(test_version_skew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_events, setup, teardown),
	};

	return cmocka_run_group_tests_name("vm-session", tests, NULL, NULL);
}
