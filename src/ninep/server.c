/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * sk_9p_request() copies the fixed part of a message out of the transport's buffers, decodes the copy, calls the
 * handler of its type and encodes the reply into the transport's buffers. It all happens inside that call, in the order
 * of arrival: there are no threads and no queues, so a Twrite that came first is on the host before a Tgetattr behind
 * it is looked at, and a Tflush finds its request answered. File data is never copied: the back end gets the segments
 * themselves.
 *
 * The one request that waits is a blocking Tlock (ops_lock.c). It is parked: the transport gets its answer through
 * complete().
 *
 * Bounds, per session: fids, parked requests, bytes of extended attributes, the scratch buffer of listings (msize).
 * Locks: per server. Nothing else is allocated on behalf of a client; what a fid holds in the back end is the back
 * end's to bound.
 *
 * Errors: a request that makes no sense gets Rlerror. Only a transport that cannot be answered (no whole header, no
 * room for an Rlerror) is reported as broken.
 *
 * Lifetime: fids belong to the session; nodes and files to fids; lockfiles are shared by the fids of all sessions. A
 * waiter holds its fid by pointer and is removed with it.
 */
#include <stdlib.h>
#include <string.h>

#include "ninep/server_internal.h"

typedef int (*handler)(struct p9_req *q);

static const handler handlers[P9_TYPES] = {
	[P9_TSTATFS] = p9_do_statfs,
	[P9_TLOPEN] = p9_do_lopen,
	[P9_TLCREATE] = p9_do_lcreate,
	[P9_TSYMLINK] = p9_do_symlink,
	[P9_TMKNOD] = p9_do_mknod,
	[P9_TRENAME] = p9_do_rename,
	[P9_TREADLINK] = p9_do_readlink,
	[P9_TGETATTR] = p9_do_getattr,
	[P9_TSETATTR] = p9_do_setattr,
	[P9_TXATTRWALK] = p9_do_xattrwalk,
	[P9_TXATTRCREATE] = p9_do_xattrcreate,
	[P9_TREADDIR] = p9_do_readdir,
	[P9_TFSYNC] = p9_do_fsync,
	[P9_TLOCK] = p9_do_lock,
	[P9_TGETLOCK] = p9_do_getlock,
	[P9_TLINK] = p9_do_link,
	[P9_TMKDIR] = p9_do_mkdir,
	[P9_TRENAMEAT] = p9_do_renameat,
	[P9_TUNLINKAT] = p9_do_unlinkat,
	[P9_TLOOK] = p9_do_look,
	[P9_TOPENX] = p9_do_openx,
	[P9_TCREATEX] = p9_do_createx,
	[P9_TWRITEX] = p9_do_writex,
	[P9_TSETATTRX] = p9_do_setattrx,
	[P9_TNOTIFY] = p9_do_notify,
	[P9_TREADDIRX] = p9_do_readdirx,
	[P9_TVERSION] = p9_do_version,
	[P9_TAUTH] = p9_do_auth,
	[P9_TATTACH] = p9_do_attach,
	[P9_TFLUSH] = p9_do_flush,
	[P9_TWALK] = p9_do_walk,
	[P9_TREAD] = p9_do_read,
	[P9_TWRITE] = p9_do_write,
	[P9_TCLUNK] = p9_do_clunk,
	[P9_TREMOVE] = p9_do_remove,
	[P9_TALLOCATE] = p9_do_allocate,
	[P9_TSEEK] = p9_do_seek,
	[P9_TRENAMEX] = p9_do_renamex,
	[P9_TTMPFILE] = p9_do_tmpfile,
	[P9_TCOPY] = p9_do_copy,
	[P9_TGETFLAGS] = p9_do_getflags,
	[P9_TWATCH] = p9_do_watch,
	[P9_TSETFLAGS] = p9_do_setflags,
	[P9_TCONNECT] = p9_do_connect,
	[P9_TBIND] = p9_do_bind,
	[P9_TLISTEN] = p9_do_listen,
	[P9_TACCEPT] = p9_do_accept,
	[P9_TSHUTDOWN] = p9_do_shutdown,
};

static uint64_t no_clock(void *arg)
{
	(void)arg;
	return 0;
}

static void no_timer(void *arg, uint64_t ms)
{
	(void)arg;
	(void)ms;
}

int sk_9p_server_new(const struct sk_9p_server_config *config, struct sk_9p_server **ret_server)
{
	struct sk_9p_server *sv = calloc(1, sizeof(*sv));

	if (!sv)
		return -P9_ENOMEM;
	sv->c = *config;
	if (!sv->c.max_fids)
		sv->c.max_fids = 262144;
	if (!sv->c.max_parked)
		sv->c.max_parked = 32;
	if (!sv->c.max_locks)
		sv->c.max_locks = 16384;
	if (!sv->c.max_sockets)
		sv->c.max_sockets = 1024;
	if (!sv->c.lock_wait_ms)
		sv->c.lock_wait_ms = 1000;
	if (!sv->c.now_ms)
		sv->c.now_ms = no_clock;
	if (!sv->c.set_timer)
		sv->c.set_timer = no_timer;
	sv->waiters_end = &sv->waiters;
	if (sk_9p_locks_new(sv->c.max_locks, &sv->locks) < 0) {
		free(sv);
		return -P9_ENOMEM;
	}
	*ret_server = sv;
	return 0;
}

void sk_9p_server_free(struct sk_9p_server *sv)
{
	if (!sv)
		return;
	sk_9p_locks_free(sv->locks);
	free(sv);
}

int sk_9p_session_new(struct sk_9p_server *server, const struct sk_9p_session_config *config,
		      struct sk_9p_session **ret_session)
{
	struct sk_9p_session *s = calloc(1, sizeof(*s));

	if (!s)
		return -P9_ENOMEM;
	s->server = server;
	s->c = *config;
	if (s->c.msize < P9_MSIZE_MIN)
		s->c.msize = 512000;
	s->msize = s->c.msize;
	server->sessions++;
	*ret_session = s;
	return 0;
}

void sk_9p_session_reset(struct sk_9p_session *s, bool answer)
{
	p9_lock_forget(s, answer);
	p9_fid_clunk_all(s);
	if (answer && s->notices && s->notices->parked)
		s->c.complete(s->c.arg, s->notices->token, NULL, 0);
	free(s->notices);
	s->notices = NULL;
	s->ready = s->ext = false;
	s->msize = s->c.msize;
}

void sk_9p_session_free(struct sk_9p_session *s)
{
	if (!s)
		return;
	sk_9p_session_reset(s, false);
	s->server->sessions--;
	free(s->scratch);
	free(s);
}

uint32_t sk_9p_session_msize(const struct sk_9p_session *s)
{
	return s->msize;
}

unsigned sk_9p_session_fids(const struct sk_9p_session *s)
{
	return s->n_fids;
}

unsigned sk_9p_session_parked(const struct sk_9p_session *s)
{
	return s->n_parked;
}

int p9_name(const struct p9_str *s, char ret_name[P9_NAME_MAX + 1])
{
	if (s->len > P9_NAME_MAX)
		return -P9_ENAMETOOLONG;
	if (s->len == 0 || memchr(s->p, '/', s->len) || memchr(s->p, 0, s->len))
		return -P9_EINVAL;
	if (s->p[0] == '.' && (s->len == 1 || (s->len == 2 && s->p[1] == '.')))
		return -P9_EINVAL;
	memcpy(ret_name, s->p, s->len);
	ret_name[s->len] = 0;
	return 0;
}

/* --- requests */

/* Of our extension. */
static bool is_ext(uint8_t type)
{
	return (type >= P9_TLOOK && type < P9_TVERSION) || type >= P9_TALLOCATE;
}

static int dispatch(struct p9_req *q, int decoded)
{
	struct sk_9p_session *s = q->s;

	if (decoded < 0)
		return decoded == -P9_EOPNOTSUPP ? decoded : -P9_EINVAL;
	if (!handlers[q->t.type] || (!s->ext && is_ext(q->t.type)))
		return -P9_EOPNOTSUPP;
	if (!s->ready && q->t.type != P9_TVERSION)
		return -P9_EPROTO;
	/* A tag that waits must not be used again before its answer. */
	if (s->n_parked && q->t.type != P9_TVERSION && p9_lock_tag_in_use(s, q->t.tag))
		return -P9_EINVAL;
	return handlers[q->t.type](q);
}

/* Writes the reply (or the error `r`) in front of any data that is already there. Returns its length or -P9_EPROTO. */
static int64_t reply(struct p9_req *q, int r, uint8_t *buf, size_t cap)
{
	struct p9_msg error;
	long n;

	if (r == 0) {
		q->r.type = (uint8_t)(q->t.type + 1);
		q->r.tag = q->t.tag;
		n = p9_encode(&q->r, buf, cap);
		if (n > 0 && p9_get32(buf) <= q->in_len) {
			sk_iov_put(q->in, q->n_in, 0, buf, (size_t)n);
			return p9_get32(buf);
		}
		r = -P9_EMSGSIZE;
	}
	if (q->in_len < P9_RLERROR_SIZE)
		return -P9_EPROTO;
	error.type = P9_RLERROR;
	error.tag = q->t.tag;
	error.u.ecode = (uint32_t)-r;
	n = p9_encode(&error, buf, cap);
	sk_iov_put(q->in, q->n_in, 0, buf, (size_t)n);
	return n;
}

/* Copies the segments that hold the header in front of data: the read uses up the list. Returns how many; 0: they are
 * too short. */
static unsigned keep_head(const struct sk_iov *in, unsigned n_in, struct sk_iov ret_head[P9_RREAD_HEADER])
{
	size_t have = 0;
	unsigned n = 0;

	while (n < P9_RREAD_HEADER && n < n_in && have < P9_RREAD_HEADER) {
		ret_head[n] = in[n];
		have += in[n++].len;
	}
	return have >= P9_RREAD_HEADER ? n : 0;
}

int64_t sk_9p_request(struct sk_9p_session *s, struct sk_iov *out, unsigned n_out, struct sk_iov *in, unsigned n_in,
		      uint64_t token)
{
	uint8_t buf[P9_REQUEST_MAX], text[P9_RREADLINK_MAX];
	struct p9_req q = { .s = s, .token = token, .text = text };
	size_t out_len = sk_iov_len(out, n_out), size, avail;
	struct sk_iov head[P9_RREAD_HEADER];
	unsigned n_head;
	int r;

	if (sk_iov_get(out, n_out, 0, buf, P9_HEADER) < P9_HEADER || s->dead)
		return -P9_EPROTO;
	size = p9_get32(buf);
	if (size < P9_HEADER || size > out_len)
		return -P9_EPROTO;
	q.t.type = buf[4];
	q.t.tag = p9_get16(buf + 5);
	q.out = out;
	q.n_out = n_out;
	q.in = in;
	q.n_in = n_in;
	q.in_len = sk_iov_len(in, n_in);
	avail = (q.t.type == P9_TWRITE || q.t.type == P9_TWRITEX) && size > P9_TWRITE_HEADER ? P9_TWRITE_HEADER : size;
	if (size > s->msize)
		return reply(&q, -P9_EMSGSIZE, buf, sizeof(buf));
	if (avail > sizeof(buf))
		return reply(&q, -P9_ENAMETOOLONG, buf, sizeof(buf));
	if (avail > P9_HEADER)
		sk_iov_get(out, n_out, P9_HEADER, buf + P9_HEADER, avail - P9_HEADER);
	if (q.t.type == P9_TREAD) {
		n_head = keep_head(in, n_in, head);
		if (n_head == 0)
			return -P9_EPROTO;
		r = dispatch(&q, p9_decode(buf, avail, &q.t));
		q.in = head;
		q.n_in = n_head;
	} else {
		r = dispatch(&q, p9_decode(buf, avail, &q.t));
	}
	if (s->dead)
		return -P9_EPROTO;
	if (r == P9_PARKED)
		return 0;
	return reply(&q, r, buf, sizeof(buf));
}
