/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_NETNS_H
#define SK_VM_NETNS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * The network namespace that this process lives in, when its interfaces are to be a guest's: what docker, CNI or podman
 * put there is read by rtnetlink and told to the guest, and the namespace's own kernel is made to keep silent on them.
 *
 * Silence without touching what the network's owner has set up (it reads it again later): the addresses stay on the
 * interfaces, but their entries in the "local" routing table go, and a routing rule sends what still comes in from them
 * into a black hole. So the host's kernel neither answers pings nor resets the guest's connections, and ARP requests
 * are the guest's to answer. All of this is the namespace's alone and needs no rights outside of it.
 *
 * Docker's embedded name server is the exception: it listens on 127.0.0.11 in the namespace and asks the world from the
 * interface's address. Answers to that (UDP from port 53) are let in.
 */
#define SK_NETNS_MAX 8u /* interfaces of one guest */

struct sk_netns_if {
	char name[16];
	unsigned index;
	uint8_t mac[6];
	uint32_t mtu;
	bool ipv6;	   /* not switched off */
	json_t *addresses; /* ["172.17.0.2/16", …]; owned */
};

struct sk_netns {
	struct sk_netns_if ifs[SK_NETNS_MAX];
	unsigned n_ifs;
	json_t *routes; /* as in docs/protocols.md; owned */
	bool dns;	/* something answers on 127.0.0.11 */
};

int sk_netns_read(struct sk_netns *ret, struct sk_error *err);
void sk_netns_fini(struct sk_netns *ns);
/* Makes the namespace's kernel keep silent on `i`. Repeating it is harmless. */
int sk_netns_silence(const struct sk_netns *ns, const struct sk_netns_if *i, struct sk_error *err);
/* A packet socket on interface `index`, with offload headers. -errno. */
int sk_netns_packet_socket(unsigned index);
/* A netlink socket that becomes readable when interfaces, addresses or routes change. -errno. */
int sk_netns_watch(void);
/* Empties it. */
void sk_netns_watch_drain(int fd);

#endif
