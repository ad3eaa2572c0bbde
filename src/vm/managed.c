/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is different for a container of the OCI runtime ("managed" in vm.json). The monitor is then what `docker
 * inspect` shows as the container's pid:
 *
 *   stdio     the descriptors that it was started with are the container's, copied by a proxy (vm/proxy.h) on the same
 *             loop, which is attached through an ordinary control connection
 *   setup     waits until the hooks have made the network, when there are hooks; the kernel boots meanwhile
 *   start     is a request of its own, after create
 *   oom       containerd learns from the host's control group that a container ran out of memory, but the guest's
 *             kernel counts that, not the host's. So at the very end a child of this process runs out of memory in
 *             that control group
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/oom.h"
#include "vm/monitor.h"
#include "vm/proxy.h"

#define SK_LINGER_MS 30000u	  /* how long a slow reader may take for the last output … */
#define SK_KILLED_LINGER_MS 1000u /* … of one that was killed */

struct sk_managed {
	struct sk_proxy *proxy;
	int signal_fd;
	struct sk_source *signal_source;
	int limit_fd, usage_fd; /* of the host's memory control group, -1: none */
};

/* ---- stdio */

static void on_proxy_done(void *arg, int code, bool oom)
{
	struct sk_monitor *m = arg;

	(void)code;
	(void)oom;
	sk_loop_trigger(m->reap);
}

static void on_winch(void *arg, int fd, unsigned events)
{
	struct sk_monitor *m = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(fd, &si, sizeof(si)) == sizeof(si))
		;
	sk_proxy_resize(m->managed->proxy);
}

/* Moves descriptor `fd` away, leaving /dev/null in its place: nobody else shall keep the container's pipes open. */
static int take_stdio(int fd)
{
	int mine = fcntl(fd, F_DUPFD_CLOEXEC, 3), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, fd);
		close(null);
	}
	return mine;
}

static bool is_null_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

static int stdio_up(struct sk_monitor *m, struct sk_error *err)
{
	bool terminal = m->config.terminal, wants_stdin = !is_null_device(0);
	struct sk_proxy_config pc = {
		.loop = m->loop, .terminal = terminal, .size_fd = -1, .done = on_proxy_done, .arg = m
	};
	struct winsize ws = { 0 };
	struct sk_conn *c;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return sk_error_errno(err, errno, "cannot pass on the container's input and output");
	pc.take_conn_fd = pair[0];
	pc.in_fd = take_stdio(0);
	pc.out_fd = take_stdio(1);
	pc.err_fd = take_stdio(2);
	if (!wants_stdin)
		sk_close_fd(&pc.in_fd);
	if (terminal)
		ioctl(pc.in_fd, TIOCGWINSZ, &ws);
	c = sk_conn_new(m, pair[1]);
	if (!c || sk_proxy_new(&pc, &m->managed->proxy) < 0)
		return sk_error_errno(err, ENOMEM, "cannot pass on the container's input and output");
	/* The process must not miss its first bytes: attached before the loop runs. */
	c->kind = SK_CONN_ATTACHED;
	c->of_proxy = true;
	c->wants_stdin = wants_stdin;
	c->rows = ws.ws_row;
	c->cols = ws.ws_col;
	sk_proc_attach(m->init, c);
	return 0;
}

static int watch_terminal(struct sk_monitor *m)
{
	sigset_t set;

	if (!m->config.terminal)
		return 0;
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	m->managed->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->managed->signal_fd < 0)
		return -errno;
	m->managed->signal_source = sk_loop_add_fd(m->loop, m->managed->signal_fd, SK_LOOP_READ, on_winch, m);
	return m->managed->signal_source ? 0 : -ENOMEM;
}

/* ---- oom */

static void oom_init(struct sk_monitor *m)
{
	const char *group = json_string_value(json_object_get(m->config.json, "memory_group"));
	_cleanup_fd_ int dir = group ? open(group, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (dir < 0)
		return;
	m->managed->limit_fd = openat(dir, "memory.limit_in_bytes", O_WRONLY | O_CLOEXEC);
	m->managed->usage_fd = openat(dir, "memory.usage_in_bytes", O_RDONLY | O_CLOEXEC);
	if (m->managed->limit_fd < 0) {
		m->managed->limit_fd = openat(dir, "memory.max", O_WRONLY | O_CLOEXEC);
		m->managed->usage_fd = openat(dir, "memory.current", O_RDONLY | O_CLOEXEC);
	}
}

void sk_managed_down(struct sk_monitor *m)
{
	if (m->managed && m->life.oom && m->managed->limit_fd >= 0)
		sk_oom_in_group(m->managed->limit_fd, m->managed->usage_fd);
}

int sk_managed_begin(struct sk_monitor *m, struct sk_error *err)
{
	int r;

	m->managed = calloc(1, sizeof(*m->managed));
	if (!m->managed)
		return sk_error_errno(err, ENOMEM, "cannot start the container");
	m->managed->signal_fd = m->managed->limit_fd = m->managed->usage_fd = -1;
	oom_init(m);
	m->init->bare_newlines = json_is_true(json_object_get(m->config.json, "bare_newlines"));
	if (!m->config.terminal && !is_null_device(0)) {
		m->init->ch[0].done = false;
		sk_channel_token(&m->init->ch[0]);
	}
	r = stdio_up(m, err);
	if (r == 0 && (r = watch_terminal(m)) < 0)
		sk_error_errno(err, r, "cannot watch the terminal");
	return r;
}

void sk_managed_ended(struct sk_monitor *m)
{
	if (m->managed && m->managed->proxy)
		sk_proxy_ended(m->managed->proxy, m->init && m->init->killed ? SK_KILLED_LINGER_MS : SK_LINGER_MS);
}

bool sk_managed_output_is_out(const struct sk_monitor *m)
{
	return !m->managed || !m->managed->proxy || sk_proxy_is_done(m->managed->proxy);
}

void sk_managed_fini(struct sk_monitor *m)
{
	struct sk_managed *g = m->managed;

	if (!g)
		return;
	sk_proxy_free(g->proxy);
	sk_loop_remove(g->signal_source);
	sk_close_fd(&g->signal_fd);
	sk_close_fd(&g->limit_fd);
	sk_close_fd(&g->usage_fd);
	free(g);
	m->managed = NULL;
}
