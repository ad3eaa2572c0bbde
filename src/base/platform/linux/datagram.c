/* SPDX-License-Identifier: Apache-2.0 */
#include "base/datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

int sk_datagram_tell_own(int fd, bool v6)
{
	int on = 1,
	    r = setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof(on));

	return r < 0 ? -errno : 0;
}

static void read_own(struct msghdr *m, struct sk_own_address *ret)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo v6;

			memcpy(&v6, CMSG_DATA(c), sizeof(v6));
			memcpy(ret->address, &v6.ipi6_addr, 16);
			/* Only an address of a link needs it; others may move between interfaces. */
			if (IN6_IS_ADDR_LINKLOCAL(&v6.ipi6_addr))
				ret->interface = v6.ipi6_ifindex;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo v4;

			memcpy(&v4, CMSG_DATA(c), sizeof(v4));
			memcpy(ret->address, &v4.ipi_spec_dst, 4);
		}
	}
}

ssize_t sk_datagram_receive(int fd, void *buf, size_t n, struct sockaddr *from, socklen_t *len,
			    struct sk_own_address *ret_own)
{
	struct iovec iov = { buf, n };
	union {
		struct cmsghdr align;
		uint8_t space[128];
	} control;
	struct msghdr m = { .msg_name = from,
			    .msg_namelen = *len,
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(fd, &m, MSG_DONTWAIT);

	memset(ret_own, 0, sizeof(*ret_own));
	if (got < 0)
		return -errno;
	*len = m.msg_namelen;
	read_own(&m, ret_own);
	return got;
}

ssize_t sk_datagram_send(int fd, const void *buf, size_t n, const struct sockaddr *to, socklen_t len,
			 const struct sk_own_address *own)
{
	bool v6 = to->sa_family == AF_INET6;
	struct iovec iov = { (uint8_t *)(uintptr_t)buf, n };
	union {
		struct cmsghdr align;
		uint8_t space[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { .space = { 0 } };
	struct msghdr m = { .msg_name = (struct sockaddr *)(uintptr_t)to,
			    .msg_namelen = len,
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control };
	struct in6_pktinfo info6 = { .ipi6_ifindex = own->interface };
	struct in_pktinfo info4 = { .ipi_ifindex = 0 };
	const void *info = v6 ? (const void *)&info6 : &info4;
	size_t size = v6 ? sizeof(info6) : sizeof(info4);
	struct cmsghdr *c = &control.align;
	ssize_t sent;

	memcpy(&info6.ipi6_addr, own->address, 16);
	memcpy(&info4.ipi_spec_dst, own->address, 4);
	m.msg_controllen = CMSG_SPACE(size);
	c->cmsg_level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	c->cmsg_type = v6 ? IPV6_PKTINFO : IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), info, size);
	sent = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}
