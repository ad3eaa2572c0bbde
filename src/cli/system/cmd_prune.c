/* SPDX-License-Identifier: Apache-2.0 */
/* container prune, image prune, system prune (also just `prune`). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "cli/commands.h"
#include "model/container.h"
#include "model/jx.h"
#include "cli/print/list.h"
#include "cli/system/usage.h"
#include "model/remove.h"
#include "model/select.h"
#include "model/units.h"
#include "model/volume.h"

/* Unfinished work that was not touched for this long is taken to be abandoned. */
#define STALE_SECONDS 3600

struct prune_opts {
	bool all, force, volumes;
	struct sk_strv filter;
};

#define AT(f) offsetof(struct prune_opts, f)
static const struct sk_opt container_prune_opts[] = {
	SK_OPT_FILTER_(0, AT(filter), "Provide filter values (e.g. \"until=<timestamp>\")"),
	SK_OPT_BOOL_("force", 'f', AT(force), "Do not prompt for confirmation"),
	SK_OPT_END,
};
static const struct sk_opt image_prune_opts[] = {
	SK_OPT_BOOL_("all", 'a', AT(all), "Remove all unused images, not just dangling ones"),
	SK_OPT_FILTER_(0, AT(filter), "Provide filter values (e.g. \"until=<timestamp>\")"),
	SK_OPT_BOOL_("force", 'f', AT(force), "Do not prompt for confirmation"),
	SK_OPT_END,
};
static const struct sk_opt system_prune_opts[] = {
	SK_OPT_BOOL_("all", 'a', AT(all), "Remove all unused images not just dangling ones"),
	SK_OPT_FILTER_(0, AT(filter), "Provide filter values (e.g. \"label=<key>=<value>\")"),
	SK_OPT_BOOL_("force", 'f', AT(force), "Do not prompt for confirmation"),
	SK_OPT_BOOL_("volumes", 0, AT(volumes), "Prune anonymous volumes"),
	SK_OPT_END,
};

static int prune_containers(struct sk_cli *cli, const struct prune_opts *o, uint64_t *bytes, struct sk_error *err)
{
	struct sk_containers all = { 0 };
	bool any = false;
	size_t i;
	int r = sk_cli_open(cli, err);

	if (r == 0)
		r = sk_containers_load(&cli->paths, &all, err);
	for (i = 0; r == 0 && i < all.n; i++) {
		struct sk_container *c = &all.v[i];
		struct sk_select_container selected = { .c = c, .all = &all };
		struct sk_error e = SK_ERROR_INIT;
		uint64_t size;

		if (sk_container_is_alive(c) || !sk_filter_wants(&o->filter, sk_container_prune_filters, &selected))
			continue;
		size = sk_container_disk_usage(&cli->paths, c->id);
		if (sk_remove_container(&cli->paths, c, false, &e) < 0) {
			if (e.code != EBUSY) /* started meanwhile */
				sk_cli_error(&e);
			continue;
		}
		if (!any)
			printf("Deleted Containers:\n");
		any = true;
		printf("%s\n", c->id);
		*bytes += size;
	}
	if (any)
		putchar('\n');
	sk_containers_fini(&all);
	return r;
}

struct image_prune {
	const struct prune_opts *o;
	struct sk_containers containers;
	json_t *images; /* sk_store_list() */
};

/* With filters, an image that is not in the list (one made in the meantime) is kept. */
static bool keep_image(void *arg, const char *id)
{
	struct image_prune *p = arg;
	json_t *image;
	size_t i;

	if (sk_image_in_use(&p->containers, id))
		return true;
	json_array_foreach(p->images, i, image) if (strcmp(sk_jx_get_str(image, "Id", ""), id) == 0)
	{
		struct sk_select_image selected = { image, NULL, p->images };

		return !sk_filter_wants(&p->o->filter, sk_image_prune_filters, &selected);
	}
	return p->o->filter.n > 0;
}

static int prune_images(struct sk_cli *cli, const struct prune_opts *o, bool all, uint64_t *bytes, struct sk_error *err)
{
	struct image_prune p = { .o = o };
	_cleanup_json_ json_t *removed = NULL;
	struct sk_store *store;
	uint64_t freed = 0;
	const char *key;
	json_t *entry, *value;
	size_t i;
	int r = sk_cli_store(cli, &store, err);

	if (r == 0)
		r = sk_containers_load_all(&cli->paths, &p.containers, err);
	if (r == 0)
		r = sk_store_list(store, &p.images, err);
	if (r == 0)
		r = sk_store_prune(store, all, keep_image, &p, &removed, &freed, err);
	json_decref(p.images);
	sk_containers_fini(&p.containers);
	if (r < 0)
		return r;
	if (json_array_size(removed))
		printf("Deleted Images:\n");
	json_array_foreach(removed, i, entry) json_object_foreach(entry, key, value)
		printf("%s: %s\n", strcmp(key, "Deleted") == 0 ? "deleted" : "untagged", json_string_value(value));
	if (json_array_size(removed))
		putchar('\n');
	*bytes += freed;
	return 0;
}

int sk_prune_volumes(struct sk_cli *cli, const struct sk_strv *filter, bool all, uint64_t *bytes, struct sk_error *err)
{
	_cleanup_json_ json_t *volumes = NULL;
	bool any = false;
	json_t *v;
	size_t i;
	int r = sk_volume_list(&cli->paths, &volumes, err);

	if (r < 0)
		return r;
	json_array_foreach(volumes, i, v)
	{
		struct sk_select_volume selected = { v, false };
		struct sk_error e = SK_ERROR_INIT;
		const char *name = sk_jx_get_str(v, "Name", "");
		uint64_t size;

		if ((!all && !sk_volume_is_anonymous(v)) ||
		    !sk_filter_wants(filter, sk_volume_prune_filters, &selected))
			continue;
		size = sk_tree_usage(sk_jx_get_str(v, "Mountpoint", ""));
		r = sk_volume_remove(&cli->paths, name, &e);
		if (r == -EBUSY || r == -ENOENT)
			continue;
		if (r < 0) {
			*err = e;
			return r;
		}
		if (!any)
			printf("Deleted Volumes:\n");
		any = true;
		printf("%s\n", name);
		*bytes += size;
	}
	if (any)
		putchar('\n');
	return 0;
}

/* Removes the remains of interrupted creations and removals in <root>/tmp. */
static void prune_leftovers(struct sk_cli *cli)
{
	_cleanup_free_ char *path = sk_xasprintf("%s/tmp", cli->paths.root);
	_cleanup_closedir_ DIR *dir = opendir(path);
	time_t now = time(NULL);
	struct dirent *de;
	struct stat st;

	while (dir && (de = readdir(dir)))
		if (de->d_name[0] != '.' && fstatat(dirfd(dir), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    now - st.st_mtime > STALE_SECONDS)
			sk_fs_remove_tree(dirfd(dir), de->d_name);
}

static int end(int r, uint64_t bytes, const struct sk_error *err)
{
	char size[32];

	if (r < 0)
		return sk_cli_fail(err, 1);
	printf("Total reclaimed space: %s\n", sk_format_size((double)bytes, 4, size));
	return 0;
}

static int cmd_container_prune(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct prune_opts *o = opts;
	struct sk_error err = SK_ERROR_INIT;
	uint64_t bytes = 0;
	int r;

	(void)argc;
	(void)argv;
	if (sk_filter_check(&o->filter, sk_container_prune_filters, &err) < 0)
		return sk_cli_fail(&err, 1);
	if (!o->force &&
	    !sk_cli_confirm("WARNING! This will remove all stopped containers.\nAre you sure you want to continue?"))
		return 1;
	r = prune_containers(cli, o, &bytes, &err);
	return end(r, bytes, &err);
}

const struct sk_command sk_cmd_container_prune = {
	.name = "prune",
	.args = "[OPTIONS]",
	.summary = "Remove all stopped containers",
	.opts = container_prune_opts,
	.opts_size = sizeof(struct prune_opts),
	.max = 0,
	.run = cmd_container_prune,
};

static int cmd_image_prune(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct prune_opts *o = opts;
	struct sk_error err = SK_ERROR_INIT;
	uint64_t bytes = 0;
	const char *value;
	bool all = o->all;
	size_t at = 0;
	int r;

	(void)argc;
	(void)argv;
	if (sk_filter_check(&o->filter, sk_image_prune_filters, &err) < 0)
		return sk_cli_fail(&err, 1);
	if ((value = sk_filter_next(&o->filter, "dangling", &at)))
		all = !sk_filter_bool(value);
	if (!o->force &&
	    !sk_cli_confirm(all ? "WARNING! This will remove all images without at least one container associated to "
				  "them.\nAre you sure you want to continue?"
				: "WARNING! This will remove all dangling images.\nAre you sure you want to "
				  "continue?"))
		return 1;
	r = prune_images(cli, o, all, &bytes, &err);
	return end(r, bytes, &err);
}

const struct sk_command sk_cmd_image_prune = {
	.name = "prune",
	.args = "[OPTIONS]",
	.summary = "Remove unused images",
	.opts = image_prune_opts,
	.opts_size = sizeof(struct prune_opts),
	.max = 0,
	.run = cmd_image_prune,
};

/* Volumes have no time that until= could mean. */
static int check_system_prune(const struct prune_opts *o, struct sk_error *err)
{
	int r = sk_filter_check(&o->filter, sk_system_prune_filters, err);

	if (r == 0 && o->volumes && sk_filter_has(&o->filter, "until"))
		r = sk_error_set(err, EINVAL, "ERROR: The \"until\" filter is not supported with \"--volumes\"");
	return r;
}

static int cmd_system_prune(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct prune_opts *o = opts;
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_free_ char *question = NULL;
	uint64_t bytes = 0;
	int r;

	(void)argc;
	(void)argv;
	if (check_system_prune(o, &err) < 0)
		return sk_cli_fail(&err, 1);
	question =
		sk_xasprintf("WARNING! This will remove:\n  - all stopped containers\n%s  - all %s\n"
			     "\nAre you sure you want to continue?",
			     o->volumes ? "  - all anonymous volumes not used by at least one container\n" : "",
			     o->all ? "images without at least one container associated to them" : "dangling images");
	if (!o->force && !sk_cli_confirm(question))
		return 1;
	r = prune_containers(cli, o, &bytes, &err);
	if (r == 0 && o->volumes)
		r = sk_prune_volumes(cli, &o->filter, false, &bytes, &err);
	if (r == 0)
		r = prune_images(cli, o, o->all, &bytes, &err);
	if (r == 0)
		prune_leftovers(cli);
	return end(r, bytes, &err);
}

const struct sk_command sk_cmd_system_prune = {
	.name = "prune",
	.args = "[OPTIONS]",
	.summary = "Remove unused data: stopped containers, unused images, leftovers",
	.aliases = "skerry system prune, skerry prune",
	.opts = system_prune_opts,
	.opts_size = sizeof(struct prune_opts),
	.max = 0,
	.run = cmd_system_prune,
};
