/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_REMOVE_H
#define SK_MODEL_REMOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/state.h"
#include "model/container.h"

/* Removes a container and writes an event. A running one is refused (-EBUSY), or killed first with `force`. */
int sk_remove_container(const struct sk_paths *paths, const struct sk_container *c, bool force, struct sk_error *err);
/* Removes the anonymous volumes that `config` (the inspect object of a container that is gone) mounts; those still in
 * use stay. */
void sk_remove_anonymous_volumes(const struct sk_paths *paths, const json_t *config);
/* Whether a container was made of image `id` (for the image store; `arg`: struct sk_containers). */
bool sk_image_in_use(void *arg, const char *id);
/* Host bytes that a container's own files take. */
uint64_t sk_container_disk_usage(const struct sk_paths *paths, const char *id);

#endif
