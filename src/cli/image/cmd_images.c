/* SPDX-License-Identifier: Apache-2.0 */
/* images: the list. What changes the store is in cmd_image.c. */
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
#include "model/select.h"
#include "model/units.h"

struct images_opts {
	bool all, quiet, no_trunc, digests;
	struct sk_strv filter;
	const char *format;
};

#define AT(f) offsetof(struct images_opts, f)
static const struct sk_opt images_opts[] = {
	SK_OPT_BOOL_("all", 'a', AT(all), "Show all images (default hides intermediate images)"),
	SK_OPT_BOOL_("digests", 0, AT(digests), "Show digests"),
	SK_OPT_FILTER_('f', AT(filter), "Filter output based on conditions provided"),
	SK_OPT_STR_("format", 0, AT(format), "string", SK_FORMAT_HELP),
	SK_OPT_BOOL_("no-trunc", 0, AT(no_trunc), "Don't truncate output"),
	SK_OPT_BOOL_("quiet", 'q', AT(quiet), "Only show image IDs"),
	SK_OPT_END,
};

static const struct sk_column columns[] = {
	{ "Repository", "REPOSITORY" },
	{ "Tag", "TAG" },
	{ "ID", "IMAGE ID" },
	{ "CreatedAt", "CREATED AT" },
	{ "CreatedSince", "CREATED" },
	{ "Size", "SIZE" },
	{ "Digest", "DIGEST" },
	{ "Containers", "CONTAINERS" },
	{ "VirtualSize", "VIRTUAL SIZE" },
	{ "SharedSize", "SHARED SIZE" },
	{ "UniqueSize", "UNIQUE SIZE" },
	{ NULL, NULL },
};

/* "debian:latest" → "debian", "latest". */
static void split_ref(const char *ref, char **ret_repository, char **ret_tag)
{
	const char *slash = strrchr(ref, '/'), *colon = strchr(slash ? slash : ref, ':'), *at = strchr(ref, '@');

	if (at) {
		*ret_repository = sk_xstrndup(ref, (size_t)(at - ref));
		*ret_tag = sk_xstrdup("<none>");
	} else if (colon) {
		*ret_repository = sk_xstrndup(ref, (size_t)(colon - ref));
		*ret_tag = sk_xstrdup(colon + 1);
	} else {
		*ret_repository = sk_xstrdup(ref);
		*ret_tag = sk_xstrdup("<none>");
	}
}

static json_t *make_row(const struct images_opts *o, const json_t *image, const char *ref, int64_t now)
{
	_cleanup_free_ char *repository = NULL, *tag = NULL;
	const char *id = sk_jx_get_str(image, "Id", ""), *digest = sk_jx_get_str(image, "Digest", "");
	char created[64], age[40], size[32], shown[80];
	json_t *row = sk_jx_object();
	int64_t t = 0;

	split_ref(ref ? ref : "<none>", &repository, &tag);
	snprintf(shown, sizeof(shown), "%s", id);
	if (!o->no_trunc)
		snprintf(shown, sizeof(shown), "%.12s", strncmp(id, "sha256:", 7) == 0 ? id + 7 : id);
	(void)sk_parse_rfc3339(sk_jx_get_str(image, "Created", ""), &t);
	snprintf(age, sizeof(age), "%.30s ago", sk_format_duration(now - t, created));
	sk_format_size((double)sk_jx_get_int(image, "Size", 0), 3, size);
	sk_jx_set_str(row, "Repository", repository);
	sk_jx_set_str(row, "Tag", tag);
	sk_jx_set_str(row, "ID", shown);
	sk_jx_set_str(row, "CreatedAt", t ? sk_format_created(t, created) : "N/A");
	sk_jx_set_str(row, "CreatedSince", t ? age : "N/A");
	sk_jx_set_str(row, "Size", size);
	sk_jx_set_str(row, "VirtualSize", size);
	sk_jx_set_str(row, "SharedSize", "N/A");
	sk_jx_set_str(row, "UniqueSize", "N/A");
	sk_jx_set_str(row, "Digest", *digest ? digest : "<none>");
	sk_jx_set_str(row, "Containers", "N/A");
	return row;
}

static bool wanted(const struct images_opts *o, const json_t *images, const json_t *image, const char *argument,
		   const char *ref)
{
	struct sk_select_image selected = { image, ref, images };

	if (argument && !sk_select_reference(argument, ref))
		return false;
	return sk_filter_wants(&o->filter, sk_images_filters, &selected);
}

/* before= and since= name images: which have to be. */
static int check_names(const struct images_opts *o, const json_t *images, const char *key, struct sk_error *err)
{
	const char *name;
	size_t at = 0;

	while ((name = sk_filter_next(&o->filter, key, &at)))
		if (!sk_select_image_find(images, name))
			return sk_error_set(err, ENOENT, "No such image: %s", name);
	return 0;
}

static int by_created(const void *a, const void *b)
{
	return strcmp(sk_jx_get_str(*(json_t *const *)b, "Created", ""),
		      sk_jx_get_str(*(json_t *const *)a, "Created", ""));
}

static void add_rows(const struct images_opts *o, const json_t *images, const json_t *image, const char *argument,
		     int64_t now, json_t *rows)
{
	json_t *tags = json_object_get(image, "RepoTags"), *tag;
	size_t i;

	json_array_foreach(tags, i, tag) if (wanted(o, images, image, argument, json_string_value(tag)))
		sk_jx_push(rows, make_row(o, image, json_string_value(tag), now));
	if (!json_array_size(tags) && wanted(o, images, image, argument, NULL))
		sk_jx_push(rows, make_row(o, image, NULL, now));
}

static int print(const struct images_opts *o, const json_t *images, const char *argument, struct sk_error *err)
{
	struct sk_list list = {
		.format = o->format,
		.table = o->digests ? "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
				    : "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
		.columns = columns
	};
	_cleanup_json_ json_t *rows = sk_jx_array();
	_cleanup_free_ json_t **sorted = NULL;
	size_t i, n = json_array_size(images);
	int64_t now = sk_now_ns();
	const char *last = "";
	json_t *row;

	sorted = sk_xcalloc(n, sizeof(json_t *));
	for (i = 0; i < n; i++)
		sorted[i] = json_array_get(images, i);
	qsort(sorted, n, sizeof(*sorted), by_created);
	for (i = 0; i < n; i++)
		add_rows(o, images, sorted[i], argument, now, rows);
	if (!o->quiet || o->format)
		return sk_list_print(&list, rows, stdout, err);
	json_array_foreach(rows, i, row)
	{
		const char *id = sk_jx_get_str(row, "ID", "");

		if (strcmp(id, last) != 0) /* one line an image, however many names */
			printf("%s\n", id);
		last = id;
	}
	return 0;
}

static int cmd_images(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct images_opts *o = opts;
	struct sk_list list = { .format = o->format, .table = "", .columns = columns };
	_cleanup_json_ json_t *images = NULL;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_store *store;
	int r = sk_list_check(&list, &err);

	if (r == 0)
		r = sk_filter_check(&o->filter, sk_images_filters, &err);
	if (r == 0)
		r = sk_cli_store(cli, &store, &err);
	if (r == 0)
		r = sk_store_list(store, &images, &err);
	if (r == 0)
		r = check_names(o, images, "before", &err);
	if (r == 0)
		r = check_names(o, images, "since", &err);
	if (r == 0)
		r = print(o, images, argc ? argv[0] : NULL, &err);
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_images = {
	.name = "images",
	.args = "[OPTIONS] [REPOSITORY[:TAG]]",
	.summary = "List images",
	.aliases = "skerry image ls, skerry image list, skerry images",
	.opts = images_opts,
	.opts_size = sizeof(struct images_opts),
	.max = 1,
	.run = cmd_images,
};
