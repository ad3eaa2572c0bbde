/* SPDX-License-Identifier: Apache-2.0 */
/* pull: an image of a registry. */
#include <stddef.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/image/pull.h"

struct pull_opts {
	bool quiet, tls_verify;
	const char *platform, *auth_file;
};

static void pull_defaults(void *opts)
{
	((struct pull_opts *)opts)->tls_verify = true;
}

#define AT(f) offsetof(struct pull_opts, f)
static const struct sk_opt pull_opts[] = {
	{ "all-tags", 'a', SK_OPT_REFUSED, 0, NULL, "name the tags, one pull for each", NULL, NULL, true },
	SK_OPT_STR_("authfile", 0, AT(auth_file), "string",
		    "File with registry credentials, as skopeo and podman have it"),
	{ "disable-content-trust", 0, SK_OPT_IGNORED_BOOL, 0, NULL, NULL, NULL, NULL, true },
	SK_OPT_STR_("platform", 0, AT(platform), "string", "Set platform of the image, e.g. linux/amd64"),
	SK_OPT_BOOL_("quiet", 'q', AT(quiet), "Suppress verbose output"),
	SK_OPT_BOOL_("tls-verify", 0, AT(tls_verify), "Require HTTPS and verify certificates (default true)"),
	SK_OPT_END,
};
#undef AT

static int cmd_pull(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct pull_opts *o = opts;
	struct sk_pull pull = {
		.ref = argv[0],
		.quiet = o->quiet,
		.options = { .insecure = !o->tls_verify, .platform = o->platform, .auth_file = o->auth_file }
	};
	_cleanup_free_ char *id = NULL, *full = sk_pull_with_tag(argv[0]);
	struct sk_error err = SK_ERROR_INIT;

	(void)argc;
	if (sk_pull(cli, &pull, &id, &err) < 0)
		return sk_cli_fail(&err, 1);
	sk_image_event(cli, "pull", id, full);
	printf("%s\n", full);
	return 0;
}

const struct sk_command sk_cmd_pull = {
	.name = "pull",
	.args = "[OPTIONS] NAME[:TAG|@DIGEST]",
	.summary = "Download an image from a registry",
	.aliases = "skerry image pull, skerry pull",
	.opts = pull_opts,
	.opts_size = sizeof(struct pull_opts),
	.defaults = pull_defaults,
	.min = 1,
	.max = 1,
	.run = cmd_pull,
};
