/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A message that tells the time is late by its way to the guest: milliseconds on a busy host. Times of files on shares
 * are the host's, and would lie in the guest's future. So the guest is asked for its clock, which it read somewhere
 * between our question and its answer. The quickest of a few answers tells the difference to half of the time it took;
 * the guest then adds that to its clock, however long that message takes.
 *
 * The answers are the guest's and not to be trusted: the only use of them is to tell the guest.
 */
#include "vm/clock.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "vm/clock_watch.h"

#define SK_CLOCK_SYNC_MS 200u /* its messages would delay the start of the container */

#define ROUNDS 8
#define GOOD_NS INT64_C(200000)	    /* an answer as quick as that is good enough */
#define MOST_NS INT64_C(5000000000) /* the guest was told the time to less than that */
#define NS_PER_SEC INT64_C(1000000000)
#define SECONDS_MOST (INT64_C(1) << 33)

struct sk_clock {
	struct sk_session *session;
	struct sk_clock_watch *watch;
	struct sk_source *timer;
	bool running;
};

/* Lives until its last answer, with the clock or without. */
struct clock_sync {
	struct sk_session *session;
	int64_t asked, best, difference;
	unsigned rounds;
};

static void ask(struct clock_sync *take_sync);

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* The clock in an answer; -1: there is none. */
static int64_t clock_of(const struct sk_reply *reply)
{
	if (!reply->ok || reply->clock.sec > SECONDS_MOST / 2)
		return -1;
	return reply->clock.sec * NS_PER_SEC + reply->clock.nsec;
}

static void on_clock(void *arg, const struct sk_reply *reply)
{
	struct clock_sync *sync = arg;
	int64_t now = now_ns(), took = now - sync->asked, guest = reply ? clock_of(reply) : -1;

	if (guest < 0 || took < 0) {
		free(sync); /* the session ends, or the host's clock was set: that starts another one */
		return;
	}
	if (took < sync->best) {
		sync->best = took;
		sync->difference = sync->asked + took / 2 - guest;
	}
	if (++sync->rounds < ROUNDS && sync->best > GOOD_NS) {
		ask(sync);
		return;
	}
	if (sync->difference > -MOST_NS && sync->difference < MOST_NS)
		sk_session_request(sync->session,
				   &(const struct sk_msg){ .op = SK_OP_TIME, .time = { .adjust = sync->difference } },
				   NULL, NULL);
	free(sync);
}

static void ask(struct clock_sync *take_sync)
{
	take_sync->asked = now_ns();
	if (sk_session_request(take_sync->session, &(const struct sk_msg){ .op = SK_OP_TIME }, on_clock, take_sync) < 0)
		free(take_sync);
}

static void synchronize(const struct sk_clock *c)
{
	struct clock_sync *sync = calloc(1, sizeof(*sync));

	if (!sync)
		return; /* the clock is right to some milliseconds */
	sync->session = c->session;
	sync->best = INT64_MAX;
	ask(sync);
}

/* The guest's clock runs by itself and does not notice. */
static void on_clock_set(void *arg)
{
	struct sk_msg msg = { .op = SK_OP_TIME };
	const struct sk_clock *c = arg;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (!c->running)
		return;
	msg.time.time = (struct sk_time){ .set = true, .sec = ts.tv_sec, .nsec = ts.tv_nsec };
	sk_session_request(c->session, &msg, NULL, NULL);
	synchronize(c);
}

static void on_timer(void *arg)
{
	synchronize(arg);
}

int sk_clock_new(struct sk_loop *loop, struct sk_session *session, struct sk_clock **ret_clock)
{
	struct sk_clock *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->session = session;
	c->timer = sk_loop_add_timer(loop, UINT64_MAX, on_timer, c);
	if (!c->timer || sk_clock_watch_new(loop, on_clock_set, c, &c->watch) < 0) {
		sk_clock_free(c);
		return -ENOMEM;
	}
	*ret_clock = c;
	return 0;
}

void sk_clock_begin(struct sk_clock *c)
{
	c->running = true;
	sk_loop_set_timer(c->timer, SK_CLOCK_SYNC_MS);
}

void sk_clock_free(struct sk_clock *c)
{
	if (!c)
		return;
	sk_clock_watch_free(c->watch);
	sk_loop_remove(c->timer);
	free(c);
}
