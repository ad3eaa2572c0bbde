/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_WAITING_H
#define SK_AGENT_WAITING_H

#include "agent.h"

/*
 * Requests that have to wait until their container is not busy, in the order in which they came. What ends a wait asks
 * for a retry; the dispatcher (ops.c) then takes all of them and handles them again, when no other callback is running.
 * Until it has, further requests for the same containers queue up behind.
 */
struct sk_waiting {
	struct sk_waiting *next;
	struct sk_msg req;
};

/* Takes the request; one too many for its container is answered with an error. */
void sk_waiting_add(struct sk_agent *agent, struct sk_msg *take_req);
void sk_waiting_retry(struct sk_agent *agent);
/* True if a retry is due that will handle an earlier request for this container. */
bool sk_waiting_due(const struct sk_agent *agent, const char *container);
/* For the dispatcher: the list, which is the caller's now, oldest first. */
struct sk_waiting *sk_waiting_take(struct sk_agent *agent);

#endif
