/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_NETNS_NAMES_H
#define SK_VM_NETNS_NAMES_H

#include "base/loop.h"
#include "virtio/stream.h"

/* Questions of the guest to docker's name server, which listens on 127.0.0.11 in the network namespace of this process. */
struct sk_netns_names;

/* Listens on the ports of `carrier`. NULL: no memory. */
struct sk_netns_names *sk_netns_names_new(struct sk_loop *loop, struct sk_carrier *carrier);
/* Accepts NULL. */
void sk_netns_names_free(struct sk_netns_names *names);

#endif
