/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_ENGINE_ENGINE_H
#define SK_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * An engine supplies processors and memory: it boots our kernel with our initramfs and connects to our device sockets.
 * It is one host process (its helpers die with it), started confined, killed with SIGKILL; an orderly end comes from
 * the guest.
 */
struct sk_engine_device {
	unsigned virtio_id; /* enum sk_virtio_id */
	const char *socket; /* name of the vhost-user socket in run_dir */
	/* network: what the device says of itself, for engines that say it in its place */
	uint8_t mac[6];
	uint16_t mtu;
	const char *tag; /* 9P: the same */
};

/* A file that the engine itself shows to the guest as a disk. */
struct sk_engine_disk {
	const char *path; /* absolute */
	bool readonly;
};

/*
 * The least that confines an engine process, beside a system call filter, limits and the loss of all capabilities. A
 * start on a host that cannot do as much fails.
 */
enum sk_confinement {
	SK_CONFINEMENT_NAMESPACES, /* namespaces of its own, with nothing of the host in them */
	SK_CONFINEMENT_LANDLOCK,   /* where the host refuses those: Landlock */
	SK_CONFINEMENT_FILTER,	   /* where it refuses both: nothing else */
};
#define SK_CONFINEMENT_NAMES "namespaces, landlock or filter"
/* -EINVAL: not one of the names. */
int sk_confinement_parse(const char *name, enum sk_confinement *ret);

/* Where the programs of a guest of the engine uml run. */
enum sk_uml_isolation {
	SK_UML_AUTO,	 /* in place where that works and the sandbox is whole, else separate */
	SK_UML_SEPARATE, /* in processes that hold nothing of the guest kernel but a page */
	SK_UML_IN_PLACE, /* with the guest kernel; where that does not work, not at all */
};
#define SK_UML_ISOLATION_NAMES "\"auto\", \"separate\" or \"in-place\""
/* -EINVAL: not one of the names. */
int sk_uml_isolation_parse(const char *name, enum sk_uml_isolation *ret);

/* What the user or the machine's administrator has decided (vm/settings.h). Strings are borrowed. */
struct sk_engine_settings {
	const char *cache_dir;	     /* directory for results of probes, for this boot of the host; NULL: none */
	const char *qemu;	     /* program; NULL: qemu-system-x86_64 of PATH */
	const char *kvm_device;	     /* NULL: /dev/kvm */
	unsigned kvm_timeout_ms;     /* for the guest that shows whether KVM works; 0: 5000 */
	bool probe_again;	     /* whatever is remembered */
	unsigned tcg_buffer;	     /* MiB for translated code under tcg; 0: by the size of the guest */
	enum sk_confinement sandbox; /* the least that will do */
	enum sk_uml_isolation uml_isolation;
};

struct sk_engine_config {
	const char *name;    /* of the VM, for process titles */
	const char *run_dir; /* absolute, private, writable: sockets and the engine's own scratch files */
	uint64_t memory;     /* bytes, a multiple of 4096 */
	unsigned cpus;
	const struct sk_engine_device *devices;
	size_t n_devices;
	/* For an engine that none of our devices can be attached to (hyperv): disks, in the order in which the guest finds
	 * them, and the vsock ports that there are between guest and host. */
	const struct sk_engine_disk *disks;
	size_t n_disks;
	const uint32_t *ports;
	size_t n_ports;
	const char *extra_args; /* appended to the kernel command line, may be NULL */
	int console_fd;		/* the guest kernel's console output goes here (write end); -1: nowhere */
	const struct sk_engine_settings *settings;
};

struct sk_engine_process {
	pid_t pid;
	int pidfd;
	int claim_fd; /* -1, or what the engine reserved on the host for it: close it when the process is gone */
};

/* Versions of the guest parts and how far they isolate, for `info`. */
struct sk_engine_info {
	const char *name;      /* "uml" */
	const char *isolation; /* one sentence for people */
	char program[600];     /* what runs the guest, with its version; "" when it is the kernel itself */
	char kernel_path[512];
	char kernel_version[64];	      /* "" when unknown */
	uint64_t kernel_size, initramfs_size; /* bytes; 0: missing */
};

struct sk_engine {
	const char *name;
	/* 0 when it can run here, else negative errno with what to do about it. May boot a guest to find out, once. */
	int (*probe)(const struct sk_engine_settings *settings, struct sk_error *err);
	int (*start)(const struct sk_engine_config *config, struct sk_engine_process *ret_process,
		     struct sk_error *err);
	int (*info)(const struct sk_engine_settings *settings, struct sk_engine_info *ret_info, struct sk_error *err);
};

/* The engines by preference: kvm, uml, tcg; NULL ends the list. */
const struct sk_engine *sk_engine_at(size_t i);
/* True for "auto" and the names of engines. */
bool sk_engine_name_valid(const char *name);
#ifndef SK_ENGINE_NAMES /* the build for another system says it */
#define SK_ENGINE_NAMES "auto, kvm, uml or tcg"
#endif

/*
 * By name; "auto" or NULL picks the best that probes well. -ENOENT: unknown name, or none works. -EOPNOTSUPP: it would
 * be uml, and the settings ask for what uml cannot do here: that is not passed over for tcg.
 */
int sk_engine_find(const char *name, const struct sk_engine_settings *settings, const struct sk_engine **ret_engine,
		   struct sk_error *err);

/*
 * Whether the kernel of a User-mode Linux guest of so much memory (bytes) can run in the
 * processes of its programs ("uml_isolation": "in-place"). -EOPNOTSUPP: this host does not let it, and what it lacks;
 * -EINVAL: not with a guest of this size.
 */
int sk_uml_in_place_check(uint64_t memory, struct sk_error *err);

/*
 * Whether this host gives engines namespaces of their own, without which the sandbox is not whole. Forks: in a child of
 * its own, as what was unshared cannot be shared again.
 */
bool sk_engine_namespaces(void);

/*
 * Keeps a process off the processor that the guest has for itself (engine/cpu.c), if it has one and there are others:
 * for one that works hand in hand with the guest, and looks for its next request before it sleeps. On the guest's
 * processor it would keep it from sending that.
 */
void sk_engine_keep_off(const struct sk_engine_process *engine, pid_t pid);

#define SK_GUEST_DISK "disk.template"	   /* file systems for disks, where the host cannot make them */
#define SK_GUEST_ENGINE_IMAGE "engine.tar" /* what machines run: an OCI archive */
/* Path of an installed guest part ("linux-uml", "initramfs.cpio"): $SKERRY_GUEST_DIR, else <libexec>/skerry/guest.
 * -ENOENT with what to do. */
int sk_guest_part(const char *name, char *buf, size_t size, struct sk_error *err);

#endif
