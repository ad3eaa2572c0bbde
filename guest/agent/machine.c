/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1 of a machine's container: prepares disk and places (machine_disk.c, machine_places.c), then keeps the engine's
 * processes (machine_engine.c) running until it is told to stop.
 *
 * Theory of operation. One loop, no threads. Each process writes to a pipe of its own, which goes to our stderr, the
 * container's log; the last lines are kept for the message about an engine that does not come up. A process says that
 * it serves by sd_notify, or its socket is tried. The last process is started when the one before it serves: dockerd's
 * client of containerd waits a second after a first connection that failed.
 *
 *   starting  until the last process serves. One that ends before, or MACHINE_START_MS, is the machine's end, with 1.
 *   running   one that ends is started again, after sk_machine_backoff(); the others stay. MACHINE_FAILURES_MAX starts
 *             in a row that lead to nothing are the machine's end.
 *             With --idle-stop it ends by itself when there was no process but the engine's for so long and the host
 *             agrees (machine_idle.c).
 *   stopping  what the engine's table has for it ends the containers, where the engine does not do it itself;
 *             SIGTERM to the last process, then to the one before it, each with a deadline; what is left is killed,
 *             disks are unmounted.
 *
 * Trust: the engine's containers may be root in this container and can do to us what they like; the VM is the boundary.
 */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"

#define MACHINE_PROCESSES 2u
#define MACHINE_START_MS 180000u /* tcg takes 25 s, an engine with a thousand containers longer */
#define MACHINE_FAILURES_MAX 8u
#define MACHINE_STABLE_MS 30000u /* one that ran this long begins anew with its backoff */
#define MACHINE_STOP_MS 120000u	 /* dockerd gives its containers 15 s each by itself; the host has a deadline, too */
#define MACHINE_STOP_LAST_MS 5000u
#define MACHINE_INGRESS_MS 3000u
#define MACHINE_TRY_MS 20u   /* between looks at a socket */
#define MACHINE_OUTPUT 4096u /* what a pipe takes at once when it is writable at all (PIPE_BUF) */
#define MACHINE_OOM "-500"
#define MACHINE_FILES 1048576u
#define MACHINE_PROXY "/sbin/skerry-proxy"

static const char containerd_config[] = "version = 2\n"
					"root = \"/var/lib/containerd\"\n"
					"state = \"/run/containerd\"\n"
					"oom_score = 0\n"
					"%s"
					"[grpc]\n"
					"  address = \"/run/containerd/containerd.sock\"\n";
/* What dockerd does not use, and takes time or writes somewhere. Names that a containerd does not know are no error. */
static const char containerd_disabled[] =
	"disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\", "
	"\"io.containerd.internal.v1.tracing\", \"io.containerd.tracing.processor.v1.otlp\", "
	"\"io.containerd.snapshotter.v1.aufs\", \"io.containerd.snapshotter.v1.blockfile\", "
	"\"io.containerd.snapshotter.v1.btrfs\", \"io.containerd.snapshotter.v1.devmapper\", "
	"\"io.containerd.snapshotter.v1.zfs\", \"io.containerd.nri.v1.nri\"]\n";

enum machine_phase { STARTING, RUNNING, STOPPING };

struct machine;
struct process {
	struct machine *machine;
	const struct sk_machine_process *spec; /* NULL: none */
	pid_t pid;			       /* 0: does not run */
	bool ready, ever_ready;
	unsigned failures;
	uint64_t started; /* ms */
	int output, notify;
	struct sk_source *output_source, *notify_source, *start_timer, *try_timer, *output_timer;
	struct sk_machine_tail tail;
};

struct machine {
	struct sk_machine_options o;
	struct sk_loop *loop;
	struct sk_source *deadline;
	enum machine_phase phase;
	struct process processes[MACHINE_PROCESSES];
	uint64_t begun;
	struct sk_machine_idle idle;
	struct sk_machine_rest rest;
	struct sk_source *rest_timer;
	struct sk_source *idle_timer; /* NULL: it does not stop by itself */
	pid_t ending;		      /* the engine's `end` runs; 0: it does not */
	pid_t later;		      /* machine_later.c's process; 0: there is none */
	pid_t ingress;		      /* machine_ingress.c's; 0: there is none */
	struct sk_source *ingress_timer;
	int code;
};

/* The engine's output, which we pass on, has not ended its line. */
static bool within_line;

static void report(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void report(const char *fmt, ...)
{
	va_list ap;

	if (within_line)
		fputc('\n', stderr);
	within_line = false;
	va_start(ap, fmt);
	fputs("skerry-machine: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

static struct process *last_process(struct machine *m)
{
	return &m->processes[m->processes[1].spec ? 1 : 0];
}

/* --- output ------------------------------------------------------------------------------------------------------- */

static void resume_output(void *arg)
{
	struct process *p = arg;

	sk_loop_set_events(p->output_source, SK_LOOP_READ);
}

static void close_output(struct process *p)
{
	sk_loop_remove(p->output_source);
	p->output_source = NULL;
	sk_close_fd(&p->output);
}

/* Never waits for a log that nobody reads: the engine does. */
static void take_output(void *arg, int fd, unsigned events)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	char buf[MACHINE_OUTPUT];
	struct process *p = arg;
	ssize_t n;

	(void)events;
	if (poll(&out, 1, 0) == 0) {
		sk_loop_set_events(p->output_source, 0);
		sk_loop_set_timer(p->output_timer, MACHINE_TRY_MS);
		return;
	}
	n = read(fd, buf, sizeof(buf));
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close_output(p);
		return;
	}
	sk_machine_tail_add(&p->tail, buf, (size_t)n);
	sk_fs_write_all(STDERR_FILENO, buf, (size_t)n);
	within_line = buf[n - 1] != '\n';
}

/* --- start -------------------------------------------------------------------------------------------------------- */

static void set_limits(void)
{
	const struct rlimit files = { MACHINE_FILES, MACHINE_FILES }, no = { RLIM_INFINITY, RLIM_INFINITY };
	_cleanup_fd_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, MACHINE_OOM, strlen(MACHINE_OOM)) < 0) {
		/* the engine goes first, then */
	}
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_NPROC, &no);
	setrlimit(RLIMIT_CORE, &no);
}

static void run_child(const struct process *p, const char *const *argv, int output)
{
	_cleanup_fd_ int null = open("/dev/null", O_RDONLY);
	char notify[64];
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	set_limits();
	snprintf(notify, sizeof(notify), "/run/engine/notify-%s", p->spec->name);
	setenv("NOTIFY_SOCKET", notify, 1);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	fprintf(stderr, "skerry-machine: cannot start %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int start_process(struct process *p, struct sk_error *err)
{
	const char *argv[SK_MACHINE_ARGS_MAX];
	int fds[2], r;

	r = sk_machine_argv(&p->machine->o, p->spec, access(MACHINE_PROXY, X_OK) == 0 ? MACHINE_PROXY : NULL, argv,
			    err);
	if (r < 0)
		return r;
	close_output(p);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "cannot make a pipe");
	p->output = fds[0];
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	p->output_source = sk_loop_add_fd(p->machine->loop, fds[0], SK_LOOP_READ, take_output, p);
	p->tail.len = 0;
	p->pid = p->output_source ? fork() : -1;
	r = p->pid < 0 ? -errno : 0;
	if (p->pid == 0)
		run_child(p, argv, fds[1]);
	close(fds[1]);
	p->ready = false;
	p->started = sk_now_ms();
	if (r < 0) {
		p->pid = 0;
		return sk_error_errno(err, r, "cannot start %s", p->spec->name);
	}
	if (p->spec->socket)
		sk_loop_set_timer(p->try_timer, MACHINE_TRY_MS);
	return 0;
}

static void try_start(void *arg);

/* A program beside the engine's processes; its output goes to our log. 0: it cannot be started. */
static pid_t run_beside(const char *const *argv)
{
	pid_t pid = fork();
	sigset_t none;

	if (pid != 0)
		return pid < 0 ? 0 : pid;
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* The process serves. */
static void set_ready(struct process *p)
{
	struct machine *m = p->machine;

	if (p->ready || !p->pid || m->phase == STOPPING)
		return;
	p->ready = p->ever_ready = true;
	sk_loop_set_timer(p->try_timer, UINT64_MAX);
	report("%s is up after %llu ms", p->spec->name,
	       (unsigned long long)(sk_now_ms() - (m->phase == STARTING ? m->begun : p->started)));
	if (p != last_process(m)) {
		if (!m->processes[1].pid)
			try_start(&m->processes[1]);
	} else if (m->phase == STARTING) {
		m->phase = RUNNING;
		sk_loop_set_timer(m->deadline, UINT64_MAX);
		if (m->o.engine->begin)
			run_beside(m->o.engine->begin);
	}
}

static void try_socket(void *arg)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct process *p = arg;
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", p->spec->socket);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		set_ready(p);
	else
		sk_loop_set_timer(p->try_timer, MACHINE_TRY_MS);
}

static void take_notice(void *arg, int fd, unsigned events)
{
	char buf[1024];
	struct process *p = arg;
	ssize_t n;

	(void)events;
	while ((n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT)) >= 0) {
		buf[n] = '\0';
		if (strncmp(buf, "READY=1", 7) == 0 || strstr(buf, "\nREADY=1"))
			set_ready(p);
	}
}

static int listen_notices(struct process *p, struct sk_error *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "/run/engine/notify-%s", p->spec->name);
	p->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->notify < 0 || bind(p->notify, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return sk_error_errno(err, errno, "cannot listen for notices of %s", p->spec->name);
	p->notify_source = sk_loop_add_fd(p->machine->loop, p->notify, SK_LOOP_READ, take_notice, p);
	return p->notify_source ? 0 : sk_error_errno(err, errno, "cannot listen for notices of %s", p->spec->name);
}

/* --- end ---------------------------------------------------------------------------------------------------------- */

static void stop_next(struct machine *m)
{
	struct process *p = m->processes[1].pid ? &m->processes[1] : &m->processes[0];

	if (!p->pid) {
		sk_loop_quit(m->loop);
		return;
	}
	kill(p->pid, SIGTERM);
	sk_loop_set_timer(m->deadline, p == last_process(m) ? MACHINE_STOP_MS : MACHINE_STOP_LAST_MS);
}

static void stop_machine(struct machine *m, int code)
{
	unsigned i;

	if (m->phase == STOPPING)
		return;
	m->phase = STOPPING;
	m->code = code;
	for (i = 0; i < MACHINE_PROCESSES; i++) {
		sk_loop_set_timer(m->processes[i].start_timer, UINT64_MAX);
		sk_loop_set_timer(m->processes[i].try_timer, UINT64_MAX);
	}
	if (m->o.engine->end && last_process(m)->ready)
		m->ending = run_beside(m->o.engine->end);
	if (m->ending)
		sk_loop_set_timer(m->deadline, MACHINE_STOP_MS);
	else
		stop_next(m);
}

/* Nothing runs but the engine, which is up. */
static bool is_quiet(const struct machine *m)
{
	pid_t own[MACHINE_PROCESSES + 3] = { getpid(), m->later ? m->later : getpid(),
					     m->ingress ? m->ingress : getpid() };
	unsigned i;

	for (i = 0; i < MACHINE_PROCESSES; i++)
		own[i + 3] = m->processes[i].pid;
	return m->phase == RUNNING && sk_machine_is_quiet("/proc", own, SK_ARRAY_SIZE(own));
}

static void look_if_resting(void *arg)
{
	struct machine *m = arg;

	sk_machine_rest_look(&m->rest, is_quiet(m));
	sk_loop_set_timer(m->rest_timer, SK_MACHINE_REST_MS);
}

static void look_for_ingress(void *arg)
{
	struct machine *m = arg;

	if (!m->ingress && m->phase == RUNNING && access(SK_MACHINE_INGRESS, F_OK) == 0)
		m->ingress = sk_machine_ingress_start();
	sk_loop_set_timer(m->ingress_timer, MACHINE_INGRESS_MS);
}

static void look_if_idle(void *arg)
{
	struct sk_error err = SK_ERROR_INIT;
	struct machine *m = arg;

	if (sk_machine_idle_tick(&m->idle, is_quiet(m), sk_now_ms())) {
		int r = sk_machine_ask_to_stop(&err);

		if (r == 0) {
			report("idle for %llu s: stopping", (unsigned long long)m->idle.after_ms / 1000);
			stop_machine(m, 0);
			return;
		}
		if (r != -EBUSY)
			report("cannot stop though nothing runs: %s", err.message);
	}
	sk_loop_set_timer(m->idle_timer, sk_machine_idle_look_ms(m->idle.after_ms));
}

static void fail(struct process *p, const char *how)
{
	if (p->output_source)
		take_output(p, p->output, 0); /* its last output */
	report("%s %s; the last lines of its log:\n%s", p->spec->name, how, sk_machine_tail_lines(&p->tail, 12));
	stop_machine(p->machine, 1);
}

static void deadline_over(void *arg)
{
	struct machine *m = arg;
	char how[64];
	unsigned i;

	if (m->phase == STARTING) {
		snprintf(how, sizeof(how), "is not up after %u seconds", MACHINE_START_MS / 1000);
		fail(m->processes[0].ready ? last_process(m) : &m->processes[0], how);
		return;
	}
	if (m->ending) {
		report("%s does not end: killed", m->o.engine->end[0]);
		kill(m->ending, SIGKILL);
		return;
	}
	for (i = MACHINE_PROCESSES; m->phase == STOPPING && i-- > 0;)
		if (m->processes[i].pid) {
			report("%s does not end: killed", m->processes[i].spec->name);
			kill(m->processes[i].pid, SIGKILL);
			return;
		}
}

static void process_ended(struct process *p, int status)
{
	struct machine *m = p->machine;
	bool stable = p->ready && sk_now_ms() - p->started >= MACHINE_STABLE_MS;
	char how[64];
	uint64_t wait;

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "was ended by signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "ended with exit code %d", WEXITSTATUS(status));
	p->pid = 0;
	p->ready = false;
	sk_loop_set_timer(p->try_timer, UINT64_MAX);
	if (m->phase == STOPPING) {
		if (!m->ending)
			stop_next(m);
		return;
	}
	p->failures = stable ? 1 : p->failures + 1;
	if (!p->ever_ready || p->failures > MACHINE_FAILURES_MAX) {
		fail(p, how);
		return;
	}
	wait = sk_machine_backoff(p->failures);
	report("%s %s; started again in %llu ms", p->spec->name, how, (unsigned long long)wait);
	sk_loop_set_timer(p->start_timer, wait);
}

static void try_start(void *arg)
{
	struct sk_error err = SK_ERROR_INIT;
	struct process *p = arg;

	if (p->pid || p->machine->phase == STOPPING || start_process(p, &err) == 0)
		return;
	report("%s", err.message);
	if (p->ever_ready && ++p->failures <= MACHINE_FAILURES_MAX)
		sk_loop_set_timer(p->start_timer, sk_machine_backoff(p->failures));
	else
		stop_machine(p->machine, 1);
}

static void reap(struct machine *m)
{
	int status;
	unsigned i;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->ending) {
			m->ending = 0;
			stop_next(m);
		}
		if (pid == m->later)
			m->later = 0;
		if (pid == m->ingress)
			m->ingress = 0;
		for (i = 0; i < MACHINE_PROCESSES; i++)
			if (m->processes[i].pid == pid)
				process_ended(&m->processes[i], status);
	}
}

static void take_signals(void *arg, int fd, unsigned events)
{
	struct signalfd_siginfo info;
	struct machine *m = arg;

	(void)events;
	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap(m);
			break;
		case SIGHUP: /* dockerd reads its daemon.json again */
			if (last_process(m)->pid)
				kill(last_process(m)->pid, SIGHUP);
			break;
		default:
			stop_machine(m, m->code);
		}
	}
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static int write_config(const struct machine *m, struct sk_error *err)
{
	_cleanup_free_ char *text =
		sk_asprintf(containerd_config, m->o.engine->processes[1].name ? containerd_disabled : "");
	int r = text ? sk_fs_write_atomic(AT_FDCWD, "/run/engine/containerd.toml", text, strlen(text), 0644, false)
		     : -ENOMEM;

	return r < 0 ? sk_error_errno(err, r, "cannot write containerd's configuration") : 0;
}

static bool has_program(const char *name)
{
	static const char *const directories[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
						   "/usr/bin",	      "/sbin",		"/bin" };
	char path[128];
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(directories); i++) {
		snprintf(path, sizeof(path), "%s/%s", directories[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* Says what is wrong with an image before anything is done to a disk. */
static int check_image(const struct sk_machine_engine *engine, struct sk_error *err)
{
	static const char *const docker[] = { "dockerd", "containerd", "containerd-shim-runc-v2",
					      "runc",	 "iptables",   NULL };
	static const char *const containerd[] = { "containerd", "containerd-shim-runc-v2", "runc", NULL };
	static const char *const podman[] = { "podman", "conmon", NULL };
	const char *const *need = strcmp(engine->name, "docker") == 0	    ? docker
				  : strcmp(engine->name, "containerd") == 0 ? containerd
									    : podman;

	for (; *need; need++)
		if (!has_program(*need))
			return sk_error_set(err, ENOENT,
					    "the image is no engine image for %s: it has no %s in /usr/sbin, /usr/bin, "
					    "/usr/local/sbin or /usr/local/bin",
					    engine->name, *need);
	return 0;
}

static int prepare(struct machine *m, struct sk_error *err)
{
	const struct sk_machine_engine *engine = m->o.engine ? m->o.engine : sk_machine_engine_of(has_program);
	int r;

	if (!engine)
		return sk_error_set(err, ENOENT,
				    "the image is no engine image: it has no dockerd, podman or containerd in "
				    "/usr/sbin, /usr/bin, /usr/local/sbin or /usr/local/bin");
	m->o.engine = engine;
	r = check_image(engine, err);
	if (r == 0)
		r = sk_machine_places_first(err);
	if (r == 0)
		r = sk_machine_disk_mount(m->o.data, err);
	if (r == 0) {
		m->later = sk_machine_later_start(&m->o.later);
		r = sk_machine_places(engine, err);
	}
	if (r == 0)
		r = sk_machine_cgroups(err);
	if (r == 0)
		r = write_config(m, err);
	sk_machine_read_ahead("/sys/block");
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
	setenv("TMPDIR", SK_MACHINE_DISK "/tmp", 1);
	setenv("HOME", "/run/engine", 1);
	if (engine->environment)
		putenv((char *)(uintptr_t)engine->environment);
	return r;
}

static int watch_signals(struct machine *m)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd >= 0 && sk_loop_add_fd(m->loop, fd, SK_LOOP_READ, take_signals, m) ? 0 : -errno;
}

static int add_process(struct machine *m, unsigned i, struct sk_error *err)
{
	struct process *p = &m->processes[i];

	p->machine = m;
	p->output = p->notify = -1;
	p->start_timer = sk_loop_add_timer(m->loop, UINT64_MAX, try_start, p);
	p->try_timer = sk_loop_add_timer(m->loop, UINT64_MAX, try_socket, p);
	p->output_timer = sk_loop_add_timer(m->loop, UINT64_MAX, resume_output, p);
	if (!p->start_timer || !p->try_timer || !p->output_timer)
		return sk_error_errno(err, ENOMEM, "cannot start the engine");
	if (m->o.engine->processes[i].name) {
		p->spec = &m->o.engine->processes[i];
		return listen_notices(p, err);
	}
	return 0;
}

/* Nothing of ours holds the disk when this returns, but for what the kernel cannot end. */
static void kill_rest(void)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	uint64_t end = sk_now_ms() + 2000;

	kill(-1, SIGKILL);
	while ((waitpid(-1, NULL, WNOHANG) >= 0 || errno == EINTR) && sk_now_ms() < end)
		nanosleep(&pause, NULL);
}

static int run_machine(struct machine *m, struct sk_error *err)
{
	unsigned i;
	int r = sk_loop_new(&m->loop);

	if (r == 0)
		r = watch_signals(m);
	if (r < 0)
		return sk_error_errno(err, r, "cannot start the engine");
	r = prepare(m, err);
	if (r < 0)
		return r;
	m->idle.after_ms = m->o.idle_stop * 1000;
	if (m->idle.after_ms)
		m->idle_timer = sk_loop_add_timer(m->loop, sk_machine_idle_look_ms(m->idle.after_ms), look_if_idle, m);
	m->rest_timer = sk_loop_add_timer(m->loop, SK_MACHINE_REST_MS, look_if_resting, m);
	m->ingress_timer = sk_loop_add_timer(m->loop, MACHINE_INGRESS_MS, look_for_ingress, m);
	m->deadline = sk_loop_add_timer(m->loop, MACHINE_START_MS, deadline_over, m);
	for (i = 0; i < MACHINE_PROCESSES && r == 0; i++)
		r = add_process(m, i, err);
	if (r == 0)
		r = start_process(&m->processes[0], err);
	if (r < 0)
		return r;
	report("disk and places are ready after %llu ms", (unsigned long long)(sk_now_ms() - m->begun));
	r = sk_loop_run(m->loop);
	return r < 0 ? sk_error_errno(err, r, "cannot wait for the engine") : 0;
}

int sk_machine_main(int argc, char **argv)
{
	static struct machine m;
	struct sk_error err = SK_ERROR_INIT;

	m.begun = sk_now_ms();
	if (sk_machine_options(&m.o, argc, argv, &err) < 0) {
		report("%s", err.message);
		return 2;
	}
	if (getpid() != 1) {
		report("this is process 1 of a machine");
		return 2;
	}
	umask(022);
	if (run_machine(&m, &err) < 0) {
		report("%s", err.message);
		m.code = 1;
	}
	kill_rest();
	if (m.o.engine)
		sk_machine_disk_unmount(m.o.engine);
	return m.code;
}
