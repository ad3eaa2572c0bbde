/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_MACHINE_HOST_H
#define SK_AGENT_MACHINE_HOST_H

#include "base/error.h"
#include "proto/message.h"

/* Requests of programs in a machine to the host, by the socket `control` of /run/host-services (docs/protocols.md). */

/* Connects; what is asked for lasts as long as the connection. */
int sk_machine_host_connect(struct sk_error *err);
/* Sends `msg` and waits for the answer, six seconds at most. 0 with the answer in `ret`, which may be a refusal, for
 * sk_reply_fini(). */
int sk_machine_host_ask(int fd, const struct sk_msg *msg, struct sk_reply *ret, struct sk_error *err);

#endif
