/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A monitor parses what a hostile guest sends, so it gives up all rights that a running VM does not need
 * (confine.c). Three things need them again, and the keeper does them for it:
 *
 *   restart   the next life of a container with a restart policy is a new monitor: the keeper executes the program anew
 *             and hands it the lock and the listening socket, so that the container is never seen without a monitor,
 *             and the next one accepts clients that connect in between. So it is with the sockets that lead into a
 *             machine, when that was suspended and a client connects.
 *   remove    the end of a container that is removed by itself (--rm): its directory goes to the store's tmp/, and so
 *             do its anonymous volumes; then they are deleted.
 *   resolv    the host's resolv.conf, which may be another file by now than the one that the monitor is allowed to read.
 *
 * The keeper also writes the state of a monitor that was killed.
 *
 * The monitor is not trusted here: it chooses one of these and sends two numbers. Which container and which
 * directories was settled before it met its guest, and a confined monitor cannot write vm.json. The keeper holds
 * nothing open but its end of the connection: it reads end of file when the monitor ends, by whatever cause, and exits.
 */
#include "vm/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/socket.h"
#include "vm/vm.h"

#define SK_KEEPER_FD 3
#define SK_KEEPER_WAIT_MS 60000
#define SK_KEEPER_READ_MS 1000
#define SK_KEEPER_RESOLV_MAX 16384u

enum what {
	KEEPER_RESTART = 1,
	KEEPER_REMOVE,
	KEEPER_RESOLV_CONF,
	KEEPER_DONE, /* the monitor ends in order; if it ends without this message, it was killed */
};

struct message {
	uint32_t what, restarts;
	uint32_t n_sockets; /* that come with the next message */
	uint32_t wanted;
	uint64_t backoff_ms;
};

/* ---- in the keeper */

struct place {
	const char *self;
	char *root, *run, *id;
	struct sk_paths paths;
};

/* "5,6"; "" for none. */
static int list_sockets(const int *fds, unsigned n, char *ret, size_t size)
{
	unsigned i;
	int len = 0;

	*ret = '\0';
	for (i = 0; i < n; i++) {
		if (fcntl(fds[i], F_SETFD, 0) < 0)
			return -errno;
		len += snprintf(ret + len, size - (size_t)len, "%s%d", i ? "," : "", fds[i]);
	}
	return 0;
}

static void become_monitor(const struct place *p, const struct message *m, const int fds[2], const int *sockets)
{
	char lock[16], listener[16], restarts[16], backoff[24], list[SK_KEEPER_SOCKETS * 12 + 1];
	const char *argv[] = {
		p->self,  "--root",	  p->root, "--run",	   p->run,   "--id",
		p->id,	  "--lock-fd",	  lock,	   "--listen-fd",  listener, "--restarts",
		restarts, "--backoff-ms", backoff, "--socket-fds", list,     m->wanted ? "--wanted" : NULL,
		NULL
	};

	snprintf(lock, sizeof(lock), "%d", fds[0]);
	snprintf(listener, sizeof(listener), "%d", fds[1]);
	snprintf(restarts, sizeof(restarts), "%u", m->restarts);
	snprintf(backoff, sizeof(backoff), "%llu", (unsigned long long)m->backoff_ms);
	if (fcntl(fds[0], F_SETFD, 0) < 0 || fcntl(fds[1], F_SETFD, 0) < 0 ||
	    list_sockets(sockets, m->n_sockets, list, sizeof(list)) < 0)
		return;
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	/* exec's prototype predates const: nothing is written. */
	execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
}

static void remove_all(const struct place *p, int fd)
{
	char done = sk_vm_discard(&p->paths, p->id) == 0;

	if (write(fd, &done, 1) < 0)
		done = 0;
	sk_vm_sweep(&p->paths);
}

static bool receive_sockets(int fd, unsigned n, int sockets[SK_KEEPER_SOCKETS])
{
	char byte;

	if (n > SK_KEEPER_SOCKETS)
		return false;
	return n == 0 || (sk_socket_receive(fd, true, &byte, 1, sockets, n) == 1 && sockets[0] >= 0);
}

/* Answers with the file; an empty one: there is none. */
static void send_resolv_conf(int fd)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	if (sk_fs_read(AT_FDCWD, "/etc/resolv.conf", SK_KEEPER_RESOLV_MAX - 1, &text, &len) < 0)
		len = 0;
	/* With its NUL: an empty message would look like the end. */
	(void)send(fd, len ? text : "", len + 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void keep(const struct place *p, int fd)
{
	int fds[2], sockets[SK_KEEPER_SOCKETS];
	struct message m;

	for (;;) {
		if (sk_socket_receive(fd, true, &m, sizeof(m), fds, 2) != (int)sizeof(m)) {
			sk_vm_state_bury(&p->paths, p->id); /* if it was killed */
			return;
		}
		if (m.what != KEEPER_RESOLV_CONF)
			break;
		send_resolv_conf(fd);
	}
	if (m.what == KEEPER_RESTART && fds[0] >= 0 && fds[1] >= 0) {
		if (receive_sockets(fd, m.n_sockets, sockets) && write(fd, "1", 1) == 1)
			become_monitor(p, &m, fds, sockets);
	} else if (m.what == KEEPER_REMOVE) {
		remove_all(p, fd);
	}
}

static void keeper_main(const struct place *p, int fd)
{
	int null = open("/dev/null", O_RDWR), i;

	prctl(PR_SET_NAME, "skerry-keeper");
	signal(SIGTERM, SIG_IGN); /* it ends with the monitor, not before */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* Drop the inherited stdio: otherwise its other ends would not see end of file when the monitor closes it. */
	for (i = 0; i < 3; i++)
		dup2(null, i);
	if (fd != SK_KEEPER_FD)
		dup2(fd, SK_KEEPER_FD);
	syscall(SYS_close_range, SK_KEEPER_FD + 1, ~0u, 0);
	fcntl(SK_KEEPER_FD, F_SETFD, FD_CLOEXEC);
	keep(p, SK_KEEPER_FD);
}

/* ---- in the monitor */

int sk_keeper_start(struct sk_keeper *k, const char *self, const struct sk_paths *paths, const char *id,
		    struct sk_error *err)
{
	struct place p = { .self = self };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sk_error_errno(err, errno, "cannot start the monitor");
	k->pid = fork();
	if (k->pid < 0) {
		close(pair[0]);
		close(pair[1]);
		return sk_error_errno(err, errno, "cannot start the monitor's keeper");
	}
	if (k->pid == 0) {
		close(pair[0]);
		p.paths = *paths;
		p.root = paths->root;
		p.run = paths->run;
		p.id = (char *)(uintptr_t)id;
		keeper_main(&p, pair[1]);
		_exit(0);
	}
	close(pair[1]);
	k->fd = pair[0];
	return 0;
}

/* Sends and waits for the one byte of the answer. */
static int ask(struct sk_keeper *k, const struct message *m, const int *fds, const int *sockets)
{
	struct pollfd pfd = { .fd = k->fd, .events = POLLIN };
	char done = 0;
	int r;

	if (k->fd < 0)
		return -ESRCH;
	if (k->late && (poll(&pfd, 1, SK_KEEPER_WAIT_MS) != 1 || recv(k->fd, &done, 1, MSG_DONTWAIT) != 1))
		return -ESRCH;
	k->late = false;
	r = sk_socket_send(k->fd, m, sizeof(*m), fds, fds ? 2 : 0);
	if (r == 0 && m->n_sockets)
		r = sk_socket_send(k->fd, "", 1, sockets, m->n_sockets);
	if (r < 0)
		return r;
	if (poll(&pfd, 1, SK_KEEPER_WAIT_MS) != 1 || read(k->fd, &done, 1) != 1)
		return -ESRCH; /* it was killed */
	return done ? 0 : -EIO;
}

int sk_keeper_restart(struct sk_keeper *k, const struct sk_next_life *next)
{
	const struct message m = { .what = KEEPER_RESTART,
				   .restarts = next->restarts,
				   .n_sockets = next->n_sockets,
				   .wanted = next->wanted,
				   .backoff_ms = next->backoff_ms };
	const int fds[2] = { next->lock_fd, next->listen_fd };
	int r = next->n_sockets > SK_KEEPER_SOCKETS ? -E2BIG : ask(k, &m, fds, next->sockets);

	if (r == 0) {
		close(k->fd); /* that process is the next monitor now: do not wait for it */
		k->fd = -1;
	}
	return r;
}

int sk_keeper_remove(struct sk_keeper *k)
{
	const struct message m = { .what = KEEPER_REMOVE };

	return ask(k, &m, NULL, NULL);
}

int sk_keeper_resolv_conf(struct sk_keeper *k, char *ret, size_t size)
{
	const struct message m = { .what = KEEPER_RESOLV_CONF };
	struct pollfd pfd = { .fd = k->fd, .events = POLLIN };
	ssize_t n;
	int r;

	if (k->fd < 0 || k->late)
		return -ESRCH;
	r = sk_socket_send(k->fd, &m, sizeof(m), NULL, 0);
	if (r < 0)
		return r;
	if (poll(&pfd, 1, SK_KEEPER_READ_MS) != 1) {
		k->late = true;
		return -ETIMEDOUT;
	}
	n = recv(k->fd, ret, size, MSG_DONTWAIT);
	if (n < 1 || ret[n - 1] != '\0')
		return n < 0 ? -errno : -EPROTO;
	return (int)n - 1;
}

void sk_keeper_end(struct sk_keeper *k)
{
	const struct message m = { .what = KEEPER_DONE };

	if (k->fd < 0)
		return;
	/* If the keeper is busy it does not read this; otherwise it exits on it. */
	(void)send(k->fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(k->fd);
	k->fd = -1;
	while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
