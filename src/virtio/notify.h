/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NOTIFY_H
#define SK_VIRTIO_NOTIFY_H

#include <stdbool.h>

/* Adds 1 to an eventfd that others hold, too. Never blocks, whatever they do to it meanwhile. 0, -EINVAL: it is none,
 * or another negative errno. To be called first after the process's last fork. */
int sk_notify(int eventfd);
/* A descriptor that notifications may go through: a stream socket, or a file without a type (an eventfd). It is shared
 * with whoever sent it, and so are its flags: O_NONBLOCK means nothing. -EINVAL: something else. */
int sk_notify_check(int fd, bool *ret_socket);

/* What a frontend is notified through: an eventfd (QEMU), or one end of a stream socket pair (User-mode Linux). */
struct sk_notify_fd {
	int fd; /* -1: none */
	bool is_socket;
};
/* Notifies; `arg` is a struct sk_notify_fd. Never blocks. */
void sk_notify_call(void *arg);

#endif
