/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accepts connections of a listening socket and survives a full descriptor table: one spare descriptor is kept, the
 * waiting client is closed with it, and the loop pauses instead of spinning.
 */
#include "base/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#define SK_BACK_OFF_MS 100u

struct sk_acceptor {
	int listen_fd, spare_fd;
	struct sk_source *source, *timer;
	sk_accept_cb cb;
	void *arg;
};

/* Another number for the same socket: needs nothing that a sandbox could forbid. */
static int open_spare(const struct sk_acceptor *a)
{
	return fcntl(a->listen_fd, F_DUPFD_CLOEXEC, 3);
}

static void on_back_off_over(void *arg)
{
	struct sk_acceptor *a = arg;

	sk_loop_set_events(a->source, SK_LOOP_READ);
}

/* Drops the first of the queue. */
static void drop_one(struct sk_acceptor *a)
{
	int fd;

	if (a->spare_fd < 0)
		return;
	sk_close_fd(&a->spare_fd);
	fd = accept4(a->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	sk_close_fd(&fd);
	a->spare_fd = open_spare(a);
}

void sk_acceptor_poll(struct sk_acceptor *a)
{
	int fd = accept4(a->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		if (a->spare_fd < 0)
			a->spare_fd = open_spare(a);
		a->cb(a->arg, fd);
		return;
	}
	/* Gone again, or an error of its own connection. */
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
		return;
	sk_log(SK_LOG_WARN, "a connection is refused: no descriptors are left");
	drop_one(a);
	sk_loop_set_events(a->source, 0);
	sk_loop_set_timer(a->timer, SK_BACK_OFF_MS);
}

static void on_readable(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	sk_acceptor_poll(arg);
}

struct sk_acceptor *sk_acceptor_new(struct sk_loop *loop, int listen_fd, sk_accept_cb cb, void *arg)
{
	struct sk_acceptor *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	*a = (struct sk_acceptor){ .listen_fd = listen_fd, .cb = cb, .arg = arg };
	a->spare_fd = open_spare(a);
	a->timer = sk_loop_add_timer(loop, UINT64_MAX, on_back_off_over, a);
	if (a->timer)
		a->source = sk_loop_add_fd(loop, listen_fd, SK_LOOP_READ, on_readable, a);
	if (a->source)
		return a;
	sk_acceptor_free(a);
	return NULL;
}

void sk_acceptor_free(struct sk_acceptor *a)
{
	int saved = errno;

	if (!a)
		return;
	sk_loop_remove(a->source);
	sk_loop_remove(a->timer);
	sk_close_fd(&a->spare_fd);
	free(a);
	errno = saved;
}
