/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several network devices, whose interfaces on the host come and go while the guest runs (docs/protocols.md, "network"
 * with "interfaces").
 *
 * The VM has more devices than interfaces. A device is known by its permanent address, which the monitor chose; what it
 * is called and which address it shows is the interface's. Devices without an interface are parked in a network
 * namespace where no one looks. Applying is idempotent: what is as it should be is left alone, so that connections
 * survive when another network comes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/rtnl.h"
#include "boot.h"
#include "proto/message.h"

#define LINKS_MAX 16u
#define INTERFACES_MAX 8u
#define STALE_MAX 256u

#ifndef IFLA_PERM_ADDRESS
#define IFLA_PERM_ADDRESS 54
#endif

struct interface_link {
	unsigned index;
	char name[IF_NAMESIZE];
	uint8_t perm[6], mac[6];
	bool up;
};

struct interface_place {
	int ns, nl; /* namespace, and a socket in it */
	struct interface_link links[LINKS_MAX];
	unsigned n_links;
};

/* Deletions to send: addresses and routes that exist and should not. */
struct stale {
	struct sk_rtnl m[STALE_MAX];
	unsigned n;
	unsigned index; /* of the interface whose addresses are listed */
	const json_t *keep;
};

static struct interface_place home = { .ns = -1, .nl = -1 }, parked = { .ns = -1, .nl = -1 };

static int open_places(void)
{
	int r = 0;

	if (parked.nl >= 0)
		return 0;
	home.ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	home.nl = sk_rtnl_open();
	if (home.ns < 0 || home.nl < 0 || unshare(CLONE_NEWNET) < 0)
		return -errno;
	parked.ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	parked.nl = sk_rtnl_open();
	if (parked.ns < 0 || parked.nl < 0)
		r = -errno;
	return setns(home.ns, CLONE_NEWNET) < 0 ? -errno : r;
}

static int each_link(void *arg, const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));
	struct interface_link l = { .index = (unsigned)m->ifi_index, .up = m->ifi_flags & IFF_UP };
	struct interface_place *p = arg;
	const struct rtattr *a;
	bool perm = false;

	for (a = IFLA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFNAME)
			snprintf(l.name, sizeof(l.name), "%s", (const char *)RTA_DATA(a));
		else if (a->rta_type == IFLA_ADDRESS && RTA_PAYLOAD(a) == 6)
			memcpy(l.mac, RTA_DATA(a), 6);
		else if (a->rta_type == IFLA_PERM_ADDRESS && RTA_PAYLOAD(a) == 6) {
			memcpy(l.perm, RTA_DATA(a), 6);
			perm = true;
		}
	}
	if (perm && p->n_links < LINKS_MAX)
		p->links[p->n_links++] = l;
	return 0;
}

static int list_links(struct interface_place *p)
{
	p->n_links = 0;
	return sk_rtnl_dump(p->nl, RTM_GETLINK, sizeof(struct ifinfomsg), each_link, p);
}

static struct interface_link *by_perm(struct interface_place *p, const uint8_t perm[6])
{
	unsigned i;

	for (i = 0; i < p->n_links; i++)
		if (memcmp(p->links[i].perm, perm, 6) == 0)
			return &p->links[i];
	return NULL;
}

static int change_link(struct interface_place *p, unsigned index, bool up, uint16_t type, const void *data, size_t len)
{
	struct sk_rtnl q;

	sk_rtnl_start(&q, RTM_NEWLINK, 0, sizeof(q.link));
	q.link.ifi_index = (int)index;
	q.link.ifi_change = IFF_UP;
	q.link.ifi_flags = up ? IFF_UP : 0;
	if (data)
		sk_rtnl_add(&q, type, data, len);
	return sk_rtnl_change(p->nl, &q);
}

static int move_link(struct interface_place *from, unsigned index, const struct interface_place *to, const char *name)
{
	struct sk_rtnl q;
	uint32_t ns = (uint32_t)to->ns;

	sk_rtnl_start(&q, RTM_NEWLINK, 0, sizeof(q.link));
	q.link.ifi_index = (int)index;
	sk_rtnl_add(&q, IFLA_NET_NS_FD, &ns, sizeof(ns));
	sk_rtnl_add(&q, IFLA_IFNAME, name, strlen(name) + 1);
	return sk_rtnl_change(from->nl, &q);
}

/* ---- addresses */

static int each_address(void *arg, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	char full[SK_RTNL_ADDRESS];
	struct stale *s = arg;
	const void *address;
	struct sk_rtnl *q;
	size_t i;

	if (m->ifa_index != s->index || m->ifa_scope == RT_SCOPE_LINK || s->n == STALE_MAX)
		return 0;
	address = sk_rtnl_address(h, full);
	if (!address)
		return 0;
	for (i = 0; i < json_array_size(s->keep); i++) {
		const char *keep = json_string_value(json_array_get(s->keep, i));

		if (keep && strcmp(keep, full) == 0)
			return 0;
	}
	q = &s->m[s->n++];
	sk_rtnl_start(q, RTM_DELADDR, 0, sizeof(q->addr));
	q->addr = *m;
	sk_rtnl_add(q, IFA_LOCAL, address, m->ifa_family == AF_INET6 ? 16 : 4);
	return 0;
}

static int add_address(unsigned index, const char *text)
{
	bool v6 = strchr(text, ':') != NULL;
	struct sk_address a;
	struct sk_rtnl q;
	size_t len = v6 ? 16 : 4;
	int r = sk_address_parse(text, v6 ? AF_INET6 : AF_INET, &a);

	if (r < 0)
		return r;
	sk_rtnl_start(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(q.addr));
	q.addr.ifa_family = (uint8_t)a.family;
	q.addr.ifa_prefixlen = a.prefix;
	q.addr.ifa_index = index;
	q.addr.ifa_flags = v6 ? IFA_F_NODAD : 0;
	sk_rtnl_add(&q, IFA_LOCAL, a.addr, len);
	sk_rtnl_add(&q, IFA_ADDRESS, a.addr, len);
	if (!v6 && a.prefix < 31) {
		uint32_t broadcast, host = htonl(a.prefix ? UINT32_MAX >> a.prefix : UINT32_MAX);

		memcpy(&broadcast, a.addr, 4);
		broadcast |= host;
		sk_rtnl_add(&q, IFA_BROADCAST, &broadcast, 4);
	}
	r = sk_rtnl_change(home.nl, &q);
	return r == -EEXIST ? 0 : r;
}

static int sync_addresses(unsigned index, const json_t *addresses)
{
	_cleanup_free_ struct stale *s = calloc(1, sizeof(*s));
	size_t i;
	int r;

	if (!s)
		return -ENOMEM;
	s->index = index;
	s->keep = addresses;
	r = sk_rtnl_dump(home.nl, RTM_GETADDR, sizeof(struct ifaddrmsg), each_address, s);
	for (i = 0; i < s->n; i++)
		sk_rtnl_change(home.nl, &s->m[i]);
	for (i = 0; r == 0 && i < json_array_size(addresses); i++) {
		const char *text = json_string_value(json_array_get(addresses, i));

		r = text ? add_address(index, text) : -EINVAL;
	}
	return r;
}

/* ---- routes */

static int each_route(void *arg, const struct nlmsghdr *h)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));
	struct stale *s = arg;
	const struct rtattr *a;
	struct sk_rtnl *q;

	if (m->rtm_table != RT_TABLE_MAIN || m->rtm_protocol != RTPROT_STATIC || m->rtm_type != RTN_UNICAST ||
	    s->n == STALE_MAX)
		return 0;
	q = &s->m[s->n++];
	sk_rtnl_start(q, RTM_DELROUTE, 0, sizeof(q->route));
	q->route = *m;
	for (a = RTM_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == RTA_DST || a->rta_type == RTA_GATEWAY || a->rta_type == RTA_OIF ||
		    a->rta_type == RTA_PRIORITY)
			sk_rtnl_add(q, a->rta_type, RTA_DATA(a), RTA_PAYLOAD(a));
	return 0;
}

static int add_route(const struct sk_route_spec *route)
{
	const char *to = route->to, *via = route->via, *src = route->src;
	uint32_t oif = if_nametoindex(route->dev), metric = route->metric;
	int family = strchr(to, ':') ? AF_INET6 : AF_INET, r;
	size_t len = family == AF_INET6 ? 16 : 4;
	struct sk_address a;
	struct sk_rtnl q;

	if (!oif || sk_address_parse(to, family, &a) < 0)
		return -EINVAL;
	sk_rtnl_start(&q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(q.route));
	q.route.rtm_family = (uint8_t)family;
	q.route.rtm_dst_len = a.prefix;
	q.route.rtm_table = RT_TABLE_MAIN;
	q.route.rtm_protocol = RTPROT_STATIC;
	q.route.rtm_scope = via || family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	q.route.rtm_type = RTN_UNICAST;
	if (a.prefix)
		sk_rtnl_add(&q, RTA_DST, a.addr, len);
	sk_rtnl_add(&q, RTA_OIF, &oif, sizeof(oif));
	if (metric)
		sk_rtnl_add(&q, RTA_PRIORITY, &metric, sizeof(metric));
	if (via) {
		if (sk_address_parse(via, family, &a) < 0)
			return -EINVAL;
		sk_rtnl_add(&q, RTA_GATEWAY, a.addr, len);
	}
	if (src && sk_address_parse(src, family, &a) == 0)
		sk_rtnl_add(&q, RTA_PREFSRC, a.addr, len);
	r = sk_rtnl_change(home.nl, &q);
	if (r == -ENETUNREACH || r == -EHOSTUNREACH) {
		/* A gateway outside of every subnet is on the link all the same (podman, some CNI plugins). */
		q.route.rtm_flags = RTNH_F_ONLINK;
		r = sk_rtnl_change(home.nl, &q);
	}
	return r == -EEXIST ? 0 : r;
}

static int sync_routes(const json_t *routes)
{
	_cleanup_free_ struct stale *s = calloc(1, sizeof(*s));
	size_t i;
	int r;

	if (!s)
		return -ENOMEM;
	r = sk_rtnl_dump(home.nl, RTM_GETROUTE, sizeof(struct rtmsg), each_route, s);
	for (i = 0; i < s->n; i++)
		sk_rtnl_change(home.nl, &s->m[i]);
	for (i = 0; r == 0 && i < json_array_size(routes); i++) {
		struct sk_route_spec route;

		r = sk_route_decode(json_array_get(routes, i), &route, NULL);
		if (r == 0)
			r = add_route(&route);
	}
	return r;
}

/* ---- devices */

/* The interfaces that the guest is to have. */
struct wanted {
	struct sk_interface_spec all[INTERFACES_MAX];
	size_t n;
};

static const struct sk_interface_spec *listed(const struct wanted *list, const uint8_t perm[6])
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (memcmp(list->all[i].device, perm, 6) == 0)
			return &list->all[i];
	return NULL;
}

/* Only devices of the monitor's making are ours to hide. */
static int park_others(const struct wanted *list)
{
	static const uint8_t prefix[5] = { 0x02, 0x53, 0x4b, 0, 0 };
	unsigned i;
	int r = 0;

	for (i = 0; r == 0 && i < home.n_links; i++) {
		struct interface_link *l = &home.links[i];
		char name[IF_NAMESIZE];

		if (memcmp(l->perm, prefix, sizeof(prefix)) != 0 || listed(list, l->perm))
			continue;
		snprintf(name, sizeof(name), "sk%u", l->perm[5]);
		r = move_link(&home, l->index, &parked, name);
	}
	return r;
}

/* A name that another device is to have is given up first: two may be about to change theirs. */
static int free_names(const struct wanted *list)
{
	unsigned i;
	int r = 0;

	for (i = 0; r == 0 && i < home.n_links; i++) {
		const struct interface_link *l = &home.links[i];
		const struct sk_interface_spec *o = listed(list, l->perm);
		char name[IF_NAMESIZE];

		if (!o || strcmp(o->name, l->name) == 0)
			continue;
		snprintf(name, sizeof(name), "sk%u", l->perm[5]);
		r = change_link(&home, l->index, false, IFLA_IFNAME, name, strlen(name) + 1);
	}
	return r;
}

static void set_ipv6(const char *name, bool enabled)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, enabled ? "0" : "1", 1) < 0)
			sk_log(SK_LOG_WARN, "cannot switch IPv6 of %s", name);
		close(fd);
	}
}

static int bring(const struct sk_interface_spec *o, unsigned *ret_index)
{
	const char *name = o->name;
	uint32_t mtu = o->mtu;
	struct interface_link *l = by_perm(&parked, o->device);
	int r = 0;

	if (l)
		r = move_link(&parked, l->index, &home, name);
	if (r == 0 && l)
		r = list_links(&home);
	l = r == 0 ? by_perm(&home, o->device) : NULL;
	if (!l)
		return r < 0 ? r : -ENODEV;
	*ret_index = l->index;
	if (strcmp(l->name, name) != 0 &&
	    (r = change_link(&home, l->index, false, IFLA_IFNAME, name, strlen(name) + 1)) < 0)
		return r;
	if (memcmp(l->mac, o->mac, 6) != 0)
		r = change_link(&home, l->index, false, IFLA_ADDRESS, o->mac, 6);
	if (r == 0 && o->has_ipv6)
		set_ipv6(name, o->ipv6);
	return r < 0 ? r : change_link(&home, l->index, true, mtu ? IFLA_MTU : 0, mtu ? &mtu : NULL, sizeof(mtu));
}

static int read_wanted(const json_t *list, struct wanted *ret, struct sk_error *err)
{
	size_t i;
	int r = 0;

	*ret = (struct wanted){ .n = json_array_size(list) };
	if (ret->n > INTERFACES_MAX)
		return sk_error_set(err, EINVAL, "network: more than %u interfaces", INTERFACES_MAX);
	for (i = 0; r == 0 && i < ret->n; i++)
		r = sk_interface_decode(json_array_get(list, i), &ret->all[i], err);
	return r;
}

int sk_net_interfaces(const struct sk_network_spec *network, struct sk_error *err)
{
	struct wanted list;
	size_t i;
	int r = read_wanted(network->interfaces, &list, err);

	if (r < 0)
		return r;
	r = open_places();
	if (r == 0)
		r = list_links(&home);
	if (r == 0)
		r = park_others(&list);
	if (r == 0)
		r = list_links(&home);
	if (r == 0)
		r = free_names(&list);
	if (r == 0)
		r = list_links(&home);
	if (r == 0)
		r = list_links(&parked);
	if (r < 0)
		return sk_error_errno(err, r, "network: cannot arrange the devices");
	for (i = 0; i < list.n; i++) {
		unsigned index = 0;

		r = bring(&list.all[i], &index);
		if (r == 0)
			r = sync_addresses(index, list.all[i].addresses);
		if (r < 0)
			return sk_error_errno(err, r, "network: cannot set up %s", list.all[i].name);
	}
	r = sync_routes(network->routes);
	return r < 0 ? sk_error_errno(err, r, "network: cannot set up the routes") : 0;
}
