/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every transport of a device shares: the listening socket, of which one frontend at a time is served, the device's
 * turns on its loop, and its failure. The transport itself is a table (struct sk_virtio_server): vhost_user.c speaks
 * vhost-user, vfio_user.c vfio-user; a device without a socket has another one (hdv_windows.c).
 *
 * Devices never end their connection themselves: they call sk_virtio_fail(), and the transport is told in the deferred
 * call, when no callback of the device is running.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "virtio/virtio_internal.h"

/* Turns of each queue when the frontend has gone: enough for a full ring. */
#define LAST_ROUNDS (SK_VQ_MAX_SIZE / SK_VIRTIO_BUDGET)

void sk_virtio_kick(struct sk_device *dev, unsigned q)
{
	if (!dev->vq[q].running || dev->failed)
		return;
	if (!dev->ops->queue_kick(dev, q))
		return;
	if (dev->again == 0)
		sk_loop_set_events(dev->again_source, SK_LOOP_READ);
	dev->again |= 1u << q;
}

/* A device stopped at its budget in the round before: its turn again, now that everybody else had theirs. */
static void on_again(void *arg, int fd, unsigned events)
{
	struct sk_device *dev = arg;
	uint32_t again = dev->again;
	unsigned i;

	(void)fd;
	(void)events;
	dev->again = 0;
	for (i = 0; i < dev->ops->n_queues; i++)
		if (again >> i & 1)
			sk_virtio_kick(dev, i);
	if (dev->again == 0)
		sk_loop_set_events(dev->again_source, 0);
}

void sk_virtio_drain(struct sk_device *dev)
{
	unsigned i, round;

	for (i = 0; i < dev->ops->n_queues; i++)
		for (round = 0; round < LAST_ROUNDS && dev->vq[i].running && !dev->failed; round++)
			if (!dev->ops->queue_kick(dev, i))
				break;
}

void sk_virtio_gone(struct sk_device *dev)
{
	unsigned i;

	for (i = 0; i < SK_VIRTIO_QUEUES; i++)
		dev->vq[i].call = NULL;
	dev->conn = NULL;
	dev->acked = 0;
	dev->failed = false;
	dev->again = 0;
	if (dev->ops->disconnected)
		dev->ops->disconnected(dev);
}

static void on_connection(void *arg, int take_fd)
{
	struct sk_device *dev = arg;
	int r = dev->server->adopt(dev, take_fd);

	if (r < 0) {
		sk_log(SK_LOG_ERROR, "%s device: cannot serve a frontend: %s", dev->name, strerror(-r));
		return;
	}
	/* The next one waits in the backlog until this one has gone. */
	sk_acceptor_free(SK_TAKE_PTR(dev->acceptor));
}

int sk_virtio_listen(struct sk_device *dev)
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

	if (dev->failed && dev->conn)
		dev->server->failed(dev);
}

void sk_virtio_fail(struct sk_device *dev, const char *why)
{
	if (dev->failed || !dev->conn)
		return;
	sk_log(SK_LOG_WARN, "%s device: %s: %s", dev->name, why, dev->server->consequence);
	dev->failed = true;
	sk_loop_trigger(dev->deferred);
}

/* A descriptor that is always readable. */
static int always_readable(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	return write(fds[1], "", 1) == 1 ? 0 : -EIO;
}

int sk_virtio_init_server(struct sk_device *dev, struct sk_loop *loop, int take_listen_fd,
			  const struct sk_virtio_server *server, struct sk_error *err)
{
	assert(dev->ops->n_queues > 0 && dev->ops->n_queues <= SK_VIRTIO_QUEUES && dev->ops->config &&
	       dev->ops->queue_kick && dev->ops->free);
	dev->loop = loop;
	dev->listen_fd = take_listen_fd;
	dev->again_fds[0] = dev->again_fds[1] = -1;
	dev->server = server;
	dev->deferred = sk_loop_add_deferred(loop, on_deferred, dev);
	if (always_readable(dev->again_fds) == 0)
		dev->again_source = sk_loop_add_fd(loop, dev->again_fds[0], 0, on_again, dev);
	if (!dev->deferred || !dev->again_source) {
		int r = errno;

		sk_virtio_fini(dev);
		return sk_error_errno(err, r, "cannot set up the %s device", dev->name);
	}
	if (sk_virtio_listen(dev) < 0) {
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
		dev->server->end(dev);
	sk_acceptor_free(SK_TAKE_PTR(dev->acceptor));
	sk_loop_remove(dev->deferred);
	sk_loop_remove(dev->again_source);
	sk_close_fd(&dev->again_fds[0]);
	sk_close_fd(&dev->again_fds[1]);
	sk_close_fd(&dev->listen_fd);
	dev->loop = NULL;
}

void sk_device_free(struct sk_device *dev)
{
	if (dev)
		dev->ops->free(dev);
}
