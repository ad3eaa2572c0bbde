/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_VM_SIM_H
#define SK_TESTS_VM_SIM_H

#include <stdint.h>

#include "base/loop.h"

/*
 * base/loop.h under a simulated clock: a program that is linked with this has no other loop. Descriptors are real and
 * looked at without waiting; time passes only when the test says so, or when nothing else is left to do, and then to
 * the next timer at once. Days take as long as what is done in them.
 */

/* sk_loop_run() calls this once, from outside of any callback; then it runs until sk_loop_quit(). */
void sim_set_script(void (*script)(struct sk_loop *loop));
void sim_set_now(uint64_t ms);
/* Calls what is ready, until nothing more is. Fails the test when that does not come to an end. */
void sim_settle(struct sk_loop *loop);
/* The same, and all that is due in the next `ms`, in its order. */
void sim_pass(struct sk_loop *loop, uint64_t ms);

#endif
