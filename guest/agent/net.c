/* SPDX-License-Identifier: Apache-2.0 */
/* Network set-up of a guest with one device. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/rtnl.h"
#include "boot.h"

#define NET_DEVICE "eth0"

static int link_up(int fd, unsigned index, uint32_t mtu)
{
	struct sk_rtnl q;

	sk_rtnl_start(&q, RTM_NEWLINK, 0, sizeof(q.link));
	q.link.ifi_index = (int)index;
	q.link.ifi_flags = IFF_UP;
	q.link.ifi_change = IFF_UP;
	if (mtu)
		sk_rtnl_add(&q, IFLA_MTU, &mtu, sizeof(mtu));
	return sk_rtnl_change(fd, &q);
}

static size_t address_len(const struct sk_address *a)
{
	return a->family == AF_INET6 ? 16 : 4;
}

static int add_address(int fd, unsigned index, const struct sk_address *a)
{
	struct sk_rtnl q;
	int r;

	sk_rtnl_start(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(q.addr));
	q.addr.ifa_family = (uint8_t)a->family;
	q.addr.ifa_prefixlen = a->prefix;
	q.addr.ifa_index = index;
	/* Usable at once: the network is the monitor's, which gives every address once. */
	q.addr.ifa_flags = a->family == AF_INET6 ? IFA_F_NODAD : 0;
	sk_rtnl_add(&q, IFA_LOCAL, a->addr, address_len(a));
	sk_rtnl_add(&q, IFA_ADDRESS, a->addr, address_len(a));
	if (a->family == AF_INET && a->prefix < 31) {
		uint8_t broadcast[4];
		unsigned i;

		for (i = 0; i < 32; i++) {
			uint8_t bit = (uint8_t)(0x80 >> (i % 8));

			if (i % 8 == 0)
				broadcast[i / 8] = a->addr[i / 8];
			if (i >= a->prefix)
				broadcast[i / 8] |= bit;
		}
		sk_rtnl_add(&q, IFA_BROADCAST, broadcast, sizeof(broadcast));
	}
	r = sk_rtnl_change(fd, &q);
	return r == -EEXIST ? 0 : r;
}

/* `gateway` NULL: `to` is reached over the link itself. `to` NULL: default route. */
static int add_route(int fd, unsigned index, const struct sk_address *to, const struct sk_address *gateway)
{
	struct sk_rtnl q;
	uint32_t oif = index;
	int r;

	sk_rtnl_start(&q, RTM_NEWROUTE, NLM_F_CREATE, sizeof(q.route));
	q.route.rtm_family = (uint8_t)(to ? to->family : gateway->family);
	q.route.rtm_table = RT_TABLE_MAIN;
	q.route.rtm_protocol = RTPROT_BOOT;
	q.route.rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	q.route.rtm_type = RTN_UNICAST;
	if (to) {
		q.route.rtm_dst_len = (uint8_t)(8 * address_len(to));
		sk_rtnl_add(&q, RTA_DST, to->addr, address_len(to));
	}
	if (gateway)
		sk_rtnl_add(&q, RTA_GATEWAY, gateway->addr, address_len(gateway));
	sk_rtnl_add(&q, RTA_OIF, &oif, sizeof(oif));
	r = sk_rtnl_change(fd, &q);
	return r == -EEXIST ? 0 : r;
}

static bool on_link(const struct sk_address *net, const struct sk_address *host)
{
	unsigned i;

	for (i = 0; i < net->prefix; i++) {
		uint8_t bit = (uint8_t)(0x80 >> (i % 8));

		if ((net->addr[i / 8] & bit) != (host->addr[i / 8] & bit))
			return false;
	}
	return true;
}

static int add_family(int fd, unsigned index, const struct sk_address *address, const struct sk_address *gateway,
		      struct sk_error *err)
{
	int r = address->family ? add_address(fd, index, address) : 0;

	if (r < 0)
		return sk_error_errno(err, r, "cannot set the address of " NET_DEVICE);
	/* A gateway outside of the subnet (a /32, say) is a neighbour all the same. */
	if (gateway->family && (!address->family || !on_link(address, gateway)))
		r = add_route(fd, index, gateway, NULL);
	if (r == 0 && gateway->family)
		r = add_route(fd, index, NULL, gateway);
	return r < 0 ? sk_error_errno(err, r, "cannot set the default route") : 0;
}

int sk_net_setup(const struct sk_network_spec *net, struct sk_error *err)
{
	_cleanup_fd_ int fd = sk_rtnl_open(), sysctl = -1;
	unsigned index;
	int r;

	if (fd < 0)
		return sk_error_errno(err, fd, "no rtnetlink");
	r = link_up(fd, if_nametoindex("lo"), 0);
	if (r < 0)
		return sk_error_errno(err, r, "cannot bring lo up");
	if (!net)
		return 0;
	/* The addresses are the monitor's to give: none from router advertisements. */
	sysctl = open("/proc/sys/net/ipv6/conf/" NET_DEVICE "/accept_ra", O_WRONLY | O_CLOEXEC);
	if (sysctl >= 0)
		sk_fs_write_all(sysctl, "0", 1);
	index = if_nametoindex(NET_DEVICE);
	if (index == 0)
		return sk_error_errno(err, errno, "no network device " NET_DEVICE);
	r = link_up(fd, index, net->mtu);
	if (r < 0)
		return sk_error_errno(err, r, "cannot bring " NET_DEVICE " up");
	r = add_family(fd, index, &net->address, &net->gateway, err);
	return r < 0 ? r : add_family(fd, index, &net->address6, &net->gateway6, err);
}
