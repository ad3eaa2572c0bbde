/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_CLI_RUNOPTS_H
#define SK_CLI_RUNOPTS_H

#include "cli/flags.h"
#include "model/options.h"

extern const struct sk_opt sk_run_opts[];    /* run */
extern const struct sk_opt sk_create_opts[]; /* create */
void sk_run_opts_defaults(void *opts);
/* Tells which of the options that were given have no effect. */
void sk_run_opts_warn(const struct sk_strv *idle);

/* Checks of single values that several tables use (struct sk_opt's `check`). */
int sk_check_env(const char *value, char *why);
int sk_check_label(const char *value, char *why);
int sk_check_signal(const char *value, char *why);
int sk_check_restart(const char *value, char *why);

#endif
