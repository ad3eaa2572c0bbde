/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_OOM_H
#define SK_BASE_OOM_H

/*
 * Has a child of the caller, which must be in the control group, run out of the group's memory: who watches the group
 * for that (containerd, podman) sees what has happened to the guest's container, whose memory the host does not count by
 * itself. Meant for when the VM is gone: what is left in the group is smaller than the room that the child is given, so
 * that the child is the one to be killed. `limit_fd`: the group's limit, to be written; `usage_fd`: its usage. Takes
 * some 20 ms, so that watchers learn of this before they learn of the end.
 */
void sk_oom_in_group(int limit_fd, int usage_fd);

#endif
