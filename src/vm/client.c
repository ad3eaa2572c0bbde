/* SPDX-License-Identifier: Apache-2.0 */
/* A client's way to a monitor: connect to it, one request with a deadline, and what to do when it does not answer. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/fs.h"
#include "base/loop.h"
#include "base/socket.h"
#include "vm/endpoint.h"
#include "vm/vm.h"

static int no_answer(const char *id, struct sk_error *err)
{
	return sk_error_set(err, ETIMEDOUT,
			    "the monitor of container %.12s does not answer (`skerry rm -f` or `skerry kill` ends it)",
			    id);
}

int sk_vm_connect(const struct sk_paths *paths, const char *id, struct sk_error *err)
{
	_cleanup_free_ char *dir = sk_asprintf("%s/%s", paths->run, id);
	int fd = dir ? sk_endpoint_connect(dir) : -ENOMEM;

	if (fd >= 0)
		return fd;
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return sk_error_set(err, ENOENT, "container %.12s is not running", id);
	if (fd == -EAGAIN || fd == -ETIMEDOUT)
		return no_answer(id, err);
	return sk_error_errno(err, fd, "cannot reach the monitor of container %.12s", id);
}

/* True if the monitor answers, or at least accepts, a new connection. */
static bool is_responsive(const struct sk_paths *paths, const char *id, unsigned ms)
{
	static const uint8_t info[] = "{\"op\":\"info\"}";
	_cleanup_fd_ int fd = sk_vm_connect(paths, id, NULL);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct sk_buf buf;
	bool sent;

	if (fd < 0)
		return false;
	sk_buf_init(&buf, 64);
	sent = sk_frame_put(&buf, SK_FRAME_JSON, info, sizeof(info) - 1) == 0 &&
	       send(fd, sk_buf_data(&buf), buf.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)buf.len;
	sk_buf_fini(&buf);
	/* If the monitor has closed the connection, it has too many clients, but it lives. */
	return !sent || poll(&pfd, 1, (int)ms) != 0;
}

int sk_vm_await(const struct sk_paths *paths, const char *id, int fd, unsigned patience, struct sk_error *err)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t next = sk_now_ms() + patience;

	for (;;) {
		uint64_t now = sk_now_ms();
		int n = poll(&pfd, 1, now < next ? (int)(next - now) : 0);

		if (n > 0 || (n < 0 && errno != EINTR))
			return n > 0 ? 0 : sk_error_errno(err, errno, "cannot reach container %.12s", id);
		if (sk_now_ms() < next)
			continue;
		if (!is_responsive(paths, id, patience) && poll(&pfd, 1, 0) == 0)
			return no_answer(id, err);
		next = sk_now_ms() + patience;
	}
}

struct peer {
	const struct sk_paths *paths;
	const char *id;
	int fd;
	unsigned patience;
};

/* Reads until one whole frame is in `in`. */
static int read_frame(const struct peer *p, struct sk_buf *in, struct sk_frame *frame, struct sk_error *err)
{
	for (;;) {
		int r = sk_frame_peek(in, frame);
		uint8_t chunk[4096];
		ssize_t n;

		if (r == 0)
			r = sk_vm_await(p->paths, p->id, p->fd, p->patience, err);
		else
			return r < 0 ? sk_error_errno(err, r, "the container's monitor sent a broken message") : 0;
		if (r < 0)
			return r;
		/* Exactly what the frame still needs: what comes behind belongs to whoever uses the connection next. */
		n = (ssize_t)sizeof(chunk);
		if (in->len < 4) {
			n = (ssize_t)(4 - in->len);
		} else {
			const uint8_t *b = sk_buf_data(in);
			size_t want = 4 + ((size_t)b[0] | (size_t)b[1] << 8 | (size_t)b[2] << 16 | (size_t)b[3] << 24) -
				      in->len;

			if (want < (size_t)n)
				n = (ssize_t)want;
		}
		n = recv(p->fd, chunk, (size_t)n, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		r = n < 0 ? -errno : n == 0 ? -ECONNRESET : sk_buf_append(in, chunk, (size_t)n);
		if (r < 0)
			return sk_error_errno(err, r, "the container's monitor does not answer");
	}
}

static int send_request(const struct peer *p, const struct sk_msg *request, struct sk_buf *buf, struct sk_error *err)
{
	json_t *json = sk_msg_encode(request, err);
	int r;

	if (!json)
		return -err->code;
	r = sk_frame_put_json(buf, json);
	json_decref(json);
	if (r < 0)
		return sk_error_errno(err, r, "the request to the container's monitor is too large");
	sk_socket_send_timeout(p->fd, p->patience);
	r = sk_fs_write_all(p->fd, sk_buf_data(buf), buf->len);
	sk_socket_send_timeout(p->fd, 0);
	sk_buf_consume(buf, buf->len);
	if (r == -EAGAIN)
		return no_answer(p->id, err);
	return r < 0 ? sk_error_errno(err, r, "the container's monitor does not answer") : 0;
}

static int request(const struct peer *p, const struct sk_msg *request, struct sk_reply *ret_reply, int *ret_exit_code,
		   struct sk_error *err)
{
	struct sk_error unheard = SK_ERROR_INIT;
	struct sk_reply reply = { 0 };
	struct sk_frame frame;
	json_t *json = NULL;
	struct sk_buf buf;
	int r;

	if (!err)
		err = &unheard;
	if (ret_exit_code)
		*ret_exit_code = 0;
	sk_buf_init(&buf, SK_FRAME_MAX + SK_FRAME_HEADER);
	r = send_request(p, request, &buf, err);
	if (r == 0)
		r = read_frame(p, &buf, &frame, err);
	if (r == 0)
		json = sk_frame_json(&frame);
	sk_buf_fini(&buf);
	if (r < 0)
		return r;
	if (!json)
		return sk_error_set(err, EPROTO, "the container's monitor answered something else than a reply");
	r = sk_reply_decode(request->op, json, &reply, err);
	if (r < 0)
		return sk_error_wrap(err, "the container's monitor sent a broken reply");
	r = sk_reply_error(&reply, err);
	if (r < 0 && ret_exit_code)
		*ret_exit_code = reply.exit_code;
	if (r == 0 && ret_reply)
		*ret_reply = reply;
	else
		sk_reply_fini(&reply);
	return r;
}

int sk_vm_request(const struct sk_paths *paths, const char *id, int fd, const struct sk_msg *msg,
		  struct sk_reply *ret_reply, int *ret_exit_code, struct sk_error *err)
{
	const struct peer p = { paths, id, fd, SK_VM_PATIENCE };

	return request(&p, msg, ret_reply, ret_exit_code, err);
}

int sk_vm_call(const struct sk_paths *paths, const char *id, const struct sk_msg *msg, struct sk_reply *ret_reply,
	       struct sk_error *err)
{
	_cleanup_fd_ int fd = sk_vm_connect(paths, id, err);

	return fd < 0 ? fd : sk_vm_request(paths, id, fd, msg, ret_reply, NULL, err);
}

int sk_vm_call_to_end(const struct sk_paths *paths, const char *id, const struct sk_msg *msg, struct sk_error *err)
{
	_cleanup_fd_ int fd = sk_vm_connect(paths, id, err);
	const struct peer p = { paths, id, fd, SK_VM_KILL_PATIENCE };

	return fd < 0 ? fd : request(&p, msg, NULL, NULL, err);
}
