/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_FORWARD_H
#define SK_AGENT_FORWARD_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/loop.h"

/*
 * Passes what comes to a socket of the guest on to a container, as docker-proxy does: where iptables cannot (forward.c).
 * It lives as long as the process. Takes `fd`, a bound socket, also on failure (negative errno).
 */
int sk_forward(struct sk_loop *loop, bool udp, int take_fd, const struct sockaddr *to, socklen_t len);

#endif
