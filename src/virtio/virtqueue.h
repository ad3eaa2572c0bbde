/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_VIRTQUEUE_H
#define SK_VIRTIO_VIRTQUEUE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/iov.h"
#include "virtio/guestmem.h"

/* Largest ring that is accepted, and the most segments of one chain (IOV_MAX of Linux: a chain fits one preadv). */
#define SK_VQ_MAX_SIZE 1024u
#define SK_VQ_MAX_SEGS 1024u

/* One split virtqueue (virtio 1.2, section 2.7), device side. Set up by the vhost-user server, used by devices. */
struct sk_virtqueue {
	const struct sk_guest_mem *mem;
	unsigned num; /* entries; a power of two */
	bool running; /* rings are mapped and enabled: the only state in which next() and push() may be called */
	bool event_idx, indirect;
	bool kicks_off;		/* the guest was told not to notify (without event_idx only) */
	bool broken;		/* the guest broke the ring: nothing more is read from it */
	uint16_t last_avail;	/* next entry of the available ring to be taken */
	uint16_t used_idx;	/* next entry of the used ring to be filled */
	uint16_t published_idx; /* used_idx as the guest can see it */
	uint16_t notified_idx;	/* used_idx at the last decision to notify */
	unsigned taken;		/* chains taken and not pushed */
	const struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	void (*call)(void *arg); /* notifies the guest, and never waits; NULL: it polls */
	void *call_arg;
};

/*
 * A chain of descriptors as host memory: first n_out segments that the guest wrote for us, then n_in that we fill.
 * Neighbouring segments are joined and empty ones left out. The pointers are good until the device returns to the loop:
 * the frontend may change its memory table then (a late answer goes through sk_vq_reload()).
 *
 * A chain may name memory that the frontend did not share. Then sk_vq_unmapped() is true: each direction has what comes
 * before its first such byte, and the device fails the request.
 */
struct sk_vq_chain {
	uint16_t head;
	bool out_hole, in_hole; /* memory that is not mapped, in that direction */
	uint8_t *last_in;	/* the last byte that the device may write; NULL: there is none, or it is not mapped */
	unsigned n_out, n_in;
	size_t out_len, in_len;
	struct iovec iov[SK_VQ_MAX_SEGS];
};

static inline bool sk_vq_unmapped(const struct sk_vq_chain *chain)
{
	return chain->out_hole || chain->in_hole;
}

/* Maps the rings at the frontend's addresses and starts at `base`. -EINVAL: bad size, alignment or address. */
int sk_vq_start(struct sk_virtqueue *vq, const struct sk_guest_mem *mem, unsigned num, uint64_t desc, uint64_t avail,
		uint64_t used, uint16_t base);
/* The memory table of a queue that runs has changed: maps its rings again, and it goes on. What sk_vq_start() returns; on
 * failure the queue still has the old mapping. */
int sk_vq_remap(struct sk_virtqueue *vq, uint64_t desc, uint64_t avail, uint64_t used);
/* Takes the next chain. 1: taken (push it later); 0: none, and the guest will notify when there is one; -EPROTO: the
 * guest broke the ring, sk_virtio_fail() is due. */
int sk_vq_next(struct sk_virtqueue *vq, struct sk_vq_chain *chain);
/* Gives the last `n` taken chains back, as if they had not been taken. */
void sk_vq_unget(struct sk_virtqueue *vq, unsigned n);
/* Reads the descriptors of a chain that was taken earlier again. Same results as sk_vq_next() but 0. The segments may
 * be different ones: whatever was checked before does not count. */
int sk_vq_reload(struct sk_virtqueue *vq, uint16_t head, struct sk_vq_chain *chain);
/* Returns a chain with `len` bytes written into its in-segments. The guest sees it after publish or flush. Does nothing
 * on a queue that was stopped. */
void sk_vq_push(struct sk_virtqueue *vq, uint16_t head, uint32_t len);
/* Publishes pushed chains to the guest, without a notification. */
void sk_vq_publish(struct sk_virtqueue *vq);
/* Publishes, and notifies the guest if it wants to know. Never blocks. */
void sk_vq_flush(struct sk_virtqueue *vq);
/* Notifies the guest whether it wants to know or not. */
void sk_vq_call(struct sk_virtqueue *vq);
/* True when at least one chain waits. */
bool sk_vq_pending(const struct sk_virtqueue *vq);

/*
 * The functions of base/iov.h for POSIX's struct iovec, which chains are made of: laid out alike. Copies: between the
 * segments, from byte `off` on, and `buf`; they return how many bytes (less than `n` at the end).
 */
_Static_assert(sizeof(struct iovec) == sizeof(struct sk_iov) &&
		       offsetof(struct iovec, iov_len) == offsetof(struct sk_iov, len),
	       "segments are handed on as they are");
static inline size_t sk_iovec_read(const struct iovec *iov, unsigned n_iov, size_t off, void *buf, size_t n)
{
	return sk_iov_get((const struct sk_iov *)(const void *)iov, n_iov, off, buf, n);
}
static inline size_t sk_iovec_write(const struct iovec *iov, unsigned n_iov, size_t off, const void *buf, size_t n)
{
	return sk_iov_put((const struct sk_iov *)(const void *)iov, n_iov, off, buf, n);
}
/* Cuts a list down to bytes off..off+len-1 of itself, in place. Returns the new count; `*iov` moves forward. */
static inline unsigned sk_iovec_cut(struct iovec **iov, unsigned n_iov, size_t off, size_t len)
{
	struct sk_iov *v = (struct sk_iov *)(void *)*iov;
	unsigned n = sk_iov_cut(&v, n_iov, off, len);

	*iov = (struct iovec *)(void *)v;
	return n;
}

#endif
