/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_BOOT_H
#define SK_AGENT_BOOT_H

#include "agent.h"
#include "base/error.h"
#include "proto/message.h"

/* What PID 1 has to do before anything else can run: root mount, kernel file systems, control groups, console. */
void sk_boot_early(void);
void sk_boot_mounts(void);
/* Kernel parameters that Linux derives from the machine's memory, as a host has them. */
void sk_boot_parameters(void);
/* True when /sys/fs/cgroup is version 2; hands all its controllers down. */
bool sk_boot_cgroups(void);

/* The setup request: clock, host name, entropy, sysctls, network. */
int sk_setup(const struct sk_agent *agent, const struct sk_msg *request, struct sk_error *err);
int sk_setup_clock(const struct sk_time *time, struct sk_error *err);
/* Adds nanoseconds to the clock. */
int sk_adjust_clock(int64_t ns, struct sk_error *err);
/* Writes /proc/sys; keys with dots. */
int sk_setup_sysctl(const json_t *sysctl, struct sk_error *err);

/* setup.c: "network" of setup, or of the request of that name. */
int sk_net_apply(const struct sk_agent *agent, const struct sk_network_spec *network, struct sk_error *err);
/* interfaces.c: several interfaces, of which some may have come or gone since the last time. */
int sk_net_interfaces(const struct sk_network_spec *network, struct sk_error *err);
/* dns.c: carries questions to 127.0.0.11 to the monitor. Once. */
void sk_dns_start(const struct sk_uplink *uplink);

/* net.c: lo up; then eth0 as told. `net` NULL: lo only. */
int sk_net_setup(const struct sk_network_spec *net, struct sk_error *err);

#endif
