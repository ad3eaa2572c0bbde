/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of programs in a machine to the host: see machine_host.h. */
#include "machine_host.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/frame.h"
#include "base/fs.h"
#include "base/loop.h"

#define ANSWER_MS 6000u
#define ANSWER_MAX 4096u

int sk_machine_host_connect(struct sk_error *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = SK_SERVICES_DIR "/" SK_SERVICES_CONTROL };
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return sk_error_errno(err, errno, "cannot ask the host: " SK_SERVICES_DIR);
	return SK_TAKE_FD(fd);
}

/* Reads until a frame is whole; -ETIMEDOUT. */
static int read_frame(int fd, struct sk_buf *in, struct sk_frame *ret)
{
	uint64_t end = sk_now_ms() + ANSWER_MS, now;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t buf[ANSWER_MAX];
	ssize_t n;
	int r;

	while ((r = sk_frame_peek(in, ret)) == 0) {
		now = sk_now_ms();
		if (now >= end)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)(end - now)) <= 0)
			continue;
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		r = sk_buf_append(in, buf, (size_t)n);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : 0;
}

static int send_request(int fd, const struct sk_msg *msg, struct sk_error *err)
{
	json_t *json = sk_msg_encode(msg, err);
	struct sk_buf out;
	int r;

	if (!json)
		return -EINVAL;
	sk_buf_init(&out, ANSWER_MAX);
	r = sk_frame_put_json(&out, json);
	if (r == 0)
		r = sk_fs_write_all(fd, sk_buf_data(&out), out.len);
	sk_buf_fini(&out);
	json_decref(json);
	return r < 0 ? sk_error_errno(err, r, "cannot ask the host") : 0;
}

int sk_machine_host_ask(int fd, const struct sk_msg *msg, struct sk_reply *ret, struct sk_error *err)
{
	struct sk_frame frame;
	struct sk_buf in;
	json_t *json;
	int r = send_request(fd, msg, err);

	if (r < 0)
		return r;
	sk_buf_init(&in, ANSWER_MAX);
	r = read_frame(fd, &in, &frame);
	json = r < 0 ? NULL : sk_frame_json(&frame);
	sk_buf_fini(&in);
	if (!json)
		return sk_error_errno(err, r < 0 ? r : EPROTO, "no answer of the host");
	return sk_reply_decode(msg->op, json, ret, err);
}
