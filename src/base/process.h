/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_BASE_PROCESS_H
#define SK_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* A process by number, as the system counts them: pid_t on Linux. */
typedef int sk_pid;

/* Kinds of namespaces. A system that has none starts no child in one. */
#define SK_NS_USER 1u
#define SK_NS_MOUNT 2u
#define SK_NS_PID 4u
#define SK_NS_NET 8u
#define SK_NS_IPC 16u
#define SK_NS_UTS 32u

/* How to start a helper program. Zeroed fields mean: inherit nothing but what is listed. */
struct sk_spawn {
	const char *file;		    /* path, or a name for sk_find_program() */
	const char *const *argv;	    /* NULL-terminated, argv[0] included */
	const char *const *envp;	    /* NULL: the caller's environment */
	int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null (zero-initialise with SK_SPAWN_INIT) */
	const int *keep_fds; /* further descriptors that survive under the same numbers (Windows: handles) */
	size_t n_keep_fds;
	bool die_with_parent; /* SIGKILL when the calling thread goes */
	unsigned namespaces;  /* SK_NS_*: that the child starts in, new ones */
	bool new_session;     /* of its own: no terminal's keys and no end of a terminal reach it */
	/* Runs in the child just before exec; returns 0 or negative errno. Only async-signal-safe calls. */
	int (*prepare)(void *arg);
	void *prepare_arg;
};
#define SK_SPAWN_INIT                                            \
	{                                                        \
		.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 \
	}

/* The first call of main(): opens /dev/null as descriptor 0, 1 or 2 if the caller has closed that, so that no file that
 * is opened later becomes a standard stream. Negative errno. */
int sk_std_fds_open(void);
/* The limit of the size of files is that of the caller's shell, and was meant for what his programs write: it is raised as
 * far as may be, and where it is met all the same that is an error (EFBIG) and no signal. */
void sk_raise_size_limit(void);

/* Before the first thread is started: enlarges the table of descriptors to hold at least `n`. With several threads
 * Linux waits for a grace period of RCU, ten milliseconds and more, each time the table grows (fs/file.c,
 * expand_fdtable). What cannot be enlarged grows when it has to. */
void sk_fd_table_grow(unsigned n);

/* Starts it. `*ret_pidfd` (may be NULL) is CLOEXEC and the caller's. Signal mask and dispositions are reset in the
 * child. Reports a failing exec as an error here. */
int sk_spawn(const struct sk_spawn *spawn, sk_pid *ret_pid, int *ret_pidfd, struct sk_error *err);
/* Waits for `pid` and returns its wait status in docker's form: exit code, or 128 + signal. Negative errno on failure.
 */
int sk_wait(sk_pid pid);
/* Waits at most `ms` milliseconds for its end. True: it runs on. `pidfd`: sk_spawn()'s, -1: there is none. */
bool sk_process_runs(sk_pid pid, int pidfd, int ms);
/* Ends it at once; sk_wait() has still to be called. */
void sk_process_kill(sk_pid pid);
/* Runs to the end and returns the exit code (128 + signal), with what it wrote to stderr (at most the last 512 bytes)
 * in `err` when the code is not 0. Negative errno when it could not be started. */
int sk_run(const struct sk_spawn *spawn, struct sk_error *err);
/* The path of program `name` (malloc'd) or NULL, errno set: searched in the absolute directories of PATH, and then in
 * those of the system, which a plain user's PATH has only in part (no sbin on Debian). A `name` with a slash is
 * returned as it is. */
char *sk_find_program(const char *name);
/*
 * How many programs share a processor of this host, in the average of the last minute: 1 to SK_HOST_LOAD_MAX. A deadline
 * for work that takes a processor is so many times as long. The first call has to come before the process is confined.
 */
#define SK_HOST_LOAD_MAX 10u
unsigned sk_host_load(void);
/* True: this process is in a user namespace, where uid 0 is not the host's and most users do not exist (rootless
 * podman). */
bool sk_in_user_namespace(void);

#endif
