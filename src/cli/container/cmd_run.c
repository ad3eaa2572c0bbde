/* SPDX-License-Identifier: Apache-2.0 */
/* run, create, start, attach. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "cli/commands.h"
#include "model/volumes_from.h"
#include "model/container.h"
#include "model/create.h"
#include "model/jx.h"
#include "cli/container/launch.h"
#include "cli/image/pull.h"
#include "cli/runopts.h"
#include "model/remove.h"
#include "cli/container/term.h"
#include "vm/settings.h"
#include "vm/vm.h"

static void free_image(struct sk_image **image)
{
	if (*image)
		sk_image_free(*image);
}

static int write_cidfile(const char *path, const char *id, struct sk_error *err)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : sk_fs_write_all(fd, id, strlen(id));

	if (r == -EEXIST)
		return sk_error_set(err, EEXIST,
				    "container ID file found, make sure the other container isn't running or delete %s",
				    path);
	return r < 0 ? sk_error_errno(err, r, "cannot write the container ID file %s", path) : 0;
}

/* From options to a container on disk. */
static int make(struct sk_cli *cli, struct sk_run_opts *o, int argc, char **argv, struct sk_plan *plan,
		json_t **ret_config, struct sk_error *err)
{
	_cleanup_(free_image) struct sk_image *image = NULL;
	struct sk_error ignored = SK_ERROR_INIT;
	struct sk_settings settings;
	int r;

	if (o->cidfile && access(o->cidfile, F_OK) == 0)
		return sk_error_set(err, EEXIST,
				    "container ID file found, make sure the other container isn't running or delete %s",
				    o->cidfile);
	r = sk_settings_init(&settings, err);
	if (r < 0)
		return r;
	o->default_memory = settings.default_memory;
	o->default_cpus = settings.default_cpus;
	sk_settings_fini(&settings);
	r = sk_create_find_image(cli, o, argv[0], &image, err);
	if (r < 0)
		return r;
	sk_launch_hold_signals();
	r = sk_volumes_from(&cli->paths, &o->volumes_from, &o->inherited, err);
	if (r == 0)
		r = sk_plan_init(plan, o, image, argv[0], argv + 1, argc - 1, err);
	if (r == 0)
		sk_run_opts_warn(&o->idle);
	if (r == 0)
		r = sk_create(&cli->paths, plan, ret_config, err);
	plan->image = NULL;
	sk_strv_fini(&o->inherited);
	if (r == 0 && o->cidfile) {
		r = write_cidfile(o->cidfile, plan->id, err);
		if (r < 0)
			sk_vm_remove(&cli->paths, plan->id, &ignored);
	}
	return r;
}

static int run_created(struct sk_cli *cli, const struct sk_run_opts *o, struct sk_plan *plan, json_t *config)
{
	struct sk_run_launch launch = {
		.stdin_open = plan->stdin_attached && o->interactive,
		.stdout_open = plan->stdout_attached,
		.stderr_open = plan->stderr_attached,
		.owner = true,
		.boot = true,
		.sig_proxy = o->sig_proxy,
		.detach_keys = o->detach_keys,
	};
	struct sk_error err = SK_ERROR_INIT;
	int code = 0, r;

	if (o->detach) {
		/* As docker: the container is there, whether or not it can be started. */
		printf("%s\n", plan->id);
		fflush(stdout);
		r = sk_launch_detached(cli, plan->id, config, &code, &err);
		if (r < 0)
			sk_cli_error(&err);
	} else {
		code = sk_launch_attached(cli, plan->id, config, &launch);
	}
	/* The monitor removes its container; where there was none to do it, it is left to us. (One that lives on,
	 * detached, is not removed by this.) */
	if (o->rm && (code == 125 || !o->detach))
		sk_vm_remove(&cli->paths, plan->id, &err);
	if (o->rm && (!o->detach || code == 125) && plan->mounts.n) {
		sk_remove_anonymous_volumes(&cli->paths, config);
		/* As root the monitor has not the right to delete what others own. */
		sk_vm_sweep(&cli->paths);
	}
	return code;
}

static int cmd_run(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	struct sk_run_opts *o = opts;
	_cleanup_json_ json_t *config = NULL;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_detach keys;
	struct sk_plan plan;
	int code;

	if (o->detach && o->attach.n) {
		fprintf(stderr, "skerry: Conflicting options: -a and -d\n");
		return 1;
	}
	if (sk_detach_parse(&keys, o->detach_keys) < 0) {
		fprintf(stderr, "skerry: invalid detach keys (%s): give letters, or ctrl- and one, joined by commas\n",
			o->detach_keys);
		return 125;
	}
	if (!o->detach && o->tty && o->interactive && !isatty(STDIN_FILENO)) {
		fprintf(stderr, "skerry: the input device is not a TTY: leave -t out, or run in a terminal\n");
		return 1;
	}
	plan = (struct sk_plan){ 0 };
	if (make(cli, o, argc, argv, &plan, &config, &err) < 0)
		code = sk_cli_fail(&err, 125);
	else
		code = run_created(cli, o, &plan, config);
	sk_plan_fini(&plan);
	return code;
}

const struct sk_command sk_cmd_run = {
	.name = "run",
	.args = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Create and run a new container from an image",
	.aliases = "skerry container run, skerry run",
	.opts = sk_run_opts,
	.opts_size = sizeof(struct sk_run_opts),
	.defaults = sk_run_opts_defaults,
	.min = 1,
	.max = -1,
	.stop = true,
	.run = cmd_run,
};

static int cmd_create(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_plan plan = { 0 };
	int code = 0;

	/* docker's code: 125 is for options, which are read into the plan before anything else is tried. */
	if (make(cli, opts, argc, argv, &plan, NULL, &err) < 0)
		code = sk_cli_fail(&err, err.code == EINVAL ? 125 : 1);
	else
		printf("%s\n", plan.id);
	sk_plan_fini(&plan);
	return code;
}

const struct sk_command sk_cmd_create = {
	.name = "create",
	.args = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Create a new container",
	.aliases = "skerry container create, skerry create",
	.opts = sk_create_opts,
	.opts_size = sizeof(struct sk_run_opts),
	.defaults = sk_run_opts_defaults,
	.min = 1,
	.max = -1,
	.stop = true,
	.run = cmd_create,
};

/* ---- start */

struct start_opts {
	bool attach, interactive, sig_proxy;
	const char *detach_keys;
};

static void start_defaults(void *opts)
{
	((struct start_opts *)opts)->sig_proxy = true;
}

static const struct sk_opt start_opts[] = {
	SK_OPT_BOOL_("attach", 'a', offsetof(struct start_opts, attach), "Attach STDOUT/STDERR and forward signals"),
	SK_OPT_STR_("detach-keys", 0, offsetof(struct start_opts, detach_keys), "string",
		    "Override the key sequence for detaching a container"),
	SK_OPT_BOOL_("interactive", 'i', offsetof(struct start_opts, interactive), "Attach container's STDIN"),
	{ "sig-proxy", 0, SK_OPT_BOOL, offsetof(struct start_opts, sig_proxy), NULL, NULL, NULL, NULL, true },
	SK_OPT_END,
};

static int start_one(struct sk_cli *cli, const char *ref, void *arg, struct sk_error *err)
{
	_cleanup_container_ struct sk_container c = { 0 };
	int r = sk_container_find(&cli->paths, ref, &c, err), code;

	(void)arg;
	if (r < 0)
		return r;
	if (strcmp(sk_container_status(&c), "paused") == 0)
		return sk_error_set(err, EBUSY, "cannot start a paused container, try unpause instead");
	if (sk_container_is_alive(&c) && strcmp(sk_container_status(&c), "restarting") != 0 &&
	    strcmp(sk_container_status(&c), "created") != 0)
		return 0;
	return sk_launch_detached(cli, c.id, c.config, &code, err);
}

static int start_attached(struct sk_cli *cli, const struct start_opts *o, const char *ref)
{
	_cleanup_container_ struct sk_container c = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_run_launch launch = {
		.stdout_open = true,
		.stderr_open = true,
		.sig_proxy = o->sig_proxy,
		.detach_keys = o->detach_keys,
		.failed = 1,
	};

	if (sk_container_find(&cli->paths, ref, &c, &err) < 0)
		return sk_cli_fail(&err, 1);
	launch.stdin_open = o->interactive && sk_jx_get_bool(c.config, "Config.OpenStdin", false);
	launch.boot = !sk_container_is_alive(&c);
	if (launch.stdin_open && sk_jx_get_bool(c.config, "Config.Tty", false) && !isatty(STDIN_FILENO)) {
		fprintf(stderr, "skerry: the input device is not a TTY\n");
		return 1;
	}
	sk_launch_hold_signals();
	return sk_launch_attached(cli, c.id, c.config, &launch);
}

static int cmd_start(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct start_opts *o = opts;
	struct sk_error err = SK_ERROR_INIT;

	if (sk_cli_open(cli, &err) < 0)
		return sk_cli_fail(&err, 1);
	if (!o->attach && !o->interactive)
		return sk_each(cli, argc, argv, true, start_one, NULL); /* each failure names its container */
	if (argc > 1) {
		fprintf(stderr, "skerry: you cannot start and attach multiple containers at once\n");
		return 1;
	}
	return start_attached(cli, o, argv[0]);
}

const struct sk_command sk_cmd_start = {
	.name = "start",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Start one or more stopped containers",
	.aliases = "skerry container start, skerry start",
	.opts = start_opts,
	.opts_size = sizeof(struct start_opts),
	.defaults = start_defaults,
	.min = 1,
	.max = -1,
	.run = cmd_start,
};

/* ---- attach */

struct attach_opts {
	bool no_stdin, sig_proxy;
	const char *detach_keys;
};

static void attach_defaults(void *opts)
{
	((struct attach_opts *)opts)->sig_proxy = true;
}

static const struct sk_opt attach_opts[] = {
	SK_OPT_STR_("detach-keys", 0, offsetof(struct attach_opts, detach_keys), "string",
		    "Override the key sequence for detaching a container"),
	SK_OPT_BOOL_("no-stdin", 0, offsetof(struct attach_opts, no_stdin), "Do not attach STDIN"),
	SK_OPT_BOOL_("sig-proxy", 0, offsetof(struct attach_opts, sig_proxy),
		     "Proxy all received signals to the process (default true)"),
	SK_OPT_END,
};

static int cmd_attach(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct attach_opts *o = opts;
	_cleanup_container_ struct sk_container c = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_run_launch launch = {
		.stdout_open = true, .stderr_open = true, .sig_proxy = o->sig_proxy, .detach_keys = o->detach_keys
	};
	const char *status;

	(void)argc;
	if (sk_cli_open(cli, &err) < 0 || sk_container_find(&cli->paths, argv[0], &c, &err) < 0)
		return sk_cli_fail(&err, 1);
	status = sk_container_status(&c);
	if (strcmp(status, "running") != 0) {
		sk_error_set(&err, EINVAL,
			     strcmp(status, "paused") == 0 ? "You cannot attach to a paused container, unpause it first"
			     : strcmp(status, "restarting") == 0
				     ? "You cannot attach to a restarting container, wait until it is running"
				     : "You cannot attach to a stopped container, start it first");
		return sk_cli_fail(&err, 1);
	}
	launch.stdin_open = !o->no_stdin && sk_jx_get_bool(c.config, "Config.OpenStdin", false);
	if (launch.stdin_open && sk_jx_get_bool(c.config, "Config.Tty", false) && !isatty(STDIN_FILENO)) {
		fprintf(stderr, "skerry: the input device is not a TTY\n");
		return 1;
	}
	return sk_launch_attached(cli, c.id, c.config, &launch);
}

const struct sk_command sk_cmd_attach = {
	.name = "attach",
	.args = "[OPTIONS] CONTAINER",
	.summary = "Attach local standard input, output, and error streams to a running container",
	.aliases = "skerry container attach, skerry attach",
	.opts = attach_opts,
	.opts_size = sizeof(struct attach_opts),
	.defaults = attach_defaults,
	.min = 1,
	.max = 1,
	.run = cmd_attach,
};
