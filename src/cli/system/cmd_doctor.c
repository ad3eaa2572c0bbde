/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: what works on this machine, what does not, and what to do about it. */
#include <errno.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "cli/commands.h"
#include "cli/system/doctor_export.h"
#include "cli/system/engines.h"
#include "engine/engine.h"
#include "model/jx.h"
#include "cli/print/list.h"
#include "model/units.h"
#include "model/xmem.h"

#define SK_LOW_MEMORY (512ll << 20)
#define SK_LOW_DISK (1ll << 30)

struct doctor_opts {
	const char *format, *export;
	bool again;
};

static const struct sk_opt doctor_opts[] = {
	SK_OPT_BOOL_("again", 0, offsetof(struct doctor_opts, again),
		     "Try hardware virtualization again, whatever was found out before"),
	SK_OPT_STR_("export", 0, offsetof(struct doctor_opts, export), "path",
		    "Only say what the file system of this directory does, and how a share of it works"),
	SK_OPT_STR_("format", 'f', offsetof(struct doctor_opts, format), "string",
		    "Format output using a custom template: 'json', or 'TEMPLATE' in Go's template language"),
	SK_OPT_END,
};

/* "ok", "note" (something is not as good as it could be) or "bad" (something does not work). */
static void add_check(json_t *checks, const char *name, const char *state, const char *text)
{
	json_t *o = sk_jx_object();

	sk_jx_set_str(o, "Name", name);
	sk_jx_set_str(o, "State", state);
	sk_jx_set_str(o, "Text", text);
	sk_jx_push(checks, o);
}

static void check_confinement(json_t *checks)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (sk_engine_namespaces())
		add_check(checks, "namespaces", "ok", "guests run with nothing of the host in sight");
	else
		add_check(checks, "namespaces", "bad",
			  "not to be had, and guests do not run without: allow them with sysctl "
			  "user.max_user_namespaces, kernel.unprivileged_userns_clone (Debian) or an AppArmor profile "
			  "(Ubuntu: /usr/share/doc/skerry/apparmor); or \"sandbox\": \"landlock\" in the configuration "
			  "for less confinement");
	if (abi >= 2)
		add_check(checks, "Landlock", "ok",
			  "the monitor, the file server and engines reach their own files only");
	else
		add_check(checks, "Landlock", "note",
			  "not to be had (Linux 5.19, with lsm=landlock,… on the kernel's command line): the monitor "
			  "is confined less, and engines have one wall less");
}

/* Which way of "uml_isolation" is in force and why, and whether the other one would do. */
static void check_uml_isolation(const json_t *engines, json_t *checks)
{
	const char *problem = sk_jx_get_str(engines, "UmlInPlaceProblem", ""),
		   *setting = sk_jx_get_str(engines, "UmlIsolationSetting", "");
	bool in_place = strcmp(sk_jx_get_str(engines, "UmlIsolation", ""), "in-place") == 0,
	     chosen = strcmp(setting, "auto") == 0;
	char text[SK_ERROR_MAX + 128];

	if (!*setting)
		return; /* no settings */
	if (*problem && in_place)
		snprintf(text, sizeof(text), "%s: say \"auto\" in the configuration", problem);
	else if (*problem)
		snprintf(text, sizeof(text), "%s\"separate\": %s", chosen ? "auto, " : "", problem);
	else if (in_place)
		snprintf(text, sizeof(text),
			 "%s\"in-place\": a guest of the engine uml has its kernel in the processes of its programs",
			 chosen ? "auto, " : "");
	else
		snprintf(text, sizeof(text), "\"separate\"; \"in-place\" works here, too, and is faster: skerry(1)");
	add_check(checks, "uml_isolation", *problem && in_place ? "bad" : "ok", text);
}

static bool has_program(const char *name)
{
	_cleanup_free_ char *path = sk_find_program(name);

	return path != NULL;
}

static void check_programs(json_t *checks)
{
	if (has_program("mkfs.ext4"))
		add_check(checks, "mkfs.ext4", "ok", "makes the disks of containers");
	else
		add_check(checks, "mkfs.ext4", "bad",
			  "missing, and containers cannot be made without: install e2fsprogs (apt install e2fsprogs)");
	if (has_program("skopeo"))
		add_check(checks, "skopeo", "ok", "pulls images");
	else
		add_check(checks, "skopeo", "note",
			  "missing: images cannot be pulled, only loaded and imported; apt install skopeo");
}

static void check_machines(json_t *checks)
{
	struct sk_error err = SK_ERROR_INIT;
	char path[512];

	if (sk_guest_part(SK_GUEST_ENGINE_IMAGE, path, sizeof(path), &err) < 0)
		add_check(checks, "engine image", "note",
			  "missing: `skerry machine` works with an image of your own only (--image); install the "
			  "package skerry-engine, or `make engine`");
	else
		add_check(checks, "engine image", "ok", "machines can be made (skerry machine init)");
	if (has_program("docker"))
		add_check(checks, "docker", "ok", "the client for machines");
	else
		add_check(checks, "docker", "note",
			  "no docker client: machines have nobody to talk to; apt install docker-cli (or docker.io)");
}

static int64_t available_memory(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/meminfo", "re");
	char line[256];
	long long kib;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lld kB", &kib) == 1)
			return kib * 1024;
	return -1;
}

static void check_room(const struct sk_cli *cli, json_t *checks)
{
	int64_t memory = available_memory(), disk;
	char text[512], size[32];
	struct statvfs st;

	sk_format_memory((double)memory, size);
	snprintf(text, sizeof(text),
		 memory < SK_LOW_MEMORY ? "only %s are available: guests may be killed" : "%s are available", size);
	if (memory >= 0)
		add_check(checks, "memory", memory < SK_LOW_MEMORY ? "note" : "ok", text);
	if (statvfs(cli->paths.root, &st) < 0)
		return;
	disk = (int64_t)st.f_bavail * (int64_t)st.f_frsize;
	sk_format_size((double)disk, 3, size);
	snprintf(text, sizeof(text),
		 disk < SK_LOW_DISK ? "only %s are free at %s: `skerry system prune` makes room" : "%s are free at %s",
		 size, cli->paths.root);
	add_check(checks, "disk", disk < SK_LOW_DISK ? "note" : "ok", text);
}

static void print_engines(const json_t *o)
{
	const json_t *list = json_object_get(o, "Engines");
	const char *setting = sk_jx_get_str(o, "Setting", ""), *from = sk_jx_get_str(o, "SettingFrom", "");
	size_t i;

	printf("Engine: %s\n", *sk_jx_get_str(o, "Engine", "") ? sk_jx_get_str(o, "Engine", "") : "none");
	if (strcmp(setting, "auto") == 0)
		printf("  the first that works of kvm, uml and tcg%s%s\n",
		       strcmp(from, "default") ? ", as set by " : "", strcmp(from, "default") ? from : "");
	else if (*setting)
		printf("  as set by %s\n", from);
	if (*sk_jx_get_str(o, "Error", ""))
		printf("  %s\n", sk_jx_get_str(o, "Error", ""));
	for (i = 0; i < json_array_size(list); i++) {
		const json_t *e = json_array_get(list, i);
		bool works = sk_jx_get_bool(e, "Works", false);

		printf("\n%-4s %s\n", works ? "ok" : "no", sk_jx_get_str(e, "Name", ""));
		printf("     %s\n", sk_jx_get_str(e, works ? "Isolation" : "Problem", ""));
		if (works && *sk_jx_get_str(e, "Program", ""))
			printf("     %s\n", sk_jx_get_str(e, "Program", ""));
	}
}

static void print_checks(const json_t *checks)
{
	size_t i;

	putchar('\n');
	for (i = 0; i < json_array_size(checks); i++) {
		const json_t *c = json_array_get(checks, i);

		printf("%-4s %s: %s\n", sk_jx_get_str(c, "State", ""), sk_jx_get_str(c, "Name", ""),
		       sk_jx_get_str(c, "Text", ""));
	}
}

static bool all_well(const json_t *o)
{
	const json_t *checks = json_object_get(o, "Checks");
	size_t i;

	for (i = 0; i < json_array_size(checks); i++)
		if (strcmp(sk_jx_get_str(json_array_get(checks, i), "State", ""), "bad") == 0)
			return false;
	return *sk_jx_get_str(o, "Engine", "") != '\0';
}

/* Needs neither containers nor engines. */
static int show_export(const struct doctor_opts *o)
{
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_json_ json_t *all = sk_doctor_export(o->export, &err);

	if (!all || (o->format && sk_format_one(o->format, all, stdout, &err) < 0))
		return sk_cli_fail(&err, 1);
	if (!o->format) {
		printf("%s\n     %s\n", sk_jx_get_str(all, "Path", ""), sk_jx_get_str(all, "Text", ""));
		print_checks(json_object_get(all, "Checks"));
	}
	return 0;
}

static int cmd_doctor(struct sk_cli *cli, void *opts, int argc, char **argv)
{
	const struct doctor_opts *o = opts;
	struct sk_error err = SK_ERROR_INIT;
	_cleanup_json_ json_t *all = NULL;
	json_t *checks;

	(void)argc;
	(void)argv;
	if (sk_format_check(o->format, &err) < 0)
		return sk_cli_fail(&err, SK_EXIT_TEMPLATE);
	if (o->export)
		return show_export(o);
	if (sk_cli_open(cli, &err) < 0)
		return sk_cli_fail(&err, 1);
	all = sk_engines_json(o->again);
	checks = sk_jx_array();
	check_confinement(checks);
	check_uml_isolation(all, checks);
	check_programs(checks);
	check_machines(checks);
	check_room(cli, checks);
	sk_jx_set(all, "Checks", checks);
	if (o->format) {
		if (sk_format_one(o->format, all, stdout, &err) < 0)
			return sk_cli_fail(&err, 1);
	} else {
		print_engines(all);
		print_checks(checks);
	}
	return all_well(all) ? 0 : 1;
}

const struct sk_command sk_cmd_doctor = {
	.name = "doctor",
	.args = "[OPTIONS]",
	.summary = "Show what works on this machine, and what to do about what does not",
	.opts = doctor_opts,
	.opts_size = sizeof(struct doctor_opts),
	.max = 0,
	.run = cmd_doctor,
};
