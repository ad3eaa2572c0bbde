/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_PORTS_H
#define SK_MODEL_PORTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "model/xmem.h"

/*
 * Published ports: -p [[ip:]host[-range]:]container[-range][/proto]. In config.json they are docker's maps:
 * HostConfig.PortBindings {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]} is what was asked for ("" or "0": any port),
 * NetworkSettings.Ports the same with what was given.
 */
struct sk_port {
	bool udp;
	char host_ip[46];   /* "" : all addresses */
	uint16_t host_port; /* 0: any */
	uint16_t host_end;  /* any free one of host_port..host_end (when it is greater) */
	uint16_t guest_port;
};

struct sk_ports {
	struct sk_port *v;
	size_t n;
};
void sk_ports_fini(struct sk_ports *ports);

/* Appends the ports of one -p. -EINVAL with docker's words in `why` (256 bytes). */
int sk_ports_parse(struct sk_ports *ports, const char *spec, char *why);
/* --expose 80[-90][/proto]: keys "80/tcp" into `exposed`. */
int sk_ports_parse_expose(struct sk_strv *exposed, const char *spec, char *why);
/* "80/tcp" */
int sk_ports_parse_key(const char *key, uint16_t *ret_port, bool *ret_udp);

/* Gives every port without a host port a free one of this host, and takes one of its range where it has one. TCP ports
 * on all addresses get a twin on "::" where the host has IPv6. -EADDRINUSE. */
int sk_ports_assign(struct sk_ports *ports, struct sk_error *err);

/* A copy to assign. */
void sk_ports_copy(const struct sk_ports *ports, struct sk_ports *ret);
/* To and from docker's map (see above). `given`: as NetworkSettings.Ports, where no address is 0.0.0.0. */
json_t *sk_ports_to_bindings(const struct sk_ports *ports, bool given);
void sk_ports_from_bindings(struct sk_ports *ports, const json_t *bindings);
/* vm.json's network.forwards; needs host ports. */
json_t *sk_ports_to_forwards(const struct sk_ports *ports);
/* The PORTS column of ps: "0.0.0.0:8080->80/tcp, 443/tcp", neighbours joined. `ports`: NetworkSettings.Ports. malloc'd.
 */
char *sk_ports_display(const json_t *ports);

#endif
