/* SPDX-License-Identifier: Apache-2.0 */
/* stop, restart, kill, rm, pause, unpause, wait, rename: requests to the monitors of containers that exist. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/container/client.h"
#include "cli/commands.h"
#include "model/container.h"
#include "model/jx.h"
#include "cli/container/launch.h"
#include "model/remove.h"
#include "cli/runopts.h"
#include "model/signals.h"
#include "vm/vm.h"

/* Opens the state directory, then each. */
static int each(struct sk_cli *cli, int argc, char **argv, bool echo,
		int (*one)(struct sk_cli *cli, const char *ref, void *arg, struct sk_error *err), void *arg)
{
	struct sk_error err = SK_ERROR_INIT;

	return sk_cli_open(cli, &err) < 0 ? sk_cli_fail(&err, 1) : sk_each(cli, argc, argv, echo, one, arg);
}

/* ---- stop, restart */

struct stop_opts {
	const char *signal;
	int64_t timeout;
};

static void stop_defaults(void *opts)
{
	((struct stop_opts *)opts)->timeout = SK_STOP_TIMEOUT_UNSET;
}

static const struct sk_opt stop_opts[] = {
	{ "signal", 's', SK_OPT_STRING, offsetof(struct stop_opts, signal), "string", "Signal to send to the container",
	  sk_check_signal, NULL, false },
	SK_OPT_INT_("timeout", 't', offsetof(struct stop_opts, timeout),
		    "Seconds to wait before killing the container"),
	{ "time", 0, SK_OPT_INT, offsetof(struct stop_opts, timeout), "int", NULL, NULL, NULL, true },
	SK_OPT_END,
};

static struct sk_msg stop_request(const struct stop_opts *o)
{
	struct sk_msg request = { .op = SK_REQUEST_STOP };

	if (o->signal)
		request.stop.signal = sk_signal_parse(o->signal);
	request.stop.has_timeout = o->timeout != SK_STOP_TIMEOUT_UNSET;
	request.stop.timeout = o->timeout < 0 ? -1 : (int)(o->timeout > INT32_MAX ? INT32_MAX : o->timeout);
	return request;
}

/* One of several containers that stop at the same time. */
struct stopping {
	struct sk_client client;
	char id[SK_ID_LEN + 1];
	int r;
	struct sk_error err;
};

static void stop_begin(struct sk_cli *cli, const char *ref, const struct sk_msg *request, struct stopping *s)
{
	_cleanup_container_ struct sk_container c = { 0 };
	int fd;

	sk_client_init(&s->client, -1);
	s->r = sk_container_find(&cli->paths, ref, &c, &s->err);
	if (s->r < 0 || !sk_container_is_alive(&c))
		return;
	memcpy(s->id, c.id, sizeof(s->id));
	fd = sk_vm_connect(&cli->paths, c.id, &s->err);
	if (fd == -ENOENT) {
		s->err = (struct sk_error)SK_ERROR_INIT; /* it has just stopped by itself */
		return;
	}
	s->r = fd < 0 ? fd : 0;
	if (fd < 0)
		return;
	s->client.fd = fd;
	s->client.paths = &cli->paths;
	s->client.id = s->id;
	s->r = sk_client_request(&s->client, request, &s->err);
}

static void stop_end(struct sk_cli *cli, struct stopping *s)
{
	if (s->r == 0 && s->client.fd >= 0)
		s->r = sk_client_reply(&s->client, SK_REQUEST_STOP, &s->err);
	if (s->r == -ETIMEDOUT) {
		s->err = (struct sk_error)SK_ERROR_INIT;
		s->r = sk_vm_end(&cli->paths, s->id, &s->err);
	}
	if (s->r == -ECONNRESET)
		s->r = 0; /* the monitor is gone, and with it the container */
	sk_client_fini(&s->client);
}

static int cmd_stop(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct sk_msg request = stop_request(opts);
	struct sk_error err = SK_ERROR_INIT;
	struct stopping *all;
	int i, code = 0;

	if (sk_cli_open(cli, &err) < 0)
		return sk_cli_fail(&err, 1);
	all = sk_xcalloc((size_t)argc, sizeof(*all));
	for (i = 0; i < argc; i++)
		stop_begin(cli, argv[i], &request, &all[i]);
	for (i = 0; i < argc; i++) {
		stop_end(cli, &all[i]);
		if (all[i].r < 0)
			code = sk_cli_fail(&all[i].err, 1);
		else
			printf("%s\n", argv[i]);
		fflush(stdout);
	}
	free(all);
	return code;
}

const struct sk_command sk_cmd_stop = {
	.name = "stop",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Stop one or more running containers",
	.aliases = "skerry container stop, skerry stop",
	.opts = stop_opts,
	.opts_size = sizeof(struct stop_opts),
	.defaults = stop_defaults,
	.min = 1,
	.max = -1,
	.run = cmd_stop,
};

static int restart_one(struct sk_cli *cli, const char *ref, void *arg, struct sk_error *err)
{
	_cleanup_container_ struct sk_container c = { 0 };
	struct sk_msg request = stop_request(arg);
	struct stopping s = { .err = SK_ERROR_INIT };
	int r = sk_container_find(&cli->paths, ref, &c, err), code;

	if (r < 0)
		return r;
	request.stop.keep = true;
	stop_begin(cli, c.id, &request, &s);
	stop_end(cli, &s);
	if (s.r < 0) {
		*err = s.err;
		return s.r;
	}
	return sk_launch_detached(cli, c.id, c.config, &code, err);
}

static int cmd_restart(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	return each(cli, argc, argv, true, restart_one, opts);
}

const struct sk_command sk_cmd_restart = {
	.name = "restart",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Restart one or more containers",
	.aliases = "skerry container restart, skerry restart",
	.opts = stop_opts,
	.opts_size = sizeof(struct stop_opts),
	.defaults = stop_defaults,
	.min = 1,
	.max = -1,
	.run = cmd_restart,
};

/* ---- kill */

struct kill_opts {
	const char *signal;
};

static const struct sk_opt kill_opts[] = {
	SK_OPT_STR_("signal", 's', offsetof(struct kill_opts, signal), "string", "Signal to send to the container"),
	SK_OPT_END,
};

static int kill_one(struct sk_cli *cli, const char *ref, void *arg, struct sk_error *err)
{
	const struct kill_opts *o = arg;
	int sig = o->signal && *o->signal ? sk_signal_parse(o->signal) : 9, r;
	const struct sk_msg request = { .op = SK_REQUEST_KILL, .signal = { .number = sig, .all = false } };
	_cleanup_json_ json_t *attributes = NULL;
	_cleanup_container_ struct sk_container c = { 0 };
	char text[16];

	r = sk_container_find(&cli->paths, ref, &c, err);
	if (r < 0)
		return r;
	if (!sk_container_is_alive(&c))
		return sk_error_set(err, EINVAL, "cannot kill container: %s: container %s is not running", ref, c.id);
	r = sig == SIGKILL ? sk_vm_call_to_end(&cli->paths, c.id, &request, err)
			   : sk_vm_call(&cli->paths, c.id, &request, NULL, err);
	if (r == -ETIMEDOUT && sig == SIGKILL) {
		*err = (struct sk_error)SK_ERROR_INIT;
		r = sk_vm_end(&cli->paths, c.id, err);
	}
	if (r < 0)
		return sk_error_wrap(err, "cannot kill container: %s", ref);
	attributes = sk_container_attributes(&c);
	snprintf(text, sizeof(text), "%d", sig);
	sk_jx_set_str(attributes, "signal", text);
	sk_event_append(&cli->paths, "container", "kill", c.id, attributes);
	return 0;
}

static int cmd_kill(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct kill_opts *o = opts;

	if (o->signal && *o->signal && sk_signal_parse(o->signal) < 0) {
		fprintf(stderr, "skerry: Invalid signal: %s\n", o->signal);
		return 1;
	}
	return each(cli, argc, argv, true, kill_one, opts);
}

const struct sk_command sk_cmd_kill = {
	.name = "kill",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Kill one or more running containers",
	.aliases = "skerry container kill, skerry kill",
	.opts = kill_opts,
	.opts_size = sizeof(struct kill_opts),
	.min = 1,
	.max = -1,
	.run = cmd_kill,
};

/* ---- rm */

struct rm_opts {
	bool force, volumes;
};

static const struct sk_opt rm_opts[] = {
	SK_OPT_BOOL_("force", 'f', offsetof(struct rm_opts, force),
		     "Force the removal of a running container (uses SIGKILL)"),
	{ "link", 'l', SK_OPT_REFUSED, 0, NULL, "containers do not share a network, there are no links", NULL, NULL,
	  true },
	SK_OPT_BOOL_("volumes", 'v', offsetof(struct rm_opts, volumes),
		     "Remove anonymous volumes associated with the container"),
	SK_OPT_END,
};

static int rm_one(struct sk_cli *cli, const char *ref, void *arg, struct sk_error *err)
{
	const struct rm_opts *o = arg;
	_cleanup_container_ struct sk_container c = { 0 };
	int r = sk_container_find(&cli->paths, ref, &c, err);

	if (r == -ENOENT && o->force) { /* as docker does: print it, and do not fail */
		fprintf(stderr, "skerry: %s\n", err->message);
		return 1;
	}
	if (r == 0)
		r = sk_remove_container(&cli->paths, &c, o->force, err);
	if (r == 0 && o->volumes)
		sk_remove_anonymous_volumes(&cli->paths, c.config);
	return r;
}

static int cmd_rm(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	int code = each(cli, argc, argv, true, rm_one, opts);

	if (cli->paths.root)
		sk_vm_sweep(&cli->paths);
	return code;
}

const struct sk_command sk_cmd_rm = {
	.name = "rm",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Remove one or more containers",
	.aliases = "skerry container rm, skerry container remove, skerry rm",
	.opts = rm_opts,
	.opts_size = sizeof(struct rm_opts),
	.min = 1,
	.max = -1,
	.run = cmd_rm,
};

/* ---- pause, unpause */

static int pause_one(struct sk_cli *cli, const char *ref, void *arg, struct sk_error *err)
{
	bool pause = *(bool *)arg, paused;
	const struct sk_msg request = { .op = pause ? SK_REQUEST_PAUSE : SK_REQUEST_RESUME };
	_cleanup_json_ json_t *attributes = NULL;
	_cleanup_container_ struct sk_container c = { 0 };
	int r = sk_container_find(&cli->paths, ref, &c, err);

	if (r < 0)
		return r;
	if (!sk_container_is_alive(&c))
		return sk_error_set(err, EINVAL, "Container %s is not running", ref);
	paused = strcmp(sk_container_status(&c), "paused") == 0;
	if (paused == pause)
		return sk_error_set(err, EINVAL, "Container %s is %s paused", ref, pause ? "already" : "not");
	r = sk_vm_call(&cli->paths, c.id, &request, NULL, err);
	if (r < 0)
		return sk_error_wrap(err, "cannot %s container %s", pause ? "pause" : "unpause", ref);
	attributes = sk_container_attributes(&c);
	sk_event_append(&cli->paths, "container", pause ? "pause" : "unpause", c.id, attributes);
	return 0;
}

static int cmd_pause(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	bool pause = true;

	(void)opts;
	return each(cli, argc, argv, true, pause_one, &pause);
}

static int cmd_unpause(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	bool pause = false;

	(void)opts;
	return each(cli, argc, argv, true, pause_one, &pause);
}

const struct sk_command sk_cmd_pause = {
	.name = "pause",
	.args = "CONTAINER [CONTAINER...]",
	.summary = "Pause all processes within one or more containers",
	.aliases = "skerry container pause, skerry pause",
	.min = 1,
	.max = -1,
	.run = cmd_pause,
};

const struct sk_command sk_cmd_unpause = {
	.name = "unpause",
	.args = "CONTAINER [CONTAINER...]",
	.summary = "Unpause all processes within one or more containers",
	.aliases = "skerry container unpause, skerry unpause",
	.min = 1,
	.max = -1,
	.run = cmd_unpause,
};

/* ---- wait */

static int wait_one(struct sk_cli *cli, const char *ref, void *arg, struct sk_error *err)
{
	const struct sk_msg request = { .op = SK_REQUEST_WAIT };
	struct sk_msg event;
	_cleanup_container_ struct sk_container c = { 0 };
	_cleanup_client_ struct sk_client client = { .fd = -1 };
	struct sk_error lost = SK_ERROR_INIT;
	int r = sk_container_find(&cli->paths, ref, &c, err), fd;

	(void)arg;
	if (r < 0)
		return r;
	fd = sk_container_is_alive(&c) ? sk_vm_connect(&cli->paths, c.id, &lost) : -ENOENT;
	sk_client_init(&client, fd < 0 ? -1 : fd);
	client.paths = &cli->paths;
	client.id = c.id;
	r = fd < 0 ? fd : sk_client_request(&client, &request, &lost);
	if (r == 0)
		r = sk_client_reply(&client, SK_REQUEST_WAIT, &lost);
	if (r == -ETIMEDOUT) {
		*err = lost;
		return r;
	}
	client.paths = NULL; /* the container may run for a long time */
	if (r == 0 && sk_client_event(&client, &event, &lost) == 0) {
		printf("%d\n", event.op == SK_EVENT_EXIT ? event.exit.code : 0);
		sk_msg_fini(&event);
	} else {
		/* It has ended: by itself before, or with its monitor just now. One that was removed meanwhile was
		 * killed. */
		if (fd >= 0)
			(void)sk_container_refresh(&cli->paths, &c, &lost);
		printf("%d\n", (int)sk_jx_get_int(c.state, "exit_code", 0));
	}
	fflush(stdout);
	return 0;
}

static int cmd_wait(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	(void)opts;
	return each(cli, argc, argv, false, wait_one, NULL);
}

const struct sk_command sk_cmd_wait = {
	.name = "wait",
	.args = "CONTAINER [CONTAINER...]",
	.summary = "Block until one or more containers stop, then print their exit codes",
	.aliases = "skerry container wait, skerry wait",
	.min = 1,
	.max = -1,
	.run = cmd_wait,
};

/* ---- rename */

static int rename_locked(struct sk_cli *cli, struct sk_container *c, const char *name, struct sk_error *err)
{
	_cleanup_free_ char *slashed = sk_xasprintf("/%s", name), *old = sk_xstrdup(sk_container_name(c));
	_cleanup_json_ json_t *vm = NULL, *attributes = NULL;
	int r = sk_container_check_name(&cli->paths, name, NULL, err);

	if (r < 0)
		return r == -EEXIST ? sk_error_wrap(err, "Error when allocating new name") : r;
	r = sk_container_load_vm(&cli->paths, c->id, &vm, err);
	if (r < 0)
		return r;
	sk_jx_set_str(c->config, "Name", slashed);
	if (json_is_object(json_object_get(vm, "attributes")))
		sk_jx_set_str(json_object_get(vm, "attributes"), "name", name);
	r = sk_container_save(&cli->paths, c->id, c->config, err);
	if (r == 0)
		r = sk_container_save_vm(&cli->paths, c->id, vm, err);
	if (r < 0)
		return r;
	attributes = sk_container_attributes(c);
	sk_jx_set_str(attributes, "oldName", old);
	sk_event_append(&cli->paths, "container", "rename", c->id, attributes);
	return 0;
}

static int cmd_rename(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	_cleanup_container_ struct sk_container c = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_fd_ int lock = -1;
	const char *name = argv[1] + (argv[1][0] == '/');
	int r;

	(void)opts;
	(void)argc;
	if (sk_cli_open(cli, &err) < 0)
		return sk_cli_fail(&err, 1);
	lock = sk_containers_lock(&cli->paths, &err);
	r = lock < 0 ? lock : sk_container_find(&cli->paths, argv[0], &c, &err);
	if (r == 0 && strcmp(name, sk_container_name(&c)) == 0)
		r = sk_error_set(&err, EINVAL, "Renaming a container with the same name as its current name");
	if (r == 0)
		r = rename_locked(cli, &c, name, &err);
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_rename = {
	.name = "rename",
	.args = "CONTAINER NEW_NAME",
	.summary = "Rename a container",
	.aliases = "skerry container rename, skerry rename",
	.min = 2,
	.max = 2,
	.run = cmd_rename,
};
