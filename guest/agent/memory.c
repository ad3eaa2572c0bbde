/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's memory, seen from the host: what the guest frees goes back by itself (free page reporting), but Linux
 * never frees its page cache without need, and in a virtual machine nothing tells it that others could use the memory.
 *
 * So: when the guest has used less than one part in IDLE_PART of a processor for `seconds`, it forgets a quarter of its
 * cache at each further tick, until KEEP is left or it has something to do again. It begins anew after that. What is
 * forgotten is clean or gets written first, and least recently used (memory.reclaim); an idle service that wakes up
 * reads its files again, from the host's cache mostly. Reclaim may take its time, so it runs in a child.
 *
 * And: free pages that each processor keeps at hand for itself are not free to be reported, and Linux lets that become
 * an eighth of the memory. Here it is LISTS.
 *
 * And: containers get no more than there is. Without a limit of its own, or with a larger one, a container could take
 * the last page; Linux then drops and re-reads the pages of the programs that run, for minutes, before it decides that
 * it is out of memory, and the agent is as slow as all the rest. A control group that reaches its limit decides at
 * once.
 */
#include "memory.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "cgroup.h"

#define MIB (UINT64_C(1) << 20)
#define IDLE_PART 50u
#define TICKS 5u
#define KEEP (16 * MIB)
#define STEP_MIN (16 * MIB)
#define STEP_MAX (256 * MIB)
#define RESERVE (16 * MIB)
#define LISTS (2 * MIB)
#define WATCH_BYTES 1280u /* of an inotify watch with the inode that it keeps */

struct memory_watch {
	struct sk_source *timer;
	unsigned tick_ms;
	pid_t child;
	struct sk_memory_rule rule;
};

uint64_t sk_memory_info(const char *text, const char *key)
{
	size_t n = strlen(key);
	const char *line;

	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) == 0 && line[n] == ':')
			return strtoull(line + n + 1, NULL, 10) * 1024;
	}
	return 0;
}

static uint64_t info(const char *key)
{
	_cleanup_free_ char *text = NULL;

	return sk_fs_read(AT_FDCWD, "/proc/meminfo", 16384, &text, NULL) < 0 ? 0 : sk_memory_info(text, key);
}

uint64_t sk_memory_ceiling(void)
{
	uint64_t available = info("MemAvailable");

	return available > 2 * RESERVE ? available - RESERVE : 0;
}

uint64_t sk_memory_tick(struct sk_memory_rule *r, uint64_t cpu_us, uint64_t cache)
{
	uint64_t used = cpu_us - r->last_cpu_us, step;

	r->last_cpu_us = cpu_us;
	if (used > r->tick_us / IDLE_PART) {
		r->idle = 0;
		return 0;
	}
	if (r->idle < r->ticks) {
		r->idle++;
		return 0;
	}
	if (cache <= KEEP)
		return 0;
	step = cache / 4 < STEP_MIN ? STEP_MIN : cache / 4 > STEP_MAX ? STEP_MAX : cache / 4;
	return step < cache - KEEP ? step : cache - KEEP;
}

static void sysctl_write(const char *path, uint64_t value)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		sk_log(SK_LOG_WARN, "cannot set %s: %s", path, strerror(errno));
}

static void forget(struct memory_watch *w, uint64_t bytes)
{
	char text[32];

	if (w->child > 0 && kill(w->child, 0) == 0)
		return; /* still at it */
	w->child = fork();
	if (w->child != 0)
		return;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	if (sk_cgroup_write(".", "memory.reclaim", text) < 0)
		_exit(1);
	/* The host gets back whole blocks only. */
	sysctl_write("/proc/sys/vm/compact_memory", 1);
	_exit(0);
}

static void on_tick(void *arg)
{
	struct memory_watch *w = arg;
	uint64_t cached = info("Cached"), shared = info("Shmem"), bytes;

	bytes = sk_memory_tick(&w->rule, sk_cgroup_number(".", "cpu.stat", "usage_usec", 0),
			       cached > shared ? cached - shared : 0);
	if (bytes)
		forget(w, bytes);
	sk_loop_set_timer(w->timer, w->tick_ms);
}

static void bound_lists(void)
{
	_cleanup_fd_ int fd = open("/proc/sys/vm/percpu_pagelist_high_fraction", O_WRONLY | O_CLOEXEC);
	uint64_t parts = info("MemTotal") / LISTS;
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)(parts < 8 ? 8 : parts));
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		sk_log(SK_LOG_WARN, "cannot bound the lists of free pages: freed memory goes back to the host later");
}

/* inotify: the kernel lets a user's watches take 1 % of the memory, and 128 instances, as a share of a host that many
 * use. The memory here is the containers' own: a watch of a large tree, as editors and bundlers set, may take half. */
static void allow_watches(void)
{
	uint64_t watches = info("MemTotal") / 2 / WATCH_BYTES;

	sysctl_write("/proc/sys/fs/inotify/max_user_watches", watches < 8192 ? 8192 : watches);
	sysctl_write("/proc/sys/fs/inotify/max_user_instances", 8192);
}

void sk_memory_watch(struct sk_agent *a, unsigned seconds)
{
	struct memory_watch *w;

	if (!a->test) {
		bound_lists();
		allow_watches();
	}
	if (seconds == 0 || !a->cgroups || a->test)
		return;
	w = calloc(1, sizeof(*w)); /* as long as the guest lives */
	if (!w)
		return;
	w->tick_ms = seconds * 1000 / TICKS;
	w->rule = (struct sk_memory_rule){ .ticks = TICKS, .tick_us = w->tick_ms * UINT64_C(1000) };
	w->timer = sk_loop_add_timer(a->loop, w->tick_ms, on_tick, w);
	if (!w->timer)
		free(w);
}
