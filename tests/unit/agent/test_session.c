/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's control connection, from the monitor's side: whole and broken frames, a peer that does not read. */
#include "../sk_test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/frame.h"
#include "session.h"

static struct sk_loop *loop;
static struct sk_agent_session *session;
static int peer, handled, gone;
static uint64_t last_id;

static void handle(void *arg, struct sk_msg *req)
{
	(void)arg;
	handled++;
	last_id = req->id;
	sk_session_reply(session, req, NULL);
	sk_msg_fini(req);
}

static void on_gone(void *arg)
{
	(void)arg;
	gone++;
}

static const struct sk_session_ops ops = { .handle = handle, .gone = on_gone };

static int setup(void **state)
{
	int sv[2];

	(void)state;
	handled = gone = 0;
	if (sk_loop_new(&loop) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		return -1;
	peer = sv[1];
	return sk_session_new(loop, sv[0], &ops, NULL, &session);
}

static int teardown(void **state)
{
	(void)state;
	sk_session_free(session);
	sk_loop_free(loop);
	if (peer >= 0)
		close(peer);
	return 0;
}

static void run(void)
{
	while (sk_loop_once(loop, 20) > 0)
		;
}

static void put(const void *data, size_t n)
{
	assert_int_equal(write(peer, data, n), (ssize_t)n);
}

static void put_frame(const char *text)
{
	struct sk_buf b;

	sk_buf_init(&b, 2u << 20);
	assert_int_equal(sk_frame_put(&b, SK_FRAME_JSON, text, strlen(text)), 0);
	put(sk_buf_data(&b), b.len);
	sk_buf_fini(&b);
}

static json_t *get(void)
{
	static struct sk_buf in;
	static int init;
	struct sk_frame f;
	uint8_t tmp[4096];
	json_t *o;

	if (!init++)
		sk_buf_init(&in, 1u << 20);
	while (sk_frame_peek(&in, &f) == 0) {
		ssize_t n = recv(peer, tmp, sizeof(tmp), MSG_DONTWAIT);

		if (n <= 0)
			return NULL;
		assert_int_equal(sk_buf_append(&in, tmp, (size_t)n), 0);
	}
	o = sk_frame_json(&f);
	sk_frame_consume(&in, &f);
	return o;
}

static void test_requests(void **state)
{
	json_t *o;

	(void)state;
	put_frame("{\"id\":5,\"op\":\"sync\"}");
	put_frame("{\"id\":6,\"op\":\"sync\",\"future\":[1,2]}");
	run();
	assert_int_equal(handled, 2);
	o = get();
	assert_int_equal(json_integer_value(json_object_get(o, "id")), 5);
	assert_true(json_is_true(json_object_get(o, "ok")));
	json_decref(o);
	json_decref(get());
	assert_null(get());
}

static void test_byte_by_byte(void **state)
{
	static const char frame[] = "\x15\0\0\0\1{\"id\":9,\"op\":\"sync\"}";
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(frame) - 1; i++) {
		put(frame + i, 1);
		run();
	}
	assert_int_equal(handled, 1);
	assert_int_equal(last_id, 9);
	json_decref(get());
}

/* A wrong request is answered, under its id; the session goes on. */
static void test_wrong_request(void **state)
{
	json_t *o;

	(void)state;
	put_frame("{\"id\":7,\"op\":\"fly\"}");
	put_frame("{\"id\":8,\"op\":\"sync\"}");
	run();
	o = get();
	assert_int_equal(json_integer_value(json_object_get(o, "id")), 7);
	assert_true(json_is_false(json_object_get(o, "ok")));
	assert_int_equal(json_integer_value(json_object_get(o, "errno")), EOPNOTSUPP);
	/* A newer monitor's request: the user has to hear which side is to be replaced. */
	assert_non_null(strstr(json_string_value(json_object_get(o, "message")), "is older than the monitor"));
	json_decref(o);
	json_decref(get());
	assert_int_equal(handled, 1);
	assert_int_equal(gone, 0);
}

static void test_broken_stream(void **state)
{
	(void)state;
	put("\xff\xff\xff\xff\1", 5);
	run();
	assert_int_equal(gone, 1);
	sk_session_event(session, &(const struct sk_msg){ .op = SK_AGENT_HALTED }); /* dropped */
	run();
	assert_int_equal(gone, 1);
}

static void test_not_json(void **state)
{
	(void)state;
	put_frame("{\"id\":1");
	run();
	assert_int_equal(gone, 1);
}

static void test_end(void **state)
{
	(void)state;
	put("\x15\0", 2);
	close(peer);
	peer = -1;
	run();
	assert_int_equal(gone, 1);
}

/* A peer that does not read: bounded, then given up. */
static void test_peer_does_not_read(void **state)
{
	const struct sk_msg request = { .op = SK_OP_STATS };
	struct sk_reply big = { 0 };
	char *text = calloc(1, 100001);
	int i;

	(void)state;
	memset(text, 'x', 100000);
	big.stats = json_pack("{s:s}", "text", text);
	for (i = 0; i < 200 && !gone; i++)
		sk_session_reply(session, &request, &big);
	assert_int_equal(gone, 1);
	assert_true(i > 50);
	free(text);
	json_decref((json_t *)(uintptr_t)big.stats);
}

/* A message with bytes that are no text (a file name of the container's) still makes a reply. */
static void test_message_not_text(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	json_t *o;

	(void)state;
	sk_error_set(&err, 2, "no \xff\xfe");
	sk_session_fail(session, 3, &err, 127);
	run();
	o = get();
	assert_int_equal(json_integer_value(json_object_get(o, "errno")), 2);
	assert_int_equal(json_integer_value(json_object_get(o, "exit_code")), 127);
	assert_true(json_is_string(json_object_get(o, "message")));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_peer_does_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_message_not_text, setup, teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("agent-session", tests, NULL, NULL);
}
