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
 * interface's address. Answers to that are let in: UDP from port 53, and TCP from there to the ports that the
 * namespace's kernel then gives to its own connections, which Linux in the guest does not give out by itself. These
 * segments the guest does not see, as its kernel would reset the connection.
 *
 * Connections that a process of the host makes inside the namespace (a container runtime's port-forward) are the
 * guest's, too: TCP to 127.0.0.1, ::1 and the IPv4 addresses of the interfaces is diverted. A rule before the one for
 * the table "local" routes it to the loopback interface as to a stranger's address, so that the kernel drops it there;
 * a packet socket on that interface has read it by then. What we send back from a raw socket has a mark, for which
 * these addresses are local. That takes no device, no table of ports and no module; IPv6 knows no such route but for
 * ::1. vm/loopback.c has the rest.
 */
#define SK_NETNS_MARK 0x534b4c4fu
/* Of diverted IPv6 packets: where the namespace forwards IPv6, each of them comes again with one hop less. */
#define SK_NETNS_HOPS 255u
#define SK_NETNS_MAX 8u /* interfaces of one guest */
#define SK_NETNS_PORT_FIRST 61000u
#define SK_NETNS_PORT_LAST 65534u /* a rule may not say 65535 */

extern const uint8_t sk_netns_dns[4]; /* docker's name server; its own connections are not diverted */

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
/* Has the namespace's kernel give its own connections ports from SK_NETNS_PORT_FIRST on. False: it may not be told. */
bool sk_netns_own_ports(void);
/* Makes the namespace's kernel keep silent on `i`. Repeating it is harmless. `own_ports`: answers over TCP are let in. */
int sk_netns_silence(const struct sk_netns *ns, const struct sk_netns_if *i, bool own_ports, struct sk_error *err);
/* Address `k` of `i` in `ret`, and its family; -EINVAL. */
int sk_netns_address(const struct sk_netns_if *i, size_t k, uint8_t ret[16]);
/* Diverts what is sent to the namespace's own addresses. Repeating it is harmless. */
int sk_netns_divert(const struct sk_netns *ns, struct sk_error *err);
/* Stops diverting: nobody answers those connections any more. */
void sk_netns_undivert(void);
/* A packet socket that reads what was diverted, and all else on the loopback interface that is not ours. -errno. */
int sk_netns_loopback_socket(void);
/* A raw socket, to which whole IP packets are written that then arrive in the namespace. -errno. */
int sk_netns_raw_socket(int family);
/* A packet socket on interface `index`, with offload headers. `own_ports`: without answers of name servers to the
 * namespace's own connections. -errno. */
int sk_netns_packet_socket(unsigned index, bool own_ports);
/* A netlink socket that becomes readable when interfaces, addresses or routes change. -errno. */
int sk_netns_watch(void);
/* Empties it. */
void sk_netns_watch_drain(int fd);

#endif
