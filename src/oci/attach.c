/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Represents a process of the guest on the host until that ends: copies its stdio, forwards signals, and returns its
 * exit code. Used by exec and by the containers of a pod.
 */
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/loop.h"
#include "oci/oci.h"
#include "vm/proxy.h"

struct attachment {
	struct sk_loop *loop;
	struct sk_proxy *proxy;
	int code;
	bool oom;
	const struct sk_oci_stand_in *config;
};

static void on_done(void *arg, int code, bool oom)
{
	struct attachment *p = arg;

	p->oom = oom;
	p->code = code < 0 ? 137 : code; /* gone with its VM */
	sk_loop_quit(p->loop);
}

static void on_oom(void *arg)
{
	const struct attachment *p = arg;

	if (p->config->on_oom)
		p->config->on_oom(p->config->arg);
}

static void on_signal(void *arg, int fd, unsigned events)
{
	struct attachment *p = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH)
			sk_proxy_resize(p->proxy);
		else
			sk_proxy_send(p->proxy, &(const struct sk_msg){
							.op = SK_ATTACHED_SIGNAL,
							.signal = { .number = (int)si.ssi_signo, .all = false } });
	}
}

/* Forwards every signal that can be caught, except for those about this process itself. */
int sk_oci_catch_signals(void)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGSEGV);
	sigdelset(&set, SIGBUS);
	sigdelset(&set, SIGILL);
	sigdelset(&set, SIGFPE);
	sigdelset(&set, SIGABRT);
	sigdelset(&set, SIGCHLD);
	sigdelset(&set, SIGTTIN);
	sigdelset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int sk_oci_stand_in(const struct sk_oci_stand_in *s, bool *ret_oom)
{
	struct attachment p = { .code = 255, .config = s };
	struct sk_proxy_config c = { .take_conn_fd = s->take_conn_fd,
				     .in_fd = s->in_fd,
				     .out_fd = s->out_fd,
				     .err_fd = s->err_fd,
				     .size_fd = s->size_fd,
				     .terminal = s->terminal,
				     .done = on_done,
				     .oom = on_oom,
				     .arg = &p };

	signal(SIGPIPE, SIG_IGN);
	if (sk_loop_new(&p.loop) < 0)
		return 255;
	c.loop = p.loop;
	if (sk_proxy_new(&c, &p.proxy) == 0 && sk_loop_add_fd(p.loop, s->signal_fd, SK_LOOP_READ, on_signal, &p)) {
		sk_proxy_resize(p.proxy);
		sk_loop_run(p.loop);
	}
	sk_proxy_free(p.proxy);
	sk_loop_free(p.loop);
	if (ret_oom)
		*ret_oom = p.oom;
	return p.code;
}

bool sk_oci_has_input(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}
