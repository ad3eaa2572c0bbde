/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_SHARES_H
#define SK_VM_SHARES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/loop.h"
#include "engine/engine.h"
#include "proto/message.h"
#include "virtio/stream.h"

/* Directories and files of the host that a sandbox is given, and their server. */
struct sk_shares;

struct sk_sandbox_share {
	const char *tag;     /* by which the guest attaches: lower-case letters and digits, at most 31 */
	const char *path;    /* of the host */
	const char *subpath; /* only that part of it, which links do not lead out of; NULL */
	const char *file;    /* only the file of that name in it; NULL */
	bool readonly, nodev, nosuid;
	bool slave;	   /* what the host mounts below it later is shared, too */
	bool nonrecursive; /* what is mounted below it is not */
	bool long_leases;  /* hardly anybody else changes it */
	bool copy_up;	   /* writable once while it is empty: the agent copies there what the image has */
};
#define SK_SANDBOX_SHARES 48u

struct sk_shares_config {
	struct sk_loop *loop;
	const char *run_dir; /* of the device socket */
	int log_fd;	     /* of the server's messages; borrowed */
	const struct sk_sandbox_share *shares;
	unsigned n_shares;
	bool wait; /* the server begins with sk_shares_begin(): what is mounted below a share until then is shared */
	void (*lost)(void *arg, const char *why); /* the server has ended */
	void *arg;
};

/* Opens the shares and starts the server. *ret_shares is NULL where there is none to share. */
int sk_shares_new(const struct sk_shares_config *config, struct sk_shares **ret_shares, struct sk_error *err);
/* The others accept NULL. */
void sk_shares_begin(struct sk_shares *shares);
/* Keeps the server off the engine's processor. */
void sk_shares_place(const struct sk_shares *shares, const struct sk_engine_process *engine);
size_t sk_shares_engine_devices(const struct sk_shares *shares, struct sk_engine_device *ret, size_t max);
/* Mount tag of the device that has them; NULL: there is none. */
const char *sk_shares_device(const struct sk_shares *shares);
/* Where no device has them: the token with which the guest opens the stream that does, for 9P. NULL. */
const struct sk_token *sk_shares_token(const struct sk_shares *shares);
/* That stream: as sk_stream_claim_cb. */
ssize_t sk_shares_claim(struct sk_shares *shares, const struct sk_token *token, struct sk_stream *stream,
			const uint8_t *data, size_t n);
/* After the engine: nobody asks any more. */
void sk_shares_free(struct sk_shares *shares);

#endif
