/* SPDX-License-Identifier: Apache-2.0 */
/* export: a container's root file system as a tar archive, without what is mounted in it. */
#include <stddef.h>

#include "cli/commands.h"
#include "cli/container/cp_stream.h"
#include "cli/output.h"

struct export_opts {
	const char *output;
};

static const struct sk_opt export_opts[] = {
	SK_OPT_STR_("output", 'o', offsetof(struct export_opts, output), "string",
		    "Write to a file, instead of STDOUT"),
	SK_OPT_END,
};

struct export
{
	struct sk_cli *cli;
	const char *container;
};

static int export_to(void *arg, int fd, struct sk_error *err)
{
	const struct export *e = arg;
	const struct sk_msg request = { .op = SK_REQUEST_GET, .file = { .path = "/", .unmounted = true } };
	const struct sk_cp_use use = { sk_cp_to_fd, &fd };
	struct sk_container c;
	int r = sk_cli_open(e->cli, err);

	if (r == 0)
		r = sk_container_find(&e->cli->paths, e->container, &c, err);
	if (r < 0)
		return r;
	r = sk_cp_stream(e->cli, &c, &request, &use, err);
	sk_container_fini(&c);
	return r;
}

static int cmd_export(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct export_opts *o = opts;
	struct export e = { cli, argv[0] };
	struct sk_error err = SK_ERROR_INIT;
	int r = sk_cli_output(o->output, export_to, &e, &err);

	(void)argc;
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_export = {
	.name = "export",
	.args = "[OPTIONS] CONTAINER",
	.summary = "Export a container's filesystem as a tar archive",
	.aliases = "skerry container export, skerry export",
	.opts = export_opts,
	.opts_size = sizeof(struct export_opts),
	.min = 1,
	.max = 1,
	.run = cmd_export,
};
