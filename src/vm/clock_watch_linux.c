/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/clock_watch.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

struct sk_clock_watch {
	int fd;
	struct sk_source *source;
	sk_loop_cb set;
	void *arg;
};

/* A timer that never ends, but is cancelled when the clock is set. */
static void arm(int fd)
{
	struct itimerspec never = { .it_value.tv_sec = INT32_MAX };

	if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0 && errno != ECANCELED)
		sk_log(SK_LOG_WARN, "the host's clock cannot be watched: %s", strerror(errno));
}

static void on_timer(void *arg, int fd, unsigned events)
{
	const struct sk_clock_watch *w = arg;
	uint64_t ticks;

	(void)events;
	if (read(fd, &ticks, sizeof(ticks)) < 0 && errno == EAGAIN)
		return;
	arm(fd);
	w->set(w->arg);
}

int sk_clock_watch_new(struct sk_loop *loop, sk_loop_cb set, void *arg, struct sk_clock_watch **ret)
{
	struct sk_clock_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct sk_clock_watch){ .set = set, .arg = arg };
	w->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	w->source = w->fd < 0 ? NULL : sk_loop_add_fd(loop, w->fd, SK_LOOP_READ, on_timer, w);
	if (!w->source) {
		sk_clock_watch_free(w);
		return -ENOMEM;
	}
	arm(w->fd);
	*ret = w;
	return 0;
}

void sk_clock_watch_free(struct sk_clock_watch *w)
{
	if (!w)
		return;
	sk_loop_remove(w->source);
	sk_close_fd(&w->fd);
	free(w);
}
