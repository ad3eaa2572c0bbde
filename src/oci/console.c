/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal of a container: made, and sent to the caller's --console-socket. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "oci/oci.h"

/* The receiver reads a name in one message with the descriptor (SCM_RIGHTS), as from runc. */
static int send_master(int sock, int master)
{
	static const char name[] = "/dev/ptmx";

	return sk_socket_send(sock, name, sizeof(name) - 1, &master, 1);
}

static int connect_to(const char *path)
{
	_cleanup_fd_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), link = open(path, O_PATH | O_CLOEXEC);
	struct sockaddr_un addr;

	if (sock < 0 || link < 0)
		return -errno;
	sk_socket_address(link, NULL, &addr);
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return SK_TAKE_FD(sock);
}

int sk_oci_console_pair(int *ret_master, struct sk_error *err)
{
	_cleanup_fd_ int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave = -1;
	struct termios t;

	if (master < 0 || unlockpt(master) < 0)
		return sk_error_errno(err, errno, "cannot make a terminal");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || tcgetattr(slave, &t) < 0)
		return sk_error_errno(err, errno, "cannot make a terminal");
	/* The terminal that the process sees is in the guest, with echo and all; this one only carries bytes. */
	cfmakeraw(&t);
	if (tcsetattr(slave, TCSANOW, &t) < 0)
		return sk_error_errno(err, errno, "cannot make a terminal");
	*ret_master = SK_TAKE_FD(master);
	return SK_TAKE_FD(slave);
}

int sk_oci_console_new(const char *socket_path, unsigned rows, unsigned cols, struct sk_error *err)
{
	struct winsize ws = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols };
	_cleanup_fd_ int master = -1, slave = sk_oci_console_pair(&master, err), sock = -1;
	int r;

	if (slave < 0)
		return slave;
	if (rows && cols)
		ioctl(master, TIOCSWINSZ, &ws);
	sock = connect_to(socket_path);
	if (sock < 0)
		return sk_error_errno(err, sock, "cannot reach the console socket %s", socket_path);
	r = send_master(sock, master);
	if (r < 0)
		return sk_error_errno(err, r, "cannot send the terminal to %s", socket_path);
	return SK_TAKE_FD(slave);
}

int sk_oci_console_host(struct sk_error *err)
{
	int fd, tty;

	for (fd = 2; fd >= 0; fd--) {
		if (!isatty(fd))
			continue;
		tty = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		return tty < 0 ? sk_error_errno(err, errno, "terminal") : tty;
	}
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0) {
		const char *why = strerror(errno);

		return sk_error_set(err, errno, "open /dev/tty: %c%s", *why | 0x20, why + 1);
	}
	return tty;
}

void sk_oci_leave_stdio(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;

	for (fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}
