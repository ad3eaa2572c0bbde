/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keeper does on Linux (keeper.c), where the monitor is not confined and can do it itself. A directory of which a
 * process has files open cannot be moved here: a container that is removed by itself (--rm) is removed by a second
 * skerry-monitor ("--remove"), which waits for the container's lock.
 *
 * The next life of a container with a restart policy is another skerry-monitor. Its standard input is the listening socket,
 * so that clients who connect in between are accepted by it. The lock cannot be handed on: it belongs to a process. The new
 * one has another lock (SK_NEXT_LOCK_FILE) until it gets that one; this one ends when it has seen that.
 */
#include "vm/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/process.h"
#include "vm/places.h"

#define NEXT_TRIES 2000u
#define NEXT_MS 5

static const struct sk_paths *own_paths;
static const char *own_id;

int sk_keeper_start(struct sk_keeper *k, const char *self, const struct sk_paths *paths, const char *id,
		    struct sk_error *err)
{
	(void)self;
	(void)err;
	k->fd = -1;
	own_paths = paths;
	own_id = id;
	return 0;
}

/* Until the next life's monitor holds its lock. */
static int wait_for_next(sk_pid pid)
{
	_cleanup_free_ char *path = sk_asprintf("%s/containers/%s/" SK_NEXT_LOCK_FILE, own_paths->root, own_id);
	unsigned i;

	if (!path)
		return -ENOMEM;
	for (i = 0; i < NEXT_TRIES && sk_process_runs(pid, -1, NEXT_MS); i++) {
		_cleanup_fd_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

		if (fd >= 0 && sk_fs_lock(fd, false, false) == -EWOULDBLOCK)
			return 0;
	}
	return -ETIMEDOUT;
}

int sk_keeper_restart(struct sk_keeper *k, const struct sk_next_life *next)
{
	_cleanup_free_ char *program = sk_place_program("skerry-monitor", "SKERRY_MONITOR");
	struct sk_error ignored = SK_ERROR_INIT;
	struct sk_spawn s = SK_SPAWN_INIT;
	char restarts[16], backoff[24];
	sk_pid pid;
	int r;

	(void)k;
	if (!program)
		return -ENOENT;
	snprintf(restarts, sizeof(restarts), "%u", next->restarts);
	snprintf(backoff, sizeof(backoff), "%llu", (unsigned long long)next->backoff_ms);
	s.file = program;
	s.argv = (const char *const[]){ "skerry-monitor", "--root",	  own_paths->root, "--run", own_paths->run,
					"--id",		  own_id,	  "--listen-fd",   "0",	    "--restarts",
					restarts,	  "--backoff-ms", backoff,	   NULL };
	s.stdin_fd = next->listen_fd;
	s.new_session = true;
	r = sk_spawn(&s, &pid, NULL, &ignored);
	if (r == 0 && (r = wait_for_next(pid)) < 0)
		sk_process_kill(pid);
	return r;
}

int sk_keeper_remove(struct sk_keeper *k)
{
	_cleanup_free_ char *program = sk_place_program("skerry-monitor", "SKERRY_MONITOR");
	struct sk_error ignored = SK_ERROR_INIT;
	struct sk_spawn s = SK_SPAWN_INIT;
	sk_pid pid;

	(void)k;
	if (!program)
		return -ENOENT;
	s.file = program;
	s.argv = (const char *const[]){ "skerry-monitor", "--root", own_paths->root, "--run", own_paths->run,
					"--id",		  own_id,   "--remove",	     NULL };
	return sk_spawn(&s, &pid, NULL, &ignored);
}

/* There is no such file, and no network that would ask for it. */
int sk_keeper_resolv_conf(struct sk_keeper *k, char *ret, size_t size)
{
	(void)k;
	(void)ret;
	(void)size;
	return -EOPNOTSUPP;
}

void sk_keeper_end(struct sk_keeper *k)
{
	(void)k;
}
