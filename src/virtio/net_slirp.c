/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A network without privileges: libslirp plays the other hosts of the guest's Ethernet (gateway 10.0.2.2, name
 * server 10.0.2.3, fd73:6b65:7272::2 and ::3) and turns the guest's connections into sockets of this process. Ports are
 * published by net_publish.c, names of the host answered by net_names.c, and net_tcp.c watches how connections end.
 *
 * libslirp wants to be asked before each poll what it waits for. Our loop has no such hook, so: whenever something
 * happened (frames from the guest, a ready socket, a timer) the deferred call on_round() runs once at the end of the
 * loop's round. It lets libslirp handle the ready sockets, then asks for the new set and changes only what is
 * different. Sockets are kept in a table by descriptor; libslirp says when it is about to close one
 * (unregister_poll_fd).
 *
 * Offloads: libslirp takes TCP segments up to 64 KiB whatever the MTU, so the guest may leave segmentation of IPv4 to
 * it (it refuses larger IPv6 packets than the MTU). It checks checksums, so those that the guest left out are put in
 * first.
 *
 * Descriptors. Each connection of the guest is a socket of this process, which has others to serve. libslirp has no
 * limit, so: with more than half of the descriptors that the process may have (or SOCKETS_MAX) it gets no more. Around
 * calls into it the process's limit is 0 then, libslirp's socket() fails, and the guest is told that the network is
 * unreachable; listening sockets are not looked at.
 *
 * Not trusted: frames of the guest, which libslirp parses in this process. Its warnings and its complaints about the
 * guest go to the debug log. libslirp connects to any address outside its networks, those of the host's own loopback
 * among them: frames with such a destination, which no kernel sends, are dropped.
 */
#include "virtio/net_slirp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "virtio/net_names.h"
#include "virtio/net_publish.h"
#include "virtio/net_resolve.h"
#include "virtio/net_tcp.h"

#define MTU_DEFAULT 1500
#define MTU_MIN 576
#define MTU_MAX 65520 /* libslirp's limit is 65521; a multiple of 8 for fragments */
/* Descriptors that are watched. Beyond this a socket of the guest gets no events. */
#define FDS_MAX 65536
/* Sockets of a guest: libslirp walks through all of them for each packet. */
#define SOCKETS_MAX 16384u

/* A socket of libslirp. */
struct slirp_fd {
	struct net_slirp *owner;
	struct sk_source *source;
	unsigned watched; /* SK_LOOP_* */
	int asked;	  /* SLIRP_POLL_* */
	int got;	  /* SLIRP_POLL_*, since the last round; nothing but what was asked for */
	uint64_t round;	  /* in which libslirp asked for it */
	unsigned index;	  /* in `active` */
	bool listens;
	int fd;
};

struct net_slirp {
	struct net_link *link;
	struct sk_loop *loop;
	Slirp *slirp;
	struct sk_source *deferred, *timer, *keep;
	struct slirp_fd **by_fd; /* n_by_fd entries, NULL: not known */
	unsigned n_by_fd;
	struct slirp_fd **active; /* the known ones, n_active of n_by_fd */
	unsigned n_active;
	uint64_t round;
	bool poll_due, was_full, ending;
	unsigned n_sockets, max_sockets;
	uint8_t is_socket[FDS_MAX / 8]; /* bit: the descriptor is one of libslirp's */
	struct net_forward_udp *udp;
	struct net_publish *published;
	struct net_names *names;     /* NULL: none */
	struct net_resolve *resolve; /* NULL: the guest has no way out */
	struct net_tcp *tcp;
};

struct slirp_timer {
	struct net_slirp *owner;
	SlirpTimerId id;
	void *arg;
	struct sk_source *source;
};

/* --- what libslirp calls --- */

static uint16_t ip_checksum(const uint8_t *p, size_t n)
{
	return htons(net_fold(net_sum(p, n, 0)));
}

/*
 * ICMP errors as a guest believes them. The host's own loopback addresses are the gateway to the guest; libslirp
 * forgets that, and a guest drops what comes from 127.0.0.1. And where nobody can be behind an address of the network
 * itself (a name server when the host has none, the host's loopback when it is not to be reached), it says that the
 * network is unreachable, which UDP takes for passing: the port is.
 */
static bool mend_error(uint8_t *frame, size_t len)
{
	uint8_t *ip = frame + ETH_HLEN, *icmp, *inner;
	size_t hl;
	uint16_t sum;

	if (len < ETH_HLEN + 20u || frame[12] != 8 || frame[13] != 0 || ip[9] != IPPROTO_ICMP)
		return false;
	hl = (ip[0] & 15) * 4u;
	if (hl < 20 || len < ETH_HLEN + hl + 8 + 20 || ip[hl] != ICMP_DEST_UNREACH)
		return false;
	icmp = ip + hl;
	inner = icmp + 8;
	if (ip[12] == 127) {
		inet_pton(AF_INET, SK_SLIRP_GATEWAY, ip + 12);
		memset(ip + 10, 0, 2);
		sum = ip_checksum(ip, hl);
		memcpy(ip + 10, &sum, 2);
	}
	if (icmp[1] == ICMP_NET_UNREACH && inner[9] == IPPROTO_UDP && memcmp(inner + 16, "\x0a\0\x02", 3) == 0) {
		icmp[1] = ICMP_PORT_UNREACH;
		memset(icmp + 2, 0, 2);
		sum = ip_checksum(icmp, len - ETH_HLEN - hl);
		memcpy(icmp + 2, &sum, 2);
	}
	return true;
}

static ssize_t cb_send_packet(const void *buf, size_t len, void *opaque)
{
	struct net_slirp *s = opaque;
	uint8_t error[1600];

	if (len <= sizeof(error)) {
		memcpy(error, buf, len);
		if (mend_error(error, len))
			buf = error;
	}
	net_tcp_output(s->tcp, buf, len);
	net_deliver(s->link, net_resolve_turn_back(s->resolve, buf, len), len);
	return (ssize_t)len;
}

static void cb_guest_error(const char *msg, void *opaque)
{
	(void)opaque;
	sk_log(SK_LOG_DEBUG, "network: the guest misbehaves: %s", msg);
}

static int64_t cb_clock_get_ns(void *opaque)
{
	(void)opaque;
	return (int64_t)sk_now_ms() * 1000000;
}

static void on_slirp_timer(void *arg)
{
	struct slirp_timer *t = arg;

	slirp_handle_timer(t->owner->slirp, t->id, t->arg);
	sk_loop_trigger(t->owner->deferred);
}

static void *cb_timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	struct net_slirp *s = opaque;
	struct slirp_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	*t = (struct slirp_timer){ s, id, cb_opaque, NULL };
	t->source = sk_loop_add_timer(s->loop, UINT64_MAX, on_slirp_timer, t);
	return t;
}

static void cb_timer_free(void *timer, void *opaque)
{
	struct slirp_timer *t = timer;

	(void)opaque;
	if (!t)
		return;
	sk_loop_remove(t->source);
	free(t);
}

static void cb_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
	struct slirp_timer *t = timer;
	int64_t now = cb_clock_get_ns(opaque) / 1000000;

	if (t && t->source)
		sk_loop_set_timer(t->source, expire_ms > now ? (uint64_t)(expire_ms - now) : 0);
}

static void count_socket(struct net_slirp *s, int fd, bool is)
{
	uint8_t bit = (uint8_t)(1u << (fd & 7)), *byte;

	if (fd < 0 || fd >= FDS_MAX)
		return;
	byte = &s->is_socket[fd / 8];
	if (!(*byte & bit) == !is)
		return;
	*byte ^= bit;
	s->n_sockets += is ? 1 : -1u;
}

static void cb_register_fd(int fd, void *opaque)
{
	struct net_slirp *s = opaque;

	count_socket(s, fd, true);
	net_tcp_registered(s->tcp, fd);
}

/* Returns true if libslirp has reached its limit of sockets. */
static bool is_full(struct net_slirp *s)
{
	bool full = s->n_sockets >= s->max_sockets;

	if (full && !s->was_full)
		sk_log(SK_LOG_WARN, "network: the guest has %u sockets: no more for now", s->n_sockets);
	s->was_full = full;
	return full;
}

/* Before and after a call that may make sockets. */
static bool hold_back(struct net_slirp *s, struct sk_socket_hold *ret_hold)
{
	return is_full(s) && sk_socket_hold_back(ret_hold);
}

static void let_go(bool held, const struct sk_socket_hold *hold)
{
	if (held)
		sk_socket_let_go(hold);
}

static void forget_fd(struct net_slirp *s, struct slirp_fd *f)
{
	sk_loop_remove(f->source);
	s->by_fd[f->fd] = NULL;
	s->active[f->index] = s->active[--s->n_active];
	s->active[f->index]->index = f->index;
	free(f);
}

/*
 * libslirp is about to close a connection. It has shut the sending half down when the guest had ended it; a socket that
 * may still send was given up (the guest reset the connection, or has vanished), and its peer must not take that for a
 * plain end of the data.
 */
static void pass_reset_on(int fd)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (sk_socket_tcp_state(fd) == SK_TCP_MAY_SEND)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

static void cb_unregister_fd(int fd, void *opaque)
{
	struct net_slirp *s = opaque;

	count_socket(s, fd, false);
	if (fd >= 0 && !s->ending)
		pass_reset_on(fd);
	net_tcp_unregistered(s->tcp, fd);
	if (fd >= 0 && (unsigned)fd < s->n_by_fd && s->by_fd[fd])
		forget_fd(s, s->by_fd[fd]);
}

static void cb_notify(void *opaque)
{
	struct net_slirp *s = opaque;

	s->poll_due = true;
	sk_loop_trigger(s->deferred);
}

static const SlirpCb callbacks = {
	.send_packet = cb_send_packet,
	.guest_error = cb_guest_error,
	.clock_get_ns = cb_clock_get_ns,
	.timer_free = cb_timer_free,
	.timer_mod = cb_timer_mod,
	.register_poll_fd = cb_register_fd,
	.unregister_poll_fd = cb_unregister_fd,
	.notify = cb_notify,
	.timer_new_opaque = cb_timer_new,
};

/* --- readiness --- */

static void on_ready(void *arg, int fd, unsigned events)
{
	struct slirp_fd *f = arg;

	if (events & SK_LOOP_READ)
		f->got |= SLIRP_POLL_IN;
	if (events & SK_LOOP_WRITE)
		f->got |= SLIRP_POLL_OUT;
	/* A hang-up is no error: both halves have ended, and there may be much left to read. */
	if (events & SK_LOOP_HANGUP)
		f->got |= SLIRP_POLL_HUP;
	if (events & SK_LOOP_ERROR)
		f->got |= SLIRP_POLL_ERR;
	/* libslirp reads when an error is reported, and asserts that it has room: it has if it asked to read. */
	f->got &= f->asked;
	if (!(f->asked & SLIRP_POLL_IN))
		f->got = events ? SLIRP_POLL_OUT : 0;
	if (!(f->asked & SLIRP_POLL_IN) && events & SK_LOOP_HANGUP && net_tcp_is_reset(f->owner->tcp, fd))
		f->got = 0;
	f->owner->poll_due = true;
	sk_loop_trigger(f->owner->deferred);
}

static bool grow(struct net_slirp *s, int fd)
{
	unsigned n = s->n_by_fd ? s->n_by_fd : 64;
	struct slirp_fd **p;

	if (fd >= FDS_MAX)
		return false;
	while (n <= (unsigned)fd)
		n *= 2;
	if (n == s->n_by_fd)
		return true;
	p = realloc(s->active, n * sizeof(struct slirp_fd *));
	if (!p)
		return false;
	s->active = p;
	p = realloc(s->by_fd, n * sizeof(struct slirp_fd *));
	if (!p)
		return false;
	memset(p + s->n_by_fd, 0, (n - s->n_by_fd) * sizeof(struct slirp_fd *));
	s->by_fd = p;
	s->n_by_fd = n;
	return true;
}

/* libslirp wants to know about `events` of `fd`. Returns the index that it will ask with: the descriptor itself. */
static int add_poll(int fd, int events, void *opaque)
{
	struct net_slirp *s = opaque;
	unsigned want = (events & SLIRP_POLL_IN ? SK_LOOP_READ : 0u) | (events & SLIRP_POLL_OUT ? SK_LOOP_WRITE : 0u);
	struct slirp_fd *f;
	socklen_t len = sizeof(int);
	int listens = 0;

	if (fd < 0 || !grow(s, fd))
		return -1;
	f = s->by_fd[fd];
	if (f && f->listens && is_full(s))
		want = 0;
	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f)
			return -1;
		f->owner = s;
		f->fd = fd;
		f->listens = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
		f->source = sk_loop_add_fd(s->loop, fd, want, on_ready, f);
		if (!f->source) {
			free(f);
			return -1;
		}
		f->watched = want;
		f->index = s->n_active;
		s->by_fd[fd] = s->active[s->n_active++] = f;
		net_tcp_polled(s->tcp, fd);
	} else if (f->watched != want && sk_loop_set_events(f->source, want) == 0) {
		f->watched = want;
	}
	f->asked = events;
	f->round = s->round;
	return fd;
}

static int get_revents(int index, void *opaque)
{
	struct net_slirp *s = opaque;
	struct slirp_fd *f = index >= 0 && (unsigned)index < s->n_by_fd ? s->by_fd[index] : NULL;

	return f ? f->got : 0;
}

static void on_round(void *arg)
{
	struct net_slirp *s = arg;
	uint32_t timeout = UINT32_MAX;
	struct sk_socket_hold hold;
	unsigned i;
	bool held;

	net_tcp_run_resets(s->tcp);
	if (s->poll_due) {
		s->poll_due = false;
		held = hold_back(s, &hold);
		slirp_pollfds_poll(s->slirp, 0, get_revents, s);
		let_go(held, &hold);
	}
	s->round++;
	slirp_pollfds_fill(s->slirp, &timeout, add_poll, s);
	for (i = s->n_active; i-- > 0;) {
		struct slirp_fd *f = s->active[i];

		f->got = 0;
		/* No event of this socket is wanted for now, not even a hang-up. */
		if (f->round != s->round)
			forget_fd(s, f);
	}
	if (net_tcp_run_fins(s->tcp))
		sk_loop_trigger(s->deferred); /* libslirp may wait for something else now */
	sk_loop_set_timer(s->timer, timeout == UINT32_MAX ? UINT64_MAX : timeout);
	net_flush(s->link);
}

static void tcp_input(void *arg, uint8_t *frame, size_t len)
{
	struct net_slirp *s = arg;

	slirp_input(s->slirp, frame, (int)len);
}

static void tcp_deliver(void *arg, const uint8_t *frame, size_t len)
{
	struct net_slirp *s = arg;

	net_deliver(s->link, net_resolve_turn_back(s->resolve, frame, len), len);
}

static bool tcp_has_unwritten(void *arg, int fd)
{
	struct net_slirp *s = arg;

	return fd >= 0 && (unsigned)fd < s->n_by_fd && s->by_fd[fd] && s->by_fd[fd]->asked & SLIRP_POLL_OUT;
}

static const struct net_tcp_ops tcp_ops = { tcp_input, tcp_deliver, tcp_has_unwritten };

static void on_keep(void *arg)
{
	struct net_slirp *s = arg;

	net_tcp_keep(s->tcp);
	sk_loop_set_timer(s->keep, NET_TCP_KEEP_MS);
	sk_loop_trigger(s->deferred);
}

static void on_timer(void *arg)
{
	struct net_slirp *s = arg;

	s->poll_due = true;
	sk_loop_trigger(s->deferred);
}

/* --- the back end --- */

/* The destination means this host to its own kernel: 0.0.0.0/8, 127.0.0.0/8, ::, ::1, and what is mapped from IPv4. */
static bool is_to_host_itself(const uint8_t *frame, size_t len)
{
	static const uint8_t zeros[10], mapped[2] = { 0xff, 0xff };
	const uint8_t *to = frame + ETH_HLEN;

	if (len >= ETH_HLEN + 20 && frame[12] == 0x08 && frame[13] == 0x00)
		return to[16] == 0 || to[16] == 127;
	if (len < ETH_HLEN + 40 || frame[12] != 0x86 || frame[13] != 0xdd)
		return false;
	to += 24;
	return memcmp(to, zeros, sizeof(zeros)) == 0 &&
	       (memcmp(to + 10, zeros, 2) == 0 || memcmp(to + 10, mapped, 2) == 0);
}

void net_slirp_transmit(struct net_slirp *s, const struct net_offload *h, uint8_t *frame, size_t len)
{
	uint8_t answer[NET_NAMES_ANSWER];
	struct sk_socket_hold hold;
	size_t n;
	bool held;

	if (is_to_host_itself(frame, len) || (h && !net_complete_checksum(h, frame, len)) ||
	    net_forward_udp_take(s->udp, frame, len))
		return;
	n = net_names_take(s->names, frame, len, answer);
	if (n) {
		net_deliver(s->link, answer, n);
		return;
	}
	if (net_resolve_take(s->resolve, frame, len))
		return;
	net_resolve_turn(s->resolve, frame, len);
	held = hold_back(s, &hold);
	net_tcp_begin_input(s->tcp, frame, len);
	slirp_input(s->slirp, frame, (int)len);
	net_tcp_end_input(s->tcp);
	let_go(held, &hold);
	/* An ARP or neighbour reply: libslirp sends the packets that waited for it at its next poll. */
	if (len > ETH_HLEN && (frame[12] != 8 || frame[13] != 0))
		s->poll_due = true;
}

void net_slirp_transmitted(struct net_slirp *s)
{
	net_flush(s->link);
	sk_loop_trigger(s->deferred);
}

void net_slirp_free(struct net_slirp *s)
{
	if (!s)
		return;
	s->ending = true;
	net_publish_free(s->published);
	net_forward_udp_free(s->udp);
	net_names_free(s->names);
	if (s->slirp)
		slirp_cleanup(s->slirp);
	net_resolve_free(s->resolve);
	net_tcp_free(s->tcp);
	while (s->n_active)
		forget_fd(s, s->active[0]);
	sk_loop_remove(s->deferred);
	sk_loop_remove(s->timer);
	sk_loop_remove(s->keep);
	free(s->active);
	free(s->by_fd);
	free(s);
}

bool sk_net_host_has_ipv6(void)
{
	/* Whether there is a route to the internet; connect() of a datagram socket sends nothing. */
	struct sockaddr_in6 there = { .sin6_family = AF_INET6, .sin6_port = htons(53) };
	_cleanup_fd_ int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET6, "2001:db8::1", &there.sin6_addr) != 1)
		return false;
	return connect(fd, (const struct sockaddr *)&there, sizeof(there)) == 0;
}

/* Tells libslirp the guest's Ethernet address, which it would ask for with the first packet of a published port, and
 * drop that packet when the answer takes a second. */
static void introduce_guest(struct net_slirp *s)
{
	uint8_t arp[42] = { 0 };

	memset(arp, 0xff, 6);
	memcpy(arp + 6, s->link->mac, 6);
	memcpy(arp + 12, (const uint8_t[]){ 8, 6, 0, 1, 8, 0, 6, 4, 0, 2 }, 10); /* an ARP reply for IPv4 */
	memcpy(arp + 22, s->link->mac, 6);
	inet_pton(AF_INET, SK_SLIRP_ADDRESS, arp + 28);
	memcpy(arp + 32, s->link->mac, 6);
	memcpy(arp + 38, arp + 28, 4);
	slirp_input(s->slirp, arp, sizeof(arp));
}

static int start_slirp(struct net_slirp *s, const struct sk_slirp_config *config, struct sk_error *err)
{
	const char *search[] = { config->dns_search, NULL };
	SlirpConfig c = {
		.version = 4,
		.restricted = config->isolated,
		.in_enabled = true,
		.in6_enabled = sk_net_host_has_ipv6(),
		.vprefix_len = 64,
		.vdnssearch = config->dns_search ? search : NULL,
		.if_mtu = s->link->mtu,
		.if_mru = s->link->mtu,
		.disable_host_loopback = config->no_host_loopback,
		.disable_dhcp = true,
	};
	int r;

	s->max_sockets = sk_socket_most() / 2 < SOCKETS_MAX ? sk_socket_most() / 2 : SOCKETS_MAX;
	inet_pton(AF_INET, "10.0.2.0", &c.vnetwork);
	inet_pton(AF_INET, "255.255.255.0", &c.vnetmask);
	inet_pton(AF_INET, SK_SLIRP_GATEWAY, &c.vhost);
	inet_pton(AF_INET, SK_SLIRP_DNS, &c.vnameserver);
	inet_pton(AF_INET, SK_SLIRP_ADDRESS, &c.vdhcp_start);
	inet_pton(AF_INET6, SK_SLIRP_PREFIX6, &c.vprefix_addr6);
	inet_pton(AF_INET6, SK_SLIRP_GATEWAY6, &c.vhost6);
	inet_pton(AF_INET6, SK_SLIRP_DNS6, &c.vnameserver6);
	s->tcp = net_tcp_new(&tcp_ops, s, s->max_sockets);
	s->udp = net_forward_udp_new(s->loop, s->link);
	if (!s->tcp || !s->udp)
		return sk_error_errno(err, ENOMEM, "cannot set up the network");
	if (config->n_names) {
		s->names = net_names_new(config->names, config->n_names);
		if (!s->names)
			return sk_error_set(err, EINVAL, "cannot set up the network's names");
	}
	if (!config->isolated) {
		s->resolve = net_resolve_new(s->loop, s->link, config);
		if (!s->resolve)
			return sk_error_errno(err, ENOMEM, "cannot set up the network");
	}
	s->slirp = slirp_new(&c, &callbacks, s);
	if (!s->slirp)
		return sk_error_set(err, EIO, "cannot start libslirp %s", slirp_version_string());
	s->published = net_publish_new(s->loop, s->slirp, s->udp, s->max_sockets / 8);
	if (!s->published)
		return sk_error_errno(err, ENOMEM, "cannot publish ports");
	r = net_publish_all(s->published, config->forwards, config->n_forwards, err);
	if (r < 0)
		return r;
	introduce_guest(s);
	return 0;
}

int net_slirp_publish(struct net_slirp *s, const struct sk_slirp_forward *forward)
{
	int r;

	if (is_full(s))
		return -EMFILE;
	r = net_publish_add(s->published, forward);
	sk_loop_trigger(s->deferred); /* libslirp has a socket more to wait for */
	return r;
}

void net_slirp_withdraw(struct net_slirp *s, const struct sk_slirp_forward *forward)
{
	net_publish_remove(s->published, forward);
	sk_loop_trigger(s->deferred);
}

int net_slirp_new(struct sk_loop *loop, struct net_link *link, const struct sk_slirp_config *config,
		  struct net_slirp **ret_slirp, struct sk_error *err)
{
	uint16_t mtu = config->mtu ? config->mtu : MTU_DEFAULT;
	struct net_slirp *s;
	int r;

	s = calloc(1, sizeof(*s));
	if (!s)
		return sk_error_errno(err, ENOMEM, "cannot set up the network");
	net_slirp_log();
	memcpy(link->mac, config->mac, sizeof(link->mac));
	link->mtu = mtu < MTU_MIN ? MTU_MIN : mtu > MTU_MAX ? MTU_MAX : mtu;
	s->link = link;
	s->loop = loop;
	s->deferred = sk_loop_add_deferred(loop, on_round, s);
	s->timer = sk_loop_add_timer(loop, UINT64_MAX, on_timer, s);
	s->keep = sk_loop_add_timer(loop, NET_TCP_KEEP_MS, on_keep, s);
	if (!s->deferred || !s->timer || !s->keep)
		r = sk_error_errno(err, ENOMEM, "cannot set up the network");
	else
		r = start_slirp(s, config, err);
	if (r < 0) {
		net_slirp_free(s);
		return r;
	}
	sk_loop_trigger(s->deferred);
	*ret_slirp = s;
	return 0;
}
