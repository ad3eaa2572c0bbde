/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine in which nothing runs: it gives back memory, and may stop.
 *
 * Memory. What an engine has read of its programs and images stays in the page cache, 200 MB after its start, of which it
 * uses 15 when it waits. So: no process but the engine's, and little use of a processor, for REST_LOOKS looks in a row, and
 * the cache is reclaimed down to REST_KEEP (memory.reclaim: what was used least recently, and clean). What is free then is
 * scattered, and the host gets back blocks of 512 KiB only: the kernel is asked to compact it, at the next look once more,
 * when what was on its lists of each processor is free, too. The next command reads 20 MB again, which takes a third of a
 * second. A machine with containers forgets as slowly as any guest (memory.c).
 *
 * What an engine that waits still touches, some pages of its programs every few seconds, it would read again with all
 * that is around them: Linux takes virtio disks for rotating ones and reads 8 MiB ahead, and a fault on a page of a
 * program is a read, too. 5 faults brought 13 MB back. So the disks of images read READ_AHEAD_KB ahead from the start;
 * a file that is open keeps the value that it was opened with.
 *
 * When a machine may stop because nobody needs it. The guest knows its part of that: there is no process but PID 1 and
 * those of the engine, so no container, no step of a build and nobody who is logged in. Whether a client is connected is
 * the host's to know; it is asked, and takes no more connections once it has agreed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "machine.h"
#include "machine_host.h"

#define GROUP "/sys/fs/cgroup"
#define MIB (UINT64_C(1) << 20)
#define REST_LOOKS 6u
#define REST_CPU_PART 10u
#define REST_COMPACT 2u
#define REST_KEEP (16 * MIB)
#define REST_STEP_MIN (8 * MIB)
#define READ_AHEAD_KB "128"
#define REST_STEP_MAX (1024 * MIB) /* at one look: nothing else happens meanwhile */
#define IDLE_LOOKS 4u		   /* in the time after which the machine stops */
#define IDLE_LOOK_MIN_MS 500u
#define IDLE_LOOK_MAX_MS 15000u

bool sk_machine_rest_tick(struct sk_machine_rest *rest, bool quiet, uint64_t cpu_us, uint64_t span_us)
{
	bool resting = quiet && cpu_us - rest->cpu_us <= span_us / REST_CPU_PART;

	rest->cpu_us = cpu_us;
	rest->looks = resting ? rest->looks + 1 : 0;
	return rest->looks >= REST_LOOKS;
}

uint64_t sk_machine_rest_excess(uint64_t cache)
{
	if (cache < REST_KEEP + REST_STEP_MIN)
		return 0;
	return cache - REST_KEEP < REST_STEP_MAX ? cache - REST_KEEP : REST_STEP_MAX;
}

/* The number after `key` in a file of control groups; 0: none. */
static uint64_t read_number(const char *path, const char *key)
{
	_cleanup_free_ char *text = NULL;
	const char *line;
	size_t n = strlen(key);

	if (sk_fs_read(AT_FDCWD, path, 65536, &text, NULL) < 0)
		return 0;
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) == 0 && line[n] == ' ')
			return strtoull(line + n + 1, NULL, 10);
	}
	return 0;
}

/* An error is that there was not as much to reclaim. */
static void write_word(const char *path, const char *word)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, word, strlen(word)) < 0)
		errno = 0;
}

void sk_machine_read_ahead(const char *sys_block)
{
	_cleanup_closedir_ DIR *dir = opendir(sys_block);
	char path[PATH_MAX];
	struct dirent *de;

	while (dir && (de = readdir(dir))) {
		_cleanup_free_ char *ro = NULL;

		if (de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/ro", sys_block, de->d_name);
		if (sk_fs_read(AT_FDCWD, path, 16, &ro, NULL) < 0 || ro[0] != '1')
			continue;
		snprintf(path, sizeof(path), "%s/%s/queue/read_ahead_kb", sys_block, de->d_name);
		write_word(path, READ_AHEAD_KB);
	}
}

void sk_machine_rest_look(struct sk_machine_rest *rest, bool quiet)
{
	char word[32];
	uint64_t excess;

	if (!sk_machine_rest_tick(rest, quiet, read_number(GROUP "/engine/cpu.stat", "usage_usec"),
				  SK_MACHINE_REST_MS * UINT64_C(1000)))
		return;
	excess = sk_machine_rest_excess(read_number(GROUP "/memory.stat", "file"));
	if (excess) {
		snprintf(word, sizeof(word), "%llu", (unsigned long long)excess);
		write_word(GROUP "/memory.reclaim", word);
		rest->compact = REST_COMPACT;
	}
	if (rest->compact) {
		rest->compact--;
		write_word("/proc/sys/vm/compact_memory", "1");
	}
}

uint64_t sk_machine_idle_look_ms(uint64_t idle_ms)
{
	uint64_t ms = idle_ms / IDLE_LOOKS;

	return ms < IDLE_LOOK_MIN_MS ? IDLE_LOOK_MIN_MS : ms > IDLE_LOOK_MAX_MS ? IDLE_LOOK_MAX_MS : ms;
}

bool sk_machine_idle_tick(struct sk_machine_idle *idle, bool quiet, uint64_t now_ms)
{
	if (!quiet || !idle->quiet)
		idle->since_ms = now_ms;
	idle->quiet = quiet;
	return quiet && now_ms - idle->since_ms >= idle->after_ms;
}

bool sk_machine_is_quiet(const char *proc, const pid_t *own, size_t n)
{
	_cleanup_closedir_ DIR *dir = opendir(proc);
	struct dirent *de;
	char *end;
	size_t i;
	long pid;

	if (!dir)
		return false;
	while (errno = 0, (de = readdir(dir))) {
		pid = strtol(de->d_name, &end, 10);
		if (end == de->d_name || *end)
			continue;
		for (i = 0; i < n && own[i] != pid; i++)
			;
		if (i == n)
			return false;
	}
	return errno == 0;
}

int sk_machine_ask_to_stop(struct sk_error *err)
{
	_cleanup_fd_ int fd = sk_machine_host_connect(err);
	struct sk_reply reply;
	int r = fd < 0 ? fd : sk_machine_host_ask(fd, &(const struct sk_msg){ .op = SK_SERVICE_IDLE }, &reply, err);

	if (r < 0)
		return r;
	if (!reply.ok)
		r = sk_error_set(err, reply.error, "the host does not let the machine stop: %s", reply.message);
	sk_reply_fini(&reply);
	return r;
}
