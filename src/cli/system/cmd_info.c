/* SPDX-License-Identifier: Apache-2.0 */
/* info and version. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "model/container.h"
#include "cli/system/engines.h"
#include "model/jx.h"
#include "model/machine.h"
#include "cli/print/list.h"
#include "model/plan.h"
#include "model/units.h"
#include "image/manifest.h"
#include "skerry_config.h"
#include "vm/settings.h"

struct info_opts {
	const char *format;
};

static const struct sk_opt info_opts[] = {
	SK_OPT_STR_("format", 'f', offsetof(struct info_opts, format), "string",
		    "Format output using a custom template: 'json', or 'TEMPLATE' in Go's template language"),
	SK_OPT_END,
};

/* The engine that containers get, and its guest parts; "Error" names a missing one. */
static void add_engine(json_t *o)
{
	json_t *all = sk_engines_json(false);
	const json_t *e = sk_engines_chosen(all);

	sk_jx_set_str(o, "Engine", sk_jx_get_str(all, "Engine", ""));
	sk_jx_set_str(o, "EngineSetting", sk_jx_get_str(all, "Setting", ""));
	sk_jx_set_str(o, "EngineSettingFrom", sk_jx_get_str(all, "SettingFrom", ""));
	if (*sk_jx_get_str(all, "Error", ""))
		sk_jx_set_str(o, "Error", sk_jx_get_str(all, "Error", ""));
	sk_jx_set_str(o, "Isolation", sk_jx_get_str(e, "Isolation", ""));
	sk_jx_set_str(o, "UmlIsolation", sk_jx_get_str(all, "UmlIsolation", ""));
	sk_jx_set_str(o, "UmlIsolationSetting", sk_jx_get_str(all, "UmlIsolationSetting", ""));
	sk_jx_set_str(o, "UmlInPlaceProblem", sk_jx_get_str(all, "UmlInPlaceProblem", ""));
	sk_jx_set_str(o, "EngineProgram", sk_jx_get_str(e, "Program", ""));
	sk_jx_set_str(o, "GuestKernelVersion", sk_jx_get_str(e, "KernelVersion", ""));
	sk_jx_set_str(o, "GuestKernelPath", sk_jx_get_str(e, "KernelPath", ""));
	sk_jx_set_int(o, "GuestKernelSize", sk_jx_get_int(e, "KernelSize", 0));
	sk_jx_set_int(o, "GuestInitramfsSize", sk_jx_get_int(e, "InitramfsSize", 0));
	sk_jx_set(o, "Engines", sk_jx(json_incref(json_object_get(all, "Engines"))));
	json_decref(all);
}

static void print_uml_isolation(const json_t *o)
{
	const char *problem = sk_jx_get_str(o, "UmlInPlaceProblem", "");

	printf(" UML Isolation: %s", sk_jx_get_str(o, "UmlIsolation", ""));
	if (strcmp(sk_jx_get_str(o, "UmlIsolationSetting", ""), "auto") == 0)
		printf(*problem ? " (auto: %s)" : " (auto)%s", problem);
	printf("\n");
}

/* Explains why no engine with better isolation is used. */
static void print_engine_choice(const json_t *o)
{
	const json_t *list = json_object_get(o, "Engines");
	bool any = strcmp(sk_jx_get_str(o, "EngineSetting", ""), "auto") == 0;
	size_t i;

	if (!any)
		printf(" Set By: %s\n", sk_jx_get_str(o, "EngineSettingFrom", ""));
	for (i = 0; any && i < json_array_size(list); i++) {
		const json_t *e = json_array_get(list, i);

		if (sk_jx_get_bool(e, "Chosen", false))
			break;
		printf(" Not %s: %s\n", sk_jx_get_str(e, "Name", ""), sk_jx_get_str(e, "Problem", ""));
	}
	if (*sk_jx_get_str(o, "EngineProgram", ""))
		printf(" Program: %s\n", sk_jx_get_str(o, "EngineProgram", ""));
}

static void add_host(json_t *o)
{
	struct sk_error ignored = SK_ERROR_INIT;
	struct sk_settings settings;
	struct utsname u;

	if (uname(&u) == 0) {
		sk_jx_set_str(o, "KernelVersion", u.release);
		sk_jx_set_str(o, "OSType", "linux");
		sk_jx_set_str(o, "Architecture", u.machine);
		sk_jx_set_str(o, "Name", u.nodename);
	}
	if (sk_settings_init(&settings, &ignored) == 0) {
		sk_jx_set_int(o, "DefaultMemory", (int64_t)sk_plan_vm_memory(0, settings.default_memory));
		sk_jx_set_int(o, "DefaultCPUs", sk_plan_vm_cpus(0, settings.default_cpus));
		sk_settings_fini(&settings);
	}
	sk_jx_set_int(o, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
	sk_jx_set_int(o, "MemTotal", (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
}

/* Which mode: docs/modes.md. */
static int add_machines(const struct sk_paths *paths, json_t *o, struct sk_error *err)
{
	struct sk_containers machines = { 0 };
	int64_t running = 0;
	size_t i;
	int r = sk_machines_load(paths, &machines, err);

	if (r < 0)
		return r;
	for (i = 0; i < machines.n; i++)
		running += strcmp(sk_machine_state(&machines.v[i]), "running") == 0;
	sk_jx_set_str(o, "Mode", "isolated");
	sk_jx_set_int(o, "Machines", (int64_t)machines.n);
	sk_jx_set_int(o, "MachinesRunning", running);
	sk_containers_fini(&machines);
	return 0;
}

static int make_info(struct sk_cli *cli, json_t **ret, struct sk_error *err)
{
	struct sk_containers all = { 0 };
	_cleanup_json_ json_t *images = NULL;
	int64_t running = 0, paused = 0;
	struct sk_store *store;
	json_t *o;
	size_t i;
	int r = sk_cli_store(cli, &store, err);

	if (r == 0)
		r = sk_containers_load(&cli->paths, &all, err);
	if (r == 0)
		r = sk_store_list(store, &images, err);
	if (r < 0)
		return r;
	for (i = 0; i < all.n; i++) {
		paused += strcmp(sk_container_status(&all.v[i]), "paused") == 0;
		running += strcmp(sk_container_status(&all.v[i]), "running") == 0;
	}
	o = sk_jx_object();
	sk_jx_set_int(o, "Containers", (int64_t)all.n);
	sk_jx_set_int(o, "ContainersRunning", running);
	sk_jx_set_int(o, "ContainersPaused", paused);
	sk_jx_set_int(o, "ContainersStopped", (int64_t)all.n - running - paused);
	sk_jx_set_int(o, "Images", (int64_t)json_array_size(images));
	sk_jx_set_str(o, "ServerVersion", SK_VERSION);
	r = add_machines(&cli->paths, o, err);
	add_engine(o);
	add_host(o);
	sk_jx_set_str(o, "SkerryRootDir", cli->paths.root);
	sk_jx_set_str(o, "SkerryRunDir", cli->paths.run);
	sk_jx_set_bool(o, "Rootless", geteuid() != 0);
	sk_containers_fini(&all);
	*ret = o;
	return r;
}

static void print_info(const json_t *o)
{
	char a[32], b[32], c[32];
	int64_t kernel = sk_jx_get_int(o, "GuestKernelSize", 0), initramfs = sk_jx_get_int(o, "GuestInitramfsSize", 0);

	printf("Containers: %lld\n Running: %lld\n Paused: %lld\n Stopped: %lld\nImages: %lld\n",
	       (long long)sk_jx_get_int(o, "Containers", 0), (long long)sk_jx_get_int(o, "ContainersRunning", 0),
	       (long long)sk_jx_get_int(o, "ContainersPaused", 0), (long long)sk_jx_get_int(o, "ContainersStopped", 0),
	       (long long)sk_jx_get_int(o, "Images", 0));
	printf("Mode: isolated (a VM for each container)\n");
	printf("Machines: %lld (shared mode: one VM with a container engine; skerry machine ls)\n Running: %lld\n",
	       (long long)sk_jx_get_int(o, "Machines", 0), (long long)sk_jx_get_int(o, "MachinesRunning", 0));
	printf("Version: %s\nEngine: %s\n Isolation: %s\n", SK_VERSION,
	       *sk_jx_get_str(o, "Engine", "") ? sk_jx_get_str(o, "Engine", "") : "none",
	       sk_jx_get_str(o, "Isolation", ""));
	if (strcmp(sk_jx_get_str(o, "Engine", ""), "uml") == 0)
		print_uml_isolation(o);
	print_engine_choice(o);
	printf("Guest Kernel: %s\n Path: %s\n", sk_jx_get_str(o, "GuestKernelVersion", ""),
	       sk_jx_get_str(o, "GuestKernelPath", ""));
	printf(" Size: %s (kernel %s, initramfs %s)\n", sk_format_size((double)(kernel + initramfs), 3, a),
	       sk_format_size((double)kernel, 3, b), sk_format_size((double)initramfs, 3, c));
	printf("Host Kernel: %s\nArchitecture: %s\nCPUs: %lld\nTotal Memory: %s\nName: %s\n",
	       sk_jx_get_str(o, "KernelVersion", ""), sk_jx_get_str(o, "Architecture", ""),
	       (long long)sk_jx_get_int(o, "NCPU", 0), sk_format_memory((double)sk_jx_get_int(o, "MemTotal", 0), a),
	       sk_jx_get_str(o, "Name", ""));
	printf("Container Default: %lld CPUs, %s of memory (--cpus, -m; \"cpus\", \"memory\" of the configuration)\n",
	       (long long)sk_jx_get_int(o, "DefaultCPUs", 0),
	       sk_format_memory((double)sk_jx_get_int(o, "DefaultMemory", 0), a));
	printf("Root Dir: %s\nRun Dir: %s\nRootless: %s\n", sk_jx_get_str(o, "SkerryRootDir", ""),
	       sk_jx_get_str(o, "SkerryRunDir", ""), sk_jx_get_bool(o, "Rootless", false) ? "true" : "false");
	if (*sk_jx_get_str(o, "Error", ""))
		printf("Error: %s\n", sk_jx_get_str(o, "Error", ""));
}

static int cmd_info(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct info_opts *o = opts;
	_cleanup_json_ json_t *info = NULL;
	struct sk_error err = SK_ERROR_INIT;

	(void)argc;
	(void)argv;
	if (sk_format_check(o->format, &err) < 0)
		return sk_cli_fail(&err, SK_EXIT_TEMPLATE);
	if (make_info(cli, &info, &err) < 0)
		return sk_cli_fail(&err, 1);
	if (!o->format)
		print_info(info);
	else if (sk_format_one(o->format, info, stdout, &err) < 0)
		return sk_cli_fail(&err, 1);
	return 0;
}

const struct sk_command sk_cmd_info = {
	.name = "info",
	.args = "[OPTIONS]",
	.summary = "Display system-wide information",
	.aliases = "skerry system info, skerry info",
	.opts = info_opts,
	.opts_size = sizeof(struct info_opts),
	.max = 0,
	.run = cmd_info,
};

/* ---- version */

static const char *host_os(void)
{
	struct utsname u;

	return uname(&u) == 0 && strcmp(u.sysname, "Windows") == 0 ? "windows" : "linux";
}

static int cmd_version(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct info_opts *o = opts;
	_cleanup_json_ json_t *version = sk_jx_object();
	json_t *client = sk_jx_object(), *guest = sk_jx_object();
	struct sk_error err = SK_ERROR_INIT;

	(void)cli;
	(void)argc;
	(void)argv;
	sk_jx_set(version, "Client", client);
	sk_jx_set(version, "Guest", guest);
	if (sk_format_check(o->format, &err) < 0)
		return sk_cli_fail(&err, SK_EXIT_TEMPLATE);
	add_engine(guest);
	sk_jx_set_str(client, "Version", SK_VERSION);
	sk_jx_set_str(client, "Os", host_os());
	sk_jx_set_str(client, "Arch", strchr(sk_platform_host(), '/') + 1);
	if (o->format)
		return sk_format_one(o->format, version, stdout, &err) < 0 ? sk_cli_fail(&err, 1) : 0;
	printf("Skerry\n Version:         %s\n OS/Arch:         %s/%s\n", SK_VERSION, host_os(),
	       sk_jx_get_str(client, "Arch", ""));
	printf("\nGuest\n Engine:          %s\n Kernel:          %s\n", sk_jx_get_str(guest, "Engine", "none"),
	       sk_jx_get_str(guest, "GuestKernelVersion", ""));
	if (*sk_jx_get_str(guest, "Error", ""))
		printf(" Error:           %s\n", sk_jx_get_str(guest, "Error", ""));
	return 0;
}

const struct sk_command sk_cmd_version = {
	.name = "version",
	.args = "[OPTIONS]",
	.summary = "Show the Skerry version information",
	.opts = info_opts,
	.opts_size = sizeof(struct info_opts),
	.max = 0,
	.run = cmd_version,
};
