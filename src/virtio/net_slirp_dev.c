/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's virtio-net device with libslirp behind it. */
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "virtio/net_dev.h"
#include "virtio/net_slirp.h"

struct slirp_dev {
	struct net_dev net; /* first */
	struct net_slirp *slirp;
};

static void dev_transmit(void *arg, const struct net_offload *h, uint8_t *frame, size_t len)
{
	const struct slirp_dev *d = arg;

	net_slirp_transmit(d->slirp, h, frame, len);
}

static void dev_transmitted(void *arg)
{
	const struct slirp_dev *d = arg;

	net_slirp_transmitted(d->slirp);
}

static void dev_free(void *arg)
{
	struct slirp_dev *d = arg;

	net_slirp_free(d->slirp);
	free(d);
}

static const struct net_backend slirp_backend = {
	.transmit = dev_transmit,
	.transmitted = dev_transmitted,
	.free = dev_free,
};

static struct net_slirp *slirp_of(struct sk_device *device)
{
	const struct net_dev *n = (const struct net_dev *)device;

	return n->backend == &slirp_backend ? ((const struct slirp_dev *)n->arg)->slirp : NULL;
}

int sk_net_slirp_publish(struct sk_device *device, const struct sk_slirp_forward *forward)
{
	struct net_slirp *s = slirp_of(device);

	return s ? net_slirp_publish(s, forward) : -EOPNOTSUPP;
}

void sk_net_slirp_withdraw(struct sk_device *device, const struct sk_slirp_forward *forward)
{
	struct net_slirp *s = slirp_of(device);

	if (s)
		net_slirp_withdraw(s, forward);
}

int sk_net_slirp_new(struct sk_loop *loop, int take_listen_fd, const struct sk_slirp_config *config,
		     struct sk_device **ret_device, struct sk_error *err)
{
	_cleanup_fd_ int listen_fd = take_listen_fd;
	struct slirp_dev *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return sk_error_errno(err, ENOMEM, "cannot set up the network");
	d->net.backend = &slirp_backend;
	d->net.arg = d;
	d->net.link.ops = &net_dev_link_ops;
	r = net_slirp_new(loop, &d->net.link, config, &d->slirp, err);
	if (r == 0)
		r = net_dev_init(&d->net, loop, SK_TAKE_FD(listen_fd),
				 UINT64_C(1) << VIRTIO_NET_F_CSUM | UINT64_C(1) << VIRTIO_NET_F_GUEST_CSUM |
					 UINT64_C(1) << VIRTIO_NET_F_HOST_TSO4,
				 err);
	if (r < 0) {
		dev_free(d);
		return r;
	}
	*ret_device = &d->net.dev;
	return 0;
}
