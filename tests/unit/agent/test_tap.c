/* SPDX-License-Identifier: Apache-2.0 */
/* eth0 over a stream: a pair of packet sockets stands for the tap, of which each read and write is a frame. */
#include "../sk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/packet.h"
#include "tap.h"

#define MANY 3000u
#define LONG 1500u

static struct sk_loop *loop;
static int tap[2], stream[2]; /* [0] is the pump's */
static bool ended;

static void on_end(void *arg)
{
	(void)arg;
	ended = true;
}

static int begin(void **state)
{
	(void)state;
	ended = false;
	return sk_loop_new(&loop) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, tap) < 0 ||
	       socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream) < 0 ||
	       sk_tap_pump(loop, tap[0], stream[0], on_end, NULL) < 0;
}

static int end(void **state)
{
	int i;

	(void)state;
	sk_close_fd(&tap[1]);
	sk_close_fd(&stream[1]);
	for (i = 0; i < 200 && !ended; i++)
		sk_loop_once(loop, 5);
	sk_loop_free(loop);
	return !ended;
}

static void turn(unsigned n)
{
	while (n--)
		sk_loop_once(loop, 1);
}

static void test_both_ways(void **state)
{
	uint8_t frame[60], got[200];

	(void)state;
	memset(frame, 0x5a, sizeof(frame));
	assert_int_equal(write(tap[1], frame, sizeof(frame)), sizeof(frame));
	turn(5);
	assert_int_equal(recv(stream[1], got, sizeof(got), MSG_DONTWAIT), 64);
	assert_memory_equal(got, "\0\0\0\x3c", 4);
	assert_memory_equal(got + 4, frame, sizeof(frame));
	/* In two pieces; nothing is written before it is whole. */
	assert_int_equal(write(stream[1], got, 30), 30);
	turn(5);
	assert_int_equal(recv(tap[1], got + 100, 100, MSG_DONTWAIT), -1);
	assert_int_equal(write(stream[1], got + 30, 34), 34);
	turn(5);
	assert_int_equal(recv(tap[1], got + 100, 100, MSG_DONTWAIT), 60);
	assert_memory_equal(got + 100, frame, sizeof(frame));
}

/* Sends frames into the tap until it takes no more although the loop runs. How many. */
static unsigned fill_tap(unsigned most)
{
	uint8_t frame[LONG];
	unsigned n = 0;

	while (n < most) {
		memset(frame, (int)n, sizeof(frame));
		if (send(tap[1], frame, sizeof(frame), MSG_DONTWAIT) == (ssize_t)sizeof(frame)) {
			n++;
			continue;
		}
		turn(3);
		if (send(tap[1], frame, sizeof(frame), MSG_DONTWAIT) != (ssize_t)sizeof(frame))
			break;
		n++;
	}
	return n;
}

static unsigned n_read;

static void on_frame(void *arg, uint8_t *frame, size_t len)
{
	(void)arg;
	assert_int_equal(len, LONG);
	assert_int_equal(frame[0], (uint8_t)n_read);
	n_read++;
}

/* A monitor that does not read holds the tap up, and nothing is lost or grows. */
static void test_back_pressure(void **state)
{
	static struct sk_packet_reader reader;
	static uint8_t chunk[65536];
	unsigned sent = fill_tap(MANY), i;
	ssize_t n;

	(void)state;
	assert_true(sent > 100 && sent < MANY);
	for (i = 0; i < 5000 && n_read < sent; i++) {
		while ((n = recv(stream[1], chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
			assert_int_equal(sk_packet_read(&reader, chunk, (size_t)n, on_frame, NULL), 0);
		turn(1);
	}
	assert_int_equal(n_read, sent);
}

static void test_bad_length(void **state)
{
	(void)state;
	assert_int_equal(write(stream[1], "\1\0\0\0", 4), 4);
	turn(5);
	assert_true(ended);
}

static void test_end_of_stream(void **state)
{
	char c;

	(void)state;
	sk_close_fd(&stream[1]);
	turn(5);
	assert_true(ended);
	assert_int_equal(recv(tap[1], &c, 1, MSG_DONTWAIT), 0); /* the tap is closed, too */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, begin, end),
		cmocka_unit_test_setup_teardown(test_back_pressure, begin, end),
		cmocka_unit_test_setup_teardown(test_bad_length, begin, end),
		cmocka_unit_test_setup_teardown(test_end_of_stream, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
