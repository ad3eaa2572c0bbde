/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * virtio-net (virtio 1.2, section 5.1), one queue pair, no control queue. A frame from the guest is copied into private
 * memory (the guest could change it under the back end's parser) and handed to the back end; a frame for the guest is
 * written into as many of its buffers as it needs (mergeable) in one copy. While the guest has no buffers, up to
 * NET_BACKLOG_MAX bytes of frames wait; what is more is dropped, as a network does.
 *
 * Offloads: the guest may leave TCP and UDP checksums to us and send TCP segments larger than its MTU where the back
 * end takes them. Towards the guest, frames are marked as checked (DATA_VALID): they were made on this machine.
 *
 * Not trusted: the frame, its header, the number and size of buffers. A frame that makes no sense, or lies in memory
 * that is not mapped, is dropped; a chain without room for a header ends the connection.
 */
#include "virtio/net_dev.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <string.h>

enum net_queue {
	NET_RX,
	NET_TX,
	NET_QUEUES,
};

static struct net_dev *net_of(struct sk_device *dev)
{
	return (struct net_dev *)dev;
}

/* --- to the guest --- */

/* Writes bytes off.. of header and frame into a chain; returns how many. */
static size_t fill(const struct sk_vq_chain *c, const struct virtio_net_hdr_v1 *h, const uint8_t *frame, size_t len,
		   size_t off)
{
	const struct iovec *in = c->iov + c->n_out;
	size_t done = 0;

	if (off < sizeof(*h)) {
		done = sk_iovec_write(in, c->n_in, 0, (const uint8_t *)h + off, sizeof(*h) - off);
		off += done;
		if (off < sizeof(*h))
			return done;
	}
	return done + sk_iovec_write(in, c->n_in, done, frame + (off - sizeof(*h)), len - (off - sizeof(*h)));
}

/* One is laid out like the other. */
_Static_assert(sizeof(struct net_offload) == sizeof(struct virtio_net_hdr) &&
		       offsetof(struct net_offload, csum_start) == offsetof(struct virtio_net_hdr, csum_start) &&
		       NET_OFFLOAD_NEEDS_CSUM == VIRTIO_NET_HDR_F_NEEDS_CSUM &&
		       NET_OFFLOAD_DATA_VALID == VIRTIO_NET_HDR_F_DATA_VALID,
	       "struct net_offload");

/* A frame in the backlog. */
struct net_waiting {
	uint32_t len;
	struct net_offload header;
};

/* A buffer that was taken for a frame, and how many bytes of it are in there. */
struct net_used {
	uint16_t head;
	uint32_t len;
};

/* Gives `n` buffers back empty, which the guest takes for a lost frame: the last one is in memory that is not mapped.
 */
static void return_empty(struct sk_virtqueue *vq, const struct net_used *used, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		sk_vq_push(vq, used[i].head, 0);
	sk_vq_publish(vq);
}

/* 0: delivered, or not deliverable at all; -EAGAIN: not enough buffers now. */
static int try_deliver(struct net_dev *n, const struct net_offload *offload, const uint8_t *frame, size_t len)
{
	struct sk_virtqueue *vq = &n->dev.vq[NET_RX];
	struct virtio_net_hdr_v1 h = {
		.flags = offload->flags,
		.gso_type = offload->gso_type,
		.hdr_len = offload->hdr_len,
		.gso_size = offload->gso_size,
		.csum_start = offload->csum_start,
		.csum_offset = offload->csum_offset,
		.num_buffers = htole16(1),
	};
	size_t total = sizeof(h) + len, off = 0;
	struct net_used used[NET_MERGE_MAX];
	unsigned count = 0, i, unmapped = 0;
	uint16_t le;

	if (!sk_virtio_has(&n->dev, VIRTIO_NET_F_GUEST_CSUM))
		h.flags = 0;
	while (off < total) {
		struct sk_vq_chain *c = count == 0 ? &n->rx_first : &n->rx_more;
		int r = count < NET_MERGE_MAX ? sk_vq_next(vq, c) : 1;
		size_t put;

		if (r > 0 && count < NET_MERGE_MAX && sk_vq_unmapped(c) && unmapped++ < vq->num) {
			used[count].head = c->head;
			return_empty(vq, used, count + 1);
			count = 0;
			off = 0;
			continue;
		}
		if (r < 0 || (r > 0 && count < NET_MERGE_MAX && c->in_len < (count ? 1 : sizeof(h)))) {
			sk_virtio_fail(&n->dev, "the guest broke the receive queue");
			return 0;
		}
		if (r == 0) {
			sk_vq_unget(vq, count);
			return -EAGAIN;
		}
		if (count == NET_MERGE_MAX || (count == 1 && !sk_virtio_has(&n->dev, VIRTIO_NET_F_MRG_RXBUF))) {
			/* The buffers are too small for this frame. */
			sk_vq_unget(vq, count == NET_MERGE_MAX ? count : count + 1);
			return 0;
		}
		put = fill(c, &h, frame, len, off);
		used[count].head = c->head;
		used[count++].len = (uint32_t)put;
		off += put;
	}
	le = htole16((uint16_t)count);
	sk_iovec_write(n->rx_first.iov + n->rx_first.n_out, n->rx_first.n_in,
		       offsetof(struct virtio_net_hdr_v1, num_buffers), &le, sizeof(le));
	for (i = 0; i < count; i++)
		sk_vq_push(vq, used[i].head, used[i].len);
	sk_vq_publish(vq);
	return 0;
}

void net_deliver_offload(struct net_dev *n, const struct net_offload *h, const uint8_t *frame, size_t len)
{
	struct net_waiting w = { (uint32_t)len, *h };
	uint8_t *to;

	if (!n->dev.vq[NET_RX].running || n->dev.failed || len > NET_FRAME_MAX)
		return;
	if (!n->backlog.len && try_deliver(n, h, frame, len) == 0)
		return;
	to = sk_buf_reserve(&n->backlog, sizeof(w) + len);
	if (!to)
		return;
	memcpy(to, &w, sizeof(w));
	memcpy(to + sizeof(w), frame, len);
	sk_buf_commit(&n->backlog, sizeof(w) + len);
}

static struct net_dev *net_of_link(struct net_link *link)
{
	return (struct net_dev *)((char *)link - offsetof(struct net_dev, link));
}

static void link_deliver(struct net_link *link, const struct net_offload *h, const uint8_t *frame, size_t len)
{
	net_deliver_offload(net_of_link(link), h, frame, len);
}

static void link_flush(struct net_link *link)
{
	sk_vq_flush(&net_of_link(link)->dev.vq[NET_RX]);
}

const struct net_link_ops net_dev_link_ops = { link_deliver, link_flush };

static void drain_backlog(struct net_dev *n)
{
	while (n->backlog.len && !n->dev.failed) {
		const uint8_t *p = sk_buf_data(&n->backlog);
		struct net_waiting w;

		memcpy(&w, p, sizeof(w));
		if (try_deliver(n, &w.header, p + sizeof(w), w.len) < 0)
			break;
		sk_buf_consume(&n->backlog, sizeof(w) + w.len);
	}
	net_flush(&n->link);
}

/* --- from the guest --- */

static bool drain_tx(struct net_dev *n)
{
	struct sk_virtqueue *vq = &n->dev.vq[NET_TX];
	unsigned budget;
	int r = 0;

	for (budget = SK_VIRTIO_BUDGET; budget > 0; budget--) {
		struct virtio_net_hdr_v1 h;
		struct net_offload offload;
		size_t len;

		r = sk_vq_next(vq, &n->tx);
		if (r <= 0)
			break;
		if (sk_vq_unmapped(&n->tx)) {
			sk_vq_push(vq, n->tx.head, 0);
			continue;
		}
		if (sk_iovec_read(n->tx.iov, n->tx.n_out, 0, &h, sizeof(h)) != sizeof(h)) {
			r = -EPROTO;
			break;
		}
		len = sk_iovec_read(n->tx.iov, n->tx.n_out, sizeof(h), n->frame, sizeof(n->frame));
		sk_vq_push(vq, n->tx.head, 0);
		sk_vq_publish(vq);
		memcpy(&offload, &h, sizeof(offload));
		if (len >= 14 && len <= NET_FRAME_MAX)
			n->backend->transmit(n->arg, &offload, n->frame, len);
	}
	sk_vq_flush(vq);
	if (r < 0)
		sk_virtio_fail(&n->dev, "the guest broke the transmit queue");
	n->backend->transmitted(n->arg);
	return r > 0;
}

static bool net_kick(struct sk_device *dev, unsigned q)
{
	struct net_dev *n = net_of(dev);

	if (q == NET_TX)
		return drain_tx(n);
	drain_backlog(n);
	return false;
}

static size_t net_config(struct sk_device *dev, uint8_t buf[SK_VIRTIO_CONFIG])
{
	struct net_dev *n = net_of(dev);
	struct virtio_net_config c = {
		.status = htole16(VIRTIO_NET_S_LINK_UP),
		.max_virtqueue_pairs = htole16(1),
		.mtu = htole16(n->link.mtu),
	};

	memcpy(c.mac, n->link.mac, sizeof(c.mac));
	memcpy(buf, &c, sizeof(c));
	return sizeof(c);
}

static void net_queue_stopped(struct sk_device *dev, unsigned q)
{
	if (q == NET_RX)
		sk_buf_fini(&net_of(dev)->backlog);
}

static void net_free(struct sk_device *dev)
{
	struct net_dev *n = net_of(dev);
	const struct net_backend *backend = n->backend;

	sk_virtio_fini(dev);
	sk_buf_fini(&n->backlog);
	backend->free(n->arg);
}

static const struct sk_virtio_ops net_ops = {
	.n_queues = NET_QUEUES,
	.config = net_config,
	.queue_kick = net_kick,
	.queue_stopped = net_queue_stopped,
	.free = net_free,
};

int net_dev_init(struct net_dev *n, struct sk_loop *loop, int take_listen_fd, uint64_t features, struct sk_error *err)
{
	n->dev.ops = &net_ops;
	n->dev.id = SK_VIRTIO_NET;
	n->link.ops = &net_dev_link_ops;
	n->dev.name = "network";
	n->dev.features = features | UINT64_C(1) << VIRTIO_NET_F_MAC | UINT64_C(1) << VIRTIO_NET_F_MTU |
			  UINT64_C(1) << VIRTIO_NET_F_MRG_RXBUF | UINT64_C(1) << VIRTIO_NET_F_STATUS;
	sk_buf_init(&n->backlog, NET_BACKLOG_MAX);
	return sk_virtio_init(&n->dev, loop, take_listen_fd, err);
}
