/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The ports of the host that are the guest's: those that a network has from the start, and those that come and go while
 * the guest runs. There are three kinds:
 *
 *   TCP, IPv4   a listening socket of libslirp's
 *   TCP, IPv6   a listening socket of ours (net_forward.c), whose connections go on to one of libslirp's on a free port of
 *               127.0.0.1, the inner port
 *   UDP         past libslirp (net_forward_udp.c)
 *
 * libslirp does not tell which port it was given when any would do. So an inner port is found among its sockets: the one
 * that listens on 127.0.0.1 and is none of those that we know. That is why the ports of IPv4 come first when there are
 * many at once.
 *
 * Sockets of IPv6 are for IPv6 only: 0.0.0.0 and :: may both have a port.
 */
#include "virtio/net_publish.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNS_MIN 8u

static const uint8_t loopback4[4] = { 127, 0, 0, 1 };

struct port {
	struct port *next;
	struct sk_slirp_forward spec;
	struct net_forward *tcp6; /* NULL: not of that kind */
	uint16_t inner;		  /* of tcp6 */
};

struct net_publish {
	struct sk_loop *loop;
	Slirp *slirp;
	struct net_forward_udp *udp;
	struct net_forward_budget budget; /* of connections by IPv6 */
	struct port *ports;
};

/* --- libslirp's sockets --- */

static struct sockaddr_in address4(const uint8_t addr[4], uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	memcpy(&a.sin_addr, addr, 4);
	return a;
}

static bool is_listening(int fd)
{
	int listening = 0;
	socklen_t len = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

/* What is looked for among libslirp's sockets: one that listens on this address, or with port 0 on any port that is
 * not known; the port that was found. */
struct search {
	const struct net_publish *p;
	struct sockaddr_in want;
	uint16_t found;
};

static bool is_known(const struct net_publish *p, uint16_t port)
{
	const struct port *o;

	for (o = p->ports; o; o = o->next)
		if (o->tcp6 ? o->inner == port : !o->spec.v6 && !o->spec.udp && o->spec.host_port == port)
			return true;
	return false;
}

static int look(int fd, int events, void *opaque)
{
	struct search *s = opaque;
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	uint16_t port;

	(void)events;
	if (s->found || getsockname(fd, (struct sockaddr *)&a, &len) < 0 || a.sin_family != AF_INET ||
	    a.sin_addr.s_addr != s->want.sin_addr.s_addr)
		return -1;
	port = ntohs(a.sin_port);
	if ((s->want.sin_port ? a.sin_port != s->want.sin_port : is_known(s->p, port)) || !is_listening(fd))
		return -1;
	s->found = port;
	listen(fd, SOMAXCONN); /* libslirp's queue one connection, and drop others that come at the same time */
	return -1;
}

/* Has libslirp listen on an IPv4 address; port 0: any. 0 or negative errno. */
static int add_tcp4(struct net_publish *p, const uint8_t addr[4], uint16_t port, uint16_t guest_port,
		    uint16_t *ret_port)
{
	struct search search = { p, address4(addr, port), 0 };
	struct sockaddr_in guest = { .sin_family = AF_INET, .sin_port = htons(guest_port) };
	uint32_t timeout = UINT32_MAX;

	inet_pton(AF_INET, SK_SLIRP_ADDRESS, &guest.sin_addr);
	errno = 0;
	if (slirp_add_hostxfwd(p->slirp, (const struct sockaddr *)&search.want, sizeof(search.want),
			       (const struct sockaddr *)&guest, sizeof(guest), 0) < 0)
		return errno ? -errno : -EIO;
	/* No socket is asked for in return: what is ready now is so in the next round of the loop, too. */
	slirp_pollfds_fill(p->slirp, &timeout, look, &search);
	*ret_port = search.found;
	return search.found ? 0 : -EIO;
}

static void remove_tcp4(struct net_publish *p, const uint8_t addr[4], uint16_t port)
{
	struct sockaddr_in a = address4(addr, port);

	slirp_remove_hostxfwd(p->slirp, (const struct sockaddr *)&a, sizeof(a), 0);
}

/* --- ports --- */

static int open_port(struct net_publish *p, struct port *o)
{
	const struct sk_slirp_forward *f = &o->spec;
	uint16_t port;
	int r;

	if (f->udp)
		return net_forward_udp_add(p->udp, f);
	if (!f->v6)
		return add_tcp4(p, f->host_addr, f->host_port, f->guest_port, &port);
	r = add_tcp4(p, loopback4, 0, f->guest_port, &o->inner);
	if (r < 0)
		return r;
	r = net_forward_new(p->loop, f->host_addr, f->host_port, o->inner, &p->budget, &o->tcp6);
	if (r < 0)
		remove_tcp4(p, loopback4, o->inner);
	return r;
}

int net_publish_add(struct net_publish *p, const struct sk_slirp_forward *forward)
{
	static const uint8_t any[16];
	struct port *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return -ENOMEM;
	o->spec = *forward;
	r = open_port(p, o);
	if (r < 0) {
		free(o);
		/* All addresses, on a host that has IPv4 only (now). */
		return (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) && forward->v6 &&
				       memcmp(forward->host_addr, any, 16) == 0
			       ? 0
			       : r;
	}
	o->next = p->ports;
	p->ports = o;
	return 0;
}

void net_publish_remove(struct net_publish *p, const struct sk_slirp_forward *forward)
{
	struct port **link = &p->ports, *o;

	while ((o = *link) && !net_forward_equal(&o->spec, forward))
		link = &o->next;
	if (!o)
		return;
	*link = o->next;
	net_forward_free(o->tcp6);
	if (forward->udp)
		net_forward_udp_remove(p->udp, forward);
	else if (o->tcp6)
		remove_tcp4(p, loopback4, o->inner);
	else
		remove_tcp4(p, forward->host_addr, forward->host_port);
	free(o);
}

/* Reports that a port cannot be published: why, and what to do about it. */
static int publish_error(const struct sk_slirp_forward *f, int error, struct sk_error *err)
{
	char text[INET6_ADDRSTRLEN] = "?", why[160];

	net_port_hint(error, f->host_port, f->udp, why, sizeof(why));
	inet_ntop(f->v6 ? AF_INET6 : AF_INET, f->host_addr, text, sizeof(text));
	return sk_error_set(err, error,
			    f->v6 ? "cannot publish port [%s]:%u/%s: %s%s" : "cannot publish port %s:%u/%s: %s%s", text,
			    f->host_port, f->udp ? "udp" : "tcp", strerror(error), why);
}

int net_publish_all(struct net_publish *p, const struct sk_slirp_forward *forwards, unsigned n, struct sk_error *err)
{
	unsigned i, second;
	int r;

	for (second = 0; second < 2; second++) {
		for (i = 0; i < n; i++) {
			if ((forwards[i].v6 || forwards[i].udp) != second)
				continue;
			r = net_publish_add(p, &forwards[i]);
			if (r < 0)
				return publish_error(&forwards[i], -r, err);
		}
	}
	return 0;
}

struct net_publish *net_publish_new(struct sk_loop *loop, Slirp *slirp, struct net_forward_udp *udp, unsigned max)
{
	struct net_publish *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->loop = loop;
	p->slirp = slirp;
	p->udp = udp;
	p->budget.max = max < CONNS_MIN ? CONNS_MIN : max;
	return p;
}

void net_publish_free(struct net_publish *p)
{
	struct port *o;

	if (!p)
		return;
	while ((o = p->ports)) {
		p->ports = o->next;
		net_forward_free(o->tcp6);
		free(o);
	}
	free(p);
}
