/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_NETINET_TCP_H
#define SK_WINDOWS_NETINET_TCP_H

/* See sk_posix.h. */
#include <sys/socket.h>

#define TH_FIN 0x01
#define TH_SYN 0x02
#define TH_RST 0x04
#define TH_ACK 0x10

#endif
