/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_SERVICES_H
#define SK_AGENT_SERVICES_H

#include "base/error.h"
#include "proto/message.h"
#include "uplink.h"

/* A mount of type "services": makes the sockets of SK_SERVICES_DIR in `dir` and starts the process that serves them, see
 * services.c. For a job's child: the process becomes the agent's. */
int sk_services_start(const struct sk_uplink *uplink, const struct sk_token *token, const char *dir,
		      struct sk_error *err);

#endif
