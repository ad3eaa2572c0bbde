/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_CLOCK_WATCH_H
#define SK_VM_CLOCK_WATCH_H

#include "base/loop.h"

/* Tells when the host's clock has been set: by hand, or by the system after it has slept. Each system's own. */
struct sk_clock_watch;

int sk_clock_watch_new(struct sk_loop *loop, sk_loop_cb set, void *arg, struct sk_clock_watch **ret);
/* Accepts NULL. */
void sk_clock_watch_free(struct sk_clock_watch *watch);

#endif
