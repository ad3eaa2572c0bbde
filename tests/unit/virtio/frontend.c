/* SPDX-License-Identifier: Apache-2.0 */
/* The other side of a vhost-user device for tests: a frontend with guest memory, and a driver of its queues. */
#include "frontend.h"

#include "../sk_test.h"
#include "vu_send.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int fe_listen(void *addr, unsigned *addr_len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(a);

	/* Only the family: the kernel chooses an abstract name. */
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a.sun_family)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	memcpy(addr, &a, len);
	*addr_len = len;
	return fd;
}

void fe_connect(struct fe *fe, struct sk_loop *loop, const void *addr, unsigned addr_len)
{
	unsigned i;

	memset(fe, 0, sizeof(*fe));
	fe->loop = loop;
	fe->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fe->sock, (const struct sockaddr *)addr, addr_len), 0);
	fe->memfd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fe->memfd, 2 * (off_t)FE_HALF), 0);
	fe->mem = mmap(NULL, (size_t)2 * FE_HALF, PROT_READ | PROT_WRITE, MAP_SHARED, fe->memfd, 0);
	assert_ptr_not_equal(fe->mem, MAP_FAILED);
	for (i = 0; i < FE_QUEUES; i++)
		fe->q[i].kick = fe->q[i].call = -1;
}

void fe_close(struct fe *fe)
{
	unsigned i;

	for (i = 0; i < FE_QUEUES; i++) {
		if (fe->q[i].kick >= 0)
			close(fe->q[i].kick);
		if (fe->q[i].call >= 0)
			close(fe->q[i].call);
	}
	munmap(fe->mem, (size_t)2 * FE_HALF);
	close(fe->memfd);
	close(fe->sock);
	fe_settle(fe->loop);
}

bool fe_send(struct fe *fe, uint32_t request, uint32_t flags, const void *payload, uint32_t size, const int *fds,
	     unsigned n_fds)
{
	const struct vu_header h = { request, flags, size };

	return vu_send(fe->sock, h, payload, size, fds, n_fds, 0) == (ssize_t)(sizeof(h) + size);
}

/* Reads exactly n bytes, turning the loop. */
static bool read_all(struct fe *fe, void *p, size_t n)
{
	size_t have = 0;
	int i;

	for (i = 0; have < n && i < 2000; i++) {
		ssize_t r = recv(fe->sock, (uint8_t *)p + have, n - have, MSG_DONTWAIT);

		if (r == 0 || (r < 0 && errno != EAGAIN))
			return false;
		if (r > 0)
			have += (size_t)r;
		else
			sk_loop_once(fe->loop, 1);
	}
	return have == n;
}

int fe_reply(struct fe *fe, struct vu_msg *m)
{
	if (!read_all(fe, &m->h, sizeof(m->h)))
		return -1;
	assert_true(m->h.size <= sizeof(m->p));
	assert_int_equal(m->h.flags, VU_VERSION | VU_FLAG_REPLY);
	if (!read_all(fe, &m->p, m->h.size))
		return -1;
	return (int)m->h.size;
}

void fe_ok(struct fe *fe, uint32_t request, const void *payload, uint32_t size, const int *fds, unsigned n_fds)
{
	struct vu_msg m;

	assert_true(fe_send(fe, request, VU_VERSION | VU_FLAG_NEED_REPLY, payload, size, fds, n_fds));
	assert_int_equal(fe_reply(fe, &m), 8);
	assert_int_equal(m.h.request, request);
	assert_int_equal(m.p.u64, 0);
}

uint64_t fe_get_u64(struct fe *fe, uint32_t request)
{
	struct vu_msg m;

	assert_true(fe_send(fe, request, VU_VERSION, NULL, 0, NULL, 0));
	assert_int_equal(fe_reply(fe, &m), 8);
	assert_int_equal(m.h.request, request);
	return m.p.u64;
}

void fe_get_config(struct fe *fe, void *ret, uint32_t size)
{
	struct vu_config c = { .offset = 0, .size = size };
	struct vu_msg m;

	assert_true(fe_send(fe, VU_GET_CONFIG, VU_VERSION, &c, 12 + size, NULL, 0));
	assert_int_equal(fe_reply(fe, &m), (int)(12 + size));
	assert_int_equal(m.p.config.size, size);
	memcpy(ret, m.p.config.data, size);
}

bool fe_closed(struct fe *fe)
{
	char c;
	int i;

	for (i = 0; i < 200; i++) {
		ssize_t n = recv(fe->sock, &c, 1, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return true;
		sk_loop_once(fe->loop, 1);
	}
	return false;
}

void fe_send_mem_table(struct fe *fe)
{
	struct vu_mem_table t = { .n = 2 };
	int fds[2] = { fe->memfd, fe->memfd };

	t.regions[0] = (struct vu_mem_region){ FE_GPA0, FE_HALF, FE_GPA0 + FE_UVA_OFFSET, 0 };
	t.regions[1] = (struct vu_mem_region){ FE_GPA1, FE_HALF, FE_GPA1 + FE_UVA_OFFSET, FE_HALF };
	fe_ok(fe, VU_SET_MEM_TABLE, &t, 8 + 2 * sizeof(t.regions[0]), fds, 2);
}

void fe_init_queue(struct fe *fe, unsigned i)
{
	struct fe_queue *q = &fe->q[i];
	unsigned d;

	q->num = FE_QUEUE_SIZE;
	q->desc = fe_alloc(fe, sizeof(*q->desc) * q->num);
	q->avail = fe_alloc(fe, sizeof(*q->avail) + 2 * (q->num + 1));
	q->used = fe_alloc(fe, sizeof(*q->used) + sizeof(q->used->ring[0]) * q->num + 2);
	for (d = 0; d < q->num; d++)
		q->desc[d].next = (uint16_t)(d + 1);
	q->free_head = 0;
	q->n_free = (uint16_t)q->num;
	q->event_idx = fe->features >> VIRTIO_RING_F_EVENT_IDX & 1;
	q->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void fe_start_queue(struct fe *fe, unsigned i)
{
	struct fe_queue *q = &fe->q[i];
	struct vu_vring_state s = { i, q->num };
	struct vu_vring_addr a = {
		.index = i,
		.desc = fe_gpa(fe, q->desc) + FE_UVA_OFFSET,
		.avail = fe_gpa(fe, q->avail) + FE_UVA_OFFSET,
		.used = fe_gpa(fe, q->used) + FE_UVA_OFFSET,
	};
	uint64_t u = i;

	fe_ok(fe, VU_SET_VRING_CALL, &u, 8, &q->call, 1);
	fe_ok(fe, VU_SET_VRING_NUM, &s, sizeof(s), NULL, 0);
	fe_ok(fe, VU_SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
	fe_ok(fe, VU_SET_VRING_KICK, &u, 8, &q->kick, 1);
	s.num = 1;
	fe_ok(fe, VU_SET_VRING_ENABLE, &s, sizeof(s), NULL, 0);
}

void fe_start(struct fe *fe, uint64_t features, unsigned n)
{
	uint64_t offered;
	unsigned i;

	assert_true(fe_send(fe, VU_SET_OWNER, VU_VERSION, NULL, 0, NULL, 0));
	offered = fe_get_u64(fe, VU_GET_FEATURES);
	fe->features = features | UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VU_F_PROTOCOL_FEATURES;
	assert_int_equal(fe->features & ~offered, 0);
	fe->protocol = fe_get_u64(fe, VU_GET_PROTOCOL_FEATURES);
	assert_true(fe_send(fe, VU_SET_PROTOCOL_FEATURES, VU_VERSION, &fe->protocol, 8, NULL, 0));
	fe_ok(fe, VU_SET_FEATURES, &fe->features, 8, NULL, 0);
	fe_send_mem_table(fe);
	for (i = 0; i < n; i++) {
		fe_init_queue(fe, i);
		fe_start_queue(fe, i);
	}
}

void *fe_alloc(struct fe *fe, size_t n)
{
	uint8_t *p = fe->mem + fe->used;

	n = (n + 15) / 16 * 16;
	assert_true(n <= FE_HALF - fe->used);
	fe->used += n;
	return p;
}

uint64_t fe_gpa(const struct fe *fe, const void *p)
{
	size_t off = (size_t)((const uint8_t *)p - fe->mem);

	if (!p)
		return FE_NOWHERE;
	assert_true(off < (size_t)2 * FE_HALF);
	return off < FE_HALF ? FE_GPA0 + off : FE_GPA1 + (off - FE_HALF);
}

void fe_expose(struct fe *fe, unsigned qi, uint16_t head)
{
	struct fe_queue *q = &fe->q[qi];
	uint16_t idx = q->avail->idx;

	q->avail->ring[idx % q->num] = head;
	__atomic_store_n(&q->avail->idx, (uint16_t)(idx + 1), __ATOMIC_RELEASE);
}

uint16_t fe_add(struct fe *fe, unsigned qi, const struct fe_seg *segs, unsigned n)
{
	struct fe_queue *q = &fe->q[qi];
	uint16_t head = q->free_head, d = head;
	unsigned i;

	assert_true(n > 0 && q->n_free >= n);
	for (i = 0; i < n; i++) {
		d = q->free_head;
		q->desc[d].addr = fe_gpa(fe, segs[i].p);
		q->desc[d].len = segs[i].len;
		q->desc[d].flags =
			(uint16_t)((segs[i].in ? VRING_DESC_F_WRITE : 0) | (i + 1 < n ? VRING_DESC_F_NEXT : 0));
		q->free_head = q->desc[d].next;
		q->n_free--;
	}
	fe_expose(fe, qi, head);
	return head;
}

uint16_t fe_add_indirect(struct fe *fe, unsigned qi, const struct fe_seg *segs, unsigned n)
{
	struct vring_desc *t = fe_alloc(fe, sizeof(*t) * n);
	struct fe_queue *q = &fe->q[qi];
	uint16_t head = q->free_head;
	unsigned i;

	for (i = 0; i < n; i++)
		t[i] = (struct vring_desc){ fe_gpa(fe, segs[i].p), segs[i].len,
					    (uint16_t)((segs[i].in ? VRING_DESC_F_WRITE : 0) |
						       (i + 1 < n ? VRING_DESC_F_NEXT : 0)),
					    (uint16_t)(i + 1) };
	assert_true(q->n_free > 0);
	q->free_head = q->desc[head].next;
	q->n_free--;
	q->desc[head].addr = fe_gpa(fe, t);
	q->desc[head].len = (uint32_t)(sizeof(*t) * n);
	q->desc[head].flags = VRING_DESC_F_INDIRECT;
	fe_expose(fe, qi, head);
	return head;
}

void fe_kick(struct fe *fe, unsigned q)
{
	uint64_t one = 1;

	assert_int_equal(write(fe->q[q].kick, &one, sizeof(one)), sizeof(one));
}

static void free_chain(struct fe_queue *q, uint16_t head)
{
	uint16_t d = head;

	q->n_free++;
	while (q->desc[d].flags & VRING_DESC_F_NEXT) {
		d = q->desc[d].next;
		q->n_free++;
	}
	q->desc[d].next = q->free_head;
	q->free_head = head;
}

static int take_used(struct fe_queue *q, uint32_t *ret_len)
{
	struct vring_used_elem e;

	if (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) == q->last_used)
		return -1;
	e = q->used->ring[q->last_used % q->num];
	q->last_used++;
	if (q->event_idx)
		vring_used_event((&(struct vring){ q->num, q->desc, q->avail, q->used })) = q->last_used;
	assert_true(e.id < q->num);
	free_chain(q, (uint16_t)e.id);
	if (ret_len)
		*ret_len = e.len;
	return (int)e.id;
}

int fe_used(struct fe *fe, unsigned q, uint32_t *ret_len)
{
	int i, head = -1;

	for (i = 0; i < 400; i++) {
		head = take_used(&fe->q[q], ret_len);
		if (head >= 0)
			break;
		sk_loop_once(fe->loop, 5);
	}
	return head;
}

int fe_used_now(struct fe *fe, unsigned q, uint32_t *ret_len)
{
	fe_settle(fe->loop);
	return take_used(&fe->q[q], ret_len);
}

unsigned fe_calls(struct fe *fe, unsigned q)
{
	uint64_t n = 0;

	if (read(fe->q[q].call, &n, sizeof(n)) < 0)
		return 0;
	return (unsigned)n;
}

void fe_settle(struct sk_loop *loop)
{
	int i;

	for (i = 0; i < 10000 && sk_loop_once(loop, 0) > 0; i++)
		;
}
