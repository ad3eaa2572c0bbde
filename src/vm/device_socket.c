/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/device_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"

int sk_device_socket_dir(const char *run_dir, struct sk_error *err)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/vu", run_dir);
	/* 0711 whatever the umask: the engine passes through as another user; the directory above is closed. */
	if ((mkdir(path, 0711) < 0 && errno != EEXIST) || chmod(path, 0711) < 0)
		return sk_error_errno(err, errno, "cannot make %s", path);
	return 0;
}

int sk_device_socket(const char *run_dir, const char *name, int *ret_fd, struct sk_error *err)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), dirfd = -1;
	struct sockaddr_un addr;
	char path[600];

	snprintf(path, sizeof(path), "%s/vu", run_dir);
	dirfd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dirfd < 0)
		return sk_error_errno(err, errno, "cannot make device socket %s", name);
	unlinkat(dirfd, name, 0);
	/* Its directory is closed to all others; inside, the engine may be another user. */
	if (sk_socket_address(dirfd, name, &addr) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    chmod(addr.sun_path, 0666) < 0 || listen(fd, 4) < 0)
		return sk_error_errno(err, errno, "cannot make device socket %s", name);
	*ret_fd = SK_TAKE_FD(fd);
	return 0;
}
