/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_NET_ETHERNET_H
#define SK_WINDOWS_NET_ETHERNET_H

/* See sk_posix.h. */
#define ETH_HLEN 14
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD

#endif
