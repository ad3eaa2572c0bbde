/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SK_VM_DIALLER_H
#define SK_VM_DIALLER_H

#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "vm/sharer.h"

/*
 * Makes connections for a monitor that must not (confine.c): a child process, started before the monitor gives anything
 * up, that can do nothing else, and goes with the monitor. It connects to one unix socket of the host, or starts a file
 * server for one of a few directories (sharer.h). Paths are looked up for each connection.
 */
struct sk_dialler;

/* The answer to a number: a connected socket, the callee's, or negative errno. */
typedef void (*sk_dialled_cb)(void *arg, uint32_t number, int take_fd);

/* `path` is copied. No threads yet. */
int sk_dialler_new(struct sk_loop *loop, const char *path, sk_dialled_cb cb, void *arg, struct sk_dialler **ret,
		   struct sk_error *err);
/* The same for directories. `shares` has to stay until this returns. */
int sk_dialler_new_shares(struct sk_loop *loop, const struct sk_later_share *shares, unsigned n, sk_dialled_cb cb,
			  void *arg, struct sk_dialler **ret, struct sk_error *err);
/* Asks for a connection, to directory `index`; `cb` follows, from the loop. -EPIPE: the process has gone; -EAGAIN: too
 * many at once. */
int sk_dialler_ask(struct sk_dialler *d, uint32_t number, uint32_t index);
/* Ends the process. NULL is allowed. */
void sk_dialler_free(struct sk_dialler *d);

#endif
