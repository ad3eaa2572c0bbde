/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * UDP ports that libslirp cannot publish by itself: those of an IPv6 address of the host (see net_forward.c), and a
 * port of the container that is published more than once. libslirp finds the socket for an answer by the container's
 * port alone, and would send it from whichever comes first.
 *
 * Each client, that is each pair of its address and the address of ours that it sent to, is a flow: a socket connected
 * to libslirp's one socket for the container's port. What comes to the flow's socket goes back to the client, from the
 * address that it had sent to. The guest sees the client as a port of the gateway.
 *
 * Flows end when they have been silent for FLOW_SECONDS, or when FLOWS_MAX others are younger. Datagrams that nobody
 * takes are lost, as they may be.
 *
 * Not trusted: clients, who can make each other's flows end but no more than FLOWS_MAX.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "virtio/net_internal.h"

#define FLOWS_MAX 256u
#define FLOW_SECONDS 240u
#define BATCH 64
#define DATAGRAM_MAX 65536u

/* An address of IPv4 or IPv6. */
struct end {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

struct flow {
	struct net_forward_udp *owner;
	struct flow *next, *prev; /* youngest first */
	struct sk_source *source;
	struct end client;
	struct in6_pktinfo ours; /* of IPv4: the first 4 bytes of the address */
	uint64_t used_ms;
	int fd;
};

struct net_forward_udp {
	struct sk_loop *loop;
	struct sk_source *source, *timer;
	bool v6;
	int fd;
	uint16_t inner_port;
	unsigned n;
	struct flow flows; /* head of a ring */
	uint8_t buf[DATAGRAM_MAX];
};

static void flow_unlink(struct flow *w)
{
	w->next->prev = w->prev;
	w->prev->next = w->next;
}

static void flow_make_first(struct flow *w)
{
	struct flow *head = &w->owner->flows;

	w->used_ms = sk_now_ms();
	w->next = head->next;
	w->prev = head;
	head->next->prev = w;
	head->next = w;
}

static void flow_free(struct flow *w)
{
	flow_unlink(w);
	w->owner->n--;
	sk_loop_remove(w->source);
	close(w->fd);
	free(w);
}

static void on_timer(void *arg)
{
	struct net_forward_udp *f = arg;
	uint64_t now = sk_now_ms();

	while (f->n && now - f->flows.prev->used_ms >= FLOW_SECONDS * 1000u)
		flow_free(f->flows.prev);
	sk_loop_set_timer(f->timer, f->n ? FLOW_SECONDS * 500u : UINT64_MAX);
}

static void answer(struct flow *w, size_t len)
{
	struct net_forward_udp *f = w->owner;
	struct iovec iov = { f->buf, len };
	union {
		struct cmsghdr align;
		uint8_t space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { .space = { 0 } };
	struct msghdr m = { .msg_name = &w->client.sa,
			    .msg_namelen = w->client.len,
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control };
	struct in_pktinfo v4 = { .ipi_ifindex = 0 };
	const void *info = f->v6 ? (const void *)&w->ours : &v4;
	size_t n = f->v6 ? sizeof(w->ours) : sizeof(v4);
	struct cmsghdr *c = &control.align;

	memcpy(&v4.ipi_spec_dst, &w->ours.ipi6_addr, 4);
	m.msg_controllen = CMSG_SPACE(n);
	c->cmsg_level = f->v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	c->cmsg_type = f->v6 ? IPV6_PKTINFO : IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), info, n);
	(void)sendmsg(f->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_flow(void *arg, int fd, unsigned events)
{
	struct flow *w = arg;
	ssize_t n;
	int i;

	(void)events;
	for (i = 0; i < BATCH; i++) {
		n = recv(fd, w->owner->buf, DATAGRAM_MAX, MSG_DONTWAIT);
		if (n < 0)
			break; /* none, or an error about what was sent: told once */
		flow_unlink(w);
		flow_make_first(w);
		answer(w, (size_t)n);
	}
}

static struct flow *flow_new(struct net_forward_udp *f, const struct end *client, const struct in6_pktinfo *ours)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(f->inner_port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct flow *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	*w = (struct flow){ .owner = f, .client = *client, .ours = *ours };
	w->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd >= 0 && connect(w->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		w->source = sk_loop_add_fd(f->loop, w->fd, SK_LOOP_READ, on_flow, w);
	if (!w->source) {
		sk_close_fd(&w->fd);
		free(w);
		return NULL;
	}
	if (f->n++ == 0)
		sk_loop_set_timer(f->timer, FLOW_SECONDS * 500u);
	flow_make_first(w);
	if (f->n > FLOWS_MAX)
		flow_free(f->flows.prev);
	return w;
}

static struct flow *flow_of(struct net_forward_udp *f, const struct end *client, const struct in6_pktinfo *ours)
{
	struct flow *w;

	for (w = f->flows.next; w != &f->flows; w = w->next)
		if (w->client.len == client->len && memcmp(&w->client.sa, &client->sa, client->len) == 0 &&
		    memcmp(&w->ours, ours, sizeof(*ours)) == 0) {
			flow_unlink(w);
			flow_make_first(w);
			return w;
		}
	return flow_new(f, client, ours);
}

/* Receives one datagram; where it was sent to in `ours`. */
static ssize_t receive(struct net_forward_udp *f, struct end *client, struct in6_pktinfo *ours)
{
	struct iovec iov = { f->buf, DATAGRAM_MAX };
	union {
		struct cmsghdr align;
		uint8_t space[128];
	} control;
	struct msghdr m = { .msg_name = &client->sa,
			    .msg_namelen = sizeof(client->in6),
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;

	memset(client, 0, sizeof(*client));
	memset(ours, 0, sizeof(*ours));
	n = recvmsg(f->fd, &m, MSG_DONTWAIT);
	if (n < 0)
		return n;
	client->len = m.msg_namelen;
	for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(ours, CMSG_DATA(c), sizeof(*ours));
			/* Only an address of a link needs it; others may move between interfaces. */
			if (!IN6_IS_ADDR_LINKLOCAL(&ours->ipi6_addr))
				ours->ipi6_ifindex = 0;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo v4;

			memcpy(&v4, CMSG_DATA(c), sizeof(v4));
			memcpy(&ours->ipi6_addr, &v4.ipi_spec_dst, 4);
		}
	}
	return n;
}

static void on_readable(void *arg, int fd, unsigned events)
{
	struct net_forward_udp *f = arg;
	struct in6_pktinfo ours;
	struct end client;
	struct flow *w;
	ssize_t n;
	int i;

	(void)fd;
	(void)events;
	for (i = 0; i < BATCH && (n = receive(f, &client, &ours)) >= 0; i++) {
		w = flow_of(f, &client, &ours);
		if (w)
			(void)send(w->fd, f->buf, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

/* A bound socket that tells where datagrams were sent to; negative errno. */
static int open_outer(const struct sk_slirp_forward *forward)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(forward->host_port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(forward->host_port) };
	bool v6 = forward->v6;
	_cleanup_fd_ int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	memcpy(&in.sin_addr, forward->host_addr, 4);
	memcpy(&in6.sin6_addr, forward->host_addr, 16);
	if (fd < 0 || (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof(on)) < 0 ||
	    bind(fd, v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in, v6 ? sizeof(in6) : sizeof(in)) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

int net_forward_udp_new(struct sk_loop *loop, const struct sk_slirp_forward *forward, uint16_t inner_port,
			struct net_forward_udp **ret)
{
	struct net_forward_udp *f;
	int fd = open_outer(forward);

	if (fd < 0)
		return fd;
	f = calloc(1, sizeof(*f));
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	f->loop = loop;
	f->fd = fd;
	f->v6 = forward->v6;
	f->inner_port = inner_port;
	f->flows.next = f->flows.prev = &f->flows;
	f->source = sk_loop_add_fd(loop, fd, SK_LOOP_READ, on_readable, f);
	f->timer = sk_loop_add_timer(loop, UINT64_MAX, on_timer, f);
	if (!f->source || !f->timer) {
		net_forward_udp_free(f);
		return -ENOMEM;
	}
	*ret = f;
	return 0;
}

void net_forward_udp_free(struct net_forward_udp *f)
{
	if (!f)
		return;
	while (f->n)
		flow_free(f->flows.next);
	sk_loop_remove(f->source);
	sk_loop_remove(f->timer);
	close(f->fd);
	free(f);
}
