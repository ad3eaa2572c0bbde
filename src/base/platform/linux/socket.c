/* SPDX-License-Identifier: Apache-2.0 */
#include "base/socket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

int sk_socket_address(int fd, const char *name, struct sockaddr_un *ret)
{
	int n;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (fd < 0)
		return -EBADF;
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d%s%s", fd, name ? "/" : "",
		     name ? name : "");
	return n < (int)sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}
