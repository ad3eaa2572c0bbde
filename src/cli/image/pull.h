/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_PULL_H
#define SK_CLI_PULL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/cli.h"
#include "model/options.h"

struct sk_pull {
	const char *ref;
	bool quiet;
	bool to_stderr; /* run and create keep stdout for the container */
	struct sk_pull_options options;
};

/* Pulls with docker's words around it. `*ret_id` (may be NULL): the image id. */
int sk_pull(struct sk_cli *cli, const struct sk_pull *pull, char **ret_id, struct sk_error *err);
/* "Unable to find image 'x:latest' locally" */
void sk_pull_announce_missing(const char *ref);
/* Until the end of the program: SIGINT, SIGTERM and SIGHUP end the operation on the store, which leaves nothing half
 * done. */
void sk_pull_cancel_on_signals(struct sk_store *store);
/* "x" → "x:latest"; names with a tag or digest stay. malloc'd. */
char *sk_pull_with_tag(const char *ref);

/*
 * Progress of pull, load and import. On a terminal one line for each step, drawn again in place at most ten times a
 * second; else a line when a step is seen first and one when it is done.
 */
#define SK_BARS_MAX 128
struct sk_bars {
	FILE *out;
	bool tty, silent;
	unsigned n, drawn; /* drawn: lines on the screen */
	uint64_t last_ms;
	struct sk_bar {
		char what[40];
		uint64_t done, total;
		bool announced;
	} v[SK_BARS_MAX];
};
void sk_bars_init(struct sk_bars *bars, FILE *out, bool silent, struct sk_progress *ret_progress);
/* Draws the last state. */
void sk_bars_finish(struct sk_bars *bars);

/* Image of run and create: found, or pulled as --pull says. Exit code for the caller is 125 on failure. */
int sk_create_find_image(struct sk_cli *cli, const struct sk_run_opts *opts, const char *ref, struct sk_image **ret,
			 struct sk_error *err);

#endif
