/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: create and start; in the foreground until the end, then delete. A terminal in the foreground is one of our own
 * making, whose other end is copied from and to the terminal that we were started on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "oci/oci.h"

struct front {
	int signal_fd;
	int master; /* -1: the container has our own stdio */
	int host;   /* the terminal that we were started on; -1: none is needed */
	bool raw, input;
	struct termios saved;
};

static int catch_signals(void)
{
	static const int signals[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < SK_ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void pass_size(const struct front *f)
{
	struct winsize ws;

	if (f->master >= 0 && ioctl(f->host, TIOCGWINSZ, &ws) == 0)
		ioctl(f->master, TIOCSWINSZ, &ws);
}

static void terminal_down(struct front *f)
{
	char chunk[4096];
	ssize_t n;

	/* The last output on its terminal. */
	while (f->master >= 0 && (n = read(f->master, chunk, sizeof(chunk))) > 0)
		if (sk_fs_write_all(1, chunk, (size_t)n) < 0)
			break;
	if (f->raw)
		tcsetattr(f->host, TCSADRAIN, &f->saved);
	sk_close_fd(&f->host);
	sk_close_fd(&f->master);
}

static int terminal_up(struct front *f, int *ret_slave, struct sk_error *err)
{
	struct termios raw;

	f->host = sk_oci_console_host(err);
	if (f->host < 0)
		return f->host;
	*ret_slave = sk_oci_console_pair(&f->master, err);
	if (*ret_slave < 0)
		return *ret_slave;
	pass_size(f);
	f->input = true;
	if (tcgetattr(f->host, &f->saved) == 0) {
		raw = f->saved;
		cfmakeraw(&raw);
		raw.c_oflag |= OPOST;
		f->raw = tcsetattr(f->host, TCSADRAIN, &raw) == 0;
	}
	return 0;
}

/* False: no more will come. */
static bool copy_some(int from, int to)
{
	char chunk[4096];
	ssize_t n = read(from, chunk, sizeof(chunk));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	return n > 0 && sk_fs_write_all(to, chunk, (size_t)n) >= 0;
}

/* True: the container has ended. */
static bool on_signal(struct sk_oci *o, struct sk_oci_container *c, struct front *f, pid_t pid, int *ret_code)
{
	struct signalfd_siginfo si;
	int status;

	if (read(f->signal_fd, &si, sizeof(si)) != sizeof(si))
		return false;
	if (si.ssi_signo == SIGWINCH) {
		pass_size(f);
	} else if (si.ssi_signo != SIGCHLD) {
		sk_oci_call(o, c,
			    &(const struct sk_msg){ .op = SK_REQUEST_KILL,
						    .signal = { .number = (int)si.ssi_signo, .all = false } },
			    NULL, NULL);
	} else if (waitpid(pid, &status, WNOHANG) == pid) {
		*ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		return true;
	}
	return false;
}

/* Signals go on to the container, its exit code is ours. */
static int follow(struct sk_oci *o, struct sk_oci_container *c, pid_t pid, struct front *f)
{
	int code = 255;

	for (;;) {
		struct pollfd p[3] = { { f->signal_fd, POLLIN, 0 },
				       { f->master, POLLIN, 0 },
				       { f->input ? 0 : -1, POLLIN, 0 } };

		if (poll(p, 3, -1) < 0)
			continue;
		if ((p[0].revents & POLLIN) && on_signal(o, c, f, pid, &code))
			return code;
		if (p[1].revents && !copy_some(f->master, 1))
			sk_close_fd(&f->master);
		if (p[2].revents && (f->master < 0 || !copy_some(0, f->master)))
			f->input = false;
	}
}

static int run(struct sk_oci *o, struct sk_oci_create_options *co, struct front *f, struct sk_error *err)
{
	_cleanup_fd_ int slave = -1;
	struct sk_oci_container c;
	struct sk_oci_bundle b;
	bool ended;
	pid_t pid;
	int r, code = 0;

	r = sk_oci_bundle_load(co->bundle, &b, err);
	if (r < 0)
		return r;
	if (!co->detach && !co->console_socket && b.terminal)
		r = terminal_up(f, &slave, err);
	co->console_fd = slave;
	if (r == 0)
		r = sk_oci_create_container(o, co, &b, &c, &pid, err);
	sk_oci_bundle_fini(&b);
	if (r < 0)
		return r;
	sk_close_fd(&slave);
	r = sk_oci_start_container(o, &c, &ended, err);
	if (r < 0) {
		sk_oci_take_back(o, &c);
		sk_oci_container_close(&c);
		return r;
	}
	if (!co->detach)
		code = follow(o, &c, pid, f);
	if (!co->detach && !co->keep)
		r = sk_oci_delete_container(o, &c, err);
	sk_oci_container_close(&c);
	return r < 0 ? r : code;
}

int sk_oci_run(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	struct front f = { .signal_fd = -1, .master = -1, .host = -1 };
	struct sk_oci_create_options co;
	int r = sk_oci_create_parse(argc, argv, true, &co, err);

	if (r < 0)
		return r;
	if (!co.detach)
		f.signal_fd = catch_signals();
	r = run(o, &co, &f, err);
	if (r < 0)
		sk_oci_wrap_once(err, "skerry run failed");
	terminal_down(&f);
	sk_close_fd(&f.signal_fd);
	return r;
}
