/* SPDX-License-Identifier: Apache-2.0 */
/* Streams, and the messages of our own extension, against the file system in memory. */
#include "../sk_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/stream.h"
#include "server_fixture.h"

/* --- the stream */

static void stream_pieces(void **state)
{
	struct fixture *fx = *state;
	struct sk_9p_session_config config = { .exports = &fx->export, .n_exports = 1, .msize = 8192 };
	struct sk_9p_stream st;
	uint8_t buf[9000];
	struct p9_msg t, r;
	size_t i, n, len = 0;
	const uint8_t *out;

	make(&fx->b, 1, "f");
	assert_int_equal(cl_write(&fx->b, 1, 0, fx->a.out, 8000), 8000);
	assert_int_equal(sk_9p_stream_init(&st, fx->server, &config), 0);
	t = (struct p9_msg){ .type = P9_TVERSION, .tag = P9_NOTAG };
	t.u.version.msize = 8192;
	t.u.version.version = CL_STR("9P2000.L");
	len += (size_t)p9_encode(&t, buf + len, sizeof(buf) - len);
	t = (struct p9_msg){ .type = P9_TATTACH, .tag = 1 };
	t.u.attach.afid = P9_NOFID;
	t.u.attach.uname = t.u.attach.aname = CL_STR("");
	len += (size_t)p9_encode(&t, buf + len, sizeof(buf) - len);
	t = (struct p9_msg){ .type = P9_TWALK, .tag = 2 };
	t.u.walk.newfid = 1;
	t.u.walk.n = 1;
	t.u.walk.names[0] = CL_STR("f");
	len += (size_t)p9_encode(&t, buf + len, sizeof(buf) - len);
	t = (struct p9_msg){ .type = P9_TLOPEN, .tag = 3 };
	t.u.lopen.fid = 1;
	len += (size_t)p9_encode(&t, buf + len, sizeof(buf) - len);
	for (i = 0; i < 20; i++) {
		t = (struct p9_msg){ .type = P9_TREAD, .tag = (uint16_t)(10 + i) };
		t.u.read.fid = 1;
		t.u.read.count = 8000;
		len += (size_t)p9_encode(&t, buf + len, sizeof(buf) - len);
	}
	/* A byte at a time; the answers are not taken until the output is full. */
	for (i = 0; i < len; i++) {
		uint8_t *to = sk_9p_stream_room(&st, &n);

		assert_true(n > 0);
		*to = buf[i];
		sk_9p_stream_commit(&st, 1);
		assert_int_equal(sk_9p_stream_run(&st), 0);
	}
	for (i = 0; i < 24; i++) {
		out = sk_9p_stream_output(&st, &n);
		assert_true(n >= 7 && n >= p9_get32(out));
		assert_int_equal(p9_decode(out, p9_get32(out), &r), 0);
		assert_true(r.type != P9_RLERROR);
		assert_int_equal(r.tag, i == 0 ? P9_NOTAG : i < 4 ? i : i + 6);
		if (i >= 4) {
			assert_int_equal(r.u.data.count, 8000);
		}
		sk_9p_stream_sent(&st, p9_get32(out));
		assert_int_equal(sk_9p_stream_run(&st), 0);
	}
	sk_9p_stream_output(&st, &n);
	assert_int_equal(n, 0);
	memset(sk_9p_stream_room(&st, &n), 0xff, 8);
	sk_9p_stream_commit(&st, 8);
	assert_int_equal(sk_9p_stream_run(&st), -P9_EPROTO);
	sk_9p_stream_fini(&st);
}

static void stream_send(struct sk_9p_stream *st, struct p9_msg *t, uint16_t tag)
{
	uint8_t *to;
	size_t n;

	t->tag = tag;
	to = sk_9p_stream_room(st, &n);
	sk_9p_stream_commit(st, (size_t)p9_encode(t, to, n));
	assert_int_equal(sk_9p_stream_run(st), 0);
}

/* The next message of the output; its data stays there until the next one is sent. */
static void stream_get(struct sk_9p_stream *st, uint8_t type, uint16_t tag, struct p9_msg *ret_r)
{
	size_t n;
	const uint8_t *out = sk_9p_stream_output(st, &n);

	assert_true(n >= 7 && n >= p9_get32(out));
	assert_int_equal(p9_decode(out, p9_get32(out), ret_r), 0);
	assert_int_equal(ret_r->type, type);
	assert_int_equal(ret_r->tag, tag);
	sk_9p_stream_sent(st, p9_get32(out));
}

/* Long replies of the extension: a listing, and notices that come later. */
static void stream_ext(void **state)
{
	struct fixture *fx = *state;
	struct sk_9p_session_config config = { .exports = &fx->export, .n_exports = 1, .msize = 65536, .ext = true };
	struct sk_9p_event e = { .kind = P9_EVENT_CREATE, .dir = 42, .name = "a name of some length" };
	struct sk_9p_stream st;
	struct p9_msg t, r;
	char name[32];
	unsigned i;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "entry%u", i);
		assert_int_equal(cl_mknod(&fx->a, 0, name, 0100644, 0, 0), 0);
	}
	assert_int_equal(sk_9p_stream_init(&st, fx->server, &config), 0);
	t = (struct p9_msg){ .type = P9_TVERSION };
	t.u.version.msize = 65536;
	t.u.version.version = CL_STR(P9_VERSION_EXT);
	stream_send(&st, &t, P9_NOTAG);
	stream_get(&st, P9_RVERSION, P9_NOTAG, &r);
	t = (struct p9_msg){ .type = P9_TATTACH };
	t.u.attach.afid = P9_NOFID;
	t.u.attach.uname = t.u.attach.aname = CL_STR("");
	stream_send(&st, &t, 1);
	stream_get(&st, P9_RATTACH, 1, &r);
	t = (struct p9_msg){ .type = P9_TOPENX };
	t.u.look.newfid = 1;
	t.u.look.name = CL_STR("");
	stream_send(&st, &t, 2);
	stream_get(&st, P9_ROPENX, 2, &r);
	t = (struct p9_msg){ .type = P9_TNOTIFY };
	t.u.count = 32768;
	stream_send(&st, &t, 3);
	t = (struct p9_msg){ .type = P9_TREADDIRX };
	t.u.read.fid = 1;
	t.u.read.count = 60000;
	t.u.read.flags = P9_LIST_ATTRS;
	stream_send(&st, &t, 4);
	/* They come while the listing is not taken yet. */
	for (i = 0; i < 700; i++)
		sk_9p_session_event(st.session, &e);
	sk_9p_session_events_done(st.session);
	stream_get(&st, P9_RREADDIRX, 4, &r);
	assert_true(r.u.data.count > 200 * P9_DIRENTX_MIN);
	stream_get(&st, P9_RNOTIFY, 3, &r);
	assert_int_equal(r.u.data.count, 700 * (P9_EVENT_MIN + strlen(e.name)));
	sk_9p_stream_fini(&st);
}

/* --- the extension */

static void ext_only_where_agreed(void **state)
{
	struct fixture *fx = *state;
	struct p9_msg t = { .type = P9_TVERSION, .tag = P9_NOTAG };

	assert_int_equal(cl_look(&fx->a, P9_TLOOK, 0, P9_NOFID, "x", 0), -P9_EOPNOTSUPP);
	t.u.version.msize = CL_MSIZE;
	t.u.version.version = CL_STR(P9_VERSION_EXT);
	/* These sessions do not offer it: unknown, and the session waits for another. */
	assert_int_equal(cl_call(&fx->a, &t), 0);
	assert_memory_equal(fx->a.r.u.version.version.p, "unknown", 7);
	assert_int_equal(cl_version(&fx->a), 0);
}

static void ext_look_and_open(void **state)
{
	struct fixture *fx = *state;
	static struct client c;
	uint64_t stamp;

	assert_int_equal(start_ext(fx, &c), 0);
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "f", 0), 0);
	assert_int_equal(c.r.u.found.flags & P9_LOOK_EXISTS, 0);
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "..", 0), -P9_EINVAL);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 7, "f", P9_O_RDWR | P9_O_EXCL), 0);
	assert_int_equal(c.r.u.found.attr.mode & 0777, 0640);
	assert_int_equal(c.r.u.found.flags & P9_LOOK_FID, P9_LOOK_FID);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 7, "g", P9_O_RDWR), -P9_EBADF);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 8, "f", P9_O_RDWR | P9_O_EXCL), -P9_EEXIST);
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, 9, "f", 0), 0);
	/* A file gets no fid by being looked at, a directory does. */
	assert_int_equal(c.r.u.found.flags & (P9_LOOK_FID | P9_LOOK_EXISTS), P9_LOOK_EXISTS);
	stamp = c.r.u.found.attr.data_version;
	assert_int_equal(cl_clunk(&c, 9), -P9_EBADF);
	assert_int_equal(cl_look(&c, P9_TLOOK, 7, P9_NOFID, "f", 0), -P9_ENOTDIR);
	assert_int_equal(cl_look(&c, P9_TOPENX, 0, 10, "f", P9_O_RDONLY), 0);
	assert_true(c.r.u.found.attr.data_version > stamp);
	assert_int_equal(cl_look(&c, P9_TOPENX, 0, 11, "missing", P9_O_RDONLY), -P9_ENOENT);
	assert_int_equal(cl_look(&c, P9_TOPENX, 0, 11, "", P9_O_RDONLY | P9_O_DIRECTORY), 0);
	assert_int_equal(cl_look(&c, P9_TOPENX, 0, 12, "", P9_O_RDWR), -P9_EISDIR);
	assert_int_equal(cl_clunk(&c, 7), 0);
	assert_int_equal(cl_clunk(&c, 10), 0);
	assert_int_equal(cl_clunk(&c, 11), 0);
	assert_int_equal(sk_9p_session_fids(c.session), 1);
	sk_9p_session_free(c.session);
}

static void ext_write_tells_version(void **state)
{
	struct fixture *fx = *state;
	struct p9_msg t = { .type = P9_TWRITEX };
	static struct client c;
	uint32_t version;

	assert_int_equal(start_ext(fx, &c), 0);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 7, "f", P9_O_RDWR | P9_O_EXCL), 0);
	version = c.r.u.found.attr.qid.version;
	t.u.write.fid = 7;
	t.u.write.data = (struct p9_data){ (const uint8_t *)"hello", 5 };
	assert_int_equal(cl_call(&c, &t), 0);
	assert_int_equal(c.r.u.found.count, 5);
	assert_int_equal(c.r.u.found.pre, version);
	assert_int_equal(c.r.u.found.attr.size, 5);
	/* At the end, wherever that is. */
	t.tag = 0;
	t.u.write.offset = SK_9P_APPEND;
	t.u.write.data = (struct p9_data){ (const uint8_t *)"more", 4 };
	assert_int_equal(cl_call(&c, &t), 0);
	assert_int_equal(c.r.u.found.attr.size, 9);
	t = (struct p9_msg){ .type = P9_TSETATTRX };
	t.u.setattr.fid = 7;
	t.u.setattr.valid = P9_SETATTR_SIZE;
	t.u.setattr.size = 2;
	version = c.r.u.found.attr.qid.version;
	assert_int_equal(cl_call(&c, &t), 0);
	assert_int_equal(c.r.u.found.pre, version);
	assert_int_equal(c.r.u.found.attr.size, 2);
	t = (struct p9_msg){ .type = P9_TWRITEX };
	t.u.write.fid = 99;
	t.u.write.data = (struct p9_data){ (const uint8_t *)"x", 1 };
	assert_int_equal(cl_call(&c, &t), -P9_EBADF);
	sk_9p_session_free(c.session);
}

static int cl_list(struct client *c, uint32_t fid, uint64_t offset, uint32_t n, uint32_t flags)
{
	struct p9_msg t = { .type = P9_TREADDIRX };
	int r;

	t.u.read.fid = fid;
	t.u.read.offset = offset;
	t.u.read.count = n;
	t.u.read.flags = flags;
	r = cl_call(c, &t);
	return r < 0 ? r : (int)c->r.u.data.count;
}

/* Lists all; returns how many entries, and how many of them had attributes, all of them ones of empty files. */
static unsigned list_all(struct client *c, uint32_t fid, uint32_t chunk, uint32_t flags, unsigned *ret_attrs)
{
	uint64_t offset = 0, stamp = 0;
	uint32_t last = 0;
	unsigned count = 0;
	int n;

	*ret_attrs = 0;
	while (!last && (n = cl_list(c, fid, offset, chunk, flags)) > 0) {
		const uint8_t *p = c->r.u.data.p;
		size_t left = (size_t)n, used;
		struct p9_attr a;
		struct p9_str s;

		while (left && (used = p9_get_direntx(p, left, &last, &offset, &a, &s))) {
			assert_true(a.data_version > stamp);
			stamp = a.data_version;
			assert_true(s.p[0] == '.' ? (a.mode & 0170000) == 0040000 : (a.mode & 0170000) == 0100000);
			if (last & P9_LOOK_EXISTS) {
				assert_int_equal(a.mode, 0100644);
				assert_true(s.p[0] != '.');
				++*ret_attrs;
			}
			p += used;
			left -= used;
			count++;
			last &= P9_LOOK_LAST;
			assert_true(!last || !left);
		}
		assert_int_equal(left, 0);
	}
	assert_int_equal(last, P9_LOOK_LAST);
	/* And behind the end. */
	assert_int_equal(cl_list(c, fid, offset, chunk, flags), 0);
	return count;
}

static void ext_listing(void **state)
{
	struct fixture *fx = *state;
	static struct client c;
	unsigned i, attrs;
	char name[32];

	assert_int_equal(start_ext(fx, &c), 0);
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "entry%u", i);
		assert_int_equal(cl_mknod(&c, 0, name, 0100644, 0, 0), 0);
	}
	assert_int_equal(cl_list(&c, 0, 0, 1000, 0), -P9_EBADF);
	assert_int_equal(cl_look(&c, P9_TOPENX, 0, 1, "", P9_O_RDONLY), 0);
	assert_int_equal(cl_list(&c, 1, 0, 0, 0), -P9_EINVAL);
	assert_int_equal(cl_list(&c, 1, 0, 100, 0), -P9_EINVAL);
	assert_int_equal(cl_list(&c, 1, 0, 1000, 2), -P9_EINVAL);
	assert_int_equal(cl_list(&c, 99, 0, 1000, 0), -P9_EBADF);
	assert_int_equal(list_all(&c, 1, 200, 0, &attrs), 302);
	assert_int_equal(attrs, 0);
	assert_int_equal(list_all(&c, 1, 1000, P9_LIST_ATTRS, &attrs), 302);
	assert_int_equal(attrs, 300);
	assert_int_equal(list_all(&c, 1, 1u << 30, P9_LIST_ATTRS, &attrs), 302);
	assert_int_equal(cl_look(&c, P9_TOPENX, 0, 2, "entry1", P9_O_RDONLY), 0);
	assert_int_equal(cl_list(&c, 2, 0, 1000, 0), -P9_ENOTDIR);
	sk_9p_session_free(c.session);
}

static void ext_notices(void **state)
{
	struct fixture *fx = *state;
	struct sk_9p_event e = { .kind = P9_EVENT_CREATE, .dir = 42, .name = "new" };
	struct p9_msg t = { .type = P9_TNOTIFY };
	static struct client c;
	unsigned i;

	assert_int_equal(start_ext(fx, &c), 0);
	/* Before the client asks, nothing is kept. */
	sk_9p_session_event(c.session, &e);
	sk_9p_session_events_done(c.session);
	t.u.count = 4;
	assert_int_equal(cl_call(&c, &t), -P9_EINVAL);
	t = (struct p9_msg){ .type = P9_TNOTIFY, .tag = 77 };
	t.u.count = 1000;
	assert_int_equal(cl_call(&c, &t), 1); /* parked */
	t.tag = 78;
	assert_int_equal(cl_call(&c, &t), -P9_EINVAL); /* one is enough */
	sk_9p_session_event(c.session, &e);
	assert_int_equal(c.completed, 0);
	sk_9p_session_events_done(c.session);
	assert_int_equal(c.completed, 1);
	assert_int_equal(c.notice_len, P9_EVENT_MIN + 3);
	assert_int_equal(c.notice[0], P9_EVENT_CREATE);
	assert_int_equal(c.notice[2], 42);
	assert_memory_equal(c.notice + 20, "new", 3);
	/* Events that come while no request is parked are kept for the next one. */
	sk_9p_session_event(c.session, &e);
	sk_9p_session_events_done(c.session);
	t.tag = 79;
	assert_int_equal(cl_call(&c, &t), 0);
	assert_int_equal(c.r.u.data.count, P9_EVENT_MIN + 3);
	/* Too many events: one notice that they were lost. */
	for (i = 0; i < 5000; i++)
		sk_9p_session_event(c.session, &e);
	t.tag = 80;
	assert_int_equal(cl_call(&c, &t), 0);
	assert_int_equal(c.r.u.data.count, P9_EVENT_MIN);
	assert_int_equal(c.r.u.data.p[0], P9_EVENT_LOST);
	/* Events that just fit into the client's room are sent, not lost. */
	t.tag = 82;
	t.u.count = P9_EVENT_MIN + 3;
	assert_int_equal(cl_call(&c, &t), 1);
	c.completed = 0;
	sk_9p_session_event(c.session, &e);
	sk_9p_session_events_done(c.session);
	assert_int_equal(c.completed, 1);
	assert_int_equal(c.notice_len, P9_EVENT_MIN + 3);
	assert_int_equal(c.notice[0], P9_EVENT_CREATE);
	t.u.count = 1000;
	/* Flush answers it with nothing. */
	t.tag = 81;
	assert_int_equal(cl_call(&c, &t), 1);
	c.completed = 0;
	t = (struct p9_msg){ .type = P9_TFLUSH };
	t.u.oldtag = 81;
	assert_int_equal(cl_call(&c, &t), 0);
	assert_int_equal(c.completed, 1);
	assert_int_equal(c.notice_len, 0);
	/* A new session on the same transport gives it back as cancelled. */
	t = (struct p9_msg){ .type = P9_TNOTIFY, .tag = 83 };
	t.u.count = 1000;
	assert_int_equal(cl_call(&c, &t), 1);
	c.cancelled = 0;
	assert_int_equal(cl_version(&c), 0);
	assert_int_equal(c.cancelled, 1);
	sk_9p_session_free(c.session);
}

static struct client *told;

static void report(void)
{
	struct sk_9p_event e = { .kind = P9_EVENT_MODIFY, .dir = 42, .name = "f" };

	before_settled = NULL;
	sk_9p_session_event(told->session, &e);
	sk_9p_session_events_done(told->session);
}

/* Replies say whether all that others have done was told of before. */
static void ext_settled(void **state)
{
	struct fixture *fx = *state;
	struct sk_9p_event e = { .kind = P9_EVENT_CREATE, .dir = 42, .name = "new" };
	struct p9_msg t = { .type = P9_TNOTIFY, .tag = 77 };
	static struct client c;

	assert_int_equal(start_ext(fx, &c), 0);
	assert_int_equal(cl_mknod(&c, 0, "f", 0100644, 0, 0), 0);
	/* A client that asks for no notices is told of nothing. */
	settled = true;
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "f", 0), 0);
	assert_int_equal(c.r.u.found.flags, P9_LOOK_EXISTS);
	t.u.count = 1000;
	assert_int_equal(cl_call(&c, &t), 1); /* parked */
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "f", 0), 0);
	assert_int_equal(c.r.u.found.flags, P9_LOOK_EXISTS | P9_LOOK_SETTLED);
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "missing", 0), 0);
	assert_int_equal(c.r.u.found.flags, P9_LOOK_SETTLED);
	assert_int_equal(cl_look(&c, P9_TOPENX, 0, 5, "f", P9_O_RDONLY), 0);
	assert_int_equal(c.r.u.found.flags, P9_LOOK_EXISTS | P9_LOOK_FID | P9_LOOK_SETTLED);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 6, "g", P9_O_RDWR), 0);
	assert_true(c.r.u.found.flags & P9_LOOK_SETTLED);
	settled = false;
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "f", 0), 0);
	assert_int_equal(c.r.u.found.flags, P9_LOOK_EXISTS);
	/* What turns up while that is found out is told before the reply. */
	settled = true;
	told = &c;
	before_settled = report;
	c.completed = 0;
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "f", 0), 0);
	assert_int_equal(c.completed, 1);
	assert_int_equal(c.r.u.found.flags, P9_LOOK_EXISTS | P9_LOOK_SETTLED);
	/* What waits for the client's next Tnotify is not told yet. */
	sk_9p_session_event(c.session, &e);
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "f", 0), 0);
	assert_int_equal(c.r.u.found.flags, P9_LOOK_EXISTS);
	t.tag = 78;
	assert_int_equal(cl_call(&c, &t), 0);
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "f", 0), 0);
	assert_int_equal(c.r.u.found.flags, P9_LOOK_EXISTS | P9_LOOK_SETTLED);
	e.kind = P9_EVENT_LOST;
	sk_9p_session_event(c.session, &e);
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "f", 0), 0);
	assert_int_equal(c.r.u.found.flags, P9_LOOK_EXISTS);
	sk_9p_session_free(c.session);
}

static void ext_long_leases(void **state)
{
	struct fixture *fx = *state;
	static struct client c;
	struct p9_attr a;
	struct p9_str s;
	uint64_t offset;
	uint32_t flags, seen = 0;
	const uint8_t *p;
	size_t left, used;

	fx->export.long_leases = true;
	assert_int_equal(start_ext(fx, &c), 0);
	assert_int_equal(cl_mknod(&c, 0, "f", 0100644, 0, 0), 0);
	assert_int_equal(cl_look(&c, P9_TLOOK, 0, P9_NOFID, "f", 0), 0);
	assert_int_equal(c.r.u.found.flags, P9_LOOK_EXISTS | P9_LOOK_LONG);
	assert_int_equal(cl_look(&c, P9_TOPENX, 0, 1, "", P9_O_RDONLY), 0);
	assert_true(c.r.u.found.flags & P9_LOOK_LONG);
	left = (size_t)cl_list(&c, 1, 0, 1000, P9_LIST_ATTRS);
	for (p = c.r.u.data.p; left && (used = p9_get_direntx(p, left, &flags, &offset, &a, &s));
	     p += used, left -= used)
		if (s.p[0] == 'f')
			seen = flags;
	assert_int_equal(seen & (P9_LOOK_EXISTS | P9_LOOK_LONG), P9_LOOK_EXISTS | P9_LOOK_LONG);
	sk_9p_session_free(c.session);
}

static void ext_allocate(void **state)
{
	struct fixture *fx = *state;
	static struct client c;
	uint32_t version;

	assert_int_equal(cl_allocate(&fx->a, 0, 0, 0, 10), -P9_EOPNOTSUPP); /* not agreed on */
	assert_int_equal(start_ext(fx, &c), 0);
	assert_int_equal(cl_look(&c, P9_TCREATEX, 0, 7, "f", P9_O_RDWR | P9_O_EXCL), 0);
	assert_int_equal(cl_look(&c, P9_TOPENX, 0, 8, "f", P9_O_RDONLY), 0);
	assert_int_equal(cl_look(&c, P9_TOPENX, 0, 9, "", P9_O_RDONLY), 0);
	version = c.r.u.found.attr.qid.version;
	assert_int_equal(cl_write(&c, 7, 0, "0123456789", 10), 10);
	assert_int_equal(cl_getattr(&c, 7), 0);
	version = c.r.u.attr.qid.version;
	assert_int_equal(cl_allocate(&c, 7, 0, 0, 100), 0);
	assert_int_equal(c.r.u.found.pre, version);
	assert_int_equal(c.r.u.found.attr.size, 100);
	assert_int_equal(cl_allocate(&c, 7, P9_FALLOC_PUNCH_HOLE | P9_FALLOC_KEEP_SIZE, 2, 3), 0);
	assert_int_equal(cl_read(&c, 7, 0, 10), 10);
	assert_memory_equal(c.r.u.data.p,
			    "01\0\0\0"
			    "56789",
			    10);
	/* Ranges that overflow, flags that nobody knows, files that are not open for it. */
	assert_int_equal(cl_allocate(&c, 7, 0, 0, 0), -P9_EINVAL);
	assert_int_equal(cl_allocate(&c, 7, 0, UINT64_MAX, 1), -P9_EINVAL);
	assert_int_equal(cl_allocate(&c, 7, 0, 1, UINT64_MAX), -P9_EINVAL);
	assert_int_equal(cl_allocate(&c, 7, 0, INT64_MAX, 1), -P9_EFBIG);
	assert_int_equal(cl_allocate(&c, 7, 0x4000, 0, 1), -P9_EOPNOTSUPP);
	assert_int_equal(cl_allocate(&c, 7, 0, 0, 1u << 30), -P9_ENOSPC);
	assert_int_equal(cl_allocate(&c, 8, 0, 0, 1), -P9_EBADF);
	assert_int_equal(cl_allocate(&c, 9, 0, 0, 1), -P9_EBADF);
	assert_int_equal(cl_allocate(&c, 0, 0, 0, 1), -P9_EBADF);
	assert_int_equal(cl_seek(&c, 8, P9_SEEK_DATA, 5), 5);
	assert_int_equal(cl_seek(&c, 8, P9_SEEK_HOLE, 5), 100);
	assert_int_equal(cl_seek(&c, 8, P9_SEEK_HOLE, 100), -P9_ENXIO);
	assert_int_equal(cl_seek(&c, 8, P9_SEEK_DATA, UINT64_MAX), -P9_ENXIO);
	assert_int_equal(cl_seek(&c, 8, P9_SEEK_SET, UINT64_C(1) << 40), INT64_C(1) << 40);
	assert_int_equal(cl_seek(&c, 8, P9_SEEK_SET, UINT64_MAX), -P9_EFBIG);
	assert_int_equal(cl_seek(&c, 8, 1, 0), -P9_EINVAL);
	assert_int_equal(cl_seek(&c, 9, P9_SEEK_DATA, 0), -P9_EINVAL);
	assert_int_equal(cl_seek(&c, 99, P9_SEEK_DATA, 0), -P9_EBADF);
	fx->export.readonly = true;
	assert_int_equal(cl_allocate(&c, 7, 0, 0, 1), -P9_EROFS);
	assert_int_equal(cl_copy(&c, 8, 0, 7, 0, 1, 0), -P9_EROFS);
	assert_int_equal(cl_look(&c, P9_TTMPFILE, 0, 10, "", P9_O_RDWR), -P9_EROFS);
	assert_int_equal(cl_renamex(&c, 0, "f", 0, "g", P9_RENAME_NOREPLACE), -P9_EROFS);
	fx->export.readonly = false;
	sk_9p_session_free(c.session);
}

/* Requests that this file system refuses, and requests that are wrong on any. */
/* An attribute that is there already gets an empty value, or is removed: the flag tells which. */
static void ext_empty_attribute(void **state)
{
	struct fixture *fx = *state;
	static struct client client;
	struct client *c = &client;

	assert_int_equal(start_ext(fx, c), 0);
	assert_int_equal(cl_mknod(c, 0, "f", 0100644, 0, 0), 0);
	assert_int_equal(cl_walk(c, 0, 1, "f"), 0);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "", 0, P9_XATTR_REPLACE | P9_XATTR_FLAG_EMPTY), -P9_ENODATA);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "value", 5, 0), 0);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "", 0, P9_XATTR_REPLACE | P9_XATTR_FLAG_EMPTY), 0);
	assert_int_equal(cl_xattr_get(c, 1, "user.x"), 0);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "", 0, P9_XATTR_CREATE | P9_XATTR_FLAG_EMPTY), -P9_EEXIST);
	assert_int_equal(cl_xattr_set(c, 1, "user.x", "", 0, P9_XATTR_REPLACE), 0);
	assert_int_equal(cl_xattr_get(c, 1, "user.x"), -P9_ENODATA);
	sk_9p_session_free(c->session);
}

static void ext_renamex_and_more(void **state)
{
	struct fixture *fx = *state;
	struct p9_msg t = { .type = P9_TGETFLAGS };
	static struct client c;

	assert_int_equal(start_ext(fx, &c), 0);
	assert_int_equal(cl_mknod(&c, 0, "f", 0100644, 0, 0), 0);
	assert_int_equal(cl_mknod(&c, 0, "g", 0100644, 0, 0), 0);
	assert_int_equal(cl_renamex(&c, 0, "f", 0, "g", P9_RENAME_NOREPLACE), -P9_EEXIST);
	assert_int_equal(cl_renamex(&c, 0, "f", 0, "h", P9_RENAME_NOREPLACE), 0);
	assert_int_equal(cl_renamex(&c, 0, "f", 0, "h", 0), -P9_ENOENT);
	assert_int_equal(cl_renamex(&c, 0, "h", 0, "g", P9_RENAME_EXCHANGE | P9_RENAME_NOREPLACE), -P9_EINVAL);
	assert_int_equal(cl_renamex(&c, 0, "h", 0, "g", P9_RENAME_EXCHANGE | P9_RENAME_WHITEOUT), -P9_EINVAL);
	assert_int_equal(cl_renamex(&c, 0, "h", 0, "g", 8), -P9_EINVAL);
	assert_int_equal(cl_renamex(&c, 0, "h", 0, "..", 0), -P9_EINVAL);
	assert_int_equal(cl_renamex(&c, 0, "h", 0, "g", 0), 0);
	assert_int_equal(cl_look(&c, P9_TTMPFILE, 0, 10, "", P9_O_RDWR), -P9_EOPNOTSUPP);
	assert_int_equal(cl_look(&c, P9_TTMPFILE, 0, 10, "", P9_O_RDONLY), -P9_EINVAL);
	assert_int_equal(cl_look(&c, P9_TTMPFILE, 0, 0, "", P9_O_RDWR), -P9_EBADF);
	assert_int_equal(cl_look(&c, P9_TOPENX, 0, 1, "g", P9_O_RDWR), 0);
	assert_int_equal(cl_look(&c, P9_TTMPFILE, 1, 10, "", P9_O_RDWR), -P9_ENOTDIR);
	assert_int_equal(cl_copy(&c, 1, 0, 1, 0, 1, 0), -P9_EOPNOTSUPP);
	assert_int_equal(cl_copy(&c, 1, 0, 1, 0, 1, 2), -P9_EINVAL);
	assert_int_equal(cl_copy(&c, 1, UINT64_MAX, 1, 0, 1, 0), -P9_EINVAL);
	assert_int_equal(cl_copy(&c, 1, 0, 1, INT64_MAX, 1, 0), -P9_EINVAL);
	assert_int_equal(cl_copy(&c, 1, 0, 99, 0, 1, 0), -P9_EBADF);
	t.u.flags.fid = 1;
	assert_int_equal(cl_call(&c, &t), -P9_EOPNOTSUPP);
	t = (struct p9_msg){ .type = P9_TSETFLAGS };
	t.u.flags.fid = 1;
	assert_int_equal(cl_call(&c, &t), -P9_EINVAL);
	t = (struct p9_msg){ .type = P9_TSETFLAGS };
	t.u.flags.fid = 1;
	t.u.flags.valid = P9_FLAGS_FLAGS;
	assert_int_equal(cl_call(&c, &t), -P9_EOPNOTSUPP);
	sk_9p_session_free(c.session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(stream_pieces),	    T(stream_ext),  T(ext_only_where_agreed), T(ext_look_and_open),
		T(ext_write_tells_version), T(ext_listing), T(ext_notices),	      T(ext_allocate),
		T(ext_renamex_and_more),    T(ext_settled), T(ext_long_leases),	      T(ext_empty_attribute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
