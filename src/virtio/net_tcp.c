/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * libslirp ends TCP connections too early. It acknowledges up to 128 KiB of the guest's data before it has written them
 * to the host's socket, and frees the connection with all that is left once both sides have sent their FIN: at once
 * when the guest's came first (LAST_ACK), after ten seconds otherwise (TIME_WAIT). A slow reader on the host loses the
 * rest.
 *
 * So the guest's FIN waits here until libslirp has written everything: it is taken off its segment, whose data passes,
 * and a segment with nothing but the FIN follows when libslirp has acknowledged all that came before and no longer asks
 * to write to that socket. Until then the FIN is not acknowledged; a guest keeps sending it (Linux for fifteen minutes,
 * or for 100 seconds when no program has the connection any more, after which it forgets it; we do not).
 *
 * And libslirp takes a reset for a plain end when it does not read from the socket, because the guest is slow or the
 * host's half has ended. Both then get a reset that is made here.
 *
 * And libslirp forgets a connection whose host's side has ended when nothing has come from the guest for ten minutes,
 * though the guest may still have something to send one day. So such connections get an acknowledgement now and then, as
 * if the guest had sent it once more.
 *
 * A connection is known from its SYN to the end of its socket. libslirp makes the socket of a connection of the guest
 * while it handles the SYN. The socket of a published port's connection is known by its peer's address when libslirp
 * first asks about it.
 *
 * Limits: `max` connections. What is not known is left to libslirp.
 *
 * Not trusted: frames of the guest. Whatever it sends, it harms its own connections only.
 */
#include "virtio/net_tcp.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/socket.h"
#include "virtio/net_internal.h"

#define BUCKETS 1024u
#define FDS_MAX 65536u
#define HEADERS_MAX (ETH_HLEN + 40u + 20u)

/* Both ends as the guest names them; an IPv4 address is in the first 4 bytes. */
struct key {
	uint8_t guest[16], peer[16];
	uint16_t guest_port, peer_port; /* as on the wire */
	bool v6;
};

struct segment {
	struct key key;
	uint32_t seq, ack, len; /* `len` bytes of data */
	uint16_t window;	/* as on the wire */
	uint8_t flags;
	size_t at; /* of the TCP header */
};

struct tcp_conn {
	struct tcp_conn *next; /* of the same bucket */
	struct tcp_conn *due_next, **due_prev;
	struct key key;
	uint8_t macs[12]; /* of the guest's last frame */
	uint32_t guest_ack, host_ack, host_next, fin;
	uint16_t guest_window;
	int fd; /* -1: not known yet */
	bool inbound, established, fin_waits, reset;
	bool host_ended, guest_ended; /* their FINs have passed */
};

struct net_tcp {
	const struct net_tcp_ops *ops;
	void *arg;
	struct tcp_conn *buckets[BUCKETS];
	struct tcp_conn *due;	/* those with fin_waits or reset */
	struct tcp_conn *input; /* whose SYN libslirp handles now */
	struct tcp_conn **by_fd;
	unsigned n_by_fd, n, max, n_unknown_fd;
};

/* --- frames --- */

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put32(uint8_t *p, uint32_t v)
{
	uint32_t be = htonl(v);

	memcpy(p, &be, sizeof(be));
}

static void put16(uint8_t *p, uint16_t v)
{
	uint16_t be = htons(v);

	memcpy(p, &be, sizeof(be));
}

/* Reads the headers of a whole TCP segment; `outward`: from the guest. False: the frame is something else. */
static bool parse(const uint8_t *f, size_t len, bool outward, struct segment *ret)
{
	const uint8_t *ip = f + ETH_HLEN, *tcp;
	size_t at, total, hl;
	bool v6;

	if (len < ETH_HLEN + 40u)
		return false;
	v6 = get16(f + 12) == ETH_P_IPV6;
	if (!v6 && (get16(f + 12) != ETH_P_IP || ip[0] >> 4 != 4 || ip[9] != IPPROTO_TCP || get16(ip + 6) & 0x3fff))
		return false;
	if (v6 && (ip[0] >> 4 != 6 || ip[6] != IPPROTO_TCP))
		return false;
	at = v6 ? 40 : (ip[0] & 15) * 4u;
	total = v6 ? 40u + get16(ip + 4) : get16(ip + 2);
	if (at < 20 || total > len - ETH_HLEN || total < at + 20)
		return false;
	tcp = ip + at;
	hl = (tcp[12] >> 4) * 4u;
	if (hl < 20 || hl > total - at)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->key.v6 = v6;
	memcpy(outward ? ret->key.guest : ret->key.peer, ip + (v6 ? 8 : 12), v6 ? 16 : 4);
	memcpy(outward ? ret->key.peer : ret->key.guest, ip + (v6 ? 24 : 16), v6 ? 16 : 4);
	memcpy(outward ? &ret->key.guest_port : &ret->key.peer_port, tcp, 2);
	memcpy(outward ? &ret->key.peer_port : &ret->key.guest_port, tcp + 2, 2);
	ret->seq = get32(tcp + 4);
	ret->ack = get32(tcp + 8);
	ret->flags = tcp[13];
	memcpy(&ret->window, tcp + 14, 2);
	ret->len = (uint32_t)(total - at - hl);
	ret->at = ETH_HLEN + at;
	return true;
}

/* Makes a segment without data; from the guest, or to it. Returns its length. */
static size_t make(const struct tcp_conn *c, bool outward, uint32_t seq, uint32_t ack, uint8_t flags,
		   uint8_t frame[HEADERS_MAX])
{
	size_t hl = c->key.v6 ? 40 : 20, addr_len = c->key.v6 ? 16 : 4;
	uint8_t *ip = frame + ETH_HLEN, *tcp = ip + hl, *addr = ip + (c->key.v6 ? 8 : 12);

	memset(frame, 0, HEADERS_MAX);
	memcpy(frame, c->macs + (outward ? 0 : 6), 6);
	memcpy(frame + 6, c->macs + (outward ? 6 : 0), 6);
	put16(frame + 12, c->key.v6 ? ETH_P_IPV6 : ETH_P_IP);
	memcpy(addr, outward ? c->key.guest : c->key.peer, addr_len);
	memcpy(addr + addr_len, outward ? c->key.peer : c->key.guest, addr_len);
	if (c->key.v6) {
		ip[0] = 0x60;
		ip[5] = 20;
		ip[6] = IPPROTO_TCP;
		ip[7] = 64;
	} else {
		ip[0] = 0x45;
		ip[3] = 40;
		ip[8] = 64;
		ip[9] = IPPROTO_TCP;
		put16(ip + 10, net_fold(net_sum(ip, 20, 0)));
	}
	memcpy(tcp, outward ? &c->key.guest_port : &c->key.peer_port, 2);
	memcpy(tcp + 2, outward ? &c->key.peer_port : &c->key.guest_port, 2);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	memcpy(tcp + 14, &c->guest_window, 2);
	put16(tcp + 16, net_fold(net_sum(addr, 2 * addr_len, net_sum(tcp, 20, IPPROTO_TCP + 20))));
	return ETH_HLEN + hl + 20;
}

/* Takes the FIN off a segment with a right checksum (RFC 1624). */
static void take_fin_off(uint8_t *tcp)
{
	uint32_t sum = (uint16_t)~get16(tcp + 16);

	sum += (uint16_t)~get16(tcp + 12);
	tcp[13] &= (uint8_t)~TH_FIN;
	sum += get16(tcp + 12);
	put16(tcp + 16, net_fold(sum));
}

/* --- the table --- */

static struct tcp_conn **bucket_of(struct net_tcp *t, const struct key *k)
{
	uint32_t h = get32(k->peer) ^ get32(k->peer + 12) ^ (uint32_t)k->guest_port << 16 ^ k->peer_port;

	return &t->buckets[(h * 2654435761u) >> 22];
}

static bool same_key(const struct key *a, const struct key *b)
{
	return a->v6 == b->v6 && a->guest_port == b->guest_port && a->peer_port == b->peer_port &&
	       memcmp(a->peer, b->peer, sizeof(a->peer)) == 0 && memcmp(a->guest, b->guest, sizeof(a->guest)) == 0;
}

static struct tcp_conn *find(struct net_tcp *t, const struct key *k)
{
	struct tcp_conn *c;

	for (c = *bucket_of(t, k); c; c = c->next)
		if (same_key(&c->key, k))
			break;
	return c;
}

static void set_due(struct net_tcp *t, struct tcp_conn *c)
{
	if (c->due_prev)
		return;
	c->due_prev = &t->due;
	c->due_next = t->due;
	if (t->due)
		t->due->due_prev = &c->due_next;
	t->due = c;
}

static void clear_due(struct tcp_conn *c)
{
	if (!c->due_prev)
		return;
	*c->due_prev = c->due_next;
	if (c->due_next)
		c->due_next->due_prev = c->due_prev;
	c->due_prev = NULL;
}

static void drop(struct net_tcp *t, struct tcp_conn *c)
{
	struct tcp_conn **p = bucket_of(t, &c->key);

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	clear_due(c);
	if (c->fd >= 0)
		t->by_fd[c->fd] = NULL;
	else
		t->n_unknown_fd--;
	if (t->input == c)
		t->input = NULL;
	t->n--;
	free(c);
}

/* Connections that never had a socket, mostly refused ones of published ports. */
static void drop_unknown(struct net_tcp *t)
{
	unsigned i;

	for (i = 0; i < BUCKETS && t->n_unknown_fd; i++) {
		struct tcp_conn *c, *next;

		for (c = t->buckets[i]; c; c = next) {
			next = c->next;
			if (c->fd < 0)
				drop(t, c);
		}
	}
}

static struct tcp_conn *add(struct net_tcp *t, const struct segment *s, bool inbound)
{
	struct tcp_conn **bucket = bucket_of(t, &s->key), *c;

	if (t->n >= t->max)
		drop_unknown(t);
	c = t->n < t->max ? calloc(1, sizeof(*c)) : NULL;
	if (!c)
		return NULL;
	c->key = s->key;
	c->fd = -1;
	c->inbound = c->established = inbound;
	c->next = *bucket;
	*bucket = c;
	t->n++;
	t->n_unknown_fd++;
	return c;
}

static struct tcp_conn *of_fd(struct net_tcp *t, int fd)
{
	return fd >= 0 && (unsigned)fd < t->n_by_fd ? t->by_fd[fd] : NULL;
}

static void set_fd(struct net_tcp *t, struct tcp_conn *c, int fd)
{
	unsigned n = t->n_by_fd ? t->n_by_fd : 64;
	struct tcp_conn **p;

	if (fd < 0 || (unsigned)fd >= FDS_MAX)
		return;
	while (n <= (unsigned)fd)
		n *= 2;
	if (n != t->n_by_fd) {
		p = realloc(t->by_fd, n * sizeof(struct tcp_conn *));
		if (!p)
			return;
		memset(p + t->n_by_fd, 0, (n - t->n_by_fd) * sizeof(struct tcp_conn *));
		t->by_fd = p;
		t->n_by_fd = n;
	}
	if (t->by_fd[fd])
		drop(t, t->by_fd[fd]); /* of a socket that we did not see closed */
	t->by_fd[fd] = c;
	c->fd = fd;
	t->n_unknown_fd--;
}

/* --- what passes --- */

void net_tcp_begin_input(struct net_tcp *t, uint8_t *frame, size_t len)
{
	struct segment s;
	struct tcp_conn *c;

	if (!parse(frame, len, true, &s))
		return;
	c = find(t, &s.key);
	if (!c && (s.flags & (TH_SYN | TH_FIN | TH_RST | TH_ACK)) == TH_SYN)
		c = add(t, &s, false);
	if (!c)
		return;
	memcpy(c->macs, frame, sizeof(c->macs));
	if (s.flags & TH_ACK) {
		c->guest_ack = s.ack;
		c->guest_window = s.window;
	}
	if (c->fd < 0 && !c->inbound)
		t->input = c;
	if (c->fd < 0 && s.flags & TH_RST)
		drop(t, c);
	else if (c->fd >= 0 && (s.flags & (TH_SYN | TH_FIN | TH_RST)) == TH_FIN) {
		take_fin_off(frame + s.at);
		c->fin = s.seq + s.len;
		c->fin_waits = true;
		set_due(t, c);
	}
}

void net_tcp_end_input(struct net_tcp *t)
{
	if (t->input)
		drop(t, t->input); /* libslirp has refused it */
	t->input = NULL;
}

void net_tcp_output(struct net_tcp *t, const uint8_t *frame, size_t len)
{
	struct segment s;
	struct tcp_conn *c;

	if (!parse(frame, len, false, &s))
		return;
	c = find(t, &s.key);
	if ((s.flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN && !c)
		c = add(t, &s, true);
	if (!c || s.flags & TH_RST)
		return;
	c->established |= (s.flags & TH_SYN) != 0;
	if (s.flags & TH_ACK)
		c->host_ack = s.ack;
	s.seq += s.len + (s.flags & (TH_SYN | TH_FIN) ? 1 : 0);
	c->host_ended |= (s.flags & TH_FIN) != 0;
	if ((s.flags & TH_SYN) || (int32_t)(s.seq - c->host_next) > 0)
		c->host_next = s.seq;
}

/* --- sockets --- */

void net_tcp_registered(struct net_tcp *t, int fd)
{
	if (t->input && fd >= 0) {
		set_fd(t, t->input, fd);
		t->input = NULL;
	}
}

/* Returns true if `k` is the guest's view of the peer of a published port's socket. */
static bool is_peer(const struct key *k, const struct sockaddr_in6 *a)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)a;
	struct in_addr gateway;

	if (!k->v6 && a->sin6_family == AF_INET && in->sin_port == k->peer_port) {
		inet_pton(AF_INET, SK_SLIRP_GATEWAY, &gateway);
		return memcmp(k->peer, &in->sin_addr, 4) == 0 || memcmp(k->peer, &gateway, 4) == 0;
	}
	return k->v6 && a->sin6_family == AF_INET6 && a->sin6_port == k->peer_port;
}

/* The connection of a published port that a socket belongs to, which is not known yet. */
static struct tcp_conn *find_inbound(struct net_tcp *t, int fd)
{
	struct sockaddr_in6 a = { .sin6_family = AF_UNSPEC };
	socklen_t len = sizeof(a);
	struct tcp_conn *c;
	unsigned i;

	if (!t->n_unknown_fd || of_fd(t, fd) || getpeername(fd, (struct sockaddr *)&a, &len) < 0)
		return NULL;
	for (i = 0; i < BUCKETS; i++)
		for (c = t->buckets[i]; c; c = c->next)
			if (c->fd < 0 && c->inbound && is_peer(&c->key, &a))
				return c;
	return NULL;
}

void net_tcp_polled(struct net_tcp *t, int fd)
{
	struct tcp_conn *c = find_inbound(t, fd);

	if (c)
		set_fd(t, c, fd);
}

void net_tcp_unregistered(struct net_tcp *t, int fd)
{
	struct tcp_conn *c = of_fd(t, fd);

	if (!c)
		c = find_inbound(t, fd);
	if (c)
		drop(t, c);
}

bool net_tcp_is_reset(struct net_tcp *t, int fd)
{
	struct tcp_conn *c = of_fd(t, fd);

	if (!c || !c->established || sk_socket_tcp_state(fd) != SK_TCP_CLOSED)
		return false;
	c->reset = true;
	set_due(t, c);
	return true;
}

void net_tcp_run_resets(struct net_tcp *t)
{
	struct tcp_conn *c, *next;
	uint8_t frame[HEADERS_MAX];
	size_t n;

	for (c = t->due; c; c = next) {
		next = c->due_next;
		if (!c->reset)
			continue;
		n = make(c, false, c->host_next, c->host_ack, TH_RST | TH_ACK, frame);
		t->ops->deliver(t->arg, frame, n);
		c->reset = c->fin_waits = false;
		clear_due(c);
		/* libslirp drops the connection, and answers what the guest still sends with a reset of its own. */
		n = make(c, true, c->host_ack, c->guest_ack, TH_RST | TH_ACK, frame);
		t->ops->input(t->arg, frame, n);
	}
}

bool net_tcp_run_fins(struct net_tcp *t)
{
	struct tcp_conn *c, *next;
	uint8_t frame[HEADERS_MAX];
	bool any = false;
	size_t n;

	for (c = t->due; c; c = next) {
		next = c->due_next;
		if (!c->fin_waits || (int32_t)(c->host_ack - c->fin) < 0 || t->ops->has_unwritten(t->arg, c->fd))
			continue;
		any = true;
		c->fin_waits = false;
		c->guest_ended = true;
		clear_due(c);
		n = make(c, true, c->fin, c->guest_ack, TH_FIN | TH_ACK, frame);
		t->ops->input(t->arg, frame, n);
	}
	return any;
}

void net_tcp_keep(struct net_tcp *t)
{
	struct tcp_conn *c, *next;
	uint8_t frame[HEADERS_MAX];
	unsigned i;
	size_t n;

	for (i = 0; i < BUCKETS; i++)
		for (c = t->buckets[i]; c; c = next) {
			next = c->next; /* libslirp may drop `c`, and no other */
			if (c->fd < 0 || !c->host_ended || c->guest_ended || c->fin_waits || c->reset)
				continue;
			n = make(c, true, c->host_ack, c->guest_ack, TH_ACK, frame);
			t->ops->input(t->arg, frame, n);
		}
}

struct net_tcp *net_tcp_new(const struct net_tcp_ops *ops, void *arg, unsigned max)
{
	struct net_tcp *t = calloc(1, sizeof(*t));

	if (t)
		*t = (struct net_tcp){ .ops = ops, .arg = arg, .max = max };
	return t;
}

void net_tcp_free(struct net_tcp *t)
{
	unsigned i;

	if (!t)
		return;
	for (i = 0; i < BUCKETS; i++)
		while (t->buckets[i])
			drop(t, t->buckets[i]);
	free(t->by_fd);
	free(t);
}
