/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting and stopping machines. A start makes config.json and vm.json anew from the machine's settings, boots, and
 * returns when the engine inside answers on the machine's socket. And docker's context for that socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "base/process.h"
#include "base/socket.h"
#include "cli/machine/machine.h"
#include "model/create.h"
#include "model/jx.h"
#include "model/machine.h"
#include "vm/vm.h"

#define ENGINE_START_MS 120000u
#define PING_MS 10000
#define PING_PAUSE_MS 20
#define LAST_LINES "20"

char *sk_machine_arg(struct sk_cli *cli, int argc, char **argv)
{
	return argc ? sk_xstrdup(argv[0]) : sk_machine_default(&cli->paths);
}

int sk_machine_delegate(struct sk_cli *cli, const char *const *words, int argc, char **argv)
{
	char **line;
	int n = 0, i, code;

	while (words[n])
		n++;
	line = sk_xcalloc((size_t)(n + argc) + 1, sizeof(*line)); /* the parser moves what it finds there */
	for (i = 0; i < n; i++)
		line[i] = (char *)(uintptr_t)words[i];
	for (i = 0; i < argc; i++)
		line[n + i] = argv[i];
	code = cli->run(cli, n + argc, line);
	free(line);
	return code;
}

/* ---- the engine's answer */

static int connect_socket(const struct sk_paths *paths, const char *id)
{
	_cleanup_free_ char *dir = sk_xasprintf("%s/%s", paths->run, id);
	_cleanup_fd_ int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;
	struct sockaddr_un addr;

	r = dirfd < 0 || fd < 0 ? -errno : sk_socket_address(dirfd, SK_MACHINE_SOCKET, &addr);
	if (r == 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		r = -errno;
	if (r < 0)
		sk_close_fd(&fd);
	return r < 0 ? r : fd;
}

/* Docker's and podman's engines answer "OK" (Docker Engine API, "Ping"), containerd with an HTTP/2 frame, others
 * with an HTTP/1 error: any answer shows that the engine listens. */
static bool answers(const struct sk_paths *paths, const char *id)
{
	static const char question[] = "GET /_ping HTTP/1.1\r\nHost: skerry\r\nConnection: close\r\n\r\n";
	_cleanup_fd_ int fd = connect_socket(paths, id);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char answer[12];

	if (fd < 0 || send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) < 0 || poll(&p, 1, PING_MS) != 1)
		return false;
	return recv(fd, answer, sizeof(answer), 0) > 0;
}

/* Somebody has stopped the machine, or removed it, while it was starting: nothing is wrong with it. */
static const char *called_off(struct sk_cli *cli, struct sk_container *c)
{
	struct sk_error ignored = SK_ERROR_INIT;

	if (sk_container_refresh(&cli->paths, c, &ignored) < 0)
		return "removed";
	return !sk_container_is_alive(c) && sk_jx_get_bool(c->state, "stopped_by_user", false) ? "stopped" : NULL;
}

static int wait_for_engine(struct sk_cli *cli, struct sk_container *c, struct sk_error *err)
{
	const struct timespec pause = { .tv_nsec = PING_PAUSE_MS * 1000000L };
	uint64_t end = sk_now_ms() + ENGINE_START_MS;
	struct sk_error ignored = SK_ERROR_INIT;

	while (sk_now_ms() < end) {
		if (answers(&cli->paths, c->id))
			return 0;
		if (sk_container_refresh(&cli->paths, c, &ignored) == 0 && !sk_container_is_alive(c))
			return sk_error_set(err, ECHILD, "its engine ended with exit code %d%s%s",
					    (int)sk_jx_get_int(c->state, "exit_code", 0),
					    *sk_jx_get_str(c->state, "error", "") ? ": " : "",
					    sk_jx_get_str(c->state, "error", ""));
		nanosleep(&pause, NULL);
	}
	return sk_error_set(err, ETIMEDOUT, "its engine did not answer within %u s", ENGINE_START_MS / 1000);
}

/* Of this start only. */
static void show_log(struct sk_cli *cli, const char *id, const char *since)
{
	const char *words[] = { "logs", "--tail", LAST_LINES, "--since", since, NULL };
	char *argv[] = { (char *)(uintptr_t)id, NULL };
	int out = dup(STDOUT_FILENO);

	fprintf(stderr, "Last lines of its log:\n");
	fflush(NULL);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	sk_machine_delegate(cli, words, 1, argv);
	fflush(NULL);
	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		close(out);
	}
}

/* ---- start, stop */

/* The machine's container as its settings, the host and the image make it now. */
static int renew(struct sk_cli *cli, struct sk_container *c, struct sk_error *err)
{
	json_t *machine = json_object_get(c->config, "Machine"), *config, *vm;
	_cleanup_free_ char *created = sk_xstrdup(sk_jx_get_str(c->config, "Created", ""));
	struct sk_machine_plan p;
	char now[40];
	int r = sk_machine_plan_init(cli, machine, &p, err);

	if (r == 0) {
		memcpy(p.plan.id, c->id, sizeof(p.plan.id));
		snprintf(p.plan.name, sizeof(p.plan.name), "%s", p.name);
		r = sk_plan_resolve_mounts(&cli->paths, &p.plan, err);
	}
	if (r == 0) {
		config = sk_plan_inspect(&p.plan, created);
		sk_jx_set_str(machine, "LastUp", sk_time_now(now));
		sk_jx_set(config, "Machine", json_incref(machine));
		vm = sk_plan_vm(&p.plan, config);
		sk_machine_complete_vm(&cli->paths, machine, vm);
		sk_jx_set(json_object_get(vm, "services"), "later", json_incref(p.later));
		r = sk_container_save_vm(&cli->paths, c->id, vm, err);
		if (r == 0)
			r = sk_container_save(&cli->paths, c->id, config, err);
		json_decref(vm);
		json_decref(c->config);
		c->config = config;
	}
	sk_machine_plan_fini(&p);
	return r;
}

static int boot(struct sk_cli *cli, const struct sk_container *c, struct sk_error *err)
{
	const struct sk_msg start = { .op = SK_REQUEST_START };
	_cleanup_fd_ int fd = sk_boot(&cli->paths, c->id, c->config, err);

	return fd < 0 ? fd : sk_vm_request(&cli->paths, c->id, fd, &start, NULL, NULL, err);
}

/* Boots it and waits for its engine. */
static int launch(struct sk_cli *cli, const char *name, struct sk_container *c, struct sk_error *err)
{
	const char *how;
	int r = boot(cli, c, err);
	bool up = r == 0;

	if (r == 0)
		r = wait_for_engine(cli, c, err);
	if (r == 0)
		return 0;
	how = called_off(cli, c);
	if (how) {
		*err = (struct sk_error)SK_ERROR_INIT;
		return sk_error_set(err, ECANCELED, "unable to start \"%s\": it was %s while it started", name, how);
	}
	sk_error_wrap(err, "cannot start machine \"%s\"", name);
	if (up) {
		show_log(cli, c->id, sk_jx_get_str(c->config, "Machine.LastUp", "0"));
		(void)sk_machine_stop(cli, c, &(struct sk_error)SK_ERROR_INIT);
	}
	return r;
}

int sk_machine_start(struct sk_cli *cli, const char *name, bool quiet, struct sk_error *err)
{
	_cleanup_container_ struct sk_container c = { 0 };
	_cleanup_fd_ int lock = -1;
	int r = sk_machine_find(&cli->paths, name, &c, err);

	if (r == 0)
		r = lock = sk_machine_lock(&cli->paths, name, err);
	if (r == -EWOULDBLOCK) {
		*err = (struct sk_error)SK_ERROR_INIT;
		return sk_error_set(err, EBUSY, "unable to start \"%s\": somebody else is starting it", name);
	}
	/* What it was before the lock may have changed meanwhile. */
	if (r >= 0)
		r = sk_container_refresh(&cli->paths, &c, err);
	if (r < 0)
		return r;
	/* Its settings may be others since it was suspended: it is started as if it had been stopped. */
	if (strcmp(sk_machine_state(&c), "suspended") == 0)
		r = sk_machine_stop(cli, &c, err);
	if (r == 0)
		r = sk_container_refresh(&cli->paths, &c, err);
	if (r < 0)
		return r;
	if (sk_container_is_alive(&c))
		return sk_error_set(err, EBUSY, "unable to start \"%s\": already running", name);
	if (!quiet) {
		printf("Starting machine \"%s\"\n", name);
		fflush(stdout);
	}
	r = sk_machine_check_socket(&cli->paths, name, err);
	if (r == 0)
		r = renew(cli, &c, err);
	if (r == 0)
		r = sk_machine_make_data(
			&cli->paths, name,
			(uint64_t)sk_jx_get_int(c.config, "Machine.DiskSize", (int64_t)SK_MACHINE_DISK), err);
	if (r == 0)
		r = sk_machine_link(&cli->paths, name, c.id, err);
	if (r < 0)
		return sk_error_wrap(err, "cannot start machine \"%s\"", name);
	return launch(cli, name, &c, err);
}

int sk_machine_wake(struct sk_cli *cli, struct sk_container *c, struct sk_error *err)
{
	int r = strcmp(sk_machine_state(c), "suspended") == 0 ? wait_for_engine(cli, c, err) : 0;

	return r < 0 ? sk_error_wrap(err, "cannot start machine \"%s\" again",
				     sk_jx_get_str(c->config, "Machine.Name", ""))
		     : 0;
}

int sk_machine_stop(struct sk_cli *cli, const struct sk_container *c, struct sk_error *err)
{
	const struct sk_msg stop = { .op = SK_REQUEST_STOP };
	int r;

	if (!sk_container_is_alive(c))
		return 0;
	r = sk_vm_call(&cli->paths, c->id, &stop, NULL, err);
	if (r == -ENOENT || r == -ECONNRESET) { /* it has ended meanwhile */
		*err = (struct sk_error)SK_ERROR_INIT;
		return 0;
	}
	if (r == -ETIMEDOUT) {
		*err = (struct sk_error)SK_ERROR_INIT;
		r = sk_vm_end(&cli->paths, c->id, err);
	}
	return r;
}

/* ---- docker's context */

char *sk_machine_context(const char *name)
{
	return strcmp(name, SK_MACHINE_DEFAULT) == 0 ? sk_xstrdup("skerry") : sk_xasprintf("skerry-%s", name);
}

static int run_docker(const char *const *argv, struct sk_error *err)
{
	struct sk_spawn spawn = SK_SPAWN_INIT;

	spawn.file = "docker";
	spawn.argv = argv;
	return sk_run(&spawn, err);
}

void sk_machine_make_context(struct sk_cli *cli, const char *name)
{
	_cleanup_free_ char *context = sk_machine_context(name), *socket = sk_machine_socket(&cli->paths, name),
			    *host = sk_xasprintf("host=unix://%s", socket),
			    *words = sk_xasprintf("Skerry machine %s", name), *docker = sk_find_program("docker");
	/* The user may have chosen this context already, which docker would look for first. */
	const char *create[] = { "docker",	  "--context", "default",  "context", "create", context,
				 "--description", words,       "--docker", host,      NULL };
	const char *update[] = {
		"docker", "--context", "default", "context", "update", context, "--docker", host, NULL
	};
	struct sk_error err = SK_ERROR_INIT;

	if (!docker)
		return;
	if (run_docker(create, &err) == 0)
		return;
	err = (struct sk_error)SK_ERROR_INIT;
	if (run_docker(update, &err) != 0)
		sk_cli_warn("cannot make docker's context %s: %s", context, err.message);
}

void sk_machine_remove_context(const char *name)
{
	_cleanup_free_ char *context = sk_machine_context(name), *docker = sk_find_program("docker");
	/* With the user's choice of a context, which docker forgets if it is this one; without, where that does not exist. */
	const char *rm[] = { "docker", "context", "rm", "--force", context, NULL };
	const char *rm_by_default[] = { "docker", "--context", "default", "context", "rm", "--force", context, NULL };
	struct sk_error ignored = SK_ERROR_INIT;

	if (docker && run_docker(rm, &ignored) != 0) {
		ignored = (struct sk_error)SK_ERROR_INIT;
		(void)run_docker(rm_by_default, &ignored);
	}
}
