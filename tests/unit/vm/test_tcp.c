/* SPDX-License-Identifier: Apache-2.0 */
/* The accepting end of a TCP connection, segment by segment. */
#include "../sk_test.h"

#include <string.h>

#include "vm/tcp.h"

#define PEER 1000u	 /* the peer's initial sequence number */
#define OURS 0xfffffff0u /* ours: wraps early */

static struct sk_tcp tcp;
static struct {
	struct sk_tcp_segment s;
	uint8_t data[SK_TCP_BUF];
} sent[64];
static unsigned n_sent;
static uint64_t now;

static void send_segment(void *arg, const struct sk_tcp_segment *s)
{
	(void)arg;
	assert_true(n_sent < 64);
	sent[n_sent].s = *s;
	if (s->len)
		memcpy(sent[n_sent].data, s->data, s->len);
	n_sent++;
}

/* The only segment that was sent since. */
static const struct sk_tcp_segment *only(void)
{
	assert_int_equal(n_sent, 1);
	n_sent = 0;
	return &sent[0].s;
}

static void from_peer(uint32_t seq, uint32_t ack, unsigned flags, const char *data, uint16_t window)
{
	const struct sk_tcp_segment s = { .seq = seq,
					  .ack = ack,
					  .flags = (uint8_t)flags,
					  .window = window,
					  .data = (const uint8_t *)data,
					  .len = data ? strlen(data) : 0 };

	sk_tcp_input(&tcp, &s, now);
}

static int setup(void **state)
{
	const struct sk_tcp_segment syn = { .seq = PEER, .flags = SK_TCP_SYN, .window = 40, .mss = 30 };

	(void)state;
	n_sent = 0;
	now = 1;
	sk_tcp_init(&tcp, &syn, OURS, send_segment, NULL);
	return 0;
}

static int connected(void **state)
{
	setup(state);
	sk_tcp_accept(&tcp, now);
	n_sent = 0;
	from_peer(PEER + 1, OURS + 1, SK_TCP_ACK, NULL, 40);
	assert_int_equal(n_sent, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sk_tcp_fini(&tcp);
	return 0;
}

static void in_equals(const char *what)
{
	assert_int_equal(tcp.in.len, strlen(what));
	if (tcp.in.len)
		assert_memory_equal(sk_buf_data(&tcp.in), what, tcp.in.len);
}

static void says_nothing_before(void **state)
{
	const struct sk_tcp_segment *s;

	(void)state;
	assert_int_equal(n_sent, 0);
	from_peer(PEER, 0, SK_TCP_SYN, NULL, 40); /* again */
	assert_int_equal(n_sent, 0);
	sk_tcp_accept(&tcp, now);
	s = only();
	assert_int_equal(s->flags, SK_TCP_SYN | SK_TCP_ACK);
	assert_int_equal(s->seq, OURS);
	assert_int_equal(s->ack, PEER + 1);
	assert_true(s->mss > 0);
	now = tcp.due_ms; /* lost */
	sk_tcp_timer(&tcp, now);
	assert_int_equal(only()->flags, SK_TCP_SYN | SK_TCP_ACK);
	from_peer(PEER + 1, OURS + 1, SK_TCP_ACK, "hello", 40);
	in_equals("hello");
	assert_int_equal(only()->ack, PEER + 6);
	assert_true(tcp.due_ms == UINT64_MAX);
}

static void refuses(void **state)
{
	const struct sk_tcp_segment *s;

	(void)state;
	sk_tcp_reset(&tcp);
	s = only();
	assert_int_equal(s->flags, SK_TCP_RST | SK_TCP_ACK);
	assert_int_equal(s->ack, PEER + 1);
	sk_tcp_accept(&tcp, now);
	from_peer(PEER, 0, SK_TCP_SYN, NULL, 40);
	assert_int_equal(n_sent, 0);
}

static void takes_what_is_next(void **state)
{
	(void)state;
	from_peer(PEER + 4, OURS + 1, SK_TCP_ACK, "def", 40); /* too early */
	in_equals("");
	assert_int_equal(only()->ack, PEER + 1);
	from_peer(PEER + 1, OURS + 1, SK_TCP_ACK, "abc", 40);
	assert_int_equal(only()->ack, PEER + 4);
	from_peer(PEER + 2, OURS + 1, SK_TCP_ACK | SK_TCP_FIN, "bcdef", 40); /* overlaps, and ends */
	in_equals("abcdef");
	assert_int_equal(only()->ack, PEER + 8);
	assert_true(tcp.peer_ended);
	from_peer(PEER + 2, OURS + 1, SK_TCP_ACK | SK_TCP_FIN, "bcdef", 40); /* again */
	in_equals("abcdef");
	assert_int_equal(only()->ack, PEER + 8);
	from_peer(PEER + 7, OURS + 1, SK_TCP_ACK, NULL, 40); /* a keep-alive */
	assert_int_equal(only()->ack, PEER + 8);
	assert_false(sk_tcp_done(&tcp));
}

static void closes_its_window(void **state)
{
	static char much[SK_TCP_BUF];
	const struct sk_tcp_segment *s;

	(void)state;
	memset(much, 'x', sizeof(much) - 1);
	from_peer(PEER + 1, OURS + 1, SK_TCP_ACK, much, 40);
	assert_int_equal(only()->window, 1);
	from_peer(PEER + SK_TCP_BUF, OURS + 1, SK_TCP_ACK | SK_TCP_FIN, "yz", 40);
	s = only();
	assert_int_equal(s->window, 0);
	assert_int_equal(s->ack, PEER + SK_TCP_BUF + 1);
	assert_false(tcp.peer_ended);
	sk_tcp_consume(&tcp, 100); /* not worth telling */
	assert_int_equal(n_sent, 0);
	sk_tcp_consume(&tcp, SK_TCP_BUF - 100);
	assert_int_equal(only()->window, SK_TCP_BUF);
	from_peer(PEER + SK_TCP_BUF + 1, OURS + 1, SK_TCP_ACK | SK_TCP_FIN, "z", 40);
	in_equals("z");
	assert_true(tcp.peer_ended);
}

static void respects_the_peers_window(void **state)
{
	char data[100];

	(void)state;
	memset(data, 'd', sizeof(data));
	assert_int_equal(sk_tcp_write(&tcp, data, 100, now), 100);
	assert_int_equal(n_sent, 2); /* of 30 at most, 40 in all */
	assert_int_equal(sent[0].s.len, 30);
	assert_int_equal(sent[1].s.len, 10);
	assert_int_equal(sent[1].s.seq, (uint32_t)(OURS + 31)); /* has wrapped */
	sk_tcp_end(&tcp, now);
	assert_int_equal(n_sent, 2);
	n_sent = 0;
	from_peer(PEER + 1, OURS + 31, SK_TCP_ACK, NULL, 0); /* half of it, and no room */
	assert_int_equal(n_sent, 0);
	now = tcp.due_ms;
	sk_tcp_timer(&tcp, now);
	assert_int_equal(sent[0].s.seq, (uint32_t)(OURS + 31));
	assert_int_equal(only()->len, 1);		       /* asks for room */
	from_peer(PEER + 1, OURS + 41, SK_TCP_ACK, NULL, 100); /* it had the first ten, too */
	assert_int_equal(n_sent, 3);
	assert_int_equal(sent[0].s.seq, (uint32_t)(OURS + 41));
	assert_int_equal(sent[0].s.len + sent[1].s.len, 60);
	assert_int_equal(sent[2].s.flags, SK_TCP_ACK | SK_TCP_FIN);
	n_sent = 0;
	now = tcp.due_ms; /* all lost */
	sk_tcp_timer(&tcp, now);
	assert_int_equal(n_sent, 3);
	assert_int_equal(sent[0].s.seq, (uint32_t)(OURS + 41));
	n_sent = 0;
	from_peer(PEER + 1, OURS + 102, SK_TCP_ACK | SK_TCP_FIN, NULL, 100);
	assert_int_equal(only()->ack, PEER + 2);
	assert_true(sk_tcp_done(&tcp));
	assert_true(tcp.due_ms == UINT64_MAX);
}

static void gives_up(void **state)
{
	unsigned i;

	(void)state;
	sk_tcp_write(&tcp, "x", 1, now);
	for (i = 0; i < 63 && !tcp.reset; i++) {
		now = tcp.due_ms;
		sk_tcp_timer(&tcp, now);
	}
	assert_true(tcp.reset);
	assert_true(sent[n_sent - 1].s.flags & SK_TCP_RST);
	assert_int_equal(sk_tcp_write(&tcp, "x", 1, now), 1); /* nobody reads it */
}

static void believes_exact_resets_only(void **state)
{
	(void)state;
	from_peer(PEER + 9, 0, SK_TCP_RST, NULL, 0);
	assert_false(tcp.reset);
	from_peer(PEER + 1, 0, SK_TCP_RST, NULL, 0);
	assert_true(tcp.reset);
	assert_int_equal(n_sent, 0);
}

static void ignores_wrong_acknowledgements(void **state)
{
	(void)state;
	sk_tcp_write(&tcp, "abc", 3, now);
	n_sent = 0;
	from_peer(PEER + 1, OURS + 100, SK_TCP_ACK, NULL, 40); /* never sent */
	from_peer(PEER + 1, OURS - 100, SK_TCP_ACK, NULL, 40);
	assert_int_equal(tcp.out.len, 3);
	from_peer(PEER + 1, OURS + 3, SK_TCP_ACK, NULL, 40);
	assert_int_equal(tcp.out.len, 1);
}

static void answers_strangers(void **state)
{
	struct sk_tcp_segment s = { .seq = 5, .ack = 9, .flags = SK_TCP_ACK, .len = 3 }, a;

	(void)state;
	assert_true(sk_tcp_answer_unknown(&s, &a));
	assert_int_equal(a.flags, SK_TCP_RST);
	assert_int_equal(a.seq, 9);
	s.flags = SK_TCP_SYN | SK_TCP_FIN;
	assert_true(sk_tcp_answer_unknown(&s, &a));
	assert_int_equal(a.flags, SK_TCP_RST | SK_TCP_ACK);
	assert_int_equal(a.ack, 10);
	s.flags = SK_TCP_RST;
	assert_false(sk_tcp_answer_unknown(&s, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_nothing_before, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_what_is_next, connected, teardown),
		cmocka_unit_test_setup_teardown(closes_its_window, connected, teardown),
		cmocka_unit_test_setup_teardown(respects_the_peers_window, connected, teardown),
		cmocka_unit_test_setup_teardown(gives_up, connected, teardown),
		cmocka_unit_test_setup_teardown(believes_exact_resets_only, connected, teardown),
		cmocka_unit_test_setup_teardown(ignores_wrong_acknowledgements, connected, teardown),
		cmocka_unit_test(answers_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
