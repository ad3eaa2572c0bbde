/* SPDX-License-Identifier: Apache-2.0 */
/* system check: reads everything that is kept on disk, compares it with its digests, and repairs it if asked to. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "model/container.h"
#include "model/jx.h"
#include "model/volume.h"
#include "vm/state.h"

struct check_opts {
	bool repair;
};

static const struct sk_opt check_opts[] = {
	SK_OPT_BOOL_("repair", 0, offsetof(struct check_opts, repair), "Mend what can be mended"),
	SK_OPT_END,
};

struct check_command {
	struct sk_cli *cli;
	bool repair;
	unsigned found, mended;
	struct sk_containers containers;
};

static void on_problem(void *arg, const char *problem, const char *mended)
{
	struct check_command *c = arg;

	c->found++;
	c->mended += mended != NULL;
	if (mended)
		printf("%s: %s\n", problem, mended);
	else
		printf("%s\n", problem);
}

static const char *user_of_image(void *arg, const char *id)
{
	struct check_command *c = arg;
	size_t i;

	for (i = 0; i < c->containers.n; i++)
		if (strcmp(sk_jx_get_str(c->containers.v[i].config, "Image", ""), id) == 0)
			return sk_container_name(&c->containers.v[i]);
	return NULL;
}

static void check_container(struct check_command *c, const char *id)
{
	_cleanup_free_ char *text = NULL;
	json_t *vm = NULL;
	struct sk_error ignored = SK_ERROR_INIT;
	int r = sk_vm_state_check(&c->cli->paths, id, c->repair);

	if (r > 0) {
		text = sk_xasprintf("container %.12s: its state cannot be read", id);
		on_problem(c, text, r > 1 ? "it counts as ended with exit code 137" : NULL);
	}
	if (!sk_container_has_config(&c->cli->paths, id) ||
	    sk_container_load_vm(&c->cli->paths, id, &vm, &ignored) < 0) {
		free(text);
		text = sk_xasprintf("container %.12s: its configuration cannot be read: it can only be removed: "
				    "\"skerry rm -f %.12s\"",
				    id, id);
		on_problem(c, text, NULL);
	}
	json_decref(vm);
}

static void on_volume(void *arg, const char *name)
{
	struct check_command *c = arg;
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_free_ char *text = sk_xasprintf("volume %s: its description cannot be read", name);
	bool mended = c->repair && sk_volume_mend(&c->cli->paths, name, &err) == 0;

	on_problem(c, text, mended ? "written anew; its labels are lost" : NULL);
}

static int check_all(struct check_command *c, struct sk_error *err)
{
	struct sk_store *store;
	size_t i;
	int r = sk_cli_store(c->cli, &store, err);

	if (r == 0)
		r = sk_containers_load_all(&c->cli->paths, &c->containers, err);
	if (r == 0)
		r = sk_store_check(store, c->repair, user_of_image, on_problem, c, err);
	for (i = 0; r == 0 && i < c->containers.n; i++)
		check_container(c, c->containers.v[i].id);
	sk_containers_fini(&c->containers);
	if (r == 0)
		sk_volume_each_damaged(&c->cli->paths, on_volume, c);
	return r;
}

static int cmd_check(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct check_opts *o = opts;
	struct check_command c = { .cli = cli, .repair = o->repair };
	struct sk_error err = SK_ERROR_INIT;

	(void)argc;
	(void)argv;
	if (check_all(&c, &err) < 0)
		return sk_cli_fail(&err, 1);
	if (!c.found) {
		printf("No problem found\n");
		return 0;
	}
	printf("%u problem%s found", c.found, c.found == 1 ? "" : "s");
	if (c.repair)
		printf(", %u mended\n", c.mended);
	else
		printf(": \"skerry system check --repair\" mends what can be mended\n");
	return c.found == c.mended ? 0 : 1;
}

const struct sk_command sk_cmd_system_check = {
	.name = "check",
	.args = "[OPTIONS]",
	.summary = "Look for damaged images, containers and volumes",
	.details = "Layers are read whole and compared with the digests taken when they were made.\n"
		   "Ends with 0 when there is no problem, or none is left.",
	.opts = check_opts,
	.opts_size = sizeof(struct check_opts),
	.max = 0,
	.run = cmd_check,
};
