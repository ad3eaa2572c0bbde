/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_PUMP_H
#define SK_AGENT_PUMP_H

#include <stdbool.h>

#include "base/loop.h"

/*
 * One direction of one stdio stream: moves bytes from one descriptor to another until the first ends.
 *
 * Lifecycle: a pump belongs to itself. It frees itself, with both descriptors, when it is done, and calls `done` just
 * before: the only moment at which a holder has to forget its pointer.
 *  - end of `from` (read 0, or EIO of a terminal whose last user went): what is buffered is written, then `to` is
 * closed (a socket by half-close first).
 *  - `to` is broken: an output pump goes on reading and throws away, so that the program does not stall or get SIGPIPE
 * because nobody listens; an input pump ends.
 *  - sk_pump_drain(): the program has exited: end as soon as `from` has had nothing for a moment, even though some
 *    background child still holds the other end. Nothing that is in the pipe is lost, and a slow reader is waited for.
 */
struct sk_pump;

enum sk_pump_kind {
	SK_PUMP_OUTPUT, /* program → socket */
	SK_PUMP_INPUT,	/* socket → program */
};

/* Takes both descriptors, also on failure (NULL, errno set). They become non-blocking. */
struct sk_pump *sk_pump_new(struct sk_loop *loop, enum sk_pump_kind kind, int take_from, int take_to,
			    void (*done)(void *arg, struct sk_pump *pump), void *arg);
void sk_pump_drain(struct sk_pump *pump);
/* Nobody asks about it any more: it drains and ends by itself, without calling `done`. NULL is allowed. */
void sk_pump_detach(struct sk_pump *pump);
/* Ends at once; `done` is called. NULL is allowed. */
void sk_pump_stop(struct sk_pump *pump);

#endif
