/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_VM_H
#define SK_VM_VM_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "proto/message.h"
#include "vm/state.h"

/* In a volume's directory: an anonymous volume that a container was given by its name, so that it is no longer only the
 * first one's. */
#define SK_VOLUME_NAMED "named"

/* The client's side of a monitor (docs/protocols.md, "Control connections of the monitor"). */

/* Starts the monitor of container `id` (its directory holds vm.json and the disk) and returns a connected control
 * connection, CLOEXEC, the caller's. The VM boots at once; the container's process starts with the request "start".
 * -EBUSY: it has a monitor. On failure to boot the first request is answered with the error, and the monitor is gone.
 */
int sk_vm_launch(const struct sk_paths *paths, const char *id, struct sk_error *err);
/* Connects to a living monitor. -ENOENT: it is not running. -ETIMEDOUT: it does not let anybody in. */
int sk_vm_connect(const struct sk_paths *paths, const char *id, struct sk_error *err);
/* Milliseconds without an answer after which a monitor is asked whether it lives, and that it has for saying so: as a
 * rule, and with callers that want it gone. */
#define SK_VM_PATIENCE SK_CLIENT_PATIENCE_MS
#define SK_VM_KILL_PATIENCE SK_CLIENT_END_PATIENCE_MS
/* Waits until `fd`, a connection to the monitor of container `id`, has something to read. An answer may take as long as
 * the guest likes, the monitor's own may not: every `patience` ms it is asked for "info" on another connection.
 * -ETIMEDOUT: it does not answer that within another `patience`. */
int sk_vm_await(const struct sk_paths *paths, const char *id, int fd, unsigned patience, struct sk_error *err);
/* Sends `request` on the connection to the monitor of `id` and waits for its reply; for connections without streams.
 * `*ret_reply` (may be NULL) is set on ok, and then the caller's (sk_reply_fini()). A failure becomes `err`; its exit
 * code goes to `*ret_exit_code` (may be NULL; 0: none). -ETIMEDOUT: see sk_vm_await(). */
int sk_vm_request(const struct sk_paths *paths, const char *id, int fd, const struct sk_msg *request,
		  struct sk_reply *ret_reply, int *ret_exit_code, struct sk_error *err);
/* connect + request + close. */
int sk_vm_call(const struct sk_paths *paths, const char *id, const struct sk_msg *request, struct sk_reply *ret_reply,
	       struct sk_error *err);
/* The same for a request that ends the VM, with less patience. */
int sk_vm_call_to_end(const struct sk_paths *paths, const char *id, const struct sk_msg *request, struct sk_error *err);
/* Kills the process that holds the container's lock, whatever it is doing, and waits until it is gone. For monitors
 * that do not answer. 0 also where there is none. */
int sk_vm_end(const struct sk_paths *paths, const char *id, struct sk_error *err);
/* Sends SIGKILL to those of our programs that hold a lock (flock) of the file or directory at `path`; does not wait. */
int sk_vm_end_holders(const char *path, struct sk_error *err);
/* Removes a container's directory in one step (rename, then delete). The caller has made sure that no monitor runs:
 * -EBUSY otherwise. */
int sk_vm_remove(const struct sk_paths *paths, const char *id, struct sk_error *err);
/* Of a container that is removed by itself (--rm): its directory and the anonymous volumes that go with it are moved to the
 * store's tmp/, from where sk_vm_sweep() deletes them. The caller has made sure that no monitor runs, or is it. */
int sk_vm_discard(const struct sk_paths *paths, const char *id);
/* Deletes what removed containers and volumes have left in the store's tmp/: of programs that were killed at it, or
 * that had not the right to. */
void sk_vm_sweep(const struct sk_paths *paths);
/* Prepares `<dir>/disk.img`: an empty ext4 of `size` bytes, sparse, from a template made once per store with mkfs.ext4.
 * On Windows it is a virtual hard disk that grows, whose file system the guest makes as large as the disk. */
int sk_vm_make_disk(const struct sk_paths *paths, const char *id, uint64_t size, struct sk_error *err);
/* The same as the new file `disk`. */
int sk_vm_make_disk_at(const struct sk_paths *paths, const char *disk, uint64_t size, struct sk_error *err);

#endif
