/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_MONITOR_H
#define SK_VM_MONITOR_H

/*
 * The monitor: one process per VM. It owns the sandbox, the container in it, the log and the state file.
 *
 *   life.c      the life of the container as a state machine without I/O
 *   statefile.c state.json and the event log
 *   conn.c      connections of clients
 *   stdio.c     the streams of a process, their log and their readers
 *   forward.c   sockets of the host that lead into the guest
 *   services.c  what programs in the guest may ask of the host; with relay.c and dialler.c
 *   guest.c     the sandbox and the container in it, from vm.json
 *   health.c    health checks
 *   container.c what is wished of the container, and what the agent answers
 *   confine.c   what is given up when the VM runs
 *   pod.c       further containers in the same VM
 *   managed.c   what is different for the OCI runtime: inherited stdio, create apart from start
 *   policy.c    the table of policies
 *   control.c   what clients ask for
 *   monitor.c   main; hears the sandbox, does what life.c says; the end
 *
 * In this order: each uses those above it only.
 *
 * Below it, and knowing nothing of it: the sandbox (vm/sandbox.h).
 *
 * The phases of a life, and what is legal in each: vm/life.h.
 *
 * Not trusted: everything from the agent (a claim about the guest only), and the pace of clients. One thread runs all of
 * this; block devices have a thread of their own (storage.c).
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/acceptor.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"
#include "engine/engine.h"
#include "proto/message.h"
#include "virtio/device.h"
#include "vm/config.h"
#include "vm/endpoint.h"
#include "vm/life.h"
#include "vm/logfile.h"
#include "vm/sandbox.h"
#include "vm/services.h"
#include "vm/settings.h"
#include "vm/state.h"

#define SK_CONTAINER "c0"  /* the agent's name of a standalone container */
#define SK_MAX_CONNS 1024u /* or a quarter of the descriptors that we may have */
#define SK_MAX_FDS 65536u
#define SK_MAX_PROCS 1024u
#define SK_CONN_HIGH (512u * 1024u) /* a reader with more than this unsent holds up the output it reads */

struct sk_forwards;
struct sk_health;
struct sk_managed;
struct sk_monitor;
struct sk_conn;
struct sk_proc;

/* One stream between the guest and somebody here, known by its token until the agent connects. */
struct sk_channel {
	struct sk_proc *proc; /* of a process, or */
	struct sk_conn *conn; /* of a client's get or put */
	struct sk_stream *stream;
	struct sk_token token; /* not set: there is no such stream, or it has come */
	int number;	       /* 0, 1, 2 */
	bool done;	       /* ended, or never to come */
	bool stalled;	       /* has bytes that a reader had no room for */
};

struct sk_proc {
	struct sk_monitor *m;
	struct sk_proc *next;
	char container[16];
	char key[24];
	bool member;	      /* the first process of a further container */
	struct sk_life *life; /* that container's; NULL: it is no member */
	bool bare_newlines;   /* its terminal leaves "\n" as it is: who shows it adds the "\r" */
	bool init, terminal, started, exited, finished;
	/* It has exited and its output is out. NULL: its readers are told. */
	void (*finished_cb)(struct sk_proc *p);
	/* Takes its output, all of it, in the place of readers; NULL: none does. */
	void (*output_cb)(struct sk_proc *p, const uint8_t *data, size_t n);
	void *owner; /* of the two callbacks */
	bool killed; /* with SIGKILL: what it has not got rid of is not waited for */
	int code;
	bool oom;
	uint64_t oom_ms; /* of the last OOM kill that was told: a first process's */
	struct sk_channel ch[3];
	struct sk_buf in;	 /* stdin not yet taken by the guest */
	bool in_eof;		 /* no more will come: shut down when `in` is empty */
	struct sk_conn *readers; /* linked by next_reader */
	struct sk_source *drain_timer;
};

enum sk_conn_kind {
	SK_CONN_NEW,
	SK_CONN_WAITING, /* a reply is on its way */
	SK_CONN_ATTACHED,
	SK_CONN_COPY,	 /* get or put */
	SK_CONN_SHARE,	 /* a file server's: bytes to and from a stream of the guest */
	SK_CONN_CLOSING, /* what is in `out` is sent, then closed */
};

struct sk_conn {
	struct sk_monitor *m;
	struct sk_conn *next, *next_reader;
	int fd;
	struct sk_source *source;
	struct sk_buf in, out;
	enum sk_conn_kind kind;
	unsigned refs; /* pending replies that name it */
	bool stranger; /* it has yet to say the secret */
	bool of_proxy; /* the one of this process to itself */
	bool dead, owner, owns_process, wants_stdin, detached, in_closed;
	enum sk_life_verb waits; /* for this wish to come true; NO_VERB: for nothing */
	struct sk_proc *proc;	 /* attached to */
	struct sk_channel copy;
	/* The agent's answer to get or put, kept until the stream is done. */
	bool copy_put, copy_replied;
	int copy_errno;
	char copy_error[SK_ERROR_MAX];
	size_t stdin_unacked; /* bytes taken and not yet acknowledged */
	uint16_t rows, cols;
	char exec_key[24];
	enum sk_op op;		 /* of the request that is answered, or was */
	struct sk_msg *deferred; /* a request that waits for the guest to come up */
};

/* What is done for clients (control.c), for the connections (conn.c). */
struct sk_clients {
	void (*input)(struct sk_conn *c); /* there is more in c->in */
	void (*room)(struct sk_conn *c);  /* attached to a process: it takes output again */
	void (*gone)(struct sk_conn *c);  /* the peer is, or it is broken */
	void (*freed)(struct sk_conn *c); /* is about to be */
};

/* Who directs the container: what its life is, and what the monitor does besides (policy.c). */
struct sk_policy {
	const struct sk_life_policy *life;
	/* Before anything is given up. */
	int (*begin)(struct sk_monitor *m, struct sk_error *err);
	/* The VM is down. */
	void (*down)(struct sk_monitor *m);
	/* The state says that the container has ended. */
	void (*ended)(struct sk_monitor *m);
	/* Nothing is left to write to inherited descriptors. */
	bool (*output_is_out)(const struct sk_monitor *m);
	void (*fini)(struct sk_monitor *m);
};

struct sk_monitor {
	struct sk_paths paths;
	const char *id;
	int dirfd, lock_fd, log_fd;
	char run_dir[512];
	struct sk_vm_config config;
	struct sk_loop *loop;
	const struct sk_policy *policy;
	struct sk_life life;
	json_t *state;
	struct sk_logfile *log;

	/* one boot */
	const struct sk_engine *engine;
	struct sk_sandbox *sandbox;   /* NULL: none runs */
	struct sk_forwards *forwards; /* NULL: none; kept beyond the boot where they are held */
	struct sk_services *services; /* NULL: the container has none */
	struct sk_source *stop_timer, *down_timer, *restart_timer;
	struct sk_managed *managed; /* that policy's own */
	struct sk_health *health;   /* NULL: the container is not checked */

	/* the container */
	struct sk_proc *procs;
	struct sk_proc *init;
	bool stand_in; /* the container's process on the host is our parent: vm/parent.h */
	unsigned next_key, next_container;
	bool disk_full;
	int disk_failed; /* errno */
	bool layers_damaged;

	const struct sk_clients *clients;
	struct sk_conn *conns;
	unsigned n_conns, max_conns;
	int listen_fd;
	char secret[SK_ENDPOINT_SECRET + 1]; /* of clients that connect; "": they need none */
	struct sk_acceptor *acceptor;
	int sockets[4]; /* of vm.json's "sockets", as the last life has left them */
	unsigned n_sockets;
	struct sk_source *reap; /* deferred: frees dead conns and procs, ends phases */
};

/* statefile.c */
void sk_monitor_save(struct sk_monitor *m); /* state.json */
void sk_monitor_set_status(struct sk_monitor *m, const char *status);
void sk_monitor_set_time(struct sk_monitor *m, const char *key); /* now; saved later */
/* The guest's writes wait for room on the host's disk, or go on. */
void sk_monitor_disk_trouble(struct sk_monitor *m, bool full, int failed);
/* The guest kernel cannot read a layer. */
void sk_monitor_layers_damaged(struct sk_monitor *m);
/* What is wrong with the container's disk or layers, though it may go on; "" where nothing is. */
const char *sk_monitor_trouble(const struct sk_monitor *m, char *buf, size_t size);
json_t *sk_monitor_state_error(const struct sk_monitor *m); /* what State.Error says; a new reference */
void sk_monitor_event(struct sk_monitor *m, const char *action);

/* container.c */
void sk_monitor_start_container(struct sk_monitor *m); /* READY, and it is to be started */
void sk_monitor_mount(struct sk_monitor *m);	       /* READY: mount the root without starting anything */
void sk_monitor_want_start(struct sk_monitor *m);      /* start the container as soon as READY */
int sk_monitor_start_created(struct sk_monitor *m);    /* one that is created already. -ENOTCONN */
void sk_monitor_stop(struct sk_monitor *m, int signal, int timeout); /* timeout in s, -1 for ever */
void sk_monitor_kill(struct sk_monitor *m);			     /* the VM, at once */
void sk_monitor_kill_soon(struct sk_monitor *m);	     /* the same, if SIGKILL does not end the container */
void sk_monitor_lost(struct sk_monitor *m, const char *why); /* agent or engine went away */
void sk_monitor_answer(struct sk_monitor *m); /* tells those who wait what has come of their wishes (sk_life_reply()) */

/* health.c */
void sk_health_begin(struct sk_monitor *m); /* the container has started */
void sk_health_end(struct sk_monitor *m);   /* it has ended; nothing where it is not checked */

/* guest.c */
/* `idle`: asked whether a machine that nobody needs may stop, see sk_services_set_idle(). */
int sk_guest_boot(struct sk_monitor *m, const struct sk_sandbox_events *events, sk_services_idle_cb idle,
		  struct sk_error *err);
void sk_guest_down(struct sk_monitor *m); /* the sandbox, and what stands on it; none is all right. Held
					     * forwards stay */
/* Requests to the agent, as sk_sandbox_request(). create: of the container, started unless it is managed; mount: of its
 * root file system alone. */
int sk_guest_create(struct sk_monitor *m, uint16_t rows, uint16_t cols, sk_reply_cb cb, void *arg);
int sk_guest_mount(struct sk_monitor *m);

/* managed.c: the policy's functions. All but the first accept that it did not come as far. */
int sk_managed_begin(struct sk_monitor *m, struct sk_error *err); /* takes stdin, stdout, stderr */
/* When the guest ran out of memory, the host's control group says so. */
void sk_managed_down(struct sk_monitor *m);
void sk_managed_ended(struct sk_monitor *m); /* readers of its output have a while */
bool sk_managed_output_is_out(const struct sk_monitor *m);
void sk_managed_fini(struct sk_monitor *m);

/* policy.c. The others do nothing where the policy has no such function. */
const struct sk_policy *sk_policy_of(const struct sk_vm_config *config);
int sk_policy_begin(struct sk_monitor *m, struct sk_error *err);
void sk_policy_down(struct sk_monitor *m);
void sk_policy_ended(struct sk_monitor *m);
bool sk_policy_output_is_out(const struct sk_monitor *m);
void sk_policy_fini(struct sk_monitor *m);

/* pod.c: further containers in the VM of a managed one. */
void sk_pod_join(struct sk_conn *c, const struct sk_msg *request);
void sk_pod_share(struct sk_conn *c, const struct sk_msg *request);
void sk_pod_start(struct sk_conn *c, const struct sk_msg *request); /* of one that is created */
void sk_pod_conn_dead(struct sk_conn *c);			    /* the host's process of a container has gone */
/* A further container has run out of memory: its process on the host, which keeps its state, is told. */
void sk_pod_oom(struct sk_monitor *m, const char *container);
/* Whether the container that a request names can be one of this VM. */
bool sk_pod_may_have(const struct sk_monitor *m, const struct sk_msg *request);
/* The agent's name of the container that a request is about; c0 */
const char *sk_pod_container(const struct sk_monitor *m, const struct sk_msg *request);

/* confine.c */
void sk_monitor_confine(struct sk_monitor *m); /* gives up what a running VM does not need; for good */

/* stdio.c */
struct sk_proc *sk_proc_new(struct sk_monitor *m, const char *container, const char *key, bool terminal,
			    bool wants_stdin);
struct sk_proc *sk_proc_find(struct sk_monitor *m, const char *container, const char *key);
/* For create and exec. */
struct sk_stdio_spec sk_proc_stdio(const struct sk_proc *p, uint16_t rows, uint16_t cols);
/* Sends a signal to the process, or with `all` to all of its container. */
void sk_proc_signal(const struct sk_proc *p, int signal, bool all);
void sk_proc_killed(struct sk_proc *p); /* SIGKILL is on its way; NULL is allowed */
void sk_proc_exited(struct sk_proc *p, int code, bool oom);
void sk_proc_tell_exit(struct sk_proc *p); /* readers hear of it, and go */
void sk_proc_answered(struct sk_proc *p);  /* exec's client has its answer: output follows */
void sk_proc_attach(struct sk_proc *p, struct sk_conn *c);
void sk_proc_detach(struct sk_conn *c);
void sk_proc_stdin(struct sk_proc *p, const uint8_t *data, size_t n); /* n 0: end of file */
void sk_proc_writable(struct sk_proc *p);			      /* a reader has room again */
void sk_proc_abandon(struct sk_proc *p);			      /* the guest is gone: streams end now */
void sk_proc_free(struct sk_proc *p);
void sk_channel_token(struct sk_channel *ch);
/* A stream that is a process's or a client's; `m` is the monitor. See vm/streams.h. */
ssize_t sk_stdio_claim(void *m, const struct sk_token *token, struct sk_stream *stream, const uint8_t *data, size_t n);

/* conn.c */
/* Takes `take_fd`. NULL: out of memory. */
struct sk_conn *sk_conn_new(struct sk_monitor *m, int take_fd);
void sk_conn_reply(struct sk_conn *c, const struct sk_reply *reply); /* to its request, c->op */
void sk_conn_reply_ok(struct sk_conn *c);			     /* the same without any field */
void sk_conn_reply_error(struct sk_conn *c, int code, int exit_code, const char *message);
/* Appends a frame of output. False: the connection is no more. */
bool sk_conn_output(struct sk_conn *c, uint8_t type, const void *p, size_t n);
void sk_conn_raw(struct sk_conn *c, const void *p, size_t n); /* bytes, no frame */
void sk_conn_event(struct sk_conn *c, const struct sk_msg *event);
void sk_conn_flush(struct sk_conn *c);
/* Asks the agent; `cb` gets the connection as its argument, and has to drop c->refs. Where that fails the client is
 * told, and the connection finished. */
void sk_conn_ask(struct sk_conn *c, const struct sk_msg *request, sk_reply_cb cb);
/* For sk_conn_ask(): the answer goes to the client. */
void sk_conn_on_passed(void *arg, const struct sk_reply *reply);
void sk_conn_pass_error(struct sk_conn *c, const struct sk_reply *reply); /* NULL: the session has ended */
void sk_conn_finish(struct sk_conn *c);					  /* sends what is there, then closes */
void sk_conn_dead(struct sk_conn *c);
void sk_conn_free(struct sk_conn *c);

/* control.c */
extern const struct sk_clients sk_control_clients;
int sk_control_listen(struct sk_monitor *m, struct sk_error *err);
bool sk_control_close(struct sk_monitor *m);	/* no more connections; false: there is one waiting, so not now */
void sk_control_vm_ended(struct sk_monitor *m); /* connections that carry its files end */
bool sk_control_has_clients(const struct sk_monitor *m); /* others than this process itself */
void sk_control_ready(struct sk_monitor *m);		 /* the guest is up: waiting requests go on */
void sk_control_step(struct sk_monitor *m); /* from the deferred step: copies go on, dead connections are freed */

#endif
