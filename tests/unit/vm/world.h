/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_VM_WORLD_H
#define SK_TESTS_VM_WORLD_H

#include "fixture.h"
#include "sim.h"

#include <sys/types.h>

#include "proto/message.h"
#include "virtio/stream.h"

/*
 * The whole monitor, its main() included, under a simulated clock: state files and clients' sockets are real, the
 * sandbox (vm/sandbox.h), its streams and the keeper are this file's. Each life runs in a process of its own, as it does
 * outside. A script in that process is guest, engine and clients; when it returns the monitor has to come to its end by
 * itself.
 */

/* For a group of tests: one store, and an engine that the monitor finds. */
int w_setup(void **state);
int w_teardown(void **state);
struct fx_store *w_store(void);

/* A life, and how it went. */
struct w_life {
	void (*script)(void); /* when the monitor is about to wait for the first time */
	const void *arg;      /* the script's: w_arg() */
	bool no_owner;	      /* nobody is connected from the start */
	bool boot_fails;
	/* from the last one, and for the next one */
	unsigned restarts;
	uint64_t backoff_ms, now_ms;
	/* how it ended */
	int status; /* the monitor's exit status */
	bool handed_over, removed;
	unsigned lost_tells; /* requests that were still unanswered when the sandbox was freed */
};

/* Runs a monitor for the store's container until it ends. */
void w_run(const struct fx_store *store, struct w_life *life);

/* ---- below: for the script only */

const void *w_arg(void);
uint64_t w_now(void);
void w_settle(void);
void w_pass(uint64_t ms);

/* The guest: the agent has said hello; it is set up. */
void w_hello(void);
void w_ready(void);
/* Engine or agent are gone. */
void w_lost(const char *why);
void w_exit(const char *container, const char *key, int code);
void w_oom(const char *container);
void w_disk_trouble(bool full, int failed);
void w_layers_damaged(void);
/* Whether the guest was asked to shut down; it can also refuse to be asked. */
bool w_is_shutting_down(void);
void w_refuse_shut_down(void);
/* A sandbox is there. */
bool w_has_vm(void);
/* The monitor holds the container's lock. It has to whenever it writes the state or removes something: see world.c. */
bool w_is_locked(void);

/* A request to the agent, until it is answered. */
struct w_request {
	bool used;
	uint64_t number;
	struct sk_msg msg; /* numbers and tokens are good, pointers are not */
	char container[16], key[24];
	void (*cb)(void *arg, const struct sk_reply *reply);
	void *arg;
};
/* The oldest request that nobody has seen yet has to be `op`. */
struct w_request w_expect(enum sk_op op);
void w_expect_nothing(void);
void w_ok(const struct w_request *request);
void w_refuse(const struct w_request *request, int error, int exit_code, const char *message);
/* An answer with fields of its own. */
void w_reply(const struct w_request *request, const struct sk_reply *answer);
/* w_expect() and w_ok(). */
struct w_request w_answer(enum sk_op op);

/* A stream of the guest's. */
struct sk_stream {
	const struct sk_stream_events *events;
	void *arg;
	struct sk_buf in; /* what the host has written, as far as there is room */
	size_t room;
	bool shut, closed; /* by the host */
	unsigned resumed;
};
/* Opens one with its token, and `data` behind that. NULL: nobody knows the token. */
struct sk_stream *w_stream(const struct sk_token *token, const char *data);
/* Offers bytes; how many were taken. */
size_t w_data(struct sk_stream *s, const void *p, size_t n);
void w_eof(struct sk_stream *s);
void w_closed(struct sk_stream *s);
/* The guest reads: `room` more bytes fit. */
void w_room(struct sk_stream *s, size_t room);

/* A client's connection. */
struct w_client {
	int fd;
	struct sk_buf in;
	size_t out[2]; /* bytes of output that have come, by stream */
	unsigned ends[2];
	uint8_t last; /* of output */
};
struct w_client *w_owner(void); /* the one that has started the monitor */
struct w_client *w_connect(void);
void w_close(struct w_client *c);
void w_send(struct w_client *c, const char *text);
void w_send_input(struct w_client *c, const void *p, size_t n);
/* The next message, past output; NULL: the monitor has closed the connection. */
json_t *w_receive(struct w_client *c);
/* Reads what there is of output. */
void w_read(struct w_client *c);
void w_expect_ok(struct w_client *c);
void w_expect_error(struct w_client *c, int error, const char *words);
/* The message "exit", and then nothing more. */
void w_expect_end(struct w_client *c, int code);
void w_expect_silence(struct w_client *c); /* no message is there */
void w_expect_closed(struct w_client *c);

/* The container's life, as far as a test needs it again and again. `w_up`: hello, ready, and the container created (and
 * started, where that is one thing); returns the tokens of its streams. */
struct w_request w_up(void);
/* Its process ends, with its output. */
void w_process_ends(const struct w_request *created, int code);
/* state.json says so. */
void w_expect_status(const char *status);

#endif
