/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `/sbin/docker-init -- program args`: PID 1 of a container that asked for one (`run --init`). The command runs in a
 * process group of its own, in the foreground of the terminal if there is one.
 */
#include "init.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Faults of our own, and what the kernel sends for job control on our own reads and writes: not for the child. */
static const int kept[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU };

static void fill_set(sigset_t *set)
{
	size_t i;

	sigfillset(set);
	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		sigdelset(set, kept[i]);
}

static void run_child(char **argv, const sigset_t *old)
{
	setpgid(0, 0);
	if (tcsetpgrp(STDIN_FILENO, getpgrp()) < 0) {
		/* no terminal, or not ours */
	}
	signal(SIGTTIN, SIG_DFL);
	signal(SIGTTOU, SIG_DFL);
	sigprocmask(SIG_SETMASK, old, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "docker-init: exec %s failed: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Reaps everything that has ended; true with the code when the command is among it. */
static int reap(pid_t child, int *ret_code)
{
	int status, found = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == child) {
			*ret_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
			found = 1;
		}
	return found;
}

int sk_init_main(int argc, char **argv)
{
	sigset_t set, old;
	int i = 1, sig, code = 0;
	pid_t child;

	if (i < argc && strcmp(argv[i], "--") == 0)
		i++;
	if (i >= argc) {
		fprintf(stderr, "docker-init: no command\n");
		return 1;
	}
	fill_set(&set);
	sigprocmask(SIG_SETMASK, &set, &old);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	child = fork();
	if (child < 0) {
		fprintf(stderr, "docker-init: cannot start a process: %s\n", strerror(errno));
		return 1;
	}
	if (child == 0)
		run_child(argv + i, &old);
	for (;;) {
		if (sigwait(&set, &sig) != 0)
			continue;
		if (sig != SIGCHLD)
			kill(child, sig);
		else if (reap(child, &code))
			return code;
	}
}
