/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_NINEP_SERVER_INTERNAL_H
#define SK_NINEP_SERVER_INTERNAL_H

#include "ninep/codec.h"
#include "ninep/locks.h"
#include "ninep/server.h"

#define P9_NOBODY 65534u
/* Open flags that a client may set; the rest is dropped. */
#define P9_OPEN_FLAGS                                                                                        \
	(P9_O_ACCMODE | P9_O_EXCL | P9_O_TRUNC | P9_O_APPEND | P9_O_NONBLOCK | P9_O_DSYNC | P9_O_DIRECTORY | \
	 P9_O_NOFOLLOW | P9_O_NOATIME | P9_O_SYNC)
#define P9_XATTR_BYTES_MAX (4u << 20) /* values held by one session's fids */
#define P9_AUTH_TRIES 3u

/* What a fid is, and what may be done with it:
 *   PATH         walk, open, create, attributes: everything that takes a name
 *   OPEN         also read, write, readdir, fsync, lock; not walked from with names, not opened again
 *   XATTR_READ   read, clunk
 *   XATTR_WRITE  write, clunk (which sets the attribute)
 *   AUTH         read, write, clunk, and afid of attach
 *   SOCKET       read, write, listen, accept, shutdown, clunk
 */
enum p9_fid_state {
	P9_FID_PATH,
	P9_FID_OPEN,
	P9_FID_XATTR_READ,
	P9_FID_XATTR_WRITE,
	P9_FID_AUTH,
	P9_FID_SOCKET,
};

/* A socket of the host's, which a fid is. */
struct p9_socket {
	struct sk_9p_session *session;
	uint32_t fid;
	struct sk_9p_socket *socket; /* the back end's */
	void *watch;		     /* the embedder's */
};

struct p9_xattr {
	char name[P9_NAME_MAX + 1];
	uint8_t *value;
	size_t size;	/* of value */
	size_t written; /* how far it was written */
	uint32_t flags;
};

struct p9_fid {
	struct p9_fid *next; /* in its bucket */
	uint32_t id, uid;
	uint8_t state, qtype;
	uint8_t accmode; /* OPEN: P9_O_RDONLY… */
	const struct sk_9p_export *export;
	struct sk_9p_node *node; /* NULL: AUTH */
	struct sk_9p_file *file; /* OPEN */
	struct sk_9p_lockfile *locks;
	union {
		struct p9_xattr *xattr;	  /* XATTR_* */
		void *auth;		  /* AUTH */
		struct p9_socket *socket; /* SOCKET */
	} u;
};

/* A blocking lock that waits. */
struct p9_waiter {
	struct p9_waiter *next; /* of the server, in the order of arrival */
	struct sk_9p_session *session;
	struct p9_fid *fid;
	uint64_t token;
	uint16_t tag;
	uint8_t type;
	enum sk_9p_lock_kind kind;
	bool host; /* a process outside this server holds the lock: poll */
	uint64_t first, last;
	uint64_t deadline, poll_at; /* ms */
	unsigned poll_ms;
	uint32_t proc_id;
	uint16_t id_len;
	char id[64];
};

/* Events for a client that asks for them (ops_ext.c): those that wait, or the request that waits. */
struct p9_notices {
	bool parked, lost;
	uint16_t tag;
	uint64_t token;
	size_t room; /* of the parked request */
	size_t len;
	uint8_t buf[];
};

struct sk_9p_server {
	struct sk_9p_server_config c;
	struct sk_9p_locks *locks;
	struct p9_waiter *waiters, **waiters_end;
	unsigned sessions, sockets;
	bool waking;
};

struct sk_9p_session {
	struct sk_9p_server *server;
	struct sk_9p_session_config c;
	uint32_t msize;
	bool ready; /* Tversion was agreed on */
	bool ext;   /* with our extension */
	uint64_t stamp;
	struct p9_notices *notices; /* NULL: never asked for */
	unsigned auth_failures;
	bool dead;
	struct p9_fid **buckets;
	unsigned n_buckets, n_fids, n_parked;
	size_t xattr_bytes;
	uint8_t *scratch; /* of msize bytes, for listings */
	uint32_t scratch_size;
};

/* One request on its way. */
struct p9_req {
	struct sk_9p_session *s;
	struct p9_msg t, r;
	struct sk_iov *out, *in;
	unsigned n_out, n_in;
	size_t in_len;
	uint64_t token;
	uint8_t *text; /* P9_RREADLINK_MAX bytes of room for strings of the reply */
};

#define P9_PARKED 1

/* fid.c */
struct p9_fid *p9_fid_find(struct sk_9p_session *s, uint32_t id);
/* A new fid in the table; -P9_EBADF: in use or NOFID; -P9_EMFILE, -P9_ENOMEM. */
int p9_fid_new(struct sk_9p_session *s, uint32_t id, struct p9_fid **ret_fid);
/* Frees the fid and what it holds. Returns the result of setting an extended attribute that it has collected. */
int p9_fid_clunk(struct sk_9p_session *s, struct p9_fid *fid);
void p9_fid_clunk_all(struct sk_9p_session *s);
/* The fid, in PATH or OPEN state. -P9_EBADF. */
int p9_fid_get(struct sk_9p_session *s, uint32_t id, struct p9_fid **ret_fid);
/* The same for a request that opens a file as fid `newid`, which must not be in use; `rw`: of an export that can be
 * written to. -P9_EBADF, -P9_EROFS. */
int p9_fid_get_for(struct sk_9p_session *s, uint32_t id, bool rw, uint32_t newid, struct p9_fid **ret_fid);
/* The same for changing something: -P9_EROFS where the export is read-only. */
int p9_fid_get_rw(struct sk_9p_session *s, uint32_t id, struct p9_fid **ret_fid);

/* server.c */
/* Copies a name of a message: -P9_EINVAL: empty, "/" or NUL in it, "." or ".."; -P9_ENAMETOOLONG. */
int p9_name(const struct p9_str *s, char ret_name[P9_NAME_MAX + 1]);

/* ops_lock.c */
/* Cancels what waits on `tag` of a session (answered as cancelled). */
void p9_lock_flush(struct sk_9p_session *s, uint16_t tag);
bool p9_lock_tag_in_use(const struct sk_9p_session *s, uint16_t tag);
/* Drops everything of a fid: waiting requests are answered with an error, locks are released and others woken. */
void p9_lock_drop_fid(struct sk_9p_session *s, struct p9_fid *fid);
/* Forgets the waiting requests of a session; `notify`: completes them as cancelled. */
void p9_lock_forget(struct sk_9p_session *s, bool notify);

/* ops_io.c */
/* As much of `want` as fits the agreed size and the room that the transport gave. */
uint32_t p9_data_room(const struct p9_req *q, uint32_t want);
/* The session's room for listings, or NULL. */
uint8_t *p9_scratch(struct sk_9p_session *s, uint32_t size);

/* ops_ext.c */
/* Generation and number of attributes that go out. */
void p9_stamp(struct sk_9p_session *s, struct p9_attr *a);
/* Reads all attributes of the fid's object; its version only, which costs less where owner and mode are kept beside. */
int p9_attr_of(struct p9_fid *f, struct p9_attr *ret_attr);
int p9_version_of(struct p9_fid *f, uint32_t *ret_version);
/* The reply to a request that has opened a file: the new fid that it asked for, and the attributes. `leases`: flags of
 * the reply, of leases that were taken before. */
int p9_open_found(struct p9_req *q, struct p9_fid *from, struct sk_9p_node *take_node, struct sk_9p_file *take_file,
		  uint32_t flags, uint8_t qtype, uint32_t leases);
/* The reply to a change of the fid's file that was made: the version before, and the attributes now. Negative errno:
 * those cannot be read. */
int p9_changed(struct p9_req *q, struct p9_fid *f, uint32_t before);
/* Answers the parked Tnotify of that tag. */
void p9_notify_flush(struct sk_9p_session *s, uint16_t tag);

/* ops_name.c */
/* The directory fid of a request that makes something in it, and the name. */
int p9_where(struct sk_9p_session *s, uint32_t fid, const struct p9_str *str, struct p9_fid **ret_dir,
	     char ret_name[P9_NAME_MAX + 1]);

/* Handlers: 0 (reply in q->r), P9_PARKED, or negative errno. */
int p9_do_version(struct p9_req *q);
int p9_do_auth(struct p9_req *q);
int p9_do_attach(struct p9_req *q);
int p9_do_flush(struct p9_req *q);
int p9_do_walk(struct p9_req *q);
int p9_do_clunk(struct p9_req *q);
int p9_do_remove(struct p9_req *q);
int p9_do_lopen(struct p9_req *q);
int p9_do_lcreate(struct p9_req *q);
int p9_do_read(struct p9_req *q);
int p9_do_write(struct p9_req *q);
int p9_do_readdir(struct p9_req *q);
int p9_do_fsync(struct p9_req *q);
int p9_do_getattr(struct p9_req *q);
int p9_do_setattr(struct p9_req *q);
int p9_do_statfs(struct p9_req *q);
int p9_do_readlink(struct p9_req *q);
int p9_do_xattrwalk(struct p9_req *q);
int p9_do_xattrcreate(struct p9_req *q);
int p9_do_symlink(struct p9_req *q);
int p9_do_mknod(struct p9_req *q);
int p9_do_mkdir(struct p9_req *q);
int p9_do_link(struct p9_req *q);
int p9_do_rename(struct p9_req *q);
int p9_do_renameat(struct p9_req *q);
int p9_do_unlinkat(struct p9_req *q);
int p9_do_lock(struct p9_req *q);
int p9_do_getlock(struct p9_req *q);
int p9_do_look(struct p9_req *q);
int p9_do_openx(struct p9_req *q);
int p9_do_createx(struct p9_req *q);
int p9_do_writex(struct p9_req *q);
int p9_do_setattrx(struct p9_req *q);
int p9_do_notify(struct p9_req *q);
int p9_do_readdirx(struct p9_req *q);
int p9_do_allocate(struct p9_req *q);
int p9_do_seek(struct p9_req *q);
int p9_do_renamex(struct p9_req *q);
int p9_do_tmpfile(struct p9_req *q);
int p9_do_copy(struct p9_req *q);
int p9_do_getflags(struct p9_req *q);
int p9_do_watch(struct p9_req *q);

/* ops_socket.c */
int p9_do_connect(struct p9_req *q);
int p9_do_bind(struct p9_req *q);
int p9_do_listen(struct p9_req *q);
int p9_do_accept(struct p9_req *q);
int p9_do_shutdown(struct p9_req *q);
/* Of a fid that is one: data of a Tread, a Twrite. */
int64_t p9_socket_read(struct p9_req *q, struct p9_fid *f, uint32_t count);
int64_t p9_socket_write(struct p9_req *q, struct p9_fid *f, uint32_t count);
void p9_socket_close(struct p9_fid *f);
int p9_do_setflags(struct p9_req *q);

#endif
