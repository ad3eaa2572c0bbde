/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_STREAM_KINDS_H
#define SK_VIRTIO_STREAM_KINDS_H

#include "virtio/stream_socket.h"

/*
 * The kinds of sockets that carry a guest's streams (stream_socket.h).
 *
 * TCP on loopback, for tests: whoever runs the guest in Hyper-V's place is told by files. `arg` is the path of a directory
 * ("const char *"); its file "host-PORT" has the number of the TCP port that leads to what listens for the guest's
 * connections to PORT, and "guest-PORT", which the other side writes, that of the guest's own. Any program of the machine
 * can connect to these.
 */
extern const struct sk_socket_kind sk_socket_tcp;

/* Hyper-V's sockets: `arg` is the VM's address, a GUID as text. Windows only. */
extern const struct sk_socket_kind sk_socket_hyperv;

#endif
