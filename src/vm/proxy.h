/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_PROXY_H
#define SK_VM_PROXY_H

#include <stdbool.h>

#include "base/loop.h"
#include "proto/message.h"

/*
 * The client's end of an attached control connection, on an event loop: copies between the connection's frames and
 * three descriptors, as a process would that had them as its stdio. Used by the OCI runtime's exec, and by the monitor
 * itself for a container whose stdio it has inherited.
 *
 * Reading stops while a descriptor does not take what is there, input stops at the protocol's window: nothing grows.
 * Descriptors are reopened for non-blocking use where the kernel lets us: the flag must not leak into whoever else
 * holds them.
 */
struct sk_proxy;

struct sk_proxy_config {
	struct sk_loop *loop;
	int take_conn_fd;
	int in_fd, out_fd, err_fd; /* taken; -1: none. With `terminal` in_fd and out_fd are one terminal, already raw */
	bool terminal;
	int size_fd; /* the terminal whose size counts; borrowed. -1: none, or in_fd */
	/* The process has ended with `code` and all its output is written; negative: the connection was lost. Called
	 * once. */
	void (*done)(void *arg, int code, bool oom);
	/* A process of the container was killed for want of memory; may be NULL. */
	void (*oom)(void *arg);
	void *arg;
};

/* Takes the descriptors, also on failure. */
int sk_proxy_new(const struct sk_proxy_config *config, struct sk_proxy **ret_proxy);
/* Sends a message on the connection. */
void sk_proxy_send(struct sk_proxy *p, const struct sk_msg *message);
/* Tells the terminal's size, if it has changed. */
void sk_proxy_resize(struct sk_proxy *p);
/* The process has ended: a reader that takes nothing for `ms` is not waited for. */
void sk_proxy_ended(struct sk_proxy *p, unsigned ms);
bool sk_proxy_is_done(const struct sk_proxy *p);
/* Accepts NULL. */
void sk_proxy_free(struct sk_proxy *p);

#endif
