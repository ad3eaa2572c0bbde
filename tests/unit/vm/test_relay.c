/* SPDX-License-Identifier: Apache-2.0 */
/* src/vm/relay.c between a real socket and a stream that is a stub with little room. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/loop.h"
#include "vm/relay.h"

#define ROOM 1000u

struct sk_stream {
	const struct sk_stream_events *events;
	void *arg;
	struct sk_buf to_guest;
	bool ended, closed;
	unsigned resumed;
};

static struct fixture {
	struct sk_loop *loop;
	struct sk_stream stream;
	struct sk_relay *relay;
	int client;
	unsigned done;
} fx;

void sk_stream_set_events(struct sk_stream *s, const struct sk_stream_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
}

size_t sk_stream_write(struct sk_stream *s, const void *p, size_t n)
{
	size_t room = sk_buf_room(&s->to_guest);

	if (n > room)
		n = room;
	assert_int_equal(sk_buf_append(&s->to_guest, p, n), 0);
	return n;
}

void sk_stream_shutdown(struct sk_stream *s)
{
	s->ended = true;
}

void sk_stream_resume(struct sk_stream *s)
{
	s->resumed++;
}

void sk_stream_close(struct sk_stream *s)
{
	if (s)
		s->closed = true;
}

static void on_done(void *arg, struct sk_relay *relay)
{
	assert_ptr_equal(arg, &fx);
	assert_ptr_equal(relay, fx.relay);
	fx.done++;
}

static void run(void)
{
	int i;

	for (i = 0; i < 20; i++)
		assert_true(sk_loop_once(fx.loop, 0) >= 0);
}

static int setup(void **state)
{
	int fds[2];

	(void)state;
	memset(&fx, 0, sizeof(fx));
	assert_int_equal(sk_loop_new(&fx.loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	fx.client = fds[1];
	sk_buf_init(&fx.stream.to_guest, ROOM);
	fx.relay = sk_relay_new(fx.loop, fds[0], on_done, &fx);
	assert_non_null(fx.relay);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sk_relay_free(fx.relay);
	if (fx.client >= 0)
		close(fx.client);
	sk_buf_fini(&fx.stream.to_guest);
	sk_loop_free(fx.loop);
	return 0;
}

static void join(const char *first)
{
	assert_int_equal(sk_relay_join(fx.relay, &fx.stream, (const uint8_t *)first, strlen(first)), strlen(first));
}

static void expect_client(const char *text)
{
	char buf[64] = "";

	assert_int_equal(read(fx.client, buf, sizeof(buf)), strlen(text));
	assert_string_equal(buf, text);
}

/* What the client wrote before the stream came waits in its socket. */
static void both_ways(void **state)
{
	(void)state;
	assert_int_equal(write(fx.client, "GET", 3), 3);
	run();
	assert_int_equal(fx.stream.to_guest.len, 0);
	join("early ");
	run();
	assert_int_equal(fx.stream.to_guest.len, 3);
	assert_memory_equal(sk_buf_data(&fx.stream.to_guest), "GET", 3);
	assert_int_equal(fx.stream.events->data(fx.stream.arg, (const uint8_t *)"late", 4), 4);
	expect_client("early late");
	assert_int_equal(fx.done, 0);
}

/* docker's client ends its side and goes on reading. */
static void half_closes(void **state)
{
	(void)state;
	join("");
	assert_int_equal(write(fx.client, "in", 2), 2);
	assert_int_equal(shutdown(fx.client, SHUT_WR), 0);
	run();
	assert_int_equal(fx.stream.to_guest.len, 2);
	assert_true(fx.stream.ended);
	assert_int_equal(fx.done, 0);
	assert_int_equal(fx.stream.events->data(fx.stream.arg, (const uint8_t *)"out", 3), 3);
	fx.stream.events->eof(fx.stream.arg);
	run();
	expect_client("out");
	assert_int_equal(read(fx.client, &(char){ 0 }, 1), 0);
	assert_int_equal(fx.done, 1);
}

static void guest_ends_first(void **state)
{
	(void)state;
	join("bye");
	fx.stream.events->eof(fx.stream.arg);
	run();
	expect_client("bye");
	assert_int_equal(read(fx.client, &(char){ 0 }, 1), 0);
	assert_int_equal(fx.done, 0);
	assert_int_equal(write(fx.client, "more", 4), 4);
	run();
	assert_int_equal(fx.stream.to_guest.len, 4);
	close(fx.client);
	fx.client = -1;
	run();
	assert_int_equal(fx.done, 1);
}

/* A guest that does not read stops the client, and nothing is lost. */
static void slow_guest(void **state)
{
	char out[5000];
	size_t i, n = 0;

	(void)state;
	for (i = 0; i < sizeof(out); i++)
		out[i] = (char)('a' + i % 26);
	join("");
	assert_int_equal(write(fx.client, out, sizeof(out)), sizeof(out));
	while (n < sizeof(out)) {
		run();
		assert_true(fx.stream.to_guest.len > 0);
		for (i = 0; i < fx.stream.to_guest.len; i++)
			assert_int_equal(sk_buf_data(&fx.stream.to_guest)[i], out[n + i]);
		n += fx.stream.to_guest.len;
		sk_buf_consume(&fx.stream.to_guest, fx.stream.to_guest.len);
		fx.stream.events->writable(fx.stream.arg);
	}
	assert_int_equal(n, sizeof(out));
}

/* A client that does not read stops the guest: the rest stays with the stream, which is resumed later. */
static void slow_client(void **state)
{
	static uint8_t chunk[65536];
	size_t taken = 0, n, read_back = 0;
	ssize_t k;

	(void)state;
	join("");
	do {
		n = fx.stream.events->data(fx.stream.arg, chunk, sizeof(chunk));
		taken += n;
	} while (n == sizeof(chunk));
	run();
	assert_int_equal(fx.stream.resumed, 0);
	while ((k = read(fx.client, chunk, sizeof(chunk))) > 0)
		read_back += (size_t)k;
	run();
	assert_true(fx.stream.resumed > 0);
	assert_int_equal(read_back, taken);
}

/* The client is gone for good after it has ended its side: the guest's end is told, which has nothing to write. */
static void client_dies(void **state)
{
	(void)state;
	join("");
	shutdown(fx.client, SHUT_WR);
	run();
	assert_int_equal(fx.done, 0);
	close(fx.client);
	fx.client = -1;
	run();
	assert_int_equal(fx.done, 1);
	sk_relay_free(fx.relay);
	fx.relay = NULL;
	assert_true(fx.stream.closed);
}

/* It is gone before the guest has answered: nothing is joined any more, and nobody spins. */
static void client_dies_early(void **state)
{
	(void)state;
	close(fx.client);
	fx.client = -1;
	run();
	assert_int_equal(fx.done, 1);
}

/* It has sent something, and is gone at once; the guest is slow. All of it arrives, then the relay ends by itself. */
static void client_sends_and_dies(void **state)
{
	char out[5000];
	size_t n = 0;
	int i;

	(void)state;
	memset(out, 'x', sizeof(out));
	join("");
	assert_int_equal(write(fx.client, out, sizeof(out)), sizeof(out));
	close(fx.client);
	fx.client = -1;
	while (n < sizeof(out)) {
		run();
		assert_int_equal(sk_loop_once(fx.loop, 0), 0); /* nothing is looked at meanwhile */
		assert_int_equal(fx.done, 0);
		n += fx.stream.to_guest.len;
		sk_buf_consume(&fx.stream.to_guest, fx.stream.to_guest.len);
		fx.stream.events->writable(fx.stream.arg);
	}
	assert_int_equal(n, sizeof(out));
	assert_true(fx.stream.ended);
	for (i = 0; i < 50 && !fx.done; i++)
		sk_loop_once(fx.loop, 100);
	assert_int_equal(fx.done, 1);
}

/* The same with a guest that takes all at once: the end is seen behind the last bytes, though nothing is watched. */
static void client_asks_and_dies(void **state)
{
	int i;

	(void)state;
	join("");
	assert_int_equal(write(fx.client, "GET", 3), 3);
	close(fx.client);
	fx.client = -1;
	run();
	assert_int_equal(fx.stream.to_guest.len, 3);
	assert_true(fx.stream.ended);
	for (i = 0; i < 50 && !fx.done; i++)
		sk_loop_once(fx.loop, 100);
	assert_int_equal(fx.done, 1);
}

static void guest_resets(void **state)
{
	(void)state;
	join("x");
	fx.stream.events->closed(fx.stream.arg, ECONNRESET);
	run();
	assert_int_equal(fx.done, 1);
	assert_false(fx.stream.closed); /* a dead stream is not closed again */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(half_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(guest_ends_first, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_guest, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_client, setup, teardown),
		cmocka_unit_test_setup_teardown(client_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(client_dies_early, setup, teardown),
		cmocka_unit_test_setup_teardown(client_sends_and_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(client_asks_and_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(guest_resets, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
