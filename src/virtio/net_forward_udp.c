/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Published UDP ports. libslirp could do it, but answers from whichever socket comes first when a port of the container
 * is published twice, from an address of the host's choice when it is published on all, and not at all on IPv6. So the
 * datagrams go past it: what comes to a socket of the host is put into a frame for the guest, and a frame of the guest
 * that answers is sent from the address that was asked.
 *
 * Each client, that is each pair of its address and the address of ours that it sent to, is a flow. The guest sees the
 * client's own address and port where it can answer them: clients on the host's loopback and on IPv6 have the gateway's
 * address, and of two that would look alike one gets another port.
 *
 * Flows end when they have been silent for FLOW_SECONDS, or when FLOWS_MAX others are younger. Datagrams that nobody
 * takes are lost, as they may be. An answer that the guest sends in fragments (it is larger than its MTU, of nearly
 * 64 KiB) is put together first: of one answer at a time, in the order in which Linux sends them; what comes otherwise
 * is lost.
 *
 * Not trusted: clients, who can make each other's flows end but no more than FLOWS_MAX; frames of the guest, which may
 * answer the clients of its own ports.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/datagram.h"
#include "virtio/net_internal.h"

#define FLOWS_MAX 1024u
#define FLOW_SECONDS 240u
#define BUCKETS 256u
#define BATCH 64
#define IP_LEN 20u
#define UDP_LEN 8u
#define DATAGRAM_MAX (65535u - IP_LEN - UDP_LEN)

/* An address of IPv4 or IPv6. */
struct end {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

/* A published port. */
struct outer {
	struct net_forward_udp *owner;
	struct outer *next;
	struct sk_source *source;
	struct sk_slirp_forward spec;
	bool v6;
	int fd;
	uint16_t guest_port; /* as on the wire, like all ports here */
};

/* A client as the guest sees it. */
struct face {
	uint8_t addr[4];
	uint16_t port, guest_port;
};

struct flow {
	struct outer *outer;
	struct flow *next, *prev; /* youngest first */
	struct flow *next_client, *next_face;
	struct end client;
	struct sk_own_address ours;
	struct face face;
	uint64_t used_ms;
};

struct net_forward_udp {
	struct sk_loop *loop;
	struct net_link *net;
	struct sk_source *timer;
	struct outer *outers;
	struct flow flows; /* head of a ring */
	struct flow *by_client[BUCKETS], *by_face[BUCKETS];
	unsigned n;
	uint16_t ip_id;
	uint8_t frame[ETH_HLEN + 65535u]; /* headers and a datagram */
	uint8_t part[ETH_HLEN + 65535u];
	struct {
		uint8_t ends[8]; /* addresses and number of the packet, as in its header */
		uint16_t id;
		size_t have;	      /* bytes of `data`; 0: there is no such answer */
		uint8_t data[65535u]; /* from the UDP header on */
	} fragments;
};

/* --- flows --- */

static unsigned hash(const void *data, size_t n, uint32_t h)
{
	const uint8_t *p = data;

	while (n--)
		h = (h ^ *p++) * 16777619u;
	return (h ^ h >> 16) % BUCKETS;
}

static unsigned client_bucket(const struct outer *o, const struct end *client)
{
	return hash(&client->sa, client->len, (uint32_t)o->fd);
}

static unsigned face_bucket(const struct face *face)
{
	return hash(face, sizeof(*face), 2166136261u);
}

static void flow_make_first(struct net_forward_udp *u, struct flow *w)
{
	w->used_ms = sk_now_ms();
	w->next = u->flows.next;
	w->prev = &u->flows;
	u->flows.next->prev = w;
	u->flows.next = w;
}

static void flow_touch(struct net_forward_udp *u, struct flow *w)
{
	w->next->prev = w->prev;
	w->prev->next = w->next;
	flow_make_first(u, w);
}

static void flow_free(struct net_forward_udp *u, struct flow *w)
{
	struct flow **p = &u->by_client[client_bucket(w->outer, &w->client)];

	while (*p != w)
		p = &(*p)->next_client;
	*p = w->next_client;
	p = &u->by_face[face_bucket(&w->face)];
	while (*p != w)
		p = &(*p)->next_face;
	*p = w->next_face;
	w->next->prev = w->prev;
	w->prev->next = w->next;
	u->n--;
	free(w);
}

static void on_timer(void *arg)
{
	struct net_forward_udp *u = arg;
	uint64_t now = sk_now_ms();

	while (u->n && now - u->flows.prev->used_ms >= FLOW_SECONDS * 1000u)
		flow_free(u, u->flows.prev);
	sk_loop_set_timer(u->timer, u->n ? FLOW_SECONDS * 500u : UINT64_MAX);
}

static struct flow *find_face(struct net_forward_udp *u, const struct face *face)
{
	struct flow *w;

	for (w = u->by_face[face_bucket(face)]; w; w = w->next_face)
		if (memcmp(&w->face, face, sizeof(*face)) == 0)
			break;
	return w;
}

/* The address that the guest sees: the first free port from the client's own. There are more ports than flows. */
static struct face choose_face(struct net_forward_udp *u, const struct outer *o, const struct end *client)
{
	bool is_own = !o->v6 && ntohl(client->in.sin_addr.s_addr) >> 24 != 127;
	uint16_t port = ntohs(o->v6 ? client->in6.sin6_port : client->in.sin_port);
	struct face face = { .guest_port = o->guest_port };

	if (is_own)
		memcpy(face.addr, &client->in.sin_addr, 4);
	else
		inet_pton(AF_INET, SK_SLIRP_GATEWAY, face.addr);
	for (;; port++) {
		face.port = htons(port);
		if (port && !find_face(u, &face))
			return face;
	}
}

static struct flow *flow_of(struct outer *o, const struct end *client, const struct sk_own_address *ours)
{
	struct net_forward_udp *u = o->owner;
	unsigned bucket = client_bucket(o, client);
	struct flow *w;

	for (w = u->by_client[bucket]; w; w = w->next_client)
		if (w->outer == o && w->client.len == client->len &&
		    memcmp(&w->client.sa, &client->sa, client->len) == 0 &&
		    memcmp(&w->ours, ours, sizeof(*ours)) == 0) {
			flow_touch(u, w);
			return w;
		}
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	*w = (struct flow){ .outer = o, .client = *client, .ours = *ours, .face = choose_face(u, o, client) };
	w->next_client = u->by_client[bucket];
	u->by_client[bucket] = w;
	bucket = face_bucket(&w->face);
	w->next_face = u->by_face[bucket];
	u->by_face[bucket] = w;
	if (u->n++ == 0)
		sk_loop_set_timer(u->timer, FLOW_SECONDS * 500u);
	flow_make_first(u, w);
	if (u->n > FLOWS_MAX)
		flow_free(u, u->flows.prev);
	return w;
}

/* --- to the guest --- */

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put_headers(struct net_forward_udp *u, uint8_t *frame, const uint8_t from[4])
{
	uint8_t *ip = frame + ETH_HLEN;

	memset(frame, 0, ETH_HLEN + IP_LEN);
	memcpy(frame, u->net->mac, 6);
	frame[6] = 0x52; /* the gateway's, as libslirp has it */
	frame[7] = 0x55;
	inet_pton(AF_INET, SK_SLIRP_GATEWAY, frame + 8);
	put16(frame + 12, ETH_P_IP);
	ip[0] = 0x45;
	put16(ip + 4, u->ip_id);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, from, 4);
	inet_pton(AF_INET, SK_SLIRP_ADDRESS, ip + 16);
}

static void finish_ip(uint8_t *frame, size_t payload, unsigned fragment)
{
	uint8_t *ip = frame + ETH_HLEN;

	put16(ip + 2, (unsigned)(IP_LEN + payload));
	put16(ip + 6, fragment);
	put16(ip + 10, 0);
	put16(ip + 10, net_fold(net_sum(ip, IP_LEN, 0)));
}

/* Gives the guest the datagram of `n` bytes that is in u->frame behind the place of its headers. */
static void deliver(struct net_forward_udp *u, const struct flow *w, size_t n)
{
	uint8_t *ip = u->frame + ETH_HLEN, *udp = ip + IP_LEN;
	size_t total = UDP_LEN + n, max = (u->net->mtu - IP_LEN) & ~7u, at, part;
	uint16_t sum;

	u->ip_id++;
	put_headers(u, u->frame, w->face.addr);
	memcpy(udp, &w->face.port, 2);
	memcpy(udp + 2, &w->face.guest_port, 2);
	put16(udp + 4, (unsigned)total);
	put16(udp + 6, 0);
	sum = net_fold(net_sum(ip + 12, 8, net_sum(udp, total, IPPROTO_UDP + (uint32_t)total)));
	put16(udp + 6, sum ? sum : 0xffff);
	if (total <= max) {
		finish_ip(u->frame, total, 0);
		net_deliver(u->net, u->frame, ETH_HLEN + IP_LEN + total);
		return;
	}
	for (at = 0; at < total; at += part) {
		part = total - at < max ? total - at : max;
		put_headers(u, u->part, w->face.addr);
		memcpy(u->part + ETH_HLEN + IP_LEN, udp + at, part);
		finish_ip(u->part, part, (at + part < total ? 0x2000u : 0) | (unsigned)(at / 8));
		net_deliver(u->net, u->part, ETH_HLEN + IP_LEN + part);
	}
}

/* Receives one datagram to its place in u->frame; where it was sent to in `ours`. */
static ssize_t receive(struct outer *o, struct end *client, struct sk_own_address *ours)
{
	memset(client, 0, sizeof(*client));
	client->len = sizeof(client->in6);
	return sk_datagram_receive(o->fd, o->owner->frame + ETH_HLEN + IP_LEN + UDP_LEN, DATAGRAM_MAX, &client->sa,
				   &client->len, ours);
}

static void on_readable(void *arg, int fd, unsigned events)
{
	struct outer *o = arg;
	struct sk_own_address ours;
	struct end client;
	struct flow *w;
	ssize_t n;
	int i;

	(void)fd;
	(void)events;
	for (i = 0; i < BATCH && (n = receive(o, &client, &ours)) >= 0; i++) {
		w = flow_of(o, &client, &ours);
		if (w)
			deliver(o->owner, w, (size_t)n);
	}
	net_flush(o->owner->net);
}

/* --- from the guest --- */

static void answer(const struct flow *w, const uint8_t *data, size_t len)
{
	(void)sk_datagram_send(w->outer->fd, data, len, &w->client.sa, w->client.len, &w->ours);
}

/* The flow that a UDP packet of the guest for `addr` answers. */
static struct flow *flow_answered(struct net_forward_udp *u, const uint8_t *addr, const uint8_t *udp)
{
	struct face face;

	memcpy(face.addr, addr, 4);
	memcpy(&face.port, udp + 2, 2);
	memcpy(&face.guest_port, udp, 2);
	return find_face(u, &face);
}

/* A whole UDP packet of the guest for `addr`. Returns false if it answers nobody here. */
static bool take_whole(struct net_forward_udp *u, const uint8_t *addr, const uint8_t *udp, size_t len)
{
	size_t n = (size_t)udp[4] << 8 | udp[5];
	struct flow *w;

	if (n < UDP_LEN || n > len)
		return false;
	w = flow_answered(u, addr, udp);
	if (!w)
		return false;
	flow_touch(u, w);
	answer(w, udp + UDP_LEN, n - UDP_LEN);
	return true;
}

/* A fragment: `len` bytes at `data`, the `at`th of the packet. Returns false if it is none of an answer from here. */
static bool take_fragment(struct net_forward_udp *u, const uint8_t *ip, const uint8_t *data, size_t len, size_t at)
{
	uint16_t id = (uint16_t)(ip[4] << 8 | ip[5]);
	bool more = ip[6] & 0x20;

	if (at == 0) {
		if (len < UDP_LEN || !flow_answered(u, ip + 16, data))
			return false;
		memcpy(u->fragments.ends, ip + 12, 8);
		u->fragments.id = id;
		u->fragments.have = 0;
	} else if (!u->fragments.have || u->fragments.id != id || memcmp(u->fragments.ends, ip + 12, 8) != 0) {
		return false;
	}
	if (at != u->fragments.have || len > sizeof(u->fragments.data) - at) {
		u->fragments.have = 0;
		return true;
	}
	memcpy(u->fragments.data + at, data, len);
	u->fragments.have = at + len;
	if (!more) {
		u->fragments.have = 0;
		(void)take_whole(u, ip + 16, u->fragments.data, at + len);
	}
	return true;
}

bool net_forward_udp_take(struct net_forward_udp *u, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + ETH_HLEN;
	size_t hl, size, at;

	if (!u->n || len < ETH_HLEN + IP_LEN || frame[12] != 8 || frame[13] != 0 || ip[0] >> 4 != 4 ||
	    ip[9] != IPPROTO_UDP)
		return false;
	hl = (ip[0] & 15) * 4u;
	size = (size_t)ip[2] << 8 | ip[3]; /* behind it the frame may be padded */
	if (hl < IP_LEN || size < hl || size > len - ETH_HLEN)
		return false;
	at = ((size_t)(ip[6] & 0x1f) << 8 | ip[7]) * 8;
	if (at || (ip[6] & 0x20))
		return take_fragment(u, ip, ip + hl, size - hl, at);
	return size - hl >= UDP_LEN && take_whole(u, ip + 16, ip + hl, size - hl);
}

/* --- ports --- */

bool net_forward_equal(const struct sk_slirp_forward *a, const struct sk_slirp_forward *b)
{
	return a->udp == b->udp && a->v6 == b->v6 && a->host_port == b->host_port && a->guest_port == b->guest_port &&
	       memcmp(a->host_addr, b->host_addr, a->v6 ? 16 : 4) == 0;
}

/* A bound socket that tells where datagrams were sent to; negative errno. */
static int open_outer(const struct sk_slirp_forward *forward)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(forward->host_port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(forward->host_port) };
	bool v6 = forward->v6;
	_cleanup_fd_ int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, r;

	memcpy(&in.sin_addr, forward->host_addr, 4);
	memcpy(&in6.sin6_addr, forward->host_addr, 16);
	if (fd < 0 || (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
		return -errno;
	r = sk_datagram_tell_own(fd, v6);
	if (r < 0)
		return r;
	if (bind(fd, v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in, v6 ? sizeof(in6) : sizeof(in)) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

int net_forward_udp_add(struct net_forward_udp *u, const struct sk_slirp_forward *forward)
{
	int fd = open_outer(forward);
	struct outer *o;

	if (fd < 0)
		return fd;
	o = calloc(1, sizeof(*o));
	if (o)
		o->source = sk_loop_add_fd(u->loop, fd, SK_LOOP_READ, on_readable, o);
	if (!o || !o->source) {
		free(o);
		close(fd);
		return -ENOMEM;
	}
	o->owner = u;
	o->spec = *forward;
	o->fd = fd;
	o->v6 = forward->v6;
	o->guest_port = htons(forward->guest_port);
	o->next = u->outers;
	u->outers = o;
	return 0;
}

static void outer_free(struct outer *o)
{
	sk_loop_remove(o->source);
	close(o->fd);
	free(o);
}

void net_forward_udp_remove(struct net_forward_udp *u, const struct sk_slirp_forward *forward)
{
	struct outer **link = &u->outers, *o;
	struct flow *w, *next;

	while ((o = *link) && !net_forward_equal(&o->spec, forward))
		link = &o->next;
	if (!o)
		return;
	for (w = u->flows.next; w != &u->flows; w = next) {
		next = w->next;
		if (w->outer == o)
			flow_free(u, w);
	}
	*link = o->next;
	outer_free(o);
}

struct net_forward_udp *net_forward_udp_new(struct sk_loop *loop, struct net_link *link)
{
	struct net_forward_udp *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->loop = loop;
	u->net = link;
	u->flows.next = u->flows.prev = &u->flows;
	u->timer = sk_loop_add_timer(loop, UINT64_MAX, on_timer, u);
	if (!u->timer) {
		free(u);
		return NULL;
	}
	return u;
}

void net_forward_udp_free(struct net_forward_udp *u)
{
	if (!u)
		return;
	while (u->n)
		flow_free(u, u->flows.next);
	while (u->outers) {
		struct outer *o = u->outers;

		u->outers = o->next;
		outer_free(o);
	}
	sk_loop_remove(u->timer);
	free(u);
}
