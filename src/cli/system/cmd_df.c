/* SPDX-License-Identifier: Apache-2.0 */
/* system df: how much space images, containers and volumes take; with -v, each of them. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/print/list.h"
#include "cli/system/usage.h"
#include "model/container.h"
#include "model/jx.h"
#include "model/remove.h"
#include "model/units.h"
#include "model/volume.h"

struct df_opts {
	const char *format;
	bool verbose;
};

static const struct sk_opt df_opts[] = {
	SK_OPT_STR_("format", 0, offsetof(struct df_opts, format), "string", SK_FORMAT_HELP),
	SK_OPT_BOOL_("verbose", 'v', offsetof(struct df_opts, verbose), "Show detailed information on space usage"),
	SK_OPT_END,
};

static const struct sk_column df_columns[] = {
	{ "Type", "TYPE" }, { "TotalCount", "TOTAL" },	      { "Active", "ACTIVE" },
	{ "Size", "SIZE" }, { "Reclaimable", "RECLAIMABLE" }, { NULL, NULL },
};

static void df_row(json_t *rows, const char *type, size_t total, size_t active, uint64_t size, uint64_t free_)
{
	char a[32], b[32];
	json_t *o = sk_jx_object();

	sk_jx_set_str(o, "Type", type);
	sk_jx_set(o, "TotalCount", sk_jx(json_sprintf("%zu", total)));
	sk_jx_set(o, "Active", sk_jx(json_sprintf("%zu", active)));
	sk_jx_set_str(o, "Size", sk_format_size((double)size, 4, a));
	sk_jx_set(o, "Reclaimable",
		  sk_jx(json_sprintf("%s (%d%%)", sk_format_size((double)free_, 4, b),
				     size ? (int)(free_ * 100 / size) : 0)));
	sk_jx_push(rows, o);
}

static void df_volumes(struct sk_cli *cli, json_t *rows)
{
	_cleanup_json_ json_t *volumes = NULL;
	struct sk_error ignored = SK_ERROR_INIT;
	uint64_t size = 0, unused = 0;
	size_t i, active = 0;
	json_t *v;

	if (sk_volume_list(&cli->paths, &volumes, &ignored) < 0)
		return;
	json_array_foreach(volumes, i, v)
	{
		uint64_t n = sk_tree_usage(sk_jx_get_str(v, "Mountpoint", ""));
		_cleanup_free_ char *user = sk_volume_user(&cli->paths, sk_jx_get_str(v, "Name", ""));

		size += n;
		active += user != NULL;
		unused += user ? 0 : n;
	}
	df_row(rows, "Local Volumes", json_array_size(volumes), active, size, unused);
}

/* ---- -v: docker's three tables */

static const struct sk_column image_columns[] = {
	{ "Repository", "REPOSITORY" },
	{ "Tag", "TAG" },
	{ "ID", "IMAGE ID" },
	{ "CreatedSince", "CREATED" },
	{ "Size", "SIZE" },
	{ "SharedSize", "SHARED SIZE" },
	{ "UniqueSize", "UNIQUE SIZE" },
	{ "Containers", "CONTAINERS" },
	{ NULL, NULL },
};
static const struct sk_column container_columns[] = {
	{ "ID", "CONTAINER ID" }, { "Image", "IMAGE" },
	{ "Command", "COMMAND" }, { "LocalVolumes", "LOCAL VOLUMES" },
	{ "Size", "SIZE" },	  { "RunningFor", "CREATED" },
	{ "Status", "STATUS" },	  { "Names", "NAMES" },
	{ NULL, NULL },
};
static const struct sk_column volume_columns[] = {
	{ "Name", "VOLUME NAME" },
	{ "Links", "LINKS" },
	{ "Size", "SIZE" },
	{ NULL, NULL },
};

static int print_table(const char *title, const char *table, const struct sk_column *columns, const json_t *rows,
		       struct sk_error *err)
{
	const struct sk_list list = { .table = table, .columns = columns };

	printf("%s space usage:\n\n", title);
	return sk_list_print(&list, rows, stdout, err);
}

static void set_size(json_t *row, const char *key, uint64_t bytes)
{
	char text[32];

	sk_jx_set_str(row, key, sk_format_size((double)bytes, 4, text));
}

/* How many images have each layer, by its path. */
static json_t *count_layers(struct sk_store *store, const json_t *images)
{
	json_t *counts = sk_jx_object(), *v;
	size_t i, k;

	json_array_foreach(images, i, v)
	{
		struct sk_error ignored = SK_ERROR_INIT;
		struct sk_image *image;

		if (sk_store_find(store, sk_jx_get_str(v, "Id", ""), &image, &ignored) < 0)
			continue;
		for (k = 0; k < image->n_layers; k++)
			sk_jx_set_int(counts, image->layers[k],
				      json_integer_value(json_object_get(counts, image->layers[k])) + 1);
		sk_image_free(image);
	}
	return counts;
}

static uint64_t shared_size(struct sk_store *store, const char *id, const json_t *counts)
{
	struct sk_error ignored = SK_ERROR_INIT;
	struct sk_image *image;
	uint64_t shared = 0;
	size_t k;

	if (sk_store_find(store, id, &image, &ignored) < 0)
		return 0;
	for (k = 0; k < image->n_layers; k++)
		if (json_integer_value(json_object_get(counts, image->layers[k])) > 1)
			shared += image->layer_sizes[k];
	sk_image_free(image);
	return shared;
}

/* One row for each name of the image, or "<none>". */
static void add_image_rows(json_t *rows, const json_t *image, json_t *take_row)
{
	const json_t *tags = json_object_get(image, "RepoTags");
	size_t i;

	for (i = 0; i < json_array_size(tags) || i == 0; i++) {
		const char *ref = json_string_value(json_array_get(tags, i)), *colon = ref ? strrchr(ref, ':') : NULL;
		_cleanup_free_ char *repository =
			colon ? sk_xstrndup(ref, (size_t)(colon - ref)) : sk_xstrdup("<none>");
		json_t *row = sk_jx(json_copy(take_row));

		sk_jx_set_str(row, "Repository", repository);
		sk_jx_set_str(row, "Tag", colon ? colon + 1 : "<none>");
		sk_jx_push(rows, row);
	}
	json_decref(take_row);
}

static int verbose_images(struct sk_store *store, const json_t *images, const struct sk_containers *all,
			  struct sk_error *err)
{
	_cleanup_json_ json_t *rows = sk_jx_array(), *counts = count_layers(store, images);
	json_t *image;
	size_t i, k;

	json_array_foreach(images, i, image)
	{
		const char *id = sk_jx_get_str(image, "Id", "");
		uint64_t size = (uint64_t)sk_jx_get_int(image, "Size", 0), shared = shared_size(store, id, counts);
		json_t *row = sk_jx_object();
		int64_t t = 0;
		char age[40], text[64];
		size_t users = 0;

		for (k = 0; k < all->n; k++)
			users += strcmp(sk_jx_get_str(all->v[k].config, "Image", ""), id) == 0;
		snprintf(text, sizeof(text), "%.12s", strncmp(id, "sha256:", 7) == 0 ? id + 7 : id);
		sk_jx_set_str(row, "ID", text);
		(void)sk_parse_rfc3339(sk_jx_get_str(image, "Created", ""), &t);
		snprintf(text, sizeof(text), "%.30s ago", sk_format_duration(sk_now_ns() - t, age));
		sk_jx_set_str(row, "CreatedSince", t ? text : "N/A");
		set_size(row, "Size", size);
		set_size(row, "SharedSize", shared);
		set_size(row, "UniqueSize", size > shared ? size - shared : 0);
		sk_jx_set(row, "Containers", sk_jx(json_sprintf("%zu", users)));
		add_image_rows(rows, image, row);
	}
	return print_table("Images",
			   "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{."
			   "UniqueSize}}\t{{.Containers}}",
			   image_columns, rows, err);
}

static int verbose_containers(struct sk_cli *cli, const struct sk_containers *all, struct sk_error *err)
{
	_cleanup_json_ json_t *rows = sk_jx_array();
	size_t i, k;

	for (i = 0; i < all->n; i++) {
		const struct sk_container *c = &all->v[i];
		const json_t *mounts = json_object_get(c->config, "Mounts");
		json_t *row = sk_jx_object();
		char text[96], age[40];
		size_t volumes = 0;
		int64_t t = 0;

		for (k = 0; k < json_array_size(mounts); k++)
			volumes += strcmp(sk_jx_get_str(json_array_get(mounts, k), "Type", ""), "volume") == 0;
		snprintf(text, sizeof(text), "%.12s", c->id);
		sk_jx_set_str(row, "ID", text);
		sk_jx_set_str(row, "Image", sk_jx_get_str(c->config, "Config.Image", ""));
		sk_jx_set(row, "Command", sk_jx(json_sprintf("\"%.19s\"", sk_jx_get_str(c->config, "Path", ""))));
		sk_jx_set(row, "LocalVolumes", sk_jx(json_sprintf("%zu", volumes)));
		set_size(row, "Size", sk_container_disk_usage(&cli->paths, c->id));
		(void)sk_parse_rfc3339(sk_jx_get_str(c->config, "Created", ""), &t);
		snprintf(text, sizeof(text), "%.30s ago", sk_format_duration(sk_now_ns() - t, age));
		sk_jx_set_str(row, "RunningFor", text);
		sk_container_status_text(c, sk_now_ns(), text);
		sk_jx_set_str(row, "Status", text);
		sk_jx_set_str(row, "Names", sk_container_name(c));
		sk_jx_push(rows, row);
	}
	return print_table("\nContainers",
			   "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{."
			   "Status}}\t{{.Names}}",
			   container_columns, rows, err);
}

static size_t links_of(const struct sk_containers *all, const char *volume)
{
	size_t i, k, n = 0;

	for (i = 0; i < all->n; i++) {
		const json_t *mounts = json_object_get(all->v[i].config, "Mounts");

		for (k = 0; k < json_array_size(mounts); k++)
			n += strcmp(sk_jx_get_str(json_array_get(mounts, k), "Name", ""), volume) == 0;
	}
	return n;
}

static int verbose_volumes(struct sk_cli *cli, const struct sk_containers *all, struct sk_error *err)
{
	_cleanup_json_ json_t *rows = sk_jx_array(), *volumes = NULL;
	json_t *v;
	size_t i;
	int r = sk_volume_list(&cli->paths, &volumes, err);

	json_array_foreach(volumes, i, v)
	{
		json_t *row = sk_jx_object();

		sk_jx_set_str(row, "Name", sk_jx_get_str(v, "Name", ""));
		sk_jx_set(row, "Links", sk_jx(json_sprintf("%zu", links_of(all, sk_jx_get_str(v, "Name", "")))));
		set_size(row, "Size", sk_tree_usage(sk_jx_get_str(v, "Mountpoint", "")));
		sk_jx_push(rows, row);
	}
	return r < 0 ? r
		     : print_table("\nLocal Volumes", "{{.Name}}\t{{.Links}}\t{{.Size}}", volume_columns, rows, err);
}

static int df_verbose(struct sk_cli *cli, struct sk_error *err)
{
	_cleanup_json_ json_t *images = NULL;
	struct sk_containers all = { 0 };
	struct sk_store *store;
	int r = sk_cli_store(cli, &store, err);

	if (r == 0)
		r = sk_containers_load_all(&cli->paths, &all, err);
	if (r == 0)
		r = sk_store_list(store, &images, err);
	if (r == 0)
		r = verbose_images(store, images, &all, err);
	if (r == 0)
		r = verbose_containers(cli, &all, err);
	if (r == 0)
		r = verbose_volumes(cli, &all, err);
	sk_containers_fini(&all);
	return r;
}

/* ---- */

static int cmd_df(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct df_opts *o = opts;
	struct sk_list list = { .format = o->format,
				.table = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
				.columns = df_columns };
	_cleanup_json_ json_t *images = NULL, *rows = sk_jx_array();
	struct sk_containers all = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	uint64_t size = 0, unused = 0;
	struct sk_store *store;
	size_t i, active = 0;
	json_t *image;
	int r;

	(void)argc;
	(void)argv;
	if (o->verbose && o->format) {
		fputs("skerry: --format and --verbose do not go together: the tables are several\n", stderr);
		return 1;
	}
	if (o->verbose) {
		r = df_verbose(cli, &err);
		return r < 0 ? sk_cli_fail(&err, 1) : 0;
	}
	r = sk_cli_store(cli, &store, &err);
	if (r == 0)
		r = sk_containers_load_all(&cli->paths, &all, &err);
	if (r == 0)
		r = sk_store_list(store, &images, &err);
	json_array_foreach(images, i, image)
	{
		uint64_t n = (uint64_t)sk_jx_get_int(image, "Size", 0);
		bool used = sk_image_in_use(&all, sk_jx_get_str(image, "Id", ""));

		size += n;
		active += used;
		unused += used ? 0 : n;
	}
	if (r == 0) { /* what interrupted pulls have left goes with a prune */
		uint64_t n = sk_store_partial_bytes(store);

		size += n;
		unused += n;
	}
	df_row(rows, "Images", json_array_size(images), active, size, unused);
	size = unused = active = 0;
	for (i = 0; i < all.n; i++) {
		uint64_t n = sk_container_disk_usage(&cli->paths, all.v[i].id);

		size += n;
		active += sk_container_is_alive(&all.v[i]);
		unused += sk_container_is_alive(&all.v[i]) ? 0 : n;
	}
	df_row(rows, "Containers", all.n, active, size, unused);
	sk_containers_fini(&all);
	df_volumes(cli, rows);
	if (r == 0)
		r = sk_list_print(&list, rows, stdout, &err);
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_df = {
	.name = "df",
	.args = "[OPTIONS]",
	.summary = "Show disk usage",
	.opts = df_opts,
	.opts_size = sizeof(struct df_opts),
	.max = 0,
	.run = cmd_df,
};
