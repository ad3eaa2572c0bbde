/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_ROOTFS_H
#define SK_AGENT_ROOTFS_H

#include <jansson.h>

#include "base/error.h"
#include "proto/message.h"
#include "uplink.h"

/*
 * Mount work for a container. All of it blocks on devices, so it runs in a job's child; the mounts are made in the
 * agent's mount namespace all the same.
 */

/* Puts the root file system at `<dir>/rootfs`. */
int sk_rootfs_build(const struct sk_rootfs_spec *spec, const struct sk_uplink *uplink, const char *dir,
		    struct sk_error *err);
/* Opens what the container of `dir` has written, and what it started from, each as a directory of its own. Mounts them
 * for that in the caller's mount namespace, which has to be its own. -ENOTSUP: it has no layers, or they are in memory. */
int sk_rootfs_parts(const char *dir, int *ret_upper, int *ret_lower, struct sk_error *err);
/* Mounts the shares of a create request's `mounts` and writes its `files`; appends what the OCI spec needs to bind them
 * to `binds`, ordered so that a mount never hides one that belongs below it. Shares over streams are the container's
 * own, below `<dir>/shares`; devices, and memory that containers have in common, are mounted once, below `shares_dir`.
 * `self` is the agent's program, which a mount may ask for.
 */
int sk_rootfs_mounts(const json_t *mounts, const json_t *files, const struct sk_uplink *uplink, const char *dir,
		     const char *shares_dir, const char *self, const char *crun, json_t *binds, struct sk_error *err);
/* A share that comes over connection `fd`, which the kernel keeps: export `aname` ("": its only one), mounted at `target`. `share` is a name
 * that no other connection has. 0 or negative errno. */
int sk_rootfs_mount_stream(const char *share, const char *target, int fd, const char *aname);
/* Unmounts and removes `<dir>/rootfs` and `<dir>/shares`; its disk is synced by that. */
void sk_rootfs_remove(const char *dir);

#endif
