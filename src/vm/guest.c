/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor as the owner of a sandbox: makes the sandbox's configuration, and the request to create the container,
 * from vm.json.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vm/forward.h"
#include "vm/monitor.h"

/* ---- its configuration */

static void add_share(const json_t *o, struct sk_sandbox_share *shares, unsigned *n)
{
	bool mount_only = json_is_true(json_object_get(o, "mount_only"));
	const char *path = json_string_value(json_object_get(o, "path"));

	if (path)
		shares[(*n)++] = (struct sk_sandbox_share){
			.tag = json_string_value(json_object_get(o, "tag")),
			.path = path,
			.subpath = json_string_value(json_object_get(o, "subpath")),
			.file = json_string_value(json_object_get(o, "file")),
			.readonly = json_is_true(json_object_get(o, "readonly")),
			.nodev = !mount_only && json_is_true(json_object_get(o, "nodev")),
			.nosuid = !mount_only && json_is_true(json_object_get(o, "nosuid")),
			.slave = json_is_true(json_object_get(o, "slave")),
			.nonrecursive = json_is_true(json_object_get(o, "nonrecursive")),
			.copy_up = json_is_true(json_object_get(o, "copy_up")),
		};
}

/* The directories of the host: the root file system if it is one, and "mounts" that have a "path". */
static struct sk_sandbox_share *list_shares(const struct sk_monitor *m, unsigned *ret_n)
{
	size_t n = json_array_size(m->config.mounts), i;
	struct sk_sandbox_share *shares = calloc(n + 1, sizeof(*shares));

	*ret_n = 0;
	if (!shares)
		return NULL;
	add_share(json_object_get(m->config.json, "rootfs"), shares, ret_n);
	/* Of a root file system this guest is the only user, but for what is copied into it. */
	if (*ret_n)
		shares[0].long_leases = true;
	for (i = 0; i < n; i++)
		add_share(json_array_get(m->config.mounts, i), shares, ret_n);
	return shares;
}

/* A disk of "disks". Two VMs that write to one would destroy it: it is locked as long as this VM has it. */
static int open_further(const json_t *o, struct sk_sandbox_disk *disk, struct sk_error *err)
{
	const char *path = json_string_value(json_object_get(o, "path"));
	bool readonly = json_is_true(json_object_get(o, "readonly"));

	*disk = (struct sk_sandbox_disk){ .take_fd = -1,
					  .path = path,
					  .readonly = readonly,
					  .serial = json_string_value(json_object_get(o, "serial")) };
	if (!path || !disk->serial || !*disk->serial || strlen(disk->serial) > SK_BLK_ID_MAX)
		return sk_error_set(err, EINVAL, "vm.json: a disk without path or serial");
	disk->take_fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW);
	if (disk->take_fd < 0)
		return sk_error_errno(err, errno, "cannot open disk %s", path);
	if (!readonly && sk_fs_lock(disk->take_fd, true, false) < 0)
		return sk_error_set(err, EBUSY, "disk %s is in use by another VM", path);
	return 0;
}

static int open_disks(struct sk_monitor *m, const char *disk_path, struct sk_sandbox_disk disks[SK_SANDBOX_DISKS],
		      unsigned *n, struct sk_error *err)
{
	const json_t *further = json_object_get(m->config.json, "disks"), *o;
	size_t i;
	int r = 0;

	if (m->config.disk) {
		/* A restart needs the disk again: then its contents matter, and it is no scratch disk. */
		disks[0] = (struct sk_sandbox_disk){
			.take_fd = openat(m->dirfd, m->config.disk, O_RDWR | O_CLOEXEC | O_NOFOLLOW),
			.path = disk_path,
			.scratch = m->config.auto_remove && m->config.restart == SK_RESTART_NO
		};
		if (disks[0].take_fd < 0)
			return sk_error_errno(err, errno, "cannot open the container's disk %s", m->config.disk);
		*n = 1;
	}
	json_array_foreach(further, i, o)
	{
		if (r == 0 && *n == SK_SANDBOX_DISKS)
			r = sk_error_set(err, E2BIG, "a VM has at most %u disks", SK_SANDBOX_DISKS);
		if (r == 0)
			r = open_further(o, &disks[(*n)++], err);
	}
	return r;
}

static int open_files(struct sk_monitor *m, struct sk_sandbox_config *c, const char *disk_path,
		      struct sk_sandbox_disk *disks, struct sk_error *err)
{
	unsigned n = 0;
	int r = open_disks(m, disk_path, disks, &n, err);

	c->disks = disks;
	c->n_disks = n;
	if (r < 0)
		goto fail;
	c->take_console_fd =
		openat(m->dirfd, "log/console.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->take_console_fd >= 0)
		return 0;
	r = sk_error_errno(err, errno, "cannot open the console log");
fail:
	while (n)
		sk_close_fd(&disks[--n].take_fd);
	return r;
}

static int new_sandbox(struct sk_monitor *m, const struct sk_settings *settings, const struct sk_sandbox_events *events,
		       struct sk_error *err)
{
	struct sk_sandbox_disk disks[SK_SANDBOX_DISKS];
	struct sk_sandbox_config c = {
		.name = m->id,
		.run_dir = m->run_dir,
		.engine = m->engine,
		.engine_settings = &settings->engines,
		.memory = m->config.memory,
		.cpus = m->config.cpus,
		.console_name = "log/console.log in the container's directory",
		.start_timeout_ms = settings->start_timeout_ms,
		.start_timeout_hint = "\"start_timeout\" of the configuration file says how long it may take",
		.log_fd = m->log_fd,
		.layers = m->config.layers,
		.n_layers = m->config.n_layers,
		.shares_wait = m->config.shares_wait,
		.network = m->config.network,
		.hostname = m->config.hostname,
		.sysctl = json_object_get(json_object_get(m->config.spec, "linux"), "sysctl"),
		.idle_reclaim = settings->idle_reclaim,
	};
	_cleanup_free_ struct sk_sandbox_share *shares = list_shares(m, &c.n_shares);
	_cleanup_free_ char *disk_path =
		m->config.disk ? sk_asprintf("%s/containers/%s/%s", m->paths.root, m->id, m->config.disk) : NULL;
	int r;

	if (!shares || (m->config.disk && !disk_path))
		return sk_error_errno(err, ENOMEM, "cannot start the VM");
	c.shares = shares;
	if (settings->no_host_loopback)
		c.network.host_loopback = false;
	r = open_files(m, &c, disk_path, disks, err);
	return r < 0 ? r : sk_sandbox_new(m->loop, &c, events, m, &m->sandbox, err);
}

/* Before the sandbox, which gives up what they need. */
static int new_services(struct sk_monitor *m, sk_services_idle_cb idle, struct sk_error *err)
{
	int r = sk_forwards_new(m, &m->forwards, err);

	if (r < 0 || !m->config.services)
		return r;
	r = sk_services_new(m->loop, m->config.services_publish, m->config.ssh_auth, &m->services, err);
	if (r == 0)
		r = sk_services_set_later(m->services, m->config.later, m->config.n_later, err);
	if (r == 0 && m->config.idle_stop && m->forwards)
		sk_services_set_idle(m->services, idle, m);
	return r;
}

int sk_guest_boot(struct sk_monitor *m, const struct sk_sandbox_events *events, sk_services_idle_cb idle,
		  struct sk_error *err)
{
	struct sk_settings settings = { 0 };
	const char *name = m->config.engine;
	int r = sk_settings_init(&settings, err);

	/* The engine that the container was made for; "auto" is what the settings say now. */
	if (r == 0)
		r = sk_engine_find(strcmp(name, "auto") == 0 ? settings.engine : name, &settings.engines, &m->engine,
				   err);
	if (r == 0)
		r = new_services(m, idle, err);
	if (r == 0)
		r = new_sandbox(m, &settings, events, err);
	if (r == 0 && m->services)
		r = sk_services_serve(m->services, m->sandbox, err);
	if (r < 0)
		sk_guest_down(m);
	sk_settings_fini(&settings);
	return r;
}

void sk_guest_down(struct sk_monitor *m)
{
	if (!sk_forwards_held(m->forwards))
		sk_forwards_free(SK_TAKE_PTR(m->forwards));
	sk_services_free(SK_TAKE_PTR(m->services));
	sk_sandbox_free(SK_TAKE_PTR(m->sandbox));
}

/* ---- the container */

/* `addresses` outlives *ret. */
static void rootfs_spec(const struct sk_monitor *m, struct sk_disk_addresses *addresses, struct sk_rootfs_spec *ret)
{
	const json_t *rootfs = json_object_get(m->config.json, "rootfs");
	uint64_t offset = 0;
	unsigned i;

	*ret = (struct sk_rootfs_spec){ .readonly = m->config.rootfs_readonly };
	ret->tag = json_string_value(json_object_get(rootfs, "tag"));
	if (ret->tag) {
		ret->type = SK_ROOTFS_9P;
		ret->options = json_string_value(json_object_get(rootfs, "options"));
		ret->device = sk_sandbox_shares_device(m->sandbox);
		return;
	}
	ret->type = SK_ROOTFS_LAYERS;
	sk_sandbox_find_disks(m->sandbox, m->config.n_layers, addresses);
	ret->device = addresses->layers;
	ret->upper = m->config.disk ? addresses->disk : NULL;
	for (i = 0; i < m->config.n_layers && i < SK_LAYERS_MAX; i++) {
		ret->layers[i].offset = addresses->apart ? 0 : offset;
		ret->layers[i].size = m->config.layers[i].size;
		offset += (m->config.layers[i].size + 4095) & ~4095ull;
	}
	ret->n_layers = i;
}

/* "mounts" for the agent: those that are shares are told by which device, or over which stream. NULL: none. */
static json_t *mounts_spec(const struct sk_monitor *m)
{
	json_t *mounts = m->config.mounts ? json_deep_copy(m->config.mounts) : NULL, *o;
	const char *device = sk_sandbox_shares_device(m->sandbox);
	const struct sk_token *token = sk_sandbox_shares_token(m->sandbox);
	char hex[SK_TOKEN_HEX + 1];
	size_t i;

	if (token)
		sk_token_hex(token, hex);
	json_array_foreach(mounts, i, o)
	{
		if (json_object_get(o, "path") && device) {
			json_object_set_new(o, "device", json_string(device));
		} else if (json_object_get(o, "path") && token) {
			json_object_set_new(o, "token", json_string(hex));
			json_object_set(o, "aname", json_object_get(o, "tag"));
		}
	}
	return mounts;
}

int sk_guest_create(struct sk_monitor *m, uint16_t rows, uint16_t cols, sk_reply_cb cb, void *arg)
{
	struct sk_msg msg = { .op = SK_OP_CREATE, .container = SK_CONTAINER };
	struct sk_create *create = &msg.create;
	struct sk_disk_addresses addresses;
	json_t *mounts = sk_services_add_mount(m->services, mounts_spec(m));
	int r;

	rootfs_spec(m, &addresses, &create->rootfs);
	create->name = json_string_value(json_object_get(m->config.json, "name"));
	create->groups = json_object_get(m->config.json, "groups");
	create->spec = (json_t *)(uintptr_t)m->config.spec;
	create->user = m->config.user;
	create->files = (json_t *)(uintptr_t)m->config.files;
	create->mounts = mounts;
	create->stdio = sk_proc_stdio(m->init, rows, cols);
	create->init = m->config.init;
	create->start = !m->life.policy->create_apart;
	r = sk_sandbox_request(m->sandbox, &msg, cb, arg);
	json_decref(mounts);
	return r;
}

int sk_guest_mount(struct sk_monitor *m)
{
	struct sk_msg msg = { .op = SK_OP_CREATE, .container = SK_CONTAINER };
	struct sk_disk_addresses addresses;

	msg.create.mount_only = true;
	rootfs_spec(m, &addresses, &msg.create.rootfs);
	return sk_sandbox_request(m->sandbox, &msg, NULL, NULL);
}
