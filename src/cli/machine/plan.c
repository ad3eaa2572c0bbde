/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine as a container: privileged, with a read-only root, the engine image below it, the agent as its first process
 * and the user's directories at their own paths. All that the host may change between two starts is looked at here: the
 * mounts, the configuration's allow-list, proxies, time zone, certificates.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "cli/image/pull.h"
#include "cli/machine/machine.h"
#include "cli/runopts.h"
#include "engine/engine.h"
#include "model/hosts.h"
#include "model/jx.h"
#include "model/machine.h"
#include "model/mounts.h"
#include "model/path.h"
#include "vm/settings.h"
#include "vm/sharer.h"
#include "vm/vm.h"

#define CERTIFICATES "/etc/ssl/certs/ca-certificates.crt"
#define REGISTRY_CERTIFICATES "/etc/docker/certs.d"
#define STOP_SECONDS 60

/* Where the machine's own system is; below some of them nothing of the host's can be either. */
static const char *const own_places[] = { "/",
					  "/bin",
					  "/boot",
					  "/dev",
					  "/etc",
					  "/lib",
					  "/lib32",
					  "/lib64",
					  "/proc",
					  "/run",
					  "/sbin",
					  "/sys",
					  "/usr",
					  "/var",
					  "/var/lib",
					  "/var/lib/docker",
					  "/var/lib/containers",
					  "/var/lib/containerd" };
static const char *const own_trees[] = { "/dev/", "/proc/", "/sys/", "/var/lib/docker/", "/run/docker/" };

static bool is_own(const char *target)
{
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(own_places); i++)
		if (strcmp(target, own_places[i]) == 0)
			return true;
	for (i = 0; i < SK_ARRAY_SIZE(own_trees); i++)
		if (strncmp(target, own_trees[i], strlen(own_trees[i])) == 0)
			return true;
	return false;
}

/* "/path[:/path][:ro|rw]" → the path on the host, the one in the machine, read-only. */
static int split(const char *spec, char **ret_source, char **ret_target, bool *ret_readonly, struct sk_error *err)
{
	_cleanup_strv_ struct sk_strv parts = { 0 };
	size_t n;
	int r = 0;

	sk_strv_split(&parts, spec, ':');
	n = parts.n;
	*ret_readonly = n > 1 && strcmp(parts.v[n - 1], "ro") == 0;
	if (n > 1 && (*ret_readonly || strcmp(parts.v[n - 1], "rw") == 0))
		n--;
	if (n < 1 || n > 2 || parts.v[0][0] != '/' || parts.v[n - 1][0] != '/')
		r = sk_error_set(err, EINVAL, "invalid mount \"%.200s\": use /path[:/path in the machine][:ro]", spec);
	else if (strstr(spec, "/../") || (strlen(spec) > 3 && strcmp(spec + strlen(spec) - 3, "/..") == 0))
		r = sk_error_set(err, EINVAL, "invalid mount \"%.200s\": \"..\" is not allowed", spec);
	if (r < 0)
		return r;
	*ret_source = sk_model_path_clean(parts.v[0]);
	*ret_target = sk_model_path_clean(parts.v[n - 1]);
	return 0;
}

int sk_machine_check_mount(const char *spec, bool must_exist, struct sk_error *err)
{
	_cleanup_free_ char *source = NULL, *target = NULL;
	bool readonly;
	int r = split(spec, &source, &target, &readonly, err);

	if (r < 0)
		return r;
	if (strcmp(target, "/") == 0)
		return sk_error_set(err, EINVAL,
				    "invalid mount \"%.200s\": the machine has a root of its own; name directories, or "
				    "share all of the host's with \"machine_mounts\": [\"/\"] in the configuration",
				    spec);
	if (is_own(target))
		return sk_error_set(
			err, EINVAL,
			"invalid mount \"%.200s\": %s is the machine's own; give another path in the machine "
			"(/path:/path in the machine)",
			spec, target);
	if (must_exist && access(source, F_OK) < 0)
		return sk_error_errno(err, errno, "cannot share %s with a machine", source);
	return 0;
}

/* As -v takes it; what is shared already at that path stays. */
static void add_mount(struct sk_run_opts *o, const char *source, const char *target, bool readonly)
{
	_cleanup_free_ char *at = sk_xasprintf(":%s:", target), *real = realpath(source, NULL);
	struct sk_error ignored = SK_ERROR_INIT;
	struct sk_mount probe = { .path = real, .propagation = (char *)(uintptr_t) "rslave" };
	size_t i;

	for (i = 0; i < o->volume.n; i++)
		if (strstr(o->volume.v[i], at))
			return;
	/* What the host mounts below it later is seen, where the host lets it be seen. */
	sk_strv_take(&o->volume,
		     sk_xasprintf("%s:%s:%s%s", source, target, readonly ? "ro" : "rw",
				  real && sk_mount_check_propagation(&probe, &ignored) == 0 ? ",rslave" : ""));
}

/*
 * What the allow-list names and the host does not have now, the machine asks for when somebody looks for it. It has to
 * lie in a directory that is not the machine's own; elsewhere it is seen from the next start on.
 */
static int add_later(struct sk_machine_plan *p, const char *source, const char *target, bool readonly,
		     struct sk_error *err)
{
	_cleanup_free_ char *parent = sk_xstrdup(target);
	json_t *o;

	*strrchr(parent, '/') = '\0';
	if (is_own(*parent ? parent : "/"))
		return 0;
	if (json_array_size(p->later) >= SK_VM_LATER_MAX)
		return sk_error_set(err, E2BIG, "more than %u directories that the host does not have",
				    SK_VM_LATER_MAX);
	o = sk_jx_object();
	sk_jx_set_str(o, "path", source);
	sk_jx_set_str(o, "target", target);
	sk_jx_set_bool(o, "readonly", readonly);
	sk_jx_push(p->later, o);
	sk_strv_add(&p->args, "--later");
	sk_strv_add(&p->args, target);
	return 0;
}

static int add_spec(struct sk_machine_plan *p, const char *spec, bool must_exist, struct sk_error *err)
{
	_cleanup_free_ char *source = NULL, *target = NULL;
	bool readonly;
	int r = sk_machine_check_mount(spec, must_exist, err);

	if (r == 0)
		r = split(spec, &source, &target, &readonly, err);
	if (r < 0)
		return r;
	if (access(source, F_OK) == 0) {
		add_mount(&p->opts, source, target, readonly);
		return 0;
	}
	if (errno == ENAMETOOLONG) /* which is not a matter of what is there today */
		return sk_error_errno(err, errno, "invalid mount \"%.200s\"", spec);
	return add_later(p, source, target, readonly, err);
}

/* "/" in the allow-list: all that is the host's own and not the machine's. */
static int add_everything(struct sk_run_opts *o, bool readonly, struct sk_error *err)
{
	_cleanup_closedir_ DIR *dir = opendir("/");
	struct dirent *de;

	if (!dir)
		return sk_error_errno(err, errno, "cannot read /");
	while ((de = readdir(dir))) {
		_cleanup_free_ char *path = sk_xasprintf("/%s", de->d_name);
		struct stat st;

		if (de->d_name[0] != '.' && !is_own(path) && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
			add_mount(o, path, path, readonly);
	}
	return 0;
}

/* "/", "/:ro", "/:rw" */
static bool is_everything(const char *spec, bool *ret_readonly)
{
	*ret_readonly = strcmp(spec, "/:ro") == 0;
	return *ret_readonly || strcmp(spec, "/") == 0 || strcmp(spec, "/:rw") == 0;
}

static int add_mounts(const json_t *machine, const struct sk_settings *settings, struct sk_machine_plan *p,
		      struct sk_error *err)
{
	struct sk_run_opts *o = &p->opts;
	const char *home = getenv("HOME");
	bool readonly;
	json_t *v;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(machine, "Mounts"), i, v) if (r == 0) r =
		add_spec(p, json_string_value(v), true, err);
	if (r == 0 && sk_jx_get_bool(machine, "Home", true) && home && *home == '/' && !is_own(home) &&
	    access(home, F_OK) == 0) {
		_cleanup_free_ char *real = realpath(home, NULL), *clean = sk_model_path_clean(home);

		add_mount(o, clean, clean, false);
		if (real && strcmp(real, clean) != 0 && !is_own(real))
			add_mount(o, real, real, false);
	}
	if (r < 0)
		return r;
	json_array_foreach(settings->machine_mounts, i, v)
	{
		r = is_everything(json_string_value(v), &readonly) ? add_everything(o, readonly, err)
								   : add_spec(p, json_string_value(v), false, err);
		if (r < 0)
			return sk_error_wrap(err, "\"machine_mounts\" of the configuration");
	}
	if (sk_jx_get_bool(machine, "HostCertificates", false)) {
		if (access(CERTIFICATES, R_OK) == 0)
			add_mount(o, CERTIFICATES, CERTIFICATES, true);
		if (access(REGISTRY_CERTIFICATES, R_OK) == 0)
			add_mount(o, REGISTRY_CERTIFICATES, REGISTRY_CERTIFICATES, true);
	}
	return 0;
}

static void add_time_zone(struct sk_run_opts *o)
{
	_cleanup_free_ char *zone = sk_machine_time_zone(getenv("TZ"), "/usr/share/zoneinfo", "/etc/localtime");

	if (zone)
		sk_strv_take(&o->env, sk_xasprintf("TZ=%s", zone));
}

static void add_proxies(struct sk_run_opts *o)
{
	static const char *const names[] = { "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
					     "http_proxy", "https_proxy", "no_proxy", "all_proxy" };
	size_t i;

	for (i = 0; i < SK_ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			sk_strv_take(&o->env, sk_xasprintf("%s=%s", names[i], value));
	}
}

/* The engine image that Skerry brings is loaded when it is needed, and again when another version has been installed. */
static int load_own_image(struct sk_cli *cli, struct sk_error *err)
{
	_cleanup_free_ char *stamp = sk_xasprintf("%s/machine-image", cli->paths.root), *text = NULL, *now = NULL;
	_cleanup_json_ json_t *refs = NULL;
	struct sk_image *image = NULL;
	struct sk_error ignored = SK_ERROR_INIT;
	struct sk_progress progress;
	struct sk_store *store;
	struct sk_bars bars;
	char path[512];
	struct stat st;
	int r = sk_cli_store(cli, &store, err);

	if (r == 0)
		r = sk_guest_part(SK_GUEST_ENGINE_IMAGE, path, sizeof(path), err);
	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return sk_error_errno(err, errno, "cannot read %s", path);
	now = sk_xasprintf("%s %lld %lld.%09ld\n", path, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
			   st.st_mtim.tv_nsec);
	if (sk_fs_read(AT_FDCWD, stamp, 4096, &text, NULL) == 0 && strcmp(text, now) == 0 &&
	    sk_store_find(store, SK_MACHINE_IMAGE, &image, &ignored) == 0) {
		sk_image_free(image);
		return 0;
	}
	fprintf(stderr, "Loading the engine image\n");
	sk_bars_init(&bars, stderr, !isatty(STDERR_FILENO), &progress);
	sk_pull_cancel_on_signals(store);
	r = sk_store_load(store, path, &progress, &refs, err);
	if (r < 0)
		return sk_error_wrap(err, "cannot load the engine image %s", path);
	sk_bars_finish(&bars);
	(void)sk_fs_write_atomic(AT_FDCWD, stamp, now, strlen(now), 0600, false);
	return 0;
}

static int find_image(struct sk_cli *cli, const char *ref, struct sk_machine_plan *p, struct sk_error *err)
{
	if (strcmp(ref, SK_MACHINE_IMAGE) == 0) {
		int r = load_own_image(cli, err);

		if (r < 0)
			return r;
		p->opts.pull = "never";
	}
	return sk_create_find_image(cli, &p->opts, ref, &p->image, err);
}

int sk_machine_plan_init(struct sk_cli *cli, const json_t *machine, struct sk_machine_plan *p, struct sk_error *err)
{
	static const char data[] = "serial:" SK_MACHINE_SERIAL;
	const char *const args[] = { "--data", data, "--host-gateway-ip", SK_NET_GATEWAY, "--idle-stop" };
	const char *name = sk_jx_get_str(machine, "Name", ""), *ref = sk_jx_get_str(machine, "Image", "");
	struct sk_run_opts *o = &p->opts;
	struct sk_settings settings;
	size_t i;
	int r;

	*p = (struct sk_machine_plan){ 0 };
	sk_run_opts_defaults(o);
	p->later = sk_jx_array();
	for (i = 0; i < SK_ARRAY_SIZE(args); i++)
		sk_strv_add(&p->args, args[i]);
	sk_strv_take(&p->args, sk_xasprintf("%lld", (long long)sk_jx_get_int(machine, "IdleStop", 0)));
	p->name = sk_xasprintf("skerry-machine-%s", name);
	o->name = p->name;
	o->hostname = name;
	o->privileged = o->read_only = true;
	o->entrypoint = "/sbin/skerry-machine";
	o->user = "0";
	o->workdir = "/";
	o->stop_signal = "SIGTERM";
	o->stop_timeout = STOP_SECONDS;
	o->engine = sk_jx_get_str(machine, "Engine", NULL);
	o->default_memory = (uint64_t)sk_jx_get_int(machine, "Memory", (int64_t)SK_MACHINE_MEMORY);
	o->default_cpus = (unsigned)sk_jx_get_int(machine, "CPUs", SK_MACHINE_CPUS);
	sk_strv_add(&o->tmpfs, "/run:mode=0755,exec,size=256m");
	/* dockerd 28 listens by itself, in the machine, on addresses that are the host's. */
	sk_strv_add(&o->sysctl, "net.ipv4.ip_nonlocal_bind=1");
	sk_strv_add(&o->sysctl, "net.ipv6.ip_nonlocal_bind=1");
	sk_strv_add(&o->dns, SK_NET_DNS); /* which answers with the host's own resolver, as it is then */
	sk_strv_add(&o->log_opt, "max-size=10m");
	sk_strv_add(&o->log_opt, "max-file=3");
	add_proxies(o);
	add_time_zone(o);
	r = sk_settings_init(&settings, err);
	if (r < 0)
		return r;
	r = add_mounts(machine, &settings, p, err);
	sk_settings_fini(&settings);
	if (r == 0)
		r = find_image(cli, ref, p, err);
	return r < 0 ? r : sk_plan_init(&p->plan, o, p->image, ref, p->args.v, (int)p->args.n, err);
}

void sk_machine_plan_fini(struct sk_machine_plan *p)
{
	sk_plan_fini(&p->plan);
	sk_image_free(p->image);
	sk_strv_fini(&p->opts.volume);
	sk_strv_fini(&p->opts.tmpfs);
	sk_strv_fini(&p->opts.log_opt);
	sk_strv_fini(&p->opts.dns);
	sk_strv_fini(&p->opts.sysctl);
	sk_strv_fini(&p->opts.env);
	sk_strv_fini(&p->args);
	json_decref(p->later);
	free(p->name);
	*p = (struct sk_machine_plan){ 0 };
}
