/* SPDX-License-Identifier: Apache-2.0 */
/* The 9P device on the PCI bus of a VM of Hyper-V: against the stand-in of tests/windows/vmdevicehost.c, as Wine has no
 * vmdevicehost.dll. The test is the guest's processor; the device's loop runs in a thread of its own. */
#include "../sk_test.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/platform/windows/system.h"
#include "export/memory.h"
#include "ninep/codec.h"
#include "pci_driver.h"
#include "virtio/hdv_windows.h"
#include "virtio/ninep_dev.h"

#include "../../windows/vmdevicehost.h"

#define INSTANCE "1b2c3d4e-0000-1111-2222-aabbccddeeff"
#define NUM 16u
/* Offsets in the guest's memory. */
#define DESC 0x0u
#define AVAIL 0x1000u
#define USED 0x2000u
#define REQUEST 0x10000u
#define REPLY 0x20000u
#define REPLY_SIZE 0x10000u

static struct {
	struct sk_hdv *hdv;
	struct sk_hdv_host *host;
	struct sk_loop *loop;
	struct sk_device *dev;
	struct sk_9p_fs *fs;
	struct sk_9p_export export;
	struct sk_9p_server *server;
	struct pci_driver d;
	HANDLE thread;
	volatile LONG stop;
	uint16_t sent;
	uint8_t *mem;
} fx;

static uint64_t now(void *arg)
{
	(void)arg;
	return sk_now_ms();
}

static DWORD WINAPI run_loop(void *arg)
{
	(void)arg;
	while (!fx.stop)
		sk_loop_once(fx.loop, 20);
	return 0;
}

/* The configuration space is read and written in aligned words. */
static void read_pci(void *arg, enum sk_pci_region region, uint64_t off, void *buf, size_t len)
{
	UINT32 word;

	(void)arg;
	if (region == SK_PCI_CONFIG) {
		assert_true(off % 4 + len <= 4);
		assert_int_equal(standin_read_config(0, (UINT32)off & ~3u, &word), S_OK);
		memcpy(buf, (uint8_t *)&word + off % 4, len);
		return;
	}
	assert_int_equal(standin_read(0, region == SK_PCI_MSIX, off, len, buf), S_OK);
}

static void write_pci(void *arg, enum sk_pci_region region, uint64_t off, const void *buf, size_t len)
{
	UINT32 word;

	(void)arg;
	if (region == SK_PCI_CONFIG) {
		assert_true(off % 4 + len <= 4);
		assert_int_equal(standin_read_config(0, (UINT32)off & ~3u, &word), S_OK);
		memcpy((uint8_t *)&word + off % 4, buf, len);
		assert_int_equal(standin_write_config(0, (UINT32)off & ~3u, word), S_OK);
		return;
	}
	assert_int_equal(standin_write(0, region == SK_PCI_MSIX, off, len, buf), S_OK);
}

static int setup(void **state)
{
	struct sk_memfs_limits limits = { 1u << 20, 100 };
	struct sk_9p_server_config config = { .now_ms = now };
	struct sk_error err = SK_ERROR_INIT;
	const char *library = getenv("SKERRY_TEST_VMDEVICEHOST");

	(void)state;
	memset(&fx, 0, sizeof(fx));
	assert_non_null(library);
	assert_int_equal(sk_loop_new(&fx.loop), 0);
	assert_int_equal(sk_memfs_new(&limits, &fx.fs), 0);
	assert_int_equal(sk_9p_server_new(&config, &fx.server), 0);
	fx.export = (struct sk_9p_export){ .name = "x", .fs = fx.fs };
	assert_int_equal(sk_ninep_dev_new(fx.loop, -1, "share", fx.server, &fx.export, 1, false, &fx.dev, &err), 0);
	assert_int_equal(sk_hdv_open(library, &fx.hdv, &err), 0);
	assert_int_equal(sk_hdv_host_new(fx.hdv, &fx, &fx.host, &err), 0);
	assert_int_equal(sk_hdv_attach(fx.host, fx.dev, INSTANCE, &err), 0);
	fx.mem = standin_memory();
	memset(fx.mem, 0, STANDIN_MEMORY_SIZE);
	fx.d = (struct pci_driver){ .read = read_pci, .write = write_pci };
	fx.thread = CreateThread(NULL, 0, run_loop, NULL, 0, NULL);
	assert_non_null(fx.thread);
	return 0;
}

static void end_loop(void)
{
	if (!fx.thread)
		return;
	InterlockedExchange(&fx.stop, 1);
	assert_int_equal(WaitForSingleObject(fx.thread, 10000), WAIT_OBJECT_0);
	CloseHandle(fx.thread);
	fx.thread = NULL;
}

static int teardown(void **state)
{
	(void)state;
	end_loop();
	sk_hdv_host_free(fx.host);
	sk_hdv_close(fx.hdv);
	sk_device_free(fx.dev);
	sk_9p_server_free(fx.server);
	sk_memfs_free(fx.fs);
	sk_loop_free(fx.loop);
	return 0;
}

/* The VM starts, and its driver sets up the first queue. */
static void drive(void)
{
	struct hdv_pci_id id;
	UINT32 bars[HDV_PCI_BARS];

	assert_int_equal(standin_start(0, &id, bars), S_OK);
	assert_int_equal(id.vendor, 0x1af4);
	assert_int_equal(id.device, 0x1049);
	assert_int_equal(id.base_class, 0xff);
	assert_int_equal(bars[0], (UINT32)-0x4000);
	assert_int_equal(bars[1], (UINT32)-0x2000);
	assert_int_equal(bars[2], 0);
	if (!fx.d.vectors)
		pd_find(&fx.d, SK_VIRTIO_9P);
	assert_int_equal(pd_begin(&fx.d, UINT64_C(1) << VIRTIO_F_VERSION_1), 11);
	memset(fx.mem + DESC, 0, 0x3000);
	fx.sent = 0;
	pd_write(&fx.d, SK_PCI_MSIX, 16, 0xfee00000, 8);
	pd_write(&fx.d, SK_PCI_MSIX, 16 + 8, 77, 4);
	pd_write(&fx.d, SK_PCI_MSIX, 16 + 12, 0, 4);
	pd_write(&fx.d, SK_PCI_CONFIG, fx.d.msix + 2, 0x8000, 2);
	pd_set_queue(&fx.d, 0, NUM, 1, STANDIN_MEMORY + DESC, STANDIN_MEMORY + AVAIL, STANDIN_MEMORY + USED);
	pd_go(&fx.d);
	assert_int_equal(pd_status(&fx.d), PD_OK);
}

/* Sends a request and waits for its reply. */
static void call(const struct p9_msg *t, struct p9_msg *ret)
{
	struct vring_desc *desc = (struct vring_desc *)(void *)(fx.mem + DESC);
	struct vring_avail *avail = (struct vring_avail *)(void *)(fx.mem + AVAIL);
	struct vring_used *used = (struct vring_used *)(void *)(fx.mem + USED);
	uint16_t before = used->idx;
	UINT64 address;
	UINT32 data;
	unsigned interrupts = standin_interrupts(0, &address, &data), i;
	long len = p9_encode(t, fx.mem + REQUEST, 0x10000);

	assert_true(len > 0);
	desc[0] = (struct vring_desc){ STANDIN_MEMORY + REQUEST, (uint32_t)len, VRING_DESC_F_NEXT, 1 };
	desc[1] = (struct vring_desc){ STANDIN_MEMORY + REPLY, REPLY_SIZE, VRING_DESC_F_WRITE, 0 };
	avail->ring[avail->idx % NUM] = 0;
	__atomic_store_n(&avail->idx, (uint16_t)(avail->idx + 1), __ATOMIC_RELEASE);
	pd_notify(&fx.d, 0);
	for (i = 0; __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) == before; i++) {
		assert_true(i < 1000);
		Sleep(5);
	}
	for (i = 0; standin_interrupts(0, &address, &data) == interrupts; i++) {
		assert_true(i < 1000);
		Sleep(5);
	}
	assert_int_equal(address, 0xfee00000);
	assert_int_equal(data, 77);
	assert_int_equal(p9_decode(fx.mem + REPLY, used->ring[before % NUM].len, ret), 0);
}

static void session(void)
{
	struct p9_msg t = { .type = P9_TVERSION, .tag = P9_NOTAG }, r;

	t.u.version.msize = 8192;
	t.u.version.version = (struct p9_str){ P9_VERSION_EXT, (uint16_t)strlen(P9_VERSION_EXT) };
	call(&t, &r);
	assert_int_equal(r.type, P9_TVERSION + 1);
	assert_int_equal(r.u.version.msize, 8192);
	t = (struct p9_msg){ .type = P9_TATTACH, .tag = 1 };
	t.u.attach.afid = P9_NOFID;
	t.u.attach.uname = t.u.attach.aname = (struct p9_str){ "", 0 };
	call(&t, &r);
	assert_int_equal(r.type, P9_TATTACH + 1);
}

static void a_share(void **state)
{
	uint8_t tag[7];

	(void)state;
	drive();
	read_pci(NULL, SK_PCI_REGISTERS, fx.d.device.off, tag, sizeof(tag));
	assert_memory_equal(tag, "\5\0share", 7);
	session();
	assert_true(standin_apertures(0) > 0);
	standin_stop(0);
	assert_int_equal(standin_apertures(0), 0);
	/* A VM that is reset starts its devices again. */
	drive();
	session();
}

static void without_doorbells(void **state)
{
	(void)state;
	standin_refuse_doorbells();
	drive();
	session();
}

static void strange_accesses(void **state)
{
	BYTE value[16] = { 1 };
	UINT32 word = 1;

	(void)state;
	drive();
	assert_int_equal(standin_read(0, 3, 0, 4, value), E_INVALIDARG);
	assert_int_equal(standin_read(0, 0, 0, 16, value), E_INVALIDARG);
	assert_int_equal(standin_read(0, 0, UINT64_MAX, 4, value), E_INVALIDARG);
	assert_int_equal(standin_write(0, 1, 0x2000, 4, value), E_INVALIDARG);
	/* No extended capabilities. */
	assert_int_equal(standin_read_config(0, 256, &word), S_OK);
	assert_int_equal(word, 0);
	assert_int_equal(standin_write_config(0, 4092, 5), S_OK);
	/* Rings that are in no memory. */
	pd_begin(&fx.d, UINT64_C(1) << VIRTIO_F_VERSION_1);
	pd_set_queue(&fx.d, 0, NUM, 1, 0x1000, 0x2000, 0x3000);
	pd_go(&fx.d);
	assert_int_equal(pd_status(&fx.d), PD_OK | PD_NEEDS_RESET);
	drive();
	session();
}

/* A loop that does not turn: the guest's access fails after a while, and nothing is left of it. */
static void busy_loop(void **state)
{
	ULONGLONG begun = GetTickCount64();
	BYTE value[4];

	(void)state;
	end_loop();
	assert_int_equal(standin_read(0, 0, 0, 4, value), E_FAIL);
	assert_true(GetTickCount64() - begun >= SK_HDV_PATIENCE_MS - 100);
	fx.stop = 0;
	fx.thread = CreateThread(NULL, 0, run_loop, NULL, 0, NULL);
	drive();
	session();
}

static void no_library(void **state)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_hdv *hdv;

	(void)state;
	assert_int_equal(sk_hdv_open("C:\\nowhere.dll", &hdv, &err), -ENOENT);
	assert_non_null(strstr(err.message, "Virtual Machine Platform"));
	assert_int_equal(sk_hdv_attach(fx.host, fx.dev, "x", &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_share, setup, teardown),
		cmocka_unit_test_setup_teardown(without_doorbells, setup, teardown),
		cmocka_unit_test_setup_teardown(strange_accesses, setup, teardown),
		cmocka_unit_test_setup_teardown(busy_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(no_library, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
