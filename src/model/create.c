/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a container of a plan: its directory in tmp/, volumes, disk, config.json and vm.json, then renamed into place
 * with the names locked. And starts its monitor.
 */
#include "model/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "model/container.h"
#include "model/jx.h"
#include "model/machine.h"
#include "model/volume.h"
#include "vm/vm.h"

static int write_json(int dirfd, const char *name, const json_t *o, struct sk_error *err)
{
	_cleanup_free_ char *text = json_dumps(o, JSON_COMPACT);
	_cleanup_fd_ int fd = -1;
	int r;

	if (!text)
		return sk_error_errno(err, ENOMEM, "cannot write %s", name);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	r = fd < 0 ? -errno : sk_fs_write_all(fd, text, strlen(text));
	return r < 0 ? sk_error_errno(err, r, "cannot write the container's %s", name) : 0;
}

/* With the names locked: from tmp/ to containers/, config.json last seen complete. */
static int publish(const struct sk_paths *paths, struct sk_plan *plan, const char *tmp, json_t **ret_config,
		   struct sk_error *err)
{
	_cleanup_free_ char *dir = sk_xasprintf("%s/containers/%s", paths->root, plan->id);
	_cleanup_fd_ int lock = sk_containers_lock(paths, err), dirfd = -1;
	_cleanup_json_ json_t *config = NULL, *vm = NULL;
	char created[36];
	int r;

	if (lock < 0)
		return lock;
	if (plan->opts->name && *plan->opts->name) {
		snprintf(plan->name, sizeof(plan->name), "%s", plan->opts->name + (*plan->opts->name == '/'));
		r = strlen(plan->opts->name) < sizeof(plan->name)
			    ? 0
			    : sk_error_set(err, EINVAL, "the name is too long: 255 letters at most");
		if (r == 0)
			r = sk_container_check_name(paths, plan->name, NULL, err);
		if (r < 0)
			return r;
	} else {
		sk_container_make_name(paths, plan->name);
	}
	config = sk_plan_inspect(plan, sk_time_now(created));
	vm = sk_plan_vm(plan, config);
	if (plan->machine) {
		sk_jx_set(config, "Machine", sk_jx(json_deep_copy(plan->machine)));
		sk_machine_complete_vm(paths, plan->machine, vm);
	}
	dirfd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return sk_error_errno(err, errno, "cannot open %s", tmp);
	r = write_json(dirfd, "vm.json", vm, err);
	if (r == 0)
		r = write_json(dirfd, "config.json", config, err);
	if (r == 0 && rename(tmp, dir) < 0)
		r = sk_error_errno(err, errno, "cannot make %s", dir);
	if (r == 0 && ret_config)
		*ret_config = SK_TAKE_PTR(config);
	return r;
}

static int resolve_bind(struct sk_mount *m, struct sk_error *err)
{
	struct stat st;
	int r;

	/* docker makes a missing directory for -v, and refuses with --mount. */
	if (m->make_source && access(m->source, F_OK) < 0 && errno == ENOENT) {
		r = sk_fs_mkdir_p(m->source, 0755);
		if (r < 0)
			return sk_error_errno(err, r, "cannot make %s to share it at %s", m->source, m->target);
	}
	m->path = realpath(m->source, NULL);
	if (!m->path || stat(m->path, &st) < 0) {
		if (errno == ENOENT)
			return sk_error_set(
				err, EINVAL,
				"invalid mount config for type \"bind\": bind source path does not exist: %s",
				m->source);
		return sk_error_errno(err, errno, "cannot share %s at %s", m->source, m->target);
	}
	m->file = !S_ISDIR(st.st_mode);
	return sk_mount_check_propagation(m, err);
}

/* A part of a volume: checked here for a good error; the monitor, confined, resolves it again. */
static int check_subpath(struct sk_mount *m, struct sk_error *err)
{
	_cleanup_fd_ int top = open(m->path, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;

	if (top < 0)
		return sk_error_errno(err, errno, "cannot open volume %s", m->source);
	fd = sk_fs_open_beneath(top, m->subpath);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sk_error_errno(err, fd < 0 ? -fd : errno, "cannot mount %s of volume %s at %s", m->subpath,
				      m->source, m->target);
	m->file = !S_ISDIR(st.st_mode);
	return 0;
}

int sk_plan_resolve_mounts(const struct sk_paths *paths, struct sk_plan *plan, struct sk_error *err)
{
	_cleanup_json_ json_t *anonymous = sk_jx(json_pack("{s:s}", "com.docker.volume.anonymous", ""));
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < plan->mounts.n; i++) {
		struct sk_mount *m = &plan->mounts.v[i];
		bool nameless = !m->source;

		if (m->type == SK_MOUNT_BIND) {
			r = resolve_bind(m, err);
		} else if (m->type == SK_MOUNT_VOLUME) {
			if (nameless)
				m->source = sk_volume_random_name();
			m->anonymous = nameless;
			r = sk_volume_ensure(paths, m->source, nameless ? anonymous : NULL, &m->path, err);
			if (r == 0 && m->subpath)
				r = check_subpath(m, err);
		}
	}
	return r;
}

static void remove_anonymous(const struct sk_paths *paths, struct sk_plan *plan)
{
	struct sk_error ignored = SK_ERROR_INIT;
	size_t i;

	for (i = 0; i < plan->mounts.n; i++)
		if (plan->mounts.v[i].anonymous && plan->mounts.v[i].path)
			sk_volume_remove(paths, plan->mounts.v[i].source, &ignored);
}

int sk_create(const struct sk_paths *paths, struct sk_plan *plan, json_t **ret_config, struct sk_error *err)
{
	_cleanup_free_ char *tmp = sk_xasprintf("%s/tmp/%s", paths->root, plan->id);
	_cleanup_json_ json_t *config = NULL, *attributes = NULL;
	struct sk_error ignored = SK_ERROR_INIT;
	int r;

	sk_ports_copy(&plan->ports, &plan->given);
	r = sk_ports_assign(&plan->given, err);
	/* Looked at again when the name is taken: here so that nothing is made for a container that cannot be. */
	if (r == 0 && plan->opts->name && *plan->opts->name)
		r = sk_container_check_name(paths, plan->opts->name + (*plan->opts->name == '/'), NULL, err);
	if (r < 0)
		return r;
	r = sk_plan_resolve_mounts(paths, plan, err);
	if (r == 0 && mkdir(tmp, 0700) < 0)
		r = sk_error_errno(err, errno, "cannot make %s", tmp);
	if (r == 0 && (r = publish(paths, plan, tmp, &config, err)) < 0)
		sk_fs_remove_tree(AT_FDCWD, tmp);
	else if (r == 0 && (r = sk_vm_make_disk(paths, plan->id, plan->disk_size, err)) < 0)
		sk_vm_remove(paths, plan->id, &ignored);
	if (r < 0) {
		remove_anonymous(paths, plan);
		return r;
	}
	attributes = json_copy(sk_jx_at(config, "Config.Labels"));
	sk_jx_set_str(attributes, "image", plan->image_ref);
	sk_jx_set_str(attributes, "name", plan->name);
	sk_event_append(paths, "container", "create", plan->id, attributes);
	if (ret_config)
		*ret_config = SK_TAKE_PTR(config);
	return 0;
}

static int rewrite_ports(const struct sk_paths *paths, const char *id, json_t *config, const struct sk_ports *ports,
			 struct sk_error *err)
{
	_cleanup_json_ json_t *vm = NULL, *map = NULL;
	json_t *network, *given = sk_jx_at(config, "NetworkSettings.Ports");
	int r = sk_container_load_vm(paths, id, &vm, err);

	network = json_object_get(vm, "network");
	if (r < 0 || !json_is_object(network) || !json_is_object(given))
		return r;
	map = sk_ports_to_bindings(ports, true);
	json_object_update(given, map);
	sk_jx_set(network, "forwards", sk_ports_to_forwards(ports));
	r = sk_container_save_vm(paths, id, vm, err);
	return r < 0 ? r : sk_container_save(paths, id, config, err);
}

/* Ports that were asked for without a number get a new one at each start, as with docker. */
static int reassign_ports(const struct sk_paths *paths, const char *id, json_t *config, struct sk_error *err)
{
	struct sk_ports ports = { 0 };
	bool any = false;
	size_t i;
	int r = 0;

	sk_ports_from_bindings(&ports, sk_jx_at(config, "HostConfig.PortBindings"));
	for (i = 0; i < ports.n; i++)
		any |= !ports.v[i].host_port || ports.v[i].host_end > ports.v[i].host_port;
	if (any) {
		r = sk_ports_assign(&ports, err);
		if (r == 0)
			r = rewrite_ports(paths, id, config, &ports, err);
	}
	sk_ports_fini(&ports);
	return r;
}

int sk_boot(const struct sk_paths *paths, const char *id, json_t *config, struct sk_error *err)
{
	_cleanup_free_ char *disk = sk_xasprintf("%s/containers/%s/disk.img", paths->root, id);
	int r = 0;

	if (access(disk, F_OK) < 0)
		r = sk_vm_make_disk(paths, id,
				    (uint64_t)sk_jx_get_int(config, "Vm.DiskSize", (int64_t)SK_DEFAULT_DISK_SIZE), err);
	if (r == 0)
		r = reassign_ports(paths, id, config, err);
	return r < 0 ? r : sk_vm_launch(paths, id, err);
}
