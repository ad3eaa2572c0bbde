/* SPDX-License-Identifier: Apache-2.0 */
/* The network back end of libslirp (network.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "vm/device_socket.h"
#include "vm/network.h"

#define SK_SLIRP_SOCKET "net"

struct slirp {
	struct sk_network base;
	struct sk_device *device;
};

static int slirp_up(const struct sk_network_host *host, const struct sk_network_config *config,
		    struct sk_network **ret_network, struct sk_error *err)
{
	struct sk_slirp_config c = {
		.mtu = config->mtu,
		.no_host_loopback = !config->host_loopback,
		.isolated = config->isolated,
		.forwards = config->forwards,
		.n_forwards = config->n_forwards,
		.names = config->names,
		.n_names = config->n_names,
		.resolv_conf = config->resolv_conf,
		.resolv_arg = config->resolv_arg,
	};
	struct slirp *s = calloc(1, sizeof(*s));
	int sock, r;

	if (!s)
		return sk_error_errno(err, ENOMEM, "cannot make the network");
	*ret_network = &s->base;
	memcpy(c.mac, config->mac, sizeof(c.mac));
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

static int slirp_describe(struct sk_network *n, struct sk_network_spec *ret)
{
	ret->set = true;
	ret->mtu = n->config->mtu;
	if (sk_address_parse(SK_SLIRP_ADDRESS "/24", AF_INET, &ret->address) < 0 ||
	    sk_address_parse(SK_SLIRP_GATEWAY, AF_INET, &ret->gateway) < 0)
		return -EINVAL;
	if (!sk_net_host_has_ipv6())
		return 0;
	if (sk_address_parse(SK_SLIRP_ADDRESS6 "/64", AF_INET6, &ret->address6) < 0)
		return -EINVAL;
	return sk_address_parse(SK_SLIRP_GATEWAY6, AF_INET6, &ret->gateway6);
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
	.describe = slirp_describe,
	.publish = slirp_publish,
	.withdraw = slirp_withdraw,
	.down = slirp_down,
};
