/* SPDX-License-Identifier: Apache-2.0 */
#include "base/terminal.h"

#include <sys/ioctl.h>

unsigned sk_terminal_width(int fd)
{
	struct winsize ws;

	return ioctl(fd, TIOCGWINSZ, &ws) == 0 ? ws.ws_col : 0;
}

int sk_input_open(int fd)
{
	return fd;
}

void sk_input_close(int fd, int input)
{
	(void)fd;
	(void)input;
}
