/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile client of vfio-user: messages of any kind with descriptors of any kind, accesses to the PCI device's
 * registers, writes to shared memory, against a disk, a vsock device and a balloon (the two lowest bits of the first
 * byte; bit 2: the client says hello first). A record is a kind (one byte), then
 *
 *   0  message: command u8, flags u8, how much its size lies u8, payload size u8, payload, number of descriptors u8 and
 *      the kind of each
 *   1  write to the shared memory: offset u16, length u8, bytes
 *   2  access to a region: region and kind u8, offset u16, length u8, value u32
 *   3  memory, interrupts and a queue as a driver would set them up: one byte of choices
 */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../tests/unit/virtio/vfu_send.h"
#include "base/log.h"
#include "numbers.h"
#include "virtio/virtio_internal.h"

#define MEM 65536u

struct state {
	struct sk_loop *loop;
	struct sk_device *dev;
	struct sk_carrier *carrier;
	int sock, memfd, event, pair[2];
	uint8_t *mem;
};

static int listen_fd(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, &(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(sa_family_t)) < 0 || listen(fd, 1) < 0)
		abort();
	return fd;
}

static void message(struct state *s, uint16_t command, uint32_t flags, const void *p, size_t n, const int *fds,
		    unsigned n_fds)
{
	struct vfu_header h = { 1, command, (uint32_t)(sizeof(h) + n), flags, 0 };

	vfu_send(s->sock, h, p, n, fds, n_fds, MSG_DONTWAIT);
}

static void open_state(struct state *s, unsigned which)
{
	struct vfu_version hello = { VFU_MAJOR, VFU_MINOR };
	struct sk_error err = SK_ERROR_INIT;
	int sv[2], r;

	if (sk_loop_new(&s->loop) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->pair) < 0)
		abort();
	s->memfd = memfd_create("mem", MFD_CLOEXEC);
	s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ftruncate(s->memfd, MEM) < 0)
		abort();
	s->mem = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_SHARED, s->memfd, 0);
	if ((which & 3) == 1) {
		r = sk_vsock_new(s->loop, listen_fd(), 3, NULL, NULL, &s->dev, &s->carrier, &err);
	} else if ((which & 3) == 2) {
		r = sk_balloon_new(s->loop, listen_fd(), &s->dev, &err);
	} else {
		struct sk_blk_part part = { memfd_create("disk", MFD_CLOEXEC), 16384, false };

		if (ftruncate(part.take_fd, 16384) < 0)
			abort();
		r = sk_blk_new(s->loop, listen_fd(), &part, 1, false, &s->dev, &err);
	}
	if (r < 0)
		abort();
	sk_device_serve_vfio_user(s->dev);
	if (sk_vfu_adopt(s->dev, sv[0]) < 0)
		abort();
	s->sock = sv[1];
	if (which & 4)
		message(s, VFU_VERSION, 0, &hello, sizeof(hello), NULL, 0);
}

static void close_state(struct state *s)
{
	sk_device_free(s->dev);
	sk_loop_free(s->loop);
	munmap(s->mem, MEM);
	close(s->sock);
	close(s->memfd);
	close(s->event);
	close(s->pair[0]);
	close(s->pair[1]);
}

static int pick_fd(struct state *s, uint8_t kind)
{
	switch (kind % 4) {
	case 0:
		return s->memfd;
	case 1:
		return s->event;
	case 2:
		return s->pair[0];
	default:
		return s->pair[1];
	}
}

static void any_message(struct state *s, struct input *in)
{
	struct vfu_header h = { .id = 7, .command = in_u8(in), .flags = in_u8(in) };
	uint8_t payload[256], lie = in_u8(in);
	size_t have = in_bytes(in, payload, in_u8(in));
	unsigned i, n_fds = in_u8(in) % 10;
	int fds[10];

	h.size = (uint32_t)(sizeof(h) + have) + (lie & 0x80 ? (uint32_t)lie << 8 : lie & 7);
	for (i = 0; i < n_fds; i++)
		fds[i] = pick_fd(s, in_u8(in));
	vfu_send(s->sock, h, payload, have, fds, n_fds, MSG_DONTWAIT);
}

static void write_register(struct state *s, uint32_t region, uint64_t off, uint64_t v, uint32_t len)
{
	uint8_t m[sizeof(struct vfu_region_access) + 8];
	struct vfu_region_access a = { off, region, len };

	memcpy(m, &a, sizeof(a));
	memcpy(m + sizeof(a), &v, 8);
	message(s, VFU_REGION_WRITE, VFU_NO_REPLY, m, sizeof(a) + (len <= 8 ? len : 8), NULL, 0);
}

static void any_access(struct state *s, struct input *in)
{
	static const uint32_t regions[] = { 0, 1, VFU_REGION_CONFIG, 3 };
	uint8_t kind = in_u8(in);
	struct vfu_region_access a = { .region = regions[kind & 3], .offset = in_u16(in), .count = in_u8(in) % 10 };

	if (kind & 4)
		message(s, VFU_REGION_READ, 0, &a, sizeof(a), NULL, 0);
	else
		write_register(s, a.region, a.offset, in_u32(in), a.count);
}

/* Rings of 8 entries at a fixed place of the memory for each queue. */
static void good_queue(struct state *s, uint8_t choice)
{
	uint32_t q = choice & 3;
	uint64_t base = q * 4096;
	struct vfu_dma_map m = { sizeof(m), VFU_DMA_READ | VFU_DMA_WRITE, 0, 0, MEM };
	struct vfu_irq_set irq = { sizeof(irq), VFU_IRQ_DATA_EVENTFD | VFU_IRQ_TRIGGER, VFU_IRQ_MSIX, q, 1 };

	message(s, VFU_DMA_MAP, 0, &m, sizeof(m), &s->memfd, 1);
	message(s, VFU_DEVICE_SET_IRQS, 0, &irq, sizeof(irq), &s->event, 1);
	write_register(s, 0, 0x08, 1, 4);
	write_register(s, 0, 0x0c, 1, 4); /* VERSION_1 */
	write_register(s, 0, 0x14, 11, 1);
	write_register(s, 0, 0x16, q, 2);
	write_register(s, 0, 0x18, 8, 2);
	write_register(s, 0, 0x1a, q, 2);
	write_register(s, 0, 0x20, base, 8);
	write_register(s, 0, 0x28, base + 1024, 8);
	write_register(s, 0, 0x30, base + 2048, 8);
	write_register(s, 0, 0x1c, 1, 2);
	write_register(s, 0, 0x14, 15, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct state s = { .sock = -1 };
	char drain[4096];
	unsigned rounds;

	sk_log_init(-1, SK_LOG_ERROR);
	open_state(&s, in_u8(&in));
	while (in.n > 0) {
		uint16_t off;

		switch (in_u8(&in) & 3) {
		case 0:
			any_message(&s, &in);
			break;
		case 1:
			off = in_u16(&in);
			in_bytes(&in, s.mem + off, in_u8(&in) % (MEM - off));
			break;
		case 2:
			any_access(&s, &in);
			break;
		default:
			good_queue(&s, in_u8(&in));
			break;
		}
		for (rounds = 0; rounds < 20 && sk_loop_once(s.loop, 0) > 0; rounds++)
			;
		while (recv(s.sock, drain, sizeof(drain), MSG_DONTWAIT) > 0)
			;
	}
	close_state(&s);
	return 0;
}
