/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Ports that are published on an IPv6 address of the host. Servers in containers listen on IPv4 mostly, and the guest
 * has IPv6 only where the host has a route for it; docker's proxy connects to the container's IPv4 address. So does
 * this: it accepts connections on the IPv6 address and passes each on to a listening socket of libslirp on 127.0.0.1.
 * The guest sees them come from the gateway.
 *
 * A connection is two sockets and a buffer for each direction, which is read into only when it is empty. The end of one
 * side's data is passed on after the data. A reset or any other error resets both sides, so that nobody takes what came
 * for all there was. A connection is over when both directions have ended.
 *
 * A socket is watched for what is wanted of it and not at all while nothing is: a hang-up is reported always.
 *
 * Not trusted: peers, who can make no more connections at a time than the budget that all ports have in common. The
 * others wait in the kernel's queue.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "virtio/net_internal.h"

#define BUFFER 65536u
/* After an accept() that failed for lack of something. */
#define PAUSE_MS 200

struct forward_side {
	struct forward_conn *conn;
	struct sk_source *source;
	int fd;
	unsigned watched; /* 0: no source */
	bool ended;	  /* no more to be read from it */
	bool shut;	  /* told that no more comes */
	size_t len, off;  /* bytes read from the other side for this one */
	uint8_t buf[BUFFER];
};

struct forward_conn {
	struct net_forward *owner;
	struct forward_conn *next, **link;
	bool connecting;	     /* side 1 */
	struct forward_side side[2]; /* 0: the peer, 1: libslirp */
};

struct net_forward {
	struct sk_loop *loop;
	struct sk_source *source, *timer;
	int fd;
	uint16_t inner_port;
	struct net_forward_budget *budget;
	struct forward_conn *conns;
};

static void conn_free(struct forward_conn *c, bool reset)
{
	static const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct net_forward *f = c->owner;
	int i;

	for (i = 0; i < 2; i++) {
		if (c->side[i].watched)
			sk_loop_remove(c->side[i].source);
		if (c->side[i].fd < 0)
			continue;
		if (reset)
			setsockopt(c->side[i].fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(c->side[i].fd);
	}
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	free(c);
	if (f->budget->n-- == f->budget->max)
		sk_loop_set_events(f->source, SK_LOOP_READ); /* others look by themselves */
}

/* Moves what can be moved towards side `to`. False: an error. */
static bool pump(struct forward_side *from, struct forward_side *to)
{
	ssize_t n;

	for (;;) {
		while (to->len) {
			n = send(to->fd, to->buf + to->off, to->len, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n < 0)
				return errno == EAGAIN || errno == EINTR;
			to->off += (size_t)n;
			to->len -= (size_t)n;
		}
		if (from->ended) {
			if (!to->shut && shutdown(to->fd, SHUT_WR) < 0)
				return false;
			to->shut = true;
			return true;
		}
		n = recv(from->fd, to->buf, sizeof(to->buf), MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		to->off = 0;
		to->len = (size_t)n;
		from->ended = n == 0;
	}
}

static void on_side(void *arg, int fd, unsigned events);

static bool watch(struct forward_side *s, unsigned want)
{
	if (want == s->watched)
		return true;
	if (s->watched && want) {
		s->watched = want;
		return sk_loop_set_events(s->source, want) == 0;
	}
	if (s->watched) {
		sk_loop_remove(s->source);
		s->source = NULL;
	} else {
		s->source = sk_loop_add_fd(s->conn->owner->loop, s->fd, want, on_side, s);
		if (!s->source)
			return false;
	}
	s->watched = want;
	return true;
}

static void conn_run(struct forward_conn *c)
{
	struct forward_side *a = &c->side[0], *b = &c->side[1];
	int i;

	if (!pump(a, b) || !pump(b, a)) {
		conn_free(c, true);
		return;
	}
	if (a->shut && b->shut) {
		conn_free(c, false);
		return;
	}
	for (i = 0; i < 2; i++) {
		struct forward_side *s = &c->side[i], *o = &c->side[!i];

		if (!watch(s, (s->len ? SK_LOOP_WRITE : 0u) | (!s->ended && !o->len ? SK_LOOP_READ : 0u))) {
			conn_free(c, true);
			return;
		}
	}
}

static void on_side(void *arg, int fd, unsigned events)
{
	struct forward_side *s = arg;
	struct forward_conn *c = s->conn;

	(void)fd;
	if (events & SK_LOOP_ERROR) {
		conn_free(c, true);
		return;
	}
	if (c->connecting) {
		c->connecting = false;
		watch(s, 0);
	}
	conn_run(c);
}

/* Connects side 1. False: it cannot be. */
static bool conn_connect(struct forward_conn *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(c->owner->inner_port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct forward_side *s = &c->side[1];
	int on = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return false;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(s->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		return false;
	c->connecting = true;
	return watch(s, SK_LOOP_WRITE);
}

static void pause_accepting(struct net_forward *f)
{
	sk_loop_set_events(f->source, 0);
	sk_loop_set_timer(f->timer, PAUSE_MS);
}

static void on_listen(void *arg, int fd, unsigned events)
{
	struct net_forward *f = arg;
	struct forward_conn *c;
	int peer, on = 1;

	(void)events;
	if (f->budget->n >= f->budget->max) {
		pause_accepting(f);
		return;
	}
	peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (peer < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			pause_accepting(f);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(peer);
		return;
	}
	setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->owner = f;
	c->side[0] = (struct forward_side){ .conn = c, .fd = peer };
	c->side[1] = (struct forward_side){ .conn = c, .fd = -1 };
	c->next = f->conns;
	c->link = &f->conns;
	if (c->next)
		c->next->link = &c->next;
	f->conns = c;
	f->budget->n++;
	if (!conn_connect(c))
		conn_free(c, true);
}

static void on_pause_end(void *arg)
{
	struct net_forward *f = arg;

	sk_loop_set_events(f->source, SK_LOOP_READ);
}

int net_forward_new(struct sk_loop *loop, const uint8_t addr[16], uint16_t port, uint16_t inner_port,
		    struct net_forward_budget *budget, struct net_forward **ret)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	_cleanup_fd_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct net_forward *f;
	int on = 1;

	memcpy(&a.sin6_addr, addr, 16);
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	*f = (struct net_forward){ .loop = loop, .fd = fd, .inner_port = inner_port, .budget = budget };
	f->source = sk_loop_add_fd(loop, fd, SK_LOOP_READ, on_listen, f);
	f->timer = sk_loop_add_timer(loop, UINT64_MAX, on_pause_end, f);
	if (!f->source || !f->timer) {
		sk_loop_remove(f->source);
		sk_loop_remove(f->timer);
		free(f);
		return -ENOMEM;
	}
	(void)SK_TAKE_FD(fd);
	*ret = f;
	return 0;
}

void net_forward_free(struct net_forward *f)
{
	if (!f)
		return;
	while (f->conns)
		conn_free(f->conns, false);
	sk_loop_remove(f->source);
	sk_loop_remove(f->timer);
	close(f->fd);
	free(f);
}
