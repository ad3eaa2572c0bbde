/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_TAP_H
#define SK_AGENT_TAP_H

#include "base/error.h"
#include "base/loop.h"
#include "uplink.h"

/*
 * Makes eth0 as a tap and opens the stream that its frames come and go on (base/packet.h); see tap.c. It belongs to itself
 * from then on: eth0 is there until the stream ends.
 */
int sk_tap_start(struct sk_loop *loop, const struct sk_uplink *uplink, const struct sk_token *token,
		 const uint8_t mac[6], struct sk_error *err);
/* The same with descriptors that are there already, which are taken: of frames, one with each read() and write(), and of
 * the stream. `done` (may be NULL) comes when it has ended. -ENOMEM and the like. */
int sk_tap_pump(struct sk_loop *loop, int take_tap, int take_stream, void (*done)(void *arg), void *arg);

#endif
