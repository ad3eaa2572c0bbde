/* SPDX-License-Identifier: Apache-2.0 */
/* inspect of containers and images; port. */
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

struct inspect_opts {
	const char *format, *type;
	bool size;
};

#define AT(f) offsetof(struct inspect_opts, f)
static const struct sk_opt inspect_opts[] = {
	SK_OPT_STR_("format", 'f', AT(format), "string",
		    "Format output using a custom template: 'json', or 'TEMPLATE' in Go's template language"),
	SK_OPT_BOOL_("size", 's', AT(size), "Display total file sizes if the type is container"),
	SK_OPT_STR_("type", 0, AT(type), "string", "Only inspect objects of the given type: container or image"),
	SK_OPT_END,
};

static void set_empty(json_t *o, const char *key)
{
	if (!json_object_get(o, key))
		sk_jx_set_str(o, key, "");
}

static json_t *inspect_container(struct sk_cli *cli, const struct sk_container *c, bool size)
{
	json_t *o = sk_jx_object(), *v;
	static const char *const empty[] = { "AppArmorProfile", "MountLabel", "ProcessLabel" };
	_cleanup_free_ char *log = sk_xasprintf("%s/containers/%s/log/container.log", cli->paths.root, c->id);
	const char *key;
	size_t i;

	/* State comes fourth, where docker has it. */
	json_object_foreach(c->config, key, v)
	{
		sk_jx_set(o, key, json_incref(v));
		if (strcmp(key, "Args") == 0)
			sk_jx_set(o, "State", sk_container_inspect_state(c));
	}
	if (!json_object_get(o, "State"))
		sk_jx_set(o, "State", sk_container_inspect_state(c));
	sk_jx_set_str(o, "LogPath", log);
	for (i = 0; i < SK_ARRAY_SIZE(empty); i++)
		set_empty(o, empty[i]);
	if (!sk_container_is_alive(c) && json_is_object(json_object_get(o, "NetworkSettings"))) {
		v = sk_jx(json_copy(json_object_get(o, "NetworkSettings")));
		sk_jx_set(v, "Ports", sk_jx_object()); /* as docker: nothing is published now */
		sk_jx_set(o, "NetworkSettings", v);
	}
	sk_jx_set_int(o, "RestartCount", sk_jx_get_int(c->state, "restart_count", 0));
	if (size)
		sk_jx_set_int(o, "SizeRw", (int64_t)sk_container_disk_usage(&cli->paths, c->id));
	return o;
}

/*
 * What docker's templates find where JSON has nothing or null: empty lists and maps, and null for what is one object or
 * none ("{{if .State.Health}}"). Not for templates with the function json, which shows null.
 */
static void fill_for_template(json_t *o, const char *format)
{
	static const struct {
		const char *path, *key;
		char kind;
	} fields[] = {
		{ "State", "Health", '-' },
		{ "Config", "Healthcheck", '-' },
		{ "Config", "StopTimeout", '-' },
		{ "Config", "Cmd", '[' },
		{ "Config", "Entrypoint", '[' },
		{ "Config", "Env", '[' },
		{ "Config", "OnBuild", '[' },
		{ "Config", "Shell", '[' },
		{ "Config", "ExposedPorts", '{' },
		{ "Config", "Labels", '{' },
		{ "Config", "Volumes", '{' },
		{ "HostConfig", "Binds", '[' },
		{ "HostConfig", "CapAdd", '[' },
		{ "HostConfig", "CapDrop", '[' },
		{ "HostConfig", "Devices", '[' },
		{ "HostConfig", "Dns", '[' },
		{ "HostConfig", "DnsOptions", '[' },
		{ "HostConfig", "DnsSearch", '[' },
		{ "HostConfig", "ExtraHosts", '[' },
		{ "HostConfig", "GroupAdd", '[' },
		{ "HostConfig", "Links", '[' },
		{ "HostConfig", "SecurityOpt", '[' },
		{ "HostConfig", "Ulimits", '[' },
		{ "HostConfig", "VolumesFrom", '[' },
		{ "HostConfig", "PortBindings", '{' },
	};
	bool shows_null = strstr(format, "json") != NULL;
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(fields); i++) {
		json_t *at = json_object_get(o, fields[i].path), *is;

		if (!json_is_object(at))
			continue;
		is = json_object_get(at, fields[i].key);
		if (is && !json_is_null(is))
			continue;
		at = sk_jx(json_copy(at)); /* the container's own stays as it is */
		sk_jx_set(at, fields[i].key,
			  shows_null || fields[i].kind == '-' ? json_null()
			  : fields[i].kind == '['	      ? sk_jx_array()
							      : sk_jx_object());
		sk_jx_set(o, fields[i].path, at);
	}
}

static json_t *find_listed(struct sk_store *store, const char *id)
{
	_cleanup_json_ json_t *list = NULL;
	struct sk_error ignored = SK_ERROR_INIT;
	json_t *v;
	size_t i;

	if (sk_store_list(store, &list, &ignored) < 0)
		return NULL;
	json_array_foreach(list, i, v) if (strcmp(sk_jx_get_str(v, "Id", ""), id) == 0) return json_incref(v);
	return NULL;
}

static json_t *inspect_image(struct sk_store *store, const struct sk_image *image)
{
	static const char *const copied[][2] = {
		{ "created", "Created" }, { "author", "Author" }, { "architecture", "Architecture" },
		{ "variant", "Variant" }, { "os", "Os" },	  { "config", "Config" }
	};
	static const char *const empty[] = { "Author", "Parent", "Container", "DockerVersion" };
	const json_t *history;
	_cleanup_json_ json_t *listed = find_listed(store, image->id);
	json_t *o = sk_jx_object(), *rootfs = sk_jx_object(), *v;
	size_t i;

	sk_jx_set_str(o, "Id", image->id);
	v = json_object_get(listed, "RepoTags");
	sk_jx_set(o, "RepoTags", v ? json_incref(v) : sk_jx_array());
	v = json_object_get(listed, "RepoDigests");
	sk_jx_set(o, "RepoDigests", v ? json_incref(v) : sk_jx_array());
	for (i = 0; i < SK_ARRAY_SIZE(copied); i++) {
		v = json_object_get(image->config, copied[i][0]);
		if (v)
			sk_jx_set(o, copied[i][1], json_incref(v));
	}
	for (i = 0; i < SK_ARRAY_SIZE(empty); i++)
		set_empty(o, empty[i]);
	history = json_object_get(image->config, "history");
	sk_jx_set_str(o, "Comment",
		      sk_jx_get_str(json_array_get(history, json_array_size(history) - 1), "comment",
				    sk_jx_get_str(image->config, "comment", "")));
	sk_jx_set_int(o, "Size", sk_jx_get_int(listed, "Size", 0));
	sk_jx_set_str(rootfs, "Type", sk_jx_get_str(image->config, "rootfs.type", "layers"));
	v = sk_jx_at(image->config, "rootfs.diff_ids");
	sk_jx_set(rootfs, "Layers", v ? json_incref(v) : sk_jx_array());
	sk_jx_set(o, "RootFS", rootfs);
	return o;
}

enum object_kind {
	KIND_ANY,
	KIND_CONTAINER,
	KIND_IMAGE,
};

static int find_object(struct sk_cli *cli, const char *ref, enum object_kind kind, bool size, json_t **ret,
		       struct sk_error *err)
{
	_cleanup_container_ struct sk_container c = { 0 };
	struct sk_image *image = NULL;
	struct sk_store *store;
	int r = -ENOENT;

	if (kind != KIND_IMAGE) {
		r = sk_container_find(&cli->paths, ref, &c, err);
		if (r == 0)
			*ret = inspect_container(cli, &c, size);
		if (r != -ENOENT || kind == KIND_CONTAINER)
			return r;
	}
	*err = (struct sk_error)SK_ERROR_INIT;
	r = sk_cli_store(cli, &store, err);
	if (r == 0)
		r = sk_store_find(store, ref, &image, err);
	if (r == 0) {
		*ret = inspect_image(store, image);
		sk_image_free(image);
	} else if (r == -ENOENT) {
		*err = (struct sk_error)SK_ERROR_INIT;
		r = sk_error_set(err, ENOENT, kind == KIND_IMAGE ? "No such image: %s" : "No such object: %s", ref);
	}
	return r;
}

static int inspect(struct sk_cli *cli, const struct inspect_opts *o, enum object_kind kind, int argc, char **argv)
{
	_cleanup_json_ json_t *all = sk_jx_array();
	struct sk_error err = SK_ERROR_INIT;
	int i, code = 0;

	if (sk_format_check(o->format, &err) < 0)
		return sk_cli_fail(&err, SK_EXIT_TEMPLATE);
	if (sk_cli_open(cli, &err) < 0)
		return sk_cli_fail(&err, 1);
	for (i = 0; i < argc; i++) {
		_cleanup_json_ json_t *one = NULL;
		struct sk_error e = SK_ERROR_INIT;
		int r = find_object(cli, argv[i], kind, o->size, &one, &e);

		if (r == 0 && o->format && strcmp(o->format, "json") != 0)
			fill_for_template(one, o->format);
		if (r == 0 && o->format)
			r = sk_format_one(o->format, one, stdout, &e);
		else if (r == 0)
			sk_jx_push(all, json_incref(one));
		if (r < 0)
			code = sk_cli_fail(&e, 1);
	}
	if (!o->format) {
		_cleanup_free_ char *text = json_dumps(all, JSON_INDENT(4));

		printf("%s\n", text ? text : "[]");
	}
	return code;
}

static int cmd_inspect(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct inspect_opts *o = opts;
	enum object_kind kind = KIND_ANY;

	if (o->type && strcmp(o->type, "container") == 0) {
		kind = KIND_CONTAINER;
	} else if (o->type && strcmp(o->type, "image") == 0) {
		kind = KIND_IMAGE;
	} else if (o->type && *o->type) {
		fprintf(stderr, "skerry: \"%s\" is not a valid value for --type: use container or image\n", o->type);
		return 1;
	}
	return inspect(cli, o, kind, argc, argv);
}

const struct sk_command sk_cmd_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] NAME|ID [NAME|ID...]",
	.summary = "Return low-level information on containers and images",
	.opts = inspect_opts,
	.opts_size = sizeof(struct inspect_opts),
	.min = 1,
	.max = -1,
	.run = cmd_inspect,
};

static int cmd_container_inspect(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	return inspect(cli, opts, KIND_CONTAINER, argc, argv);
}

const struct sk_command sk_cmd_container_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Display detailed information on one or more containers",
	.opts = inspect_opts,
	.opts_size = sizeof(struct inspect_opts),
	.min = 1,
	.max = -1,
	.run = cmd_container_inspect,
};

static int cmd_image_inspect(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	return inspect(cli, opts, KIND_IMAGE, argc, argv);
}

const struct sk_command sk_cmd_image_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Display detailed information on one or more images",
	.opts = inspect_opts,
	.opts_size = sizeof(struct inspect_opts),
	.min = 1,
	.max = -1,
	.run = cmd_image_inspect,
};

/* ---- port */

static void print_port(const char *key, const json_t *list, bool with_key)
{
	json_t *b;
	size_t i;

	json_array_foreach(list, i, b)
	{
		const char *ip = sk_jx_get_str(b, "HostIp", "0.0.0.0");

		if (with_key)
			printf("%s -> ", key);
		printf(strchr(ip, ':') ? "[%s]:%s\n" : "%s:%s\n", ip, sk_jx_get_str(b, "HostPort", ""));
	}
}

static int cmd_port(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	_cleanup_container_ struct sk_container c = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	const char *key;
	json_t *ports, *list;

	(void)opts;
	if (sk_cli_open(cli, &err) < 0 || sk_container_find(&cli->paths, argv[0], &c, &err) < 0)
		return sk_cli_fail(&err, 1);
	ports = sk_container_is_alive(&c) ? sk_jx_at(c.config, "NetworkSettings.Ports") : NULL;
	if (argc == 1) {
		json_object_foreach(ports, key, list) print_port(key, list, true);
		return 0;
	}
	{
		_cleanup_free_ char *wanted = sk_xasprintf("%s%s", argv[1], strchr(argv[1], '/') ? "" : "/tcp");

		list = json_object_get(ports, wanted);
		if (!json_array_size(list)) {
			fprintf(stderr, "Error: No public port '%s' published for %s\n", wanted, argv[0]);
			return 1;
		}
		print_port(wanted, list, false);
	}
	return 0;
}

const struct sk_command sk_cmd_port = {
	.name = "port",
	.args = "CONTAINER [PRIVATE_PORT[/PROTO]]",
	.summary = "List port mappings or a specific mapping for the container",
	.aliases = "skerry container port, skerry port",
	.min = 1,
	.max = 2,
	.run = cmd_port,
};
