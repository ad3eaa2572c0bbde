/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams with both addresses, by WSARecvMsg and WSASendMsg. The former is an extension that is asked for by its GUID. */
#include "base/datagram.h"

#include "base/platform/windows/system.h"

#include <mswsock.h>

_Static_assert(IP_PKTINFO == IPV6_PKTINFO, "one name for both");

static LPFN_WSARECVMSG find_receive(SOCKET s)
{
	static LPFN_WSARECVMSG found; /* the same for each socket of the system's own */
	GUID id = WSAID_WSARECVMSG;
	DWORD n;

	if (!found && WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof(id), &found, sizeof(found), &n, NULL,
			       NULL) == SOCKET_ERROR)
		found = NULL;
	return found;
}

static int last_error(void)
{
	return -sk_win_errno((unsigned long)WSAGetLastError());
}

int sk_datagram_tell_own(int fd, bool v6)
{
	int on = 1, r = setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));

	return r < 0 ? -errno : 0;
}

static void read_own(WSAMSG *m, struct sk_own_address *ret)
{
	WSACMSGHDR *c;

	for (c = WSA_CMSG_FIRSTHDR(m); c; c = WSA_CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo v6;

			memcpy(&v6, WSA_CMSG_DATA(c), sizeof(v6));
			memcpy(ret->address, &v6.ipi6_addr, 16);
			if (IN6_IS_ADDR_LINKLOCAL(&v6.ipi6_addr))
				ret->interface = v6.ipi6_ifindex;
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo v4;

			memcpy(&v4, WSA_CMSG_DATA(c), sizeof(v4));
			memcpy(ret->address, &v4.ipi_addr, 4);
		}
	}
}

ssize_t sk_datagram_receive(int fd, void *buf, size_t n, struct sockaddr *from, socklen_t *len,
			    struct sk_own_address *ret_own)
{
	SOCKET s = sk_win_socket(fd);
	LPFN_WSARECVMSG receive = s == INVALID_SOCKET ? NULL : find_receive(s);
	WSABUF data = { .buf = buf, .len = (ULONG)n };
	union {
		WSACMSGHDR align;
		uint8_t space[128];
	} control;
	WSAMSG m = { .name = from,
		     .namelen = *len,
		     .lpBuffers = &data,
		     .dwBufferCount = 1,
		     .Control = { .buf = (char *)&control, .len = sizeof(control) } };
	DWORD got;

	memset(ret_own, 0, sizeof(*ret_own));
	if (!receive)
		return -EOPNOTSUPP;
	if (receive(s, &m, &got, NULL, NULL) == SOCKET_ERROR)
		return last_error();
	*len = m.namelen;
	read_own(&m, ret_own);
	return (ssize_t)got;
}

ssize_t sk_datagram_send(int fd, const void *buf, size_t n, const struct sockaddr *to, socklen_t len,
			 const struct sk_own_address *own)
{
	bool v6 = to->sa_family == AF_INET6;
	SOCKET s = sk_win_socket(fd);
	WSABUF data = { .buf = (char *)(uintptr_t)buf, .len = (ULONG)n };
	union {
		WSACMSGHDR align;
		uint8_t space[WSA_CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { .space = { 0 } };
	struct in6_pktinfo info6 = { .ipi6_ifindex = own->interface };
	struct in_pktinfo info4 = { .ipi_ifindex = 0 };
	size_t size = v6 ? sizeof(info6) : sizeof(info4);
	WSAMSG m = { .name = (struct sockaddr *)(uintptr_t)to,
		     .namelen = len,
		     .lpBuffers = &data,
		     .dwBufferCount = 1,
		     .Control = { .buf = (char *)&control, .len = (ULONG)WSA_CMSG_SPACE(size) } };
	WSACMSGHDR *c = &control.align;
	DWORD sent;

	if (s == INVALID_SOCKET)
		return -errno;
	memcpy(&info6.ipi6_addr, own->address, 16);
	memcpy(&info4.ipi_addr, own->address, 4);
	c->cmsg_level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = WSA_CMSG_LEN(size);
	memcpy(WSA_CMSG_DATA(c), v6 ? (const void *)&info6 : &info4, size);
	if (WSASendMsg(s, &m, 0, &sent, NULL, NULL) == SOCKET_ERROR)
		return last_error();
	return (ssize_t)sent;
}
