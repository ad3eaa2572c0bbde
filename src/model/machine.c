/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machines in the store: found by name, their data disk, the directory of their sockets, the one that is the default,
 * and what their vm.json has beyond that of a container.
 */
#include "model/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "model/jx.h"
#include "model/machine_pools.h"
#include "model/plan.h"
#include "vm/vm.h"

#define MACHINES_DIR "machines"
#define DEFAULT_FILE "machine-default"
#define GUEST_SOCKET "/run/docker.sock"

const json_t *sk_machine_of(const struct sk_container *c)
{
	const json_t *machine = json_object_get(c->config, "Machine");

	return json_is_object(machine) ? machine : NULL;
}

const char *sk_machine_state(const struct sk_container *c)
{
	if (!sk_container_is_alive(c))
		return "stopped";
	return strcmp(sk_container_status(c), "suspended") == 0 ? "suspended" : "running";
}

int sk_machine_check_name(const char *name, struct sk_error *err)
{
	if (!sk_is_docker_name(name) || strlen(name) > SK_MACHINE_NAME_MAX)
		return sk_error_set(
			err, EINVAL,
			"invalid machine name \"%.64s\": [a-zA-Z0-9][a-zA-Z0-9_.-]+ is allowed, %d letters at "
			"most",
			name, SK_MACHINE_NAME_MAX);
	return 0;
}

static const char *name_of(const struct sk_container *c)
{
	return sk_jx_get_str(c->config, "Machine.Name", "");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(name_of(a), name_of(b));
}

int sk_machines_load(const struct sk_paths *paths, struct sk_containers *ret, struct sk_error *err)
{
	struct sk_containers all;
	size_t i, n = 0;
	int r = sk_containers_load_all(paths, &all, err);

	if (r < 0)
		return r;
	for (i = 0; i < all.n; i++)
		if (sk_machine_of(&all.v[i]))
			all.v[n++] = all.v[i];
		else
			sk_container_fini(&all.v[i]);
	all.n = n;
	if (n)
		qsort(all.v, n, sizeof(*all.v), by_name);
	*ret = all;
	return 0;
}

int sk_machine_find(const struct sk_paths *paths, const char *name, struct sk_container *ret, struct sk_error *err)
{
	struct sk_containers all;
	size_t i;
	int r = sk_machines_load(paths, &all, err);

	if (r < 0)
		return r;
	r = -ENOENT;
	for (i = 0; r < 0 && i < all.n; i++)
		if (strcmp(name_of(&all.v[i]), name) == 0) {
			*ret = all.v[i];
			all.v[i] = (struct sk_container){ 0 };
			r = 0;
		}
	sk_containers_fini(&all);
	return r == 0 ? 0
		      : sk_error_set(err, ENOENT, "No such machine: %.64s (make one with: skerry machine init %.64s)",
				     name, name);
}

char *sk_machine_default(const struct sk_paths *paths)
{
	_cleanup_free_ char *path = sk_xasprintf("%s/" DEFAULT_FILE, paths->root), *text = NULL;
	struct sk_error ignored = SK_ERROR_INIT;

	if (sk_fs_read(AT_FDCWD, path, SK_MACHINE_NAME_MAX + 1, &text, NULL) == 0) {
		text[strcspn(text, "\n")] = '\0';
		if (sk_machine_check_name(text, &ignored) == 0)
			return SK_TAKE_PTR(text);
	}
	return sk_xstrdup(SK_MACHINE_DEFAULT);
}

int sk_machine_set_default(const struct sk_paths *paths, const char *name, struct sk_error *err)
{
	_cleanup_free_ char *path = sk_xasprintf("%s/" DEFAULT_FILE, paths->root), *line = sk_xasprintf("%s\n", name);
	int r = sk_fs_write_atomic(AT_FDCWD, path, line, strlen(line), 0600, false);

	return r < 0 ? sk_error_errno(err, r, "cannot write %s", path) : 0;
}

/* ---- time zone */

/* The last line of a TZif file (RFC 8536, section 3.3). */
static char *read_zone(const char *path)
{
	_cleanup_free_ char *data = NULL;
	char *end, *start;
	size_t len;

	if (sk_fs_read(AT_FDCWD, path, 1 << 20, &data, &len) < 0 || len < 50 || strncmp(data, "TZif", 4) != 0 ||
	    data[len - 1] != '\n')
		return NULL;
	end = data + len - 1;
	for (start = end; start > data && start[-1] != '\n'; start--)
		;
	*end = '\0';
	return end > start && end - start < 100 && strlen(start) == (size_t)(end - start) ? sk_xstrdup(start) : NULL;
}

char *sk_machine_time_zone(const char *tz, const char *zoneinfo, const char *localtime)
{
	_cleanup_free_ char *path = NULL;
	char *zone;

	if (!tz)
		return read_zone(localtime);
	if (!*tz)
		return sk_xstrdup("UTC0");
	path = sk_xasprintf("%s%s%s", tz[*tz == ':'] == '/' ? "" : zoneinfo, tz[*tz == ':'] == '/' ? "" : "/",
			    tz + (*tz == ':'));
	zone = strstr(tz, "..") ? NULL : read_zone(path);
	if (!zone && *tz != ':' && *tz != '/')
		zone = sk_xstrdup(tz);
	return zone;
}

/* ---- data disk */

char *sk_machine_data(const struct sk_paths *paths, const char *name)
{
	return sk_xasprintf("%s/" MACHINES_DIR "/%s/data.img", paths->root, name);
}

static int grow(const char *path, uint64_t size, struct sk_error *err)
{
	_cleanup_fd_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return sk_error_errno(err, errno, "cannot open the machine's data disk %s", path);
	if ((uint64_t)st.st_size > size)
		return sk_error_set(err, EINVAL,
				    "the machine's data disk %s has %llu MiB: it can grow, not shrink (what the engine "
				    "deletes is given back to the host all the same)",
				    path, (unsigned long long)st.st_size >> 20);
	if ((uint64_t)st.st_size < size && ftruncate(fd, (off_t)size) < 0)
		return sk_error_errno(err, errno, "cannot make the machine's data disk %s larger", path);
	return 0;
}

int sk_machine_make_data(const struct sk_paths *paths, const char *name, uint64_t size, struct sk_error *err)
{
	_cleanup_free_ char *path = sk_machine_data(paths, name),
			    *dir = sk_xasprintf("%s/" MACHINES_DIR "/%s", paths->root, name);
	int r;

	if (access(path, F_OK) == 0)
		return grow(path, size, err);
	r = sk_fs_mkdir_p(dir, 0700);
	if (r < 0)
		return sk_error_errno(err, r, "cannot make %s", dir);
	return sk_vm_make_disk_at(paths, path, size, err);
}

int sk_machine_lock(const struct sk_paths *paths, const char *name, struct sk_error *err)
{
	_cleanup_free_ char *dir = sk_xasprintf("%s/" MACHINES_DIR "/%s", paths->root, name);
	_cleanup_fd_ int fd = -1;
	int r = sk_fs_mkdir_p(dir, 0700);

	if (r == 0 || r == -EEXIST) {
		fd = open(dir, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : sk_fs_lock(fd, true, false);
	}
	return r < 0 ? sk_error_errno(err, r, "cannot lock %s", dir) : SK_TAKE_FD(fd);
}

/* ---- sockets */

char *sk_machine_socket(const struct sk_paths *paths, const char *name)
{
	return sk_xasprintf("%s/%s/" SK_MACHINE_SOCKET, paths->run, name);
}

int sk_machine_check_socket(const struct sk_paths *paths, const char *name, struct sk_error *err)
{
	_cleanup_free_ char *path = sk_machine_socket(paths, name);
	const size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (strlen(path) > most)
		return sk_error_set(err, ENAMETOOLONG,
				    "the path of the machine's socket has %zu bytes, %zu is the most that a client can "
				    "connect to: %s (give the machine a shorter name, or a shorter --root)",
				    strlen(path), most, path);
	return 0;
}

int sk_machine_link(const struct sk_paths *paths, const char *name, const char *id, struct sk_error *err)
{
	_cleanup_free_ char *link = sk_xasprintf("%s/%s", paths->run, name),
			    *tmp = sk_xasprintf("%s/.%s.new", paths->run, name);
	struct stat st;

	if (lstat(link, &st) == 0 && !S_ISLNK(st.st_mode))
		return sk_error_set(err, EEXIST,
				    "cannot make %s: something else has that name; name the machine otherwise", link);
	unlink(tmp);
	if (symlink(id, tmp) < 0 || rename(tmp, link) < 0)
		return sk_error_errno(err, errno, "cannot make %s", link);
	return 0;
}

void sk_machine_unlink(const struct sk_paths *paths, const char *name)
{
	_cleanup_free_ char *link = sk_xasprintf("%s/%s", paths->run, name);

	unlink(link);
}

/* ---- vm.json */

static json_t *guest_mount(const char *type, const char *destination)
{
	json_t *o = sk_jx_object();

	sk_jx_set_str(o, "type", type);
	sk_jx_set_str(o, "destination", destination);
	return o;
}

/* The guest's own crun is a small static program: runc is written in Go, and is executed five times for a container. Who
 * names a default runtime, or a runtime called crun, keeps it. */
static void add_runtime(json_t *o)
{
	json_t *runtimes = json_object_get(o, "runtimes"), *crun;

	if (runtimes && (!json_is_object(runtimes) || json_object_get(runtimes, "crun")))
		return;
	if (!runtimes) {
		runtimes = sk_jx_object();
		sk_jx_set(o, "runtimes", runtimes);
	}
	crun = sk_jx_object();
	sk_jx_set_str(crun, "path", SK_MACHINE_CRUN);
	sk_jx_set(runtimes, "crun", crun);
	if (!json_object_get(o, "default-runtime"))
		sk_jx_set_str(o, "default-runtime", "crun");
}

static void add_pools(json_t *o)
{
	json_t *pools = NULL;

	if (!json_object_get(o, "default-address-pools") && !json_object_get(o, "bip"))
		pools = sk_machine_pools_of_host();
	if (pools)
		sk_jx_set(o, "default-address-pools", pools);
}

/* The user's daemon.json with what is ours; dockerd takes a setting from the file or its command line, not from both. */
static char *daemon_json(const json_t *machine)
{
	json_t *o = json_loads(sk_jx_get_str(machine, "DaemonConfig", "{}"), 0, NULL), *labels;
	char *text;

	if (!json_is_object(o)) {
		json_decref(o);
		o = sk_jx_object();
	}
	labels = json_object_get(o, "labels");
	if (!json_is_array(labels)) {
		labels = sk_jx_array();
		sk_jx_set(o, "labels", labels);
	}
	sk_jx_push_str(labels, "skerry.mode=shared");
	if (!json_object_get(o, "storage-driver"))
		sk_jx_set_str(o, "storage-driver", "overlay2");
	add_runtime(o);
	add_pools(o);
	text = json_dumps(o, JSON_INDENT(2));
	json_decref(o);
	return text ? text : sk_xstrdup("{}");
}

void sk_machine_complete_vm(const struct sk_paths *paths, const json_t *machine, json_t *vm)
{
	static const char *const names[] = { "host.docker.internal", "gateway.docker.internal",
					     "host.skerry.internal" };
	_cleanup_free_ char *data = sk_machine_data(paths, sk_jx_get_str(machine, "Name", ""));
	json_t *disk = sk_jx_object(), *socket = sk_jx_object(), *services = sk_jx_object(), *list = sk_jx_array(),
	       *mounts = json_object_get(vm, "mounts");
	const char *agent = getenv("SSH_AUTH_SOCK");
	json_t *file = sk_jx_object();
	char *daemon;
	size_t i;

	sk_jx_set_str(disk, "path", data);
	sk_jx_set_str(disk, "serial", SK_MACHINE_SERIAL);
	sk_jx_set(vm, "disks", sk_jx_array());
	sk_jx_push(json_object_get(vm, "disks"), disk);
	/* for `docker run --platform`; nothing of it is read until then */
	disk = sk_plan_foreign_disk();
	if (disk)
		sk_jx_push(json_object_get(vm, "disks"), disk);

	sk_jx_set_str(socket, "name", SK_MACHINE_SOCKET);
	sk_jx_set_str(socket, "guest", GUEST_SOCKET);
	sk_jx_set(vm, "sockets", sk_jx_array());
	sk_jx_push(json_object_get(vm, "sockets"), socket);

	sk_jx_set_bool(services, "publish", true);
	sk_jx_set_int(services, "idle_stop", sk_jx_get_int(machine, "IdleStop", 0));
	if (agent && *agent == '/' && sk_jx_get_bool(machine, "SSHAgent", true))
		sk_jx_set_str(services, "ssh_auth", agent);
	sk_jx_set(vm, "services", services);

	for (i = 0; i < SK_ARRAY_SIZE(names); i++)
		sk_jx_push_str(list, names[i]);
	sk_jx_set(json_object_get(vm, "network"), "names", list);

	if (!json_is_array(mounts)) {
		mounts = sk_jx_array();
		sk_jx_set(vm, "mounts", mounts);
	}
	sk_jx_push(mounts, guest_mount("agent", "/sbin/skerry-machine"));
	sk_jx_push(mounts, guest_mount("agent", "/sbin/skerry-proxy"));
	sk_jx_push(mounts, guest_mount("crun", SK_MACHINE_CRUN));
	daemon = daemon_json(machine);
	sk_jx_set_str(file, "path", "/etc/docker/daemon.json");
	sk_jx_set_str(file, "data", daemon);
	sk_jx_set_str(file, "mode", "0644");
	sk_jx_push(json_object_get(vm, "files"), file);
	free(daemon);
}
