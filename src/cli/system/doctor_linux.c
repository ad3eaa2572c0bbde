/* SPDX-License-Identifier: Apache-2.0 */
/* doctor's checks of a Linux host. */
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "cli/system/doctor.h"
#include "engine/engine.h"
#include "model/jx.h"

static void check_confinement(json_t *checks)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (sk_engine_namespaces())
		sk_doctor_add(checks, "namespaces", "ok", "guests run with nothing of the host in sight");
	else
		sk_doctor_add(
			checks, "namespaces", "bad",
			"not to be had, and guests do not run without: allow them with sysctl "
			"user.max_user_namespaces, kernel.unprivileged_userns_clone (Debian) or an AppArmor profile "
			"(Ubuntu: /usr/share/doc/skerry/apparmor); or \"sandbox\": \"landlock\" in the configuration "
			"for less confinement");
	if (abi >= 2)
		sk_doctor_add(checks, "Landlock", "ok",
			      "the monitor, the file server and engines reach their own files only");
	else
		sk_doctor_add(
			checks, "Landlock", "note",
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
	sk_doctor_add(checks, "uml_isolation", *problem && in_place ? "bad" : "ok", text);
}

static bool has_program(const char *name)
{
	_cleanup_free_ char *path = sk_find_program(name);

	return path != NULL;
}

static void check_programs(json_t *checks)
{
	if (has_program("mkfs.ext4"))
		sk_doctor_add(checks, "mkfs.ext4", "ok", "makes the disks of containers");
	else
		sk_doctor_add(
			checks, "mkfs.ext4", "bad",
			"missing, and containers cannot be made without: install e2fsprogs (apt install e2fsprogs)");
	if (has_program("skopeo"))
		sk_doctor_add(checks, "skopeo", "ok", "pulls images");
	else
		sk_doctor_add(checks, "skopeo", "note",
			      "missing: images cannot be pulled, only loaded and imported; apt install skopeo");
}

static void check_machines(json_t *checks)
{
	struct sk_error err = SK_ERROR_INIT;
	char path[512];

	if (sk_guest_part(SK_GUEST_ENGINE_IMAGE, path, sizeof(path), &err) < 0)
		sk_doctor_add(checks, "engine image", "note",
			      "missing: `skerry machine` works with an image of your own only (--image); install the "
			      "package skerry-engine, or `make engine`");
	else
		sk_doctor_add(checks, "engine image", "ok", "machines can be made (skerry machine init)");
	if (has_program("docker"))
		sk_doctor_add(checks, "docker", "ok", "the client for machines");
	else
		sk_doctor_add(
			checks, "docker", "note",
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

static int64_t free_disk(const char *root)
{
	struct statvfs st;

	return statvfs(root, &st) < 0 ? -1 : (int64_t)st.f_bavail * (int64_t)st.f_frsize;
}

void sk_doctor_checks(struct sk_cli *cli, const json_t *engines, json_t *checks)
{
	check_confinement(checks);
	check_uml_isolation(engines, checks);
	check_programs(checks);
	check_machines(checks);
	sk_doctor_add_room(checks, available_memory(), free_disk(cli->paths.root), cli->paths.root);
}
