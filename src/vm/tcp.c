/* SPDX-License-Identifier: Apache-2.0 */
/* The accepting end of a TCP connection as a state machine without I/O; see tcp.h for its bounds and its life. */
#include "vm/tcp.h"

#define TCP_MSS 32768u /* what we take in one segment, and give at most */
#define TCP_DEFAULT_MSS 536u
#define TCP_RESEND_MS 200u
#define TCP_RESEND_MAX_MS 5000u
#define TCP_TRIES 12u
#define TCP_UPDATE (TCP_MSS / 2u) /* room that is worth a segment of its own */

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

void sk_tcp_init(struct sk_tcp *t, const struct sk_tcp_segment *syn, uint32_t start,
		 void (*send)(void *arg, const struct sk_tcp_segment *segment), void *arg)
{
	*t = (struct sk_tcp){ .send = send, .arg = arg, .start = start, .due_ms = UINT64_MAX };
	t->unacked = t->next = t->highest = start;
	t->peer_start = syn->seq;
	t->peer_next = syn->seq + 1;
	t->window = syn->window;
	t->mss = syn->mss ? syn->mss : TCP_DEFAULT_MSS;
	if (t->mss > TCP_MSS)
		t->mss = TCP_MSS;
	sk_buf_init(&t->in, SK_TCP_BUF);
	sk_buf_init(&t->out, SK_TCP_BUF);
}

void sk_tcp_fini(struct sk_tcp *t)
{
	sk_buf_fini(&t->in);
	sk_buf_fini(&t->out);
}

static void emit(struct sk_tcp *t, uint32_t seq, unsigned flags, const uint8_t *data, size_t len)
{
	struct sk_tcp_segment s = { .seq = seq,
				    .ack = t->peer_next,
				    .window = (uint16_t)sk_buf_room(&t->in),
				    .flags = (uint8_t)flags,
				    .data = data,
				    .len = len };

	if (flags & SK_TCP_SYN)
		s.mss = TCP_MSS;
	t->send(t->arg, &s);
}

static void wait_for_answer(struct sk_tcp *t, uint64_t now_ms)
{
	uint64_t ms = (uint64_t)TCP_RESEND_MS << (t->tries < 8 ? t->tries : 8);

	t->due_ms = now_ms + (ms < TCP_RESEND_MAX_MS ? ms : TCP_RESEND_MAX_MS);
}

static void send_start(struct sk_tcp *t, uint64_t now_ms)
{
	emit(t, t->start, SK_TCP_SYN | SK_TCP_ACK, NULL, 0);
	t->next = t->highest = t->start + 1;
	wait_for_answer(t, now_ms);
}

/* Sends what the peer's window has room for. */
static void send_data(struct sk_tcp *t, size_t window, uint64_t now_ms)
{
	size_t sent = t->next - t->unacked, n;
	bool quiet = t->next == t->unacked;

	if (!t->established || t->reset || t->end_acked)
		return;
	while (!t->end_sent && sent < t->out.len && sent < window) {
		n = t->out.len - sent < window - sent ? t->out.len - sent : window - sent;
		if (n > t->mss)
			n = t->mss;
		emit(t, t->next, SK_TCP_ACK | SK_TCP_PSH, sk_buf_data(&t->out) + sent, n);
		t->next += (uint32_t)n;
		sent += n;
	}
	if (t->ended && !t->end_sent && sent == t->out.len) {
		emit(t, t->next, SK_TCP_ACK | SK_TCP_FIN, NULL, 0);
		t->next++;
		t->end_sent = true;
	}
	if (before(t->highest, t->next))
		t->highest = t->next;
	if (t->next == t->unacked && !t->out.len)
		t->due_ms = UINT64_MAX;
	else if (quiet || t->due_ms == UINT64_MAX)
		wait_for_answer(t, now_ms);
}

void sk_tcp_accept(struct sk_tcp *t, uint64_t now_ms)
{
	if (t->accepted || t->reset)
		return;
	t->accepted = true;
	send_start(t, now_ms);
}

static void on_ack(struct sk_tcp *t, const struct sk_tcp_segment *s, uint64_t now_ms)
{
	uint32_t n = s->ack - t->unacked;
	size_t data;

	if (before(s->ack, t->unacked) || before(t->highest, s->ack))
		return;
	t->window = s->window;
	if (n) {
		if (!t->established) {
			t->established = true;
			n--;
		}
		data = n < t->out.len ? n : t->out.len;
		sk_buf_consume(&t->out, data);
		if (n > data)
			t->end_acked = true;
		t->unacked = s->ack;
		if (before(t->next, t->unacked))
			t->next = t->unacked;
		t->tries = 0;
		t->due_ms = UINT64_MAX;
	}
	send_data(t, t->window, now_ms);
	if (t->end_acked)
		t->due_ms = UINT64_MAX;
	else if (t->due_ms == UINT64_MAX && t->next != t->unacked)
		wait_for_answer(t, now_ms);
}

static void on_data(struct sk_tcp *t, const struct sk_tcp_segment *s)
{
	size_t len = s->len, known, n;
	const uint8_t *data = s->data;

	if (!len && !(s->flags & SK_TCP_FIN)) {
		/* A keep-alive has a sequence number before what is expected, and wants an answer. */
		if (s->seq != t->peer_next)
			emit(t, t->next, SK_TCP_ACK, NULL, 0);
		return;
	}
	if (!t->peer_ended && !before(t->peer_next, s->seq)) {
		known = t->peer_next - s->seq;
		if (known <= len) {
			if (known)
				data += known; /* without data it may be NULL */
			len -= known;
			n = len < sk_buf_room(&t->in) ? len : sk_buf_room(&t->in);
			if (n && sk_buf_append(&t->in, data, n) < 0)
				n = 0;
			t->peer_next += (uint32_t)n;
			if (n == len && s->flags & SK_TCP_FIN) {
				t->peer_next++;
				t->peer_ended = true;
			}
		}
	}
	emit(t, t->next, SK_TCP_ACK, NULL, 0);
}

void sk_tcp_input(struct sk_tcp *t, const struct sk_tcp_segment *s, uint64_t now_ms)
{
	if (t->reset)
		return;
	if (s->flags & SK_TCP_RST) {
		/* RFC 5961: anything else in the window would be a guess. */
		if (s->seq == t->peer_next)
			t->reset = true;
		return;
	}
	if (s->flags & SK_TCP_SYN) {
		if (t->accepted && !t->established)
			send_start(t, now_ms);
		return;
	}
	if (!(s->flags & SK_TCP_ACK) || !t->accepted)
		return;
	on_ack(t, s, now_ms);
	if (t->established)
		on_data(t, s);
}

size_t sk_tcp_write(struct sk_tcp *t, const void *p, size_t n, uint64_t now_ms)
{
	if (t->reset || t->ended)
		return n; /* nobody will ever read it */
	if (n > sk_buf_room(&t->out))
		n = sk_buf_room(&t->out);
	if (n && sk_buf_append(&t->out, p, n) < 0)
		return 0;
	send_data(t, t->window, now_ms);
	return n;
}

void sk_tcp_end(struct sk_tcp *t, uint64_t now_ms)
{
	t->ended = true;
	send_data(t, t->window, now_ms);
}

void sk_tcp_consume(struct sk_tcp *t, size_t n)
{
	size_t room = sk_buf_room(&t->in);

	sk_buf_consume(&t->in, n);
	if (!t->reset && !t->peer_ended && room < TCP_UPDATE && sk_buf_room(&t->in) >= TCP_UPDATE)
		emit(t, t->next, SK_TCP_ACK, NULL, 0);
}

void sk_tcp_reset(struct sk_tcp *t)
{
	if (t->reset)
		return;
	emit(t, t->accepted ? t->highest : 0, SK_TCP_RST | SK_TCP_ACK, NULL, 0);
	t->reset = true;
	t->due_ms = UINT64_MAX;
}

void sk_tcp_timer(struct sk_tcp *t, uint64_t now_ms)
{
	if (t->reset || now_ms < t->due_ms)
		return;
	t->due_ms = UINT64_MAX;
	t->tries++;
	if (!t->established || t->window || t->end_sent) {
		if (t->tries > TCP_TRIES) {
			sk_tcp_reset(t);
			return;
		}
	}
	if (!t->established) {
		send_start(t, now_ms);
		return;
	}
	/* Again from the first byte that the peer has not acknowledged; of a closed window, one byte. */
	t->next = t->unacked;
	t->end_sent = false;
	send_data(t, t->window ? t->window : 1, now_ms);
}

bool sk_tcp_done(const struct sk_tcp *t)
{
	return t->peer_ended && t->end_acked;
}

bool sk_tcp_answer_unknown(const struct sk_tcp_segment *s, struct sk_tcp_segment *ret)
{
	uint32_t len = (uint32_t)s->len + !!(s->flags & SK_TCP_SYN) + !!(s->flags & SK_TCP_FIN);

	if (s->flags & SK_TCP_RST)
		return false;
	*ret = (struct sk_tcp_segment){ .flags = SK_TCP_RST };
	if (s->flags & SK_TCP_ACK) {
		ret->seq = s->ack;
	} else {
		ret->flags |= SK_TCP_ACK;
		ret->ack = s->seq + len;
	}
	return true;
}
