/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that there are not on Windows, and why. */
#include "cli/commands.h"

#define NOT(command, why) const struct sk_command command = { .name = #command, .refused = (why) }

#define NEEDS_SKOPEO "it needs skopeo, which there is for Windows in no package; \"skerry load\" reads archives"
#define NO_MACHINES "VMs on Windows have no further disks yet, which a machine needs"

NOT(sk_cmd_pull, NEEDS_SKOPEO);
NOT(sk_cmd_machine_cp, NO_MACHINES);
NOT(sk_cmd_machine_default, NO_MACHINES);
NOT(sk_cmd_machine_init, NO_MACHINES);
NOT(sk_cmd_machine_inspect, NO_MACHINES);
NOT(sk_cmd_machine_logs, NO_MACHINES);
NOT(sk_cmd_machine_ls, NO_MACHINES);
NOT(sk_cmd_machine_reset, NO_MACHINES);
NOT(sk_cmd_machine_restart, NO_MACHINES);
NOT(sk_cmd_machine_rm, NO_MACHINES);
NOT(sk_cmd_machine_set, NO_MACHINES);
NOT(sk_cmd_machine_ssh, NO_MACHINES);
NOT(sk_cmd_machine_start, NO_MACHINES);
NOT(sk_cmd_machine_stop, NO_MACHINES);
