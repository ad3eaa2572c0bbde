/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_NINEP_SERVER_H
#define SK_NINEP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ninep/fs.h"
#include "base/iov.h"

/*
 * The 9P2000.L server without I/O of its own: a transport hands over requests and takes replies, a back end
 * (ninep/fs.h) is the file system, the embedder supplies a clock and a timer. One thread. See server.c for how it
 * works.
 *
 * A server holds what sessions share (locks); a session is one connection. All sessions end before their server.
 */
struct sk_9p_server;
struct sk_9p_session;

struct sk_9p_server_config {
	unsigned max_fids;     /* per session; 0: 262144 */
	unsigned max_parked;   /* blocked locks that wait, per session; 0: 32 */
	unsigned max_locks;    /* ranges held by all sessions; 0: 16384 */
	unsigned lock_wait_ms; /* how long a blocked lock waits before it is answered "blocked"; 0: 1000 */
	/* Milliseconds of a monotonic clock. */
	uint64_t (*now_ms)(void *arg);
	/* Asks for sk_9p_server_timer() in `ms` from now (replaces the last); UINT64_MAX: not needed any more. */
	void (*set_timer)(void *arg, uint64_t ms);
	/*
	 * Sockets: NULL, and there are none. watch: a new watch of descriptor `fd`, NULL: no memory. want: calls
	 * `ready` once each of `events` (P9_READABLE, P9_WRITABLE) is there, or can fail; not from within. -P9_ENOMEM.
	 */
	void *(*watch)(void *arg, int fd, void (*ready)(void *ready_arg, unsigned events), void *ready_arg);
	int (*want)(void *watch, unsigned events);
	void (*unwatch)(void *watch);
	unsigned max_sockets; /* of all sessions; 0: 1024 */
	/*
	 * Whether sk_9p_session_event() has been called for all that others have done until now in directories with a lease;
	 * may call it, and sk_9p_session_events_done(), from within. NULL: that is never known.
	 */
	bool (*settled)(void *arg);
	void *arg;
};

struct sk_9p_export {
	const char *name; /* first component of aname, where a session has several */
	struct sk_9p_fs *fs;
	bool readonly;
	bool long_leases;	 /* a client need not ask again after half a minute */
	struct sk_9p_node *root; /* NULL: the file system's own; or a directory in it (borrowed) */
};

/* How a client proves who it is over an auth fid. NULL in the session's configuration: Tauth is refused, attach is
 * free. */
struct sk_9p_auth_ops {
	/* A new exchange for these three; -P9_ENOMEM. */
	int (*begin)(void *arg, struct p9_str uname, struct p9_str aname, uint32_t n_uname, void **ret_exchange);
	/* Bytes moved, or negative errno. */
	int (*read)(void *exchange, uint64_t offset, void *buf, size_t n);
	int (*write)(void *exchange, uint64_t offset, const void *buf, size_t n);
	/* True once the client has proved it for exactly these. */
	bool (*passed)(void *exchange, struct p9_str uname, struct p9_str aname, uint32_t n_uname);
	void (*end)(void *exchange);
};

struct sk_9p_session_config {
	const struct sk_9p_export *exports; /* borrowed, as long as the session lives */
	unsigned n_exports;
	bool by_name;	/* attach by name even with a single export; else the aname is a path in it */
	uint32_t msize; /* most that the transport can take; 0: 512000 */
	const struct sk_9p_auth_ops *auth;
	void *auth_arg;
	bool ext; /* offer our extension (proto.h) */
	/* Answers a request that was parked: `reply` of `len` bytes (at most P9_RLERROR_SIZE, without `ext`), or len 0:
	 * it was cancelled and gets no reply. Called inside sk_9p_request(), sk_9p_server_timer(),
	 * sk_9p_session_events_done() and sk_9p_session_reset(..., true), of any session of the server. */
	void (*complete)(void *arg, uint64_t token, const void *reply, size_t len);
	void *arg;
};

/* -P9_ENOMEM. */
int sk_9p_server_new(const struct sk_9p_server_config *config, struct sk_9p_server **ret_server);
void sk_9p_server_free(struct sk_9p_server *server);
/* The time asked for with set_timer() has come. Too early or too late does no harm. */
void sk_9p_server_timer(struct sk_9p_server *server);

int sk_9p_session_new(struct sk_9p_server *server, const struct sk_9p_session_config *config,
		      struct sk_9p_session **ret_session);
/* Ends the session and releases all fids and locks; parked requests are dropped without a call of `complete`. Accepts
 * NULL. */
void sk_9p_session_free(struct sk_9p_session *session);
/* Back to the state before Tversion. `answer`: parked requests are completed as cancelled, otherwise they are
 * forgotten. */
void sk_9p_session_reset(struct sk_9p_session *session, bool answer);
/* The message size that holds now. */
uint32_t sk_9p_session_msize(const struct sk_9p_session *session);

/*
 * Serves one request: a whole message in `out`, room for the reply in `in`. Both lists may be changed; file data is
 * moved straight between them and the back end. What is in `out` may change at any time (guest memory): everything but
 * file data is copied once and then looked at.
 *
 * Returns the length of the reply, now in `in`; 0: parked, sk_9p_session_config.complete will be called with `token`;
 * -P9_EPROTO: the transport is broken (no whole message, no room for an error): end the connection.
 */
int64_t sk_9p_request(struct sk_9p_session *session, struct sk_iov *out, unsigned n_out, struct sk_iov *in,
		      unsigned n_in, uint64_t token);

/*
 * Something was done by others than this session's client in a directory that it was given a lease of
 * (sk_9p_fs_ops.look), and: that was all for now. A client that does not ask for events has none kept.
 */
struct sk_9p_event {
	uint8_t kind; /* P9_EVENT_* */
	bool is_dir;
	uint64_t dir, new_dir; /* qid.path */
	const char *name, *new_name;
};
void sk_9p_session_event(struct sk_9p_session *session, const struct sk_9p_event *event);
void sk_9p_session_events_done(struct sk_9p_session *session);

/* For tests and bounds: fids in use, requests parked. */
unsigned sk_9p_session_fids(const struct sk_9p_session *session);
unsigned sk_9p_session_parked(const struct sk_9p_session *session);

#endif
