/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_ENGINE_INTERNAL_H
#define SK_ENGINE_INTERNAL_H

#include "base/confine.h"
#include "base/process.h"
#include "engine/engine.h"

struct sock_fprog;

extern const struct sk_engine sk_engine_uml;
extern const struct sk_engine sk_engine_kvm;
extern const struct sk_engine sk_engine_tcg;
extern const struct sk_engine sk_engine_hyperv;
extern const struct sk_engine sk_engine_fake;

/* Those of this system, in the order of preference of "auto", and the one that needs least of the machine
 * (engines_*.c). */
extern const struct sk_engine *const sk_engines[];
extern const size_t sk_n_engines;
extern const struct sk_engine *const sk_engine_last;
/* Where the guest's parts are installed, without a slash at the end; -ENAMETOOLONG (parts_*.c). */
int sk_guest_dir(char *buf, size_t size);

/* engine.c: the file of a guest part is there, executable if `exec`. */
int sk_guest_part_check(const char *name, bool exec, struct sk_error *err);
/* Fills the fields of kernel and initramfs; kernel_path is set. */
int sk_guest_parts_info(struct sk_engine_info *info, struct sk_error *err);

#define SK_GUEST_INITRAMFS "initramfs.cpio"
/* Words of the guest kernel's command line: free blocks of 512 KiB and more go back to the host a second after, 256 MiB
 * of them or more in each second. Kernels of before Linux 7.3 know the first only. */
#define SK_GUEST_REPORTING_ORDER "page_reporting.page_reporting_order=7"
#define SK_GUEST_REPORTING_DELAY "page_reporting.page_reporting_delay_ms=1000"
/* With several processors each mount, umount and network waits for some of their ticks otherwise. */
#define SK_GUEST_GRACE_PERIODS "rcupdate.rcu_expedited=1"

/*
 * CPU placement. Claims the host CPU with the fewest claims among those we may run on; `lock_dir` (made if missing) is
 * shared by all VMs of a user. Returns the CPU number (>= 0) and in `*ret_claim_fd` a descriptor that holds the claim
 * until it is closed, by a crash too. Negative errno: no placement, run unpinned.
 */
int sk_cpu_claim(const char *lock_dir, int *ret_claim_fd);

/* A command line that grows. After a failure to add, `failed` is set and the rest is ignored. */
struct sk_args {
	char **v; /* NULL-terminated */
	size_t n, cap;
	bool failed;
};
void sk_args_add(struct sk_args *args, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sk_args_fini(struct sk_args *args);

/*
 * How an engine process is shut in (confine.c): filled by the parent, applied in the child before exec. Strings are
 * borrowed.
 */
#define SK_CONFINE_BINDS 24u
struct sk_confine_bind {
	const char *from; /* host path */
	const char *to;	  /* relative to the new root; its directories are made */
	bool dir;
	bool optional; /* not there on this host: left out */
};
struct sk_confine {
	char new_root[600]; /* mount point for the guest's root: a directory in run_dir */
	struct sk_confine_bind binds[SK_CONFINE_BINDS];
	size_t n_binds;
	char tmpfs_options[64];
	char memory_dir[64]; /* without namespaces: where the guest's memory may be made; "": nowhere but in new_root */
	char uid_map[64], gid_map[64]; /* "" as root */
	uid_t uid;		       /* as root: run as this user */
	const char *device;	       /* this one is seen as dev/kvm; NULL: none */
	int cpu;		       /* pin here; -1: nowhere */
	uint64_t data_limit;	       /* RLIMIT_DATA in bytes */
	uint64_t file_limit;	       /* RLIMIT_FSIZE in bytes: of one file, memory files included */
	uint64_t address_limit;	       /* RLIMIT_AS in bytes */
	uint64_t process_limit;	       /* RLIMIT_NPROC; 4096 */
	uint64_t fd_limit;	       /* RLIMIT_NOFILE; 4096 */
	enum sk_confinement sandbox;   /* the least that will do */
	bool namespaces, no_randomize, no_huge_pages;
	/* May be NULL. Makes further files in the new root, which is the working directory, owned by this user. Runs
	 * in the child: async-signal-safe calls only. Not called without namespaces. */
	int (*fill)(void *arg, uid_t uid);
	void *fill_arg;
	const struct sock_fprog *filter;
};
/* For a VM with this run directory; namespaces are wanted, nothing is bound yet but dev/null and the device sockets
 * (vu/). Makes the mount point. `tmpfs_size` in bytes. */
int sk_confine_init(struct sk_confine *confine, const struct sk_engine_config *config, uint64_t tmpfs_size,
		    struct sk_error *err);
void sk_confine_bind(struct sk_confine *confine, const char *from, const char *to, bool dir, bool optional);
/*
 * Starts an engine shut in: `spawn` starts it the way that `confine` says, with namespaces first. Where this host gives
 * none, without them if `confine->sandbox` allows that; else it fails and says what to do.
 */
int sk_confine_start(struct sk_confine *confine,
		     int (*spawn)(void *arg, struct sk_confine *confine, struct sk_engine_process *ret,
				  struct sk_error *err),
		     void *arg, struct sk_engine_process *ret, struct sk_error *err);
/* For `spawn`: starts `s` as `confine` says. */
int sk_confine_spawn(struct sk_confine *confine, struct sk_spawn *s, struct sk_engine_process *ret,
		     struct sk_error *err);

/* landlock.c: a ruleset of what `confine` lets the engine have (-EOPNOTSUPP: this host has no Landlock), and its use,
 * with no_new_privs set. The descriptor goes. */
int sk_confine_prepare_files(const struct sk_confine *confine, struct sk_landlock *ret);

/* Seccomp filters, built in the caller, freed by sk_filter_free(). uml: what a User-mode Linux kernel needs of its host
 * and no more. qemu: what no QEMU needs (its own filter comes on top); `memfd`: but that it may make memory files. */
int sk_uml_filter_new(struct sock_fprog **ret_filter, struct sk_error *err);
int sk_qemu_filter_new(bool memfd, struct sock_fprog **ret_filter, struct sk_error *err);
/* Adds to a scmp_filter_ctx what holds for both: no new namespaces, no memory that is shared and has no file. `allow`:
 * the calls are forbidden but for this. */
int sk_filter_add_bounds(void *ctx, bool allow);
void sk_filter_free(struct sock_fprog *filter);
/* seccomp_export_bpf() into memory; `ctx` is a scmp_filter_ctx. */
int sk_filter_export(void *ctx, struct sock_fprog **ret_filter);

/* --- QEMU (qemu.c, qemu_args.c, qemu_kernel.c, qemu_probe.c) --- */

#define SK_QEMU_KERNEL "vmlinux-x86_64"
#define SK_QEMU_MIN_VERSION 70200u /* 7.2.0 */
#define SK_PROBE_TOKEN "skerry-probe: it runs"

/* The QEMU of this machine: program, version, abilities. */
struct sk_qemu_facts {
	char path[512];	  /* without symbolic links */
	char version[32]; /* "7.2.22" */
	unsigned number;  /* 70222 */
	uint64_t tsc_khz; /* of the host's processor; 0: unknown */
};

/* The guest's memory with the kernel in it (qemu_memory.c). */
#define SK_QEMU_MEMORY_FILE "/memory"
#define SK_QEMU_KERNEL_FILE "/kernel"
#define SK_QEMU_LOADS 8u
#define SK_QEMU_START_FILE 200u
struct sk_qemu_load {
	uint64_t offset, size, address;
};
struct sk_qemu_memory {
	int kernel_fd;
	uint64_t size; /* bytes */
	struct sk_qemu_load loads[SK_QEMU_LOADS];
	size_t n_loads;
	unsigned char start[SK_QEMU_START_FILE]; /* for -kernel */
};
/* Reads the segments and the entry point of the (unpacked) kernel. */
int sk_qemu_memory_init(struct sk_qemu_memory *memory, const char *kernel, uint64_t size, struct sk_error *err);
void sk_qemu_memory_fini(struct sk_qemu_memory *memory);
/* A `fill` of struct sk_confine: makes both files in the working directory. */
int sk_qemu_memory_fill(void *memory, uid_t uid);

/* One start of QEMU, as the command line is made of it. */
struct sk_qemu_start {
	const struct sk_qemu_facts *facts;
	bool kvm;
	const char *kernel, *initramfs; /* as QEMU sees them */
	const char *memory;		/* file with the guest's memory; NULL: QEMU makes it */
	const char *firmware;		/* "": QEMU's choice */
	const char *process;		/* title */
};
void sk_qemu_args(struct sk_args *args, const struct sk_qemu_start *start, const struct sk_engine_config *config);

/* Finds QEMU, checks its version; remembered. */
int sk_qemu_find(const struct sk_engine_settings *settings, struct sk_qemu_facts *ret, struct sk_error *err);
/* The installed guest kernel, as it is (it may be compressed); one of the right architecture. */
int sk_qemu_kernel_part(char *buf, size_t size, struct sk_error *err);
/* The same as QEMU takes it, unpacked if need be. */
int sk_qemu_kernel(const struct sk_engine_settings *settings, char *buf, size_t size, struct sk_error *err);
/* KVM works, seen by a guest that booted; remembered for this boot of the host. */
int sk_kvm_check(const struct sk_engine_settings *settings, const struct sk_qemu_facts *facts, struct sk_error *err);
int sk_qemu_start(const struct sk_engine_config *config, const struct sk_qemu_facts *facts, bool kvm,
		  struct sk_engine_process *ret, struct sk_error *err);

#endif
