/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A container runtime's port-forward enters the network namespace of a pod and connects to a port of "localhost". The
 * program that listens there is in the guest. So TCP to the namespace's own addresses is diverted to us (vm/netns.h),
 * and we are the peer: for each SYN the agent is asked to connect to the same address and port inside the guest. The
 * SYN is answered when the agent has: with a SYN when it is connected, with a reset when nobody listens. From then on
 * bytes go both ways between the connection, which ends here (vm/tcp.c), and a stream of the guest's. There is no list
 * of ports to keep.
 *
 * Lifecycle of a connection: `asked` while the agent's answer is outstanding; it lives on until that comes, dead or not.
 * The stream comes with a token of its own, before the answer or after it. When one side ends, the other may go on. The
 * guest's program has closed both when the stream is closed: what the client still sends gets a reset, as from a kernel.
 *
 * Limits: LOOPBACK_MAX connections, each with two buffers of SK_TCP_BUF.
 *
 * Not trusted: what the guest answers, and the pace of both sides. The packets are the host's kernel's, of processes
 * that are in the namespace; their lengths are checked all the same.
 */
#include "vm/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "base/log.h"
#include "vm/tcp.h"

#define LOOPBACK_MAX 512u
#define LOOPBACK_OWN 256u	/* addresses */
#define LOOPBACK_BATCH 64	/* packets before others get their turn */
#define LOOPBACK_PACKET 131072u /* what the kernel hands over in one piece is 64 KiB and headers */
#define TCP_HEADER 20u
#define TCP_OPTION_MSS 2u

/* Both ends. An IPv4 address is in the first four bytes. */
struct ends {
	uint8_t client[16], server[16];
	uint16_t client_port, server_port;
	uint16_t v6; /* 0 or 1; not a bool, after which there would be padding: compared as bytes */
};

struct conn {
	struct conn *next;
	struct sk_loopback *lb;
	struct ends ends;
	struct sk_tcp tcp;
	struct sk_stream *stream;
	struct sk_token token; /* not set once the stream has come */
	bool asked, dead;
	bool gone;     /* the stream has come and gone */
	bool end_told; /* to the stream: the client has ended */
};

struct sk_loopback {
	struct sk_session *session;
	int capture, raw4, raw6;
	struct sk_source *source, *timer, *reap;
	struct conn *conns;
	unsigned n;
	uint8_t own[LOOPBACK_OWN][4];
	unsigned n_own;
	bool diverted;
	uint8_t packet[LOOPBACK_PACKET];
};

/* ---- packets */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint64_t sum(const uint8_t *p, size_t n)
{
	uint64_t s = 0;

	for (; n > 1; p += 2, n -= 2)
		s += get16(p);
	return n ? s + ((uint64_t)*p << 8) : s;
}

static uint16_t fold(uint64_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static uint16_t mss_option(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] != 0) {
		if (p[i] == 1) {
			i++;
			continue;
		}
		if (n - i < 2 || p[i + 1] < 2 || p[i + 1] > n - i)
			break;
		if (p[i] == TCP_OPTION_MSS && p[i + 1] == 4)
			return get16(p + i + 2);
		i += p[i + 1];
	}
	return 0;
}

/* Reads a frame of the loopback interface. False: it is no whole TCP segment. */
static bool parse(const uint8_t *f, size_t n, struct ends *e, struct sk_tcp_segment *s)
{
	size_t at, len, head;

	if (n < ETH_HLEN + 20u)
		return false;
	memset(e, 0, sizeof(*e));
	e->v6 = get16(f + 12) == ETH_P_IPV6;
	if (!e->v6 && get16(f + 12) != ETH_P_IP)
		return false;
	f += ETH_HLEN;
	n -= ETH_HLEN;
	if (e->v6) {
		if (n < 40 || f[0] >> 4 != 6 || f[6] != IPPROTO_TCP || f[7] != SK_NETNS_HOPS)
			return false;
		memcpy(e->client, f + 8, 16);
		memcpy(e->server, f + 24, 16);
		at = 40;
		len = 40u + get16(f + 4);
	} else {
		if (f[0] >> 4 != 4 || f[9] != IPPROTO_TCP || get16(f + 6) & 0x3fff)
			return false;
		memcpy(e->client, f + 12, 4);
		memcpy(e->server, f + 16, 4);
		at = (f[0] & 15) * 4u;
		len = get16(f + 2);
	}
	if (at < 20 || len > n || len < at + TCP_HEADER)
		return false;
	f += at;
	len -= at;
	head = (f[12] >> 4) * 4u;
	if (head < TCP_HEADER || head > len)
		return false;
	e->client_port = get16(f);
	e->server_port = get16(f + 2);
	*s = (struct sk_tcp_segment){ .seq = get32(f + 4),
				      .ack = get32(f + 8),
				      .flags = f[13] & 0x1f,
				      .window = get16(f + 14),
				      .mss = mss_option(f + TCP_HEADER, head - TCP_HEADER),
				      .data = f + head,
				      .len = len - head };
	return true;
}

/* Sends a segment from the server's end to the client's. What gets lost here is sent again. */
static void transmit(struct sk_loopback *lb, const struct ends *e, const struct sk_tcp_segment *s)
{
	size_t at = e->v6 ? 40 : 20, head = TCP_HEADER + (s->mss ? 4u : 0), len = head + s->len, n = e->v6 ? 16 : 4;
	uint8_t h[40 + TCP_HEADER + 4] = { 0 }, *tcp = h + at;
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in to4 = { .sin_family = AF_INET };
	struct iovec iov[2] = { { .iov_base = h, .iov_len = at + head },
				{ .iov_base = (void *)(uintptr_t)s->data, .iov_len = s->len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = s->len ? 2 : 1 };

	put16(tcp, e->server_port);
	put16(tcp + 2, e->client_port);
	put32(tcp + 4, s->seq);
	put32(tcp + 8, s->flags & SK_TCP_ACK ? s->ack : 0);
	tcp[12] = (uint8_t)(head / 4 << 4);
	tcp[13] = s->flags;
	put16(tcp + 14, s->window);
	if (s->mss) {
		tcp[20] = TCP_OPTION_MSS;
		tcp[21] = 4;
		put16(tcp + 22, s->mss);
	}
	put16(tcp + 16,
	      fold(sum(e->server, n) + sum(e->client, n) + IPPROTO_TCP + len + sum(tcp, head) + sum(s->data, s->len)));
	if (e->v6) {
		h[0] = 6 << 4;
		put16(h + 4, (unsigned)len);
		h[6] = IPPROTO_TCP;
		h[7] = 64;
		memcpy(h + 8, e->server, 16);
		memcpy(h + 24, e->client, 16);
		memcpy(&to6.sin6_addr, e->client, 16);
		msg.msg_name = &to6;
		msg.msg_namelen = sizeof(to6);
	} else {
		h[0] = 4 << 4 | 5;
		put16(h + 2, (unsigned)(at + len));
		h[8] = 64;
		h[9] = IPPROTO_TCP;
		memcpy(h + 12, e->server, 4);
		memcpy(h + 16, e->client, 4);
		put16(h + 10, fold(sum(h, at)));
		memcpy(&to4.sin_addr, e->client, 4);
		msg.msg_name = &to4;
		msg.msg_namelen = sizeof(to4);
	}
	sendmsg(e->v6 ? lb->raw6 : lb->raw4, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- connections */

static void conn_send(void *arg, const struct sk_tcp_segment *s)
{
	const struct conn *c = arg;

	transmit(c->lb, &c->ends, s);
}

static void set_timer(struct sk_loopback *lb)
{
	uint64_t due = UINT64_MAX, now = sk_now_ms();
	const struct conn *c;

	for (c = lb->conns; c; c = c->next)
		if (!c->dead && c->tcp.due_ms < due)
			due = c->tcp.due_ms;
	sk_loop_set_timer(lb->timer, due == UINT64_MAX ? due : due > now ? due - now : 0);
}

/* Ends the stream; the memory goes in the reap, or with the agent's answer. */
static void kill_conn(struct conn *c)
{
	sk_stream_close(SK_TAKE_PTR(c->stream));
	c->token.set = false;
	c->dead = true;
	sk_loop_trigger(c->lb->reap);
}

/* Passes on what there is, and ends the connection when there will be nothing more. */
static void step(struct conn *c)
{
	struct sk_tcp *t = &c->tcp;

	if (c->dead)
		return;
	while (c->stream && t->in.len) {
		size_t n = sk_stream_write(c->stream, sk_buf_data(&t->in), t->in.len);

		if (!n)
			break;
		sk_tcp_consume(t, n);
	}
	if (c->stream && t->peer_ended && !t->in.len && !c->end_told) {
		c->end_told = true;
		sk_stream_shutdown(c->stream);
	}
	if (c->gone && t->in.len)
		sk_tcp_reset(t);
	if (t->reset || (sk_tcp_done(t) && (c->gone || (c->end_told && !c->stream))))
		kill_conn(c);
	set_timer(c->lb);
}

static size_t on_data(void *arg, const uint8_t *data, size_t n)
{
	struct conn *c = arg;

	n = sk_tcp_write(&c->tcp, data, n, sk_now_ms());
	set_timer(c->lb);
	return n;
}

static void on_eof(void *arg)
{
	struct conn *c = arg;

	sk_tcp_end(&c->tcp, sk_now_ms());
	step(c);
}

static void on_writable(void *arg)
{
	step(arg);
}

static void on_closed(void *arg, int error)
{
	struct conn *c = arg;

	(void)error;
	c->stream = NULL;
	c->gone = true;
	if (!c->tcp.ended)
		sk_tcp_reset(&c->tcp);
	step(c);
}

static const struct sk_stream_events stream_events = {
	.data = on_data,
	.eof = on_eof,
	.writable = on_writable,
	.closed = on_closed,
};

ssize_t sk_loopback_claim(struct sk_loopback *lb, const struct sk_token *token, struct sk_stream *stream,
			  const uint8_t *data, size_t n)
{
	struct conn *c = lb ? lb->conns : NULL;

	while (c && !sk_token_equal(&c->token, token))
		c = c->next;
	if (!c)
		return -1;
	c->token.set = false;
	c->stream = stream;
	sk_stream_set_events(stream, &stream_events, c);
	n = n ? on_data(c, data, n) : 0;
	step(c);
	return (ssize_t)n;
}

static void on_connected(void *arg, const struct sk_reply *reply)
{
	struct conn *c = arg;

	c->asked = false;
	if (!c->lb) { /* freed meanwhile */
		free(c);
		return;
	}
	if (c->dead) {
		sk_loop_trigger(c->lb->reap);
		return;
	}
	if (reply && reply->ok)
		sk_tcp_accept(&c->tcp, sk_now_ms());
	else
		sk_tcp_reset(&c->tcp);
	step(c);
}

static void conn_new(struct sk_loopback *lb, const struct ends *e, const struct sk_tcp_segment *syn)
{
	struct conn *c = lb->n < LOOPBACK_MAX ? calloc(1, sizeof(*c)) : NULL;
	char address[INET6_ADDRSTRLEN];
	struct sk_msg msg = { .op = SK_OP_CONNECT };
	struct sk_tcp_segment answer;
	uint32_t start;

	if (!c) {
		if (sk_tcp_answer_unknown(syn, &answer))
			transmit(lb, e, &answer);
		return;
	}
	sk_random(&start, sizeof(start));
	c->token.set = true;
	sk_random(c->token.bytes, sizeof(c->token.bytes));
	c->lb = lb;
	c->ends = *e;
	c->next = lb->conns;
	lb->conns = c;
	lb->n++;
	sk_tcp_init(&c->tcp, syn, start, conn_send, c);
	inet_ntop(e->v6 ? AF_INET6 : AF_INET, e->server, address, sizeof(address));
	msg.connect.address = address;
	msg.connect.port = e->server_port;
	msg.connect.token = c->token;
	c->asked = sk_session_request(lb->session, &msg, on_connected, c) == 0;
	if (!c->asked) {
		sk_tcp_reset(&c->tcp);
		step(c);
	}
}

static bool is_ours(const struct sk_loopback *lb, const struct ends *e)
{
	static const uint8_t loopback[4] = { 127, 0, 0, 1 };
	unsigned i;

	if (e->v6)
		return memcmp(e->server, &in6addr_loopback, 16) == 0;
	if (memcmp(e->client, sk_netns_dns, 4) == 0) /* not diverted: it answers somebody here */
		return false;
	if (memcmp(e->server, loopback, 4) == 0)
		return true;
	for (i = 0; i < lb->n_own; i++)
		if (memcmp(e->server, lb->own[i], 4) == 0)
			return true;
	return false;
}

static bool same_ends(const struct ends *a, const struct ends *b)
{
	return a->v6 == b->v6 && a->client_port == b->client_port && a->server_port == b->server_port &&
	       memcmp(a->client, b->client, sizeof(a->client)) == 0 &&
	       memcmp(a->server, b->server, sizeof(a->server)) == 0;
}

static void on_segment(struct sk_loopback *lb, const struct ends *e, const struct sk_tcp_segment *s)
{
	struct sk_tcp_segment answer;
	struct conn *c = lb->conns;

	while (c && (c->dead || !same_ends(&c->ends, e)))
		c = c->next;
	if (c && s->flags & SK_TCP_SYN && s->seq != c->tcp.peer_start) { /* the client has forgotten it */
		c->tcp.reset = true;
		kill_conn(c);
		c = NULL;
	}
	if (c) {
		sk_tcp_input(&c->tcp, s, sk_now_ms());
		if (c->stream && sk_buf_room(&c->tcp.out))
			sk_stream_resume(c->stream);
		step(c);
	} else if ((s->flags & (SK_TCP_SYN | SK_TCP_ACK | SK_TCP_RST)) == SK_TCP_SYN) {
		conn_new(lb, e, s);
	} else if (sk_tcp_answer_unknown(s, &answer)) {
		transmit(lb, e, &answer);
	}
}

static void on_capture(void *arg, int fd, unsigned events)
{
	struct sk_loopback *lb = arg;
	struct sk_tcp_segment s;
	struct ends e;
	int i;

	(void)events;
	for (i = 0; i < LOOPBACK_BATCH; i++) {
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, lb->packet, sizeof(lb->packet), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

		if (n < 0)
			break;
		if (from.sll_pkttype != PACKET_OUTGOING && parse(lb->packet, (size_t)n, &e, &s) && is_ours(lb, &e))
			on_segment(lb, &e, &s);
	}
}

static void on_timer(void *arg)
{
	struct sk_loopback *lb = arg;
	uint64_t now = sk_now_ms();
	struct conn *c;

	for (c = lb->conns; c; c = c->next)
		if (!c->dead && c->tcp.due_ms <= now) {
			sk_tcp_timer(&c->tcp, now);
			if (c->tcp.reset)
				kill_conn(c);
		}
	set_timer(lb);
}

static void on_reap(void *arg)
{
	struct sk_loopback *lb = arg;
	struct conn **link = &lb->conns, *c;

	while ((c = *link)) {
		if (!c->dead || c->asked) {
			link = &c->next;
			continue;
		}
		*link = c->next;
		lb->n--;
		sk_tcp_fini(&c->tcp);
		free(c);
	}
}

/* ---- life */

struct sk_loopback *sk_loopback_new(struct sk_loop *loop, struct sk_session *session)
{
	struct sk_loopback *lb = calloc(1, sizeof(*lb));

	if (!lb)
		return NULL;
	lb->session = session;
	lb->capture = sk_netns_loopback_socket();
	lb->raw4 = sk_netns_raw_socket(AF_INET);
	lb->raw6 = sk_netns_raw_socket(AF_INET6); /* or none, where there is no IPv6 */
	if (lb->capture >= 0 && lb->raw4 >= 0) {
		lb->source = sk_loop_add_fd(loop, lb->capture, SK_LOOP_READ, on_capture, lb);
		lb->timer = sk_loop_add_timer(loop, UINT64_MAX, on_timer, lb);
		lb->reap = sk_loop_add_deferred(loop, on_reap, lb);
	}
	if (!lb->source || !lb->timer || !lb->reap) {
		sk_log(SK_LOG_WARN, "connections inside the network namespace do not reach the guest: %s",
		       strerror(lb->capture < 0 ? -lb->capture
				: lb->raw4 < 0	? -lb->raw4
						: errno));
		sk_loopback_free(lb);
		return NULL;
	}
	return lb;
}

void sk_loopback_update(struct sk_loopback *lb, const struct sk_netns *ns)
{
	struct sk_error err = SK_ERROR_INIT;
	unsigned i;
	size_t k;

	if (!lb)
		return;
	lb->n_own = 0;
	for (i = 0; i < ns->n_ifs; i++)
		for (k = 0; k < json_array_size(ns->ifs[i].addresses) && lb->n_own < LOOPBACK_OWN; k++) {
			uint8_t address[16];

			if (sk_netns_address(&ns->ifs[i], k, address) == AF_INET)
				memcpy(lb->own[lb->n_own++], address, 4);
		}
	lb->diverted = true;
	if (sk_netns_divert(ns, &err) < 0)
		sk_log(SK_LOG_WARN, "%s", err.message);
}

void sk_loopback_free(struct sk_loopback *lb)
{
	struct conn *c;

	if (!lb)
		return;
	while ((c = lb->conns)) {
		lb->conns = c->next;
		if (!c->dead)
			sk_tcp_reset(&c->tcp);
		sk_stream_close(SK_TAKE_PTR(c->stream));
		sk_tcp_fini(&c->tcp);
		c->lb = NULL;
		if (!c->asked)
			free(c);
	}
	if (lb->diverted)
		sk_netns_undivert();
	sk_loop_remove(lb->source);
	sk_loop_remove(lb->timer);
	sk_loop_remove(lb->reap);
	sk_close_fd(&lb->capture);
	sk_close_fd(&lb->raw4);
	sk_close_fd(&lb->raw6);
	free(lb);
}
