/* SPDX-License-Identifier: Apache-2.0 */
/* VMs by calls of computecore.dll: against the stand-in of tests/windows/computecore.c, as Wine has none. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/platform/windows/system.h"
#include "base/vhd.h"
#include "engine/hcs_windows.h"

#define ID "1b2c3d4e-0000-1111-2222-aabbccddeeff"

static char dir[] = "/tmp/sk-test-hcs-XXXXXX";
static char kernel[600], initramfs[600], disk[600];
static const char *library;
static char *sid;

static void make_file(const char *cwd, const char *name, char path[600])
{
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, name, "x", 1, 0600, false), 0);
	snprintf(path, 600, "%s/%s", cwd, name);
}

/* Of a file that has been made. */
static void make_disk(void)
{
	_cleanup_fd_ int fd = open(disk, O_RDWR | O_CLOEXEC);

	assert_int_equal(sk_vhd_make(fd), 0);
}

static int setup(void **state)
{
	_cleanup_free_ char *cwd = NULL;

	(void)state;
	library = getenv("SKERRY_TEST_COMPUTECORE");
	assert_non_null(library);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	cwd = getcwd(NULL, 0);
	assert_non_null(cwd);
	make_file(cwd, "vmlinux", kernel);
	make_file(cwd, "initramfs.cpio", initramfs);
	make_file(cwd, "disk.vhd", disk);
	make_disk();
	sid = sk_hcs_user(NULL);
	return sid ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(sid);
	return chdir("/") < 0 ? -1 : sk_fs_remove_tree(AT_FDCWD, dir);
}

static struct sk_hcs *load(void)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_hcs *hcs = NULL;

	if (sk_hcs_open(library, &hcs, &err) < 0)
		fail_msg("%s", err.message);
	return hcs;
}

static int make_vm(struct sk_hcs *hcs, const char *args, const char *pipe, struct sk_hcs_vm **ret, struct sk_error *err)
{
	const struct sk_engine_disk disks[] = { { disk, false } };
	const uint32_t ports[] = { 1024 };
	const struct sk_engine_config config = { .name = "test",
						 .memory = 256 << 20,
						 .cpus = 1,
						 .disks = disks,
						 .n_disks = 1,
						 .ports = ports,
						 .n_ports = 1,
						 .extra_args = args };
	const struct sk_hcs_start start = {
		.schema_minor = 5, .kernel = kernel, .initramfs = initramfs, .console_pipe = pipe, .user_sid = sid
	};
	json_t *document = sk_hcs_document(&start, &config, err);
	int r = document ? sk_hcs_vm_new(hcs, ID, document, &config, ret, err) : -err->code;

	json_decref(document);
	return r;
}

static void test_library(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_hcs *hcs = NULL;
	unsigned minor = 0;

	(void)state;
	assert_int_equal(sk_hcs_open("C:\\nothing\\computecore.dll", &hcs, &err), -ENOENT);
	assert_non_null(strstr(err.message, "Virtual Machine Platform"));
	/* One that lacks the calls. */
	err = (struct sk_error)SK_ERROR_INIT;
	assert_int_equal(sk_hcs_open("version.dll", &hcs, &err), -ENOENT);
	assert_non_null(strstr(err.message, "too old"));
	hcs = load();
	assert_int_equal(sk_hcs_schema(hcs, &minor, NULL), 0);
	assert_int_equal(minor, 5);
	sk_hcs_close(hcs);
}

/* It writes to its console and powers itself off. */
static void test_life(void **state)
{
	HANDLE pipe = CreateNamedPipeW(L"\\\\.\\pipe\\skerry-test-console", PIPE_ACCESS_INBOUND, PIPE_WAIT, 1, 4096,
				       4096, 0, NULL);
	struct sk_error err = SK_ERROR_INIT;
	struct sk_hcs *hcs = load();
	struct sk_hcs_vm *vm = NULL;
	struct sk_hcs_exit end;
	char text[100] = "";
	DWORD n = 0;

	(void)state;
	assert_true(pipe != INVALID_HANDLE_VALUE);
	if (make_vm(hcs, "standin.exit", "\\\\.\\pipe\\skerry-test-console", &vm, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(sk_hcs_vm_address(vm), ID);
	assert_int_equal(sk_hcs_vm_wait(vm, 50, &end, NULL), -ETIMEDOUT);
	assert_int_equal(sk_hcs_vm_start(vm, &err), 0);
	assert_int_equal(sk_hcs_vm_wait(vm, 10000, &end, &err), 0);
	assert_int_equal(end.type, SK_HCS_EXIT_GRACEFUL);
	assert_int_equal(end.status, 0);
	assert_true(ReadFile(pipe, text, sizeof(text) - 1, &n, NULL));
	assert_string_equal(text, "Linux version 0 (stand-in)\r\n");
	/* Twice is no start. */
	assert_int_equal(sk_hcs_vm_start(vm, &err), -EINVAL);
	assert_int_equal(sk_hcs_vm_kill(vm, NULL), 0);
	sk_hcs_vm_free(vm);
	CloseHandle(pipe);
	sk_hcs_close(hcs);
}

static void test_ends(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_hcs *hcs = load();
	struct sk_hcs_vm *vm = NULL, *other = NULL;
	struct sk_hcs_exit end;

	(void)state;
	assert_int_equal(make_vm(hcs, "standin.crash", NULL, &vm, &err), 0);
	/* Its name is taken. */
	assert_int_equal(make_vm(hcs, NULL, NULL, &other, &err), -EEXIST);
	assert_null(other);
	assert_int_equal(sk_hcs_vm_start(vm, NULL), 0);
	assert_int_equal(sk_hcs_vm_wait(vm, 10000, &end, NULL), 0);
	assert_int_equal(end.type, SK_HCS_EXIT_UNEXPECTED);
	assert_int_equal((uint32_t)end.status, 0x80370106u);
	sk_hcs_vm_free(vm);
	assert_int_equal(make_vm(hcs, NULL, NULL, &vm, &err), 0);
	assert_int_equal(sk_hcs_vm_start(vm, NULL), 0);
	assert_int_equal(sk_hcs_vm_wait(vm, 100, &end, NULL), -ETIMEDOUT);
	assert_int_equal(sk_hcs_vm_kill(vm, NULL), 0);
	assert_int_equal(sk_hcs_vm_wait(vm, 10000, &end, NULL), 0);
	assert_int_equal(end.type, SK_HCS_EXIT_FORCED);
	sk_hcs_vm_free(vm);
	sk_hcs_close(hcs);
}

static void test_refused(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_hcs *hcs = load();
	struct sk_hcs_vm *vm = NULL;
	unsigned minor;

	(void)state;
	/* The service names what it does not like. */
	snprintf(initramfs + strlen(initramfs), 8, ".gone");
	assert_int_equal(make_vm(hcs, NULL, NULL, &vm, &err), -ENOENT);
	assert_non_null(strstr(err.message, "cannot make a VM: a file is missing: no such file"));
	initramfs[strlen(initramfs) - 5] = '\0';
	/* A disk that cannot be handed on. */
	snprintf(disk + strlen(disk), 8, ".gone");
	assert_int_equal(make_vm(hcs, NULL, NULL, &vm, &err), -ENOENT);
	assert_non_null(strstr(err.message, "disk.vhd.gone: cannot let a VM use its disk"));
	disk[strlen(disk) - 5] = '\0';
	SetEnvironmentVariableA("SKERRY_STANDIN_DENY", "1");
	assert_int_equal(sk_hcs_schema(hcs, &minor, &err), -EACCES);
	assert_non_null(strstr(err.message, "Hyper-V Administrators"));
	assert_int_equal(make_vm(hcs, NULL, NULL, &vm, &err), -EACCES);
	SetEnvironmentVariableA("SKERRY_STANDIN_DENY", NULL);
	assert_null(vm);
	sk_hcs_close(hcs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_library),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
