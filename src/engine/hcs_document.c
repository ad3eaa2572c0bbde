/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON document of which Hyper-V makes a VM: our kernel and initramfs, processors, memory that Windows backs as it is
 * touched and takes back when the guest frees it, disks on a SCSI controller, a serial port on a named pipe, and the
 * table of ports between guest and host; and devices on its PCI bus, where a process of the host is to be one.
 *
 * Nothing is there that was not asked for: no network adapter, no display, no shares, no firmware. A port that the table
 * does not name belongs to the system alone, so that no other user of the host can listen where the guest connects to.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "engine/engine_internal.h"
#include "engine/hcs.h"

#define MIB (1024u * 1024u)
#define PATH_BYTES 4096u
#define SID_BYTES 184u /* the longest that there is */
#define COMMAND_LINE_BYTES 4096u
#define PIPE_PREFIX "\\\\.\\pipe\\"
/* A list of rights that is not inherited: all, for the system. */
#define SYSTEM_ONLY "D:P(A;;FA;;;SY)"

void sk_hcs_service_id(uint32_t port, char buf[SK_HCS_ID_SIZE])
{
	snprintf(buf, SK_HCS_ID_SIZE, "%08x-facb-11e6-bd58-64006a7986d3", port);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_slash(char c)
{
	return c == '/' || c == '\\';
}

/* "C:\…" or "\\server\share…", without control characters. */
static bool is_full_path(const char *path)
{
	const char *p;

	for (p = path; *p; p++)
		if ((unsigned char)*p < ' ')
			return false;
	return (size_t)(p - path) < PATH_BYTES &&
	       ((is_letter(path[0]) && path[1] == ':' && is_slash(path[2])) ||
		(is_slash(path[0]) && is_slash(path[1]) && path[2] && !is_slash(path[2])));
}

/* With backslashes: the service takes no others. NULL: no path that it would find, or no memory. */
static json_t *path_json(const char *path)
{
	char text[PATH_BYTES], *p;

	if (!path || !is_full_path(path))
		return NULL;
	snprintf(text, sizeof(text), "%s", path);
	for (p = text; *p; p++)
		if (*p == '/')
			*p = '\\';
	return json_string(text);
}

/* "S-1-5-21-…": it becomes a part of a list of rights. */
static bool is_sid(const char *sid)
{
	size_t n = sid ? strlen(sid) : 0;

	return n > 4 && n < SID_BYTES && strncmp(sid, "S-1-", 4) == 0 && strspn(sid + 2, "0123456789-") == n - 2;
}

static json_t *chipset(const struct sk_hcs_start *s, const struct sk_engine_config *c, struct sk_error *err)
{
	char line[COMMAND_LINE_BYTES];
	/* panic, reboot: a reset ends the VM (StopOnReset). */
	int n = snprintf(line, sizeof(line),
			 "console=ttyS0 quiet loglevel=4 panic=-1 oops=panic nr_cpus=%u " SK_GUEST_REPORTING_ORDER
			 "%s%s",
			 c->cpus, c->extra_args ? " " : "", c->extra_args ? c->extra_args : "");
	json_t *kernel = path_json(s->kernel), *initramfs = path_json(s->initramfs), *o = NULL;

	if (n < 0 || (size_t)n >= sizeof(line))
		sk_error_set(err, EINVAL, "the guest kernel's command line is too long");
	else if (!kernel)
		sk_error_set(err, EINVAL, "%s is no full path of a guest kernel", s->kernel);
	else if (!initramfs)
		sk_error_set(err, EINVAL, "%s is no full path of an initramfs", s->initramfs);
	else
		o = json_pack("{s:b, s:{s:O, s:O, s:s}}", "UseUtc", 1, "LinuxKernelDirect", "KernelFilePath", kernel,
			      "InitRdPath", initramfs, "KernelCmdLine", line);
	if (!o && n >= 0 && (size_t)n < sizeof(line) && kernel && initramfs)
		sk_error_set(err, EINVAL, "the guest kernel's command line is not valid UTF-8");
	json_decref(kernel);
	json_decref(initramfs);
	return o;
}

/* Hyper-V hands out memory by 2 MiB. */
static json_t *topology(const struct sk_engine_config *c, struct sk_error *err)
{
	uint64_t mib = c->memory / MIB & ~1ull;

	if (mib < 2 || c->cpus < 1) {
		sk_error_set(err, EINVAL, "a VM needs a processor and memory");
		return NULL;
	}
	return json_pack("{s:{s:I, s:b, s:b, s:b}, s:{s:I}}", "Memory", "SizeInMB", (json_int_t)mib, "AllowOvercommit",
			 1, "EnableDeferredCommit", 1, "EnableColdDiscardHint", 1, "Processor", "Count",
			 (json_int_t)c->cpus);
}

static json_t *disks(const struct sk_hcs_start *s, const struct sk_engine_config *c, struct sk_error *err)
{
	json_t *list = json_object();
	size_t i;

	for (i = 0; list && i < c->n_disks; i++) {
		json_t *path = path_json(c->disks[i].path), *disk;
		char lun[24];

		if (!path) {
			sk_error_set(err, EINVAL, "%s is no full path of a disk", c->disks[i].path);
			json_decref(list);
			return NULL;
		}
		disk = json_pack("{s:s, s:o, s:b}", "Type", "VirtualDisk", "Path", path, "ReadOnly",
				 c->disks[i].readonly);
		/* Also where a directory of the store is compressed by NTFS. */
		if (s->schema_minor >= SK_HCS_SCHEMA_COMPRESSED)
			json_object_set_new(disk, "SupportCompressedVolumes", json_true());
		snprintf(lun, sizeof(lun), "%zu", i);
		json_object_set_new(list, lun, disk);
	}
	return json_pack("{s:{s:o}}", "0", "Attachments", list);
}

static bool is_guid(const char *s)
{
	size_t i;

	if (!s || strlen(s) != SK_HCS_ID_SIZE - 1)
		return false;
	for (i = 0; i < SK_HCS_ID_SIZE - 1; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !strchr("0123456789abcdefABCDEF", s[i]))
			return false;
	return true;
}

/* "External": of a process of its maker's, which has to be there before the VM starts. */
static json_t *pci_devices(const struct sk_hcs_start *s)
{
	json_t *list = json_object();
	size_t i;

	for (i = 0; list && i < s->n_pci; i++)
		json_object_set_new(
			list, s->pci[i].instance,
			json_pack("{s:s, s:s}", "EmulatorId", s->pci[i].emulator, "HostingModel", "External"));
	return list;
}

static int check_pci(const struct sk_hcs_start *s, struct sk_error *err)
{
	size_t i, k;

	if (s->n_pci > SK_HCS_PCI_MAX)
		return sk_error_set(err, EOPNOTSUPP, "engine hyperv has %u PCI devices at most, not %zu",
				    SK_HCS_PCI_MAX, s->n_pci);
	for (i = 0; i < s->n_pci; i++) {
		if (!is_guid(s->pci[i].instance) || !is_guid(s->pci[i].emulator))
			return sk_error_set(err, EINVAL, "PCI device %zu of a VM is not named by GUIDs", i);
		for (k = 0; k < i; k++)
			if (strcasecmp(s->pci[k].instance, s->pci[i].instance) == 0)
				return sk_error_set(err, EINVAL, "two PCI devices of a VM are called %s",
						    s->pci[i].instance);
	}
	return 0;
}

static json_t *sockets(const struct sk_hcs_start *s, const struct sk_engine_config *c)
{
	char rights[SID_BYTES + 64], id[SK_HCS_ID_SIZE];
	json_t *table = json_object();
	size_t i;

	snprintf(rights, sizeof(rights), SYSTEM_ONLY "(A;;FA;;;%s)", s->user_sid);
	for (i = 0; i < c->n_ports; i++) {
		sk_hcs_service_id(c->ports[i], id);
		json_object_set_new(table, id,
				    json_pack("{s:s, s:s, s:b}", "BindSecurityDescriptor", rights,
					      "ConnectSecurityDescriptor", rights, "AllowWildcardBinds", 0));
	}
	return json_pack("{s:{s:s, s:s, s:o}}", "HvSocketConfig", "DefaultBindSecurityDescriptor", SYSTEM_ONLY,
			 "DefaultConnectSecurityDescriptor", SYSTEM_ONLY, "ServiceTable", table);
}

static int check(const struct sk_hcs_start *s, const struct sk_engine_config *c, struct sk_error *err)
{
	if (s->schema_minor < SK_HCS_MIN_SCHEMA)
		return sk_error_set(
			err, EOPNOTSUPP,
			"this Windows cannot start a Linux kernel directly: Windows 10 version 1903 or later can");
	if (c->n_devices)
		return sk_error_set(err, EOPNOTSUPP, "engine hyperv cannot attach the device %s", c->devices[0].socket);
	if (c->n_disks > SK_HCS_DISKS_MAX)
		return sk_error_set(err, EOPNOTSUPP, "engine hyperv has %u disks at most, not %zu", SK_HCS_DISKS_MAX,
				    c->n_disks);
	if (c->n_ports > SK_HCS_PORTS_MAX)
		return sk_error_set(err, EOPNOTSUPP, "engine hyperv has %u ports at most, not %zu", SK_HCS_PORTS_MAX,
				    c->n_ports);
	if (!is_sid(s->user_sid))
		return sk_error_set(err, EINVAL, "%s is no SID of a user", s->user_sid ? s->user_sid : "nothing");
	if (s->console_pipe &&
	    (strncmp(s->console_pipe, PIPE_PREFIX, strlen(PIPE_PREFIX)) != 0 ||
	     strchr(s->console_pipe + strlen(PIPE_PREFIX), '\\') || !s->console_pipe[strlen(PIPE_PREFIX)]))
		return sk_error_set(err, EINVAL, "%s is no named pipe of this machine", s->console_pipe);
	return check_pci(s, err);
}

static json_t *make(const struct sk_hcs_start *s, const struct sk_engine_config *c, struct sk_error *err)
{
	json_t *boot, *size, *scsi, *document, *ports;

	boot = chipset(s, c, err);
	size = boot ? topology(c, err) : NULL;
	scsi = size ? disks(s, c, err) : NULL;
	if (!scsi) {
		json_decref(boot);
		json_decref(size);
		return NULL;
	}
	ports = s->console_pipe ? json_pack("{s:{s:s}}", "0", "NamedPipe", s->console_pipe) : json_object();
	/* The VM goes with the process that made it, however that ends. */
	document = json_pack(
		"{s:s, s:{s:i, s:i}, s:b, s:{s:b, s:o, s:o, s:{s:o, s:o, s:o}}}", "Owner", "Skerry", "SchemaVersion",
		"Major", 2, "Minor", (int)SK_HCS_MIN_SCHEMA + (s->schema_minor >= SK_HCS_SCHEMA_COMPRESSED),
		"ShouldTerminateOnLastHandleClosed", 1, "VirtualMachine", "StopOnReset", 1, "Chipset", boot,
		"ComputeTopology", size, "Devices", "ComPorts", ports, "HvSocket", sockets(s, c), "Scsi", scsi);
	if (document && s->n_pci)
		json_object_set_new(json_object_get(json_object_get(document, "VirtualMachine"), "Devices"),
				    "FlexibleIov", pci_devices(s));
	if (!document)
		sk_error_set(err, EINVAL, "a name of VM %s is not valid UTF-8", c->name);
	return document;
}

json_t *sk_hcs_document(const struct sk_hcs_start *s, const struct sk_engine_config *c, struct sk_error *err)
{
	struct sk_error unheard = SK_ERROR_INIT;
	json_t *document;

	if (!err)
		err = &unheard;
	if (check(s, c, err) < 0)
		return NULL;
	document = make(s, c, err);
	if (!document && !err->code)
		sk_error_errno(err, ENOMEM, "cannot describe VM %s", c->name);
	return document;
}
