/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a monitor, and joins it and its clients by a unix socket. See endpoint.h. */
#include "vm/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "base/socket.h"
#include "skerry_config.h"
#include "vm/vm.h"

static void monitor_path(char *buf, size_t size)
{
	const char *path = getenv("SKERRY_MONITOR");

	snprintf(buf, size, "%s", path && *path ? path : SK_LIBEXECDIR "/skerry-monitor");
}

int sk_vm_launch(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	_cleanup_fd_ int ours = -1, theirs = -1;
	char monitor[512], fd_text[16];
	const char *argv[] = { "skerry-monitor", "--root", paths->root,	 "--run", paths->run,
			       "--id",		 id,	   "--owner-fd", fd_text, NULL };
	struct sk_spawn s = SK_SPAWN_INIT;
	int pair[2], keep[1], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return sk_error_errno(err, errno, "cannot start container %.12s", id);
	ours = pair[0];
	theirs = pair[1];
	snprintf(fd_text, sizeof(fd_text), "%d", theirs);
	monitor_path(monitor, sizeof(monitor));
	keep[0] = theirs;
	s.file = monitor;
	s.argv = argv;
	s.keep_fds = keep;
	s.n_keep_fds = 1;
	s.new_session = true;
	r = sk_spawn(&s, &pid, NULL, err);
	if (r == -ENOENT)
		return sk_error_set(err, ENOENT,
				    "monitor program %s is missing: install skerry again, or set SKERRY_MONITOR",
				    monitor);
	if (r < 0)
		return r;
	return SK_TAKE_FD(ours);
}

int sk_endpoint_connect(const char *run_dir)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), dirfd = -1;
	struct sockaddr_un addr;

	if (fd < 0)
		return -errno;
	dirfd = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	sk_socket_send_timeout(fd, SK_VM_PATIENCE); /* a monitor that accepts nobody has a full backlog */
	if (sk_socket_address(dirfd, SK_ENDPOINT_FILE, &addr) < 0 ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	sk_socket_send_timeout(fd, 0);
	return SK_TAKE_FD(fd);
}

int sk_endpoint_listen(const char *run_dir, char ret_secret[SK_ENDPOINT_SECRET + 1], struct sk_error *err)
{
	_cleanup_fd_ int dirfd = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;

	*ret_secret = '\0';
	if (fd < 0 || sk_socket_address(dirfd, SK_ENDPOINT_FILE, &addr) < 0 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 64) < 0)
		return sk_error_errno(err, errno, "cannot listen on %s/" SK_ENDPOINT_FILE, run_dir);
	return SK_TAKE_FD(fd);
}

int sk_endpoint_take_over(const char *run_dir, char ret_secret[SK_ENDPOINT_SECRET + 1])
{
	(void)run_dir;
	*ret_secret = '\0';
	return 0;
}

void sk_endpoint_remove(const char *run_dir)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/" SK_ENDPOINT_FILE, run_dir);
	unlink(path);
}
