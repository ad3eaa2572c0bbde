/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
static int cmd_cp(struct sk_cli *cli, void *opts, int argc, char **argv) { (void)cli; (void)opts; (void)argc; (void)argv; return 1; }
const struct sk_command sk_cmd_cp = { .name = "cp", .args = "", .summary = "", .min = 2, .max = 2, .run = cmd_cp };
