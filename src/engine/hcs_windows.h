/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_ENGINE_HCS_WINDOWS_H
#define SK_ENGINE_HCS_WINDOWS_H

#include "engine/hcs.h"

/*
 * The Host Compute System itself: computecore.dll, loaded when it is asked for, as a Windows without Hyper-V has none.
 * No call waits longer than SK_HCS_PATIENCE_MS for the service. Of one thread at a time.
 */
#define SK_HCS_PATIENCE_MS 60000u

struct sk_hcs;
/* `library`: path of another one, for tests; NULL: the system's. -ENOENT: there is none, with what to do. */
int sk_hcs_open(const char *library, struct sk_hcs **ret, struct sk_error *err);
/* After all its VMs. Accepts NULL. */
void sk_hcs_close(struct sk_hcs *hcs);
/* The newest schema 2.x that the service knows. */
int sk_hcs_schema(struct sk_hcs *hcs, unsigned *ret_minor, struct sk_error *err);
/* The SID of the user who runs this process, as text; the caller's. NULL with `err`. */
char *sk_hcs_user(struct sk_error *err);

struct sk_hcs_vm;
/*
 * Makes a VM of a document of sk_hcs_document(); it does not run yet. `id`: a GUID that no other VM has, which is the
 * VM's address for Hyper-V sockets too. The VM's worker process gets the right to the files of `config->disks`.
 */
int sk_hcs_vm_new(struct sk_hcs *hcs, const char *id, const json_t *document, const struct sk_engine_config *config,
		  struct sk_hcs_vm **ret, struct sk_error *err);
int sk_hcs_vm_start(struct sk_hcs_vm *vm, struct sk_error *err);
/* Waits for the end of a VM that was started. -ETIMEDOUT: it runs on after `ms` milliseconds. */
int sk_hcs_vm_wait(struct sk_hcs_vm *vm, unsigned ms, struct sk_hcs_exit *ret, struct sk_error *err);
/* `ended` is called once when the VM ends, on a thread of the service's; at once if it has ended. NULL: no more, and none is
 * under way when this returns. */
void sk_hcs_vm_on_end(struct sk_hcs_vm *vm, void (*ended)(void *arg), void *arg);
/* Ends it at once. 0 also if it has ended. */
int sk_hcs_vm_kill(struct sk_hcs_vm *vm, struct sk_error *err);
/* Its HCS_SYSTEM, borrowed. */
void *sk_hcs_vm_system(const struct sk_hcs_vm *vm);
/* A GUID, as text. */
const char *sk_hcs_vm_address(const struct sk_hcs_vm *vm);
/* A VM that runs ends. Accepts NULL. */
void sk_hcs_vm_free(struct sk_hcs_vm *vm);

#endif
