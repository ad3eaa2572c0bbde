/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile frontend: messages of any kind with descriptors of any kind, writes to shared memory and kicks, against a
 * disk, a vsock device and a balloon (the two lowest bits of the first byte). A record is a kind (one byte), then
 *
 *   0  message: request u8, flags u8, payload size u8, payload, number of descriptors u8 and the kind of each
 *   1  write to the shared memory: offset u16, length u8, bytes
 *   2  kick
 *   3  a queue as a driver would set it up: one byte of choices
 */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../tests/unit/virtio/vu_send.h"
#include "base/log.h"
#include "numbers.h"
#include "virtio/vhost_user.h"
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

static void open_state(struct state *s, unsigned which)
{
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
	if (which == 1) {
		r = sk_vsock_new(s->loop, listen_fd(), 3, NULL, NULL, &s->dev, &s->carrier, &err);
	} else if (which == 2) {
		r = sk_balloon_new(s->loop, listen_fd(), &s->dev, &err);
	} else {
		struct sk_blk_part part = { memfd_create("disk", MFD_CLOEXEC), 16384, false };

		if (ftruncate(part.take_fd, 16384) < 0)
			abort();
		r = sk_blk_new(s->loop, listen_fd(), &part, 1, false, &s->dev, &err);
	}
	if (r < 0 || sk_vu_adopt(s->dev, sv[0]) < 0)
		abort();
	s->sock = sv[1];
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
	struct vu_header h = { in_u8(in), in_u8(in), in_u8(in) };
	uint8_t payload[256];
	size_t have = in_bytes(in, payload, h.size);
	unsigned i, n_fds = in_u8(in) % 10;
	int fds[10];

	for (i = 0; i < n_fds; i++)
		fds[i] = pick_fd(s, in_u8(in));
	vu_send(s->sock, h, payload, have, fds, n_fds, MSG_DONTWAIT);
}

/* Rings of 8 entries at a fixed place of the memory for each queue. */
static void good_queue(struct state *s, uint8_t choice)
{
	uint32_t q = choice & 3;
	uint64_t base = q * 4096, u = q;
	uint64_t features = UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VU_F_PROTOCOL_FEATURES |
			    (uint64_t)(choice >> 2 & 1) << VIRTIO_RING_F_EVENT_IDX |
			    (uint64_t)(choice >> 3 & 1) << VIRTIO_RING_F_INDIRECT_DESC;
	struct vu_mem_table t = { .n = 1, .regions = { { 0, MEM, 0, 0 } } };
	struct vu_vring_state num = { q, 8 }, on = { q, 1 };
	struct vu_vring_addr a = { .index = q, .desc = base, .avail = base + 1024, .used = base + 2048 };
	int call = choice & 16 ? s->pair[0] : s->event;

	vu_send(s->sock, (struct vu_header){ VU_SET_FEATURES, VU_VERSION, 8 }, &features, 8, NULL, 0, MSG_DONTWAIT);
	vu_send(s->sock, (struct vu_header){ VU_SET_MEM_TABLE, VU_VERSION, 40 }, &t, 40, &s->memfd, 1, MSG_DONTWAIT);
	vu_send(s->sock, (struct vu_header){ VU_SET_VRING_NUM, VU_VERSION, 8 }, &num, 8, NULL, 0, MSG_DONTWAIT);
	vu_send(s->sock, (struct vu_header){ VU_SET_VRING_ADDR, VU_VERSION, 40 }, &a, 40, NULL, 0, MSG_DONTWAIT);
	vu_send(s->sock, (struct vu_header){ VU_SET_VRING_CALL, VU_VERSION, 8 }, &u, 8, &call, 1, MSG_DONTWAIT);
	vu_send(s->sock, (struct vu_header){ VU_SET_VRING_KICK, VU_VERSION, 8 }, &u, 8, &s->event, 1, MSG_DONTWAIT);
	vu_send(s->sock, (struct vu_header){ VU_SET_VRING_ENABLE, VU_VERSION, 8 }, &on, 8, NULL, 0, MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct state s = { .sock = -1 };
	char drain[4096];
	unsigned rounds;

	sk_log_init(-1, SK_LOG_ERROR);
	open_state(&s, in_u8(&in) & 3);
	while (in.n > 0) {
		uint64_t one = 1;
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
			if (write(s.event, &one, sizeof(one)) < 0)
				break;
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
