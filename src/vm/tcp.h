/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_TCP_H
#define SK_VM_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * The accepting end of one TCP connection (RFC 9293), without any I/O: segments come in and go out by calls, time is an
 * argument. It is made for a peer on the same machine: what is lost is sent again, but there is no congestion control,
 * and data that come out of order are not kept.
 *
 * Lifecycle: init with the peer's SYN; accept answers it; input, write, consume, end until `reset` or sk_tcp_done();
 * fini. Between init and accept nothing is sent, so that the peer waits until it is known whether somebody listens.
 */
#define SK_TCP_FIN 1u
#define SK_TCP_SYN 2u
#define SK_TCP_RST 4u
#define SK_TCP_PSH 8u
#define SK_TCP_ACK 16u

#define SK_TCP_BUF 65535u /* bytes each way, which is the largest window without scaling, too */

struct sk_tcp_segment {
	uint32_t seq, ack;
	uint16_t window;
	uint16_t mss; /* 0: no such option */
	uint8_t flags;
	const uint8_t *data;
	size_t len;
};

struct sk_tcp {
	void (*send)(void *arg, const struct sk_tcp_segment *segment);
	void *arg;
	struct sk_buf in;  /* of the peer, not yet consumed */
	struct sk_buf out; /* for the peer, not yet acknowledged */
	uint32_t peer_start, peer_next;
	uint32_t start, unacked, next, highest; /* highest: all that was ever sent is before it */
	uint32_t window;
	size_t mss;
	bool accepted, established, ended, end_sent, end_acked;
	bool peer_ended; /* after what is in `in` */
	bool reset;	 /* by either side: nothing is sent any more */
	unsigned tries;
	uint64_t due_ms; /* when sk_tcp_timer() has something to do; UINT64_MAX: never */
};

/* `syn` is the peer's; `start` is our initial sequence number. */
void sk_tcp_init(struct sk_tcp *t, const struct sk_tcp_segment *syn, uint32_t start,
		 void (*send)(void *arg, const struct sk_tcp_segment *segment), void *arg);
void sk_tcp_fini(struct sk_tcp *t);
void sk_tcp_accept(struct sk_tcp *t, uint64_t now_ms);
void sk_tcp_input(struct sk_tcp *t, const struct sk_tcp_segment *segment, uint64_t now_ms);
/* Takes up to `n` bytes for the peer; returns how many. */
size_t sk_tcp_write(struct sk_tcp *t, const void *p, size_t n, uint64_t now_ms);
/* Nothing more will be written. */
void sk_tcp_end(struct sk_tcp *t, uint64_t now_ms);
/* `n` bytes of `in` are dealt with. */
void sk_tcp_consume(struct sk_tcp *t, size_t n);
/* Before accept(): refuses. */
void sk_tcp_reset(struct sk_tcp *t);
void sk_tcp_timer(struct sk_tcp *t, uint64_t now_ms);
/* Both sides have ended, and the peer knows. `in` may still hold something. */
bool sk_tcp_done(const struct sk_tcp *t);
/* The answer to a segment of no connection; false: there is none to give. */
bool sk_tcp_answer_unknown(const struct sk_tcp_segment *segment, struct sk_tcp_segment *ret);

#endif
