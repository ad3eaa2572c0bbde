/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Questions over TCP to the guest's name server, where libslirp would take them to a server of an old resolv.conf (see
 * net_resolve.c). A connection stays libslirp's: its segments get the right server's address on their way there, and
 * the name server's on their way back. So no stream is read here.
 *
 * A connection is known by the guest's port, from its SYN on. A server that refuses is followed by the next one at the
 * next connection, one that is silent at the next SYN of the same. Only servers of IPv4 can be turned to, as the segments
 * are.
 *
 * Limits: TURNED_MAX connections; the oldest makes room. Not trusted: the frame; whatever is in there, only addresses,
 * ports and checksums are changed, and a guest harms its own connections only.
 */
#include "virtio/net_resolve.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define TURNED_MAX 64u
#define IP4_LEN 20u
#define TCP_LEN 20u

/* Address and port, as on the wire. */
struct turned_end {
	uint8_t address[4], port[2];
};

struct turned {
	uint8_t guest_port[2]; /* as on the wire */
	bool used, answered;
	struct turned_end server;
};

struct net_resolve_tcp {
	struct turned all[TURNED_MAX];
	unsigned oldest, server; /* that the next connection goes to */
	uint8_t frame[NET_FRAME_MAX];
};

/* Where a segment lies in a frame; NULL: it is none of TCP over IPv4, or not whole. */
static uint8_t *find_tcp(uint8_t *frame, size_t len)
{
	uint8_t *ip = frame + ETH_HLEN;
	size_t head;

	if (len < ETH_HLEN + IP4_LEN + TCP_LEN || frame[12] != 0x08 || frame[13] != 0x00 || ip[0] >> 4 != 4 ||
	    ip[9] != IPPROTO_TCP || ((ip[6] << 8 | ip[7]) & 0x3fff))
		return NULL;
	head = (ip[0] & 15) * 4u;
	return head < IP4_LEN || len - ETH_HLEN < head + TCP_LEN ? NULL : ip + head;
}

/* Takes `n` bytes at `old` out of a checksum and those at `new` in (RFC 1624, equation 3). */
static void correct(uint8_t *sum, const uint8_t *old, const uint8_t *new, size_t n)
{
	uint32_t s = (uint16_t) ~(sum[0] << 8 | sum[1]);
	uint16_t folded;
	size_t i;

	for (i = 0; i < n; i += 2)
		s += (uint32_t)(uint16_t) ~(old[i] << 8 | old[i + 1]) + (uint32_t)(new[i] << 8 | new[i + 1]);
	folded = net_fold(s);
	sum[0] = (uint8_t)(folded >> 8);
	sum[1] = (uint8_t)folded;
}

/* Gives a segment another end: `address` and `port` are the places in its headers. */
static void replace(uint8_t *frame, uint8_t *tcp, uint8_t *address, uint8_t *port, const struct turned_end *end)
{
	correct(frame + ETH_HLEN + 10, address, end->address, 4);
	correct(tcp + 16, address, end->address, 4);
	correct(tcp + 16, port, end->port, 2);
	memcpy(address, end->address, 4);
	memcpy(port, end->port, 2);
}

static struct turned_end name_server(void)
{
	struct turned_end e = { .port = { 0, 53 } };

	inet_pton(AF_INET, SK_SLIRP_DNS, e.address);
	return e;
}

static struct turned *find(struct net_resolve_tcp *t, const uint8_t guest_port[2])
{
	unsigned i;

	for (i = 0; i < TURNED_MAX; i++)
		if (t->all[i].used && memcmp(t->all[i].guest_port, guest_port, 2) == 0)
			return &t->all[i];
	return NULL;
}

/* A connection begins. NULL: it is left to libslirp. */
static struct turned *begin(struct net_resolve_tcp *t, const uint8_t guest_port[2],
			    const struct sockaddr_storage *servers, unsigned n)
{
	struct turned *e = find(t, guest_port);
	const struct sockaddr_in *in = NULL;
	unsigned i;

	if (e && !e->answered)
		t->server++;
	for (i = 0; i < n && !in; i++, t->server += in ? 0 : 1) {
		const struct sockaddr_storage *s = &servers[t->server % n];

		in = s->ss_family == AF_INET ? (const struct sockaddr_in *)s : NULL;
	}
	if (!in) {
		if (e)
			e->used = false;
		return NULL;
	}
	if (!e)
		e = &t->all[t->oldest++ % TURNED_MAX];
	*e = (struct turned){ .used = true };
	memcpy(e->guest_port, guest_port, 2);
	memcpy(e->server.address, &in->sin_addr, 4);
	memcpy(e->server.port, &in->sin_port, 2);
	return e;
}

void net_resolve_tcp_turn(struct net_resolve_tcp *t, uint8_t *frame, size_t len, const struct sockaddr_storage *servers,
			  unsigned n)
{
	uint8_t *tcp = find_tcp(frame, len);
	struct turned *e;

	if (!tcp)
		return;
	e = (tcp[13] & (TH_SYN | TH_ACK)) == TH_SYN ? begin(t, tcp, servers, n) : find(t, tcp);
	if (e)
		replace(frame, tcp, frame + ETH_HLEN + 16, tcp + 2, &e->server);
}

bool net_resolve_tcp_find(const uint8_t *frame, size_t len, bool *ret_begins)
{
	const uint8_t *tcp = find_tcp((uint8_t *)(uintptr_t)frame, len);
	struct turned_end own = name_server();

	*ret_begins = tcp && (tcp[13] & (TH_SYN | TH_ACK)) == TH_SYN;
	return tcp && memcmp(frame + ETH_HLEN + 16, own.address, 4) == 0 && memcmp(tcp + 2, own.port, 2) == 0;
}

const uint8_t *net_resolve_tcp_turn_back(struct net_resolve_tcp *t, const uint8_t *frame, size_t len)
{
	uint8_t *tcp = len <= sizeof(t->frame) ? find_tcp((uint8_t *)(uintptr_t)frame, len) : NULL;
	struct turned *e = tcp ? find(t, tcp + 2) : NULL;
	struct turned_end own = name_server();

	if (!e || memcmp(frame + ETH_HLEN + 12, e->server.address, 4) != 0 || memcmp(tcp, e->server.port, 2) != 0)
		return frame;
	if (!e->answered && tcp[13] & TH_RST)
		t->server++;
	e->answered = true;
	tcp = t->frame + (tcp - frame);
	memcpy(t->frame, frame, len);
	replace(t->frame, tcp, t->frame + ETH_HLEN + 12, tcp, &own);
	return t->frame;
}

void net_resolve_tcp_restart(struct net_resolve_tcp *t)
{
	t->server = 0;
}

struct net_resolve_tcp *net_resolve_tcp_new(void)
{
	return calloc(1, sizeof(struct net_resolve_tcp));
}
