/* SPDX-License-Identifier: Apache-2.0 */
/* diff and commit: what a container has changed of its image, as a list and as an image. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/container/cp_stream.h"
#include "cli/image/pull.h"
#include "model/jx.h"
#include "vm/vm.h"

#define RECORD_MAX (4096u + 16)
#define CHUNK (64u * 1024)

/* ---- diff */

/* A letter and a path: they come from the guest. */
static int print_record(char *record, size_t len, struct sk_error *err)
{
	if (len < 2 || !strchr("ACD", record[0]) || record[1] != '/')
		return sk_error_set(err, EBADMSG, "the guest's list of changes is damaged");
	sk_clean_text(record);
	return printf("%c %s\n", record[0], record + 1) < 0 ? sk_error_errno(err, errno, "cannot write") : 0;
}

static int print_records(void *arg, struct sk_input *in, struct sk_error *err)
{
	_cleanup_free_ char *buf = sk_xcalloc(1, CHUNK);
	char record[RECORD_MAX];
	size_t len = 0;
	ssize_t n, i;
	int r = 0;

	(void)arg;
	while (r == 0 && (n = in->read(in, buf, CHUNK, err)) != 0) {
		if (n < 0)
			return (int)n;
		for (i = 0; r == 0 && i < n; i++) {
			if (len == sizeof(record))
				return sk_error_set(err, EBADMSG, "the guest's list of changes is damaged");
			record[len] = buf[i];
			if (buf[i]) {
				len++;
				continue;
			}
			r = print_record(record, len, err);
			len = 0;
		}
	}
	return r;
}

static int cmd_diff(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct sk_msg request = { .op = SK_REQUEST_GET, .file = { .path = "/", .list = true } };
	const struct sk_cp_use use = { print_records, NULL };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_container c;
	int r = sk_cli_open(cli, &err);

	(void)opts;
	(void)argc;
	if (!*argv[0]) {
		fputs("skerry: Container name cannot be empty\n", stderr);
		return 1;
	}
	if (r == 0)
		r = sk_container_find(&cli->paths, argv[0], &c, &err);
	if (r < 0)
		return sk_cli_fail(&err, 1);
	r = sk_cp_stream(cli, &c, &request, &use, &err);
	sk_container_fini(&c);
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_diff = {
	.name = "diff",
	.args = "CONTAINER",
	.summary = "Inspect changes to files or directories on a container's filesystem",
	.aliases = "skerry container diff, skerry diff",
	.min = 1,
	.max = 1,
	.run = cmd_diff,
};

/* ---- commit */

struct commit_opts {
	const char *author, *message;
	struct sk_strv change;
	bool pause;
};

static void commit_defaults(void *opts)
{
	((struct commit_opts *)opts)->pause = true;
}

static const struct sk_opt commit_opts[] = {
	SK_OPT_STR_("author", 'a', offsetof(struct commit_opts, author), "string",
		    "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")"),
	SK_OPT_LIST_("change", 'c', offsetof(struct commit_opts, change), "list",
		     "Apply Dockerfile instruction to the created image"),
	SK_OPT_STR_("message", 'm', offsetof(struct commit_opts, message), "string", "Commit message"),
	SK_OPT_BOOL_("pause", 'p', offsetof(struct commit_opts, pause), "Pause container during commit (default true)"),
	SK_OPT_END,
};

struct commit {
	struct sk_store *store;
	struct sk_new_image image;
	char *id;
};

static int commit_layer(void *arg, struct sk_input *in, struct sk_error *err)
{
	struct commit *m = arg;

	return sk_store_commit(m->store, in, &m->image, &m->id, err);
}

/* What of the container's configuration is an image's. */
static json_t *image_config(const struct sk_container *c)
{
	static const char *const names[] = { "User",	   "ExposedPorts", "Env",	 "Cmd",
					     "Volumes",	   "WorkingDir",   "Entrypoint", "Labels",
					     "StopSignal", "Healthcheck",  "OnBuild",	 "Shell" };
	const json_t *from = json_object_get(c->config, "Config");
	json_t *config = sk_jx_object();
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(names); i++) {
		json_t *value = json_object_get(from, names[i]);

		if (value && !json_is_null(value))
			sk_jx_set(config, names[i], json_deep_copy(value));
	}
	return config;
}

/* Its command line, as docker's history shows it. malloc'd. */
static char *command_line(const struct sk_container *c)
{
	const json_t *args = json_object_get(c->config, "Args"), *arg;
	struct sk_text t = { 0 };
	size_t i;

	sk_text_puts(&t, sk_jx_get_str(c->config, "Path", ""));
	json_array_foreach(args, i, arg)
	{
		sk_text_puts(&t, " ");
		sk_text_puts(&t, json_string_value(arg));
	}
	return sk_text_take(&t);
}

static int set_paused(struct sk_cli *cli, const struct sk_container *c, bool pause, struct sk_error *err)
{
	return sk_vm_call(&cli->paths, c->id,
			  &(const struct sk_msg){ .op = pause ? SK_REQUEST_PAUSE : SK_REQUEST_RESUME }, NULL, err);
}

static int commit(struct sk_cli *cli, const struct sk_container *c, struct commit *m, bool pause, struct sk_error *err)
{
	const struct sk_msg request = { .op = SK_REQUEST_GET, .file = { .path = "/", .changes = true } };
	const struct sk_cp_use use = { commit_layer, m };
	bool paused = pause && strcmp(sk_container_status(c), "running") == 0;
	int r = paused ? set_paused(cli, c, true, err) : 0;

	if (r < 0)
		return sk_error_wrap(err, "cannot pause container %s", sk_container_name(c));
	r = sk_cp_stream(cli, c, &request, &use, err);
	if (paused && set_paused(cli, c, false, r == 0 ? err : NULL) < 0 && r == 0)
		r = sk_error_wrap(err, "cannot unpause container %s", sk_container_name(c));
	return r;
}

static int cmd_commit(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct commit_opts *o = opts;
	_cleanup_free_ const char **changes = sk_xcalloc(o->change.n + 1, sizeof(*changes));
	_cleanup_free_ char *by = NULL;
	_cleanup_json_ json_t *config = NULL, *attributes = NULL;
	struct commit m = { .image = { .ref = argc > 1 ? argv[1] : NULL,
				       .changes = changes,
				       .author = o->author,
				       .comment = o->message } };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_container c;
	size_t i;
	int r = sk_cli_store(cli, &m.store, &err);

	for (i = 0; i < o->change.n; i++)
		changes[i] = o->change.v[i];
	if (r == 0)
		r = sk_store_check_new(&m.image, &err);
	if (r == 0)
		r = sk_container_find(&cli->paths, argv[0], &c, &err);
	if (r < 0)
		return sk_cli_fail(&err, 1);
	config = image_config(&c);
	by = command_line(&c);
	m.image.config = config;
	m.image.created_by = by;
	m.image.parent = sk_jx_get_str(c.config, "Image", "");
	sk_pull_cancel_on_signals(m.store); /* a container that is paused for this goes on then */
	r = commit(cli, &c, &m, o->pause, &err);
	if (r == 0) {
		printf("%s\n", m.id);
		attributes = sk_container_attributes(&c);
		sk_jx_set_str(attributes, "comment", o->message ? o->message : "");
		sk_jx_set_str(attributes, "imageID", m.id);
		sk_jx_set_str(attributes, "imageRef", m.image.ref ? m.image.ref : "");
		sk_event_append(&cli->paths, "container", "commit", c.id, attributes);
	}
	free(m.id);
	sk_container_fini(&c);
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_commit = {
	.name = "commit",
	.args = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
	.summary = "Create a new image from a container's changes",
	.aliases = "skerry container commit, skerry commit",
	.opts = commit_opts,
	.opts_size = sizeof(struct commit_opts),
	.defaults = commit_defaults,
	.min = 1,
	.max = 2,
	.run = cmd_commit,
};
