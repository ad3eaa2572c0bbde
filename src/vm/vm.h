/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_VM_H
#define SK_VM_VM_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "vm/state.h"

/* In a volume's folder: an anonymous volume that a container was given by its name, so that it is no longer only the
 * first one's. */
#define SK_VOLUME_NAMED "named"

/* The client's side of a monitor (docs/protocols.md, "Control connections of the monitor"). */

/* Starts the monitor of container `id` (its folder holds vm.json and the disk) and returns a connected control
 * connection, CLOEXEC, the caller's. The VM boots at once; the container's process starts with the request "start".
 * -EBUSY: it has a monitor. On failure to boot the first request is answered with the error, and the monitor is gone.
 */
int sk_vm_launch(const struct sk_paths *paths, const char *id, struct sk_error *err);
/* Connects to a living monitor. -ENOENT: it is not running. */
int sk_vm_connect(const struct sk_paths *paths, const char *id, struct sk_error *err);
/* Sends `request` (borrowed) on the connection and waits for its reply; for connections without streams. `*ret_reply`
 * (may be NULL) is set on ok. A reply with "ok":false becomes `err` (errno, message); its exit_code goes to
 * `*ret_exit_code` (may be NULL; 0: none). */
int sk_vm_request(int fd, const json_t *request, json_t **ret_reply, int *ret_exit_code, struct sk_error *err);
/* connect + request + close. */
int sk_vm_call(const struct sk_paths *paths, const char *id, const json_t *request, json_t **ret_reply,
	       struct sk_error *err);
/* Removes a container's folder in one step (rename, then delete). The caller has made sure that no monitor runs: -EBUSY
 * otherwise. */
int sk_vm_remove(const struct sk_paths *paths, const char *id, struct sk_error *err);
/* Deletes what removed containers and volumes have left in the store's tmp/: of programs that were killed at it, or
 * that had not the right to. */
void sk_vm_sweep(const struct sk_paths *paths);
/* Prepares `<dir>/disk.img`: an empty ext4 of `size` bytes, sparse, from a template made once per store with mkfs.ext4.
 */
int sk_vm_make_disk(const struct sk_paths *paths, const char *id, uint64_t size, struct sk_error *err);

#endif
