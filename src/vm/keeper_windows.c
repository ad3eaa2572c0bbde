/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keeper does on Linux (keeper.c), where the monitor is not confined and can do it itself. A directory of which a
 * process has files open cannot be moved here: a container that is removed by itself (--rm) is removed by a second
 * skerry-monitor ("--remove"), which waits for the container's lock.
 *
 * There is no next life yet: restart policies are refused when a container is made.
 */
#include "vm/keeper.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "vm/places.h"

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

int sk_keeper_restart(struct sk_keeper *k, const struct sk_next_life *next)
{
	(void)k;
	(void)next;
	return -EOPNOTSUPP;
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
