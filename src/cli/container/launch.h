/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_LAUNCH_H
#define SK_CLI_LAUNCH_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/container/attach.h"
#include "cli/cli.h"

/* Starting containers, attached or not: what run, start, restart and attach share. */

/* Signals that would end us: from here on they wait for the attached client, which acts on them with the container in
 * mind. */
void sk_launch_hold_signals(void);
/* Boots and starts; returns when the container's process runs. `*ret_code` on failure: 125, 126, 127. */
int sk_launch_detached(struct sk_cli *cli, const char *id, json_t *config, int *ret_code, struct sk_error *err);

struct sk_run_launch {
	bool stdin_open, stdout_open, stderr_open; /* attach which */
	bool owner;				   /* the container ends with us */
	bool boot;				   /* boot and start it; else it runs */
	bool sig_proxy;
	const char *detach_keys;
	int failed; /* exit code where it cannot be started; 0: 125, 126, 127 */
};
/* Boots where asked, attaches, and stays until the end. Returns the exit code of the command; errors are printed. */
int sk_launch_attached(struct sk_cli *cli, const char *id, json_t *config, const struct sk_run_launch *launch);
/* After sk_attach_run(): prints the error, if any, and returns the exit code. */
int sk_launch_end(const struct sk_attach_result *result, int r, const struct sk_error *err, const char *name);

#endif
