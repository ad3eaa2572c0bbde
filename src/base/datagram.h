/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_DATAGRAM_H
#define SK_BASE_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Datagrams with both of their addresses: also that of this host, which one was sent to or is to be sent from. */

/* An address of this host. */
struct sk_own_address {
	uint8_t address[16]; /* as on the wire; IPv4: the first 4 bytes */
	uint32_t interface;  /* of an IPv6 address that only one link knows; 0 */
};

/* Has the socket tell from now on. 0 or negative errno. */
int sk_datagram_tell_own(int fd, bool v6);
/* Receives one; `from` has room for `*len` bytes. Zeroes `*ret_own` where nothing is told. Its length or negative errno;
 * never waits. */
ssize_t sk_datagram_receive(int fd, void *buf, size_t n, struct sockaddr *from, socklen_t *len,
			    struct sk_own_address *ret_own);
/* Sends one from `own`. Its length or negative errno; never waits. */
ssize_t sk_datagram_send(int fd, const void *buf, size_t n, const struct sockaddr *to, socklen_t len,
			 const struct sk_own_address *own);

#endif
