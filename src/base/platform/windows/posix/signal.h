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
#define SIGQUIT 3
#define SIGTRAP 5
#define SIGBUS 7
#define SIGKILL 9
#define SIGPIPE 13
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 24
#define SIGTTOU 25
#define SIGURG 26
#define SIGWINCH 28
#define SIGSYS 31
#define SA_RESETHAND 1
#define SA_RESTART 2
struct sigaction {
	void (*sa_handler)(int);
	int sa_flags; /* SA_RESETHAND: once */
};
#define sigaction(number, action, old) sk_posix_sigaction(number, action, old)
int sk_posix_sigaction(int number, const struct sigaction *action, struct sigaction *ret_old);
#define signal(number, handler) sk_posix_signal(number, handler)
void (*sk_posix_signal(int number, void (*handler)(int)))(int);

/* Sets of them: what is in one is a matter for signalfd() only. Nothing is held back: the console's handlers run on a thread
 * of their own anyway. */
#undef sigset_t
#define sigset_t sk_posix_sigset
typedef uint32_t sk_posix_sigset;
#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2
static inline int sigemptyset(sigset_t *set)
{
	*set = 0;
	return 0;
}
static inline int sigfillset(sigset_t *set)
{
	*set = UINT32_MAX;
	return 0;
}
static inline int sigaddset(sigset_t *set, int number)
{
	*set |= (sigset_t)1 << number;
	return 0;
}
static inline int sigdelset(sigset_t *set, int number)
{
	*set &= ~((sigset_t)1 << number);
	return 0;
}
static inline int sigprocmask(int how, const sigset_t *set, sigset_t *ret_old)
{
	(void)how;
	(void)set;
	if (ret_old)
		*ret_old = 0;
	return 0;
}

#endif
