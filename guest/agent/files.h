/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_FILES_H
#define SK_AGENT_FILES_H

#include "container.h"

/* stat, get, put and ps: jobs that look into a container. Each takes the request and replies when it is done. */
void sk_files_start(struct sk_agent_container *c, struct sk_msg *take_req);

#endif
