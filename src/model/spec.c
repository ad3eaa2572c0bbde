/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI configuration of a container, the way docker writes it for runc, for a guest that belongs to it alone: no
 * network namespace (the VM's network is the container's), everything else as docker.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/env.h"
#include "model/devices.h"
#include "model/jx.h"
#include "model/plan.h"
#include "model/ulimits.h"
#include "model/units.h"

#define CPU_PERIOD 100000
/*
 * Processes and threads of a container where nobody asks for another limit: a fork bomb then ends at EAGAIN, while the
 * agent can still start what ends it. With User-mode Linux processes take the host's memory (engine/uml.c).
 */
#define PIDS_DEFAULT 4096

static json_t *strings(const char *const *list)
{
	json_t *a = sk_jx_array();

	for (; *list; list++)
		sk_jx_push_str(a, *list);
	return a;
}

static void add_mount(json_t *mounts, const char *destination, const char *type, const char *source,
		      const char *const *options)
{
	json_t *m = sk_jx_object();

	sk_jx_set_str(m, "destination", destination);
	sk_jx_set_str(m, "type", type);
	sk_jx_set_str(m, "source", source);
	sk_jx_set(m, "options", strings(options));
	sk_jx_push(mounts, m);
}

/* Docker's options for a tmpfs, with the user's in front of what they contradict. */
static json_t *tmpfs_mount(const struct sk_mount *t)
{
	static const char *const pairs[][2] = { { "noexec", "exec" }, { "nosuid", "suid" }, { "nodev", "dev" } };
	struct sk_strv options = { 0 };
	json_t *m = sk_jx_object();
	size_t i;

	if (t->options)
		sk_strv_split(&options, t->options, ',');
	for (i = 0; i < SK_ARRAY_SIZE(pairs); i++)
		if (!sk_strv_has(&options, pairs[i][0]) && !sk_strv_has(&options, pairs[i][1]))
			sk_strv_add(&options, pairs[i][0]);
	if (t->readonly)
		sk_strv_add(&options, "ro");
	sk_jx_set_str(m, "destination", t->target);
	sk_jx_set_str(m, "type", "tmpfs");
	sk_jx_set_str(m, "source", "tmpfs");
	sk_jx_set(m, "options", sk_jx_strv(&options));
	sk_strv_fini(&options);
	return m;
}

static json_t *spec_mounts(const struct sk_plan *p)
{
	static const char *const strict[] = { "nosuid", "noexec", "nodev", NULL };
	static const char *const strict_ro[] = { "nosuid", "noexec", "nodev", "ro", NULL };
	static const char *const dev[] = { "nosuid", "strictatime", "mode=755", "size=65536k", NULL };
	static const char *const pts[] = { "nosuid",	"noexec", "newinstance", "ptmxmode=0666",
					   "mode=0620", "gid=5",  NULL };
	const char *const *sys = p->opts->privileged ? strict : strict_ro;
	char size[40];
	const char *shm[] = { "nosuid", "noexec", "nodev", "mode=1777", size, NULL };
	json_t *mounts = sk_jx_array();
	size_t i;

	snprintf(size, sizeof(size), "size=%llu", (unsigned long long)p->shm_size);
	add_mount(mounts, "/proc", "proc", "proc", strict);
	add_mount(mounts, "/dev", "tmpfs", "tmpfs", dev);
	add_mount(mounts, "/dev/pts", "devpts", "devpts", pts);
	add_mount(mounts, "/sys", "sysfs", "sysfs", sys);
	add_mount(mounts, "/sys/fs/cgroup", "cgroup", "cgroup", sys);
	add_mount(mounts, "/dev/mqueue", "mqueue", "mqueue", strict);
	for (i = 0; i < p->mounts.n; i++)
		if (strcmp(p->mounts.v[i].target, "/dev/shm") == 0)
			break;
	if (i == p->mounts.n)
		add_mount(mounts, "/dev/shm", "tmpfs", "shm", shm);
	for (i = 0; i < p->mounts.n; i++)
		if (p->mounts.v[i].type == SK_MOUNT_TMPFS)
			sk_jx_push(mounts, tmpfs_mount(&p->mounts.v[i]));
	return mounts;
}

static json_t *spec_capabilities(const struct sk_plan *p)
{
	json_t *o = sk_jx_object();

	sk_jx_set(o, "bounding", sk_jx_strv(&p->caps));
	sk_jx_set(o, "effective", sk_jx_strv(&p->caps));
	sk_jx_set(o, "permitted", sk_jx_strv(&p->caps));
	return o;
}

static void add_rlimit(json_t *list, const char *type, int64_t soft, int64_t hard)
{
	json_t *o = sk_jx_object();

	/* -1, no limit: JSON integers here have a sign, and crun reads it as the kernel's RLIM_INFINITY. */
	sk_jx_set_str(o, "type", type);
	sk_jx_set_int(o, "hard", hard);
	sk_jx_set_int(o, "soft", soft);
	sk_jx_push(list, o);
}

static json_t *spec_rlimits(const struct sk_plan *p)
{
	json_t *list = sk_jx_array();
	bool nofile = false;
	size_t i;

	for (i = 0; i < p->opts->ulimit.n; i++) {
		struct sk_ulimit u;
		char why[256];

		if (sk_ulimit_parse(p->opts->ulimit.v[i], &u, why) < 0)
			continue; /* checked by the option table */
		nofile |= strcmp(u.name, "nofile") == 0;
		add_rlimit(list, u.rlimit, u.soft, u.hard);
	}
	if (!nofile) /* docker's */
		add_rlimit(list, "RLIMIT_NOFILE", 1048576, 1048576);
	return list;
}

/* The agent looks the user up in the image. */
static json_t *spec_user(void)
{
	json_t *o = sk_jx_object();

	sk_jx_set_int(o, "uid", 0);
	sk_jx_set_int(o, "gid", 0);
	return o;
}

static json_t *spec_process(const struct sk_plan *p)
{
	json_t *o = sk_jx_object(), *args = sk_jx_strv(&p->entrypoint), *cmd = sk_jx_strv(&p->cmd);

	json_array_extend(args, cmd);
	json_decref(cmd);
	sk_jx_set_bool(o, "terminal", p->opts->tty);
	sk_jx_set(o, "user", spec_user());
	sk_jx_set(o, "args", args);
	sk_jx_set(o, "env", sk_jx_strv(&p->env));
	sk_jx_set_str(o, "cwd", *p->workdir ? p->workdir : "/");
	sk_jx_set(o, "capabilities", spec_capabilities(p));
	sk_jx_set(o, "rlimits", spec_rlimits(p));
	sk_jx_set_bool(o, "noNewPrivileges", p->no_new_privileges);
	sk_jx_set_int(o, "oomScoreAdj", p->opts->oom_score_adj);
	return o;
}

static void set_cpu(json_t *resources, const json_t *host)
{
	int64_t nano = sk_jx_get_int(host, "NanoCpus", 0), quota = sk_jx_get_int(host, "CpuQuota", 0);
	int64_t period = sk_jx_get_int(host, "CpuPeriod", 0), shares = sk_jx_get_int(host, "CpuShares", 0);
	json_t *cpu = sk_jx_object();

	/* Whole processors are what the VM has: a quota would only cost. */
	if (nano > 0 && nano % 1000000000) {
		period = CPU_PERIOD;
		quota = nano * CPU_PERIOD / 1000000000;
		if (quota < 1000)
			quota = 1000; /* the kernel's least */
	}
	if (shares > 0)
		sk_jx_set_int(cpu, "shares", shares);
	if (quota > 0) {
		sk_jx_set_int(cpu, "quota", quota);
		sk_jx_set_int(cpu, "period", period > 0 ? period : CPU_PERIOD);
	}
	if (json_object_size(cpu))
		sk_jx_set(resources, "cpu", cpu);
	else
		json_decref(cpu);
}

json_t *sk_spec_resources(const json_t *host, bool privileged)
{
	int64_t memory = sk_jx_get_int(host, "Memory", 0), reservation = sk_jx_get_int(host, "MemoryReservation", 0);
	int64_t pids = sk_jx_get_int(host, "PidsLimit", 0);
	json_t *o = sk_jx_object(), *m = sk_jx_object();

	if (privileged)
		sk_jx_set(o, "devices", sk_jx(json_pack("[{s:b,s:s}]", "allow", 1, "access", "rwm")));
	else
		sk_jx_set(o, "devices", sk_jx(json_pack("[{s:b,s:s}]", "allow", 0, "access", "rwm")));
	if (!privileged)
		sk_devices_allow(json_object_get(o, "devices"), json_object_get(host, "Devices"));
	if (memory > 0)
		sk_jx_set_int(m, "limit", memory);
	if (reservation > 0)
		sk_jx_set_int(m, "reservation", reservation);
	if (json_object_size(m))
		sk_jx_set(o, "memory", m);
	else
		json_decref(m);
	set_cpu(o, host);
	if (pids == 0)
		pids = PIDS_DEFAULT;
	if (pids > 0 || pids == -1)
		sk_jx_set(o, "pids", sk_jx(json_pack("{s:I}", "limit", (json_int_t)pids)));
	return o;
}

static void set_paths(json_t *linux_, const struct sk_plan *p)
{
	static const char *const masked[] = { "/proc/asound",
					      "/proc/acpi",
					      "/proc/interrupts",
					      "/proc/kcore",
					      "/proc/keys",
					      "/proc/latency_stats",
					      "/proc/timer_list",
					      "/proc/timer_stats",
					      "/proc/sched_debug",
					      "/proc/scsi",
					      "/sys/firmware",
					      "/sys/devices/virtual/powercap",
					      NULL };
	static const char *const readonly[] = { "/proc/bus",	       "/proc/fs", "/proc/irq", "/proc/sys",
						"/proc/sysrq-trigger", NULL };
	size_t i;

	for (i = 0; i < p->opts->security_opt.n; i++)
		if (strcmp(p->opts->security_opt.v[i], "systempaths=unconfined") == 0)
			return;
	if (p->opts->privileged)
		return;
	sk_jx_set(linux_, "maskedPaths", strings(masked));
	sk_jx_set(linux_, "readonlyPaths", strings(readonly));
}

static json_t *spec_sysctl(const struct sk_plan *p)
{
	json_t *o = sk_jx_object();
	size_t i;

	if (p->network->backend && !p->opts->privileged) {
		sk_jx_set_str(o, "net.ipv4.ip_unprivileged_port_start", "0");
		sk_jx_set_str(o, "net.ipv4.ping_group_range", "0 2147483647");
	}
	for (i = 0; i < p->opts->sysctl.n; i++) {
		const char *s = p->opts->sysctl.v[i], *eq = strchr(s, '=');
		_cleanup_free_ char *key = sk_xstrndup(s, (size_t)(eq - s));

		sk_jx_set_str(o, key, eq + 1);
	}
	return o;
}

static json_t *spec_linux(const struct sk_plan *p)
{
	static const char *const namespaces[] = { "pid", "mount", "ipc", "uts", "cgroup" };
	_cleanup_json_ json_t *host = sk_jx_object();
	json_t *o = sk_jx_object(), *ns = sk_jx_array();
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(namespaces); i++)
		sk_jx_push(ns, sk_jx(json_pack("{s:s}", "type", namespaces[i])));
	sk_jx_set(o, "namespaces", ns);
	sk_jx_set_int(host, "Memory", p->opts->memory);
	sk_jx_set_int(host, "MemoryReservation", p->opts->memory_reservation);
	sk_jx_set_int(host, "NanoCpus", p->opts->cpus);
	sk_jx_set_int(host, "CpuQuota", p->opts->cpu_quota);
	sk_jx_set_int(host, "CpuPeriod", p->opts->cpu_period);
	sk_jx_set_int(host, "CpuShares", p->opts->cpu_shares);
	sk_jx_set_int(host, "PidsLimit", p->opts->pids_limit);
	sk_jx_set(host, "Devices", sk_devices_to_host(&p->opts->device));
	sk_jx_set(o, "devices", sk_devices_to_spec(json_object_get(host, "Devices"), p->opts->privileged));
	sk_jx_set(o, "resources", sk_spec_resources(host, p->opts->privileged));
	sk_jx_set(o, "sysctl", spec_sysctl(p));
	if (p->seccomp)
		sk_jx_set(o, "seccomp", json_incref(p->seccomp));
	set_paths(o, p);
	return o;
}

json_t *sk_plan_spec(const struct sk_plan *p)
{
	json_t *o = sk_jx_object(), *root = sk_jx_object(), *annotations;
	size_t i;

	sk_jx_set_str(o, "ociVersion", "1.0.2");
	sk_jx_set(o, "process", spec_process(p));
	sk_jx_set_str(root, "path", "rootfs"); /* the agent's business */
	sk_jx_set_bool(root, "readonly", p->opts->read_only);
	sk_jx_set(o, "root", root);
	sk_jx_set_str(o, "hostname", p->hostname);
	if (*p->domainname)
		sk_jx_set_str(o, "domainname", p->domainname);
	sk_jx_set(o, "mounts", spec_mounts(p));
	sk_jx_set(o, "linux", spec_linux(p));
	if (p->opts->annotation.n) {
		annotations = sk_jx_object();
		for (i = 0; i < p->opts->annotation.n; i++) {
			const char *s = p->opts->annotation.v[i], *eq = strchr(s, '=');
			_cleanup_free_ char *key = sk_xstrndup(s, (size_t)(eq - s));

			sk_jx_set_str(annotations, key, eq + 1);
		}
		sk_jx_set(o, "annotations", annotations);
	}
	return o;
}
