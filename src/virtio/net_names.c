/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Names of the host that every program in the guest is to find, those in containers of an engine that runs there too:
 * host.docker.internal and the like. libslirp passes questions to the host's resolver, which knows nothing of them. So
 * frames of the guest are looked at first: a question over UDP to the name server's address about one of the names is
 * answered here, with the gateway's address; everything else goes on to libslirp as it is.
 *
 * A name has one address record. Asked for any other type it exists and has none (RFC 2308, section 2.2: NODATA), so that
 * resolvers do not look further. There is none of IPv6: services of the host listen on 127.0.0.1 as a rule, and networks
 * of an engine that have IPv6 have no way to the gateway by it. Names are compared without case and
 * answered with the question's own (RFC 4343). EDNS is acknowledged (RFC 6891), and no option of it is known.
 *
 * Questions over TCP are not looked at: a resolver asks that way after an answer that was cut off, and these are short.
 *
 * Not trusted: the frame. Lengths are compared before anything is read; a compressed name, several questions, records
 * in a question and fragments are left to libslirp.
 */
#include "virtio/net_names.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/net_internal.h"

#define IP4_LEN 20u
#define IP6_LEN 40u
#define UDP_LEN 8u
#define DNS_PORT 53u
#define DNS_HEADER 12u
#define NAME_MAX_BYTES 253u
#define TTL_SECONDS 600u

enum { TYPE_A = 1, TYPE_OPT = 41, TYPE_ANY = 255, CLASS_IN = 1 };
#define FLAG_RESPONSE 0x8000u
#define FLAG_OPCODE 0x7800u
#define FLAG_AUTHORITATIVE 0x0400u
#define FLAG_TRUNCATED 0x0200u
#define FLAG_RECURSION_DESIRED 0x0100u
#define FLAG_RECURSION_AVAILABLE 0x0080u
#define EDNS_SIZE 1232u

struct net_names {
	unsigned n;
	char name[NET_NAMES_MAX][NAME_MAX_BYTES + 1]; /* small letters */
	uint8_t gateway[4];
};

/* A question as it lies in the message. */
struct question {
	char name[NAME_MAX_BYTES + 1];
	uint16_t id, flags, type;
	size_t end; /* of the question, in the message */
	bool edns;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint8_t *put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Reads a name that starts at `at`. Returns where it ends; 0: it is not whole, or not one that can be among ours. */
static size_t read_name(const uint8_t *p, size_t len, size_t at, char ret[NAME_MAX_BYTES + 1])
{
	size_t n = 0, label, i;

	while (at < len && (label = p[at++]) != 0) {
		if (label > 63 || label > len - at || n + label + 1 > NAME_MAX_BYTES + 1)
			return 0;
		for (i = 0; i < label; i++) {
			if (p[at] == '.' || p[at] == '\0')
				return 0;
			ret[n++] = lower((char)p[at++]);
		}
		ret[n++] = '.';
	}
	if (at >= len || !n || p[at - 1] != 0)
		return 0;
	ret[n - 1] = '\0';
	return at;
}

static bool read_question(const uint8_t *p, size_t len, struct question *q)
{
	size_t at;

	if (len < DNS_HEADER)
		return false;
	q->id = get16(p);
	q->flags = get16(p + 2);
	if (q->flags & (FLAG_RESPONSE | FLAG_OPCODE | FLAG_TRUNCATED) || get16(p + 4) != 1 || get16(p + 6) ||
	    get16(p + 8) || get16(p + 10) > 1)
		return false;
	at = read_name(p, len, DNS_HEADER, q->name);
	if (!at || len - at < 4 || get16(p + at + 2) != CLASS_IN)
		return false;
	q->type = get16(p + at);
	q->end = at + 4;
	q->edns = get16(p + 10) == 1;
	/* The one more record is EDNS's, or nothing that we know. */
	return !q->edns || (len - q->end >= 11 && p[q->end] == 0 && get16(p + q->end + 1) == TYPE_OPT);
}

static bool is_known(const struct net_names *names, const char *name)
{
	unsigned i;

	for (i = 0; i < names->n; i++)
		if (strcmp(names->name[i], name) == 0)
			return true;
	return false;
}

static uint8_t *put_address(uint8_t *p, const uint8_t addr[4])
{
	p = put16(p, 0xc000u | DNS_HEADER); /* the question's name */
	p = put16(p, TYPE_A);
	p = put16(p, CLASS_IN);
	p = put16(p, 0);
	p = put16(p, TTL_SECONDS);
	p = put16(p, 4);
	memcpy(p, addr, 4);
	return p + 4;
}

size_t net_names_answer(const struct net_names *names, const uint8_t *question, size_t len, uint8_t *answer, size_t max)
{
	struct question q;
	uint8_t *p;
	bool a;

	if (!names || !read_question(question, len, &q) || !is_known(names, q.name))
		return 0;
	a = q.type == TYPE_A || q.type == TYPE_ANY;
	if (q.end + (a ? 16u : 0) + (q.edns ? 11u : 0) > max)
		return 0;
	p = put16(answer, q.id);
	p = put16(p,
		  FLAG_RESPONSE | FLAG_AUTHORITATIVE | (q.flags & FLAG_RECURSION_DESIRED) | FLAG_RECURSION_AVAILABLE);
	p = put16(p, 1);
	p = put16(p, a);
	p = put16(p, 0);
	p = put16(p, q.edns);
	memcpy(p, question + DNS_HEADER, q.end - DNS_HEADER);
	p += q.end - DNS_HEADER;
	if (a)
		p = put_address(p, names->gateway);
	if (q.edns) {
		memset(p, 0, 11);
		put16(p + 1, TYPE_OPT);
		put16(p + 3, EDNS_SIZE);
		p += 11;
	}
	return (size_t)(p - answer);
}

/* --- frames --- */

static bool is_server(const struct net_datagram *d)
{
	uint8_t server[16];

	if (d->v6)
		return inet_pton(AF_INET6, SK_SLIRP_DNS6, server) == 1 && memcmp(d->ip + 24, server, 16) == 0;
	return inet_pton(AF_INET, SK_SLIRP_DNS, server) == 1 && memcmp(d->ip + 16, server, 4) == 0;
}

bool net_names_find(const uint8_t *frame, size_t len, struct net_datagram *d)
{
	const uint8_t *ip = frame + ETH_HLEN;
	size_t head, total;

	if (len < ETH_HLEN + IP4_LEN + UDP_LEN)
		return false;
	len -= ETH_HLEN;
	d->v6 = get16(frame + 12) == ETH_P_IPV6;
	if (d->v6) {
		if (len < IP6_LEN + UDP_LEN || ip[0] >> 4 != 6 || ip[6] != IPPROTO_UDP)
			return false;
		head = IP6_LEN;
		total = IP6_LEN + get16(ip + 4);
	} else {
		if (get16(frame + 12) != ETH_P_IP || ip[0] >> 4 != 4 || ip[9] != IPPROTO_UDP || get16(ip + 6) & 0x3fff)
			return false;
		head = (ip[0] & 15) * 4u;
		total = get16(ip + 2);
	}
	if (head < IP4_LEN || total > len || total < head + UDP_LEN)
		return false;
	d->ip = ip;
	d->udp = ip + head;
	d->data = d->udp + UDP_LEN;
	d->len = get16(d->udp + 4);
	if (d->len < UDP_LEN || d->len > total - head || get16(d->udp + 2) != DNS_PORT)
		return false;
	d->len -= UDP_LEN;
	return is_server(d);
}

size_t net_names_headers(const struct net_datagram *d, const uint8_t *frame, uint8_t *to, size_t n)
{
	size_t head = d->v6 ? IP6_LEN : IP4_LEN, at = d->v6 ? 8 : 12, addr = d->v6 ? 16 : 4, total = UDP_LEN + n;
	uint8_t *ip = to + ETH_HLEN, *udp = ip + head;
	uint16_t sum;

	memset(to, 0, ETH_HLEN + head + UDP_LEN);
	memcpy(to, frame + 6, 6);
	memcpy(to + 6, frame, 6);
	memcpy(to + 12, frame + 12, 2);
	memcpy(ip + at, d->ip + at + addr, addr);
	memcpy(ip + at + addr, d->ip + at, addr);
	if (d->v6) {
		ip[0] = 0x60;
		put16(ip + 4, (unsigned)total);
		ip[6] = IPPROTO_UDP;
		ip[7] = 64;
	} else {
		ip[0] = 0x45;
		put16(ip + 2, (unsigned)(IP4_LEN + total));
		ip[8] = 64;
		ip[9] = IPPROTO_UDP;
		put16(ip + 10, net_fold(net_sum(ip, IP4_LEN, 0)));
	}
	memcpy(udp, d->udp + 2, 2);
	memcpy(udp + 2, d->udp, 2);
	put16(udp + 4, (unsigned)total);
	sum = net_fold(net_sum(ip + at, 2 * addr, net_sum(udp, total, IPPROTO_UDP + (uint32_t)total)));
	put16(udp + 6, sum ? sum : 0xffff);
	return ETH_HLEN + head + total;
}

size_t net_names_take(const struct net_names *names, const uint8_t *frame, size_t len, uint8_t answer[NET_NAMES_ANSWER])
{
	struct net_datagram d;
	size_t head, n;

	if (!names || !net_names_find(frame, len, &d))
		return 0;
	head = ETH_HLEN + (d.v6 ? IP6_LEN : IP4_LEN) + UDP_LEN;
	n = net_names_answer(names, d.data, d.len, answer + head, NET_NAMES_ANSWER - head);
	return n ? net_names_headers(&d, frame, answer, n) : 0;
}

/* --- life --- */

struct net_names *net_names_new(const char *const *names, unsigned n)
{
	struct net_names *all = n <= NET_NAMES_MAX ? calloc(1, sizeof(*all)) : NULL;
	size_t len, k;

	if (!all)
		return NULL;
	for (all->n = 0; all->n < n; all->n++) {
		len = strlen(names[all->n]);
		if (!len || len > NAME_MAX_BYTES) {
			free(all);
			return NULL;
		}
		for (k = 0; k < len; k++)
			all->name[all->n][k] = lower(names[all->n][k]);
	}
	inet_pton(AF_INET, SK_SLIRP_GATEWAY, all->gateway);
	return all;
}

void net_names_free(struct net_names *names)
{
	free(names);
}
