/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vsock driver and the agent of a guest that is not there: queues and packets by hand, frames of the agent's
 * protocol on top of them. See fake_agent.h.
 */
#include "fake_agent.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_vsock.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../sk_test.h"
#include "base/frame.h"

#define RX 0u
#define TX 1u
#define CID 3u
#define RX_BUF 8192u
#define RX_BUFFERS 32u
#define AGENT_PORT 1u
#define ROUNDS 400

static void give(struct fake_agent *a, uint8_t *buf)
{
	const struct fe_seg seg = { buf, RX_BUF, true };

	a->rx[fe_add(&a->fe, RX, &seg, 1)] = buf;
	fe_kick(&a->fe, RX);
}

void fa_start(struct fake_agent *a, struct sk_loop *loop, const char *run_dir)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char last[256];
	unsigned i;

	memset(a, 0, sizeof(*a));
	sk_buf_init(&a->control, 4 * SK_FRAME_MAX);
	sk_buf_init(&a->other, 4 * SK_FRAME_MAX);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/vu/vsock", run_dir);
	/* The last of the sockets is there: this one listens. */
	snprintf(last, sizeof(last), "%s/vu/balloon", run_dir);
	for (i = 0; i < 1000 && access(last, F_OK) < 0; i++)
		usleep(10000);
	fe_connect(&a->fe, loop, &addr, sizeof(addr));
	fe_start(&a->fe, UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX, 3);
	for (i = 0; i < RX_BUFFERS; i++)
		give(a, fe_alloc(&a->fe, RX_BUF));
}

void fa_stop(struct fake_agent *a)
{
	if (a->fe.loop)
		fe_close(&a->fe);
	a->fe.loop = NULL;
	sk_buf_fini(&a->control);
	sk_buf_fini(&a->other);
}

static void send_packet(struct fake_agent *a, uint16_t op, uint32_t guest_port, uint32_t host_port, const void *data,
			size_t n)
{
	const struct virtio_vsock_hdr h = { .src_cid = CID,
					    .dst_cid = 2,
					    .src_port = guest_port,
					    .dst_port = host_port,
					    .len = (uint32_t)n,
					    .type = VIRTIO_VSOCK_TYPE_STREAM,
					    .op = op,
					    .buf_alloc = 262144,
					    .fwd_cnt = a->taken[guest_port] };
	uint8_t *buf = a->fe.mem + FE_HALF; /* the second half of guest memory is for packets */
	const struct fe_seg segs[2] = { { buf, sizeof(h), false }, { buf + sizeof(h), (uint32_t)n, false } };

	memcpy(buf, &h, sizeof(h));
	if (n)
		memcpy(buf + sizeof(h), data, n);
	fe_add(&a->fe, TX, segs, n ? 2 : 1);
	fe_kick(&a->fe, TX);
	assert_true(fe_used(&a->fe, TX, NULL) >= 0);
	fe_settle(a->fe.loop);
}

/* Takes what the host has sent until now. */
static void receive(struct fake_agent *a)
{
	struct virtio_vsock_hdr h;
	uint32_t len;
	int head;

	while ((head = fe_used_now(&a->fe, RX, &len)) >= 0) {
		uint8_t *buf = a->rx[head];

		memcpy(&h, buf, sizeof(h));
		assert_int_equal(len, sizeof(h) + h.len);
		if (h.op == VIRTIO_VSOCK_OP_RESPONSE)
			a->accepted++;
		else if (h.op == VIRTIO_VSOCK_OP_RST)
			a->refused++;
		else if (h.op == VIRTIO_VSOCK_OP_SHUTDOWN)
			a->ended++;
		else if (h.op == VIRTIO_VSOCK_OP_RW)
			assert_int_equal(sk_buf_append(h.dst_port == AGENT_PORT ? &a->control : &a->other,
						       buf + sizeof(h), h.len),
					 0);
		assert_in_range(h.dst_port, 1, FA_PORTS - 1);
		if (h.op == VIRTIO_VSOCK_OP_RW)
			a->taken[h.dst_port] += h.len;
		give(a, buf);
	}
}

void fa_connect(struct fake_agent *a, uint32_t guest_port, uint32_t host_port)
{
	unsigned before = a->accepted + a->refused;
	int i;

	a->taken[guest_port] = 0;
	send_packet(a, VIRTIO_VSOCK_OP_REQUEST, guest_port, host_port, NULL, 0);
	for (i = 0; i < ROUNDS && a->accepted + a->refused == before; i++) {
		receive(a);
		sk_loop_once(a->fe.loop, 5);
	}
	assert_int_not_equal(a->accepted + a->refused, before);
}

void fa_send(struct fake_agent *a, uint32_t guest_port, uint32_t host_port, const void *data, size_t n)
{
	send_packet(a, VIRTIO_VSOCK_OP_RW, guest_port, host_port, data, n);
	receive(a);
}

void fa_reset(struct fake_agent *a, uint32_t guest_port, uint32_t host_port)
{
	send_packet(a, VIRTIO_VSOCK_OP_RST, guest_port, host_port, NULL, 0);
}

void fa_stream(struct fake_agent *a, uint32_t guest_port, const struct sk_token *token)
{
	assert_true(token->set);
	fa_connect(a, guest_port, SK_PORT_STREAM);
	fa_send(a, guest_port, SK_PORT_STREAM, token->bytes, sizeof(token->bytes));
}

void fa_agent_up(struct fake_agent *a)
{
	fa_connect(a, AGENT_PORT, SK_PORT_CONTROL);
}

void fa_say(struct fake_agent *a, const char *json)
{
	struct sk_buf b;

	sk_buf_init(&b, SK_FRAME_MAX + SK_FRAME_HEADER);
	assert_int_equal(sk_frame_put(&b, SK_FRAME_JSON, json, strlen(json)), 0);
	fa_send(a, AGENT_PORT, SK_PORT_CONTROL, sk_buf_data(&b), b.len);
	sk_buf_fini(&b);
}

void fa_answer(struct fake_agent *a, const struct sk_msg *request)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"id\":%llu,\"ok\":true}", (unsigned long long)request->id);
	fa_say(a, text);
}

void fa_refuse(struct fake_agent *a, const struct sk_msg *request, int error, const char *message)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"id\":%llu,\"ok\":false,\"errno\":%d,\"message\":\"%s\"}",
		 (unsigned long long)request->id, error, message);
	fa_say(a, text);
}

struct sk_msg fa_request(struct fake_agent *a)
{
	struct sk_error err = SK_ERROR_INIT;
	struct sk_frame frame;
	struct sk_msg msg;
	json_t *json;
	int i;

	receive(a);
	for (i = 0; i < ROUNDS && sk_frame_peek(&a->control, &frame) == 0; i++) {
		sk_loop_once(a->fe.loop, 5);
		receive(a);
	}
	if (sk_frame_peek(&a->control, &frame) != 1)
		fail_msg("the host has asked for nothing");
	json = sk_frame_json(&frame);
	sk_frame_consume(&a->control, &frame);
	if (sk_msg_decode(SK_WIRE_TO_AGENT, json, &msg, &err) < 0)
		fail_msg("%s", err.message);
	return msg;
}

struct sk_msg fa_expect(struct fake_agent *a, enum sk_op op)
{
	struct sk_msg msg = fa_request(a);

	/* The guest's clock is asked for at times of its own. */
	while (msg.op == SK_OP_TIME && op != SK_OP_TIME) {
		fa_refuse(a, &msg, EIO, "none");
		sk_msg_fini(&msg);
		msg = fa_request(a);
	}
	if (msg.op != op)
		fail_msg("the host asked for \"%s\", not for \"%s\"", sk_op_name(msg.op), sk_op_name(op));
	return msg;
}

void fa_expect_nothing(struct fake_agent *a)
{
	receive(a);
	assert_int_equal(a->control.len, 0);
}

void fa_come_up(struct fake_agent *a)
{
	struct sk_msg setup;

	fa_agent_up(a);
	fa_say(a, "{\"event\":\"hello\",\"version\":1,\"kernel\":\"7.3\",\"agent\":\"0.2\"}");
	setup = fa_expect(a, SK_OP_SETUP);
	fa_answer(a, &setup);
	sk_msg_fini(&setup);
}
