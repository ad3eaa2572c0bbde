/* SPDX-License-Identifier: Apache-2.0 */
/* skerry machine ls, inspect, and what leads into one: ssh, cp, logs. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/machine/machine.h"
#include "cli/print/list.h"
#include "model/jx.h"
#include "model/machine.h"
#include "model/units.h"

/* ---- ls */

struct machine_ls_opts {
	bool quiet, noheading;
	const char *format;
};

#define AT(f) offsetof(struct machine_ls_opts, f)
static const struct sk_opt ls_opts[] = {
	SK_OPT_STR_("format", 0, AT(format), "string", SK_FORMAT_HELP),
	SK_OPT_BOOL_("noheading", 'n', AT(noheading), "Do not print headers"),
	SK_OPT_BOOL_("quiet", 'q', AT(quiet), "Show names only"),
	SK_OPT_END,
};
#undef AT

static const struct sk_column columns[] = {
	{ "Name", "NAME" },   { "VMType", "VM TYPE" }, { "Created", "CREATED" },    { "LastUp", "LAST UP" },
	{ "CPUs", "CPUS" },   { "Memory", "MEMORY" },  { "DiskSize", "DISK SIZE" }, { "Running", "RUNNING" },
	{ "State", "STATE" }, { NULL, NULL },
};
#define LS_TABLE "{{.Name}}\t{{.VMType}}\t{{.Created}}\t{{.LastUp}}\t{{.CPUs}}\t{{.Memory}}\t{{.DiskSize}}"

static char *ago(const char *time, const char *never)
{
	char buf[40];
	int64_t t;

	if (sk_parse_rfc3339(time, &t) < 0)
		return sk_xstrdup(never);
	return sk_xasprintf("%s ago", sk_format_duration(sk_now_ns() - t, buf));
}

static json_t *row(struct sk_cli *cli, const struct sk_container *c, const char *name_of_default, bool table)
{
	const char *name = sk_jx_get_str(c->config, "Machine.Name", "");
	_cleanup_free_ char *created = ago(sk_jx_get_str(c->config, "Created", ""), ""),
			    *up = ago(sk_jx_get_str(c->config, "Machine.LastUp", ""), "Never"),
			    *socket = sk_machine_socket(&cli->paths, name), *cpus = NULL, *shown = NULL;
	const char *state = sk_machine_state(c);
	bool running = strcmp(state, "running") == 0, is_default = strcmp(name, name_of_default) == 0;
	char buf[32];
	json_t *o = sk_jx_object();

	cpus = sk_xasprintf("%lld", (long long)sk_jx_get_int(c->config, "Machine.CPUs", 0));
	shown = sk_xasprintf("%s%s", name, table && is_default ? "*" : "");
	sk_jx_set_str(o, "Name", shown);
	sk_jx_set_str(o, "Default", is_default ? "true" : "false");
	sk_jx_set_str(o, "VMType",
		      running ? sk_jx_get_str(c->state, "engine", "auto")
			      : sk_jx_get_str(c->config, "Machine.Engine", "auto"));
	sk_jx_set_str(o, "Created", created);
	sk_jx_set_str(o, "LastUp", running ? "Currently running" : strcmp(state, "stopped") == 0 ? up : "Suspended");
	sk_jx_set_str(o, "Running", running ? "true" : "false");
	sk_jx_set_str(o, "State", state);
	sk_jx_set_str(o, "CPUs", cpus);
	sk_jx_set_str(o, "Memory", sk_format_memory((double)sk_jx_get_int(c->config, "Machine.Memory", 0), buf));
	sk_jx_set_str(o, "DiskSize", sk_format_memory((double)sk_jx_get_int(c->config, "Machine.DiskSize", 0), buf));
	sk_jx_set_str(o, "Image", sk_jx_get_str(c->config, "Machine.Image", ""));
	sk_jx_set_str(o, "Socket", socket);
	return o;
}

static int cmd_ls(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct machine_ls_opts *o = opts;
	bool table = !o->format || strncmp(o->format, "table", 5) == 0;
	struct sk_list list = { .format = o->format, .table = LS_TABLE, .columns = columns };
	_cleanup_json_ json_t *rows = sk_jx_array();
	_cleanup_free_ char *name = NULL;
	struct sk_containers all = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	size_t i;
	int r;

	(void)argc;
	(void)argv;
	if (o->quiet)
		list.format = "{{.Name}}";
	else if (o->noheading && !o->format)
		list.format = LS_TABLE;
	r = sk_list_check(&list, &err);
	if (r == 0)
		r = sk_cli_open(cli, &err);
	if (r == 0)
		r = sk_machines_load(&cli->paths, &all, &err);
	if (r < 0)
		return sk_cli_fail(&err, 125);
	name = sk_machine_default(&cli->paths);
	for (i = 0; i < all.n; i++)
		sk_jx_push(rows, row(cli, &all.v[i], name, table && !o->quiet));
	sk_containers_fini(&all);
	r = sk_list_print(&list, rows, stdout, &err);
	return r < 0 ? sk_cli_fail(&err, 125) : 0;
}

const struct sk_command sk_cmd_machine_ls = {
	.name = "ls",
	.args = "[OPTIONS]",
	.summary = "List machines",
	.aliases = "skerry machine ls, skerry machine list",
	.opts = ls_opts,
	.opts_size = sizeof(struct machine_ls_opts),
	.max = 0,
	.run = cmd_ls,
};

/* ---- inspect */

struct machine_inspect_opts {
	const char *format;
};

static const struct sk_opt inspect_opts[] = {
	SK_OPT_STR_("format", 'f', offsetof(struct machine_inspect_opts, format), "string",
		    "Format output using a template in Go's language"),
	SK_OPT_END,
};

/* What of the host it sees: not its own tmpfs. */
static json_t *shared_paths(const json_t *mounts)
{
	json_t *list = sk_jx_array(), *m;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)mounts, i, m) if (strcmp(sk_jx_get_str(m, "Type", ""), "bind") == 0)
		sk_jx_push(list, json_incref(m));
	return list;
}

static json_t *describe(struct sk_cli *cli, const struct sk_container *c)
{
	json_t *o = sk_jx(json_deep_copy(sk_machine_of(c)));
	const char *name = sk_jx_get_str(o, "Name", "");
	_cleanup_free_ char *socket = sk_machine_socket(&cli->paths, name), *data = sk_machine_data(&cli->paths, name),
			    *context = sk_machine_context(name);

	sk_jx_set_str(o, "ID", c->id);
	sk_jx_set_str(o, "Created", sk_jx_get_str(c->config, "Created", ""));
	sk_jx_set_str(o, "State", sk_machine_state(c));
	sk_jx_set_str(o, "Socket", socket);
	sk_jx_set_str(o, "DockerContext", context);
	sk_jx_set_str(o, "DataDisk", data);
	sk_jx_set(o, "SharedPaths", shared_paths(sk_jx_at(c->config, "Mounts")));
	return o;
}

static int cmd_inspect(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct machine_inspect_opts *o = opts;
	_cleanup_json_ json_t *list = sk_jx_array();
	_cleanup_free_ char *only = NULL;
	struct sk_error err = SK_ERROR_INIT;
	int i, r = sk_cli_open(cli, &err), code = 0;
	char *text;

	if (r == 0 && sk_format_check(o->format, &err) < 0)
		return sk_cli_fail(&err, SK_EXIT_TEMPLATE);
	if (r < 0)
		return sk_cli_fail(&err, 125);
	only = sk_machine_default(&cli->paths);
	for (i = 0; i < (argc ? argc : 1); i++) {
		_cleanup_container_ struct sk_container c = { 0 };
		_cleanup_json_ json_t *one = NULL;

		err = (struct sk_error)SK_ERROR_INIT;
		r = sk_machine_find(&cli->paths, argc ? argv[i] : only, &c, &err);
		if (r == 0)
			one = describe(cli, &c);
		if (r == 0 && o->format)
			r = sk_format_one(o->format, one, stdout, &err);
		if (r < 0)
			code = sk_cli_fail(&err, 125);
		else
			sk_jx_push(list, json_incref(one));
	}
	if (!o->format) {
		text = json_dumps(list, JSON_INDENT(4));
		printf("%s\n", text ? text : "[]");
		free(text);
	}
	return code;
}

const struct sk_command sk_cmd_machine_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] [NAME...]",
	.summary = "Show what is known of machines, as JSON",
	.opts = inspect_opts,
	.opts_size = sizeof(struct machine_inspect_opts),
	.max = -1,
	.run = cmd_inspect,
};

/* ---- ssh, cp, logs: the container commands, for the machine's own container */

struct machine_ssh_opts {
	const char *username;
};

static const struct sk_opt ssh_opts[] = {
	SK_OPT_STR_("username", 'u', offsetof(struct machine_ssh_opts, username), "string",
		    "User in the machine (default root)"),
	SK_OPT_END,
};

static int running(struct sk_cli *cli, const char *name, struct sk_container *ret, struct sk_error *err)
{
	int r = sk_machine_find(&cli->paths, name, ret, err);

	if (r == 0)
		r = sk_machine_wake(cli, ret, err);
	if (r == 0 && !sk_container_is_alive(ret))
		r = sk_error_set(err, EINVAL, "machine \"%s\" is not running (start it with: skerry machine start %s)",
				 name, name);
	return r;
}

/* ssh gives its words to a shell, joined by spaces. */
static char *join(int argc, char **argv)
{
	struct sk_text t = { 0 };
	int i;

	for (i = 0; i < argc; i++) {
		sk_text_puts(&t, i ? " " : "");
		sk_text_puts(&t, argv[i]);
	}
	return sk_text_take(&t);
}

/* The first argument is a machine's name, or else the beginning of a command in the default one, as with podman. */
static int cmd_ssh(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct machine_ssh_opts *o = opts;
	_cleanup_container_ struct sk_container c = { 0 };
	_cleanup_free_ char *name = NULL;
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	const char *words[] = {
		"exec", terminal ? "-it" : "-i", "--user", o->username ? o->username : "0", NULL, NULL
	};
	char *shell[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-l", NULL };
	char *command[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c", NULL, NULL };
	_cleanup_free_ char *line = NULL;
	struct sk_error err = SK_ERROR_INIT, ignored = SK_ERROR_INIT;
	int named = 0, r = sk_cli_open(cli, &err);

	if (r == 0) {
		named = argc && sk_machine_find(&cli->paths, argv[0], &c, &ignored) == 0;
		sk_container_fini(&c);
		name = sk_machine_arg(cli, named, argv);
		r = running(cli, name, &c, &err);
	}
	if (r < 0)
		return sk_cli_fail(&err, 125);
	words[4] = c.id;
	if (argc == named)
		return sk_machine_delegate(cli, words, 2, shell);
	line = join(argc - named, argv + named);
	command[2] = line;
	return sk_machine_delegate(cli, words, 3, command);
}

const struct sk_command sk_cmd_machine_ssh = {
	.name = "ssh",
	.args = "[OPTIONS] [NAME] [COMMAND [ARG...]]",
	.summary = "Run a command, or a shell, in a machine",
	.details = "No network and no keys are involved: it works as exec does.",
	.opts = ssh_opts,
	.opts_size = sizeof(struct machine_ssh_opts),
	.max = -1,
	.stop = true,
	.run = cmd_ssh,
};

struct machine_cp_opts {
	bool quiet;
};

static const struct sk_opt cp_opts[] = {
	SK_OPT_BOOL_("quiet", 'q', offsetof(struct machine_cp_opts, quiet), "Print errors only"),
	SK_OPT_END,
};

/* "NAME:/path" → "ID:/path" where NAME is a machine. */
static char *with_id(struct sk_cli *cli, const char *arg)
{
	_cleanup_container_ struct sk_container c = { 0 };
	const char *colon = strchr(arg, ':');
	_cleanup_free_ char *name = colon && colon > arg ? sk_xstrndup(arg, (size_t)(colon - arg)) : NULL;
	struct sk_error ignored = SK_ERROR_INIT;

	if (!name || sk_machine_find(&cli->paths, name, &c, &ignored) < 0)
		return sk_xstrdup(arg);
	return sk_xasprintf("%s%s", c.id, colon);
}

static int cmd_cp(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct machine_cp_opts *o = opts;
	const char *words[] = { "cp", o->quiet ? "--quiet" : "--archive=false", NULL };
	struct sk_error err = SK_ERROR_INIT;
	char *sides[2];
	int code;

	(void)argc;
	if (sk_cli_open(cli, &err) < 0)
		return sk_cli_fail(&err, 125);
	sides[0] = with_id(cli, argv[0]);
	sides[1] = with_id(cli, argv[1]);
	code = sk_machine_delegate(cli, words, 2, sides);
	free(sides[0]);
	free(sides[1]);
	return code;
}

const struct sk_command sk_cmd_machine_cp = {
	.name = "cp",
	.args = "[OPTIONS] NAME:SRC_PATH DEST_PATH | SRC_PATH NAME:DEST_PATH",
	.summary = "Copy files and directories between a machine and the host",
	.opts = cp_opts,
	.opts_size = sizeof(struct machine_cp_opts),
	.min = 2,
	.max = 2,
	.run = cmd_cp,
};

struct machine_logs_opts {
	bool follow, timestamps;
	const char *tail;
};

#define AT(f) offsetof(struct machine_logs_opts, f)
static const struct sk_opt logs_opts[] = {
	SK_OPT_BOOL_("follow", 'f', AT(follow), "Follow log output"),
	SK_OPT_STR_("tail", 'n', AT(tail), "string", "Number of lines to show from the end (default \"all\")"),
	SK_OPT_BOOL_("timestamps", 't', AT(timestamps), "Show timestamps"),
	SK_OPT_END,
};
#undef AT

static int cmd_logs(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct machine_logs_opts *o = opts;
	const char *words[] = { "logs",
				o->follow ? "--follow" : "--follow=false",
				o->timestamps ? "--timestamps" : "--timestamps=false",
				"--tail",
				o->tail ? o->tail : "all",
				NULL };
	_cleanup_container_ struct sk_container c = { 0 };
	_cleanup_free_ char *name = NULL;
	struct sk_error err = SK_ERROR_INIT;
	char *id;
	int r = sk_cli_open(cli, &err);

	if (r == 0) {
		name = sk_machine_arg(cli, argc, argv);
		r = sk_machine_find(&cli->paths, name, &c, &err);
	}
	if (r < 0)
		return sk_cli_fail(&err, 125);
	id = c.id;
	return sk_machine_delegate(cli, words, 1, &id);
}

const struct sk_command sk_cmd_machine_logs = {
	.name = "logs",
	.args = "[OPTIONS] [NAME]",
	.summary = "Show what a machine's engine has written",
	.opts = logs_opts,
	.opts_size = sizeof(struct machine_logs_opts),
	.max = 1,
	.run = cmd_logs,
};
