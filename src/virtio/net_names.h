/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_NET_NAMES_H
#define SK_VIRTIO_NET_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Host names that the guest's name server knows by itself, see net_names.c. */
#define NET_NAMES_MAX 16u
#define NET_NAMES_ANSWER 512u /* bytes: headers, the longest question, all records */

struct net_names;

/* Where a datagram lies in a frame. */
struct net_datagram {
	bool v6;
	const uint8_t *ip, *udp, *data;
	size_t len; /* of `data` */
};

/* Whether the frame is a whole UDP datagram of the guest's to its name server. */
bool net_names_find(const uint8_t *frame, size_t len, struct net_datagram *ret);
/* Writes the headers of the way back to `to`, with the checksum of the `n` bytes that lie behind them there already.
 * `frame` has the Ethernet header of the question. Returns the frame's length. */
size_t net_names_headers(const struct net_datagram *d, const uint8_t *frame, uint8_t *to, size_t n);

/* Copies `names`; at most NET_NAMES_MAX of 253 bytes each, without a dot at the end. NULL: no memory,
 * or a name that is none. */
struct net_names *net_names_new(const char *const *names, unsigned n);
/* Accepts NULL. */
void net_names_free(struct net_names *names);
/* A frame of the guest. Returns the length of the frame that answers it, 0: it is no question about one of the names.
 * `names` may be NULL: it never is. */
size_t net_names_take(const struct net_names *names, const uint8_t *frame, size_t len,
		      uint8_t answer[NET_NAMES_ANSWER]);
/* The DNS message alone. */
size_t net_names_answer(const struct net_names *names, const uint8_t *question, size_t len, uint8_t *answer,
			size_t max);

#endif
