/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the monitor as the container's process on the host: in its control groups, namespaces and with its
 * descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "oci/oci.h"
#include "skerry_config.h"

struct child {
	const struct sk_oci_cgroups *cgroups;
	int netns, mount_ns; /* -1: none to join */
	bool new_netns, terminal;
};

/* Brings up lo: a new namespace has it down, and docker's name server and published ports of the host look for it. */
static int loopback_up(void)
{
	struct {
		char name[16];
		short flags;
		char pad[22];
	} ifr = { .name = "lo", .flags = 0x1 /* IFF_UP */ };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	r = ioctl(fd, 0x8914 /* SIOCSIFFLAGS */, &ifr) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* In the monitor-to-be, between fork and exec. */
static int enter(void *arg)
{
	const struct child *c = arg;
	int r = sk_oci_cgroups_join(c->cgroups);

	if (r == 0 && c->mount_ns >= 0)
		r = sk_oci_mounts_enter(c->mount_ns);
	if (r < 0)
		return r;
	if (c->netns >= 0 && setns(c->netns, CLONE_NEWNET) < 0)
		return -errno;
	if (c->new_netns && (unshare(CLONE_NEWNET) < 0 || (r = loopback_up()) < 0))
		return r < 0 ? r : -errno;
	/* A session of its own with the terminal in control: so it gets SIGWINCH. */
	if (c->terminal && ioctl(0, TIOCSCTTY, 0) < 0)
		return -errno;
	return 0;
}

int sk_oci_launch(struct sk_oci *o, const struct sk_oci_container *c, const struct sk_oci_launch *l, pid_t *ret_pid,
		  struct sk_error *err)
{
	const char *monitor = getenv("SKERRY_MONITOR");
	_cleanup_fd_ int ours = -1, theirs = -1, netns = -1;
	char fd_text[16];
	const char *argv[] = { "skerry-monitor", "--root",     o->paths.root, "--run",	    o->paths.run, "--id",
			       c->vm_id,	 "--owner-fd", fd_text,	      "--stand-in", NULL };
	struct child child = { .cgroups = l->cgroups,
			       .new_netns = l->bundle->has_netns && !l->bundle->netns_path,
			       .terminal = l->bundle->terminal };
	struct sk_spawn s = SK_SPAWN_INIT;
	int pair[2], keep[1], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return sk_error_errno(err, errno, "cannot start the container");
	ours = pair[0];
	theirs = pair[1];
	if (l->bundle->netns_path) {
		netns = open(l->bundle->netns_path, O_RDONLY | O_CLOEXEC);
		if (netns < 0)
			return sk_error_errno(err, errno, "network namespace %s", l->bundle->netns_path);
	}
	child.netns = netns;
	child.mount_ns = l->mount_ns;
	snprintf(fd_text, sizeof(fd_text), "%d", theirs);
	keep[0] = theirs;
	s.file = monitor && *monitor ? monitor : SK_LIBEXECDIR "/skerry-monitor";
	s.argv = argv;
	s.stdin_fd = l->console_fd >= 0 ? l->console_fd : 0;
	s.stdout_fd = l->console_fd >= 0 ? l->console_fd : 1;
	s.stderr_fd = l->console_fd >= 0 ? l->console_fd : 2;
	s.keep_fds = keep;
	s.n_keep_fds = 1;
	s.new_session = true;
	/* A caller that kills the container's process has killed all of it before the process is seen to be gone. */
	s.namespaces = SK_NS_PID;
	s.prepare = enter;
	s.prepare_arg = &child;
	r = sk_spawn(&s, ret_pid, NULL, err);
	if (r == -ENOENT)
		return sk_error_set(err, ENOENT,
				    "monitor program %s is missing: install skerry again, or set SKERRY_MONITOR",
				    s.file);
	return r < 0 ? r : SK_TAKE_FD(ours);
}
