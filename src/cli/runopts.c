/* SPDX-License-Identifier: Apache-2.0 */
/* The options of run and create, with docker's words. */
#include "cli/runopts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "model/devices.h"
#include "model/hosts.h"
#include "model/mounts.h"
#include "model/network.h"
#include "model/ports.h"
#include "model/signals.h"
#include "model/ulimits.h"
#include "model/units.h"
#include "engine/engine.h"

int sk_check_env(const char *value, char *why)
{
	if (*value && *value != '=')
		return 0;
	snprintf(why, 256, "invalid environment variable: %.128s", value);
	return -EINVAL;
}

int sk_check_label(const char *value, char *why)
{
	if (*value && *value != '=')
		return 0;
	snprintf(why, 256, "invalid label '%.128s': empty name", value);
	return -EINVAL;
}

int sk_check_signal(const char *value, char *why)
{
	if (sk_signal_parse(value) > 0)
		return 0;
	snprintf(why, 256, "invalid signal: %.64s", value);
	return -EINVAL;
}

int sk_check_restart(const char *value, char *why)
{
	int64_t n;

	if (strcmp(value, "no") == 0 || strcmp(value, "") == 0 || strcmp(value, "always") == 0 ||
	    strcmp(value, "unless-stopped") == 0 || strcmp(value, "on-failure") == 0)
		return 0;
	if (strncmp(value, "on-failure:", 11) == 0) {
		if (sk_parse_int(value + 11, &n) == 0 && n >= 0 && n <= INT32_MAX)
			return 0;
		snprintf(why, 256, "maximum retry count must be an integer");
	} else if (strncmp(value, "always:", 7) == 0 || strncmp(value, "no:", 3) == 0 ||
		   strncmp(value, "unless-stopped:", 15) == 0) {
		snprintf(why, 256, "invalid restart policy: maximum retry count can only be used with 'on-failure'");
	} else {
		snprintf(why, 256,
			 "invalid restart policy: unknown policy '%.64s'; use one of 'no', 'always', 'on-failure', or "
			 "'unless-stopped'",
			 value);
	}
	return -EINVAL;
}

static int check_ip(const char *value, char *why)
{
	char buf[16];

	if (inet_pton(AF_INET, value, buf) == 1 || inet_pton(AF_INET6, value, buf) == 1)
		return 0;
	snprintf(why, 256, "IP address is not correctly formatted: %.64s", value);
	return -EINVAL;
}

static int check_add_host(const char *value, char *why)
{
	struct sk_host host = { 0 };
	int r = sk_host_parse(value, &host, why);

	sk_host_fini(&host);
	return r;
}

static int check_ulimit(const char *value, char *why)
{
	struct sk_ulimit limit;

	return sk_ulimit_parse(value, &limit, why);
}

static int check_key_value(const char *value, char *why)
{
	if (strchr(value, '=') && *value != '=')
		return 0;
	snprintf(why, 256, "bad format: '%.64s': expected key=value", value);
	return -EINVAL;
}

/* Options about the container's namespaces, with the names of docker's CLI. */
static int check_sysctl(const char *value, char *why)
{
	static const char *const allowed[] = {
		"kernel.msgmax=", "kernel.msgmnb=", "kernel.msgmni=",	       "kernel.sem=", "kernel.shmall=",
		"kernel.shmmax=", "kernel.shmmni=", "kernel.shm_rmid_forced=", "net.",	      "fs.mqueue."
	};
	size_t i;

	for (i = 0; strchr(value, '=') && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (strncmp(value, allowed[i], strlen(allowed[i])) == 0)
			return 0;
	snprintf(why, 256, "sysctl '%.128s' is not allowed", value);
	return -EINVAL;
}

static int check_attach(const char *value, char *why)
{
	if (strcasecmp(value, "stdin") == 0 || strcasecmp(value, "stdout") == 0 || strcasecmp(value, "stderr") == 0)
		return 0;
	snprintf(why, 256, "valid streams are STDIN, STDOUT and STDERR");
	return -EINVAL;
}

static int check_pull(const char *value, char *why)
{
	if (strcmp(value, "always") == 0 || strcmp(value, "missing") == 0 || strcmp(value, "never") == 0 || !*value)
		return 0;
	snprintf(why, 256, "invalid pull option: '%.32s': must be one of \"always\", \"missing\" or \"never\"", value);
	return -EINVAL;
}

static int check_network(const char *value, char *why)
{
	if (sk_network_kind(value))
		return 0;
	if (strcmp(value, "host") == 0)
		snprintf(why, 256,
			 "a container in a VM has a network of its own: use -p to publish ports, host.skerry.internal "
			 "to reach the host");
	else
		snprintf(why, 256, "no such network: use bridge (the default) or none");
	return -EINVAL;
}

static int check_log_driver(const char *value, char *why)
{
	if (strcmp(value, "json-file") == 0 || strcmp(value, "none") == 0 || strcmp(value, "local") == 0)
		return 0;
	snprintf(why, 256, "no such log driver: use json-file or none");
	return -EINVAL;
}

static int check_mac(const char *value, char *why)
{
	unsigned b[6];
	char rest;

	if (strlen(value) == 17 &&
	    sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &rest) == 6 &&
	    !(b[0] & 1))
		return 0;
	snprintf(why, 256, "%.32s is not a mac address", value);
	return -EINVAL;
}

static int check_publish(const char *value, char *why)
{
	struct sk_ports ports = { 0 };
	int r = sk_ports_parse(&ports, value, why);

	sk_ports_fini(&ports);
	return r;
}

static int check_expose(const char *value, char *why)
{
	struct sk_strv list = { 0 };
	int r = sk_ports_parse_expose(&list, value, why);

	sk_strv_fini(&list);
	return r;
}

static int check_mount_with(int (*parse)(struct sk_mounts *, const char *, char *), const char *value, char *why)
{
	struct sk_mounts mounts = { 0 };
	int r = parse(&mounts, value, why);

	sk_mounts_fini(&mounts);
	return r;
}

static int check_volume(const char *value, char *why)
{
	return check_mount_with(sk_mounts_parse_volume, value, why);
}

static int check_mount(const char *value, char *why)
{
	return check_mount_with(sk_mounts_parse_mount, value, why);
}

static int check_tmpfs(const char *value, char *why)
{
	return check_mount_with(sk_mounts_parse_tmpfs, value, why);
}

static int check_private(const char *value, char *why)
{
	if (!*value || strcmp(value, "private") == 0 || strcmp(value, "shareable") == 0)
		return 0;
	snprintf(why, 256,
		 "a container in a VM of its own shares no namespaces with the host or with other containers");
	return -EINVAL;
}

static int check_engine(const char *value, char *why)
{
	if (sk_engine_name_valid(value))
		return 0;
	snprintf(why, 256, "unknown engine: it is " SK_ENGINE_NAMES);
	return -EINVAL;
}

static int check_group(const char *value, char *why)
{
	if (*value && strlen(value) <= 64 && !strpbrk(value, ":,\n"))
		return 0;
	snprintf(why, 256, "give the name of a group of the image, or a number");
	return -EINVAL;
}

static int check_swappiness(const char *value, char *why)
{
	int64_t n;

	if (sk_parse_int(value, &n) == 0 && n >= -1 && n <= 100)
		return 0;
	snprintf(why, 256, "invalid value: %.64s. Valid memory swappiness range is 0-100", value);
	return -EINVAL;
}

static int check_isolation(const char *value, char *why)
{
	if (!*value || strcmp(value, "default") == 0)
		return 0;
	snprintf(why, 256, "invalid isolation: \"%.64s\": linux only supports 'default'", value);
	return -EINVAL;
}

/* What docker calls its own, so that command lines which name it work. */
static int check_runtime(const char *value, char *why)
{
	static const char *const known[] = { "", "runc", "io.containerd.runc.v2", "skerry" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(known); i++)
		if (strcmp(value, known[i]) == 0)
			return 0;
	snprintf(why, 256, "unknown runtime specified %.64s: containers run in VMs, whatever it is called", value);
	return -EINVAL;
}

static int check_volume_driver(const char *value, char *why)
{
	if (!*value || strcmp(value, "local") == 0)
		return 0;
	snprintf(why, 256, "driver \"%.64s\" is not to be had, only \"local\"", value);
	return -EINVAL;
}

#define AT(field) offsetof(struct sk_run_opts, field)
#define STR(name, letter, field, value, help)                                          \
	{                                                                              \
		name, letter, SK_OPT_STRING, AT(field), value, help, NULL, NULL, false \
	}
#define STR_CHECKED(name, letter, field, value, help, check)                            \
	{                                                                               \
		name, letter, SK_OPT_STRING, AT(field), value, help, check, NULL, false \
	}
#define ONE_VALUE(name)                                                                   \
	{                                                                                 \
		name, 0, SK_OPT_STRING, AT(unused), NULL, NULL, check_private, NULL, true \
	}
#define LIST(name, letter, field, value, help, check)                                 \
	{                                                                             \
		name, letter, SK_OPT_LIST, AT(field), value, help, check, NULL, false \
	}
#define BOOL(name, letter, field, help)                                             \
	{                                                                           \
		name, letter, SK_OPT_BOOL, AT(field), NULL, help, NULL, NULL, false \
	}
#define NUM(name, letter, kind, field, value, help)                           \
	{                                                                     \
		name, letter, kind, AT(field), value, help, NULL, NULL, false \
	}
#define REFUSED(name, letter, why)                                           \
	{                                                                    \
		name, letter, SK_OPT_REFUSED, 0, NULL, why, NULL, NULL, true \
	}
#define IDLE(name, check)                                                     \
	{                                                                     \
		name, 0, SK_OPT_IDLE, AT(idle), NULL, NULL, check, NULL, true \
	}
#define CHECKED(name, check)                                                      \
	{                                                                         \
		name, 0, SK_OPT_STRING, AT(unused), NULL, NULL, check, NULL, true \
	}

/*
 * Known to docker: refused where a program would miss it; told to be without effect (sk_run_opts_warn()) where it
 * would not, as docker does with what its kernel does not have.
 */
static const struct sk_opt foreign_opts[] = {
	REFUSED("blkio-weight-device", 0, "the container's disk is its own, there are no host devices"),
	REFUSED("device-cgroup-rule", 0, "host devices cannot be given to a VM"),
	REFUSED("device-read-bps", 0, "host devices cannot be given to a VM"),
	REFUSED("device-read-iops", 0, "host devices cannot be given to a VM"),
	REFUSED("device-write-bps", 0, "host devices cannot be given to a VM"),
	REFUSED("device-write-iops", 0, "host devices cannot be given to a VM"),
	REFUSED("gpus", 0, "host devices cannot be given to a VM"),
	REFUSED("ip", 0, "the address in the VM is always 10.0.2.15: publish ports with -p"),
	REFUSED("ip6", 0, "addresses in the VM are fixed: publish ports with -p"),
	REFUSED("link", 0, "containers do not share a network: publish ports with -p and use host.skerry.internal"),
	REFUSED("use-api-socket", 0, "there is no Docker API"),
	IDLE("blkio-weight", NULL),
	IDLE("cgroup-parent", NULL),
	IDLE("cpu-count", NULL),
	IDLE("cpu-percent", NULL),
	IDLE("cpu-rt-period", NULL),
	IDLE("cpu-rt-runtime", NULL),
	IDLE("cpuset-cpus", NULL),
	IDLE("cpuset-mems", NULL),
	IDLE("health-start-interval", NULL),
	CHECKED("isolation", check_isolation),
	IDLE("kernel-memory", NULL),
	IDLE("link-local-ip", NULL),
	IDLE("memory-swappiness", check_swappiness),
	IDLE("network-alias", NULL),
	IDLE("net-alias", NULL),
	CHECKED("runtime", check_runtime),
	CHECKED("volume-driver", check_volume_driver),
	{ "disable-content-trust", 0, SK_OPT_IGNORED_BOOL, 0, NULL, NULL, NULL, NULL, true },
	/* Options that accept one value: the only behaviour we have. */
	ONE_VALUE("ipc"),
	ONE_VALUE("pid"),
	ONE_VALUE("uts"),
	ONE_VALUE("userns"),
	ONE_VALUE("cgroupns"),
	{ NULL, 0, SK_OPT_BOOL, 0, NULL, NULL, NULL, NULL, false },
};

const struct sk_opt sk_create_opts[] = {
	LIST("add-host", 0, add_host, "list", "Add a custom host-to-IP mapping (host:ip)", check_add_host),
	LIST("annotation", 0, annotation, "map",
	     "Add an annotation to the container (passed through to the OCI runtime)", check_key_value),
	LIST("attach", 'a', attach, "list", "Attach to STDIN, STDOUT or STDERR", check_attach),
	LIST("cap-add", 0, cap_add, "list", "Add Linux capabilities", NULL),
	LIST("cap-drop", 0, cap_drop, "list", "Drop Linux capabilities", NULL),
	STR("cidfile", 0, cidfile, "string", "Write the container ID to the file"),
	NUM("cpu-period", 0, SK_OPT_INT, cpu_period, "int", "Limit CPU CFS (Completely Fair Scheduler) period"),
	NUM("cpu-quota", 0, SK_OPT_INT, cpu_quota, "int", "Limit CPU CFS (Completely Fair Scheduler) quota"),
	NUM("cpu-shares", 'c', SK_OPT_INT, cpu_shares, "int", "CPU shares (relative weight)"),
	NUM("cpus", 0, SK_OPT_CPUS, cpus, "decimal",
	    "Number of CPUs; the VM has as many, rounded up, and 1 without it (\"cpus\" of the configuration file)"),
	LIST("device", 0, device, "list", "Add a device of the guest: /dev/fuse, /dev/net/tun, /dev/loop*",
	     sk_check_device),
	LIST("dns", 0, dns, "list", "Set custom DNS servers", check_ip),
	LIST("dns-option", 0, dns_option, "list", "Set DNS options", NULL),
	{ "dns-opt", 0, SK_OPT_LIST, AT(dns_option), NULL, NULL, NULL, NULL, true },
	LIST("dns-search", 0, dns_search, "list", "Set custom DNS search domains", NULL),
	STR("domainname", 0, domainname, "string", "Container NIS domain name"),
	STR_CHECKED("engine", 0, engine, "string", "What supplies processors and memory: " SK_ENGINE_NAMES,
		    check_engine),
	STR("entrypoint", 0, entrypoint, "string", "Overwrite the default ENTRYPOINT of the image"),
	LIST("env", 'e', env, "list", "Set environment variables", sk_check_env),
	LIST("env-file", 0, env_file, "list", "Read in a file of environment variables", NULL),
	LIST("expose", 0, expose, "list", "Expose a port or a range of ports", check_expose),
	LIST("group-add", 0, group_add, "list", "Add additional groups to join", check_group),
	STR("health-cmd", 0, health_cmd, "string", "Command to run to check health"),
	STR("health-interval", 0, health_interval, "duration",
	    "Time between running the check (ms|s|m|h) (default 30s)"),
	NUM("health-retries", 0, SK_OPT_INT, health_retries, "int",
	    "Consecutive failures needed to report unhealthy (default 3)"),
	STR("health-start-period", 0, health_start_period, "duration",
	    "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)"),
	STR("health-timeout", 0, health_timeout, "duration",
	    "Maximum time to allow one check to run (ms|s|m|h) (default 30s)"),
	STR("hostname", 'h', hostname, "string", "Container host name"),
	BOOL("init", 0, init, "Run an init inside the container that forwards signals and reaps processes"),
	BOOL("interactive", 'i', interactive, "Keep STDIN open even if not attached"),
	LIST("label", 'l', label, "list", "Set meta data on a container", sk_check_label),
	LIST("label-file", 0, label_file, "list", "Read in a line delimited file of labels", NULL),
	STR_CHECKED("log-driver", 0, log_driver, "string", "Logging driver for the container: json-file or none",
		    check_log_driver),
	LIST("log-opt", 0, log_opt, "list", "Log driver options: max-size, max-file", check_key_value),
	STR_CHECKED("mac-address", 0, mac, "string", "Container MAC address (e.g., 92:d0:c6:0a:29:33)", check_mac),
	NUM("memory", 'm', SK_OPT_BYTES, memory, "bytes",
	    "Memory limit; sizes the VM, which has 1g without one (\"memory\" of the configuration file)"),
	NUM("memory-reservation", 0, SK_OPT_BYTES, memory_reservation, "bytes", "Memory soft limit"),
	NUM("memory-swap", 0, SK_OPT_BYTES, memory_swap, "bytes", "Taken, without effect: VMs have no swap"),
	LIST("mount", 0, mount, "mount", "Attach a filesystem mount to the container", check_mount),
	STR("name", 0, name, "string", "Assign a name to the container"),
	STR_CHECKED("network", 0, network, "network", "Network of the container: bridge (slirp) or none",
		    check_network),
	{ "net", 0, SK_OPT_STRING, AT(network), NULL, NULL, check_network, NULL, true },
	BOOL("no-healthcheck", 0, no_healthcheck, "Disable any container-specified HEALTHCHECK"),
	BOOL("oom-kill-disable", 0, oom_kill_disable, "Disable OOM Killer"),
	NUM("oom-score-adj", 0, SK_OPT_INT, oom_score_adj, "int", "Tune OOM preferences (-1000 to 1000)"),
	NUM("pids-limit", 0, SK_OPT_INT, pids_limit, "int", "Tune container pids limit (set -1 for unlimited)"),
	{ "pid-limit", 0, SK_OPT_INT, AT(pids_limit), NULL, NULL, NULL, NULL, true },
	STR("platform", 0, platform, "string", "Set platform of the image, e.g. linux/amd64"),
	BOOL("privileged", 0, privileged, "Give extended privileges to this container"),
	LIST("publish", 'p', publish, "list", "Publish a container's port(s) to the host", check_publish),
	BOOL("publish-all", 'P', publish_all, "Publish all exposed ports to random ports"),
	STR_CHECKED("pull", 0, pull, "string",
		    "Pull image before running (\"always\", \"missing\", \"never\") (default \"missing\")", check_pull),
	BOOL("quiet", 'q', quiet, "Suppress the pull output"),
	BOOL("read-only", 0, read_only, "Mount the container's root filesystem as read only"),
	STR_CHECKED("restart", 0, restart, "string", "Restart policy to apply when a container exits (default \"no\")",
		    sk_check_restart),
	BOOL("rm", 0, rm, "Automatically remove the container and its associated anonymous volumes when it exits"),
	LIST("security-opt", 0, security_opt, "list", "Security Options: seccomp=FILE|unconfined, no-new-privileges",
	     NULL),
	NUM("shm-size", 0, SK_OPT_BYTES, shm_size, "bytes", "Size of /dev/shm"),
	STR_CHECKED("stop-signal", 0, stop_signal, "string", "Signal to stop the container", sk_check_signal),
	NUM("stop-timeout", 0, SK_OPT_INT, stop_timeout, "int", "Timeout (in seconds) to stop a container"),
	LIST("storage-opt", 0, storage_opt, "list", "Storage driver options for the container: size=BYTES",
	     check_key_value),
	NUM("storage-size", 0, SK_OPT_BYTES, storage_size, "bytes",
	    "Size of the container's writable disk (default 64g, sparse)"),
	LIST("sysctl", 0, sysctl, "map", "Sysctl options", check_sysctl),
	{ "tls-verify", 0, SK_OPT_BOOL, AT(tls_verify), NULL,
	  "Require HTTPS and verify certificates when pulling (default true)", NULL, NULL, false },
	LIST("tmpfs", 0, tmpfs, "list", "Mount a tmpfs directory", check_tmpfs),
	BOOL("tty", 't', tty, "Allocate a pseudo-TTY"),
	LIST("ulimit", 0, ulimit, "ulimit", "Ulimit options", check_ulimit),
	STR("user", 'u', user, "string", "Username or UID (format: <name|uid>[:<group|gid>])"),
	LIST("volume", 'v', volume, "list", "Bind mount a volume", check_volume),
	LIST("volumes-from", 0, volumes_from, "list", "Mount volumes from the specified container(s)", NULL),
	STR("workdir", 'w', workdir, "string", "Working directory inside the container"),
	{ "foreign", 0, SK_OPT_INCLUDE, 0, NULL, NULL, NULL, foreign_opts, false },
	{ NULL, 0, SK_OPT_BOOL, 0, NULL, NULL, NULL, NULL, false },
};

const struct sk_opt sk_run_opts[] = {
	BOOL("detach", 'd', detach, "Run container in background and print container ID"),
	STR("detach-keys", 0, detach_keys, "string", "Override the key sequence for detaching a container"),
	BOOL("sig-proxy", 0, sig_proxy, "Proxy received signals to the process (default true)"),
	{ "create", 0, SK_OPT_INCLUDE, 0, NULL, NULL, NULL, sk_create_opts, false },
	{ NULL, 0, SK_OPT_BOOL, 0, NULL, NULL, NULL, NULL, false },
};

void sk_run_opts_defaults(void *opts)
{
	struct sk_run_opts *o = opts;

	o->sig_proxy = true;
	o->tls_verify = true;
	o->stop_timeout = SK_STOP_TIMEOUT_UNSET;
}

void sk_run_opts_warn(const struct sk_strv *idle)
{
	size_t i;

	for (i = 0; i < idle->n; i++)
		sk_cli_warn("--%s has no effect: the container has a VM of its own", idle->v[i]);
}
