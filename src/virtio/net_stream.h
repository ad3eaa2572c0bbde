/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NET_STREAM_H
#define SK_VIRTIO_NET_STREAM_H

#include "virtio/device.h"

/* The network of libslirp for a guest without a network device: its frames come and go on one stream (base/packet.h), which
 * the guest opens. See net_stream.c. */
struct sk_net_stream;

/* As sk_net_slirp_new(). What the network has for the guest is dropped until its stream is there. */
int sk_net_stream_new(struct sk_loop *loop, const struct sk_slirp_config *config, struct sk_net_stream **ret_net,
		      struct sk_error *err);
/* Accepts NULL. Closes the stream; before the carrier is freed. */
void sk_net_stream_free(struct sk_net_stream *net);
/* The guest's stream, which is taken, and the `n` bytes that have come on it already, of which all are taken: returns `n`.
 * Once: false from sk_net_stream_is_free() afterwards, also when the stream has ended. */
size_t sk_net_stream_join(struct sk_net_stream *net, struct sk_stream *take_stream, const uint8_t *data, size_t n);
bool sk_net_stream_is_free(const struct sk_net_stream *net);
/* As sk_net_slirp_publish() and sk_net_slirp_withdraw(). */
int sk_net_stream_publish(struct sk_net_stream *net, const struct sk_slirp_forward *forward);
void sk_net_stream_withdraw(struct sk_net_stream *net, const struct sk_slirp_forward *forward);

#endif
