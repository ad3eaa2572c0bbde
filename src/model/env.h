/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_ENV_H
#define SK_MODEL_ENV_H

#include "base/error.h"
#include "model/xmem.h"

/* Environments and labels: lists of KEY=VALUE. */

/* Sets KEY=VALUE in `env`, in the place of an older one of the same name. A bare KEY takes its name away. */
void sk_env_set(struct sk_strv *env, const char *entry);
/* All of `from`, in order. */
void sk_env_merge(struct sk_strv *env, const struct sk_strv *from);
/* The value, NULL if not set. */
const char *sk_env_get(const struct sk_strv *env, const char *name);

/* What each process of a container has, whatever its image says; before all else. */
void sk_env_base(struct sk_strv *env, const char *hostname, bool tty);

/* -e KEY=VALUE, or -e KEY: with the value that Skerry itself has, or to take it away. */
void sk_env_add_option(struct sk_strv *env, const char *entry);
/* Docker's --env-file: KEY=VALUE a line (taken as it is), KEY (value from our own environment, or left out), '#'
 * comments. `labels`: --label-file, where a bare KEY has an empty value. */
int sk_env_read_file(struct sk_strv *env, const char *path, bool labels, struct sk_error *err);

#endif
