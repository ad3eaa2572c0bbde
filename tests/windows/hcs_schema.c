/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the Host Compute System's schema that describes a VM of Linux, as a table, from Microsoft's "JSON Schema
 * Reference". For the stand-in of computecore.dll and for tests on Linux: written apart from what makes the documents, so
 * that a mistake in one is found by the other.
 */
#include "hcs_schema.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum kind {
	BOOLEAN,
	NUMBER,
	TEXT,
	FILE_PATH, /* of a file that is there */
	PIPE,
	RIGHTS,	 /* SDDL */
	DISK,	 /* the word "VirtualDisk", "Iso" or "PassThru" */
	HOSTING, /* the word "Internal" or "External" */
	GUID_TEXT,
	TEXTS, /* a list of strings */
	OBJECT,
	BY_NUMBER, /* a map; the keys are small numbers */
	BY_GUID,
};

struct member {
	const char *name;
	enum kind kind;
	unsigned since; /* minor number of the schema */
	bool needed;
	const struct member *of; /* what is inside an object, or inside each of a map's; ends with a name NULL */
	json_int_t max;		 /* NUMBER, and keys of BY_NUMBER */
};
#define END                                      \
	{                                        \
		NULL, BOOLEAN, 0, false, NULL, 0 \
	}

static const struct member version[] = {
	{ "Major", NUMBER, 0, true, NULL, 2 },
	{ "Minor", NUMBER, 0, true, NULL, 9 },
	END,
};
static const struct member kernel[] = {
	{ "KernelFilePath", FILE_PATH, 2, true, NULL, 0 },
	{ "InitRdPath", FILE_PATH, 2, false, NULL, 0 },
	{ "KernelCmdLine", TEXT, 2, false, NULL, 0 },
	END,
};
static const struct member chipset[] = {
	{ "UseUtc", BOOLEAN, 1, false, NULL, 0 },
	{ "LinuxKernelDirect", OBJECT, 2, true, kernel, 0 },
	END,
};
static const struct member memory[] = {
	{ "SizeInMB", NUMBER, 1, true, NULL, 12 << 20 },
	{ "AllowOvercommit", BOOLEAN, 1, false, NULL, 0 },
	{ "EnableHotHint", BOOLEAN, 0, false, NULL, 0 },
	{ "EnableColdHint", BOOLEAN, 0, false, NULL, 0 },
	{ "EnableColdDiscardHint", BOOLEAN, 2, false, NULL, 0 },
	{ "EnableDeferredCommit", BOOLEAN, 1, false, NULL, 0 },
	{ "LowMmioGapInMB", NUMBER, 3, false, NULL, 4096 },
	{ "HighMmioBaseInMB", NUMBER, 3, false, NULL, 1 << 30 },
	{ "HighMmioGapInMB", NUMBER, 3, false, NULL, 1 << 30 },
	END,
};
static const struct member processor[] = {
	{ "Count", NUMBER, 0, true, NULL, 240 },
	{ "Limit", NUMBER, 1, false, NULL, 100000 },
	{ "Weight", NUMBER, 1, false, NULL, 10000 },
	{ "ExposeVirtualizationExtensions", BOOLEAN, 0, false, NULL, 0 },
	END,
};
static const struct member topology[] = {
	{ "Memory", OBJECT, 0, true, memory, 0 },
	{ "Processor", OBJECT, 0, true, processor, 0 },
	END,
};
static const struct member com_port[] = {
	{ "NamedPipe", PIPE, 1, false, NULL, 0 },
	{ "OptimizeForDebugger", BOOLEAN, 1, false, NULL, 0 },
	END,
};
static const struct member service[] = {
	{ "BindSecurityDescriptor", RIGHTS, 0, false, NULL, 0 },
	{ "ConnectSecurityDescriptor", RIGHTS, 0, false, NULL, 0 },
	{ "AllowWildcardBinds", BOOLEAN, 0, false, NULL, 0 },
	END,
};
static const struct member socket_config[] = {
	{ "DefaultBindSecurityDescriptor", RIGHTS, 0, false, NULL, 0 },
	{ "DefaultConnectSecurityDescriptor", RIGHTS, 0, false, NULL, 0 },
	{ "ServiceTable", BY_GUID, 0, false, service, 0 },
	END,
};
static const struct member sockets[] = {
	{ "HvSocketConfig", OBJECT, 1, false, socket_config, 0 },
	END,
};
static const struct member attachment[] = {
	{ "Type", DISK, 0, true, NULL, 0 },
	{ "Path", FILE_PATH, 0, true, NULL, 0 },
	{ "ReadOnly", BOOLEAN, 0, false, NULL, 0 },
	{ "SupportCompressedVolumes", BOOLEAN, 3, false, NULL, 0 },
	END,
};
static const struct member controller[] = {
	{ "Attachments", BY_NUMBER, 0, false, attachment, 63 },
	END,
};
static const struct member flexible_device[] = {
	{ "EmulatorId", GUID_TEXT, 1, true, NULL, 0 },
	{ "HostingModel", HOSTING, 1, false, NULL, 0 },
	{ "Configuration", TEXTS, 1, false, NULL, 0 },
	END,
};
static const struct member devices[] = {
	{ "ComPorts", BY_NUMBER, 0, false, com_port, 1 },
	{ "FlexibleIov", BY_GUID, 1, false, flexible_device, 0 },
	{ "HvSocket", OBJECT, 1, false, sockets, 0 },
	{ "Scsi", BY_NUMBER, 0, false, controller, 3 },
	END,
};
static const struct member machine[] = {
	{ "StopOnReset", BOOLEAN, 0, false, NULL, 0 },
	{ "Chipset", OBJECT, 0, true, chipset, 0 },
	{ "ComputeTopology", OBJECT, 0, true, topology, 0 },
	{ "Devices", OBJECT, 0, false, devices, 0 },
	END,
};
static const struct member compute_system[] = {
	{ "Owner", TEXT, 0, true, NULL, 0 },
	{ "SchemaVersion", OBJECT, 0, true, version, 0 },
	{ "ShouldTerminateOnLastHandleClosed", BOOLEAN, 0, false, NULL, 0 },
	{ "VirtualMachine", OBJECT, 0, true, machine, 0 },
	END,
};

struct judge {
	unsigned minor;
	bool (*exists)(const char *path);
	char *why;
};

static uint32_t object(const struct judge *j, const struct member *members, const json_t *o, const char *name);

static uint32_t refuse(const struct judge *j, uint32_t code, const char *what, const char *name)
{
	snprintf(j->why, 200, "%s: %.100s", what, name);
	return code;
}

static bool is_number(const char *s, json_int_t max)
{
	json_int_t n = 0;

	for (; *s >= '0' && *s <= '9' && n <= max; s++)
		n = n * 10 + (*s - '0');
	return !*s && n <= max;
}

static bool is_guid(const char *s)
{
	size_t i;

	for (i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-'
							    : !s[i] || !strchr("0123456789abcdefABCDEF", s[i]))
			return false;
	return !s[36];
}

/* A full path of a drive or a share, without a slash of Unix. */
static bool is_path(const char *s)
{
	bool drive = s[0] && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", s[0]) && s[1] == ':' &&
		     s[2] == '\\';

	return (drive || strncmp(s, "\\\\", 2) == 0) && !strchr(s, '/');
}

static uint32_t text(const struct judge *j, const struct member *m, const char *s)
{
	if (!s)
		return refuse(j, HCS_BAD_DOCUMENT, "not a string", m->name);
	switch (m->kind) {
	case FILE_PATH:
		if (!is_path(s))
			return refuse(j, HCS_BAD_ARGUMENT, "not a full path", s);
		return j->exists(s) ? HCS_OK : refuse(j, HCS_NO_FILE, "no such file", s);
	case PIPE:
		return !*s || strncmp(s, "\\\\.\\pipe\\", 9) == 0 ? HCS_OK
								  : refuse(j, HCS_BAD_ARGUMENT, "not a pipe", s);
	case RIGHTS:
		/* An owner or group may come first. */
		return strncmp(s, "D:", 2) == 0 || strncmp(s, "O:", 2) == 0
			       ? HCS_OK
			       : refuse(j, HCS_BAD_ARGUMENT, "not SDDL", s);
	case DISK:
		return strcmp(s, "VirtualDisk") == 0 || strcmp(s, "Iso") == 0 || strcmp(s, "PassThru") == 0
			       ? HCS_OK
			       : refuse(j, HCS_BAD_DOCUMENT, "no kind of disk", s);
	case HOSTING:
		return strcmp(s, "Internal") == 0 || strcmp(s, "External") == 0
			       ? HCS_OK
			       : refuse(j, HCS_BAD_DOCUMENT, "no way of hosting", s);
	case GUID_TEXT:
		return is_guid(s) ? HCS_OK : refuse(j, HCS_BAD_DOCUMENT, "not a GUID", s);
	default:
		return HCS_OK;
	}
}

static uint32_t texts(const struct judge *j, const struct member *m, const json_t *list)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			return refuse(j, HCS_BAD_DOCUMENT, "not a string", m->name);
	return json_is_array(list) ? HCS_OK : refuse(j, HCS_BAD_DOCUMENT, "not a list", m->name);
}

static uint32_t map(const struct judge *j, const struct member *m, const json_t *v)
{
	const char *key;
	json_t *one;
	uint32_t r;

	if (!json_is_object(v))
		return refuse(j, HCS_BAD_DOCUMENT, "not a map", m->name);
	json_object_foreach((json_t *)(uintptr_t)v, key, one)
	{
		if (m->kind == BY_GUID ? !is_guid(key) : !is_number(key, m->max))
			return refuse(j, HCS_BAD_DOCUMENT, "a key of another kind", key);
		r = object(j, m->of, one, key);
		if (r != HCS_OK)
			return r;
	}
	return HCS_OK;
}

static uint32_t value(const struct judge *j, const struct member *m, const json_t *v)
{
	if (m->since > j->minor)
		return refuse(j, HCS_BAD_DOCUMENT, "newer than the document", m->name);
	switch (m->kind) {
	case BOOLEAN:
		return json_is_boolean(v) ? HCS_OK : refuse(j, HCS_BAD_DOCUMENT, "not a boolean", m->name);
	case NUMBER:
		if (!json_is_integer(v))
			return refuse(j, HCS_BAD_DOCUMENT, "not a number", m->name);
		return json_integer_value(v) >= 0 && json_integer_value(v) <= m->max
			       ? HCS_OK
			       : refuse(j, HCS_BAD_ARGUMENT, "out of range", m->name);
	case OBJECT:
		return object(j, m->of, v, m->name);
	case BY_NUMBER:
	case BY_GUID:
		return map(j, m, v);
	case TEXTS:
		return texts(j, m, v);
	default:
		return text(j, m, json_string_value(v));
	}
}

static uint32_t object(const struct judge *j, const struct member *members, const json_t *o, const char *name)
{
	const struct member *m;
	const char *key;
	json_t *v;
	uint32_t r;

	if (!json_is_object(o))
		return refuse(j, HCS_BAD_DOCUMENT, "not an object", name);
	json_object_foreach((json_t *)(uintptr_t)o, key, v)
	{
		for (m = members; m->name && strcmp(m->name, key) != 0; m++)
			;
		if (!m->name)
			return refuse(j, HCS_BAD_DOCUMENT, "unknown member", key);
		r = value(j, m, v);
		if (r != HCS_OK)
			return r;
	}
	for (m = members; m->name; m++)
		if (m->needed && !json_object_get(o, m->name))
			return refuse(j, HCS_BAD_DOCUMENT, "missing member", m->name);
	return HCS_OK;
}

uint32_t hcs_validate(const json_t *document, bool (*exists)(const char *path), char why[200])
{
	const json_t *v = json_object_get(document, "SchemaVersion"),
		     *vm = json_object_get(json_object_get(document, "VirtualMachine"), "ComputeTopology");
	struct judge j = { (unsigned)json_integer_value(json_object_get(v, "Minor")), exists, why };
	uint32_t r;

	why[0] = '\0';
	if (!json_is_object(document))
		return refuse(&j, HCS_BAD_DOCUMENT, "no document", "");
	if (json_integer_value(json_object_get(v, "Major")) != 2)
		return refuse(&j, HCS_BAD_DOCUMENT, "no schema 2", "SchemaVersion");
	r = object(&j, compute_system, document, "the document");
	/* Memory is given out by 2 MiB. */
	if (r == HCS_OK && json_integer_value(json_object_get(json_object_get(vm, "Memory"), "SizeInMB")) % 2)
		return refuse(&j, HCS_BAD_ARGUMENT, "not a multiple of 2", "SizeInMB");
	return r;
}
