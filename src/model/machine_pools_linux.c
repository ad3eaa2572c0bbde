/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "model/machine_pools.h"

#define NETWORKS_MAX 256u

json_t *sk_machine_pools_of_host(void)
{
	struct sk_ipv4_network taken[NETWORKS_MAX];
	struct ifaddrs *all, *a;
	size_t n = 0;

	if (getifaddrs(&all) < 0)
		return NULL;
	for (a = all; a && n < NETWORKS_MAX; a = a->ifa_next) {
		if (!a->ifa_addr || !a->ifa_netmask || a->ifa_addr->sa_family != AF_INET || a->ifa_flags & IFF_LOOPBACK)
			continue;
		taken[n++] = (struct sk_ipv4_network){
			ntohl(((struct sockaddr_in *)(void *)a->ifa_addr)->sin_addr.s_addr),
			ntohl(((struct sockaddr_in *)(void *)a->ifa_netmask)->sin_addr.s_addr),
		};
	}
	freeifaddrs(all);
	return sk_machine_pools(taken, n);
}
