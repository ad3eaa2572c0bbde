/* SPDX-License-Identifier: Apache-2.0 */
/* Frames to the guest, and checksums: see net_internal.h. */
#include <endian.h>
#include <string.h>

#include "virtio/net_internal.h"

uint32_t net_sum(const uint8_t *p, size_t n, uint32_t sum)
{
	size_t i;

	for (i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return n & 1 ? sum + ((uint32_t)p[n - 1] << 8) : sum;
}

uint16_t net_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

bool net_complete_checksum(const struct net_offload *h, uint8_t *frame, size_t len)
{
	size_t start = le16toh(h->csum_start), at = start + le16toh(h->csum_offset), i;
	uint64_t sum = 0;
	uint16_t folded;

	if (!(h->flags & NET_OFFLOAD_NEEDS_CSUM))
		return true;
	if (start >= len || at + 2 > len)
		return false;
	/* The sum of 32-bit words folds to the sum of 16-bit words. The field holds the sum of the pseudo header. */
	for (i = start; i + 4 <= len; i += 4) {
		uint32_t w;

		memcpy(&w, frame + i, sizeof(w));
		sum += w;
	}
	if (i < len) {
		uint8_t rest[4] = { 0 };
		uint32_t w;

		memcpy(rest, frame + i, len - i);
		memcpy(&w, rest, sizeof(w));
		sum += w;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	folded = (uint16_t)~sum;
	if (folded == 0)
		folded = 0xffff;
	memcpy(frame + at, &folded, sizeof(folded));
	return true;
}

void net_deliver(struct net_link *link, const uint8_t *frame, size_t len)
{
	static const struct net_offload checked = { .flags = NET_OFFLOAD_DATA_VALID };

	link->ops->deliver(link, &checked, frame, len);
}

void net_flush(struct net_link *link)
{
	link->ops->flush(link);
}
