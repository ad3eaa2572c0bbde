/* SPDX-License-Identifier: Apache-2.0 */
/* The loop waits with epoll. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/loop_internal.h"

#define SK_POLLER_BATCH 32

struct sk_poller {
	int epfd;
};

uint64_t sk_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int sk_poller_new(struct sk_poller **ret_poller)
{
	struct sk_poller *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (p->epfd < 0) {
		int r = -errno;

		free(p);
		return r;
	}
	*ret_poller = p;
	return 0;
}

void sk_poller_free(struct sk_poller *p)
{
	close(p->epfd);
	free(p);
}

static uint32_t to_epoll(unsigned events)
{
	return (events & SK_LOOP_READ ? EPOLLIN : 0u) | (events & SK_LOOP_WRITE ? EPOLLOUT : 0u) |
	       (events & SK_LOOP_EDGE ? EPOLLET : 0u);
}

static int control(struct sk_poller *p, int op, int fd, unsigned events, struct sk_source *source)
{
	struct epoll_event ev = { .events = to_epoll(events), .data.ptr = source };

	return epoll_ctl(p->epfd, op, fd, &ev) < 0 ? -errno : 0;
}

int sk_poller_add(struct sk_poller *p, int fd, unsigned events, struct sk_source *source)
{
	return control(p, EPOLL_CTL_ADD, fd, events, source);
}

int sk_poller_set(struct sk_poller *p, int fd, unsigned events, struct sk_source *source)
{
	return control(p, EPOLL_CTL_MOD, fd, events, source);
}

void sk_poller_remove(struct sk_poller *p, int fd)
{
	epoll_ctl(p->epfd, EPOLL_CTL_DEL, fd, NULL);
}

int sk_poller_wait(struct sk_poller *p, struct sk_ready *ret, int max, int timeout_ms)
{
	struct epoll_event ev[SK_POLLER_BATCH];
	int i, n = epoll_wait(p->epfd, ev, max < SK_POLLER_BATCH ? max : SK_POLLER_BATCH, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (i = 0; i < n; i++) {
		unsigned events = 0;

		if (ev[i].events & EPOLLIN)
			events |= SK_LOOP_READ;
		if (ev[i].events & EPOLLOUT)
			events |= SK_LOOP_WRITE;
		if (ev[i].events & (EPOLLHUP | EPOLLERR))
			events |= SK_LOOP_HANGUP;
		if (ev[i].events & EPOLLERR)
			events |= SK_LOOP_ERROR;
		ret[i] = (struct sk_ready){ ev[i].data.ptr, events };
	}
	return n;
}
