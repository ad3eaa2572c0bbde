/* SPDX-License-Identifier: Apache-2.0 */
/* skerry ps: selects containers and prints docker's table. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "model/container.h"
#include "model/jx.h"
#include "cli/print/list.h"
#include "model/ports.h"
#include "model/remove.h"
#include "model/select.h"
#include "model/units.h"

struct ps_opts {
	bool all, quiet, latest, no_trunc, size;
	int64_t last;
	struct sk_strv filter;
	const char *format;
};

static void ps_defaults(void *opts)
{
	((struct ps_opts *)opts)->last = -1;
}

#define AT(f) offsetof(struct ps_opts, f)
static const struct sk_opt ps_opts[] = {
	SK_OPT_BOOL_("all", 'a', AT(all), "Show all containers (default shows just running)"),
	SK_OPT_FILTER_('f', AT(filter), "Filter output based on conditions provided"),
	SK_OPT_STR_("format", 0, AT(format), "string", SK_FORMAT_HELP),
	SK_OPT_INT_("last", 'n', AT(last), "Show n last created containers (includes all states) (default -1)"),
	SK_OPT_BOOL_("latest", 'l', AT(latest), "Show the latest created container (includes all states)"),
	SK_OPT_BOOL_("no-trunc", 0, AT(no_trunc), "Don't truncate output"),
	SK_OPT_BOOL_("quiet", 'q', AT(quiet), "Only display container IDs"),
	SK_OPT_BOOL_("size", 's', AT(size), "Display total file sizes"),
	SK_OPT_END,
};

static const struct sk_column columns[] = {
	{ "ID", "CONTAINER ID" },
	{ "Names", "NAMES" },
	{ "Image", "IMAGE" },
	{ "Command", "COMMAND" },
	{ "CreatedAt", "CREATED AT" },
	{ "RunningFor", "CREATED" },
	{ "Ports", "PORTS" },
	{ "State", "STATE" },
	{ "Status", "STATUS" },
	{ "Size", "SIZE" },
	{ "Labels", "LABELS" },
	{ "Mounts", "MOUNTS" },
	{ "LocalVolumes", "LOCAL VOLUMES" },
	{ "Networks", "NETWORKS" },
	{ "Engine", "ENGINE" },
	{ NULL, NULL },
};

/* "\"sh -c 'sleep 1'\"", cut to 20 characters. */
static char *command_text(const json_t *config, bool no_trunc)
{
	_cleanup_text_ struct sk_text t = { 0 };
	struct sk_text quoted = { 0 };
	size_t i, width = 0;
	json_t *arg;
	const char *s;

	sk_text_puts(&t, sk_jx_get_str(config, "Path", ""));
	json_array_foreach(json_object_get(config, "Args"), i, arg) sk_text_printf(&t, " %s", json_string_value(arg));
	sk_text_puts(&quoted, "\"");
	for (s = t.s; *s; s++) {
		bool starts = ((unsigned char)*s & 0xc0) != 0x80;

		width += starts;
		if (!no_trunc && width >= 20 && starts && s[1]) {
			sk_text_puts(&quoted, "…");
			break;
		}
		if (*s == '"' || *s == '\\')
			sk_text_printf(&quoted, "\\%c", *s);
		else if (*s == '\n')
			sk_text_puts(&quoted, "\\n");
		else if (*s == '\t')
			sk_text_puts(&quoted, "\\t");
		else if ((unsigned char)*s < 32 || *s == 127)
			sk_text_printf(&quoted, "\\x%02x", (unsigned char)*s);
		else
			sk_text_add(&quoted, s, 1);
	}
	sk_text_puts(&quoted, "\"");
	return sk_text_take(&quoted);
}

static char *mount_text(const json_t *mounts)
{
	struct sk_text t = { 0 };
	json_t *m;
	size_t i;

	json_array_foreach(mounts, i, m)
	{
		const char *name = sk_jx_get_str(m, "Name", sk_jx_get_str(m, "Source", ""));

		if (*name)
			sk_text_printf(&t, "%s%s", t.len ? "," : "", name);
	}
	return sk_text_take(&t);
}

static char *size_text(struct sk_cli *cli, const struct sk_container *c)
{
	_cleanup_json_ json_t *vm = NULL;
	struct sk_error ignored = SK_ERROR_INIT;
	double own = (double)sk_container_disk_usage(&cli->paths, c->id), virtual = own;
	char a[32], b[32];
	json_t *layer;
	size_t i;

	if (sk_container_load_vm(&cli->paths, c->id, &vm, &ignored) == 0)
		json_array_foreach(sk_jx_at(vm, "rootfs.layers"), i, layer) virtual +=
			(double)sk_jx_get_int(layer, "size", 0);
	return sk_xasprintf("%s (virtual %s)", sk_format_size(own, 3, a), sk_format_size(virtual, 3, b));
}

static json_t *make_row(struct sk_cli *cli, const struct ps_opts *o, const struct sk_container *c, int64_t now)
{
	json_t *row = sk_jx_object(), *labels = sk_jx_at(c->config, "Config.Labels");
	_cleanup_free_ char *command = command_text(c->config, o->no_trunc), *label = sk_list_labels(labels),
			    *mounts = mount_text(json_object_get(c->config, "Mounts")), *ports = NULL, *size = NULL;
	char status[96], created[64], age[40], id[SK_ID_LEN + 1];
	int64_t t = now;

	(void)sk_parse_rfc3339(sk_jx_get_str(c->config, "Created", ""), &t);
	ports = sk_container_is_alive(c) ? sk_ports_display(sk_jx_at(c->config, "NetworkSettings.Ports"))
					 : sk_xstrdup("");
	size = o->size || o->format ? size_text(cli, c) : sk_xstrdup("");
	sk_container_status_text(c, now, status);
	snprintf(id, sizeof(id), "%.*s", o->no_trunc ? SK_ID_LEN : 12, c->id);
	snprintf(age, sizeof(age), "%.30s ago", sk_format_duration(now - t, created));
	sk_jx_set_str(row, "ID", id);
	sk_jx_set_str(row, "Names", sk_container_name(c));
	sk_jx_set_str(row, "Image", sk_jx_get_str(c->config, "Config.Image", ""));
	sk_jx_set_str(row, "Command", command);
	sk_jx_set_str(row, "CreatedAt", sk_format_created(t, created));
	sk_jx_set_str(row, "RunningFor", age);
	sk_jx_set_str(row, "Ports", ports);
	sk_jx_set_str(row, "State", sk_container_status(c));
	sk_jx_set_str(row, "Status", status);
	sk_jx_set_str(row, "Size", size);
	sk_jx_set_str(row, "Labels", label);
	sk_jx_set_str(row, "Mounts", mounts);
	sk_jx_set_str(row, "LocalVolumes", "0");
	sk_jx_set_str(row, "Networks", sk_jx_get_str(c->config, "HostConfig.NetworkMode", ""));
	sk_jx_set_str(row, "Engine", sk_jx_get_str(c->state, "engine", ""));
	if (json_is_object(labels))
		sk_jx_set(row, SK_ROW_LABELS, json_incref(labels));
	return row;
}

/* before= and since= name containers: which have to be. */
static int check_names(struct sk_cli *cli, const struct sk_strv *f, const char *key, struct sk_error *err)
{
	const char *name;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (name = sk_filter_next(f, key, &at))) {
		_cleanup_container_ struct sk_container c = { 0 };

		r = sk_container_find(&cli->paths, name, &c, err);
	}
	return r;
}

static int load_images(struct sk_cli *cli, json_t **ret, struct sk_error *err)
{
	struct sk_store *store;
	int r = sk_cli_store(cli, &store, err);

	return r < 0 ? r : sk_store_list(store, ret, err);
}

static int print(struct sk_cli *cli, const struct ps_opts *o, const struct sk_containers *all, struct sk_error *err)
{
	struct sk_list list = { .format = o->format,
				.table = o->size ? "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{"
						   ".Ports}}\t{{.Names}}\t{{.Size}}"
						 : "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{"
						   ".Ports}}\t{{.Names}}",
				.columns = columns };
	_cleanup_json_ json_t *rows = sk_jx_array();
	bool show_all = o->all || o->last >= 0 || o->latest || sk_filter_has(&o->filter, "status");
	int64_t left = o->latest ? 1 : (o->last >= 0 ? o->last : INT64_MAX), now = sk_now_ns();
	_cleanup_json_ json_t *images = NULL;
	size_t i;

	if (sk_filter_has(&o->filter, "ancestor") && load_images(cli, &images, err) < 0)
		return -EIO;
	if (check_names(cli, &o->filter, "before", err) < 0 || check_names(cli, &o->filter, "since", err) < 0)
		return -ENOENT;
	for (i = 0; i < all->n && left > 0; i++) {
		const struct sk_container *c = &all->v[i];
		struct sk_select_container selected = { c, all, images };

		if ((!show_all && (!sk_container_is_alive(c) || strcmp(sk_container_status(c), "created") == 0)) ||
		    !sk_filter_wants(&o->filter, sk_ps_filters, &selected))
			continue;
		left--;
		if (o->quiet && !o->format)
			printf("%.*s\n", o->no_trunc ? SK_ID_LEN : 12, c->id);
		else
			sk_jx_push(rows, make_row(cli, o, c, now));
	}
	return o->quiet && !o->format ? 0 : sk_list_print(&list, rows, stdout, err);
}

static int cmd_ps(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct ps_opts *o = opts;
	struct sk_list list = { .format = o->format, .table = "", .columns = columns };
	struct sk_containers all = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	int r;

	(void)argc;
	(void)argv;
	r = sk_list_check(&list, &err);
	if (r == 0)
		r = sk_filter_check(&o->filter, sk_ps_filters, &err);
	if (r == 0)
		r = sk_cli_open(cli, &err);
	if (r == 0)
		r = sk_containers_load(&cli->paths, &all, &err);
	if (r == 0)
		r = print(cli, o, &all, &err);
	sk_containers_fini(&all);
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_ps = {
	.name = "ps",
	.args = "[OPTIONS]",
	.summary = "List containers",
	.aliases = "skerry container ls, skerry container list, skerry container ps, skerry ps",
	.opts = ps_opts,
	.opts_size = sizeof(struct ps_opts),
	.defaults = ps_defaults,
	.max = 0,
	.run = cmd_ps,
};
