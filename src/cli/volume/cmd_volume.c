/* SPDX-License-Identifier: Apache-2.0 */
/* volume create, inspect, ls, prune, rm. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/container/client.h"
#include "cli/commands.h"
#include "model/jx.h"
#include "cli/print/list.h"
#include "model/select.h"
#include "model/units.h"
#include "model/volume.h"

struct volume_opts {
	const char *driver, *format;
	struct sk_strv label, filter;
	bool quiet, force, all;
};
#define AT(f) offsetof(struct volume_opts, f)

/* ---- create */

static const struct sk_opt create_opts[] = {
	SK_OPT_STR_("driver", 'd', AT(driver), "string", "Specify volume driver name (default \"local\")"),
	SK_OPT_LIST_("label", 0, AT(label), "list", "Set metadata for a volume"),
	SK_OPT_END,
};

static int cmd_create(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct volume_opts *o = opts;
	_cleanup_json_ json_t *labels = sk_jx_object();
	_cleanup_free_ char *name = argc ? sk_xstrdup(argv[0]) : sk_volume_random_name(), *path = NULL;
	struct sk_error err = SK_ERROR_INIT;
	size_t i;

	if (o->driver && *o->driver && strcmp(o->driver, "local") != 0) {
		sk_error_set(&err, EINVAL, "cannot make volume %s: driver \"%s\" is not to be had, only \"local\"",
			     name, o->driver);
		return sk_cli_fail(&err, 1);
	}
	for (i = 0; i < o->label.n; i++) {
		const char *eq = strchr(o->label.v[i], '=');
		_cleanup_free_ char *key =
			sk_xstrndup(o->label.v[i], eq ? (size_t)(eq - o->label.v[i]) : strlen(o->label.v[i]));

		sk_jx_set_str(labels, key, eq ? eq + 1 : "");
	}
	if (sk_cli_open(cli, &err) < 0 || sk_volume_ensure(&cli->paths, name, labels, &path, &err) < 0)
		return sk_cli_fail(&err, 1);
	printf("%s\n", name);
	return 0;
}

const struct sk_command sk_cmd_volume_create = {
	.name = "create",
	.args = "[OPTIONS] [VOLUME]",
	.summary = "Create a volume",
	.opts = create_opts,
	.opts_size = sizeof(struct volume_opts),
	.max = 1,
	.run = cmd_create,
};

/* ---- inspect */

static const struct sk_opt inspect_opts[] = {
	SK_OPT_STR_("format", 'f', AT(format), "string", SK_FORMAT_HELP),
	SK_OPT_END,
};

static int cmd_inspect(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct volume_opts *o = opts;
	_cleanup_json_ json_t *list = sk_jx_array();
	struct sk_error err = SK_ERROR_INIT;
	int i, rc = 0;

	if (sk_format_check(o->format, &err) < 0)
		return sk_cli_fail(&err, SK_EXIT_TEMPLATE);
	if (sk_cli_open(cli, &err) < 0)
		return sk_cli_fail(&err, 1);
	for (i = 0; i < argc; i++) {
		json_t *volume;

		if (sk_volume_load(&cli->paths, argv[i], &volume, &err) < 0) {
			rc = sk_cli_fail(&err, 1);
			err = (struct sk_error)SK_ERROR_INIT;
			continue;
		}
		sk_jx_push(list, volume);
		if (o->format && *o->format && sk_format_one(o->format, volume, stdout, &err) < 0)
			return sk_cli_fail(&err, 1);
	}
	if (!o->format || !*o->format) {
		_cleanup_free_ char *text = json_dumps(list, JSON_INDENT(4));

		printf("%s\n", text ? text : "[]");
	}
	return rc;
}

const struct sk_command sk_cmd_volume_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] VOLUME [VOLUME...]",
	.summary = "Display detailed information on one or more volumes",
	.opts = inspect_opts,
	.opts_size = sizeof(struct volume_opts),
	.min = 1,
	.max = -1,
	.run = cmd_inspect,
};

/* ---- ls */

static const struct sk_opt ls_opts[] = {
	SK_OPT_FILTER_('f', AT(filter), "Provide filter values (e.g. \"dangling=true\")"),
	SK_OPT_STR_("format", 0, AT(format), "string", SK_FORMAT_HELP),
	SK_OPT_BOOL_("quiet", 'q', AT(quiet), "Only display volume names"),
	SK_OPT_END,
};

static const struct sk_column ls_columns[] = {
	{ "Driver", "DRIVER" }, { "Name", "VOLUME NAME" },	{ "Labels", "LABELS" },
	{ "Scope", "SCOPE" },	{ "Mountpoint", "MOUNTPOINT" }, { NULL, NULL },
};

static bool shown(struct sk_cli *cli, const struct sk_strv *filter, const json_t *volume)
{
	_cleanup_free_ char *user = filter->n ? sk_volume_user(&cli->paths, sk_jx_get_str(volume, "Name", "")) : NULL;
	struct sk_select_volume selected = { volume, user != NULL };

	return sk_filter_wants(filter, sk_volume_ls_filters, &selected);
}

static int cmd_ls(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct volume_opts *o = opts;
	struct sk_list list = { .format = o->format ? o->format : (o->quiet ? "{{.Name}}" : NULL),
				.table = "{{.Driver}}\t{{.Name}}",
				.columns = ls_columns };
	_cleanup_json_ json_t *volumes = NULL, *rows = sk_jx_array();
	struct sk_error err = SK_ERROR_INIT;
	json_t *v;
	size_t i;
	int r = sk_list_check(&list, &err);

	(void)argc;
	(void)argv;
	if (r == 0)
		r = sk_filter_check(&o->filter, sk_volume_ls_filters, &err);
	if (r == 0)
		r = sk_cli_open(cli, &err);
	if (r == 0)
		r = sk_volume_list(&cli->paths, &volumes, &err);
	if (r < 0)
		return sk_cli_fail(&err, 1);
	json_array_foreach(volumes, i, v)
	{
		static const char *const fields[] = { "Driver", "Name", "Scope", "Mountpoint" };
		_cleanup_free_ char *labels = sk_list_labels(json_object_get(v, "Labels"));
		json_t *row;
		size_t k;

		if (!shown(cli, &o->filter, v))
			continue;
		row = sk_jx_object();
		for (k = 0; k < SK_ARRAY_SIZE(fields); k++)
			sk_jx_set_str(row, fields[k], sk_jx_get_str(v, fields[k], ""));
		sk_jx_set_str(row, "Labels", labels);
		sk_jx_push(rows, row);
	}
	return sk_list_print(&list, rows, stdout, &err) < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_volume_ls = {
	.name = "ls",
	.args = "[OPTIONS]",
	.summary = "List volumes",
	.aliases = "skerry volume ls, skerry volume list",
	.opts = ls_opts,
	.opts_size = sizeof(struct volume_opts),
	.max = 0,
	.run = cmd_ls,
};

/* ---- rm, prune */

static const struct sk_opt rm_opts[] = {
	SK_OPT_BOOL_("force", 'f', AT(force), "A volume that does not exist is no error"),
	SK_OPT_END,
};

static int rm_one(struct sk_cli *cli, const char *name, void *arg, struct sk_error *err)
{
	const struct volume_opts *o = arg;
	int r = sk_cli_open(cli, err);

	if (r == 0)
		r = sk_volume_remove(&cli->paths, name, err);
	if (r == -ENOENT && o->force) {
		*err = (struct sk_error)SK_ERROR_INIT;
		return 0;
	}
	return r;
}

static int cmd_rm(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	return sk_each(cli, argc, argv, true, rm_one, opts);
}

const struct sk_command sk_cmd_volume_rm = {
	.name = "rm",
	.args = "[OPTIONS] VOLUME [VOLUME...]",
	.summary = "Remove one or more volumes. A volume that is in use by a container is not removed",
	.aliases = "skerry volume rm, skerry volume remove",
	.opts = rm_opts,
	.opts_size = sizeof(struct volume_opts),
	.min = 1,
	.max = -1,
	.run = cmd_rm,
};

static const struct sk_opt prune_opts[] = {
	SK_OPT_BOOL_("all", 'a', AT(all), "Remove all unused volumes, not just anonymous ones"),
	SK_OPT_FILTER_(0, AT(filter), "Provide filter values (e.g. \"label=<label>\")"),
	SK_OPT_BOOL_("force", 'f', AT(force), "Do not prompt for confirmation"),
	SK_OPT_END,
};

static int cmd_prune(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct volume_opts *o = opts;
	struct sk_error err = SK_ERROR_INIT;
	const char *value;
	bool all = o->all;
	uint64_t bytes = 0;
	char size[32];
	size_t at = 0;

	(void)argc;
	(void)argv;
	if (sk_filter_check(&o->filter, sk_volume_prune_filters, &err) < 0)
		return sk_cli_fail(&err, 1);
	if ((value = sk_filter_next(&o->filter, "all", &at)))
		all |= sk_filter_bool(value);
	if (!o->force &&
	    !sk_cli_confirm(all ? "WARNING! This will remove all volumes not used by at least one container.\n"
				  "Are you sure you want to continue?"
				: "WARNING! This will remove anonymous volumes not used by at least one container.\n"
				  "Are you sure you want to continue?"))
		return 0;
	if (sk_cli_open(cli, &err) < 0 || sk_prune_volumes(cli, &o->filter, all, &bytes, &err) < 0)
		return sk_cli_fail(&err, 1);
	printf("Total reclaimed space: %s\n", sk_format_size((double)bytes, 4, size));
	return 0;
}

const struct sk_command sk_cmd_volume_prune = {
	.name = "prune",
	.args = "[OPTIONS]",
	.summary = "Remove unused volumes",
	.opts = prune_opts,
	.opts_size = sizeof(struct volume_opts),
	.max = 0,
	.run = cmd_prune,
};
