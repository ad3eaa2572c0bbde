/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_VU_INTERNAL_H
#define SK_VIRTIO_VU_INTERNAL_H

#include "virtio/notify.h"
#include "virtio/recv_fds.h"
#include "virtio/vhost_user.h"
#include "virtio/virtio_internal.h"

/* Shared by vhost_user.c (connections) and vu_messages.c (what the messages do to queues). */

struct vu_queue {
	struct sk_vu_conn *conn;
	unsigned index;
	bool enabled, has_addr;
	unsigned num;
	uint16_t base;
	uint64_t desc, avail, used; /* the frontend's addresses */
	int kick_fd;
	bool kick_is_socket;
	struct sk_notify_fd call;
	struct sk_source *kick;
};

struct sk_vu_conn {
	struct sk_device *dev;
	int fd;
	struct sk_source *source;
	uint64_t protocol;  /* negotiated protocol features */
	int backend_req_fd; /* held so that the guest notices when we die */
	struct sk_guest_mem mem;
	struct vu_queue queues[SK_VIRTIO_QUEUES];
	/* The message being read. */
	struct vu_msg msg;
	size_t have; /* bytes of header and payload read */
	struct sk_fds fds;
};
_Static_assert(VU_MAX_FDS <= SK_FDS_MAX, "a message's descriptors fit");

/* The handler of a message type. `run` returns 0: acknowledge if asked; 1: replied; negative errno: the connection
 * ends. It may take descriptors out of c->fds. */
struct vu_handler {
	int (*run)(struct sk_vu_conn *c);
	uint32_t size; /* of the payload, exactly; VU_VARIABLE: the handler checks */
	uint32_t max_fds;
};
#define VU_VARIABLE UINT32_MAX
extern const struct vu_handler vu_handlers[VU_REQUESTS]; /* run is NULL: no such message */

int vu_reply_u64(struct sk_vu_conn *c, uint64_t v);
/* Stops the queue and forgets everything about it. */
void vu_queue_reset(struct vu_queue *q);

#endif
