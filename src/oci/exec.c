/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec. The process on the host that stands for the one in the guest is this program itself: it carries stdio, passes
 * signals on and ends with the process's exit code. With --detach it goes on in the background and its pid is what is
 * reported; if it is killed, the process in the guest is, too (the connection says so: "owner").
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "oci/oci.h"
#include "vm/proxy.h"
#include "vm/vm.h"

struct exec_options {
	const char *id, *process_file, *pid_file, *console_socket, *cwd, *user;
	json_t *env, *groups, *caps, *args;
	bool detach, tty, no_new_privs, ignore_paused;
};

struct exec_proxy {
	struct sk_loop *loop;
	struct sk_proxy *proxy;
	int code;
	bool oom;
	const struct sk_oci_stand_in *config;
};

static int parse_exec(int argc, char **argv, struct exec_options *x, struct sk_error *err)
{
	static const struct option options[] = {
		{ "console-socket", required_argument, NULL, 'C' },
		{ "cwd", required_argument, NULL, 'w' },
		{ "env", required_argument, NULL, 'e' },
		{ "tty", no_argument, NULL, 't' },
		{ "user", required_argument, NULL, 'u' },
		{ "additional-gids", required_argument, NULL, 'g' },
		{ "process", required_argument, NULL, 'p' },
		{ "detach", no_argument, NULL, 'd' },
		{ "pid-file", required_argument, NULL, 'P' },
		{ "process-label", required_argument, NULL, 'x' },
		{ "apparmor", required_argument, NULL, 'x' },
		{ "no-new-privs", no_argument, NULL, 'n' },
		{ "cap", required_argument, NULL, 'c' },
		{ "preserve-fds", required_argument, NULL, 'f' },
		{ "cgroup", required_argument, NULL, 'x' },
		{ "ignore-paused", no_argument, NULL, 'i' },
		{ "no-subreaper", no_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	json_int_t gid;
	int opt;

	*x = (struct exec_options){
		.env = json_array(), .groups = json_array(), .caps = json_array(), .args = json_array()
	};
	optind = 0;
	while ((opt = getopt_long(argc, argv, "+e:tu:g:p:dc:", options, NULL)) != -1) {
		switch (opt) {
		case 'C':
			x->console_socket = optarg;
			break;
		case 'w':
			x->cwd = optarg;
			break;
		case 'e':
			json_array_append_new(x->env, json_string(optarg));
			break;
		case 't':
			x->tty = true;
			break;
		case 'u':
			x->user = optarg;
			break;
		case 'g':
			if (sk_oci_parse_number(optarg, 0, UINT32_MAX, &gid) < 0)
				return sk_error_set(err, EINVAL, "additional-gids must be a positive number %s",
						    optarg);
			json_array_append_new(x->groups, json_integer(gid));
			break;
		case 'p':
			x->process_file = optarg;
			break;
		case 'd':
			x->detach = true;
			break;
		case 'P':
			x->pid_file = optarg;
			break;
		case 'n':
			x->no_new_privs = true;
			break;
		case 'c':
			json_array_append_new(x->caps, json_string(optarg));
			break;
		case 'i':
			x->ignore_paused = true;
			break;
		case 'f':
			if (sk_oci_preserve_fds(optarg, err) < 0)
				return -err->code;
			break;
		case '?':
			return sk_oci_bad_option(argv, err);
		default:
			break;
		}
	}
	if (optind >= argc)
		return sk_error_set(err, EINVAL, "\"exec\" requires a minimum of 1 argument(s)");
	x->id = argv[optind++];
	for (; optind < argc; optind++)
		json_array_append_new(x->args, json_string(argv[optind]));
	return 0;
}

static json_t *load_process(const char *path, struct sk_error *err)
{
	_cleanup_free_ char *text = NULL;
	json_error_t je;
	json_t *process;
	size_t len;
	int r = sk_fs_read(AT_FDCWD, path, SK_OCI_CONFIG_MAX, &text, &len);

	if (r < 0) {
		sk_oci_cannot_open(err, r, path);
		return NULL;
	}
	process = json_loadb(text, len, 0, &je);
	if (!process)
		sk_error_set(err, EINVAL, "%s is not the description of a process: %s", path, je.text);
	if (process && sk_oci_check_process(process, err) < 0) {
		json_decref(process);
		process = NULL;
	}
	return process;
}

/* --user UID[:GID]: names are not looked up, and nobody becomes root by one. */
static int set_user(json_t *process, const char *text, struct sk_error *err)
{
	_cleanup_free_ char *uid_text = strdup(text);
	char *colon = uid_text ? strchr(uid_text, ':') : NULL;
	json_int_t uid, gid = 0;
	int r = 0;

	if (!uid_text)
		return sk_error_errno(err, ENOMEM, "--user");
	if (colon)
		*colon = '\0';
	if (sk_oci_parse_number(uid_text, 0, UINT32_MAX, &uid) < 0)
		r = sk_error_set(err, EINVAL, "parsing %s as int for uid failed", uid_text);
	else if (colon && sk_oci_parse_number(colon + 1, 0, UINT32_MAX, &gid) < 0)
		r = sk_error_set(err, EINVAL, "parsing %s as int for gid failed", colon + 1);
	else
		json_object_set_new(process, "user", json_pack("{s:I,s:I}", "uid", uid, "gid", gid));
	return r;
}

/* --cap: on top of what the container has. */
static void add_caps(json_t *process, json_t *added)
{
	static const char *const sets[] = { "bounding", "effective", "permitted", "ambient" };
	json_t *caps = json_object_get(process, "capabilities");
	size_t i;

	if (!caps) {
		caps = json_object();
		json_object_set_new(process, "capabilities", caps);
	}
	for (i = 0; i < SK_ARRAY_SIZE(sets); i++) {
		if (!json_is_array(json_object_get(caps, sets[i])))
			json_object_set_new(caps, sets[i], json_array());
		json_array_extend(json_object_get(caps, sets[i]), added);
	}
}

/* From the command line, on top of the container's own process. */
static json_t *make_process(const struct exec_options *x, const struct sk_oci_container *c, struct sk_error *err)
{
	json_t *process = json_deep_copy(json_object_get(c->record, "process")), *env = json_object_get(process, "env");
	json_t *user;

	json_object_set(process, "args", x->args);
	json_object_set_new(process, "terminal", json_boolean(x->tty));
	if (x->cwd)
		json_object_set_new(process, "cwd", json_string(x->cwd));
	if (env)
		json_array_extend(env, x->env);
	else
		json_object_set(process, "env", x->env);
	if (x->user && *x->user && set_user(process, x->user, err) < 0) {
		json_decref(process);
		return NULL;
	}
	user = json_object_get(process, "user");
	if (json_array_size(x->groups) && user)
		json_object_set(user, "additionalGids", x->groups);
	if (x->no_new_privs)
		json_object_set_new(process, "noNewPrivileges", json_true());
	if (json_array_size(x->caps))
		add_caps(process, x->caps);
	return process;
}

/* ---- the proxy */

static void on_done(void *arg, int code, bool oom)
{
	struct exec_proxy *p = arg;

	p->oom = oom;
	p->code = code < 0 ? 137 : code; /* gone with its VM */
	sk_loop_quit(p->loop);
}

static void on_oom(void *arg)
{
	const struct exec_proxy *p = arg;

	if (p->config->on_oom)
		p->config->on_oom(p->config->arg);
}

static void on_signal(void *arg, int fd, unsigned events)
{
	struct exec_proxy *p = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH)
			sk_proxy_resize(p->proxy);
		else
			sk_proxy_send(p->proxy, &(const struct sk_msg){ .op = SK_ATTACHED_SIGNAL,
									.signal = { (int)si.ssi_signo, false } });
	}
}

/* Everything that can be caught goes on to the process, but what is about us. */
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
	struct exec_proxy p = { .code = 255, .config = s };
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

static bool has_input(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
}

static int request_exec(struct sk_oci *o, const struct sk_oci_container *c, const json_t *process,
			const struct exec_options *x, bool input, const struct winsize *ws, struct sk_error *err)
{
	_cleanup_fd_ int fd = sk_oci_connect(o, c, err);
	const struct sk_msg request = { .op = SK_REQUEST_EXEC,
					.container = sk_oci_guest_name(c),
					.run = { .process = (json_t *)(uintptr_t)process,
						 .input = input,
						 .owner = true,
						 .ignore_paused = x->ignore_paused,
						 .bare_newlines = !x->console_socket,
						 .rows = ws->ws_row,
						 .cols = ws->ws_col } };
	int exit_code, r;

	if (fd < 0)
		return fd;
	sk_oci_log(o, "debug", "container %s: exec", c->id);
	r = sk_vm_request(&o->paths, sk_oci_vm_of(c), fd, &request, NULL, &exit_code, err);
	if (r < 0) {
		sk_oci_start_error(err, exit_code, process, "exec failed");
		return r;
	}
	return SK_TAKE_FD(fd);
}

/* Tells the parent how the start went: an empty message when it runs. */
static void report(int fd, const struct sk_error *err)
{
	if (fd >= 0) {
		sk_fs_write_all(fd, err ? err->message : "", err ? strlen(err->message) + 1 : 1);
		close(fd);
	}
}

struct exec_job {
	struct sk_oci *o;
	struct sk_oci_container *c;
	json_t *process;
	const struct exec_options *x;
};

/* The terminal whose size and modes count; a copy. As runc: any of the three that is one, else the one that controls
 * us. */
static int find_terminal(int console, bool is_console, struct sk_error *err)
{
	int fd, tty;

	for (fd = 2; fd >= 0 && !is_console; fd--)
		if (isatty(fd))
			return fcntl(fd, F_DUPFD_CLOEXEC, 3);
	tty = is_console ? fcntl(console, F_DUPFD_CLOEXEC, 3) : open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0) {
		const char *why = strerror(errno);

		return sk_error_set(err, errno, "exec failed: open /dev/tty: %c%s", *why | 0x20, why + 1);
	}
	return tty;
}

/* The process that stands for the one in the guest. `report_fd` -1: in the foreground. */
static int stand_in(const struct exec_job *j, int report_fd, struct sk_error *err)
{
	bool terminal = json_is_true(json_object_get(j->process, "terminal")), input;
	int signal_fd = sk_oci_catch_signals(), in = 0, out = 1, errout = 2, fd;
	_cleanup_fd_ int host = -1;
	struct winsize ws = { 0 };
	struct termios saved, raw;
	bool restore = false;
	int code;

	if (terminal && j->x->console_socket) {
		const json_t *size = json_object_get(j->process, "consoleSize");

		in = sk_oci_console_new(j->x->console_socket,
					(unsigned)json_integer_value(json_object_get(size, "height")),
					(unsigned)json_integer_value(json_object_get(size, "width")), err);
		if (in < 0)
			return in;
		out = fcntl(in, F_DUPFD_CLOEXEC, 3);
		errout = -1;
		ioctl(in, TIOCSCTTY, 0);
		sk_oci_leave_stdio();
	}
	host = terminal ? find_terminal(in, j->x->console_socket != NULL, err) : -1;
	if (terminal && host < 0)
		return host;
	input = terminal || has_input(in);
	if (terminal)
		ioctl(host, TIOCGWINSZ, &ws);
	fd = request_exec(j->o, j->c, j->process, j->x, input, &ws, err);
	if (fd < 0)
		return fd;
	if (terminal && !j->x->console_socket && tcgetattr(host, &saved) == 0) {
		raw = saved;
		cfmakeraw(&raw);
		raw.c_oflag |= OPOST;
		restore = tcsetattr(host, TCSADRAIN, &raw) == 0;
	}
	report(report_fd, NULL);
	code = sk_oci_stand_in(&(struct sk_oci_stand_in){ .take_conn_fd = fd,
							  .signal_fd = signal_fd,
							  .in_fd = input ? fcntl(in, F_DUPFD_CLOEXEC, 3) : -1,
							  .out_fd = out,
							  .err_fd = errout,
							  .size_fd = host,
							  .terminal = terminal },
			       NULL);
	if (restore)
		tcsetattr(host, TCSADRAIN, &saved);
	return code;
}

static int run_detached(const struct exec_job *j, struct sk_error *err)
{
	_cleanup_fd_ int read_fd = -1;
	char message[SK_ERROR_MAX];
	size_t len = 0;
	int pipefd[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return sk_error_errno(err, errno, "exec");
	pid = fork();
	if (pid < 0)
		return sk_error_errno(err, errno, "exec");
	if (pid == 0) {
		int code;

		setsid();
		close(pipefd[0]);
		code = stand_in(j, pipefd[1], err);
		if (code < 0) {
			report(pipefd[1], err);
			code = 255;
		}
		_exit(code);
	}
	close(pipefd[1]);
	read_fd = pipefd[0];
	while (len < sizeof(message) - 1 && (n = read(read_fd, message + len, sizeof(message) - 1 - len)) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	message[len] = '\0';
	if (len == 1 && message[0] == '\0')
		return sk_oci_write_pid(j->x->pid_file, pid, err);
	waitpid(pid, NULL, 0);
	return sk_error_set(err, EIO, "%s", len ? message : "exec failed");
}

int sk_oci_exec(struct sk_oci *o, int argc, char **argv, struct sk_error *err)
{
	struct sk_oci_container c = { 0 };
	struct exec_options x;
	struct exec_job j = { .o = o, .c = &c, .x = &x };
	const char *status;
	int r = parse_exec(argc, argv, &x, err);

	if (r < 0) {
		sk_oci_log(o, "error", "%s", err->message);
		return 1; /* and not what exec's own failures end with */
	}
	r = sk_oci_container_open(o, x.id, &c, err);
	if (r == 0 && !x.process_file && json_array_size(x.args) == 0)
		r = sk_error_set(err, EINVAL, "process args cannot be empty");
	if (r == 0) {
		status = sk_oci_status(o, &c, NULL);
		if (strcmp(status, "paused") == 0 && !x.ignore_paused)
			r = sk_error_set(err, EINVAL,
					 "cannot exec in a paused container (use --ignore-paused to override)");
		else if (strcmp(status, "stopped") == 0)
			r = sk_error_set(err, EINVAL, "cannot exec in a stopped container");
		else if (strcmp(status, "creating") == 0)
			r = sk_error_set(err, EINVAL, "cannot exec in a container that is not created yet");
	}
	if (r == 0) {
		j.process = x.process_file ? load_process(x.process_file, err) : make_process(&x, &c, err);
		r = !j.process ? -EINVAL
		    : x.detach ? run_detached(&j, err)
			       : sk_oci_write_pid(x.pid_file, getpid(), err);
	}
	if (r == 0 && !x.detach)
		r = stand_in(&j, -1, err);
	if (r < 0 && strncmp(err->message, "exec failed", 11) != 0)
		sk_error_wrap(err, "exec failed");
	json_decref(j.process);
	json_decref(x.args);
	json_decref(x.env);
	json_decref(x.groups);
	json_decref(x.caps);
	sk_oci_container_close(&c);
	if (r < 0 && strncmp(err->message, "exec failed", 11) != 0)
		sk_error_wrap(err, "exec failed");
	return r;
}
