/* SPDX-License-Identifier: Apache-2.0 */
/* skerry exec: builds the process and attaches to it. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "model/caps.h"
#include "cli/commands.h"
#include "model/container.h"
#include "model/env.h"
#include "model/jx.h"
#include "cli/container/launch.h"
#include "cli/runopts.h"
#include "cli/container/term.h"
#include "vm/vm.h"

struct exec_opts {
	bool detach, interactive, tty, privileged;
	const char *detach_keys, *user, *workdir;
	struct sk_strv env, env_file;
};

#define AT(f) offsetof(struct exec_opts, f)
static const struct sk_opt exec_opts[] = {
	SK_OPT_BOOL_("detach", 'd', AT(detach), "Detached mode: run command in the background"),
	SK_OPT_STR_("detach-keys", 0, AT(detach_keys), "string", "Override the key sequence for detaching a container"),
	{ "env", 'e', SK_OPT_LIST, AT(env), "list", "Set environment variables", sk_check_env, NULL, false },
	SK_OPT_LIST_("env-file", 0, AT(env_file), "list", "Read in a file of environment variables"),
	SK_OPT_BOOL_("interactive", 'i', AT(interactive), "Keep STDIN open even if not attached"),
	SK_OPT_BOOL_("privileged", 0, AT(privileged), "Give extended privileges to the command"),
	SK_OPT_BOOL_("tty", 't', AT(tty), "Allocate a pseudo-TTY"),
	SK_OPT_STR_("user", 'u', AT(user), "string", "Username or UID (format: \"<name|uid>[:<group|gid>]\")"),
	SK_OPT_STR_("workdir", 'w', AT(workdir), "string", "Working directory inside the container"),
	SK_OPT_END,
};

/* The container's own environment with ours on top. */
static int make_env(const struct exec_opts *o, const json_t *config, struct sk_strv *env, struct sk_error *err)
{
	struct sk_strv given = { 0 };
	json_t *v;
	size_t i;
	int r = 0;

	sk_env_base(env, sk_jx_get_str(config, "Config.Hostname", ""), o->tty);
	json_array_foreach(sk_jx_at(config, "Config.Env"), i, v) if (json_is_string(v))
		sk_env_set(env, json_string_value(v));
	for (i = 0; r == 0 && i < o->env_file.n; i++)
		r = sk_env_read_file(&given, o->env_file.v[i], false, err);
	for (i = 0; i < o->env.n; i++)
		sk_env_add_option(&given, o->env.v[i]);
	sk_env_merge(env, &given);
	sk_strv_fini(&given);
	return r;
}

static int make_process(const struct exec_opts *o, const json_t *config, int argc, char **argv, json_t **ret,
			struct sk_error *err)
{
	_cleanup_strv_ struct sk_strv env = { 0 }, caps = { 0 }, args = { 0 };
	const struct sk_strv none = { 0 };
	json_t *p, *c;
	int i, r = make_env(o, config, &env, err);

	if (r == 0 && o->privileged)
		r = sk_caps_resolve(&none, &none, true, &caps, err);
	if (r < 0)
		return r;
	p = sk_jx_object();
	for (i = 0; i < argc; i++)
		sk_strv_add(&args, argv[i]);
	sk_strv_make_utf8(&args);
	sk_strv_make_utf8(&env);
	sk_jx_set(p, "args", sk_jx_strv(&args));
	sk_jx_set(p, "env", sk_jx_strv(&env));
	sk_jx_set_bool(p, "terminal", o->tty);
	if (o->workdir)
		sk_jx_set_str(p, "cwd", o->workdir);
	if (o->privileged) {
		c = sk_jx_object();
		sk_jx_set(c, "bounding", sk_jx_strv(&caps));
		sk_jx_set(c, "effective", sk_jx_strv(&caps));
		sk_jx_set(c, "permitted", sk_jx_strv(&caps));
		sk_jx_set(p, "capabilities", c);
	}
	*ret = p;
	return 0;
}

static int check_running(const struct sk_container *c, struct sk_error *err)
{
	const char *status = sk_container_status(c);

	if (strcmp(status, "paused") == 0)
		return sk_error_set(err, EBUSY, "Container %s is paused, unpause the container before exec",
				    sk_container_name(c));
	if (strcmp(status, "running") != 0)
		return sk_error_set(err, EINVAL, "Container %s is not running", c->id);
	return 0;
}

static int exec_in(struct sk_cli *cli, const struct exec_opts *o, const struct sk_container *c, json_t *process)
{
	struct sk_msg request = { .op = SK_REQUEST_EXEC };
	struct sk_attach_result result;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_attach attach = { .in_fd = o->interactive ? STDIN_FILENO : -1,
				    .out_fd = STDOUT_FILENO,
				    .err_fd = STDERR_FILENO,
				    .tty = o->tty,
				    .sig_proxy = false,
				    .detach_keys = o->detach_keys };
	_cleanup_fd_ int fd = sk_vm_connect(&cli->paths, c->id, &err);
	unsigned rows = 0, cols = 0;
	int r, code = 0;

	if (fd < 0)
		return sk_cli_fail(&err, 1);
	if (o->tty)
		sk_term_size(STDIN_FILENO, &rows, &cols);
	request.run.process = process;
	request.run.user = o->user;
	request.run.input = o->interactive && !o->detach;
	request.run.detach = o->detach;
	request.run.rows = (uint16_t)rows;
	request.run.cols = (uint16_t)cols;
	r = sk_vm_request(&cli->paths, c->id, fd, &request, NULL, &code, &err);
	if (r < 0) {
		sk_error_wrap(&err, "cannot run the command in container %s", sk_container_name(c));
		/* Refused by the guest: docker's code for what could not be started. */
		return sk_cli_fail(&err, code ? code : r == -EINVAL ? 126 : 1);
	}
	if (o->detach)
		return 0;
	r = sk_attach_run(fd, &attach, &result, &err);
	return sk_launch_end(&result, r, &err, sk_container_name(c));
}

static int cmd_exec(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct exec_opts *o = opts;
	_cleanup_container_ struct sk_container c = { 0 };
	_cleanup_json_ json_t *process = NULL;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_detach keys;

	if (sk_detach_parse(&keys, o->detach_keys) < 0) {
		fprintf(stderr, "skerry: invalid detach keys (%s): give letters, or ctrl- and one, joined by commas\n",
			o->detach_keys);
		return 1;
	}
	if (!o->detach && o->tty && o->interactive && !isatty(STDIN_FILENO)) {
		fprintf(stderr, "skerry: the input device is not a TTY: leave -t out, or run in a terminal\n");
		return 1;
	}
	if (o->workdir && *o->workdir != '/') {
		fprintf(stderr, "skerry: Cwd must be an absolute path: %s\n", o->workdir);
		return 126;
	}
	if (sk_cli_open(cli, &err) < 0 || sk_container_find(&cli->paths, argv[0], &c, &err) < 0 ||
	    check_running(&c, &err) < 0 || make_process(o, c.config, argc - 1, argv + 1, &process, &err) < 0)
		return sk_cli_fail(&err, 1);
	return exec_in(cli, o, &c, process);
}

const struct sk_command sk_cmd_exec = {
	.name = "exec",
	.args = "[OPTIONS] CONTAINER COMMAND [ARG...]",
	.summary = "Execute a command in a running container",
	.aliases = "skerry container exec, skerry exec",
	.opts = exec_opts,
	.opts_size = sizeof(struct exec_opts),
	.min = 2,
	.max = -1,
	.stop = true,
	.run = cmd_exec,
};
