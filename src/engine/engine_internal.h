/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_ENGINE_INTERNAL_H
#define SK_ENGINE_INTERNAL_H

#include "base/process.h"
#include "engine/engine.h"

struct sock_fprog;

extern const struct sk_engine sk_engine_uml;
extern const struct sk_engine sk_engine_fake;

/*
 * CPU placement. Claims the host CPU with the fewest claims among those we may run on; `lock_dir` (made if missing) is
 * shared by all VMs of a user. Returns the CPU number (>= 0) and in `*ret_claim_fd` a descriptor that holds the claim
 * until it is closed, by a crash too. Negative errno: no placement, run unpinned.
 */
int sk_cpu_claim(const char *lock_dir, int *ret_claim_fd);

/* How the User-mode Linux process is shut in (uml_confine.c). Filled by the parent, applied in the child before exec.
 */
struct sk_uml_confine {
	const char *new_root; /* mount point for the guest's root: a folder in run_dir */
	const char *kernel;   /* host paths of what is to be seen inside */
	const char *initramfs;
	const char *dev_dir;
	char tmpfs_options[64];
	char uid_map[64], gid_map[64]; /* "" as root */
	uid_t uid;		       /* as root: run as this user */
	int cpu;		       /* pin here; -1: nowhere */
	bool namespaces;
	const struct sock_fprog *filter;
};
/* CLONE_NEW… flags that go with it. */
unsigned sk_uml_confine_flags(const struct sk_uml_confine *confine);
/* sk_spawn.prepare. */
int sk_uml_confine_apply(void *arg);
/* The seccomp filter, built once in the caller: what a User-mode Linux kernel needs of its host and no more. Freed by
 * sk_uml_filter_free(). */
int sk_uml_filter_new(struct sock_fprog **ret_filter, struct sk_error *err);
void sk_uml_filter_free(struct sock_fprog *filter);

#endif
