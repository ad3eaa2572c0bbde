/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_NETINET_IP_ICMP_H
#define SK_WINDOWS_NETINET_IP_ICMP_H

/* See sk_posix.h. */
#define ICMP_DEST_UNREACH 3
#define ICMP_NET_UNREACH 0
#define ICMP_PORT_UNREACH 3

#endif
