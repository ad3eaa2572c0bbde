/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_VOLUME_H
#define SK_MODEL_VOLUME_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "model/xmem.h"
#include "vm/state.h"

/*
 * Volumes: <root>/volumes/<name>/_data is what a container sees, volume.json beside it is docker's inspect object
 * ({"Name","CreatedAt","Driver", "Labels","Mountpoint","Options","Scope"}). A directory without volume.json is no
 * volume (yet).
 */

/* Makes it unless it is there. `*ret_path` (malloc'd): the _data directory. -EINVAL: not a name. `labels` may be
 * NULL. */
int sk_volume_ensure(const struct sk_paths *paths, const char *name, const json_t *labels, char **ret_path,
		     struct sk_error *err);
/* volume.json, a new reference. -ENOENT "no such volume". */
int sk_volume_load(const struct sk_paths *paths, const char *name, json_t **ret_volume, struct sk_error *err);
/* All, by name: a new array of volume.json objects. */
int sk_volume_list(const struct sk_paths *paths, json_t **ret_list, struct sk_error *err);
/* Whether a container mounts it: its id (malloc'd) or NULL. */
char *sk_volume_user(const struct sk_paths *paths, const char *name);
/* Calls `cb` with each volume whose description cannot be read. */
void sk_volume_each_damaged(const struct sk_paths *paths, void (*cb)(void *arg, const char *name), void *arg);
/* Writes a volume's description anew; the data stay. */
int sk_volume_mend(const struct sk_paths *paths, const char *name, struct sk_error *err);
/* -EBUSY when a container uses it. */
int sk_volume_remove(const struct sk_paths *paths, const char *name, struct sk_error *err);
/* 64 random hexadecimal digits: the name of an anonymous volume. Such a volume goes with `rm -v` and `run --rm`. */
char *sk_volume_random_name(void);
bool sk_volume_is_anonymous(const json_t *volume);

#endif
