/* SPDX-License-Identifier: Apache-2.0 */
#include "waiting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Requests that may wait for one container. */
#define WAITING_MAX 64

void sk_waiting_add(struct sk_agent *agent, struct sk_msg *take_req)
{
	struct sk_waiting **link = &agent->waiting, *w;
	struct sk_error err = SK_ERROR_INIT;
	unsigned n = 0;

	for (; *link; link = &(*link)->next)
		n += strcmp((*link)->req.container, take_req->container) == 0;
	w = n < WAITING_MAX ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		sk_error_set(&err, EBUSY, "container %s is busy", take_req->container);
		sk_session_fail(agent->session, take_req->id, &err, 0);
		sk_msg_fini(take_req);
		return;
	}
	w->req = *take_req;
	*link = w;
}

void sk_waiting_retry(struct sk_agent *agent)
{
	agent->retry_due = agent->waiting != NULL;
	if (agent->retry_due)
		sk_loop_trigger(agent->retry);
}

bool sk_waiting_due(const struct sk_agent *agent, const char *container)
{
	const struct sk_waiting *w = agent->retry_due ? agent->waiting : NULL;

	while (w && strcmp(w->req.container, container) != 0)
		w = w->next;
	return w != NULL;
}

struct sk_waiting *sk_waiting_take(struct sk_agent *agent)
{
	struct sk_waiting *w = agent->waiting;

	agent->waiting = NULL;
	agent->retry_due = false;
	return w;
}
