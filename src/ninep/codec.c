/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation
 *
 * A message is described once, as a list of fields (kind, place in struct p9_msg), and the same list drives decoding
 * and encoding. Both go through a cursor that knows its end and, once it has failed, stays failed. Nothing here
 * allocates, and nothing is trusted: a count or length is compared with what is left before it is used.
 */
#include "ninep/codec.h"

#include <stdbool.h>
#include <string.h>

enum wire_kind {
	K_END,
	K_U8,
	K_U16,
	K_U32,
	K_U32_OPT, /* at the end; older clients leave it out */
	K_U64,
	K_STR,
	K_QID,
	K_TIME,
	K_NAMES,
	K_QIDS,
	K_DATA,
};

struct wire_field {
	uint8_t kind;
	uint16_t at;
};

#define AT(member) (uint16_t) offsetof(struct p9_msg, u.member)
#define MAX_FIELDS 19

/* Fields of a struct p9_attr. */
#define ATTR(at)                                                                                                     \
	{ K_U64, AT(at.valid) }, { K_QID, AT(at.qid) }, { K_U32, AT(at.mode) }, { K_U32, AT(at.uid) },               \
		{ K_U32, AT(at.gid) }, { K_U64, AT(at.nlink) }, { K_U64, AT(at.rdev) }, { K_U64, AT(at.size) },      \
		{ K_U64, AT(at.blksize) }, { K_U64, AT(at.blocks) }, { K_TIME, AT(at.atime) },                       \
		{ K_TIME, AT(at.mtime) }, { K_TIME, AT(at.ctime) }, { K_TIME, AT(at.btime) }, { K_U64, AT(at.gen) }, \
	{                                                                                                            \
		K_U64, AT(at.data_version)                                                                           \
	}

/* Fields of a struct p9_fileflags. */
#define FILEFLAGS(at)                                                                                           \
	{ K_U32, AT(at.flags) }, { K_U32, AT(at.xflags) }, { K_U32, AT(at.extsize) }, { K_U32, AT(at.projid) }, \
	{                                                                                                       \
		K_U32, AT(at.cowextsize)                                                                        \
	}

struct message_layout {
	const char *name;
	struct wire_field fields[MAX_FIELDS];
};

static const struct message_layout messages[P9_TYPES] = {
	[P9_RLERROR] = { "Rlerror", { { K_U32, AT(ecode) } } },
	[P9_TSTATFS] = { "Tstatfs", { { K_U32, AT(fid) } } },
	[P9_RSTATFS] = { "Rstatfs",
			 { { K_U32, AT(statfs.type) },
			   { K_U32, AT(statfs.bsize) },
			   { K_U64, AT(statfs.blocks) },
			   { K_U64, AT(statfs.bfree) },
			   { K_U64, AT(statfs.bavail) },
			   { K_U64, AT(statfs.files) },
			   { K_U64, AT(statfs.ffree) },
			   { K_U64, AT(statfs.fsid) },
			   { K_U32, AT(statfs.namelen) } } },
	[P9_TLOPEN] = { "Tlopen", { { K_U32, AT(lopen.fid) }, { K_U32, AT(lopen.flags) } } },
	[P9_RLOPEN] = { "Rlopen", { { K_QID, AT(ropen.qid) }, { K_U32, AT(ropen.iounit) } } },
	[P9_TLCREATE] = { "Tlcreate",
			  { { K_U32, AT(lcreate.fid) },
			    { K_STR, AT(lcreate.name) },
			    { K_U32, AT(lcreate.flags) },
			    { K_U32, AT(lcreate.mode) },
			    { K_U32, AT(lcreate.gid) } } },
	[P9_RLCREATE] = { "Rlcreate", { { K_QID, AT(ropen.qid) }, { K_U32, AT(ropen.iounit) } } },
	[P9_TSYMLINK] = { "Tsymlink",
			  { { K_U32, AT(symlink.fid) },
			    { K_STR, AT(symlink.name) },
			    { K_STR, AT(symlink.target) },
			    { K_U32, AT(symlink.gid) } } },
	[P9_RSYMLINK] = { "Rsymlink", { { K_QID, AT(qid) } } },
	[P9_TMKNOD] = { "Tmknod",
			{ { K_U32, AT(mknod.fid) },
			  { K_STR, AT(mknod.name) },
			  { K_U32, AT(mknod.mode) },
			  { K_U32, AT(mknod.major) },
			  { K_U32, AT(mknod.minor) },
			  { K_U32, AT(mknod.gid) } } },
	[P9_RMKNOD] = { "Rmknod", { { K_QID, AT(qid) } } },
	[P9_TRENAME] = { "Trename",
			 { { K_U32, AT(rename.fid) }, { K_U32, AT(rename.dfid) }, { K_STR, AT(rename.name) } } },
	[P9_RRENAME] = { "Rrename", { { K_END, 0 } } },
	[P9_TREADLINK] = { "Treadlink", { { K_U32, AT(fid) } } },
	[P9_RREADLINK] = { "Rreadlink", { { K_STR, AT(target) } } },
	[P9_TGETATTR] = { "Tgetattr", { { K_U32, AT(getattr.fid) }, { K_U64, AT(getattr.mask) } } },
	[P9_RGETATTR] = { "Rgetattr", { ATTR(attr) } },
	[P9_TSETATTR] = { "Tsetattr",
			  { { K_U32, AT(setattr.fid) },
			    { K_U32, AT(setattr.valid) },
			    { K_U32, AT(setattr.mode) },
			    { K_U32, AT(setattr.uid) },
			    { K_U32, AT(setattr.gid) },
			    { K_U64, AT(setattr.size) },
			    { K_TIME, AT(setattr.atime) },
			    { K_TIME, AT(setattr.mtime) } } },
	[P9_RSETATTR] = { "Rsetattr", { { K_END, 0 } } },
	[P9_TXATTRWALK] = { "Txattrwalk",
			    { { K_U32, AT(xattrwalk.fid) },
			      { K_U32, AT(xattrwalk.newfid) },
			      { K_STR, AT(xattrwalk.name) } } },
	[P9_RXATTRWALK] = { "Rxattrwalk", { { K_U64, AT(size) } } },
	[P9_TXATTRCREATE] = { "Txattrcreate",
			      { { K_U32, AT(xattrcreate.fid) },
				{ K_STR, AT(xattrcreate.name) },
				{ K_U64, AT(xattrcreate.size) },
				{ K_U32, AT(xattrcreate.flags) } } },
	[P9_RXATTRCREATE] = { "Rxattrcreate", { { K_END, 0 } } },
	[P9_TREADDIR] = { "Treaddir",
			  { { K_U32, AT(read.fid) }, { K_U64, AT(read.offset) }, { K_U32, AT(read.count) } } },
	[P9_RREADDIR] = { "Rreaddir", { { K_DATA, AT(data) } } },
	[P9_TFSYNC] = { "Tfsync", { { K_U32, AT(fsync.fid) }, { K_U32_OPT, AT(fsync.datasync) } } },
	[P9_RFSYNC] = { "Rfsync", { { K_END, 0 } } },
	[P9_TLOCK] = { "Tlock",
		       { { K_U32, AT(lock.fid) },
			 { K_U8, AT(lock.type) },
			 { K_U32, AT(lock.flags) },
			 { K_U64, AT(lock.start) },
			 { K_U64, AT(lock.length) },
			 { K_U32, AT(lock.proc_id) },
			 { K_STR, AT(lock.client_id) } } },
	[P9_RLOCK] = { "Rlock", { { K_U8, AT(status) } } },
	[P9_TGETLOCK] = { "Tgetlock",
			  { { K_U32, AT(lock.fid) },
			    { K_U8, AT(lock.type) },
			    { K_U64, AT(lock.start) },
			    { K_U64, AT(lock.length) },
			    { K_U32, AT(lock.proc_id) },
			    { K_STR, AT(lock.client_id) } } },
	[P9_RGETLOCK] = { "Rgetlock",
			  { { K_U8, AT(lock.type) },
			    { K_U64, AT(lock.start) },
			    { K_U64, AT(lock.length) },
			    { K_U32, AT(lock.proc_id) },
			    { K_STR, AT(lock.client_id) } } },
	[P9_TLINK] = { "Tlink", { { K_U32, AT(rename.dfid) }, { K_U32, AT(rename.fid) }, { K_STR, AT(rename.name) } } },
	[P9_RLINK] = { "Rlink", { { K_END, 0 } } },
	[P9_TMKDIR] = { "Tmkdir",
			{ { K_U32, AT(mkdir.fid) },
			  { K_STR, AT(mkdir.name) },
			  { K_U32, AT(mkdir.mode) },
			  { K_U32, AT(mkdir.gid) } } },
	[P9_RMKDIR] = { "Rmkdir", { { K_QID, AT(qid) } } },
	[P9_TRENAMEAT] = { "Trenameat",
			   { { K_U32, AT(renameat.oldfid) },
			     { K_STR, AT(renameat.oldname) },
			     { K_U32, AT(renameat.newfid) },
			     { K_STR, AT(renameat.newname) } } },
	[P9_RRENAMEAT] = { "Rrenameat", { { K_END, 0 } } },
	[P9_TUNLINKAT] = { "Tunlinkat",
			   { { K_U32, AT(unlinkat.fid) },
			     { K_STR, AT(unlinkat.name) },
			     { K_U32, AT(unlinkat.flags) } } },
	[P9_RUNLINKAT] = { "Runlinkat", { { K_END, 0 } } },
	[P9_TLOOK] = { "Tlook", { { K_U32, AT(look.fid) }, { K_U32, AT(look.newfid) }, { K_STR, AT(look.name) } } },
	[P9_RLOOK] = { "Rlook", { { K_U32, AT(found.flags) }, ATTR(found.attr) } },
	[P9_TOPENX] = { "Topenx",
			{ { K_U32, AT(look.fid) },
			  { K_U32, AT(look.newfid) },
			  { K_U32, AT(look.flags) },
			  { K_STR, AT(look.name) } } },
	[P9_ROPENX] = { "Ropenx", { { K_U32, AT(found.flags) }, { K_U32, AT(found.iounit) }, ATTR(found.attr) } },
	[P9_TCREATEX] = { "Tcreatex",
			  { { K_U32, AT(look.fid) },
			    { K_U32, AT(look.newfid) },
			    { K_STR, AT(look.name) },
			    { K_U32, AT(look.flags) },
			    { K_U32, AT(look.mode) },
			    { K_U32, AT(look.gid) } } },
	[P9_RCREATEX] = { "Rcreatex", { { K_U32, AT(found.flags) }, { K_U32, AT(found.iounit) }, ATTR(found.attr) } },
	[P9_TWRITEX] = { "Twritex",
			 { { K_U32, AT(write.fid) }, { K_U64, AT(write.offset) }, { K_DATA, AT(write.data) } } },
	[P9_RWRITEX] = { "Rwritex", { { K_U32, AT(found.count) }, { K_U32, AT(found.pre) }, ATTR(found.attr) } },
	[P9_TSETATTRX] = { "Tsetattrx",
			   { { K_U32, AT(setattr.fid) },
			     { K_U32, AT(setattr.valid) },
			     { K_U32, AT(setattr.mode) },
			     { K_U32, AT(setattr.uid) },
			     { K_U32, AT(setattr.gid) },
			     { K_U64, AT(setattr.size) },
			     { K_TIME, AT(setattr.atime) },
			     { K_TIME, AT(setattr.mtime) } } },
	[P9_RSETATTRX] = { "Rsetattrx", { { K_U32, AT(found.pre) }, ATTR(found.attr) } },
	[P9_TNOTIFY] = { "Tnotify", { { K_U32, AT(count) } } },
	[P9_RNOTIFY] = { "Rnotify", { { K_DATA, AT(data) } } },
	[P9_TREADDIRX] = { "Treaddirx",
			   { { K_U32, AT(read.fid) },
			     { K_U64, AT(read.offset) },
			     { K_U32, AT(read.flags) },
			     { K_U32, AT(read.count) } } },
	[P9_RREADDIRX] = { "Rreaddirx", { { K_DATA, AT(data) } } },
	[P9_TVERSION] = { "Tversion", { { K_U32, AT(version.msize) }, { K_STR, AT(version.version) } } },
	[P9_RVERSION] = { "Rversion", { { K_U32, AT(version.msize) }, { K_STR, AT(version.version) } } },
	[P9_TAUTH] = { "Tauth",
		       { { K_U32, AT(attach.afid) },
			 { K_STR, AT(attach.uname) },
			 { K_STR, AT(attach.aname) },
			 { K_U32, AT(attach.n_uname) } } },
	[P9_RAUTH] = { "Rauth", { { K_QID, AT(qid) } } },
	[P9_TATTACH] = { "Tattach",
			 { { K_U32, AT(attach.fid) },
			   { K_U32, AT(attach.afid) },
			   { K_STR, AT(attach.uname) },
			   { K_STR, AT(attach.aname) },
			   { K_U32, AT(attach.n_uname) } } },
	[P9_RATTACH] = { "Rattach", { { K_QID, AT(qid) } } },
	[P9_TFLUSH] = { "Tflush", { { K_U16, AT(oldtag) } } },
	[P9_RFLUSH] = { "Rflush", { { K_END, 0 } } },
	[P9_TWALK] = { "Twalk", { { K_U32, AT(walk.fid) }, { K_U32, AT(walk.newfid) }, { K_NAMES, AT(walk.n) } } },
	[P9_RWALK] = { "Rwalk", { { K_QIDS, AT(rwalk.n) } } },
	[P9_TREAD] = { "Tread", { { K_U32, AT(read.fid) }, { K_U64, AT(read.offset) }, { K_U32, AT(read.count) } } },
	[P9_RREAD] = { "Rread", { { K_DATA, AT(data) } } },
	[P9_TWRITE] = { "Twrite",
			{ { K_U32, AT(write.fid) }, { K_U64, AT(write.offset) }, { K_DATA, AT(write.data) } } },
	[P9_RWRITE] = { "Rwrite", { { K_U32, AT(count) } } },
	[P9_TCLUNK] = { "Tclunk", { { K_U32, AT(fid) } } },
	[P9_RCLUNK] = { "Rclunk", { { K_END, 0 } } },
	[P9_TREMOVE] = { "Tremove", { { K_U32, AT(fid) } } },
	[P9_RREMOVE] = { "Rremove", { { K_END, 0 } } },
	[P9_TALLOCATE] = { "Tallocate",
			   { { K_U32, AT(allocate.fid) },
			     { K_U32, AT(allocate.mode) },
			     { K_U64, AT(allocate.offset) },
			     { K_U64, AT(allocate.length) } } },
	[P9_RALLOCATE] = { "Rallocate", { { K_U32, AT(found.pre) }, ATTR(found.attr) } },
	[P9_TSEEK] = { "Tseek", { { K_U32, AT(seek.fid) }, { K_U32, AT(seek.whence) }, { K_U64, AT(seek.offset) } } },
	[P9_RSEEK] = { "Rseek", { { K_U64, AT(seek.offset) } } },
	[P9_TRENAMEX] = { "Trenamex",
			  { { K_U32, AT(renameat.oldfid) },
			    { K_STR, AT(renameat.oldname) },
			    { K_U32, AT(renameat.newfid) },
			    { K_STR, AT(renameat.newname) },
			    { K_U32, AT(renameat.flags) } } },
	[P9_RRENAMEX] = { "Rrenamex", { { K_END, 0 } } },
	[P9_TTMPFILE] = { "Ttmpfile",
			  { { K_U32, AT(look.fid) },
			    { K_U32, AT(look.newfid) },
			    { K_U32, AT(look.flags) },
			    { K_U32, AT(look.mode) },
			    { K_U32, AT(look.gid) } } },
	[P9_RTMPFILE] = { "Rtmpfile", { { K_U32, AT(found.flags) }, { K_U32, AT(found.iounit) }, ATTR(found.attr) } },
	[P9_TCOPY] = { "Tcopy",
		       { { K_U32, AT(copy.from) },
			 { K_U64, AT(copy.from_offset) },
			 { K_U32, AT(copy.to) },
			 { K_U64, AT(copy.to_offset) },
			 { K_U64, AT(copy.length) },
			 { K_U32, AT(copy.flags) } } },
	[P9_RCOPY] = { "Rcopy", { { K_U32, AT(found.count) }, { K_U32, AT(found.pre) }, ATTR(found.attr) } },
	[P9_TGETFLAGS] = { "Tgetflags", { { K_U32, AT(flags.fid) } } },
	[P9_RGETFLAGS] = { "Rgetflags", { FILEFLAGS(flags.f) } },
	[P9_TSETFLAGS] = { "Tsetflags", { { K_U32, AT(flags.fid) }, { K_U32, AT(flags.valid) }, FILEFLAGS(flags.f) } },
	[P9_RSETFLAGS] = { "Rsetflags", { { K_U32, AT(found.pre) }, ATTR(found.attr) } },
	[P9_TWATCH] = { "Twatch", { { K_U32, AT(flags.fid) } } },
	[P9_RWATCH] = { "Rwatch", { { K_END, 0 } } },
	[P9_TCONNECT] = { "Tconnect",
			  { { K_U32, AT(socket.fid) },
			    { K_U32, AT(socket.newfid) },
			    { K_U32, AT(socket.type) },
			    { K_U32, AT(socket.gid) } } },
	[P9_RCONNECT] = { "Rconnect", { { K_END, 0 } } },
	[P9_TBIND] = { "Tbind",
		       { { K_U32, AT(socket.fid) },
			 { K_U32, AT(socket.newfid) },
			 { K_STR, AT(socket.name) },
			 { K_U32, AT(socket.mode) },
			 { K_U32, AT(socket.gid) },
			 { K_U32, AT(socket.type) } } },
	[P9_RBIND] = { "Rbind", { { K_QID, AT(qid) } } },
	[P9_TLISTEN] = { "Tlisten", { { K_U32, AT(socket.fid) }, { K_U32, AT(socket.backlog) } } },
	[P9_RLISTEN] = { "Rlisten", { { K_END, 0 } } },
	[P9_TACCEPT] = { "Taccept", { { K_U32, AT(socket.fid) }, { K_U32, AT(socket.newfid) } } },
	[P9_RACCEPT] = { "Raccept", { { K_U32, AT(socket.uid) }, { K_U32, AT(socket.gid) } } },
	[P9_TSHUTDOWN] = { "Tshutdown", { { K_U32, AT(socket.fid) }, { K_U32, AT(socket.how) } } },
	[P9_RSHUTDOWN] = { "Rshutdown", { { K_END, 0 } } },
};

const char *p9_type_name(uint8_t type)
{
	return type < P9_TYPES && messages[type].name ? messages[type].name : "?";
}

/* --- cursor */

struct cursor {
	uint8_t *p; /* decoding does not write through it */
	size_t off, end;
	bool failed;
};

/* The next `n` bytes, or NULL when there are not that many. */
static uint8_t *take(struct cursor *c, size_t n)
{
	uint8_t *p;

	if (c->failed || n > c->end - c->off) {
		c->failed = true;
		return NULL;
	}
	p = c->p + c->off;
	c->off += n;
	return p;
}

static uint64_t get_int(struct cursor *c, size_t n)
{
	const uint8_t *p = take(c, n);
	uint64_t v = 0;

	if (!p)
		return 0;
	while (n--)
		v = v << 8 | p[n];
	return v;
}

static void put_int(struct cursor *c, size_t n, uint64_t v)
{
	uint8_t *p = take(c, n);
	size_t i;

	for (i = 0; p && i < n; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

static void get_str(struct cursor *c, struct p9_str *s)
{
	s->len = (uint16_t)get_int(c, 2);
	s->p = (const char *)take(c, s->len);
	if (!s->p)
		s->len = 0;
}

static void put_str(struct cursor *c, const struct p9_str *s)
{
	uint8_t *p;

	put_int(c, 2, s->len);
	p = take(c, s->len);
	if (p && s->len)
		memcpy(p, s->p, s->len);
}

static void get_qid(struct cursor *c, struct p9_qid *q)
{
	q->type = (uint8_t)get_int(c, 1);
	q->version = (uint32_t)get_int(c, 4);
	q->path = get_int(c, 8);
}

static void put_qid(struct cursor *c, const struct p9_qid *q)
{
	put_int(c, 1, q->type);
	put_int(c, 4, q->version);
	put_int(c, 8, q->path);
}

/* --- decoding */

static void get_names(struct cursor *c, struct p9_msg *m)
{
	uint16_t i, n = (uint16_t)get_int(c, 2);

	if (n > P9_MAXWALK) {
		c->failed = true;
		return;
	}
	m->u.walk.n = n;
	for (i = 0; i < n; i++)
		get_str(c, &m->u.walk.names[i]);
}

static void get_qids(struct cursor *c, struct p9_msg *m)
{
	uint16_t i, n = (uint16_t)get_int(c, 2);

	if (n > P9_MAXWALK) {
		c->failed = true;
		return;
	}
	m->u.rwalk.n = n;
	for (i = 0; i < n; i++)
		get_qid(c, &m->u.rwalk.qids[i]);
}

/* `size`: of the whole message. Uses up the rest of it. */
static void get_data(struct cursor *c, size_t size, struct p9_data *d)
{
	d->count = (uint32_t)get_int(c, 4);
	d->p = NULL;
	if (c->failed || d->count != size - c->off) {
		c->failed = true;
		return;
	}
	if (d->count <= c->end - c->off)
		d->p = take(c, d->count);
	else if (c->end != c->off)
		c->failed = true; /* all of the data or none */
}

static void get_field(struct cursor *c, const struct wire_field *f, struct p9_msg *m, size_t size)
{
	uint8_t *to = (uint8_t *)m + f->at;
	struct p9_time *t;

	switch (f->kind) {
	case K_U8:
		*to = (uint8_t)get_int(c, 1);
		break;
	case K_U16:
		*(uint16_t *)(void *)to = (uint16_t)get_int(c, 2);
		break;
	case K_U32_OPT:
		if (c->off == c->end) {
			*(uint32_t *)(void *)to = 0;
			break;
		}
		/* fall through */
	case K_U32:
		*(uint32_t *)(void *)to = (uint32_t)get_int(c, 4);
		break;
	case K_U64:
		*(uint64_t *)(void *)to = get_int(c, 8);
		break;
	case K_STR:
		get_str(c, (struct p9_str *)(void *)to);
		break;
	case K_QID:
		get_qid(c, (struct p9_qid *)(void *)to);
		break;
	case K_TIME:
		t = (struct p9_time *)(void *)to;
		t->sec = get_int(c, 8);
		t->nsec = get_int(c, 8);
		break;
	case K_NAMES:
		get_names(c, m);
		break;
	case K_QIDS:
		get_qids(c, m);
		break;
	case K_DATA:
		get_data(c, size, (struct p9_data *)(void *)to);
		break;
	default:
		break;
	}
}

int p9_decode(const uint8_t *buf, size_t avail, struct p9_msg *ret_msg)
{
	struct cursor c = { .p = (uint8_t *)(uintptr_t)buf, .off = P9_HEADER, .end = avail };
	const struct message_layout *msg;
	const struct wire_field *f;
	size_t size;
	bool has_data = false;

	if (avail < P9_HEADER)
		return -P9_EPROTO;
	size = p9_get32(buf);
	ret_msg->type = buf[4];
	ret_msg->tag = p9_get16(buf + 5);
	if (ret_msg->type >= P9_TYPES || !messages[ret_msg->type].name)
		return -P9_EOPNOTSUPP;
	if (size < avail)
		return -P9_EPROTO;
	msg = &messages[ret_msg->type];
	for (f = msg->fields; f < msg->fields + MAX_FIELDS && f->kind != K_END; f++) {
		get_field(&c, f, ret_msg, size);
		has_data |= f->kind == K_DATA;
	}
	if (c.failed || c.off != c.end || (!has_data && size != avail))
		return -P9_EPROTO;
	return 0;
}

/* --- encoding */

static void put_field(struct cursor *c, const struct wire_field *f, const struct p9_msg *m, size_t *extra)
{
	const uint8_t *from = (const uint8_t *)m + f->at;
	const struct p9_data *d;
	const struct p9_time *t;
	uint8_t *p;
	uint16_t i;

	switch (f->kind) {
	case K_U8:
		put_int(c, 1, *from);
		break;
	case K_U16:
		put_int(c, 2, *(const uint16_t *)(const void *)from);
		break;
	case K_U32_OPT:
	case K_U32:
		put_int(c, 4, *(const uint32_t *)(const void *)from);
		break;
	case K_U64:
		put_int(c, 8, *(const uint64_t *)(const void *)from);
		break;
	case K_STR:
		put_str(c, (const struct p9_str *)(const void *)from);
		break;
	case K_QID:
		put_qid(c, (const struct p9_qid *)(const void *)from);
		break;
	case K_TIME:
		t = (const struct p9_time *)(const void *)from;
		put_int(c, 8, t->sec);
		put_int(c, 8, t->nsec);
		break;
	case K_NAMES:
		put_int(c, 2, m->u.walk.n);
		for (i = 0; i < m->u.walk.n && i < P9_MAXWALK; i++)
			put_str(c, &m->u.walk.names[i]);
		break;
	case K_QIDS:
		put_int(c, 2, m->u.rwalk.n);
		for (i = 0; i < m->u.rwalk.n && i < P9_MAXWALK; i++)
			put_qid(c, &m->u.rwalk.qids[i]);
		break;
	case K_DATA:
		d = (const struct p9_data *)(const void *)from;
		put_int(c, 4, d->count);
		if (!d->p) {
			*extra = d->count;
			break;
		}
		p = take(c, d->count);
		if (p && d->count)
			memcpy(p, d->p, d->count);
		break;
	default:
		break;
	}
}

long p9_encode(const struct p9_msg *msg, uint8_t *buf, size_t cap)
{
	struct cursor c = { .p = buf, .off = P9_HEADER, .end = cap };
	const struct wire_field *f;
	size_t extra = 0;

	if (msg->type >= P9_TYPES || !messages[msg->type].name)
		return -P9_EINVAL;
	if (cap < P9_HEADER)
		return -P9_EMSGSIZE;
	for (f = messages[msg->type].fields; f < messages[msg->type].fields + MAX_FIELDS && f->kind != K_END; f++)
		put_field(&c, f, msg, &extra);
	if (c.failed)
		return -P9_EMSGSIZE;
	p9_put32(buf, (uint32_t)(c.off + extra));
	buf[4] = msg->type;
	p9_put16(buf + 5, msg->tag);
	return (long)c.off;
}

/* --- directory entries */

size_t p9_put_dirent(uint8_t *buf, size_t cap, const struct p9_qid *qid, uint64_t offset, uint8_t type,
		     const char *name, size_t len)
{
	struct cursor c = { .p = buf, .end = cap };
	struct p9_str s = { name, (uint16_t)len };

	put_qid(&c, qid);
	put_int(&c, 8, offset);
	put_int(&c, 1, type);
	put_str(&c, &s);
	return c.failed ? 0 : c.off;
}

size_t p9_get_dirent(const uint8_t *buf, size_t len, struct p9_qid *ret_qid, uint64_t *ret_offset, uint8_t *ret_type,
		     struct p9_str *ret_name)
{
	struct cursor c = { .p = (uint8_t *)(uintptr_t)buf, .end = len };

	get_qid(&c, ret_qid);
	*ret_offset = get_int(&c, 8);
	*ret_type = (uint8_t)get_int(&c, 1);
	get_str(&c, ret_name);
	return c.failed ? 0 : c.off;
}

size_t p9_put_direntx(uint8_t *buf, size_t cap, uint32_t flags, uint64_t offset, const struct p9_attr *attr,
		      const char *name, size_t len)
{
	const struct wire_field *f = messages[P9_RGETATTR].fields;
	struct cursor c = { .p = buf, .end = cap };
	struct p9_str s = { name, (uint16_t)len };
	const struct p9_msg m = { .u.attr = *attr };
	size_t extra;

	put_int(&c, 4, flags);
	put_int(&c, 8, offset);
	for (; f->kind != K_END; f++)
		put_field(&c, f, &m, &extra);
	put_str(&c, &s);
	return c.failed ? 0 : c.off;
}

size_t p9_get_direntx(const uint8_t *buf, size_t len, uint32_t *ret_flags, uint64_t *ret_offset,
		      struct p9_attr *ret_attr, struct p9_str *ret_name)
{
	struct cursor c = { .p = (uint8_t *)(uintptr_t)buf, .end = len };
	const struct wire_field *f = messages[P9_RGETATTR].fields;
	struct p9_msg m;

	*ret_flags = (uint32_t)get_int(&c, 4);
	*ret_offset = get_int(&c, 8);
	for (; f->kind != K_END; f++)
		get_field(&c, f, &m, 0);
	*ret_attr = m.u.attr;
	get_str(&c, ret_name);
	return c.failed ? 0 : c.off;
}
