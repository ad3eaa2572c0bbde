/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_HOSTS_H
#define SK_MODEL_HOSTS_H

#include "model/network.h"
#include "model/xmem.h"

/* Addresses of the VM's own network (libslirp's defaults). */
#define SK_NET_ADDRESS "10.0.2.15"
#define SK_NET_GATEWAY "10.0.2.2" /* also the host */
#define SK_NET_DNS "10.0.2.3"
#define SK_NET_DNS6 "fd73:6b65:7272::3"
#define SK_NET_PREFIX 24u

/* --add-host name:ip, name=ip; ip may be host-gateway. */
struct sk_host {
	char *name;
	char *ip;
};
int sk_host_parse(const char *s, struct sk_host *ret, char *why);
void sk_host_fini(struct sk_host *host);

/* The contents of three files of a container; malloc'd. `add_host`: parseable entries. */
char *sk_hosts_file(const char *hostname, const char *domainname, const struct sk_strv *add_host,
		    const struct sk_network_kind *network);
char *sk_resolv_conf(const struct sk_strv *dns, const struct sk_strv *search, const struct sk_strv *options);
/* Adds what the host's resolv.conf says to the lists (NULL: not wanted). Of the name servers: SK_NET_DNS, behind which
 * is the first one with an IPv4 address as it is then, and those of the others that the guest reaches by themselves, 3 in
 * all; SK_NET_DNS6 where there are such with IPv6 addresses only. `text` is changed. */
void sk_host_resolv(char *text, struct sk_strv *dns, struct sk_strv *search, struct sk_strv *options);
char *sk_hostname_file(const char *hostname);

#endif
