/* SPDX-License-Identifier: Apache-2.0 */
/* A VM of Hyper-V with a 9P device of ours on its PCI bus: the description names it, and it is there when the VM starts. Against
 * the stand-ins of tests/windows for computecore.dll and vmdevicehost.dll, which compare what each was told. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/loop.h"
#include "engine/hyperv.h"
#include "export/memory.h"
#include "virtio/hdv_windows.h"
#include "virtio/ninep_dev.h"

#define INSTANCE "1b2c3d4e-0000-1111-2222-aabbccddeeff"
#define OTHER "1b2c3d4e-0000-1111-2222-aabbccddee00"

static char dir[] = "/tmp/sk-test-hdv-XXXXXX";
static struct sk_loop *loop;
static struct sk_9p_fs *fs;
static struct sk_9p_export export;
static struct sk_9p_server *server;

static uint64_t now(void *arg)
{
	(void)arg;
	return sk_now_ms();
}

static int setup(void **state)
{
	const struct sk_memfs_limits limits = { 1u << 20, 100 };
	const struct sk_9p_server_config config = { .now_ms = now };
	_cleanup_free_ char *cwd = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	cwd = getcwd(NULL, 0);
	assert_non_null(cwd);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, SK_HYPERV_KERNEL, "x", 1, 0600, false), 0);
	assert_int_equal(sk_fs_write_atomic(AT_FDCWD, "initramfs.cpio", "x", 1, 0600, false), 0);
	setenv("SKERRY_GUEST_DIR", cwd, 1);
	assert_int_equal(sk_loop_new(&loop), 0);
	assert_int_equal(sk_memfs_new(&limits, &fs), 0);
	assert_int_equal(sk_9p_server_new(&config, &server), 0);
	export = (struct sk_9p_export){ .name = "x", .fs = fs };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sk_9p_server_free(server);
	sk_memfs_free(fs);
	sk_loop_free(loop);
	return chdir("/") < 0 ? -1 : sk_fs_remove_tree(AT_FDCWD, dir);
}

static struct sk_hyperv *make_vm(const char *instance)
{
	const struct sk_hcs_pci pci = { instance, SK_HDV_EMULATOR };
	const struct sk_engine_config engine = { .name = "test", .memory = 256 << 20, .cpus = 1 };
	const struct sk_hyperv_config config = { .engine = &engine, .pci = &pci, .n_pci = 1 };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_hyperv *vm = NULL;

	if (sk_hyperv_new(&config, &vm, &err) < 0)
		fail_msg("%s", err.message);
	return vm;
}

/* As long as nobody is the device that the description names, there is no start. */
static void test_device(void **state)
{
	struct sk_hyperv *vm = make_vm(INSTANCE);
	struct sk_hdv_host *host = NULL;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_device *device = NULL;
	struct sk_hdv *hdv = NULL;
	char why[200];

	(void)state;
	assert_true(sk_hyperv_start(vm, &err) < 0);
	assert_non_null(strstr(err.message, "has no host"));
	err = (struct sk_error)SK_ERROR_INIT;
	assert_int_equal(sk_hdv_open(getenv("SKERRY_TEST_VMDEVICEHOST"), &hdv, &err), 0);
	assert_int_equal(sk_ninep_dev_new(loop, -1, "share", server, &export, 1, false, &device, &err), 0);
	assert_int_equal(sk_hdv_host_new(hdv, sk_hyperv_system(vm), &host, &err), 0);
	assert_true(sk_hyperv_start(vm, NULL) < 0);
	assert_int_equal(sk_hdv_attach(host, device, INSTANCE, &err), 0);
	if (sk_hyperv_start(vm, &err) < 0)
		fail_msg("%s", err.message);
	sk_hyperv_end(vm, why, sizeof(why));
	assert_string_equal(why, "");
	sk_hyperv_free(vm);
	sk_hdv_host_free(host);
	sk_hdv_close(hdv);
	sk_device_free(device);
}

/* A device of another name, or of another VM's, is none. */
static void test_another(void **state)
{
	struct sk_hyperv *vm = make_vm(INSTANCE), *other = make_vm(OTHER);
	struct sk_hdv_host *host = NULL;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_device *device = NULL;
	struct sk_hdv *hdv = NULL;

	(void)state;
	assert_int_equal(sk_hdv_open(getenv("SKERRY_TEST_VMDEVICEHOST"), &hdv, &err), 0);
	assert_int_equal(sk_ninep_dev_new(loop, -1, "share", server, &export, 1, false, &device, &err), 0);
	assert_int_equal(sk_hdv_host_new(hdv, sk_hyperv_system(other), &host, &err), 0);
	assert_int_equal(sk_hdv_attach(host, device, INSTANCE, &err), 0);
	assert_true(sk_hyperv_start(vm, NULL) < 0);
	assert_true(sk_hyperv_start(other, NULL) < 0);
	sk_hyperv_free(vm);
	sk_hyperv_free(other);
	sk_hdv_host_free(host);
	sk_hdv_close(hdv);
	sk_device_free(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_another),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
