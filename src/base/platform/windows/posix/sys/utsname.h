/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_SYS_UTSNAME_H
#define SK_WINDOWS_SYS_UTSNAME_H

/* See sk_posix.h. */
struct utsname {
	char sysname[16], machine[16];
	char nodename[256], release[32]; /* "10.0.19045" */
};
int uname(struct utsname *ret);

#endif
