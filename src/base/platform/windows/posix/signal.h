/* SPDX-License-Identifier: Apache-2.0 */
#pragma GCC system_header
#ifndef SK_WINDOWS_SIGNAL_H
#define SK_WINDOWS_SIGNAL_H

/*
 * What the console tells a program: Ctrl-C and Ctrl-Break as SIGINT, a closed window as SIGHUP, the end of the session as
 * SIGTERM. Handlers run on a thread of their own, beside what the program is doing. See sk_posix.h.
 */
#include_next <signal.h>

#define SIGHUP 1
#define SIGKILL 9
#define SIGPIPE 13
#define SA_RESETHAND 1
#define SA_RESTART 2
struct sigaction {
	void (*sa_handler)(int);
	int sa_flags; /* SA_RESETHAND: once */
};
#define sigaction(number, action, old) sk_posix_sigaction(number, action, old)
int sk_posix_sigaction(int number, const struct sigaction *action, struct sigaction *ret_old);
#define signal sk_posix_signal
void (*sk_posix_signal(int number, void (*handler)(int)))(int);

#endif
