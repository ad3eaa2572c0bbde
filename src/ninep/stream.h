/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_NINEP_STREAM_H
#define SK_NINEP_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "ninep/server.h"

/*
 * 9P over a byte stream (a socket, a vsock stream), without I/O of its own: the transport puts what it has read into
 * the input, calls sk_9p_stream_run(), and sends what is in the output. File data goes straight between these buffers
 * and the back end.
 *
 * Memory: two buffers of about the message size each. While the output is not taken, no request is looked at: a client
 * that does not read its answers holds up itself only.
 */
struct sk_9p_stream {
	struct sk_9p_session *session;
	uint8_t *in, *out;
	size_t in_head, in_len, out_head, out_len, cap;
};

/* Makes the session too; `config`'s complete and arg are filled in here. msize 0: 512000. -P9_ENOMEM. */
int sk_9p_stream_init(struct sk_9p_stream *st, struct sk_9p_server *server, const struct sk_9p_session_config *config);
void sk_9p_stream_fini(struct sk_9p_stream *st);
/* Where the next bytes read go; `*ret_n`: how many, 0 while the output is full. Then sk_9p_stream_commit(). */
uint8_t *sk_9p_stream_room(struct sk_9p_stream *st, size_t *ret_n);
void sk_9p_stream_commit(struct sk_9p_stream *st, size_t n);
/* Serves the requests that have arrived. 0, or -P9_EPROTO: end the connection. */
int sk_9p_stream_run(struct sk_9p_stream *st);
/* Bytes to send; call sk_9p_stream_sent() and sk_9p_stream_run() afterwards. */
const uint8_t *sk_9p_stream_output(const struct sk_9p_stream *st, size_t *ret_n);
void sk_9p_stream_sent(struct sk_9p_stream *st, size_t n);

#endif
