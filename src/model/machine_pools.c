/* SPDX-License-Identifier: Apache-2.0 */
#include "model/machine_pools.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "model/jx.h"

#define NETWORKS_MAX 256u

/* libnetwork's own (ipamutils): sixteen-bit networks from 172.17 to 172.31, then those of twenty bits in 192.168. */
static const struct {
	uint32_t first, last;
	unsigned bits;
} ranges[] = {
	{ 0xac110000, 0xac1f0000, 16 },
	{ 0xc0a80000, 0xc0a8f000, 20 },
};

static bool is_taken(uint32_t address, uint32_t mask, const struct sk_ipv4_network *taken, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (((address ^ taken[i].address) & mask & taken[i].mask) == 0)
			return true;
	return false;
}

json_t *sk_machine_pools(const struct sk_ipv4_network *taken, size_t n)
{
	json_t *list = sk_jx_array(), *o;
	bool overlaps = false;
	char base[32];
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(ranges); i++) {
		uint32_t step = 1u << (32 - ranges[i].bits), address;

		for (address = ranges[i].first; address <= ranges[i].last; address += step) {
			if (is_taken(address, ~(step - 1), taken, n)) {
				overlaps = true;
				continue;
			}
			snprintf(base, sizeof(base), "%u.%u.%u.0/%u", address >> 24, address >> 16 & 255,
				 address >> 8 & 255, ranges[i].bits);
			o = sk_jx_object();
			sk_jx_set_str(o, "base", base);
			sk_jx_set_int(o, "size", ranges[i].bits);
			sk_jx_push(list, o);
		}
	}
	if (overlaps && json_array_size(list))
		return list;
	json_decref(list);
	return NULL;
}

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
