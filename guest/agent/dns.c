/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries name questions out of the guest. docker's embedded name server listens on 127.0.0.11 in the container's
 * network namespace on the host, and the container's resolv.conf says so; here the same address belongs to the guest's
 * own loopback. A child process of the agent listens on it and takes each question (UDP: as one message with its length
 * in front, as over TCP; TCP: the connection, as it comes, each direction at the pace of its reader and to its own end) to
 * the monitor on a stream of its own.
 *
 * Anyone in the container can talk to it; it is bounded, and what it loses is its clients' own. What stands still for
 * DNS_TIMEOUT_S is ended.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "boot.h"

#define DNS_SESSIONS 64
#define DNS_TIMEOUT_S 20
#define DNS_MESSAGE_MAX 65535
#define DNS_WAY 8192 /* bytes */

/* One direction of a connection. */
struct way {
	size_t off, len; /* what is read and not yet written */
	bool ended, shut;
	uint8_t buf[DNS_WAY];
};

struct session {
	int up;	 /* to the monitor; -1: free */
	int tcp; /* -1: a UDP question of `from` */
	struct sockaddr_in from;
	time_t deadline;
	size_t len;
	uint8_t buf[2 + DNS_MESSAGE_MAX]; /* the answer over UDP */
	struct way there, back;		  /* over TCP */
};

static int listen_on(int type)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0x7f00000b) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || (type == SOCK_STREAM && listen(fd, 16) < 0)) {
		close(fd);
		return -errno;
	}
	return fd;
}

static void end(struct session *s)
{
	sk_close_fd(&s->up);
	sk_close_fd(&s->tcp);
	s->len = 0;
	s->there.len = s->back.len = 0;
	s->there.ended = s->there.shut = s->back.ended = s->back.shut = false;
}

static struct session *begin(struct session *all, const struct sk_uplink *uplink, uint32_t port)
{
	int i;

	for (i = 0; i < DNS_SESSIONS && all[i].up >= 0; i++)
		;
	if (i == DNS_SESSIONS)
		return NULL;
	all[i].tcp = -1;
	all[i].len = 0;
	all[i].up = sk_uplink_connect(uplink, port);
	all[i].deadline = time(NULL) + DNS_TIMEOUT_S;
	return all[i].up >= 0 ? &all[i] : NULL;
}

static void take_udp(struct session *all, int fd, const struct sk_uplink *uplink)
{
	static uint8_t buf[2 + DNS_MESSAGE_MAX];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, buf + 2, DNS_MESSAGE_MAX, 0, (struct sockaddr *)&from, &len);
	struct session *s;

	if (n <= 0)
		return;
	s = begin(all, uplink, SK_PORT_DNS_DATAGRAM);
	if (!s)
		return;
	s->from = from;
	buf[0] = (uint8_t)(n >> 8);
	buf[1] = (uint8_t)n;
	if (send(s->up, buf, (size_t)n + 2, MSG_NOSIGNAL) < 0)
		end(s);
}

static void take_tcp(struct session *all, int fd, const struct sk_uplink *uplink)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	struct session *s = conn < 0 ? NULL : begin(all, uplink, SK_PORT_DNS);

	if (s)
		s->tcp = conn;
	else if (conn >= 0)
		close(conn);
}

static void answer_udp(struct session *s, int udp)
{
	ssize_t n = recv(s->up, s->buf + s->len, sizeof(s->buf) - s->len, MSG_DONTWAIT);
	size_t want;

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			end(s);
		return;
	}
	s->len += (size_t)n;
	want = s->len >= 2 ? (size_t)(s->buf[0] << 8 | s->buf[1]) : SIZE_MAX;
	if (want > s->len - 2)
		return;
	sendto(udp, s->buf + 2, want, MSG_DONTWAIT, (struct sockaddr *)&s->from, sizeof(s->from));
	end(s);
}

/* Moves what there is. False: the connection is over. */
static bool move(struct session *s, struct way *w, int from, int to)
{
	ssize_t n = 0;

	if (!w->len && !w->ended) {
		n = recv(from, w->buf, sizeof(w->buf), MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return false;
		w->ended = n == 0;
		w->off = 0;
		w->len = n > 0 ? (size_t)n : 0;
	}
	if (w->len) {
		n = send(to, w->buf + w->off, w->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			w->off += (size_t)n;
			w->len -= (size_t)n;
			s->deadline = time(NULL) + DNS_TIMEOUT_S;
		}
	}
	if (w->ended && !w->len && !w->shut) {
		w->shut = true;
		shutdown(to, SHUT_WR);
	}
	return true;
}

static void run_tcp(struct session *s)
{
	if (!move(s, &s->there, s->tcp, s->up) || !move(s, &s->back, s->up, s->tcp) || (s->there.shut && s->back.shut))
		end(s);
}

/* What to wait for; nothing at all where there is nothing to do, as a hang-up would be reported without end. */
static struct pollfd wait_for(int fd, const struct way *from, const struct way *to)
{
	short events = (short)((!from->len && !from->ended ? POLLIN : 0) | (to->len ? POLLOUT : 0));

	return (struct pollfd){ .fd = events ? fd : -1, .events = events };
}

static void prepare(struct pollfd p[2], const struct session *s)
{
	p[0] = (struct pollfd){ .fd = s->up, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = -1 };
	if (s->up >= 0 && s->tcp >= 0) {
		p[0] = wait_for(s->up, &s->back, &s->there);
		p[1] = wait_for(s->tcp, &s->there, &s->back);
	}
}

static void serve(int udp, int tcp, const struct sk_uplink *uplink)
{
	struct session *all = calloc(DNS_SESSIONS, sizeof(*all));
	struct pollfd p[2 + 2 * DNS_SESSIONS];
	int i;

	for (i = 0; all && i < DNS_SESSIONS; i++)
		all[i].up = all[i].tcp = -1;
	while (all) {
		p[0] = (struct pollfd){ .fd = udp, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = tcp, .events = POLLIN };
		for (i = 0; i < DNS_SESSIONS; i++)
			prepare(&p[2 + 2 * i], &all[i]);
		if (poll(p, SK_ARRAY_SIZE(p), 5000) < 0 && errno != EINTR)
			return;
		for (i = 0; i < DNS_SESSIONS; i++) {
			struct session *s = &all[i];

			if (s->up >= 0 && (p[2 + 2 * i].revents || p[3 + 2 * i].revents)) {
				if (s->tcp < 0)
					answer_udp(s, udp);
				else
					run_tcp(s);
			}
			if (s->up >= 0 && time(NULL) > s->deadline)
				end(s);
		}
		if (p[0].revents)
			take_udp(all, udp, uplink);
		if (p[1].revents)
			take_tcp(all, tcp, uplink);
	}
}

void sk_dns_start(const struct sk_uplink *uplink)
{
	static bool started;
	int udp, tcp;
	pid_t pid;

	if (started)
		return;
	started = true;
	udp = listen_on(SOCK_DGRAM);
	tcp = listen_on(SOCK_STREAM);
	pid = udp >= 0 && tcp >= 0 ? fork() : -1;
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		sk_job_close_others((int[]){ udp, tcp }, 2);
		serve(udp, tcp, uplink);
		_exit(0);
	}
	sk_close_fd(&udp);
	sk_close_fd(&tcp);
}
