/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_P9_CLIENT_H
#define SK_TESTS_P9_CLIENT_H

/*
 * A small 9P client for tests: builds messages with the codec, hands them to a session as scattered buffers, decodes
 * the reply. Calls return 0 or the negative errno of Rlerror.
 */
#include <stdlib.h>
#include <string.h>

#include "ninep/codec.h"
#include "ninep/server.h"

#define CL_MSIZE 65536u

struct client {
	struct sk_9p_session *session;
	uint8_t out[CL_MSIZE], in[CL_MSIZE];
	struct p9_msg r;
	uint16_t tag;
	/* parked requests that were answered: */
	unsigned completed, cancelled;
	uint64_t last_token;
	int last_status; /* of the lock; negative: Rlerror */
	uint8_t notice[4096];
	size_t notice_len;
	uint64_t token;
	int64_t reply_len;
};

static inline void cl_complete(void *arg, uint64_t token, const void *reply, size_t len)
{
	struct client *c = (struct client *)arg;
	struct p9_msg m;

	c->last_token = token;
	if (!len) {
		c->cancelled++;
		return;
	}
	c->completed++;
	if (p9_decode((const uint8_t *)reply, len, &m) < 0)
		return;
	if (m.type == P9_RNOTIFY && m.u.data.count <= sizeof(c->notice)) {
		c->notice_len = m.u.data.count;
		memcpy(c->notice, m.u.data.p, m.u.data.count);
	} else
		c->last_status = m.type == P9_RLOCK ? m.u.status : -(int)m.u.ecode;
}

/* Sends `len` bytes that are already in c->out, cut into `cut`-byte segments (0: one). P9_PARKED-like 1: parked. */
static inline int cl_raw(struct client *c, size_t len, size_t cut)
{
	struct sk_iov out[64], in[3] = { { c->in, 11 }, { c->in + 11, 4085 }, { c->in + 4096, sizeof(c->in) - 4096 } };
	unsigned n = 0;
	size_t off = 0;

	while (off < len && n < 63 && cut) {
		size_t now = len - off < cut ? len - off : cut;

		out[n++] = (struct sk_iov){ c->out + off, now };
		off += now;
	}
	if (off < len || n == 0)
		out[n++] = (struct sk_iov){ c->out + off, len - off };
	c->reply_len = sk_9p_request(c->session, out, n, in, 3, ++c->token);
	if (c->reply_len < 0)
		return -1000;
	if (c->reply_len == 0)
		return 1;
	if (p9_decode(c->in, (size_t)c->reply_len, &c->r) < 0)
		return -1001;
	return c->r.type == P9_RLERROR ? -(int)c->r.u.ecode : 0;
}

static inline int cl_call(struct client *c, struct p9_msg *t)
{
	long n;

	if (!t->tag)
		t->tag = c->tag = (uint16_t)(c->tag % 1000 + 1);
	n = p9_encode(t, c->out, sizeof(c->out));
	if (n < 0)
		return -1002;
	return cl_raw(c, (size_t)n, 50);
}

#define CL_STR(s) ((struct p9_str){ (s), (uint16_t)strlen(s) })

static inline int cl_version(struct client *c)
{
	struct p9_msg t = { .type = P9_TVERSION, .tag = P9_NOTAG };

	t.u.version.msize = CL_MSIZE;
	t.u.version.version = CL_STR("9P2000.L");
	return cl_call(c, &t);
}

static inline int cl_attach(struct client *c, uint32_t fid, uint32_t uid, const char *aname)
{
	struct p9_msg t = { .type = P9_TATTACH };

	t.u.attach.fid = fid;
	t.u.attach.afid = P9_NOFID;
	t.u.attach.uname = CL_STR("");
	t.u.attach.aname = CL_STR(aname);
	t.u.attach.n_uname = uid;
	return cl_call(c, &t);
}

/* `path`: names with "/" between; "" clones. Partial: -P9_ENOENT. */
static inline int cl_walk(struct client *c, uint32_t fid, uint32_t newfid, const char *path)
{
	struct p9_msg t = { .type = P9_TWALK };
	int r;

	t.u.walk.fid = fid;
	t.u.walk.newfid = newfid;
	while (*path && t.u.walk.n < P9_MAXWALK) {
		size_t n = strcspn(path, "/");

		t.u.walk.names[t.u.walk.n++] = (struct p9_str){ path, (uint16_t)n };
		path += n + (path[n] == '/');
	}
	r = cl_call(c, &t);
	return r == 0 && c->r.u.rwalk.n < t.u.walk.n ? -P9_ENOENT : r;
}

static inline int cl_fid(struct client *c, uint8_t type, uint32_t fid)
{
	struct p9_msg t = { .type = type };

	t.u.fid = fid;
	return cl_call(c, &t);
}

static inline int cl_clunk(struct client *c, uint32_t fid)
{
	return cl_fid(c, P9_TCLUNK, fid);
}

static inline int cl_open(struct client *c, uint32_t fid, uint32_t flags)
{
	struct p9_msg t = { .type = P9_TLOPEN };

	t.u.lopen.fid = fid;
	t.u.lopen.flags = flags;
	return cl_call(c, &t);
}

static inline int cl_create(struct client *c, uint32_t fid, const char *name, uint32_t flags, uint32_t mode,
			    uint32_t gid)
{
	struct p9_msg t = { .type = P9_TLCREATE };

	t.u.lcreate.fid = fid;
	t.u.lcreate.name = CL_STR(name);
	t.u.lcreate.flags = flags;
	t.u.lcreate.mode = mode;
	t.u.lcreate.gid = gid;
	return cl_call(c, &t);
}

/* Bytes written or negative errno. */
static inline int cl_write(struct client *c, uint32_t fid, uint64_t offset, const void *p, uint32_t n)
{
	struct p9_msg t = { .type = P9_TWRITE };
	int r;

	t.u.write.fid = fid;
	t.u.write.offset = offset;
	t.u.write.data = (struct p9_data){ (const uint8_t *)p, n };
	r = cl_call(c, &t);
	return r < 0 ? r : (int)c->r.u.count;
}

/* Bytes read, at c->r.u.data.p. */
static inline int cl_read(struct client *c, uint32_t fid, uint64_t offset, uint32_t n)
{
	struct p9_msg t = { .type = P9_TREAD };
	int r;

	t.u.read.fid = fid;
	t.u.read.offset = offset;
	t.u.read.count = n;
	r = cl_call(c, &t);
	return r < 0 ? r : (int)c->r.u.data.count;
}

static inline int cl_readdir(struct client *c, uint32_t fid, uint64_t offset, uint32_t n)
{
	struct p9_msg t = { .type = P9_TREADDIR };
	int r;

	t.u.read.fid = fid;
	t.u.read.offset = offset;
	t.u.read.count = n;
	r = cl_call(c, &t);
	return r < 0 ? r : (int)c->r.u.data.count;
}

static inline int cl_getattr(struct client *c, uint32_t fid)
{
	struct p9_msg t = { .type = P9_TGETATTR };

	t.u.getattr.fid = fid;
	t.u.getattr.mask = 0xfff;
	return cl_call(c, &t);
}

static inline int cl_mkdir(struct client *c, uint32_t fid, const char *name, uint32_t mode, uint32_t gid)
{
	struct p9_msg t = { .type = P9_TMKDIR };

	t.u.mkdir.fid = fid;
	t.u.mkdir.name = CL_STR(name);
	t.u.mkdir.mode = mode;
	t.u.mkdir.gid = gid;
	return cl_call(c, &t);
}

static inline int cl_symlink(struct client *c, uint32_t fid, const char *name, const char *target)
{
	struct p9_msg t = { .type = P9_TSYMLINK };

	t.u.symlink.fid = fid;
	t.u.symlink.name = CL_STR(name);
	t.u.symlink.target = CL_STR(target);
	return cl_call(c, &t);
}

static inline int cl_mknod(struct client *c, uint32_t fid, const char *name, uint32_t mode, uint32_t major,
			   uint32_t minor)
{
	struct p9_msg t = { .type = P9_TMKNOD };

	t.u.mknod.fid = fid;
	t.u.mknod.name = CL_STR(name);
	t.u.mknod.mode = mode;
	t.u.mknod.major = major;
	t.u.mknod.minor = minor;
	return cl_call(c, &t);
}

static inline int cl_link(struct client *c, uint32_t dfid, uint32_t fid, const char *name)
{
	struct p9_msg t = { .type = P9_TLINK };

	t.u.rename.dfid = dfid;
	t.u.rename.fid = fid;
	t.u.rename.name = CL_STR(name);
	return cl_call(c, &t);
}

static inline int cl_renameat(struct client *c, uint32_t olddir, const char *oldname, uint32_t newdir,
			      const char *newname)
{
	struct p9_msg t = { .type = P9_TRENAMEAT };

	t.u.renameat.oldfid = olddir;
	t.u.renameat.oldname = CL_STR(oldname);
	t.u.renameat.newfid = newdir;
	t.u.renameat.newname = CL_STR(newname);
	return cl_call(c, &t);
}

static inline int cl_unlinkat(struct client *c, uint32_t fid, const char *name, uint32_t flags)
{
	struct p9_msg t = { .type = P9_TUNLINKAT };

	t.u.unlinkat.fid = fid;
	t.u.unlinkat.name = CL_STR(name);
	t.u.unlinkat.flags = flags;
	return cl_call(c, &t);
}

/* 0-3: status; 1000: parked; negative errno. */
static inline int cl_lock(struct client *c, uint32_t fid, uint8_t type, uint32_t flags, uint64_t start, uint64_t length,
			  uint32_t proc)
{
	struct p9_msg t = { .type = P9_TLOCK };
	int r;

	t.u.lock.fid = fid;
	t.u.lock.type = type;
	t.u.lock.flags = flags;
	t.u.lock.start = start;
	t.u.lock.length = length;
	t.u.lock.proc_id = proc;
	t.u.lock.client_id = CL_STR("guest");
	r = cl_call(c, &t);
	return r == 1 ? 1000 : r < 0 ? r : c->r.u.status;
}

/* Type of what is in the way. */
static inline int cl_getlock(struct client *c, uint32_t fid, uint64_t start, uint64_t length, uint32_t proc)
{
	struct p9_msg t = { .type = P9_TGETLOCK };
	int r;

	t.u.lock.fid = fid;
	t.u.lock.type = P9_LOCK_UNLCK;
	t.u.lock.start = start;
	t.u.lock.length = length;
	t.u.lock.proc_id = proc;
	t.u.lock.client_id = CL_STR("guest");
	r = cl_call(c, &t);
	return r < 0 ? r : c->r.u.lock.type;
}

static inline int cl_flush(struct client *c, uint16_t oldtag)
{
	struct p9_msg t = { .type = P9_TFLUSH };

	t.u.oldtag = oldtag;
	return cl_call(c, &t);
}

/* The value's length; the value at c->r.u.data.p. Uses fid 9999. */
static inline int cl_xattr_get(struct client *c, uint32_t fid, const char *name)
{
	struct p9_msg t = { .type = P9_TXATTRWALK };
	uint32_t size;
	int r;

	t.u.xattrwalk.fid = fid;
	t.u.xattrwalk.newfid = 9999;
	t.u.xattrwalk.name = CL_STR(name);
	r = cl_call(c, &t);
	if (r < 0)
		return r;
	size = (uint32_t)c->r.u.size;
	r = cl_clunk(c, 9999);
	if (r < 0)
		return r;
	t.tag = 0;
	r = cl_call(c, &t);
	if (r < 0)
		return r;
	r = cl_read(c, 9999, 0, size);
	if (r >= 0) {
		/* The clunk's reply would overwrite it. */
		static uint8_t copy[CL_MSIZE];

		memcpy(copy, c->r.u.data.p, (size_t)r);
		cl_clunk(c, 9999);
		c->r.u.data.p = copy;
	}
	return r;
}

static inline int cl_xattr_set(struct client *c, uint32_t fid, const char *name, const void *value, uint32_t len,
			       uint32_t flags)
{
	struct p9_msg t = { .type = P9_TXATTRCREATE };
	int r = cl_walk(c, fid, 9999, "");

	if (r < 0)
		return r;
	t.u.xattrcreate.fid = 9999;
	t.u.xattrcreate.name = CL_STR(name);
	t.u.xattrcreate.size = len;
	t.u.xattrcreate.flags = flags;
	r = cl_call(c, &t);
	if (r == 0 && len) {
		r = cl_write(c, 9999, 0, value, len);
		if (r >= 0)
			r = 0;
	}
	if (r < 0) {
		cl_clunk(c, 9999);
		return r;
	}
	return cl_clunk(c, 9999);
}

/* A session on `export`, with fid 0 attached to its root for `uid`. */
static inline int cl_start(struct client *c, struct sk_9p_server *server, const struct sk_9p_export *export,
			   uint32_t uid)
{
	struct sk_9p_session_config config = {
		.exports = export, .n_exports = 1, .msize = CL_MSIZE, .complete = cl_complete, .arg = c
	};
	int r;

	memset(c, 0, sizeof(*c));
	r = sk_9p_session_new(server, &config, &c->session);
	if (r == 0)
		r = cl_version(c);
	return r == 0 ? cl_attach(c, 0, uid, "") : r;
}

/* The same with the extension; for replies that are parked, too. */
static inline int cl_start_ext(struct client *c, struct sk_9p_server *server, const struct sk_9p_export *export,
			       uint32_t uid)
{
	struct sk_9p_session_config config = {
		.exports = export, .n_exports = 1, .msize = CL_MSIZE, .ext = true, .complete = cl_complete, .arg = c
	};
	struct p9_msg t = { .type = P9_TVERSION, .tag = P9_NOTAG };
	int r;

	memset(c, 0, sizeof(*c));
	if (sk_9p_session_new(server, &config, &c->session) < 0)
		return -1;
	t.u.version.msize = CL_MSIZE;
	t.u.version.version = CL_STR(P9_VERSION_EXT);
	r = cl_call(c, &t);
	if (r == 0 && c->r.u.version.version.len != strlen(P9_VERSION_EXT))
		return -1;
	return r < 0 ? r : cl_attach(c, 0, uid, "");
}

/* Tlook Topenx Tcreatex Ttmpfile; mode 0640, group 100. */
static inline int cl_look(struct client *c, uint8_t type, uint32_t fid, uint32_t newfid, const char *name,
			  uint32_t flags)
{
	struct p9_msg t = { .type = type };

	t.u.look.fid = fid;
	t.u.look.newfid = newfid;
	t.u.look.name = CL_STR(name);
	t.u.look.flags = flags;
	t.u.look.mode = 0640;
	t.u.look.gid = 100;
	return cl_call(c, &t);
}

static inline int cl_allocate(struct client *c, uint32_t fid, uint32_t mode, uint64_t offset, uint64_t length)
{
	struct p9_msg t = { .type = P9_TALLOCATE };

	t.u.allocate.fid = fid;
	t.u.allocate.mode = mode;
	t.u.allocate.offset = offset;
	t.u.allocate.length = length;
	return cl_call(c, &t);
}

/* The offset, or a negative errno. */
static inline int64_t cl_seek(struct client *c, uint32_t fid, uint32_t whence, uint64_t offset)
{
	struct p9_msg t = { .type = P9_TSEEK };
	int r;

	t.u.seek.fid = fid;
	t.u.seek.whence = whence;
	t.u.seek.offset = offset;
	r = cl_call(c, &t);
	return r < 0 ? r : (int64_t)c->r.u.seek.offset;
}

static inline int cl_renamex(struct client *c, uint32_t olddir, const char *oldname, uint32_t newdir,
			     const char *newname, uint32_t flags)
{
	struct p9_msg t = { .type = P9_TRENAMEX };

	t.u.renameat.oldfid = olddir;
	t.u.renameat.oldname = CL_STR(oldname);
	t.u.renameat.newfid = newdir;
	t.u.renameat.newname = CL_STR(newname);
	t.u.renameat.flags = flags;
	return cl_call(c, &t);
}

static inline int cl_copy(struct client *c, uint32_t from, uint64_t from_offset, uint32_t to, uint64_t to_offset,
			  uint64_t length, uint32_t flags)
{
	struct p9_msg t = { .type = P9_TCOPY };
	int r;

	t.u.copy.from = from;
	t.u.copy.from_offset = from_offset;
	t.u.copy.to = to;
	t.u.copy.to_offset = to_offset;
	t.u.copy.length = length;
	t.u.copy.flags = flags;
	r = cl_call(c, &t);
	return r < 0 ? r : (int)c->r.u.found.count;
}

static inline void cl_end(struct client *c)
{
	sk_9p_session_free(c->session);
	c->session = NULL;
}

#endif
