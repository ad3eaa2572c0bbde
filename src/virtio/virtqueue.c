/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * The guest owns both rings and every descriptor and may rewrite them at any time. So: the available index and each
 * descriptor are read once, into a local copy, and only the copy is checked and used; a walk is bounded by the queue
 * size (an indirect one by its table), which also ends loops; every buffer is translated against the memory table with
 * subtraction, never addition. What the guest gets from a lie is its own queue broken (-EPROTO, `broken`), after which
 * nothing is read from it any more. A buffer outside the memory that was shared is no lie, but a request that cannot be
 * served (a kernel may have pages that its engine does not share): the chain is handed on
 * (sk_vq_unmapped()), and the device fails that request only.
 *
 * The used ring is written only. Our own indices are kept here, never read back after the start.
 *
 * Notifications. While chains are being taken the guest need not kick: with EVENT_IDX its kick condition (avail_event)
 * is simply left behind, without it NO_NOTIFY is set. When the ring is found empty the condition is renewed and, after
 * a full barrier, the index looked at again: either we see the new chain or the guest sees the condition. In the other
 * direction flush() notifies once for all chains pushed since the last time, if the guest's used_event (or flag) asks
 * for it.
 */
#include "virtio/virtqueue.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

static uint16_t load_le16(const void *p)
{
	return le16toh(__atomic_load_n((const uint16_t *)p, __ATOMIC_ACQUIRE));
}

static void store_le16(void *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)p, htole16(v), __ATOMIC_RELEASE);
}

/* Where EVENT_IDX keeps its indices: behind the rings. */
static void *avail_event(const struct sk_virtqueue *vq)
{
	return &vq->used->ring[vq->num];
}

static const void *used_event(const struct sk_virtqueue *vq)
{
	return &vq->avail->ring[vq->num];
}

int sk_vq_start(struct sk_virtqueue *vq, const struct sk_guest_mem *mem, unsigned num, uint64_t desc, uint64_t avail,
		uint64_t used, uint16_t base)
{
	if (num == 0 || num > SK_VQ_MAX_SIZE || (num & (num - 1)))
		return -EINVAL;
	vq->desc = sk_mem_uva(mem, desc, sizeof(*vq->desc) * num);
	vq->avail = sk_mem_uva(mem, avail, sizeof(*vq->avail) + sizeof(uint16_t) * (num + 1));
	vq->used = sk_mem_uva(mem, used, sizeof(*vq->used) + sizeof(vq->used->ring[0]) * num + sizeof(uint16_t));
	if (!vq->desc || !vq->avail || !vq->used)
		return -EINVAL;
	/* The alignment the specification asks for is what atomic access needs. */
	if ((uintptr_t)vq->desc % 16 || (uintptr_t)vq->avail % 2 || (uintptr_t)vq->used % 4)
		return -EINVAL;
	vq->mem = mem;
	vq->num = num;
	vq->last_avail = base;
	vq->used_idx = vq->published_idx = vq->notified_idx = load_le16(&vq->used->idx);
	vq->taken = 0;
	vq->broken = false;
	/* As if kicks were enabled: the first next() that finds nothing enables them for the guest. */
	vq->kicks_off = true;
	vq->running = true;
	return 0;
}

int sk_vq_remap(struct sk_virtqueue *vq, uint64_t desc, uint64_t avail, uint64_t used)
{
	struct sk_virtqueue copy;
	int r;

	if (!vq->running)
		return 0;
	sk_vq_publish(vq);
	copy = *vq;
	r = sk_vq_start(vq, copy.mem, copy.num, desc, avail, used, copy.last_avail);
	if (r < 0) {
		*vq = copy;
		return r;
	}
	vq->used_idx = vq->published_idx = copy.used_idx;
	vq->notified_idx = copy.notified_idx;
	vq->taken = copy.taken;
	vq->broken = copy.broken;
	return 0;
}

/*
 * Adds `len` bytes at guest address `addr` to the chain. Behind the first byte that is not mapped, nothing more is
 * added in that direction: what is in the list has no gap.
 */
static int add_segment(struct sk_virtqueue *vq, struct sk_vq_chain *chain, bool in, uint64_t addr, uint32_t len)
{
	unsigned n = chain->n_out + chain->n_in;
	bool *hole = in ? &chain->in_hole : &chain->out_hole;

	if (in && len)
		chain->last_in = sk_mem_gpa(vq->mem, addr + (len - 1), 1);
	if (*hole)
		return 0;

	while (len) {
		struct iovec *last = n > 0 ? &chain->iov[n - 1] : NULL;
		void *host;
		size_t got = sk_mem_span(vq->mem, addr, len, &host);

		if (got == 0) {
			*hole = true;
			return 0;
		}
		if (last && (!in || chain->n_in > 0) && (uint8_t *)last->iov_base + last->iov_len == host) {
			last->iov_len += got;
		} else {
			if (n == SK_VQ_MAX_SEGS)
				return -EPROTO;
			chain->iov[n++] = (struct iovec){ host, got };
			if (in)
				chain->n_in++;
			else
				chain->n_out++;
		}
		*(in ? &chain->in_len : &chain->out_len) += got;
		addr += got;
		len -= (uint32_t)got;
	}
	return 0;
}

/* Reads entry `i` of a table once. */
static struct vring_desc read_desc(const struct vring_desc *table, unsigned i)
{
	const volatile struct vring_desc *d = &table[i];

	return (struct vring_desc){
		.addr = le64toh(d->addr),
		.len = le32toh(d->len),
		.flags = le16toh(d->flags),
		.next = le16toh(d->next),
	};
}

/* Walks from entry `i` of a table of `count`. `indirect` true: this is an indirect table already. */
static int walk(struct sk_virtqueue *vq, const struct vring_desc *table, unsigned count, unsigned i, bool indirect,
		struct sk_vq_chain *chain)
{
	unsigned seen;

	for (seen = 0; seen < count; seen++) {
		struct vring_desc d;
		bool in;
		int r;

		if (i >= count)
			return -EPROTO;
		d = read_desc(table, i);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			const struct vring_desc *inner;
			unsigned n = d.len / (unsigned)sizeof(d);

			if (indirect || !vq->indirect || (d.flags & VRING_DESC_F_NEXT) || n == 0 || d.len % sizeof(d) ||
			    n > SK_VQ_MAX_SEGS)
				return -EPROTO;
			inner = sk_mem_gpa(vq->mem, d.addr, d.len);
			if (!inner || (uintptr_t)inner % __alignof__(struct vring_desc))
				return -EPROTO;
			return walk(vq, inner, n, 0, true, chain);
		}
		in = d.flags & VRING_DESC_F_WRITE;
		if (!in && chain->n_in > 0)
			return -EPROTO;
		r = add_segment(vq, chain, in, d.addr, d.len);
		if (r < 0)
			return r;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 0;
		i = d.next;
	}
	return -EPROTO; /* a loop */
}

int sk_vq_reload(struct sk_virtqueue *vq, uint16_t head, struct sk_vq_chain *chain)
{
	if (!vq->running || vq->broken)
		return -EPROTO;
	chain->head = head;
	chain->n_out = chain->n_in = 0;
	chain->out_len = chain->in_len = 0;
	chain->out_hole = chain->in_hole = false;
	chain->last_in = NULL;
	if (walk(vq, vq->desc, vq->num, head, false, chain) < 0) {
		vq->broken = true;
		return -EPROTO;
	}
	return 1;
}

static void kicks_disable(struct sk_virtqueue *vq)
{
	if (vq->event_idx || vq->kicks_off)
		return;
	store_le16(&vq->used->flags, VRING_USED_F_NO_NOTIFY);
	vq->kicks_off = true;
}

static void kicks_enable(struct sk_virtqueue *vq)
{
	if (vq->event_idx)
		store_le16(avail_event(vq), vq->last_avail);
	else if (vq->kicks_off)
		store_le16(&vq->used->flags, 0);
	vq->kicks_off = false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool sk_vq_pending(const struct sk_virtqueue *vq)
{
	return vq->running && !vq->broken && load_le16(&vq->avail->idx) != vq->last_avail;
}

int sk_vq_next(struct sk_virtqueue *vq, struct sk_vq_chain *chain)
{
	uint16_t idx, head;
	int r;

	if (!vq->running)
		return 0;
	if (vq->broken)
		return -EPROTO;
	idx = load_le16(&vq->avail->idx);
	if (idx == vq->last_avail) {
		kicks_enable(vq);
		idx = load_le16(&vq->avail->idx);
		if (idx == vq->last_avail)
			return 0;
	}
	kicks_disable(vq);
	if ((uint16_t)(idx - vq->last_avail) > vq->num || vq->taken >= vq->num) {
		vq->broken = true;
		return -EPROTO;
	}
	head = load_le16(&vq->avail->ring[vq->last_avail & (vq->num - 1)]);
	r = sk_vq_reload(vq, head, chain);
	if (r < 0)
		return r;
	vq->last_avail++;
	vq->taken++;
	return 1;
}

void sk_vq_unget(struct sk_virtqueue *vq, unsigned n)
{
	assert(n <= vq->taken);
	vq->last_avail = (uint16_t)(vq->last_avail - n);
	vq->taken -= n;
}

void sk_vq_push(struct sk_virtqueue *vq, uint16_t head, uint32_t len)
{
	struct vring_used_elem *e;

	if (!vq->running)
		return;
	assert(vq->taken > 0);
	e = &vq->used->ring[vq->used_idx & (vq->num - 1)];
	e->id = htole32(head);
	e->len = htole32(len);
	vq->used_idx++;
	vq->taken--;
}

void sk_vq_publish(struct sk_virtqueue *vq)
{
	if (!vq->running || vq->published_idx == vq->used_idx)
		return;
	store_le16(&vq->used->idx, vq->used_idx);
	vq->published_idx = vq->used_idx;
}

void sk_vq_call(struct sk_virtqueue *vq)
{
	if (vq->call)
		vq->call(vq->call_arg);
}

void sk_vq_flush(struct sk_virtqueue *vq)
{
	uint16_t since, event;

	sk_vq_publish(vq);
	if (!vq->running || vq->notified_idx == vq->used_idx)
		return;
	since = (uint16_t)(vq->used_idx - vq->notified_idx);
	vq->notified_idx = vq->used_idx;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (vq->event_idx) {
		event = load_le16(used_event(vq));
		if ((uint16_t)(vq->used_idx - event - 1) >= since)
			return;
	} else if (load_le16(&vq->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT) {
		return;
	}
	sk_vq_call(vq);
}
