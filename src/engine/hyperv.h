/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_ENGINE_HYPERV_H
#define SK_ENGINE_HYPERV_H

#include "engine/engine.h"
#include "engine/hcs.h"

/*
 * A VM of Hyper-V. Other than a process of ours it is made first and started later: what listens for the guest is bound to
 * the VM's address, which there is as soon as it is made.
 */
struct sk_hyperv;

#define SK_HYPERV_KERNEL "vmlinux-hyperv" /* guest part */

struct sk_hyperv_config {
	const struct sk_engine_config *engine; /* n_devices 0; used by sk_hyperv_new() only */
	const char *console_pipe;	       /* "\\.\pipe\NAME", which exists; the same */
	/* Devices on its PCI bus; the same. Who is one attaches it (virtio/hdv_windows.h) before sk_hyperv_start(). */
	const struct sk_hcs_pci *pci;
	size_t n_pci;
	/* The VM has ended, by whatever cause. Called once, on a thread of the system's: it may do no more than wake a loop. */
	void (*ended)(void *arg);
	void *arg;
};

int sk_hyperv_new(const struct sk_hyperv_config *config, struct sk_hyperv **ret, struct sk_error *err);
/* Its HCS_SYSTEM, for sk_hdv_host_new(); borrowed. */
void *sk_hyperv_system(const struct sk_hyperv *vm);
/* A GUID as text. */
const char *sk_hyperv_address(const struct sk_hyperv *vm);
int sk_hyperv_start(struct sk_hyperv *vm, struct sk_error *err);
/* Why it has ended, for people: "" where it powered off or was not asked about in time. */
void sk_hyperv_end(struct sk_hyperv *vm, char *buf, size_t size);
/* A VM that runs is ended. No `ended` afterwards. Accepts NULL. */
void sk_hyperv_free(struct sk_hyperv *vm);

#endif
