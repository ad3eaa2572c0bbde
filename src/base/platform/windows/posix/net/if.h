/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
/* See sk_posix.h. */
#include <sys/socket.h>

#include <iphlpapi.h>
#include <netioapi.h>
