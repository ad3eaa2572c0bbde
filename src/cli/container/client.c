/* SPDX-License-Identifier: Apache-2.0 */
/* A client's connection to a monitor that blocks: frames and JSON requests, one reply each. */
#include "cli/container/client.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "model/jx.h"
#include "vm/vm.h"

#define RECV_CHUNK (128u * 1024u)

void sk_client_init(struct sk_client *c, int take_fd)
{
	*c = (struct sk_client){ .fd = take_fd };
	sk_buf_init(&c->in, 2 * (SK_FRAME_MAX + SK_FRAME_HEADER));
}

void sk_client_fini(struct sk_client *c)
{
	sk_close_fd(&c->fd);
	sk_buf_fini(&c->in);
}

static int send_all(struct sk_client *c, struct sk_buf *out, struct sk_error *err)
{
	int r = 0;

	while (r == 0 && out->len) {
		ssize_t n = send(c->fd, sk_buf_data(out), out->len, MSG_NOSIGNAL);

		if (n >= 0)
			sk_buf_consume(out, (size_t)n);
		else if (errno != EINTR)
			r = sk_error_errno(err, errno, "cannot talk to the container's monitor");
	}
	sk_buf_fini(out);
	return r;
}

int sk_client_send(struct sk_client *c, uint8_t type, const void *p, size_t n, struct sk_error *err)
{
	struct sk_buf out;
	int r;

	sk_buf_init(&out, SK_FRAME_MAX + SK_FRAME_HEADER);
	r = sk_frame_put(&out, type, p, n);
	if (r < 0) {
		sk_buf_fini(&out);
		return sk_error_errno(err, r, "cannot talk to the container's monitor");
	}
	return send_all(c, &out, err);
}

int sk_client_send_json(struct sk_client *c, const json_t *request, struct sk_error *err)
{
	struct sk_buf out;
	int r;

	sk_buf_init(&out, SK_FRAME_MAX + SK_FRAME_HEADER);
	r = sk_frame_put_json(&out, request);
	if (r < 0) {
		sk_buf_fini(&out);
		return sk_error_errno(err, r, "the request to the container's monitor is too large");
	}
	return send_all(c, &out, err);
}

int sk_client_next(struct sk_client *c, struct sk_frame *ret, struct sk_error *err)
{
	for (;;) {
		int r = sk_frame_peek(&c->in, ret);
		uint8_t *to;
		ssize_t n;

		if (r > 0)
			return 0;
		if (r < 0)
			return sk_error_errno(err, r, "the container's monitor sent a broken message");
		if (c->paths && (r = sk_vm_await(c->paths, c->id, c->fd, SK_VM_PATIENCE, err)) < 0)
			return r;
		to = sk_buf_reserve(&c->in, RECV_CHUNK);
		if (!to)
			return sk_error_errno(err, ENOMEM, "cannot read from the container's monitor");
		n = recv(c->fd, to, RECV_CHUNK, 0);
		if (n > 0)
			sk_buf_commit(&c->in, (size_t)n);
		else if (n == 0)
			return sk_error_set(err, ECONNRESET, "the container's monitor is gone");
		else if (errno != EINTR)
			return sk_error_errno(err, errno, "cannot read from the container's monitor");
	}
}

int sk_client_json(struct sk_client *c, json_t **ret, struct sk_error *err)
{
	struct sk_frame frame;
	int r;

	for (;;) {
		json_t *o;

		r = sk_client_next(c, &frame, err);
		if (r < 0)
			return r;
		if (frame.type != SK_FRAME_JSON) {
			sk_frame_consume(&c->in, &frame);
			continue;
		}
		o = sk_frame_json(&frame);
		sk_frame_consume(&c->in, &frame);
		if (!o)
			return sk_error_set(err, EPROTO, "the container's monitor sent something else than a message");
		*ret = o;
		return 0;
	}
}

int sk_client_request(struct sk_client *c, const struct sk_msg *request, struct sk_error *err)
{
	_cleanup_json_ json_t *json = sk_msg_encode(request, err);

	return json ? sk_client_send_json(c, json, err) : -err->code;
}

int sk_client_reply(struct sk_client *c, enum sk_op op, struct sk_error *err)
{
	struct sk_reply reply;
	json_t *json;
	int r = sk_client_json(c, &json, err);

	if (r == 0)
		r = sk_reply_decode(op, json, &reply, err);
	if (r < 0)
		return r;
	r = sk_reply_error(&reply, err);
	sk_reply_fini(&reply);
	return r;
}

int sk_client_event(struct sk_client *c, struct sk_msg *ret, struct sk_error *err)
{
	json_t *json;
	int r = sk_client_json(c, &json, err);

	return r < 0 ? r : sk_msg_decode(SK_WIRE_TO_CLIENT, json, ret, err);
}
