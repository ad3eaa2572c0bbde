/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the interfaces, addresses and routes of the network namespace that the monitor is in, silences the host's own
 * answers on them, and watches them for changes.
 */
#include "vm/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/rtnl.h"
#include "proto/parts.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define NETNS_MAX_ADDRESSES 64u
#define NETNS_MAX_ROUTES 256u
#define NETNS_RULE_DNS 1u
#define NETNS_RULE_SILENCE 2u
#define NETNS_DNS_TABLE 53u
#define NETNS_OURS_TABLE 54u   /* what we send to the namespace's own addresses arrives */
#define NETNS_DIVERT_TABLE 55u /* what others send there goes to the loopback interface, and no further */
#define NETNS_LOOPBACK_INDEX 1 /* of every namespace */
#define NETNS_RCVBUF (8 << 20)

const uint8_t sk_netns_dns[4] = { 127, 0, 0, 11 };

static struct sk_netns_if *by_index(struct sk_netns *ns, unsigned index)
{
	unsigned i;

	for (i = 0; i < ns->n_ifs; i++)
		if (ns->ifs[i].index == index)
			return &ns->ifs[i];
	return NULL;
}

/* Whether IPv6 is on, which docker decides for each interface. */
static bool has_ipv6(const char *name)
{
	char path[80], c = '1';
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (read(fd, &c, 1) != 1)
			c = '1';
		close(fd);
	}
	return c == '0';
}

static int each_link(void *arg, const struct nlmsghdr *h)
{
	struct sk_netns *ns = arg;
	const struct ifinfomsg *link = NLMSG_DATA(h);
	int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*link));
	struct sk_netns_if i = { .index = (unsigned)link->ifi_index, .mtu = 1500 };
	const struct rtattr *a;

	if (link->ifi_type != ARPHRD_ETHER || !(link->ifi_flags & IFF_UP) || (link->ifi_flags & IFF_LOOPBACK) ||
	    ns->n_ifs == SK_NETNS_MAX)
		return 0;
	for (a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFNAME)
			snprintf(i.name, sizeof(i.name), "%s", (const char *)RTA_DATA(a));
		else if (a->rta_type == IFLA_MTU && RTA_PAYLOAD(a) >= 4)
			memcpy(&i.mtu, RTA_DATA(a), 4);
		else if (a->rta_type == IFLA_ADDRESS && RTA_PAYLOAD(a) == 6)
			memcpy(i.mac, RTA_DATA(a), 6);
	}
	i.addresses = json_array();
	i.ipv6 = has_ipv6(i.name);
	ns->ifs[ns->n_ifs++] = i;
	return i.addresses ? 0 : -ENOMEM;
}

static int each_address(void *arg, const struct nlmsghdr *h)
{
	struct sk_netns *ns = arg;
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct sk_netns_if *i = by_index(ns, m->ifa_index);
	char full[SK_RTNL_ADDRESS];

	/* Link-local ones are made from the MAC, in the guest too. */
	if (!i || (m->ifa_family == AF_INET6 && m->ifa_scope == RT_SCOPE_LINK) ||
	    json_array_size(i->addresses) >= NETNS_MAX_ADDRESSES)
		return 0;
	if (!sk_rtnl_address(h, full))
		return 0;
	return json_array_append_new(i->addresses, json_string(full)) < 0 ? -ENOMEM : 0;
}

static int each_route(void *arg, const struct nlmsghdr *h)
{
	struct sk_netns *ns = arg;
	const struct rtmsg *m = NLMSG_DATA(h);
	int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));
	char to[INET6_ADDRSTRLEN] = "", via[INET6_ADDRSTRLEN] = "", src[INET6_ADDRSTRLEN] = "",
	     full[INET6_ADDRSTRLEN + 8];
	const struct sk_netns_if *i = NULL;
	uint32_t oif = 0, metric = 0;
	struct sk_error err = SK_ERROR_INIT;
	const struct rtattr *a;
	json_t *route;

	/* The kernel's own routes come with the addresses. */
	if (m->rtm_table != RT_TABLE_MAIN || m->rtm_type != RTN_UNICAST || m->rtm_protocol == RTPROT_KERNEL ||
	    json_array_size(ns->routes) >= NETNS_MAX_ROUTES || (m->rtm_family != AF_INET && m->rtm_family != AF_INET6))
		return 0;
	for (a = RTM_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == RTA_DST)
			inet_ntop(m->rtm_family, RTA_DATA(a), to, sizeof(to));
		else if (a->rta_type == RTA_GATEWAY)
			inet_ntop(m->rtm_family, RTA_DATA(a), via, sizeof(via));
		else if (a->rta_type == RTA_PREFSRC)
			inet_ntop(m->rtm_family, RTA_DATA(a), src, sizeof(src));
		else if (a->rta_type == RTA_OIF)
			memcpy(&oif, RTA_DATA(a), 4);
		else if (a->rta_type == RTA_PRIORITY)
			memcpy(&metric, RTA_DATA(a), 4);
	}
	i = by_index(ns, oif);
	if (!i)
		return 0;
	snprintf(full, sizeof(full), "%s/%u",
		 to[0]			     ? to
		 : m->rtm_family == AF_INET6 ? "::"
					     : "0.0.0.0",
		 m->rtm_dst_len);
	route = sk_route_encode(&(const struct sk_route_spec){ .to = full,
							       .dev = i->name,
							       .via = via[0] ? via : NULL,
							       .src = src[0] ? src : NULL,
							       .metric = metric },
				&err);
	return json_array_append_new(ns->routes, route) < 0 ? -ENOMEM : 0;
}

/* Whether a socket is bound to 127.0.0.11 (docker's embedded name server picks a random port and redirects port 53 to
 * it). */
static bool has_embedded_dns(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/net/udp", "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		unsigned address, port;

		if (sscanf(line, " %*u: %8X:%4X", &address, &port) == 2 && address == htonl(0x7f00000b))
			return true;
	}
	return false;
}

int sk_netns_read(struct sk_netns *ret, struct sk_error *err)
{
	_cleanup_fd_ int fd = sk_rtnl_open();
	int r = fd < 0 ? fd : 0;

	*ret = (struct sk_netns){ .routes = json_array() };
	if (r == 0)
		r = sk_rtnl_dump(fd, RTM_GETLINK, sizeof(struct ifinfomsg), each_link, ret);
	if (r == 0)
		r = sk_rtnl_dump(fd, RTM_GETADDR, sizeof(struct ifaddrmsg), each_address, ret);
	if (r == 0)
		r = sk_rtnl_dump(fd, RTM_GETROUTE, sizeof(struct rtmsg), each_route, ret);
	if (r < 0) {
		sk_netns_fini(ret);
		return sk_error_errno(err, r, "cannot read the guest's network");
	}
	ret->dns = has_embedded_dns();
	return 0;
}

void sk_netns_fini(struct sk_netns *ns)
{
	unsigned i;

	for (i = 0; i < ns->n_ifs; i++)
		json_decref(ns->ifs[i].addresses);
	json_decref(ns->routes);
	*ns = (struct sk_netns){ 0 };
}

/* "local ADDRESS dev X", in the table `table`: added or removed. */
static int local_route(int fd, bool add, uint32_t table, int family, const void *address, uint32_t index)
{
	struct sk_rtnl q;
	size_t len = family == AF_INET6 ? 16 : 4;

	sk_rtnl_start(&q, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_REPLACE : 0, sizeof(q.route));
	q.route.rtm_family = (uint8_t)family;
	q.route.rtm_table = (uint8_t)table;
	q.route.rtm_type = RTN_LOCAL;
	q.route.rtm_dst_len = (uint8_t)(8 * len);
	q.route.rtm_scope = add ? RT_SCOPE_HOST : RT_SCOPE_NOWHERE;
	q.route.rtm_protocol = add ? RTPROT_BOOT : RTPROT_UNSPEC;
	sk_rtnl_add(&q, RTA_DST, address, len);
	sk_rtnl_add(&q, RTA_OIF, &index, sizeof(index));
	return sk_rtnl_change(fd, &q);
}

/* A routing rule. `table` 0: a black hole. */
struct rule {
	uint32_t priority, table, mark;
	const char *ifname;
	uint8_t proto;
	uint16_t port;	     /* of the sender; 0: any */
	bool own_ports;	     /* of the receiver: SK_NETNS_PORT_FIRST and above */
	const uint8_t *from; /* an IPv4 address */
};

static void start_rule(struct sk_rtnl *q, uint16_t type, uint16_t flags, int family, const struct rule *r)
{
	struct fib_rule_port_range port = { r->port, r->port }, own = { SK_NETNS_PORT_FIRST, SK_NETNS_PORT_LAST };

	sk_rtnl_start(q, type, flags, sizeof(q->rule));
	q->rule.family = (uint8_t)family;
	q->rule.action = r->table ? FR_ACT_TO_TBL : FR_ACT_BLACKHOLE;
	q->rule.table = (uint8_t)r->table;
	sk_rtnl_add(q, FRA_PRIORITY, &r->priority, sizeof(r->priority));
	if (r->ifname)
		sk_rtnl_add(q, FRA_IIFNAME, r->ifname, strlen(r->ifname) + 1);
	if (r->mark)
		sk_rtnl_add(q, FRA_FWMARK, &r->mark, sizeof(r->mark));
	if (r->proto)
		sk_rtnl_add(q, FRA_IP_PROTO, &r->proto, sizeof(r->proto));
	if (r->port)
		sk_rtnl_add(q, FRA_SPORT_RANGE, &port, sizeof(port));
	if (r->own_ports)
		sk_rtnl_add(q, FRA_DPORT_RANGE, &own, sizeof(own));
	if (r->from) {
		q->rule.src_len = 32;
		sk_rtnl_add(q, FRA_SRC, r->from, 4);
	}
}

static int add_rule(int fd, int family, const struct rule *rule)
{
	struct sk_rtnl q;
	int r;

	start_rule(&q, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, family, rule);
	r = sk_rtnl_change(fd, &q);
	return r == -EEXIST ? 0 : r;
}

int sk_netns_address(const struct sk_netns_if *i, size_t k, uint8_t ret[16])
{
	char text[INET6_ADDRSTRLEN + 8];
	int family;

	snprintf(text, sizeof(text), "%s", json_string_value(json_array_get(i->addresses, k)));
	text[strcspn(text, "/")] = '\0';
	family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(family, text, ret) == 1 ? family : -EINVAL;
}

bool sk_netns_own_ports(void)
{
	_cleanup_fd_ int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC);
	char text[32];

	snprintf(text, sizeof(text), "%u %u", SK_NETNS_PORT_FIRST, SK_NETNS_PORT_LAST);
	return fd >= 0 && write(fd, text, strlen(text)) > 0;
}

int sk_netns_silence(const struct sk_netns *ns, const struct sk_netns_if *i, bool own_ports, struct sk_error *err)
{
	_cleanup_fd_ int fd = sk_rtnl_open();
	const struct rule silence = { .priority = NETNS_RULE_SILENCE, .ifname = i->name },
			  dns = { .priority = NETNS_RULE_DNS,
				  .ifname = i->name,
				  .table = NETNS_DNS_TABLE,
				  .proto = IPPROTO_UDP,
				  .port = 53 },
			  dns_tcp = { .priority = NETNS_RULE_DNS,
				      .ifname = i->name,
				      .table = NETNS_DNS_TABLE,
				      .proto = IPPROTO_TCP,
				      .port = 53,
				      .own_ports = true };
	int r = fd < 0 ? fd : add_rule(fd, AF_INET, &silence);
	size_t k;

	if (r == 0)
		r = add_rule(fd, AF_INET6, &silence);
	if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP) /* no IPv6 here */
		r = 0;
	if (r == 0 && ns->dns)
		r = add_rule(fd, AF_INET, &dns);
	if (r == 0 && ns->dns && own_ports)
		r = add_rule(fd, AF_INET, &dns_tcp);
	for (k = 0; r == 0 && k < json_array_size(i->addresses); k++) {
		uint8_t address[16];
		int family = sk_netns_address(i, k, address);

		if (family < 0)
			continue;
		if (ns->dns && family == AF_INET)
			r = local_route(fd, true, NETNS_DNS_TABLE, family, address, i->index);
		if (r == 0)
			r = local_route(fd, false, RT_TABLE_LOCAL, family, address, i->index);
		if (r == -ESRCH || r == -ENOENT) /* done before */
			r = 0;
	}
	return r < 0 ? sk_error_errno(err, r, "cannot take over the interface %s", i->name) : 0;
}

/* Both routes of one address: for our own packets, and for those of everybody else. */
static int divert_address(int fd, int family, const void *address)
{
	size_t len = family == AF_INET6 ? 16 : 4;
	uint32_t index = NETNS_LOOPBACK_INDEX;
	uint8_t metrics[RTA_LENGTH(4)];
	struct rtattr *hops = (struct rtattr *)metrics;
	uint32_t limit = SK_NETNS_HOPS;
	int r = 0, k;

	*hops = (struct rtattr){ .rta_len = sizeof(metrics), .rta_type = RTAX_HOPLIMIT };
	memcpy(RTA_DATA(hops), &limit, sizeof(limit));
	for (k = 0; r == 0 && k < 2; k++) {
		struct sk_rtnl q;

		/* Not replaced: that would be a change, which sk_netns_watch() tells. */
		sk_rtnl_start(&q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(q.route));
		q.route.rtm_family = (uint8_t)family;
		q.route.rtm_table = k ? NETNS_DIVERT_TABLE : NETNS_OURS_TABLE;
		q.route.rtm_type = k ? RTN_UNICAST : RTN_LOCAL;
		q.route.rtm_dst_len = (uint8_t)(8 * len);
		q.route.rtm_scope = RT_SCOPE_HOST;
		q.route.rtm_protocol = RTPROT_BOOT;
		sk_rtnl_add(&q, RTA_DST, address, len);
		sk_rtnl_add(&q, RTA_OIF, &index, sizeof(index));
		if (k)
			sk_rtnl_add(&q, RTA_METRICS, metrics, sizeof(metrics));
		r = sk_rtnl_change(fd, &q);
		if (r == -EEXIST)
			r = 0;
	}
	return r;
}

/* Our rules come before the one for the table "local", which all have priority 0 and stand in the order in which they
 * were added: so that one is added again, and the former goes. */
static int divert_rules(int fd, int family)
{
	const struct rule ours = { .table = NETNS_OURS_TABLE, .mark = SK_NETNS_MARK },
			  docker = { .table = NETNS_OURS_TABLE, .from = sk_netns_dns },
			  divert = { .table = NETNS_DIVERT_TABLE, .ifname = "lo", .proto = IPPROTO_TCP },
			  local = { .table = RT_TABLE_LOCAL };
	struct sk_rtnl q;
	int r = add_rule(fd, family, &ours);

	if (r == 0 && family == AF_INET)
		r = add_rule(fd, family, &docker);
	if (r == 0)
		r = add_rule(fd, family, &divert);
	if (r < 0)
		return r;
	start_rule(&q, RTM_NEWRULE, NLM_F_CREATE, family, &local);
	r = sk_rtnl_change(fd, &q);
	if (r < 0)
		return r;
	start_rule(&q, RTM_DELRULE, 0, family, &local);
	return sk_rtnl_change(fd, &q);
}

int sk_netns_divert(const struct sk_netns *ns, struct sk_error *err)
{
	static const uint8_t loopback[4] = { 127, 0, 0, 1 };
	_cleanup_fd_ int fd = sk_rtnl_open();
	int r = fd < 0 ? fd : divert_address(fd, AF_INET, loopback);
	unsigned i;
	size_t k;

	for (i = 0; r == 0 && i < ns->n_ifs; i++)
		for (k = 0; r == 0 && k < json_array_size(ns->ifs[i].addresses); k++) {
			uint8_t address[16];

			if (sk_netns_address(&ns->ifs[i], k, address) == AF_INET)
				r = divert_address(fd, AF_INET, address);
		}
	if (r == 0)
		r = divert_rules(fd, AF_INET);
	if (r == 0 && has_ipv6("lo")) {
		r = divert_address(fd, AF_INET6, &in6addr_loopback);
		if (r == 0)
			r = divert_rules(fd, AF_INET6);
	}
	return r < 0 ? sk_error_errno(err, r, "cannot divert the loopback interface's connections") : 0;
}

void sk_netns_undivert(void)
{
	const struct rule divert = { .table = NETNS_DIVERT_TABLE, .ifname = "lo", .proto = IPPROTO_TCP };
	static const int families[] = { AF_INET, AF_INET6 };
	_cleanup_fd_ int fd = sk_rtnl_open();
	size_t i;

	for (i = 0; fd >= 0 && i < SK_ARRAY_SIZE(families); i++) {
		struct sk_rtnl q;

		start_rule(&q, RTM_DELRULE, 0, families[i], &divert);
		sk_rtnl_change(fd, &q);
	}
}

int sk_netns_loopback_socket(void)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL),
				    .sll_ifindex = NETNS_LOOPBACK_INDEX };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_MARK)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SK_NETNS_MARK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog filter = { .len = SK_ARRAY_SIZE(code), .filter = code };
	_cleanup_fd_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, size = NETNS_RCVBUF;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

int sk_netns_raw_socket(int family)
{
	_cleanup_fd_ int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	uint32_t mark = SK_NETNS_MARK;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

/* TCP over IPv4 from port 53 to the namespace's own ports is not for the guest. */
static int leave_own_ports_out(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 9),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 7),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETH_HLEN + 6),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 5, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, ETH_HLEN),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, ETH_HLEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 53, 0, 2),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, ETH_HLEN + 2),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SK_NETNS_PORT_FIRST, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

int sk_netns_packet_socket(unsigned index, bool own_ports)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL),
				    .sll_ifindex = (int)index };
	_cleanup_fd_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, size = NETNS_RCVBUF;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0)
		return -errno;
	if (own_ports && leave_own_ports_out(fd) < 0)
		return -errno;
	/* As much as we may: a burst waits here while the guest is busy. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

int sk_netns_watch(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	_cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	addr.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

void sk_netns_watch_drain(int fd)
{
	uint8_t buf[8192];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		if (errno == ENOBUFS)
			errno = 0;
}
