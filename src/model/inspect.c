/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's inspect object of a new container: config.json. Its State is added when it is shown. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/devices.h"
#include "model/hosts.h"
#include "model/jx.h"
#include "model/plan.h"
#include "model/ulimits.h"

/* A list, or null where it is empty, as docker shows some. */
static json_t *list_or_null(const struct sk_strv *list)
{
	return list->n ? sk_jx_strv(list) : json_null();
}

static json_t *key_values(const struct sk_strv *list)
{
	json_t *o = sk_jx_object();
	size_t i;

	for (i = 0; i < list->n; i++) {
		const char *eq = strchr(list->v[i], '=');
		_cleanup_free_ char *key =
			eq ? sk_xstrndup(list->v[i], (size_t)(eq - list->v[i])) : sk_xstrdup(list->v[i]);

		sk_jx_set_str(o, key, eq ? eq + 1 : "");
	}
	return o;
}

static json_t *key_set(const struct sk_strv *list)
{
	json_t *o = sk_jx_object();
	size_t i;

	for (i = 0; i < list->n; i++)
		sk_jx_set(o, list->v[i], sk_jx_object());
	return o;
}

static json_t *config_object(const struct sk_plan *p)
{
	const struct sk_run_opts *o = p->opts;
	json_t *c = sk_jx_object();

	sk_jx_set_str(c, "Hostname", p->hostname);
	sk_jx_set_str(c, "Domainname", p->domainname);
	sk_jx_set_str(c, "User", p->user);
	sk_jx_set_bool(c, "AttachStdin", p->stdin_attached);
	sk_jx_set_bool(c, "AttachStdout", p->stdout_attached);
	sk_jx_set_bool(c, "AttachStderr", p->stderr_attached);
	if (p->exposed.n)
		sk_jx_set(c, "ExposedPorts", key_set(&p->exposed));
	sk_jx_set_bool(c, "Tty", o->tty);
	sk_jx_set_bool(c, "OpenStdin", o->interactive);
	sk_jx_set_bool(c, "StdinOnce", o->interactive && p->stdin_attached);
	sk_jx_set(c, "Env", sk_jx_strv(&p->config_env));
	sk_jx_set(c, "Cmd", list_or_null(&p->cmd));
	if (p->health)
		sk_jx_set(c, "Healthcheck", json_incref(p->health));
	sk_jx_set_str(c, "Image", p->image_ref);
	sk_jx_set(c, "Volumes", p->volumes.n ? key_set(&p->volumes) : json_null());
	sk_jx_set_str(c, "WorkingDir", p->workdir);
	sk_jx_set(c, "Entrypoint", list_or_null(&p->entrypoint));
	sk_jx_set(c, "OnBuild", json_null());
	sk_jx_set(c, "Labels", key_values(&p->labels));
	if (p->stop_signal_text)
		sk_jx_set_str(c, "StopSignal", p->stop_signal_text);
	if (o->stop_timeout != SK_STOP_TIMEOUT_UNSET)
		sk_jx_set_int(c, "StopTimeout", o->stop_timeout);
	return c;
}

static json_t *ulimits(const struct sk_strv *list)
{
	json_t *a = sk_jx_array();
	size_t i;

	for (i = 0; i < list->n; i++) {
		struct sk_ulimit u;
		char why[256];
		json_t *o;

		if (sk_ulimit_parse(list->v[i], &u, why) < 0)
			continue;
		o = sk_jx_object();
		sk_jx_set_str(o, "Name", u.name);
		sk_jx_set_int(o, "Hard", u.hard);
		sk_jx_set_int(o, "Soft", u.soft);
		sk_jx_push(a, o);
	}
	return a;
}

static json_t *tmpfs_map(const struct sk_mounts *mounts)
{
	json_t *o = sk_jx_object();
	size_t i;

	for (i = 0; i < mounts->n; i++)
		if (mounts->v[i].type == SK_MOUNT_TMPFS)
			sk_jx_set_str(o, mounts->v[i].target, mounts->v[i].options ? mounts->v[i].options : "");
	return o;
}

static void add_resources(json_t *h, const struct sk_plan *p)
{
	const struct sk_run_opts *o = p->opts;

	sk_jx_set_int(h, "CpuShares", o->cpu_shares);
	sk_jx_set_int(h, "Memory", o->memory);
	sk_jx_set_int(h, "NanoCpus", o->cpus);
	sk_jx_set_int(h, "CpuPeriod", o->cpu_period);
	sk_jx_set_int(h, "CpuQuota", o->cpu_quota);
	sk_jx_set(h, "Devices", sk_devices_to_host(&o->device));
	sk_jx_set_int(h, "MemoryReservation", o->memory_reservation);
	sk_jx_set_int(h, "MemorySwap", o->memory_swap ? o->memory_swap : o->memory * 2);
	sk_jx_set(h, "OomKillDisable", json_boolean(o->oom_kill_disable));
	sk_jx_set(h, "PidsLimit", o->pids_limit ? json_integer((json_int_t)o->pids_limit) : json_null());
	sk_jx_set(h, "Ulimits", ulimits(&o->ulimit));
}

static json_t *log_config(const struct sk_plan *p)
{
	json_t *o = sk_jx_object();

	sk_jx_set_str(o, "Type", p->log_none ? "none" : "json-file");
	sk_jx_set(o, "Config", key_values(&p->opts->log_opt));
	return o;
}

static json_t *host_config(const struct sk_plan *p)
{
	const struct sk_run_opts *o = p->opts;
	json_t *h = sk_jx_object(), *restart = sk_jx_object();

	sk_jx_set(h, "Binds", list_or_null(&o->volume));
	sk_jx_set(h, "VolumesFrom", list_or_null(&o->volumes_from));
	sk_jx_set_str(h, "ContainerIDFile", o->cidfile ? o->cidfile : "");
	sk_jx_set(h, "LogConfig", log_config(p));
	sk_jx_set_str(h, "NetworkMode", p->network->name);
	sk_jx_set(h, "PortBindings", sk_ports_to_bindings(&p->ports, false));
	sk_jx_set_str(restart, "Name", p->restart_policy);
	sk_jx_set_int(restart, "MaximumRetryCount", p->restart_max);
	sk_jx_set(h, "RestartPolicy", restart);
	sk_jx_set_bool(h, "AutoRemove", o->rm);
	sk_jx_set(h, "CapAdd", list_or_null(&o->cap_add));
	sk_jx_set(h, "CapDrop", list_or_null(&o->cap_drop));
	sk_jx_set_str(h, "CgroupnsMode", "private");
	sk_jx_set(h, "Dns", sk_jx_strv(&o->dns));
	sk_jx_set(h, "DnsOptions", sk_jx_strv(&o->dns_option));
	sk_jx_set(h, "DnsSearch", sk_jx_strv(&o->dns_search));
	sk_jx_set(h, "ExtraHosts", list_or_null(&o->add_host));
	sk_jx_set(h, "GroupAdd", list_or_null(&o->group_add));
	sk_jx_set_str(h, "IpcMode", "private");
	sk_jx_set_int(h, "OomScoreAdj", o->oom_score_adj);
	sk_jx_set_str(h, "PidMode", "");
	sk_jx_set_bool(h, "Privileged", o->privileged);
	sk_jx_set_bool(h, "PublishAllPorts", o->publish_all);
	sk_jx_set_bool(h, "ReadonlyRootfs", o->read_only);
	sk_jx_set(h, "SecurityOpt", list_or_null(&o->security_opt));
	sk_jx_set(h, "StorageOpt",
		  sk_jx(json_pack("{s:o}", "size", json_sprintf("%llu", (unsigned long long)p->disk_size))));
	sk_jx_set(h, "Tmpfs", tmpfs_map(&p->mounts));
	sk_jx_set_int(h, "ShmSize", (int64_t)p->shm_size);
	if (o->sysctl.n)
		sk_jx_set(h, "Sysctls", key_values(&o->sysctl));
	sk_jx_set_str(h, "Runtime", "skerry");
	sk_jx_set_str(h, "Isolation", "vm");
	if (o->init)
		sk_jx_set_bool(h, "Init", true);
	if (o->annotation.n)
		sk_jx_set(h, "Annotations", key_values(&o->annotation));
	add_resources(h, p);
	return h;
}

/* Published ports with their bindings, exposed ones with null. */
static json_t *given_ports(const struct sk_plan *p)
{
	json_t *o = sk_ports_to_bindings(&p->given, true);
	size_t i;

	for (i = 0; p->network->backend && i < p->exposed.n; i++)
		if (!json_object_get(o, p->exposed.v[i]))
			sk_jx_set(o, p->exposed.v[i], json_null());
	return o;
}

static json_t *network_settings(const struct sk_plan *p)
{
	json_t *n = sk_jx_object(), *networks = sk_jx_object(), *one = sk_jx_object();

	sk_jx_set(n, "Ports", given_ports(p));
	sk_jx_set_str(n, "Gateway", p->network->gateway);
	sk_jx_set_str(n, "IPAddress", p->network->address);
	sk_jx_set_int(n, "IPPrefixLen", p->network->prefix);
	sk_jx_set_str(n, "MacAddress", p->opts->mac ? p->opts->mac : "");
	sk_jx_set_str(one, "Gateway", p->network->gateway);
	sk_jx_set_str(one, "IPAddress", p->network->address);
	sk_jx_set_int(one, "IPPrefixLen", p->network->prefix);
	sk_jx_set_str(one, "MacAddress", p->opts->mac ? p->opts->mac : "");
	sk_jx_set(networks, p->network->name, one);
	sk_jx_set(n, "Networks", networks);
	return n;
}

json_t *sk_plan_inspect(const struct sk_plan *p, const char *created)
{
	json_t *o = sk_jx_object(), *args = sk_jx_array(), *vm = sk_jx_object();
	_cleanup_free_ char *name = sk_xasprintf("/%s", p->name);
	size_t i;

	for (i = p->entrypoint.n ? 1 : 0; i < p->entrypoint.n; i++)
		sk_jx_push_str(args, p->entrypoint.v[i]);
	for (i = p->entrypoint.n ? 0 : 1; i < p->cmd.n; i++)
		sk_jx_push_str(args, p->cmd.v[i]);
	sk_jx_set_str(o, "Id", p->id);
	sk_jx_set_str(o, "Created", created);
	sk_jx_set_str(o, "Path", p->entrypoint.n ? p->entrypoint.v[0] : p->cmd.v[0]);
	sk_jx_set(o, "Args", args);
	sk_jx_set_str(o, "Image", p->image_id);
	sk_jx_set_str(o, "Name", name);
	sk_jx_set_str(o, "Driver", "overlay");
	sk_jx_set_str(o, "Platform", "linux");
	sk_jx_set(o, "HostConfig", host_config(p));
	sk_jx_set(o, "Mounts", sk_mounts_to_inspect(&p->mounts));
	sk_jx_set(o, "Config", config_object(p));
	sk_jx_set(o, "NetworkSettings", network_settings(p));
	/* Of Skerry's own: the size of the VM. */
	sk_jx_set_int(vm, "Cpus", p->cpus);
	sk_jx_set_int(vm, "Memory", (int64_t)p->vm_memory);
	sk_jx_set_int(vm, "DiskSize", (int64_t)p->disk_size);
	sk_jx_set_str(vm, "Engine", p->opts->engine ? p->opts->engine : "auto");
	sk_jx_set(o, "Vm", vm);
	return o;
}
