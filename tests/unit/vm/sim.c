/* SPDX-License-Identifier: Apache-2.0 */
/* An event loop whose clock is a variable. See sim.h. */
#include "sim.h"

#include "../sk_test.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define ROUNDS 100000 /* of callbacks without any time passing: more is a busy loop */
#define LONGEST_MS (UINT64_C(400) * 86400 * 1000)

enum kind { DESCRIPTOR, TIMER, DEFERRED };

struct sk_source {
	struct sk_loop *loop;
	struct sk_source *next;
	enum kind kind;
	int fd;
	unsigned events;
	sk_loop_fd_cb fd_cb;
	sk_loop_cb cb;
	void *arg;
	uint64_t due_ms;
	bool triggered, removed;
};

struct sk_loop {
	struct sk_source *sources;
	bool quit;
	unsigned depth; /* of callbacks */
};

static uint64_t now_ms;
static void (*run_script)(struct sk_loop *loop);

uint64_t sk_now_ms(void)
{
	return now_ms;
}

void sim_set_now(uint64_t ms)
{
	now_ms = ms;
}

void sim_set_script(void (*script)(struct sk_loop *loop))
{
	run_script = script;
}

int sk_loop_new(struct sk_loop **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void sweep(struct sk_loop *loop)
{
	struct sk_source **link = &loop->sources;

	while (*link) {
		struct sk_source *s = *link;

		if (s->removed) {
			*link = s->next;
			free(s);
		} else {
			link = &s->next;
		}
	}
}

void sk_loop_free(struct sk_loop *loop)
{
	struct sk_source *s;

	if (!loop)
		return;
	for (s = loop->sources; s; s = s->next)
		s->removed = true;
	sweep(loop);
	free(loop);
}

static struct sk_source *add(struct sk_loop *loop, const struct sk_source *like)
{
	struct sk_source *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	*s = *like;
	s->loop = loop;
	s->next = loop->sources;
	loop->sources = s;
	return s;
}

struct sk_source *sk_loop_add_fd(struct sk_loop *loop, int fd, unsigned events, sk_loop_fd_cb cb, void *arg)
{
	return add(loop, &(const struct sk_source){
				 .kind = DESCRIPTOR, .fd = fd, .events = events, .fd_cb = cb, .arg = arg });
}

int sk_loop_set_events(struct sk_source *s, unsigned events)
{
	s->events = events;
	return 0;
}

static uint64_t due_in(uint64_t ms)
{
	return ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + ms;
}

struct sk_source *sk_loop_add_timer(struct sk_loop *loop, uint64_t ms, sk_loop_cb cb, void *arg)
{
	return add(loop, &(const struct sk_source){ .kind = TIMER, .due_ms = due_in(ms), .cb = cb, .arg = arg });
}

void sk_loop_set_timer(struct sk_source *s, uint64_t ms)
{
	s->due_ms = due_in(ms);
}

struct sk_source *sk_loop_add_deferred(struct sk_loop *loop, sk_loop_cb cb, void *arg)
{
	return add(loop, &(const struct sk_source){ .kind = DEFERRED, .cb = cb, .arg = arg });
}

void sk_loop_trigger(struct sk_source *s)
{
	s->triggered = true;
}

void sk_loop_remove(struct sk_source *s)
{
	if (s)
		s->removed = true;
}

/* What of the descriptor is to be told; 0: nothing. */
static unsigned ready(const struct sk_source *s)
{
	struct pollfd pfd = { .fd = s->fd };
	unsigned events = 0;

	if (s->events & SK_LOOP_READ)
		pfd.events |= POLLIN;
	if (s->events & SK_LOOP_WRITE)
		pfd.events |= POLLOUT;
	if (poll(&pfd, 1, 0) <= 0)
		return 0;
	assert_false(pfd.revents & POLLNVAL); /* a descriptor that was closed, and is watched on */
	if (pfd.revents & POLLIN)
		events |= SK_LOOP_READ;
	if (pfd.revents & POLLOUT)
		events |= SK_LOOP_WRITE;
	if (pfd.revents & (POLLHUP | POLLERR))
		events |= SK_LOOP_HANGUP;
	if (pfd.revents & POLLERR)
		events |= SK_LOOP_ERROR;
	return events;
}

static bool call(struct sk_source *s)
{
	unsigned events;

	switch (s->kind) {
	case DESCRIPTOR:
		events = ready(s);
		if (events)
			s->fd_cb(s->arg, s->fd, events);
		return events != 0;
	case TIMER:
		if (s->due_ms == UINT64_MAX || s->due_ms > now_ms)
			return false;
		s->due_ms = UINT64_MAX;
		s->cb(s->arg);
		return true;
	case DEFERRED:
		if (!s->triggered)
			return false;
		s->triggered = false;
		s->cb(s->arg);
		return true;
	}
	return false;
}

/* Each source once, as one round of epoll does: descriptors and timers, then what was deferred. */
static bool turn(struct sk_loop *loop)
{
	struct sk_source *s;
	bool any = false;
	int pass;

	loop->depth++;
	for (pass = 0; pass < 2; pass++)
		for (s = loop->sources; s; s = s->next)
			if (!s->removed && (s->kind == DEFERRED) == (pass == 1) && call(s))
				any = true;
	if (--loop->depth == 0)
		sweep(loop);
	return any;
}

int sk_loop_once(struct sk_loop *loop, int timeout_ms)
{
	(void)timeout_ms;
	return turn(loop);
}

void sim_settle(struct sk_loop *loop)
{
	int i;

	for (i = 0; i < ROUNDS && !loop->quit && turn(loop); i++)
		;
	assert_true(i < ROUNDS);
}

static uint64_t next_due(const struct sk_loop *loop)
{
	const struct sk_source *s;
	uint64_t due = UINT64_MAX;

	for (s = loop->sources; s; s = s->next)
		if (s->kind == TIMER && !s->removed && s->due_ms < due)
			due = s->due_ms;
	return due;
}

void sim_pass(struct sk_loop *loop, uint64_t ms)
{
	uint64_t end = now_ms + ms, due;

	sim_settle(loop);
	while (!loop->quit && (due = next_due(loop)) <= end) {
		if (due > now_ms)
			now_ms = due;
		sim_settle(loop);
	}
	if (!loop->quit)
		now_ms = end;
}

int sk_loop_run(struct sk_loop *loop)
{
	uint64_t due, end;

	if (run_script)
		run_script(loop);
	end = now_ms + LONGEST_MS;
	sim_settle(loop);
	while (!loop->quit) {
		due = next_due(loop);
		if (due > end)
			fail_msg("the loop waits for nothing that will come");
		if (due > now_ms)
			now_ms = due;
		sim_settle(loop);
	}
	return 0;
}

void sk_loop_quit(struct sk_loop *loop)
{
	loop->quit = true;
}
