/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_ROOTFS_H
#define SK_AGENT_ROOTFS_H

#include <jansson.h>

#include "base/error.h"
#include "request.h"

/*
 * Mount work for a container. All of it blocks on devices, so it runs in a job's child; the mounts are made in the
 * agent's mount namespace all the same.
 */

/* Puts the root file system at `<dir>/rootfs`. */
int sk_rootfs_build(const struct sk_rootfs_spec *spec, const char *dir, struct sk_error *err);
/* Mounts the shares of a create request's `mounts` and writes its `files`; appends what the OCI spec needs to bind them
 * to `binds`, ordered so that a mount never hides one that belongs below it. */
int sk_rootfs_mounts(const json_t *mounts, const json_t *files, const char *dir, const char *shares_dir, json_t *binds,
		     struct sk_error *err);
/* Takes `<dir>/rootfs` away again; what is on its disk is written out then. */
void sk_rootfs_remove(const char *dir);

#endif
