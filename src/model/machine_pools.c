/* SPDX-License-Identifier: Apache-2.0 */
#include "model/machine_pools.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "model/jx.h"

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
