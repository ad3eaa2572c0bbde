/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_VSOCK_INTERNAL_H
#define SK_VIRTIO_VSOCK_INTERNAL_H

#include <linux/virtio_vsock.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "virtio/stream.h"
#include "virtio/virtio_internal.h"

/* Shared by vsock_dev.c (packets and queues) and vsock_stream.c (streams and their users). */

#define VSOCK_HOST_CID 2u
#define VSOCK_STREAMS_MAX 4096u
#define VSOCK_HASH 256u
#define VSOCK_SHUT_BOTH (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)
/* Payload of one packet; Linux sends no more either. */
#define VSOCK_PACKET_MAX 65536u
/* Answers that belong to no stream: resets of unknown connections (at most UNKNOWN_MAX) or of those just closed. */
#define VSOCK_REPLIES 2048u
#define VSOCK_UNKNOWN_MAX 256u
#define VSOCK_CONNECT_MS 10000u

enum vsock_state {
	/* We asked for it: REQUEST is due or sent. Writes are kept; ends with RESPONSE, RST or the deadline. */
	VSOCK_CONNECTING,
	/* Inside the accept callback: writes are kept, nothing is sent. */
	VSOCK_ACCEPTING,
	/* Both ways, as far as neither side has shut its own. */
	VSOCK_OPEN,
	/* The guest has finished with it (or is gone) and no packet finds it any more. What was received is still given
	 * to the user; then `eof` if the guest had shut its side in order, and `closed`. Writes are swallowed. */
	VSOCK_GONE,
	/* The user has no pointer to it any more. Freed when no callback of it is on the stack. */
	VSOCK_DEAD,
};

struct sk_stream {
	struct sk_carrier *carrier;
	enum vsock_state state;
	uint32_t guest_port, host_port;
	struct sk_stream *hash_next;
	TAILQ_ENTRY(sk_stream) all, ready, work;
	bool on_ready, on_work;
	unsigned busy; /* callbacks on the stack */
	const struct sk_stream_events *events;
	void *arg;

	/* host to guest */
	struct sk_buf tx;
	uint32_t tx_cnt;		  /* bytes sent */
	uint32_t peer_alloc, peer_fwd;	  /* the guest's credit */
	bool want_write;		  /* a write was cut short: `writable` is due when there is room */
	bool shut, shut_sent, final_sent; /* the user's shutdown; SHUTDOWN sent; SHUTDOWN of both sides sent */
	bool send_request, send_response, send_credit;

	/* guest to host */
	struct sk_buf rx;   /* not taken by the user yet; without credit for the guest */
	uint32_t fwd_cnt;   /* bytes taken */
	uint32_t fwd_sent;  /* fwd_cnt as the guest knows it */
	bool paused;	    /* the user took less than was offered */
	bool peer_shut;	    /* no more bytes will come */
	bool peer_deaf;	    /* the guest takes no more bytes */
	bool eof_done;	    /* the user knows */
	bool connected_due; /* `connected` is to be called */
	int error;	    /* for `closed`, in state GONE */
	uint64_t deadline_ms;
};

struct vsock_reply {
	uint32_t guest_port, host_port;
	uint16_t type, op;
};

struct vsock_listener {
	struct vsock_listener *next;
	uint32_t port;
	sk_stream_accept_cb accept;
	void *arg;
};

TAILQ_HEAD(vsock_list, sk_stream);

/* The vsock device is the carrier. */
struct sk_carrier {
	struct sk_device dev;
	uint64_t guest_cid;
	void (*lost)(void *arg);
	void *lost_arg;
	struct vsock_listener *listeners;
	struct sk_stream *hash[VSOCK_HASH];
	struct vsock_list all;	 /* every stream that is not freed */
	struct vsock_list ready; /* has something to send and waits for a buffer of the guest */
	struct vsock_list work;	 /* has something to tell its user */
	unsigned n_streams, n_work;
	uint32_t next_port;
	struct sk_source *deferred, *timer;
	struct vsock_reply replies[VSOCK_REPLIES];
	unsigned reply_head, n_replies;
	struct sk_vq_chain rx_chain, tx_chain;
	uint8_t stage[VSOCK_PACKET_MAX];
};

enum vsock_queue {
	VSOCK_RX, /* host to guest */
	VSOCK_TX,
	VSOCK_EVENT,
	VSOCK_QUEUES,
};

/* --- vsock_dev.c --- */

/* Both directions can carry packets. */
bool vsock_running(const struct sk_carrier *c);
/* Queues an answer without a stream; dropped when the guest lets too many wait. */
void vsock_reply(struct sk_carrier *c, uint32_t guest_port, uint32_t host_port, uint16_t type, bool known);
void vsock_send_replies(struct sk_carrier *c);
/* Sends pending packets of `s`; it stays on the ready list if there is no buffer. No callbacks. */
void vsock_output(struct sk_stream *s);
/* Sends up to `n` bytes from the user's memory; returns how many. */
size_t vsock_send_data(struct sk_stream *s, const uint8_t *p, size_t n);
/* Publishes sent packets to the guest. */
void vsock_flush(struct sk_carrier *c);

/* --- vsock_stream.c --- */

struct sk_stream *vsock_find(struct sk_carrier *c, uint32_t guest_port, uint32_t host_port);
struct vsock_listener *vsock_find_listener(struct sk_carrier *c, uint32_t port);
struct sk_stream *vsock_stream_new(struct sk_carrier *c, uint32_t guest_port, uint32_t host_port);
/* Out of the table: the guest's packets no longer reach it. Then VSOCK_GONE with `error`. */
void vsock_stream_gone(struct sk_stream *s, int error);
/* Takes the user's pointer away and frees as soon as possible. */
void vsock_stream_die(struct sk_stream *s);
/* Payload from the guest; at most as much as it has credit for. -ENOMEM. */
int vsock_stream_input(struct sk_stream *s, const struct sk_vq_chain *chain, size_t off, size_t len);
/* The loop will look for callbacks that are due. */
void vsock_stream_work(struct sk_stream *s);
/* All streams end, the ones with received bytes when those are taken. */
void vsock_streams_lost(struct sk_carrier *c);
int vsock_streams_init(struct sk_carrier *c);
void vsock_streams_fini(struct sk_carrier *c);

#endif
