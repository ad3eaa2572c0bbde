/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * Services of the host in a container's file system: a directory of unix sockets, each connection to which is carried to
 * the monitor (src/vm/services.c) on a stream of its own, behind the token that it knows us by. On `control` a program says
 * what it wants itself; on `ssh-auth.sock` it speaks to the ssh-agent from the first byte on, so we say it.
 *
 * A process of its own does that: it may need thousands of descriptors, and none of them of the agent, whose limits are
 * those of its containers. It lives as long as the guest.
 *
 * Lifecycle of a connection: for the ssh-agent `opening` until the monitor has answered; then it is carried (carry.h).
 *
 * Not trusted: the container's programs. `control` is root's alone, who might as well open AF_VSOCK, but does not know the
 * token; there are limits for each socket. The monitor is.
 */
#include "services.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/acceptor.h"
#include "base/cleanup.h"
#include "base/frame.h"
#include "base/fs.h"
#include "base/log.h"
#include "carry.h"
#include "job.h"

#define CONTROL_MAX 4352u /* a few more than there are publications */
#define SSH_AUTH_MAX 128u
#define FDS_PER_CONN 6u
#define ANSWER_MAX 4096u
#define FRAME_LENGTH 4u

struct service;

struct service_server {
	struct sk_loop *loop;
	const struct sk_uplink *uplink;
	const struct sk_token *token;
};

/* One socket of the directory. */
struct service {
	struct service_server *server;
	int fd;
	bool ssh_auth;
	unsigned n, max;
};

/* A connection that waits for the monitor's answer. */
struct opening {
	struct service *service;
	struct sk_source *source;
	int sock, stream;
	struct sk_buf in;
};

static void on_done(void *arg)
{
	struct service *s = arg;

	s->n--;
}

static void carry(struct service *s, int take_sock, int take_stream)
{
	if (sk_carry(s->server->loop, take_sock, take_stream, on_done, s) < 0)
		s->n--;
}

/* --- the ssh-agent's --- */

static void opening_free(struct opening *o)
{
	sk_loop_remove(o->source);
	sk_close_fd(&o->sock);
	sk_close_fd(&o->stream);
	sk_buf_fini(&o->in);
	free(o);
}

/* Bytes that are missing of the answer; 0: it is whole, or longer than it may be. */
static size_t missing(const struct sk_buf *in)
{
	const uint8_t *p = sk_buf_data(in);
	size_t len;

	if (in->len < FRAME_LENGTH)
		return FRAME_LENGTH - in->len;
	len = FRAME_LENGTH + ((size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24);
	return len > in->len && len <= ANSWER_MAX ? len - in->len : 0;
}

static bool is_accepted(const struct sk_buf *in)
{
	struct sk_frame frame;
	struct sk_reply reply;
	json_t *json = sk_frame_peek(in, &frame) > 0 ? sk_frame_json(&frame) : NULL;
	bool ok;

	if (!json || sk_reply_decode(SK_SERVICE_SSH_AUTH, json, &reply, NULL) < 0)
		return false;
	ok = reply.ok;
	sk_reply_fini(&reply);
	return ok;
}

/* Reads no byte more than the answer has: what follows is the ssh-agent's. */
static void on_answer(void *arg, int fd, unsigned events)
{
	struct opening *o = arg;
	struct service *s = o->service;
	uint8_t buf[ANSWER_MAX];
	ssize_t n = recv(fd, buf, missing(&o->in), MSG_DONTWAIT);
	int sock, stream;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && sk_buf_append(&o->in, buf, (size_t)n) == 0) {
		if (missing(&o->in))
			return;
		if (is_accepted(&o->in)) {
			sock = SK_TAKE_FD(o->sock);
			stream = SK_TAKE_FD(o->stream);
			opening_free(o);
			carry(s, sock, stream);
			return;
		}
	}
	s->n--;
	opening_free(o);
}

static int ask_for_ssh_auth(struct service *s, int sock, int stream)
{
	json_t *json = sk_msg_encode(&(const struct sk_msg){ .op = SK_SERVICE_SSH_AUTH }, NULL);
	struct opening *o = calloc(1, sizeof(*o));
	struct sk_buf out;
	int r = -ENOMEM;

	sk_buf_init(&out, ANSWER_MAX);
	if (json && o)
		r = sk_frame_put_json(&out, json);
	if (r == 0)
		r = sk_fs_write_all(stream, sk_buf_data(&out), out.len);
	sk_buf_fini(&out);
	json_decref(json);
	if (r == 0) {
		*o = (struct opening){ .service = s, .sock = sock, .stream = stream };
		sk_buf_init(&o->in, ANSWER_MAX);
		o->source = sk_loop_add_fd(s->server->loop, stream, SK_LOOP_READ, on_answer, o);
		if (o->source)
			return 0;
		r = -ENOMEM;
	}
	free(o);
	return r;
}

/* --- connections --- */

static void on_accept(void *arg, int take_fd)
{
	struct service *s = arg;
	_cleanup_fd_ int sock = take_fd, stream = -1;

	if (s->n >= s->max)
		return;
	stream = sk_uplink_connect(s->server->uplink, SK_PORT_SERVICES);
	if (stream < 0 || sk_fs_write_all(stream, s->server->token->bytes, SK_TOKEN_BYTES) < 0)
		return;
	s->n++;
	if (!s->ssh_auth) {
		carry(s, SK_TAKE_FD(sock), SK_TAKE_FD(stream));
	} else if (ask_for_ssh_auth(s, sock, stream) == 0) {
		(void)SK_TAKE_FD(sock);
		(void)SK_TAKE_FD(stream);
	} else {
		s->n--;
	}
}

static int listen_in(const char *dir, const char *name, mode_t mode)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	unlink(sun.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || chmod(sun.sun_path, mode) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return -errno;
	return SK_TAKE_FD(fd);
}

static void serve(struct service_server *server, struct service *services, size_t n)
{
	const rlim_t fds = (CONTROL_MAX + SSH_AUTH_MAX) * FDS_PER_CONN + 64u;
	const struct rlimit limit = { fds, fds };
	sigset_t none;
	size_t i;

	prctl(PR_SET_NAME, "skerry-services");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		sk_raise_fd_limit((unsigned)fds);
	if (sk_loop_new(&server->loop) < 0)
		return;
	for (i = 0; i < n; i++) {
		services[i].server = server;
		if (!sk_acceptor_new(server->loop, services[i].fd, on_accept, &services[i]))
			return;
	}
	sk_loop_run(server->loop);
}

int sk_services_start(const struct sk_uplink *uplink, const struct sk_token *token, const char *dir,
		      struct sk_error *err)
{
	_cleanup_fd_ int control = listen_in(dir, SK_SERVICES_CONTROL, 0600),
			 ssh_auth = listen_in(dir, SK_SERVICES_SSH_AUTH, 0666);
	struct service services[] = { { .fd = control, .max = CONTROL_MAX },
				      { .fd = ssh_auth, .max = SSH_AUTH_MAX, .ssh_auth = true } };
	struct service_server server = { .uplink = uplink, .token = token };
	pid_t pid;

	if (control < 0 || ssh_auth < 0)
		return sk_error_errno(err, control < 0 ? control : ssh_auth, "cannot offer the host's services");
	pid = fork();
	if (pid < 0)
		return sk_error_errno(err, errno, "cannot offer the host's services");
	if (pid == 0) {
		sk_job_close_others((int[]){ control, ssh_auth }, 2);
		serve(&server, services, SK_ARRAY_SIZE(services));
		_exit(1);
	}
	return 0;
}
