/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_NETWORK_SLIRP_H
#define SK_VM_NETWORK_SLIRP_H

#include "vm/network.h"

/* What is the same for a network of libslirp, whatever carries the guest's frames to it. The configuration's arrays are
 * borrowed. */
struct sk_slirp_config sk_network_slirp_config(const struct sk_network_config *config);
/* Addresses and MTU; as `describe` of a back end. */
int sk_network_slirp_describe(struct sk_network *network, struct sk_network_spec *ret);

#endif
