/* SPDX-License-Identifier: Apache-2.0 */
/* The network back ends that there are on Linux only: on Windows they are refused by name. */
#include <errno.h>

#include "vm/network.h"

static int refuse(const struct sk_network_host *host, const struct sk_network_config *config,
		  struct sk_network **ret_network, struct sk_error *err)
{
	(void)host;
	(void)config;
	(void)ret_network;
	return sk_error_set(err, EOPNOTSUPP, "vm.json: VMs on Windows have no \"network\" yet");
}

const struct sk_network_backend sk_network_slirp = { .name = "slirp", .up = refuse };
const struct sk_network_backend sk_network_netns = { .name = "netns", .up = refuse };
