/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_RTNL_H
#define SK_BASE_RTNL_H

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/*
 * rtnetlink(7): one request at a time, each acknowledged. The socket is a blocking NETLINK_ROUTE one, which serves the
 * network namespace that it was made in.
 */
struct sk_rtnl {
	struct nlmsghdr hdr;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct rtmsg route;
		struct fib_rule_hdr rule;
	};
	uint8_t attributes[192];
};

int sk_rtnl_open(void); /* a descriptor or -errno */
/* A request of `type` (RTM_*) with a body of `body` bytes, all zero: sizeof(.link), … */
void sk_rtnl_start(struct sk_rtnl *q, uint16_t type, uint16_t flags, size_t body);
/* Appends an attribute. All attributes of a request fit in `attributes`, headers included: the caller's to see to. */
void sk_rtnl_add(struct sk_rtnl *q, uint16_t type, const void *data, size_t len);
/* Sends a change and waits until it is done. */
int sk_rtnl_change(int fd, struct sk_rtnl *q);
/* Calls `each` for every message of a dump (RTM_GET*); a negative result ends the dump and is returned. */
int sk_rtnl_dump(int fd, uint16_t type, size_t body, int (*each)(void *arg, const struct nlmsghdr *h), void *arg);

/* Of a message about an address (RTM_NEWADDR in a dump): the interface's own, also of a connection with a peer. */
#define SK_RTNL_ADDRESS (INET6_ADDRSTRLEN + 8)
/* `ret_text`: "10.0.2.15/24". Returns its bytes, in the message; NULL: it has none. */
const void *sk_rtnl_address(const struct nlmsghdr *h, char ret_text[SK_RTNL_ADDRESS]);

#endif
