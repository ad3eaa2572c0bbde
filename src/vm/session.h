/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_SESSION_H
#define SK_VM_SESSION_H

#include "base/loop.h"
#include "proto/message.h"
#include "virtio/stream.h"

/*
 * The control connection to the agent of one guest: requests and their answers, events. Nothing here knows what they
 * mean. The session exists before the agent connects; requests fail until then.
 */
struct sk_session;

struct sk_session_events {
	/* The agent speaks our protocol; its kernel's version is plain text. Once. */
	void (*hello)(void *arg, const char *kernel);
	/* Any other event of the protocol. */
	void (*event)(void *arg, const struct sk_msg *event);
	/* The session is of no use any more; `why` is for people. May be called again. */
	void (*lost)(void *arg, const char *why);
};

/* The answer; NULL: the session has ended. What it points to is valid during the call. */
typedef void (*sk_reply_cb)(void *arg, const struct sk_reply *reply);

/* Waits for the agent on the carrier's port. -ENOMEM, -EADDRINUSE. */
int sk_session_new(struct sk_loop *loop, struct sk_carrier *carrier, const struct sk_session_events *events, void *arg,
		   struct sk_session **ret_session);
/* Sends `request` to the agent. `cb` (may be NULL) is called once, with the answer; not when this fails. -ENOTCONN;
 * -EINVAL, -EILSEQ: the request is out of the protocol's bounds (logged). */
int sk_session_request(struct sk_session *session, const struct sk_msg *request, sk_reply_cb cb, void *arg);
/* Calls back whoever waits for an answer; requests that they make then fail. Not from inside a callback of the session.
 * Accepts NULL. */
void sk_session_free(struct sk_session *session);

#endif
