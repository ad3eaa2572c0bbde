/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink: requests, dumps and addresses, over one blocking socket. */
#include "base/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define DUMP_SIZE (32u * 1024u) /* NLMSG_GOODSIZE at most, whatever the page size */

int sk_rtnl_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

void sk_rtnl_start(struct sk_rtnl *q, uint16_t type, uint16_t flags, size_t body)
{
	*q = (struct sk_rtnl){ 0 };
	q->hdr.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
	q->hdr.nlmsg_type = type;
	q->hdr.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
}

void sk_rtnl_add(struct sk_rtnl *q, uint16_t type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(void *)((uint8_t *)q + NLMSG_ALIGN(q->hdr.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	q->hdr.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->hdr.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

int sk_rtnl_change(int fd, struct sk_rtnl *q)
{
	uint8_t reply[1024] __attribute__((aligned(8)));
	const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)reply;
	ssize_t n;

	q->hdr.nlmsg_flags |= NLM_F_ACK;
	if (send(fd, q, q->hdr.nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, reply, sizeof(reply), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < NLMSG_LENGTH(sizeof(struct nlmsgerr)) || h->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
}

int sk_rtnl_dump(int fd, uint16_t type, size_t body, int (*each)(void *arg, const struct nlmsghdr *h), void *arg)
{
	_cleanup_free_ uint8_t *reply = aligned_alloc(8, DUMP_SIZE);
	struct sk_rtnl q;

	if (!reply)
		return -ENOMEM;
	sk_rtnl_start(&q, type, NLM_F_DUMP, body);
	if (send(fd, &q, q.hdr.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t n = recv(fd, reply, DUMP_SIZE, 0);
		unsigned left = n > 0 ? (unsigned)n : 0;
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)reply;

		if (n <= 0)
			return n < 0 ? -errno : -EPROTO;
		for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			int r;

			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
			r = each(arg, h);
			if (r < 0)
				return r;
		}
	}
}

const void *sk_rtnl_address(const struct nlmsghdr *h, char ret_text[SK_RTNL_ADDRESS])
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));
	const void *address = NULL;
	char text[INET6_ADDRSTRLEN];
	const struct rtattr *a;

	for (a = IFA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFA_LOCAL || (a->rta_type == IFA_ADDRESS && !address))
			address = RTA_DATA(a);
	if (!address || !inet_ntop(m->ifa_family, address, text, sizeof(text)))
		return NULL;
	snprintf(ret_text, SK_RTNL_ADDRESS, "%s/%u", text, m->ifa_prefixlen);
	return address;
}
