/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_OPTIONS_H
#define SK_MODEL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/xmem.h"

/* Sizes where none is asked for. */
#define SK_DEFAULT_VM_MEMORY (1024ull << 20) /* without -m */
#define SK_VM_MEMORY_OVERHEAD (64ull << 20)  /* the guest's kernel and agent, on top of -m */
#define SK_VM_MEMORY_MAP 60		     /* the kernel keeps a note of each page: one part in so many */
#define SK_MIN_VM_MEMORY (96ull << 20)
#define SK_MIN_MEMORY_LIMIT (6ll << 20)	   /* docker's */
#define SK_DEFAULT_DISK_SIZE (64ull << 30) /* sparse */
#define SK_DEFAULT_SHM_SIZE (64ll << 20)

#define SK_STOP_TIMEOUT_UNSET INT64_MIN

/* What a front end asks for: the options of `run` and `create`, as text with docker's words. Strings are borrowed. */
struct sk_run_opts {
	/* Defaults of the configuration for a VM without -m, --cpus; 0: SK_DEFAULT_VM_MEMORY, 1. */
	uint64_t default_memory;
	unsigned default_cpus;
	/* run only */
	bool detach, sig_proxy;
	const char *detach_keys;
	/* both */
	struct sk_strv attach;
	bool interactive, tty, rm, read_only, privileged, init, publish_all, quiet;
	const char *name, *workdir, *user, *entrypoint, *hostname, *domainname, *stop_signal, *restart, *network,
		*cidfile, *pull, *platform, *mac, *engine, *log_driver, *unused;
	const char *health_cmd, *health_interval, *health_timeout, *health_start_period; /* durations as text */
	int64_t health_retries;
	bool no_healthcheck;
	struct sk_strv env, env_file, add_host, dns, dns_search, dns_option, tmpfs, cap_add, cap_drop, security_opt,
		ulimit, label, label_file, publish, expose, sysctl, group_add, log_opt, volume, mount, annotation,
		storage_opt, device, idle, volumes_from;
	struct sk_strv inherited; /* what sk_volumes_from() says of volumes_from; the front end's */
	int64_t memory, memory_reservation, memory_swap, cpus, cpu_period, cpu_quota, cpu_shares, stop_timeout,
		pids_limit, shm_size, oom_score_adj, storage_size;
	bool oom_kill_disable, tls_verify;
};

#endif
