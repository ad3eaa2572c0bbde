/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_CLOCK_H
#define SK_VM_CLOCK_H

#include "base/loop.h"
#include "vm/session.h"

/* Keeps a guest's clock with the host's, which the guest has been told roughly when it was set up. */
struct sk_clock;

/* Watches the host's clock. -ENOMEM. */
int sk_clock_new(struct sk_loop *loop, struct sk_session *session, struct sk_clock **ret_clock);
/* The guest is set up: from now on it is told. */
void sk_clock_begin(struct sk_clock *clock);
/* Accepts NULL. */
void sk_clock_free(struct sk_clock *clock);

#endif
