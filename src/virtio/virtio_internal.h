/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_INTERNAL_H
#define SK_VIRTIO_INTERNAL_H

#include <linux/virtio_config.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/acceptor.h"
#include "base/error.h"
#include "base/loop.h"
#include "virtio/device.h"
#include "virtio/virtqueue.h"

/*
 * The contract between a device and the vhost-user server.
 *
 * A device embeds struct sk_device as its first member, fills in `ops`, `features` and the queue count, and calls
 * sk_virtio_init(). From then on, always on the loop of the device:
 *
 *   connected      a frontend has connected; nothing is known about the guest yet
 *   queue_ready    queue `q` runs: chains may be taken and pushed from now on
 *   queue_kick     the guest has put something on queue `q` (or may have: a kick without a chain is harmless)
 *   queue_stopped  queue `q` no longer runs. Chains that were taken are void; never push them
 *   disconnected   the frontend is gone; every queue was stopped before
 *   free           the device's own memory, with sk_virtio_fini()
 *
 * Negotiated features are in `acked`, and stable as long as a queue runs.
 */
#define SK_VIRTIO_QUEUES 5u
#define SK_VIRTIO_CONFIG 256u

/* Chains that a device takes in one queue_kick before it lets others on its loop run. */
#define SK_VIRTIO_BUDGET 256u

struct sk_virtio_ops {
	unsigned n_queues;
	/* Fills the device's config space (zeroed before), returns its length. */
	size_t (*config)(struct sk_device *dev, uint8_t buf[SK_VIRTIO_CONFIG]);
	/* May be NULL: nothing in the config space is writable. */
	void (*set_config)(struct sk_device *dev, size_t off, const uint8_t *data, size_t len);
	void (*connected)(struct sk_device *dev);		  /* may be NULL */
	void (*queue_ready)(struct sk_device *dev, unsigned q);	  /* may be NULL */
	void (*queue_stopped)(struct sk_device *dev, unsigned q); /* may be NULL */
	/* Returns true when it stopped at its budget and wants to be called again. */
	bool (*queue_kick)(struct sk_device *dev, unsigned q);
	void (*disconnected)(struct sk_device *dev); /* may be NULL */
	void (*free)(struct sk_device *dev);
};

/* How a device meets its guest: the transport. */
struct sk_virtio_server {
	const char *consequence; /* of sk_virtio_fail(), for the log */
	/* Serves a frontend that has connected (the socket is taken, also on failure): sets dev->conn. Negative errno. */
	int (*adopt)(struct sk_device *dev, int take_fd);
	/* The device has failed. Not called from one of its callbacks. */
	void (*failed)(struct sk_device *dev);
	/* Stops the queues and forgets dev->conn, with sk_virtio_gone(). */
	void (*end)(struct sk_device *dev);
};

struct sk_device {
	const struct sk_virtio_ops *ops;
	enum sk_virtio_id id;
	struct sk_loop *loop;
	const char *name;  /* for the log */
	uint64_t features; /* offered by the device; the server adds those of the ring and of vhost-user */
	uint64_t acked;	   /* accepted by the guest */
	struct sk_virtqueue vq[SK_VIRTIO_QUEUES];
	/* The server's. */
	const struct sk_virtio_server *server;
	int listen_fd; /* -1: none */
	struct sk_acceptor *acceptor;
	struct sk_source *deferred, *again_source;
	int again_fds[2]; /* the first is always readable; watched while `again` is set */
	void *conn;	  /* the server's, for its frontend; NULL: there is none */
	uint32_t again;	  /* bit q: queue_kick wants to be called again */
	bool failed;	  /* server->failed() is due, or was called and the guest has not reset the device yet */
};

/* The features of every ring of ours. */
#define SK_VIRTIO_RING_FEATURES                                                       \
	(UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX | \
	 UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)

/* Sets up the server part and starts to listen; the transport is the system's own, vhost-user on Linux. `dev` is zeroed
 * but for ops, id, name and features. The descriptor is taken, also on failure; -1: nobody connects, the device gets its
 * guest otherwise. */
int sk_virtio_init(struct sk_device *dev, struct sk_loop *loop, int take_listen_fd, struct sk_error *err);
/* Ends the connection (with queue_stopped and disconnected) and closes everything. Accepts a zeroed device. */
void sk_virtio_fini(struct sk_device *dev);
/* The guest broke the rules of the device: when the loop comes round its connection ends, or it wants to be reset.
 * `why` is logged. */
void sk_virtio_fail(struct sk_device *dev, const char *why);
static inline bool sk_virtio_has(const struct sk_device *dev, unsigned feature)
{
	return dev->acked >> feature & 1;
}

/* For transports. */

/* Calls queue_kick, and again later if it stopped at its budget. */
void sk_virtio_kick(struct sk_device *dev, unsigned q);
/* Serves the chains that a guest which has gone left on its queues: the last output of one that powers off. */
void sk_virtio_drain(struct sk_device *dev);
/* The frontend has gone and the queues are stopped. */
void sk_virtio_gone(struct sk_device *dev);
/* Accepts connections, while there is no frontend. 0 or negative errno. */
int sk_virtio_listen(struct sk_device *dev);

/* sk_virtio_init() with the transport that the device has when it is made. */
int sk_virtio_init_server(struct sk_device *dev, struct sk_loop *loop, int take_listen_fd,
			  const struct sk_virtio_server *server, struct sk_error *err);
/* The server's entry for tests and fuzzing: serves a connected frontend socket (taken). */
int sk_vu_adopt(struct sk_device *dev, int take_fd);
int sk_vfu_adopt(struct sk_device *dev, int take_fd); /* after sk_device_serve_vfio_user() */

#endif
