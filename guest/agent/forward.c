/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A TCP connection is carried to a new one to the container (carry.h). It is accepted before that: a container that does
 * not listen shows itself by an end at once. Of UDP each client is a flow: a socket of its own that is connected to the
 * container, whose answers go back from the port that was asked. A flow ends when it was silent for FLOW_SECONDS, or when
 * FLOWS_MAX others are younger.
 *
 * The container sees us as the client.
 *
 * Not trusted: clients, who can have CONNS_MAX connections and each other's flows end; the container, which may answer its
 * clients.
 */
#include "forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/acceptor.h"
#include "base/cleanup.h"
#include "carry.h"

#define CONNS_MAX 1000u
#define FLOWS_MAX 512u
#define FLOW_SECONDS 90u
#define BATCH 64
#define DATAGRAM_MAX 65536u

struct proxy_flow;

struct forward {
	struct sk_loop *loop;
	int fd;
	struct sockaddr_storage to;
	socklen_t to_len;
	unsigned n;		  /* connections, or flows */
	struct proxy_flow *flows; /* the youngest first */
	struct sk_source *timer;
};

struct proxy_flow {
	struct forward *forward;
	struct proxy_flow *next;
	struct sockaddr_storage client;
	socklen_t client_len;
	int fd;
	struct sk_source *source;
	uint64_t used_ms;
};

static int connect_to(const struct forward *f, int type)
{
	_cleanup_fd_ int fd = socket(f->to.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || (connect(fd, (const struct sockaddr *)&f->to, f->to_len) < 0 && errno != EINPROGRESS))
		return -errno;
	return SK_TAKE_FD(fd);
}

/* --- TCP --- */

static void on_done(void *arg)
{
	struct forward *f = arg;

	f->n--;
}

static void on_accept(void *arg, int take_fd)
{
	struct forward *f = arg;
	_cleanup_fd_ int client = take_fd, inner = f->n < CONNS_MAX ? connect_to(f, SOCK_STREAM) : -1;

	if (inner >= 0 && sk_carry(f->loop, SK_TAKE_FD(client), SK_TAKE_FD(inner), on_done, f) == 0)
		f->n++;
}

/* --- UDP --- */

static void flow_free(struct proxy_flow *w)
{
	struct proxy_flow **link = &w->forward->flows;

	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	w->forward->n--;
	sk_loop_remove(w->source);
	close(w->fd);
	free(w);
}

static void drop_oldest(struct forward *f)
{
	struct proxy_flow *w = f->flows;

	while (w->next)
		w = w->next;
	flow_free(w);
}

static void touch(struct proxy_flow *w)
{
	struct proxy_flow **link = &w->forward->flows;

	w->used_ms = sk_now_ms();
	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	w->next = w->forward->flows;
	w->forward->flows = w;
}

static uint8_t datagram[DATAGRAM_MAX]; /* bytes stay here only within one call */

static void on_answer(void *arg, int fd, unsigned events)
{
	struct proxy_flow *w = arg;
	ssize_t n;
	int i;

	(void)events;
	for (i = 0; i < BATCH && (n = recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT)) >= 0; i++) {
		touch(w);
		(void)sendto(w->forward->fd, datagram, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL,
			     (const struct sockaddr *)&w->client, w->client_len);
	}
}

static struct proxy_flow *flow_new(struct forward *f, const struct sockaddr_storage *client, socklen_t len)
{
	struct proxy_flow *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	if (f->n >= FLOWS_MAX)
		drop_oldest(f);
	*w = (struct proxy_flow){ .forward = f, .client = *client, .client_len = len, .fd = connect_to(f, SOCK_DGRAM) };
	if (w->fd >= 0)
		w->source = sk_loop_add_fd(f->loop, w->fd, SK_LOOP_READ, on_answer, w);
	if (!w->source) {
		sk_close_fd(&w->fd);
		free(w);
		return NULL;
	}
	w->next = f->flows;
	f->flows = w;
	if (f->n++ == 0)
		sk_loop_set_timer(f->timer, FLOW_SECONDS * 500u);
	return w;
}

static struct proxy_flow *flow_of(struct forward *f, const struct sockaddr_storage *client, socklen_t len)
{
	struct proxy_flow *w = f->flows;

	while (w && (w->client_len != len || memcmp(&w->client, client, len) != 0))
		w = w->next;
	return w ? w : flow_new(f, client, len);
}

static void on_datagram(void *arg, int fd, unsigned events)
{
	struct forward *f = arg;
	struct sockaddr_storage client;
	struct proxy_flow *w;
	socklen_t len;
	ssize_t n;
	int i;

	(void)events;
	for (i = 0; i < BATCH; i++) {
		memset(&client, 0, sizeof(client));
		len = sizeof(client);
		n = recvfrom(fd, datagram, sizeof(datagram), MSG_DONTWAIT, (struct sockaddr *)&client, &len);
		if (n < 0)
			break;
		w = flow_of(f, &client, len);
		if (!w)
			continue;
		touch(w);
		(void)send(w->fd, datagram, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

static void on_timer(void *arg)
{
	struct forward *f = arg;
	struct proxy_flow *w, *next;
	uint64_t now = sk_now_ms();

	for (w = f->flows; w; w = next) {
		next = w->next;
		if (now - w->used_ms >= FLOW_SECONDS * 1000u)
			flow_free(w);
	}
	sk_loop_set_timer(f->timer, f->n ? FLOW_SECONDS * 500u : UINT64_MAX);
}

/* --- both --- */

int sk_forward(struct sk_loop *loop, bool udp, int take_fd, const struct sockaddr *to, socklen_t len)
{
	_cleanup_fd_ int fd = take_fd;
	struct forward *f = len <= sizeof(f->to) ? calloc(1, sizeof(*f)) : NULL;
	bool ok;

	if (!f)
		return -ENOMEM;
	f->loop = loop;
	f->fd = fd;
	memcpy(&f->to, to, len);
	f->to_len = len;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	if (udp) {
		f->timer = sk_loop_add_timer(loop, UINT64_MAX, on_timer, f);
		ok = f->timer && sk_loop_add_fd(loop, fd, SK_LOOP_READ, on_datagram, f);
	} else {
		ok = listen(fd, SOMAXCONN) == 0 && sk_acceptor_new(loop, fd, on_accept, f);
	}
	if (!ok) {
		sk_loop_remove(f->timer);
		free(f);
		return -ENOMEM;
	}
	(void)SK_TAKE_FD(fd);
	return 0;
}
