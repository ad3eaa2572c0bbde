/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_MACHINE_NETAVARK_H
#define SK_AGENT_MACHINE_NETAVARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* `netavark`, in front of podman's own: see machine_netavark.c. Returns the exit code. */
int sk_machine_netavark_main(int argc, char **argv);

/* --- parts, for the tests */

#define SK_NETAVARK_PORTS_MAX 4096u /* the host's limit for a machine */

/* A port that a container wants on the host. Strings belong to the caller's text. */
struct sk_netavark_port {
	const char *proto, *host_ip, *container_ip;
	uint16_t host_port, container_port;
};
struct sk_netavark_request {
	char container[129]; /* the container's id */
	struct sk_netavark_port *ports;
	size_t n;
	void *json; /* what the strings lie in */
};
/* Reads what podman says to netavark. -EINVAL with the message: it is not that, or what it asks for is out of bounds. */
int sk_netavark_parse(const char *text, size_t len, struct sk_netavark_request *ret, struct sk_error *err);
void sk_netavark_request_fini(struct sk_netavark_request *request);

#endif
