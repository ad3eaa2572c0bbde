/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TEST_VFU_SEND_H
#define SK_TEST_VFU_SEND_H

#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "virtio/vfio_user.h"

#define VFU_SEND_FDS 32

/* Sends a vfio-user message, well formed or not, with `n_fds` (at most VFU_SEND_FDS) descriptors; as sendmsg(). For
 * tests and fuzzers. */
static inline ssize_t vfu_send(int sock, struct vfu_header h, const void *payload, size_t size, const int *fds,
			       unsigned n_fds, int flags)
{
	struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)payload, size } };
	union {
		char buf[CMSG_SPACE(sizeof(int) * VFU_SEND_FDS)];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	struct cmsghdr *c;

	if (n_fds) {
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	return sendmsg(sock, &m, flags | MSG_NOSIGNAL);
}

#endif
