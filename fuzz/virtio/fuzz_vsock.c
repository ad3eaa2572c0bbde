/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of a vsock device do anything in any order: the guest sends packets (few ports, so that they meet), puts up
 * receive buffers of any size and goes away; the users of the streams take some of the data, write, shut, resume and
 * close, also inside callbacks. Checked: the promises of stream.h.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_vsock.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "numbers.h"
#include "virtio/stream.h"
#include "virtio/virtio_internal.h"

#define NUM 16u
#define QUEUE 4096u
#define MEM (2 * QUEUE + 2 * NUM * 2048u)
#define USERS 64u

struct user {
	struct sk_stream *s; /* NULL: no pointer any more */
	bool connected, eof, in_data;
	size_t waiting; /* bytes that were offered and not taken */
};

static struct {
	struct sk_loop *loop;
	struct sk_device *dev;
	struct sk_carrier *carrier;
	uint8_t *mem;
	struct sk_guest_mem gm;
	struct vring rings[2];
	uint16_t next[2];
	struct user users[USERS];
	unsigned n_users;
	struct input *in;
	int peer;
} st;

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* Anything that a user may do with its stream. */
static void act(struct user *u)
{
	static uint8_t bytes[100000];
	uint8_t what = in_u8(st.in);

	if (!u->s)
		return;
	switch (what % 6) {
	case 0:
		sk_stream_shutdown(u->s);
		break;
	case 1:
		sk_stream_resume(u->s);
		break;
	case 2: {
		struct sk_stream *s = u->s;

		u->s = NULL;
		sk_stream_close(s);
		break;
	}
	default: {
		size_t n = in_u16(st.in) * (what & 64 ? 2u : 1u) % sizeof(bytes);

		check(sk_stream_write(u->s, bytes, n) <= n);
		break;
	}
	}
}

static void on_connected(void *arg)
{
	struct user *u = arg;

	check(u->s && !u->connected);
	u->connected = true;
	act(u);
}

static size_t on_data(void *arg, const uint8_t *p, size_t n)
{
	struct user *u = arg;
	uint8_t what = in_u8(st.in);
	size_t take = what & 1 ? n : what % (n + 1);
	static volatile uint8_t sink;

	check(u->s && !u->eof && n > 0 && !u->in_data);
	sink = p[0];
	sink = p[n - 1];
	(void)sink;
	u->in_data = true;
	if (what & 128)
		act(u);
	u->in_data = false;
	u->waiting = n - take;
	return take;
}

static void on_eof(void *arg)
{
	struct user *u = arg;

	check(u->s && !u->eof && !u->waiting);
	u->eof = true;
	act(u);
}

static void on_writable(void *arg)
{
	check(((struct user *)arg)->s);
	act(arg);
}

static void on_closed(void *arg, int error)
{
	struct user *u = arg;

	check(u->s && error >= 0 && !u->waiting);
	u->s = NULL;
}

static const struct sk_stream_events events = { on_connected, on_data, on_eof, on_writable, on_closed };

static bool on_accept(void *arg, struct sk_stream *s, uint32_t guest_port)
{
	struct user *u;

	(void)arg;
	(void)guest_port;
	if (st.n_users == USERS || in_u8(st.in) == 0)
		return false;
	u = &st.users[st.n_users++];
	u->s = s;
	sk_stream_set_events(s, &events, u);
	if (in_u8(st.in) & 1)
		act(u);
	return true;
}

static void connect_guest(void)
{
	unsigned q;
	int sv[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	memset(st.mem, 0, 2 * QUEUE);
	check(sk_vu_adopt(st.dev, sv[0]) == 0);
	st.peer = sv[1];
	for (q = 0; q < 2; q++) {
		struct sk_virtqueue *vq = &st.dev->vq[q];
		uint64_t base = q * QUEUE;

		st.rings[q] = (struct vring){ NUM, (struct vring_desc *)(void *)(st.mem + base),
					      (struct vring_avail *)(void *)(st.mem + base + 1024),
					      (struct vring_used *)(void *)(st.mem + base + 2048) };
		st.next[q] = 0;
		vq->event_idx = true;
		vq->indirect = true;
		check(sk_vq_start(vq, &st.gm, NUM, base, base + 1024, base + 2048, 0) == 0);
	}
	for (q = 0; q < 2; q++)
		st.dev->ops->queue_ready(st.dev, q);
}

static void disconnect_guest(void)
{
	if (st.peer >= 0)
		close(st.peer);
	st.peer = -1;
}

/* Room for one more chain on queue `q`? Its buffer. */
static uint8_t *slot(unsigned q)
{
	struct vring *r = &st.rings[q];

	if ((uint16_t)(r->avail->idx - r->used->idx) >= NUM)
		return NULL;
	return st.mem + 2 * QUEUE + (q * NUM + st.next[q] % NUM) * 2048u;
}

static void expose(unsigned q, uint8_t *p, uint32_t len, bool in)
{
	struct vring *r = &st.rings[q];
	uint16_t d = st.next[q]++ % NUM;

	r->desc[d] = (struct vring_desc){ (uint64_t)(p - st.mem), len, in ? VRING_DESC_F_WRITE : 0, 0 };
	r->avail->ring[r->avail->idx % NUM] = d;
	r->avail->idx++;
}

static void guest_packet(void)
{
	uint8_t what = in_u8(st.in), *p = slot(1);
	struct virtio_vsock_hdr h = { .src_cid = 3, .dst_cid = 2, .type = 1 };

	if (!p)
		return;
	h.op = what % 9;
	h.src_port = 5000 + (what >> 4 & 3);
	h.dst_port = what & 64 ? 1024 : 0x40000001u + (what >> 7);
	what = in_u8(st.in);
	h.flags = what & 3;
	h.len = what & 4 ? in_u16(st.in) % 1900 : 0;
	h.buf_alloc = what & 8 ? in_u32(st.in) : 262144;
	h.fwd_cnt = what & 16 ? in_u32(st.in) : 0;
	if (what & 32)
		h.src_cid = what >> 6;
	memcpy(p, &h, sizeof(h));
	expose(1, p, what & 128 ? in_u8(st.in) : (uint32_t)sizeof(h) + h.len, false);
	if (st.dev->conn)
		st.dev->ops->queue_kick(st.dev, 1);
}

static void guest_buffers(void)
{
	unsigned n = in_u8(st.in) % 17;
	uint16_t size = in_u16(st.in) % 2049;
	uint8_t *p;

	while (n-- && (p = slot(0)))
		expose(0, p, size ? size : 1500, true);
	if (st.dev->conn)
		st.dev->ops->queue_kick(st.dev, 0);
}

static void host_connects(void)
{
	struct user *u = &st.users[st.n_users];

	if (st.n_users < USERS && sk_carrier_connect(st.carrier, 5000 + (in_u8(st.in) & 3), &events, u, &u->s) == 0)
		st.n_users++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct sk_error err = SK_ERROR_INIT;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned i;

	sk_log_init(-1, SK_LOG_ERROR);
	memset(&st, 0, sizeof(st));
	st.in = &in;
	st.mem = aligned_alloc(16, MEM);
	st.gm = (struct sk_guest_mem){ .n = 1, .regions = { { .gpa = 0, .uva = 0, .size = MEM, .host = st.mem } } };
	check(fd >= 0 && sk_loop_new(&st.loop) == 0);
	check(bind(fd, &(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(sa_family_t)) == 0 && listen(fd, 1) == 0);
	check(sk_vsock_new(st.loop, fd, 3, NULL, NULL, &st.dev, &st.carrier, &err) == 0);
	check(sk_carrier_listen(st.carrier, 1024, on_accept, NULL) == 0);
	connect_guest();
	while (in.n > 0) {
		uint8_t what = in_u8(&in);

		switch (what & 7) {
		case 0:
		case 1:
		case 2:
			guest_packet();
			break;
		case 3:
			guest_buffers();
			break;
		case 4:
			host_connects();
			break;
		case 5:
			sk_loop_once(st.loop, 0);
			break;
		case 6:
			if (what == 6)
				disconnect_guest();
			else if (!st.dev->conn)
				connect_guest();
			break;
		default:
			if (st.n_users)
				act(&st.users[(what >> 3) % st.n_users]);
			break;
		}
	}
	for (i = 0; i < 10; i++)
		sk_loop_once(st.loop, 0);
	disconnect_guest();
	sk_device_free(st.dev);
	sk_loop_free(st.loop);
	free(st.mem);
	return 0;
}
