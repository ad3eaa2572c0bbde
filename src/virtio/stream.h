/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VIRTIO_STREAM_H
#define SK_VIRTIO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Byte streams between guest and host, whatever carries them: our vsock device (vsock_stream.c), or sockets of a hypervisor
 * that does so itself (stream_socket.c). A program has one of the two. Everything runs on the loop of the carrier. The guest may send anything, stop reading, or never
 * answer: buffers are bounded (SK_STREAM_BUF each way) and nothing here blocks.
 *
 * Lifetime: a stream lives from connect()/accept until sk_stream_close(), or until `closed` was called, after which the
 * pointer is dead. No callback comes after sk_stream_close(). Callbacks may call any function of their own stream,
 * close too.
 * Callbacks come from the loop, never from inside a call of this interface. What the guest had sent before it closed,
 * reset the connection or died is still given to the user, then `closed` follows; `eof` comes only when the guest had
 * shut its side in order. Writes to a guest that reads no more are taken and dropped. Freeing the carrier's device ends
 * its streams without `closed`; it must not be freed from inside a callback of a stream.
 */
#define SK_STREAM_BUF (256u * 1024u)

struct sk_stream;
struct sk_carrier;

struct sk_stream_events {
	/* An outgoing connection is up. */
	void (*connected)(void *arg);
	/* `n` > 0 bytes from the guest. Returns how many were taken (0..n); the rest is kept and offered again after
	 * sk_stream_resume(), and the guest gets no credit for it. `p` is valid during the call only. */
	size_t (*data)(void *arg, const uint8_t *p, size_t n);
	/* The guest has shut its sending side and everything before was taken. */
	void (*eof)(void *arg);
	/* Room to write again after sk_stream_write() took less than it was given. */
	void (*writable)(void *arg);
	/* Gone for good: `error` 0 after an orderly end of both sides, else a positive errno (ECONNRESET, ECONNREFUSED,
	 * ETIMEDOUT). */
	void (*closed)(void *arg, int error);
};

/* Asked for each connection from the guest to a listened port. To accept: sk_stream_set_events() and return true. */
typedef bool (*sk_stream_accept_cb)(void *arg, struct sk_stream *stream, uint32_t guest_port);

/* Listens on host port `port`. -EADDRINUSE, -ENOMEM. */
int sk_carrier_listen(struct sk_carrier *carrier, uint32_t port, sk_stream_accept_cb accept, void *arg);
/* Connects to guest port `port`; `connected` or `closed` follows. -ENOTCONN: no guest yet; -ENOMEM, -EMFILE. */
int sk_carrier_connect(struct sk_carrier *carrier, uint32_t port, const struct sk_stream_events *events, void *arg,
		       struct sk_stream **ret_stream);

void sk_stream_set_events(struct sk_stream *stream, const struct sk_stream_events *events, void *arg);
/* Takes up to `n` bytes for the guest; returns how many (0 when SK_STREAM_BUF are waiting: `writable` follows). */
size_t sk_stream_write(struct sk_stream *stream, const void *p, size_t n);
/* No more writes: the guest sees end of file after what was written. Reading goes on. */
void sk_stream_shutdown(struct sk_stream *stream);
/* Offers again what `data` did not take. */
void sk_stream_resume(struct sk_stream *stream);
/* Ends both ways at once (unsent bytes are lost: use shutdown and wait for `closed` where they matter). Accepts NULL.
 */
void sk_stream_close(struct sk_stream *stream);

#endif
