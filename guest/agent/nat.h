/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_NAT_H
#define SK_AGENT_NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Leads a port of the guest on to a container's, with the image's iptables: see nat.c. */
struct sk_nat_rule {
	bool udp;
	const char *guest_ip; /* IPv4 */
	uint16_t guest_port;
	const char *container_ip; /* IPv4 */
	uint16_t container_port;
};

/* Adds the rule in this process's name. */
int sk_nat_add(const struct sk_nat_rule *rule, struct sk_error *err);
void sk_nat_remove(const struct sk_nat_rule *rule);
/* Mends what others have done to the rules, and removes those of processes that are no more. */
void sk_nat_tidy(const struct sk_nat_rule *rule);

#endif
