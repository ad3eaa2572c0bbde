/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles the messages of a frontend: features, memory, queues. The rules are at the top of vhost_user.c.
 *
 * Life of a queue: SET_VRING_NUM, _BASE, _ADDR, _KICK, _CALL in any order, then SET_VRING_ENABLE 1 (where protocol
 * features are negotiated; else a queue starts enabled). It runs once it has an address, a kick descriptor and is
 * enabled: queue_ready, and one queue_kick for what may wait already. GET_VRING_BASE ends it and forgets the
 * descriptors; ENABLE 0 suspends it (virtio_uml frees the rings after that without another message), keeping its
 * indices for an ENABLE 1.
 */
#include "virtio/vu_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "virtio/notify.h"

#define PROTOCOL_FEATURES                                                                       \
	(1u << VU_PROTOCOL_F_MQ | 1u << VU_PROTOCOL_F_REPLY_ACK | 1u << VU_PROTOCOL_F_NET_MTU | \
	 1u << VU_PROTOCOL_F_BACKEND_REQ | 1u << VU_PROTOCOL_F_CONFIG | 1u << VU_PROTOCOL_F_RESET_DEVICE)

static int on_kick_fd(struct vu_queue *q);

/* --- queues --- */

static void on_kick(void *arg, int fd, unsigned events)
{
	struct vu_queue *q = arg;
	uint8_t drain[64];
	ssize_t n;

	if (q->kick_is_socket) {
		n = recv(fd, drain, sizeof(drain), MSG_DONTWAIT);
		if ((n < 0 && errno != EAGAIN && errno != EINTR) || n == 0 || (events & SK_LOOP_HANGUP)) {
			/* The kick descriptor is closed at its other end: stop polling it. The connection's end will
			 * stop the queue. */
			sk_loop_remove(q->kick);
			q->kick = NULL;
		}
	}
	sk_virtio_kick(q->conn->dev, q->index);
}

static void queue_stop(struct vu_queue *q)
{
	struct sk_device *dev = q->conn->dev;
	struct sk_virtqueue *vq = &dev->vq[q->index];

	sk_loop_remove(q->kick);
	q->kick = NULL;
	dev->again &= ~(1u << q->index);
	if (!vq->running)
		return;
	sk_vq_flush(vq);
	q->base = vq->last_avail;
	vq->running = false;
	if (dev->ops->queue_stopped)
		dev->ops->queue_stopped(dev, q->index);
}

/* Starts the queue if it has all it needs. */
static int queue_try_start(struct vu_queue *q)
{
	struct sk_device *dev = q->conn->dev;
	struct sk_virtqueue *vq = &dev->vq[q->index];
	int r;

	if (vq->running || !q->enabled || !q->has_addr || q->num == 0 || q->kick_fd < 0 || q->conn->mem.n == 0)
		return 0;
	if (!sk_virtio_has(dev, VIRTIO_F_VERSION_1))
		return 0; /* a driver of before virtio 1.0, a boot loader's perhaps: the device does not answer */
	vq->event_idx = sk_virtio_has(dev, VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = sk_virtio_has(dev, VIRTIO_RING_F_INDIRECT_DESC);
	r = sk_vq_start(vq, &q->conn->mem, q->num, q->desc, q->avail, q->used, q->base);
	if (r < 0)
		return r;
	r = on_kick_fd(q);
	if (r < 0)
		return r;
	if (dev->ops->queue_ready)
		dev->ops->queue_ready(dev, q->index);
	sk_virtio_kick(dev, q->index);
	return 0;
}

static int on_kick_fd(struct vu_queue *q)
{
	struct sk_device *dev = q->conn->dev;

	/* An eventfd is not read: the frontend holds it, too, and could make us wait. Each write to it is an edge. */
	q->kick = sk_loop_add_fd(dev->loop, q->kick_fd, SK_LOOP_READ | (q->kick_is_socket ? 0 : SK_LOOP_EDGE), on_kick,
				 q);
	if (q->kick)
		return 0;
	dev->vq[q->index].running = false;
	return -errno;
}

/* Back to the state of a new connection. */
void vu_queue_reset(struct vu_queue *q)
{
	queue_stop(q);
	sk_close_fd(&q->kick_fd);
	sk_close_fd(&q->call.fd);
	q->has_addr = q->enabled = false;
	q->num = 0;
	q->base = 0;
}

/* --- message handlers --- */

static int reply(struct sk_vu_conn *c, const void *payload, size_t len)
{
	struct vu_header h = { c->msg.h.request, VU_VERSION | VU_FLAG_REPLY, (uint32_t)len };
	struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)payload, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	return (size_t)n == sizeof(h) + len ? 1 : -EPIPE;
}

int vu_reply_u64(struct sk_vu_conn *c, uint64_t v)
{
	return reply(c, &v, sizeof(v));
}

static struct vu_queue *get_queue(struct sk_vu_conn *c, uint64_t index)
{
	return index < c->dev->ops->n_queues ? &c->queues[index] : NULL;
}

static uint64_t offered(const struct sk_device *dev)
{
	return dev->features | SK_VIRTIO_RING_FEATURES | UINT64_C(1) << VU_F_PROTOCOL_FEATURES;
}

static int do_get_features(struct sk_vu_conn *c)
{
	return vu_reply_u64(c, offered(c->dev));
}

static bool any_running(const struct sk_device *dev)
{
	unsigned i;

	for (i = 0; i < dev->ops->n_queues; i++)
		if (dev->vq[i].running)
			return true;
	return false;
}

static int do_set_features(struct sk_vu_conn *c)
{
	struct sk_device *dev = c->dev;
	unsigned i;

	if (c->msg.p.u64 & ~offered(dev))
		return -EINVAL;
	if (c->msg.p.u64 == dev->acked)
		return 0;
	if (any_running(dev))
		return -EBUSY;
	dev->acked = c->msg.p.u64;
	if (!sk_virtio_has(dev, VU_F_PROTOCOL_FEATURES))
		for (i = 0; i < dev->ops->n_queues; i++)
			c->queues[i].enabled = true;
	return 0;
}

static int do_nothing(struct sk_vu_conn *c)
{
	(void)c;
	return 0;
}

static int do_reset(struct sk_vu_conn *c)
{
	unsigned i;

	for (i = 0; i < c->dev->ops->n_queues; i++)
		vu_queue_reset(&c->queues[i]);
	c->dev->acked = 0;
	return 0;
}

/* A queue that runs goes on with the new mapping without the device noticing, or stops while the old one is still
 * there. */
static int remap_queue(struct vu_queue *q)
{
	struct sk_virtqueue *vq = &q->conn->dev->vq[q->index];
	int r = sk_vq_remap(vq, q->desc, q->avail, q->used);

	if (r < 0)
		queue_stop(q);
	return r;
}

/* Remap or stop every queue before the old mapping is removed, also those after a queue that does not fit. */
static int do_set_mem_table(struct sk_vu_conn *c)
{
	const struct vu_mem_table *t = &c->msg.p.mem;
	struct sk_guest_mem fresh = { .n = 0 }, old;
	unsigned i;
	int r;

	if (c->msg.h.size < 8 || t->n == 0 || t->n > VU_MAX_REGIONS || t->n != c->fds.n ||
	    c->msg.h.size != 8 + t->n * sizeof(t->regions[0]))
		return -EINVAL;
	for (i = 0; i < t->n; i++) {
		const struct vu_mem_region *g = &t->regions[i];

		r = sk_mem_add(&fresh, c->fds.fd[i], g->guest_addr, g->user_addr, g->size, g->mmap_offset);
		if (r < 0) {
			sk_mem_fini(&fresh);
			return r;
		}
	}
	old = c->mem;
	c->mem = fresh;
	r = 0;
	for (i = 0; i < c->dev->ops->n_queues; i++) {
		int one = remap_queue(&c->queues[i]);

		if (r == 0)
			r = one;
	}
	sk_mem_fini(&old);
	return r;
}

static int do_set_vring_num(struct sk_vu_conn *c)
{
	struct vu_queue *q = get_queue(c, c->msg.p.state.index);

	if (!q || c->msg.p.state.num == 0 || c->msg.p.state.num > SK_VQ_MAX_SIZE)
		return -EINVAL;
	if (c->dev->vq[q->index].running)
		return -EBUSY;
	q->num = c->msg.p.state.num;
	return 0;
}

static int do_set_vring_base(struct sk_vu_conn *c)
{
	struct vu_queue *q = get_queue(c, c->msg.p.state.index);

	if (!q || c->msg.p.state.num > UINT16_MAX)
		return -EINVAL;
	if (c->dev->vq[q->index].running)
		return -EBUSY;
	q->base = (uint16_t)c->msg.p.state.num;
	return 0;
}

static int do_get_vring_base(struct sk_vu_conn *c)
{
	struct vu_queue *q = get_queue(c, c->msg.p.state.index);
	struct vu_vring_state s;

	if (!q)
		return -EINVAL;
	queue_stop(q);
	sk_close_fd(&q->kick_fd);
	sk_close_fd(&q->call.fd);
	s = (struct vu_vring_state){ q->index, q->base };
	return reply(c, &s, sizeof(s));
}

static int do_set_vring_addr(struct sk_vu_conn *c)
{
	const struct vu_vring_addr *a = &c->msg.p.addr;
	struct vu_queue *q = get_queue(c, a->index);

	if (!q)
		return -EINVAL;
	if (c->dev->vq[q->index].running)
		return -EBUSY;
	/* flags ask for a dirty log, which was not offered */
	q->desc = a->desc;
	q->avail = a->avail;
	q->used = a->used;
	q->has_addr = true;
	return queue_try_start(q);
}

/* The queue and the descriptor (or -1) of a SET_VRING_KICK, CALL or ERR. */
static int vring_fd(struct sk_vu_conn *c, struct vu_queue **ret_q, int *ret_fd, bool *ret_socket)
{
	uint64_t v = c->msg.p.u64;
	int r;

	*ret_q = get_queue(c, v & VU_VRING_INDEX_MASK);
	*ret_fd = -1;
	*ret_socket = false;
	if (!*ret_q || (v & ~(uint64_t)(VU_VRING_INDEX_MASK | VU_VRING_NOFD)))
		return -EINVAL;
	if (v & VU_VRING_NOFD)
		return c->fds.n == 0 ? 0 : -EINVAL;
	if (c->fds.n != 1)
		return -EINVAL;
	r = sk_notify_check(c->fds.fd[0], ret_socket);
	if (r < 0)
		return r;
	*ret_fd = SK_TAKE_FD(c->fds.fd[0]);
	return 0;
}

static int do_set_vring_kick(struct sk_vu_conn *c)
{
	struct vu_queue *q;
	bool is_socket;
	int fd, r = vring_fd(c, &q, &fd, &is_socket);

	if (r < 0)
		return r;
	if (fd < 0)
		return -EOPNOTSUPP; /* no polling mode */
	/* Nothing but an eventfd takes a notification: a timer would wake us without an end. */
	if (!is_socket && (r = sk_notify(fd)) < 0) {
		close(fd);
		return r;
	}
	sk_loop_remove(q->kick);
	q->kick = NULL;
	sk_close_fd(&q->kick_fd);
	q->kick_fd = fd;
	q->kick_is_socket = is_socket;
	if (c->dev->vq[q->index].running)
		return on_kick_fd(q);
	return queue_try_start(q);
}

static int do_set_vring_call(struct sk_vu_conn *c)
{
	struct vu_queue *q;
	struct sk_virtqueue *vq;
	bool is_socket;
	int fd, r = vring_fd(c, &q, &fd, &is_socket);

	if (r < 0)
		return r;
	if (fd >= 0 && !is_socket && (r = sk_notify(fd)) < 0) {
		close(fd);
		return r;
	}
	vq = &c->dev->vq[q->index];
	sk_close_fd(&q->call.fd);
	q->call = (struct sk_notify_fd){ fd, is_socket };
	/* QEMU restarts a queue before it sets the call descriptor: without this it would miss buffers used in
	 * between. */
	if (vq->running)
		sk_vq_call(vq);
	return 0;
}

static int do_set_vring_err(struct sk_vu_conn *c)
{
	/* Never used: a queue with an error ends the connection. The descriptor is closed with the message. */
	return c->fds.n <= 1 ? 0 : -EINVAL;
}

static int do_get_protocol_features(struct sk_vu_conn *c)
{
	return vu_reply_u64(c, PROTOCOL_FEATURES);
}

static int do_set_protocol_features(struct sk_vu_conn *c)
{
	if (c->msg.p.u64 & ~(uint64_t)PROTOCOL_FEATURES)
		return -EINVAL;
	c->protocol = c->msg.p.u64;
	return 0;
}

static int do_get_queue_num(struct sk_vu_conn *c)
{
	return vu_reply_u64(c, c->dev->ops->n_queues);
}

static int do_set_vring_enable(struct sk_vu_conn *c)
{
	struct vu_queue *q = get_queue(c, c->msg.p.state.index);

	if (!q || c->msg.p.state.num > 1)
		return -EINVAL;
	q->enabled = c->msg.p.state.num;
	if (q->enabled)
		return queue_try_start(q);
	queue_stop(q);
	return 0;
}

static int do_set_backend_req_fd(struct sk_vu_conn *c)
{
	if (c->fds.n != 1)
		return -EINVAL;
	sk_close_fd(&c->backend_req_fd);
	c->backend_req_fd = SK_TAKE_FD(c->fds.fd[0]);
	return 0;
}

/* The reply is exactly as long as was asked: virtio_uml takes nothing else. Behind the device's config are zeros. */
static int do_get_config(struct sk_vu_conn *c)
{
	const size_t fixed = offsetof(struct vu_config, data);
	struct vu_config out = { .flags = c->msg.p.config.flags };
	uint8_t space[SK_VIRTIO_CONFIG] = { 0 };
	uint32_t off = c->msg.p.config.offset, size = c->msg.p.config.size;

	if (c->msg.h.size < fixed || size > VU_CONFIG_MAX || off > VU_CONFIG_MAX - size ||
	    c->msg.h.size != fixed + size)
		return -EINVAL;
	c->dev->ops->config(c->dev, space);
	out.offset = off;
	out.size = size;
	memcpy(out.data, space + off, size);
	return reply(c, &out, fixed + size);
}

static int do_set_config(struct sk_vu_conn *c)
{
	const size_t fixed = offsetof(struct vu_config, data);
	const struct vu_config *in = &c->msg.p.config;

	if (c->msg.h.size < fixed || in->size > VU_CONFIG_MAX || in->offset > VU_CONFIG_MAX - in->size ||
	    c->msg.h.size != fixed + in->size)
		return -EINVAL;
	if (c->dev->ops->set_config)
		c->dev->ops->set_config(c->dev, in->offset, in->data, in->size);
	return 0;
}

const struct vu_handler vu_handlers[VU_REQUESTS] = {
	[VU_GET_FEATURES] = { do_get_features, 0, 0 },
	[VU_SET_FEATURES] = { do_set_features, 8, 0 },
	[VU_SET_OWNER] = { do_nothing, 0, 0 },
	[VU_RESET_OWNER] = { do_reset, 0, 0 },
	[VU_SET_MEM_TABLE] = { do_set_mem_table, VU_VARIABLE, VU_MAX_FDS },
	[VU_SET_VRING_NUM] = { do_set_vring_num, sizeof(struct vu_vring_state), 0 },
	[VU_SET_VRING_ADDR] = { do_set_vring_addr, sizeof(struct vu_vring_addr), 0 },
	[VU_SET_VRING_BASE] = { do_set_vring_base, sizeof(struct vu_vring_state), 0 },
	[VU_GET_VRING_BASE] = { do_get_vring_base, sizeof(struct vu_vring_state), 0 },
	[VU_SET_VRING_KICK] = { do_set_vring_kick, 8, 1 },
	[VU_SET_VRING_CALL] = { do_set_vring_call, 8, 1 },
	[VU_SET_VRING_ERR] = { do_set_vring_err, 8, 1 },
	[VU_GET_PROTOCOL_FEATURES] = { do_get_protocol_features, 0, 0 },
	[VU_SET_PROTOCOL_FEATURES] = { do_set_protocol_features, 8, 0 },
	[VU_GET_QUEUE_NUM] = { do_get_queue_num, 0, 0 },
	[VU_SET_VRING_ENABLE] = { do_set_vring_enable, sizeof(struct vu_vring_state), 0 },
	[VU_SEND_RARP] = { do_nothing, 8, 0 },
	[VU_NET_SET_MTU] = { do_nothing, 8, 0 },
	[VU_SET_BACKEND_REQ_FD] = { do_set_backend_req_fd, 0, 1 },
	[VU_GET_CONFIG] = { do_get_config, VU_VARIABLE, 0 },
	[VU_SET_CONFIG] = { do_set_config, VU_VARIABLE, 0 },
	[VU_RESET_DEVICE] = { do_reset, 0, 0 },
};
