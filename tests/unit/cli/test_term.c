/* SPDX-License-Identifier: Apache-2.0 */
/* Detach keys, raw mode, and writing to slow descriptors. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/container/sink.h"
#include "cli/container/term.h"

static void test_keys(void **state)
{
	struct sk_detach d;

	(void)state;
	assert_int_equal(sk_detach_parse(&d, NULL), 0);
	assert_int_equal(d.n, 2);
	assert_int_equal(d.keys[0], 16);
	assert_int_equal(d.keys[1], 17);
	assert_int_equal(sk_detach_parse(&d, "ctrl-@,a,ctrl-_,ctrl-["), 0);
	assert_memory_equal(d.keys, "\0a\x1f\x1b", 4);
	assert_int_equal(sk_detach_parse(&d, "DEL,x"), 0);
	assert_memory_equal(d.keys, "\x7fx", 2);
	/* Nothing is the default. */
	assert_int_equal(sk_detach_parse(&d, ""), 0);
	assert_int_equal(d.n, 2);
	assert_int_equal(d.keys[0], 16);
	assert_true(sk_detach_parse(&d, "ctrl-1") < 0);
	assert_true(sk_detach_parse(&d, "ab") < 0);
	assert_true(sk_detach_parse(&d, "a,,b") < 0);
	assert_true(sk_detach_parse(&d, "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a") < 0);
}

/* Feeds in pieces of `step`; returns whether it detached. */
static bool feed(const char *in, size_t step, char *out)
{
	struct sk_detach d;
	uint8_t piece[64];
	size_t n = strlen(in), i, len;

	sk_detach_parse(&d, "ctrl-p,ctrl-q");
	*out = '\0';
	for (i = 0; i < n; i += step) {
		bool done = sk_detach_filter(&d, (const uint8_t *)in + i, n - i < step ? n - i : step, piece, &len);

		strncat(out, (const char *)piece, len);
		if (done)
			return true;
	}
	return false;
}

static void test_filter(void **state)
{
	char out[64];
	size_t step;

	(void)state;
	for (step = 1; step < 8; step++) {
		assert_false(feed("abc", step, out));
		assert_string_equal(out, "abc");
		assert_true(feed("ab\x10\x11zz", step, out));
		assert_string_equal(out, "ab");
		assert_false(feed("a\x10"
				  "b\x10\x10"
				  "c",
				  step, out));
		assert_string_equal(out, "a\x10"
					 "b\x10\x10"
					 "c");
		assert_true(feed("\x10\x10\x11", step, out)); /* the second begins it anew */
		assert_string_equal(out, "\x10");
	}
}

static void test_raw(void **state)
{
	struct termios before, raw, after;
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	(void)state;
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		skip();
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	tcgetattr(slave, &before);
	assert_int_equal(sk_term_raw(slave), 0);
	tcgetattr(slave, &raw);
	assert_false(raw.c_lflag & (ICANON | ECHO | ISIG));
	sk_term_restore();
	tcgetattr(slave, &after);
	assert_int_equal(after.c_lflag, before.c_lflag);
	assert_int_equal(after.c_iflag, before.c_iflag);
	sk_term_restore();
	close(slave);
	close(master);
}

/* A full pipe takes nothing and does not put us to sleep, though the descriptor itself is a blocking one. */
static void test_sink(void **state)
{
	static char chunk[65536];
	struct sk_sink sink;
	int p[2];
	ssize_t n, total = 0;

	(void)state;
	assert_int_equal(pipe(p), 0);
	sk_sink_init(&sink, p[1]);
	while ((n = sk_sink_write(&sink, chunk, sizeof(chunk))) > 0)
		total += n;
	assert_int_equal(n, 0);
	assert_true(total >= 4096);
	assert_false(fcntl(p[1], F_GETFL) & O_NONBLOCK);
	assert_int_equal(read(p[0], chunk, 8192), 8192);
	assert_true(sk_sink_write(&sink, chunk, 4096) > 0);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(sk_sink_write(&sink, chunk, 1), -EPIPE);
	sk_sink_fini(&sink);
	close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_sink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
