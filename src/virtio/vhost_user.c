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
 * error or call sk_virtio_fail(), and it goes in on_message() or in the deferred call.
 */
#include "virtio/vu_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* Messages handled before the loop serves others. */
#define MESSAGE_BATCH 32
/* Turns of each queue when the frontend has gone: enough for a full ring. */
#define LAST_ROUNDS (SK_VQ_MAX_SIZE / SK_VIRTIO_BUDGET)

static void close_message_fds(struct sk_vu_conn *c)
{
	unsigned i;

	for (i = 0; i < c->n_fds; i++)
		sk_close_fd(&c->fds[i]);
	c->n_fds = 0;
}

static int dispatch(struct sk_vu_conn *c)
{
	const struct vu_handler *h = &vu_handlers[c->msg.h.request];
	int r;

	if (c->n_fds > h->max_fds)
		return -EINVAL;
	r = h->run(c);
	if (r == 0 && (c->msg.h.flags & VU_FLAG_NEED_REPLY) && (c->protocol >> VU_PROTOCOL_F_REPLY_ACK & 1))
		r = vu_reply_u64(c, 0);
	return r < 0 ? r : 0;
}

/* Descriptors that came with the last bytes. A kernel that had to cut the list has closed the rest already. */
static int collect_fds(struct sk_vu_conn *c, struct msghdr *m)
{
	struct cmsghdr *cm;
	int r = m->msg_flags & MSG_CTRUNC ? -EMSGSIZE : 0;

	for (cm = CMSG_FIRSTHDR(m); cm; cm = CMSG_NXTHDR(m, cm)) {
		size_t n, i;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
			if (c->n_fds < VU_MAX_FDS) {
				c->fds[c->n_fds++] = fd;
			} else {
				close(fd);
				r = -EMSGSIZE;
			}
		}
	}
	return r;
}

/* Reads up to `n` bytes to `p`. Returns how many, -EAGAIN, -EPIPE at the end of the stream, or another errno. */
static ssize_t receive(struct sk_vu_conn *c, void *p, size_t n)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * VU_MAX_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { p, n };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	ssize_t got = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int r;

	if (got < 0)
		return -errno;
	r = collect_fds(c, &m);
	if (r < 0)
		return r;
	return got == 0 ? -EPIPE : got;
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
		n = receive(c, to, want);
		if (n == -EAGAIN || n == -EINTR)
			return 0;
		if (n < 0)
			return (int)n;
		c->have += (size_t)n;
	}
}

static int listen_again(struct sk_device *dev);

static void conn_end(struct sk_vu_conn *c)
{
	struct sk_device *dev = c->dev;
	unsigned i, round;

	/* The chains that the guest left on its queues are still served: the last output of a guest that powers off. */
	for (i = 0; i < dev->ops->n_queues; i++)
		for (round = 0; round < LAST_ROUNDS && dev->vq[i].running && !dev->failed; round++)
			if (!dev->ops->queue_kick(dev, i))
				break;
	for (i = 0; i < dev->ops->n_queues; i++)
		vu_queue_reset(&c->queues[i]);
	dev->conn = NULL;
	dev->acked = 0;
	dev->failed = false;
	dev->again = 0;
	if (dev->ops->disconnected)
		dev->ops->disconnected(dev);
	close_message_fds(c);
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
		close_message_fds(c);
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
	listen_again(dev);
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
		dev->vq[i] = (struct sk_virtqueue){ .call_fd = -1 };
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

static void on_connection(void *arg, int take_fd)
{
	struct sk_device *dev = arg;
	int r = sk_vu_adopt(dev, take_fd);

	if (r < 0) {
		sk_log(SK_LOG_ERROR, "%s device: cannot serve a frontend: %s", dev->name, strerror(-r));
		return;
	}
	/* The next one waits in the backlog until this one has gone. */
	sk_acceptor_free(SK_TAKE_PTR(dev->acceptor));
}

/* Accepts connections only while no frontend is connected. */
static int listen_again(struct sk_device *dev)
{
	if (dev->listen_fd < 0 || dev->acceptor || dev->conn)
		return 0;
	dev->acceptor = sk_acceptor_new(dev->loop, dev->listen_fd, on_connection, dev);
	if (dev->acceptor)
		return 0;
	sk_log(SK_LOG_ERROR, "%s device: cannot listen: %s", dev->name, strerror(errno));
	return -errno;
}

static void on_deferred(void *arg)
{
	struct sk_device *dev = arg;

	if (!dev->failed || !dev->conn)
		return;
	conn_end(dev->conn);
	listen_again(dev);
}

void sk_virtio_fail(struct sk_device *dev, const char *why)
{
	if (dev->failed || !dev->conn)
		return;
	sk_log(SK_LOG_WARN, "%s device: %s: connection ended", dev->name, why);
	dev->failed = true;
	sk_loop_trigger(dev->deferred);
}

int sk_virtio_init(struct sk_device *dev, struct sk_loop *loop, int take_listen_fd, struct sk_error *err)
{
	unsigned i;

	assert(dev->ops->n_queues > 0 && dev->ops->n_queues <= SK_VIRTIO_QUEUES && dev->ops->config &&
	       dev->ops->queue_kick && dev->ops->free);
	dev->loop = loop;
	dev->listen_fd = take_listen_fd;
	for (i = 0; i < SK_VIRTIO_QUEUES; i++)
		dev->vq[i].call_fd = -1;
	dev->deferred = sk_loop_add_deferred(loop, on_deferred, dev);
	dev->again_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dev->again_fd >= 0)
		dev->again_source = sk_loop_add_fd(loop, dev->again_fd, 0, vu_on_again, dev);
	if (!dev->deferred || !dev->again_source) {
		int r = errno;

		sk_virtio_fini(dev);
		return sk_error_errno(err, r, "cannot set up the %s device", dev->name);
	}
	if (listen_again(dev) < 0) {
		int r = errno;

		sk_virtio_fini(dev);
		return sk_error_errno(err, r, "cannot listen for the %s device's frontend", dev->name);
	}
	return 0;
}

void sk_virtio_fini(struct sk_device *dev)
{
	if (!dev->loop)
		return;
	dev->failed = true; /* no last round of kicks: the device is being taken apart */
	if (dev->conn)
		conn_end(dev->conn);
	sk_acceptor_free(SK_TAKE_PTR(dev->acceptor));
	sk_loop_remove(dev->deferred);
	sk_loop_remove(dev->again_source);
	sk_close_fd(&dev->again_fd);
	sk_close_fd(&dev->listen_fd);
	dev->loop = NULL;
}

void sk_device_free(struct sk_device *dev)
{
	if (dev)
		dev->ops->free(dev);
}
