/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_CONFIG_H
#define SK_VM_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "vm/network.h"
#include "vm/sharer.h"
#include "vm/storage.h"

/*
 * vm.json: what a monitor needs to run one sandbox. Whoever creates the container (CLI, OCI runtime) writes it; the
 * monitor never changes it.
 *
 *   {
 *     "version": 1,
 *     "id": "<64 hex>", "hostname": "web",
 *     "engine": "auto" | "kvm" | "uml" | "tcg" | "fake",
 *     "cpus": 1,                     processors of the VM, 1..64
 *     "memory": 1073741824,          bytes of the VM
 *     "shares_wait": false,          what is mounted below shared directories until `network` is asked for is shared
 *     "network": null | {
 *         "mode": "slirp", "mtu": 1500, "host_loopback": true, "isolated": false, "mac": "02:…",
 *         "forwards": [ {"proto": "tcp"|"udp", "host_ip": "0.0.0.0"|"::", "host_port": 8080, "guest_port": 80} ],
 *         "names": [ "host.docker.internal" ]   the guest's name server knows them as the gateway; at most 16 },
 *       or { "mode": "netns", "wait": true }: the interfaces of the network namespace that the monitor was started in;
 *         "wait": they are looked at when `network` is asked for, not at once
 *     "rootfs": { "layers": [ {"path": "/…/layers/<hex>.squashfs", "size": N} … lowest first ],
 *                 "disk": "disk.img",      relative to the container's directory
 *                 "readonly": false },
 *       or { "type": "9p", "tag": "rootfs", "path": "/…", "readonly": false }: a directory of the host, served by
 *         skerry-9pd. So is an entry of "mounts" with a "path" ("subpath": only that part of it)
 *     "disks": [ {"path": "/…/data.img", "serial": "skerry-data"} ],   further disks, which the guest finds by their
 *                                    serial numbers; written to by one VM at a time. "readonly": true: only read, by
 *                                    any number
 *     "sockets": [ {"name": "docker.sock", "guest": "/run/docker.sock"} ],   in the runtime directory: the monitor
 *                                    listens there, and carries connections to a socket in the container
 *     "spec": { OCI runtime config.json },
 *     "user": "name:group",
 *     "files": [ {"path": "/etc/hosts", "data": "…", "mode": "0644"} ],
 *     "mounts": [ … as in docs/protocols.md … ],
 *     "terminal": false, "stdin_open": false, "stdin_once": false, "init": false,
 *     "stop_signal": 15, "stop_timeout": 10,
 *     "restart": { "policy": "no"|"always"|"on-failure"|"unless-stopped", "max": 0 },
 *     "auto_remove": false,
 *     "log": { "driver": "json-file"|"none", "max_size": 20971520, "max_file": 5 },
 *     "managed": false,              for the OCI runtime: the monitor is the container's process on the host. Its own
 *                                    stdio is the container's, its exit code too; creating and starting are two
 *                                    requests
 *     "memory_group": "/sys/fs/cgroup/…",   managed: the host's control group that holds the VM
 *     "bare_newlines": false,        managed: the terminal leaves "\n" as it is
 *     "services": { "publish": false,   programs in the container may publish ports of the host (services.h)
 *                   "idle_stop": 0,    seconds without a connection to "sockets" after which the container may end
 *                                    because nobody needs it; the next connection starts it again. 0: it may not
 *                   "ssh_auth": null,  path of the ssh-agent's socket that they are given
 *                   "later": [ {"path": "/mnt/disk", "target": "/mnt/disk", "readonly": false} ] },   directories
 *                                    that the host does not have yet, and the guest may ask for when it has
 *     "healthcheck": { "args": ["/bin/sh", "-c", "test -e /ok"], "interval_ms": 30000, "timeout_ms": 30000,
 *                      "start_period_ms": 0, "retries": 3 },
 *     "attributes": { "image": "debian:latest", "name": "web" }   copied into events
 *   }
 */
enum sk_restart_policy {
	SK_RESTART_NO,
	SK_RESTART_ALWAYS,
	SK_RESTART_ON_FAILURE,
	SK_RESTART_UNLESS_STOPPED,
};

/* Seconds. dockerd waits for up to a minute before it starts a container again. */
#define SK_VM_IDLE_STOP_MIN 10
#define SK_VM_IDLE_STOP_MAX (30 * 86400)

struct sk_vm_config {
	json_t *json; /* the whole file; strings below point into it */
	const char *id, *hostname, *engine;
	unsigned cpus;
	uint64_t memory;
	bool managed, shares_wait;
	struct sk_network_config network;
	struct sk_slirp_forward *forwards; /* network.forwards */
	const char **names;		   /* network.names */
	struct sk_sandbox_layer *layers;
	unsigned n_layers;
	const char *disk; /* NULL: none */
	bool rootfs_readonly;
	bool services, services_publish;
	unsigned idle_stop;	      /* seconds; 0: never */
	const char *ssh_auth;	      /* NULL: there is none */
	struct sk_later_share *later; /* services.later */
	unsigned n_later;
	const json_t *spec, *files, *mounts, *attributes; /* borrowed from `json`, NULL if absent */
	const char *user;
	bool terminal, stdin_open, stdin_once, init, auto_remove, log_none;
	int stop_signal, stop_timeout;
	enum sk_restart_policy restart;
	unsigned restart_max;
	uint64_t log_max_size;
	unsigned log_max_file;
};

/* Parses and checks. Takes a reference of its own to `json`. -EINVAL with the field named. */
int sk_vm_config_init(struct sk_vm_config *config, json_t *json, struct sk_error *err);
/* The part that may change while the container runs: vm.json's "restart". */
int sk_vm_config_restart(struct sk_vm_config *config, const json_t *restart, struct sk_error *err);
/* Accepts a zeroed config. */
void sk_vm_config_fini(struct sk_vm_config *config);

#endif
