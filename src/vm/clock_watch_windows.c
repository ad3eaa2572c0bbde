/* SPDX-License-Identifier: Apache-2.0 */
/* Windows tells of a clock that was set by messages to windows, of which we have none: it is compared with one that
 * nobody sets, every few seconds. */
#include "vm/clock_watch.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define LOOK_MS 5000u
#define JUMP_MS 1000

struct sk_clock_watch {
	struct sk_source *timer;
	int64_t ahead_ms; /* of the one that nobody sets */
	sk_loop_cb set;
	void *arg;
};

static int64_t ahead_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 - (int64_t)sk_now_ms();
}

static void on_timer(void *arg)
{
	struct sk_clock_watch *w = arg;
	int64_t now = ahead_ms(), jump = now - w->ahead_ms;

	sk_loop_set_timer(w->timer, LOOK_MS);
	if (jump > -JUMP_MS && jump < JUMP_MS)
		return;
	w->ahead_ms = now;
	w->set(w->arg);
}

int sk_clock_watch_new(struct sk_loop *loop, sk_loop_cb set, void *arg, struct sk_clock_watch **ret)
{
	struct sk_clock_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct sk_clock_watch){ .ahead_ms = ahead_ms(), .set = set, .arg = arg };
	w->timer = sk_loop_add_timer(loop, LOOK_MS, on_timer, w);
	if (!w->timer) {
		free(w);
		return -ENOMEM;
	}
	*ret = w;
	return 0;
}

void sk_clock_watch_free(struct sk_clock_watch *w)
{
	if (!w)
		return;
	sk_loop_remove(w->timer);
	free(w);
}
