/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes: found in PATH, started with their descriptors and in namespaces, killed with their parent, waited
 * for.
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"

static const char system_dirs[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

char *sk_find_program(const char *name)
{
	const char *path = getenv("PATH"), *lists[] = { path ? path : "", system_dirs };
	size_t i;

	if (strchr(name, '/'))
		return strdup(name);
	for (i = 0; i < SK_ARRAY_SIZE(lists); i++) {
		const char *dir, *end;

		for (dir = lists[i]; *dir; dir = *end ? end + 1 : end) {
			struct stat st;
			char *file;

			end = strchrnul(dir, ':');
			if (*dir != '/')
				continue;
			file = sk_asprintf("%.*s/%s", (int)(end - dir), dir, name);
			if (!file)
				return NULL;
			if (access(file, X_OK) == 0 && stat(file, &st) == 0 && S_ISREG(st.st_mode))
				return file;
			free(file);
		}
	}
	errno = ENOENT;
	return NULL;
}

static int child_stdio(int fd, int to)
{
	if (fd < 0) {
		fd = open("/dev/null", to == 0 ? O_RDONLY : O_WRONLY);
		if (fd < 0)
			return -errno;
	}
	if (fd == to)
		return fcntl(fd, F_SETFD, 0) < 0 ? -errno : 0;
	return dup2(fd, to) < 0 ? -errno : 0;
}

/* Runs in the child; async-signal-safe calls only. Returns only on failure. */
static int child_exec(const struct sk_spawn *s, const char *program, int alive_fd)
{
	struct pollfd alive = { .fd = alive_fd, .events = POLLIN };
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;
	size_t i;
	int r, sig;

	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (s->new_session && setsid() < 0)
		return -errno;
	if ((r = child_stdio(s->stdin_fd, 0)) < 0 || (r = child_stdio(s->stdout_fd, 1)) < 0 ||
	    (r = child_stdio(s->stderr_fd, 2)) < 0)
		return r;
	/* Whatever our own caller left open, too (Linux 5.11; older ones rely on everybody's CLOEXEC). */
	(void)syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
	for (i = 0; i < s->n_keep_fds; i++)
		if (fcntl(s->keep_fds[i], F_SETFD, 0) < 0)
			return -errno;
	if (s->prepare) {
		r = s->prepare(s->prepare_arg);
		if (r < 0)
			return r;
	}
	/* After prepare: a change of credentials clears the setting. */
	if (s->die_with_parent) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			return -errno;
		/* The parent alone holds the other end: hung up means that it went before the line above. */
		if (poll(&alive, 1, 0) != 0)
			return -ESRCH;
	}
	/* exec's prototypes predate const: nothing is written. */
	if (s->envp)
		execve(program, (char *const *)(uintptr_t)s->argv, (char *const *)(uintptr_t)s->envp);
	else
		execv(program, (char *const *)(uintptr_t)s->argv);
	return -errno;
}

int sk_std_fds_open(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		/* The lowest free descriptor is the one that is missing. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
			return -errno;
	return 0;
}

void sk_fd_table_grow(unsigned n)
{
	int fd = n ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, (int)n - 1) : -1;

	if (fd >= 0)
		close(fd);
}

static unsigned long clone_flags(unsigned namespaces)
{
	static const struct {
		unsigned kind;
		unsigned long flag;
	} known[] = {
		{ SK_NS_USER, CLONE_NEWUSER }, { SK_NS_MOUNT, CLONE_NEWNS }, { SK_NS_PID, CLONE_NEWPID },
		{ SK_NS_NET, CLONE_NEWNET },   { SK_NS_IPC, CLONE_NEWIPC },  { SK_NS_UTS, CLONE_NEWUTS },
	};
	unsigned long flags = 0;
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(known); i++)
		if (namespaces & known[i].kind)
			flags |= known[i].flag;
	return flags;
}

int sk_spawn(const struct sk_spawn *s, sk_pid *ret_pid, int *ret_pidfd, struct sk_error *err)
{
	_cleanup_fd_ int pidfd = -1, status_r = -1, status_w = -1, alive_r = -1, alive_w = -1;
	_cleanup_free_ char *program = sk_find_program(s->file);
	int32_t failure = 0;
	int pipefd[2];
	pid_t pid;
	ssize_t n;

	if (!program)
		return sk_error_errno(err, errno, "cannot start %s", s->file);
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot start %s", s->file);
	status_r = pipefd[0];
	status_w = pipefd[1];
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot start %s", s->file);
	alive_r = pipefd[0];
	alive_w = pipefd[1];
	/* The raw call: like fork(), but it can make namespaces on the way. The child keeps to async-signal-safe calls.
	 */
	pid = (pid_t)syscall(SYS_clone, clone_flags(s->namespaces) | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0)
		return sk_error_errno(err, errno, "cannot start %s", s->file);
	if (pid == 0) {
		close(alive_w);
		failure = child_exec(s, program, alive_r);
		if (write(status_w, &failure, sizeof(failure)) < 0) {
			/* the parent sees a dead child */
		}
		_exit(127);
	}
	close(SK_TAKE_FD(status_w));
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	do
		n = read(status_r, &failure, sizeof(failure));
	while (n < 0 && errno == EINTR);
	if (n == sizeof(failure)) {
		waitpid(pid, NULL, 0);
		return sk_error_errno(err, failure, "cannot start %s", s->file);
	}
	*ret_pid = pid;
	if (ret_pidfd)
		*ret_pidfd = SK_TAKE_FD(pidfd);
	return 0;
}

int sk_wait(sk_pid pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool sk_process_runs(sk_pid pid, int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	siginfo_t info = { .si_pid = 0 };

	poll(&p, 1, ms); /* without a pidfd: a pause */
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

void sk_process_kill(sk_pid pid)
{
	kill(pid, SIGKILL);
}

int sk_run(const struct sk_spawn *spawn, struct sk_error *err)
{
	_cleanup_fd_ int out_r = -1, out_w = -1;
	struct sk_spawn s = *spawn;
	char tail[513] = "", chunk[512];
	size_t len = 0;
	int pipefd[2], r;
	pid_t pid;

	if (s.stderr_fd < 0) {
		if (pipe2(pipefd, O_CLOEXEC) < 0)
			return sk_error_errno(err, errno, "cannot start %s", s.file);
		out_r = pipefd[0];
		out_w = pipefd[1];
		s.stderr_fd = out_w;
	}
	r = sk_spawn(&s, &pid, NULL, err);
	if (r < 0)
		return r;
	sk_close_fd(&out_w);
	while (out_r >= 0) {
		ssize_t n = read(out_r, chunk, sizeof(chunk));
		size_t keep;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		keep = (size_t)n + len > 512 ? 512 - (size_t)n : len;
		memmove(tail, tail + len - keep, keep);
		memcpy(tail + keep, chunk, (size_t)n);
		len = keep + (size_t)n;
		tail[len] = '\0';
	}
	r = sk_wait(pid);
	if (r > 0) {
		while (len && tail[len - 1] == '\n')
			tail[--len] = '\0';
		sk_error_set(err, EIO, "%s failed with exit code %d%s%s", s.file, r, len ? ": " : "", tail);
	}
	return r;
}

bool sk_in_user_namespace(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned inner, outer, n;

	return f && (fscanf(f, "%u %u %u", &inner, &outer, &n) != 3 || inner != 0 || outer != 0 || n != UINT32_MAX);
}
