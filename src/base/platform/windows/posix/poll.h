/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_POLL_H
#define SK_WINDOWS_POLL_H

/* Of descriptors that hold sockets; of others it says at once that they are ready. See sk_posix.h. */
#include <sys/socket.h>

struct sk_posix_pollfd {
	int fd; /* negative: left out */
	short events, revents;
};
#define pollfd sk_posix_pollfd
#define poll sk_posix_poll
int sk_posix_poll(struct sk_posix_pollfd *fds, unsigned n, int timeout_ms);

#endif
