/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_SANDBOX_INTERNAL_H
#define SK_VM_SANDBOX_INTERNAL_H

/*
 * What the two halves of a sandbox share: sandbox.c is the same on each system and speaks with the agent;
 * sandbox_linux.c and sandbox_windows.c make the VM, with what the system has for that.
 */
#include "vm/clock.h"
#include "vm/console.h"
#include "vm/sandbox.h"

/* The VM itself: engine, disks, carrier. Each system's own. */
struct sk_sandbox_vm;

struct sk_sandbox {
	struct sk_loop *loop;
	struct sk_sandbox_config config;
	const struct sk_sandbox_events *events;
	void *arg;
	struct sk_sandbox_vm *vm;
	struct sk_source *boot_timer;
	unsigned boot_waits;	    /* how many times the timer has run out */
	struct sk_carrier *carrier; /* the VM's */
	struct sk_session *session;
	struct sk_streams *streams;
	struct sk_network *network;
	struct sk_shares *shares;
	struct sk_console *console;
	struct sk_clock *clock;
	char kernel[64];
	bool held;	  /* not to be set up yet: sk_sandbox_go_on() */
	bool hello;	  /* the agent is there */
	bool set_up;	  /* the agent has been told to set up the guest */
	bool halt_wanted; /* it has been asked to halt */
};

/* ---- sandbox.c, for the VM's half */

/* For people. "": it has halted, having been asked to. */
void sk_sandbox_lost(struct sk_sandbox *s, const char *why);
/* The same; what the guest's kernel has said tells more. */
void sk_sandbox_lost_see_console(struct sk_sandbox *s, const char *why);
/* The steps of the VM's start that are the same everywhere, each with what the ones before have made: the session on
 * s->carrier; the network; the shares; the console, whose writing end is the caller's. */
int sk_sandbox_agent_up(struct sk_sandbox *s, struct sk_error *err);
int sk_sandbox_network_up(struct sk_sandbox *s, struct sk_error *err);
int sk_sandbox_shares_up(struct sk_sandbox *s, struct sk_error *err);
int sk_sandbox_console_up(struct sk_sandbox *s, int *ret_write_fd, struct sk_error *err);
/* The engine runs: the guest has its time to come up. */
int sk_sandbox_await_boot(struct sk_sandbox *s, struct sk_error *err);
/* Closes the descriptors of the configuration that have not been taken. */
void sk_sandbox_close_taken(struct sk_sandbox_config *config);

/* ---- sandbox_linux.c, sandbox_windows.c */

/* Makes and starts the VM. What it has made by the time it fails is sk_sandbox_vm_down()'s and _free()'s. */
int sk_sandbox_vm_up(struct sk_sandbox *s, struct sk_error *err);
/* Ends the engine, and the console after its last words. Accepts what up() has left, also nothing. */
void sk_sandbox_vm_down(struct sk_sandbox *s);
/* Frees the rest of s->vm and the carrier, when nobody uses a stream any more. */
void sk_sandbox_vm_free(struct sk_sandbox *s);

#endif
