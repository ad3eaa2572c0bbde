/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_VIRTIO_FRONTEND_H
#define SK_TESTS_VIRTIO_FRONTEND_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "virtio/vhost_user.h"

/*
 * The engine's side of vhost-user for tests: real sockets, a memfd as guest memory, real rings. Runs in the thread of
 * the device: every wait turns the device's loop. Guest memory is two regions that are far apart in guest-physical and
 * neighbours in the file.
 */
#define FE_HALF (4u << 20)
#define FE_GPA0 UINT64_C(0x100000)
#define FE_GPA1 UINT64_C(0x40000000)
#define FE_NOWHERE UINT64_C(0x1000) /* in neither */
#define FE_UVA_OFFSET UINT64_C(0x7f0000000000)
#define FE_QUEUES 5u
#define FE_QUEUE_SIZE 64u

struct fe_queue {
	unsigned num;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t last_used;
	uint16_t free_head, n_free;
	int kick, call;
	bool event_idx;
};

struct fe {
	struct sk_loop *loop;
	int sock;
	int memfd;
	uint8_t *mem; /* 2 * FE_HALF bytes */
	size_t used;  /* of the first half, by fe_alloc() */
	uint64_t features, protocol;
	struct fe_queue q[FE_QUEUES];
};

struct fe_seg {
	void *p; /* in guest memory; NULL: at an address that is not mapped */
	uint32_t len;
	bool in; /* written by the device */
};

/* A listening socket and its (abstract) address. */
int fe_listen(void *addr, unsigned *addr_len);
/* Connects; nothing is negotiated yet. */
void fe_connect(struct fe *fe, struct sk_loop *loop, const void *addr, unsigned addr_len);
/* Negotiates `features` (all of them must be offered), sends memory and `n` queues, enables them. */
void fe_start(struct fe *fe, uint64_t features, unsigned n);
void fe_close(struct fe *fe);

/* Sends a message with descriptors, as it is. False when the peer is gone. */
bool fe_send(struct fe *fe, uint32_t request, uint32_t flags, const void *payload, uint32_t size, const int *fds,
	     unsigned n_fds);
/* Turns the loop until a reply is there. Returns its payload size, -1 when the connection was closed. */
int fe_reply(struct fe *fe, struct vu_msg *ret_msg);
/* Message with NEED_REPLY; asserts that it is acknowledged with 0. */
void fe_ok(struct fe *fe, uint32_t request, const void *payload, uint32_t size, const int *fds, unsigned n_fds);
uint64_t fe_get_u64(struct fe *fe, uint32_t request);
void fe_get_config(struct fe *fe, void *ret, uint32_t size);
bool fe_closed(struct fe *fe);
void fe_send_mem_table(struct fe *fe);
/* Makes the rings and descriptors of a queue, and tells nobody. */
void fe_init_queue(struct fe *fe, unsigned q);
void fe_start_queue(struct fe *fe, unsigned q);

/* Guest memory, zeroed, 16-aligned. */
void *fe_alloc(struct fe *fe, size_t n);
uint64_t fe_gpa(const struct fe *fe, const void *p);
/* Puts a chain on the available ring; returns its head. Does not kick. */
uint16_t fe_add(struct fe *fe, unsigned q, const struct fe_seg *segs, unsigned n);
uint16_t fe_add_indirect(struct fe *fe, unsigned q, const struct fe_seg *segs, unsigned n);
/* Makes descriptor `head` available as it stands in memory. */
void fe_expose(struct fe *fe, unsigned q, uint16_t head);
void fe_kick(struct fe *fe, unsigned q);
/* Turns the loop until queue `q` has a used chain; frees it. Returns its head, -1 after two seconds. */
int fe_used(struct fe *fe, unsigned q, uint32_t *ret_len);
/* The same without waiting longer than the loop has work. */
int fe_used_now(struct fe *fe, unsigned q, uint32_t *ret_len);
/* Notifications since the last call. */
unsigned fe_calls(struct fe *fe, unsigned q);
/* Turns the loop until it has nothing to do. */
void fe_settle(struct sk_loop *loop);

#endif
