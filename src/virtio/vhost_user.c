/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The backend side of vhost-user: a listening socket per device, one frontend (User-mode Linux' virtio_uml, QEMU) at a
 * time. The frontend sends its memory as descriptors, then says per queue where the rings are and which descriptors
 * carry the notifications.
 *
 * Not trusted: everything. The frontend is the engine process, which a guest may have taken over. Message sizes are
 * exact or the connection ends; descriptors are collected with each message and closed unless its handler takes them;
 * memory is mapped only inside its file; ring addresses are translated when a ring starts and again when the memory
 * table changes. An error ends this connection and nothing else; the listening socket then serves the next one.
 *
 * Never blocks: the guest waits for our replies with interrupts off. Sockets are read and written without waiting; a
 * frontend that does not read its replies is dropped.
 *
 * Lifetime: sk_vu_conn lives from accept to conn_end(). Handlers and devices never end it themselves: they return an
 * error or call sk_virtio_fail(), and it goes in on_message() or in the deferred call (server.c).
 */
#include "virtio/vu_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* Messages handled before the loop serves others. */
#define MESSAGE_BATCH 32

static int dispatch(struct sk_vu_conn *c)
{
	const struct vu_handler *h = &vu_handlers[c->msg.h.request];
	int r;

	if (c->fds.n > h->max_fds)
		return -EINVAL;
	r = h->run(c);
	if (r == 0 && (c->msg.h.flags & VU_FLAG_NEED_REPLY) && (c->protocol >> VU_PROTOCOL_F_REPLY_ACK & 1))
		r = vu_reply_u64(c, 0);
	return r < 0 ? r : 0;
}

/* Reads on. 1: a whole message is there; 0: not yet; negative: the connection ends. */
static int read_message(struct sk_vu_conn *c)
{
	struct vu_header *h = &c->msg.h;

	for (;;) {
		uint8_t *to;
		size_t want;
		ssize_t n;

		if (c->have < sizeof(*h)) {
			to = (uint8_t *)h + c->have;
			want = sizeof(*h) - c->have;
		} else {
			if ((h->flags & (VU_VERSION_MASK | VU_FLAG_REPLY)) != VU_VERSION || h->request >= VU_REQUESTS ||
			    !vu_handlers[h->request].run || h->size > sizeof(c->msg.p))
				return -EPROTO;
			if (vu_handlers[h->request].size != VU_VARIABLE && vu_handlers[h->request].size != h->size)
				return -EPROTO;
			want = sizeof(*h) + h->size - c->have;
			to = (uint8_t *)&c->msg.p + (c->have - sizeof(*h));
			if (want == 0)
				return 1;
		}
		n = sk_recv_fds(c->fd, to, want, &c->fds);
		if (n == -EAGAIN || n == -EINTR)
			return 0;
		if (n < 0)
			return (int)n;
		c->have += (size_t)n;
	}
}

static void conn_end(struct sk_vu_conn *c)
{
	struct sk_device *dev = c->dev;
	unsigned i;

	sk_virtio_drain(dev);
	for (i = 0; i < dev->ops->n_queues; i++)
		vu_queue_reset(&c->queues[i]);
	sk_virtio_gone(dev);
	sk_fds_close(&c->fds);
	sk_loop_remove(c->source);
	sk_close_fd(&c->backend_req_fd);
	sk_close_fd(&c->fd);
	sk_mem_fini(&c->mem);
	free(c);
}

static void on_message(void *arg, int fd, unsigned events)
{
	struct sk_vu_conn *c = arg;
	struct sk_device *dev = c->dev;
	int i, r = 0;

	(void)fd;
	(void)events;
	for (i = 0; i < MESSAGE_BATCH; i++) {
		r = read_message(c);
		if (r <= 0)
			break;
		r = dispatch(c);
		sk_fds_close(&c->fds);
		c->have = 0;
		if (r < 0) {
			sk_log(SK_LOG_WARN, "%s device: connection ended: frontend's request %u: %s", dev->name,
			       c->msg.h.request, strerror(-r));
			r = -EPIPE; /* said */
			break;
		}
	}
	if (r >= 0)
		return;
	if (r != -EPIPE && r != -ECONNRESET)
		sk_log(SK_LOG_WARN, "%s device: connection ended: %s", dev->name, strerror(-r));
	conn_end(c);
	sk_virtio_listen(dev);
}

int sk_vu_adopt(struct sk_device *dev, int take_fd)
{
	struct sk_vu_conn *c = calloc(1, sizeof(*c));
	unsigned i;

	assert(!dev->conn);
	if (!c) {
		close(take_fd);
		return -ENOMEM;
	}
	c->dev = dev;
	c->fd = take_fd;
	c->backend_req_fd = -1;
	for (i = 0; i < SK_VIRTIO_QUEUES; i++) {
		c->queues[i].conn = c;
		c->queues[i].index = i;
		c->queues[i].kick_fd = -1;
		c->queues[i].call.fd = -1;
		dev->vq[i] = (struct sk_virtqueue){ .call = sk_notify_call, .call_arg = &c->queues[i].call };
	}
	c->source = sk_loop_add_fd(dev->loop, take_fd, SK_LOOP_READ, on_message, c);
	if (!c->source) {
		int r = -errno;

		sk_close_fd(&c->fd);
		free(c);
		return r;
	}
	dev->conn = c;
	if (dev->ops->connected)
		dev->ops->connected(dev);
	return 0;
}

static void end(struct sk_device *dev)
{
	conn_end(dev->conn);
}

static void failed(struct sk_device *dev)
{
	conn_end(dev->conn);
	sk_virtio_listen(dev);
}

static const struct sk_virtio_server server = {
	.consequence = "connection ended",
	.adopt = sk_vu_adopt,
	.failed = failed,
	.end = end,
};

int sk_virtio_init(struct sk_device *dev, struct sk_loop *loop, int take_listen_fd, struct sk_error *err)
{
	return sk_virtio_init_server(dev, loop, take_listen_fd, &server, err);
}
