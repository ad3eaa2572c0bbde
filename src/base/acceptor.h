/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_ACCEPTOR_H
#define SK_BASE_ACCEPTOR_H

#include "base/loop.h"

/*
 * Takes the connections of a listening socket. Whoever can make us use up our descriptors shall not keep others out nor
 * make the loop spin: a descriptor is kept in reserve, with which the first of the queue is taken and dropped when no
 * other is left, so that it learns of it; then the socket is not looked at for a tenth of a second.
 */
struct sk_acceptor;

/* A connection, CLOEXEC and O_NONBLOCK, the callee's. It may free the acceptor. */
typedef void (*sk_accept_cb)(void *arg, int take_fd);

/* `listen_fd` stays the caller's. NULL with errno set. */
struct sk_acceptor *sk_acceptor_new(struct sk_loop *loop, int listen_fd, sk_accept_cb cb, void *arg);
/* Takes a connection that waits now. */
void sk_acceptor_poll(struct sk_acceptor *a);
/* NULL is allowed. */
void sk_acceptor_free(struct sk_acceptor *a);

/* Raises the soft limit of descriptors to the hard one, but not above `max`. The new soft limit. */
unsigned sk_raise_fd_limit(unsigned max);

#endif
