/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_TESTS_VM_FAKE_AGENT_H
#define SK_TESTS_VM_FAKE_AGENT_H

#include "../virtio/frontend.h"
#include "base/buf.h"
#include "proto/message.h"

/*
 * A guest for tests of what stands above the devices: the engine's side of the vsock device and the agent behind it, in
 * the test's own process. The engine itself is the fake one, with a program that does nothing. What the agent says is
 * the test's.
 */
#define FA_PORTS 128u /* of the guest */
struct fake_agent {
	struct fe fe;
	uint8_t *rx[FE_QUEUE_SIZE];	   /* the buffer of each chain, by head */
	struct sk_buf control;		   /* what came on the control connection, from the last whole message on */
	struct sk_buf other;		   /* bytes that came on any other one */
	uint32_t taken[FA_PORTS];	   /* bytes that came, by the port of the guest: for the host's credit */
	unsigned accepted, refused, ended; /* connections of ours that the host has … */
};

/* Connects to the device whose socket is in `run_dir`, on which `loop` works, or another process; waits for it. */
void fa_start(struct fake_agent *a, struct sk_loop *loop, const char *run_dir);
/* The guest is gone, with its devices. */
void fa_stop(struct fake_agent *a);
/* Connects from a port of the guest's to one of the host's. */
void fa_connect(struct fake_agent *a, uint32_t guest_port, uint32_t host_port);
void fa_send(struct fake_agent *a, uint32_t guest_port, uint32_t host_port, const void *data, size_t n);
void fa_reset(struct fake_agent *a, uint32_t guest_port, uint32_t host_port);
/* A stream with a token, from a port of the guest's. */
void fa_stream(struct fake_agent *a, uint32_t guest_port, const struct sk_token *token);

/* The control connection. */
void fa_agent_up(struct fake_agent *a);
void fa_say(struct fake_agent *a, const char *json);
void fa_answer(struct fake_agent *a, const struct sk_msg *request);
void fa_refuse(struct fake_agent *a, const struct sk_msg *request, int error, const char *message);
/* The next request of the host; fails the test when none comes. The caller's. */
struct sk_msg fa_request(struct fake_agent *a);
/* The same, and it has to be `op`. */
struct sk_msg fa_expect(struct fake_agent *a, enum sk_op op);
/* No request is there. */
void fa_expect_nothing(struct fake_agent *a);
/* hello, setup and its answer. */
void fa_come_up(struct fake_agent *a);

#endif
