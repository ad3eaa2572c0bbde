/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Whatever listens on a unix socket takes a connection for the user's, so a monitor, which parses what a hostile guest
 * sends, has no way to connect to one. Where the user wants the guest to have one of them, the ssh-agent's, this process
 * connects for it. It was told the path before the monitor met its guest; a message to it is a number, and its answer
 * that number with a descriptor or an errno. It holds nothing else open, and its system calls are those few.
 *
 * The socket may be replaced while the guest runs, by a new session of the user's: the path is walked each time.
 *
 * A second one has a few directories in the socket's place, which were not there when the VM began and were named then:
 * it starts a file server for one of them (sharer.c). That takes a program, and the user's rights to what the server
 * then confines itself to, so that this one has no filter of its own; it reads nothing but pairs of numbers.
 *
 * Not trusted: the monitor, which can ask for connections to these and nothing more. connect(2) does not wait:
 * a listener whose queue is full is an error.
 */
#include "vm/dialler.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/confine.h"
#include "base/log.h"
#include "base/socket.h"

#define DIALLER_FD 3

struct dial_request {
	uint32_t number, index;
};

struct answer {
	uint32_t number;
	int32_t error; /* errno; 0: there is a descriptor */
};

/* What is connected to. */
struct targets {
	const char *path; /* of a socket; NULL: directories */
	const struct sk_later_share *shares;
	unsigned n_shares;
};

struct sk_dialler {
	int fd;
	pid_t pid;
	const char *what;
	struct sk_source *source;
	sk_dialled_cb cb;
	void *arg;
};

/* ---- in the process */

/* Paths may be longer than an address has room for. */
static int dial(const char *path)
{
	_cleanup_fd_ int place = open(path, O_PATH | O_CLOEXEC), fd = -1;
	struct sockaddr_un addr;
	int r;

	if (place < 0)
		return -errno;
	r = sk_socket_address(place, NULL, &addr);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

static bool send_answer(const struct answer *a, int conn)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)a, sizeof(*a) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (conn >= 0) {
		h.msg_control = control.buf;
		h.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &conn, sizeof(int));
	}
	return sendmsg(DIALLER_FD, &h, MSG_NOSIGNAL) >= 0;
}

static int connect_to(const struct targets *t, uint32_t index)
{
	if (t->path)
		return dial(t->path);
	return index < t->n_shares ? sk_sharer_open(&t->shares[index]) : -EINVAL;
}

static void serve(const struct targets *t)
{
	struct dial_request q;
	struct answer a;
	bool sent = true;
	int conn;

	while (sent && read(DIALLER_FD, &q, sizeof(q)) == (ssize_t)sizeof(q)) {
		conn = connect_to(t, q.index);
		a.number = q.number;
		a.error = conn < 0 ? -conn : 0;
		sent = send_answer(&a, conn);
		sk_close_fd(&conn);
	}
}

/* Keeps only the capabilities with which root reaches another user's socket. */
static void drop_capabilities(void)
{
	static const int keep[] = { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH };

	if (geteuid() == 0)
		sk_caps_keep(keep, SK_ARRAY_SIZE(keep));
}

static int confine(void)
{
	static const int allowed[] = {
		SCMP_SYS(read),		SCMP_SYS(sendmsg),	   SCMP_SYS(openat), SCMP_SYS(open),
		SCMP_SYS(close),	SCMP_SYS(connect),	   SCMP_SYS(exit),   SCMP_SYS(exit_group),
		SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(gettid), SCMP_SYS(getpid),
	};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	size_t i;
	int r = ctx ? 0 : -ENOMEM;

	for (i = 0; r == 0 && i < SK_ARRAY_SIZE(allowed); i++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
		if (r == -EDOM || r == -EFAULT)
			r = 0; /* not of this architecture */
	}
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

static void dialler_main(const struct targets *t, int fd, pid_t parent)
{
	int null = open("/dev/null", O_RDWR), i;

	prctl(PR_SET_NAME, t->path ? "skerry-dialler" : "skerry-sharer");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return;
	for (i = 0; i < 3; i++)
		dup2(null, i);
	if (fd != DIALLER_FD)
		dup2(fd, DIALLER_FD);
	syscall(SYS_close_range, DIALLER_FD + 1, ~0u, 0);
	fcntl(DIALLER_FD, F_SETFD, FD_CLOEXEC);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (t->path)
		drop_capabilities();
	if (!t->path || confine() == 0)
		serve(t);
}

/* ---- in the monitor */

static void on_answer(void *arg, int fd, unsigned events)
{
	struct sk_dialler *d = arg;
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct answer a;
	struct iovec iov = { &a, sizeof(a) };
	struct msghdr h = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)
	};
	ssize_t n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;
	int conn = -1;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&conn, CMSG_DATA(c), sizeof(int));
	if (n != (ssize_t)sizeof(a)) {
		sk_close_fd(&conn);
		sk_log(SK_LOG_WARN, "the process that connects to %s has gone", d->what);
		sk_loop_remove(SK_TAKE_PTR(d->source));
		return;
	}
	if (a.error || conn < 0) {
		sk_close_fd(&conn);
		conn = a.error > 0 ? -a.error : -EIO;
	}
	d->cb(d->arg, a.number, conn);
}

static int start(struct sk_loop *loop, const struct targets *t, sk_dialled_cb cb, void *arg, struct sk_dialler **ret,
		 struct sk_error *err)
{
	const char *what = t->path ? "the ssh-agent" : "directories that come later";
	struct sk_dialler *d = calloc(1, sizeof(*d));
	pid_t parent = getpid();
	int pair[2];

	if (!d || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		free(d);
		return sk_error_errno(err, errno, "cannot share %s", what);
	}
	*d = (struct sk_dialler){ .fd = pair[0], .what = what, .cb = cb, .arg = arg };
	d->pid = fork();
	if (d->pid == 0) {
		dialler_main(t, pair[1], parent);
		_exit(0);
	}
	close(pair[1]);
	if (d->pid > 0)
		d->source = sk_loop_add_fd(loop, d->fd, SK_LOOP_READ, on_answer, d);
	if (!d->source) {
		sk_dialler_free(d);
		return sk_error_errno(err, errno, "cannot share %s", what);
	}
	*ret = d;
	return 0;
}

int sk_dialler_new(struct sk_loop *loop, const char *path, sk_dialled_cb cb, void *arg, struct sk_dialler **ret,
		   struct sk_error *err)
{
	return start(loop, &(const struct targets){ .path = path }, cb, arg, ret, err);
}

int sk_dialler_new_shares(struct sk_loop *loop, const struct sk_later_share *shares, unsigned n, sk_dialled_cb cb,
			  void *arg, struct sk_dialler **ret, struct sk_error *err)
{
	return start(loop, &(const struct targets){ .shares = shares, .n_shares = n }, cb, arg, ret, err);
}

int sk_dialler_ask(struct sk_dialler *d, uint32_t number, uint32_t index)
{
	const struct dial_request q = { number, index };

	if (!d->source)
		return -EPIPE;
	return send(d->fd, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

void sk_dialler_free(struct sk_dialler *d)
{
	if (!d)
		return;
	sk_loop_remove(d->source);
	close(d->fd); /* the process reads end of file, and exits */
	if (d->pid > 0) {
		kill(d->pid, SIGKILL);
		while (waitpid(d->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(d);
}
