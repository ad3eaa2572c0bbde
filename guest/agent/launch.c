/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's side of starting a process: pipes and terminal, streams, and what happens when the job has succeeded. The
 * job's child is in launch_child.c.
 *
 * The pumps start only when crun has succeeded: crun says its own errors on the stderr that it hands to the program,
 * and nobody wants to find those in the container's output. Until then the program's output waits in the pipe.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/socket.h"
#include "spec.h"

#define LAUNCH_PIPE_SIZE (256 * 1024)

void sk_launch_path(const struct sk_launch *l, const char *what, char *ret, size_t size)
{
	snprintf(ret, size, "%s/%s.%u", l->container->dir, what, l->sequence);
}

static int make_pipe(struct sk_launch *l, int i)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fcntl(fds[0], F_SETPIPE_SZ, LAUNCH_PIPE_SIZE);
	l->child_fd[i] = fds[i == SK_STDIN ? 0 : 1];
	l->our_fd[i] = fds[i == SK_STDIN ? 1 : 0];
	return 0;
}

static int listen_console(struct sk_launch *l)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char path[256];

	sk_launch_path(l, "console", path, sizeof(path));
	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	l->console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->console < 0)
		return -errno;
	unlink(path);
	if (bind(l->console, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(l->console, 1) < 0)
		return -errno;
	return 0;
}

struct sk_launch *sk_launch_new(struct sk_agent_container *c, struct sk_process *process, struct sk_msg *req,
				struct sk_error *err)
{
	struct sk_launch *l = calloc(1, sizeof(*l));
	int i, r = 0;

	if (!l) {
		sk_error_errno(err, ENOMEM, "cannot start a process");
		return NULL;
	}
	*l = (struct sk_launch){ .agent = c->agent, .container = c, .process = process, .sequence = c->sequence++ };
	for (i = 0; i < SK_STDIO_COUNT; i++)
		l->child_fd[i] = l->our_fd[i] = l->stream[i] = -1;
	l->console = -1;
	if (req->op == SK_OP_CREATE)
		l->stdio = req->create.stdio;
	else if (req->op == SK_OP_EXEC)
		l->stdio = req->exec.stdio;
	if (l->stdio.terminal) {
		r = listen_console(l);
		if (r < 0)
			sk_error_errno(err, r, "cannot make a console socket");
	}
	for (i = 0; i < SK_STDIO_COUNT && r == 0 && !l->stdio.terminal; i++)
		if (l->stdio.token[i].set && (r = make_pipe(l, i)) < 0)
			sk_error_errno(err, r, "cannot make a pipe");
	if (r < 0) {
		sk_launch_free(l);
		return NULL;
	}
	l->req = *req;
	req->json = NULL;
	return l;
}

void sk_launch_free(struct sk_launch *l)
{
	static const char *const files[] = { "console", "log", "pid", "process" };
	char path[256];
	size_t i;

	if (!l)
		return;
	for (i = 0; i < SK_STDIO_COUNT; i++) {
		sk_close_fd(&l->child_fd[i]);
		sk_close_fd(&l->our_fd[i]);
		sk_close_fd(&l->stream[i]);
	}
	if (l->console >= 0) {
		sk_close_fd(&l->console);
		sk_launch_path(l, "console", path, sizeof(path));
		unlink(path);
	}
	for (i = 1; i < SK_ARRAY_SIZE(files); i++) {
		sk_launch_path(l, files[i], path, sizeof(path));
		unlink(path);
	}
	sk_msg_fini(&l->req);
	free(l);
}

int sk_launch_connect(struct sk_launch *l, struct sk_error *err)
{
	int i;

	for (i = 0; i < SK_STDIO_COUNT; i++) {
		sk_close_fd(&l->child_fd[i]);
		if (!l->stdio.token[i].set || (l->stdio.terminal && i != SK_STDOUT))
			continue;
		l->stream[i] = sk_uplink_stream(&l->agent->uplink, &l->stdio.token[i]);
		if (l->stream[i] < 0)
			return sk_error_errno(err, l->stream[i], "cannot connect a stream to the monitor");
	}
	return 0;
}

/* crun has connected and sent the descriptor before it says that it is done: nothing to wait for. */
static int receive_terminal(struct sk_launch *l, struct sk_error *err)
{
	_cleanup_fd_ int fd = accept4(l->console, NULL, NULL, SOCK_CLOEXEC);
	int master = -1, r = fd < 0 ? -errno : 0;
	char data[256];

	if (r == 0)
		r = sk_socket_receive(fd, false, data, sizeof(data), &master, 1);
	if (r < 0)
		return sk_error_errno(err, r, "cannot receive the terminal");
	return master >= 0 ? master : sk_error_set(err, EPROTO, "cannot receive the terminal: no descriptor came");
}

static void pump_done(void *arg, struct sk_pump *pump)
{
	struct sk_process *p = arg;
	int i;

	for (i = 0; i < SK_STDIO_COUNT; i++)
		if (p->pumps[i] == pump)
			p->pumps[i] = NULL;
}

static int start_pump(struct sk_launch *l, int i, int take_local, int take_stream, struct sk_error *err)
{
	bool in = i == SK_STDIN;

	l->process->pumps[i] =
		sk_pump_new(l->agent->loop, in ? SK_PUMP_INPUT : SK_PUMP_OUTPUT, in ? take_stream : take_local,
			    in ? take_local : take_stream, pump_done, l->process);
	return l->process->pumps[i] ? 0 : sk_error_errno(err, errno, "cannot serve a stream");
}

static int start_terminal(struct sk_launch *l, struct sk_error *err)
{
	_cleanup_fd_ int master = receive_terminal(l, err);
	struct termios modes;
	struct winsize size = { .ws_row = l->stdio.rows, .ws_col = l->stdio.cols };
	int r;

	if (master < 0)
		return master;
	if (size.ws_row && size.ws_col)
		ioctl(master, TIOCSWINSZ, &size);
	if (l->stdio.bare_newlines && tcgetattr(master, &modes) == 0) {
		modes.c_oflag &= ~(tcflag_t)ONLCR;
		tcsetattr(master, TCSANOW, &modes);
	}
	/* Each pump has descriptors of its own. */
	l->process->terminal = fcntl(master, F_DUPFD_CLOEXEC, 3);
	if (l->stream[SK_STDOUT] < 0)
		return 0;
	r = start_pump(l, SK_STDIN, fcntl(master, F_DUPFD_CLOEXEC, 3), fcntl(l->stream[SK_STDOUT], F_DUPFD_CLOEXEC, 3),
		       err);
	if (r == 0)
		r = start_pump(l, SK_STDOUT, SK_TAKE_FD(master), SK_TAKE_FD(l->stream[SK_STDOUT]), err);
	return r;
}

static pid_t read_pid(const struct sk_launch *l)
{
	_cleanup_free_ char *text = NULL;
	char path[256];
	long pid;

	sk_launch_path(l, "pid", path, sizeof(path));
	if (sk_fs_read(AT_FDCWD, path, 64, &text, NULL) < 0)
		return 0;
	pid = strtol(text, NULL, 10);
	return pid > 1 ? (pid_t)pid : 0;
}

int sk_launch_finish(struct sk_launch *l, struct sk_error *err)
{
	int i, r = 0;

	l->process->pid = read_pid(l);
	if (l->process->pid == 0)
		return sk_error_set(err, EIO, "the container runtime did not say which process it started");
	if (l->stdio.terminal)
		return start_terminal(l, err);
	for (i = 0; i < SK_STDIO_COUNT && r == 0; i++)
		if (l->our_fd[i] >= 0)
			r = start_pump(l, i, SK_TAKE_FD(l->our_fd[i]), SK_TAKE_FD(l->stream[i]), err);
	return r;
}

static const char *program(const struct sk_launch *l)
{
	const json_t *process = NULL;
	const char *arg;

	if (l->req.op == SK_OP_EXEC)
		process = l->req.exec.process;
	else if (l->req.op == SK_OP_CREATE)
		process = json_object_get(l->req.create.spec, "process");
	arg = json_string_value(json_array_get(json_object_get(process, "args"), 0));
	return arg ? arg : "";
}

int sk_launch_crun_error(const struct sk_launch *l, struct sk_error *err)
{
	_cleanup_free_ char *log = NULL;
	char path[256];

	sk_launch_path(l, "log", path, sizeof(path));
	if (sk_fs_read(AT_FDCWD, path, 65536, &log, NULL) < 0)
		return sk_error_set(err, EIO, "the container runtime failed without a word"), 0;
	return sk_spec_crun_error(log, program(l), err);
}
