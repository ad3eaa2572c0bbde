/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update: limits of a container. They are written to its files, and told to the guest where it runs. A VM cannot be
 * given more memory or processors while it runs: what goes beyond is refused then, and sizes the VM anew at its next
 * start otherwise.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/runopts.h"
#include "model/container.h"
#include "model/jx.h"
#include "model/plan.h"
#include "model/units.h"
#include "vm/settings.h"
#include "vm/vm.h"

struct update_opts {
	int64_t memory, memory_reservation, memory_swap, cpus, cpu_period, cpu_quota, cpu_shares, pids_limit;
	const char *restart;
	struct sk_strv idle;
};

#define AT(f) offsetof(struct update_opts, f)
#define IDLE(name)                                                           \
	{                                                                    \
		name, 0, SK_OPT_IDLE, AT(idle), NULL, NULL, NULL, NULL, true \
	}
static const struct sk_opt update_opts[] = {
	IDLE("blkio-weight"),
	IDLE("cpu-rt-period"),
	IDLE("cpu-rt-runtime"),
	IDLE("cpuset-cpus"),
	IDLE("cpuset-mems"),
	IDLE("kernel-memory"),
	SK_OPT_INT_("cpu-period", 0, AT(cpu_period), "Limit CPU CFS (Completely Fair Scheduler) period"),
	SK_OPT_INT_("cpu-quota", 0, AT(cpu_quota), "Limit CPU CFS (Completely Fair Scheduler) quota"),
	SK_OPT_INT_("cpu-shares", 'c', AT(cpu_shares), "CPU shares (relative weight)"),
	{ "cpus", 0, SK_OPT_CPUS, AT(cpus), "decimal", "Number of CPUs", NULL, NULL, false },
	{ "memory", 'm', SK_OPT_BYTES, AT(memory), "bytes", "Memory limit", NULL, NULL, false },
	{ "memory-reservation", 0, SK_OPT_BYTES, AT(memory_reservation), "bytes", "Memory soft limit", NULL, NULL,
	  false },
	{ "memory-swap", 0, SK_OPT_BYTES, AT(memory_swap), "bytes", "Taken, without effect: VMs have no swap", NULL,
	  NULL, false },
	SK_OPT_INT_("pids-limit", 0, AT(pids_limit), "Tune container pids limit (set -1 for unlimited)"),
	SK_OPT_STR_("restart", 0, AT(restart), "string", "Restart policy to apply when a container exits"),
	SK_OPT_END,
};

static void set_if(json_t *host, const char *key, int64_t value)
{
	if (value)
		sk_jx_set_int(host, key, value);
}

static int change_host(const struct update_opts *o, json_t *host, struct sk_error *err)
{
	if (o->memory && o->memory < SK_MIN_MEMORY_LIMIT)
		return sk_error_set(err, EINVAL, "Minimum memory limit allowed is 6MB");
	if (o->memory && o->memory_swap > 0 && o->memory_swap < o->memory)
		return sk_error_set(err, EINVAL,
				    "Minimum memoryswap limit should be larger than memory limit, see usage");
	if ((o->cpus && o->cpu_quota) || (o->cpus && sk_jx_get_int(host, "CpuQuota", 0)) ||
	    (o->cpu_quota && sk_jx_get_int(host, "NanoCpus", 0)))
		return sk_error_set(err, EINVAL, "Conflicting options: Nano CPUs and CPU Quota cannot both be set.");
	set_if(host, "Memory", o->memory);
	set_if(host, "MemoryReservation", o->memory_reservation);
	set_if(host, "MemorySwap", o->memory_swap);
	set_if(host, "NanoCpus", o->cpus);
	set_if(host, "CpuPeriod", o->cpu_period);
	set_if(host, "CpuQuota", o->cpu_quota);
	set_if(host, "CpuShares", o->cpu_shares);
	set_if(host, "PidsLimit", o->pids_limit);
	return 0;
}

/* "on-failure:3" → {"Name", "MaximumRetryCount"} */
static int change_restart(const char *restart, json_t *host, struct sk_error *err)
{
	const char *colon = strchr(restart, ':');
	_cleanup_free_ char *policy =
		colon ? sk_xstrndup(restart, (size_t)(colon - restart)) : sk_xstrdup(*restart ? restart : "no");
	int64_t max = 0;
	json_t *o;

	if (sk_jx_get_bool(host, "AutoRemove", false) && strcmp(policy, "no") != 0)
		return sk_error_set(err, EINVAL,
				    "Restart policy cannot be updated because AutoRemove is enabled for the container");
	if (colon)
		(void)sk_parse_int(colon + 1, &max);
	o = sk_jx_object();
	sk_jx_set_str(o, "Name", policy);
	sk_jx_set_int(o, "MaximumRetryCount", max);
	sk_jx_set(host, "RestartPolicy", o);
	return 0;
}

static int tell_guest(struct sk_cli *cli, const struct sk_container *c, const json_t *vm, json_t *resources,
		      struct sk_error *err)
{
	const struct sk_msg request = { .op = SK_REQUEST_UPDATE, .update = { resources } };
	int64_t limit = sk_jx_get_int(resources, "memory.limit", 0), has = sk_jx_get_int(vm, "memory", 0);
	unsigned cpus = sk_plan_vm_cpus(sk_jx_get_int(c->config, "HostConfig.NanoCpus", 0), 1);
	char a[32], b[32];

	if (limit > has)
		return sk_error_set(err, EBUSY, "container %s runs in a VM of %s: stop it first, then give it %s",
				    sk_container_name(c), sk_format_memory((double)has, a),
				    sk_format_memory((double)limit, b));
	if (cpus > (unsigned)sk_jx_get_int(vm, "cpus", 1))
		return sk_error_set(err, EBUSY,
				    "container %s runs in a VM of %d CPUs: stop it first, then give it more",
				    sk_container_name(c), (int)sk_jx_get_int(vm, "cpus", 1));
	json_object_del(resources, "devices");
	return sk_vm_call(&cli->paths, c->id, &request, NULL, err);
}

static int update_one(struct sk_cli *cli, const char *ref, void *arg, struct sk_error *err)
{
	const struct update_opts *o = arg;
	_cleanup_container_ struct sk_container c = { 0 };
	_cleanup_json_ json_t *vm = NULL, *resources = NULL;
	struct sk_settings settings;
	json_t *host, *attributes;
	bool privileged;
	int r = sk_container_find(&cli->paths, ref, &c, err);

	if (r == 0)
		r = sk_container_load_vm(&cli->paths, c.id, &vm, err);
	if (r < 0)
		return r;
	host = json_object_get(c.config, "HostConfig");
	privileged = sk_jx_get_bool(host, "Privileged", false);
	r = change_host(o, host, err);
	if (r == 0 && o->restart)
		r = change_restart(o->restart, host, err);
	if (r < 0)
		return sk_error_wrap(err, "cannot update container %s", ref);
	resources = sk_spec_resources(host, privileged);
	if (sk_container_is_alive(&c)) {
		_cleanup_json_ json_t *sent = json_deep_copy(resources);

		r = tell_guest(cli, &c, vm, sent, err);
		if (r < 0)
			return sk_error_wrap(err, "cannot update container %s", ref);
	}
	r = sk_settings_init(&settings, err);
	if (r < 0)
		return r;
	/* vm.json follows: for the next start, and the restart policy for the end of this life. */
	if (o->restart)
		sk_jx_set(vm, "restart", sk_plan_vm_restart(c.config));
	sk_jx_set(sk_jx_at(vm, "spec.linux"), "resources", json_incref(resources));
	sk_jx_set_int(vm, "memory",
		      (int64_t)sk_plan_vm_memory(sk_jx_get_int(host, "Memory", 0), settings.default_memory));
	sk_jx_set_int(vm, "cpus", sk_plan_vm_cpus(sk_jx_get_int(host, "NanoCpus", 0), settings.default_cpus));
	sk_settings_fini(&settings);
	sk_jx_set(json_object_get(c.config, "Vm"), "Memory", json_incref(json_object_get(vm, "memory")));
	sk_jx_set(json_object_get(c.config, "Vm"), "Cpus", json_incref(json_object_get(vm, "cpus")));
	r = sk_container_save_vm(&cli->paths, c.id, vm, err);
	if (r == 0)
		r = sk_container_save(&cli->paths, c.id, c.config, err);
	if (r < 0)
		return r;
	attributes = sk_container_attributes(&c);
	sk_event_append(&cli->paths, "container", "update", c.id, attributes);
	json_decref(attributes);
	return 0;
}

static int cmd_update(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct update_opts none = { 0 }, *o = opts;
	struct sk_error err = SK_ERROR_INIT;
	char why[256];

	if (memcmp(o, &none, sizeof(none)) == 0) {
		fprintf(stderr, "skerry: you must provide one or more flags when using this command\n");
		return 1;
	}
	if (o->restart && sk_check_restart(o->restart, why) < 0) {
		fprintf(stderr, "skerry: %s\n", why);
		return 1;
	}
	sk_run_opts_warn(&o->idle);
	return sk_cli_open(cli, &err) < 0 ? sk_cli_fail(&err, 1) : sk_each(cli, argc, argv, true, update_one, opts);
}

const struct sk_command sk_cmd_update = {
	.name = "update",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Update configuration of one or more containers",
	.aliases = "skerry container update, skerry update",
	.opts = update_opts,
	.opts_size = sizeof(struct update_opts),
	.min = 1,
	.max = -1,
	.run = cmd_update,
};
