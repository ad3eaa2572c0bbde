/* SPDX-License-Identifier: Apache-2.0 */
/* The vsock device: streams from both sides, credit, every order of ends. */
#include "../sk_test.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_vsock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "frontend.h"
#include "virtio/device.h"
#include "virtio/stream.h"

#define RX 0u
#define TX 1u
#define CID 3u
#define RX_BUF 4096u
#define RX_PAYLOAD (RX_BUF - sizeof(struct virtio_vsock_hdr))

/* The user of a stream: what its callbacks got. */
struct user {
	struct sk_stream *s;
	uint8_t *got;
	size_t len, take_max; /* take_max: bytes that `data` takes from now on */
	int connected, eof, writable, closed, error, data_calls;
	bool close_in_data;
};

struct fixture {
	struct sk_loop *loop;
	struct sk_device *dev;
	struct sk_carrier *carrier;
	struct fe fe;
	struct sockaddr_un addr;
	unsigned addr_len;
	int lost, accepted;
	bool refuse, close_in_accept, write_in_accept;
	struct user users[8];
	uint8_t *rx[FE_QUEUE_SIZE]; /* the buffer of each rx chain, by head */
	uint32_t fwd_cnt;	    /* the guest's count in its packets */
	uint32_t buf_alloc;
};

static struct fixture fx;

static void on_connected(void *arg)
{
	((struct user *)arg)->connected++;
}

static size_t on_data(void *arg, const uint8_t *p, size_t n)
{
	struct user *u = arg;
	size_t take = n < u->take_max ? n : u->take_max;

	assert_true(n > 0);
	u->data_calls++;
	u->got = realloc(u->got, u->len + take + 1);
	memcpy(u->got + u->len, p, take);
	u->len += take;
	u->take_max -= take;
	if (u->close_in_data)
		sk_stream_close(u->s);
	return take;
}

static void on_eof(void *arg)
{
	((struct user *)arg)->eof++;
}

static void on_writable(void *arg)
{
	((struct user *)arg)->writable++;
}

static void on_closed(void *arg, int error)
{
	struct user *u = arg;

	u->closed++;
	u->error = error;
	u->s = NULL;
}

static const struct sk_stream_events events = { on_connected, on_data, on_eof, on_writable, on_closed };

static bool on_accept(void *arg, struct sk_stream *s, uint32_t guest_port)
{
	struct user *u;

	(void)arg;
	(void)guest_port;
	assert_true(fx.accepted < 8 || fx.refuse);
	if (fx.refuse)
		return false;
	u = &fx.users[fx.accepted++];
	u->s = s;
	u->take_max = SIZE_MAX;
	sk_stream_set_events(s, &events, u);
	if (fx.write_in_accept)
		assert_int_equal(sk_stream_write(s, "early", 5), 5);
	if (fx.close_in_accept)
		sk_stream_close(s);
	return true;
}

static void on_lost(void *arg)
{
	(void)arg;
	fx.lost++;
}

/* Puts up `n` receive buffers, without a kick. */
static void add_buffers(unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		uint8_t *buf = fe_alloc(&fx.fe, RX_BUF);
		struct fe_seg seg = { buf, RX_BUF, true };

		fx.rx[fe_add(&fx.fe, RX, &seg, 1)] = buf;
	}
}

static void give_buffers(unsigned n)
{
	add_buffers(n);
	fe_kick(&fx.fe, RX);
}

static void start_guest(unsigned buffers)
{
	fe_connect(&fx.fe, fx.loop, &fx.addr, fx.addr_len);
	fe_start(&fx.fe, UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX, 3);
	fx.buf_alloc = 262144;
	fx.fwd_cnt = 0;
	give_buffers(buffers);
}

static void start(unsigned buffers)
{
	struct sk_error err = SK_ERROR_INIT;
	int fd;

	memset(&fx, 0, sizeof(fx));
	assert_int_equal(sk_loop_new(&fx.loop), 0);
	fd = fe_listen(&fx.addr, &fx.addr_len);
	assert_int_equal(sk_vsock_new(fx.loop, fd, CID, on_lost, NULL, &fx.dev, &fx.carrier, &err), 0);
	assert_int_equal(sk_carrier_listen(fx.carrier, 1024, on_accept, NULL), 0);
	start_guest(buffers);
}

static void stop(void)
{
	unsigned i;

	if (fx.fe.loop)
		fe_close(&fx.fe);
	sk_device_free(fx.dev);
	sk_loop_free(fx.loop);
	for (i = 0; i < 8; i++)
		free(fx.users[i].got);
}

static struct virtio_vsock_hdr header(uint16_t op, uint32_t guest_port, uint32_t host_port, uint32_t len)
{
	return (struct virtio_vsock_hdr){
		.src_cid = CID,
		.dst_cid = 2,
		.src_port = guest_port,
		.dst_port = host_port,
		.len = len,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = fx.buf_alloc,
		.fwd_cnt = fx.fwd_cnt,
	};
}

/* Sends a packet and waits until the device has given the buffer back. `room`: bytes behind the header, when not h.len.
 */
static void send_raw(struct virtio_vsock_hdr h, const void *payload, size_t room)
{
	uint8_t *buf = fx.fe.mem + FE_HALF; /* the second half of guest memory is for packets */
	struct fe_seg segs[2];

	memcpy(buf, &h, sizeof(h));
	segs[0] = (struct fe_seg){ buf, sizeof(h), false };
	if (room)
		memcpy(buf + sizeof(h), payload, room);
	segs[1] = (struct fe_seg){ buf + sizeof(h), (uint32_t)room, false };
	fe_add(&fx.fe, TX, segs, room ? 2 : 1);
	fe_kick(&fx.fe, TX);
	assert_true(fe_used(&fx.fe, TX, NULL) >= 0);
	fe_settle(fx.loop);
}

static void send_op(uint16_t op, uint32_t guest_port, uint32_t host_port)
{
	send_raw(header(op, guest_port, host_port, 0), NULL, 0);
}

static void send_data(uint32_t guest_port, uint32_t host_port, const void *p, size_t n)
{
	send_raw(header(VIRTIO_VSOCK_OP_RW, guest_port, host_port, (uint32_t)n), p, n);
}

static void send_shutdown(uint32_t guest_port, uint32_t host_port, uint32_t flags)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_SHUTDOWN, guest_port, host_port, 0);

	h.flags = flags;
	send_raw(h, NULL, 0);
}

/* The next packet from the host, if there is one; `*ret_payload` in guest memory. The buffer is not put up again. */
static bool receive(struct virtio_vsock_hdr *h, const uint8_t **ret_payload)
{
	uint32_t len = 0;
	int head = fe_used_now(&fx.fe, RX, &len);

	if (head < 0)
		return false;
	memcpy(h, fx.rx[head], sizeof(*h));
	assert_int_equal(len, sizeof(*h) + h->len);
	assert_int_equal(h->src_cid, 2);
	assert_int_equal(h->dst_cid, CID);
	if (ret_payload)
		*ret_payload = fx.rx[head] + sizeof(*h);
	return true;
}

static struct virtio_vsock_hdr expect(uint16_t op, uint32_t guest_port, uint32_t host_port)
{
	struct virtio_vsock_hdr h;

	if (!receive(&h, NULL))
		fail_msg("no packet, operation %u expected", op);
	assert_int_equal(h.op, op);
	assert_int_equal(h.dst_port, guest_port);
	assert_int_equal(h.src_port, host_port);
	return h;
}

static void expect_nothing(void)
{
	struct virtio_vsock_hdr h;

	if (receive(&h, NULL))
		fail_msg("unexpected packet, operation %u", h.op);
}

/* A connection from the guest. */
static struct user *guest_connects(uint32_t guest_port)
{
	struct virtio_vsock_hdr h;

	send_op(VIRTIO_VSOCK_OP_REQUEST, guest_port, 1024);
	h = expect(VIRTIO_VSOCK_OP_RESPONSE, guest_port, 1024);
	assert_int_equal(h.buf_alloc, SK_STREAM_BUF);
	assert_int_equal(h.type, VIRTIO_VSOCK_TYPE_STREAM);
	return &fx.users[fx.accepted - 1];
}

static void test_config(void **state)
{
	uint64_t cid;

	(void)state;
	start(4);
	fe_get_config(&fx.fe, &cid, sizeof(cid));
	assert_int_equal(cid, CID);
	assert_int_equal(sk_carrier_listen(fx.carrier, 1024, on_accept, NULL), -EADDRINUSE);
	stop();
}

static void test_guest_connects(void **state)
{
	struct virtio_vsock_hdr h;
	const uint8_t *payload;
	struct user *u;

	(void)state;
	start(16);
	u = guest_connects(5000);
	send_data(5000, 1024, "hello", 5);
	assert_int_equal(u->len, 5);
	assert_memory_equal(u->got, "hello", 5);
	assert_int_equal(sk_stream_write(u->s, "answer", 6), 6);
	assert_true(receive(&h, &payload));
	assert_int_equal(h.op, VIRTIO_VSOCK_OP_RW);
	assert_int_equal(h.len, 6);
	assert_int_equal(h.fwd_cnt, 5);
	assert_memory_equal(payload, "answer", 6);
	/* half-close: the guest's side, then ours */
	send_shutdown(5000, 1024, VIRTIO_VSOCK_SHUTDOWN_SEND);
	assert_int_equal(u->eof, 1);
	assert_int_equal(sk_stream_write(u->s, "more", 4), 4);
	sk_stream_shutdown(u->s);
	assert_int_equal(u->closed, 0); /* never from inside a call */
	h = expect(VIRTIO_VSOCK_OP_RW, 5000, 1024);
	h = expect(VIRTIO_VSOCK_OP_SHUTDOWN, 5000, 1024);
	assert_int_equal(h.flags, VIRTIO_VSOCK_SHUTDOWN_SEND | VIRTIO_VSOCK_SHUTDOWN_RCV);
	assert_int_equal(u->closed, 1);
	assert_int_equal(u->error, 0);
	stop();
}

static void test_host_shuts_first(void **state)
{
	struct virtio_vsock_hdr h;
	struct user *u;

	(void)state;
	start(16);
	u = guest_connects(5000);
	sk_stream_shutdown(u->s);
	h = expect(VIRTIO_VSOCK_OP_SHUTDOWN, 5000, 1024);
	assert_int_equal(h.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	send_data(5000, 1024, "late", 4);
	assert_int_equal(u->len, 4);
	assert_int_equal(u->closed, 0);
	/* close() in the guest: both flags; it waits for the RST */
	send_shutdown(5000, 1024, 3);
	expect(VIRTIO_VSOCK_OP_RST, 5000, 1024);
	assert_int_equal(u->eof, 1);
	assert_int_equal(u->closed, 1);
	assert_int_equal(u->error, 0);
	expect_nothing();
	stop();
}

/* The guest closes while the user has not taken everything: the rest comes, in order, then eof, then closed. */
static void test_close_with_data_pending(void **state)
{
	struct user *u;

	(void)state;
	start(16);
	u = guest_connects(5000);
	u->take_max = 3;
	send_data(5000, 1024, "abcdef", 6);
	send_data(5000, 1024, "ghi", 3);
	assert_int_equal(u->len, 3);
	send_shutdown(5000, 1024, 3);
	expect(VIRTIO_VSOCK_OP_RST, 5000, 1024);
	assert_int_equal(u->eof, 0);
	assert_int_equal(u->closed, 0);
	u->take_max = 4;
	sk_stream_resume(u->s);
	assert_int_equal(u->len, 3); /* not from inside the call */
	fe_settle(fx.loop);
	assert_int_equal(u->len, 7);
	assert_int_equal(u->closed, 0);
	u->take_max = 100;
	sk_stream_resume(u->s);
	fe_settle(fx.loop);
	assert_memory_equal(u->got, "abcdefghi", 9);
	assert_int_equal(u->eof, 1);
	assert_int_equal(u->closed, 1);
	assert_int_equal(u->error, 0);
	stop();
}

/* Output that was received is given to the user although the guest is gone. */
static void test_lost_with_data_pending(void **state)
{
	struct user *u, *v;

	(void)state;
	start(16);
	u = guest_connects(5000);
	v = guest_connects(5001);
	u->take_max = 1;
	send_data(5000, 1024, "last words", 10);
	fe_close(&fx.fe);
	fx.fe.loop = NULL;
	fe_settle(fx.loop);
	assert_int_equal(fx.lost, 1);
	assert_int_equal(v->closed, 1);
	assert_int_equal(v->error, ECONNRESET);
	assert_int_equal(u->closed, 0);
	u->take_max = 100;
	sk_stream_resume(u->s);
	fe_settle(fx.loop);
	assert_memory_equal(u->got, "last words", 10);
	assert_int_equal(u->eof, 0); /* it was cut off */
	assert_int_equal(u->closed, 1);
	assert_int_equal(u->error, ECONNRESET);
	stop();
}

/* A packet that was put on the ring right before the frontend went is not lost. */
static void test_last_packet(void **state)
{
	struct virtio_vsock_hdr h;
	struct fe_seg seg;
	struct user *u;
	uint8_t *p;

	(void)state;
	start(16);
	u = guest_connects(5000);
	p = fe_alloc(&fx.fe, sizeof(h) + 3);
	h = header(VIRTIO_VSOCK_OP_RW, 5000, 1024, 3);
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), "bye", 3);
	seg = (struct fe_seg){ p, sizeof(h) + 3, false };
	fe_add(&fx.fe, TX, &seg, 1);
	fe_close(&fx.fe);
	fx.fe.loop = NULL;
	fe_settle(fx.loop);
	assert_int_equal(u->len, 3);
	assert_int_equal(u->closed, 1);
	stop();
}

static void test_host_connects(void **state)
{
	struct user *u = &fx.users[0];
	struct virtio_vsock_hdr h;
	uint32_t port;

	(void)state;
	start(16);
	u->take_max = 100;
	assert_int_equal(sk_carrier_connect(fx.carrier, 7, &events, u, &u->s), 0);
	assert_int_equal(sk_stream_write(u->s, "before", 6), 6);
	assert_true(receive(&h, NULL));
	assert_int_equal(h.op, VIRTIO_VSOCK_OP_REQUEST);
	assert_int_equal(h.dst_port, 7);
	port = h.src_port;
	expect_nothing();
	send_op(VIRTIO_VSOCK_OP_RESPONSE, 7, port);
	assert_int_equal(u->connected, 1);
	h = expect(VIRTIO_VSOCK_OP_RW, 7, port);
	assert_int_equal(h.len, 6);
	send_op(VIRTIO_VSOCK_OP_RST, 7, port);
	assert_int_equal(u->closed, 1);
	assert_int_equal(u->error, ECONNRESET);
	/* nobody listens there */
	u = &fx.users[1];
	assert_int_equal(sk_carrier_connect(fx.carrier, 8, &events, u, &u->s), 0);
	assert_true(receive(&h, NULL));
	send_op(VIRTIO_VSOCK_OP_RST, 8, h.src_port);
	assert_int_equal(u->closed, 1);
	assert_int_equal(u->error, ECONNREFUSED);
	assert_int_equal(u->connected, 0);
	/* closed before it was up */
	u = &fx.users[2];
	assert_int_equal(sk_carrier_connect(fx.carrier, 9, &events, u, &u->s), 0);
	sk_stream_close(u->s);
	assert_true(receive(&h, NULL));
	expect(VIRTIO_VSOCK_OP_RST, 9, h.src_port);
	assert_int_equal(u->closed, 0);
	stop();
}

static void test_no_guest(void **state)
{
	struct sk_stream *s;

	(void)state;
	start(4);
	fe_close(&fx.fe);
	fx.fe.loop = NULL;
	assert_int_equal(fx.lost, 1);
	assert_int_equal(sk_carrier_connect(fx.carrier, 7, &events, NULL, &s), -ENOTCONN);
	start_guest(4);
	assert_int_equal(sk_carrier_connect(fx.carrier, 7, &events, &fx.users[0], &s), 0);
	stop();
}

static void test_resets(void **state)
{
	struct virtio_vsock_hdr h;
	struct user *u;

	(void)state;
	start(32);
	/* no listener; not connected; wrong type; wrong address; somebody else's address; a RST is never answered */
	send_op(VIRTIO_VSOCK_OP_REQUEST, 5000, 99);
	expect(VIRTIO_VSOCK_OP_RST, 5000, 99);
	send_data(5000, 1024, "x", 1);
	expect(VIRTIO_VSOCK_OP_RST, 5000, 1024);
	h = header(VIRTIO_VSOCK_OP_REQUEST, 5000, 1024, 0);
	h.type = VIRTIO_VSOCK_TYPE_SEQPACKET;
	send_raw(h, NULL, 0);
	assert_int_equal(expect(VIRTIO_VSOCK_OP_RST, 5000, 1024).type, VIRTIO_VSOCK_TYPE_SEQPACKET);
	h = header(VIRTIO_VSOCK_OP_REQUEST, 5000, 1024, 0);
	h.dst_cid = 1;
	send_raw(h, NULL, 0);
	expect(VIRTIO_VSOCK_OP_RST, 5000, 1024);
	h = header(VIRTIO_VSOCK_OP_REQUEST, 5000, 1024, 0);
	h.src_cid = 4;
	send_raw(h, NULL, 0);
	expect_nothing();
	send_op(VIRTIO_VSOCK_OP_RST, 5000, 1024);
	expect_nothing();
	assert_int_equal(fx.accepted, 0);
	/* the accept callback says no; closes; */
	fx.refuse = true;
	send_op(VIRTIO_VSOCK_OP_REQUEST, 5000, 1024);
	expect(VIRTIO_VSOCK_OP_RST, 5000, 1024);
	fx.refuse = false;
	fx.close_in_accept = true;
	send_op(VIRTIO_VSOCK_OP_REQUEST, 5000, 1024);
	expect(VIRTIO_VSOCK_OP_RST, 5000, 1024);
	expect_nothing();
	fx.close_in_accept = false;
	/* an operation that makes no sense */
	u = guest_connects(5000);
	send_op(99, 5000, 1024);
	expect(VIRTIO_VSOCK_OP_RST, 5000, 1024);
	assert_int_equal(u->error, ECONNRESET);
	/* data after the end of data */
	u = guest_connects(5001);
	send_shutdown(5001, 1024, VIRTIO_VSOCK_SHUTDOWN_SEND);
	send_data(5001, 1024, "x", 1);
	expect(VIRTIO_VSOCK_OP_RST, 5001, 1024);
	assert_int_equal(u->closed, 1);
	assert_int_equal(u->len, 0);
	/* the user closes, inside a callback */
	u = guest_connects(5002);
	u->close_in_data = true;
	send_data(5002, 1024, "x", 1);
	expect(VIRTIO_VSOCK_OP_RST, 5002, 1024);
	assert_int_equal(u->closed, 0);
	stop();
}

/* Data written inside the accept callback follow the RESPONSE. */
static void test_write_in_accept(void **state)
{
	(void)state;
	start(8);
	fx.write_in_accept = true;
	guest_connects(5000);
	assert_int_equal(expect(VIRTIO_VSOCK_OP_RW, 5000, 1024).len, 5);
	stop();
}

/* The same ports again before the old connection was finished. */
static void test_reconnect(void **state)
{
	struct user *u, *v;

	(void)state;
	start(8);
	u = guest_connects(5000);
	v = guest_connects(5000);
	assert_ptr_not_equal(u, v);
	assert_int_equal(u->closed, 1);
	assert_int_equal(u->error, ECONNRESET);
	send_data(5000, 1024, "new", 3);
	assert_int_equal(u->len, 0);
	assert_int_equal(v->len, 3);
	stop();
}

/* A RST that waits for a buffer goes out before the RESPONSE to a new connection with the same ports. */
static void test_reset_before_reconnect(void **state)
{
	struct user *u;

	(void)state;
	start(1);
	u = guest_connects(5000);
	sk_stream_close(u->s);
	expect_nothing();
	add_buffers(2);
	send_op(VIRTIO_VSOCK_OP_REQUEST, 5000, 1024);
	expect(VIRTIO_VSOCK_OP_RST, 5000, 1024);
	expect(VIRTIO_VSOCK_OP_RESPONSE, 5000, 1024);
	stop();
}

static void test_credit_for_guest(void **state)
{
	static uint8_t block[16384];
	struct virtio_vsock_hdr h;
	struct user *u;
	unsigned i, updates = 0;
	uint32_t last = 0;

	(void)state;
	start(32);
	u = guest_connects(5000);
	/* never more than half of the smaller buffer without an update, and not one for each packet either */
	fx.buf_alloc = 131072;
	for (i = 0; i < 64; i++) {
		send_data(5000, 1024, block, sizeof(block));
		if (receive(&h, NULL)) {
			assert_int_equal(h.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
			last = h.fwd_cnt;
			updates++;
		}
		assert_true((i + 1) * sizeof(block) - last < 65536);
	}
	assert_int_equal(updates, 16);
	/* on request */
	send_op(VIRTIO_VSOCK_OP_CREDIT_REQUEST, 5000, 1024);
	assert_int_equal(expect(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5000, 1024).fwd_cnt, 64 * sizeof(block));
	/* a user who takes nothing: 256 KiB are kept, no credit is given; one byte more breaks the stream */
	u->take_max = 0;
	for (i = 0; i < 16; i++)
		send_data(5000, 1024, block, sizeof(block));
	expect_nothing();
	assert_int_equal(u->closed, 0);
	assert_int_equal(u->data_calls, 64 + 1);
	send_data(5000, 1024, block, 1);
	expect(VIRTIO_VSOCK_OP_RST, 5000, 1024);
	assert_int_equal(u->closed, 0); /* the rest is still there for it */
	u->take_max = SIZE_MAX;
	sk_stream_resume(u->s);
	fe_settle(fx.loop);
	assert_int_equal(u->len, 64 * sizeof(block) + SK_STREAM_BUF);
	assert_int_equal(u->closed, 1);
	assert_int_equal(u->error, ECONNRESET);
	stop();
}

static void test_credit_of_guest(void **state)
{
	static uint8_t block[SK_STREAM_BUF * 2];
	struct virtio_vsock_hdr h;
	struct user *u;
	size_t n, i, got = 0;
	const uint8_t *p;

	(void)state;
	start(FE_QUEUE_SIZE);
	fx.buf_alloc = 10000;
	u = guest_connects(5000);
	for (i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7 + i / 251);
	/* 10000 go out, SK_STREAM_BUF wait */
	n = sk_stream_write(u->s, block, sizeof(block));
	assert_int_equal(n, 10000 + SK_STREAM_BUF);
	assert_int_equal(sk_stream_write(u->s, block, 1), 0);
	while (got < 10000 && receive(&h, &p)) {
		assert_memory_equal(p, block + got, h.len);
		got += h.len;
	}
	assert_int_equal(got, 10000);
	expect_nothing();
	assert_int_equal(u->writable, 0);
	/* the guest takes 4000 */
	fx.fwd_cnt = 4000;
	send_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5000, 1024);
	while (receive(&h, &p)) {
		assert_memory_equal(p, block + got, h.len);
		got += h.len;
	}
	assert_int_equal(got, 14000);
	/* nonsense: more taken than was sent. No credit rather than too much */
	fx.fwd_cnt = 20000;
	send_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5000, 1024);
	expect_nothing();
	/* all at once: as far as the buffers reach */
	fx.fwd_cnt = 14000;
	fx.buf_alloc = UINT32_MAX;
	send_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5000, 1024);
	for (;;) {
		if (!receive(&h, &p)) {
			if (got == n)
				break;
			give_buffers(20);
			assert_true(fe_used_now(&fx.fe, TX, NULL) < 0);
			if (!receive(&h, &p))
				fail_msg("stuck at %zu of %zu", got, n);
		}
		assert_int_equal(h.op, VIRTIO_VSOCK_OP_RW);
		assert_memory_equal(p, block + got, h.len);
		got += h.len;
	}
	assert_int_equal(u->writable, 1);
	stop();
}

/* The host side has data for the guest, the guest has no buffers: its own packets are taken all the same. */
static void test_tx_drains_while_rx_is_full(void **state)
{
	static uint8_t block[65536];
	struct user *u;
	unsigned i;

	(void)state;
	start(1);
	u = guest_connects(5000);
	assert_int_equal(sk_stream_write(u->s, block, sizeof(block)), sizeof(block));
	for (i = 0; i < 1000; i++)
		send_data(5000, 1024, block, 100);
	assert_int_equal(u->len, 100000);
	/* and resets for what is unknown are bounded */
	for (i = 0; i < 5000; i++)
		send_data(6000 + i, 77, block, 1);
	for (i = 0;; i++) {
		struct virtio_vsock_hdr h;

		give_buffers(1);
		assert_true(receive(&h, NULL));
		if (h.op != VIRTIO_VSOCK_OP_RST)
			break;
	}
	assert_int_equal(i, 256);
	stop();
}

/* Two streams share the buffers that the guest puts up. */
static void test_fair(void **state)
{
	static uint8_t block[200000];
	struct virtio_vsock_hdr h;
	unsigned i, seen[2] = { 0 };
	struct user *u, *v;

	(void)state;
	start(2);
	u = guest_connects(5000);
	v = guest_connects(5001);
	assert_int_equal(sk_stream_write(u->s, block, sizeof(block)), sizeof(block));
	assert_int_equal(sk_stream_write(v->s, block, sizeof(block)), sizeof(block));
	for (i = 0; i < 40; i++) {
		give_buffers(1);
		assert_true(receive(&h, NULL));
		seen[h.dst_port - 5000]++;
	}
	assert_true(seen[0] > 0 && seen[1] > 0);
	stop();
}

static void test_stream_limit(void **state)
{
	struct virtio_vsock_hdr h;
	unsigned i, refused = 0;
	static struct user many[4200];

	(void)state;
	start(16);
	for (i = 0; i < 4200; i++) {
		int r;

		many[i].take_max = 1;
		r = sk_carrier_connect(fx.carrier, i, &events, &many[i], &many[i].s);
		if (r < 0) {
			assert_int_equal(r, -EMFILE);
			refused++;
		}
	}
	assert_int_equal(refused, 4200 - 4096);
	for (i = 0; i < 16; i++)
		assert_true(receive(&h, NULL));
	give_buffers(20);
	for (i = 0; i < 20; i++)
		assert_true(receive(&h, NULL)); /* the REQUESTs that waited */
	for (i = 0; i < 4096; i++)
		sk_stream_close(many[i].s);
	give_buffers(1);
	assert_int_equal(sk_carrier_connect(fx.carrier, 1, &events, &many[0], &many[0].s), 0);
	stop();
}

static void expect_dead(void)
{
	assert_true(fe_closed(&fx.fe));
	assert_int_equal(fx.lost, 1);
	stop();
}

static void test_malformed(void **state)
{
	struct virtio_vsock_hdr h;
	struct fe_seg seg;
	uint8_t *p;

	(void)state;
	/* a payload longer than its chain */
	start(4);
	h = header(VIRTIO_VSOCK_OP_RW, 5000, 1024, 1000);
	send_raw(h, "abc", 3);
	expect_dead();
	/* shorter than a header */
	start(4);
	p = fe_alloc(&fx.fe, 20);
	seg = (struct fe_seg){ p, 20, false };
	fe_add(&fx.fe, TX, &seg, 1);
	fe_kick(&fx.fe, TX);
	expect_dead();
	/* a receive buffer without room for a header; only room for a header */
	start(0);
	seg = (struct fe_seg){ fe_alloc(&fx.fe, 40), 40, true };
	fe_add(&fx.fe, RX, &seg, 1);
	send_op(VIRTIO_VSOCK_OP_REQUEST, 5000, 99);
	expect_dead();
	start(1);
	guest_connects(5000);
	seg = (struct fe_seg){ fe_alloc(&fx.fe, 44), 44, true };
	fe_add(&fx.fe, RX, &seg, 1);
	assert_int_equal(sk_stream_write(fx.users[0].s, "x", 1), 1);
	expect_dead();
	/* a transmit chain that is writable */
	start(1);
	seg = (struct fe_seg){ fe_alloc(&fx.fe, 44), 44, true };
	fe_add(&fx.fe, TX, &seg, 1);
	fe_kick(&fx.fe, TX);
	expect_dead();
}

/* Data that are not shared break their stream, a buffer that is not is passed over. */
static void test_unmapped(void **state)
{
	struct virtio_vsock_hdr *h;
	struct fe_seg segs[2], rx = { NULL, 4096, true };
	struct user *u;
	uint32_t len;

	(void)state;
	start(2);
	u = guest_connects(5000);
	h = fe_alloc(&fx.fe, sizeof(*h));
	*h = header(VIRTIO_VSOCK_OP_RW, 5000, 1024, 64);
	segs[0] = (struct fe_seg){ h, sizeof(*h), false };
	segs[1] = (struct fe_seg){ NULL, 64, false };
	fe_add(&fx.fe, TX, segs, 2);
	fe_kick(&fx.fe, TX);
	assert_true(fe_used(&fx.fe, TX, NULL) >= 0);
	expect(VIRTIO_VSOCK_OP_RST, 5000, 1024);
	assert_int_equal(u->len, 0);
	assert_int_equal(u->error, ECONNRESET);
	fe_add(&fx.fe, RX, &rx, 1);
	give_buffers(1);
	send_op(VIRTIO_VSOCK_OP_REQUEST, 5001, 1024);
	assert_true(fe_used_now(&fx.fe, RX, &len) >= 0);
	assert_int_equal(len, 0);
	expect(VIRTIO_VSOCK_OP_RESPONSE, 5001, 1024);
	stop();
}

/* A driver that suspends its queues (virtio_uml: ENABLE 0) and goes on. */
static void test_suspend(void **state)
{
	struct vu_vring_state s;
	struct user *u;
	unsigned q;

	(void)state;
	start(8);
	u = guest_connects(5000);
	for (q = 0; q < 2; q++) {
		s = (struct vu_vring_state){ q, 0 };
		fe_ok(&fx.fe, VU_SET_VRING_ENABLE, &s, sizeof(s), NULL, 0);
	}
	assert_int_equal(sk_stream_write(u->s, "meanwhile", 9), 9);
	expect_nothing();
	for (q = 0; q < 2; q++) {
		s = (struct vu_vring_state){ q, 1 };
		fe_ok(&fx.fe, VU_SET_VRING_ENABLE, &s, sizeof(s), NULL, 0);
	}
	assert_int_equal(expect(VIRTIO_VSOCK_OP_RW, 5000, 1024).len, 9);
	assert_int_equal(u->closed, 0);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_guest_connects),
		cmocka_unit_test(test_host_shuts_first),
		cmocka_unit_test(test_close_with_data_pending),
		cmocka_unit_test(test_lost_with_data_pending),
		cmocka_unit_test(test_last_packet),
		cmocka_unit_test(test_host_connects),
		cmocka_unit_test(test_no_guest),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_write_in_accept),
		cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_reset_before_reconnect),
		cmocka_unit_test(test_credit_for_guest),
		cmocka_unit_test(test_credit_of_guest),
		cmocka_unit_test(test_tx_drains_while_rx_is_full),
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_stream_limit),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_unmapped),
		cmocka_unit_test(test_suspend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
