/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_LOOP_INTERNAL_H
#define SK_BASE_LOOP_INTERNAL_H

#include "base/loop.h"

/*
 * What a platform gives the loop: waiting for descriptors. Events are those of loop.h. Functions return 0 or a negative
 * errno.
 */
struct sk_poller;

struct sk_ready {
	struct sk_source *source; /* as it was added */
	unsigned events;
};

int sk_poller_new(struct sk_poller **ret_poller);
void sk_poller_free(struct sk_poller *p);
int sk_poller_add(struct sk_poller *p, int fd, unsigned events, struct sk_source *source);
int sk_poller_set(struct sk_poller *p, int fd, unsigned events, struct sk_source *source);
void sk_poller_remove(struct sk_poller *p, int fd);
/* Waits `timeout_ms` at most (-1: for ever). How many of `ret` are set; 0 also where a signal came between. */
int sk_poller_wait(struct sk_poller *p, struct sk_ready *ret, int max, int timeout_ms);

#endif
