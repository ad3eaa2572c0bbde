/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_SYS_SIGNALFD_H
#define SK_WINDOWS_SYS_SIGNALFD_H

/* What the console tells a program (signal.h), as bytes of a socket that a loop can wait for: terminal.c. */
#include <signal.h>
#include <sys/socket.h>

#define SFD_CLOEXEC SOCK_CLOEXEC
#define SFD_NONBLOCK SOCK_NONBLOCK

struct signalfd_siginfo {
	uint32_t ssi_signo;
};

/* `fd` is -1: a new one. Of those in `set` the console tells of SIGINT, SIGTERM and SIGHUP, and
 * its window of SIGWINCH, a quarter of a second later at most; they are handled by this until it
 * is closed, the last one that was made first. */
#define signalfd sk_posix_signalfd
int sk_posix_signalfd(int fd, const sigset_t *set, int flags);

#endif
