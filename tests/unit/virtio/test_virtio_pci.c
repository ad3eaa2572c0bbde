/* SPDX-License-Identifier: Apache-2.0 */
/* A device as a PCI function, without a transport: a host that leaves the MSI-X table to the function, as Hyper-V does. */
#include "../sk_test.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frontend.h"
#include "pci_driver.h"

#define VERSION_1 (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define EVENT_IDX (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)
#define OWN_FEATURE (UINT64_C(1) << 3)

/* A device that gives back what it gets, one byte more each time. */
struct toy {
	struct sk_device dev;
	unsigned ready, stopped, kicks;
	uint8_t config[8];
	struct sk_vq_chain chain;
};

struct fixture {
	struct sk_loop *loop;
	struct toy toy;
	struct sk_pci *pci;
	struct pci_driver d;
	struct fe fe;
	unsigned sent;
	uint64_t address;
	uint32_t data;
	unsigned vector;
};

static struct fixture fx;

static size_t toy_config(struct sk_device *dev, uint8_t buf[SK_VIRTIO_CONFIG])
{
	memcpy(buf, ((struct toy *)dev)->config, 8);
	return 8;
}

static void toy_set_config(struct sk_device *dev, size_t off, const uint8_t *data, size_t len)
{
	if (off + len <= 8)
		memcpy(((struct toy *)dev)->config + off, data, len);
}

static void toy_ready(struct sk_device *dev, unsigned q)
{
	(void)q;
	((struct toy *)dev)->ready++;
}

static void toy_stopped(struct sk_device *dev, unsigned q)
{
	(void)q;
	((struct toy *)dev)->stopped++;
}

static bool toy_kick(struct sk_device *dev, unsigned q)
{
	struct toy *t = (struct toy *)dev;
	int r;

	t->kicks++;
	while ((r = sk_vq_next(&dev->vq[q], &t->chain)) > 0)
		sk_vq_push(&dev->vq[q], t->chain.head, (uint32_t)t->chain.out_len);
	if (r < 0)
		sk_virtio_fail(dev, "the guest broke the queue");
	sk_vq_flush(&dev->vq[q]);
	return false;
}

static void toy_free(struct sk_device *dev)
{
	sk_virtio_fini(dev);
}

static void failed(struct sk_device *dev)
{
	sk_pci_needs_reset(dev->conn);
}

static void end(struct sk_device *dev)
{
	sk_pci_free(dev->conn);
	sk_virtio_gone(dev);
}

static void on_interrupt(void *arg, unsigned vector, uint64_t address, uint32_t data)
{
	(void)arg;
	fx.sent++;
	fx.vector = vector;
	fx.address = address;
	fx.data = data;
}

static void read_pci(void *arg, enum sk_pci_region region, uint64_t off, void *buf, size_t len)
{
	(void)arg;
	assert_int_equal(sk_pci_read(fx.pci, region, off, buf, len), 0);
}

static void write_pci(void *arg, enum sk_pci_region region, uint64_t off, const void *buf, size_t len)
{
	(void)arg;
	assert_int_equal(sk_pci_write(fx.pci, region, off, buf, len), 0);
	sk_pci_run(fx.pci);
}

static int setup(void **state)
{
	static const struct sk_virtio_ops ops = { .n_queues = 2,
						  .config = toy_config,
						  .set_config = toy_set_config,
						  .queue_ready = toy_ready,
						  .queue_stopped = toy_stopped,
						  .queue_kick = toy_kick,
						  .free = toy_free };
	static const struct sk_virtio_server server = { "it stops", NULL, failed, end };
	static const struct sk_pci_host host = { .interrupt = on_interrupt };
	struct sk_error err = SK_ERROR_INIT;
	struct sk_mem_region half = { .size = FE_HALF };

	(void)state;
	memset(&fx, 0, sizeof(fx));
	assert_int_equal(sk_loop_new(&fx.loop), 0);
	fx.toy.dev.ops = &ops;
	fx.toy.dev.id = SK_VIRTIO_9P;
	fx.toy.dev.name = "toy";
	fx.toy.dev.features = OWN_FEATURE;
	assert_int_equal(sk_virtio_init(&fx.toy.dev, fx.loop, -1, &err), 0);
	fx.toy.dev.server = &server;
	fx.pci = sk_pci_new(&fx.toy.dev, &host, NULL);
	assert_non_null(fx.pci);
	fx.toy.dev.conn = fx.pci;
	fx.fe.loop = fx.loop;
	fx.fe.mem = aligned_alloc(4096, (size_t)2 * FE_HALF);
	memset(fx.fe.mem, 0, (size_t)2 * FE_HALF);
	half.gpa = half.uva = FE_GPA0;
	half.host = fx.fe.mem;
	assert_int_equal(sk_mem_insert(sk_pci_memory(fx.pci), &half), 0);
	half.gpa = half.uva = FE_GPA1;
	half.host = fx.fe.mem + FE_HALF;
	assert_int_equal(sk_mem_insert(sk_pci_memory(fx.pci), &half), 0);
	fx.d = (struct pci_driver){ .read = read_pci, .write = write_pci };
	pd_find(&fx.d, SK_VIRTIO_9P);
	return 0;
}

static int teardown(void **state)
{
	unsigned q;

	(void)state;
	sk_device_free(&fx.toy.dev);
	sk_loop_free(fx.loop);
	for (q = 0; q < FE_QUEUES; q++) {
		if (fx.fe.q[q].kick > 0)
			close(fx.fe.q[q].kick);
		if (fx.fe.q[q].call > 0)
			close(fx.fe.q[q].call);
	}
	free(fx.fe.mem);
	return 0;
}

static void set_vector(unsigned v, uint64_t address, uint32_t data, bool masked)
{
	pd_write(&fx.d, SK_PCI_MSIX, 16 * v, address, 8);
	pd_write(&fx.d, SK_PCI_MSIX, 16 * v + 8, data, 4);
	pd_write(&fx.d, SK_PCI_MSIX, 16 * v + 12, masked, 4);
}

static void enable_msix(uint16_t bits)
{
	pd_write(&fx.d, SK_PCI_CONFIG, fx.d.msix + 2, bits, 2);
}

/* Two queues with vectors 1 and 2; the configuration has 0. */
static void drive(void)
{
	unsigned q;

	assert_int_equal(pd_begin(&fx.d, VERSION_1), 11);
	pd_set_common(&fx.d, 0x10, 0, 2);
	for (q = 0; q < 2; q++) {
		struct fe_queue *f = &fx.fe.q[q];

		if (!f->num)
			fe_init_queue(&fx.fe, q);
		f->last_used = f->avail->idx = f->used->idx = 0;
		pd_set_queue(&fx.d, q, (uint16_t)f->num, (uint16_t)(q + 1), fe_gpa(&fx.fe, f->desc),
			     fe_gpa(&fx.fe, f->avail), fe_gpa(&fx.fe, f->used));
	}
	for (q = 0; q < 3; q++)
		set_vector(q, 0xfee00000u + 0x1000 * q, 40 + q, false);
	enable_msix(0x8000);
	pd_go(&fx.d);
	assert_int_equal(pd_status(&fx.d), PD_OK);
}

static void request(unsigned q)
{
	struct fe_seg seg = { fe_alloc(&fx.fe, 16), 16, false };

	fe_add(&fx.fe, q, &seg, 1);
	pd_notify(&fx.d, q);
}

static void chains_and_interrupts(void **state)
{
	uint32_t len;
	unsigned q;

	(void)state;
	drive();
	assert_int_equal(fx.toy.ready, 2);
	for (q = 0; q < 2; q++) {
		request(q);
		assert_true(fe_used_now(&fx.fe, q, &len) >= 0);
		assert_int_equal(len, 16);
		assert_int_equal(fx.sent, q + 1);
		assert_int_equal(fx.vector, q + 1);
		assert_int_equal(fx.address, 0xfee00000u + 0x1000 * (q + 1));
		assert_int_equal(fx.data, 40 + q + 1);
	}
	/* Read once, it is clear. */
	assert_int_equal(pd_read(&fx.d, SK_PCI_REGISTERS, fx.d.isr.off, 1), 1);
	assert_int_equal(pd_read(&fx.d, SK_PCI_REGISTERS, fx.d.isr.off, 1), 0);
	pd_set_common(&fx.d, PD_STATUS, 0, 1);
	assert_int_equal(fx.toy.stopped, 2);
	request(0);
	assert_int_equal(fe_used_now(&fx.fe, 0, &len), -1);
}

static void masks_and_pending(void **state)
{
	(void)state;
	drive();
	set_vector(1, 0x1000, 7, true);
	request(0);
	request(0);
	assert_int_equal(fx.sent, 0);
	assert_int_equal(pd_read(&fx.d, SK_PCI_MSIX, 0x1000, 8), 1 << 1);
	set_vector(1, 0x2000, 8, false);
	assert_int_equal(fx.sent, 1);
	assert_int_equal(fx.address, 0x2000);
	assert_int_equal(fx.data, 8);
	assert_int_equal(pd_read(&fx.d, SK_PCI_MSIX, 0x1000, 8), 0);
	/* All of them at once. */
	enable_msix(0xc000);
	request(1);
	assert_int_equal(fx.sent, 1);
	enable_msix(0x8000);
	assert_int_equal(fx.sent, 2);
	assert_int_equal(fx.vector, 2);
	/* Off: none, and none later. */
	enable_msix(0);
	request(1);
	enable_msix(0x8000);
	assert_int_equal(fx.sent, 2);
	assert_int_equal(pd_read(&fx.d, SK_PCI_MSIX, 16, 8), 0x2000);
	assert_int_equal(pd_read(&fx.d, SK_PCI_MSIX, 16 + 8, 4), 8);
}

static void vectors_that_do_not_exist(void **state)
{
	(void)state;
	drive();
	pd_set_common(&fx.d, 0x16, 0, 2);
	pd_set_common(&fx.d, 0x1a, 3, 2);
	assert_int_equal(pd_common(&fx.d, 0x1a, 2), 0xffff);
	pd_set_common(&fx.d, 0x10, 0xfffe, 2);
	assert_int_equal(pd_common(&fx.d, 0x10, 2), 0xffff);
	request(0);
	assert_int_equal(fx.sent, 0);
	/* Behind the table. */
	pd_write(&fx.d, SK_PCI_MSIX, 16 * 3, UINT64_MAX, 8);
	assert_int_equal(pd_read(&fx.d, SK_PCI_MSIX, 16 * 3, 8), 0);
}

static void features(void **state)
{
	(void)state;
	assert_true(pd_features(&fx.d) & VERSION_1);
	assert_true(pd_features(&fx.d) & OWN_FEATURE);
	assert_int_equal(pd_begin(&fx.d, OWN_FEATURE), 3);
	assert_int_equal(pd_begin(&fx.d, VERSION_1 | UINT64_C(1) << 5), 3);
	/* Without that there is no DRIVER_OK. */
	pd_go(&fx.d);
	assert_int_equal(pd_status(&fx.d) & 4, 0);
	assert_int_equal(pd_begin(&fx.d, VERSION_1 | OWN_FEATURE), 11);
	assert_int_equal(fx.toy.dev.acked, VERSION_1 | OWN_FEATURE);
	/* Too late. */
	pd_set_common(&fx.d, 8, 0, 4);
	pd_set_common(&fx.d, 12, 0, 4);
	assert_int_equal(pd_common(&fx.d, 12, 4), OWN_FEATURE);
	/* Words that do not exist. */
	pd_set_common(&fx.d, 0, 2, 4);
	assert_int_equal(pd_common(&fx.d, 4, 4), 0);
}

static void queues_that_cannot_be(void **state)
{
	(void)state;
	assert_int_equal(pd_begin(&fx.d, VERSION_1), 11);
	pd_set_common(&fx.d, 0x16, 2, 2);
	assert_int_equal(pd_common(&fx.d, 0x18, 2), 0);
	pd_set_common(&fx.d, 0x1c, 1, 2);
	assert_int_equal(pd_common(&fx.d, 0x1c, 2), 0);
	pd_set_common(&fx.d, 0x16, 0, 2);
	pd_set_common(&fx.d, 0x18, 3, 2);
	pd_set_common(&fx.d, 0x18, 512, 2);
	pd_set_common(&fx.d, 0x18, 0, 2);
	assert_int_equal(pd_common(&fx.d, 0x18, 2), 256);
	/* Nowhere in memory: the guest is told once it wants to run. */
	pd_set_common(&fx.d, 0x10, 0, 2);
	set_vector(0, 1, 2, false);
	enable_msix(0x8000);
	pd_set_queue(&fx.d, 0, 64, 1, FE_NOWHERE, FE_NOWHERE, FE_NOWHERE);
	pd_go(&fx.d);
	assert_int_equal(pd_status(&fx.d), PD_OK | PD_NEEDS_RESET);
	assert_int_equal(fx.toy.ready, 0);
	assert_int_equal(fx.vector, 0);
	assert_int_equal(fx.sent, 1);
	drive();
	request(0);
	assert_true(fe_used_now(&fx.fe, 0, NULL) >= 0);
}

static void broken_and_reset(void **state)
{
	unsigned kicks;

	(void)state;
	drive();
	fx.fe.q[0].avail->idx = 1000;
	pd_notify(&fx.d, 0);
	fe_settle(fx.loop);
	assert_int_equal(pd_status(&fx.d), PD_OK | PD_NEEDS_RESET);
	assert_int_equal(fx.toy.stopped, 2);
	assert_int_equal(fx.sent, 1);
	assert_int_equal(fx.vector, 0);
	kicks = fx.toy.kicks;
	pd_notify(&fx.d, 1);
	assert_int_equal(fx.toy.kicks, kicks);
	drive();
	request(0);
	assert_true(fe_used_now(&fx.fe, 0, NULL) >= 0);
}

static void memory_that_goes(void **state)
{
	struct sk_mem_region r;

	(void)state;
	drive();
	assert_int_equal(sk_mem_take(sk_pci_memory(fx.pci), FE_GPA1, FE_HALF, &r), 0);
	sk_pci_memory_lost(fx.pci);
	request(0);
	assert_true(fe_used_now(&fx.fe, 0, NULL) >= 0);
	assert_int_equal(sk_mem_take(sk_pci_memory(fx.pci), FE_GPA0, FE_HALF, &r), 0);
	sk_pci_memory_lost(fx.pci);
	assert_int_equal(fx.toy.stopped, 2);
	assert_int_equal(pd_status(&fx.d), PD_OK | PD_NEEDS_RESET);
}

static void configuration_space(void **state)
{
	uint8_t all[SK_PCI_CONFIG_SIZE];

	(void)state;
	/* Sizes of the BARs. */
	pd_write(&fx.d, SK_PCI_CONFIG, 0x10, UINT32_MAX, 4);
	pd_write(&fx.d, SK_PCI_CONFIG, 0x14, UINT32_MAX, 4);
	pd_write(&fx.d, SK_PCI_CONFIG, 0x18, UINT32_MAX, 4);
	assert_int_equal(pd_read(&fx.d, SK_PCI_CONFIG, 0x10, 4), (uint32_t)-0x4000);
	assert_int_equal(pd_read(&fx.d, SK_PCI_CONFIG, 0x14, 4), (uint32_t)-0x2000);
	assert_int_equal(pd_read(&fx.d, SK_PCI_CONFIG, 0x18, 4), 0);
	/* What is fixed stays. */
	pd_write(&fx.d, SK_PCI_CONFIG, 0, 0, 4);
	pd_write(&fx.d, SK_PCI_CONFIG, 4, UINT32_MAX, 4);
	assert_int_equal(pd_read(&fx.d, SK_PCI_CONFIG, 0, 2), 0x1af4);
	assert_int_equal(pd_read(&fx.d, SK_PCI_CONFIG, 4, 2), 0x406);
	read_pci(NULL, SK_PCI_CONFIG, 0, all, sizeof(all));
	assert_int_equal(all[0x34], 0x40);
	/* Outside, or too wide. */
	assert_int_equal(sk_pci_read(fx.pci, SK_PCI_CONFIG, 255, all, 2), -EINVAL);
	assert_int_equal(sk_pci_read(fx.pci, SK_PCI_REGISTERS, 0, all, 9), -EINVAL);
	assert_int_equal(sk_pci_read(fx.pci, SK_PCI_REGISTERS, UINT64_MAX, all, 2), -EINVAL);
	assert_int_equal(sk_pci_write(fx.pci, SK_PCI_MSIX, 0x1fff, all, 2), -EINVAL);
}

/* The same registers through the configuration space. */
static void window(void **state)
{
	const uint32_t at = fx.d.access;

	(void)state;
	pd_write(&fx.d, SK_PCI_CONFIG, at + 4, 0, 1);
	pd_write(&fx.d, SK_PCI_CONFIG, at + 8, fx.d.common.off + PD_STATUS, 4);
	pd_write(&fx.d, SK_PCI_CONFIG, at + 12, 1, 4);
	pd_write(&fx.d, SK_PCI_CONFIG, at + 16, 3, 1);
	assert_int_equal(pd_status(&fx.d), 3);
	assert_int_equal(pd_read(&fx.d, SK_PCI_CONFIG, at + 16, 1), 3);
	/* A window to nowhere. */
	pd_write(&fx.d, SK_PCI_CONFIG, at + 8, 0xfffffff0, 4);
	assert_int_equal(pd_read(&fx.d, SK_PCI_CONFIG, at + 16, 1), 0);
	pd_write(&fx.d, SK_PCI_CONFIG, at + 16, 3, 1);
	pd_write(&fx.d, SK_PCI_CONFIG, at + 4, 9, 1);
	assert_int_equal(pd_read(&fx.d, SK_PCI_CONFIG, at + 16, 1), 0);
}

static void device_configuration(void **state)
{
	(void)state;
	pd_write(&fx.d, SK_PCI_REGISTERS, fx.d.device.off + 4, 0x11223344, 4);
	assert_int_equal(pd_read(&fx.d, SK_PCI_REGISTERS, fx.d.device.off, 8), UINT64_C(0x1122334400000000));
	assert_int_equal(pd_read(&fx.d, SK_PCI_REGISTERS, fx.d.device.off + 255, 8), 0);
	pd_write(&fx.d, SK_PCI_REGISTERS, fx.d.device.off + 255, UINT64_MAX, 8);
}

/* Memory that is mapped when it is asked for. */
static bool map_more(void *arg, uint64_t gpa)
{
	struct sk_mem_region half = { .gpa = FE_GPA0, .uva = FE_GPA0, .size = FE_HALF, .host = fx.fe.mem };

	(*(unsigned *)arg)++;
	return gpa >= FE_GPA0 && gpa - FE_GPA0 < FE_HALF && sk_mem_insert(sk_pci_memory(fx.pci), &half) == 0;
}

static void memory_on_demand(void **state)
{
	struct sk_guest_mem *mem = sk_pci_memory(fx.pci);
	unsigned asked = 0;

	(void)state;
	mem->n = 0;
	mem->miss = map_more;
	mem->miss_arg = &asked;
	drive();
	assert_int_equal(asked, 1);
	request(0);
	assert_true(fe_used_now(&fx.fe, 0, NULL) >= 0);
	assert_int_equal(asked, 1);
	assert_null(sk_mem_gpa(mem, FE_NOWHERE, 1));
	assert_int_equal(asked, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(chains_and_interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(masks_and_pending, setup, teardown),
		cmocka_unit_test_setup_teardown(vectors_that_do_not_exist, setup, teardown),
		cmocka_unit_test_setup_teardown(features, setup, teardown),
		cmocka_unit_test_setup_teardown(queues_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_and_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_that_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(configuration_space, setup, teardown),
		cmocka_unit_test_setup_teardown(window, setup, teardown),
		cmocka_unit_test_setup_teardown(device_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_on_demand, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
