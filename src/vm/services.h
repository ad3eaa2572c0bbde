/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_SERVICES_H
#define SK_VM_SERVICES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/loop.h"
#include "vm/sandbox.h"
#include "vm/sharer.h"

/*
 * What programs in the guest may ask of the host, see services.c and docs/protocols.md: to publish ports, to be
 * connected to the user's ssh-agent, to be given directories that the host did not have at first.
 */
struct sk_services;

/* `ssh_auth` is the agent's socket, or NULL. No threads yet, and before confine.c: the sandbox comes later. */
int sk_services_new(struct sk_loop *loop, bool publish, const char *ssh_auth, struct sk_services **ret,
		    struct sk_error *err);
/* Directories that the guest may ask for, SK_VM_LATER_MAX at most; borrowed. Once, before confine.c. */
int sk_services_set_later(struct sk_services *s, const struct sk_later_share *shares, unsigned n, struct sk_error *err);
/* `allow` is asked when the guest would like to stop because nobody needs it: 0, or negative errno. Before serving. */
typedef int (*sk_services_idle_cb)(void *arg);
void sk_services_set_idle(struct sk_services *s, sk_services_idle_cb allow, void *arg);
/* Begins to serve the guest of a sandbox, which outlives the services. Once. */
int sk_services_serve(struct sk_services *s, struct sk_sandbox *sandbox, struct sk_error *err);
/* Ends all connections and withdraws their ports. NULL is allowed. */
void sk_services_free(struct sk_services *s);
/* Adds the item that tells the agent about them to its "mounts" (may be NULL), which is returned. Without services it
 * stays as it is. */
json_t *sk_services_add_mount(const struct sk_services *s, json_t *take_mounts);

#endif
