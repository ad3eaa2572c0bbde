/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_MACHINE_H
#define SK_MODEL_MACHINE_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "model/container.h"
#include "vm/state.h"

/*
 * A machine is a VM with a container engine inside. On disk it is a container of the store that other commands do not
 * list: its config.json has an object "Machine", from which vm.json is made anew at each start:
 *
 *   "Name", "Image" (reference), "Engine" (of the VM), "CPUs", "Memory" and "DiskSize" (bytes),
 *   "Mounts": ["/host/path[:/path][:ro]"], "Home": whether the user's home directory is shared,
 *   "IdleStop": seconds without containers and clients after which it stops until it is needed again; 0: never,
 *   "HostCertificates", "SSHAgent": bool, "DaemonConfig": text of /etc/docker/daemon.json, "LastUp": RFC 3339 or ""
 *
 * What the engine keeps is on a disk of its own, <root>/machines/NAME/data.img, which outlives the container:
 * `machine rm --keep-data`, another engine image. Its sockets are in <run>/NAME, a link to the container's runtime
 * directory.
 */
#define SK_MACHINE_NAME_MAX 40
#define SK_MACHINE_DEFAULT "default"
#define SK_MACHINE_IMAGE "skerry/engine:latest" /* the one that Skerry brings */
#define SK_MACHINE_SERIAL "skerry-data"
#define SK_MACHINE_CRUN "/sbin/skerry-crun"
#define SK_MACHINE_SOCKET "docker.sock"

#define SK_MACHINE_CPUS 1u
#define SK_MACHINE_MEMORY (2048ull << 20)
#define SK_MACHINE_MIN_MEMORY (256ull << 20)
#define SK_MACHINE_DISK (100ull << 30) /* sparse */
#define SK_MACHINE_MIN_DISK (1ull << 30)

/* NULL: `c` is no machine. Borrowed. */
const json_t *sk_machine_of(const struct sk_container *c);
/* "running"; "suspended": stopped until a client connects to its socket; or "stopped". */
const char *sk_machine_state(const struct sk_container *c);
/* A letter or digit, then those, '_', '.' and '-', SK_MACHINE_NAME_MAX at most: -EINVAL. */
int sk_machine_check_name(const char *name, struct sk_error *err);
/* -ENOENT: "No such machine: NAME". */
int sk_machine_find(const struct sk_paths *paths, const char *name, struct sk_container *ret, struct sk_error *err);
/* All machines, in the order of their names. */
int sk_machines_load(const struct sk_paths *paths, struct sk_containers *ret, struct sk_error *err);
/* The one that commands without a name mean; malloc'd. */
char *sk_machine_default(const struct sk_paths *paths);
int sk_machine_set_default(const struct sk_paths *paths, const char *name, struct sk_error *err);

/* The time zone as POSIX writes it, which needs no database in the machine, for what the variable TZ says (`tz`, or NULL):
 * a zone's name, or such a text. `zoneinfo`: the database's directory; `localtime`: the zone where TZ says none. malloc'd;
 * NULL: it is not to be found. */
char *sk_machine_time_zone(const char *tz, const char *zoneinfo, const char *localtime);

/* malloc'd. */
char *sk_machine_data(const struct sk_paths *paths, const char *name);
char *sk_machine_socket(const struct sk_paths *paths, const char *name);
/* Makes the data disk, or lets an existing one grow to `size` bytes. It never shrinks: -EINVAL. */
int sk_machine_make_data(const struct sk_paths *paths, const char *name, uint64_t size, struct sk_error *err);
/* Who starts the machine holds this while it does: a descriptor, to be closed. -EWOULDBLOCK: somebody else does. */
int sk_machine_lock(const struct sk_paths *paths, const char *name, struct sk_error *err);
/* -ENAMETOOLONG when no client could connect to the machine's socket. */
int sk_machine_check_socket(const struct sk_paths *paths, const char *name, struct sk_error *err);
/* Makes <run>/NAME lead to the runtime directory of container `id`. */
int sk_machine_link(const struct sk_paths *paths, const char *name, const char *id, struct sk_error *err);
void sk_machine_unlink(const struct sk_paths *paths, const char *name);
/* What vm.json of a machine has that another container's has not. `machine`: the object of config.json. */
void sk_machine_complete_vm(const struct sk_paths *paths, const json_t *machine, json_t *vm);

#endif
