/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_STATE_H
#define SK_VM_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* Where things are. As root /var/lib/skerry and /run/skerry; else $XDG_DATA_HOME/skerry (~/.local/share/skerry) and
 * sk_paths_runtime("skerry"). $SKERRY_ROOT or --root sets the first, and then <root>/run the second. Both are
 * canonical, and ours alone (base/private.h). */
struct sk_paths {
	char *root; /* containers/, images/, volumes/, events.jsonl */
	char *run;  /* <id>/monitor.sock and device sockets; gone after a reboot */
};
/* `root` may be NULL (environment, defaults). Makes the directories (0700). */
int sk_paths_init(struct sk_paths *paths, const char *root, struct sk_error *err);
/* Whether both are still ours alone: for a program that was told them. */
int sk_paths_check(const struct sk_paths *paths, struct sk_error *err);
/* A plain user's place for `name` that is gone after a reboot, if there is one: $XDG_RUNTIME_DIR/name,
 * /run/user/<uid>/name, or else in $XDG_DATA_HOME (~/.local/share) name/run. malloc'd; not made, not checked. */
char *sk_paths_runtime(const char *name);
void sk_paths_fini(struct sk_paths *paths);
/* The default of `run` whatever the root: for what is known of this machine. malloc'd; NULL: there is no such
 * directory.
 */
char *sk_paths_host_run(void);

/* In a container's directory. A directory of its own: it is all that a confined monitor may write there, but for the
 * log. */
#define SK_STATE_DIR "state"
#define SK_STATE_FILE SK_STATE_DIR "/state.json"

/* In a container's directory, where a lock belongs to a process and cannot be handed on to the next life's monitor
 * (Windows): that one locks this file first, then waits for "lock", and unlocks it. So one of the two is always locked. */
#define SK_NEXT_LOCK_FILE "lock.next"

/*
 * state.json:
 *   {
 *     "status": "created"|"starting"|"running"|"paused"|"restarting"|"suspended"|"exited"|"dead",
 *     "pid": monitor, "engine_pid",
 *     "started_at", "finished_at"   RFC 3339, nanoseconds, UTC; "": never
 *     "exit_code", "oom_killed", "error", "restart_count",
 *     "engine": "uml", "kernel": "7.3.4", "ip": "10.0.2.15",
 *     "stopped_by_user": bool,
 *     "health": { "Status", "FailingStreak", "Log" }   docker's State.Health; only where the container is checked
 *   }
 *
 * The truth about life is the lock: sk_vm_state_load() turns a "running" of a monitor that is gone into "exited" with
 * exit code 137 and says so in "error".
 */
int sk_vm_state_load(const struct sk_paths *paths, const char *id, json_t **ret_state, struct sk_error *err);
/* Writes it; only the holder of the lock (monitor), or the creator before the first start, may. `dirfd`: the
 * container's directory. */
int sk_vm_state_save(int dirfd, const json_t *state, struct sk_error *err);
/* Sets some space aside, for a state that is saved when the disk is full. */
int sk_vm_state_reserve(int dirfd, struct sk_error *err);
/* Writes down the end of a container whose monitor has gone without doing so. Nothing if it has one. */
void sk_vm_state_bury(const struct sk_paths *paths, const char *id);
/* Whether a container has a state that cannot be read, and then, with `repair`, writes one that says so, unless a
 * monitor has the container. 1: damaged; 2: damaged, and mended. */
int sk_vm_state_check(const struct sk_paths *paths, const char *id, bool repair);
bool sk_vm_state_is_alive(const json_t *state); /* starting, running, paused, restarting, suspended */
/* "2026-11-23T10:00:00.123456789Z" of now, into `buf` of at least 36 bytes. */
const char *sk_time_now(char *buf);

/* Events: <root>/events.jsonl, one JSON object a line in the form of `docker events --format json`
 * ({"Type","Action","Actor":{"ID","Attributes":{…}},"time","timeNano"}), appended whole under flock; at 8 MiB the
 * older half is cut off in place. */
int sk_event_append(const struct sk_paths *paths, const char *type, const char *action, const char *id,
		    const json_t *attributes);

#endif
