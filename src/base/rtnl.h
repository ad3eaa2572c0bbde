/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_RTNL_H
#define SK_BASE_RTNL_H

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
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

#endif
