/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_SESSION_H
#define SK_AGENT_SESSION_H

#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "proto/message.h"

/*
 * The control channel: frames in, requests out to `handle`; replies and events back.
 *
 * A frame that breaks the protocol, more unsent bytes than SK_SESSION_OUT_MAX, or the end of the connection end the
 * session: `gone` is called once, and everything that is sent later is dropped. A request that is merely wrong is
 * answered with an error.
 */
#define SK_SESSION_OUT_MAX (8u * 1024u * 1024u)

struct sk_agent_session;

struct sk_session_ops {
	/* Owns `take_req` (sk_msg_fini) from here on. */
	void (*handle)(void *arg, struct sk_msg *take_req);
	void (*gone)(void *arg);
};

/* Takes `take_fd`. */
int sk_session_new(struct sk_loop *loop, int take_fd, const struct sk_session_ops *ops, void *arg,
		   struct sk_agent_session **ret_session);
void sk_session_free(struct sk_agent_session *session);
/* Answers a request; `reply` (NULL: nothing but that) has its fields, and gets the rest here. */
void sk_session_reply(struct sk_agent_session *session, const struct sk_msg *req, struct sk_reply *reply);
/* `exit_code` 0: none to tell. */
void sk_session_fail(struct sk_agent_session *session, uint64_t id, const struct sk_error *err, int exit_code);
void sk_session_event(struct sk_agent_session *session, const struct sk_msg *event);
/* Waits until all is sent, but not longer than `ms`. */
void sk_session_flush(struct sk_agent_session *session, int ms);

#endif
