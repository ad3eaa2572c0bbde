/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_MACHINE_POOLS_H
#define SK_MODEL_MACHINE_POOLS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Networks for the containers of a machine. Connections to published ports keep the client's address; a client in a
 * network of the host that the machine's engine has given to its own containers, too, would get no answer: it goes to
 * the container with that address. dockerd by itself avoids the networks of the system that it runs on, which is the
 * guest.
 */
struct sk_ipv4_network {
	uint32_t address, mask; /* host's byte order */
};

/* "default-address-pools" of daemon.json: those that dockerd has by itself without what overlaps `taken`. NULL where
 * none does, or nothing is left. */
json_t *sk_machine_pools(const struct sk_ipv4_network *taken, size_t n);
/* The same with the networks of this host's interfaces. */
json_t *sk_machine_pools_of_host(void);

#endif
