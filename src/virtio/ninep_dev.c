/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * virtio-9p (virtio 1.2, section 5.9): one queue; a chain is a request (out) and room for its reply (in). There are
 * two, because behind QEMU's vhost-user-fs the guest uses the second one (engine/qemu_args.c). The 9P server gets the
 * segments as they are in the guest's memory, so that file data goes straight between there and the file. Each request
 * is answered before the next one is looked at, and published at once: a guest that polls sees it without waiting for
 * the others.
 *
 * A guest that is busy with files sends its next request some microseconds after the last answer: less than it takes to
 * be put to sleep and woken, on either side. So a queue found empty is looked at for a while longer before the guest is
 * asked for a notification. How long depends on how that went lately: SPIN_MAX_NS when requests came while or soon
 * after it was done, next to nothing after it was for nothing several times over. Where the host has other things to do
 * (we were not running for GAP_NS while we looked), to look takes the processor from the guest that is to send the
 * request: then it is not done for PAUSE times as long.
 *
 * A parked request (a blocked lock, a Tnotify) keeps its chain, by its head. When its answer comes, the descriptors are
 * read again: the memory table may have changed meanwhile. When the queue stops, chains are void and the session starts
 * anew.
 *
 * Not trusted: what is in the chain (the server copies headers before it looks at them), its lengths, its number. A
 * request with a buffer that is not mapped is answered with EFAULT; one that cannot be answered breaks the queue and
 * with it the connection.
 */
#include "virtio/ninep_dev.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_9p.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ninep/linux.h"
#include "ninep/proto.h"
#include "virtio/virtio_internal.h"

/* Most that virtio-9p of Linux takes: 128 pages less what a request may start and end in. */
#define MSIZE_MAX 512000u

#define SPIN_MAX_NS 60000u
#define SPIN_MIN_NS 2000u
#define GAP_NS 200000u
#define PAUSE 100u
#define PAUSE_MAX_NS 10000000000u

struct ninep_dev {
	struct sk_device dev;
	struct sk_9p_session *session;
	char tag[SK_9P_TAG_MAX + 1];
	struct sk_vq_chain chain, late;
	unsigned spin_ns;    /* how long an empty queue is looked at */
	uint64_t idle_since; /* when that was last given up */
	uint64_t no_spin;    /* not before then */
};

static struct ninep_dev *ninep_of(struct sk_device *dev)
{
	return (struct ninep_dev *)dev;
}

/* Identifies a parked request: its queue and its chain's head. */
static uint64_t token_of(unsigned q, uint16_t head)
{
	return (uint64_t)q << 16 | head;
}

/* A parked request has its answer (len 0: it was cancelled, and its chain goes back empty). */
static void complete(void *arg, uint64_t token, const void *reply, size_t len)
{
	struct ninep_dev *n = arg;
	struct sk_virtqueue *vq = &n->dev.vq[token >> 16];
	size_t done = 0;

	if (!vq->running || n->dev.failed)
		return;
	if (len) {
		if (sk_vq_reload(vq, (uint16_t)token, &n->late) < 0 || sk_vq_unmapped(&n->late)) {
			sk_virtio_fail(&n->dev, "the guest broke the request queue");
			return;
		}
		done = sk_iovec_write(n->late.iov + n->late.n_out, n->late.n_in, 0, reply, len);
	}
	sk_vq_push(vq, (uint16_t)token, (uint32_t)(done == len ? len : 0));
	sk_vq_flush(vq);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Waits a moment for the next request. */
static bool spin(struct ninep_dev *n, struct sk_virtqueue *vq)
{
	uint64_t start = now_ns(), now = start, before;

	if (start < n->no_spin)
		return false;
	do {
		if (sk_vq_pending(vq)) {
			n->spin_ns = SPIN_MAX_NS;
			return true;
		}
		relax();
		before = now;
		now = now_ns();
		if (now - before > GAP_NS)
			n->no_spin =
				now + (now - before > PAUSE_MAX_NS / PAUSE ? PAUSE_MAX_NS : PAUSE * (now - before));
	} while (now - start < n->spin_ns);
	if (n->spin_ns > SPIN_MIN_NS)
		n->spin_ns /= 2;
	return false;
}

/* The guest had to wake us: had we waited a little longer, it had not. */
static void woken(struct ninep_dev *n)
{
	if (now_ns() - n->idle_since < 2 * SPIN_MAX_NS)
		n->spin_ns = SPIN_MAX_NS;
}

/* The answer to a request whose data are in memory that is not mapped: Rlerror. Its length, or -EPROTO. */
static int64_t refuse(const struct sk_vq_chain *c)
{
	uint8_t head[P9_HEADER], reply[P9_RLERROR_SIZE] = { P9_RLERROR_SIZE, 0, 0, 0, P9_RLERROR };
	uint32_t code = htole32(P9_EFAULT);

	if (sk_iovec_read(c->iov, c->n_out, 0, head, sizeof(head)) != sizeof(head))
		return -EPROTO;
	memcpy(reply + 5, head + 5, 2); /* the tag */
	memcpy(reply + 7, &code, sizeof(code));
	if (sk_iovec_write(c->iov + c->n_out, c->n_in, 0, reply, sizeof(reply)) != sizeof(reply))
		return -EPROTO;
	return sizeof(reply);
}

static bool ninep_kick(struct sk_device *dev, unsigned q)
{
	struct ninep_dev *n = ninep_of(dev);
	struct sk_virtqueue *vq = &dev->vq[q];
	struct sk_vq_chain *c = &n->chain;
	unsigned budget;
	int r = 0;

	woken(n);
	for (budget = SK_VIRTIO_BUDGET; budget > 0; budget--) {
		struct sk_iov *iov;
		int64_t len;

		if (!sk_vq_pending(vq))
			(void)spin(n, vq);
		r = sk_vq_next(vq, c);
		if (r <= 0)
			break;
		iov = (struct sk_iov *)(void *)c->iov;
		len = sk_vq_unmapped(c)
			      ? refuse(c)
			      : sk_9p_request(n->session, iov, c->n_out, iov + c->n_out, c->n_in, token_of(q, c->head));
		if (len < 0) {
			r = -EPROTO;
			break;
		}
		if (len > 0) {
			sk_vq_push(vq, c->head, (uint32_t)len);
			sk_vq_flush(vq);
		}
	}
	if (r < 0)
		sk_virtio_fail(dev, "the guest broke the request queue");
	n->idle_since = now_ns();
	return r > 0;
}

static void ninep_stopped(struct sk_device *dev, unsigned q)
{
	(void)q;
	sk_9p_session_reset(ninep_of(dev)->session, false);
}

static size_t ninep_config(struct sk_device *dev, uint8_t buf[SK_VIRTIO_CONFIG])
{
	const struct ninep_dev *n = ninep_of(dev);
	uint16_t len = (uint16_t)strlen(n->tag), le = htole16(len);

	memcpy(buf, &le, sizeof(le));
	memcpy(buf + sizeof(le), n->tag, len);
	return sizeof(le) + len;
}

static void ninep_free(struct sk_device *dev)
{
	struct ninep_dev *n = ninep_of(dev);

	sk_virtio_fini(dev);
	sk_9p_session_free(n->session);
	free(n);
}

static const struct sk_virtio_ops ninep_ops = {
	.n_queues = 2,
	.config = ninep_config,
	.queue_kick = ninep_kick,
	.queue_stopped = ninep_stopped,
	.free = ninep_free,
};

struct sk_9p_session *sk_ninep_dev_session(struct sk_device *device)
{
	return ninep_of(device)->session;
}

int sk_ninep_dev_new(struct sk_loop *loop, int take_listen_fd, const char *tag, struct sk_9p_server *server,
		     const struct sk_9p_export *exports, unsigned n_exports, bool by_name,
		     struct sk_device **ret_device, struct sk_error *err)
{
	_cleanup_fd_ int listen_fd = take_listen_fd;
	struct ninep_dev *n;
	struct sk_9p_session_config config = { .exports = exports,
					       .n_exports = n_exports,
					       .by_name = by_name,
					       .msize = MSIZE_MAX,
					       .ext = true,
					       .complete = complete };
	int r;

	if (!*tag || strlen(tag) > SK_9P_TAG_MAX)
		return sk_error_set(err, EINVAL, "a mount tag has 1 to %u bytes", SK_9P_TAG_MAX);
	n = calloc(1, sizeof(*n));
	if (!n)
		return sk_error_errno(err, ENOMEM, "cannot share %s", tag);
	n->dev.ops = &ninep_ops;
	n->dev.id = SK_VIRTIO_9P;
	n->dev.name = "9p";
	n->dev.features = UINT64_C(1) << VIRTIO_9P_MOUNT_TAG;
	memcpy(n->tag, tag, strlen(tag));
	config.arg = n;
	if (sk_9p_session_new(server, &config, &n->session) < 0) {
		free(n);
		return sk_error_errno(err, ENOMEM, "cannot share %s", tag);
	}
	r = sk_virtio_init(&n->dev, loop, SK_TAKE_FD(listen_fd), err);
	if (r < 0) {
		ninep_free(&n->dev);
		return r;
	}
	*ret_device = &n->dev;
	return 0;
}
