/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * An engine that runs in a container (dockerd in a machine) publishes ports for containers of its own, which have to be
 * ports of the host. A helper of its asks for one over a unix socket in its file system; the agent carries each such
 * connection to us (guest/agent/services.c). One that is accepted is as old as what it asked for: the port is withdrawn
 * when the connection ends, by whatever cause. An ssh-agent is another such service, whose connections are joined to new
 * ones of the host's (dialler.c, relay.c); and so are directories of the host that were not there when the VM began: the
 * connection is one to a file server.
 *
 * Any program of the guest that may open AF_VSOCK can connect to us, those in containers of the engine too. So the agent
 * says a token first, which it was told with the container's mounts and never says to anybody.
 *
 * Lifecycle of a connection: NEW until its request is whole; then PUBLISHED, or DIALLING and RELAYED; ENDING when it was
 * answered for the last time, until the guest has taken note. NEW and ENDING have a deadline.
 *
 * Ports. A publication is a port E of the guest, from a range that Linux gives to nobody by itself; the helper leads E on
 * to its container. E is given out in turn, so that none is used again while the guest still knows its old connections.
 *
 * Limits: SERVICES_NEW connections before their request, of which the oldest has to go for a new one; SERVICES_PUBLISHED,
 * SERVICES_SSH and SERVICES_ENDING of those after it, SERVICES_SHARES of them to one directory; a request of REQUEST_MAX
 * bytes.
 *
 * Not trusted: the guest. What it may publish is what its user may listen on.
 */
#include "vm/services.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/frame.h"
#include "base/id.h"
#include "base/log.h"
#include "proto/message.h"
#include "vm/dialler.h"
#include "vm/relay.h"

#define SERVICES_NEW 64u
#define SERVICES_PUBLISHED 4096u
#define SERVICES_SSH 128u
#define SERVICES_ENDING 256u
#define SERVICES_SHARES 2u /* of one directory: a file server each, and one may be about to end */
#define REQUEST_MAX 4096u  /* bytes of a frame with its header */
#define FRAME_LENGTH 4u	   /* bytes that say how long it is */
#define DEADLINE_MS 10000u
#define LOOK_MS 1000u
#define PORTS (SK_SERVICES_PORT_LAST - SK_SERVICES_PORT_FIRST + 1)
_Static_assert(PORTS >= SERVICES_PUBLISHED, "a port for each publication");

enum service_phase { CONN_NEW, CONN_PUBLISHED, CONN_DIALLING, CONN_RELAYED, CONN_ENDING, PHASES };

static const unsigned phase_max[PHASES] = {
	[CONN_NEW] = SERVICES_NEW,     [CONN_PUBLISHED] = SERVICES_PUBLISHED, [CONN_DIALLING] = SERVICES_SSH,
	[CONN_RELAYED] = SERVICES_SSH, [CONN_ENDING] = SERVICES_ENDING,
};

struct service_conn {
	struct sk_services *s;
	struct service_conn *next, **link; /* the youngest first */
	enum service_phase phase;
	struct sk_stream *stream; /* NULL: gone, or the relay's */
	struct sk_buf in;	  /* NEW: token and request, or the request */
	bool knows_token;
	uint64_t due_ms;		 /* NEW, ENDING */
	uint32_t number;		 /* DIALLING */
	enum sk_op op;			 /* DIALLING: what was asked */
	uint32_t index;			 /* DIALLING, RELAYED: of which directory */
	struct sk_slirp_forward forward; /* PUBLISHED */
	struct sk_relay *relay;		 /* RELAYED */
};

struct sk_services {
	struct sk_loop *loop;
	struct sk_sandbox *sandbox;
	bool publish;
	struct sk_dialler *dialler; /* NULL: no ssh-agent */
	struct sk_dialler *sharer;  /* NULL: no directories that come later */
	const struct sk_later_share *later;
	unsigned n_later;
	sk_services_idle_cb allow_idle; /* NULL: it stops when it is told to */
	void *idle_arg;
	struct sk_source *timer;
	uint8_t token[SK_TOKEN_BYTES];
	struct service_conn *conns;
	unsigned n[PHASES];
	uint32_t next_number;
	unsigned next_port[2]; /* TCP, UDP */
	bool used[2][PORTS];
};

/* --- ports --- */

/* The next free port in turn; there are more than publications. */
static uint16_t take_port(struct sk_services *s, bool udp)
{
	unsigned at = s->next_port[udp];

	while (s->used[udp][at])
		at = (at + 1) % PORTS;
	s->used[udp][at] = true;
	s->next_port[udp] = (at + 1) % PORTS;
	return (uint16_t)(SK_SERVICES_PORT_FIRST + at);
}

static void give_port(struct sk_services *s, bool udp, uint16_t port)
{
	s->used[udp][port - SK_SERVICES_PORT_FIRST] = false;
}

static int parse_forward(const struct sk_msg *msg, struct sk_slirp_forward *ret)
{
	*ret = (struct sk_slirp_forward){ .udp = strcmp(msg->publish.proto, "udp") == 0,
					  .host_port = msg->publish.host_port,
					  .v6 = strchr(msg->publish.host_ip, ':') != NULL };
	if (!ret->udp && strcmp(msg->publish.proto, "tcp") != 0)
		return -EPROTONOSUPPORT;
	return inet_pton(ret->v6 ? AF_INET6 : AF_INET, msg->publish.host_ip, ret->host_addr) == 1 ? 0 : -EINVAL;
}

static int publish(struct service_conn *c, const struct sk_msg *msg)
{
	struct sk_services *s = c->s;
	int r;

	if (!s->publish)
		return -EPERM;
	if (s->n[CONN_PUBLISHED] >= SERVICES_PUBLISHED)
		return -EMFILE;
	r = parse_forward(msg, &c->forward);
	if (r < 0)
		return r;
	c->forward.guest_port = take_port(s, c->forward.udp);
	r = sk_sandbox_publish(s->sandbox, &c->forward);
	if (r < 0)
		give_port(s, c->forward.udp, c->forward.guest_port);
	return r;
}

static void withdraw(struct service_conn *c)
{
	sk_sandbox_withdraw(c->s->sandbox, &c->forward);
	give_port(c->s, c->forward.udp, c->forward.guest_port);
}

/* --- connections --- */

static void set_phase(struct service_conn *c, enum service_phase phase)
{
	if (c->phase == CONN_PUBLISHED && phase != CONN_PUBLISHED)
		withdraw(c);
	c->s->n[c->phase]--;
	c->phase = phase;
	c->s->n[phase]++;
	if (phase == CONN_NEW || phase == CONN_ENDING) {
		c->due_ms = sk_now_ms() + DEADLINE_MS;
		sk_loop_set_timer(c->s->timer, LOOK_MS);
	}
}

static void conn_free(struct service_conn *c)
{
	if (c->phase == CONN_PUBLISHED)
		withdraw(c);
	c->s->n[c->phase]--;
	sk_relay_free(c->relay);
	sk_stream_close(c->stream);
	sk_buf_fini(&c->in);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	free(c);
}

/* Nothing more is said or heard; what was said still reaches the guest. */
static void conn_end(struct service_conn *c)
{
	if (c->s->n[CONN_ENDING] >= phase_max[CONN_ENDING]) {
		conn_free(c);
		return;
	}
	set_phase(c, CONN_ENDING);
	sk_stream_shutdown(c->stream);
}

/* An answer, which is short: where there is no room for it, nobody reads. */
static bool answer(struct service_conn *c, enum sk_op op, const struct sk_reply *reply)
{
	json_t *json = sk_reply_encode(op, reply, NULL);
	struct sk_buf out;
	bool ok;

	sk_buf_init(&out, REQUEST_MAX);
	ok = json && sk_frame_put_json(&out, json) == 0 &&
	     sk_stream_write(c->stream, sk_buf_data(&out), out.len) == out.len;
	sk_buf_fini(&out);
	json_decref(json);
	return ok;
}

static void refuse(struct service_conn *c, enum sk_op op, int error, const char *message)
{
	answer(c, op, &(const struct sk_reply){ .error = error, .message = message ? message : strerror(error) });
	conn_end(c);
}

static void on_publish(struct service_conn *c, const struct sk_msg *msg)
{
	struct sk_reply reply = { .ok = true, .guest_ip = SK_SLIRP_ADDRESS };
	int r = publish(c, msg);

	if (r < 0) {
		refuse(c, msg->op, -r, r == -EPERM ? "ports cannot be published from here" : NULL);
		return;
	}
	set_phase(c, CONN_PUBLISHED);
	reply.guest_port = c->forward.guest_port;
	if (!answer(c, msg->op, &reply))
		conn_free(c);
}

static void on_idle(struct service_conn *c, const struct sk_msg *msg)
{
	struct sk_services *s = c->s;
	int r = s->allow_idle ? s->allow_idle(s->idle_arg) : -EPERM;

	if (r < 0) {
		refuse(c, msg->op, -r, r == -EPERM ? "this machine does not stop by itself" : NULL);
		return;
	}
	answer(c, msg->op, &(const struct sk_reply){ .ok = true });
	conn_end(c);
}

/* True: what follows is for who is connected. */
static bool ask_dialler(struct service_conn *c, struct sk_dialler *dialler, uint32_t index, const char *none)
{
	struct sk_services *s = c->s;
	int r = !dialler ? -ENOENT : s->n[CONN_DIALLING] + s->n[CONN_RELAYED] >= phase_max[CONN_DIALLING] ? -EMFILE : 0;

	c->number = s->next_number++;
	c->index = index;
	if (r == 0)
		r = sk_dialler_ask(dialler, c->number, index);
	if (r < 0)
		refuse(c, c->op, -r, r == -ENOENT ? none : NULL);
	else
		set_phase(c, CONN_DIALLING);
	return r == 0;
}

/* File servers of a directory. */
static unsigned count_shares(const struct sk_services *s, uint32_t index)
{
	const struct service_conn *c;
	unsigned n = 0;

	for (c = s->conns; c; c = c->next)
		n += (c->phase == CONN_DIALLING || c->phase == CONN_RELAYED) && c->op == SK_SERVICE_SHARE &&
		     c->index == index;
	return n;
}

/* A directory that was named when the VM began; any other is none. */
static bool on_share(struct service_conn *c, const struct sk_msg *msg)
{
	struct sk_services *s = c->s;
	unsigned i;

	for (i = 0; i < s->n_later && strcmp(s->later[i].target, msg->place.path) != 0; i++)
		;
	if (i < s->n_later && count_shares(s, i) >= SERVICES_SHARES) {
		refuse(c, msg->op, EMFILE, NULL);
		return false;
	}
	return ask_dialler(c, i < s->n_later ? s->sharer : NULL, i, "this directory is not shared");
}

static void on_relay_done(void *arg, struct sk_relay *relay)
{
	(void)relay;
	conn_free(arg);
}

static void on_dialled(void *arg, uint32_t number, int take_fd)
{
	struct sk_services *s = arg;
	struct sk_stream *stream;
	struct service_conn *c = s->conns;

	while (c && (c->phase != CONN_DIALLING || c->number != number))
		c = c->next;
	if (!c) { /* it has gone meanwhile */
		sk_close_fd(&take_fd);
		return;
	}
	if (take_fd < 0) {
		refuse(c, c->op, -take_fd, NULL);
		return;
	}
	if (!answer(c, c->op, &(const struct sk_reply){ .ok = true })) {
		sk_close_fd(&take_fd);
		conn_free(c);
		return;
	}
	set_phase(c, CONN_RELAYED);
	stream = SK_TAKE_PTR(c->stream);
	c->relay = sk_relay_new(s->loop, take_fd, on_relay_done, c);
	if (c->relay) {
		sk_relay_join(c->relay, stream, NULL, 0);
		sk_stream_resume(stream);
	} else {
		sk_stream_close(stream);
		conn_free(c);
	}
}

/* --- requests --- */

/* How the bytes go on that come after a part. */
enum rest { REST_NEXT, REST_KEPT, REST_DROPPED };

static enum rest handle(struct service_conn *c, json_t *take_json)
{
	enum rest rest = REST_DROPPED;
	struct sk_error err = SK_ERROR_INIT;
	struct sk_msg msg;
	int r = sk_msg_decode(SK_WIRE_SERVICES, take_json, &msg, &err);

	if (r < 0) {
		refuse(c, SK_SERVICE_PUBLISH, -r, err.message);
		return rest;
	}
	c->op = msg.op;
	if (msg.op == SK_SERVICE_PUBLISH)
		on_publish(c, &msg);
	else if (msg.op == SK_SERVICE_IDLE)
		on_idle(c, &msg);
	else if (msg.op == SK_SERVICE_SHARE ? on_share(c, &msg)
					    : ask_dialler(c, c->s->dialler, 0, "no ssh-agent is shared"))
		rest = REST_KEPT;
	sk_msg_fini(&msg);
	return rest;
}

/* Compares all of it: how long that takes says nothing. */
static bool is_token(const struct sk_services *s, const uint8_t *p)
{
	uint8_t diff = 0;
	unsigned i;

	for (i = 0; i < SK_TOKEN_BYTES; i++)
		diff |= (uint8_t)(s->token[i] ^ p[i]);
	return diff == 0;
}

/* Bytes that are missing of the part that comes now; 0: it is whole, or longer than it may be. */
static size_t missing(const struct service_conn *c)
{
	const uint8_t *p = sk_buf_data(&c->in);
	size_t len;

	if (!c->knows_token)
		return SK_TOKEN_BYTES - c->in.len;
	if (c->in.len < FRAME_LENGTH)
		return FRAME_LENGTH - c->in.len;
	len = FRAME_LENGTH + ((size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24);
	return len > c->in.len && len <= REQUEST_MAX ? len - c->in.len : 0;
}

/* Something is whole: the token, or perhaps the request. The connection may be no more, but with REST_NEXT. */
static enum rest step(struct service_conn *c)
{
	struct sk_frame frame;
	json_t *json;
	int r;

	if (!c->knows_token) {
		if (!is_token(c->s, sk_buf_data(&c->in))) {
			sk_log(SK_LOG_WARN, "a connection for the host's services has a wrong token");
			conn_free(c);
			return REST_DROPPED;
		}
		c->knows_token = true;
		sk_buf_consume(&c->in, SK_TOKEN_BYTES);
		return REST_NEXT;
	}
	r = sk_frame_peek(&c->in, &frame);
	json = r > 0 ? sk_frame_json(&frame) : NULL;
	if (!json) { /* no frame, one that is too long, or no object in it */
		conn_free(c);
		return REST_DROPPED;
	}
	sk_buf_fini(&c->in);
	return handle(c, json);
}

/* Takes no byte more than the request has: what follows is a relay's. */
static size_t on_data(void *arg, const uint8_t *p, size_t n)
{
	struct service_conn *c = arg;
	enum rest rest = REST_NEXT;
	size_t done = 0, part;

	if (c->phase == CONN_DIALLING)
		return 0;
	if (c->phase != CONN_NEW)
		return n; /* there is nothing more to say */
	while (rest == REST_NEXT && done < n) {
		part = missing(c) < n - done ? missing(c) : n - done;
		if (sk_buf_append(&c->in, p + done, part) < 0) {
			conn_free(c);
			return n;
		}
		done += part;
		if (!missing(c))
			rest = step(c);
	}
	return rest == REST_DROPPED ? n : done;
}

/* The guest's side has ended in order: the port is withdrawn before it sees our end. */
static void on_eof(void *arg)
{
	struct service_conn *c = arg;

	if (c->phase == CONN_NEW)
		conn_free(c);
	else if (c->phase == CONN_PUBLISHED)
		conn_end(c);
}

static void on_closed(void *arg, int error)
{
	struct service_conn *c = arg;

	(void)error;
	c->stream = NULL;
	conn_free(c);
}

static const struct sk_stream_events events = { .data = on_data, .eof = on_eof, .closed = on_closed };

static void drop_oldest_new(struct sk_services *s)
{
	struct service_conn *c, *oldest = NULL;

	for (c = s->conns; c; c = c->next)
		if (c->phase == CONN_NEW)
			oldest = c;
	if (oldest)
		conn_free(oldest);
}

static bool on_accept(void *arg, struct sk_stream *stream, uint32_t guest_port)
{
	struct sk_services *s = arg;
	struct service_conn *c;

	(void)guest_port;
	if (s->n[CONN_NEW] >= phase_max[CONN_NEW])
		drop_oldest_new(s);
	c = calloc(1, sizeof(*c));
	if (!c)
		return false;
	c->s = s;
	c->stream = stream;
	sk_buf_init(&c->in, REQUEST_MAX);
	c->next = s->conns;
	c->link = &s->conns;
	if (c->next)
		c->next->link = &c->next;
	s->conns = c;
	s->n[CONN_NEW]++;
	set_phase(c, CONN_NEW);
	sk_stream_set_events(stream, &events, c);
	return true;
}

static void on_timer(void *arg)
{
	struct sk_services *s = arg;
	struct service_conn *c, *next;
	uint64_t now = sk_now_ms();

	for (c = s->conns; c; c = next) {
		next = c->next;
		if ((c->phase == CONN_NEW || c->phase == CONN_ENDING) && now >= c->due_ms)
			conn_free(c);
	}
	if (s->n[CONN_NEW] + s->n[CONN_ENDING])
		sk_loop_set_timer(s->timer, LOOK_MS);
}

/* --- life --- */

int sk_services_new(struct sk_loop *loop, bool publish, const char *ssh_auth, struct sk_services **ret,
		    struct sk_error *err)
{
	struct sk_services *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return sk_error_errno(err, ENOMEM, "cannot offer the host's services");
	s->loop = loop;
	s->publish = publish;
	sk_random(s->token, sizeof(s->token));
	s->timer = sk_loop_add_timer(loop, UINT64_MAX, on_timer, s);
	if (!s->timer)
		r = sk_error_errno(err, ENOMEM, "cannot offer the host's services");
	if (r == 0 && ssh_auth)
		r = sk_dialler_new(loop, ssh_auth, on_dialled, s, &s->dialler, err);
	if (r < 0) {
		sk_services_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int sk_services_set_later(struct sk_services *s, const struct sk_later_share *shares, unsigned n, struct sk_error *err)
{
	s->later = shares;
	s->n_later = n;
	return n ? sk_dialler_new_shares(s->loop, shares, n, on_dialled, s, &s->sharer, err) : 0;
}

void sk_services_set_idle(struct sk_services *s, sk_services_idle_cb allow, void *arg)
{
	s->allow_idle = allow;
	s->idle_arg = arg;
}

int sk_services_serve(struct sk_services *s, struct sk_sandbox *sandbox, struct sk_error *err)
{
	int r = sk_sandbox_listen(sandbox, SK_PORT_SERVICES, on_accept, s);

	s->sandbox = sandbox;
	return r < 0 ? sk_error_errno(err, r, "cannot offer the host's services") : 0;
}

void sk_services_free(struct sk_services *s)
{
	if (!s)
		return;
	while (s->conns)
		conn_free(s->conns);
	sk_dialler_free(s->dialler);
	sk_dialler_free(s->sharer);
	sk_loop_remove(s->timer);
	free(s);
}

json_t *sk_services_add_mount(const struct sk_services *s, json_t *take_mounts)
{
	struct sk_mount_spec mount = { .type = "services", .destination = SK_SERVICES_DIR, .own.token.set = true };
	struct sk_error err = SK_ERROR_INIT;

	if (!s)
		return take_mounts;
	if (!take_mounts)
		take_mounts = json_array();
	memcpy(mount.own.token.bytes, s->token, sizeof(mount.own.token.bytes));
	json_array_append_new(take_mounts, sk_mount_encode(&mount, &err));
	return take_mounts;
}
