/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_AGENT_CGROUP_H
#define SK_AGENT_CGROUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* The container's control group: /sys/fs/cgroup/<container>. */
#define SK_CGROUP_ROOT "/sys/fs/cgroup"

/* Reads the value after `key` in the group's `file` ("oom_kill" in memory.events), or the whole file if `key` is
 * NULL. Returns `missing` if there is no such value, or if it is "max". */
uint64_t sk_cgroup_number(const char *container, const char *file, const char *key, uint64_t missing);
int sk_cgroup_write(const char *container, const char *file, const char *text);
/* Signals every process of the group and of those below it. */
int sk_cgroup_signal(const char *container, int signal);
/* Calls `each` for every process id in the group and in those below it, at most `max`. */
void sk_cgroup_pids(const char *container, size_t max, void (*each)(void *arg, pid_t pid), void *arg);
/* The `stats` object of docs/protocols.md, a new reference. */
json_t *sk_cgroup_stats(const char *container);
/* Removes the group and those below it. */
void sk_cgroup_remove(const char *container);

#endif
