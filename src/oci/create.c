/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create, start.
 *
 * create: directory and record → control groups → monitor (the VM boots from here on) → hooks, which make the network →
 * the network is told to the VM → the container is created in the guest. A failure anywhere takes everything back. Its
 * last act is the pid file.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "oci/oci.h"
#include "vm/vm.h"

#define AT(f) offsetof(struct sk_oci_create_options, f)
static const struct sk_opt create_options[] = {
	{ .name = "bundle", .letter = 'b', .type = SK_OPT_STRING, .offset = AT(bundle) },
	{ .name = "console-socket", .type = SK_OPT_STRING, .offset = AT(console_socket) },
	{ .name = "pid-file", .type = SK_OPT_STRING, .offset = AT(pid_file) },
	{ .name = "no-pivot", .type = SK_OPT_IGNORED_BOOL },
	{ .name = "no-new-keyring", .type = SK_OPT_IGNORED_BOOL },
	{ .name = "preserve-fds", .type = &sk_oci_opt_preserve_fds },
	{ .name = "detach", .letter = 'd', .type = SK_OPT_BOOL, .offset = AT(detach) },
	{ .name = "keep", .type = SK_OPT_BOOL, .offset = AT(keep) },
	{ .name = "no-subreaper", .type = SK_OPT_IGNORED_BOOL },
	{ .name = NULL },
};
#undef AT

int sk_oci_create_parse(int argc, char **argv, bool run, struct sk_oci_create_options *ret, struct sk_error *err)
{
	int r;

	*ret = (struct sk_oci_create_options){ .bundle = ".", .console_fd = -1 };
	r = sk_oci_options_id(create_options, ret, argc, argv, err);
	if (r < 0)
		return r;
	ret->id = argv[1];
	ret->detach |= !run;
	return 0;
}

/* Writes vm.json for a container with a VM of its own. */
static int write_vm(struct sk_oci_container *c, const struct sk_oci_bundle *b, const struct sk_oci_cgroups *g,
		    bool front, struct sk_error *err)
{
	json_t *vm = sk_oci_bundle_vm(b, c, err);
	_cleanup_free_ char *text = NULL, *path = sk_asprintf("%s/vm.json", c->dir);
	const char *group = sk_oci_cgroups_memory(g->paths);
	int r;

	if (!vm)
		return -err->code;
	if (group)
		json_object_set_new(vm, "memory_group", json_string(group));
	if (front)
		json_object_set_new(vm, "bare_newlines", json_true());
	text = json_dumps(vm, JSON_COMPACT);
	json_decref(vm);
	r = text && path ? sk_fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, false) : -ENOMEM;
	return r < 0 ? sk_error_errno(err, r, "cannot write %s", path) : 0;
}

static int write_record(struct sk_oci_container *c, const struct sk_oci_bundle *b, const struct sk_oci_cgroups *g,
			struct sk_error *err)
{
	json_t *hooks = json_object_get(b->spec, "hooks"), *annotations = json_object_get(b->spec, "annotations");
	json_t *resources = json_object_get(json_object_get(b->spec, "linux"), "resources");
	json_t *shares = json_object_get(json_object_get(resources, "cpu"), "shares");
	char created[40];

	json_object_set_new(c->record, "bundle", json_string(b->dir));
	json_object_set_new(c->record, "rootfs", json_string(b->rootfs));
	json_object_set_new(c->record, "created", json_string(sk_time_now(created)));
	json_object_set(c->record, "cgroups", g->paths);
	if (g->scope.unit[0])
		json_object_set_new(c->record, "unit", json_string(g->scope.unit));
	if (hooks)
		json_object_set(c->record, "hooks", hooks);
	if (annotations)
		json_object_set(c->record, "annotations", annotations);
	json_object_set(c->record, "process", json_object_get(b->spec, "process"));
	if (json_integer_value(shares) > 0)
		json_object_set(c->record, "cpu_shares", shares);
	if (b->sandbox)
		json_object_set_new(c->record, "pod", json_true());
	return sk_oci_container_save(c, err);
}

static int run_create_hooks(const struct sk_oci_container *c, const struct sk_oci_launch *l, pid_t pid,
			    struct sk_error *err)
{
	const struct sk_oci_hook_place inside = { .cwd = l->bundle->rootfs,
						  .netns_pid = pid,
						  .mount_ns = l->mount_ns,
						  .env = json_object_get(json_object_get(l->bundle->spec, "process"),
									 "env") };
	const json_t *hooks = json_object_get(l->bundle->spec, "hooks");
	json_t *state = sk_oci_state_json(c, "creating", pid);
	int r = sk_oci_hooks_run(hooks, "prestart", state, err);

	if (r == 0)
		r = sk_oci_hooks_run(hooks, "createRuntime", state, err);
	if (r == 0)
		r = sk_oci_hooks_run_in(hooks, "createContainer", state, &inside, err);
	json_decref(state);
	/* As runc says it. */
	return r < 0 ? sk_error_wrap(err, "unable to start container process: error during container init") : 0;
}

static int create_in_guest(struct sk_oci *o, struct sk_oci_container *c, const struct sk_oci_launch *l, int fd,
			   pid_t pid, struct sk_error *err)
{
	const struct sk_msg network = { .op = SK_REQUEST_NETWORK }, create = { .op = SK_REQUEST_CREATE };
	int exit_code = 0, r = run_create_hooks(c, l, pid, err);

	if (r == 0)
		r = sk_vm_request(&o->paths, c->vm_id, fd, &network, NULL, NULL, err);
	if (r == 0) {
		r = sk_vm_request(&o->paths, c->vm_id, fd, &create, NULL, &exit_code, err);
		if (r < 0)
			sk_oci_start_error(err, exit_code, json_object_get(l->bundle->spec, "process"),
					   "skerry create failed");
	}
	return r;
}

static int new_console(const struct sk_oci_create_options *co, const struct sk_oci_bundle *b, int *ret_fd,
		       struct sk_error *err)
{
	const json_t *size = json_object_get(json_object_get(b->spec, "process"), "consoleSize");

	*ret_fd = co->console_fd;
	if (*ret_fd >= 0)
		return 0;
	if (!b->terminal) {
		if (co->console_socket)
			return sk_error_set(err, EINVAL,
					    "cannot use console socket if skerry will not detach or allocate tty");
		return 0;
	}
	if (!co->console_socket)
		return sk_error_set(err, EINVAL,
				    "cannot allocate tty if skerry will detach without setting console socket");
	*ret_fd = sk_oci_console_new(co->console_socket, (unsigned)json_integer_value(json_object_get(size, "height")),
				     (unsigned)json_integer_value(json_object_get(size, "width")), err);
	return *ret_fd < 0 ? *ret_fd : 0;
}

/* In the VM of another container. */
static int create_member(struct sk_oci *o, struct sk_oci_container *c, const struct sk_oci_container *sandbox,
			 const struct sk_oci_launch *l, pid_t *ret_pid, struct sk_error *err)
{
	struct sk_oci_member *m = NULL;
	int exit_code = 0, r = sk_oci_member_launch(o, c, sandbox, l, &m, ret_pid, err);

	if (r == 0)
		r = run_create_hooks(c, l, *ret_pid, err);
	if (r == 0) {
		r = sk_oci_member_create(m, c, &exit_code, err);
		if (r < 0)
			sk_oci_start_error(err, exit_code, json_object_get(l->bundle->spec, "process"),
					   "skerry create failed");
	}
	sk_oci_member_free(m);
	return r;
}

/* The container's directory exists; everything else is made here. `sandbox` NULL: it gets a VM of its own. */
static int create_container(struct sk_oci *o, struct sk_oci_container *c, const struct sk_oci_container *sandbox,
			    const struct sk_oci_create_options *co, const struct sk_oci_bundle *b, pid_t *ret_pid,
			    struct sk_error *err)
{
	struct sk_oci_launch launch = { .bundle = b, .console_fd = -1, .mount_ns = -1, .front = co->console_fd >= 0 };
	_cleanup_fd_ int console = -1, fd = -1, mount_ns = -1;
	struct sk_oci_cgroups cgroups;
	int r = sk_oci_cgroups_plan(o, b->spec, c->id, &cgroups, err);

	/* Write the record first: `delete` finds the groups in it if this process is killed. */
	if (r == 0)
		r = write_record(c, b, &cgroups, err);
	if (r == 0)
		r = sk_oci_cgroups_make(&cgroups, b->spec, c->id, err);
	if (r == 0)
		r = sk_oci_mounts_make(b, c, &mount_ns, err);
	if (r == 0 && !sandbox)
		r = write_vm(c, b, &cgroups, launch.front, err);
	if (r == 0)
		r = new_console(co, b, &console, err);
	launch.cgroups = &cgroups;
	launch.console_fd = console;
	launch.mount_ns = mount_ns;
	if (r == 0 && sandbox) {
		r = create_member(o, c, sandbox, &launch, ret_pid, err);
	} else if (r == 0) {
		fd = sk_oci_launch(o, c, &launch, ret_pid, err);
		r = fd < 0 ? fd : create_in_guest(o, c, &launch, fd, *ret_pid, err);
	}
	if (r == 0)
		r = sk_oci_cgroups_settle(&cgroups, b->spec, err);
	if (r == 0 && (sandbox || b->sandbox))
		r = sk_oci_pod_weigh(o, sk_oci_vm_of(c), err);
	if (r == 0)
		r = sk_oci_write_pid(co->pid_file, *ret_pid, err);
	if (r < 0) {
		if (*ret_pid > 0) {
			kill(*ret_pid, SIGKILL);
			sk_wait(*ret_pid);
		}
		sk_oci_systemd_release(&cgroups.holder);
		sk_oci_cgroups_remove(o, cgroups.paths, cgroups.scope.unit);
	}
	sk_oci_cgroups_fini(&cgroups);
	return r;
}

int sk_oci_create_container(struct sk_oci *o, const struct sk_oci_create_options *co, struct sk_oci_bundle *b,
			    struct sk_oci_container *c, pid_t *ret_pid, struct sk_error *err)
{
	struct sk_oci_container sandbox = { 0 };
	int r, in_pod = 0;

	*ret_pid = 0;
	sk_oci_log(o, "debug", "bundle %s, root file system %s", b->dir, b->rootfs);
	r = sk_oci_namespaces_check(b, err);
	if (r == 0)
		r = in_pod = sk_oci_pod_of(o, b, &sandbox, err);
	if (r >= 0)
		r = sk_oci_container_new(o, co->id, c, err);
	if (r == 0) {
		r = create_container(o, c, in_pod ? &sandbox : NULL, co, b, ret_pid, err);
		if (r < 0) {
			struct sk_error quiet = SK_ERROR_INIT;

			if (sk_oci_remove_files(o, c, &quiet) < 0)
				sk_oci_log(o, "warning", "%s", quiet.message);
			sk_oci_container_close(c);
		} else {
			sk_close_fd(&c->making_fd);
		}
	}
	if (in_pod > 0)
		sk_oci_container_close(&sandbox);
	return r;
}

int sk_oci_create(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	struct sk_oci_create_options co;
	struct sk_oci_container c;
	struct sk_oci_bundle b = { 0 };
	pid_t pid;
	int r = sk_oci_create_parse(argc, argv, false, &co, err);

	if (r < 0)
		return r;
	r = sk_oci_bundle_load(co.bundle, &b, err);
	if (r == 0)
		r = sk_oci_create_container(o, &co, &b, &c, &pid, err);
	sk_oci_bundle_fini(&b);
	if (r < 0)
		sk_oci_wrap_once(err, "skerry create failed");
	else
		sk_oci_container_close(&c);
	return r;
}

/* ---- start */

int sk_oci_start_container(struct sk_oci *o, struct sk_oci_container *c, bool *ret_ended, struct sk_error *err)
{
	const char *status = sk_oci_status(o, c, NULL);
	struct sk_msg request = { .op = SK_REQUEST_START };
	json_t *state;
	_cleanup_fd_ int fd = -1;
	int exit_code = 0, r;

	*ret_ended = false;
	if (strcmp(status, "running") == 0 || strcmp(status, "paused") == 0)
		return sk_error_set(err, EINVAL, "cannot start an already running container");
	if (strcmp(status, "creating") == 0)
		return sk_error_set(err, EINVAL, "cannot start a container that is still being created");
	if (strcmp(status, "created") != 0)
		return sk_error_set(err, EINVAL, "cannot start a container that has stopped");
	fd = sk_oci_connect(o, c, err);
	if (fd < 0)
		return fd;
	request.container = sk_oci_guest_name(c);
	r = sk_vm_request(&o->paths, sk_oci_vm_of(c), fd, &request, NULL, &exit_code, err);
	if (r < 0)
		return sk_oci_start_error(err, exit_code, json_object_get(c->record, "process"), "skerry start failed");
	sk_oci_member_status(o, c, "running");
	state = sk_oci_state_json(c, "running", sk_oci_pid(o, c));
	r = sk_oci_hooks_run(json_object_get(c->record, "hooks"), "poststart", state, err);
	json_decref(state);
	*ret_ended = r < 0; /* as with runc: a failed hook fails the container */
	return r;
}

int sk_oci_start(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	struct sk_oci_container c;
	bool ended = false;
	int r = sk_oci_options_id(NULL, NULL, argc, argv, err);

	if (r >= 0)
		r = sk_oci_container_open(o, argv[1], &c, err);
	if (r < 0)
		return r;
	r = sk_oci_start_container(o, &c, &ended, err);
	if (ended)
		sk_oci_take_back(o, &c);
	sk_oci_container_close(&c);
	return r;
}
