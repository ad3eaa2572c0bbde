/* SPDX-License-Identifier: Apache-2.0 */
/* A disk behind vfio-user: a client that does what QEMU's does, and clients that do not. */
#include "../sk_test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include "frontend.h"
#include "pci_driver.h"
#include "vfu_send.h"
#include "virtio/device.h"

#define VERSION_1 (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define EVENT_IDX (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)
#define JSON "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,\"pgsizes\":4096}}"

struct fixture {
	struct sk_loop *loop;
	struct sk_device *dev;
	struct fe fe;
	struct pci_driver d;
	struct sockaddr_un addr;
	unsigned addr_len;
	uint16_t id;
	struct {
		struct vfu_header h;
		uint8_t p[VFU_MESSAGE_MAX];
	} reply;
};

static struct fixture fx;

/* --- messages --- */

static bool read_all(void *p, size_t n)
{
	size_t have = 0;
	int i;

	for (i = 0; have < n && i < 2000; i++) {
		ssize_t r = recv(fx.fe.sock, (uint8_t *)p + have, n - have, MSG_DONTWAIT);

		if (r == 0 || (r < 0 && errno != EAGAIN))
			return false;
		if (r > 0)
			have += (size_t)r;
		else
			sk_loop_once(fx.loop, 1);
	}
	return have == n;
}

static void send_flags(uint16_t command, uint32_t flags, const void *p, size_t n, const int *fds, unsigned n_fds)
{
	struct vfu_header h = { ++fx.id, command, (uint32_t)(sizeof(h) + n), flags, 0 };

	assert_int_equal(vfu_send(fx.fe.sock, h, p, n, fds, n_fds, 0), (ssize_t)h.size);
}

/* Sends a command and takes its reply: the size of its payload, or the negative errno that it carries. */
static int ask_fds(uint16_t command, const void *p, size_t n, const int *fds, unsigned n_fds)
{
	send_flags(command, 0, p, n, fds, n_fds);
	assert_true(read_all(&fx.reply.h, sizeof(fx.reply.h)));
	assert_int_equal(fx.reply.h.id, fx.id);
	assert_int_equal(fx.reply.h.command, command);
	assert_int_equal(fx.reply.h.flags & 0xf, VFU_TYPE_REPLY);
	assert_in_range(fx.reply.h.size, sizeof(fx.reply.h), sizeof(fx.reply));
	assert_true(read_all(fx.reply.p, fx.reply.h.size - sizeof(fx.reply.h)));
	if (fx.reply.h.flags & VFU_ERROR) {
		assert_int_equal(fx.reply.h.size, sizeof(fx.reply.h));
		return -(int)fx.reply.h.error;
	}
	return (int)(fx.reply.h.size - sizeof(fx.reply.h));
}

static int ask(uint16_t command, const void *p, size_t n)
{
	return ask_fds(command, p, n, NULL, 0);
}

static int hello(uint16_t major, const char *json, size_t n)
{
	struct {
		struct vfu_version v;
		char json[200];
	} m = { { major, 5 }, "" };

	memcpy(m.json, json, n);
	return ask(VFU_VERSION, &m, sizeof(m.v) + n);
}

static int map(uint64_t address, uint64_t size, uint64_t offset, int fd)
{
	struct vfu_dma_map m = { sizeof(m), VFU_DMA_READ | VFU_DMA_WRITE, offset, address, size };

	return ask_fds(VFU_DMA_MAP, &m, sizeof(m), &fd, fd >= 0);
}

static int unmap(uint64_t address, uint64_t size, uint32_t flags)
{
	struct vfu_dma_unmap m = { sizeof(m), flags, address, size };
	int r = ask(VFU_DMA_UNMAP, &m, sizeof(m));

	if (r >= 0)
		assert_int_equal(r, sizeof(m));
	return r < 0 ? r : 0;
}

static int set_irqs(uint32_t flags, uint32_t index, uint32_t start, uint32_t count, const int *fds, unsigned n_fds)
{
	struct vfu_irq_set s = { sizeof(s), flags, index, start, count };

	return ask_fds(VFU_DEVICE_SET_IRQS, &s, sizeof(s), fds, n_fds);
}

static uint32_t vfio_region(enum sk_pci_region region)
{
	return region == SK_PCI_CONFIG ? VFU_REGION_CONFIG : region == SK_PCI_REGISTERS ? 0 : 1;
}

static void read_region(void *arg, enum sk_pci_region region, uint64_t off, void *buf, size_t len)
{
	struct vfu_region_access a = { off, vfio_region(region), (uint32_t)len };

	(void)arg;
	assert_int_equal(ask(VFU_REGION_READ, &a, sizeof(a)), (int)(sizeof(a) + len));
	memcpy(buf, fx.reply.p + sizeof(a), len);
}

static size_t access_message(uint8_t m[64], enum sk_pci_region region, uint64_t off, const void *buf, size_t len)
{
	struct vfu_region_access a = { off, vfio_region(region), (uint32_t)len };

	assert_true(len <= 16);
	memcpy(m, &a, sizeof(a));
	memcpy(m + sizeof(a), buf, len);
	return sizeof(a) + len;
}

static void write_region(void *arg, enum sk_pci_region region, uint64_t off, const void *buf, size_t len)
{
	uint8_t m[64];

	(void)arg;
	assert_int_equal(ask(VFU_REGION_WRITE, m, access_message(m, region, off, buf, len)),
			 sizeof(struct vfu_region_access));
}

/* As QEMU writes to BARs: without an answer. */
static void post_region(void *arg, enum sk_pci_region region, uint64_t off, const void *buf, size_t len)
{
	uint8_t m[64];

	(void)arg;
	send_flags(VFU_REGION_WRITE, VFU_NO_REPLY, m, access_message(m, region, off, buf, len), NULL, 0);
}

/* --- a client --- */

static void connect_client(void)
{
	fe_connect(&fx.fe, fx.loop, &fx.addr, fx.addr_len);
	fx.d = (struct pci_driver){ .read = read_region, .write = write_region };
}

static int setup(void **state)
{
	struct sk_blk_part part = { memfd_create("part", MFD_CLOEXEC), 65536, false };
	struct sk_error err = SK_ERROR_INIT;

	(void)state;
	memset(&fx, 0, sizeof(fx));
	assert_int_equal(ftruncate(part.take_fd, 65536), 0);
	assert_int_equal(pwrite(part.take_fd, "hello", 5, 512), 5);
	assert_int_equal(sk_loop_new(&fx.loop), 0);
	assert_int_equal(sk_blk_new(fx.loop, fe_listen(&fx.addr, &fx.addr_len), &part, 1, false, &fx.dev, &err), 0);
	sk_device_serve_vfio_user(fx.dev);
	connect_client();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fe_close(&fx.fe);
	sk_device_free(fx.dev);
	sk_loop_free(fx.loop);
	return 0;
}

static void greet(void)
{
	assert_true(hello(0, JSON, sizeof(JSON)) > 4);
}

static void map_all(void)
{
	assert_int_equal(map(FE_GPA0, FE_HALF, 0, fx.fe.memfd), 0);
	assert_int_equal(map(FE_GPA1, FE_HALF, FE_HALF, fx.fe.memfd), 0);
}

/* Everything up to a queue that runs, with an eventfd for its vector. */
static void drive(void)
{
	struct fe_queue *q = &fx.fe.q[0];

	if (!fx.d.vectors)
		pd_find(&fx.d, SK_VIRTIO_BLOCK);
	assert_int_equal(pd_begin(&fx.d, VERSION_1), 11);
	if (!q->num)
		fe_init_queue(&fx.fe, 0);
	q->last_used = q->avail->idx = q->used->idx = 0;
	assert_int_equal(set_irqs(VFU_IRQ_DATA_EVENTFD | VFU_IRQ_TRIGGER, VFU_IRQ_MSIX, 1, 1, &q->call, 1), 0);
	assert_int_equal(fe_calls(&fx.fe, 0), 1); /* it may have missed one */
	pd_set_queue(&fx.d, 0, (uint16_t)q->num, 1, fe_gpa(&fx.fe, q->desc), fe_gpa(&fx.fe, q->avail),
		     fe_gpa(&fx.fe, q->used));
	pd_go(&fx.d);
	assert_int_equal(pd_status(&fx.d), PD_OK);
}

static void begin(void)
{
	greet();
	map_all();
	drive();
}

/* Reads the second sector. */
static void read_sector(void)
{
	struct virtio_blk_outhdr *h = fe_alloc(&fx.fe, sizeof(*h));
	uint8_t *data = fe_alloc(&fx.fe, 512), *status = fe_alloc(&fx.fe, 1);
	struct fe_seg segs[3] = { { h, sizeof(*h), false }, { data, 512, true }, { status, 1, true } };
	uint32_t len = 0;

	h->sector = 1;
	*status = 77;
	fe_add(&fx.fe, 0, segs, 3);
	pd_notify(&fx.d, 0);
	assert_true(fe_used(&fx.fe, 0, &len) >= 0);
	assert_int_equal(len, 513);
	assert_int_equal(*status, 0);
	assert_memory_equal(data, "hello", 6);
	assert_int_equal(fe_calls(&fx.fe, 0), 1);
}

/* --- tests --- */

static void greeting(void **state)
{
	struct vfu_version v;
	int n = hello(0, JSON, sizeof(JSON));

	(void)state;
	assert_int_equal(n, (int)(4 + strlen((char *)fx.reply.p + 4) + 1));
	memcpy(&v, fx.reply.p, sizeof(v));
	assert_int_equal(v.major, 0);
	assert_int_equal(v.minor, 1);
	assert_true(fx.reply.h.size - sizeof(fx.reply.h) <= 4 + sizeof(JSON));
	assert_non_null(strstr((char *)fx.reply.p + 4, "\"max_msg_fds\":8"));
	/* Once only. */
	assert_int_equal(hello(0, JSON, sizeof(JSON)), -EINVAL);
}

static void short_greeting(void **state)
{
	(void)state;
	assert_int_equal(hello(1, "", 0), -EINVAL);
	assert_int_equal(hello(0, "xx", 2), -EINVAL); /* no NUL */
	assert_int_equal(hello(0, "", 0), 4);
}

static void what_it_is(void **state)
{
	struct vfu_device_info d = { .argsz = sizeof(d) };
	struct vfu_region_info r = { .argsz = sizeof(r) };
	struct vfu_irq_info i = { .argsz = sizeof(i) };
	uint64_t sizes[VFU_REGIONS] = { SK_PCI_REGISTERS_SIZE, SK_PCI_MSIX_SIZE, 0, 0, 0, 0, 0, SK_PCI_CONFIG_SIZE, 0 };

	(void)state;
	greet();
	assert_int_equal(ask(VFU_DEVICE_GET_INFO, &d, sizeof(d)), sizeof(d));
	memcpy(&d, fx.reply.p, sizeof(d));
	assert_int_equal(d.flags, VFU_DEVICE_PCI | VFU_DEVICE_RESETS);
	assert_int_equal(d.regions, VFU_REGIONS);
	assert_int_equal(d.irqs, VFU_IRQS);
	for (r.index = 0; r.index < VFU_REGIONS; r.index++) {
		struct vfu_region_info got;

		assert_int_equal(ask(VFU_DEVICE_GET_REGION_INFO, &r, sizeof(r)), sizeof(r));
		memcpy(&got, fx.reply.p, sizeof(got));
		assert_int_equal(got.index, r.index);
		assert_int_equal(got.size, sizes[r.index]);
		assert_int_equal(got.flags, got.size ? VFU_REGION_READABLE | VFU_REGION_WRITABLE : 0);
	}
	assert_int_equal(ask(VFU_DEVICE_GET_REGION_INFO, &r, sizeof(r)), -EINVAL);
	for (i.index = 0; i.index < VFU_IRQS; i.index++) {
		struct vfu_irq_info got;

		assert_int_equal(ask(VFU_DEVICE_GET_IRQ_INFO, &i, sizeof(i)), sizeof(i));
		memcpy(&got, fx.reply.p, sizeof(got));
		assert_int_equal(got.count, i.index == VFU_IRQ_MSIX ? 2 : 0);
	}
	assert_int_equal(ask(VFU_DEVICE_GET_IRQ_INFO, &i, sizeof(i)), -EINVAL);
}

static void a_disk(void **state)
{
	(void)state;
	begin();
	read_sector();
	read_sector();
	/* Doorbells as QEMU sends them. */
	fx.d.write = post_region;
	read_sector();
	/* Another one, when this one has gone. */
	fe_close(&fx.fe);
	connect_client();
	begin();
	read_sector();
}

static void memory(void **state)
{
	int ro = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), p[2];
	struct vfu_dma_map rom = { sizeof(rom), VFU_DMA_READ, 0, 0xc0000, 4096 };

	(void)state;
	greet();
	map_all();
	assert_int_equal(map(FE_GPA0 + 4096, 4096, 0, fx.fe.memfd), -EEXIST);
	assert_int_equal(map(FE_GPA0 - 4096, 8192, 0, fx.fe.memfd), -EEXIST);
	assert_int_equal(map(0, 0, 0, fx.fe.memfd), -EINVAL);
	assert_int_equal(map(UINT64_MAX - 4095, 8192, 0, fx.fe.memfd), -EINVAL);
	assert_int_equal(map(0x80000000, 4 * FE_HALF, 0, fx.fe.memfd), -EINVAL);
	assert_int_equal(map(0x80000000, 4096, UINT64_MAX - 100, fx.fe.memfd), -EINVAL);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(map(0x80000000, 4096, 0, p[0]), -EINVAL);
	assert_int_equal(map(0x80000000, 4096, 0, ro), -EACCES);
	/* Neither is used: a ROM, memory without a descriptor. */
	assert_int_equal(ask_fds(VFU_DMA_MAP, &rom, sizeof(rom), &ro, 1), 0);
	assert_int_equal(map(0xd0000, 4096, 0, -1), 0);
	assert_int_equal(unmap(0xc0000, 4096, 0), 0);
	assert_int_equal(unmap(0xd0000, 4096, 0), 0);
	assert_int_equal(unmap(FE_GPA0, 4096, 0), -EINVAL);
	assert_int_equal(unmap(FE_GPA0, FE_HALF, 0), 0);
	assert_int_equal(map(FE_GPA0, FE_HALF, 0, fx.fe.memfd), 0);
	assert_int_equal(unmap(0, 0, VFU_DMA_UNMAP_ALL), 0);
	map_all();
	drive();
	read_sector();
	close(ro);
	close(p[0]);
	close(p[1]);
}

static void memory_that_goes(void **state)
{
	(void)state;
	begin();
	assert_int_equal(unmap(FE_GPA1, FE_HALF, 0), 0);
	read_sector();
	assert_int_equal(unmap(FE_GPA0, FE_HALF, 0), 0);
	assert_int_equal(pd_status(&fx.d), PD_OK | PD_NEEDS_RESET);
	assert_int_equal(map(FE_GPA0, FE_HALF, 0, fx.fe.memfd), 0);
	drive();
	read_sector();
}

static void more_regions_than_there_is_room_for(void **state)
{
	unsigned i;

	(void)state;
	greet();
	for (i = 0; i < SK_MEM_REGIONS; i++)
		assert_int_equal(map(0x100000 + 8192ull * i, 4096, 0, fx.fe.memfd), 0);
	assert_int_equal(map(0x100000 + 8192ull * i, 4096, 0, fx.fe.memfd), -ENOSPC);
}

static void interrupts(void **state)
{
	const uint32_t eventfds = VFU_IRQ_DATA_EVENTFD | VFU_IRQ_TRIGGER, none = VFU_IRQ_DATA_NONE | VFU_IRQ_TRIGGER;
	struct {
		struct vfu_irq_set s;
		uint8_t which[2];
	} some = { { sizeof(some), VFU_IRQ_DATA_BOOL | VFU_IRQ_TRIGGER, VFU_IRQ_MSIX, 0, 2 }, { 0, 1 } };
	int fds[2], sv[2];

	(void)state;
	begin();
	fds[0] = fds[1] = fx.fe.q[0].call;
	assert_int_equal(set_irqs(eventfds, VFU_IRQ_MSIX, 1, 2, fds, 2), -EINVAL);
	assert_int_equal(set_irqs(eventfds, VFU_IRQ_MSIX, UINT32_MAX, 2, fds, 2), -EINVAL);
	assert_int_equal(set_irqs(eventfds, VFU_IRQ_MSIX, 0, 2, fds, 1), -EINVAL);
	assert_int_equal(set_irqs(eventfds, 1, 0, 1, fds, 1), -EINVAL);
	assert_int_equal(set_irqs(VFU_IRQ_DATA_NONE | VFU_IRQ_MASK, VFU_IRQ_MSIX, 0, 1, NULL, 0), -EINVAL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(set_irqs(eventfds, VFU_IRQ_MSIX, 0, 1, sv, 1), -EINVAL);
	assert_int_equal(set_irqs(eventfds, VFU_IRQ_MSIX, 0, 1, &fx.fe.memfd, 1), -EINVAL);
	/* By hand. */
	assert_int_equal(set_irqs(none, VFU_IRQ_MSIX, 0, 2, NULL, 0), 0);
	assert_int_equal(fe_calls(&fx.fe, 0), 1);
	assert_int_equal(ask(VFU_DEVICE_SET_IRQS, &some, sizeof(some.s) + 2), 0);
	assert_int_equal(fe_calls(&fx.fe, 0), 1);
	assert_int_equal(ask(VFU_DEVICE_SET_IRQS, &some, sizeof(some.s) + 1), -EINVAL);
	/* Taken away: a request is done all the same. */
	assert_int_equal(set_irqs(none, VFU_IRQ_MSIX, 0, 0, NULL, 0), 0);
	assert_int_equal(set_irqs(none, 0, 0, 0, NULL, 0), 0);
	assert_int_equal(set_irqs(none, VFU_IRQ_MSIX, 0, 2, NULL, 0), 0);
	assert_int_equal(fe_calls(&fx.fe, 0), 0);
	assert_int_equal(set_irqs(eventfds, VFU_IRQ_MSIX, 1, 1, fds, 1), 0);
	assert_int_equal(fe_calls(&fx.fe, 0), 1);
	read_sector();
	close(sv[0]);
	close(sv[1]);
}

/* An eventfd that is full and blocks does not hold up the device. */
static void full_eventfd(void **state)
{
	uint64_t full = UINT64_MAX - 1;
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	begin();
	assert_int_equal(set_irqs(VFU_IRQ_DATA_EVENTFD | VFU_IRQ_TRIGGER, VFU_IRQ_MSIX, 0, 1, &fd, 1), 0);
	assert_int_equal(read(fd, &full, sizeof(full)), 8);
	full = UINT64_MAX - 1;
	assert_int_equal(write(fd, &full, sizeof(full)), 8);
	assert_int_equal(set_irqs(VFU_IRQ_DATA_NONE | VFU_IRQ_TRIGGER, VFU_IRQ_MSIX, 0, 1, NULL, 0), 0);
	close(fd);
}

static void broken_queue(void **state)
{
	(void)state;
	begin();
	fx.fe.q[0].avail->idx = 1000;
	pd_notify(&fx.d, 0);
	fe_settle(fx.loop);
	assert_int_equal(pd_status(&fx.d), PD_OK | PD_NEEDS_RESET);
	drive();
	read_sector();
	assert_int_equal(ask(VFU_DEVICE_RESET, NULL, 0), 0);
	assert_int_equal(pd_status(&fx.d), 0);
	drive();
	read_sector();
}

static void accesses(void **state)
{
	struct vfu_region_access a = { 0, 5, 4 };

	(void)state;
	greet();
	assert_int_equal(ask(VFU_REGION_READ, &a, sizeof(a)), -EINVAL);
	a = (struct vfu_region_access){ 0, VFU_REGION_CONFIG, 257 };
	assert_int_equal(ask(VFU_REGION_READ, &a, sizeof(a)), -EINVAL);
	a.count = 256;
	assert_int_equal(ask(VFU_REGION_READ, &a, sizeof(a)), sizeof(a) + 256);
	a.offset = UINT64_MAX - 3;
	assert_int_equal(ask(VFU_REGION_READ, &a, sizeof(a)), -EINVAL);
	a = (struct vfu_region_access){ 0, 0, 4 };
	assert_int_equal(ask(VFU_REGION_WRITE, &a, sizeof(a)), -EINVAL); /* no data */
	assert_int_equal(ask(11, &a, sizeof(a)), -EOPNOTSUPP);
	assert_int_equal(ask(1000, NULL, 0), -EOPNOTSUPP);
}

static void ends_with(struct vfu_header h, size_t n, unsigned n_fds)
{
	static const uint8_t zeros[VFU_MESSAGE_MAX];
	int fds[9], i;

	for (i = 0; i < 9; i++)
		fds[i] = fx.fe.memfd;
	vfu_send(fx.fe.sock, h, zeros, n, fds, n_fds, 0);
	assert_true(fe_closed(&fx.fe));
	fe_close(&fx.fe);
	connect_client();
}

static void bad_messages(void **state)
{
	const uint32_t h = sizeof(struct vfu_header);

	(void)state;
	/* Before the greeting. */
	ends_with((struct vfu_header){ 1, VFU_DEVICE_RESET, h, 0, 0 }, 0, 0);
	ends_with((struct vfu_header){ 1, VFU_VERSION, h, 0, 0 }, 0, 0);
	greet();
	ends_with((struct vfu_header){ 1, VFU_DEVICE_RESET, h - 1, 0, 0 }, 0, 0);
	greet();
	ends_with((struct vfu_header){ 1, VFU_DEVICE_RESET, VFU_MESSAGE_MAX + 1, 0, 0 }, 0, 0);
	greet();
	ends_with((struct vfu_header){ 1, VFU_DEVICE_RESET, h, VFU_TYPE_REPLY, 0 }, 0, 0);
	greet();
	ends_with((struct vfu_header){ 1, VFU_DEVICE_RESET, h + 1, 0, 0 }, 1, 0);
	greet();
	ends_with((struct vfu_header){ 1, VFU_DMA_MAP, h + 31, 0, 0 }, 31, 0);
	greet();
	ends_with((struct vfu_header){ 1, VFU_DMA_MAP, h + 32, 0, 0 }, 32, 2);
	greet();
	ends_with((struct vfu_header){ 1, VFU_DEVICE_SET_IRQS, h + 20, 0, 0 }, 20, 9);
	begin();
	read_sector();
}

/* Asks and never reads: the server does not wait for it. */
static void deaf_client(void **state)
{
	struct vfu_region_access a = { 0, VFU_REGION_CONFIG, 256 };
	struct vfu_header h = { 1, VFU_REGION_READ, sizeof(h) + sizeof(a), 0, 0 };
	char c;
	unsigned i;

	(void)state;
	greet();
	for (i = 0; i < 100000; i++) {
		if (vfu_send(fx.fe.sock, h, &a, sizeof(a), NULL, 0, MSG_DONTWAIT) < 0 && errno == EPIPE)
			break;
		if (i % 16 == 0)
			sk_loop_once(fx.loop, 0);
	}
	assert_true(i < 100000);
	while (recv(fx.fe.sock, &c, 1, MSG_DONTWAIT) > 0)
		;
	fe_close(&fx.fe);
	connect_client();
	begin();
	read_sector();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(greeting, setup, teardown),
		cmocka_unit_test_setup_teardown(short_greeting, setup, teardown),
		cmocka_unit_test_setup_teardown(what_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(a_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(memory, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_that_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(more_regions_than_there_is_room_for, setup, teardown),
		cmocka_unit_test_setup_teardown(interrupts, setup, teardown),
		cmocka_unit_test_setup_teardown(full_eventfd, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(accesses, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(deaf_client, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
