/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completes the OCI spec that the host sends into what crun gets: namespaces of a guest, mounts in order, the
 * terminal, the user, the memory limit. And turns crun's errors into docker's words.
 */
#include "spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define HOME_MARK "skerry.home"

static int no_memory(struct sk_error *err)
{
	return sk_error_errno(err, ENOMEM, "container specification");
}

/* The object at `key`, made when it is not there. */
static json_t *child_object(json_t *parent, const char *key)
{
	json_t *o = json_object_get(parent, key);

	if (json_is_object(o))
		return o;
	if (json_object_set_new(parent, key, json_object()) < 0)
		return NULL;
	return json_object_get(parent, key);
}

/* The guest is the container's network and its users' owner; every other namespace is made new. */
static void fix_namespaces(json_t *linux_)
{
	json_t *list = json_object_get(linux_, "namespaces");
	size_t i = 0;

	while (i < json_array_size(list)) {
		json_t *ns = json_array_get(list, i);
		const char *type = json_string_value(json_object_get(ns, "type"));

		if (!type || strcmp(type, "network") == 0) {
			json_array_remove(list, i);
			continue;
		}
		json_object_del(ns, "path");
		i++;
	}
}

static json_t *take_net_sysctl(json_t *linux_)
{
	json_t *all = json_object_get(linux_, "sysctl"), *net = json_object(), *value;
	const char *key;
	void *next;

	json_object_foreach_safe(all, next, key, value) if (strncmp(key, "net.", 4) == 0)
	{
		json_object_set(net, key, value);
		json_object_del(all, key);
	}
	return net;
}

static int prepend_init(json_t *process, struct sk_error *err)
{
	json_t *args = json_object_get(process, "args");

	if (json_array_insert_new(args, 0, json_string("/sbin/docker-init")) < 0 ||
	    json_array_insert_new(args, 1, json_string("--")) < 0)
		return no_memory(err);
	return 0;
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return path && strncmp(path, top, n) == 0 && path[n] == '/';
}

/* A share is mounted before the spec's mounts below its destination (a tmpfs in a shared directory), because it would
 * hide them; otherwise last. */
static int insert_bind(json_t *mounts, json_t *bind)
{
	const char *top = json_string_value(json_object_get(bind, "destination"));
	size_t i;

	for (i = 0; i < json_array_size(mounts); i++)
		if (top && is_below(json_string_value(json_object_get(json_array_get(mounts, i), "destination")), top))
			break;
	return json_array_insert(mounts, i, bind);
}

static int add_mounts(json_t *spec, const struct sk_spec_extra *x, struct sk_error *err)
{
	json_t *mounts = json_object_get(spec, "mounts");
	size_t i;

	if (!json_is_array(mounts)) {
		mounts = json_array();
		if (json_object_set_new(spec, "mounts", mounts) < 0)
			return no_memory(err);
	}
	if (x->init &&
	    json_array_append_new(mounts, json_pack("{s:s,s:s,s:s,s:[s,s]}", "destination", "/sbin/docker-init", "type",
						    "bind", "source", x->init_path, "options", "bind", "ro")) < 0)
		return no_memory(err);
	for (i = 0; i < json_array_size(x->binds); i++)
		if (insert_bind(mounts, json_array_get(x->binds, i)) < 0)
			return no_memory(err);
	return 0;
}

int sk_spec_process(json_t *process, const struct sk_stdio_spec *stdio, struct sk_error *err)
{
	if (!json_is_object(process) || !json_is_string(json_array_get(json_object_get(process, "args"), 0)))
		return sk_error_set(err, EINVAL, "no command specified");
	json_object_del(process, "apparmorProfile");
	json_object_del(process, "selinuxLabel");
	if (!json_object_get(process, "cwd"))
		json_object_set_new(process, "cwd", json_string("/"));
	json_object_set_new(process, "terminal", json_boolean(stdio->terminal));
	json_object_del(process, "consoleSize");
	if (stdio->terminal && stdio->rows && stdio->cols)
		json_object_set_new(process, "consoleSize",
				    json_pack("{s:i,s:i}", "height", (int)stdio->rows, "width", (int)stdio->cols));
	return 0;
}

/* Keeps the hooks that run inside of the container; the host runs all others. */
static void keep_guest_hooks(json_t *spec)
{
	json_t *start = json_incref(json_object_get(json_object_get(spec, "hooks"), "startContainer"));

	json_object_del(spec, "hooks");
	if (json_array_size(start))
		json_object_set_new(spec, "hooks", json_pack("{s:O}", "startContainer", start));
	json_decref(start);
}

/* A container's own limit, or all that it can have. */
static void limit_memory(json_t *linux_, uint64_t most)
{
	json_t *memory = child_object(child_object(linux_, "resources"), "memory");
	json_int_t limit = json_integer_value(json_object_get(memory, "limit"));

	if (most && (limit <= 0 || (uint64_t)limit > most))
		json_object_set_new(memory, "limit", json_integer((json_int_t)most));
}

int sk_spec_complete(json_t *spec, const struct sk_spec_extra *x, json_t **ret_sysctl, struct sk_error *err)
{
	json_t *root = child_object(spec, "root"), *linux_ = child_object(spec, "linux");
	json_t *process = json_object_get(spec, "process");
	char cgroup[80];
	int r;

	if (!root || !linux_)
		return no_memory(err);
	json_object_set_new(root, "path", json_string(x->rootfs));
	if (x->readonly)
		json_object_set_new(root, "readonly", json_true());
	keep_guest_hooks(spec);
	json_object_del(linux_, "intelRdt");
	json_object_del(linux_, "mountLabel");
	fix_namespaces(linux_);
	limit_memory(linux_, x->memory);
	snprintf(cgroup, sizeof(cgroup), "/%s", x->container);
	json_object_set_new(linux_, "cgroupsPath", json_string(cgroup));
	r = sk_spec_process(process, x->stdio, err);
	if (r == 0 && x->init)
		r = prepend_init(process, err);
	if (r == 0)
		r = add_mounts(spec, x, err);
	if (r < 0)
		return r;
	*ret_sysctl = take_net_sysctl(linux_);
	return 0;
}

static bool env_has(const json_t *env, const char *name)
{
	size_t i, n = strlen(name);

	for (i = 0; i < json_array_size(env); i++) {
		const char *s = json_string_value(json_array_get(env, i));

		if (s && strncmp(s, name, n) == 0 && s[n] == '=')
			return true;
	}
	return false;
}

static void env_drop(json_t *env, const char *name)
{
	size_t i = 0, n = strlen(name);

	while (i < json_array_size(env)) {
		const char *s = json_string_value(json_array_get(env, i));

		if (s && strncmp(s, name, n) == 0 && s[n] == '=')
			json_array_remove(env, i);
		else
			i++;
	}
}

void sk_spec_inherit(json_t *process, const json_t *spec)
{
	static const char *const keys[] = { "env",	  "cwd", "user", "capabilities", "rlimits", "noNewPrivileges",
					    "oomScoreAdj" };
	const json_t *from = json_object_get(spec, "process");
	bool own_env = json_object_get(process, "env") != NULL;
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(keys); i++) {
		json_t *value = json_object_get(from, keys[i]);

		if (value && !json_object_get(process, keys[i]))
			json_object_set_new(process, keys[i], json_deep_copy(value));
	}
	if (!own_env && json_object_get(json_object_get(spec, "annotations"), HOME_MARK))
		env_drop(json_object_get(process, "env"), "HOME");
}

int sk_spec_user(json_t *process, const struct sk_user *user, json_t *mark, struct sk_error *err)
{
	json_t *u = json_object_get(process, "user"), *groups = json_array(), *env;
	_cleanup_free_ char *home = NULL;
	size_t i;

	if (!json_is_object(u)) {
		u = json_object();
		json_object_set_new(process, "user", u);
	}
	for (i = 0; i < user->n_groups; i++)
		json_array_append_new(groups, json_integer(user->groups[i]));
	json_object_set_new(u, "uid", json_integer(user->uid));
	json_object_set_new(u, "gid", json_integer(user->gid));
	json_object_set_new(u, "additionalGids", groups);
	env = json_object_get(process, "env");
	if (!json_is_array(env)) {
		env = json_array();
		json_object_set_new(process, "env", env);
	}
	if (env_has(env, "HOME"))
		return 0;
	if (asprintf(&home, "HOME=%s", user->home) < 0)
		return no_memory(err);
	if (json_array_append_new(env, json_string(home)) < 0) /* not UTF-8 */
		json_array_append_new(env, json_string("HOME=/"));
	if (mark)
		json_object_set_new(child_object(mark, "annotations"), HOME_MARK, json_string("set"));
	return 0;
}

/* The last line of the log, without its time stamp. */
static void last_line(const char *log, char *ret, size_t size)
{
	size_t n = strlen(log), start;

	while (n && (log[n - 1] == '\n' || log[n - 1] == ' '))
		n--;
	for (start = n; start && log[start - 1] != '\n'; start--)
		;
	/* "2025-01-01T00:00:00.000000Z: text" */
	if (n - start > 29 && log[start + 4] == '-' && log[start + 10] == 'T' && log[start + 26] == 'Z')
		start += 29;
	n -= start;
	if (n >= size)
		n = size - 1;
	memcpy(ret, log + start, n);
	ret[n] = '\0';
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcmp(s + n - m, tail) == 0;
}

/* docker looks for the system's words as runc has them, in small letters, and takes its exit code from them. */
static void lower_reason(char *line)
{
	char *p = strrchr(line, ':');

	if (p && p[1] == ' ' && p[2] >= 'A' && p[2] <= 'Z')
		p[2] = (char)(p[2] - 'A' + 'a');
}

int sk_spec_crun_error(const char *log, const char *program, struct sk_error *err)
{
	char line[SK_ERROR_MAX];
	int code = 0;

	last_line(log, line, sizeof(line));
	if (strncmp(line, "executable file `", 17) == 0 || strncmp(line, "cannot find `` in", 17) == 0) {
		if (strchr(program, '/'))
			sk_error_set(err, ENOENT, "exec: \"%s\": stat %s: no such file or directory", program, program);
		else
			sk_error_set(err, ENOENT, "exec: \"%s\": executable file not found in $PATH", program);
		return 127;
	}
	if (strstr(line, "` is not a regular file")) {
		sk_error_set(err, EACCES, "exec: \"%s\": is a directory", program);
		return 126;
	}
	if (strstr(line, "exists but it is not executable") ||
	    (strncmp(line, "cannot open `", 13) == 0 && ends_with(line, "Permission denied"))) {
		sk_error_set(err, EACCES, "exec: \"%s\": permission denied", program);
		return 126;
	}
	if (ends_with(line, "No such file or directory"))
		code = 127;
	else if (ends_with(line, "Permission denied") || ends_with(line, "Not a directory"))
		code = 126;
	if (code)
		lower_reason(line);
	sk_error_set(err,
		     code == 127 ? ENOENT
		     : code	 ? EACCES
				 : EIO,
		     "%s", *line ? line : "the container runtime failed");
	return code;
}
