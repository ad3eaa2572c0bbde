/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_CARRY_H
#define SK_AGENT_CARRY_H

#include "base/loop.h"

/*
 * Two connected sockets whose bytes go from each to the other, in both directions and independently of each other: the
 * end of one is passed on as the end of that direction only, so that half-open connections work. Where one side is gone
 * for good, all ends.
 *
 * Takes both sockets, also on failure (negative errno). It belongs to itself and frees itself with its end, just after
 * `done` (may be NULL), which comes from the loop.
 */
int sk_carry(struct sk_loop *loop, int take_a, int take_b, void (*done)(void *arg), void *arg);

#endif
