/* SPDX-License-Identifier: Apache-2.0 */
/* vm.json of a new container: see vm/config.h. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "image/manifest.h"
#include "model/health.h"
#include "model/hosts.h"
#include "model/jx.h"
#include "model/plan.h"

static bool is_mounted(const struct sk_mounts *mounts, const char *path)
{
	size_t i;

	for (i = 0; i < mounts->n; i++)
		if (strcmp(mounts->v[i].target, path) == 0)
			return true;
	return false;
}

/* A file that the user mounts over /etc/hosts and the like wins. */
static void add_file(json_t *files, const struct sk_plan *p, const char *path, char *take_data)
{
	json_t *o;

	if (!is_mounted(&p->mounts, path)) {
		o = sk_jx_object();
		sk_jx_set_str(o, "path", path);
		sk_jx_set_str(o, "data", take_data);
		sk_jx_set_str(o, "mode", "0644");
		sk_jx_push(files, o);
	}
	free(take_data);
}

static json_t *files(const struct sk_plan *p)
{
	const struct sk_run_opts *o = p->opts;
	json_t *list = sk_jx_array();

	add_file(list, p, "/etc/hosts", sk_hosts_file(p->hostname, p->domainname, &o->add_host, p->network));
	add_file(list, p, "/etc/resolv.conf", sk_resolv_conf(&p->dns, &p->dns_search, &p->dns_option));
	add_file(list, p, "/etc/hostname", sk_hostname_file(p->hostname));
	return list;
}

static json_t *network(const struct sk_plan *p)
{
	json_t *o;

	if (!p->network->backend)
		return json_null();
	o = sk_jx_object();
	sk_jx_set_str(o, "mode", p->network->backend);
	if (p->opts->mac)
		sk_jx_set_str(o, "mac", p->opts->mac);
	sk_jx_set(o, "forwards", sk_ports_to_forwards(&p->given));
	return o;
}

static json_t *rootfs(const struct sk_plan *p)
{
	json_t *o = sk_jx_object(), *layers = sk_jx_array();
	size_t i;

	for (i = 0; i < p->image->n_layers; i++) {
		json_t *layer = sk_jx_object();

		sk_jx_set_str(layer, "path", p->image->layers[i]);
		sk_jx_set_int(layer, "size", (int64_t)p->image->layer_sizes[i]);
		sk_jx_push(layers, layer);
	}
	sk_jx_set(o, "layers", layers);
	sk_jx_set_str(o, "disk", "disk.img");
	sk_jx_set_bool(o, "readonly", p->opts->read_only);
	return o;
}

/* The architecture of "linux/amd64/v3". */
static bool is_hosts_architecture(const char *arch)
{
	const char *host = strchr(sk_platform_host(), '/') + 1;
	size_t n = strcspn(host, "/");

	return strlen(arch) == n && memcmp(arch, host, n) == 0;
}

json_t *sk_plan_foreign_disk(void)
{
	struct sk_error ignored = SK_ERROR_INIT;
	char path[4096];
	json_t *o;

	if (sk_guest_part(SK_PLAN_QEMU_USER, path, sizeof(path), &ignored) < 0)
		return NULL;
	o = sk_jx_object();
	sk_jx_set_str(o, "path", path);
	sk_jx_set_str(o, "serial", SK_PLAN_QEMU_SERIAL);
	sk_jx_set_bool(o, "readonly", true);
	return o;
}

/* What an image for another processor needs. Without emulators its programs end with "exec format error". */
static json_t *disks(const struct sk_plan *p)
{
	const char *arch = sk_jx_get_str(p->image->config, "architecture", "");
	json_t *disk = *arch && !is_hosts_architecture(arch) ? sk_plan_foreign_disk() : NULL, *list;

	if (!disk)
		return NULL;
	list = sk_jx_array();
	sk_jx_push(list, disk);
	return list;
}

static json_t *log_settings(const struct sk_plan *p)
{
	json_t *o = sk_jx_object();

	sk_jx_set_str(o, "driver", p->log_none ? "none" : "json-file");
	if (p->log_max_size)
		sk_jx_set_int(o, "max_size", (int64_t)p->log_max_size);
	if (p->log_max_file)
		sk_jx_set_int(o, "max_file", p->log_max_file);
	return o;
}

json_t *sk_plan_vm_restart(const json_t *config)
{
	json_t *o = sk_jx_object();

	sk_jx_set_str(o, "policy", sk_jx_get_str(config, "HostConfig.RestartPolicy.Name", "no"));
	sk_jx_set_int(o, "max", sk_jx_get_int(config, "HostConfig.RestartPolicy.MaximumRetryCount", 0));
	return o;
}

json_t *sk_plan_vm(const struct sk_plan *p, const json_t *config)
{
	bool auto_remove = sk_jx_get_bool(config, "HostConfig.AutoRemove", false);
	json_t *o = sk_jx_object(), *labels = sk_jx_at(config, "Config.Labels"), *further;
	json_t *health = sk_health_to_vm(p->health, sk_jx_at(p->image->config, "config.Shell"));
	json_t *attributes = json_is_object(labels) ? sk_jx(json_copy(labels)) : sk_jx_object();

	sk_jx_set_int(o, "version", 1);
	sk_jx_set_str(o, "id", p->id);
	sk_jx_set_str(o, "hostname", p->hostname);
	sk_jx_set_str(o, "engine", p->opts->engine ? p->opts->engine : "auto");
	sk_jx_set_int(o, "cpus", p->cpus);
	sk_jx_set_int(o, "memory", (int64_t)p->vm_memory);
	sk_jx_set(o, "network", network(p));
	sk_jx_set(o, "rootfs", rootfs(p));
	further = disks(p);
	if (further)
		sk_jx_set(o, "disks", further);
	sk_jx_set(o, "spec", sk_plan_spec(p));
	sk_jx_set_str(o, "user", *p->user ? p->user : "0"); /* with root's groups in the image, as docker */
	if (p->opts->group_add.n)
		sk_jx_set(o, "groups", sk_jx_strv(&p->opts->group_add));
	sk_jx_set(o, "files", files(p));
	sk_jx_set(o, "mounts", sk_mounts_to_vm(&p->mounts));
	sk_jx_set_bool(o, "terminal", p->opts->tty);
	sk_jx_set_bool(o, "stdin_open", p->opts->interactive);
	sk_jx_set_bool(o, "stdin_once", p->opts->interactive && p->stdin_attached);
	sk_jx_set_bool(o, "init", p->opts->init);
	sk_jx_set_int(o, "stop_signal", p->stop_signal);
	sk_jx_set_int(o, "stop_timeout", p->stop_timeout);
	sk_jx_set(o, "restart", sk_plan_vm_restart(config));
	sk_jx_set_bool(o, "auto_remove", auto_remove);
	if (auto_remove)
		sk_jx_set(o, "volumes", sk_mounts_anonymous(&p->mounts));
	sk_jx_set(o, "log", log_settings(p));
	if (health)
		sk_jx_set(o, "healthcheck", health);
	sk_jx_set_str(attributes, "image", p->image_ref);
	sk_jx_set_str(attributes, "name", p->name);
	sk_jx_set(o, "attributes", attributes);
	return o;
}
