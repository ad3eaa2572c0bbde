/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_OUTPUT_H
#define SK_CLI_OUTPUT_H

#include "base/error.h"

/*
 * Where save and export write. `file` NULL: standard output, which must not be a terminal. A regular file appears, for its
 * owner alone (0600), when it is whole, and replaces one of that name; a FIFO is written into; devices are refused.
 * `write` fills the descriptor, which it only borrows.
 */
int sk_cli_output(const char *file, int (*write)(void *arg, int fd, struct sk_error *err), void *arg,
		  struct sk_error *err);

#endif
