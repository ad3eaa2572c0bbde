/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A memory balloon that is never inflated: it exists for free page reporting (virtio 1.2, section 5.5.6.8). The guest's
 * page allocator keeps large free blocks aside, lists them on the reporting queue, and waits until they come back from
 * there. While they are listed, a hole is punched into the shared memory file (MADV_REMOVE does so through our
 * mapping), so that the host has its memory back; whoever touches the pages later gets zeros. All processes that map
 * the guest's memory map this one file, so that there is nothing to be kept in step.
 *
 * Queues: 0 inflate, 1 deflate, and the reporting queue. The specification numbers that 4; Linux leaves no gaps for
 * queues that were not negotiated, which makes it 2. Statistics and hints are never offered, so all from 2 on are it.
 * What a guest inflates of its own accord stays as it is: the target is 0 pages, always.
 *
 * Not trusted: the segments, which the virtqueue checks against the memory table (of a chain that goes beyond it
 * nothing is given back). A hostile guest can report pages that it uses, and loses their content; it cannot reach
 * beyond its own memory. Punching takes the host about a millisecond for 4 MiB, so a turn ends after TURN_MAX bytes,
 * within a chain: the next one goes on where it stopped.
 */
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "virtio/virtio_internal.h"

#define QUEUES 5u
#define FIRST_REPORTING 2u
#define TURN_MAX (UINT64_C(32) << 20)

struct balloon_dev {
	struct sk_device dev;
	struct sk_vq_chain chain;
	size_t done[QUEUES]; /* bytes of the waiting chain that are given back already */
	uintptr_t page;	     /* the host's page size - 1 */
	bool refused;	     /* the host cannot take memory back, and the log says so already */
};

static struct balloon_dev *balloon_of(struct sk_device *dev)
{
	return (struct balloon_dev *)dev;
}

/* The whole pages inside of a segment. */
static void give_back(struct balloon_dev *b, const struct iovec *iov)
{
	uintptr_t start = (uintptr_t)iov->iov_base, end = start + iov->iov_len;

	start = (start + b->page) & ~b->page;
	end &= ~b->page;
	if (start >= end || madvise((void *)start, end - start, MADV_REMOVE) == 0 || b->refused)
		return;
	b->refused = true;
	sk_log(SK_LOG_WARN, "memory that the guest frees stays with it: %s", strerror(errno));
}

/* Gives back up to TURN_MAX bytes of the chain's room from byte `off` on; returns how far it came. */
static size_t give_back_some(struct balloon_dev *b, size_t off)
{
	struct iovec *iov = b->chain.iov + b->chain.n_out;
	unsigned i, n = sk_iovec_cut(&iov, b->chain.n_in, off, TURN_MAX);

	for (i = 0; i < n; i++) {
		give_back(b, &iov[i]);
		off += iov[i].iov_len;
	}
	return off;
}

static bool balloon_kick(struct sk_device *dev, unsigned q)
{
	struct balloon_dev *b = balloon_of(dev);
	struct sk_virtqueue *vq = &dev->vq[q];
	unsigned budget;
	int r = 0;

	for (budget = SK_VIRTIO_BUDGET; budget > 0; budget--) {
		r = sk_vq_next(vq, &b->chain);
		if (r <= 0)
			break;
		if (q >= FIRST_REPORTING && !sk_vq_unmapped(&b->chain)) {
			b->done[q] = give_back_some(b, b->done[q]);
			if (b->done[q] < b->chain.in_len) {
				/* Its segments may be others by the next turn: it is taken anew then. */
				sk_vq_unget(vq, 1);
				break;
			}
			b->done[q] = 0;
			budget = 1;
		}
		sk_vq_push(vq, b->chain.head, 0);
	}
	sk_vq_flush(vq);
	if (r < 0)
		sk_virtio_fail(dev, "the guest broke a queue");
	return r > 0;
}

static void balloon_stopped(struct sk_device *dev, unsigned q)
{
	balloon_of(dev)->done[q] = 0;
}

/* No pages are wanted. */
static size_t balloon_config(struct sk_device *dev, uint8_t buf[SK_VIRTIO_CONFIG])
{
	(void)dev;
	(void)buf;
	return sizeof(struct virtio_balloon_config);
}

static void balloon_free(struct sk_device *dev)
{
	sk_virtio_fini(dev);
	free(balloon_of(dev));
}

static const struct sk_virtio_ops balloon_ops = {
	.n_queues = QUEUES, /* virtio_uml sets up all queues that the driver knows */
	.config = balloon_config,
	.queue_kick = balloon_kick,
	.queue_stopped = balloon_stopped,
	.free = balloon_free,
};

int sk_balloon_new(struct sk_loop *loop, int take_listen_fd, struct sk_device **ret_device, struct sk_error *err)
{
	struct balloon_dev *b = calloc(1, sizeof(*b));
	int r;

	if (!b) {
		close(take_listen_fd);
		return sk_error_errno(err, ENOMEM, "cannot set up the balloon device");
	}
	b->dev.ops = &balloon_ops;
	b->dev.id = SK_VIRTIO_BALLOON;
	b->dev.name = "balloon";
	b->dev.features = UINT64_C(1) << VIRTIO_BALLOON_F_REPORTING;
	b->page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
	r = sk_virtio_init(&b->dev, loop, take_listen_fd, err);
	if (r < 0) {
		free(b);
		return r;
	}
	*ret_device = &b->dev;
	return 0;
}
