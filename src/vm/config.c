/* SPDX-License-Identifier: Apache-2.0 */
/* Parses vm.json (config.h). Every field is checked: the file may be damaged. */
#include "vm/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"

#define SK_VM_MAX_CPUS 64
#define SK_VM_MIN_MEMORY (64ull << 20)
#define SK_VM_MAX_LAYERS 128
#define SK_VM_MAX_FORWARDS 4096
#define SK_VM_MAX_NAMES 16u
#define SK_VM_NAME_BYTES 253u

static int bad(struct sk_error *err, const char *field)
{
	return sk_error_set(err, EINVAL, "vm.json: \"%s\" is missing or wrong", field);
}

static const char *get_string(const json_t *o, const char *key, const char *absent)
{
	const json_t *v = json_object_get(o, key);

	return json_is_string(v) ? json_string_value(v) : absent;
}

static int64_t get_int(const json_t *o, const char *key, int64_t absent)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : absent;
}

static bool get_bool(const json_t *o, const char *key, bool absent)
{
	const json_t *v = json_object_get(o, key);

	return json_is_boolean(v) ? json_is_true(v) : absent;
}

static int parse_mac(const char *text, uint8_t mac[6])
{
	unsigned b[6];
	char rest;
	int i;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &rest) != 6)
		return -EINVAL;
	for (i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return mac[0] & 1 ? -EINVAL : 0;
}

static int parse_forward(const json_t *o, struct sk_slirp_forward *f)
{
	const char *proto = get_string(o, "proto", "tcp"), *ip = get_string(o, "host_ip", "0.0.0.0");
	int64_t host = get_int(o, "host_port", 0), guest = get_int(o, "guest_port", 0);

	if (host < 1 || host > 65535 || guest < 1 || guest > 65535)
		return -EINVAL;
	if (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0)
		return -EINVAL;
	f->udp = strcmp(proto, "udp") == 0;
	f->host_port = (uint16_t)host;
	f->guest_port = (uint16_t)guest;
	f->v6 = strchr(ip, ':') != NULL;
	return inet_pton(f->v6 ? AF_INET6 : AF_INET, ip, f->host_addr) == 1 ? 0 : -EINVAL;
}

/* The word of "mode" for each back end. */
static const char *const network_modes[SK_NETWORK_MODES] = {
	[SK_NETWORK_SLIRP] = "slirp",
	[SK_NETWORK_NETNS] = "netns",
};

static int parse_forwards(struct sk_vm_config *c, const json_t *forwards, struct sk_error *err)
{
	size_t i, n = json_array_size(forwards);

	if (n > SK_VM_MAX_FORWARDS)
		return bad(err, "network.forwards");
	if (n == 0)
		return 0;
	c->forwards = calloc(n, sizeof(*c->forwards));
	if (!c->forwards)
		return sk_error_errno(err, ENOMEM, "cannot read vm.json");
	c->network.forwards = c->forwards;
	for (i = 0; i < n; i++)
		if (parse_forward(json_array_get(forwards, i), &c->forwards[c->network.n_forwards++]) < 0)
			return bad(err, "network.forwards");
	return 0;
}

static bool is_host_name(const char *name)
{
	size_t n = name ? strlen(name) : 0;

	return n > 0 && n <= SK_VM_NAME_BYTES && name[0] != '.' && name[n - 1] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == n;
}

static int parse_names(struct sk_vm_config *c, const json_t *names, struct sk_error *err)
{
	size_t i, n = json_array_size(names);

	if (!names || json_is_null(names))
		return 0;
	if (!json_is_array(names) || n > SK_VM_MAX_NAMES)
		return bad(err, "network.names");
	c->names = calloc(n + 1, sizeof(*c->names));
	if (!c->names)
		return sk_error_errno(err, ENOMEM, "cannot read vm.json");
	c->network.names = c->names;
	for (i = 0; i < n; i++) {
		c->names[i] = json_string_value(json_array_get(names, i));
		if (!is_host_name(c->names[i]))
			return bad(err, "network.names");
		c->network.n_names++;
	}
	return 0;
}

static int parse_later(struct sk_vm_config *c, const json_t *later, struct sk_error *err)
{
	size_t i, n = json_array_size(later);

	if (!later || json_is_null(later))
		return 0;
	if (!json_is_array(later) || n > SK_VM_LATER_MAX)
		return bad(err, "services.later");
	c->later = calloc(n + 1, sizeof(*c->later));
	if (!c->later)
		return sk_error_errno(err, ENOMEM, "cannot read vm.json");
	for (i = 0; i < n; i++) {
		const json_t *o = json_array_get(later, i);
		struct sk_later_share *s = &c->later[i];

		s->path = get_string(o, "path", "");
		s->target = get_string(o, "target", "");
		s->readonly = json_is_true(json_object_get(o, "readonly"));
		if (s->path[0] != '/' || s->target[0] != '/')
			return bad(err, "services.later");
		c->n_later++;
	}
	return 0;
}

static int parse_services(struct sk_vm_config *c, const json_t *services, struct sk_error *err)
{
	const json_t *publish = json_object_get(services, "publish"), *ssh = json_object_get(services, "ssh_auth"),
		     *idle = json_object_get(services, "idle_stop");

	if (!services || json_is_null(services))
		return 0;
	if (!json_is_object(services) || (publish && !json_is_boolean(publish)))
		return bad(err, "services.publish");
	c->services = true;
	c->services_publish = json_is_true(publish);
	if (idle &&
	    (!json_is_integer(idle) || json_integer_value(idle) < 0 || json_integer_value(idle) > SK_VM_IDLE_STOP_MAX))
		return bad(err, "services.idle_stop");
	c->idle_stop = (unsigned)json_integer_value(idle);
	c->ssh_auth = json_string_value(ssh);
	if (ssh && !json_is_null(ssh) && (!c->ssh_auth || c->ssh_auth[0] != '/'))
		return bad(err, "services.ssh_auth");
	return parse_later(c, json_object_get(services, "later"), err);
}

static int parse_network(struct sk_vm_config *c, const json_t *net, struct sk_error *err)
{
	const char *mac = get_string(net, "mac", NULL), *mode = get_string(net, "mode", "slirp");
	int64_t mtu = get_int(net, "mtu", SK_SLIRP_MTU);
	struct sk_network_config *n = &c->network;
	unsigned i;
	int r;

	if (!json_is_object(net))
		return 0;
	for (i = 0; i < SK_NETWORK_MODES && !(network_modes[i] && strcmp(network_modes[i], mode) == 0); i++)
		;
	if (i == SK_NETWORK_MODES || mtu < 576 || mtu > 65521)
		return bad(err, "network");
	n->mode = (enum sk_network_mode)i;
	n->wait = get_bool(net, "wait", false);
	n->mtu = (uint16_t)mtu;
	n->host_loopback = get_bool(net, "host_loopback", true);
	n->isolated = get_bool(net, "isolated", false);
	if (mac) {
		if (parse_mac(mac, n->mac) < 0)
			return bad(err, "network.mac");
	} else {
		sk_random(n->mac, sizeof(n->mac));
		n->mac[0] = (uint8_t)((n->mac[0] & 0xfc) | 2); /* locally administered, one host */
	}
	r = parse_names(c, json_object_get(net, "names"), err);
	return r < 0 ? r : parse_forwards(c, json_object_get(net, "forwards"), err);
}

static int parse_rootfs(struct sk_vm_config *c, const json_t *rootfs, struct sk_error *err)
{
	const json_t *layers = json_object_get(rootfs, "layers");
	size_t i, n = json_array_size(layers);

	if (n > SK_VM_MAX_LAYERS)
		return bad(err, "rootfs.layers");
	c->layers = calloc(n + 1, sizeof(*c->layers));
	if (!c->layers)
		return sk_error_errno(err, ENOMEM, "cannot read vm.json");
	for (i = 0; i < n; i++) {
		const json_t *o = json_array_get(layers, i);
		int64_t size = get_int(o, "size", 0);

		c->layers[i].path = get_string(o, "path", NULL);
		c->layers[i].size = (uint64_t)size;
		if (!c->layers[i].path || size <= 0)
			return bad(err, "rootfs.layers");
	}
	c->n_layers = (unsigned)n;
	c->disk = get_string(rootfs, "disk", NULL);
	if (c->disk && (strchr(c->disk, '/') || c->disk[0] == '.'))
		return bad(err, "rootfs.disk");
	c->rootfs_readonly = get_bool(rootfs, "readonly", false);
	return 0;
}

int sk_vm_config_restart(struct sk_vm_config *c, const json_t *restart, struct sk_error *err)
{
	static const char *const names[] = { "no", "always", "on-failure", "unless-stopped" };
	const char *policy = get_string(restart, "policy", "no");
	int64_t max = get_int(restart, "max", 0);
	unsigned i;

	for (i = 0; i < 4; i++) {
		if (strcmp(policy, names[i]) == 0 && max >= 0 && max <= INT32_MAX) {
			c->restart = (enum sk_restart_policy)i;
			c->restart_max = (unsigned)max;
			return 0;
		}
	}
	return bad(err, "restart");
}

static int parse_size(struct sk_vm_config *c, const json_t *json, struct sk_error *err)
{
	int64_t cpus = get_int(json, "cpus", 1), memory = get_int(json, "memory", 0);
	const json_t *log = json_object_get(json, "log");

	if (cpus < 1 || cpus > SK_VM_MAX_CPUS)
		return bad(err, "cpus");
	if (memory < (int64_t)SK_VM_MIN_MEMORY || memory > ((int64_t)1 << 46))
		return bad(err, "memory");
	c->cpus = (unsigned)cpus;
	c->memory = (uint64_t)memory & ~0xfffffull;
	c->log_none = strcmp(get_string(log, "driver", "json-file"), "none") == 0;
	c->log_max_size = (uint64_t)get_int(log, "max_size", 0);
	c->log_max_file = (unsigned)get_int(log, "max_file", 1);
	if ((c->log_max_size && c->log_max_size < 4096) || c->log_max_file < 1 || c->log_max_file > 1000)
		return bad(err, "log");
	return 0;
}

int sk_vm_config_init(struct sk_vm_config *c, json_t *json, struct sk_error *err)
{
	int r;

	*c = (struct sk_vm_config){ .json = json_incref(json) };
	c->id = get_string(json, "id", NULL);
	c->hostname = get_string(json, "hostname", "skerry");
	c->engine = get_string(json, "engine", "auto");
	c->spec = json_object_get(json, "spec");
	c->files = json_object_get(json, "files");
	c->mounts = json_object_get(json, "mounts");
	c->attributes = json_object_get(json, "attributes");
	c->user = get_string(json, "user", "");
	c->terminal = get_bool(json, "terminal", false);
	c->stdin_open = get_bool(json, "stdin_open", false);
	c->stdin_once = get_bool(json, "stdin_once", false);
	c->init = get_bool(json, "init", false);
	c->auto_remove = get_bool(json, "auto_remove", false);
	c->managed = get_bool(json, "managed", false);
	c->shares_wait = get_bool(json, "shares_wait", false);
	c->stop_signal = (int)get_int(json, "stop_signal", 15);
	c->stop_timeout = (int)get_int(json, "stop_timeout", 10);
	r = get_int(json, "version", 0) == 1 ? 0 : bad(err, "version");
	if (r == 0 && (!c->id || strlen(c->id) != SK_ID_LEN || strspn(c->id, "0123456789abcdef") != SK_ID_LEN))
		r = bad(err, "id");
	if (r == 0 && (c->stop_signal < 1 || c->stop_signal > 64))
		r = bad(err, "stop_signal");
	if (r == 0 && !json_is_object(c->spec))
		r = bad(err, "spec");
	if (r == 0)
		r = parse_size(c, json, err);
	if (r == 0)
		r = parse_network(c, json_object_get(json, "network"), err);
	if (r == 0)
		r = parse_services(c, json_object_get(json, "services"), err);
	if (r == 0)
		r = parse_rootfs(c, json_object_get(json, "rootfs"), err);
	if (r == 0)
		r = sk_vm_config_restart(c, json_object_get(json, "restart"), err);
	if (r < 0)
		sk_vm_config_fini(c);
	return r;
}

void sk_vm_config_fini(struct sk_vm_config *c)
{
	free(c->forwards);
	free(c->layers);
	free(c->names);
	free(c->later);
	json_decref(c->json);
	*c = (struct sk_vm_config){ 0 };
}
