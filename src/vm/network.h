/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_NETWORK_H
#define SK_VM_NETWORK_H

/*
 * The network of a sandbox. A back end is a row of one table (network.c): what it is made of, what the engine and the
 * guest are told of it, and how it is brought up and down. The sandbox asks the back end and never which one it is.
 *
 *   none     no interface but the guest's own loopback
 *   slirp    libslirp: one interface, addresses that are always the same, ports published on the host
 *   netns    the interfaces of the network namespace that the process is in, as they come and go (network_netns.c)
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"
#include "engine/engine.h"
#include "proto/message.h"
#include "virtio/device.h"
#include "vm/session.h"

enum sk_network_mode {
	SK_NETWORK_NONE,
	SK_NETWORK_SLIRP,
	SK_NETWORK_NETNS,
	SK_NETWORK_MODES,
};

struct sk_network_config {
	enum sk_network_mode mode;
	bool wait; /* the owner says when it is there: sk_sandbox_go_on(); until then the guest is not set up */
	/* slirp */
	bool host_loopback, isolated;
	uint16_t mtu;
	uint8_t mac[6];
	const struct sk_slirp_forward *forwards;
	unsigned n_forwards;
	const char *const *names; /* of the host, which the guest's name server knows */
	unsigned n_names;
	/* Reads the host's resolv.conf for a confined process: as in sk_slirp_config. NULL: nobody does. */
	int (*resolv_conf)(void *arg, char *ret, size_t size);
	void *resolv_arg;
};

/* What a back end may use of its sandbox. Outlives it. */
struct sk_network_host {
	struct sk_loop *loop;
	const char *run_dir; /* of the device sockets */
	struct sk_carrier *carrier;
	struct sk_session *session;
	void (*changed)(void *arg); /* what describe() says has changed */
	void *arg;
};

struct sk_network_backend;
/* One at work: the first member of what a back end keeps. */
struct sk_network {
	const struct sk_network_backend *backend;
	struct sk_network_host host;
	const struct sk_network_config *config; /* outlives it */
};

struct sk_network_backend {
	const char *name;
	const char *address; /* the guest's, where that is always the same; NULL */
	bool changes;	     /* while the guest runs */
	bool administers; /* the process's network namespace, while the guest runs: with CAP_NET_ADMIN and CAP_NET_RAW */
	/* Makes devices and what stands behind them; *ret_network also on failure, as far as it has come. */
	int (*up)(const struct sk_network_host *host, const struct sk_network_config *config,
		  struct sk_network **ret_network, struct sk_error *err);
	size_t (*devices)(const struct sk_network *network, struct sk_engine_device *ret, size_t max);
	/* The network as it is now, for the guest; dropped with sk_network_spec_drop(). -errno. */
	int (*describe)(struct sk_network *network, struct sk_network_spec *ret);
	/* A stream of the guest's that may be the back end's own: as sk_stream_claim_cb. NULL: it has none. */
	ssize_t (*claim)(struct sk_network *network, const struct sk_token *token, struct sk_stream *stream,
			 const uint8_t *data, size_t n);
	/* One published port more, and one less: as sk_net_slirp_publish(). NULL: it publishes none. */
	int (*publish)(struct sk_network *network, const struct sk_slirp_forward *forward);
	void (*withdraw)(struct sk_network *network, const struct sk_slirp_forward *forward);
	void (*down)(struct sk_network *network);
};

/* Never NULL for a mode. */
const struct sk_network_backend *sk_network_backend(enum sk_network_mode mode);

/* All accept what up() has left of a network that could not be brought up, and NULL. */
int sk_network_up(const struct sk_network_host *host, const struct sk_network_config *config,
		  struct sk_network **ret_network, struct sk_error *err);
size_t sk_network_engine_devices(const struct sk_network *network, struct sk_engine_device *ret, size_t max);
int sk_network_describe(struct sk_network *network, struct sk_network_spec *ret);
void sk_network_spec_drop(struct sk_network_spec *spec);
ssize_t sk_network_claim(struct sk_network *network, const struct sk_token *token, struct sk_stream *stream,
			 const uint8_t *data, size_t n);
/* -EOPNOTSUPP: there is nothing to publish ports with. */
int sk_network_publish(struct sk_network *network, const struct sk_slirp_forward *forward);
void sk_network_withdraw(struct sk_network *network, const struct sk_slirp_forward *forward);
void sk_network_down(struct sk_network *network);

extern const struct sk_network_backend sk_network_slirp, sk_network_netns;

#endif
