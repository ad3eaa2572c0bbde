/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_MODEL_NETWORK_H
#define SK_MODEL_NETWORK_H

/*
 * The networks that --network may name. A network is a row of one table (network.c): docker's words for it, the back
 * end that its VM gets (vm/network.h), and what the container's documents say of it. Who needs to know asks the row and
 * never which one it is.
 */
struct sk_network_kind {
	const char *name;	    /* as docker inspect shows it */
	const char *const *aliases; /* other words for it; ends with NULL */
	const char *backend;	    /* "mode" in vm.json; NULL: the VM has no network, and no port is published */
	const char *address;	    /* the container's; "" */
	const char *gateway;	    /* also the host, by its names in /etc/hosts; "": there is no way to it */
	unsigned prefix;	    /* of the address; 0 */
};

/* `name` NULL: the one that a container has unless told otherwise. NULL: there is no such network. */
const struct sk_network_kind *sk_network_kind(const char *name);

#endif
