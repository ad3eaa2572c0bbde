/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_ABSENT_H
#define SK_CLI_ABSENT_H

/* What a user of docker does here instead of its command `name`, in a sentence without its end; NULL: docker has no
 * such command, or Skerry has it. */
const char *sk_cli_instead_of(const char *name);

#endif
