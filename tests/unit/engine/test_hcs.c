/* SPDX-License-Identifier: Apache-2.0 */
/* The description of a VM for Hyper-V, judged by the schema of tests/windows/hcs_schema.c, and what the service answers. */
#include "../sk_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../windows/hcs_schema.h"
#include "engine/hcs.h"

#define SID "S-1-5-21-1004336348-1177238915-682003330-512"

static const struct sk_engine_disk two_disks[] = { { "C:/store/layer.vhd", true }, { "D:\\disks\\disk.vhdx", false } };
static const uint32_t two_ports[] = { 1024, 0xfffffffe };

#define EMULATOR "7a3c9e52-6d0b-4f1e-9a64-5b1d0c8e2f37"
static const struct sk_hcs_pci two_pci[] = { { "11111111-2222-3333-4444-555555555555", EMULATOR },
					     { "AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee", EMULATOR } };

static struct sk_hcs_start start(void)
{
	return (struct sk_hcs_start){
		.schema_minor = 5,
		.kernel = "C:/Program Files/Skerry/guest/vmlinux-x86_64",
		.initramfs = "C:\\Program Files\\Skerry\\guest\\initramfs.cpio",
		.console_pipe = "\\\\.\\pipe\\skerry-1",
		.user_sid = SID,
	};
}

static struct sk_engine_config config(void)
{
	return (struct sk_engine_config){
		.name = "1",
		.memory = 513ull << 20,
		.cpus = 2,
		.disks = two_disks,
		.n_disks = 2,
		.ports = two_ports,
		.n_ports = 2,
		.extra_args = "skerry.x=1",
		.console_fd = -1,
	};
}

static const char *missing; /* this file is not there */

static bool exists(const char *path)
{
	return !missing || strcmp(path, missing) != 0;
}

static const json_t *at(const json_t *o, const char *path)
{
	char key[64];

	while (o && *path) {
		size_t n = strcspn(path, "/");

		memcpy(key, path, n);
		key[n] = '\0';
		o = json_object_get(o, key);
		path += n + (path[n] == '/');
	}
	return o;
}

static void assert_text(const json_t *o, const char *path, const char *text)
{
	const char *found = json_string_value(at(o, path));

	assert_non_null(found);
	assert_string_equal(found, text);
}

static void assert_number(const json_t *o, const char *path, json_int_t n)
{
	assert_true(json_is_integer(at(o, path)));
	assert_int_equal(json_integer_value(at(o, path)), n);
}

static void assert_true_at(const json_t *o, const char *path)
{
	if (!json_is_true(at(o, path)))
		fail_msg("%s is not true", path);
}

static void test_document(void **state)
{
	struct sk_hcs_start s = start();
	struct sk_engine_config c = config();
	struct sk_error err = SK_ERROR_INIT;
	json_t *o = sk_hcs_document(&s, &c, &err);
	char why[200];

	(void)state;
	assert_non_null(o);
	assert_int_equal(hcs_validate(o, exists, why), HCS_OK);
	assert_number(o, "SchemaVersion/Minor", 3);
	assert_true_at(o, "ShouldTerminateOnLastHandleClosed");
	assert_true_at(o, "VirtualMachine/StopOnReset");
	assert_text(o, "VirtualMachine/Chipset/LinuxKernelDirect/KernelFilePath",
		    "C:\\Program Files\\Skerry\\guest\\vmlinux-x86_64");
	assert_text(o, "VirtualMachine/Chipset/LinuxKernelDirect/InitRdPath",
		    "C:\\Program Files\\Skerry\\guest\\initramfs.cpio");
	assert_non_null(strstr(json_string_value(at(o, "VirtualMachine/Chipset/LinuxKernelDirect/KernelCmdLine")),
			       " nr_cpus=2 page_reporting.page_reporting_order=7 skerry.x=1"));
	/* By 2 MiB. */
	assert_number(o, "VirtualMachine/ComputeTopology/Memory/SizeInMB", 512);
	assert_true_at(o, "VirtualMachine/ComputeTopology/Memory/AllowOvercommit");
	assert_true_at(o, "VirtualMachine/ComputeTopology/Memory/EnableDeferredCommit");
	assert_true_at(o, "VirtualMachine/ComputeTopology/Memory/EnableColdDiscardHint");
	assert_number(o, "VirtualMachine/ComputeTopology/Processor/Count", 2);
	assert_text(o, "VirtualMachine/Devices/ComPorts/0/NamedPipe", "\\\\.\\pipe\\skerry-1");
	assert_text(o, "VirtualMachine/Devices/Scsi/0/Attachments/0/Path", "C:\\store\\layer.vhd");
	assert_true_at(o, "VirtualMachine/Devices/Scsi/0/Attachments/0/ReadOnly");
	assert_text(o, "VirtualMachine/Devices/Scsi/0/Attachments/1/Path", "D:\\disks\\disk.vhdx");
	assert_true(json_is_false(at(o, "VirtualMachine/Devices/Scsi/0/Attachments/1/ReadOnly")));
	json_decref(o);
}

/* Who is not in the table is the system's; ours are the user's too. */
static void test_sockets(void **state)
{
	struct sk_hcs_start s = start();
	struct sk_engine_config c = config();
	json_t *o = sk_hcs_document(&s, &c, NULL);
	const json_t *h = at(o, "VirtualMachine/Devices/HvSocket/HvSocketConfig");

	(void)state;
	assert_text(h, "DefaultBindSecurityDescriptor", "D:P(A;;FA;;;SY)");
	assert_text(h, "DefaultConnectSecurityDescriptor", "D:P(A;;FA;;;SY)");
	assert_int_equal(json_object_size(at(h, "ServiceTable")), 2);
	assert_text(h, "ServiceTable/00000400-facb-11e6-bd58-64006a7986d3/BindSecurityDescriptor",
		    "D:P(A;;FA;;;SY)(A;;FA;;;" SID ")");
	assert_text(h, "ServiceTable/fffffffe-facb-11e6-bd58-64006a7986d3/ConnectSecurityDescriptor",
		    "D:P(A;;FA;;;SY)(A;;FA;;;" SID ")");
	json_decref(o);
}

/* Devices of ours: none is asked for where there is none. */
static void test_pci(void **state)
{
	struct sk_hcs_start s = start();
	struct sk_engine_config c = config();
	json_t *o = sk_hcs_document(&s, &c, NULL);
	char why[200];

	(void)state;
	assert_null(at(o, "VirtualMachine/Devices/FlexibleIov"));
	json_decref(o);
	s.pci = two_pci;
	s.n_pci = 2;
	o = sk_hcs_document(&s, &c, NULL);
	assert_int_equal(hcs_validate(o, exists, why), HCS_OK);
	assert_int_equal(json_object_size(at(o, "VirtualMachine/Devices/FlexibleIov")), 2);
	assert_text(o, "VirtualMachine/Devices/FlexibleIov/AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee/EmulatorId", EMULATOR);
	assert_text(o, "VirtualMachine/Devices/FlexibleIov/11111111-2222-3333-4444-555555555555/HostingModel",
		    "External");
	json_decref(o);
}

/* What an older Windows does not know is left out; without it the schema would refuse the document. */
static void test_older(void **state)
{
	struct sk_hcs_start s = start();
	struct sk_engine_config c = config();
	char why[200];
	json_t *o;

	(void)state;
	s.schema_minor = 2;
	s.console_pipe = NULL;
	o = sk_hcs_document(&s, &c, NULL);
	assert_int_equal(hcs_validate(o, exists, why), HCS_OK);
	assert_number(o, "SchemaVersion/Minor", 2);
	assert_int_equal(json_object_size(at(o, "VirtualMachine/Devices/ComPorts")), 0);
	json_decref(o);
}

static void assert_refused(const struct sk_hcs_start *s, const struct sk_engine_config *c, int code, const char *words)
{
	struct sk_error err = SK_ERROR_INIT;

	assert_null(sk_hcs_document(s, c, &err));
	assert_int_equal(err.code, code);
	if (!strstr(err.message, words))
		fail_msg("\"%s\" is not in: %s", words, err.message);
}

static void test_refused(void **state)
{
	static const struct sk_engine_disk relative = { "disk.vhd", false }, newline = { "C:\\a\nb", false };
	static const struct sk_engine_device device = { .socket = "net0" };
	static const struct sk_hcs_pci no_guid = { "11111111-2222-3333-4444-55555555555g", EMULATOR },
				       no_kind = { "11111111-2222-3333-4444-555555555555", "x" },
				       twice[] = { { "aaaaaaaa-2222-3333-4444-555555555555", EMULATOR },
						   { "AAAAAAAA-2222-3333-4444-555555555555", EMULATOR } };
	static char long_args[5000];
	const struct sk_hcs_start good = start();
	const struct sk_engine_config fine = config();
	struct sk_hcs_start s = good;
	struct sk_engine_config c = fine;

	(void)state;
	memset(long_args, 'x', sizeof(long_args) - 1);
	s.schema_minor = 1;
	assert_refused(&s, &c, EOPNOTSUPP, "1903");
	s = good;
	s.kernel = "vmlinux";
	assert_refused(&s, &c, EINVAL, "vmlinux is no full path of a guest kernel");
	s.kernel = "/usr/lib/vmlinux";
	assert_refused(&s, &c, EINVAL, "is no full path of a guest kernel");
	s = good;
	s.user_sid = "S-1-5-21)(A;;FA;;;WD";
	assert_refused(&s, &c, EINVAL, "is no SID");
	s.user_sid = NULL;
	assert_refused(&s, &c, EINVAL, "is no SID");
	s = good;
	s.console_pipe = "\\\\server\\pipe\\x";
	assert_refused(&s, &c, EINVAL, "is no named pipe");
	s = good;
	s.pci = &no_guid;
	s.n_pci = 1;
	assert_refused(&s, &c, EINVAL, "PCI device 0 of a VM is not named by GUIDs");
	s.pci = &no_kind;
	assert_refused(&s, &c, EINVAL, "PCI device 0 of a VM is not named by GUIDs");
	s.pci = twice;
	s.n_pci = 2;
	assert_refused(&s, &c, EINVAL, "two PCI devices");
	s.n_pci = SK_HCS_PCI_MAX + 1;
	assert_refused(&s, &c, EOPNOTSUPP, "PCI devices at most");
	s = good;
	c.disks = &relative;
	c.n_disks = 1;
	assert_refused(&s, &c, EINVAL, "disk.vhd is no full path of a disk");
	c.disks = &newline;
	assert_refused(&s, &c, EINVAL, "is no full path of a disk");
	c = fine;
	c.n_disks = SK_HCS_DISKS_MAX + 1;
	assert_refused(&s, &c, EOPNOTSUPP, "disks at most");
	c = fine;
	c.n_ports = SK_HCS_PORTS_MAX + 1;
	assert_refused(&s, &c, EOPNOTSUPP, "ports at most");
	c = fine;
	c.devices = &device;
	c.n_devices = 1;
	assert_refused(&s, &c, EOPNOTSUPP, "net0");
	c = fine;
	c.memory = 1 << 20;
	assert_refused(&s, &c, EINVAL, "memory");
	c = fine;
	c.extra_args = long_args;
	assert_refused(&s, &c, EINVAL, "command line is too long");
	c.extra_args = "\xff";
	assert_refused(&s, &c, EINVAL, "UTF-8");
}

/* The judge of the tests finds what is wrong. */
static void test_judge(void **state)
{
	static const struct {
		const char *path, *key, *json; /* what is set there */
		uint32_t code;
	} wrong[] = {
		{ "", "Onwer", "\"x\"", HCS_BAD_DOCUMENT },
		{ "", "Owner", "1", HCS_BAD_DOCUMENT },
		{ "SchemaVersion", "Minor", "1", HCS_BAD_DOCUMENT },
		{ "VirtualMachine", "StopOnReset", "\"true\"", HCS_BAD_DOCUMENT },
		{ "VirtualMachine/ComputeTopology/Memory", "SizeInMB", "513", HCS_BAD_ARGUMENT },
		{ "VirtualMachine/ComputeTopology/Memory", "SizeInMB", "\"512\"", HCS_BAD_DOCUMENT },
		{ "VirtualMachine/ComputeTopology/Processor", "Count", "100000", HCS_BAD_ARGUMENT },
		{ "VirtualMachine/Chipset/LinuxKernelDirect", "KernelFilePath", "\"C:/x\"", HCS_BAD_ARGUMENT },
		{ "VirtualMachine/Devices/ComPorts", "2", "{}", HCS_BAD_DOCUMENT },
		{ "VirtualMachine/Devices/Scsi/0/Attachments", "64", "{}", HCS_BAD_DOCUMENT },
		{ "VirtualMachine/Devices/HvSocket/HvSocketConfig/ServiceTable", "1024", "{}", HCS_BAD_DOCUMENT },
		{ "VirtualMachine/Devices/FlexibleIov", "1", "{\"EmulatorId\":\"" EMULATOR "\"}", HCS_BAD_DOCUMENT },
		{ "VirtualMachine/Devices/FlexibleIov", EMULATOR, "{}", HCS_BAD_DOCUMENT },
		{ "VirtualMachine/Devices/FlexibleIov/11111111-2222-3333-4444-555555555555", "EmulatorId", "\"ours\"",
		  HCS_BAD_DOCUMENT },
		{ "VirtualMachine/Devices/FlexibleIov/11111111-2222-3333-4444-555555555555", "HostingModel", "\"Host\"",
		  HCS_BAD_DOCUMENT },
		{ "VirtualMachine/Devices/FlexibleIov/11111111-2222-3333-4444-555555555555", "Configuration", "[1]",
		  HCS_BAD_DOCUMENT },
		{ "VirtualMachine/Devices/HvSocket/HvSocketConfig", "DefaultBindSecurityDescriptor", "\"me\"",
		  HCS_BAD_ARGUMENT },
	};
	struct sk_hcs_start s = start();
	struct sk_engine_config c = config();
	char why[200];
	json_t *o;
	size_t i;

	(void)state;
	s.pci = two_pci;
	s.n_pci = 2;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		o = sk_hcs_document(&s, &c, NULL);
		json_object_set_new((json_t *)(uintptr_t)at(o, wrong[i].path), wrong[i].key,
				    json_loads(wrong[i].json, JSON_DECODE_ANY, NULL));
		if (hcs_validate(o, exists, why) != wrong[i].code)
			fail_msg("%s %s: %s", wrong[i].key, wrong[i].json, why);
		json_decref(o);
	}
	o = sk_hcs_document(&s, &c, NULL);
	missing = "D:\\disks\\disk.vhdx";
	assert_int_equal(hcs_validate(o, exists, why), HCS_NO_FILE);
	missing = NULL;
	json_object_del((json_t *)(uintptr_t)at(o, "VirtualMachine/ComputeTopology"), "Memory");
	assert_int_equal(hcs_validate(o, exists, why), HCS_BAD_DOCUMENT);
	assert_string_equal(why, "missing member: Memory");
	json_decref(o);
}

static void test_errors(void **state)
{
	static const char said[] = "{\"Error\":1,\"ErrorMessage\":\"Invalid\\nJSON\"}";
	static char huge[SK_HCS_RESULT_MAX + 100];
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	assert_int_equal(sk_hcs_error(0x80070005u, NULL, 0, &err, "make a VM"), -EACCES);
	assert_non_null(strstr(err.message, "cannot make a VM: access denied"));
	assert_non_null(strstr(err.message, "Hyper-V Administrators"));
	/* The older form of the same number. */
	assert_int_equal(sk_hcs_error(0xc037010du, said, strlen(said), &err, "make a VM"), -EINVAL);
	assert_non_null(strstr(err.message, "refuses the description of the VM: Invalid JSON (error 0xc037010d)"));
	assert_int_equal(sk_hcs_error(0x80370102u, "", 0, &err, "start a VM"), -ENODEV);
	assert_non_null(strstr(err.message, "Virtual Machine Platform"));
	assert_int_equal(sk_hcs_error(0x80004005u, "[]", 2, &err, "start a VM"), -EIO);
	assert_non_null(strstr(err.message, "0x80004005"));
	memset(huge, ' ', sizeof(huge));
	memcpy(huge, said, strlen(said));
	assert_int_equal(sk_hcs_error(0x80004005u, huge, sizeof(huge), &err, "start a VM"), -EIO);
	assert_null(strstr(err.message, "Invalid"));
}

static int exit_of(const char *text, struct sk_hcs_exit *ret)
{
	return sk_hcs_parse_exit(text, strlen(text), ret);
}

static void test_exit(void **state)
{
	struct sk_hcs_exit end;

	(void)state;
	assert_int_equal(exit_of("{\"Status\":0,\"ExitType\":\"GracefulExit\"}", &end), 0);
	assert_int_equal(end.type, SK_HCS_EXIT_GRACEFUL);
	assert_int_equal(exit_of("{\"Status\":-1070137082,\"ExitType\":\"UnexpectedExit\"}", &end), 0);
	assert_int_equal(end.type, SK_HCS_EXIT_UNEXPECTED);
	assert_int_equal((uint32_t)end.status, 0xc0370106u);
	assert_int_equal(exit_of("{\"Status\":3224830214,\"ExitType\":\"New\"}", &end), 0);
	assert_int_equal(end.type, SK_HCS_EXIT_UNKNOWN);
	assert_int_equal((uint32_t)end.status, 0xc0370106u);
	assert_int_equal(exit_of("{\"ExitType\":\"GracefulExit\"}", &end), -EINVAL);
	assert_int_equal(exit_of("{\"Status\":99999999999}", &end), -EINVAL);
	assert_int_equal(exit_of("", &end), -EINVAL);
	assert_int_equal(sk_hcs_parse_exit(NULL, 0, &end), -EINVAL);
	assert_int_equal(end.type, SK_HCS_EXIT_UNKNOWN);
}

static void test_properties(void **state)
{
	static const char schemas[] =
		"{\"Properties\":[{\"SupportedSchemaVersions\":[{\"Major\":1,\"Minor\":9},{\"Major\":2,\"Minor\":3},"
		"{\"Major\":2,\"Minor\":1}]}]}";
	static const char old[] = "{\"Properties\":[{\"SupportedSchemaVersions\":[{\"Major\":1,\"Minor\":9}]}]}";
	static const char id[] = "{\"RuntimeId\":\"1B2C3D4E-0000-1111-2222-AABBCCDDEEFF\"}";
	static const char bad[] = "{\"RuntimeId\":\"1B2C3D4E-0000-1111-2222-AABBCCDDEEFG\"}";
	char guid[SK_HCS_ID_SIZE];
	unsigned minor = 0;

	(void)state;
	assert_int_equal(sk_hcs_parse_schema(schemas, strlen(schemas), &minor), 0);
	assert_int_equal(minor, 3);
	assert_int_equal(sk_hcs_parse_schema(old, strlen(old), &minor), -EINVAL);
	assert_int_equal(sk_hcs_parse_runtime_id(id, strlen(id), guid), 0);
	assert_string_equal(guid, "1b2c3d4e-0000-1111-2222-aabbccddeeff");
	assert_int_equal(sk_hcs_parse_runtime_id(bad, strlen(bad), guid), -EINVAL);
	assert_string_equal(guid, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document), cmocka_unit_test(test_pci),	 cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_older),	 cmocka_unit_test(test_refused), cmocka_unit_test(test_judge),
		cmocka_unit_test(test_errors),	 cmocka_unit_test(test_exit),	 cmocka_unit_test(test_properties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
