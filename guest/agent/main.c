/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's agent, PID 1 of every Skerry VM.
 *
 * Theory of operation. One process, one event loop (base/loop.h), no threads. It says hello to the monitor over the
 * control channel (session.c) as early as it can, brings up what a Linux user space expects (boot.c), and then serves
 * requests (ops.c). Whatever may block runs in a forked child (job.c); the children that start container processes end
 * as crun (launch.c, launch_child.c), whose processes are inherited by PID 1, which reaps them and tells the monitor
 * (process.c). Each stdio stream is moved by a pump (pump.c).
 *
 * Trust. The monitor is trusted. The image and everything in the container are not: files in it are opened confined
 * (confine.c), read bounded (user.c, copy_in.c), and what its processes say is never believed. The control connection
 * is made before any container process exists. When the monitor is gone, the guest powers off: nobody is left to serve.
 *
 * The same program is a container's init when it is called docker-init (init.c); PID 1 of a machine's container when it
 * is called skerry-machine (machine.c); and it publishes a port of an engine's container when it is called skerry-proxy
 * (machine_proxy.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/opt.h"
#include "boot.h"
#include "container.h"
#include "init.h"
#include "machine.h"
#include "machine_netavark.h"
#include "machine_proxy.h"
#include "reexec.h"
#include "skerry_config.h"

#define CONNECT_WAIT_MS 10000
#define AGENT_FDS 65536

static int connect_control(struct sk_agent *a)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	uint64_t end = sk_now_ms() + CONNECT_WAIT_MS;
	int fd;

	while ((fd = sk_uplink_connect(&a->uplink, SK_PORT_CONTROL)) < 0 && sk_now_ms() < end)
		nanosleep(&pause, NULL);
	return fd;
}

static void send_hello(struct sk_agent *a)
{
	struct utsname u;

	uname(&u);
	sk_session_event(a->session, &(const struct sk_msg){ .op = SK_AGENT_HELLO,
							     .hello = { .version = SK_PROTOCOL_VERSION,
									.kernel = u.release,
									.agent = SK_VERSION } });
}

static void session_gone(void *arg)
{
	struct sk_agent *a = arg;

	sk_log(SK_LOG_INFO, "the monitor is gone");
	sk_agent_power_off(a, true);
}

static void note_orphan(struct sk_agent *a, pid_t pid, int code)
{
	/* Only while some job may still name it. */
	if (!sk_jobs_busy(&a->jobs))
		return;
	a->orphans[a->next_orphan].pid = pid;
	a->orphans[a->next_orphan].code = code;
	a->next_orphan = (a->next_orphan + 1) % SK_AGENT_ORPHANS;
}

static void reap(void *arg, int fd, unsigned events)
{
	struct sk_agent *a = arg;
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	(void)events;
	while (read(fd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);

		if (!sk_container_reaped(a, pid, code) && !sk_job_reaped(&a->jobs, pid, code))
			note_orphan(a, pid, code);
	}
	if (!sk_jobs_busy(&a->jobs))
		memset(a->orphans, 0, sizeof(a->orphans));
}

static void memory_events(void *arg, int fd, unsigned events)
{
	union {
		struct inotify_event event;
		char buf[4096];
	} u;
	struct sk_agent *a = arg;
	struct sk_agent_container *c;

	(void)events;
	while (read(fd, &u, sizeof(u)) > 0)
		;
	for (c = a->containers; c; c = c->next)
		if (c->oom_watch >= 0)
			sk_container_check_oom(c);
}

static int watch_signals(struct sk_agent *a)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	a->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	a->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (a->signal_fd < 0 || !sk_loop_add_fd(a->loop, a->signal_fd, SK_LOOP_READ, reap, a))
		return -errno;
	if (a->inotify >= 0 && !sk_loop_add_fd(a->loop, a->inotify, SK_LOOP_READ, memory_events, a))
		return -errno;
	return 0;
}

static int store_uplink(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	if (strncmp(value, "unix:", 5) != 0)
		return sk_error_set(err, EINVAL, "--connect wants unix:PREFIX");
	*(const char **)to = value + 5;
	return 0;
}

static int parse_options(struct sk_agent *a, int argc, char **argv)
{
	static const struct sk_opt_type uplink = { true, store_uplink, NULL };
	static const struct sk_opt options[] = {
		{ .name = "connect", .type = &uplink, .offset = offsetof(struct sk_agent, uplink.unix_prefix) },
		{ .name = "crun", .type = SK_OPT_STRING, .offset = offsetof(struct sk_agent, crun) },
		{ .name = "run-dir", .type = SK_OPT_STRING, .offset = offsetof(struct sk_agent, run_dir) },
		{ .name = "test", .type = SK_OPT_BOOL, .offset = offsetof(struct sk_agent, test) },
		{ .name = NULL },
	};
	struct sk_opt_result parsed;
	struct sk_error err = SK_ERROR_INIT;
	int r = sk_opt_parse(options, &sk_opt_gnu, a, false, argc - 1, argv + 1, &parsed, &err);

	if (r < 0)
		fprintf(stderr, "skerry-agent: %s\n", err.message);
	if (a->test)
		a->self = argv[0];
	return r;
}

/* A forwarded connection takes six descriptors (carry.c). What the agent starts keeps the kernel's limit. */
static void raise_fd_limit(struct sk_agent *a)
{
	const struct rlimit many = { AGENT_FDS, AGENT_FDS };

	if (getrlimit(RLIMIT_NOFILE, &a->jobs.fd_limit) < 0 || setrlimit(RLIMIT_NOFILE, &many) < 0)
		a->jobs.fd_limit = (struct rlimit){ 0 };
}

static int agent_main(struct sk_agent *a)
{
	static const struct sk_session_ops ops = { .handle = sk_ops_handle, .gone = session_gone };
	int fd, r;

	if (!a->test) {
		sk_boot_early();
		raise_fd_limit(a);
	}
	r = sk_loop_new(&a->loop);
	if (r < 0)
		return r;
	a->jobs.loop = a->loop;
	r = sk_ops_init(a);
	if (r < 0)
		return r;
	fd = connect_control(a);
	if (fd < 0) {
		sk_log(SK_LOG_ERROR, "cannot connect to the monitor: %s", strerror(-fd));
		return fd;
	}
	r = sk_session_new(a->loop, fd, &ops, a, &a->session);
	if (r < 0)
		return r;
	/* The monitor prepares its requests while we go on. */
	send_hello(a);
	if (a->test) {
		mkdir(a->run_dir, 0711);
	} else {
		sk_boot_mounts();
		sk_boot_parameters();
	}
	a->cgroups = sk_boot_cgroups();
	if (a->test)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = watch_signals(a);
	return r < 0 ? r : sk_loop_run(a->loop);
}

/* The host asks whether guests run here at all (src/engine/qemu_probe.c): we do. Through the kernel's log, which is on
 * the console when the write is done. */
static void answer_probe(void)
{
	static const char answer[] = "<1>skerry-probe: it runs\n";
	_cleanup_fd_ int fd = -1;

	mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, NULL);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, answer, strlen(answer)) < 0)
		sk_log(SK_LOG_ERROR, "no kernel log: %s", strerror(errno));
	reboot(RB_POWER_OFF);
}

int main(int argc, char **argv)
{
	struct sk_agent a = { .run_dir = "/run/skerry", .crun = "/bin/crun", .self = "/init", .inotify = -1 };
	const char *name = strrchr(argv[0], '/'), *executed = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	int r;

	name = name ? name + 1 : argv[0];
	/* As which path it was executed, whatever argv[0] says. */
	if (executed && strcmp(executed, SK_REEXEC) == 0)
		return sk_reexec_main(argc, argv);
	if (strcmp(name, "docker-init") == 0)
		return sk_init_main(argc, argv);
	if (strcmp(name, "skerry-machine") == 0)
		return sk_machine_main(argc, argv);
	if (strcmp(name, "skerry-proxy") == 0)
		return sk_machine_proxy_main(argc, argv);
	if (strcmp(name, "netavark") == 0)
		return sk_machine_netavark_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], "probe") == 0 && getpid() == 1)
		answer_probe();
	/* The kernel hands over words of its command line that it does not know itself. */
	if (argc > 1 && strncmp(argv[1], "--", 2) == 0 && parse_options(&a, argc, argv) < 0)
		return 2;
	if (getpid() != 1 && !a.test) {
		fprintf(stderr, "This is process 1 of a Skerry guest.\n");
		return 2;
	}
	sk_log_init(STDERR_FILENO, SK_LOG_ERROR);
	setlocale(LC_CTYPE, "C.UTF-8"); /* built into the C library; tar's names are UTF-8 in pax headers */
	r = agent_main(&a);
	if (!a.test) /* PID 1 must not end: the kernel would panic */
		sk_agent_power_off(&a, true);
	return r < 0;
}
