/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of Linux: addresses of unix sockets, descriptors sent and received with data. */
#include "base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

int sk_socket_address(int fd, const char *name, struct sockaddr_un *ret)
{
	int n;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (fd < 0)
		return -EBADF;
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d%s%s", fd, name ? "/" : "",
		     name ? name : "");
	return n < (int)sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}

int sk_socket_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

void sk_socket_send_timeout(int fd, unsigned ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

int sk_socket_tcp_state(int fd)
{
	struct tcp_info info = { .tcpi_state = 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;
	if (info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT)
		return SK_TCP_MAY_SEND;
	return info.tcpi_state == TCP_CLOSE ? SK_TCP_CLOSED : SK_TCP_OTHER;
}

unsigned sk_socket_most(void)
{
	struct rlimit limit = { 1024, 1024 };

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur < UINT32_MAX ? (unsigned)limit.rlim_cur : UINT32_MAX;
}

bool sk_socket_hold_back(struct sk_socket_hold *ret)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	*ret = (struct sk_socket_hold){ limit.rlim_cur, limit.rlim_max };
	limit.rlim_cur = 0;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

void sk_socket_let_go(const struct sk_socket_hold *hold)
{
	const struct rlimit limit = { hold->soft, hold->hard };

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		sk_log(SK_LOG_ERROR, "the limit of descriptors cannot be set: %s", strerror(errno));
}

int sk_socket_inherited(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : fd;
}

union control {
	char buf[CMSG_SPACE(SK_SOCKET_FDS * sizeof(int))];
	struct cmsghdr align;
};

int sk_socket_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds)
{
	union control control = { .buf = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (n_fds > SK_SOCKET_FDS)
		return -E2BIG;
	if (n_fds) {
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	return sendmsg(sock, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The descriptors of a message, or none of them when they are not as many as expected. */
static void take_fds(struct msghdr *m, int *ret_fds, size_t n_fds)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fds[SK_SOCKET_FDS] = { -1, -1, -1, -1 };
	size_t n = 0, i;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(0))
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (n > SK_SOCKET_FDS)
		n = SK_SOCKET_FDS; /* the kernel has closed those that found no room */
	if (n)
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	for (i = 0; i < n; i++) {
		if (n == n_fds)
			ret_fds[i] = fds[i];
		else
			close(fds[i]);
	}
}

int sk_socket_receive(int sock, bool wait, void *data, size_t len, int *ret_fds, size_t n_fds)
{
	union control control;
	struct iovec iov = { data, len };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	ssize_t n;
	size_t i;

	for (i = 0; i < n_fds; i++)
		ret_fds[i] = -1;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_fds(&m, ret_fds, n_fds);
	return (int)n;
}
