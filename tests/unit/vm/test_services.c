/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of a guest for the host's services: token, requests, ports, the ssh-agent, and their ends. */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "services_fixture.h"

static struct sk_loop *loop;
static struct sk_services *services;

static void start(bool publish, const char *ssh_auth)
{
	assert_int_equal(sk_loop_new(&loop), 0);
	services = services_start(loop, publish, ssh_auth);
}

static void stop(void)
{
	sk_services_free(services);
	assert_int_equal(n_ports, 0);
	sk_loop_free(loop);
}

static void run(unsigned ms)
{
	uint64_t end = sk_now_ms() + ms;

	while (sk_now_ms() < end)
		sk_loop_once(loop, 1);
}

/* Sends a request as a frame. */
static void send_json(struct sk_stream *s, const char *text)
{
	json_t *json = json_loads(text, 0, NULL);
	struct sk_buf out;

	assert_non_null(json);
	sk_buf_init(&out, 1u << 20);
	assert_int_equal(sk_frame_put_json(&out, json), 0);
	guest_send(s, sk_buf_data(&out), out.len);
	sk_buf_fini(&out);
	json_decref(json);
}

/* The answer, which is there; a new reference. */
static json_t *answer(struct sk_stream *s)
{
	struct sk_frame frame;
	json_t *json;

	assert_int_equal(sk_frame_peek(&s->got, &frame), 1);
	json = sk_frame_json(&frame);
	assert_non_null(json);
	sk_frame_consume(&s->got, &frame);
	return json;
}

/* errno of the answer; 0: it is ok. */
static int answer_errno(struct sk_stream *s)
{
	json_t *json = answer(s);
	int r = json_is_true(json_object_get(json, "ok")) ? 0 : (int)json_integer_value(json_object_get(json, "errno"));

	json_decref(json);
	return r;
}

static struct sk_stream *connect_known(void)
{
	struct sk_stream *s = guest_connect();

	assert_non_null(s);
	guest_send(s, token, sizeof(token));
	return s;
}

static struct sk_stream *ask(const char *request)
{
	struct sk_stream *s = connect_known();

	send_json(s, request);
	return s;
}

#define PUBLISH(proto, ip, port) \
	"{\"op\":\"publish\",\"proto\":\"" proto "\",\"host_ip\":\"" ip "\",\"host_port\":" port "}"

static void test_token(void **state)
{
	struct sk_stream *s;

	(void)state;
	start(true, NULL);
	s = guest_connect();
	token[15] ^= 1;
	guest_send(s, token, 15);
	assert_false(s->closed);
	guest_send(s, token + 15, 1);
	assert_true(s->closed);
	assert_int_equal(s->got.len, 0);
	guest_drop(s);
	token[15] ^= 1;
	s = guest_connect();
	send_json(s, PUBLISH("tcp", "0.0.0.0", "8080"));
	assert_true(s->closed);
	assert_int_equal(n_ports, 0);
	guest_drop(s);
	stop();
}

static void test_publish(void **state)
{
	struct sk_stream *a, *b;
	json_t *json;

	(void)state;
	start(true, NULL);
	a = ask(PUBLISH("tcp", "0.0.0.0", "8080"));
	json = answer(a);
	assert_true(json_is_true(json_object_get(json, "ok")));
	assert_string_equal(json_string_value(json_object_get(json, "guest_ip")), "10.0.2.15");
	assert_int_equal(n_ports, 1);
	assert_int_equal(json_integer_value(json_object_get(json, "guest_port")), ports[0].guest_port);
	assert_int_equal(ports[0].host_port, 8080);
	assert_false(ports[0].v6 || ports[0].udp);
	json_decref(json);
	b = ask(PUBLISH("udp", "fe80::1", "53"));
	assert_int_equal(answer_errno(b), 0);
	assert_true(ports[1].v6 && ports[1].udp);
	assert_int_equal(ports[1].host_addr[0], 0xfe);
	/* An end in order is answered by ours, when the port is free. */
	guest_send(a, "more", 4);
	assert_false(a->closed || a->shut);
	guest_shut(a);
	assert_true(a->shut);
	assert_int_equal(n_ports, 1);
	guest_drop(a);
	/* Any other end withdraws it, too. */
	guest_drop(b);
	assert_int_equal(n_ports, 0);
	/* In pieces, and with something behind it. */
	a = connect_known();
	guest_send(a, "\x47\0\0\0", 4);
	assert_false(a->closed);
	guest_drop(a);
	stop();
}

static void test_refused(void **state)
{
	static const struct {
		const char *request;
		int error;
	} rows[] = {
		{ PUBLISH("sctp", "0.0.0.0", "1"), EINVAL },
		{ PUBLISH("ip", "0.0.0.0", "1"), EPROTONOSUPPORT },
		{ PUBLISH("tcp", "localhost", "1"), EINVAL },
		{ PUBLISH("tcp", "", "1"), EINVAL },
		{ PUBLISH("tcp", "1.2.3", "1"), EINVAL },
		{ PUBLISH("tcp", "::g", "1"), EINVAL },
		{ PUBLISH("tcp", "0.0.0.0", "0"), EINVAL },
		{ PUBLISH("tcp", "0.0.0.0", "65536"), EINVAL },
		{ PUBLISH("tcp", "0.0.0.0", "\"80\""), EINVAL },
		{ "{\"op\":\"publish\"}", EINVAL },
		{ "{\"op\":\"unpublish\"}", EOPNOTSUPP },
		{ "{\"op\":\"attach\"}", EOPNOTSUPP },
		{ "{\"op\":\"ssh-auth\"}", ENOENT },
		{ "{}", EINVAL },
	};
	struct sk_stream *s;
	size_t i;

	(void)state;
	start(true, NULL);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s = ask(rows[i].request);
		if (answer_errno(s) != rows[i].error)
			fail_msg("%s", rows[i].request);
		assert_true(s->shut);
		guest_drop(s);
	}
	publish_result = -EADDRINUSE;
	s = ask(PUBLISH("tcp", "0.0.0.0", "8080"));
	assert_int_equal(answer_errno(s), EADDRINUSE);
	guest_drop(s);
	assert_int_equal(n_ports, 0);
	stop();
	start(false, NULL);
	s = ask(PUBLISH("tcp", "0.0.0.0", "8080"));
	assert_int_equal(answer_errno(s), EPERM);
	guest_drop(s);
	stop();
}

/* No frame, or one that is too long: nothing is said any more. */
static void test_broken(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} rows[] = {
		{ "\0\0\0\0", 4 },   { "\xff\xff\xff\xff", 4 }, { "\x00\x10\0\0", 4 },
		{ "\1\0\0\0\1", 5 }, { "\x03\0\0\0\1[]", 7 },	{ "\x03\0\0\0\2{}", 7 },
	};
	size_t i;

	(void)state;
	start(true, NULL);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sk_stream *s = connect_known();

		guest_send(s, rows[i].bytes, rows[i].n);
		if (!s->closed)
			fail_msg("row %zu", i);
		guest_drop(s);
	}
	stop();
}

static void test_limits(void **state)
{
	struct sk_stream *all[4200], *first, *s;
	unsigned i, n = 0;
	char request[120];

	(void)state;
	start(true, NULL);
	/* Silent ones have to go, the oldest first. */
	first = guest_connect();
	for (i = 0; i < 64; i++)
		all[i] = guest_connect();
	assert_true(first->closed);
	assert_false(all[0]->closed);
	guest_drop(first);
	for (i = 0; i < 64; i++)
		guest_drop(all[i]);
	for (i = 0; i < 4096; i++) {
		snprintf(request, sizeof(request), PUBLISH("tcp", "0.0.0.0", "%u"), i + 1);
		all[n++] = ask(request);
		assert_int_equal(answer_errno(all[i]), 0);
	}
	s = ask(PUBLISH("tcp", "0.0.0.0", "8080"));
	assert_int_equal(answer_errno(s), EMFILE);
	guest_drop(s);
	guest_drop(all[--n]);
	s = ask(PUBLISH("tcp", "0.0.0.0", "8080"));
	assert_int_equal(answer_errno(s), 0);
	guest_drop(s);
	while (n)
		guest_drop(all[--n]);
	stop();
}

/* A port of the guest is not given again at once. */
static void test_ports_in_turn(void **state)
{
	struct sk_stream *s;
	uint16_t last = 0;
	unsigned i;

	(void)state;
	start(true, NULL);
	for (i = 0; i < 10000; i++) {
		s = ask(PUBLISH("udp", "0.0.0.0", "53"));
		if (i)
			assert_int_equal(ports[0].guest_port, last == 65535 ? 61000 : last + 1);
		last = ports[0].guest_port;
		guest_drop(s);
	}
	stop();
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void test_ssh_auth(void **state)
{
	char dir[] = "/tmp/sk-services-XXXXXX", path[64], buf[64];
	struct sk_stream *s;
	int listener, conn, again;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/agent", dir);
	start(false, path);
	s = ask("{\"op\":\"ssh-auth\"}");
	run(200);
	assert_int_equal(answer_errno(s), ENOENT);
	guest_drop(s);
	listener = listen_at(path);
	s = ask("{\"op\":\"ssh-auth\"}");
	guest_send(s, "early", 5);
	run(200);
	assert_int_equal(answer_errno(s), 0);
	conn = accept(listener, NULL, NULL);
	assert_true(conn >= 0);
	guest_offer(s);
	assert_int_equal(recv(conn, buf, sizeof(buf), 0), 5);
	assert_memory_equal(buf, "early", 5);
	assert_int_equal(send(conn, "identities", 10, 0), 10);
	run(50);
	assert_int_equal(s->got.len, 10);
	assert_memory_equal(sk_buf_data(&s->got), "identities", 10);
	/* The socket is replaced: the path is walked anew. */
	close(listener);
	again = listen_at(path);
	guest_shut(s);
	assert_int_equal(recv(conn, buf, sizeof(buf), 0), 0);
	close(conn);
	run(50);
	assert_true(s->shut);
	guest_drop(s);
	s = ask("{\"op\":\"ssh-auth\"}");
	run(200);
	assert_int_equal(answer_errno(s), 0);
	conn = accept(again, NULL, NULL);
	assert_true(conn >= 0);
	guest_drop(s);
	run(50);
	assert_int_equal(recv(conn, buf, sizeof(buf), 0), 0);
	close(conn);
	/* One that leaves before it is connected; one that is connected when all ends. */
	s = ask("{\"op\":\"ssh-auth\"}");
	guest_drop(s);
	run(200);
	s = ask("{\"op\":\"ssh-auth\"}");
	run(200);
	close(again);
	unlink(path);
	stop();
	assert_true(s->closed);
	guest_drop(s);
	rmdir(dir);
}

/* Directories that the host has later: those that were named, once they are there. */
static void test_share(void **state)
{
	char dir[] = "/tmp/sk-services-XXXXXX", path[64], file[64];
	struct sk_later_share shares[2] = { { .target = "/srv/later" }, { .target = "/srv/file" } };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_stream *s;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/later", dir);
	snprintf(file, sizeof(file), "%s/file", dir);
	shares[0].path = path;
	shares[1].path = file;
	close(open(file, O_WRONLY | O_CREAT, 0600));
	setenv("SKERRY_9PD", "/bin/cat", 1); /* which does not know its command line, and ends */
	start(false, NULL);
	s = ask("{\"op\":\"share\",\"path\":\"/srv/later\"}");
	assert_int_equal(answer_errno(s), ENOENT);
	guest_drop(s);
	assert_int_equal(sk_services_set_later(services, shares, 2, &err), 0);
	s = ask("{\"op\":\"share\",\"path\":\"/srv\"}");
	assert_int_equal(answer_errno(s), ENOENT);
	guest_drop(s);
	s = ask("{\"op\":\"share\",\"path\":\"/srv/later\"}");
	run(200);
	assert_int_equal(answer_errno(s), ENOENT);
	guest_drop(s);
	s = ask("{\"op\":\"share\",\"path\":\"/srv/file\"}");
	run(200);
	assert_int_equal(answer_errno(s), ENOTDIR);
	guest_drop(s);
	mkdir(path, 0700);
	s = ask("{\"op\":\"share\",\"path\":\"/srv/later\"}");
	run(500);
	assert_int_equal(answer_errno(s), 0);
	assert_true(s->shut); /* the server has ended */
	guest_drop(s);
	stop();
	rmdir(path);
	unlink(file);
	rmdir(dir);
}

/* One directory has few file servers, however often it is asked for: each is a process of the host. */
static void test_share_limit(void **state)
{
	char dir[] = "/tmp/sk-services-XXXXXX", paths[2][64], server[64];
	struct sk_later_share shares[2] = { { .path = paths[0], .target = "/srv/a" },
					    { .path = paths[1], .target = "/srv/b" } };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_stream *s[3], *other;
	FILE *f;
	int i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (i = 0; i < 2; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%d", dir, i);
		assert_int_equal(mkdir(paths[i], 0700), 0);
	}
	snprintf(server, sizeof(server), "%s/server", dir);
	f = fopen(server, "w");
	assert_true(f && fputs("#!/bin/sh\nexec sleep 100\n", f) > 0 && fchmod(fileno(f), 0700) == 0);
	fclose(f);
	setenv("SKERRY_9PD", server, 1);
	start(false, NULL);
	assert_int_equal(sk_services_set_later(services, shares, 2, &err), 0);
	for (i = 0; i < 3; i++)
		s[i] = ask("{\"op\":\"share\",\"path\":\"/srv/a\"}");
	other = ask("{\"op\":\"share\",\"path\":\"/srv/b\"}");
	run(500);
	assert_int_equal(answer_errno(s[0]), 0);
	assert_int_equal(answer_errno(s[1]), 0);
	assert_int_equal(answer_errno(s[2]), EMFILE);
	assert_int_equal(answer_errno(other), 0);
	guest_drop(s[2]);
	guest_drop(s[0]);
	run(50);
	s[0] = ask("{\"op\":\"share\",\"path\":\"/srv/a\"}");
	run(500);
	assert_int_equal(answer_errno(s[0]), 0);
	guest_drop(s[0]);
	guest_drop(s[1]);
	guest_drop(other);
	stop();
	unlink(server);
	for (i = 0; i < 2; i++)
		rmdir(paths[i]);
	rmdir(dir);
}

/* Neither side waits for the other's pace: what has no room stays where it is. */
static void test_ssh_auth_pace(void **state)
{
	char dir[] = "/tmp/sk-services-XXXXXX", path[64];
	static uint8_t block[256 * 1024], got[sizeof(block)];
	struct sk_stream *s;
	size_t n = 0, i;
	int listener, conn;
	ssize_t r;

	(void)state;
	for (i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/agent", dir);
	listener = listen_at(path);
	start(false, path);
	s = ask("{\"op\":\"ssh-auth\"}");
	run(200);
	assert_int_equal(answer_errno(s), 0);
	conn = accept(listener, NULL, NULL);
	/* To the ssh-agent, which does not read yet. */
	guest_send(s, block, sizeof(block));
	for (i = 0; i < 2000 && n < sizeof(block); i++) {
		r = recv(conn, got + n, sizeof(got) - n, MSG_DONTWAIT);
		n += r > 0 ? (size_t)r : 0;
		run(1);
		guest_offer(s);
	}
	assert_int_equal(n, sizeof(block));
	assert_memory_equal(got, block, n);
	/* To the guest, which has room for some bytes at a time. */
	s->room = 10;
	for (n = 0, i = 0; i < 5000 && s->got.len < sizeof(block); i++) {
		r = n < sizeof(block) ? send(conn, block + n, sizeof(block) - n, MSG_DONTWAIT) : 0;
		n += r > 0 ? (size_t)r : 0;
		sk_loop_once(loop, 1);
		s->room = 1000;
		s->events->writable(s->arg);
	}
	assert_int_equal(s->got.len, sizeof(block));
	assert_memory_equal(sk_buf_data(&s->got), block, sizeof(block));
	close(conn);
	close(listener);
	guest_drop(s);
	unlink(path);
	rmdir(dir);
	stop();
}

static int idle_answer;
static unsigned idle_asked;

static int allow_idle(void *arg)
{
	assert_ptr_equal(arg, &idle_answer);
	idle_asked++;
	return idle_answer;
}

static void test_idle(void **state)
{
	struct sk_stream *s;

	(void)state;
	start(true, NULL);
	s = ask("{\"op\":\"idle\"}");
	assert_int_equal(answer_errno(s), EPERM); /* one that stops only when it is told to */
	guest_drop(s);
	sk_services_set_idle(services, allow_idle, &idle_answer);
	idle_answer = -EBUSY;
	s = ask("{\"op\":\"idle\"}");
	assert_int_equal(answer_errno(s), EBUSY);
	assert_true(s->shut);
	guest_drop(s);
	idle_answer = 0;
	s = ask("{\"op\":\"idle\"}");
	assert_int_equal(answer_errno(s), 0);
	assert_true(s->shut);
	guest_drop(s);
	assert_int_equal(idle_asked, 2);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token),  cmocka_unit_test(test_publish),	   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_broken), cmocka_unit_test(test_limits),	   cmocka_unit_test(test_ports_in_turn),
		cmocka_unit_test(test_share),  cmocka_unit_test(test_ssh_auth),	   cmocka_unit_test(test_ssh_auth_pace),
		cmocka_unit_test(test_idle),   cmocka_unit_test(test_share_limit),
	};

	return cmocka_run_group_tests_name("vm-services", tests, NULL, NULL);
}
