/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_UPLINK_H
#define SK_AGENT_UPLINK_H

#include "proto/parts.h"

/*
 * How the agent reaches the monitor: AF_VSOCK to the host (CID 2), or, in tests on a host, unix sockets named
 * "<prefix>_<port>".
 */
struct sk_uplink {
	const char *unix_prefix; /* NULL: AF_VSOCK */
};

/* Connects, blocking (a vsock connect is one round trip to the device; two seconds at most). A CLOEXEC descriptor or
 * negative errno. */
int sk_uplink_connect(const struct sk_uplink *uplink, unsigned port);
/* Connects to the stream port and sends the token. The descriptor is left blocking. */
int sk_uplink_stream(const struct sk_uplink *uplink, const struct sk_token *token);

#endif
