/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups on the host: the whole VM lives in the container's, so that its limits bound the VM and `docker stats`
 * counts it. Every hierarchy that is mounted is joined: version 1's, or version 2's where it is the only one. The
 * memory limit is the container's and what the VM itself needs; limits on processes are the guest's business alone (the
 * host's processes are not the container's).
 *
 * A plain user may have no groups of his own: then there are none.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/oom.h"
#include "base/process.h"
#include "oci/oci.h"

#define SK_CGROUP_REMOVE_MS 10000
#define SK_CGROUP_DEPTH 8u

struct hierarchy {
	char mount[256];
	char controllers[128]; /* ",cpu,cpuacct,"; "" for version 2 */
};

/* `hybrid`: version 2's too where it is there without controllers, for systemd to follow processes by. */
static unsigned find_hierarchies(struct hierarchy *h, unsigned max, bool hybrid)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], mount[256], root[256], type[32], options[256];
	unsigned n = 0, v1 = 0, v2 = 0, i;

	while (f && n < max && fgets(line, sizeof(line), f)) {
		char *dash = strstr(line, " - "), *c;

		if (!dash || sscanf(line, "%*s %*s %*s %255s %255s", root, mount) != 2 ||
		    sscanf(dash + 3, "%31s %*s %255s", type, options) != 2)
			continue;
		if (strcmp(type, "cgroup") != 0 && strcmp(type, "cgroup2") != 0)
			continue;
		snprintf(h[n].mount, sizeof(h[n].mount), "%s", mount);
		h[n].controllers[0] = '\0';
		if (strcmp(type, "cgroup") == 0) {
			/* Super block options: rw,cpu,cpuacct or rw,xattr,name=systemd. */
			c = strchr(options, ',');
			snprintf(h[n].controllers, sizeof(h[n].controllers), "%s,", c ? c : "");
			v1++;
		} else {
			v2++;
		}
		n++;
	}
	for (i = 0; !hybrid && v1 && v2 && i < n;)
		if (h[i].controllers[0] == '\0')
			h[i] = h[--n];
		else
			i++;
	return n;
}

static int group_path(const char *path, const char *id, char *ret, size_t size, struct sk_error *err)
{
	if (path && strstr(path, "..")) /* runc resolves ".."; no caller uses it on purpose */
		return sk_error_set(err, EINVAL, "invalid cgroupsPath %s", path);
	if (!path || !*path)
		snprintf(ret, size, "/%.200s", id);
	else
		snprintf(ret, size, "%s%s", path[0] == '/' ? "" : "/", path);
	return strlen(ret) < size - 1 ? 0 : sk_error_set(err, ENAMETOOLONG, "cgroupsPath is too long");
}

static int write_value(const char *dir, const char *file, const char *value)
{
	_cleanup_free_ char *path = sk_asprintf("%s/%s", dir, file);
	_cleanup_fd_ int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return -errno;
	return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

static char *read_value(const char *dir, const char *file)
{
	_cleanup_free_ char *path = sk_asprintf("%s/%s", dir, file);
	char *text = NULL;

	if (!path || sk_fs_read(AT_FDCWD, path, 65536, &text, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static bool exists(const char *dir, const char *file)
{
	_cleanup_free_ char *path = sk_asprintf("%s/%s", dir, file);

	return path && access(path, F_OK) == 0;
}

/* A new group of the cpuset hierarchy has no processors until it is given some. */
static void inherit_cpuset(const char *parent, const char *dir)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	size_t i;

	for (i = 0; i < 2; i++) {
		_cleanup_free_ char *mine = read_value(dir, files[i]), *theirs = read_value(parent, files[i]);

		if (mine && !mine[0] && theirs)
			write_value(dir, files[i], theirs);
	}
}

/* Version 2: hands all of a group's controllers on to those below it, each for itself, since one that is refused does no
 * harm. Not where processes are in it: only some controllers could be had, and no process could be put below. The
 * hierarchy's root is no such case. */
static void delegate(const char *dir)
{
	_cleanup_free_ char *type = read_value(dir, "cgroup.type"), *pid = read_value(dir, "cgroup.procs"),
			    *controllers = read_value(dir, "cgroup.controllers");
	char text[64], *name, *save = NULL;

	if (type && (!pid || *pid))
		return;
	for (name = strtok_r(controllers ? controllers : (char[]){ "" }, " \n", &save); name;
	     name = strtok_r(NULL, " \n", &save)) {
		snprintf(text, sizeof(text), "+%s", name);
		write_value(dir, "cgroup.subtree_control", text);
	}
}

/* Makes `mount` + `path`, directory by directory. */
static int make_group(const struct hierarchy *h, const char *path, char *ret, size_t size)
{
	size_t off = (size_t)snprintf(ret, size, "%s", h->mount), from;
	char parent[1024];

	while (*path) {
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0)
			break;
		snprintf(parent, sizeof(parent), "%s", ret);
		from = off;
		off += (size_t)snprintf(ret + off, size - off, "/%.*s", (int)n, path);
		if (off >= size || from == off)
			return -ENAMETOOLONG;
		if (!h->controllers[0])
			delegate(parent);
		if (mkdir(ret, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (strstr(h->controllers, ",cpuset,"))
			inherit_cpuset(parent, ret);
		path += n;
	}
	return 0;
}

/* Returns true if the group or an ancestor is frozen: a process that joins it would stop, and its caller would hang.
 * */
static bool is_frozen(const struct hierarchy *h, const char *path)
{
	_cleanup_free_ char *dir = sk_asprintf("%s%s", h->mount, path), *state = NULL;
	_cleanup_free_ char *file = NULL;
	char *slash;

	if (!dir || (h->controllers[0] && !strstr(h->controllers, ",freezer,")))
		return false;
	while (access(dir, F_OK) < 0 && strlen(dir) > strlen(h->mount) && (slash = strrchr(dir, '/')))
		*slash = '\0';
	if (h->controllers[0]) {
		state = read_value(dir, "freezer.state");
		return state && strcmp(state, "THAWED") != 0;
	}
	file = sk_asprintf("%s/cgroup.events", dir);
	return file && sk_fs_read(AT_FDCWD, file, 4096, &state, NULL) == 0 && strstr(state, "frozen 1");
}

/* Processes in the group and below. */
static unsigned count_processes(const char *dir, unsigned depth)
{
	_cleanup_free_ char *procs = sk_asprintf("%s/cgroup.procs", dir), *text = NULL;
	_cleanup_closedir_ DIR *d = opendir(dir);
	const char *line;
	struct dirent *e;
	unsigned n = 0;

	if (procs && sk_fs_read(AT_FDCWD, procs, 1u << 20, &text, NULL) == 0)
		for (line = strchr(text, '\n'); line; line = strchr(line + 1, '\n'))
			n++;
	while (d && depth < SK_CGROUP_DEPTH && (e = readdir(d))) {
		_cleanup_free_ char *child =
			e->d_type == DT_DIR && e->d_name[0] != '.' ? sk_asprintf("%s/%s", dir, e->d_name) : NULL;

		if (child)
			n += count_processes(child, depth + 1);
	}
	return n;
}

/* A group that was there before, in runc's words. */
static int check_group(struct sk_oci *o, const struct hierarchy *h, unsigned n_h, const char *path,
		       struct sk_error *err)
{
	unsigned i, n = 0;

	for (i = 0; i < n_h; i++) {
		_cleanup_free_ char *dir = sk_asprintf("%s%s", h[i].mount, path);

		if (is_frozen(&h[i], path))
			return sk_error_set(err, EBUSY, "container's cgroup unexpectedly frozen");
		if (dir && (!h[i].controllers[0] || strstr(h[i].controllers, ",devices,")))
			n = count_processes(dir, 0);
	}
	if (n)
		sk_oci_log(o, "warning", "container's cgroup is not empty: %u process(es) found", n);
	return 0;
}

/* Version 2 alone, and so in the hands of systemd's newer properties. */
static bool is_v2(void)
{
	struct hierarchy h[SK_CGROUPS_MAX];
	unsigned i, n = find_hierarchies(h, SK_ARRAY_SIZE(h), false);

	for (i = 0; i < n && !h[i].controllers[0]; i++)
		;
	return n > 0 && i == n;
}

int sk_oci_cgroups_plan(struct sk_oci *o, const json_t *spec, const char *id, struct sk_oci_cgroups *ret,
			struct sk_error *err)
{
	const char *wanted = json_string_value(json_object_get(json_object_get(spec, "linux"), "cgroupsPath"));
	struct hierarchy h[SK_CGROUPS_MAX];
	unsigned i, n;
	int r;

	*ret = (struct sk_oci_cgroups){ .paths = json_array(), .holder.fd = -1 };
	r = o->systemd_cgroup ? sk_oci_systemd_name(wanted, id, &ret->scope, err)
			      : group_path(wanted, id, ret->scope.path, sizeof(ret->scope.path), err);
	if (r < 0)
		return r;
	n = find_hierarchies(h, SK_ARRAY_SIZE(h), ret->scope.unit[0]);
	r = ret->scope.unit[0] ? 0 : check_group(o, h, n, ret->scope.path, err);
	if (r < 0)
		return r;
	for (i = 0; i < n; i++)
		json_array_append_new(ret->paths, json_sprintf("%s%s", h[i].mount, ret->scope.path));
	return 0;
}

/* The part of `resources` that is about processor time, or all but that. A new reference. */
static json_t *time_part(const json_t *resources, bool wanted)
{
	static const char *const keys[] = { "shares", "quota", "period" };
	json_t *cpu = json_object_get(resources, "cpu"), *rest = json_copy(cpu), *part = json_object(), *all;
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(keys); i++) {
		if (json_object_get(cpu, keys[i]))
			json_object_set(part, keys[i], json_object_get(cpu, keys[i]));
		if (rest)
			json_object_del(rest, keys[i]);
	}
	all = wanted ? json_object() : json_copy((json_t *)(uintptr_t)resources);
	if (all && cpu)
		json_object_set(all, "cpu", wanted ? part : rest);
	json_decref(rest);
	json_decref(part);
	return all;
}

static int make_groups(struct sk_oci_cgroups *g, struct sk_error *err)
{
	bool rootless = geteuid() != 0 || sk_in_user_namespace();
	struct hierarchy h[SK_CGROUPS_MAX];
	unsigned i, n = find_hierarchies(h, SK_ARRAY_SIZE(h), g->scope.unit[0]);
	char full[1024];
	int r;

	json_array_clear(g->paths);
	for (i = 0; i < n; i++) {
		_cleanup_free_ char *procs = NULL;

		r = make_group(&h[i], g->scope.path, full, sizeof(full));
		procs = sk_asprintf("%s/cgroup.procs", full);
		if (r == 0) {
			g->procs[g->n] = open(procs, O_WRONLY | O_CLOEXEC);
			r = g->procs[g->n] < 0 ? -errno : 0;
		}
		if (r < 0 && rootless)
			continue; /* the user may not write to this hierarchy */
		if (r < 0)
			return sk_error_errno(err, r, "cannot make control group %s", full);
		g->n++;
		json_array_append_new(g->paths, json_string(full));
	}
	return 0;
}

int sk_oci_cgroups_make(struct sk_oci_cgroups *g, const json_t *spec, const char *id, struct sk_error *err)
{
	json_t *resources = time_part(json_object_get(json_object_get(spec, "linux"), "resources"), false);
	int r = g->scope.unit[0] ? sk_oci_systemd_start(&g->scope, id, resources, is_v2(), &g->holder, err) : 0;

	if (r == 0)
		r = make_groups(g, err);
	if (r == 0)
		r = sk_oci_cgroups_apply(g->paths, resources, err);
	json_decref(resources);
	return r;
}

int sk_oci_cgroups_settle(const struct sk_oci_cgroups *g, const json_t *spec, struct sk_error *err)
{
	json_t *resources = time_part(json_object_get(json_object_get(spec, "linux"), "resources"), true);
	int r = sk_oci_cgroups_update(g->paths, g->scope.unit, resources, err);

	json_decref(resources);
	return r;
}

int sk_oci_cgroups_join_time(const json_t *paths)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < json_array_size(paths); i++) {
		const char *dir = json_string_value(json_array_get(paths, i));

		if (exists(dir, "cpu.shares") || exists(dir, "cpu.weight"))
			r = write_value(dir, "cgroup.procs", "0");
	}
	return r;
}

int sk_oci_cgroups_join(const struct sk_oci_cgroups *g)
{
	unsigned i;

	for (i = 0; i < g->n; i++)
		if (write(g->procs[i], "0", 1) < 0)
			return -errno;
	return 0;
}

void sk_oci_cgroups_fini(struct sk_oci_cgroups *g)
{
	unsigned i;

	for (i = 0; i < g->n; i++)
		close(g->procs[i]);
	sk_oci_systemd_release(&g->holder);
	json_decref(g->paths);
	*g = (struct sk_oci_cgroups){ .holder.fd = -1 };
}

void sk_oci_cgroups_remove(struct sk_oci *o, const json_t *paths, const char *unit)
{
	int left = SK_CGROUP_REMOVE_MS;
	size_t i;

	if (unit && *unit)
		sk_oci_systemd_stop(unit);
	for (i = 0; i < json_array_size(paths); i++) {
		const char *path = json_string_value(json_array_get(paths, i));

		/* The file server ends with its monitor, but not before the disk has answered its last request. */
		for (; path && rmdir(path) < 0 && errno == EBUSY && left > 0; left -= 5)
			usleep(5000);
		if (path && access(path, F_OK) == 0)
			sk_oci_log(o, "warning", "Failed to remove cgroup %s: others are in it", path);
	}
}

/* ---- limits */

struct limit {
	const char *file;
	char value[64];
};

static bool number(const json_t *o, const char *key, json_int_t *ret)
{
	const json_t *v = json_object_get(o, key);

	*ret = json_integer_value(v);
	return json_is_integer(v);
}

/* `max` where 0 or less means none: -1 in version 1, "max" in version 2. */
static int set_limit(const char *dir, const char *v1, const char *v2, json_int_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	if (exists(dir, v1))
		return write_value(dir, v1, value > 0 ? text : "-1");
	if (exists(dir, v2))
		return write_value(dir, v2, value > 0 ? text : "max");
	return 0;
}

/* Writes a limit if the spec has it and the group has the file. */
static int set_number(const char *dir, const char *file, const json_t *o, const char *key)
{
	json_int_t value;
	char text[32];

	if (!number(o, key, &value) || !exists(dir, file))
		return 0;
	snprintf(text, sizeof(text), "%lld", (long long)value);
	return write_value(dir, file, text);
}

#define SK_MEMSW "memory.memsw.limit_in_bytes" /* version 1: memory and swap together */

/*
 * The limit of swap: what the container may have beyond its memory, its VM may have of the host's swap. A host that does
 * not count swap has no file for it. `limit`: the VM's memory, 0 or less for no limit.
 */
static int apply_swap(const char *dir, const json_t *memory, json_int_t limit)
{
	json_int_t own = json_integer_value(json_object_get(memory, "limit")), swap;
	bool v1 = exists(dir, SK_MEMSW);
	char text[32] = "-1";

	if (!number(memory, "swap", &swap) || swap == 0)
		return 0;
	if (own > 0 && swap > 0)
		snprintf(text, sizeof(text), "%lld", (long long)((v1 ? limit : 0) + swap - own));
	if (v1)
		return write_value(dir, SK_MEMSW, text);
	return exists(dir, "memory.swap.max") ? write_value(dir, "memory.swap.max", *text == '-' ? "max" : text) : 0;
}

/* Version 1: the memory limit may not exceed that of memory and swap, which is lifted before. */
static void lift_swap(const char *dir, const json_t *memory, json_int_t limit)
{
	_cleanup_free_ char *now = read_value(dir, SK_MEMSW);
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)limit);
	if (now && json_object_get(memory, "swap"))
		(void)write_value(dir, SK_MEMSW, "-1");
	else if (now && (limit <= 0 || strtoll(now, NULL, 10) < limit))
		(void)write_value(dir, SK_MEMSW, limit > 0 ? text : "-1");
}

static int apply_memory(const char *dir, const json_t *resources)
{
	const json_t *memory = json_object_get(resources, "memory");
	int r = set_number(dir, "memory.swappiness", memory, "swappiness");
	json_int_t limit;

	if (r < 0 || !number(memory, "limit", &limit))
		return r;
	if (limit > 0)
		limit = (json_int_t)(sk_oci_vm_memory(resources) + SK_OCI_OVERHEAD);
	lift_swap(dir, memory, limit);
	r = set_limit(dir, "memory.limit_in_bytes", "memory.max", limit);
	return r < 0 ? r : apply_swap(dir, memory, limit);
}

static int apply_cpu(const char *dir, const json_t *resources)
{
	const json_t *cpu = json_object_get(resources, "cpu");
	const char *cpus = json_string_value(json_object_get(cpu, "cpus")),
		   *mems = json_string_value(json_object_get(cpu, "mems"));
	json_int_t shares = 0, quota = 0, period = 0;
	bool late = false;
	char text[64];
	int r = 0;

	if (number(cpu, "shares", &shares) && shares > 0) {
		snprintf(text, sizeof(text), "%lld", (long long)shares);
		if (exists(dir, "cpu.shares"))
			r = write_value(dir, "cpu.shares", text);
		snprintf(text, sizeof(text), "%lld", 1 + ((long long)shares - 2) * 9999 / 262142);
		if (exists(dir, "cpu.weight"))
			r = write_value(dir, "cpu.weight", text);
	}
	if (r == 0 && number(cpu, "period", &period) && period > 0 && exists(dir, "cpu.cfs_period_us")) {
		snprintf(text, sizeof(text), "%lld", (long long)period);
		r = write_value(dir, "cpu.cfs_period_us", text);
		/* The old quota with the new period may be more than the parent has: then it comes after the new
		 * one. */
		late = r == -EINVAL && json_integer_value(json_object_get(cpu, "quota"));
		r = late ? 0 : r;
	}
	if (r == 0 && number(cpu, "quota", &quota) && quota != 0) {
		snprintf(text, sizeof(text), "%lld", (long long)quota);
		if (exists(dir, "cpu.cfs_quota_us"))
			r = write_value(dir, "cpu.cfs_quota_us", text);
		if (r == 0 && late) {
			snprintf(text, sizeof(text), "%lld", (long long)period);
			r = write_value(dir, "cpu.cfs_period_us", text);
		}
		if (quota > 0)
			snprintf(text, sizeof(text), "%lld %lld", (long long)quota,
				 (long long)(period > 0 ? period : 100000));
		else
			snprintf(text, sizeof(text), "max %lld", (long long)(period > 0 ? period : 100000));
		if (exists(dir, "cpu.max"))
			r = write_value(dir, "cpu.max", text);
	}
	if (r == 0)
		r = set_number(dir, "cpu.rt_period_us", cpu, "realtimePeriod");
	if (r == 0)
		r = set_number(dir, "cpu.rt_runtime_us", cpu, "realtimeRuntime");
	if (r == 0 && cpus && *cpus && exists(dir, "cpuset.cpus"))
		r = write_value(dir, "cpuset.cpus", cpus);
	if (r == 0 && mems && *mems && exists(dir, "cpuset.mems"))
		r = write_value(dir, "cpuset.mems", mems);
	return r;
}

/* Values of version 2 by their files' names, over those before: of processors and disks. The host's group has the VM's
 * memory and processes, not the container's. */
static int apply_unified(const char *dir, const json_t *resources)
{
	static const char *const files[] = { "cpu.max",	  "cpu.max.burst", "cpu.weight",  "cpu.weight.nice",
					     "cpu.idle",  "cpuset.cpus",   "cpuset.mems", "io.max",
					     "io.weight", "io.bfq.weight" };
	const json_t *unified = json_object_get(resources, "unified");
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(files); i++) {
		const char *value = json_string_value(json_object_get(unified, files[i]));

		if (value && exists(dir, files[i]))
			r = write_value(dir, files[i], value);
	}
	return r;
}

int sk_oci_cgroups_apply(const json_t *paths, const json_t *resources, struct sk_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < json_array_size(paths); i++) {
		const char *dir = json_string_value(json_array_get(paths, i));

		r = apply_memory(dir, resources);
		if (r == 0)
			r = apply_cpu(dir, resources);
		if (r == 0)
			r = sk_oci_cgroup_io(dir, resources);
		if (r == 0)
			r = apply_unified(dir, resources);
		if (r < 0)
			return sk_error_errno(err, r, "cannot set the limits of %s", dir);
	}
	return 0;
}

int sk_oci_cgroups_update(const json_t *paths, const char *unit, const json_t *resources, struct sk_error *err)
{
	int r = unit && *unit ? sk_oci_systemd_update(unit, resources, is_v2(), err) : 0;

	return r < 0 ? r : sk_oci_cgroups_apply(paths, resources, err);
}

const char *sk_oci_cgroups_memory(const json_t *paths)
{
	size_t i;

	for (i = 0; i < json_array_size(paths); i++) {
		const char *dir = json_string_value(json_array_get(paths, i));

		if (exists(dir, "memory.limit_in_bytes") || exists(dir, "memory.max"))
			return dir;
	}
	return NULL;
}

static int open_value(const char *dir, const char *v1, const char *v2, int flags)
{
	_cleanup_free_ char *path = sk_asprintf("%s/%s", dir, exists(dir, v2) ? v2 : v1);

	return path ? open(path, flags | O_CLOEXEC) : -1;
}

void sk_oci_cgroups_tell_oom(const json_t *paths)
{
	const char *dir = sk_oci_cgroups_memory(paths);
	_cleanup_fd_ int limit = dir ? open_value(dir, "memory.limit_in_bytes", "memory.max", O_WRONLY) : -1;
	_cleanup_fd_ int usage = dir ? open_value(dir, "memory.usage_in_bytes", "memory.current", O_RDONLY) : -1;

	if (limit >= 0 && usage >= 0)
		sk_oom_in_group(limit, usage);
}

/* ---- statistics */

static json_int_t read_number(const json_t *paths, const char *file, const char *key)
{
	size_t i;

	for (i = 0; i < json_array_size(paths); i++) {
		const char *dir = json_string_value(json_array_get(paths, i));
		_cleanup_free_ char *path = sk_asprintf("%s/%s", dir, file), *text = NULL;
		const char *at;

		if (!path || sk_fs_read(AT_FDCWD, path, 65536, &text, NULL) < 0)
			continue;
		at = text;
		if (key) {
			at = strstr(text, key);
			at = at ? at + strlen(key) : "0";
		}
		if (strncmp(at, "max", 3) == 0) /* version 2: no limit; version 1 has about this number */
			return INT64_MAX;
		return (json_int_t)strtoull(at, NULL, 10);
	}
	return 0;
}

json_t *sk_oci_cgroups_stats(const json_t *paths)
{
	json_int_t cpu = read_number(paths, "cpuacct.usage", NULL),
		   user = read_number(paths, "cpuacct.usage_user", NULL);
	json_int_t system = read_number(paths, "cpuacct.usage_sys", NULL),
		   memory = read_number(paths, "memory.usage_in_bytes", NULL);
	json_int_t limit = read_number(paths, "memory.limit_in_bytes", NULL),
		   max = read_number(paths, "memory.max_usage_in_bytes", NULL);

	if (!cpu) {
		cpu = read_number(paths, "cpu.stat", "usage_usec ") * 1000;
		user = read_number(paths, "cpu.stat", "user_usec ") * 1000;
		system = read_number(paths, "cpu.stat", "system_usec ") * 1000;
		memory = read_number(paths, "memory.current", NULL);
		limit = read_number(paths, "memory.max", NULL);
		max = read_number(paths, "memory.peak", NULL);
	}
	return json_pack("{s:{s:{s:I,s:I,s:I},s:{}},s:{s:{s:I,s:I,s:I,s:i},s:{}},s:{s:I},s:{},s:{}}", "cpu", "usage",
			 "total", cpu, "kernel", system, "user", user, "throttling", "memory", "usage", "limit", limit,
			 "usage", memory, "max", max, "failcnt", 0, "raw", "pids", "current",
			 read_number(paths, "pids.current", NULL), "blkio", "hugetlb");
}
