/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop above the platform's way of waiting (loop_internal.h). Timers are kept in a list (a VM has a handful) and
 * served through the time-out.
 * Removed sources go to `dead` and are freed at the end of the round, so that an event already fetched
 * for one of them finds `removed` set instead of freed memory.
 */
#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/loop_internal.h"

#define SK_LOOP_BATCH 32

enum sk_source_kind {
	SK_SOURCE_FD,
	SK_SOURCE_TIMER,
	SK_SOURCE_DEFERRED,
};

struct sk_source {
	struct sk_loop *loop;
	struct sk_source *next;
	struct sk_source **link; /* what points to us; NULL once removed */
	enum sk_source_kind kind;
	bool removed;
	bool triggered;
	int fd;
	unsigned events;
	uint64_t due_ms; /* UINT64_MAX: not armed */
	union {
		sk_loop_fd_cb fd_cb;
		sk_loop_cb cb;
	};
	void *arg;
};

struct sk_loop {
	struct sk_poller *poller;
	bool quit;
	struct sk_source *fds, *timers, *deferred, *dead;
};

int sk_loop_new(struct sk_loop **ret_loop)
{
	struct sk_loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	r = sk_poller_new(&loop->poller);
	if (r < 0) {
		free(loop);
		return r;
	}
	*ret_loop = loop;
	return 0;
}

static void free_list(struct sk_source *s)
{
	while (s) {
		struct sk_source *next = s->next;

		free(s);
		s = next;
	}
}

void sk_loop_free(struct sk_loop *loop)
{
	if (!loop)
		return;
	free_list(loop->fds);
	free_list(loop->timers);
	free_list(loop->deferred);
	free_list(loop->dead);
	sk_poller_free(loop->poller);
	free(loop);
}

static struct sk_source *source_new(struct sk_loop *loop, enum sk_source_kind kind, struct sk_source **list, void *arg)
{
	struct sk_source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = loop;
	s->kind = kind;
	s->arg = arg;
	s->fd = -1;
	s->due_ms = UINT64_MAX;
	s->next = *list;
	s->link = list;
	if (s->next)
		s->next->link = &s->next;
	*list = s;
	return s;
}

struct sk_source *sk_loop_add_fd(struct sk_loop *loop, int fd, unsigned events, sk_loop_fd_cb cb, void *arg)
{
	struct sk_source *s = source_new(loop, SK_SOURCE_FD, &loop->fds, arg);
	int r;

	if (!s)
		return NULL;
	s->fd = fd;
	s->events = events;
	s->fd_cb = cb;
	r = sk_poller_add(loop->poller, fd, events, s);
	if (r < 0) {
		s->fd = -1;
		sk_loop_remove(s);
		errno = -r;
		return NULL;
	}
	return s;
}

int sk_loop_set_events(struct sk_source *s, unsigned events)
{
	int r;

	if (s->events == events)
		return 0;
	r = sk_poller_set(s->loop->poller, s->fd, events, s);
	if (r == 0)
		s->events = events;
	return r;
}

struct sk_source *sk_loop_add_timer(struct sk_loop *loop, uint64_t ms, sk_loop_cb cb, void *arg)
{
	struct sk_source *s = source_new(loop, SK_SOURCE_TIMER, &loop->timers, arg);

	if (!s)
		return NULL;
	s->cb = cb;
	sk_loop_set_timer(s, ms);
	return s;
}

void sk_loop_set_timer(struct sk_source *s, uint64_t ms)
{
	s->due_ms = ms == UINT64_MAX ? UINT64_MAX : sk_now_ms() + ms;
}

struct sk_source *sk_loop_add_deferred(struct sk_loop *loop, sk_loop_cb cb, void *arg)
{
	struct sk_source *s = source_new(loop, SK_SOURCE_DEFERRED, &loop->deferred, arg);

	if (s)
		s->cb = cb;
	return s;
}

void sk_loop_trigger(struct sk_source *s)
{
	s->triggered = true;
}

void sk_loop_remove(struct sk_source *s)
{
	if (!s || s->removed)
		return;
	if (s->kind == SK_SOURCE_FD && s->fd >= 0)
		sk_poller_remove(s->loop->poller, s->fd);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->removed = true;
	s->next = s->loop->dead;
	s->loop->dead = s;
}

/* Runs timers that are due. Callbacks may change the lists, so each pass starts over until nothing is due. */
static bool run_timers(struct sk_loop *loop)
{
	uint64_t now = sk_now_ms();
	bool ran = false;
	struct sk_source *s;

again:
	for (s = loop->timers; s; s = s->next) {
		if (s->due_ms > now)
			continue;
		s->due_ms = UINT64_MAX;
		s->cb(s->arg);
		ran = true;
		goto again;
	}
	return ran;
}

static bool run_deferred(struct sk_loop *loop)
{
	bool ran = false;
	struct sk_source *s;

again:
	for (s = loop->deferred; s; s = s->next) {
		if (!s->triggered)
			continue;
		s->triggered = false;
		s->cb(s->arg);
		ran = true;
		goto again;
	}
	return ran;
}

static int next_timeout(struct sk_loop *loop, int timeout_ms)
{
	uint64_t now = 0, due = UINT64_MAX;
	struct sk_source *s;

	for (s = loop->timers; s; s = s->next)
		if (s->due_ms < due)
			due = s->due_ms;
	if (due == UINT64_MAX)
		return timeout_ms;
	now = sk_now_ms();
	if (due <= now)
		return 0;
	due -= now;
	if (timeout_ms >= 0 && (uint64_t)timeout_ms < due)
		return timeout_ms;
	return due > INT_MAX ? INT_MAX : (int)due;
}

int sk_loop_once(struct sk_loop *loop, int timeout_ms)
{
	struct sk_ready ready[SK_LOOP_BATCH];
	bool ran = run_deferred(loop);
	int i, n;

	n = sk_poller_wait(loop->poller, ready, SK_LOOP_BATCH, ran ? 0 : next_timeout(loop, timeout_ms));
	if (n < 0)
		return n;
	for (i = 0; i < n; i++) {
		struct sk_source *s = ready[i].source;

		if (!s->removed)
			s->fd_cb(s->arg, s->fd, ready[i].events);
	}
	ran |= run_timers(loop);
	ran |= run_deferred(loop);
	free_list(loop->dead);
	loop->dead = NULL;
	return ran || n > 0;
}

int sk_loop_run(struct sk_loop *loop)
{
	loop->quit = false;
	while (!loop->quit) {
		int r = sk_loop_once(loop, -1);

		if (r < 0)
			return r;
	}
	return 0;
}

void sk_loop_quit(struct sk_loop *loop)
{
	loop->quit = true;
}
