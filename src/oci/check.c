/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runc refuses in a bundle or in an update is refused here, before anything is made: what would otherwise be
 * dropped on the way to the guest, or mean something else there. The words are runc's where it has some. What only
 * the guest can know (programs, paths, masks of processors) crun checks there.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "oci/oci.h"

#define MOUNTS_MAX 1024u
#define ID_MAX 2147483647 /* of users and groups, as runc has it */

bool sk_oci_has_option(const json_t *mount, const char *option)
{
	const json_t *options = json_object_get(mount, "options");
	size_t i;

	for (i = 0; i < json_array_size(options); i++) {
		const char *s = json_string_value(json_array_get(options, i));

		if (s && strcmp(s, option) == 0)
			return true;
	}
	return false;
}

static const char *str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

/* ---- types of values: a number in quotes, say, would be no limit at all */

enum kind { BOOL, INT, TEXT, LIST, OBJECT };

struct spec_member {
	const char *path; /* names with dots between them */
	enum kind kind;
};

static const struct spec_member members[] = {
	{ "process.terminal", BOOL },
	{ "process.noNewPrivileges", BOOL },
	{ "process.oomScoreAdj", INT },
	{ "process.user", OBJECT },
	{ "process.user.uid", INT },
	{ "process.user.gid", INT },
	{ "process.user.umask", INT },
	{ "process.user.additionalGids", LIST },
	{ "process.capabilities", OBJECT },
	{ "process.rlimits", LIST },
	{ "root.readonly", BOOL },
	{ "hostname", TEXT },
	{ "domainname", TEXT },
	{ "mounts", LIST },
	{ "hooks", OBJECT },
	{ "annotations", OBJECT },
	{ "linux", OBJECT },
	{ "linux.namespaces", LIST },
	{ "linux.uidMappings", LIST },
	{ "linux.gidMappings", LIST },
	{ "linux.devices", LIST },
	{ "linux.cgroupsPath", TEXT },
	{ "linux.resources", OBJECT },
	{ "linux.rootfsPropagation", TEXT },
	{ "linux.seccomp", OBJECT },
	{ "linux.seccomp.syscalls", LIST },
	{ "linux.maskedPaths", LIST },
	{ "linux.readonlyPaths", LIST },
	{ "linux.sysctl", OBJECT },
};

static const struct spec_member limits[] = {
	{ "memory.limit", INT },
	{ "memory.reservation", INT },
	{ "memory.swap", INT },
	{ "memory.swappiness", INT },
	{ "memory.disableOOMKiller", BOOL },
	{ "cpu.shares", INT },
	{ "cpu.quota", INT },
	{ "cpu.period", INT },
	{ "cpu.burst", INT },
	{ "cpu.realtimeRuntime", INT },
	{ "cpu.realtimePeriod", INT },
	{ "cpu.cpus", TEXT },
	{ "cpu.mems", TEXT },
	{ "pids.limit", INT },
	{ "blockIO.weight", INT },
	{ "devices", LIST },
	{ "hugepageLimits", LIST },
	{ "unified", OBJECT },
	{ "memory", OBJECT },
	{ "cpu", OBJECT },
	{ "pids", OBJECT },
	{ "blockIO", OBJECT },
};

static bool is_kind(const json_t *v, enum kind kind)
{
	switch (kind) {
	case BOOL:
		return json_is_boolean(v);
	case INT:
		return json_is_integer(v);
	case TEXT:
		return json_is_string(v);
	case LIST:
		return json_is_array(v);
	case OBJECT:
		return json_is_object(v);
	}
	return false;
}

static const json_t *find_member(const json_t *o, const char *path)
{
	while (o && path) {
		const char *dot = strchr(path, '.');

		o = json_object_getn(o, path, dot ? (size_t)(dot - path) : strlen(path));
		path = dot ? dot + 1 : NULL;
	}
	return o;
}

static int check_kinds(const json_t *o, const char *prefix, const struct spec_member *m, size_t n, struct sk_error *err)
{
	static const char *const names[] = { "true or false", "a whole number", "text", "a list", "an object" };
	size_t i;

	for (i = 0; i < n; i++) {
		const json_t *v = find_member(o, m[i].path);

		if (v && !json_is_null(v) && !is_kind(v, m[i].kind))
			return sk_error_set(err, EINVAL, "%s%s must be %s", prefix, m[i].path, names[m[i].kind]);
	}
	return 0;
}

static int check_strings(const json_t *list, const char *what, struct sk_error *err)
{
	size_t i;

	if (list && !json_is_array(list) && !json_is_null(list))
		return sk_error_set(err, EINVAL, "%s must be a list", what);
	for (i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			return sk_error_set(err, EINVAL, "%s must be strings", what);
	return 0;
}

/* ---- processes */

static int check_env(const json_t *env, struct sk_error *err)
{
	int r = check_strings(env, "env", err);
	size_t i;

	for (i = 0; r == 0 && i < json_array_size(env); i++) {
		const char *s = json_string_value(json_array_get(env, i));

		if (!strchr(s, '='))
			r = sk_error_set(err, EINVAL, "invalid environment variable: \"%s\"", s);
		else if (*s == '=')
			r = sk_error_set(err, EINVAL, "environment variable name can't be empty: \"%s\"", s);
	}
	return r;
}

static bool is_id(const json_t *v)
{
	return !v || json_is_null(v) || (json_integer_value(v) >= 0 && json_integer_value(v) <= ID_MAX);
}

/* A number beyond 32 bits would be another one for the kernel, and -1 means "as before": root. */
static int check_user(const json_t *user, struct sk_error *err)
{
	const json_t *groups = json_object_get(user, "additionalGids");
	bool ok = is_id(json_object_get(user, "uid")) && is_id(json_object_get(user, "gid"));
	size_t i;

	for (i = 0; ok && i < json_array_size(groups); i++)
		ok = json_is_integer(json_array_get(groups, i)) && is_id(json_array_get(groups, i));
	return ok ? 0 : sk_error_set(err, EINVAL, "uids and gids must be in range 0-%d", ID_MAX);
}

/* On a host without the module nobody could apply them. Where there is one, they are for processes of the host, which are
 * in a VM instead. */
static int check_labels(const char *selinux, const char *apparmor, struct sk_error *err)
{
	if (selinux && *selinux && access("/sys/fs/selinux/enforce", F_OK) < 0)
		return sk_error_set(err, EINVAL,
				    "selinux label is specified in config, but selinux is disabled or not supported");
	if (apparmor && *apparmor && access("/sys/kernel/security/apparmor", F_OK) < 0)
		return sk_error_set(err, EINVAL,
				    "apparmor failed to apply profile: this host has no AppArmor, and %s is asked for",
				    apparmor);
	return 0;
}

int sk_oci_check_process(const json_t *process, struct sk_error *err)
{
	const json_t *args = json_object_get(process, "args");
	const char *cwd = str(process, "cwd");
	int r;

	if (!json_is_object(process))
		return sk_error_set(err, EINVAL, "process property must not be empty");
	r = check_user(json_object_get(process, "user"), err);
	if (r < 0)
		return r;
	if (json_array_size(args) == 0)
		return sk_error_set(err, EINVAL, "args must not be empty");
	r = check_strings(args, "args", err);
	if (r == 0)
		r = check_labels(str(process, "selinuxLabel"), str(process, "apparmorProfile"), err);
	if (r == 0 && (!cwd || cwd[0] != '/'))
		r = sk_error_set(err, EINVAL, "Cwd must be an absolute path");
	return r < 0 ? r : check_env(json_object_get(process, "env"), err);
}

/* ---- resources */

static int check_devices(const json_t *list, struct sk_error *err)
{
	static const char *const types[] = { "", "a", "b", "c", "u", "p" };
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const char *type = str(json_array_get(list, i), "type");

		if (type && !is_one_of(type, types, SK_ARRAY_SIZE(types)))
			return sk_error_set(err, EINVAL, "invalid cgroup device type \"%s\"", type);
	}
	return 0;
}

int sk_oci_check_resources(const json_t *resources, struct sk_error *err)
{
	static const char *const numbers[] = { "limit", "reservation", "swap" };
	const json_t *memory = json_object_get(resources, "memory");
	json_int_t limit = json_integer_value(json_object_get(memory, "limit")),
		   swap = json_integer_value(json_object_get(memory, "swap")),
		   swappiness = json_integer_value(json_object_get(memory, "swappiness"));
	int r = check_kinds(resources, "resources.", limits, SK_ARRAY_SIZE(limits), err);
	size_t i;

	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(numbers); i++) {
		json_int_t n = json_integer_value(json_object_get(memory, numbers[i]));

		if (n < -1)
			return sk_error_set(err, EINVAL,
					    "memory %s %" JSON_INTEGER_FORMAT
					    ": it is a number of bytes, or -1 for no limit",
					    numbers[i], n);
	}
	if (r == 0 && limit > 0 && swap > 0 && swap < limit)
		r = sk_error_set(err, EINVAL, "memory+swap limit should be >= memory limit");
	if (r == 0 && (swappiness < 0 || swappiness > 100))
		r = sk_error_set(err, EINVAL,
				 "invalid memory swappiness value: %" JSON_INTEGER_FORMAT " (valid range is 0-100)",
				 swappiness);
	return r < 0 ? r : check_devices(json_object_get(resources, "devices"), err);
}

/* ---- the whole */

/* A profile for an architecture that nobody knows would filter nothing there. */
static int check_seccomp(const json_t *seccomp, struct sk_error *err)
{
	static const char *const known[] = { "X86",	"X86_64",      "X32",	 "ARM",	     "AARCH64",	    "MIPS",
					     "MIPS64",	"MIPS64N32",   "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PPC",
					     "PPC64",	"PPC64LE",     "S390",	 "S390X",    "PARISC",	    "PARISC64",
					     "RISCV64", "LOONGARCH64", "M68K",	 "SH",	     "SHEB" };
	const json_t *list = json_object_get(seccomp, "architectures");
	int r = check_strings(list, "seccomp.architectures", err);
	size_t i;

	for (i = 0; r == 0 && i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (strncmp(s, "SCMP_ARCH_", 10) != 0 || !is_one_of(s + 10, known, SK_ARRAY_SIZE(known)))
			r = sk_error_set(err, EINVAL, "string %s is not a valid arch for seccomp", s);
	}
	return r;
}

static bool has_namespace(const json_t *linux_, const char *type)
{
	const json_t *list = json_object_get(linux_, "namespaces");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const char *s = str(json_array_get(list, i), "type");

		if (s && strcmp(s, type) == 0)
			return true;
	}
	return false;
}

/* A namespace twice: which one is meant? */
static int check_namespaces(const json_t *list, struct sk_error *err)
{
	size_t i, k;

	for (i = 1; i < json_array_size(list); i++) {
		const char *type = str(json_array_get(list, i), "type");

		for (k = 0; type && k < i; k++) {
			const char *other = str(json_array_get(list, k), "type");

			if (other && strcmp(other, type) == 0)
				return sk_error_set(err, EINVAL, "malformed spec file: duplicated ns \"%s\"", type);
		}
	}
	return 0;
}

/* Shares of the host's caches and memory bandwidth: the processes are not the host's. */
static int check_rdt(const json_t *rdt, struct sk_error *err)
{
	if (str(rdt, "l3CacheSchema") || str(rdt, "memBwSchema"))
		return sk_error_set(err, EINVAL,
				    "intelRdt is specified in config, but Intel RDT is not supported or enabled");
	return 0;
}

/* An update may name swap alone, a bundle may not. */
static int check_swap(const json_t *memory, struct sk_error *err)
{
	if (json_integer_value(json_object_get(memory, "swap")) > 0 &&
	    json_integer_value(json_object_get(memory, "limit")) <= 0)
		return sk_error_set(err, EINVAL, "unable to set swap limit without memory limit");
	return 0;
}

static int check_linux(const json_t *linux_, struct sk_error *err)
{
	/* An unbindable root is not among them: nobody can mount it. */
	static const char *const propagations[] = { "", "private", "rprivate", "slave", "rslave", "shared", "rshared" };
	const char *propagation = str(linux_, "rootfsPropagation");
	int r = check_namespaces(json_object_get(linux_, "namespaces"), err);

	if (r < 0)
		return r;
	if (propagation && !is_one_of(propagation, propagations, SK_ARRAY_SIZE(propagations)))
		return sk_error_set(err, EINVAL, "rootfsPropagation=%s is not supported", propagation);
	r = check_swap(json_object_get(json_object_get(linux_, "resources"), "memory"), err);
	if (r == 0)
		r = check_rdt(json_object_get(linux_, "intelRdt"), err);
	if (r < 0)
		return r;
	if (!has_namespace(linux_, "mount") && (json_array_size(json_object_get(linux_, "maskedPaths")) ||
						json_array_size(json_object_get(linux_, "readonlyPaths"))))
		return sk_error_set(err, EINVAL, "unable to restrict sys entries without a private MNT namespace");
	r = check_seccomp(json_object_get(linux_, "seccomp"), err);
	return r < 0 ? r : sk_oci_check_resources(json_object_get(linux_, "resources"), err);
}

/* Whether `path` is `prefix` or below it, whatever slashes are in it; *ret_rest is behind that. */
static bool is_below(const char *path, const char *prefix, const char **ret_rest)
{
	while (*prefix) {
		path += strspn(path, "/");
		prefix += strspn(prefix, "/");
		while (*prefix && *prefix != '/')
			if (*path++ != *prefix++)
				return false;
	}
	*ret_rest = path + strspn(path, "/");
	return !*path || *path == '/';
}

/* /proc tells programs who they are and what confines them: nothing but a proc is mounted there, and below it nothing but
 * the files that lxcfs has, as with runc. */
static int check_proc_mount(const json_t *mount, struct sk_error *err)
{
	static const char *const files[] = { "cpuinfo", "diskstats", "meminfo",	 "stat",    "swaps",
					     "uptime",	"loadavg",   "slabinfo", "net/dev", "sys/kernel/ns_last_pid" };
	const char *to = str(mount, "destination"), *type = str(mount, "type"), *source = str(mount, "source"), *rest,
		   *end;
	size_t i;

	if (!is_below(to, "/proc", &rest))
		return 0;
	if (!*rest && ((type && strcmp(type, "proc") == 0) || !source || is_below(source, "/proc", &end)))
		return 0;
	if (!*rest)
		return sk_error_set(err, EINVAL, "\"%s\" cannot be mounted because it is not of type proc", to);
	for (i = 0; i < SK_ARRAY_SIZE(files); i++)
		if (is_below(rest, files[i], &end) && !*end)
			return 0;
	return sk_error_set(err, EINVAL, "\"%s\" cannot be mounted because it is inside /proc", to);
}

/* The type is a name only: the kernel binds where the flag says so, and has no file system "bind". */
static int check_bind(const json_t *mount, struct sk_error *err)
{
	const char *type = str(mount, "type"), *source = str(mount, "source");

	if (!type || strcmp(type, "bind") != 0 || sk_oci_has_option(mount, "bind") || sk_oci_has_option(mount, "rbind"))
		return 0;
	return sk_error_set(err, ENODEV,
			    "error mounting \"%s\" to rootfs at \"%s\": no such device: a bind mount needs the option "
			    "\"bind\" or \"rbind\"",
			    source ? source : "", str(mount, "destination"));
}

static int check_mounts(const json_t *mounts, struct sk_error *err)
{
	int r = 0;
	size_t i;

	if (json_array_size(mounts) > MOUNTS_MAX)
		return sk_error_set(err, EINVAL, "more than %u mounts", MOUNTS_MAX);
	for (i = 0; i < json_array_size(mounts); i++) {
		const char *to = str(json_array_get(mounts, i), "destination");

		if (!to || !*to)
			return sk_error_set(err, EINVAL, "mount #%zu: no destination", i);
		r = check_bind(json_array_get(mounts, i), err);
		if (r < 0)
			return r;
	}
	for (i = 0; r == 0 && i < json_array_size(mounts); i++)
		r = check_proc_mount(json_array_get(mounts, i), err);
	return r;
}

static int check_annotations(const json_t *annotations, struct sk_error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)annotations, name, value)
	{
		if (!json_is_string(value))
			return sk_error_set(err, EINVAL, "annotations must be text: \"%s\"", name);
	}
	return 0;
}

static int check_hooks(const json_t *hooks, struct sk_error *err)
{
	const char *kind;
	json_t *list;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)hooks, kind, list)
	{
		for (i = 0; i < json_array_size(list); i++) {
			const json_t *timeout = json_object_get(json_array_get(list, i), "timeout");

			if (timeout && !json_is_null(timeout) && json_integer_value(timeout) <= 0)
				return sk_error_set(err, EINVAL, "%s hook #%zu: timeout must be a number of seconds",
						    kind, i);
		}
	}
	return 0;
}

int sk_oci_check_spec(const json_t *spec, struct sk_error *err)
{
	const char *version = str(spec, "ociVersion");
	int r = check_kinds(spec, "", members, SK_ARRAY_SIZE(members), err);

	if (r < 0)
		return r;
	if (!version || strncmp(version, "1.", 2) != 0)
		return sk_error_set(err, EINVAL, "unsupported ociVersion \"%s\": 1.x is supported",
				    version ? version : "");
	if (json_object_get(spec, "vm") || json_object_get(spec, "windows") || json_object_get(spec, "solaris"))
		return sk_error_set(err, EINVAL, "the bundle is for another platform: only \"linux\" is supported");
	if (!str(json_object_get(spec, "root"), "path"))
		return sk_error_set(err, EINVAL, "root.path is missing in config.json");
	r = check_mounts(json_object_get(spec, "mounts"), err);
	if (r == 0)
		r = check_linux(json_object_get(spec, "linux"), err);
	if (r == 0)
		r = check_hooks(json_object_get(spec, "hooks"), err);
	if (r == 0)
		r = check_annotations(json_object_get(spec, "annotations"), err);
	return r < 0 ? r : sk_oci_check_process(json_object_get(spec, "process"), err);
}
