/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over sockets, as a guest's peer sees them: the guest is this test, at the other end of TCP on loopback. */
#include "../sk_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/socket.h"
#include "virtio/stream_kinds.h"

#define PORT 1024u
#define ROUNDS 4000 /* of at most 5 ms */

static char dir[] = "/tmp/sk-test-streams-XXXXXX";

struct user {
	struct sk_loop *loop;
	struct sk_carrier *carrier;
	struct sk_stream *stream;
	size_t take; /* of what `data` offers at once */
	size_t got;
	uint8_t sum;
	bool refuse, close_in_data, connected, eof, writable, closed;
	int error;
};

static size_t on_data(void *arg, const uint8_t *p, size_t n)
{
	struct user *u = arg;
	size_t i;

	if (n > u->take)
		n = u->take;
	u->take -= n;
	for (i = 0; i < n; i++)
		u->sum = (uint8_t)(u->sum + p[i]);
	u->got += n;
	if (u->close_in_data) {
		sk_stream_close(u->stream);
		u->stream = NULL;
	}
	return n;
}

static void on_connected(void *arg)
{
	((struct user *)arg)->connected = true;
}

static void on_eof(void *arg)
{
	((struct user *)arg)->eof = true;
}

static void on_writable(void *arg)
{
	((struct user *)arg)->writable = true;
}

static void on_closed(void *arg, int error)
{
	struct user *u = arg;

	u->closed = true;
	u->error = error;
	u->stream = NULL;
}

static const struct sk_stream_events events = {
	.connected = on_connected, .data = on_data, .eof = on_eof, .writable = on_writable, .closed = on_closed
};

static bool on_accept(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	struct user *u = arg;

	(void)guest_port;
	if (u->refuse)
		return false;
	u->stream = stream;
	sk_stream_set_events(stream, &events, u);
	return true;
}

static void begin(struct user *u)
{
	*u = (struct user){ .take = SIZE_MAX };
	assert_int_equal(sk_loop_new(&u->loop), 0);
	assert_int_equal(sk_socket_carrier_new(u->loop, &sk_socket_tcp, dir, &u->carrier), 0);
	assert_int_equal(sk_carrier_listen(u->carrier, PORT, on_accept, u), 0);
	assert_int_equal(sk_carrier_listen(u->carrier, PORT, on_accept, u), -EADDRINUSE);
}

static void end(struct user *u)
{
	sk_socket_carrier_free(u->carrier);
	sk_loop_free(u->loop);
}

static void run_until(struct user *u, bool (*done)(const struct user *u))
{
	int i;

	for (i = 0; i < ROUNDS && !done(u); i++)
		sk_loop_once(u->loop, 5);
	assert_true(done(u));
}

static void settle(struct user *u)
{
	int i;

	for (i = 0; i < 20; i++)
		sk_loop_once(u->loop, 5);
}

static bool has_stream(const struct user *u)
{
	return u->stream != NULL;
}

static bool has_data(const struct user *u)
{
	return u->got > 0;
}

static bool is_eof(const struct user *u)
{
	return u->eof;
}

static bool is_closed(const struct user *u)
{
	return u->closed;
}

static bool is_writable(const struct user *u)
{
	return u->writable;
}

static bool is_connected(const struct user *u)
{
	return u->connected;
}

/* The guest connects to a port of the host. */
static int guest_connect(void)
{
	_cleanup_free_ char *path = sk_asprintf("%s/host-%u", dir, PORT), *text = NULL;
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(sk_fs_read(AT_FDCWD, path, 16, &text, NULL), 0);
	address.sin_port = htons((uint16_t)strtoul(text, NULL, 10));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void test_both_ways(void **state)
{
	struct user u;
	char text[16] = "";
	int fd;

	(void)state;
	begin(&u);
	fd = guest_connect();
	run_until(&u, has_stream);
	assert_int_equal(send(fd, "abc", 3, 0), 3);
	run_until(&u, has_data);
	assert_int_equal(u.got, 3);
	assert_int_equal(sk_stream_write(u.stream, "hello", 5), 5);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 5);
	assert_memory_equal(text, "hello", 5);
	/* Each side ends its own; then all is over, in order. */
	shutdown(fd, SHUT_WR);
	run_until(&u, is_eof);
	assert_false(u.closed);
	assert_int_equal(sk_stream_write(u.stream, "more", 4), 4);
	sk_stream_shutdown(u.stream);
	assert_false(u.closed); /* not from inside the call */
	run_until(&u, is_closed);
	assert_int_equal(u.error, 0);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 4);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 0);
	close(fd);
	end(&u);
}

/* What is not taken is kept and offered again; nothing is lost when the guest has gone meanwhile. */
static void test_pace(void **state)
{
	struct user u;
	int fd;

	(void)state;
	begin(&u);
	u.take = 2;
	fd = guest_connect();
	run_until(&u, has_stream);
	assert_int_equal(send(fd, "\1\2\3\4\5", 5, 0), 5);
	close(fd);
	run_until(&u, has_data);
	settle(&u);
	assert_int_equal(u.got, 2);
	assert_false(u.eof);
	u.take = 1;
	sk_stream_resume(u.stream);
	assert_int_equal(u.got, 2); /* not from inside the call */
	settle(&u);
	assert_int_equal(u.got, 3);
	u.take = SIZE_MAX;
	sk_stream_resume(u.stream);
	run_until(&u, is_eof);
	assert_int_equal(u.got, 5);
	assert_int_equal(u.sum, 15);
	end(&u);
}

/* A guest that reads nothing: what the host writes is bounded, and goes on when it reads. */
static void test_backpressure(void **state)
{
	static uint8_t chunk[65536], from[65536];
	size_t sent = 0, got = 0, n;
	struct user u;
	int fd;

	(void)state;
	begin(&u);
	fd = guest_connect();
	run_until(&u, has_stream);
	do {
		n = sk_stream_write(u.stream, chunk, sizeof(chunk));
		sent += n;
		assert_true(sent < 256u << 20);
	} while (n == sizeof(chunk));
	settle(&u);
	assert_false(u.writable);
	assert_int_equal(sk_socket_nonblock(fd), 0);
	while (got < sent) {
		ssize_t k = recv(fd, from, sizeof(from), 0);

		if (k > 0)
			got += (size_t)k;
		sk_loop_once(u.loop, k > 0 ? 0 : 5);
	}
	run_until(&u, is_writable);
	assert_int_equal(got, sent);
	close(fd);
	end(&u);
}

static void test_refused_and_closed(void **state)
{
	struct user u;
	char text[4];
	int fd;

	(void)state;
	begin(&u);
	u.refuse = true;
	fd = guest_connect();
	settle(&u);
	assert_true(recv(fd, text, sizeof(text), 0) <= 0);
	close(fd);
	/* A stream may be closed by its own callback. */
	u.refuse = false;
	u.close_in_data = true;
	fd = guest_connect();
	run_until(&u, has_stream);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	run_until(&u, has_data);
	assert_null(u.stream);
	settle(&u);
	assert_false(u.closed);
	assert_true(recv(fd, text, sizeof(text), 0) <= 0);
	close(fd);
	/* One that is open when the carrier goes. */
	u.close_in_data = false;
	fd = guest_connect();
	run_until(&u, has_stream);
	end(&u);
	assert_true(recv(fd, text, sizeof(text), 0) <= 0);
	assert_false(u.closed);
	close(fd);
}

/* The host connects to a port of the guest. */
static void test_connect(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_free_ char *path = sk_asprintf("%s/guest-5", dir);
	socklen_t len = sizeof(address);
	struct user u;
	char text[16];
	int fd, peer, n;

	(void)state;
	begin(&u);
	assert_int_equal(sk_carrier_connect(u.carrier, 5, &events, &u, &u.stream), -ENOTCONN);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	n = snprintf(text, sizeof(text), "%u\n", ntohs(address.sin_port));
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, path, text, (size_t)n, 0600, false), 0);
	assert_int_equal(sk_carrier_connect(u.carrier, 5, &events, &u, &u.stream), 0);
	assert_int_equal(sk_stream_write(u.stream, "early", 5), 5);
	run_until(&u, is_connected);
	peer = accept(fd, NULL, NULL);
	settle(&u);
	assert_int_equal(recv(peer, text, sizeof(text), 0), 5);
	sk_stream_close(u.stream);
	close(peer);
	close(fd);
	/* Nobody listens any more. */
	assert_int_equal(sk_carrier_connect(u.carrier, 5, &events, &u, &u.stream), 0);
	run_until(&u, is_closed);
	assert_int_equal(u.error, ECONNREFUSED);
	end(&u);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return sk_fs_remove_tree(AT_FDCWD, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),    cmocka_unit_test(test_pace),
		cmocka_unit_test(test_backpressure), cmocka_unit_test(test_refused_and_closed),
		cmocka_unit_test(test_connect),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
