/* SPDX-License-Identifier: Apache-2.0 */
/* load, import, tag, rmi: what changes the image store, beside pull. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "model/container.h"
#include "model/jx.h"
#include "cli/image/pull.h"
#include "model/remove.h"

void sk_image_event(struct sk_cli *cli, const char *action, const char *id, const char *name)
{
	_cleanup_json_ json_t *attributes = sk_jx_object();

	sk_jx_set_str(attributes, "name", name);
	sk_event_append(&cli->paths, "image", action, id, attributes);
}

/* ---- load */

struct load_opts {
	const char *input;
	bool quiet;
};

static const struct sk_opt load_opts[] = {
	SK_OPT_STR_("input", 'i', offsetof(struct load_opts, input), "string",
		    "Read from an archive, or an OCI layout directory, instead of STDIN"),
	SK_OPT_BOOL_("quiet", 'q', offsetof(struct load_opts, quiet), "Suppress the load output"),
	SK_OPT_END,
};

static int cmd_load(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct load_opts *o = opts;
	_cleanup_json_ json_t *refs = NULL;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_progress progress;
	struct sk_store *store;
	struct sk_bars bars;
	json_t *ref;
	size_t i;
	int r;

	(void)argc;
	(void)argv;
	if (!o->input && isatty(STDIN_FILENO)) {
		fprintf(stderr,
			"skerry: requested load from stdin, but stdin is empty: pipe an archive in, or use -i FILE\n");
		return 1;
	}
	r = sk_cli_store(cli, &store, &err);
	if (r < 0)
		return sk_cli_fail(&err, 1);
	sk_bars_init(&bars, stderr, o->quiet || !isatty(STDERR_FILENO), &progress);
	sk_pull_cancel_on_signals(store);
	r = sk_store_load(store, o->input ? o->input : "-", &progress, &refs, &err);
	if (r < 0)
		return sk_cli_fail(&err, 1);
	sk_bars_finish(&bars);
	json_array_foreach(refs, i, ref)
	{
		const char *name = json_string_value(ref);

		printf(strncmp(name, "sha256:", 7) == 0 ? "Loaded image ID: %s\n" : "Loaded image: %s\n", name);
		sk_image_event(cli, "load", name, name);
	}
	return 0;
}

const struct sk_command sk_cmd_load = {
	.name = "load",
	.args = "[OPTIONS]",
	.summary = "Load an image from a tar archive, an OCI layout directory or STDIN",
	.aliases = "skerry image load, skerry load",
	.opts = load_opts,
	.opts_size = sizeof(struct load_opts),
	.max = 0,
	.run = cmd_load,
};

/* ---- import */

struct import_opts {
	struct sk_strv change;
	const char *message, *platform;
};

static const struct sk_opt import_opts[] = {
	SK_OPT_LIST_("change", 'c', offsetof(struct import_opts, change), "list",
		     "Apply Dockerfile instruction to the created image"),
	SK_OPT_STR_("message", 'm', offsetof(struct import_opts, message), "string",
		    "Set commit message for imported image"),
	{ "platform", 0, SK_OPT_STRING, offsetof(struct import_opts, platform), "string", NULL, NULL, NULL, true },
	SK_OPT_END,
};

static int cmd_import(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct import_opts *o = opts;
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_free_ const char **changes = sk_xcalloc(o->change.n + 1, sizeof(*changes));
	_cleanup_free_ char *id = NULL;
	struct sk_new_image image = { .ref = argc > 1 ? argv[1] : NULL, .comment = o->message };
	struct sk_progress progress;
	struct sk_store *store;
	struct sk_bars bars;
	size_t i;

	for (i = 0; i < o->change.n; i++)
		changes[i] = o->change.v[i];
	image.changes = changes;
	if (strstr(argv[0], "://")) {
		fprintf(stderr, "skerry: cannot import %s: download it first, then import the file\n", argv[0]);
		return 1;
	}
	if (sk_cli_store(cli, &store, &err) < 0)
		return sk_cli_fail(&err, 1);
	sk_bars_init(&bars, stderr, !isatty(STDERR_FILENO), &progress);
	sk_pull_cancel_on_signals(store);
	if (sk_store_import(store, argv[0], &image, &progress, &id, &err) < 0)
		return sk_cli_fail(&err, 1);
	sk_bars_finish(&bars);
	printf("%s\n", id);
	sk_image_event(cli, "import", id, argc > 1 ? argv[1] : id);
	return 0;
}

const struct sk_command sk_cmd_import = {
	.name = "import",
	.args = "[OPTIONS] file|- [REPOSITORY[:TAG]]",
	.summary = "Import the contents from a tarball to create a filesystem image",
	.aliases = "skerry image import, skerry import",
	.opts = import_opts,
	.opts_size = sizeof(struct import_opts),
	.min = 1,
	.max = 2,
	.run = cmd_import,
};

/* ---- tag */

static int cmd_tag(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_store *store;

	(void)opts;
	(void)argc;
	if (sk_cli_store(cli, &store, &err) < 0 || sk_store_tag(store, argv[0], argv[1], &err) < 0)
		return sk_cli_fail(&err, 1);
	sk_image_event(cli, "tag", argv[0], argv[1]);
	return 0;
}

const struct sk_command sk_cmd_tag = {
	.name = "tag",
	.args = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	.summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
	.aliases = "skerry image tag, skerry tag",
	.min = 2,
	.max = 2,
	.run = cmd_tag,
};

/* ---- rmi */

struct rmi_opts {
	bool force;
};

static const struct sk_opt rmi_opts[] = {
	SK_OPT_BOOL_("force", 'f', offsetof(struct rmi_opts, force), "Force removal of the image"),
	{ "no-prune", 0, SK_OPT_IGNORED_BOOL, 0, NULL, NULL, NULL, NULL, true },
	SK_OPT_END,
};

struct rmi {
	const struct rmi_opts *opts;
	struct sk_containers containers;
	struct sk_store *store;
	const struct sk_container *user; /* of the image that was asked about last */
};

static bool in_use(void *arg, const char *id)
{
	struct rmi *rmi = arg;
	size_t i;

	rmi->user = NULL;
	for (i = 0; i < rmi->containers.n && !rmi->user; i++)
		if (strcmp(sk_jx_get_str(rmi->containers.v[i].config, "Image", ""), id) == 0)
			rmi->user = &rmi->containers.v[i];
	return rmi->user != NULL;
}

static int rmi_one(struct sk_cli *cli, const char *ref, void *arg, struct sk_error *err)
{
	struct rmi *rmi = arg;
	_cleanup_json_ json_t *removed = NULL;
	json_t *entry, *value;
	const char *key;
	size_t i;
	int r;

	rmi->user = NULL;
	r = sk_store_remove(rmi->store, ref, rmi->opts->force, in_use, rmi, &removed, err);
	if (r < 0 && rmi->user) {
		key = sk_jx_get_str(rmi->user->config, "Name", "");
		return sk_error_set(
			err, EBUSY,
			"unable to remove image %.300s: container %.12s (%s) is using it; remove that first%s", ref,
			rmi->user->id, *key == '/' ? key + 1 : key,
			rmi->opts->force ? "" : ", or use -f to remove its names");
	}
	if (r == -ENOENT && rmi->opts->force) { /* docker's -f: said, and no failure */
		sk_cli_fail(err, 0);
		return 0;
	}
	if (r < 0)
		return r;
	json_array_foreach(removed, i, entry)
	{
		json_object_foreach(entry, key, value)
		{
			printf("%s: %s\n", key, json_string_value(value));
			sk_image_event(cli, strcmp(key, "Deleted") == 0 ? "delete" : "untag", json_string_value(value),
				       json_string_value(value));
		}
	}
	return 0;
}

static int cmd_rmi(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	struct rmi rmi = { .opts = opts };
	struct sk_error err = SK_ERROR_INIT;
	int code;

	if (sk_cli_store(cli, &rmi.store, &err) < 0 || sk_containers_load_all(&cli->paths, &rmi.containers, &err) < 0)
		return sk_cli_fail(&err, 1);
	code = sk_each(cli, argc, argv, false, rmi_one, &rmi);
	sk_containers_fini(&rmi.containers);
	return code;
}

const struct sk_command sk_cmd_rmi = {
	.name = "rmi",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Remove one or more images",
	.aliases = "skerry image rm, skerry image remove, skerry rmi",
	.opts = rmi_opts,
	.opts_size = sizeof(struct rmi_opts),
	.min = 1,
	.max = -1,
	.run = cmd_rmi,
};
