/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_LIFE_H
#define SK_VM_LIFE_H

/*
 * The life of a container as a state machine. No I/O and no clock: what happens goes in as calls (the agent answered,
 * the engine ended, a client asked), the time as a parameter, and what is to be done comes out as an action for the
 * monitor (monitor.c), which has the loop, the files and the connections.
 *
 * Phases, and the next ones in brackets. Every boot runs through them once. What a client may ask for in which phase is
 * a table for each policy (life.c), which sk_life_judge() reads.
 *
 *   BOOTING   the engine runs, the guest is not set up. Wishes are noted (start, stop, kill).          [READY, DOWN]
 *   READY     set up; no container yet. start creates the container, or its root is mounted
 *             for a copy, not both.                                           [CREATED, RUNNING, STOPPING, DOWN]
 *   CREATED   where creating and starting are apart: the container is there, its process waits. Others
 *             can be executed in it.                                                  [RUNNING, STOPPING, DOWN]
 *   RUNNING   the container's first process runs. stop signals it.                               [STOPPING, DOWN]
 *   STOPPING  it has ended, or never will start: the guest is asked to shut down. Why the VM ends
 *             after that is no failure.                                                                   [DOWN]
 *   DOWN      no engine process. The next life is waited for, or the monitor ends.         [BOOTING in another monitor]
 *
 * A member of a pod has a life of its own in the VM of another container: its BOOTING and READY are the guest's request
 * to create it, its STOPPING is its removal there.
 *
 * A VM that is lost (engine or agent gone, killed, a deadline) goes DOWN from any phase. Events only set what is
 * wanted; sk_life_next() says what comes of it when no callback is running.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "vm/config.h"

#define SK_BACKOFF_MIN_MS 100u
#define SK_BACKOFF_MAX_MS 60000u
#define SK_BACKOFF_RESET_MS 10000u /* a container that has run so long starts anew */

enum sk_phase {
	SK_PHASE_BOOTING,
	SK_PHASE_READY,
	SK_PHASE_CREATED,
	SK_PHASE_RUNNING,
	SK_PHASE_STOPPING,
	SK_PHASE_DOWN,
	SK_PHASES,
};

/* What clients ask of a container. */
enum sk_life_verb {
	SK_LIFE_NO_VERB,
	SK_LIFE_ATTACH,
	SK_LIFE_CREATE,
	SK_LIFE_START,
	SK_LIFE_EXEC,
	SK_LIFE_SIGNAL,
	SK_LIFE_STOP,
	SK_LIFE_WAIT,
	SK_LIFE_COPY,	 /* what looks into the root file system */
	SK_LIFE_JOIN,	 /* a further container in its VM */
	SK_LIFE_PROVIDE, /* what an OCI runtime brings: network, shares of a member */
	SK_LIFE_VERBS,
};

enum sk_life_verdict {
	SK_LIFE_REFUSED, /* not in this phase */
	SK_LIFE_ENDED,	 /* not any more; refused with what has ended the container, if that was a failure */
	SK_LIFE_UNKNOWN, /* never under this policy */
	SK_LIFE_GO,	 /* to be done now */
	SK_LIFE_NOTED,	 /* a wish: done when the phase for it comes */
	SK_LIFE_LATER,	 /* the request is to be judged again when the guest is set up */
	SK_LIFE_DONE,	 /* it is so already, or comes by itself */
	SK_LIFE_ABORT,	 /* nothing of the container runs yet: what would end it ends the VM, all else is done */
};

struct sk_life_refusal {
	int error, exit_code; /* exit_code 0: none */
	const char *message;
};

/* Who directs the container, and what is different for that. */
struct sk_life_policy {
	const char *name;
	bool create_apart;		   /* created and started by requests of their own: CREATED */
	bool ends_unwanted;		   /* a VM that nobody is connected to and nobody has started ends */
	bool needs_creator;		   /* a container whose creator has gone before it was done is killed */
	bool killed_is_137;		   /* a container that is killed before it runs exits with 137, too */
	bool pods;			   /* further containers may join its VM */
	bool exits_as;			   /* its monitor exits with its code */
	bool restarts;			   /* by a policy that `skerry update` may change */
	const uint8_t (*rules)[SK_PHASES]; /* enum sk_life_verdict, by verb */
};
extern const struct sk_life_policy sk_life_standalone, sk_life_managed, sk_life_member;

struct sk_life {
	const struct sk_life_policy *policy;
	enum sk_phase phase;
	/* Wishes. */
	bool start_wanted, stop_wanted, killed;
	/* What is under way, and what the next step has to see to. */
	bool starting, mounted; /* create was sent; the root is mounted for copies */
	bool lost, process_done;
	bool ran;	   /* the container's process has run in this life */
	bool suspending;   /* RUNNING, STOPPING: it ends because nobody needs it */
	bool restart_due;  /* DOWN: the next life is waited for */
	bool suspended;	   /* DOWN: restart_due, when somebody needs it */
	bool handing_over; /* DOWN: the next life's monitor takes over as soon as nobody is connected */
	bool announced;	   /* DOWN: who waits for the end hears of it */
	bool final;	   /* DOWN: the state is written, clients have been told */
	char why[256];	   /* why the VM was lost; "": as it was meant to be */
	/* How it went. */
	int exit_code;
	bool oom;
	char failure[SK_ERROR_MAX]; /* why it could not start or go on; "" */
	int failure_errno, failure_exit_code;
	/* Restarts. */
	enum sk_restart_policy restart;
	unsigned restart_max, restarts; /* restart_max 0: no limit */
	uint64_t started_ms, backoff_ms;
};

/* What the monitor knows besides, when it asks for the next action. */
struct sk_life_view {
	bool connected;	    /* somebody is */
	bool creator_gone;  /* nobody is left of those who create it */
	bool output_is_out; /* nothing is left to write to inherited descriptors */
};

enum sk_life_action {
	SK_LIFE_NOTHING,
	SK_LIFE_STOP_GUEST,	/* sk_life_stopping(), then the guest is asked to shut down, or the VM is lost */
	SK_LIFE_TAKE_DOWN,	/* sk_life_down(), the engine ends; then sk_life_after() */
	SK_LIFE_CANCEL_RESTART, /* no next life: the end is written down */
	SK_LIFE_HAND_OVER,	/* the next life's monitor takes over */
	SK_LIFE_QUIT,		/* the monitor ends */
	SK_LIFE_KILL,		/* sk_life_kill(): nobody will ever start it */
	SK_LIFE_SHUT_DOWN,	/* nobody wants anything: sk_life_unwanted(), then the guest is asked to shut down */
};

/* Whether a request is legal in this phase; *ret_refusal is set for the first three verdicts. */
enum sk_life_verdict sk_life_judge(const struct sk_life *l, enum sk_life_verb verb,
				   struct sk_life_refusal *ret_refusal);
/* What to answer a client that waits for the outcome of its request. */
enum sk_life_reply {
	SK_LIFE_NO_REPLY, /* it goes on waiting */
	SK_LIFE_REPLY_OK,
	SK_LIFE_REPLY_REFUSAL,
	SK_LIFE_REPLY_CODE, /* the exit code */
};
enum sk_life_reply sk_life_reply(const struct sk_life *l, enum sk_life_verb verb, struct sk_life_refusal *ret_refusal);

/* A life begins: the engine is about to be started. Restarts, wishes and policy stay. */
void sk_life_boot(struct sk_life *l);
/* The guest is set up. Only in BOOTING. */
void sk_life_ready(struct sk_life *l);
/* The container is created, and not started. True: it was not before. */
bool sk_life_created(struct sk_life *l);
/* True if nobody has asked for it before. */
bool sk_life_want_start(struct sk_life *l);
/* READY, and neither created nor mounted yet. */
bool sk_life_may_start(const struct sk_life *l);
bool sk_life_may_mount(const struct sk_life *l);
/* The container's process runs. True: it did not before. */
bool sk_life_started(struct sk_life *l, uint64_t now_ms);
/* It could not be started, or the VM could not. `exit_code` 0: 125. */
void sk_life_failed(struct sk_life *l, int error, int exit_code, const char *message);
/* The VM is down, and its clients may hear of it: the state says so. */
void sk_life_announce(struct sk_life *l);
/* Asked to stop. True: its process is to be signalled; otherwise the VM is lost, or there is nothing to stop. */
bool sk_life_stop(struct sk_life *l);
/* Its process may end because nobody needs it. When it does so in order, the next life begins with sk_life_restart_now().
 * False: it is not in the state for that. */
bool sk_life_suspend(struct sk_life *l);
/* The VM is to end at once. */
void sk_life_kill(struct sk_life *l);
/* Engine or agent went away, or a deadline has passed; `why` "": as it was meant to be. False: that is known. */
bool sk_life_lost(struct sk_life *l, const char *why);
/* The container's first process has ended and its output is out. */
void sk_life_process_done(struct sk_life *l);

/* What is to be done now, first those that change the phase. To be asked again after each. */
enum sk_life_action sk_life_next(const struct sk_life *l);
/* What is to be done when sk_life_next() has nothing more. */
enum sk_life_action sk_life_idle(const struct sk_life *l, const struct sk_life_view *view);

/* STOP_GUEST: the process ended with `code`. */
void sk_life_stopping(struct sk_life *l, int code, bool oom);
/* SHUT_DOWN: the VM was there for nobody. */
void sk_life_unwanted(struct sk_life *l);
/* TAKE_DOWN: sets exit code and failure. True: the container ran until now. */
bool sk_life_down(struct sk_life *l);
/* The engine is gone. True: there is a next life, to be booted in backoff_ms, or when somebody needs it (suspended);
 * otherwise the monitor ends. */
bool sk_life_after(struct sk_life *l, bool ran_until_now, uint64_t now_ms);
/* Whether a container that ends now would be restarted. */
bool sk_life_will_restart(const struct sk_life *l);
/* CANCEL_RESTART: there is no next life. */
void sk_life_cancel_restart(struct sk_life *l);
/* The time of the next life has come. */
void sk_life_restart_now(struct sk_life *l);

#endif
