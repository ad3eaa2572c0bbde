/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static int connect_unix(const char *prefix, unsigned port)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s_%u", prefix, port);

	if (fd < 0)
		return -errno;
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

static int connect_vsock(unsigned port)
{
	struct sockaddr_vm svm = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = port };
	_cleanup_fd_ int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&svm, sizeof(svm)) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

int sk_uplink_connect(const struct sk_uplink *uplink, unsigned port)
{
	return uplink->unix_prefix ? connect_unix(uplink->unix_prefix, port) : connect_vsock(port);
}

int sk_uplink_stream(const struct sk_uplink *uplink, const struct sk_token *token)
{
	_cleanup_fd_ int fd = sk_uplink_connect(uplink, SK_PORT_STREAM);
	int r;

	if (fd < 0)
		return fd;
	r = sk_fs_write_all(fd, token->bytes, sizeof(token->bytes));
	return r < 0 ? r : SK_TAKE_FD(fd);
}
