/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor as the owner of a sandbox: what vm.json says of the VM becomes the sandbox's configuration, and what it
 * says of the container what the agent is asked to create.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
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
	for (i = 0; i < n; i++)
		add_share(json_array_get(m->config.mounts, i), shares, ret_n);
	return shares;
}

static int open_files(struct sk_monitor *m, struct sk_sandbox_config *c, struct sk_sandbox_disk *disk,
		      struct sk_error *err)
{
	if (m->config.disk) {
		disk->take_fd = openat(m->dirfd, m->config.disk, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (disk->take_fd < 0)
			return sk_error_errno(err, errno, "cannot open the container's disk %s", m->config.disk);
		/* Kept through restarts, so not where there may be one. */
		disk->scratch = m->config.auto_remove && m->config.restart == SK_RESTART_NO;
		c->disks = disk;
		c->n_disks = 1;
	}
	c->take_console_fd =
		openat(m->dirfd, "log/console.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->take_console_fd >= 0)
		return 0;
	sk_error_errno(err, errno, "cannot open the console log");
	sk_close_fd(&disk->take_fd);
	return -err->code;
}

static int new_sandbox(struct sk_monitor *m, const struct sk_settings *settings, const struct sk_sandbox_events *events,
		       struct sk_error *err)
{
	struct sk_sandbox_disk disk = { .take_fd = -1 };
	struct sk_sandbox_config c = {
		.name = m->id,
		.run_dir = m->run_dir,
		.engine = m->engine,
		.engine_settings = &settings->engines,
		.memory = m->config.memory,
		.cpus = m->config.cpus,
		.console_name = "log/console.log in the container's directory",
		.start_timeout_ms = settings->start_timeout_ms,
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
	int r;

	if (!shares)
		return sk_error_errno(err, ENOMEM, "cannot start the VM");
	c.shares = shares;
	if (settings->no_host_loopback)
		c.network.host_loopback = false;
	r = open_files(m, &c, &disk, err);
	return r < 0 ? r : sk_sandbox_new(m->loop, &c, events, m, &m->sandbox, err);
}

int sk_guest_boot(struct sk_monitor *m, const struct sk_sandbox_events *events, struct sk_error *err)
{
	struct sk_settings settings = { 0 };
	const char *name = m->config.engine;
	int r = sk_settings_init(&settings, err);

	/* The engine that the container was made for; "auto" is what the settings say now. */
	if (r == 0)
		r = sk_engine_find(strcmp(name, "auto") == 0 ? settings.engine : name, &settings.engines, &m->engine,
				   err);
	if (r == 0)
		r = new_sandbox(m, &settings, events, err);
	sk_settings_fini(&settings);
	return r;
}

/* ---- the container */

static void rootfs_spec(const struct sk_monitor *m, struct sk_rootfs_spec *ret)
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
	ret->device = "serial:" SK_BLK_ID_READONLY;
	ret->upper = m->config.disk ? "serial:" SK_BLK_ID_WRITABLE : NULL;
	for (i = 0; i < m->config.n_layers && i < SK_LAYERS_MAX; i++) {
		ret->layers[i].offset = offset;
		ret->layers[i].size = m->config.layers[i].size;
		offset += (m->config.layers[i].size + 4095) & ~4095ull;
	}
	ret->n_layers = i;
}

/* "mounts" for the agent: those that are shares are told by which device. NULL: none. */
static json_t *mounts_spec(const struct sk_monitor *m)
{
	json_t *mounts = m->config.mounts ? json_deep_copy(m->config.mounts) : NULL, *o;
	const char *device = sk_sandbox_shares_device(m->sandbox);
	size_t i;

	json_array_foreach(mounts, i, o)
	{
		if (json_object_get(o, "path") && device)
			json_object_set_new(o, "device", json_string(device));
	}
	return mounts;
}

int sk_guest_create(struct sk_monitor *m, uint16_t rows, uint16_t cols, sk_reply_cb cb, void *arg)
{
	struct sk_msg msg = { .op = SK_OP_CREATE, .container = SK_CONTAINER };
	struct sk_create *create = &msg.create;
	json_t *mounts = mounts_spec(m);
	int r;

	rootfs_spec(m, &create->rootfs);
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

	msg.create.mount_only = true;
	rootfs_spec(m, &msg.create.rootfs);
	return sk_sandbox_request(m->sandbox, &msg, NULL, NULL);
}
