/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares over streams. The guest connects to host port 1027 once for each mount; what it says there is 9P, for the file
 * server (the share's name is in its attach message: the server knows the shares of this VM and no others).
 * Here bytes are only carried, both ways, without a look at them.
 *
 * Bounded: what one side does not take stays with the other (bytes from the guest in its stream's buffer, without
 * credit; bytes from the server in `back`). A connection that fails on one side ends on the other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vm/monitor.h"

#define SK_SHARE_PORT 1027u
#define SK_SHARE_LINKS 64u
#define SK_SHARE_CHUNK (256u * 1024u)

struct link {
	struct sk_share_streams *all;
	struct link *next;
	struct sk_stream *stream;
	int fd;
	struct sk_source *source;
	bool stalled; /* the server's socket is full: the guest's bytes wait */
	size_t off, len;
	uint8_t back[SK_SHARE_CHUNK]; /* from the server, not taken by the stream */
};

struct sk_share_streams {
	struct sk_monitor *m;
	int passed; /* through which the server gets its ends */
	struct link *links;
	unsigned n;
};

static void link_free(struct link *l)
{
	struct link **at;

	for (at = &l->all->links; *at != l; at = &(*at)->next)
		;
	*at = l->next;
	l->all->n--;
	sk_loop_remove(l->source);
	sk_close_fd(&l->fd);
	sk_stream_close(l->stream);
	free(l);
}

static void watch(struct link *l)
{
	sk_loop_set_events(l->source, (l->len ? 0 : SK_LOOP_READ) | (l->stalled ? SK_LOOP_WRITE : 0));
}

/* To the guest, as much as its stream takes. */
static void hand_back(struct link *l)
{
	size_t n = sk_stream_write(l->stream, l->back + l->off, l->len);

	l->off += n;
	l->len -= n;
	watch(l);
}

static void on_server(void *arg, int fd, unsigned events)
{
	struct link *l = arg;
	ssize_t n;

	if ((events & SK_LOOP_WRITE) && l->stalled) {
		l->stalled = false;
		watch(l);
		sk_stream_resume(l->stream);
	}
	if (l->len || !(events & (SK_LOOP_READ | SK_LOOP_HANGUP)))
		return;
	n = recv(fd, l->back, sizeof(l->back), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		link_free(l);
		return;
	}
	l->off = 0;
	l->len = (size_t)n;
	hand_back(l);
}

static size_t on_data(void *arg, const uint8_t *p, size_t n)
{
	struct link *l = arg;
	ssize_t sent = send(l->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0)
		sent = 0; /* full, or gone: then the loop says so */
	if ((size_t)sent < n) {
		l->stalled = true;
		watch(l);
	}
	return (size_t)sent;
}

static void on_eof(void *arg)
{
	struct link *l = arg;

	shutdown(l->fd, SHUT_WR);
}

static void on_writable(void *arg)
{
	hand_back(arg);
}

static void on_closed(void *arg, int error)
{
	struct link *l = arg;

	(void)error;
	l->stream = NULL;
	link_free(l);
}

static const struct sk_stream_events events = {
	.data = on_data,
	.eof = on_eof,
	.writable = on_writable,
	.closed = on_closed,
};

/* A new connection: a pair of sockets, of which the server gets one. This process cannot connect to any (confine.c). */
static int connect_server(const struct sk_share_streams *s)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	_cleanup_fd_ int ours = -1, theirs = -1;
	int pair[2], size = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* a whole message at once */
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &theirs, sizeof(theirs));
	if (sendmsg(s->passed, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return SK_TAKE_FD(ours);
}

static bool on_accept(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	struct sk_share_streams *s = arg;
	struct link *l;

	(void)guest_port;
	if (s->n >= SK_SHARE_LINKS)
		return false;
	l = calloc(1, sizeof(*l));
	if (!l)
		return false;
	l->fd = connect_server(s);
	if (l->fd >= 0)
		l->source = sk_loop_add_fd(s->m->loop, l->fd, SK_LOOP_READ, on_server, l);
	if (!l->source) {
		sk_log(SK_LOG_ERROR, "cannot connect to the file server: %s", strerror(l->fd < 0 ? -l->fd : errno));
		sk_close_fd(&l->fd);
		free(l);
		return false;
	}
	l->all = s;
	l->stream = stream;
	l->next = s->links;
	s->links = l;
	s->n++;
	sk_stream_set_events(stream, &events, l);
	return true;
}

int sk_share_streams_new(struct sk_monitor *m, struct sk_share_streams **ret, int *ret_socket, struct sk_error *err)
{
	struct sk_share_streams *s = calloc(1, sizeof(*s));
	int pair[2], r;

	if (!s)
		return sk_error_errno(err, ENOMEM, "cannot share folders");
	s->m = m;
	s->passed = -1;
	r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
	if (r == 0) {
		s->passed = pair[0];
		r = sk_carrier_listen(m->carrier, SK_SHARE_PORT, on_accept, s);
		if (r < 0)
			close(pair[1]);
	}
	if (r < 0) {
		sk_share_streams_free(s);
		return sk_error_errno(err, r, "cannot share folders");
	}
	*ret = s;
	*ret_socket = pair[1];
	return 0;
}

void sk_share_streams_free(struct sk_share_streams *s)
{
	if (!s)
		return;
	while (s->links)
		link_free(s->links);
	sk_close_fd(&s->passed);
	free(s);
}
