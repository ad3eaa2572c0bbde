/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The server's side of vfio-user: a listening socket per device, one client (QEMU's vfio-user-pci) at a time. The client
 * gives the guest's memory as descriptors and eventfds for the interrupts; each access of the guest to configuration
 * space or BARs is a message, and what they mean is virtio_pci.c's. The client keeps the MSI-X table itself: a vector
 * that it wants to hear of has an eventfd.
 *
 * Not trusted: everything, as with vhost-user (vhost_user.c). A message has a bounded size, and its payload the size
 * that belongs to its command, or the connection ends. What is well formed and cannot be done is answered with an error.
 * Memory is mapped only inside its file; regions that are no memory of the guest's (without a descriptor, or read-only:
 * ROMs) are accepted and not used.
 *
 * Never blocks: a virtual processor waits for most replies. So a doorbell is answered first, and then the queue is
 * served; most clients want no answer to it at all (VFU_NO_REPLY). A client that does not read its replies is dropped.
 *
 * Lifetime: as vhost_user.c's.
 */
#include "virtio/vfio_user.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "virtio/notify.h"
#include "virtio/recv_fds.h"
#include "virtio/virtio_pci.h"

_Static_assert(VFU_MAX_FDS <= SK_FDS_MAX, "a message's descriptors fit");

/* Messages handled before the loop serves others. */
#define MESSAGE_BATCH 32

struct vfu_conn {
	struct sk_device *dev;
	struct sk_pci *pci;
	int fd;
	struct sk_source *source;
	bool greeted; /* the version is agreed on */
	int irq[SK_PCI_VECTORS];
	/* The message being read. */
	struct {
		struct vfu_header h;
		uint8_t payload[VFU_MESSAGE_MAX - sizeof(struct vfu_header)];
	} msg;
	size_t have;
	struct sk_fds fds;
	/* Its answer. */
	size_t reply_len;
	uint8_t reply[sizeof(struct vfu_region_access) + SK_PCI_ACCESS_MAX];
};

/* Handlers return 0 or negative errno: the answer is an error then. `p` is the payload, c->msg.h.size with the header
 * its size, at least `min`. They may take descriptors. */
struct handler {
	int (*run)(struct vfu_conn *c, const void *p, size_t n);
	size_t min, max; /* of the payload */
	unsigned max_fds;
};

static void put_reply(struct vfu_conn *c, const void *p, size_t n)
{
	assert(n <= sizeof(c->reply));
	memcpy(c->reply, p, n);
	c->reply_len = n;
}

static void interrupt(void *arg, unsigned v, uint64_t address, uint32_t data)
{
	const struct vfu_conn *c = arg;

	(void)address;
	(void)data;
	if (c->irq[v] >= 0)
		(void)sk_notify(c->irq[v]);
}

static const struct sk_pci_host host = { .interrupt = interrupt, .keeps_table = true };

/* --- messages --- */

/* The capabilities are less than every client proposes, which is what may be answered. */
static int do_version(struct vfu_conn *c, const void *p, size_t n)
{
	static const char capabilities[] = "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":256}}";
	const char *json = (const char *)p + sizeof(struct vfu_version);
	struct vfu_version v;

	memcpy(&v, p, sizeof(v));
	if (c->greeted || v.major != VFU_MAJOR || (n > sizeof(v) && json[n - sizeof(v) - 1]))
		return -EINVAL;
	if (v.minor > VFU_MINOR)
		v.minor = VFU_MINOR;
	c->greeted = true;
	memcpy(c->reply, &v, sizeof(v));
	c->reply_len = sizeof(v);
	/* QEMU takes no longer answer than its question was. */
	if (n >= sizeof(v) + sizeof(capabilities)) {
		memcpy(c->reply + sizeof(v), capabilities, sizeof(capabilities));
		c->reply_len += sizeof(capabilities);
	}
	return 0;
}

static int do_dma_map(struct vfu_conn *c, const void *p, size_t n)
{
	struct sk_guest_mem *mem = sk_pci_memory(c->pci);
	struct vfu_dma_map m;

	(void)n;
	memcpy(&m, p, sizeof(m));
	if (m.size == 0 || m.address > UINT64_MAX - m.size || (m.flags & ~(VFU_DMA_READ | VFU_DMA_WRITE)))
		return -EINVAL;
	if (sk_mem_overlaps(mem, m.address, m.size))
		return -EEXIST;
	if (c->fds.n == 0 || !(m.flags & VFU_DMA_WRITE))
		return 0;
	return sk_mem_add(mem, c->fds.fd[0], m.address, m.address, m.size, m.offset);
}

static void unmap(struct vfu_conn *c, struct sk_mem_region *r)
{
	sk_pci_memory_lost(c->pci);
	sk_mem_unmap(r);
}

static int do_dma_unmap(struct vfu_conn *c, const void *p, size_t n)
{
	struct sk_guest_mem *mem = sk_pci_memory(c->pci);
	struct sk_mem_region r;
	struct vfu_dma_unmap m;

	(void)n;
	memcpy(&m, p, sizeof(m));
	if (m.flags & VFU_DMA_UNMAP_ALL) {
		while (mem->n && sk_mem_take(mem, mem->regions[0].gpa, mem->regions[0].size, &r) == 0)
			unmap(c, &r);
	} else if (m.flags || m.size == 0 || m.address > UINT64_MAX - m.size) {
		return -EINVAL;
	} else if (sk_mem_take(mem, m.address, m.size, &r) == 0) {
		unmap(c, &r);
	} else if (sk_mem_overlaps(mem, m.address, m.size)) {
		return -EINVAL; /* a part of a region */
	}
	put_reply(c, &m, sizeof(m));
	return 0;
}

static int do_device_info(struct vfu_conn *c, const void *p, size_t n)
{
	struct vfu_device_info i = { sizeof(i), VFU_DEVICE_RESETS | VFU_DEVICE_PCI, VFU_REGIONS, VFU_IRQS };

	(void)p;
	(void)n;
	put_reply(c, &i, sizeof(i));
	return 0;
}

static bool find_region(uint32_t index, enum sk_pci_region *ret)
{
	if (index == VFU_REGION_CONFIG)
		*ret = SK_PCI_CONFIG;
	else if (index < 2)
		*ret = index == 0 ? SK_PCI_REGISTERS : SK_PCI_MSIX;
	else
		return false;
	return true;
}

static int do_region_info(struct vfu_conn *c, const void *p, size_t n)
{
	enum sk_pci_region region;
	struct vfu_region_info i;

	(void)n;
	memcpy(&i, p, sizeof(i));
	if (i.argsz < sizeof(i) || i.index >= VFU_REGIONS)
		return -EINVAL;
	i = (struct vfu_region_info){ .argsz = sizeof(i), .index = i.index };
	if (find_region(i.index, &region)) {
		i.flags = VFU_REGION_READABLE | VFU_REGION_WRITABLE;
		i.size = sk_pci_region_size(region);
	}
	put_reply(c, &i, sizeof(i));
	return 0;
}

static int do_irq_info(struct vfu_conn *c, const void *p, size_t n)
{
	struct vfu_irq_info i;

	(void)n;
	memcpy(&i, p, sizeof(i));
	if (i.argsz < sizeof(i) || i.index >= VFU_IRQS)
		return -EINVAL;
	i = (struct vfu_irq_info){ .argsz = sizeof(i), .index = i.index };
	if (i.index == VFU_IRQ_MSIX) {
		i.flags = VFU_IRQ_EVENTFD;
		i.count = sk_pci_vectors(c->pci);
	}
	put_reply(c, &i, sizeof(i));
	return 0;
}

/* Gives vectors their eventfds, or takes them away where none came. */
static int set_eventfds(struct vfu_conn *c, uint32_t start, uint32_t count)
{
	bool is_socket;
	uint32_t i;
	int r;

	if (c->fds.n != 0 && c->fds.n != count)
		return -EINVAL;
	for (i = 0; i < c->fds.n; i++) {
		r = sk_notify_check(c->fds.fd[i], &is_socket);
		if (r == 0 && is_socket)
			r = -EINVAL;
		/* An interrupt that nobody would have heard of is made up for. */
		if (r == 0)
			r = sk_notify(c->fds.fd[i]);
		if (r < 0)
			return r;
	}
	for (i = 0; i < count; i++) {
		sk_close_fd(&c->irq[start + i]);
		if (c->fds.n)
			c->irq[start + i] = SK_TAKE_FD(c->fds.fd[i]);
	}
	return 0;
}

static int do_set_irqs(struct vfu_conn *c, const void *p, size_t n)
{
	const uint8_t *bools = (const uint8_t *)p + sizeof(struct vfu_irq_set);
	unsigned vectors = sk_pci_vectors(c->pci), i;
	struct vfu_irq_set s;
	uint32_t data;

	memcpy(&s, p, sizeof(s));
	data = s.flags & VFU_IRQ_DATA;
	if (s.index >= VFU_IRQS || (s.flags & ~(VFU_IRQ_DATA | VFU_IRQ_ACTION)) ||
	    (s.flags & VFU_IRQ_ACTION) != VFU_IRQ_TRIGGER)
		return -EINVAL; /* nothing is maskable: the client has the table */
	if (data == VFU_IRQ_DATA_NONE && s.count == 0) {
		for (i = 0; s.index == VFU_IRQ_MSIX && i < vectors; i++)
			sk_close_fd(&c->irq[i]);
		return 0;
	}
	if (s.index != VFU_IRQ_MSIX || s.start > vectors || s.count > vectors - s.start ||
	    n - sizeof(s) != (data == VFU_IRQ_DATA_BOOL ? s.count : 0))
		return -EINVAL;
	if (data == VFU_IRQ_DATA_EVENTFD)
		return set_eventfds(c, s.start, s.count);
	if (data != VFU_IRQ_DATA_NONE && data != VFU_IRQ_DATA_BOOL)
		return -EINVAL;
	for (i = 0; i < s.count; i++)
		if (data == VFU_IRQ_DATA_NONE || bools[i])
			interrupt(c, s.start + i, 0, 0);
	return 0;
}

static int do_region_read(struct vfu_conn *c, const void *p, size_t n)
{
	struct vfu_region_access a;
	enum sk_pci_region region;
	int r;

	(void)n;
	memcpy(&a, p, sizeof(a));
	if (!find_region(a.region, &region) || a.count > SK_PCI_ACCESS_MAX)
		return -EINVAL;
	r = sk_pci_read(c->pci, region, a.offset, c->reply + sizeof(a), a.count);
	if (r < 0)
		return r;
	memcpy(c->reply, &a, sizeof(a));
	c->reply_len = sizeof(a) + a.count;
	return 0;
}

static int do_region_write(struct vfu_conn *c, const void *p, size_t n)
{
	struct vfu_region_access a;
	enum sk_pci_region region;
	int r;

	memcpy(&a, p, sizeof(a));
	if (!find_region(a.region, &region) || a.count != n - sizeof(a))
		return -EINVAL;
	r = sk_pci_write(c->pci, region, a.offset, (const uint8_t *)p + sizeof(a), a.count);
	if (r < 0)
		return r;
	put_reply(c, &a, sizeof(a));
	return 0;
}

static int do_reset(struct vfu_conn *c, const void *p, size_t n)
{
	(void)p;
	(void)n;
	sk_pci_reset(c->pci);
	return 0;
}

#define EXACTLY(type) sizeof(type), sizeof(type)
#define AT_LEAST(type) sizeof(type), VFU_MESSAGE_MAX - sizeof(struct vfu_header)
static const struct handler handlers[VFU_COMMANDS] = {
	[VFU_VERSION] = { do_version, AT_LEAST(struct vfu_version), 0 },
	[VFU_DMA_MAP] = { do_dma_map, EXACTLY(struct vfu_dma_map), 1 },
	[VFU_DMA_UNMAP] = { do_dma_unmap, EXACTLY(struct vfu_dma_unmap), 0 },
	[VFU_DEVICE_GET_INFO] = { do_device_info, EXACTLY(struct vfu_device_info), 0 },
	[VFU_DEVICE_GET_REGION_INFO] = { do_region_info, EXACTLY(struct vfu_region_info), 0 },
	[VFU_DEVICE_GET_IRQ_INFO] = { do_irq_info, EXACTLY(struct vfu_irq_info), 0 },
	[VFU_DEVICE_SET_IRQS] = { do_set_irqs, AT_LEAST(struct vfu_irq_set), VFU_MAX_FDS },
	[VFU_REGION_READ] = { do_region_read, EXACTLY(struct vfu_region_access), 0 },
	[VFU_REGION_WRITE] = { do_region_write, AT_LEAST(struct vfu_region_access), 0 },
	[VFU_DEVICE_RESET] = { do_reset, 0, 0, 0 },
};

/* Commands that this server does not have are answered with an error, whatever they carry. */
static const struct handler *find_handler(uint16_t command)
{
	return command < VFU_COMMANDS && handlers[command].run ? &handlers[command] : NULL;
}

static int send_reply(struct vfu_conn *c, int r)
{
	struct vfu_header h = {
		.id = c->msg.h.id,
		.command = c->msg.h.command,
		.size = (uint32_t)(sizeof(h) + (r < 0 ? 0 : c->reply_len)),
		.flags = VFU_TYPE_REPLY | (r < 0 ? VFU_ERROR : 0),
		.error = r < 0 ? (uint32_t)-r : 0,
	};
	struct iovec iov[2] = { { &h, sizeof(h) }, { c->reply, h.size - sizeof(h) } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	return (size_t)n == h.size ? 0 : -EPIPE;
}

static int dispatch(struct vfu_conn *c)
{
	const struct handler *h = find_handler(c->msg.h.command);
	size_t n = c->msg.h.size - sizeof(c->msg.h);
	int r;

	if (!c->greeted && c->msg.h.command != VFU_VERSION)
		return -EPROTO;
	c->reply_len = 0;
	if (!h)
		r = -EOPNOTSUPP;
	else if (n < h->min || n > h->max || c->fds.n > h->max_fds)
		return -EPROTO;
	else
		r = h->run(c, c->msg.payload, n);
	if (!(c->msg.h.flags & VFU_NO_REPLY)) {
		r = send_reply(c, r);
		if (r < 0)
			return r;
	}
	sk_pci_run(c->pci);
	return 0;
}

/* Reads on. 1: a whole message is there; 0: not yet; negative: the connection ends. */
static int read_message(struct vfu_conn *c)
{
	struct vfu_header *h = &c->msg.h;

	for (;;) {
		size_t want = sizeof(*h);
		ssize_t n;

		if (c->have >= sizeof(*h)) {
			if ((h->flags & VFU_TYPE_MASK) != VFU_TYPE_COMMAND || h->size < sizeof(*h) ||
			    h->size > sizeof(c->msg))
				return -EPROTO;
			want = h->size;
			if (c->have == want)
				return 1;
		}
		n = sk_recv_fds(c->fd, (uint8_t *)&c->msg + c->have, want - c->have, &c->fds);
		if (n == -EAGAIN || n == -EINTR)
			return 0;
		if (n < 0)
			return (int)n;
		c->have += (size_t)n;
	}
}

static void conn_end(struct vfu_conn *c)
{
	struct sk_device *dev = c->dev;
	struct sk_guest_mem mem;
	unsigned i;

	sk_virtio_drain(dev);
	mem = *sk_pci_memory(c->pci);
	sk_pci_free(c->pci);
	sk_mem_fini(&mem);
	for (i = 0; i < SK_PCI_VECTORS; i++)
		sk_close_fd(&c->irq[i]);
	sk_virtio_gone(dev);
	sk_fds_close(&c->fds);
	sk_loop_remove(c->source);
	sk_close_fd(&c->fd);
	free(c);
}

static void on_message(void *arg, int fd, unsigned events)
{
	struct vfu_conn *c = arg;
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
			sk_log(SK_LOG_WARN, "%s device: connection ended: client's command %u: %s", dev->name,
			       c->msg.h.command, strerror(-r));
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

int sk_vfu_adopt(struct sk_device *dev, int take_fd)
{
	struct vfu_conn *c = calloc(1, sizeof(*c));
	unsigned i;
	int r = -ENOMEM;

	assert(!dev->conn);
	if (!c)
		goto fail;
	c->dev = dev;
	c->fd = take_fd;
	for (i = 0; i < SK_PCI_VECTORS; i++)
		c->irq[i] = -1;
	for (i = 0; i < SK_VIRTIO_QUEUES; i++)
		dev->vq[i] = (struct sk_virtqueue){ .mem = NULL };
	c->pci = sk_pci_new(dev, &host, c);
	if (!c->pci)
		goto fail;
	c->source = sk_loop_add_fd(dev->loop, take_fd, SK_LOOP_READ, on_message, c);
	if (!c->source) {
		r = -errno;
		goto fail;
	}
	dev->conn = c;
	if (dev->ops->connected)
		dev->ops->connected(dev);
	return 0;
fail:
	close(take_fd);
	if (c)
		sk_pci_free(c->pci);
	free(c);
	return r;
}

static void end(struct sk_device *dev)
{
	conn_end(dev->conn);
}

static void failed(struct sk_device *dev)
{
	struct vfu_conn *c = dev->conn;

	sk_pci_needs_reset(c->pci);
}

static const struct sk_virtio_server server = {
	.consequence = "it stops until the guest resets it",
	.adopt = sk_vfu_adopt,
	.failed = failed,
	.end = end,
};

void sk_device_serve_vfio_user(struct sk_device *dev)
{
	assert(!dev->conn);
	dev->server = &server;
}
