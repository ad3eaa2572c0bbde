/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The guest's network device over a packet socket (packet(7)) on an interface that somebody else has made: docker, CNI,
 * podman. The guest is the interface's host; that the kernel around it keeps silent is the caller's business
 * (vm/netns.h).
 *
 * The socket carries the offload header of virtio (PACKET_VNET_HDR), so checksums that a neighbour on this machine left
 * out and segments up to 64 KiB pass both ways as they are. A device may exist before its socket: interfaces come and
 * go while the guest runs. Without one, the guest's frames are dropped.
 *
 * The guest may not use this to write headers that the host's kernel trusts more than a process's: packet(7) checks
 * them, and a frame that it refuses is dropped here.
 */
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "virtio/net_dev.h"

/* Frames read in one turn, before others on the loop have theirs. */
#define PACKET_BUDGET 128u
#define PACKET_OFFLOADS                                                                   \
	(UINT64_C(1) << VIRTIO_NET_F_CSUM | UINT64_C(1) << VIRTIO_NET_F_HOST_TSO4 |       \
	 UINT64_C(1) << VIRTIO_NET_F_HOST_TSO6 | UINT64_C(1) << VIRTIO_NET_F_GUEST_CSUM | \
	 UINT64_C(1) << VIRTIO_NET_F_GUEST_TSO4 | UINT64_C(1) << VIRTIO_NET_F_GUEST_TSO6)

struct net_packet {
	struct net_dev net;
	int fd; /* -1: no interface now */
	struct sk_source *source;
	uint8_t frame[NET_FRAME_MAX];
};

static void on_packet(void *arg, int fd, unsigned events)
{
	struct net_packet *p = arg;
	struct net_offload h;
	struct iovec iov[2] = { { &h, sizeof(h) }, { p->frame, sizeof(p->frame) } };
	unsigned budget;

	(void)events;
	for (budget = PACKET_BUDGET; budget > 0; budget--) {
		ssize_t n = readv(fd, iov, 2);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN && errno != ENETDOWN) {
			sk_loop_remove(p->source); /* the interface is gone */
			p->source = NULL;
		}
		if (n <= (ssize_t)sizeof(h))
			break;
		net_deliver_offload(&p->net, &h, p->frame, (size_t)n - sizeof(h));
	}
	net_flush(&p->net.link);
}

static void packet_transmit(void *arg, const struct net_offload *h, uint8_t *frame, size_t len)
{
	struct net_packet *p = arg;
	struct net_offload out = *h;
	struct iovec iov[2] = { { &out, sizeof(out) }, { frame, len } };

	out.flags &= NET_OFFLOAD_NEEDS_CSUM;
	if (p->fd >= 0 && writev(p->fd, iov, 2) < 0)
		sk_log(SK_LOG_DEBUG, "network: a frame of %zu bytes was not taken: %s", len, strerror(errno));
}

static void packet_transmitted(void *arg)
{
	(void)arg;
}

static void packet_free(void *arg)
{
	struct net_packet *p = arg;

	sk_loop_remove(p->source);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

static const struct net_backend packet_backend = {
	.transmit = packet_transmit,
	.transmitted = packet_transmitted,
	.free = packet_free,
};

int sk_net_packet_new(struct sk_loop *loop, int take_listen_fd, const uint8_t mac[6], uint16_t mtu,
		      struct sk_device **ret_device, struct sk_error *err)
{
	struct net_packet *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		close(take_listen_fd);
		return sk_error_errno(err, ENOMEM, "cannot make the network device");
	}
	p->fd = -1;
	memcpy(p->net.link.mac, mac, sizeof(p->net.link.mac));
	p->net.link.mtu = mtu;
	p->net.backend = &packet_backend;
	p->net.arg = p;
	r = net_dev_init(&p->net, loop, take_listen_fd, PACKET_OFFLOADS, err);
	if (r < 0) {
		free(p);
		return r;
	}
	*ret_device = &p->net.dev;
	return 0;
}

int sk_net_packet_attach(struct sk_device *device, int take_fd)
{
	struct net_packet *p = (struct net_packet *)device;

	sk_loop_remove(p->source);
	p->source = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = take_fd;
	if (take_fd < 0)
		return 0;
	p->source = sk_loop_add_fd(device->loop, take_fd, SK_LOOP_READ, on_packet, p);
	return p->source ? 0 : -ENOMEM;
}
