/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_PROTO_MESSAGE_H
#define SK_PROTO_MESSAGE_H

/*
 * The messages of docs/protocols.md as checked structures: between monitor and agent, and between the monitor and its
 * clients. One table (table.c) says of each who sends it to whom, which fields it has, of which type and within which
 * bounds, and how long an answer may take. Encoder and decoder work through that table, so that both ends of a
 * connection agree. No I/O here: frames are base/frame.h.
 *
 * Documents that belong to others stay JSON (OCI spec and process, resources, lists of mounts): the decoder checks that
 * they are an object or an array, and whoever uses them the rest.
 *
 * A field that is missing or null has its default: false, 0, NULL. A field that the table does not know is ignored: the
 * peer may be newer. A known field of a wrong type or out of bounds is an error, and so is a missing one without which
 * the message has no meaning.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "proto/parts.h"
#include "proto/wire.h"

/* Who speaks to whom. */
enum sk_wire {
	SK_WIRE_TO_AGENT,   /* monitor → agent: {"id","op",…}, each is answered */
	SK_WIRE_FROM_AGENT, /* agent → monitor: {"event",…} */
	SK_WIRE_REQUEST,    /* client → monitor: first message of a connection, {"op",…}, answered */
	SK_WIRE_ATTACHED,   /* client → monitor, on a connection that is attached to a process: {"op",…} */
	SK_WIRE_TO_CLIENT,  /* monitor → client: {"event",…} */
	SK_WIRE_SERVICES,   /* guest → monitor, on the services port after the token: {"op",…}, answered */
	SK_WIRE_COUNT,
};

enum sk_op {
	/* monitor → agent */
	SK_OP_SETUP,
	SK_OP_CREATE,
	SK_OP_START,
	SK_OP_EXEC,
	SK_OP_SIGNAL,
	SK_OP_RESIZE,
	SK_OP_PAUSE,
	SK_OP_RESUME,
	SK_OP_UPDATE,
	SK_OP_STATS,
	SK_OP_PS,
	SK_OP_DELETE,
	SK_OP_STAT,
	SK_OP_GET,
	SK_OP_PUT,
	SK_OP_TIME,
	SK_OP_NETWORK,
	SK_OP_CONNECT,
	SK_OP_CONNECT_UNIX,
	SK_OP_SYNC,
	SK_OP_SHUTDOWN,
	/* agent → monitor */
	SK_AGENT_HELLO,
	SK_AGENT_EXIT,
	SK_AGENT_OOM,
	SK_AGENT_HALTED,
	/* client → monitor */
	SK_REQUEST_ATTACH,
	SK_REQUEST_START,
	SK_REQUEST_EXEC,
	SK_REQUEST_KILL,
	SK_REQUEST_STOP,
	SK_REQUEST_WAIT,
	SK_REQUEST_PAUSE,
	SK_REQUEST_RESUME,
	SK_REQUEST_UPDATE,
	SK_REQUEST_STATS,
	SK_REQUEST_PS,
	SK_REQUEST_STAT,
	SK_REQUEST_RESIZE,
	SK_REQUEST_GET,
	SK_REQUEST_PUT,
	SK_REQUEST_INFO,
	SK_REQUEST_JOIN,
	SK_REQUEST_SHARE,
	SK_REQUEST_NETWORK,
	SK_REQUEST_CREATE,
	/* attached client → monitor */
	SK_ATTACHED_START,
	SK_ATTACHED_RESIZE,
	SK_ATTACHED_SIGNAL,
	SK_ATTACHED_DETACH,
	/* monitor → client */
	SK_EVENT_EXIT,
	SK_EVENT_OOM,
	SK_EVENT_STDIN,
	SK_EVENT_DETACHED,
	/* guest → monitor, a host service */
	SK_SERVICE_PUBLISH,
	SK_SERVICE_SSH_AUTH,
	SK_SERVICE_IDLE,
	SK_SERVICE_SHARE,
	SK_OP_COUNT,
};

/* "create" of the agent, and what "join" carries of it. */
struct sk_create {
	const char *name; /* crun's name of the container; NULL: the agent's */
	const char *user; /* "name[:group]", numbers; NULL or "": the spec's */
	bool start, mount_only, init;
	struct sk_rootfs_spec rootfs;
	json_t *spec;			 /* OCI; NULL with mount_only only */
	json_t *groups, *files, *mounts; /* arrays or NULL */
	struct sk_join_spec join;
	struct sk_stdio_spec stdio;
};

struct sk_msg {
	enum sk_op op;
	uint64_t id;	       /* of a request to the agent */
	const char *container; /* NULL: not said */
	const char *key;       /* of a process. To the agent: never NULL once decoded, "init" where it was not said */
	union {
		struct {
			struct sk_time time;
			const char *hostname, *seed; /* seed: hex */
			struct sk_network_spec network;
			json_t *sysctl;	       /* object */
			uint32_t idle_reclaim; /* seconds; 0: never */
		} setup;
		struct sk_create create;
		struct {
			json_t *process, *groups;
			const char *user;
			bool ignore_paused;
			struct sk_stdio_spec stdio;
		} exec; /* to the agent */
		struct {
			int number;
			bool all, group;
		} signal; /* also a client's "kill" */
		struct {
			uint16_t rows, cols;
		} size; /* resize, and a client's start */
		struct {
			json_t *resources;
		} update;
		struct {
			const char *path;
			bool follow, uid_gid, unmounted, changes, list;
			struct sk_token stream;
		} file; /* stat, get, put */
		struct {
			struct sk_time time;
			int64_t adjust; /* ns */
		} time;
		struct {
			struct sk_network_spec network;
		} network;
		struct {
			const char *address; /* of the guest's, numbers; or */
			uint16_t port;
			const char *path; /* of a Unix socket in the container */
			struct sk_token token;
		} connect;
		struct {
			bool fast;
		} shutdown;
		struct {
			uint32_t version;
			const char *kernel, *agent; /* NULL: not said */
		} hello;
		struct {
			int code; /* 0 to 255 */
			bool oom;
			const char *message, *warning; /* for clients; NULL or "": none */
		} exit;
		struct {
			bool input, owner;
		} attach;
		struct {
			json_t *process, *groups;
			const char *user;
			bool input, detach, owner, ignore_paused, bare_newlines;
			uint16_t rows, cols;
		} run; /* a client's "exec" */
		struct {
			int signal; /* 0: the container's own */
			bool has_timeout;
			int timeout; /* seconds; -1: for ever */
			bool keep;   /* although it is to be removed at its end: it will be started again */
		} stop;
		struct {
			struct sk_create create;
			bool terminal, input, bare_newlines;
			uint16_t rows, cols;
		} join;
		struct {
			struct sk_token token;
		} share;
		struct {
			uint32_t taken;
		} input; /* SK_EVENT_STDIN */
		struct {
			const char *proto;   /* "tcp" or "udp" */
			const char *host_ip; /* numbers */
			uint16_t host_port;
		} publish;
		struct {
			const char *path; /* in the guest */
		} place;		  /* SK_SERVICE_SHARE */
	};
	json_t *json; /* of a decoded message: owned, the rest points into it */
};

/* Decodes a message that came over `wire`. Takes `take_json` in any case. -EOPNOTSUPP: an operation or event that the
 * table does not know there; -EINVAL: a broken message. On failure only ret->id is of use (0: none was readable), and
 * there is nothing to free. */
int sk_msg_decode(enum sk_wire wire, json_t *take_json, struct sk_msg *ret, struct sk_error *err);
/* Frees a decoded message. NULL and zeroed ones are accepted. */
void sk_msg_fini(struct sk_msg *msg);
/* The message as a JSON object, a new reference. NULL with `err` set: a field is out of bounds, or a string is not
 * UTF-8. */
json_t *sk_msg_encode(const struct sk_msg *msg, struct sk_error *err);

/* The word on the wire. */
const char *sk_op_name(enum sk_op op);
enum sk_wire sk_op_wire(enum sk_op op);
/* Of a client's request that the monitor passes on to the agent with the same fields: the agent's operation; otherwise
 * SK_OP_COUNT. */
enum sk_op sk_op_passed_as(enum sk_op op);
/* Whether a client may send it only to the monitor of an OCI runtime's container. */
bool sk_op_is_managed(enum sk_op op);
/* Milliseconds that an answer to a request may take; 0: as long as it takes. */
unsigned sk_msg_timeout_ms(const struct sk_msg *msg);

/* An answer, of the agent to the monitor or of the monitor to a client. The table says which fields the answer to which
 * operation has. */
struct sk_reply {
	uint64_t id; /* the agent's: of the request */
	bool ok;
	/* Where not ok: */
	int error;	     /* errno, never 0 */
	int exit_code;	     /* 126, 127, …; 0: none to tell */
	const char *message; /* never NULL */
	/* Where ok: */
	int pid, engine_pid, code;
	const char *engine, *kernel, *key, *container;
	uint64_t memory;
	uint32_t cpus;
	uint16_t guest_port;  /* of "publish": where its connections arrive in the guest, */
	const char *guest_ip; /* and at which address */
	const json_t *stats, *processes, *stat;
	struct sk_time clock;
	json_t *json; /* of a decoded one: owned */
};
/* The id of an answer of the agent, by which its request is found. -EINVAL: none. */
int sk_reply_id(const json_t *json, uint64_t *ret_id);
/* Decodes the answer to `op`. Takes `take_json` in any case; on failure there is nothing to free. */
int sk_reply_decode(enum sk_op op, json_t *take_json, struct sk_reply *ret, struct sk_error *err);
void sk_reply_fini(struct sk_reply *reply);
/* 0: it succeeded; otherwise the error that it tells of. */
int sk_reply_error(const struct sk_reply *reply, struct sk_error *err);
/* New reference; NULL with `err` set, as sk_msg_encode(). A message that is not UTF-8 is replaced by one that says so. */
json_t *sk_reply_encode(enum sk_op op, const struct sk_reply *reply, struct sk_error *err);

/* Whether the agent that said hello and this program understand each other; otherwise `err` says which one is older and
 * what to do. -EPROTO. */
int sk_proto_check_agent(const struct sk_msg *hello, struct sk_error *err);

#endif
