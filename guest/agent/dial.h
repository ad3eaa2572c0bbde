/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_DIAL_H
#define SK_AGENT_DIAL_H

#include "agent.h"

/* Request "connect": connects to an address of the guest's, and carries the bytes over a stream, see dial.c. Owns the
 * request; replies when the connection is there, or with the errno of connect(2). */
void sk_dial(struct sk_agent *agent, struct sk_msg *take_req);

#endif
