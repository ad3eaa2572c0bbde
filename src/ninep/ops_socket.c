/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix sockets of the host: programs of the guest connect to those of the host's, and the host's to theirs, through
 * sockets that lie in a share. The client has a fid for each; its data goes with Tread and Twrite, which never wait.
 * What came to EAGAIN is watched for, once, and told with an event.
 */
#include <stdlib.h>

#include "ninep/server_internal.h"

static void on_ready(void *arg, unsigned events)
{
	const struct p9_socket *k = arg;
	const struct sk_9p_event e = { .kind = P9_EVENT_SOCKET, .dir = k->fid, .new_dir = events };

	sk_9p_session_event(k->session, &e);
	sk_9p_session_events_done(k->session);
}

/* A free place for one more socket. */
static int check_new(struct sk_9p_session *s, const struct p9_fid *from, uint32_t newfid)
{
	if (!s->server->c.watch || !from->export->fs->ops->connect)
		return -P9_EOPNOTSUPP;
	if (p9_fid_find(s, newfid))
		return -P9_EBADF;
	return s->server->sockets >= s->server->c.max_sockets ? -P9_EMFILE : 0;
}

/* `take_socket` becomes a fid. */
static int new_fid(struct sk_9p_session *s, const struct p9_fid *from, uint32_t newfid,
		   struct sk_9p_socket *take_socket)
{
	struct sk_9p_fs *fs = from->export->fs;
	struct p9_socket *k = calloc(1, sizeof(*k));
	struct p9_fid *f;
	int r = k ? 0 : -P9_ENOMEM;

	if (k) {
		*k = (struct p9_socket){ .session = s, .fid = newfid, .socket = take_socket };
		k->watch = s->server->c.watch(s->server->c.arg, fs->ops->socket_fd(fs, take_socket), on_ready, k);
		r = k->watch ? p9_fid_new(s, newfid, &f) : -P9_ENOMEM;
	}
	if (r < 0) {
		if (k && k->watch)
			s->server->c.unwatch(k->watch);
		fs->ops->socket_close(fs, take_socket);
		free(k);
		return r;
	}
	f->state = P9_FID_SOCKET;
	f->export = from->export;
	f->uid = from->uid;
	f->u.socket = k;
	s->server->sockets++;
	return 0;
}

void p9_socket_close(struct p9_fid *f)
{
	struct p9_socket *k = f->u.socket;

	k->session->server->c.unwatch(k->watch);
	k->session->server->sockets--;
	f->export->fs->ops->socket_close(f->export->fs, k->socket);
	free(k);
}

static int get_socket(struct sk_9p_session *s, uint32_t id, struct p9_fid **ret_fid)
{
	*ret_fid = p9_fid_find(s, id);
	return *ret_fid && (*ret_fid)->state == P9_FID_SOCKET ? 0 : -P9_EBADF;
}

/* The answer to what would wait: an event follows. */
static int blocked(struct p9_req *q, struct p9_fid *f, unsigned events)
{
	int r = q->s->server->c.want(f->u.socket->watch, events);

	return r < 0 ? r : -P9_EAGAIN;
}

static bool is_type(uint32_t type)
{
	return type == P9_SOCK_STREAM || type == P9_SOCK_DGRAM || type == P9_SOCK_SEQPACKET;
}

int p9_do_connect(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, q->t.u.socket.gid };
	uint32_t type = q->t.u.socket.type;
	struct sk_9p_socket *socket;
	struct p9_fid *f;
	int r = p9_fid_get(q->s, q->t.u.socket.fid, &f);

	if (r == 0)
		r = check_new(q->s, f, q->t.u.socket.newfid);
	if (r == 0 && !is_type(type) && type != P9_FIFO_READ && type != P9_FIFO_WRITE)
		r = -P9_EINVAL;
	if (r < 0)
		return r;
	cred.uid = f->uid;
	r = f->export->fs->ops->connect(f->export->fs, &cred, f->node, type, &socket);
	return r < 0 ? r : new_fid(q->s, f, q->t.u.socket.newfid, socket);
}

int p9_do_bind(struct p9_req *q)
{
	struct sk_9p_cred cred = { 0, q->t.u.socket.gid };
	char name[P9_NAME_MAX + 1];
	struct sk_9p_socket *socket;
	struct sk_9p_fs *fs;
	struct p9_fid *f;
	int r = p9_fid_get_rw(q->s, q->t.u.socket.fid, &f);

	if (r == 0)
		r = check_new(q->s, f, q->t.u.socket.newfid);
	if (r == 0 && !is_type(q->t.u.socket.type))
		r = -P9_EINVAL;
	if (r == 0)
		r = f->qtype & P9_QTDIR ? p9_name(&q->t.u.socket.name, name) : -P9_ENOTDIR;
	if (r < 0)
		return r;
	fs = f->export->fs;
	cred.uid = f->uid;
	r = fs->ops->bind(fs, &cred, f->node, name, q->t.u.socket.mode & 07777, q->t.u.socket.type, &q->r.u.qid,
			  &socket);
	if (r < 0)
		return r;
	r = new_fid(q->s, f, q->t.u.socket.newfid, socket);
	if (r < 0)
		(void)fs->ops->unlink(fs, &cred, f->node, name, false);
	return r;
}

int p9_do_listen(struct p9_req *q)
{
	struct p9_fid *f;
	int r = get_socket(q->s, q->t.u.socket.fid, &f);

	if (r == 0)
		r = f->export->fs->ops->listen(f->export->fs, f->u.socket->socket, q->t.u.socket.backlog);
	return r < 0 ? r : q->s->server->c.want(f->u.socket->watch, P9_READABLE);
}

int p9_do_accept(struct p9_req *q)
{
	struct sk_9p_cred cred = { P9_NOBODY, P9_NOBODY };
	struct sk_9p_socket *socket;
	struct p9_fid *f;
	int r = get_socket(q->s, q->t.u.socket.fid, &f);

	if (r == 0)
		r = check_new(q->s, f, q->t.u.socket.newfid);
	if (r < 0)
		return r;
	r = f->export->fs->ops->accept(f->export->fs, f->u.socket->socket, &socket, &cred);
	if (r == -P9_EAGAIN)
		r = blocked(q, f, P9_READABLE);
	q->r.u.socket.uid = cred.uid;
	q->r.u.socket.gid = cred.gid;
	return r < 0 ? r : new_fid(q->s, f, q->t.u.socket.newfid, socket);
}

int p9_do_shutdown(struct p9_req *q)
{
	struct p9_fid *f;
	int r = get_socket(q->s, q->t.u.socket.fid, &f);

	if (r == 0 && q->t.u.socket.how > P9_SHUT_RDWR)
		r = -P9_EINVAL;
	return r < 0 ? r : f->export->fs->ops->shutdown(f->export->fs, f->u.socket->socket, q->t.u.socket.how);
}

int64_t p9_socket_read(struct p9_req *q, struct p9_fid *f, uint32_t count)
{
	struct sk_9p_fs *fs = f->export->fs;
	struct sk_iov *in = q->in;
	unsigned n_in = sk_iov_cut(&in, q->n_in, P9_RREAD_HEADER, count);
	int64_t n = count ? fs->ops->receive(fs, f->u.socket->socket, in, n_in) : -P9_EINVAL;

	return n == -P9_EAGAIN ? blocked(q, f, P9_READABLE) : n;
}

int64_t p9_socket_write(struct p9_req *q, struct p9_fid *f, uint32_t count)
{
	struct sk_9p_fs *fs = f->export->fs;
	struct sk_iov *out = q->out;
	unsigned n_out = sk_iov_cut(&out, q->n_out, P9_TWRITE_HEADER, count);
	int64_t n = fs->ops->send(fs, f->u.socket->socket, out, n_out);

	return n == -P9_EAGAIN ? blocked(q, f, P9_WRITABLE) : n;
}
