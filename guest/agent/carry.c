/* SPDX-License-Identifier: Apache-2.0 */
/* Each direction is a pump of its own, with descriptors of its own; ours are for shutdown(2). See carry.h. */
#include "carry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "pump.h"

struct carry {
	int a, b;
	struct sk_pump *to_a, *to_b;
	struct sk_loop *loop;
	struct sk_source *gone; /* of the side whose data have ended, while it may still read */
	bool starting;
	void (*done)(void *arg);
	void *arg;
};

static void carry_free(struct carry *c)
{
	sk_loop_remove(c->gone);
	sk_close_fd(&c->a);
	sk_close_fd(&c->b);
	if (c->done && !c->starting)
		c->done(c->arg);
	free(c);
}

/* The peer no longer reads. poll(2) cannot tell that from an orderly end of its data. */
static bool is_deaf(int fd)
{
	return send(fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN;
}

/* A side that had ended its data is gone now: tell the other side, which may otherwise wait for long. */
static void on_gone(void *arg, int fd, unsigned events)
{
	struct carry *c = arg;

	(void)events;
	sk_loop_remove(SK_TAKE_PTR(c->gone));
	if (is_deaf(fd))
		sk_pump_stop(c->to_a ? c->to_a : c->to_b); /* frees it all */
}

static void on_pump_done(void *arg, struct sk_pump *pump)
{
	struct carry *c = arg;
	bool to_b = pump == c->to_b;
	struct sk_pump *other = to_b ? c->to_a : c->to_b;

	shutdown(to_b ? c->b : c->a, SHUT_WR);
	if (to_b)
		c->to_b = NULL;
	else
		c->to_a = NULL;
	if (!other)
		carry_free(c);
	else if (is_deaf(to_b ? c->a : c->b))
		sk_pump_stop(other); /* and comes here again */
	else
		c->gone = sk_loop_add_fd(c->loop, to_b ? c->a : c->b, 0, on_gone, c);
}

/* Pumps of the kind "input" end when they cannot write any more. */
static struct sk_pump *start(struct sk_loop *loop, int from, int to, struct carry *c)
{
	int f = fcntl(from, F_DUPFD_CLOEXEC, 3), t = fcntl(to, F_DUPFD_CLOEXEC, 3);

	if (f >= 0 && t >= 0)
		return sk_pump_new(loop, SK_PUMP_INPUT, f, t, on_pump_done, c);
	sk_close_fd(&f);
	sk_close_fd(&t);
	return NULL;
}

int sk_carry(struct sk_loop *loop, int take_a, int take_b, void (*done)(void *arg), void *arg)
{
	_cleanup_fd_ int a = take_a, b = take_b;
	struct carry *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct carry){
		.loop = loop, .a = SK_TAKE_FD(a), .b = SK_TAKE_FD(b), .starting = true, .done = done, .arg = arg
	};
	c->to_b = start(loop, c->a, c->b, c);
	if (c->to_b)
		c->to_a = start(loop, c->b, c->a, c);
	if (c->to_a) {
		c->starting = false;
		return 0;
	}
	if (c->to_b)
		sk_pump_stop(c->to_b); /* the only one: frees it all */
	else
		carry_free(c);
	return -ENOMEM;
}
