/* SPDX-License-Identifier: Apache-2.0 */
/* The user's terminal: raw mode and back, its size. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/container/term.h"

static struct termios saved;
static volatile sig_atomic_t saved_fd = -1;

void sk_term_restore(void)
{
	int fd = saved_fd, errno_was = errno;

	saved_fd = -1;
	if (fd >= 0)
		tcsetattr(fd, TCSANOW, &saved);
	errno = errno_was;
}

static void on_fatal(int sig)
{
	sk_term_restore();
	raise(sig); /* SA_RESETHAND: the default action now */
}

static int set_mode(int fd, bool input)
{
	/* The rest of the fatal ones comes through a signalfd (attach.c) or is SIGKILL. */
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP };
	struct sigaction sa = { .sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND };
	struct termios raw;
	size_t i;

	if (tcgetattr(fd, &saved) < 0)
		return -errno;
	raw = saved;
	if (input) {
		cfmakeraw(&raw);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
	} else {
		raw.c_oflag &= ~(tcflag_t)OPOST;
	}
	for (i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &sa, NULL);
	atexit(sk_term_restore);
	saved_fd = fd;
	if (tcsetattr(fd, TCSANOW, &raw) < 0) {
		int r = -errno;

		saved_fd = -1;
		return r;
	}
	return 0;
}

int sk_term_raw(int fd)
{
	return set_mode(fd, true);
}

int sk_term_plain(int fd)
{
	return set_mode(fd, false);
}

void sk_term_size(int fd, unsigned *ret_rows, unsigned *ret_cols)
{
	struct winsize ws;

	*ret_rows = *ret_cols = 0;
	if (ioctl(fd, TIOCGWINSZ, &ws) == 0) {
		*ret_rows = ws.ws_row;
		*ret_cols = ws.ws_col;
	}
}
