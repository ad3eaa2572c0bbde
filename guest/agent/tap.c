/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * eth0 of a guest whose VM has no network device: a tap, whose frames go to the monitor on a stream and come from there,
 * each with its length in front (base/packet.h).
 *
 * To the monitor: frames are read from the tap as long as less than OUT_MAX bytes wait for the stream; then the kernel keeps
 * them, and holds up or drops what it has too much of, as with any device that is slow. From the monitor: each frame is
 * written to the tap at once, which never waits; what the kernel has no use for is lost, as on a wire.
 *
 * The end of the stream, a length that is out of bounds, and the end of the tap end it all; eth0 is gone then.
 *
 * Not trusted: nothing here protects the host; frames of the monitor are bounded by this buffer, lest a fault there becomes
 * one here.
 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/packet.h"
#include "base/socket.h"

#define TAP_NAME "eth0"
/* The last frame that was read may pass it. */
#define OUT_MAX (256u * 1024u)
/* Frames, or chunks of the stream, in one turn, before others on the loop have theirs. */
#define BUDGET 64
#define CHUNK 65536u

struct tap {
	struct sk_loop *loop;
	int tap, stream;
	struct sk_source *tap_source, *stream_source;
	struct sk_buf out; /* for the stream */
	void (*done)(void *arg);
	void *arg;
	struct sk_packet_reader in;
	uint8_t frame[SK_PACKET_MAX];
	uint8_t chunk[CHUNK];
};

static void tap_free(struct tap *t)
{
	sk_loop_remove(t->tap_source);
	sk_loop_remove(t->stream_source);
	sk_close_fd(&t->tap);
	/* A forked child may still hold a copy: close() alone would not tell the peer. */
	if (t->stream >= 0)
		shutdown(t->stream, SHUT_RDWR);
	sk_close_fd(&t->stream);
	sk_buf_fini(&t->out);
	free(t);
}

static void end(struct tap *t, const char *why)
{
	void (*done)(void *arg) = t->done;
	void *arg = t->arg;

	sk_log(SK_LOG_ERROR, "network: %s: " TAP_NAME " is gone", why);
	tap_free(t);
	if (done)
		done(arg);
}

/* Writes what the stream takes now. False: it is broken. */
static bool flush(struct tap *t)
{
	while (t->out.len) {
		ssize_t n = send(t->stream, sk_buf_data(&t->out), t->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		sk_buf_consume(&t->out, (size_t)n);
	}
	return true;
}

static void watch(struct tap *t)
{
	sk_loop_set_events(t->tap_source, t->out.len < OUT_MAX ? SK_LOOP_READ : 0u);
	sk_loop_set_events(t->stream_source, SK_LOOP_READ | (t->out.len ? SK_LOOP_WRITE : 0u));
}

static void on_tap(void *arg, int fd, unsigned events)
{
	struct tap *t = arg;
	int i;

	(void)events;
	for (i = 0; i < BUDGET && t->out.len < OUT_MAX; i++) {
		ssize_t n = read(fd, t->frame, sizeof(t->frame));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			end(t, "the tap has ended");
			return;
		}
		(void)sk_packet_put(&t->out, t->frame, (size_t)n); /* one that is shorter than its header is dropped */
	}
	if (!flush(t))
		end(t, "the stream to the monitor is broken");
	else
		watch(t);
}

static void on_frame(void *arg, uint8_t *frame, size_t len)
{
	const struct tap *t = arg;

	while (write(t->tap, frame, len) < 0 && errno == EINTR)
		;
}

/* False: the stream has ended. */
static bool receive(struct tap *t)
{
	int i;

	for (i = 0; i < BUDGET; i++) {
		ssize_t n = recv(t->stream, t->chunk, sizeof(t->chunk), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0 || sk_packet_read(&t->in, t->chunk, (size_t)n, on_frame, t) < 0)
			return false;
	}
	return true;
}

static void on_stream(void *arg, int fd, unsigned events)
{
	struct tap *t = arg;

	(void)fd;
	(void)events;
	if (!receive(t) || !flush(t))
		end(t, "the stream to the monitor has ended");
	else
		watch(t);
}

int sk_tap_pump(struct sk_loop *loop, int take_tap, int take_stream, void (*done)(void *arg), void *arg)
{
	struct tap *t = calloc(1, sizeof(*t));

	if (!t) {
		sk_close_fd(&take_tap);
		sk_close_fd(&take_stream);
		return -ENOMEM;
	}
	t->loop = loop;
	t->tap = take_tap;
	t->stream = take_stream;
	sk_buf_init(&t->out, OUT_MAX + SK_PACKET_HEADER + SK_PACKET_MAX);
	if (sk_socket_nonblock(t->tap) == 0 && sk_socket_nonblock(t->stream) == 0) {
		t->tap_source = sk_loop_add_fd(loop, t->tap, SK_LOOP_READ, on_tap, t);
		t->stream_source = sk_loop_add_fd(loop, t->stream, SK_LOOP_READ, on_stream, t);
	}
	if (!t->tap_source || !t->stream_source) {
		tap_free(t);
		return -ENOMEM;
	}
	t->done = done;
	t->arg = arg;
	return 0;
}

/* A tap of that name; negative errno. */
static int make_tap(const uint8_t mac[6])
{
	_cleanup_fd_ int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq name = { .ifr_name = TAP_NAME, .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct ifreq address = { .ifr_name = TAP_NAME, .ifr_hwaddr = { .sa_family = ARPHRD_ETHER } };

	memcpy(address.ifr_hwaddr.sa_data, mac, 6);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &name) < 0 || ioctl(fd, SIOCSIFHWADDR, &address) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

int sk_tap_start(struct sk_loop *loop, const struct sk_uplink *uplink, const struct sk_token *token,
		 const uint8_t mac[6], struct sk_error *err)
{
	_cleanup_fd_ int tap = make_tap(mac), stream = -1;
	int r;

	if (tap < 0)
		return sk_error_errno(err, tap, "cannot make " TAP_NAME);
	stream = sk_uplink_stream(uplink, token);
	if (stream < 0)
		return sk_error_errno(err, stream, "cannot connect " TAP_NAME " to the monitor");
	r = sk_tap_pump(loop, SK_TAKE_FD(tap), SK_TAKE_FD(stream), NULL, NULL);
	return r < 0 ? sk_error_errno(err, r, "cannot run " TAP_NAME) : 0;
}
