/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec. The process on the host that stands for the one in the guest is this program itself: it carries stdio, passes
 * signals on and ends with the process's exit code. With --detach it goes on in the background and its pid is what is
 * reported; if it is killed, the process in the guest is, too (the connection says so: "owner").
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "oci/oci.h"
#include "vm/vm.h"

struct exec_options {
	const char *id, *process_file, *pid_file, *console_socket, *cwd, *user, *label, *apparmor;
	json_t *env, *groups, *caps, *args;
	bool detach, tty, no_new_privs, ignore_paused;
};

static int append_string(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	(void)o;
	(void)err;
	json_array_append_new(*(json_t **)to, json_string(value));
	return 0;
}

static int append_number(const struct sk_opt *o, void *to, const char *value, struct sk_error *err)
{
	json_int_t gid;

	(void)o;
	if (sk_oci_parse_number(value, 0, UINT32_MAX, &gid) < 0)
		return sk_error_set(err, EINVAL, "additional-gids must be a positive number %s", value);
	json_array_append_new(*(json_t **)to, json_integer(gid));
	return 0;
}

static const struct sk_opt_type strings = { true, append_string, NULL }, numbers = { true, append_number, NULL };

#define AT(f) offsetof(struct exec_options, f)
static const struct sk_opt exec_table[] = {
	{ .name = "console-socket", .type = SK_OPT_STRING, .offset = AT(console_socket) },
	{ .name = "cwd", .type = SK_OPT_STRING, .offset = AT(cwd) },
	{ .name = "env", .letter = 'e', .type = &strings, .offset = AT(env) },
	{ .name = "tty", .letter = 't', .type = SK_OPT_BOOL, .offset = AT(tty) },
	{ .name = "user", .letter = 'u', .type = SK_OPT_STRING, .offset = AT(user) },
	{ .name = "additional-gids", .letter = 'g', .type = &numbers, .offset = AT(groups) },
	{ .name = "process", .letter = 'p', .type = SK_OPT_STRING, .offset = AT(process_file) },
	{ .name = "detach", .letter = 'd', .type = SK_OPT_BOOL, .offset = AT(detach) },
	{ .name = "pid-file", .type = SK_OPT_STRING, .offset = AT(pid_file) },
	{ .name = "process-label", .type = SK_OPT_STRING, .offset = AT(label) },
	{ .name = "apparmor", .type = SK_OPT_STRING, .offset = AT(apparmor) },
	{ .name = "no-new-privs", .type = SK_OPT_BOOL, .offset = AT(no_new_privs) },
	{ .name = "cap", .letter = 'c', .type = &strings, .offset = AT(caps) },
	{ .name = "preserve-fds", .type = &sk_oci_opt_preserve_fds },
	{ .name = "cgroup", .type = SK_OPT_IGNORED },
	{ .name = "ignore-paused", .type = SK_OPT_BOOL, .offset = AT(ignore_paused) },
	{ .name = "no-subreaper", .type = SK_OPT_IGNORED_BOOL },
	{ .name = NULL },
};
#undef AT

static int parse_exec(int argc, char **argv, struct exec_options *x, struct sk_error *err)
{
	int n, i;

	*x = (struct exec_options){
		.env = json_array(), .groups = json_array(), .caps = json_array(), .args = json_array()
	};
	n = sk_oci_options(exec_table, x, true, argc, argv, err);
	if (n < 0)
		return n;
	if (n == 0)
		return sk_error_set(err, EINVAL, "\"exec\" requires a minimum of 1 argument(s)");
	x->id = argv[1];
	for (i = 2; i <= n; i++)
		json_array_append_new(x->args, json_string(argv[i]));
	return 0;
}

static void free_options(const struct exec_options *x)
{
	json_decref(x->args);
	json_decref(x->env);
	json_decref(x->groups);
	json_decref(x->caps);
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
	if (x->label)
		json_object_set_new(process, "selinuxLabel", json_string(x->label));
	if (x->apparmor)
		json_object_set_new(process, "apparmorProfile", json_string(x->apparmor));
	if (x->no_new_privs)
		json_object_set_new(process, "noNewPrivileges", json_true());
	if (json_array_size(x->caps))
		add_caps(process, x->caps);
	if (sk_oci_check_process(process, err) < 0) {
		json_decref(process);
		return NULL;
	}
	return process;
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

/* The terminal whose size and modes count; a copy. */
static int find_terminal(int console, bool is_console, struct sk_error *err)
{
	int tty = is_console ? fcntl(console, F_DUPFD_CLOEXEC, 3) : sk_oci_console_host(err);

	return tty < 0 ? sk_error_wrap(err, "exec failed") : tty;
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
	input = terminal || sk_oci_has_input(in);
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
		free_options(&x);
		return 1; /* as runc for wrong options; exec's other failures have a code of their own */
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
	free_options(&x);
	sk_oci_container_close(&c);
	if (r < 0 && strncmp(err->message, "exec failed", 11) != 0)
		sk_error_wrap(err, "exec failed");
	return r;
}
