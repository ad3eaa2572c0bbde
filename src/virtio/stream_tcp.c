/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of a guest over TCP on loopback, for tests. See stream_kinds.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "virtio/stream_kinds.h"

#define BACKLOG 64
#define NUMBER_BYTES 16u

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int publish(const char *dir, uint32_t port, uint16_t number)
{
	_cleanup_free_ char *path = sk_asprintf("%s/host-%u", dir, port);
	char text[NUMBER_BYTES];
	int n = snprintf(text, sizeof(text), "%u\n", number);

	return path ? sk_fs_write_atomic(AT_FDCWD, path, text, (size_t)n, 0600, false) : -ENOMEM;
}

static int tcp_listen(void *arg, uint32_t port)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in address = loopback(0);
	socklen_t len = sizeof(address);
	int r;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return -errno;
	r = publish(arg, port, ntohs(address.sin_port));
	return r < 0 ? r : SK_TAKE_FD(fd);
}

static int tcp_connect(void *arg, uint32_t port)
{
	_cleanup_free_ char *path = sk_asprintf("%s/guest-%u", (const char *)arg, port), *text = NULL;
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in address;
	unsigned long number;

	if (fd < 0 || !path)
		return -ENOMEM;
	if (sk_fs_read(AT_FDCWD, path, NUMBER_BYTES, &text, NULL) < 0)
		return -ENOTCONN;
	number = strtoul(text, NULL, 10);
	if (!number || number > UINT16_MAX)
		return -ENOTCONN;
	address = loopback((uint16_t)number);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS && errno != EAGAIN)
		return -errno;
	return SK_TAKE_FD(fd);
}

const struct sk_socket_kind sk_socket_tcp = { .listener = tcp_listen, .dial = tcp_connect };
