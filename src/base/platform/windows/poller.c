/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop waits with WSAPoll: for sockets, which is all that has a readiness on this system (pipes of ours are sockets).
 * The list of sockets is handed over whole each time: meant for the hundred that a program of ours has, not thousands.
 * An edge is not to be had (-EOPNOTSUPP).
 */
#include <errno.h>

#include "base/loop_internal.h"
#include "base/platform/windows/system.h"

struct sk_poller {
	WSAPOLLFD *polled;
	struct entry {
		int fd;
		struct sk_source *source;
	} * entries;
	unsigned n, cap;
	unsigned next; /* where the answer begins to be read, so that none is starved */
};

uint64_t sk_now_ms(void)
{
	ULONGLONG t;

	QueryUnbiasedInterruptTime(&t);
	return t / 10000;
}

int sk_poller_new(struct sk_poller **ret_poller)
{
	*ret_poller = calloc(1, sizeof(**ret_poller));
	return *ret_poller ? 0 : -ENOMEM;
}

void sk_poller_free(struct sk_poller *p)
{
	free(p->polled);
	free(p->entries);
	free(p);
}

static short to_poll(unsigned events)
{
	return (short)((events & SK_LOOP_READ ? POLLRDNORM : 0) | (events & SK_LOOP_WRITE ? POLLWRNORM : 0));
}

static int grow(struct sk_poller *p)
{
	unsigned cap = p->cap ? 2 * p->cap : 16;
	WSAPOLLFD *polled = realloc(p->polled, cap * sizeof(*polled));
	struct entry *entries;

	if (!polled)
		return -ENOMEM;
	p->polled = polled;
	entries = realloc(p->entries, cap * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	p->entries = entries;
	p->cap = cap;
	return 0;
}

int sk_poller_add(struct sk_poller *p, int fd, unsigned events, struct sk_source *source)
{
	SOCKET s = sk_win_socket(fd);

	if (s == INVALID_SOCKET)
		return errno == ENOTSOCK ? -EPERM : -errno;
	if (events & SK_LOOP_EDGE)
		return -EOPNOTSUPP;
	if (p->n == p->cap && grow(p) < 0)
		return -ENOMEM;
	p->polled[p->n] = (WSAPOLLFD){ .fd = s, .events = to_poll(events) };
	p->entries[p->n++] = (struct entry){ fd, source };
	return 0;
}

static unsigned find(const struct sk_poller *p, int fd)
{
	unsigned i;

	for (i = 0; i < p->n && p->entries[i].fd != fd; i++)
		;
	return i;
}

int sk_poller_set(struct sk_poller *p, int fd, unsigned events, struct sk_source *source)
{
	unsigned i = find(p, fd);

	(void)source;
	if (i == p->n)
		return -ENOENT;
	if (events & SK_LOOP_EDGE)
		return -EOPNOTSUPP;
	p->polled[i].events = to_poll(events);
	return 0;
}

void sk_poller_remove(struct sk_poller *p, int fd)
{
	unsigned i = find(p, fd);

	if (i == p->n)
		return;
	p->n--;
	p->polled[i] = p->polled[p->n];
	p->entries[i] = p->entries[p->n];
}

int sk_poller_wait(struct sk_poller *p, struct sk_ready *ret, int max, int timeout_ms)
{
	unsigned i;
	int n = 0;

	if (p->n == 0) {
		SleepEx(timeout_ms < 0 ? INFINITE : (DWORD)timeout_ms, FALSE);
		return 0;
	}
	if (WSAPoll(p->polled, p->n, timeout_ms) == SOCKET_ERROR)
		return -sk_win_errno((unsigned long)WSAGetLastError());
	for (i = 0; i < p->n && n < max; i++) {
		unsigned k = (p->next + i) % p->n, events = 0;
		short is = p->polled[k].revents;

		if (is & POLLRDNORM)
			events |= SK_LOOP_READ;
		if (is & POLLWRNORM)
			events |= SK_LOOP_WRITE;
		if (is & (POLLHUP | POLLERR | POLLNVAL))
			events |= SK_LOOP_HANGUP;
		if (is & (POLLERR | POLLNVAL))
			events |= SK_LOOP_ERROR;
		if (events)
			ret[n++] = (struct sk_ready){ p->entries[k].source, events };
	}
	p->next = p->n ? (p->next + i) % p->n : 0;
	return n;
}
