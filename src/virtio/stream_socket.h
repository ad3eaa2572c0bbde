/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_STREAM_SOCKET_H
#define SK_VIRTIO_STREAM_SOCKET_H

#include "base/loop.h"
#include "virtio/stream.h"

/*
 * The carrier of stream.h over sockets of the host, for a hypervisor that carries streams itself: AF_HYPERV with
 * Hyper-V, TCP on loopback in tests. A program has either this carrier or the vsock device's (vsock_stream.c): they
 * implement the same functions.
 */
#define SK_SOCKET_STREAMS_MAX 1024u
#define SK_SOCKET_CONNECT_MS 10000u

/* The kind of sockets. Both functions return a descriptor (CLOEXEC, O_NONBLOCK) that is the carrier's, or -errno. */
struct sk_socket_kind {
	/* One that listens for what the guest connects to as `port`. */
	int (*listener)(void *arg, uint32_t port);
	/* One whose connection to the guest's `port` has begun, and may be complete. */
	int (*dial)(void *arg, uint32_t port);
};

/* `kind` and `arg` outlive the carrier. -ENOMEM. */
int sk_socket_carrier_new(struct sk_loop *loop, const struct sk_socket_kind *kind, void *arg,
			  struct sk_carrier **ret_carrier);
/* Ends all streams without `closed`; not from inside a callback of a stream. Accepts NULL. */
void sk_socket_carrier_free(struct sk_carrier *carrier);

#endif
