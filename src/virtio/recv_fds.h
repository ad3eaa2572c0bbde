/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_RECV_FDS_H
#define SK_VIRTIO_RECV_FDS_H

#include <stddef.h>
#include <sys/types.h>

#define SK_FDS_MAX 8u

/* Descriptors that came with the bytes of a message. Whoever handles it may take some: those are -1 then. */
struct sk_fds {
	int fd[SK_FDS_MAX];
	unsigned n;
};

/* Reads up to `n` bytes of a stream socket to `p`, without waiting, and adds the descriptors that came with them.
 * Returns how many bytes, -EAGAIN, -EPIPE at the end of the stream, -EMSGSIZE: more descriptors than fit (the rest is
 * closed), or another errno. */
ssize_t sk_recv_fds(int sock, void *p, size_t n, struct sk_fds *fds);
/* Closes those that nobody took. */
void sk_fds_close(struct sk_fds *fds);

#endif
