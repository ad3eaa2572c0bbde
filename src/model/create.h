/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_CREATE_H
#define SK_MODEL_CREATE_H

#include <jansson.h>

#include "base/error.h"
#include "vm/state.h"
#include "model/plan.h"

/*
 * Makes the container of a plan: name, files, disk, in this order:
 *   1. config.json and vm.json in <root>/tmp/<id>/
 *   2. under the lock of the names: the name is free (or one is made up), <root>/tmp/<id> is renamed to
 * <root>/containers/<id>
 *   3. the disk
 * A death before 2 leaves a directory in tmp/ that `system prune` removes; after 2 a container without a disk:
 * starting it makes one. On failure nothing is left. plan->name is set. `*ret_config` (may be NULL): the inspect
 * object.
 */
int sk_create(const struct sk_paths *paths, struct sk_plan *plan, json_t **ret_config, struct sk_error *err);
/* A part of it: finds what the plan's mounts name on the host; volumes that are missing are made, as docker does. */
int sk_plan_resolve_mounts(const struct sk_paths *paths, struct sk_plan *plan, struct sk_error *err);

/* Boots the VM of a container that exists: makes a missing disk, gives ports that are any port a free one, starts the
 * monitor. Returns the control connection. -EBUSY: it runs. */
int sk_boot(const struct sk_paths *paths, const char *id, json_t *config, struct sk_error *err);

#endif
