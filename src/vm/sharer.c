/* SPDX-License-Identifier: Apache-2.0 */
/* A file server of its own for a directory that came after the VM's start: see sharer.h. */
#include "vm/sharer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "skerry_config.h"

/* Servers at once, those included that are about to end: who asks has no more than a few for each directory. */
#define SERVERS_MAX 160u

static unsigned n_servers; /* of this process */

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		n_servers--;
}

int sk_sharer_open(const struct sk_later_share *share)
{
	_cleanup_fd_ int dir = -1;
	const char *program = getenv("SKERRY_9PD");
	char export[32], conn[12];
	const char *argv[] = { "skerry-9pd", "--export", export, "--fd", conn, NULL };
	struct sk_spawn spawn = SK_SPAWN_INIT;
	struct sk_error err = SK_ERROR_INIT;
	int pair[2], r;
	sk_pid pid;

	reap();
	if (n_servers >= SERVERS_MAX)
		return -EAGAIN;
	dir = open(share->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	snprintf(export, sizeof(export), "later=fd:%d:%s", dir, share->readonly ? "ro" : "rw");
	snprintf(conn, sizeof(conn), "%d", pair[1]);
	spawn.file = program && *program ? program : SK_LIBEXECDIR "/skerry-9pd";
	spawn.argv = argv;
	spawn.keep_fds = (const int[]){ dir, pair[1] };
	spawn.n_keep_fds = 2;
	spawn.die_with_parent = true;
	r = sk_spawn(&spawn, &pid, NULL, &err);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	n_servers++;
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	return pair[0];
}
