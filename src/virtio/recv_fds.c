/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio/recv_fds.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

void sk_fds_close(struct sk_fds *fds)
{
	unsigned i;

	for (i = 0; i < fds->n; i++)
		sk_close_fd(&fds->fd[i]);
	fds->n = 0;
}

/* Descriptors that came with the last bytes. A kernel that had to cut the list has closed the rest already. */
static int collect(struct msghdr *m, struct sk_fds *fds)
{
	struct cmsghdr *cm;
	int r = m->msg_flags & MSG_CTRUNC ? -EMSGSIZE : 0;

	for (cm = CMSG_FIRSTHDR(m); cm; cm = CMSG_NXTHDR(m, cm)) {
		size_t n, i;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
			if (fds->n < SK_FDS_MAX) {
				fds->fd[fds->n++] = fd;
			} else {
				close(fd);
				r = -EMSGSIZE;
			}
		}
	}
	return r;
}

ssize_t sk_recv_fds(int sock, void *p, size_t n, struct sk_fds *fds)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * SK_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { p, n };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	ssize_t got = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int r;

	if (got < 0)
		return -errno;
	r = collect(&m, fds);
	if (r < 0)
		return r;
	return got == 0 ? -EPIPE : got;
}
