/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_PARENT_H
#define SK_VM_PARENT_H

#include <jansson.h>
#include <sys/types.h>

/*
 * The process that a container's engine knows as the container's: the parent of the one that does the work. It is in
 * the container's control groups and network namespace as that is, and has what a container's first process has in
 * addition: a mount namespace whose root is the container's, with its bind mounts. `podman cp` and nsenter(1) go there.
 * It is the first process of a process namespace too, so that all others go when it does, whatever they are about.
 *
 * Forks: returns in the child, which is killed when the parent goes. The parent stays here until the child ends, and
 * ends with its code. `rootfs`: a directory of the host; `mounts` (may be NULL): as in vm.json; `guest_mounts`
 * (may be NULL): those that the guest makes by itself, as in config.json.
 */
void sk_parent_fork(const char *rootfs, const json_t *mounts, const json_t *guest_mounts);
/* The pid of the caller's parent as the host knows it: the caller is in a process namespace, /proc is the host's. */
pid_t sk_parent_pid(void);

#endif
