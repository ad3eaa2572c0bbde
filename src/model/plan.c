/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From options and an image to everything that is known about a container before it is made: the plan. Nothing is
 * written here.
 */
#include "model/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "model/caps.h"
#include "model/env.h"
#include "model/health.h"
#include "model/hosts.h"
#include "model/jx.h"
#include "model/path.h"
#include "model/seccomp.h"
#include "model/signals.h"
#include "model/units.h"

#define MAX_CPUS 64

void sk_plan_fini(struct sk_plan *p)
{
	free(p->image_ref);
	free(p->image_id);
	free(p->hostname);
	free(p->domainname);
	free(p->user);
	free(p->workdir);
	sk_strv_fini(&p->entrypoint);
	sk_strv_fini(&p->cmd);
	sk_strv_fini(&p->env);
	sk_strv_fini(&p->config_env);
	sk_strv_fini(&p->labels);
	sk_strv_fini(&p->caps);
	sk_strv_fini(&p->exposed);
	sk_strv_fini(&p->volumes);
	sk_strv_fini(&p->dns);
	sk_strv_fini(&p->dns_search);
	sk_strv_fini(&p->dns_option);
	sk_ports_fini(&p->ports);
	sk_ports_fini(&p->given);
	sk_mounts_fini(&p->mounts);
	json_decref(p->seccomp);
	json_decref(p->health);
	*p = (struct sk_plan){ 0 };
}

uint64_t sk_plan_vm_memory(int64_t limit, uint64_t absent)
{
	uint64_t memory;

	if (limit <= 0)
		return absent ? absent : SK_DEFAULT_VM_MEMORY;
	memory = (uint64_t)limit + (uint64_t)limit / SK_VM_MEMORY_MAP + SK_VM_MEMORY_OVERHEAD;
	memory = (memory + 0xfffff) & ~0xfffffull;
	return memory < SK_MIN_VM_MEMORY ? SK_MIN_VM_MEMORY : memory;
}

unsigned sk_plan_vm_cpus(int64_t nano_cpus, unsigned absent)
{
	if (nano_cpus <= 0)
		return absent ? absent : 1;
	return (unsigned)((nano_cpus + 999999999) / 1000000000);
}

static void add_strings(struct sk_strv *list, const json_t *array)
{
	size_t i;
	json_t *v;

	json_array_foreach(array, i, v) if (json_is_string(v)) sk_strv_add(list, json_string_value(v));
}

static void add_keys(struct sk_strv *list, const json_t *object)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)object, key, v) if (!sk_strv_has(list, key)) sk_strv_add(list, key);
}

/* Docker's rule: --entrypoint drops the image's command too; arguments replace the command. */
static int set_command(struct sk_plan *p, const json_t *image, char *const *args, int n_args, struct sk_error *err)
{
	int i;

	if (!p->opts->entrypoint)
		add_strings(&p->entrypoint, json_object_get(image, "Entrypoint"));
	else if (*p->opts->entrypoint)
		sk_strv_add(&p->entrypoint, p->opts->entrypoint);
	for (i = 0; i < n_args; i++)
		sk_strv_add(&p->cmd, args[i]);
	if (!n_args && !p->opts->entrypoint)
		add_strings(&p->cmd, json_object_get(image, "Cmd"));
	sk_strv_make_utf8(&p->entrypoint);
	sk_strv_make_utf8(&p->cmd);
	if (!p->entrypoint.n && !p->cmd.n)
		return sk_error_set(
			err, EINVAL,
			"no command specified: image %s has none of its own, give one behind the image's name",
			p->image_ref);
	if (!*(p->entrypoint.n ? p->entrypoint.v[0] : p->cmd.v[0]))
		return sk_error_set(err, EINVAL, "no command specified: its first word is empty");
	return 0;
}

static int set_env(struct sk_plan *p, const json_t *image, struct sk_error *err)
{
	struct sk_strv from_image = { 0 }, given = { 0 };
	size_t i;
	int r = 0;

	sk_env_base(&p->env, p->hostname, p->opts->tty);
	add_strings(&from_image, json_object_get(image, "Env"));
	sk_env_merge(&p->env, &from_image);
	for (i = 0; r == 0 && i < p->opts->env_file.n; i++)
		r = sk_env_read_file(&given, p->opts->env_file.v[i], false, err);
	for (i = 0; i < p->opts->env.n; i++)
		sk_env_add_option(&given, p->opts->env.v[i]);
	sk_env_merge(&p->env, &given);
	sk_strv_make_utf8(&p->env);
	sk_env_merge(&p->config_env, &from_image);
	sk_env_merge(&p->config_env, &given);
	sk_strv_make_utf8(&p->config_env);
	sk_strv_fini(&from_image);
	sk_strv_fini(&given);
	return r;
}

static int set_labels(struct sk_plan *p, const json_t *image, struct sk_error *err)
{
	const char *key;
	json_t *v;
	size_t i;
	int r = 0;

	json_object_foreach(json_object_get(image, "Labels"), key, v) if (json_is_string(v))
		sk_strv_take(&p->labels, sk_xasprintf("%s=%s", key, json_string_value(v)));
	for (i = 0; r == 0 && i < p->opts->label_file.n; i++) {
		struct sk_strv lines = { 0 };

		r = sk_env_read_file(&lines, p->opts->label_file.v[i], true, err);
		sk_env_merge(&p->labels, &lines);
		sk_strv_fini(&lines);
	}
	for (i = 0; i < p->opts->label.n; i++) {
		_cleanup_free_ char *entry = NULL;

		entry = sk_xasprintf("%s%s", p->opts->label.v[i], strchr(p->opts->label.v[i], '=') ? "" : "=");
		sk_env_set(&p->labels, entry);
	}
	sk_strv_make_utf8(&p->labels);
	return r;
}

static bool is_hostname(const char *s)
{
	size_t n = strlen(s);

	return n >= 1 && n <= 64 &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] == '\0' &&
	       s[0] != '-' && s[0] != '.';
}

static int set_hostname(struct sk_plan *p, struct sk_error *err)
{
	p->hostname = p->opts->hostname && *p->opts->hostname ? sk_xstrdup(p->opts->hostname) : sk_xstrndup(p->id, 12);
	p->domainname = sk_xstrdup(p->opts->domainname ? p->opts->domainname : "");
	if (!is_hostname(p->hostname))
		return sk_error_set(err, EINVAL,
				    "invalid hostname '%.64s': letters, digits, '-' and '.' are allowed, 64 at most",
				    p->hostname);
	return 0;
}

static void copy(struct sk_strv *to, const struct sk_strv *from)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		sk_strv_add(to, from->v[i]);
}

/* The name servers that were asked for; the host's where nothing was, as docker does. */
static void set_dns(struct sk_plan *p)
{
	const struct sk_run_opts *o = p->opts;
	_cleanup_free_ char *text = NULL;

	copy(&p->dns, &o->dns);
	copy(&p->dns_search, &o->dns_search);
	copy(&p->dns_option, &o->dns_option);
	if (!p->network->backend)
		return;
	if (sk_fs_read(AT_FDCWD, "/etc/resolv.conf", 1 << 20, &text, NULL) < 0)
		text = sk_xstrdup("");
	sk_host_resolv(text, o->dns.n ? NULL : &p->dns, o->dns_search.n || o->dns.n ? NULL : &p->dns_search,
		       o->dns_option.n ? NULL : &p->dns_option);
}

static int set_network(struct sk_plan *p, const json_t *image, struct sk_error *err)
{
	const struct sk_run_opts *o = p->opts;
	char why[256];
	size_t i;

	p->network = sk_network_kind(o->network);
	if (!p->network)
		return sk_error_set(err, EINVAL, "no such network: %.64s", o->network);
	set_dns(p);
	add_keys(&p->exposed, json_object_get(image, "ExposedPorts"));
	for (i = 0; i < o->expose.n; i++)
		if (sk_ports_parse_expose(&p->exposed, o->expose.v[i], why) < 0)
			return sk_error_set(err, EINVAL, "%s", why);
	for (i = 0; i < o->publish.n; i++)
		if (sk_ports_parse(&p->ports, o->publish.v[i], why) < 0)
			return sk_error_set(err, EINVAL, "%s", why);
	for (i = 0; i < p->ports.n; i++) {
		_cleanup_free_ char *key =
			sk_xasprintf("%u/%s", p->ports.v[i].guest_port, p->ports.v[i].udp ? "udp" : "tcp");

		if (!sk_strv_has(&p->exposed, key))
			sk_strv_add(&p->exposed, key);
	}
	if (!p->network->backend) { /* as docker: taken, without effect */
		sk_ports_fini(&p->ports);
		return 0;
	}
	for (i = 0; o->publish_all && i < p->exposed.n; i++) {
		struct sk_port port;
		size_t k;

		if (sk_ports_parse_key(p->exposed.v[i], &port.guest_port, &port.udp) < 0)
			continue;
		for (k = 0; k < p->ports.n; k++)
			if (p->ports.v[k].guest_port == port.guest_port && p->ports.v[k].udp == port.udp)
				break;
		if (k == p->ports.n && sk_ports_parse(&p->ports, p->exposed.v[i], why) < 0)
			return sk_error_set(err, EINVAL, "%s", why);
	}
	return 0;
}

/* A directory that the image declares to be a volume is an anonymous one, unless something else is mounted there. */
static int add_image_volumes(struct sk_plan *p, char *why)
{
	size_t i, k;

	for (i = 0; i < p->volumes.n; i++) {
		_cleanup_free_ char *target = sk_model_path_clean(p->volumes.v[i]);

		for (k = 0; k < p->mounts.n && strcmp(p->mounts.v[k].target, target) != 0; k++)
			;
		if (k == p->mounts.n && sk_mounts_parse_volume(&p->mounts, target, why) < 0)
			return -EINVAL;
	}
	return 0;
}

static int set_mounts(struct sk_plan *p, const json_t *image, struct sk_error *err)
{
	static int (*const parsers[])(struct sk_mounts *, const char *, char *) = { sk_mounts_parse_volume,
										    sk_mounts_parse_mount,
										    sk_mounts_parse_tmpfs };
	const struct sk_strv *const lists[] = { &p->opts->volume, &p->opts->mount, &p->opts->tmpfs };
	char why[256];
	size_t i, k;

	add_keys(&p->volumes, json_object_get(image, "Volumes"));
	for (i = 0; i < 3; i++)
		for (k = 0; k < lists[i]->n; k++)
			if (parsers[i](&p->mounts, lists[i]->v[k], why) < 0)
				return sk_error_set(err, EINVAL, "%s", why);
	/* What is mounted at a place by another option has precedence. */
	for (i = 0; i + 1 < p->opts->inherited.n; i += 2) {
		for (k = 0; k < p->mounts.n && strcmp(p->mounts.v[k].target, p->opts->inherited.v[i]) != 0; k++)
			;
		if (k == p->mounts.n && sk_mounts_parse_mount(&p->mounts, p->opts->inherited.v[i + 1], why) < 0)
			return sk_error_set(err, EINVAL, "%s", why);
	}
	if (sk_mounts_check(&p->mounts, err) < 0)
		return -err->code;
	if (add_image_volumes(p, why) < 0)
		return sk_error_set(err, EINVAL, "image %s declares a volume that cannot be: %s", p->image_ref, why);
	return 0;
}

static int set_security(struct sk_plan *p, struct sk_error *err)
{
	const struct sk_run_opts *o = p->opts;
	size_t i;
	int r = sk_caps_resolve(&o->cap_add, &o->cap_drop, o->privileged, &p->caps, err);

	for (i = 0; r == 0 && i < o->security_opt.n; i++) {
		const char *s = o->security_opt.v[i];
		bool flag = true;

		if (strncmp(s, "seccomp", 7) == 0 && (s[7] == '=' || s[7] == ':'))
			p->seccomp_option = s + 8;
		else if (strncmp(s, "no-new-privileges", 17) == 0 &&
			 (!s[17] || ((s[17] == '=' || s[17] == ':') && sk_parse_bool(s + 18, &flag) == 0)))
			p->no_new_privileges = flag;
		else if (strncmp(s, "apparmor", 8) != 0 && strncmp(s, "label", 5) != 0 &&
			 strncmp(s, "systempaths", 11) != 0)
			r = sk_error_set(err, EINVAL,
					 "invalid --security-opt: \"%.64s\": use seccomp=FILE, seccomp=unconfined or "
					 "no-new-privileges",
					 s);
	}
	if (r < 0)
		return r;
	if (p->seccomp_option && strcmp(p->seccomp_option, "unconfined") == 0)
		return 0;
	if (p->seccomp_option && strcmp(p->seccomp_option, "builtin") != 0)
		return sk_seccomp_load(p->seccomp_option, &p->caps, &p->seccomp, err);
	if (!o->privileged)
		p->seccomp = sk_seccomp_default(&p->caps);
	return 0;
}

static int set_sizes(struct sk_plan *p, struct sk_error *err)
{
	const struct sk_run_opts *o = p->opts;
	int64_t size = 0;
	size_t i;

	if (o->memory > 0 && o->memory < SK_MIN_MEMORY_LIMIT)
		return sk_error_set(err, EINVAL, "Minimum memory limit allowed is 6MB");
	if (o->memory < 0 || o->memory > (int64_t)1 << 45)
		return sk_error_set(err, EINVAL, "invalid memory limit: give a size between 6m and 32t");
	if (o->memory_swap > 0 && (!o->memory || o->memory_swap < o->memory))
		return sk_error_set(
			err, EINVAL,
			o->memory ? "Minimum memoryswap limit should be larger than memory limit, see usage"
				  : "You should always set the Memory limit when using Memoryswap limit, see usage");
	if (o->memory > 0 && o->memory_reservation > o->memory)
		return sk_error_set(err, EINVAL,
				    "Minimum memory limit can not be less than memory reservation limit, see usage");
	if (o->cpu_shares < 0)
		return sk_error_set(err, EINVAL, "invalid CPU shares %lld: give a number from 2 to 262144",
				    (long long)o->cpu_shares);
	if (sk_plan_vm_cpus(o->cpus, 1) > MAX_CPUS)
		return sk_error_set(err, EINVAL, "a VM has at most %d CPUs: give a lower --cpus", MAX_CPUS);
	if (o->cpus && o->cpu_quota)
		return sk_error_set(err, EINVAL, "Conflicting options: Nano CPUs and CPU Quota cannot both be set.");
	p->cpus = sk_plan_vm_cpus(o->cpus, o->default_cpus);
	p->vm_memory = sk_plan_vm_memory(o->memory, o->default_memory);
	for (i = 0; i < o->storage_opt.n; i++)
		if (strncmp(o->storage_opt.v[i], "size=", 5) != 0 || sk_parse_bytes(o->storage_opt.v[i] + 5, &size) < 0)
			return sk_error_set(err, EINVAL, "invalid --storage-opt %s: use size=BYTES",
					    o->storage_opt.v[i]);
	if (o->storage_size)
		size = o->storage_size;
	if (size < 0 || (size && size < 16 << 20))
		return sk_error_set(err, EINVAL,
				    "the container's disk needs at least 16m: give a larger --storage-size");
	p->disk_size = size ? ((uint64_t)size + 0xfffff) & ~0xfffffull : SK_DEFAULT_DISK_SIZE;
	if (o->shm_size < 0)
		return sk_error_set(err, EINVAL, "SHM size can not be less than 0");
	p->shm_size = o->shm_size ? (uint64_t)o->shm_size : (uint64_t)SK_DEFAULT_SHM_SIZE;
	if (o->oom_score_adj < -1000 || o->oom_score_adj > 1000)
		return sk_error_set(err, EINVAL, "Invalid value %lld, range for oom score adj is [-1000, 1000]",
				    (long long)o->oom_score_adj);
	return 0;
}

static int set_log(struct sk_plan *p, struct sk_error *err)
{
	const struct sk_run_opts *o = p->opts;
	int64_t n;
	size_t i;

	p->log_none = o->log_driver && strcmp(o->log_driver, "none") == 0;
	for (i = 0; i < o->log_opt.n; i++) {
		const char *s = o->log_opt.v[i];

		if (strcmp(s, "max-size=-1") == 0) /* docker's word for no bound */
			p->log_max_size = 0;
		else if (strncmp(s, "max-size=", 9) == 0 && sk_parse_bytes(s + 9, &n) == 0 && n >= 4096)
			p->log_max_size = (uint64_t)n;
		else if (strncmp(s, "max-file=", 9) == 0 && sk_parse_int(s + 9, &n) == 0 && n >= 1 && n <= 1000)
			p->log_max_file = (unsigned)n;
		else if (strncmp(s, "compress=", 9) != 0 && strncmp(s, "mode=", 5) != 0)
			return sk_error_set(
				err, EINVAL,
				"invalid --log-opt '%.64s': use max-size=BYTES (4k at least) and max-file=1..1000", s);
	}
	return 0;
}

static int set_stop(struct sk_plan *p, const json_t *image, struct sk_error *err)
{
	const struct sk_run_opts *o = p->opts;
	int64_t n;

	p->stop_signal_text = o->stop_signal ? o->stop_signal : sk_jx_get_str(image, "StopSignal", NULL);
	p->stop_signal = p->stop_signal_text && *p->stop_signal_text ? sk_signal_parse(p->stop_signal_text) : 15;
	if (p->stop_signal < 0)
		return sk_error_set(err, EINVAL, "image %s has the invalid stop signal %.32s: give --stop-signal",
				    p->image_ref, p->stop_signal_text);
	p->stop_timeout = 10;
	if (o->stop_timeout != SK_STOP_TIMEOUT_UNSET)
		p->stop_timeout =
			o->stop_timeout < 0 ? -1 : (o->stop_timeout > INT32_MAX ? INT32_MAX : (int)o->stop_timeout);
	p->restart_policy = o->restart && *o->restart ? o->restart : "no";
	if (strncmp(p->restart_policy, "on-failure", 10) == 0) {
		if (p->restart_policy[10] == ':' && sk_parse_int(p->restart_policy + 11, &n) == 0)
			p->restart_max = (int)n;
		p->restart_policy = "on-failure";
	}
	if (o->rm && strcmp(p->restart_policy, "no") != 0)
		return sk_error_set(err, EINVAL, "Conflicting options: cannot specify both --restart and --rm");
	return 0;
}

static void set_attached(struct sk_plan *p)
{
	const struct sk_strv *a = &p->opts->attach;
	size_t i;

	if (p->opts->detach)
		return;
	p->stdin_attached = !a->n && p->opts->interactive;
	p->stdout_attached = p->stderr_attached = !a->n;
	for (i = 0; i < a->n; i++) {
		p->stdin_attached |= strcasecmp(a->v[i], "stdin") == 0;
		p->stdout_attached |= strcasecmp(a->v[i], "stdout") == 0;
		p->stderr_attached |= strcasecmp(a->v[i], "stderr") == 0;
	}
}

/* An image is nobody's word: what it has of these is compared with each other, or becomes files, while no signal ends us.
 * No program can be started with as many variables; each volume is a directory. */
static int check_image(const char *ref, const json_t *config, struct sk_error *err)
{
	static const struct {
		const char *key, *what;
		size_t max;
	} bounds[] = { { "Env", "variables", 16384 },
		       { "Volumes", "volumes", 1024 },
		       { "ExposedPorts", "ports", 65536 } };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(bounds); i++) {
		const json_t *v = json_object_get(config, bounds[i].key);
		size_t n = json_is_array(v) ? json_array_size(v) : json_object_size(v);

		if (n > bounds[i].max)
			return sk_error_set(err, E2BIG, "image %s has %zu %s, and %zu at most can be used", ref, n,
					    bounds[i].what, bounds[i].max);
	}
	return 0;
}

int sk_plan_init(struct sk_plan *p, const struct sk_run_opts *opts, const struct sk_image *image, const char *image_ref,
		 char *const *args, int n_args, struct sk_error *err)
{
	const json_t *config = json_object_get(image->config, "config");
	const char *workdir;
	int r;

	*p = (struct sk_plan){ .opts = opts, .image = image };
	p->user = sk_xstrdup(opts->user ? opts->user : sk_jx_get_str(config, "User", ""));
	sk_random_hex(p->id, SK_ID_LEN / 2);
	p->image_ref = sk_xstrdup(image_ref);
	p->image_id = sk_xstrdup(image->id);
	workdir = opts->workdir && *opts->workdir ? opts->workdir : sk_jx_get_str(config, "WorkingDir", "");
	if (*workdir && workdir == opts->workdir && *workdir != '/')
		return sk_error_set(err, EINVAL,
				    "the working directory '%.128s' is invalid, it needs to be an absolute path",
				    opts->workdir);
	p->workdir = *workdir ? sk_model_path_clean(workdir) : sk_xstrdup("");
	set_attached(p);
	r = check_image(image_ref, config, err);
	if (r == 0)
		r = set_hostname(p, err);
	if (r == 0)
		r = set_command(p, config, args, n_args, err);
	if (r == 0)
		r = set_env(p, config, err);
	if (r == 0)
		r = set_labels(p, config, err);
	if (r == 0)
		r = set_network(p, config, err);
	if (r == 0)
		r = set_mounts(p, config, err);
	if (r == 0)
		r = set_security(p, err);
	if (r == 0)
		r = set_sizes(p, err);
	if (r == 0)
		r = set_log(p, err);
	if (r == 0)
		r = set_stop(p, config, err);
	if (r == 0)
		r = sk_health_plan(opts, json_object_get(config, "Healthcheck"), &p->health, err);
	return r;
}
