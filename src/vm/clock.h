/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_VM_CLOCK_H
#define SKERRY_VM_CLOCK_H

struct sk_monitor;

/* Has the guest's clock agree with the host's, which it has been told roughly. Returns at once. */
void sk_clock_sync(struct sk_monitor *m);

#endif
