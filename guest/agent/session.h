/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_SESSION_H
#define SK_AGENT_SESSION_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "request.h"

/*
 * The control channel: frames in, requests out to `handle`; replies and events back.
 *
 * A frame that breaks the protocol, more unsent bytes than SK_SESSION_OUT_MAX, or the end of the connection end the
 * session: `gone` is called once, and everything that is sent later is dropped. A request that is merely wrong is
 * answered with an error.
 */
#define SK_SESSION_OUT_MAX (8u * 1024u * 1024u)

struct sk_session;

struct sk_session_ops {
	/* Owns `req` (sk_request_fini) from here on. */
	void (*handle)(void *arg, struct sk_request *take_req);
	void (*gone)(void *arg);
};

/* Takes `take_fd`. */
int sk_session_new(struct sk_loop *loop, int take_fd, const struct sk_session_ops *ops, void *arg,
		   struct sk_session **ret_session);
void sk_session_free(struct sk_session *session);
/* Replies to request `id`; takes `take_fields` (may be NULL). */
void sk_session_reply(struct sk_session *session, uint64_t id, json_t *take_fields);
/* `exit_code` 0: none to tell. */
void sk_session_fail(struct sk_session *session, uint64_t id, const struct sk_error *err, int exit_code);
/* Sends an event; takes `take_event`. */
void sk_session_event(struct sk_session *session, json_t *take_event);
/* Waits until all is sent, but not longer than `ms`. */
void sk_session_flush(struct sk_session *session, int ms);

#endif
