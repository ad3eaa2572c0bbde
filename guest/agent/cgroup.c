/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's control group in the guest (cgroup v2): its processes, limits and counters, signals to all of them,
 * and its removal. Numbers that a file does not have are the caller's default.
 */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

/* A container may make groups below its own: how deep and how many of them are looked at. */
#define CGROUP_DEPTH 8
#define CGROUP_FILE_MAX (4u * 1024u * 1024u)

static int read_file(const char *container, const char *file, char **ret)
{
	char path[256];

	snprintf(path, sizeof(path), SK_CGROUP_ROOT "/%s/%s", container, file);
	return sk_fs_read(AT_FDCWD, path, CGROUP_FILE_MAX, ret, NULL);
}

/* The number behind "key " at the start of a line; or behind "key=" anywhere, summed over lines, as io.stat has it. */
static bool find_number(const char *text, const char *key, uint64_t *ret)
{
	size_t n = strlen(key);
	const char *line;

	for (line = text; line && *line; line = strchr(line, '\n')) {
		if (*line == '\n' && !*++line)
			break;
		if (strncmp(line, key, n) == 0 && line[n] == ' ') {
			*ret = strtoull(line + n + 1, NULL, 10);
			return true;
		}
	}
	return false;
}

uint64_t sk_cgroup_number(const char *container, const char *file, const char *key, uint64_t missing)
{
	_cleanup_free_ char *text = NULL;
	uint64_t v = missing;

	if (read_file(container, file, &text) < 0)
		return missing;
	if (!key)
		return text[0] >= '0' && text[0] <= '9' ? strtoull(text, NULL, 10) : missing;
	find_number(text, key, &v);
	return v;
}

int sk_cgroup_write(const char *container, const char *file, const char *text)
{
	_cleanup_fd_ int fd = -1;
	char path[256];

	snprintf(path, sizeof(path), SK_CGROUP_ROOT "/%s/%s", container, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return sk_fs_write_all(fd, text, strlen(text));
}

struct cgroup_walk {
	size_t left;
	void (*each)(void *arg, pid_t pid);
	void *arg;
};

static void walk_group(const char *group, struct cgroup_walk *w, int depth)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *de;
	char path[1024], *line, *rest;

	if (read_file(group, "cgroup.procs", &text) == 0)
		for (rest = text; (line = strsep(&rest, "\n")) && w->left;) {
			long pid = strtol(line, NULL, 10);

			if (pid > 1) {
				w->left--;
				w->each(w->arg, (pid_t)pid);
			}
		}
	snprintf(path, sizeof(path), SK_CGROUP_ROOT "/%s", group);
	dir = depth < CGROUP_DEPTH ? opendir(path) : NULL;
	while (dir && w->left && (de = readdir(dir))) {
		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", group, de->d_name) < 200)
			walk_group(path, w, depth + 1);
	}
}

void sk_cgroup_pids(const char *container, size_t max, void (*each)(void *arg, pid_t pid), void *arg)
{
	struct cgroup_walk w = { .left = max, .each = each, .arg = arg };

	walk_group(container, &w, 0);
}

static void signal_one(void *arg, pid_t pid)
{
	kill(pid, *(int *)arg);
}

int sk_cgroup_signal(const char *container, int signal)
{
	if (signal == SIGKILL && sk_cgroup_write(container, "cgroup.kill", "1") == 0)
		return 0;
	sk_cgroup_pids(container, 100000, signal_one, &signal);
	return 0;
}

static void remove_group(const char *group, int depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *de;
	char path[1024];

	snprintf(path, sizeof(path), SK_CGROUP_ROOT "/%s", group);
	dir = opendir(path);
	while (dir && (de = readdir(dir)) && depth < CGROUP_DEPTH)
		if (de->d_type == DT_DIR && de->d_name[0] != '.' &&
		    (size_t)snprintf(path, sizeof(path), "%s/%s", group, de->d_name) < 200)
			remove_group(path, depth + 1);
	snprintf(path, sizeof(path), SK_CGROUP_ROOT "/%s", group);
	rmdir(path);
}

void sk_cgroup_remove(const char *container)
{
	remove_group(container, 0);
}

static uint64_t sum_io(const char *text, const char *key)
{
	uint64_t sum = 0;
	const char *p = text;
	size_t n = strlen(key);

	while ((p = strstr(p, key))) {
		p += n;
		sum += strtoull(p, NULL, 10);
	}
	return sum;
}

/* Counters of the guest's network devices: /proc/net/dev. */
static json_t *net_stats(void)
{
	static const char *const names[] = { "rx_bytes", "rx_packets", "rx_errors", "rx_dropped",
					     "tx_bytes", "tx_packets", "tx_errors", "tx_dropped" };
	static const int columns[] = { 0, 1, 2, 3, 8, 9, 10, 11 };
	_cleanup_free_ char *text = NULL;
	json_t *net = json_object();
	char *line, *rest;

	if (sk_fs_read(AT_FDCWD, "/proc/net/dev", 65536, &text, NULL) < 0)
		return net;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		char *colon = strchr(line, ':'), *p;
		unsigned long long v[12];
		json_t *dev;
		size_t i;

		while (*line == ' ')
			line++;
		if (!colon || strncmp(line, "eth", 3) != 0)
			continue;
		*colon = '\0';
		for (i = 0, p = colon + 1; i < SK_ARRAY_SIZE(v); i++)
			v[i] = strtoull(p, &p, 10);
		dev = json_object();
		for (i = 0; i < SK_ARRAY_SIZE(names); i++)
			json_object_set_new(dev, names[i], json_integer((json_int_t)v[columns[i]]));
		json_object_set_new(net, line, dev);
	}
	return net;
}

static json_int_t meminfo_total(void)
{
	struct sysinfo si;

	return sysinfo(&si) < 0 ? 0 : (json_int_t)((uint64_t)si.totalram * si.mem_unit);
}

static json_int_t number(const char *container, const char *file, const char *key, uint64_t missing)
{
	return (json_int_t)sk_cgroup_number(container, file, key, missing);
}

json_t *sk_cgroup_stats(const char *c)
{
	_cleanup_free_ char *io = NULL;
	json_int_t total = meminfo_total(), limit = number(c, "memory.max", NULL, (uint64_t)total);

	read_file(c, "io.stat", &io);
	return json_pack(
		"{s:I,s:I,s:I,s:{s:I,s:I,s:I,s:I},s:{s:I,s:I},s:{s:I,s:I},s:o,s:i}", "cpu_ns",
		number(c, "cpu.stat", "usage_usec", 0) * 1000, "user_ns", number(c, "cpu.stat", "user_usec", 0) * 1000,
		"system_ns", number(c, "cpu.stat", "system_usec", 0) * 1000, "memory", "usage",
		number(c, "memory.current", NULL, 0), "peak", number(c, "memory.peak", NULL, 0), "limit",
		limit < total || !total ? limit : total, "inactive_file", number(c, "memory.stat", "inactive_file", 0),
		"pids", "current", number(c, "pids.current", NULL, 0), "limit", number(c, "pids.max", NULL, 0), "blkio",
		"read", (json_int_t)(io ? sum_io(io, "rbytes=") : 0), "write",
		(json_int_t)(io ? sum_io(io, "wbytes=") : 0), "net", net_stats(), "online_cpus", get_nprocs());
}
