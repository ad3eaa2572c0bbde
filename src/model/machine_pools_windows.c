/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "model/machine_pools.h"

#include <iphlpapi.h>

#define NETWORKS_MAX 256u
#define SPACE (256u << 10)

json_t *sk_machine_pools_of_host(void)
{
	_cleanup_free_ IP_ADAPTER_ADDRESSES *all = malloc(SPACE);
	const ULONG skip = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
	struct sk_ipv4_network taken[NETWORKS_MAX];
	const IP_ADAPTER_UNICAST_ADDRESS *u;
	const IP_ADAPTER_ADDRESSES *a;
	ULONG space = SPACE;
	size_t n = 0;

	if (!all || GetAdaptersAddresses(AF_INET, skip, NULL, all, &space) != NO_ERROR)
		return NULL;
	for (a = all; a; a = a->Next) {
		if (a->IfType == IF_TYPE_SOFTWARE_LOOPBACK)
			continue;
		for (u = a->FirstUnicastAddress; u && n < NETWORKS_MAX; u = u->Next) {
			const struct sockaddr_in *in = (const void *)u->Address.lpSockaddr;
			unsigned bits = u->OnLinkPrefixLength;

			if (bits > 0 && bits <= 32)
				taken[n++] = (struct sk_ipv4_network){ ntohl(in->sin_addr.s_addr), ~0u << (32 - bits) };
		}
	}
	return sk_machine_pools(taken, n);
}
