/* SPDX-License-Identifier: Apache-2.0 */
/* skerry machine init, set, start, stop, restart, rm, reset, default. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "cli/commands.h"
#include "cli/machine/machine.h"
#include "engine/engine.h"
#include "model/create.h"
#include "model/jx.h"
#include "model/machine.h"
#include "model/remove.h"
#include "model/units.h"
#include "vm/config.h"
#include "vm/settings.h"
#include "vm/vm.h"

#define DAEMON_CONFIG_MAX (1u << 20)

/* ---- what init and set have in common */

struct settings_opts {
	int64_t cpus;
	const char *memory, *disk_size, *image, *engine, *daemon_config, *home, *ssh_agent, *host_certs, *idle_stop;
	struct sk_strv mount;
	bool now;
};

/* podman's unit for a bare number, docker's units else. */
static int parse_size(const char *s, uint64_t unit, uint64_t least, const char *what, uint64_t *ret,
		      struct sk_error *err)
{
	int64_t n;
	bool bare = *s && s[strspn(s, "0123456789")] == '\0';

	if (sk_parse_bytes(s, &n) < 0 || n <= 0 || (bare && (uint64_t)n > ((uint64_t)1 << 45) / unit) ||
	    n > (int64_t)1 << 45)
		return sk_error_set(err, EINVAL, "invalid %s \"%.40s\": give a size, for example %s", what, s,
				    unit == 1 << 20 ? "2048 (MiB) or 2g" : "100 (GiB) or 100g");
	*ret = bare ? (uint64_t)n * unit : (uint64_t)n & ~(uint64_t)0xfffff;
	if (*ret < least)
		return sk_error_set(err, EINVAL, "%s \"%.40s\" is too little: at least %llu MiB", what, s,
				    (unsigned long long)least >> 20);
	return 0;
}

static int set_bool(json_t *machine, const char *key, const char *option, const char *value, struct sk_error *err)
{
	bool b;

	if (!value)
		return 0;
	if (sk_parse_bool(value, &b) < 0)
		return sk_error_set(err, EINVAL, "invalid --%s \"%.40s\": true or false", option, value);
	sk_jx_set_bool(machine, key, b);
	return 0;
}

/* "30m", "1h30m"; a bare number has no unit and could be anything but 0. */
static int set_idle_stop(json_t *machine, const char *value, struct sk_error *err)
{
	int64_t ns = 0;

	if (!value)
		return 0;
	if (strcmp(value, "0") != 0 &&
	    (sk_parse_duration(value, &ns) < 0 || ns < SK_VM_IDLE_STOP_MIN * INT64_C(1000000000) ||
	     ns > SK_VM_IDLE_STOP_MAX * INT64_C(1000000000)))
		return sk_error_set(err, EINVAL,
				    "invalid --idle-stop \"%.40s\": 30m, 1h and the like, %ds to %dh, or 0 for never",
				    value, SK_VM_IDLE_STOP_MIN, SK_VM_IDLE_STOP_MAX / 3600);
	sk_jx_set_int(machine, "IdleStop", ns / INT64_C(1000000000));
	return 0;
}

static int set_mounts(json_t *machine, const struct sk_strv *mounts, struct sk_error *err)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < mounts->n; i++)
		if (*mounts->v[i])
			r = sk_machine_check_mount(mounts->v[i], true, err);
	if (r < 0 || !mounts->n)
		return r;
	sk_jx_set(machine, "Mounts", sk_jx_array());
	for (i = 0; i < mounts->n; i++)
		if (*mounts->v[i])
			sk_jx_push_str(json_object_get(machine, "Mounts"), mounts->v[i]);
	return 0;
}

static int set_daemon_config(json_t *machine, const char *path, struct sk_error *err)
{
	static const char *const ours[] = { "hosts",	  "data-root",		 "exec-root",	    "pidfile",
					    "containerd", "userland-proxy-path", "host-gateway-ip", "graph" };
	_cleanup_free_ char *text = NULL;
	bool valid;
	json_t *o;
	size_t i;
	int r;

	if (!path)
		return 0;
	if (!*path) {
		json_object_del(machine, "DaemonConfig");
		return 0;
	}
	r = sk_fs_read(AT_FDCWD, path, DAEMON_CONFIG_MAX, &text, NULL);
	if (r < 0)
		return sk_error_errno(err, r, "cannot read %s", path);
	o = json_loads(text, 0, NULL);
	valid = json_is_object(o);
	for (i = 0; i < SK_ARRAY_SIZE(ours) && !json_object_get(o, ours[i]); i++)
		;
	json_decref(o);
	if (!valid)
		return sk_error_set(err, EINVAL, "%s: not a JSON object, as the engine's daemon.json is", path);
	if (i < SK_ARRAY_SIZE(ours))
		return sk_error_set(err, EINVAL, "%s: \"%s\" is the machine's own setting: leave it out", path,
				    ours[i]);
	sk_jx_set_str(machine, "DaemonConfig", text);
	return 0;
}

static int apply(const struct settings_opts *o, json_t *machine, struct sk_error *err)
{
	uint64_t n;
	int r = 0;

	if (o->cpus < 0 || o->cpus > 64)
		return sk_error_set(err, EINVAL, "invalid --cpus %lld: 1 to 64", (long long)o->cpus);
	if (o->cpus)
		sk_jx_set_int(machine, "CPUs", o->cpus);
	if (o->memory) {
		r = parse_size(o->memory, 1 << 20, SK_MACHINE_MIN_MEMORY, "--memory", &n, err);
		if (r < 0)
			return r;
		sk_jx_set_int(machine, "Memory", (int64_t)n);
	}
	if (o->disk_size) {
		r = parse_size(o->disk_size, 1 << 30, SK_MACHINE_MIN_DISK, "--disk-size", &n, err);
		if (r < 0)
			return r;
		sk_jx_set_int(machine, "DiskSize", (int64_t)n);
	}
	if (o->image)
		sk_jx_set_str(machine, "Image", *o->image ? o->image : SK_MACHINE_IMAGE);
	if (o->engine) {
		if (!sk_engine_name_valid(o->engine))
			return sk_error_set(err, EINVAL, "invalid --engine \"%.40s\": it is " SK_ENGINE_NAMES,
					    o->engine);
		sk_jx_set_str(machine, "Engine", o->engine);
	}
	r = set_bool(machine, "Home", "home", o->home, err);
	if (r == 0)
		r = set_bool(machine, "SSHAgent", "ssh-agent", o->ssh_agent, err);
	if (r == 0)
		r = set_bool(machine, "HostCertificates", "host-certs", o->host_certs, err);
	if (r == 0)
		r = set_idle_stop(machine, o->idle_stop, err);
	if (r == 0)
		r = set_mounts(machine, &o->mount, err);
	return r < 0 ? r : set_daemon_config(machine, o->daemon_config, err);
}

#define AT(f) offsetof(struct settings_opts, f)
#define SETTINGS_OPTS                                                                                                  \
	SK_OPT_INT_("cpus", 0, AT(cpus), "Number of processors (default 1)"),                                          \
		SK_OPT_STR_("daemon-config", 0, AT(daemon_config), "file",                                             \
			    "The engine's /etc/docker/daemon.json (\"\": none)"),                                      \
		SK_OPT_STR_("disk-size", 0, AT(disk_size), "size",                                                     \
			    "Size of the data disk, in GiB where it has no unit (default 100)"),                       \
		SK_OPT_STR_("engine", 0, AT(engine), "string",                                                         \
			    "What runs the VM: auto, kvm, uml, tcg (default: the configuration's)"),                   \
		SK_OPT_STR_("home", 0, AT(home), "bool", "Share the user's home directory (default true)"),            \
		SK_OPT_STR_("host-certs", 0, AT(host_certs), "bool",                                                   \
			    "The engine trusts the CA certificates that the host trusts (default false)"),             \
		SK_OPT_STR_("idle-stop", 0, AT(idle_stop), "duration",                                                 \
			    "Stop when no container and no client was there for so long, until one comes (0: never)"), \
		SK_OPT_STR_("image", 0, AT(image), "string",                                                           \
			    "Image with the container engine (\"\": the one that Skerry brings)"),                     \
		SK_OPT_STR_("memory", 'm', AT(memory), "size", "Memory, in MiB where it has no unit (default 2048)"),  \
		SK_OPT_LIST_("mount", 'v', AT(mount), "path",                                                          \
			     "Directory or file of the host to share: /path[:/path in the machine][:ro]"),             \
		{ "volume", 0, SK_OPT_LIST, AT(mount), "path", NULL, NULL, NULL, true },                               \
		SK_OPT_STR_("ssh-agent", 0, AT(ssh_agent), "bool",                                                     \
			    "Offer the host's ssh agent at /run/host-services/ssh-auth.sock (default true)")

static const struct sk_opt init_opts[] = {
	SETTINGS_OPTS,
	SK_OPT_BOOL_("now", 0, AT(now), "Start the machine"),
	SK_OPT_END,
};
static const struct sk_opt set_opts[] = { SETTINGS_OPTS, SK_OPT_END };
#undef AT

/* ---- init */

static json_t *new_machine(const char *name, unsigned idle_stop)
{
	json_t *o = sk_jx_object();

	sk_jx_set_str(o, "Name", name);
	sk_jx_set_str(o, "Image", SK_MACHINE_IMAGE);
	sk_jx_set_int(o, "CPUs", SK_MACHINE_CPUS);
	sk_jx_set_int(o, "Memory", (int64_t)SK_MACHINE_MEMORY);
	sk_jx_set_int(o, "DiskSize", (int64_t)SK_MACHINE_DISK);
	sk_jx_set(o, "Mounts", sk_jx_array());
	sk_jx_set_bool(o, "Home", true);
	sk_jx_set_bool(o, "SSHAgent", true);
	sk_jx_set_bool(o, "HostCertificates", false);
	sk_jx_set_int(o, "IdleStop", idle_stop);
	sk_jx_set_str(o, "LastUp", "");
	return o;
}

/* A data disk that is there keeps its size, unless another one is asked for. */
static void keep_size(struct sk_cli *cli, const char *name, json_t *machine)
{
	_cleanup_free_ char *data = sk_machine_data(&cli->paths, name);
	struct stat st;

	if (stat(data, &st) == 0)
		sk_jx_set_int(machine, "DiskSize", st.st_size);
}

static int make(struct sk_cli *cli, json_t *machine, struct sk_error *err)
{
	const char *name = sk_jx_get_str(machine, "Name", "");
	uint64_t size = (uint64_t)sk_jx_get_int(machine, "DiskSize", 0);
	_cleanup_free_ char *data = sk_machine_data(&cli->paths, name);
	bool kept = access(data, F_OK) == 0;
	struct sk_machine_plan p;
	int r = sk_machine_plan_init(cli, machine, &p, err);

	if (r == 0)
		r = sk_machine_make_data(&cli->paths, name, size, err);
	if (r == 0) {
		p.plan.machine = machine;
		r = sk_create(&cli->paths, &p.plan, NULL, err);
	}
	if (r < 0 && !kept)
		unlink(data);
	else if (r == 0 && kept)
		fprintf(stderr, "Using the data disk that is there: %s\n", data);
	sk_machine_plan_fini(&p);
	return r;
}

static int check_new(struct sk_cli *cli, const char *name, struct sk_error *err)
{
	_cleanup_container_ struct sk_container c = { 0 };
	struct sk_error ignored = SK_ERROR_INIT;
	int r = sk_machine_check_name(name, err);

	if (r == 0 && sk_machine_find(&cli->paths, name, &c, &ignored) == 0)
		r = sk_error_set(err, EEXIST, "machine \"%s\" already exists", name);
	return r < 0 ? r : sk_machine_check_socket(&cli->paths, name, err);
}

static void print_hints(struct sk_cli *cli, const char *name)
{
	_cleanup_free_ char *socket = sk_machine_socket(&cli->paths, name), *context = sk_machine_context(name);

	printf("Machine \"%s\" started successfully\n\n"
	       "Docker's client talks to it with\n\n\tdocker --context %s ...\n\n"
	       "and other clients, where there is no such context, with\n\n"
	       "\texport DOCKER_HOST='unix://%s'\n\n",
	       name, context, socket);
}

static int cmd_init(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct settings_opts *o = opts;
	_cleanup_free_ char *name = NULL;
	_cleanup_json_ json_t *machine = NULL;
	struct sk_settings settings = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	int r = sk_cli_open(cli, &err);

	if (r == 0) {
		name = sk_machine_arg(cli, argc, argv);
		r = check_new(cli, name, &err);
	}
	if (r == 0)
		r = sk_settings_init(&settings, &err);
	if (r == 0) {
		machine = new_machine(name, settings.machine_idle_stop);
		sk_settings_fini(&settings);
		keep_size(cli, name, machine);
		r = apply(o, machine, &err);
	}
	if (r == 0)
		r = make(cli, machine, &err);
	if (r < 0)
		return sk_cli_fail(&err, 125);
	sk_machine_make_context(cli, name);
	if (!o->now) {
		printf("Machine init complete\nTo start your machine run:\n\n\tskerry machine start%s%s\n\n",
		       argc ? " " : "", argc ? name : "");
		return 0;
	}
	if (sk_machine_start(cli, name, false, &err) < 0)
		return sk_cli_fail(&err, 125);
	print_hints(cli, name);
	return 0;
}

const struct sk_command sk_cmd_machine_init = {
	.name = "init",
	.args = "[OPTIONS] [NAME]",
	.summary = "Make a machine: a VM with a container engine inside",
	.details = "Containers of one machine share its kernel. The docker client of this host talks to its engine.",
	.opts = init_opts,
	.opts_size = sizeof(struct settings_opts),
	.max = 1,
	.run = cmd_init,
};

/* ---- set */

static int cmd_set(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	_cleanup_container_ struct sk_container c = { 0 };
	_cleanup_free_ char *name = NULL;
	struct sk_error err = SK_ERROR_INIT;
	json_t *machine;
	int r = sk_cli_open(cli, &err);

	if (r == 0) {
		name = sk_machine_arg(cli, argc, argv);
		r = sk_machine_find(&cli->paths, name, &c, &err);
	}
	if (r == 0) {
		machine = json_object_get(c.config, "Machine");
		r = apply(opts, machine, &err);
		if (r == 0) /* where it runs, its engine takes the room at the next start */
			r = sk_machine_make_data(&cli->paths, name, (uint64_t)sk_jx_get_int(machine, "DiskSize", 0),
						 &err);
	}
	if (r == 0)
		r = sk_container_save(&cli->paths, c.id, c.config, &err);
	if (r < 0)
		return sk_cli_fail(&err, 125);
	if (sk_container_is_alive(&c))
		sk_cli_warn("machine \"%s\" is %s: the change takes effect at its next start with skerry machine start",
			    name, sk_machine_state(&c));
	return 0;
}

const struct sk_command sk_cmd_machine_set = {
	.name = "set",
	.args = "[OPTIONS] [NAME]",
	.summary = "Change a machine's settings",
	.details = "A running machine takes them at its next start. --mount replaces all that were given before.",
	.opts = set_opts,
	.opts_size = sizeof(struct settings_opts),
	.max = 1,
	.run = cmd_set,
};

/* ---- start, stop, restart */

struct machine_start_opts {
	bool quiet;
};

static const struct sk_opt start_opts[] = {
	SK_OPT_BOOL_("quiet", 'q', offsetof(struct machine_start_opts, quiet), "Print errors only"),
	SK_OPT_END,
};

static int cmd_start(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct machine_start_opts *o = opts;
	_cleanup_free_ char *name = NULL;
	struct sk_error err = SK_ERROR_INIT;
	int r = sk_cli_open(cli, &err);

	if (r == 0) {
		name = sk_machine_arg(cli, argc, argv);
		r = sk_machine_start(cli, name, o->quiet, &err);
	}
	if (r < 0)
		return sk_cli_fail(&err, 125);
	if (!o->quiet)
		print_hints(cli, name);
	return 0;
}

const struct sk_command sk_cmd_machine_start = {
	.name = "start",
	.args = "[OPTIONS] [NAME]",
	.summary = "Start a machine, and wait until its engine answers",
	.opts = start_opts,
	.opts_size = sizeof(struct machine_start_opts),
	.max = 1,
	.run = cmd_start,
};

static int stop_named(struct sk_cli *cli, const char *name, struct sk_error *err)
{
	_cleanup_container_ struct sk_container c = { 0 };
	int r = sk_machine_find(&cli->paths, name, &c, err);

	if (r == 0)
		r = sk_machine_stop(cli, &c, err);
	return r < 0 ? sk_error_wrap(err, "cannot stop machine \"%s\"", name) : 0;
}

static int cmd_stop(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	_cleanup_free_ char *name = NULL;
	struct sk_error err = SK_ERROR_INIT;
	int r = sk_cli_open(cli, &err);

	(void)opts;
	if (r == 0) {
		name = sk_machine_arg(cli, argc, argv);
		r = stop_named(cli, name, &err);
	}
	if (r < 0)
		return sk_cli_fail(&err, 125);
	printf("Machine \"%s\" stopped successfully\n", name);
	return 0;
}

const struct sk_command sk_cmd_machine_stop = {
	.name = "stop",
	.args = "[NAME]",
	.summary = "Stop a machine, its engine and its containers in order",
	.max = 1,
	.run = cmd_stop,
};

static int cmd_restart(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	int code = cmd_stop(cli, NULL, argc, argv);

	return code ? code : cmd_start(cli, opts, argc, argv);
}

const struct sk_command sk_cmd_machine_restart = {
	.name = "restart",
	.args = "[OPTIONS] [NAME]",
	.summary = "Stop a machine and start it again",
	.opts = start_opts,
	.opts_size = sizeof(struct machine_start_opts),
	.max = 1,
	.run = cmd_restart,
};

/* ---- rm, reset */

struct machine_rm_opts {
	bool force, keep_data;
};

static const struct sk_opt rm_opts[] = {
	SK_OPT_BOOL_("force", 'f', offsetof(struct machine_rm_opts, force), "Do not ask, and stop it if it runs"),
	SK_OPT_BOOL_("keep-data", 0, offsetof(struct machine_rm_opts, keep_data),
		     "Keep the data disk: images, containers and volumes of a machine that gets the same name"),
	SK_OPT_END,
};

static int remove_machine(struct sk_cli *cli, const char *name, const struct sk_container *c, bool keep_data,
			  struct sk_error *err)
{
	_cleanup_free_ char *data = sk_machine_data(&cli->paths, name), *dir = sk_xstrdup(data);
	int r = sk_machine_stop(cli, c, err);

	if (r == 0)
		r = sk_remove_container(&cli->paths, c, true, err);
	if (r < 0)
		return r;
	sk_machine_unlink(&cli->paths, name);
	sk_machine_remove_context(name);
	if (keep_data)
		return 0;
	if (unlink(data) < 0 && errno != ENOENT)
		return sk_error_errno(err, errno, "cannot remove %s", data);
	*strrchr(dir, '/') = '\0';
	rmdir(dir);
	return 0;
}

static int cmd_rm(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct machine_rm_opts *o = opts;
	_cleanup_container_ struct sk_container c = { 0 };
	_cleanup_free_ char *name = NULL, *question = NULL;
	struct sk_error err = SK_ERROR_INIT;
	int r = sk_cli_open(cli, &err);

	if (r == 0) {
		name = sk_machine_arg(cli, argc, argv);
		r = sk_machine_find(&cli->paths, name, &c, &err);
	}
	if (r == 0 && strcmp(sk_machine_state(&c), "running") == 0 && !o->force)
		r = sk_error_set(&err, EBUSY,
				 "cannot remove machine \"%s\": it is running: stop it before, or use --force", name);
	if (r < 0)
		return sk_cli_fail(&err, 125);
	question = sk_xasprintf("Machine \"%s\"%s will be removed. Are you sure you want to continue?", name,
				o->keep_data ? "" : " with all images, containers and volumes in it");
	if (!o->force && !sk_cli_confirm(question))
		return 0;
	r = remove_machine(cli, name, &c, o->keep_data, &err);
	return r < 0 ? sk_cli_fail(&err, 125) : 0;
}

const struct sk_command sk_cmd_machine_rm = {
	.name = "rm",
	.args = "[OPTIONS] [NAME]",
	.summary = "Remove a machine",
	.opts = rm_opts,
	.opts_size = sizeof(struct machine_rm_opts),
	.max = 1,
	.run = cmd_rm,
};

static const struct sk_opt reset_opts[] = {
	SK_OPT_BOOL_("force", 'f', offsetof(struct machine_rm_opts, force), "Do not ask"),
	SK_OPT_END,
};

static int cmd_reset(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct machine_rm_opts *o = opts;
	struct sk_containers all = { 0 };
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_free_ char *rest = NULL, *chosen = NULL;
	int r = sk_cli_open(cli, &err), code = 0;
	size_t i;

	(void)argc;
	(void)argv;
	if (r == 0)
		r = sk_machines_load(&cli->paths, &all, &err);
	if (r < 0)
		return sk_cli_fail(&err, 125);
	if (!o->force &&
	    !sk_cli_confirm(
		    "All machines with all images, containers and volumes in them, and kept data disks, will be "
		    "removed. Are you sure you want to continue?"))
		return 0;
	for (i = 0; i < all.n; i++) {
		err = (struct sk_error)SK_ERROR_INIT;
		if (remove_machine(cli, sk_jx_get_str(all.v[i].config, "Machine.Name", ""), &all.v[i], false, &err) < 0)
			code = sk_cli_fail(&err, 125);
	}
	sk_containers_fini(&all);
	if (code)
		return code;
	rest = sk_xasprintf("%s/machines", cli->paths.root);
	r = sk_fs_remove_tree(AT_FDCWD, rest);
	if (r < 0 && r != -ENOENT) {
		sk_error_errno(&err, r, "cannot remove %s", rest);
		return sk_cli_fail(&err, 125);
	}
	chosen = sk_xasprintf("%s/machine-default", cli->paths.root);
	unlink(chosen);
	return 0;
}

const struct sk_command sk_cmd_machine_reset = {
	.name = "reset",
	.args = "[OPTIONS]",
	.summary = "Remove all machines and what they keep",
	.opts = reset_opts,
	.opts_size = sizeof(struct machine_rm_opts),
	.max = 0,
	.run = cmd_reset,
};

/* ---- default */

static int cmd_default(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	_cleanup_container_ struct sk_container c = { 0 };
	_cleanup_free_ char *name = NULL;
	struct sk_error err = SK_ERROR_INIT;
	int r = sk_cli_open(cli, &err);

	(void)opts;
	if (r == 0 && argc) {
		r = sk_machine_find(&cli->paths, argv[0], &c, &err);
		if (r == 0)
			r = sk_machine_set_default(&cli->paths, argv[0], &err);
	}
	if (r < 0)
		return sk_cli_fail(&err, 125);
	name = sk_machine_default(&cli->paths);
	printf("%s\n", name);
	return 0;
}

const struct sk_command sk_cmd_machine_default = {
	.name = "default",
	.args = "[NAME]",
	.summary = "Show or set the machine that commands without a name mean",
	.max = 1,
	.run = cmd_default,
};
