/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_PLAN_H
#define SK_MODEL_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "model/mounts.h"
#include "model/network.h"
#include "model/ports.h"
#include "model/options.h"
#include "image/image.h"

/*
 * A container as options and image together make it: everything is decided, nothing is written. spec.c makes the OCI
 * configuration from it, inspect.c docker's inspect object, vmjson.c the monitor's vm.json.
 */
struct sk_plan {
	const struct sk_run_opts *opts; /* borrowed */
	char id[SK_ID_LEN + 1];
	char name[256];
	char *image_ref; /* as the user gave it */
	char *image_id;
	char *hostname, *domainname;
	struct sk_strv entrypoint, cmd; /* together the command line */
	struct sk_strv env;		/* of the container's process */
	struct sk_strv config_env; /* the image's and the user's part of it: what inspect shows and a commit keeps */
	struct sk_strv labels;	   /* KEY=VALUE */
	struct sk_strv caps;
	struct sk_strv exposed;			    /* "80/tcp" */
	struct sk_strv volumes;			    /* paths that the image declares */
	struct sk_strv dns, dns_search, dns_option; /* of /etc/resolv.conf */
	struct sk_ports ports;			    /* as asked for */
	struct sk_ports given;			    /* with host ports; filled by sk_create() */
	struct sk_mounts mounts;
	char *user, *workdir;
	json_t *health;		    /* docker's object; NULL: none */
	json_t *seccomp;	    /* NULL: unconfined */
	const char *seccomp_option; /* as given, NULL: default */
	const struct sk_network_kind *network;
	bool no_new_privileges, stdin_attached, stdout_attached, stderr_attached;
	int stop_signal;
	const char *stop_signal_text; /* NULL: neither image nor user says one */
	int stop_timeout;	      /* -1: for ever */
	const char *restart_policy;   /* "no" */
	int restart_max;
	unsigned cpus;	    /* of the VM */
	uint64_t vm_memory; /* bytes */
	uint64_t disk_size, shm_size;
	uint64_t log_max_size; /* 0: no bound */
	unsigned log_max_file;
	bool log_none;
	const struct sk_image *image; /* borrowed */
	const json_t *machine;	      /* borrowed; "Machine" of config.json; NULL: it is none */
};

/* `args`: what follows the image's name on the command line. The plan has an id but no name yet. -EINVAL and others;
 * sk_plan_fini() in any case. */
int sk_plan_init(struct sk_plan *plan, const struct sk_run_opts *opts, const struct sk_image *image,
		 const char *image_ref, char *const *args, int n_args, struct sk_error *err);
void sk_plan_fini(struct sk_plan *plan);

/* Of a limit on the container (0: none): what its VM gets. `absent`: without a limit; 0: SK_DEFAULT_VM_MEMORY. */
uint64_t sk_plan_vm_memory(int64_t limit, uint64_t absent);
/* Of --cpus in 1e-9 (0: none). `absent`: without it; 0: 1. */
unsigned sk_plan_vm_cpus(int64_t nano_cpus, unsigned absent);

/* spec.c: the OCI runtime configuration (runtime-spec config.md, config-linux.md). */
json_t *sk_plan_spec(const struct sk_plan *plan);
/* linux.resources alone, of docker's HostConfig words in `host`: for update. */
json_t *sk_spec_resources(const json_t *host_config, bool privileged);
/* inspect.c: docker's inspect object without State. */
json_t *sk_plan_inspect(const struct sk_plan *plan, const char *created);
/* vmjson.c: see vm/config.h. What `config`, the inspect object, says too is taken from there. */
json_t *sk_plan_vm(const struct sk_plan *plan, const json_t *config);
/* vm.json's "restart", from the inspect object. */
json_t *sk_plan_vm_restart(const json_t *config);
/* An item of vm.json's "disks" with the emulators of other processors; NULL: they are not installed. */
#define SK_PLAN_QEMU_USER "qemu-user.squashfs"
#define SK_PLAN_QEMU_SERIAL "skerry-qemu"
json_t *sk_plan_foreign_disk(void);

#endif
