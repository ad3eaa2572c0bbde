/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that outlive the program that closed them. A VM may end with its container's first program, and what
 * that wrote last is then still in this kernel's queues, which go with it.
 */
#include "linger.h"

#include <stdio.h>

#include "base/cleanup.h"

/* States of include/net/tcp_states.h in which a closed socket has data, or its end, to send. */
#define TCP_FIN_WAIT1 4u
#define TCP_LAST_ACK 9u
#define TCP_CLOSING 11u

static bool has_unsent(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[512];
	unsigned state;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %x", &state) == 1 &&
		    (state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK || state == TCP_CLOSING))
			return true;
	return false;
}

bool sk_linger_wanted(void)
{
	return has_unsent("/proc/net/tcp") || has_unsent("/proc/net/tcp6");
}
