/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jobs' children: they do the work that may block, and then become crun, so that starting a container costs one
 * process and not two. What goes wrong before that is reported; what crun says afterwards is in its log file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "boot.h"
#include "launch.h"
#include "rootfs.h"
#include "filter.h"
#include "spec.h"
#include "volume.h"
#include "user.h"

#define CONFIG_MAX (2u * 1024u * 1024u)

static int write_json(const char *path, const json_t *json, struct sk_error *err)
{
	_cleanup_free_ char *text = json_dumps(json, JSON_COMPACT);
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r;

	if (!text || fd < 0)
		return sk_error_errno(err, text ? errno : ENOMEM, "cannot write %s", path);
	r = sk_fs_write_all(fd, text, strlen(text));
	return r < 0 ? sk_error_errno(err, r, "cannot write %s", path) : 0;
}

static int use_stdio(const struct sk_launch *l, struct sk_error *err)
{
	_cleanup_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int i;

	for (i = 0; i < SK_STDIO_COUNT; i++)
		if (dup2(l->child_fd[i] >= 0 ? l->child_fd[i] : null, i) < 0)
			return sk_error_errno(err, errno, "cannot pass on stdio");
	return 0;
}

/* Becomes crun: `verb` is NULL-terminated, with its own options. Returns only on failure. */
static int become_crun(const struct sk_launch *l, const char *const *verb, struct sk_error *err)
{
	const char *argv[32] = { "crun", "--root", NULL, "--cgroup-manager", NULL, "--log", NULL };
	const char *envp[] = { "PATH=/bin", "CRUN_NO_PREFORK=1", NULL };
	char log[256], root[160];
	size_t n = 7;

	snprintf(root, sizeof(root), "%s/crun", l->agent->run_dir);
	sk_launch_path(l, "log", log, sizeof(log));
	argv[2] = root;
	argv[4] = l->agent->cgroups ? "cgroupfs" : "disabled";
	argv[6] = log;
	while (*verb)
		argv[n++] = *verb++;
	argv[n] = NULL;
	if (use_stdio(l, err) < 0)
		return -err->code;
	/* exec's prototype predates const: nothing is written. */
	execve(l->agent->crun, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)envp);
	return sk_error_errno(err, errno, "cannot run %s", l->agent->crun);
}

/* The user that the process object has. */
static void given_user(const json_t *given, int rootfd, struct sk_user *user)
{
	_cleanup_free_ char *passwd = sk_user_read_file(rootfd, "etc/passwd");
	size_t i;

	user->uid = (uint32_t)json_integer_value(json_object_get(given, "uid"));
	user->gid = (uint32_t)json_integer_value(json_object_get(given, "gid"));
	for (i = 0; i < json_array_size(json_object_get(given, "additionalGids")) && i < SK_USER_GROUPS_MAX; i++)
		user->groups[user->n_groups++] =
			(uint32_t)json_integer_value(json_array_get(json_object_get(given, "additionalGids"), i));
	strcpy(user->home, "/");
	sk_user_home(passwd, user->uid, user->home);
}

static int join_groups(const json_t *groups, int rootfd, struct sk_user *user, struct sk_error *err)
{
	_cleanup_free_ char *group = json_array_size(groups) ? sk_user_read_file(rootfd, "etc/group") : NULL;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < json_array_size(groups); i++) {
		const char *text = json_string_value(json_array_get(groups, i));

		r = text ? sk_user_join(text, group, user, err) : sk_error_set(err, EINVAL, "a group is no text");
	}
	return r;
}

/* The user and groups that the request names, or the user that the process object has, with HOME from the image's
 * files. */
static int set_user(json_t *process, const char *name, const json_t *groups, int rootfd, json_t *mark,
		    struct sk_error *err)
{
	_cleanup_free_ struct sk_user *user = calloc(1, sizeof(*user));
	int r = 0;

	if (!user || rootfd < 0)
		return sk_error_errno(err, user ? rootfd : ENOMEM, "cannot look up the user");
	if (name && *name)
		r = sk_user_resolve_at(rootfd, name, user, err);
	else
		given_user(json_object_get(process, "user"), rootfd, user);
	if (r == 0)
		r = join_groups(groups, rootfd, user, err);
	return r < 0 ? r : sk_spec_user(process, user, mark, err);
}

/* "join": {"ipc": "c0", …}: that container's namespace instead of a new one. */
static const char *joined(const struct sk_join_spec *join, const char *type)
{
	if (strcmp(type, "ipc") == 0)
		return join->ipc;
	if (strcmp(type, "uts") == 0)
		return join->uts;
	if (strcmp(type, "pid") == 0)
		return join->pid;
	return strcmp(type, "user") == 0 ? join->user : NULL;
}

static int join_namespaces(struct sk_agent *agent, json_t *spec, const struct sk_join_spec *join, struct sk_error *err)
{
	json_t *list = json_object_get(json_object_get(spec, "linux"), "namespaces");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		json_t *ns = json_array_get(list, i);
		const char *type = json_string_value(json_object_get(ns, "type"));
		const char *from = type ? joined(join, type) : NULL;
		const struct sk_agent_container *other = from ? sk_container_find(agent, from) : NULL;
		pid_t pid = other ? sk_container_init_pid(other) : 0;
		char path[64];

		if (!from)
			continue;
		if (!pid)
			return sk_error_set(err, ESRCH,
					    "container %s, whose %s namespace is to be joined, does not run", from,
					    type);
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, type);
		json_object_set_new(ns, "path", json_string(path));
	}
	return 0;
}

static int prepare_create(struct sk_launch *l, struct sk_error *err)
{
	const struct sk_agent_container *c = l->container;
	const struct sk_create *create = &l->req.create;
	json_t *spec = create->spec, *binds = json_array(), *sysctl = NULL;
	_cleanup_fd_ int rootfd = -1;
	char rootfs[160], path[160];
	struct sk_spec_extra extra = {
		.container = c->id, .rootfs = rootfs, .binds = binds, .stdio = &l->stdio, .init_path = l->agent->self
	};
	int r;

	snprintf(rootfs, sizeof(rootfs), "%s/rootfs", c->dir);
	snprintf(path, sizeof(path), "%s/shares", l->agent->run_dir);
	r = sk_rootfs_build(&create->rootfs, &l->agent->uplink, c->dir, err);
	if (r == 0)
		r = sk_rootfs_mounts(create->mounts, create->files, &l->agent->uplink, c->dir, path, l->agent->self,
				     l->agent->crun, binds, err);
	if (r < 0)
		return r;
	extra.readonly = create->rootfs.readonly;
	extra.memory = l->agent->test ? 0 : l->agent->memory_ceiling;
	extra.init = create->init;
	rootfd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = sk_volumes_fill(create->mounts, rootfd, path, err);
	if (r == 0)
		r = sk_spec_complete(spec, &extra, &sysctl, err);
	if (r == 0)
		r = join_namespaces(l->agent, spec, &create->join, err);
	if (r == 0)
		r = set_user(json_object_get(spec, "process"), create->user, create->groups, rootfd, spec, err);
	if (r == 0)
		r = sk_setup_sysctl(sysctl, err); /* net.*: the whole guest is the container's network */
	sk_filter_prepare(spec);
	snprintf(path, sizeof(path), "%s/config.json", c->dir);
	return r < 0 ? r : write_json(path, spec, err);
}

/* Only the root file system, for copies into and out of a container that does not run. */
static int mount_only(struct sk_launch *l, struct sk_error *err)
{
	return sk_rootfs_build(&l->req.create.rootfs, &l->agent->uplink, l->container->dir, err);
}

int sk_launch_create_child(void *launch, int report_fd)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_launch *l = launch;
	bool start = l->req.create.start;
	const char *verb[16] = { start ? "run" : "create", "--bundle", l->container->dir, "--pid-file" };
	char pid[256], console[256];
	size_t n = 5;

	if (l->req.create.mount_only)
		return mount_only(l, &err) < 0 ? sk_job_report_error(report_fd, &err, 0) : 0;
	if (prepare_create(l, &err) < 0)
		return sk_job_report_error(report_fd, &err, 0);
	sk_launch_path(l, "pid", pid, sizeof(pid));
	sk_launch_path(l, "console", console, sizeof(console));
	verb[4] = pid;
	if (l->stdio.terminal) {
		verb[n++] = "--console-socket";
		verb[n++] = console;
	}
	if (start)
		verb[n++] = "--detach";
	verb[n++] = l->container->name;
	become_crun(l, verb, &err);
	return sk_job_report_error(report_fd, &err, 0);
}

static int prepare_exec(struct sk_launch *l, const char *path, struct sk_error *err)
{
	json_t *process = l->req.exec.process, *spec;
	pid_t init = sk_container_init_pid(l->container);
	_cleanup_fd_ int rootfd = sk_container_root(l->container->dir, init);
	_cleanup_free_ char *text = NULL;
	char config[160];
	int r;

	snprintf(config, sizeof(config), "%s/config.json", l->container->dir);
	r = sk_fs_read(AT_FDCWD, config, CONFIG_MAX, &text, NULL);
	spec = r < 0 ? NULL : json_loads(text, 0, NULL);
	if (!spec)
		return sk_error_errno(err, r < 0 ? r : EIO, "cannot read the container's configuration");
	if (json_is_string(json_object_get(process, "cwd")) && !*json_string_value(json_object_get(process, "cwd")))
		json_object_del(process, "cwd");
	sk_spec_inherit(process, spec);
	r = sk_spec_process(process, &l->stdio, err);
	if (r < 0)
		return r;
	r = set_user(process, l->req.exec.user, l->req.exec.groups, rootfd, NULL, err);
	return r < 0 ? r : write_json(path, process, err);
}

int sk_launch_exec_child(void *launch, int report_fd)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_launch *l = launch;
	const char *verb[16] = { "exec", "--process", NULL, "--pid-file", NULL, "--detach" };
	char pid[256], console[256], process[256];
	size_t n = 6;

	sk_launch_path(l, "process", process, sizeof(process));
	sk_launch_path(l, "pid", pid, sizeof(pid));
	sk_launch_path(l, "console", console, sizeof(console));
	if (prepare_exec(l, process, &err) < 0)
		return sk_job_report_error(report_fd, &err, 0);
	verb[2] = process;
	verb[4] = pid;
	if (l->stdio.terminal) {
		verb[n++] = "--console-socket";
		verb[n++] = console;
	}
	verb[n++] = l->container->name;
	become_crun(l, verb, &err);
	return sk_job_report_error(report_fd, &err, 0);
}

int sk_launch_start_child(void *launch, int report_fd)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_launch *l = launch;
	const char *verb[] = { "start", l->container->name, NULL };

	become_crun(l, verb, &err);
	return sk_job_report_error(report_fd, &err, 0);
}
