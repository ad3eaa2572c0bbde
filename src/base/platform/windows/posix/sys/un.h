/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_SYS_UN_H
#define SK_WINDOWS_SYS_UN_H

/* See sk_posix.h. */
#include <sys/socket.h>

struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};

#endif
