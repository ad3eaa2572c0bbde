/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/network_slirp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

struct sk_slirp_config sk_network_slirp_config(const struct sk_network_config *config)
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

	memcpy(c.mac, config->mac, sizeof(c.mac));
	return c;
}

int sk_network_slirp_describe(struct sk_network *n, struct sk_network_spec *ret)
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
