/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a monitor, and joins it and its clients by a port of loopback and a secret. See endpoint.h. */
#include "vm/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/process.h"
#include "base/socket.h"
#include "vm/places.h"
#include "vm/vm.h"

#define BACKLOG 64
#define FILE_BYTES 128u

/* Its standard input is the other end of the connection. */
int sk_vm_launch(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	_cleanup_free_ char *monitor = sk_place_program("skerry-monitor", "SKERRY_MONITOR");
	_cleanup_fd_ int ours = -1, theirs = -1;
	const char *argv[] = { "skerry-monitor", "--root", paths->root,	 "--run", paths->run,
			       "--id",		 id,	   "--owner-fd", "0",	  NULL };
	struct sk_spawn s = SK_SPAWN_INIT;
	int pair[2], r;
	sk_pid pid;

	if (!monitor || socketpair(AF_INET, SOCK_STREAM, 0, pair) < 0)
		return sk_error_errno(err, errno, "cannot start container %.12s", id);
	ours = pair[0];
	theirs = pair[1];
	s.file = monitor;
	s.argv = argv;
	s.stdin_fd = theirs;
	s.new_session = true;
	r = sk_spawn(&s, &pid, NULL, err);
	if (r == -ENOENT)
		return sk_error_set(err, ENOENT,
				    "monitor program %s is missing: install skerry again, or set SKERRY_MONITOR",
				    monitor);
	return r < 0 ? r : SK_TAKE_FD(ours);
}

static int read_endpoint(const char *run_dir, struct sockaddr_in *ret, char secret[SK_ENDPOINT_SECRET + 1])
{
	_cleanup_free_ char *path = sk_asprintf("%s/" SK_ENDPOINT_FILE, run_dir), *text = NULL;
	unsigned port;
	int r = path ? sk_fs_read(AT_FDCWD, path, FILE_BYTES, &text, NULL) : -ENOMEM;

	if (r < 0)
		return r;
	if (sscanf(text, "%u %64[0-9a-f]", &port, secret) != 2 || strlen(secret) != SK_ENDPOINT_SECRET || !port ||
	    port > UINT16_MAX)
		return -ENOENT;
	*ret = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return 0;
}

static int say(int fd, const char *secret)
{
	struct sk_buf buf;
	int r;

	sk_buf_init(&buf, SK_FRAME_HEADER + SK_ENDPOINT_SECRET);
	r = sk_frame_put(&buf, SK_FRAME_SECRET, secret, SK_ENDPOINT_SECRET);
	if (r == 0)
		r = sk_fs_write_all(fd, sk_buf_data(&buf), buf.len);
	sk_buf_fini(&buf);
	return r;
}

int sk_endpoint_connect(const char *run_dir)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char secret[SK_ENDPOINT_SECRET + 1];
	struct sockaddr_in address;
	int r = fd < 0 ? -errno : read_endpoint(run_dir, &address, secret);

	if (r < 0)
		return r;
	sk_socket_send_timeout(fd, SK_VM_PATIENCE);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = say(fd, secret);
	sk_socket_send_timeout(fd, 0);
	return r < 0 ? r : SK_TAKE_FD(fd);
}

/* The directory's rights are the user's, and so are those of a file in it. */
static int publish(const char *run_dir, uint16_t port, const char *secret)
{
	_cleanup_free_ char *path = sk_asprintf("%s/" SK_ENDPOINT_FILE, run_dir);
	char text[FILE_BYTES];
	int n = snprintf(text, sizeof(text), "%u %s\n", port, secret);

	return path ? sk_fs_write_atomic(AT_FDCWD, path, text, (size_t)n, 0600, false) : -ENOMEM;
}

int sk_endpoint_listen(const char *run_dir, char ret_secret[SK_ENDPOINT_SECRET + 1], struct sk_error *err)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int r = 0;

	sk_random_hex(ret_secret, SK_ENDPOINT_SECRET / 2);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		r = -errno;
	if (r == 0)
		r = publish(run_dir, ntohs(address.sin_port), ret_secret);
	return r < 0 ? sk_error_errno(err, r, "cannot listen for clients of %s", run_dir) : SK_TAKE_FD(fd);
}

int sk_endpoint_take_over(const char *run_dir, char ret_secret[SK_ENDPOINT_SECRET + 1])
{
	struct sockaddr_in unused;

	return read_endpoint(run_dir, &unused, ret_secret);
}

void sk_endpoint_remove(const char *run_dir)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/" SK_ENDPOINT_FILE, run_dir);
	unlink(path);
}
