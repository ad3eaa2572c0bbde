/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to the guest's name server: the first byte chooses between the input as it is and a whole frame around it.
 * Each frame lies in memory of exactly its size. An answer has the headers that fit it.
 */
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "../input.h"
#include "virtio/net_names.h"

#define DATA_MAX 1400u

static void check(int ok)
{
	if (!ok)
		abort();
}

/* The headers of a datagram from the guest to its name server. */
static size_t put_headers(uint8_t *f, int v6, size_t n)
{
	static const uint8_t server6[16] = { 0xfd, 0x73, 0x6b, 0x65, 0x72, 0x72, [15] = 3 };
	size_t head = v6 ? 40 : 20, total = n + 8;
	uint8_t *ip = f + ETH_HLEN, *udp = ip + head;

	memset(f, 0, ETH_HLEN + head + 8);
	f[12] = v6 ? 0x86 : 8;
	f[13] = v6 ? 0xdd : 0;
	ip[0] = v6 ? 0x60 : 0x45;
	ip[v6 ? 6 : 9] = 17;
	if (v6)
		memcpy(ip + 24, server6, 16);
	else
		memcpy(ip + 16, "\x0a\0\x02\x03", 4);
	ip[v6 ? 4 : 2] = (uint8_t)((v6 ? total : total + 20) >> 8);
	ip[v6 ? 5 : 3] = (uint8_t)(v6 ? total : total + 20);
	udp[3] = 53;
	udp[4] = (uint8_t)(total >> 8);
	udp[5] = (uint8_t)total;
	return ETH_HLEN + head + 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const words[] = { "host.docker.internal", "Gateway.Docker.internal", "a" };
	struct net_names *names = net_names_new(words, 3);
	uint8_t answer[NET_NAMES_ANSWER], *frame;
	size_t head = 0, n;

	check(names != NULL);
	if (size && size <= DATA_MAX) {
		uint8_t space[ETH_HLEN + 48];

		if (data[0] & 1)
			head = put_headers(space, data[0] & 2, size - 1);
		frame = malloc(head + size - 1 + (head + size == 1));
		check(frame != NULL);
		memcpy(frame, space, head);
		memcpy(frame + head, data + 1, size - 1);
		n = net_names_take(names, frame, head + size - 1, answer);
		check(n <= sizeof(answer));
		if (n) /* it ends where its headers say */
			check(n == ETH_HLEN + (answer[12] == 8 ? (size_t)answer[16] << 8 | answer[17]
							       : 40u + ((size_t)answer[18] << 8 | answer[19])));
		free(frame);
	}
	net_names_free(names);
	return 0;
}
