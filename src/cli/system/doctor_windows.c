/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor's checks of a Windows host. Whether a VM can be made is the engine's to say; here is what to switch on for it, found
 * out by asking the processor, the service manager and this process's own token. Nothing is changed.
 */
#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/platform/windows/system.h"
#include "base/process.h"
#include "cli/system/doctor.h"
#include "engine/engine.h"
#include "model/jx.h"

#define OLDEST_BUILD 18362u /* Windows 10 version 1903 */
#define FEATURE                                                                                       \
	"enable the Windows feature \"Virtual Machine Platform\" (as an administrator: dism /online " \
	"/enable-feature /all /featurename:VirtualMachinePlatform), then restart"

NTSYSAPI NTSTATUS NTAPI RtlGetVersion(PRTL_OSVERSIONINFOW ret);

static void check_version(json_t *checks)
{
	RTL_OSVERSIONINFOW v = { .dwOSVersionInfoSize = sizeof(v) };
	char text[160];

	if (RtlGetVersion(&v) < 0)
		return;
	snprintf(text, sizeof(text), "version %lu.%lu, build %lu%s", v.dwMajorVersion, v.dwMinorVersion,
		 v.dwBuildNumber,
		 v.dwBuildNumber < OLDEST_BUILD ? ": Windows 10 version 1903 (build 18362) or later is needed" : "");
	sk_doctor_add(checks, "Windows", v.dwBuildNumber < OLDEST_BUILD ? "bad" : "ok", text);
}

/* Who the processor says runs below us: "Microsoft Hv", …; "": nobody. */
static void find_hypervisor(char ret[13])
{
	unsigned a, b, c, d;

	ret[0] = ret[12] = '\0';
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 31))
		return;
	__cpuid(0x40000000, a, b, c, d);
	memcpy(ret, &b, 4);
	memcpy(ret + 4, &c, 4);
	memcpy(ret + 8, &d, 4);
	sk_clean_text(ret);
}

static void check_hypervisor(json_t *checks)
{
	char name[13], text[320];

	find_hypervisor(name);
	if (strcmp(name, "Microsoft Hv") == 0) {
		sk_doctor_add(checks, "hypervisor", "ok", "Hyper-V's runs");
	} else if (*name) {
		snprintf(
			text, sizeof(text),
			"this Windows is itself in a virtual machine (%s), which has to let it have its own: switch on "
			"nested virtualization there",
			name);
		sk_doctor_add(checks, "hypervisor", "note", text);
	} else if (!IsProcessorFeaturePresent(PF_VIRT_FIRMWARE_ENABLED)) {
		sk_doctor_add(
			checks, "hypervisor", "bad",
			"virtualization is switched off in the firmware (BIOS): switch on Intel VT-x or AMD-V (SVM)");
	} else {
		sk_doctor_add(checks, "hypervisor", "bad",
			      "none runs: " FEATURE " (and bcdedit /set hypervisorlaunchtype auto, if somebody has "
			      "switched it off)");
	}
}

static void check_service(json_t *checks)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
	SC_HANDLE service = manager ? OpenServiceW(manager, L"vmcompute", SERVICE_QUERY_STATUS) : NULL;
	DWORD why = service ? 0 : GetLastError();
	SERVICE_STATUS status = { 0 };

	if (service && QueryServiceStatus(service, &status))
		sk_doctor_add(checks, "Host Compute Service", "ok",
			      status.dwCurrentState == SERVICE_RUNNING ? "runs"
								       : "is there; Windows starts it when asked");
	else if (why == ERROR_SERVICE_DOES_NOT_EXIST)
		sk_doctor_add(checks, "Host Compute Service", "bad", "is not installed: " FEATURE);
	else
		sk_doctor_add(checks, "Host Compute Service", "note", "its state cannot be read");
	if (service)
		CloseServiceHandle(service);
	if (manager)
		CloseServiceHandle(manager);
}

/* Whether this process has the group, enabled: an administrator's has "Administrators" only where it is elevated. */
static bool has_group(DWORD rid)
{
	SID_IDENTIFIER_AUTHORITY nt = { SECURITY_NT_AUTHORITY };
	BOOL is = FALSE;
	PSID sid;

	if (!AllocateAndInitializeSid(&nt, 2, SECURITY_BUILTIN_DOMAIN_RID, rid, 0, 0, 0, 0, 0, 0, &sid))
		return false;
	if (!CheckTokenMembership(NULL, sid, &is))
		is = FALSE;
	FreeSid(sid);
	return is;
}

static void check_rights(json_t *checks)
{
	if (has_group(DOMAIN_ALIAS_RID_HYPER_V_ADMINS))
		sk_doctor_add(checks, "rights", "ok", "this user is one of the \"Hyper-V Administrators\"");
	else if (has_group(DOMAIN_ALIAS_RID_ADMINS))
		sk_doctor_add(checks, "rights", "ok", "this is an administrator's console");
	else
		sk_doctor_add(
			checks, "rights", "bad",
			"this user may not make VMs: become one of the \"Hyper-V Administrators\" (as an "
			"administrator: net localgroup \"Hyper-V Administrators\" %USERNAME% /add), then sign out and "
			"in");
}

static void check_part(json_t *checks, const char *name, const char *good)
{
	struct sk_error err = SK_ERROR_INIT;
	char path[600];
	int r = sk_guest_part(name, path, sizeof(path), &err);

	sk_doctor_add(checks, name, r < 0 ? "bad" : "ok", r < 0 ? err.message : good);
}

static void check_programs(json_t *checks)
{
	_cleanup_free_ char *docker = sk_find_program("docker");

	check_part(checks, SK_GUEST_DISK, "is what the disks of containers are made of");
	sk_doctor_add(checks, "images", "note",
		      "are loaded and imported, not pulled: skopeo is in no package for Windows");
	sk_doctor_add(checks, "docker", "note",
		      docker ? "a client is there, but there are no machines on Windows yet for it to talk to"
			     : "no client; there are no machines on Windows yet for it to talk to");
}

static int64_t free_disk(const char *root)
{
	_cleanup_free_ wchar_t *wide = sk_win_wide(root);
	ULARGE_INTEGER mine;

	return wide && GetDiskFreeSpaceExW(wide, &mine, NULL, NULL) ? (int64_t)mine.QuadPart : -1;
}

void sk_doctor_checks(struct sk_cli *cli, const json_t *engines, json_t *checks)
{
	MEMORYSTATUSEX memory = { .dwLength = sizeof(memory) };

	(void)engines;
	check_version(checks);
	check_hypervisor(checks);
	check_service(checks);
	check_rights(checks);
	check_programs(checks);
	sk_doctor_add_room(checks, GlobalMemoryStatusEx(&memory) ? (int64_t)memory.ullAvailPhys : -1,
			   free_disk(cli->paths.root), cli->paths.root);
}

json_t *sk_doctor_export(const char *path, struct sk_error *err)
{
	sk_error_set(err, EOPNOTSUPP,
		     "cannot look at %s: --export is not there on Windows yet; how a share works here is in the manual "
		     "(docs/windows.md)",
		     path);
	return NULL;
}
