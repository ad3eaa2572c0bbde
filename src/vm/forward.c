/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A program of the host connects to a socket in the runtime directory of a container. The agent is asked to connect to
 * a Unix socket in the container (connect_unix) and to open a stream with a token of this connection; from
 * then on a relay (vm/relay.h) carries the bytes, half-closes included. When nobody listens there yet, as at the start of
 * a machine, the agent is asked again until FORWARD_PATIENCE_MS are over; then the connection is closed. Nothing is read
 * from it before the stream has come.
 *
 * Lifecycle of a connection: `asked` while the agent's answer is outstanding, and it lives until that comes; else
 * `retry` until it is asked again. The stream may come before the answer or after it.
 *
 * A container that may end because nobody needs it (vm.json's "idle_stop") is suspended: before it ends the sockets are
 * held, so that who connects from then on waits in their queues, where nothing is read and nothing is lost. The sockets
 * stay over the lives of the VM: the monitor that begins the next life gets them, and takes from the queue.
 *
 * Limits: FORWARD_MAX connections, SK_FORWARDS_MAX sockets, FORWARD_PATIENCE_MS until the stream has come.
 *
 * Not trusted: the guest, which may answer anything and send nothing. Who may connect is settled by the directory and
 * the socket, both closed to other users.
 */
#include "vm/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/acceptor.h"
#include "base/cleanup.h"
#include "base/id.h"
#include "base/log.h"
#include "base/socket.h"
#include "vm/relay.h"

#define FORWARD_MAX 2048u
#define FORWARD_BACKLOG 1024
#define FORWARD_PATIENCE_MS 60000u
#define FORWARD_RETRY_MS 25u

struct listener {
	struct sk_forwards *f;
	int fd;
	char name[64];
	const char *guest;	      /* in the configuration */
	struct sk_acceptor *acceptor; /* NULL: held */
	struct sk_source *watch;
};

struct forwarded {
	struct forwarded *next;
	struct sk_forwards *f; /* NULL: it is freed with the agent's answer */
	struct sk_relay *relay;
	const char *guest;     /* where it leads */
	struct sk_token token; /* not set once the stream has come */
	uint64_t deadline_ms;  /* for the stream to come */
	bool asked, retry;
};

struct sk_forwards {
	struct sk_monitor *m;
	int dirfd; /* where the sockets are */
	struct listener all[SK_FORWARDS_MAX];
	unsigned n;
	bool held;
	uint64_t last_ms; /* when there was a connection */
	void (*knock)(void *arg);
	void *knock_arg;
	struct forwarded *conns;
	unsigned n_conns;
	struct sk_source *timer;
};

static void conn_free(struct forwarded *c)
{
	struct forwarded **link = &c->f->conns;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	c->f->n_conns--;
	c->f->last_ms = sk_now_ms();
	sk_relay_free(SK_TAKE_PTR(c->relay));
	c->f = NULL;
	if (!c->asked)
		free(c);
}

static void on_done(void *arg, struct sk_relay *relay)
{
	(void)relay;
	conn_free(arg);
}

/* Sets the timer to when the next connection needs something. */
static void schedule(struct sk_forwards *f)
{
	uint64_t ms = UINT64_MAX;
	const struct forwarded *c;

	for (c = f->conns; c && ms != FORWARD_RETRY_MS; c = c->next)
		if (c->retry)
			ms = FORWARD_RETRY_MS;
		else if (c->token.set)
			ms = FORWARD_PATIENCE_MS;
	sk_loop_set_timer(f->timer, ms);
}

/* The engine may be about to listen. */
static bool may_come(int error)
{
	return error == ENOENT || error == ECONNREFUSED || error == ENOTCONN || error == EAGAIN;
}

static void on_connected(void *arg, const struct sk_reply *reply)
{
	struct forwarded *c = arg;

	c->asked = false;
	if (!c->f) {
		free(c);
	} else if (reply && !reply->ok && may_come(reply->error)) {
		c->retry = true;
		schedule(c->f);
	} else if (!reply || !reply->ok) {
		conn_free(c);
	}
}

static void ask(struct forwarded *c)
{
	struct sk_msg msg = { .op = SK_OP_CONNECT_UNIX, .container = SK_CONTAINER };

	msg.connect.path = c->guest;
	msg.connect.token = c->token;
	c->asked = sk_sandbox_request(c->f->m->sandbox, &msg, on_connected, c) == 0;
	c->retry = !c->asked;
}

static void on_timer(void *arg)
{
	struct sk_forwards *f = arg;
	uint64_t now = sk_now_ms();
	struct forwarded *c, *next;

	for (c = f->conns; c; c = next) {
		next = c->next;
		if (c->token.set && now >= c->deadline_ms)
			conn_free(c);
		else if (c->retry)
			ask(c);
	}
	schedule(f);
}

static void on_connection(void *arg, int take_fd)
{
	struct listener *l = arg;
	struct sk_forwards *f = l->f;
	struct forwarded *c = f->n_conns < FORWARD_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		close(take_fd);
		return;
	}
	c->relay = sk_relay_new(f->m->loop, take_fd, on_done, c);
	if (!c->relay) {
		free(c);
		return;
	}
	c->f = f;
	c->next = f->conns;
	f->conns = c;
	f->n_conns++;
	c->token.set = true;
	sk_random(c->token.bytes, sizeof(c->token.bytes));
	c->deadline_ms = sk_now_ms() + FORWARD_PATIENCE_MS;
	c->guest = l->guest;
	ask(c);
	schedule(f);
}

ssize_t sk_forwards_claim(struct sk_forwards *f, const struct sk_token *token, struct sk_stream *stream,
			  const uint8_t *data, size_t n)
{
	struct forwarded *c = f ? f->conns : NULL;

	while (c && !sk_token_equal(&c->token, token))
		c = c->next;
	if (!c)
		return -1;
	c->token.set = false;
	return (ssize_t)sk_relay_join(c->relay, stream, data, n);
}

static int take_connections(struct sk_forwards *f, struct listener *l)
{
	l->acceptor = sk_acceptor_new(f->m->loop, l->fd, on_connection, l);
	return l->acceptor ? 0 : -errno;
}

static int listen_on(struct sk_forwards *f, struct listener *l, struct sk_error *err)
{
	struct sockaddr_un addr;
	mode_t mask;
	int r;

	if (f->n <= f->m->n_sockets) {
		l->fd = SK_TAKE_FD(f->m->sockets[f->n - 1]);
		r = take_connections(f, l);
		return r < 0 ? sk_error_errno(err, r, "cannot listen on %s/%s", f->m->run_dir, l->name) : 0;
	}
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = l->fd < 0 ? -errno : sk_socket_address(f->dirfd, l->name, &addr);
	unlinkat(f->dirfd, l->name, 0);
	mask = umask(0177);
	if (r == 0 && (bind(l->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(l->fd, FORWARD_BACKLOG) < 0))
		r = -errno;
	umask(mask);
	if (r < 0)
		return sk_error_errno(err, r, "cannot listen on %s/%s", f->m->run_dir, l->name);
	r = take_connections(f, l);
	return r < 0 ? sk_error_errno(err, r, "cannot listen on %s/%s", f->m->run_dir, l->name) : 0;
}

int sk_forwards_new(struct sk_monitor *m, struct sk_forwards **ret, struct sk_error *err)
{
	const json_t *sockets = json_object_get(m->config.json, "sockets"), *o;
	struct sk_forwards *f;
	size_t i;
	int r = 0;

	*ret = NULL;
	if (!json_array_size(sockets))
		return 0;
	f = calloc(1, sizeof(*f));
	if (!f)
		return sk_error_errno(err, ENOMEM, "cannot forward sockets");
	f->m = m;
	f->last_ms = sk_now_ms();
	f->dirfd = open(m->run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->timer = sk_loop_add_timer(m->loop, UINT64_MAX, on_timer, f);
	if (f->dirfd < 0 || !f->timer)
		r = sk_error_errno(err, errno, "cannot forward sockets");
	json_array_foreach(sockets, i, o)
	{
		const char *name = json_string_value(json_object_get(o, "name")),
			   *guest = json_string_value(json_object_get(o, "guest"));
		struct listener *l = &f->all[f->n];

		if (r < 0)
			break;
		if (f->n == SK_FORWARDS_MAX || !name || !guest || *guest != '/' || strchr(name, '/') ||
		    strlen(name) >= sizeof(l->name)) {
			r = sk_error_set(err, EINVAL, "vm.json: \"sockets\" is wrong, or has more than %u",
					 SK_FORWARDS_MAX);
			break;
		}
		*l = (struct listener){ .f = f, .fd = -1, .guest = guest };
		memcpy(l->name, name, strlen(name) + 1);
		f->n++;
		r = listen_on(f, l, err);
	}
	if (r < 0)
		sk_forwards_free(f);
	else
		*ret = f;
	return r;
}

int sk_forwards_hold(struct sk_forwards *f, uint64_t idle_ms)
{
	unsigned i;

	if (f->n_conns || sk_now_ms() - f->last_ms < idle_ms)
		return -EBUSY;
	for (i = 0; i < f->n; i++)
		sk_acceptor_free(SK_TAKE_PTR(f->all[i].acceptor));
	f->held = true;
	return 0;
}

void sk_forwards_release(struct sk_forwards *f)
{
	unsigned i;

	for (i = 0; f && f->held && i < f->n; i++) {
		sk_loop_remove(SK_TAKE_PTR(f->all[i].watch));
		if (take_connections(f, &f->all[i]) < 0)
			sk_log(SK_LOG_ERROR, "%s is not served any more", f->all[i].name);
	}
	if (f)
		f->held = false;
}

bool sk_forwards_held(const struct sk_forwards *f)
{
	return f && f->held;
}

static void on_knock(void *arg, int fd, unsigned events)
{
	struct sk_forwards *f = arg;
	unsigned i;

	(void)fd;
	(void)events;
	for (i = 0; i < f->n; i++)
		sk_loop_remove(SK_TAKE_PTR(f->all[i].watch));
	f->knock(f->knock_arg);
}

int sk_forwards_watch(struct sk_forwards *f, void (*knock)(void *arg), void *arg)
{
	unsigned i;

	f->knock = knock;
	f->knock_arg = arg;
	for (i = 0; i < f->n; i++) {
		f->all[i].watch = sk_loop_add_fd(f->m->loop, f->all[i].fd, SK_LOOP_READ, on_knock, f);
		if (!f->all[i].watch)
			return -ENOMEM;
	}
	return 0;
}

unsigned sk_forwards_sockets(const struct sk_forwards *f, int ret_fds[SK_FORWARDS_MAX])
{
	unsigned i;

	for (i = 0; f && i < f->n; i++)
		ret_fds[i] = f->all[i].fd;
	return f ? f->n : 0;
}

static void end(struct sk_forwards *f, bool remove)
{
	unsigned i;

	if (!f)
		return;
	while (f->conns)
		conn_free(f->conns);
	for (i = 0; i < f->n; i++) {
		sk_loop_remove(f->all[i].watch);
		sk_acceptor_free(f->all[i].acceptor);
		sk_close_fd(&f->all[i].fd);
		if (remove)
			unlinkat(f->dirfd, f->all[i].name, 0);
	}
	sk_loop_remove(f->timer);
	sk_close_fd(&f->dirfd);
	free(f);
}

void sk_forwards_abandon(struct sk_forwards *f)
{
	end(f, false);
}

void sk_forwards_free(struct sk_forwards *f)
{
	end(f, true);
}
