/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_VOLUME_H
#define SK_AGENT_VOLUME_H

#include <jansson.h>

#include "base/error.h"

/* Copies what the image has at a mount's `destination` into the share that will cover it, for each of `mounts` with
 * "copy_up" whose share is still empty: a new volume starts with the image's content, owner and mode, as docker's do.
 * `rootfd`: the container's root; `shares_dir`: where the shares are mounted, by tag. */
int sk_volumes_fill(const json_t *mounts, int rootfd, const char *shares_dir, struct sk_error *err);

#endif
