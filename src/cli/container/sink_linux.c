/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/container/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

void sk_sink_init(struct sk_sink *s, int fd)
{
	struct stat st;
	char path[40];

	*s = (struct sk_sink){ .fd = fd, .own_fd = -1, .max = 1 << 20 };
	if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode))
		return;
	if (S_ISSOCK(st.st_mode)) {
		s->is_socket = 1;
		return;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	s->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (s->own_fd >= 0)
		s->fd = s->own_fd;
	else
		s->max = PIPE_BUF;
}

void sk_sink_fini(struct sk_sink *s)
{
	sk_close_fd(&s->own_fd);
}

ssize_t sk_sink_write(struct sk_sink *s, const void *p, size_t n)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };
	ssize_t r;

	if (n > s->max)
		n = s->max;
	if (s->max == PIPE_BUF && poll(&pfd, 1, 0) == 0)
		return 0; /* it could sleep */
	do
		r = s->is_socket ? send(s->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) : write(s->fd, p, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EAGAIN ? 0 : -errno;
	return r;
}
