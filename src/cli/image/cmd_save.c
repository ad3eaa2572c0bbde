/* SPDX-License-Identifier: Apache-2.0 */
/* save: images as an archive that docker, podman, skopeo and load take. */
#include <stddef.h>

#include "cli/commands.h"
#include "cli/image/pull.h"
#include "cli/output.h"

struct save_opts {
	const char *output;
};

static const struct sk_opt save_opts[] = {
	SK_OPT_STR_("output", 'o', offsetof(struct save_opts, output), "string", "Write to a file, instead of STDOUT"),
	SK_OPT_END,
};

struct save_images {
	struct sk_store *store;
	const char *const *names;
	size_t n;
};

static int save_to(void *arg, int fd, struct sk_error *err)
{
	const struct save_images *s = arg;

	return sk_store_save(s->store, s->names, s->n, fd, err);
}

static int cmd_save(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct save_opts *o = opts;
	struct save_images s = { .names = (const char *const *)argv, .n = (size_t)argc };
	struct sk_error err = SK_ERROR_INIT;
	int i, r = sk_cli_store(cli, &s.store, &err);

	if (r == 0) {
		sk_pull_cancel_on_signals(s.store);
		r = sk_cli_output(o->output, save_to, &s, &err);
	}
	for (i = 0; r == 0 && i < argc; i++)
		sk_image_event(cli, "save", argv[i], argv[i]);
	return r < 0 ? sk_cli_fail(&err, 1) : 0;
}

const struct sk_command sk_cmd_save = {
	.name = "save",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Save one or more images to a tar archive (streamed to STDOUT by default)",
	.aliases = "skerry image save, skerry save",
	.opts = save_opts,
	.opts_size = sizeof(struct save_opts),
	.min = 1,
	.max = -1,
	.run = cmd_save,
};
