/* SPDX-License-Identifier: Apache-2.0 */
/* The network back end of libslirp (network.h), behind a device of ours. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vm/device_socket.h"
#include "vm/network_slirp.h"

#define SK_SLIRP_SOCKET "net"

struct slirp {
	struct sk_network base;
	struct sk_device *device;
};

static int slirp_up(const struct sk_network_host *host, const struct sk_network_config *config,
		    struct sk_network **ret_network, struct sk_error *err)
{
	const struct sk_slirp_config c = sk_network_slirp_config(config);
	struct slirp *s = calloc(1, sizeof(*s));
	int sock, r;

	if (!s)
		return sk_error_errno(err, ENOMEM, "cannot make the network");
	*ret_network = &s->base;
	r = sk_device_socket(host->run_dir, SK_SLIRP_SOCKET, &sock, err);
	return r < 0 ? r : sk_net_slirp_new(host->loop, sock, &c, &s->device, err);
}

static size_t slirp_devices(const struct sk_network *n, struct sk_engine_device *ret, size_t max)
{
	if (!max)
		return 0;
	*ret = (struct sk_engine_device){ .virtio_id = SK_VIRTIO_NET,
					  .socket = SK_SLIRP_SOCKET,
					  .mtu = n->config->mtu };
	memcpy(ret->mac, n->config->mac, sizeof(ret->mac));
	return 1;
}

static int slirp_publish(struct sk_network *n, const struct sk_slirp_forward *forward)
{
	const struct slirp *s = (const struct slirp *)n;

	return sk_net_slirp_publish(s->device, forward);
}

static void slirp_withdraw(struct sk_network *n, const struct sk_slirp_forward *forward)
{
	const struct slirp *s = (const struct slirp *)n;

	sk_net_slirp_withdraw(s->device, forward);
}

static void slirp_down(struct sk_network *n)
{
	struct slirp *s = (struct slirp *)n;

	sk_device_free(s->device);
	free(s);
}

const struct sk_network_backend sk_network_slirp = {
	.name = "slirp",
	.address = SK_SLIRP_ADDRESS,
	.up = slirp_up,
	.devices = slirp_devices,
	.describe = sk_network_slirp_describe,
	.publish = slirp_publish,
	.withdraw = slirp_withdraw,
	.down = slirp_down,
};
