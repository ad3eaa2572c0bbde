/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_SOCKET_H
#define SK_BASE_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

struct sockaddr_un;

/*
 * The address of a unix socket by descriptor, for bind() and connect() in this process: of the socket `name` in the
 * directory `fd`, or, without a name, of the socket that `fd` (O_PATH) is. A path may be longer than an address has room
 * for, and may lead elsewhere by the time it is used; a descriptor does neither. Valid as long as `fd` is open.
 * -EBADF: no descriptor; -ENAMETOOLONG: a name of more than about 80 bytes.
 */
int sk_socket_address(int fd, const char *name, struct sockaddr_un *ret);

/* The socket or pipe no longer waits. 0 or negative errno. */
int sk_socket_nonblock(int fd);
/* A send() that waits longer than `ms` milliseconds fails; 0: it waits for ever. */
void sk_socket_send_timeout(int fd, unsigned ms);
/* Whoever started this program has handed it a socket as `fd`, which is the callee's: the descriptor to use, which is not
 * handed on. -errno where it is none. */
int sk_socket_inherited(int fd);

/* The state of a TCP connection, as far as anybody here asks; negative errno where the system does not tell. */
enum sk_tcp_state {
	SK_TCP_OTHER,
	SK_TCP_MAY_SEND, /* established, or only the peer has ended its half */
	SK_TCP_CLOSED,	 /* reset, or never was one */
};
int sk_socket_tcp_state(int fd);

/* Sockets that this process may have, as descriptors. */
unsigned sk_socket_most(void);
/* Until sk_socket_let_go() this process gets no more sockets (EMFILE): around calls into a library that has no limit of
 * its own. False: they cannot be held back. */
struct sk_socket_hold {
	unsigned long long soft, hard; /* the platform's */
};
bool sk_socket_hold_back(struct sk_socket_hold *ret);
void sk_socket_let_go(const struct sk_socket_hold *hold);

/* Descriptors that one message can have. */
#define SK_SOCKET_FDS 4u
/* Sends one message with `n_fds` descriptors, which stay the caller's. 0 or negative errno (-EPIPE without a signal). */
int sk_socket_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds);
/* Receives one message of at most `len` bytes; `wait` false: -EAGAIN when there is none. `ret_fds`: its descriptors,
 * close-on-exec, if it has `n_fds` of them, else all -1. Returns its length, 0 at the end, or negative errno. */
int sk_socket_receive(int sock, bool wait, void *data, size_t len, int *ret_fds, size_t n_fds);

#endif
