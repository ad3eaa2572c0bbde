/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_SANDBOX_H
#define SK_VM_SANDBOX_H

/*
 * One VM with what serves it on the host: the engine, the devices, the shares, the network, the session with the agent.
 * It knows no container, and not what it is for: that is its owner's, who fills a configuration, is called back, and
 * sends requests to the agent.
 *
 *   sandbox.c        puts the parts together; each part knows its own header only
 *   sandbox_linux.c, sandbox_windows.c   the VM: engine, disks, carrier
 *   session.c        requests to the agent and its events       clock.c     the guest's clock
 *   streams.c        streams from the guest, by their tokens    storage.c   layers, disks, balloon
 *   network.c        the back ends of the network               shares.c    directories of the host
 *   console.c        what the guest's kernel says               device_socket.c
 *
 * Life: sk_sandbox_new() starts the engine; the agent says hello, is set up, and `ready` follows. From then on the owner
 * may ask the agent for anything. Whatever goes wrong comes as `lost`, after which the owner frees it. Everything runs
 * on the owner's loop but the block devices, which have a thread (storage.c).
 *
 * Not trusted: everything from the guest and from the engine.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"
#include "engine/engine.h"
#include "proto/message.h"
#include "virtio/stream.h"
#include "vm/network.h"
#include "vm/session.h"
#include "vm/shares.h"
#include "vm/storage.h"
#include "vm/streams.h"

struct sk_sandbox;

/* Strings, arrays and JSON stay the owner's. "Started": they are used by sk_sandbox_new() only; all others until the
 * sandbox is freed. */
struct sk_sandbox_config {
	const char *name;    /* started: for process titles */
	const char *run_dir; /* absolute, private, writable: sockets, the engine's scratch files */
	const struct sk_engine *engine;
	const struct sk_engine_settings *engine_settings; /* started */
	uint64_t memory;				  /* bytes, a multiple of 4096 */
	unsigned cpus;
	unsigned start_timeout_ms;	/* for the guest to be set up */
	const char *start_timeout_hint; /* for people whose guest took longer: where that is set; NULL */
	int take_console_fd;		/* what the guest's kernel says is written there */
	const char *console_name;	/* and this is for people what is there: "see …" */
	int log_fd;			/* started: of the file server's messages */
	/* started */
	const struct sk_sandbox_layer *layers;
	unsigned n_layers;
	const struct sk_sandbox_disk *disks; /* their descriptors are taken */
	unsigned n_disks;
	const struct sk_sandbox_share *shares;
	unsigned n_shares;
	bool shares_wait; /* for sk_sandbox_go_on() */
	struct sk_network_config network;
	/* What the guest is set up with. */
	const char *hostname;
	const json_t *sysctl;  /* object or NULL */
	unsigned idle_reclaim; /* seconds */
};

/* All are called from the loop, but `confine`. None of them frees the sandbox. */
struct sk_sandbox_events {
	/* The engine runs, and no thread yet: time to give up what a running VM does not need. NULL: nothing. */
	void (*confine)(void *arg);
	/* The agent has said hello; its kernel's version. */
	void (*hello)(void *arg, const char *kernel);
	/* The guest is set up. */
	void (*ready)(void *arg);
	/* Engine, agent or a server is gone, or the guest did not come up in time; `why` "": it has halted, having been
	 * asked to. For people. May be called again. */
	void (*lost)(void *arg, const char *why);
	/* An event of the agent's: exit, oom. */
	void (*event)(void *arg, const struct sk_msg *event);
	/* A stream of the guest's has come; see vm/streams.h. */
	sk_stream_claim_cb stream;
	/* See vm/storage.h. */
	void (*disk_trouble)(void *arg, bool full, int failed);
	/* The guest's kernel cannot read a layer. */
	void (*layers_damaged)(void *arg);
};

/* Starts a VM. Takes the descriptors of the configuration, also on failure. */
int sk_sandbox_new(struct sk_loop *loop, const struct sk_sandbox_config *config, const struct sk_sandbox_events *events,
		   void *arg, struct sk_sandbox **ret_sandbox, struct sk_error *err);
/* Kills the engine and frees everything. Requests without an answer are called back, and the console's last words may
 * call back, too. Accepts NULL. */
void sk_sandbox_free(struct sk_sandbox *sandbox);

/* Those below accept NULL: there is no sandbox. */

/* As sk_session_request(). */
int sk_sandbox_request(struct sk_sandbox *sandbox, const struct sk_msg *request, sk_reply_cb cb, void *arg);
/* Streams that the guest opens to `port` of the host. -EADDRINUSE, -ENOMEM, -ENOTCONN. */
int sk_sandbox_listen(struct sk_sandbox *sandbox, uint32_t port, sk_stream_accept_cb accept, void *arg);
/* Publishes a port of the host as the guest's, and withdraws it: as sk_network_publish(). -ENOTCONN. */
int sk_sandbox_publish(struct sk_sandbox *sandbox, const struct sk_slirp_forward *forward);
void sk_sandbox_withdraw(struct sk_sandbox *sandbox, const struct sk_slirp_forward *forward);
/* What "wait" is for has come: shares and network are looked at now, and the guest is set up. */
void sk_sandbox_go_on(struct sk_sandbox *sandbox);
/* Tells the guest of its network as it is now, where the back end's changes. */
void sk_sandbox_update_network(struct sk_sandbox *sandbox);
/* Asks the guest to write back its disks and halt: `lost` follows. -ENOTCONN. */
int sk_sandbox_shut_down(struct sk_sandbox *sandbox);
/* The kernel's version that the agent has told; "". */
const char *sk_sandbox_kernel(const struct sk_sandbox *sandbox);
/* 0: none. */
pid_t sk_sandbox_engine_pid(const struct sk_sandbox *sandbox);
/* The agent's word for the device that has the shares; NULL: there is none. */
const char *sk_sandbox_shares_device(const struct sk_sandbox *sandbox);
/* As sk_shares_token(). */
const struct sk_token *sk_sandbox_shares_token(const struct sk_sandbox *sandbox);
/* The agent's words for the disks. */
struct sk_disk_addresses {
	char layers[32]; /* of the device that has all layers, end to end; or of the first layer's */
	char disk[32];	 /* of the first of the configuration's disks */
	bool apart;	 /* each layer is a device of its own, in a row from `layers` on */
};
void sk_sandbox_find_disks(const struct sk_sandbox *sandbox, unsigned n_layers, struct sk_disk_addresses *ret);

#endif
