/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to programs of the guest, on behalf of a process of the host: one that is in the guest's network
 * namespace there (src/vm/loopback.c, TCP), or the client of a forwarded Unix socket (src/vm/forward.c). On the other
 * side is a stream with the request's token (carry.h).
 */
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/socket.h"
#include "carry.h"
#include "confine.h"
#include "container.h"

struct dialled {
	struct sk_agent *agent;
	struct sk_msg req; /* until it is answered */
	int sock, stream;
	struct sk_source *source; /* until it is connected */
};

static void dialled_free(struct dialled *d)
{
	sk_loop_remove(d->source);
	sk_close_fd(&d->sock);
	sk_close_fd(&d->stream);
	free(d);
}

static void answer(struct dialled *d, int r)
{
	struct sk_error err = SK_ERROR_INIT;

	if (r < 0) {
		sk_error_errno(&err, r, "cannot connect");
		sk_session_fail(d->agent->session, d->req.id, &err, 0);
	} else {
		sk_session_reply(d->agent->session, &d->req, NULL);
	}
	sk_msg_fini(&d->req);
}

static void connected(struct dialled *d)
{
	int error = 0, r;
	socklen_t len = sizeof(error);

	sk_loop_remove(SK_TAKE_PTR(d->source));
	r = getsockopt(d->sock, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? -errno : -error;
	if (r == 0) {
		d->stream = sk_uplink_stream(&d->agent->uplink, &d->req.connect.token);
		r = d->stream < 0 ? d->stream : 0;
	}
	answer(d, r);
	if (r == 0)
		sk_carry(d->agent->loop, SK_TAKE_FD(d->sock), SK_TAKE_FD(d->stream), NULL, NULL);
	dialled_free(d);
}

static void on_writable(void *arg, int fd, unsigned events)
{
	(void)fd;
	(void)events;
	connected(arg);
}

/* A Unix socket: of the container's root, whatever links are on the way. */
static int dial_path(struct dialled *d)
{
	struct sk_agent_container *c = sk_container_find(d->agent, d->req.container);
	_cleanup_fd_ int root = -1, node = -1;
	struct sockaddr_un to;
	int r;

	if (!c || !sk_container_init_pid(c))
		return -ENOTCONN;
	root = sk_container_root(c->dir, sk_container_init_pid(c));
	if (root < 0)
		return root;
	node = sk_confine_path(root, d->req.connect.path, 1);
	if (node < 0)
		return node;
	r = sk_socket_address(node, NULL, &to);
	if (r < 0)
		return r;
	d->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->sock < 0 || connect(d->sock, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

static int dial_tcp(struct dialled *d)
{
	const char *address = d->req.connect.address;
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(d->req.connect.port) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(d->req.connect.port) };
	bool v6 = strchr(address, ':');

	if (inet_pton(v6 ? AF_INET6 : AF_INET, address, v6 ? (void *)&to6.sin6_addr : (void *)&to4.sin_addr) != 1)
		return -EINVAL;
	d->sock = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->sock < 0)
		return -errno;
	if (connect(d->sock, v6 ? (struct sockaddr *)&to6 : (struct sockaddr *)&to4, v6 ? sizeof(to6) : sizeof(to4)) <
		    0 &&
	    errno != EINPROGRESS)
		return -errno;
	return 0;
}

static int dial(struct dialled *d)
{
	int r = d->req.op == SK_OP_CONNECT_UNIX ? dial_path(d) : dial_tcp(d);

	if (r < 0)
		return r;
	d->source = sk_loop_add_fd(d->agent->loop, d->sock, SK_LOOP_WRITE, on_writable, d);
	return d->source ? 0 : -ENOMEM;
}

void sk_dial(struct sk_agent *a, struct sk_msg *take_req)
{
	struct dialled *d = calloc(1, sizeof(*d));
	struct sk_error err = SK_ERROR_INIT;
	int r;

	if (!d) {
		sk_error_errno(&err, ENOMEM, "cannot connect");
		sk_session_fail(a->session, take_req->id, &err, 0);
		sk_msg_fini(take_req);
		return;
	}
	*d = (struct dialled){ .agent = a, .req = *take_req, .sock = -1, .stream = -1 };
	r = dial(d);
	if (r == 0)
		return;
	answer(d, r);
	dialled_free(d);
}
