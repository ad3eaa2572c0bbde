/* SPDX-License-Identifier: Apache-2.0 */
/* history: what an image's configuration says of how it was made, newest first, with the sizes of its layers here. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/print/list.h"
#include "model/jx.h"
#include "model/units.h"

#define CREATED_BY_WIDTH 45u

struct history_opts {
	bool human, no_trunc, quiet;
	const char *format;
};

static void history_defaults(void *opts)
{
	((struct history_opts *)opts)->human = true;
}

#define AT(f) offsetof(struct history_opts, f)
static const struct sk_opt history_opts[] = {
	SK_OPT_STR_("format", 0, AT(format), "string", SK_FORMAT_HELP),
	SK_OPT_BOOL_("human", 'H', AT(human), "Print sizes and dates in human readable format (default true)"),
	SK_OPT_BOOL_("no-trunc", 0, AT(no_trunc), "Don't truncate output"),
	SK_OPT_BOOL_("quiet", 'q', AT(quiet), "Only show image IDs"),
	SK_OPT_END,
};

static const struct sk_column columns[] = {
	{ "ID", "IMAGE" },
	{ "CreatedAt", "CREATED AT" },
	{ "CreatedSince", "CREATED" },
	{ "CreatedBy", "CREATED BY" },
	{ "Size", "SIZE" },
	{ "Comment", "COMMENT" },
	{ NULL, NULL },
};

/* The builder's text in one line of the table; malloc'd. */
static char *created_by(const char *text, bool no_trunc)
{
	struct sk_text t = { 0 };
	size_t width = 0;
	char *line;

	for (; *text; text++) {
		bool starts = ((unsigned char)*text & 0xc0) != 0x80;

		width += starts;
		if (!no_trunc && starts && width == CREATED_BY_WIDTH && text[1]) {
			sk_text_puts(&t, "…");
			break;
		}
		sk_text_add(&t, *text == '\t' || *text == '\n' ? " " : text, 1);
	}
	line = sk_text_take(&t);
	sk_clean_text(line);
	return line;
}

/* `entry`: one of the configuration's "history", `size`: of the layer that it has made, `id`: NULL for what is below the
 * image itself. */
static json_t *make_row(const struct history_opts *o, const json_t *entry, const char *id, uint64_t size, int64_t now)
{
	_cleanup_free_ char *by = created_by(sk_jx_get_str(entry, "created_by", ""), o->no_trunc),
			    *comment = sk_xstrdup(sk_jx_get_str(entry, "comment", ""));
	const char *created = sk_jx_get_str(entry, "created", "");
	char shown[80], since[40], age[64], human[32];
	json_t *row = sk_jx_object();
	int64_t t = 0;
	bool known = sk_parse_rfc3339(created, &t) == 0;

	snprintf(shown, sizeof(shown), "%s", id ? id : "<missing>");
	if (id && !o->no_trunc)
		snprintf(shown, sizeof(shown), "%.12s", strncmp(id, "sha256:", 7) == 0 ? id + 7 : id);
	snprintf(age, sizeof(age), "%.30s ago", sk_format_duration(now - t, since));
	if (o->human)
		sk_format_size((double)size, 3, human);
	else
		snprintf(human, sizeof(human), "%llu", (unsigned long long)size);
	sk_clean_text(comment);
	sk_jx_set_str(row, "ID", shown);
	sk_jx_set_str(row, "CreatedAt", known ? created : "N/A");
	sk_jx_set_str(row, "CreatedSince", !known ? "N/A" : o->human ? age : created);
	sk_jx_set_str(row, "CreatedBy", by);
	sk_jx_set_str(row, "Size", human);
	sk_jx_set_str(row, "Comment", comment);
	return row;
}

static bool makes_layer(const json_t *entry)
{
	return !json_is_true(json_object_get(entry, "empty_layer"));
}

/* The lowest layer belongs to the first entry that has made one. An image's maker may have left entries out, or written
 * too many: no size is better than another layer's. */
static json_t *make_rows(const struct history_opts *o, const struct sk_image *image)
{
	const json_t *history = json_object_get(image->config, "history");
	size_t i, n = json_array_size(history), layer = 0;
	json_t *rows = sk_jx_array();
	int64_t now = sk_now_ns();

	for (i = 0; i < n; i++)
		layer += makes_layer(json_array_get(history, i));
	for (i = n; i-- > 0;) {
		const json_t *entry = json_array_get(history, i);
		uint64_t size = 0;

		if (makes_layer(entry) && --layer < image->n_layers)
			size = image->layer_sizes[layer];
		sk_jx_push(rows, make_row(o, entry, i == n - 1 ? image->id : NULL, size, now));
	}
	return rows;
}

static int print(const struct history_opts *o, const json_t *rows, struct sk_error *err)
{
	const struct sk_list list = { .format = o->format,
				      .table = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
				      .columns = columns };
	size_t i;

	if (!o->quiet || o->format)
		return sk_list_print(&list, rows, stdout, err);
	for (i = 0; i < json_array_size(rows); i++)
		printf("%s\n", sk_jx_get_str(json_array_get(rows, i), "ID", ""));
	return 0;
}

static int cmd_history(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct history_opts *o = opts;
	const struct sk_list list = { .format = o->format, .table = "", .columns = columns };
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_json_ json_t *rows = NULL;
	struct sk_image *image = NULL;
	struct sk_store *store;
	int r = sk_list_check(&list, &err);

	(void)argc;
	if (r == 0)
		r = sk_cli_store(cli, &store, &err);
	if (r == 0)
		r = sk_store_find(store, argv[0], &image, &err);
	if (r == 0) {
		rows = make_rows(o, image);
		r = print(o, rows, &err);
	}
	sk_image_free(image);
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_history = {
	.name = "history",
	.args = "[OPTIONS] IMAGE",
	.summary = "Show the history of an image",
	.aliases = "skerry image history, skerry history",
	.opts = history_opts,
	.opts_size = sizeof(struct history_opts),
	.defaults = history_defaults,
	.min = 1,
	.max = 1,
	.run = cmd_history,
};
